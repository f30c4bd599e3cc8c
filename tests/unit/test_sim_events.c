// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine: event channels. */
#include "check_main.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sim/sim.h"
#include "sim_probe.h"

#define DOMID 5
#define NOTHING_MS 50 /* how long we look for what must not come */

static struct sim_machine *machine;
static struct sim_guest *guest;
static const struct platform *platform;
static struct event_channels *channels;
static int channels_fd;

static void setup(void)
{
	struct sim_guest_options options = {.domid = DOMID, .pages = 1};

	machine = sim_machine_create(1);
	ck_assert_ptr_nonnull(machine);
	platform = sim_platform(machine);
	ck_assert_int_eq(sim_guest_create(machine, &options, &guest), 0);
	ck_assert_int_eq(platform->event_channels_open(platform, &channels), 0);
	channels_fd = platform->event_channels_fd(channels);
}

static void teardown(void)
{
	platform->event_channels_close(channels);
	sim_machine_destroy(machine);
}

/* next_port - the port that is read within the time; 0 if none is. */
static uint32_t next_port(int timeout_ms)
{
	struct pollfd polled = {.fd = channels_fd, .events = POLLIN};
	uint32_t port;

	if (poll(&polled, 1, timeout_ms) < 1) {
		ck_assert_int_eq(read(channels_fd, &port, sizeof(port)), -1);
		ck_assert_int_eq(errno, EAGAIN);
		return 0;
	}
	ck_assert_int_eq(read(channels_fd, &port, sizeof(port)), sizeof(port));
	return port;
}

static void unmask(uint32_t port)
{
	ck_assert_int_eq(write(channels_fd, &port, sizeof(port)), sizeof(port));
}

static uint32_t open_port(void)
{
	int port = sim_port_open(guest, SIM_HOST_DOMID);

	ck_assert_int_gt(port, 0);
	return (uint32_t)port;
}

/* bind_port - and take the event that comes with it; the port is not masked afterwards. */
static uint32_t bind_port(uint32_t remote)
{
	int port = platform->event_channels_bind(channels, DOMID, remote);

	ck_assert_int_gt(port, 0);
	ck_assert_uint_eq(next_port(0), (uint32_t)port);
	unmask((uint32_t)port);
	return (uint32_t)port;
}

START_TEST(both_ways)
{
	uint32_t remote = open_port(), port;

	ck_assert_int_eq(sim_port_notify(guest, remote), -ENOTCONN);
	port = bind_port(remote);
	ck_assert_uint_eq(next_port(NOTHING_MS), 0);
	ck_assert_int_eq(sim_port_notify(guest, remote), 0);
	ck_assert_uint_eq(next_port(0), port);
	ck_assert_int_eq(sim_port_wait(guest, remote, 0), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(platform->event_channels_notify(channels, port), 0);
	ck_assert_int_eq(sim_port_wait(guest, remote, -1), 1);
	ck_assert_int_eq(sim_port_wait(guest, remote, NOTHING_MS), 0);
}
END_TEST

/* Between reading and unmasking events are kept, as one. */
START_TEST(masked)
{
	uint32_t remote = open_port(), port = bind_port(remote);

	sim_port_notify(guest, remote);
	ck_assert_uint_eq(next_port(0), port);
	sim_port_notify(guest, remote);
	sim_port_notify(guest, remote);
	ck_assert_uint_eq(next_port(NOTHING_MS), 0);
	unmask(port);
	ck_assert_uint_eq(next_port(5000), port);
	ck_assert_uint_eq(next_port(NOTHING_MS), 0);
	unmask(port);
	ck_assert_uint_eq(next_port(NOTHING_MS), 0);
	/* Unmasking what is not masked, or not ours, changes nothing. */
	unmask(port);
	unmask(port + 1);
	unmask(UINT32_MAX);
	ck_assert_uint_eq(next_port(NOTHING_MS), 0);
	sim_port_notify(guest, remote);
	ck_assert_uint_eq(next_port(0), port);
}
END_TEST

/* One read takes all that is pending, one write unmasks all. */
START_TEST(arrays)
{
	uint32_t remote[20], port[20], read_ports[64];

	for (int i = 0; i < 20; i++)
		remote[i] = open_port();
	for (int i = 0; i < 20; i++)
		port[i] = bind_port(remote[i]);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++)
			ck_assert_int_eq(sim_port_notify(guest, remote[i]), 0);
		ck_assert_int_eq(read(channels_fd, read_ports, sizeof(read_ports)), sizeof(port));
		for (int i = 0; i < 20; i++)
			ck_assert_uint_eq(read_ports[i], port[i]);
		ck_assert_int_eq(write(channels_fd, port, sizeof(port)), sizeof(port));
	}
}
END_TEST

