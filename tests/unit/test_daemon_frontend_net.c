// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_frontend_net.c - what a frontend can write about a network card's rings
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "daemon/frontend_net.h"
#include "daemon_store.h"
#include "xvhost/backend.h"

#define FRONTEND "/local/domain/7/device/vif/0"
#define IPV4 XVHOST_NET_CHECKSUM_IPV4
#define IPV6 XVHOST_NET_CHECKSUM_IPV6
#define TCPV4 XVHOST_NET_GSO_TCPV4
#define TCPV6 XVHOST_NET_GSO_TCPV6

static struct config config = {.net_max_queues = 2};
static struct host host = {.platform = &daemon_store_platform, .config = &config};
static struct message_net_connect rings;
static char text[ERROR_TEXT_MAX];

static void set(const char *name, const char *value)
{
	char path[XENSTORE_PATH_MAX];

	snprintf(path, sizeof(path), FRONTEND "/%s", name);
	if (value != NULL)
		daemon_store_set(path, value);
	else
		daemon_store_unset(path);
}

/* start - a frontend with one queue as Linux writes it, where event channels are split. */
static void start(void)
{
	daemon_store_start(0);
	ck_assert_int_eq(host.platform->xenstore_open(host.platform, &host.xenstore), 0);
	set("state", "4");
	set("multi-queue-num-queues", "1");
	set("tx-ring-ref", "8");
	set("rx-ring-ref", "9");
	set("event-channel-tx", "15");
	set("event-channel-rx", "16");
	set("request-rx-copy", "1");
	set("feature-rx-notify", "1");
	set("feature-sg", "1");
	set("feature-gso-tcpv4", "1");
	set("feature-gso-tcpv6", "1");
	set("feature-ipv6-csum-offload", "1");
	memset(text, 'x', sizeof(text));
}

static int read_rings(void)
{
	memset(&rings, 0, sizeof(rings));
	return frontend_net_read(&host, FRONTEND, &rings, text);
}

START_TEST(test_linux)
{
	ck_assert_int_eq(read_rings(), 0);
	ck_assert_uint_eq(rings.queue_count, 1);
	ck_assert_uint_eq(rings.queues[0].tx_ring_ref, 8);
	ck_assert_uint_eq(rings.queues[0].rx_ring_ref, 9);
	ck_assert_uint_eq(rings.queues[0].event_channel_tx, 15);
	ck_assert_uint_eq(rings.queues[0].event_channel_rx, 16);
	ck_assert_uint_eq(rings.guest_takes, IPV4 | IPV6 | TCPV4 | TCPV6);
	ck_assert(rings.scatter);
	ck_assert(!rings.settings.multicast_control);
	ck_assert_uint_eq(rings.settings.xdp_headroom, 0);
	ck_assert(!rings.ctrl);
	ck_assert(!rings.again);
}
END_TEST

