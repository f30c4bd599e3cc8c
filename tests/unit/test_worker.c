// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole worker in a thread of this process: messages on one side, a frontend's ring on the other, and the
 * file backend on a real file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "small_guest.h"
#include "log.h"
#include "worker/worker.h"

#define DEVICE 51712
#define DISK_SECTORS 8192
#define TIMEOUT_MS 10000

static pthread_t thread;
static int control;
static struct front_ring frontend;
static char path[] = "/tmp/xvhost-test-XXXXXX";
static int file;
static bool killed_before; /* for the next worker */

static void *run(void *argument)
{
	struct worker_options *options = argument;

	return (void *)(intptr_t)worker_run(options);
}

/* start - a worker, and a file of DISK_SECTORS. */
static void start(void)
{
	static struct worker_options options;
	int sockets[2];

	small_guest_init();
	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, DISK_SECTORS * 512), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	control = sockets[0];
	options = (struct worker_options){.platform = small_guest_platform(),
					  .domid = SMALL_GUEST_DOMID,
					  .socket = sockets[1],
					  .killed_before = killed_before};
	ck_assert_int_eq(pthread_create(&thread, NULL, run, &options), 0);
}

static void send_message(const struct message *message)
{
	ck_assert_int_eq(send(control, message, sizeof(*message), MSG_NOSIGNAL), sizeof(*message));
}

static struct message receive(enum message_type type)
{
	struct pollfd polled = {.fd = control, .events = POLLIN};
	struct message message;

	ck_assert_int_eq(poll(&polled, 1, TIMEOUT_MS), 1);
	ck_assert_int_eq(recv(control, &message, sizeof(message), 0), sizeof(message));
	ck_assert_int_eq(message.type, type);
	return message;
}

/* stop - the worker ends by STOP (or because we are gone) and leaves nothing behind. */
static void stop(bool by_message)
{
	const struct message message = {.type = MESSAGE_STOP};
	void *result;

	if (by_message)
		send_message(&message);
	else
		close(control);
	pthread_join(thread, &result);
	ck_assert_int_eq((int)(intptr_t)result, 0);
	ck_assert_int_eq(small_guest_mapped(), 0);
	ck_assert_int_eq(small_guest_bound(), 0);
	unlink(path);
}

static struct message open_disk(const char *parameters, bool read_only)
{
	struct message message = {.type = MESSAGE_OPEN,
				  .class = DEVICE_DISK,
				  .device_id = DEVICE,
				  .open = {.read_only = read_only}};

	snprintf(message.open.target, sizeof(message.open.target), "file:path=%s%s", path, parameters);
	send_message(&message);
	return receive(MESSAGE_OPENED);
}

static struct message connect_disk(void)
{
	struct message message = {.type = MESSAGE_CONNECT, .class = DEVICE_DISK, .device_id = DEVICE};

	small_ring_describe(&frontend, &message.connect);
	send_message(&message);
	return receive(MESSAGE_CONNECTED);
}

static void plain(enum message_type ask, enum message_type expect)
{
	const struct message message = {.type = ask, .class = DEVICE_DISK, .device_id = DEVICE};

	send_message(&message);
	receive(expect);
}

/* start_connected - the usual beginning. */
static void start_connected(enum blkif_protocol protocol, uint32_t ring_pages)
{
	start();
	small_ring_init(&frontend, protocol, ring_pages);
	ck_assert_int_eq(open_disk("", false).opened.error, 0);
	ck_assert_int_eq(connect_disk().error.error, 0);
}

/* push - show the requests, and kick if the backend asked for it. */
static void push(void)
{
	if (front_ring_push(&frontend))
		small_guest_kick();
}

/* wait_answer - the next response, in whatever order; returns its status. */
static int16_t wait_answer(uint64_t *id)
{
	struct front_response response;

	while (!small_ring_take(&frontend, &response))
		ck_assert_msg(small_guest_wait_notified(TIMEOUT_MS), "no notification came");
	*id = response.id;
	return response.status;
}

/* word - content that tells page, place and round. */
static uint32_t word(uint32_t gref, uint32_t place, uint32_t round)
{
	return gref * 1000003u + place * 31u + round * 7919u;
}

static void fill_page(uint32_t gref, uint32_t round)
{
	uint32_t *words = small_guest_page(gref);

	for (uint32_t i = 0; i < PAGE_BYTES / 4; i++)
		words[i] = word(gref, i, round);
}