START_TEST(what_can_be_bound)
{
	uint32_t remote = open_port(), port = bind_port(remote);
	int other = sim_port_open(guest, 9);

	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID, remote), -EINVAL);
	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID, (uint32_t)other), -EINVAL);
	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID, remote + 100), -EINVAL);
	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID, UINT32_MAX), -EINVAL);
	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID + 1, remote), -ESRCH);
	ck_assert_int_eq(platform->event_channels_unbind(channels, port + 1), -ENOTCONN);
	ck_assert_int_eq(platform->event_channels_unbind(channels, UINT32_MAX), -EINVAL);
	ck_assert_int_eq(platform->event_channels_notify(channels, port + 1), -ENOTCONN);
	ck_assert_int_eq(platform->event_channels_notify(channels, UINT32_MAX), -ENOTCONN);
	ck_assert_int_eq(sim_port_notify(guest, remote + 100), -EINVAL);
	ck_assert_int_eq(sim_port_wait(guest, remote + 100, 0), -EINVAL);
	ck_assert_int_eq(sim_port_close(guest, UINT32_MAX), -EINVAL);
}
END_TEST

/* When the host's end is closed, by unbind or with its handle, the guest's goes back to unbound. */
START_TEST(back_to_unbound)
{
	uint32_t remote = open_port(), port = bind_port(remote);
	struct event_channels *other;
	int other_port;

	ck_assert_int_eq(platform->event_channels_unbind(channels, port), 0);
	ck_assert_int_eq(platform->event_channels_notify(channels, port), -ENOTCONN);
	ck_assert_int_eq(sim_port_notify(guest, remote), -ENOTCONN);
	ck_assert_int_eq(platform->event_channels_open(platform, &other), 0);
	other_port = platform->event_channels_bind(other, DOMID, remote);
	ck_assert_int_gt(other_port, 0);
	ck_assert_int_eq(platform->event_channels_notify(channels, (uint32_t)other_port), -ENOTCONN);
	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID, remote), -EINVAL);
	platform->event_channels_close(other);
	ck_assert_int_eq(sim_port_notify(guest, remote), -ENOTCONN);
	port = bind_port(remote);
	ck_assert_int_eq(platform->event_channels_notify(channels, port), 0);
	ck_assert_int_eq(sim_port_wait(guest, remote, 0), 1);
}
END_TEST

/* An unmasking that was written before a port was unbound is not the next one's. */
START_TEST(unmasked_before_unbound)
{
	uint32_t remote = open_port(), port = bind_port(remote), again;

	sim_port_notify(guest, remote);
	ck_assert_uint_eq(next_port(0), port);
	unmask(port);
	ck_assert_int_eq(platform->event_channels_unbind(channels, port), 0);
	again = (uint32_t)platform->event_channels_bind(channels, DOMID, remote);
	ck_assert_uint_eq(again, port);
	sim_port_notify(guest, remote);
	ck_assert_uint_eq(next_port(0), port);
	ck_assert_uint_eq(next_port(NOTHING_MS), 0);
	unmask(port);
	ck_assert_uint_eq(next_port(5000), port);
}
END_TEST

/* When the guest's end is closed the host's stays and leads nowhere. */
START_TEST(closed_by_the_guest)
{
	uint32_t remote = open_port(), port = bind_port(remote);

	ck_assert_int_eq(platform->event_channels_notify(channels, port), 0);
	if (_i)
		sim_guest_destroy(guest);
	else
		ck_assert_int_eq(sim_port_close(guest, remote), 0);
	ck_assert_int_eq(platform->event_channels_notify(channels, port), 0);
	ck_assert_int_ne(platform->event_channels_bind(channels, DOMID, remote), (int)port);
	ck_assert_int_eq(platform->event_channels_unbind(channels, port), 0);
	if (_i)
		return;
	/* A new port of the same number has no event of the old one's. */
	ck_assert_uint_eq(open_port(), remote);
	ck_assert_int_eq(sim_port_wait(guest, remote, 0), 0);
}
END_TEST