/* A frontend that has nothing but what it must. */
START_TEST(test_least)
{
	static const char *const others[] = {"multi-queue-num-queues",	 "event-channel-tx",
					     "event-channel-rx",	 "feature-sg",
					     "feature-gso-tcpv4",	 "feature-gso-tcpv6",
					     "feature-ipv6-csum-offload"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		set(others[i], NULL);
	set("event-channel", "17");
	ck_assert_int_eq(read_rings(), 0);
	ck_assert_uint_eq(rings.queue_count, 1);
	ck_assert_uint_eq(rings.queues[0].event_channel_tx, 17);
	ck_assert_uint_eq(rings.queues[0].event_channel_rx, 17);
	ck_assert_uint_eq(rings.guest_takes, IPV4);
	ck_assert(!rings.scatter);
}
END_TEST

/* The toolstack's settings stay as they are. */
START_TEST(test_settings)
{
	memset(&rings, 0, sizeof(rings));
	rings.settings.rate_bytes = 1000;
	rings.settings.rate_interval_us = 50000;
	set("request-multicast-control", "1");
	set("xdp-headroom", "256");
	ck_assert_int_eq(frontend_net_read(&host, FRONTEND, &rings, text), 0);
	ck_assert_uint_eq(rings.settings.rate_bytes, 1000);
	ck_assert_uint_eq(rings.settings.rate_interval_us, 50000);
	ck_assert(rings.settings.multicast_control);
	ck_assert_uint_eq(rings.settings.xdp_headroom, 256);
}
END_TEST

/* Each queue has a directory of its own, and may have split channels or not; what stands beside them is not looked at. */
START_TEST(test_queues)
{
	char name[40], value[16];

	set("multi-queue-num-queues", "8");
	for (unsigned queue = 0; queue < 8; queue++) {
		const char *const names[] = {"tx-ring-ref", "rx-ring-ref",
					     queue % 2 ? "event-channel" : "event-channel-tx",
					     "event-channel-rx"};

		for (unsigned i = 0; i < 4; i++) {
			snprintf(name, sizeof(name), "queue-%u/%s", queue, names[i]);
			snprintf(value, sizeof(value), "%u", 100 * queue + 10 + i);
			set(name, value);
		}
	}
	ck_assert_int_eq(read_rings(), 0);
	ck_assert_uint_eq(rings.queue_count, 8);
	for (unsigned queue = 0; queue < 8; queue++) {
		ck_assert_uint_eq(rings.queues[queue].tx_ring_ref, 100 * queue + 10);
		ck_assert_uint_eq(rings.queues[queue].rx_ring_ref, 100 * queue + 11);
		ck_assert_uint_eq(rings.queues[queue].event_channel_tx, 100 * queue + 12);
		ck_assert_uint_eq(rings.queues[queue].event_channel_rx, 100 * queue + (queue % 2 ? 12 : 13));
	}
	set("queue-7/rx-ring-ref", NULL);
	ck_assert_int_eq(read_rings(), -ENOENT);
	ck_assert_str_eq(text,
			 "frontend node queue-7/rx-ring-ref is missing; it must be a decimal number from "
			 "0 to 4294967295");
	set("queue-6/event-channel-rx", NULL);
	ck_assert_int_eq(read_rings(), -ENOENT);
	ck_assert_str_eq(text,
			 "frontend node queue-6/event-channel-rx is missing; it must be a decimal number "
			 "from 1 to 131071");
}
END_TEST

static const struct {
	const char *nodes[5]; /* of these, each as NAME=VALUE or NAME: it is not there */
	uint32_t takes;
} offloads[] = {
	{{"feature-no-csum-offload=1"}, IPV6 | TCPV6},
	{{"feature-no-csum-offload=0"}, IPV4 | IPV6 | TCPV4 | TCPV6},
	{{"feature-ipv6-csum-offload=0"}, IPV4 | TCPV4},
	{{"feature-ipv6-csum-offload"}, IPV4 | TCPV4},
	{{"feature-gso-tcpv4=0"}, IPV4 | IPV6 | TCPV6},
	{{"feature-gso-tcpv6"}, IPV4 | IPV6 | TCPV4},
	{{"feature-sg=0"}, IPV4 | IPV6},
	{{"feature-sg"}, IPV4 | IPV6},
	{{"feature-no-csum-offload=1", "feature-ipv6-csum-offload=0"}, 0},
	{{"feature-no-csum-offload=1", "feature-ipv6-csum-offload", "feature-sg"}, 0},
};

START_TEST(test_offloads)
{
	for (unsigned i = 0; offloads[_i].nodes[i] != NULL; i++) {
		char name[64];
		char *value;

		snprintf(name, sizeof(name), "%s", offloads[_i].nodes[i]);
		value = strchr(name, '=');
		if (value != NULL)
			*value++ = '\0';
		set(name, value);
	}
	ck_assert_int_eq(read_rings(), 0);
	ck_assert_uint_eq(rings.guest_takes, offloads[_i].takes);
}
END_TEST

#define NUMBER(limits) "it must be a decimal number from " limits

static const struct {
	const char *node, *value, *text;
} bad[] = {
	{"request-rx-copy", NULL,
	 "frontend node request-rx-copy is missing; it must be 1: packets are copied into the guest's pages"},
	{"request-rx-copy", "0",
	 "frontend node request-rx-copy is 0; it must be 1: packets are copied into the guest's pages"},
	{"request-rx-copy", "yes", "frontend node request-rx-copy is \"yes\"; " NUMBER("0 to 1")},
	{"feature-rx-notify", "2", "frontend node feature-rx-notify is \"2\"; " NUMBER("0 to 1")},
	{"ctrl-ring-ref", "-1", "frontend node ctrl-ring-ref is \"-1\"; " NUMBER("0 to 4294967295")},
	{"ctrl-ring-ref", "4294967296",
	 "frontend node ctrl-ring-ref is \"4294967296\"; " NUMBER("0 to 4294967295")},
	{"ctrl-ring-ref", "17", "frontend node event-channel-ctrl is missing; " NUMBER("1 to 131071")},
	{"tx-ring-ref", NULL, "frontend node tx-ring-ref is missing; " NUMBER("0 to 4294967295")},
	{"tx-ring-ref", "-1", "frontend node tx-ring-ref is \"-1\"; " NUMBER("0 to 4294967295")},
	{"tx-ring-ref", "", "frontend node tx-ring-ref is \"\"; " NUMBER("0 to 4294967295")},
	{"rx-ring-ref", NULL, "frontend node rx-ring-ref is missing; " NUMBER("0 to 4294967295")},
	{"rx-ring-ref", "4294967296",
	 "frontend node rx-ring-ref is \"4294967296\"; " NUMBER("0 to 4294967295")},
	{"rx-ring-ref", "\n<3>forged",
	 "frontend node rx-ring-ref is \"?<3>forged\"; " NUMBER("0 to 4294967295")},
	{"event-channel-tx", "0", "frontend node event-channel-tx is \"0\"; " NUMBER("1 to 131071")},
	{"event-channel-tx", NULL, "frontend node event-channel is missing; " NUMBER("1 to 131071")},
	{"event-channel-rx", NULL, "frontend node event-channel-rx is missing; " NUMBER("1 to 131071")},
	{"event-channel-rx", "131072",
	 "frontend node event-channel-rx is \"131072\"; " NUMBER("1 to 131071")},
	{"multi-queue-num-queues", "0", "frontend node multi-queue-num-queues is \"0\"; " NUMBER("1 to 8")},
	{"multi-queue-num-queues", "9", "frontend node multi-queue-num-queues is \"9\"; " NUMBER("1 to 8")},
	{"multi-queue-num-queues", "2",
	 "frontend node queue-0/tx-ring-ref is missing; " NUMBER("0 to 4294967295")},
	{"feature-sg", "2", "frontend node feature-sg is \"2\"; " NUMBER("0 to 1")},
	{"feature-gso-tcpv4", "x", "frontend node feature-gso-tcpv4 is \"x\"; " NUMBER("0 to 1")},
	{"feature-gso-tcpv6", "", "frontend node feature-gso-tcpv6 is \"\"; " NUMBER("0 to 1")},
	{"feature-no-csum-offload", "-0",
	 "frontend node feature-no-csum-offload is \"-0\"; " NUMBER("0 to 1")},
	{"feature-ipv6-csum-offload", "1 ",
	 "frontend node feature-ipv6-csum-offload is \"1 \"; " NUMBER("0 to 1")},
	{"request-multicast-control", "on",
	 "frontend node request-multicast-control is \"on\"; " NUMBER("0 to 1")},
	{"xdp-headroom", "257", "frontend node xdp-headroom is \"257\"; " NUMBER("0 to 256")},
	{"xdp-headroom", "65536", "frontend node xdp-headroom is \"65536\"; " NUMBER("0 to 256")},
};

START_TEST(test_bad)
{
	set(bad[_i].node, bad[_i].value);
	ck_assert_int_lt(read_rings(), 0);
	ck_assert_str_eq(text, bad[_i].text);
}
END_TEST

/* What may change changes only when it makes sense. */
START_TEST(test_bad_settings)
{
	struct message_net_settings settings = {.multicast_control = true, .xdp_headroom = 128};

	set("request-multicast-control", "-1");
	set("xdp-headroom", "x");
	ck_assert_int_lt(frontend_net_read_multicast(&host, FRONTEND, &settings, text), 0);
	ck_assert_int_lt(frontend_net_read_headroom(&host, FRONTEND, &settings, text), 0);
	ck_assert(settings.multicast_control);
	ck_assert_uint_eq(settings.xdp_headroom, 128);
	set("request-multicast-control", NULL);
	set("xdp-headroom", NULL);
	ck_assert_int_eq(frontend_net_read_multicast(&host, FRONTEND, &settings, text), 0);
	ck_assert_int_eq(frontend_net_read_headroom(&host, FRONTEND, &settings, text), 0);
	ck_assert(!settings.multicast_control);
	ck_assert_uint_eq(settings.xdp_headroom, 0);
}
END_TEST

START_TEST(test_control_ring)
{
	ck_assert_int_eq(read_rings(), 0);
	ck_assert(!rings.ctrl);
	/* An event channel without a ring is of no use. */
	set("event-channel-ctrl", "x");
	ck_assert_int_eq(read_rings(), 0);
	ck_assert(!rings.ctrl);
	set("ctrl-ring-ref", "17");
	ck_assert_int_lt(read_rings(), 0);
	ck_assert_str_eq(text, "frontend node event-channel-ctrl is \"x\"; " NUMBER("1 to 131071"));
	set("event-channel-ctrl", "0");
	ck_assert_int_lt(read_rings(), 0);
	set("event-channel-ctrl", "131072");
	ck_assert_int_lt(read_rings(), 0);
	set("event-channel-ctrl", "131071");
	ck_assert_int_eq(read_rings(), 0);
	ck_assert(rings.ctrl);
	ck_assert_uint_eq(rings.ctrl_ring_ref, 17);
	ck_assert_uint_eq(rings.event_channel_ctrl, 131071);
}
END_TEST

START_TEST(test_silent)
{
	ck_assert_int_eq(read_rings(), 0);
	ck_assert(!rings.silent);
	set("feature-rx-notify", "0");
	ck_assert_int_eq(read_rings(), 0);
	ck_assert(rings.silent);
	set("feature-rx-notify", NULL);
	ck_assert_int_eq(read_rings(), 0);
	ck_assert(rings.silent);
	ck_assert(rings.scatter);
}
END_TEST

/* That xenstore can't be read is no word of the guest's. */
START_TEST(test_can_not_be_read)
{
	daemon_store_fail_reads(EIO);
	ck_assert_int_eq(read_rings(), -EIO);
	ck_assert_str_eq(text, "frontend node request-rx-copy can't be read: Input/output error");
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, start, NULL);
	tcase_add_test(test_case, test_linux);
	tcase_add_test(test_case, test_least);
	tcase_add_test(test_case, test_settings);
	tcase_add_test(test_case, test_queues);
	tcase_add_loop_test(test_case, test_offloads, 0, sizeof(offloads) / sizeof(offloads[0]));
	tcase_add_loop_test(test_case, test_bad, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(test_case, test_bad_settings);
	tcase_add_test(test_case, test_control_ring);
	tcase_add_test(test_case, test_silent);
	tcase_add_test(test_case, test_can_not_be_read);
}

CHECK_MAIN("daemon: frontend nodes of cards", add_tests)
