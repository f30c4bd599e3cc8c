// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rings of backend switch: what is put comes out as it was, at any place of the ring; and what a hostile side shows is found, on both
 * sides.
 */
#include "../../backends/net/switch_ring.c"

#include "check_main.h"

static struct switch_consumer consumer;
static struct switch_producer producer;
static struct switch_ring_header *header; /* as the hostile side has it */
static uint8_t frame[XVHOST_NET_BYTES_MAX];

static void set_up(void)
{
	int fd;

	for (uint32_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 31 + i / 256);
	ck_assert_int_eq(switch_consumer_create(&consumer, &fd), 0);
	ck_assert_int_eq(switch_producer_map(&producer, fd), 0);
	header = producer.header;
	close(fd);
	ck_assert_int_eq(switch_consumer_open(&consumer), 0);
}

static void tear_down(void)
{
	switch_producer_unmap(&producer);
	switch_consumer_destroy(&consumer);
}

/* put - a packet of this length in three pieces, which is told from others by its first bytes. */
static int put(uint32_t length, uint32_t number)
{
	uint8_t first[8] = {0};
	struct iovec pieces[] = {{first, 8}, {frame + 8, 2}, {frame + 10, length - 10}};
	const struct xvhost_packet packet = {.iov = pieces, .iov_count = 3, .length = length};

	memcpy(first, &number, sizeof(number));
	return switch_producer_put(&producer, &packet);
}

/* take - the packet that was put so. */
static void take(uint32_t length, uint32_t number)
{
	struct xvhost_packet packet;
	struct iovec piece;

	ck_assert_int_eq(switch_consumer_next(&consumer, &packet, &piece), 1);
	ck_assert_uint_eq(packet.length, length);
	ck_assert_uint_eq(packet.iov_count, 1);
	ck_assert_uint_eq(piece.iov_len, length);
	ck_assert_mem_eq(piece.iov_base, &number, sizeof(number));
	ck_assert_mem_eq((uint8_t *)piece.iov_base + 8, frame + 8, length - 8);
}

static int next(void)
{
	struct xvhost_packet packet;
	struct iovec piece;

	return switch_consumer_next(&consumer, &packet, &piece);
}

/* All sizes, and so often that they lie everywhere. */
START_TEST(goes_round)
{
	uint32_t length = 14;

	for (uint32_t i = 0; i < 3000; i++, length = (length * 7 + i) % (XVHOST_NET_BYTES_MAX - 13) + 14) {
		ck_assert_int_eq(put(length, i), 0);
		ck_assert_int_eq(next(), 0);
		switch_producer_show(&producer);
		take(length, i);
		ck_assert_int_eq(next(), 0);
		switch_consumer_give_back(&consumer, false);
	}
	ck_assert_uint_gt(producer.produced, UINT64_C(20) * SWITCH_RING_BYTES);
}
END_TEST

/* What a packet is comes out, too. */
START_TEST(description)
{
	struct iovec piece = {frame, 2000};
	const struct xvhost_packet packet = {.iov = &piece,
					     .iov_count = 1,
					     .length = 2000,
					     .flags = XVHOST_PACKET_CHECKSUM_BLANK |
						      XVHOST_PACKET_CHECKSUM_GOOD,
					     .gso = XVHOST_GSO_TCPV6,
					     .gso_bytes = 1300,
					     .header_bytes = 86,
					     .checksum_start = 54,
					     .checksum_offset = 16};
	struct xvhost_packet got = {0};

	ck_assert_int_eq(switch_producer_put(&producer, &packet), 0);
	switch_producer_show(&producer);
	ck_assert_int_eq(switch_consumer_next(&consumer, &got, &piece), 1);
	ck_assert_uint_eq(got.flags, packet.flags);
	ck_assert_uint_eq(got.gso, packet.gso);
	ck_assert_uint_eq(got.gso_bytes, packet.gso_bytes);
	ck_assert_uint_eq(got.header_bytes, packet.header_bytes);
	ck_assert_uint_eq(got.checksum_start, packet.checksum_start);
	ck_assert_uint_eq(got.checksum_offset, packet.checksum_offset);
}
END_TEST

/* A full ring takes nothing, and counts; with room it goes on. Records are given back all, or but for the last. */
START_TEST(full)
{
	uint32_t count = 0;

	while (put(65000, count) == 0)
		count++;
	ck_assert_uint_eq(count, SWITCH_RING_BYTES / 65024);
	ck_assert_int_eq(put(65000, 0), -ENOBUFS);
	switch_producer_show(&producer);
	ck_assert_uint_eq(switch_consumer_thrown_away(&consumer), 2);
	ck_assert_uint_eq(switch_consumer_thrown_away(&consumer), 0);
	take(65000, 0);
	switch_consumer_give_back(&consumer, true);
	ck_assert_int_eq(put(65000, count), -ENOBUFS);
	take(65000, 1);
	switch_consumer_give_back(&consumer, true);
	ck_assert_int_eq(put(65000, count), 0);
	ck_assert_int_eq(put(65000, count), -ENOBUFS);
	switch_producer_show(&producer);
	for (uint32_t i = 2; i <= count; i++)
		take(65000, i);
	ck_assert_int_eq(next(), 0);
}
END_TEST

