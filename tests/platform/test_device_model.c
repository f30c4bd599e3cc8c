// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reports of written memory, and the guest's memory that goes away.
 *
 * "balloon" and "abandoned" say "ready" and want the guest to be told to give memory away then. "kept" says it and wants
 * to be killed; "clean-up" comes after that.
 */
#include "platform_test.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenctrl.h>

#define FIRST_WAIT_MS 30000 /* until the guest begins to give memory away */
#define MODELS_AT_ONCE 150  /* opened and closed by each process */
#define LAST_WAIT_MS 5000   /* after that it has ended */

static struct device_model *open_model(void)
{
	struct device_model *model;
	int error = platform->device_model_open(platform, guest.domid, &model);

	if (error < 0)
		errx(2, "device_model_open: %s", strerror(-error));
	return model;
}

void test_device_models(void)
{
	struct device_model *model, *second;
	uint64_t scattered[FRAMES_MAX / 2];

	check_equal(platform->device_model_open(platform, NO_DOMAIN, &model), -ESRCH);
	if (guest.pv) {
		check_equal(platform->device_model_open(platform, guest.domid, &model), -EINVAL);
		return;
	}
	model = open_model();
	second = open_model();
	check(!platform->device_model_invalidated(model));
	check_equal(platform->device_model_answer(model), 0);
	platform->device_model_close(second);
	/* As many runs as frames, and more than fit into one call. */
	for (uint32_t i = 0; i < FRAMES_MAX / 2; i++)
		scattered[i] = guest.frames[0] + 2 * i;
	check_equal(platform->device_model_modified(model, scattered, FRAMES_MAX / 2), 0);
	check_equal(platform->device_model_modified(model, guest.frames, guest.frame_count), 0);
	platform->device_model_close(model);
}

/* use_models - one after the other. Each can be opened, and nobody else ends it. */
static int use_models(uint32_t count)
{
	int error = 0;

	for (; error == 0 && count > 0; count--) {
		struct device_model *model;

		error = platform->device_model_open(platform, guest.domid, &model);
		if (error == 0)
			error = platform->device_model_modified(model, guest.frames, 1);
		if (error == 0)
			platform->device_model_close(model);
	}
	return -error;
}

/* A worker begins while another one ends, or what a third one left is cleaned up. */
void test_device_models_at_once(void)
{
	pid_t children[3];

	if (guest.pv)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(use_models(MODELS_AT_ONCE));
	}
	for (uint32_t i = 0; i < MODELS_AT_ONCE; i++)
		check_equal(platform->device_model_clean_up(platform, guest.domid), 0);
	for (uint32_t i = 0; i < 3; i++) {
		int status = -1;

		check(waitpid(children[i], &status, 0) == children[i]);
		check_equal(status, 0);
	}
}

/* ---- live migration ---- */

/* What is written through a mapping is dirty when it is reported, and not before. */
void test_dirty(void)
{
	struct foreign *foreign = open_foreign();
	struct device_model *model = open_model();
	char *range = reserve(foreign, 2, FOREIGN_WRITE);
	int errors[2];

	check_equal(map(foreign, range, guest.frames, 2, errors), 0);
	dirty_log_begin();
	for (int i = 0; i < 2; i++) {
		volatile char *byte = page_at(range, (uint32_t)i);

		*byte = *byte;
	}
	check(!dirty_log_has(guest.frames[0]));
	check_equal(platform->device_model_modified(model, &guest.frames[1], 1), 0);
	check(!dirty_log_has(guest.frames[0]));
	check(dirty_log_has(guest.frames[1]));
	check_equal(platform->device_model_modified(model, &(uint64_t){1ull << 40}, 1), -EINVAL);
	dirty_log_end();
	/* Without a migration nobody looks. */
	check_equal(platform->device_model_modified(model, &(uint64_t){1ull << 40}, 1), 0);
	platform->device_model_close(model);
	platform->foreign_close(foreign);
}

/* ---- ballooning ---- */

static bool readable_within(int fd, int timeout_ms)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	return poll(&polled, 1, timeout_ms) == 1;
}

static uint64_t pages_of_guest(xc_interface *xen)
{
	xc_dominfo_t information;

	if (xc_domain_getinfo(xen, guest.domid, 1, &information) != 1 || information.domid != guest.domid)
		errx(2, "domain %u is not there", guest.domid);
	return information.nr_pages;
}

/* answer_all - as long as the guest gives memory away. Returns how often it had to be answered. */
static uint32_t answer_all(struct device_model *model)
{
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);
	int fd = platform->device_model_fd(model), wait_ms = FIRST_WAIT_MS;
	uint32_t answers = 0;

	if (!xen)
		err(2, "xc_interface_open");
	for (; readable_within(fd, wait_ms); wait_ms = LAST_WAIT_MS) {
		uint64_t pages = pages_of_guest(xen);

		if (!platform->device_model_invalidated(model))
			continue;
		/* The first few times: the guest waits, and is not in a hurry. */
		if (answers < 3) {
			check(!readable_within(fd, 300));
			check_equal((int64_t)pages_of_guest(xen), (int64_t)pages);
			check(platform->device_model_invalidated(model));
		}
		check_equal(platform->device_model_answer(model), 0);
		answers++;
	}
	xc_interface_close(xen);
	return answers;
}

/* Frames that were given away can't be mapped again; what was mapped is still the old page. */
void test_balloon(void)
{
	struct foreign *foreign = open_foreign();
	struct device_model *model = open_model();
	char *before = reserve(foreign, FRAMES_MAX, FOREIGN_READ);
	char *after = reserve(foreign, FRAMES_MAX, FOREIGN_READ);
	uint32_t answers, gone = 0;
	int errors[FRAMES_MAX];

	check_equal(map(foreign, before, guest.frames, guest.frame_count, errors), 0);
	puts("ready");
	answers = answer_all(model);
	check(answers > 0);
	check_equal(map(foreign, after, guest.frames, guest.frame_count, errors), 0);
	for (uint32_t i = 0; i < guest.frame_count; i++) {
		check(errors[i] == 0 || errors[i] == -EINVAL);
		check_equal(can_read(page_at(after, i)), errors[i] == 0);
		check(can_read(page_at(before, i)));
		gone += errors[i] < 0;
	}
	check(gone > 0);
	printf("%u answers, %u of %u frames gone\n", answers, gone, guest.frame_count);
	platform->device_model_close(model);
	platform->foreign_close(foreign);
}

/* A guest that waits for us goes on when the model is closed. */
void test_abandoned(void)
{
	struct device_model *model = open_model();
	int rounds = 0;

	puts("ready");
	/* Events may come without news. */
	do
		check(readable_within(platform->device_model_fd(model), FIRST_WAIT_MS));
	while (!platform->device_model_invalidated(model) && rounds++ < 10);
	check(platform->device_model_invalidated(model));
	platform->device_model_close(model);
}

/* As abandoned as can be: it has to be killed. */
void test_kept(void)
{
	open_model();
	puts("ready");
	for (;;)
		pause();
}

/* The models of living processes stay, and those of killed ones end. */
void test_clean_up(void)
{
	struct device_model *model = open_model();

	check_equal(platform->device_model_clean_up(platform, guest.domid), 0);
	check_equal(platform->device_model_modified(model, guest.frames, 1), 0);
	check_equal(platform->device_model_answer(model), 0);
	platform->device_model_close(model);
	check_equal(platform->device_model_clean_up(platform, guest.domid), 0);
	check_equal(platform->device_model_clean_up(platform, NO_DOMAIN), 0);
}