static const struct {
	enum blkif_protocol protocol;
	uint32_t ring_pages;
} rings[] = {
	{BLKIF_X86_64, 1}, {BLKIF_X86_64, 4}, {BLKIF_X86_64, 16}, {BLKIF_X86_32, 1}, {BLKIF_X86_32, 16},
};

/* Write all of the disk in full requests, read it back into other pages, compare, and compare the file. */
START_TEST(write_and_read)
{
	enum {
		PAGES = DISK_SECTORS / 8,
		PER_REQUEST = 8,
		REQUESTS = PAGES / PER_REQUEST,
		FIRST = 100,
		ROUNDS = 2
	};
	static char content[DISK_SECTORS * 512];

	start_connected(rings[_i].protocol, rings[_i].ring_pages);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (int pass = 0; pass < 2; pass++) {
			uint8_t operation = pass == 0 ? BLKIF_OP_WRITE : BLKIF_OP_READ;
			uint32_t asked = 0, answered = 0;

			for (uint32_t page = 0; page < PAGES; page++) {
				if (pass == 0)
					fill_page(FIRST + page, round);
				else
					memset(small_guest_page(FIRST + page), 0xff, PAGE_BYTES);
			}
			while (answered < REQUESTS) {
				uint64_t id;

				for (; asked < REQUESTS && asked - answered < frontend.size; asked++) {
					struct front_segment segments[PER_REQUEST];

					for (uint32_t i = 0; i < PER_REQUEST; i++)
						segments[i] = (struct front_segment){
							FIRST + asked * PER_REQUEST + i, 0, 7, 0};
					small_ring_put(&frontend, operation, asked, asked * PER_REQUEST * 8,
						       PER_REQUEST, segments);
				}
				push();
				ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
				answered++;
			}
		}
		for (uint32_t page = 0; page < PAGES; page++) {
			uint32_t *words = small_guest_page(FIRST + page);

			/* One assertion for all: each costs a write to the test runner. */
			for (uint32_t i = 0; i < PAGE_BYTES / 4; i++)
				if (words[i] != word(FIRST + page, i, round))
					ck_abort_msg("page %u, word %u, round %u is %#x", page, i, round,
						     words[i]);
		}
		ck_assert_int_eq(pread(file, content, sizeof(content), 0), sizeof(content));
		for (uint32_t page = 0; page < PAGES; page++)
			ck_assert_mem_eq(content + page * PAGE_BYTES, small_guest_page(FIRST + page),
					 PAGE_BYTES);
	}
	plain(MESSAGE_DISCONNECT, MESSAGE_DISCONNECTED);
	plain(MESSAGE_CLOSE, MESSAGE_CLOSED);
	stop(true);
}
END_TEST

/* Single sectors, flushes and barriers among them. */
START_TEST(sectors_flush_barrier)
{
	struct front_segment segment = {100, 3, 3, 0};
	char sector[512];
	uint64_t id;

	start_connected(BLKIF_X86_64, 1);
	fill_page(100, 1);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 1, DISK_SECTORS - 1, 1, &segment);
	small_ring_put(&frontend, BLKIF_OP_FLUSH_DISKCACHE, 2, 0, 0, NULL);
	small_ring_put(&frontend, BLKIF_OP_WRITE_BARRIER, 3, 5, 1, &segment);
	small_ring_put(&frontend, BLKIF_OP_WRITE_BARRIER, 4, 0, 0, NULL);
	push();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	ck_assert_int_eq(pread(file, sector, 512, (DISK_SECTORS - 1) * 512), 512);
	ck_assert_mem_eq(sector, (char *)small_guest_page(100) + 3 * 512, 512);
	ck_assert_int_eq(pread(file, sector, 512, 5 * 512), 512);
	ck_assert_mem_eq(sector, (char *)small_guest_page(100) + 3 * 512, 512);
	stop(true);
}
END_TEST

/* What is discarded takes no space any more, and reads as zeroes from a file; what lies beside it stays. */
START_TEST(discard)
{
	struct front_segment segment = {100, 0, 7, 0};
	char content[3 * PAGE_BYTES];
	static const char zeroes[PAGE_BYTES];
	uint64_t id;

	start_connected(_i ? BLKIF_X86_32 : BLKIF_X86_64, 1);
	fill_page(100, 1);
	for (uint32_t i = 0; i < 3; i++)
		small_ring_put(&frontend, BLKIF_OP_WRITE, i, 8 * i, 1, &segment);
	push();
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	small_ring_put_discard(&frontend, 3, 8, 8);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	ck_assert_int_eq(pread(file, content, sizeof(content), 0), sizeof(content));
	ck_assert_mem_eq(content, small_guest_page(100), PAGE_BYTES);
	ck_assert_mem_eq(content + PAGE_BYTES, zeroes, PAGE_BYTES);
	ck_assert_mem_eq(content + 2 * PAGE_BYTES, small_guest_page(100), PAGE_BYTES);
	small_ring_put_discard(&frontend, 4, DISK_SECTORS - 1, 2);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_ERROR);
	stop(true);
}
END_TEST