/* Who sleeps is woken once; who has seen nothing sleeps. A closed ring takes nothing, and what was left in it is left out. */
START_TEST(sleep_and_close)
{
	ck_assert_int_eq(put(100, 1), 0);
	ck_assert(switch_producer_show(&producer));
	ck_assert(!switch_producer_show(&producer));
	ck_assert_int_eq(put(100, 2), 0);
	ck_assert(!switch_producer_show(&producer));
	take(100, 1);
	ck_assert(!switch_consumer_sleep(&consumer));
	take(100, 2);
	ck_assert(switch_consumer_sleep(&consumer));
	ck_assert(!switch_producer_show(&producer));
	ck_assert_int_eq(put(100, 3), 0);
	ck_assert(switch_producer_show(&producer));
	switch_consumer_close(&consumer);
	ck_assert_int_eq(put(100, 4), -ENOTCONN);
	ck_assert_int_eq(switch_consumer_open(&consumer), 0);
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(put(100, 5), 0);
	ck_assert(switch_producer_show(&producer));
	take(100, 5);
}
END_TEST

/* Positions of a producer that can't be: beyond the ring, back, at no record's beginning. */
START_TEST(hostile_producer)
{
	static const uint64_t wrong[] = {SWITCH_RING_BYTES + 16, 8, 1, UINT64_MAX, UINT64_MAX - 15, 128, 0};

	ck_assert_int_eq(put(300, 0), 0);
	switch_producer_show(&producer);
	take(300, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		atomic_store(&header->produced, wrong[i]);
		ck_assert_msg(next() == -EPROTO, "%llu", (unsigned long long)wrong[i]);
		ck_assert_int_eq(switch_consumer_open(&consumer), -EPROTO);
	}
}
END_TEST

/* Positions of a consumer that can't be: beyond what was produced, and back. */
START_TEST(hostile_consumer)
{
	static const uint64_t wrong[] = {SWITCH_RING_BYTES + 16, UINT64_MAX, 0, 65039};

	ck_assert_int_eq(put(65000, 0), 0);
	switch_producer_show(&producer);
	take(65000, 0);
	switch_consumer_give_back(&consumer, false);
	while (put(65000, 1) == 0)
		;
	/* It was seen to have given the first one back. */
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t produced = producer.produced;

		if (wrong[i] == SWITCH_RING_BYTES + 16)
			atomic_store(&header->consumed, produced + 16);
		else
			atomic_store(&header->consumed, wrong[i]);
		ck_assert_msg(put(65000, 1) == -EPROTO, "%llu", (unsigned long long)wrong[i]);
		ck_assert_uint_eq(producer.produced, produced);
	}
}
END_TEST

/* What stands before a packet, each thing wrong by itself. */
START_TEST(hostile_records)
{
	const struct switch_record right = {.length = 1000,
					    .flags = XVHOST_PACKET_CHECKSUM_BLANK,
					    .gso = XVHOST_GSO_TCPV4,
					    .gso_bytes = 100,
					    .header_bytes = 54,
					    .checksum_start = 34,
					    .checksum_offset = 16};
	struct switch_record records[17];
	uint32_t count = 0;

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		records[i] = right;
	records[count++].length = 0;
	records[count++].length = 13;
	records[count++].length = 65536;
	records[count++].length = UINT32_MAX;
	records[count++].length = UINT32_MAX - 14;
	records[count++].length = 1009; /* its record would be longer than what was produced */
	records[count++].length = 53;	/* than its headers */
	records[count++].flags = 4;
	records[count++].flags = 0; /* GSO, and the checksum is not blank */
	records[count++].gso = 3;
	records[count++].gso_bytes = 0;
	records[count++].header_bytes = 53;
	records[count++].header_bytes = 1001;
	records[count++].checksum_start = 13;
	records[count++].checksum_start = 999;
	records[count++].checksum_offset = 17;
	records[count++].checksum_offset = UINT16_MAX;
	ck_assert_uint_eq(count, sizeof(records) / sizeof(records[0]));
	ck_assert_int_eq(put(1000, 0), 0);
	switch_producer_show(&producer);
	for (uint32_t i = 0; i < count; i++) {
		memcpy(producer.area, &records[i], sizeof(records[i]));
		ck_assert_msg(next() == -EPROTO, "%u", i);
	}
	memcpy(producer.area, &right, sizeof(right));
	ck_assert_int_eq(next(), 1);
}
END_TEST

/* refused - memory of this kind that somebody passes as a ring. */
static void refused(int fd)
{
	struct switch_producer other;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(switch_producer_map(&other, fd), -EPROTO);
	close(fd);
}

static int memory(unsigned int flags, off_t bytes, int seals)
{
	int fd = memfd_create("hostile", flags | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, bytes), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* What is no ring: other sizes, memory that can shrink, files that are none. */
START_TEST(hostile_memory)
{
	struct switch_producer other;
	int fd;

	refused(memory(0, MEMORY_BYTES - 4096, SEALS));
	refused(memory(0, MEMORY_BYTES + 4096, SEALS));
	refused(memory(0, MEMORY_BYTES, F_SEAL_GROW));
	refused(open("/dev/zero", O_RDWR | O_CLOEXEC));
	refused(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	/* It can't be written. */
	fd = memory(0, MEMORY_BYTES, SEALS | F_SEAL_WRITE);
	ck_assert_int_lt(switch_producer_map(&other, fd), 0);
	close(fd);
	fd = memory(0, MEMORY_BYTES, SEALS);
	ck_assert_int_eq(switch_producer_map(&other, fd), 0);
	switch_producer_unmap(&other);
	close(fd);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_test(test_case, goes_round);
	tcase_add_test(test_case, description);
	tcase_add_test(test_case, full);
	tcase_add_test(test_case, sleep_and_close);
	tcase_add_test(test_case, hostile_producer);
	tcase_add_test(test_case, hostile_consumer);
	tcase_add_test(test_case, hostile_records);
	tcase_add_test(test_case, hostile_memory);
}

CHECK_MAIN("switch ring", add_tests)
