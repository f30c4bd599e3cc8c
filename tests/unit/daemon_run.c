// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon_run.c - an xvhostd over daemon_store.h, with the processes of fake_worker.h, for tests that play all others
 */
#include "daemon_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon_store.h"
#include "fake_worker.h"
#include "log.h"

#define WAIT_MS 5000	     /* for anything that does not depend on a deadline of xvhostd's */
#define BEGINNING_MS 1000000 /* of xvhostd's clock */
#define TURNS_LEAST 10

struct config daemon_run_config;
char daemon_run_lock_path[96], daemon_run_sysfs_path[96], daemon_run_record_path[96];
int64_t daemon_run_ahead_ms;
static char directory[64];
static struct daemon *daemon_tested;
static bool by_turns;

static int64_t true_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * clock_now_ms - in the place of clock.c's: in tests of these functions time passes by turns, so that a machine which stands still lets none
 * pass.
 */
int64_t clock_now_ms(void)
{
	return by_turns ? BEGINNING_MS + daemon_run_ahead_ms : true_ms();
}

void daemon_run_start(void)
{
	const struct daemon_settings settings = {
		.platform = &daemon_store_platform,
		.config = &daemon_run_config,
		.lock_path = daemon_run_lock_path,
		.sysfs_path = daemon_run_sysfs_path,
	};

	daemon_tested = daemon_create(&settings);
	ck_assert_ptr_nonnull(daemon_tested);
}

void daemon_run_turn(int wait_ms)
{
	ck_assert(daemon_turn(daemon_tested, wait_ms));
	daemon_run_ahead_ms += wait_ms;
}

void daemon_run_until(const char *path, const char *value)
{
	int64_t end_ms = true_ms() + WAIT_MS;
	char kept[XENSTORE_PATH_MAX];

	/* `path` may be a text that is good until the next call only. */
	snprintf(kept, sizeof(kept), "%s", path);
	for (;;) {
		const char *now = daemon_store_get(kept);

		now = now != NULL ? now : "(none)";
		if (strcmp(now, value) == 0)
			return;
		ck_assert_msg(true_ms() < end_ms, "%s is %s, not %s", kept, now, value);
		daemon_run_turn(20);
	}
}

void daemon_run_for(int64_t while_ms)
{
	int64_t end_ms = true_ms() + while_ms;

	for (unsigned turns = 0; turns < TURNS_LEAST || true_ms() < end_ms; turns++)
		daemon_run_turn((int)while_ms / TURNS_LEAST);
}

int daemon_run_children(int signal_number)
{
	char path[64];
	FILE *file;
	int pid, count = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	for (; fscanf(file, "%d", &pid) == 1; count++)
		ck_assert(signal_number == 0 || kill(pid, signal_number) == 0);
	fclose(file);
	return count;
}

void daemon_run_until_children(int count)
{
	int64_t end_ms = true_ms() + WAIT_MS;

	while (daemon_run_children(0) != count) {
		ck_assert_int_lt(true_ms(), end_ms);
		daemon_run_turn(20);
	}
}

void daemon_run_stop(void)
{
	int64_t end_ms = true_ms() + WAIT_MS;

	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	while (daemon_turn(daemon_tested, 20) && true_ms() < end_ms)
		;
	ck_assert(daemon_destroy(daemon_tested));
	daemon_tested = NULL;
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_uint_eq(daemon_store_watches(), 0);
	ck_assert_ptr_null(daemon_store_get("error"));
	ck_assert_int_ne(access(daemon_run_lock_path, F_OK), 0);
}

void daemon_run_set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/xvhost-test-daemon-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(daemon_run_lock_path, sizeof(daemon_run_lock_path), "%s/run/lock", directory);
	snprintf(daemon_run_sysfs_path, sizeof(daemon_run_sysfs_path), "%s/sys", directory);
	snprintf(daemon_run_record_path, sizeof(daemon_run_record_path), "%s/record", directory);
	by_turns = true;
	setenv(FAKE_RECORD, daemon_run_record_path, 1);
	config_set_defaults(&daemon_run_config);
	snprintf(daemon_run_config.worker, sizeof(daemon_run_config.worker), "%s", fake_worker_path());
	log_init("xvhostd", LOG_LEVEL_DEBUG);
	daemon_store_start(0);
}

void daemon_run_tear_down(void)
{
	char command[512];

	if (daemon_tested != NULL)
		daemon_run_stop();
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}
