// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_frontend.c - what a frontend can write about its ring
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "daemon/frontend_disk.h"
#include "daemon_store.h"

#define FRONTEND "/local/domain/7/device/vbd/51712"

static struct config config = {.max_ring_page_order = 1, .max_queues = 2};
static struct host host = {.platform = &daemon_store_platform, .config = &config};
static struct message_disk_connect ring;
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

/* start - a frontend as Linux writes it. */
static void start(void)
{
	daemon_store_start(0);
	ck_assert_int_eq(host.platform->xenstore_open(host.platform, &host.xenstore), 0);
	set("state", "3");
	set("ring-ref", "8");
	set("event-channel", "15");
	set("protocol", "x86_64-abi");
	memset(&ring, 0xff, sizeof(ring));
	memset(text, 'x', sizeof(text));
}

static int read_ring(void)
{
	return frontend_disk_read(&host, FRONTEND, &ring, text);
}

START_TEST(test_one_page)
{
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_uint_eq(ring.ring_pages, 1);
	ck_assert_uint_eq(ring.queues[0].ring_refs[0], 8);
	ck_assert_uint_eq(ring.queues[0].event_channel, 15);
	ck_assert_int_eq(ring.protocol, BLKIF_X86_64);
}
END_TEST

START_TEST(test_protocol)
{
	set("protocol", "x86_32-abi");
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_int_eq(ring.protocol, BLKIF_X86_32);
	set("protocol", NULL);
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_int_eq(ring.protocol, BLKIF_X86_32);
}
END_TEST

START_TEST(test_persistent)
{
	ck_assert_int_eq(read_ring(), 0);
	ck_assert(!ring.persistent);
	set("feature-persistent", "0");
	ck_assert_int_eq(read_ring(), 0);
	ck_assert(!ring.persistent);
	set("feature-persistent", "1");
	ck_assert_int_eq(read_ring(), 0);
	ck_assert(ring.persistent);
}
END_TEST

/* More pages than the configuration offers: a running guest may have been offered more. */
START_TEST(test_large_sectors)
{
	ck_assert_int_eq(read_ring(), 0);
	ck_assert(!ring.large_sectors);
	set("feature-large-sector-size", "1");
	ck_assert_int_eq(read_ring(), 0);
	ck_assert(ring.large_sectors);
	set("feature-large-sector-size", "4096");
	ck_assert_int_eq(read_ring(), -EINVAL);
	ck_assert_str_eq(text, "frontend node feature-large-sector-size is \"4096\"; it must be a decimal "
			       "number from 0 to 1");
}
END_TEST

START_TEST(test_many_pages)
{
	char name[16], value[16];

	set("ring-ref", NULL);
	set("ring-page-order", "3");
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "ring-ref%u", i);
		snprintf(value, sizeof(value), "%u", 100 + i);
		set(name, value);
	}
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_uint_eq(ring.ring_pages, 8);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(ring.queues[0].ring_refs[i], 100 + i);

	set("ring-ref7", NULL);
	ck_assert_int_eq(read_ring(), -ENOENT);
	ck_assert_str_eq(
		text, "frontend node ring-ref7 is missing; it must be a decimal number from 0 to 4294967295");
}
END_TEST

START_TEST(test_order_0)
{
	set("ring-page-order", "0");
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_uint_eq(ring.queues[0].ring_refs[0], 8);
	set("ring-ref0", "77");
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_uint_eq(ring.ring_pages, 1);
	ck_assert_uint_eq(ring.queues[0].ring_refs[0], 77);
}
END_TEST

/* Each queue has a directory of its own; what stands beside them is not looked at. More than are offered, as above. */
START_TEST(test_queues)
{
	char name[32], value[16];

	set("multi-queue-num-queues", "3");
	set("ring-page-order", "1");
	for (unsigned queue = 0; queue < 3; queue++) {
		for (unsigned page = 0; page < 2; page++) {
			snprintf(name, sizeof(name), "queue-%u/ring-ref%u", queue, page);
			snprintf(value, sizeof(value), "%u", 100 * queue + page);
			set(name, value);
		}
		snprintf(name, sizeof(name), "queue-%u/event-channel", queue);
		snprintf(value, sizeof(value), "%u", 20 + queue);
		set(name, value);
	}
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_uint_eq(ring.queue_count, 3);
	ck_assert_uint_eq(ring.ring_pages, 2);
	for (unsigned queue = 0; queue < 3; queue++) {
		ck_assert_uint_eq(ring.queues[queue].ring_refs[0], 100 * queue);
		ck_assert_uint_eq(ring.queues[queue].ring_refs[1], 100 * queue + 1);
		ck_assert_uint_eq(ring.queues[queue].event_channel, 20 + queue);
	}
	set("queue-2/event-channel", "x");
	ck_assert_int_eq(read_ring(), -EINVAL);
	ck_assert_str_eq(text,
			 "frontend node queue-2/event-channel is \"x\"; it must be a decimal number from 1 "
			 "to 131071");
	set("queue-1/ring-ref1", NULL);
	ck_assert_int_eq(read_ring(), -ENOENT);
	ck_assert_str_eq(text,
			 "frontend node queue-1/ring-ref1 is missing; it must be a decimal number from 0 to "
			 "4294967295");
	/* One queue, even if its number is given, has its nodes beside the others. */
	set("multi-queue-num-queues", "1");
	set("ring-page-order", NULL);
	ck_assert_int_eq(read_ring(), 0);
	ck_assert_uint_eq(ring.queue_count, 1);
	ck_assert_uint_eq(ring.queues[0].ring_refs[0], 8);
}
END_TEST

