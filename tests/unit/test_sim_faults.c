// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine: calls that go wrong on purpose. */
#include "check_main.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "sim/faults.h"
#include "sim/xenstore.h"

#define DOMID 5
#define SLOW_US 60000
#define LATE_US 1000000 /* longer than this process stands still between two calls */

static struct sim_machine *machine;
static struct sim_guest *guest;
static const struct platform *platform;
static struct event_channels *channels;
static struct grants *grants;
static uint32_t gref, remote;

static void setup_seed(uint64_t seed)
{
	struct sim_guest_options options = {.domid = DOMID, .pages = 1};
	uint64_t frame;

	machine = sim_machine_create(seed);
	ck_assert_ptr_nonnull(machine);
	platform = sim_platform(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(platform->event_channels_open(platform, &channels), 0);
	ck_assert_int_eq(platform->grants_open(platform, &grants), 0);
	ck_assert_int_eq(sim_pages_take(guest, 1, &frame), 0);
	gref = (uint32_t)sim_grant(guest, SIM_HOST_DOMID, frame, false);
	remote = (uint32_t)sim_port_open(guest, SIM_HOST_DOMID);
}

static void setup(void)
{
	setup_seed(1);
}

static void teardown(void)
{
	sim_faults_clear(machine);
	platform->event_channels_close(channels);
	platform->grants_close(grants);
	sim_machine_destroy(machine);
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* map - map and unmap. */
static int map(void)
{
	void *page, *mapping;
	int error = platform->grants_map(grants, DOMID, &gref, 1, true, false, &page, &mapping);

	return error < 0 ? error : platform->grants_unmap(grants, mapping, 1);
}

START_TEST(nth_use)
{
	static const int expected[] = {0, 0, -ENOSPC, -ENOSPC, -ENOSPC, 0, 0};

	sim_fault_set(machine,
		      &(struct sim_fault){.call = SIM_GRANTS_MAP, .after = 2, .times = 3, .error = -ENOSPC});
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		ck_assert_int_eq(map(), expected[i]);
	ck_assert_uint_eq(sim_fault_hits(machine, SIM_GRANTS_MAP), 3);
	/* Another one begins to count anew; without `times` it stays. */
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_GRANTS_MAP, .after = 1, .error = -EIO});
	ck_assert_int_eq(map(), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(map(), -EIO);
	sim_faults_clear(machine);
	ck_assert_int_eq(map(), 0);
	ck_assert_uint_eq(sim_fault_hits(machine, SIM_GRANTS_MAP), 0);
}
END_TEST

/* A call that fails has done nothing. */
START_TEST(each_call)
{
	static const enum sim_call calls[] = {SIM_EVENT_CHANNELS_OPEN,
					      SIM_EVENT_CHANNELS_RESTRICT,
					      SIM_EVENT_CHANNELS_BIND,
					      SIM_EVENT_CHANNELS_UNBIND,
					      SIM_EVENT_CHANNELS_NOTIFY,
					      SIM_GRANTS_OPEN,
					      SIM_GRANTS_MAP,
					      SIM_GRANTS_UNMAP};
	struct event_channels *more_channels;
	struct grants *more_grants;
	void *page, *mapping;
	uint32_t port;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		sim_fault_set(machine, &(struct sim_fault){.call = calls[i], .times = 1, .error = -EIO});
	ck_assert_int_eq(platform->event_channels_open(platform, &more_channels), -EIO);
	ck_assert_int_eq(platform->event_channels_restrict(channels, DOMID + 1), -EIO);
	ck_assert_int_eq(platform->event_channels_restrict(channels, DOMID), 0);
	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID, remote), -EIO);
	port = (uint32_t)platform->event_channels_bind(channels, DOMID, remote);
	ck_assert_int_eq(platform->event_channels_notify(channels, port), -EIO);
	ck_assert_int_eq(sim_port_wait(guest, remote, 0), 0);
	ck_assert_int_eq(platform->event_channels_notify(channels, port), 0);
	ck_assert_int_eq(sim_port_wait(guest, remote, 0), 1);
	ck_assert_int_eq(platform->event_channels_unbind(channels, port), -EIO);
	ck_assert_int_eq(sim_port_notify(guest, remote), 0);
	ck_assert_int_eq(platform->event_channels_unbind(channels, port), 0);
	ck_assert_int_eq(platform->grants_open(platform, &more_grants), -EIO);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &gref, 1, true, false, &page, &mapping), -EIO);
	ck_assert_int_eq(platform->grants_map(grants, DOMID, &gref, 1, true, false, &page, &mapping), 0);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), -EIO);
	ck_assert_int_eq(sim_grant_end(guest, gref), -EBUSY);
	ck_assert_int_eq(platform->grants_unmap(grants, mapping, 1), 0);
	ck_assert_int_eq(sim_grant_end(guest, gref), 0);
}
END_TEST

