// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pcap wrapper: what passes is in its file, byte by byte; what can't be written harms nobody, and is counted and said.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../backends/net/pcap.c"

#include "../../backends/net/pcap_blocks.c"
#include "../../backends/net/pcap_file.c"

#include "fake_net_host.h"
#include "pcap_reader.h"

#include "check_main.h" /* last: it has a macro called fail */

static char path[] = "/tmp/xvhost-test-pcap.XXXXXX";
static uint8_t frame[XVHOST_NET_BYTES_MAX];
static struct pcap_reader file;

static void make_file(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	for (uint32_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 11 + i / 256);
	fake_net_inner = (struct xvhost_net_properties){
		.flags = FAKE_NET_ALL, .mtu_max = 9000, .operations = 33};
}

static void remove_file(void)
{
	pcap_reader_free(&file);
	unlink(path);
}

/* open_with - more parameters before the target. Returns what open did. */
static int open_with(const char *more, uint16_t queues)
{
	char target[TARGET_MAX];

	snprintf(target, sizeof(target), "pcap:path=%s,%starget=below", path, more);
	return fake_net_open(&pcap_backend, target, queues);
}

static void start_with(const char *more)
{
	ck_assert_msg(open_with(more, 1) == 0, "%s", fake_net_text);
	fake_net_start(0, FAKE_NET_ALL);
}

static void stop(void)
{
	fake_net_stop(0);
	fake_net_close();
	pcap_reader_free(&file);
	pcap_reader_read(&file, path);
}

/* send, offer - a packet of this length in three pieces; the first byte is its mark. */
static void send(uint8_t mark, uint32_t length)
{
	const struct iovec pieces[] = {
		{frame, 14}, {frame + 14, length / 2 - 7}, {frame + 7 + length / 2, length - length / 2 - 7}};

	frame[0] = mark;
	fake_net_transmit(0, pieces, 3, NULL);
	fake_net_end_below(0, 0);
}

static bool offer(uint8_t mark, uint32_t length)
{
	static uint8_t copies[256][2048];
	struct iovec pieces[] = {{copies[mark], 20}, {copies[mark] + 20, length - 20}};

	ck_assert_uint_le(length, sizeof(copies[mark]));
	memcpy(copies[mark], frame, length);
	copies[mark][0] = mark;
	return fake_net_offer(0, pieces, 2);
}

static void expect(uint32_t number, uint8_t mark, uint32_t length, uint32_t captured, uint32_t direction)
{
	const struct pcap_reader_packet *packet = &file.packets[number];

	ck_assert_uint_lt(number, file.packet_count);
	ck_assert_uint_eq(packet->length, length);
	ck_assert_uint_eq(packet->captured, captured);
	ck_assert_uint_eq(packet->direction, direction);
	ck_assert_uint_eq(packet->bytes[0], mark);
	ck_assert_mem_eq(packet->bytes + 1, frame + 1, captured - 1);
}

START_TEST(passes_and_is_written)
{
	uint64_t began_ns = now_ns();

	start_with("");
	ck_assert_uint_eq(fake_net_properties.flags, FAKE_NET_ALL);
	ck_assert_uint_eq(fake_net_properties.mtu_max, 9000);
	ck_assert_uint_eq(fake_net_properties.operations, 1);
	send(1, 60);
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 1);
	ck_assert(offer(2, 61));
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert_uint_eq(fake_net_queues[0].given_back, 0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].given_back, 1);
	send(3, 65535);
	ck_assert(offer(4, 1514));
	fake_net_run_writes(0);
	/* While the card is open, it is in the file already. */
	pcap_reader_read(&file, path);
	ck_assert_uint_eq(file.packet_count, 4);
	ck_assert(!file.sections[0].ended);
	stop();
	ck_assert_uint_eq(file.section_count, 1);
	ck_assert_str_eq(file.sections[0].name, "vif1.0");
	ck_assert_str_eq(file.sections[0].description, "guest 1 vif 0");
	ck_assert_uint_eq(file.sections[0].packets, 4);
	ck_assert_uint_eq(file.sections[0].missing, 0);
	expect(0, 1, 60, 60, PCAP_READER_IN);
	expect(1, 2, 61, 61, PCAP_READER_OUT);
	expect(2, 3, 65535, 65535, PCAP_READER_IN);
	expect(3, 4, 1514, 1514, PCAP_READER_OUT);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert(file.packets[i].time_ns >= (i > 0 ? file.packets[i - 1].time_ns : began_ns) &&
			  file.packets[i].time_ns <= now_ns());
	ck_assert_uint_eq(fake_net_logged, 0);
	remove_file();
}
END_TEST