static const struct {
	const char *node, *value, *text;
} bad[] = {
	{"ring-ref", NULL,
	 "frontend node ring-ref is missing; it must be a decimal number from 0 to 4294967295"},
	{"ring-ref", "", "frontend node ring-ref is \"\"; it must be a decimal number from 0 to 4294967295"},
	{"ring-ref", "-1",
	 "frontend node ring-ref is \"-1\"; it must be a decimal number from 0 to 4294967295"},
	{"ring-ref", "0x8",
	 "frontend node ring-ref is \"0x8\"; it must be a decimal number from 0 to 4294967295"},
	{"ring-ref", "4294967296",
	 "frontend node ring-ref is \"4294967296\"; it must be a decimal number from 0 to 4294967295"},
	{"ring-ref", "\n<3>forged",
	 "frontend node ring-ref is \"?<3>forged\"; it must be a decimal number from 0 to 4294967295"},
	{"ring-ref", "1234567890123456789012345678901234567890123456789",
	 "frontend node ring-ref is \"1234567890123456789012345678901234567890\"; it must be a decimal "
	 "number from 0 to "
	 "4294967295"},
	{"ring-page-order", "5",
	 "frontend node ring-page-order is \"5\"; it must be a decimal number from 0 to 4"},
	{"ring-page-order", "64",
	 "frontend node ring-page-order is \"64\"; it must be a decimal number from 0 to 4"},
	{"ring-page-order", "x",
	 "frontend node ring-page-order is \"x\"; it must be a decimal number from 0 to 4"},
	{"ring-page-order", "2",
	 "frontend node ring-ref0 is missing; it must be a decimal number from 0 to 4294967295"},
	{"event-channel", NULL,
	 "frontend node event-channel is missing; it must be a decimal number from 1 to 131071"},
	{"event-channel", "0",
	 "frontend node event-channel is \"0\"; it must be a decimal number from 1 to 131071"},
	{"event-channel", "131072",
	 "frontend node event-channel is \"131072\"; it must be a decimal number from 1 to 131071"},
	{"event-channel", "1 2",
	 "frontend node event-channel is \"1 2\"; it must be a decimal number from 1 to 131071"},
	{"protocol", "", "frontend node protocol is \"\"; it must be x86_64-abi or x86_32-abi"},
	{"protocol", "arm-abi", "frontend node protocol is \"arm-abi\"; it must be x86_64-abi or x86_32-abi"},
	{"protocol", "x86_64-abi ",
	 "frontend node protocol is \"x86_64-abi \"; it must be x86_64-abi or x86_32-abi"},
	{"feature-persistent", "yes",
	 "frontend node feature-persistent is \"yes\"; it must be a decimal number from 0 to 1"},
	{"multi-queue-num-queues", "17",
	 "frontend node multi-queue-num-queues is \"17\"; it must be a decimal number from 1 to 16"},
	{"multi-queue-num-queues", "0",
	 "frontend node multi-queue-num-queues is \"0\"; it must be a decimal number from 1 to 16"},
	{"multi-queue-num-queues", "2",
	 "frontend node queue-0/ring-ref is missing; it must be a decimal number from 0 to 4294967295"},
};

START_TEST(test_bad)
{
	set(bad[_i].node, bad[_i].value);
	ck_assert_int_lt(read_ring(), 0);
	ck_assert_str_eq(text, bad[_i].text);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, start, NULL);
	tcase_add_test(test_case, test_one_page);
	tcase_add_test(test_case, test_protocol);
	tcase_add_test(test_case, test_persistent);
	tcase_add_test(test_case, test_large_sectors);
	tcase_add_test(test_case, test_many_pages);
	tcase_add_test(test_case, test_order_0);
	tcase_add_test(test_case, test_queues);
	tcase_add_loop_test(test_case, test_bad, 0, sizeof(bad) / sizeof(bad[0]));
}

CHECK_MAIN("daemon: frontend nodes", add_tests)