/* A disk that can discard, but not for this guest: nothing is lost. */
START_TEST(discard_off)
{
	struct message message = {.type = MESSAGE_OPEN,
				  .class = DEVICE_DISK,
				  .device_id = DEVICE,
				  .open = {.discard_off = true}};
	struct front_segment segment = {100, 0, 7, 0};
	char content[PAGE_BYTES];
	uint64_t id;

	start();
	small_ring_init(&frontend, BLKIF_X86_64, 1);
	snprintf(message.open.target, sizeof(message.open.target), "file:path=%s", path);
	send_message(&message);
	message = receive(MESSAGE_OPENED);
	ck_assert_int_eq(message.opened.error, 0);
	ck_assert(!message.opened.discard);
	ck_assert_int_eq(connect_disk().error.error, 0);
	fill_page(100, 1);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 1, 0, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	small_ring_put_discard(&frontend, 2, 0, 8);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_EOPNOTSUPP);
	ck_assert_int_eq(pread(file, content, sizeof(content), 0), sizeof(content));
	ck_assert_mem_eq(content, small_guest_page(100), PAGE_BYTES);
	stop(true);
}
END_TEST

/* The ring is served again where it was left, by another worker connection and after other counters. */
START_TEST(connect_again)
{
	struct front_segment segment = {100, 0, 7, 0};
	uint64_t id;

	start_connected(BLKIF_X86_64, 1);
	for (uint32_t round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < 40; i++) {
			small_ring_put(&frontend, BLKIF_OP_WRITE, i, i, 1, &segment);
			push();
			ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
			ck_assert_uint_eq(id, i);
		}
		plain(MESSAGE_DISCONNECT, MESSAGE_DISCONNECTED);
		ck_assert_int_eq(small_guest_mapped(), 0);
		ck_assert_int_eq(small_guest_bound(), 0);
		/* Asked while nobody is there: answered later, without a kick. */
		small_ring_put(&frontend, BLKIF_OP_READ, 77, 0, 1, &segment);
		front_ring_push(&frontend);
		ck_assert_int_eq(connect_disk().error.error, 0);
		ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
		ck_assert_uint_eq(id, 77);
	}
	stop(false);
}
END_TEST

/* What was taken from a ring by a worker that was killed nobody knows. A new ring is another thing. */
START_TEST(connect_again_after_a_kill)
{
	struct message message = {.type = MESSAGE_CONNECT, .class = DEVICE_DISK, .device_id = DEVICE}, answer;

	killed_before = true;
	start();
	small_ring_init(&frontend, BLKIF_X86_64, 1);
	ck_assert_int_eq(open_disk("", false).opened.error, 0);
	small_ring_describe(&frontend, &message.connect);
	message.connect.again = true;
	send_message(&message);
	answer = receive(MESSAGE_CONNECTED);
	ck_assert_int_eq(answer.error.error, -EIO);
	ck_assert_msg(strstr(answer.error.text, "the worker before was killed"), "%s", answer.error.text);
	ck_assert_int_eq(small_guest_mapped(), 0);
	message.connect.again = false;
	send_message(&message);
	ck_assert_int_eq(receive(MESSAGE_CONNECTED).error.error, 0);
	stop(true);
}
END_TEST

START_TEST(read_only)
{
	struct front_segment segment = {100, 0, 7, 0};
	struct message opened;
	uint64_t id;

	start();
	small_ring_init(&frontend, BLKIF_X86_64, 1);
	opened = _i ? open_disk(",readonly=on", false) : open_disk("", true);
	ck_assert_int_eq(opened.opened.error, 0);
	ck_assert(opened.opened.read_only);
	ck_assert_uint_eq(opened.opened.size_bytes, DISK_SECTORS * 512);
	ck_assert_int_eq(connect_disk().error.error, 0);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 1, 0, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_ERROR);
	small_ring_put(&frontend, BLKIF_OP_READ, 2, 0, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	stop(true);
}
END_TEST