START_TEST(each_call_of_memory)
{
	struct device_model *model;
	struct foreign *foreign;
	void *range;

	for (enum sim_call call = SIM_FOREIGN_OPEN; call <= SIM_DEVICE_MODEL_ANSWER; call++)
		sim_fault_set(machine, &(struct sim_fault){.call = call, .times = 1, .error = -EIO});
	ck_assert_int_eq(platform->foreign_open(platform, &foreign), -EIO);
	ck_assert_int_eq(platform->foreign_open(platform, &foreign), 0);
	ck_assert_int_eq(platform->foreign_restrict(foreign, DOMID + 1), -EIO);
	ck_assert_int_eq(platform->foreign_restrict(foreign, DOMID), 0);
	ck_assert_int_eq(platform->foreign_reserve(foreign, 2, FOREIGN_GRANT_TABLE, &range), -EIO);
	ck_assert_int_eq(platform->foreign_reserve(foreign, 2, FOREIGN_GRANT_TABLE, &range), 0);
	ck_assert_int_eq(
		platform->foreign_map_grant_frames(foreign, DOMID, range, GRANT_FRAMES_ENTRIES, 0, 1), -EIO);
	ck_assert_int_eq(
		platform->foreign_map_grant_frames(foreign, DOMID, range, GRANT_FRAMES_ENTRIES, 0, 1), 0);
	ck_assert_int_eq(platform->foreign_release(foreign, range, 2), -EIO);
	ck_assert_int_eq(*(volatile char *)range, 0);
	ck_assert_int_eq(platform->foreign_release(foreign, range, 2), 0);
	platform->foreign_close(foreign);
	ck_assert_int_eq(platform->device_model_possible(platform, DOMID), -EIO);
	ck_assert_int_eq(platform->device_model_possible(platform, DOMID), 0);
	ck_assert_int_eq(platform->device_model_clean_up(platform, DOMID), -EIO);
	ck_assert_int_eq(platform->device_model_clean_up(platform, DOMID), 0);
	ck_assert_int_eq(platform->device_model_open(platform, DOMID, &model), -EIO);
	ck_assert_int_eq(platform->device_model_open(platform, DOMID, &model), 0);
	ck_assert_int_eq(platform->device_model_modified(model, NULL, 0), -EIO);
	ck_assert_int_eq(platform->device_model_modified(model, NULL, 0), 0);
	ck_assert_int_eq(platform->device_model_answer(model), -EIO);
	ck_assert_int_eq(platform->device_model_answer(model), 0);
	platform->device_model_close(model);
}
END_TEST

/* The host's calls only: not the toolstack's, nor the guest's. */
START_TEST(each_call_of_xenstore)
{
	struct xenstore *host, *toolstack;
	unsigned count;
	uint32_t transaction;
	char *value;

	for (enum sim_call call = SIM_XENSTORE_OPEN; call <= SIM_XENSTORE_UNWATCH; call++)
		sim_fault_set(machine, &(struct sim_fault){.call = call, .times = 1, .error = -EIO});
	ck_assert_int_eq(sim_xenstore_open(machine, 0, &toolstack), 0);
	ck_assert_int_eq(platform->xenstore_open(platform, &host), -EIO);
	ck_assert_int_eq(platform->xenstore_open(platform, &host), 0);
	ck_assert_int_eq(sim_xenstore_write(toolstack, 0, "/local/domain/5/a", "1"), 0);
	ck_assert_int_eq(platform->xenstore_write(host, 0, "/local/domain/5/a", "2"), -EIO);
	ck_assert_ptr_null(platform->xenstore_read(host, 0, "/local/domain/5/a"));
	ck_assert_int_eq(errno, EIO);
	value = platform->xenstore_read(host, 0, "/local/domain/5/a");
	ck_assert_str_eq(value, "1");
	free(value);
	ck_assert_ptr_null(platform->xenstore_directory(host, 0, "/local/domain/5", &count));
	ck_assert_int_eq(errno, EIO);
	ck_assert_uint_eq(platform->xenstore_transaction_start(host), 0);
	ck_assert_int_eq(errno, EIO);
	transaction = platform->xenstore_transaction_start(host);
	ck_assert_int_eq(platform->xenstore_remove(host, transaction, "/local/domain/5/a"), -EIO);
	ck_assert_int_eq(platform->xenstore_remove(host, transaction, "/local/domain/5/a"), 0);
	ck_assert_int_eq(platform->xenstore_transaction_end(host, transaction, false), -EIO);
	value = platform->xenstore_read(host, 0, "/local/domain/5/a");
	ck_assert_str_eq(value, "1");
	free(value);
	ck_assert_int_eq(platform->xenstore_watch(host, "/local", "t"), -EIO);
	ck_assert_int_eq(platform->xenstore_watch(host, "/local", "t"), 0);
	ck_assert_int_eq(platform->xenstore_unwatch(host, "/local", "t"), -EIO);
	ck_assert_int_eq(platform->xenstore_unwatch(host, "/local", "t"), 0);
	platform->xenstore_close(host);
	sim_xenstore_close(toolstack);
}
END_TEST