/* The result goes through. A packet that the guest did not get has not passed, and one that was lost below has been sent. */
START_TEST(results_pass)
{
	const struct iovec piece = {frame, 100};

	start_with("");
	fake_net_transmit(0, &piece, 1, NULL);
	ck_assert_uint_eq(fake_net_queues[0].forwarded, 1);
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 0);
	fake_net_end_below(0, -EIO);
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 1);
	ck_assert_int_eq(fake_net_queues[0].error, -EIO);
	fake_net_queues[0].room = 0;
	ck_assert(!offer(1, 60));
	ck_assert_uint_eq(fake_net_queues[0].given_back, 0);
	fake_net_make_room(0, 5);
	ck_assert_uint_eq(fake_net_queues[0].rooms_below, 1);
	ck_assert(offer(1, 60));
	fake_net_deliver_error = -EFAULT;
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].given_back, 1);
	ck_assert_int_eq(fake_net_queues[0].given_back_error, -EFAULT);
	stop();
	ck_assert_uint_eq(fake_net_queues[0].rooms_below, 1);
	ck_assert_uint_eq(file.packet_count, 1);
	ck_assert_uint_eq(file.sections[0].packets, 1);
	remove_file();
}
END_TEST

START_TEST(snap)
{
	start_with("snap=64,");
	send(1, 63);
	send(2, 64);
	send(3, 65);
	send(4, 9000);
	stop();
	expect(0, 1, 63, 63, PCAP_READER_IN);
	expect(1, 2, 64, 64, PCAP_READER_IN);
	expect(2, 3, 65, 64, PCAP_READER_IN);
	expect(3, 4, 9000, 64, PCAP_READER_IN);
	remove_file();
}
END_TEST

/* More than the buffers hold while nothing can be written: what is too much passes, and is counted. */
START_TEST(too_fast)
{
	uint32_t sent = 0, written;

	start_with("");
	/* The first write holds one packet, the other buffer the rest. */
	while (fake_net_logged == 0) {
		send((uint8_t)sent++, 60000);
		ck_assert_uint_lt(sent, 200);
	}
	send((uint8_t)sent++, 60000);
	ck_assert_uint_eq(fake_net_logged, 1);
	ck_assert_msg(strstr(fake_net_text, "packets come faster than they can be written"), "%s",
		      fake_net_text);
	ck_assert_uint_eq(fake_net_queues[0].transmitted, sent);
	fake_net_run_writes(0);
	send(200, 60);
	stop();
	written = file.packet_count;
	ck_assert_uint_eq(written, 1 + BUFFER_BYTES / pcap_packet_bytes(60000) + 1);
	for (uint32_t i = 0; i < written - 1; i++)
		expect(i, (uint8_t)i, 60000, 60000, PCAP_READER_IN);
	expect(written - 1, 200, 60, 60, PCAP_READER_IN);
	ck_assert_uint_eq(file.sections[0].packets, sent + 1);
	ck_assert_uint_eq(file.sections[0].missing, 2);
	ck_assert_msg(strstr(fake_net_text, "packets 2 are missing in"), "%s", fake_net_text);
	remove_file();
}
END_TEST

/* The file's size, with all that belongs to it, stays within the limit; a card that finds it full writes nothing. */
START_TEST(limit)
{
	struct stat status;

	start_with("limit=10000,");
	for (uint32_t i = 0; i < 20; i++)
		send((uint8_t)i, 1000);
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 20);
	ck_assert_uint_eq(fake_net_logged, 1);
	ck_assert_msg(strstr(fake_net_text, "has reached its limit of 10000 bytes"), "%s", fake_net_text);
	stop();
	ck_assert_uint_eq(file.packet_count, 9);
	ck_assert_uint_eq(file.sections[0].packets, 20);
	ck_assert_uint_eq(file.sections[0].missing, 11);
	ck_assert_uint_le(file.size, 10000);
	fake_net_logged = 0;
	start_with("limit=10000,");
	ck_assert_uint_eq(fake_net_logged, 1);
	send(1, 60);
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 1);
	fake_net_stop(0);
	fake_net_close();
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq((size_t)status.st_size, file.size);
	remove_file();
}
END_TEST

/* Another section for each time that the card is opened, and one more start of a queue in the same one. */
START_TEST(is_added_to)
{
	start_with("");
	send(1, 60);
	fake_net_stop(0);
	fake_net_start(0, 0);
	send(2, 60);
	stop();
	start_with("snap=20,");
	send(3, 60);
	stop();
	ck_assert_uint_eq(file.section_count, 2);
	ck_assert_uint_eq(file.sections[0].packets, 2);
	ck_assert_uint_eq(file.sections[1].first_packet, 2);
	expect(0, 1, 60, 60, PCAP_READER_IN);
	expect(1, 2, 60, 60, PCAP_READER_IN);
	expect(2, 3, 60, 20, PCAP_READER_IN);
	remove_file();
}
END_TEST

/* What is not written when the queue stops is kept, in its order: for its next start, or until the card is closed. */
START_TEST(nothing_is_lost_by_stopping)
{
	for (int again = 0; again <= 1; again++) {
		start_with("");
		for (uint32_t i = 0; i < 5; i++)
			send((uint8_t)i, 200);
		fake_net_release(0);
		send(5, 200);
		fake_net_stop(0);
		if (again) {
			fake_net_start(0, 0);
			send(6, 200);
			fake_net_stop(0);
		}
		fake_net_close();
		pcap_reader_read(&file, path);
		ck_assert_uint_eq(file.packet_count, again ? 6 + 7 : 6);
		for (uint32_t i = again ? 6 : 0; i < file.packet_count; i++)
			expect(i, (uint8_t)(again ? i - 6 : i), 200, 200, PCAP_READER_IN);
		pcap_reader_free(&file);
	}
	file = (struct pcap_reader){0};
	remove_file();
}
END_TEST