/* A file that became shorter: what is missing is an error, the rest is served. */
START_TEST(shorter_file)
{
	struct front_segment segment = {100, 0, 7, 0};
	uint64_t id;

	start_connected(BLKIF_X86_64, 1);
	ck_assert_int_eq(ftruncate(file, 6 * 512), 0);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 0, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_ERROR);
	segment.last_sector = 5;
	small_ring_put(&frontend, BLKIF_OP_READ, 2, 0, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	stop(true);
}
END_TEST

/* The worker notices another size by itself, and holds requests against it. */
START_TEST(resized)
{
	struct front_segment segment = {100, 0, 7, 0};
	uint64_t id;

	start_connected(BLKIF_X86_64, 1);
	ck_assert_int_eq(ftruncate(file, (DISK_SECTORS + 8) * 512 + 100), 0);
	ck_assert_uint_eq(receive(MESSAGE_RESIZED).resized.size_bytes, (DISK_SECTORS + 8) * 512);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 1, DISK_SECTORS, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	ck_assert_int_eq(ftruncate(file, 6 * 512), 0);
	ck_assert_uint_eq(receive(MESSAGE_RESIZED).resized.size_bytes, 6 * 512);
	small_ring_put(&frontend, BLKIF_OP_WRITE, 2, 0, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_ERROR);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), 6 * 512);
	/* That is no disk: it is left as it was. */
	ck_assert_int_eq(ftruncate(file, 100), 0);
	plain(MESSAGE_DISCONNECT, MESSAGE_DISCONNECTED);
	ck_assert_int_eq(ftruncate(file, 12 * 512), 0);
	ck_assert_uint_eq(receive(MESSAGE_RESIZED).resized.size_bytes, 12 * 512);
	stop(true);
}
END_TEST

/* What can't be opened, and what the person who wrote it is told. */
START_TEST(bad_targets)
{
	static const struct {
		const char *target, *text;
		int error;
	} rows[] = {
		{"fil:path=/x", "no backend is called 'fil'", -ENOENT},
		{"./null.so:size=1M", "'./null.so' is no backend's name", -EINVAL},
		{"", "does not begin with a backend's name", -EINVAL},
		{"file:", "parameter path of backend file is missing", -EINVAL},
		{"file:path=/nonexistent/disk",
		 "can't open '/nonexistent/disk' for reading and writing: No such file", -ENOENT},
		{"file:path=relative", "must be an absolute path", -EINVAL},
		{"file:path=/", "Is a directory", -EISDIR},
		{"file:path=/dev/null", "neither a regular file nor a block device", -EINVAL},
		{"file:path=/x,direct=perhaps", "parameter direct of backend file is 'perhaps'", -EINVAL},
	};
	struct message message = {.type = MESSAGE_OPEN, .class = DEVICE_DISK, .device_id = DEVICE}, opened;

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(message.open.target, sizeof(message.open.target), "%s", rows[i].target);
		send_message(&message);
		opened = receive(MESSAGE_OPENED);
		ck_assert_int_eq(opened.opened.error, rows[i].error);
		ck_assert_msg(strstr(opened.opened.text, rows[i].text), "%s", opened.opened.text);
	}
	ck_assert_int_eq(ftruncate(file, 1000), 0);
	opened = open_disk("", false);
	ck_assert_int_eq(opened.opened.error, -EINVAL);
	ck_assert_msg(strstr(opened.opened.text, "has 1000 bytes, it must be a multiple of 512"), "%s",
		      opened.opened.text);
	ck_assert_int_eq(ftruncate(file, 0), 0);
	ck_assert_int_eq(open_disk("", false).opened.error, -EINVAL);
	ck_assert_int_eq(ftruncate(file, 512), 0);
	ck_assert_int_eq(open_disk("", false).opened.error, 0);
	stop(true);
}
END_TEST

/* Rings that can't be connected leave nothing behind and do not hinder a good one. */
START_TEST(bad_rings)
{
	struct message message = {.type = MESSAGE_CONNECT, .class = DEVICE_DISK, .device_id = DEVICE}, answer;

	start();
	small_ring_init(&frontend, BLKIF_X86_64, 2);
	ck_assert_int_eq(open_disk("", false).opened.error, 0);
	small_ring_describe(&frontend, &message.connect);
	message.connect.queues[0].ring_refs[1] = SMALL_GUEST_BAD_GREF;
	send_message(&message);
	answer = receive(MESSAGE_CONNECTED);
	ck_assert_int_eq(answer.error.error, -EINVAL);
	ck_assert_msg(strstr(answer.error.text, "can't map the ring's 2 pages"), "%s", answer.error.text);

	small_ring_describe(&frontend, &message.connect);
	message.connect.queues[0].event_channel = 9999;
	send_message(&message);
	answer = receive(MESSAGE_CONNECTED);
	ck_assert_int_eq(answer.error.error, -EINVAL);
	ck_assert_msg(strstr(answer.error.text, "can't bind event-channel 9999"), "%s", answer.error.text);

	*(uint32_t *)frontend.pages[0] = 4711;
	ck_assert_int_eq(connect_disk().error.error, -EPROTO);
	ck_assert_int_eq(small_guest_mapped(), 0);
	ck_assert_int_eq(small_guest_bound(), 0);
	small_ring_init(&frontend, BLKIF_X86_64, 2);
	ck_assert_int_eq(connect_disk().error.error, 0);
	stop(true);
}
END_TEST

