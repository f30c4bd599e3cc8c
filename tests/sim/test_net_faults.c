// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network cards served by a whole worker whose calls of Xen fail, or are slow: packets may be lost then, but what comes is right, each
 * slot and page is answered, and afterwards everything goes on, with nothing left mapped.
 */
#include <errno.h>
#include <stdint.h>

#include "check_main.h"
#include "log.h"
#include "sim/faults.h"
#include "sim_net.h"
#include "worker/backends.h"

#define CARD 0

static struct sim_net net;

static const struct netif_frontend_options card = {.takes = SIM_NET_ALL_TAKEN, .split = true, .guard = true};

static const struct net_load_options mixed = {
	.content = {.minimum = XVHOST_NET_BYTES_MIN,
		    .maximum = XVHOST_NET_BYTES_MAX,
		    .takes = SIM_NET_ALL_TAKEN},
	.depth = 10,
	.split = true,
	.packets = 500,
};

static void start(const char *access, uint32_t grant_version)
{
	sim_disk_access = access;
	sim_disk_start_version(true, grant_version);
	/* Each packet that is lost would be a line. */
	log_set_level(LOG_LEVEL_ERROR);
	sim_net_open(&net, CARD, "echo");
}

static void stop(void)
{
	sim_net_close(&net);
	sim_disk_stop();
}

/*
 * expect_counted - none was lost but those that the worker has counted: what was sent failed, or came back, or was dropped. What came when
 * the load had given it up lies in the ring still. Disconnects the card.
 */
static void expect_counted(const struct net_load_result *result)
{
	const struct message_net_counters *counters = worker_thread_net_counters(worker);
	struct net_front_received received;
	uint64_t late = 0;

	ck_assert_int_eq(worker_thread_net_disconnect(worker, CARD), 0);
	for (; net_front_receive(net.frontend->queues[0], &received) > 0; late += !received.failed)
		;
	ck_assert_str_eq(net.frontend->queues[0]->error, "");
	ck_assert_uint_eq(counters->tx_errors, result->refused);
	ck_assert_uint_eq(counters->tx_packets, result->sent);
	ck_assert_uint_eq(counters->rx_packets, result->received + late);
	ck_assert_uint_eq(counters->rx_dropped + result->refused + late, result->lost);
	ck_assert_uint_eq(netif_frontend_destroy(net.frontend), 0);
	net.frontend = NULL;
}

/* Calls that carry packets. */
START_TEST(packets)
{
	static const struct {
		const char *access;
		struct sim_fault fault;
		uint32_t lost_least, lost_most;
	} rows[] = {
		{"grant", {.call = SIM_GRANTS_COPY, .one_in = 10, .error = -ENOMEM}, 1, 500},
		{"grant", {.call = SIM_GRANTS_COPY, .one_in = 3, .error = -EAGAIN, .most = 2}, 1, 500},
		{"grant", {.call = SIM_GRANTS_COPY, .after = 20, .times = 1, .error = -EFAULT}, 1, 500},
		{"grant", {.call = SIM_GRANTS_COPY, .one_in = 3, .delay_us = 300}, 0, 0},
		{"foreign", {.call = SIM_FOREIGN_MAP, .one_in = 2, .error = -ENOMEM}, 0, 0},
		{"foreign", {.call = SIM_FOREIGN_MAP, .most = 1}, 0, 0},
		/* It goes on by grants. */
		{"foreign", {.call = SIM_DEVICE_MODEL_MODIFIED, .one_in = 4, .error = -EIO}, 0, 0},
		{"auto", {.call = SIM_EVENT, .one_in = 3, .delay_us = 500}, 0, 0},
		{"auto", {.call = SIM_EVENT_CHANNELS_NOTIFY, .one_in = 3, .delay_us = 300}, 0, 0},
	};
	static struct net_load_result result;
	struct net_load_options options = mixed;
	struct net_load *load;

	start(rows[_i].access, 1);
	sim_net_connect(&net, &card);
	sim_fault_set(machine, &rows[_i].fault);
	options.from = options.to = net.frontend;
	options.content.seed = (uint64_t)_i;
	/* Where all come none has to be waited for in vain. */
	options.quiet_ms = rows[_i].lost_most > 0 ? 100 : 0;
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	net_load_finish(load, &result);
	net_load_destroy(load);
	ck_assert_uint_gt(sim_fault_hits(machine, rows[_i].fault.call), 0);
	ck_assert_msg(result.error == 0, "%s", result.text);
	ck_assert_uint_eq(result.sent + result.refused, 500);
	ck_assert_uint_eq(result.received + result.lost, 500);
	ck_assert_uint_ge(result.lost, result.refused + result.failed);
	ck_assert_uint_gt(result.received, 50);
	ck_assert_uint_ge(result.lost, rows[_i].lost_least);
	ck_assert_uint_le(result.lost, rows[_i].lost_most);
	sim_faults_clear(machine);
	sim_net_load(&net, &mixed);
	/* Of that none was lost. */
	result.sent += mixed.packets;
	result.received += mixed.packets;
	expect_counted(&result);
	stop();
}
END_TEST

/* Calls by which a card is connected: it is not, the reason is said, and the next time it is. */
START_TEST(connecting)
{
	static const enum sim_call calls[] = {SIM_GRANTS_MAP, SIM_EVENT_CHANNELS_BIND};
	struct netif_frontend_options options = card;
	char text[ERROR_TEXT_MAX];

	options.queues = 3;
	start("auto", 1);
	for (uint32_t after = 0; after < 6; after++) {
		const struct sim_fault fault = {
			.call = calls[_i], .after = after, .times = 1, .error = -ENOMEM};

		sim_fault_set(machine, &fault);
		sim_net_create(&net, &options);
		ck_assert_int_eq(worker_thread_net_connect(worker, net.frontend, false, text), -ENOMEM);
		ck_assert_uint_ne(text[0], 0);
		ck_assert_uint_eq(sim_fault_hits(machine, calls[_i]), 1);
		ck_assert_uint_eq(netif_frontend_destroy(net.frontend), 0);
		net.frontend = NULL;
	}
	sim_faults_clear(machine);
	sim_net_connect(&net, &options);
	sim_net_load(&net, &mixed);
	stop();
}
END_TEST

/* A backend that can't open a queue: the card is not connected, the reason is said, and with fewer queues it is. */
START_TEST(queue_is_not_opened)
{
	struct netif_frontend_options options = card;
	const struct xvhost_net_backend *backend;
	char path[SIM_DISK_PATH_MAX], text[ERROR_TEXT_MAX];

	sim_disk_access = "auto";
	sim_disk_start(true);
	sim_disk_built(path, "tests/backends/net-wrong.so");
	ck_assert_msg(backends_load_net(path, &backend, text) == 0, "%s", text);
	sim_net_open(&net, CARD, "net-wrong:fault=opens-one-queue");
	options.takes = 0;
	for (options.queues = 3; options.queues >= 2; options.queues--) {
		sim_net_create(&net, &options);
		ck_assert_int_eq(worker_thread_net_connect(worker, net.frontend, false, text), -EBUSY);
		ck_assert_str_eq(text, "backend net-wrong can't open queue 1: Device or resource busy");
		ck_assert_uint_eq(netif_frontend_destroy(net.frontend), 0);
		net.frontend = NULL;
	}
	sim_net_connect(&net, &options);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, packets, 0, 9);
	tcase_add_loop_test(test_case, connecting, 0, 2);
	tcase_add_test(test_case, queue_is_not_opened);
}

CHECK_MAIN("net faults", add_tests)