#define FULL_BYTES 2000000u /* more than Check's own files have */

/* A file that can't grow any more: said once, packets go on; and what was written is a good file when it is opened again. */
START_TEST(disk_full)
{
	const uint32_t whole = FULL_BYTES / 60044;
	struct rlimit size = {FULL_BYTES, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	start_with("");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &size), 0);
	for (uint32_t i = 0; i < 40; i++) {
		send((uint8_t)i, 60000);
		fake_net_run_writes(0);
	}
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 40);
	ck_assert_uint_eq(fake_net_logged, 1);
	ck_assert_msg(strstr(fake_net_text, "can't write to '/tmp/xvhost-test-pcap."), "%s", fake_net_text);
	ck_assert(offer(1, 100));
	fake_net_stop(0);
	fake_net_close();
	ck_assert_uint_eq(fake_net_logged, 2);
	ck_assert_msg(strstr(fake_net_text, "of 41 packets "), "%s", fake_net_text);
	size.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &size), 0);
	start_with("");
	ck_assert_msg(strstr(fake_net_text, "did not end with a whole block"), "%s", fake_net_text);
	send(77, 60);
	stop();
	ck_assert_uint_eq(file.section_count, 2);
	ck_assert_uint_eq(file.packet_count, whole + 1);
	for (uint32_t i = 0; i < whole; i++)
		expect(i, (uint8_t)i, 60000, 60000, PCAP_READER_IN);
	expect(whole, 77, 60, 60, PCAP_READER_IN);
	remove_file();
}
END_TEST

/* refuse - open fails with this error and text. */
static void refuse(const char *target, int error, const char *text)
{
	ck_assert_int_eq(fake_net_open(&pcap_backend, target, 1), error);
	ck_assert_msg(strstr(fake_net_text, text), "%s", fake_net_text);
}

/* put_file - the file holds this. */
static void put_file(const void *bytes, size_t count)
{
	FILE *stream = fopen(path, "w");

	ck_assert_uint_eq(fwrite(bytes, 1, count, stream), count);
	fclose(stream);
}

START_TEST(files_that_are_not_taken)
{
	char target[TARGET_MAX];
	int fd;

	refuse("pcap:path=there,target=below", -EINVAL, "is 'there', it must be an absolute path");
	refuse("pcap:path=/nowhere/there,target=below", -ENOENT, "can't open '/nowhere/there': No such file");
	refuse("pcap:path=/dev/null,target=below", -EINVAL, "'/dev/null' is not a regular file");
	snprintf(target, sizeof(target), "pcap:path=%s,target=below", path);
	put_file("root:x:0:0:", 11);
	refuse(target, -EINVAL, "is there, and is no pcapng file");
	put_file("", 0);
	fd = open(path, O_RDWR);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	refuse(target, -EAGAIN, "is in use, by another card perhaps");
	close(fd);
	remove_file();
}
END_TEST

/* Whatever a file's end looks like, what is whole stays, and what is not goes. */
START_TEST(ends_of_files)
{
	size_t size, packet = pcap_packet_bytes(60);

	start_with("");
	for (uint32_t i = 0; i < 3; i++)
		send((uint8_t)i, 60);
	stop();
	size = file.size;
	for (size_t cut = 1; cut < size - PCAP_BLOCK_BYTES_MIN; cut++) {
		struct pcap_reader whole;
		uint32_t packets = cut < PCAP_COUNTS_BYTES ? 3
				   : cut >= 3 * packet + PCAP_COUNTS_BYTES
					   ? 0
					   : 3 - (uint32_t)((cut - PCAP_COUNTS_BYTES + packet - 1) / packet);

		put_file(file.file, size - cut);
		start_with("");
		fake_net_stop(0);
		fake_net_close();
		pcap_reader_read(&whole, path);
		ck_assert_msg(whole.packet_count == packets, "%u packets after %zu bytes were cut off",
			      whole.packet_count, cut);
		pcap_reader_free(&whole);
	}
	remove_file();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, make_file, NULL);
	tcase_add_test(test_case, passes_and_is_written);
	tcase_add_test(test_case, results_pass);
	tcase_add_test(test_case, snap);
	tcase_add_test(test_case, too_fast);
	tcase_add_test(test_case, limit);
	tcase_add_test(test_case, is_added_to);
	tcase_add_test(test_case, nothing_is_lost_by_stopping);
	tcase_add_test(test_case, disk_full);
	tcase_add_test(test_case, files_that_are_not_taken);
	tcase_add_test(test_case, ends_of_files);
}

CHECK_MAIN("pcap", add_tests)