/* What one disk fails to connect, again and again, leaves nothing that is mistaken for another disk's. */
START_TEST(failed_beside_a_good_one)
{
	struct message other = {.type = MESSAGE_OPEN, .class = DEVICE_DISK, .device_id = DEVICE + 16}, bad,
		       answer;

	start();
	small_ring_init(&frontend, BLKIF_X86_64, 1);
	snprintf(other.open.target, sizeof(other.open.target), "file:path=%s", path);
	send_message(&other);
	ck_assert_int_eq(receive(MESSAGE_OPENED).opened.error, 0);
	ck_assert_int_eq(open_disk("", false).opened.error, 0);
	bad = (struct message){.type = MESSAGE_CONNECT, .class = DEVICE_DISK, .device_id = DEVICE + 16};
	small_ring_describe(&frontend, &bad.connect);
	bad.connect.queues[0].event_channel = 9999;
	for (int i = 0; i < 20; i++) {
		send_message(&bad);
		ck_assert_int_eq(receive(MESSAGE_CONNECTED).error.error, -EINVAL);
	}
	ck_assert_int_eq(connect_disk().error.error, 0);
	bad = (struct message){.type = MESSAGE_DISCONNECT, .class = DEVICE_DISK, .device_id = DEVICE};
	send_message(&bad);
	answer = receive(MESSAGE_DISCONNECTED);
	ck_assert_uint_eq(answer.device_id, DEVICE);
	stop(true);
}
END_TEST

START_TEST(broken_ring)
{
	struct front_segment segment = {100, 0, 7, 0};
	struct message told;
	uint64_t id;

	start_connected(BLKIF_X86_64, 1);
	frontend.request_producer += 1000;
	front_ring_push(&frontend);
	small_guest_kick();
	told = receive(MESSAGE_BROKEN);
	ck_assert_uint_eq(told.device_id, DEVICE);
	ck_assert_int_eq(told.error.error, -EPROTO);
	plain(MESSAGE_DISCONNECT, MESSAGE_DISCONNECTED);
	/* A new ring in its place works. */
	small_ring_init(&frontend, BLKIF_X86_64, 1);
	ck_assert_int_eq(connect_disk().error.error, 0);
	small_ring_put(&frontend, BLKIF_OP_READ, 1, 0, 1, &segment);
	push();
	ck_assert_int_eq(wait_answer(&id), BLKIF_RSP_OKAY);
	stop(true);
}
END_TEST

/* Messages that can't be: they are logged, and nothing else happens. */
START_TEST(unexpected_messages)
{
	static const enum message_type types[] = {MESSAGE_CONNECT, MESSAGE_DISCONNECT, MESSAGE_CLOSE,
						  MESSAGE_OPENED, 99};

	start();
	small_ring_init(&frontend, BLKIF_X86_64, 1);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct message message = {.type = types[i], .device_id = DEVICE};

		small_ring_describe(&frontend, &message.connect);
		send_message(&message);
	}
	ck_assert_int_eq(open_disk("", false).opened.error, 0);
	stop(true);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, write_and_read, 0, sizeof(rings) / sizeof(rings[0]));
	tcase_add_test(test_case, sectors_flush_barrier);
	tcase_add_loop_test(test_case, discard, 0, 2);
	tcase_add_test(test_case, discard_off);
	tcase_add_test(test_case, connect_again);
	tcase_add_test(test_case, connect_again_after_a_kill);
	tcase_add_loop_test(test_case, read_only, 0, 2);
	tcase_add_test(test_case, shorter_file);
	tcase_add_test(test_case, resized);
	tcase_add_test(test_case, bad_targets);
	tcase_add_test(test_case, bad_rings);
	tcase_add_test(test_case, failed_beside_a_good_one);
	tcase_add_test(test_case, broken_ring);
	tcase_add_test(test_case, unexpected_messages);
}

CHECK_MAIN("worker", add_tests)