START_TEST(restricted)
{
	struct sim_guest_options options = {.domid = DOMID + 1, .pages = 1};
	struct sim_guest *other;
	int remote;

	ck_assert_int_eq(sim_guest_create(machine, &options, &other), 0);
	remote = sim_port_open(other, SIM_HOST_DOMID);
	ck_assert_int_eq(platform->event_channels_restrict(channels, 0), -EINVAL);
	ck_assert_int_eq(platform->event_channels_restrict(channels, 0x7ff0), -EINVAL);
	ck_assert_int_eq(platform->event_channels_restrict(channels, DOMID), 0);
	ck_assert_int_eq(platform->event_channels_restrict(channels, DOMID + 1), -EINVAL);
	ck_assert_int_eq(platform->event_channels_bind(channels, DOMID + 1, (uint32_t)remote), -EACCES);
	bind_port(open_port());
}
END_TEST

/* ---- several threads ---- */

#define ROUNDS 20000

static atomic_bool stop;

/* A host that unmasks after a while, without knowing what the guest does meanwhile. */
static void *answering_host(void *argument)
{
	uint32_t ports[8], count = 0;

	(void)argument;
	while (!stop) {
		struct pollfd polled = {.fd = channels_fd, .events = POLLIN};
		ssize_t bytes;

		poll(&polled, 1, 100);
		bytes = read(channels_fd, ports, sizeof(ports));
		if (bytes < 0)
			continue;
		for (ssize_t i = 0; i < bytes / 4; i++) {
			platform->event_channels_notify(channels, ports[i]);
			for (volatile int wait = 0; wait < (int)(count * 37 % 4000); wait++)
				;
			count++;
		}
		must(write(channels_fd, ports, (size_t)bytes) == bytes);
	}
	return NULL;
}

/* A guest that sends the next event as soon as it is notified: mostly before the port is unmasked. If one were
 * lost, it would wait for ever. */
static void *asking_guest(void *argument)
{
	uint32_t remote = *(uint32_t *)argument;
	struct pollfd polled = {.fd = sim_port_fd(guest, remote), .events = POLLIN};

	for (int i = 0; i < ROUNDS; i++) {
		must(sim_port_notify(guest, remote) == 0);
		if (i % 2)
			must(poll(&polled, 1, 10000) == 1);
		must(sim_port_wait(guest, remote, 10000) == 1);
	}
	return NULL;
}

START_TEST(no_event_is_lost)
{
	uint32_t remote[3] = {open_port(), open_port(), open_port()};
	pthread_t host, guests[3];

	for (int i = 0; i < 3; i++)
		bind_port(remote[i]);
	stop = false;
	pthread_create(&host, NULL, answering_host, NULL);
	for (int i = 0; i < 3; i++)
		pthread_create(&guests[i], NULL, asking_guest, &remote[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(guests[i], NULL);
	stop = true;
	pthread_join(host, NULL);
}
END_TEST

/* A host that only unmasks, and never reads, loses nothing either. */
START_TEST(full)
{
	uint32_t remote = open_port(), port = bind_port(remote);
	int bytes;

	for (int i = 0; i < 2000; i++) {
		unmask(port);
		sim_port_notify(guest, remote);
	}
	unmask(port);
	/* Long enough for the unmasking to be seen while there is no room. */
	ck_assert_int_eq(poll(NULL, 0, NOTHING_MS), 0);
	ck_assert_int_eq(ioctl(channels_fd, FIONREAD, &bytes), 0);
	ck_assert_int_lt(bytes, 2000 * 4);
	/* One event more than there was room for. */
	for (int i = 0; i < bytes / 4 + 1; i++)
		ck_assert_uint_eq(next_port(5000), port);
	ck_assert_uint_eq(next_port(NOTHING_MS), 0);
	unmask(port);
	sim_port_notify(guest, remote);
	ck_assert_uint_eq(next_port(5000), port);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, setup, teardown);
	tcase_add_test(test_case, both_ways);
	tcase_add_test(test_case, masked);
	tcase_add_test(test_case, arrays);
	tcase_add_test(test_case, what_can_be_bound);
	tcase_add_test(test_case, back_to_unbound);
	tcase_add_test(test_case, unmasked_before_unbound);
	tcase_add_loop_test(test_case, closed_by_the_guest, 0, 2);
	tcase_add_test(test_case, restricted);
	tcase_add_test(test_case, no_event_is_lost);
	tcase_add_test(test_case, full);
}

CHECK_MAIN("sim_events", add_tests)