START_TEST(slow)
{
	int64_t before;

	sim_fault_set(machine, &(struct sim_fault){.call = SIM_GRANTS_MAP, .times = 1, .delay_us = SLOW_US});
	before = now_us();
	ck_assert_int_eq(map(), 0);
	ck_assert_int_ge(now_us() - before, SLOW_US);
}
END_TEST

/* An event that is late is not lost, and a second one does not overtake it. */
START_TEST(late_event)
{
	int fd = platform->event_channels_fd(channels);
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	uint32_t second_remote = (uint32_t)sim_port_open(guest, SIM_HOST_DOMID), ports[4], both[2];
	int64_t before;

	both[0] = (uint32_t)platform->event_channels_bind(channels, DOMID, remote);
	both[1] = (uint32_t)platform->event_channels_bind(channels, DOMID, second_remote);
	ck_assert_int_eq(read(fd, ports, sizeof(ports)), sizeof(both));
	ck_assert_int_eq(write(fd, both, sizeof(both)), sizeof(both));
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_EVENT, .times = 1, .delay_us = LATE_US});
	before = now_us();
	ck_assert_int_eq(sim_port_notify(guest, remote), 0);
	ck_assert_int_eq(sim_port_notify(guest, second_remote), 0);
	/* The read gives fewer than have events. */
	ck_assert_int_eq(read(fd, ports, sizeof(ports)), sizeof(ports[0]));
	ck_assert_uint_eq(ports[0], both[1]);
	ck_assert_int_eq(poll(&polled, 1, 10000), 1);
	ck_assert_int_ge(now_us() - before, LATE_US);
	ck_assert_int_eq(read(fd, ports, sizeof(ports)), sizeof(ports[0]));
	ck_assert_uint_eq(ports[0], both[0]);
}
END_TEST

/* Events that are late, one after the other, do not put off those before them. */
START_TEST(late_events)
{
	int fd = platform->event_channels_fd(channels);
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	uint32_t port = (uint32_t)platform->event_channels_bind(channels, DOMID, remote);
	int64_t before = now_us();

	ck_assert_int_eq(read(fd, &port, sizeof(port)), sizeof(port));
	ck_assert_int_eq(write(fd, &port, sizeof(port)), sizeof(port));
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_EVENT, .delay_us = SLOW_US});
	do {
		ck_assert_int_eq(sim_port_notify(guest, remote), 0);
		ck_assert_int_lt(now_us() - before, 50 * SLOW_US);
	} while (poll(&polled, 1, SLOW_US / 1000 / 6) == 0);
}
END_TEST

/* by_chance_with - which of 64 uses fail, when so many other random numbers are drawn between two of them. */
static uint64_t by_chance_with(uint64_t seed, uint32_t draws)
{
	uint64_t failed = 0;

	teardown();
	setup_seed(seed);
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_GRANTS_MAP, .one_in = 3, .error = -EIO});
	sim_fault_set(machine, &(struct sim_fault){.call = SIM_GRANTS_UNMAP, .one_in = 3});
	for (int i = 0; i < 64; i++) {
		failed |= (uint64_t)(map() < 0) << i;
		for (uint32_t draw = 0; draw < draws; draw++)
			sim_random(machine);
	}
	return failed;
}

/* By chance: some fail, some don't, and the same seed gives the same, whatever other threads have drawn meanwhile. */
START_TEST(by_chance)
{
	const uint64_t failed = by_chance_with(1, 0);

	ck_assert_uint_ne(failed, 0);
	ck_assert_uint_ne(failed, UINT64_MAX);
	ck_assert_uint_eq(by_chance_with(1, 1), failed);
	ck_assert_uint_eq(by_chance_with(1, 3), failed);
	ck_assert_uint_ne(by_chance_with(2, 0), failed);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, setup, teardown);
	tcase_add_test(test_case, nth_use);
	tcase_add_test(test_case, each_call);
	tcase_add_test(test_case, each_call_of_memory);
	tcase_add_test(test_case, each_call_of_xenstore);
	tcase_add_test(test_case, slow);
	tcase_add_test(test_case, late_event);
	tcase_add_test(test_case, late_events);
	tcase_add_test(test_case, by_chance);
}

CHECK_MAIN("sim_faults", add_tests)
