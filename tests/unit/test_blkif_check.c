// SPDX-License-Identifier: GPL-2.0-or-later
/* blkif requests: how they lie in the ring in both ABIs, and which are refused for what reason. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "check_main.h"
#include "rings/blkif_check.h"

/* The 32-bit guest's structure: the same members, 64-bit ones aligned to 4 bytes. */
struct request_x86_32 {
	uint8_t operation;
	uint8_t nr_segments;
	uint16_t handle;
	uint64_t id;
	uint64_t sector_number;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
} __attribute__((packed, aligned(4)));

START_TEST(decode_both)
{
	struct blkif_request wide = {
		BLKIF_OP_WRITE, 11, 3, UINT64_C(0x1122334455667788), UINT64_C(0x99aabbccddeeff), {{0}}};
	struct request_x86_32 narrow = {BLKIF_OP_READ, 2, 3, UINT64_C(0x8877665544332211), 77, {{0}}};
	uint8_t entry[BLKIF_ENTRY_MAX] = {0};
	struct blkif_wire_request request;

	for (uint32_t i = 0; i < 11; i++)
		wide.seg[i] = (struct blkif_request_segment){1000 + i, (uint8_t)(i % 8), 7};
	memcpy(entry, &wide, sizeof(wide));
	blkif_decode(BLKIF_X86_64, entry, &request);
	ck_assert_uint_eq(request.operation, BLKIF_OP_WRITE);
	ck_assert_uint_eq(request.segment_count, 11);
	ck_assert_uint_eq(request.id, wide.id);
	ck_assert_uint_eq(request.sector, wide.sector_number);
	for (uint32_t i = 0; i < 11; i++) {
		ck_assert_uint_eq(request.segments[i].gref, 1000 + i);
		ck_assert_uint_eq(request.segments[i].first_sector, i % 8);
		ck_assert_uint_eq(request.segments[i].last_sector, 7);
	}
	ck_assert_uint_eq(sizeof(narrow), blkif_entry_bytes(BLKIF_X86_32));
	narrow.seg[1] = (struct blkif_request_segment){0xfffffffe, 1, 2};
	memcpy(entry, &narrow, sizeof(narrow));
	blkif_decode(BLKIF_X86_32, entry, &request);
	ck_assert_uint_eq(request.operation, BLKIF_OP_READ);
	ck_assert_uint_eq(request.id, narrow.id);
	ck_assert_uint_eq(request.sector, 77);
	ck_assert_uint_eq(request.segments[1].gref, 0xfffffffe);
	ck_assert_uint_eq(request.segments[1].first_sector, 1);
	ck_assert_uint_eq(request.segments[1].last_sector, 2);
}
END_TEST

struct indirect_x86_32 {
	uint8_t operation;
	uint8_t indirect_op;
	uint16_t nr_segments;
	uint64_t id;
	uint64_t sector_number;
	uint16_t handle;
	uint16_t padding;
	uint32_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
} __attribute__((packed, aligned(4)));

START_TEST(decode_indirect)
{
	struct blkif_request_indirect wide = {
		.operation = BLKIF_OP_INDIRECT,
		.indirect_op = BLKIF_OP_WRITE,
		.nr_segments = 0x1234,
		.id = UINT64_C(0x1122334455667788),
		.sector_number = UINT64_C(0x99aabbccddeeff),
		.indirect_grefs = {0xfffffffd, 8},
	};
	struct indirect_x86_32 narrow = {
		.operation = BLKIF_OP_INDIRECT,
		.nr_segments = 256,
		.id = UINT64_C(0x8877665544332211),
		.sector_number = 77,
		.indirect_grefs = {9},
	};
	uint8_t entry[BLKIF_ENTRY_MAX] = {BLKIF_OP_WRITE};
	struct blkif_wire_request request;

	ck_assert(!blkif_is_indirect(entry));
	memcpy(entry, &wide, sizeof(wide));
	ck_assert(blkif_is_indirect(entry));
	ck_assert_uint_eq(blkif_decode_indirect(BLKIF_X86_64, entry, &request), 0xfffffffd);
	ck_assert_uint_eq(request.operation, BLKIF_OP_WRITE);
	ck_assert_uint_eq(request.segment_count, 0x1234);
	ck_assert_uint_eq(request.id, wide.id);
	ck_assert_uint_eq(request.sector, wide.sector_number);
	memcpy(entry, &narrow, sizeof(narrow));
	ck_assert_uint_eq(blkif_decode_indirect(BLKIF_X86_32, entry, &request), 9);
	ck_assert_uint_eq(request.operation, BLKIF_OP_READ);
	ck_assert_uint_eq(request.segment_count, 256);
	ck_assert_uint_eq(request.id, narrow.id);
	ck_assert_uint_eq(request.sector, 77);
}
END_TEST

/* A segment count beyond what fits must not make the decoder read beyond the entry. */
START_TEST(decode_too_many_segments)
{
	uint8_t *entry = malloc(BLKIF_ENTRY_MAX); /* so that the sanitizer sees its end */
	struct blkif_wire_request request;

	memset(entry, 0xff, BLKIF_ENTRY_MAX);
	blkif_decode(BLKIF_X86_64, entry, &request);
	ck_assert_uint_eq(request.segment_count, 255);
	free(entry);
}
END_TEST

START_TEST(encode_both)
{
	uint8_t entry[BLKIF_ENTRY_MAX];
	struct blkif_response wide;
	int16_t status;
	uint64_t id;

	memset(entry, 0xee, sizeof(entry));
	ck_assert_uint_eq(blkif_encode(BLKIF_X86_64, UINT64_C(0x123456789abcdef0), 2, BLKIF_RSP_ERROR, entry),
			  sizeof(wide));
	memcpy(&wide, entry, sizeof(wide));
	ck_assert_uint_eq(wide.id, UINT64_C(0x123456789abcdef0));
	ck_assert_uint_eq(wide.operation, 2);
	ck_assert_int_eq(wide.status, BLKIF_RSP_ERROR);
	/* No byte of ours in the padding (XSA-216). */
	ck_assert_uint_eq(entry[9], 0);
	for (int i = 12; i < 16; i++)
		ck_assert_uint_eq(entry[i], 0);
	ck_assert_uint_eq(entry[16], 0xee);

	memset(entry, 0xee, sizeof(entry));
	ck_assert_uint_eq(blkif_encode(BLKIF_X86_32, 7, 1, BLKIF_RSP_EOPNOTSUPP, entry), 12);
	memcpy(&id, entry, sizeof(id));
	memcpy(&status, entry + 10, sizeof(status));
	ck_assert_uint_eq(id, 7);
	ck_assert_uint_eq(entry[8], 1);
	ck_assert_uint_eq(entry[9], 0);
	ck_assert_int_eq(status, BLKIF_RSP_EOPNOTSUPP);
	ck_assert_uint_eq(entry[12], 0xee);
}
END_TEST

#define WHOLE_PAGE                                                                                           \
	{                                                                                                    \
		5, 0, 7                                                                                      \
	}

/* Each row is one request to a disk of 1000 sectors. */
static const struct {
	struct blkif_wire_request request;
	bool read_only;
	int error;
	const char *reason; /* must be part of the text */
} rows[] = {
	{{BLKIF_OP_READ, 1, 0, 0, {WHOLE_PAGE}}, false, 0, ""},
	{{BLKIF_OP_WRITE, 1, 0, 992, {WHOLE_PAGE}}, false, 0, ""},
	{{BLKIF_OP_READ, 1, 0, 999, {{1, 3, 3}}}, false, 0, ""},
	{{BLKIF_OP_READ, 2, 0, 0, {{1, 7, 7}, {2, 0, 0}}}, false, 0, ""},
	{{BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, {{0}}}, false, 0, ""},
	{{BLKIF_OP_FLUSH_DISKCACHE, 0, 0, UINT64_MAX, {{0}}}, false, 0, ""},
	{{BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, {{0}}}, true, 0, ""},
	{{BLKIF_OP_WRITE_BARRIER, 0, 0, 0, {{0}}}, false, 0, ""},
	{{BLKIF_OP_WRITE_BARRIER, 1, 0, 8, {WHOLE_PAGE}}, false, 0, ""},
	{{BLKIF_OP_READ,
	  11,
	  0,
	  0,
	  {WHOLE_PAGE, WHOLE_PAGE, WHOLE_PAGE, WHOLE_PAGE, WHOLE_PAGE, WHOLE_PAGE, WHOLE_PAGE, WHOLE_PAGE,
	   WHOLE_PAGE, WHOLE_PAGE, WHOLE_PAGE}},
	 false,
	 0,
	 ""},
	{{BLKIF_OP_READ, 0, 0, 0, {{0}}}, false, -EINVAL, "nr_segments is 0"},
	{{BLKIF_OP_WRITE, 0, 0, 0, {{0}}}, false, -EINVAL, "nr_segments is 0"},
	{{BLKIF_OP_READ, 12, 0, 0, {{0}}}, false, -EINVAL, "nr_segments is 12"},
	{{BLKIF_OP_WRITE_BARRIER, 255, 0, 0, {{0}}}, false, -EINVAL, "nr_segments is 255"},
	{{BLKIF_OP_FLUSH_DISKCACHE, 12, 0, 0, {{0}}}, false, -EINVAL, "nr_segments is 12"},
	{{BLKIF_OP_DISCARD, 0, 0, 0, {{0}}}, false, -EOPNOTSUPP, "operation is 5"},
	{{BLKIF_OP_INDIRECT, 1, 0, 0, {WHOLE_PAGE}}, false, -EOPNOTSUPP, "operation is 6"},
	{{255, 1, 0, 0, {WHOLE_PAGE}}, false, -EOPNOTSUPP, "operation is 255"},
	{{BLKIF_OP_WRITE, 1, 0, 0, {WHOLE_PAGE}}, true, -EROFS, "read-only"},
	{{BLKIF_OP_WRITE_BARRIER, 1, 0, 0, {WHOLE_PAGE}}, true, -EROFS, "read-only"},
	{{BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, {WHOLE_PAGE}}, true, -EROFS, "read-only"},
	{{BLKIF_OP_READ, 1, 0, 0, {{1, 0, 8}}}, false, -EINVAL, "last_sect 8"},
	{{BLKIF_OP_READ, 1, 0, 0, {{1, 0, 255}}}, false, -EINVAL, "last_sect 255"},
	{{BLKIF_OP_READ, 1, 0, 0, {{1, 5, 4}}}, false, -EINVAL, "first_sect 5"},
	{{BLKIF_OP_READ, 2, 0, 0, {WHOLE_PAGE, {1, 255, 0}}}, false, -EINVAL, "segment 1"},
	{{BLKIF_OP_READ, 1, 0, 993, {WHOLE_PAGE}}, false, -EINVAL, "sector_number is 993 with 8 sectors"},
	{{BLKIF_OP_READ, 1, 0, 1000, {{1, 0, 0}}}, false, -EINVAL, "sector_number is 1000"},
	{{BLKIF_OP_READ, 1, 0, UINT64_MAX, {{1, 0, 0}}},
	 false,
	 -EINVAL,
	 "sector_number is 18446744073709551615"},
	{{BLKIF_OP_WRITE, 1, 0, UINT64_MAX - 7, {WHOLE_PAGE}}, false, -EINVAL, "the disk has 1000"},
	/* Multiplied by 512 this is 0 again. */
	{{BLKIF_OP_WRITE, 1, 0, UINT64_C(1) << 55, {WHOLE_PAGE}}, false, -EINVAL, "the disk has 1000"},
};

START_TEST(check_row)
{
	const struct blkif_limits limits = {
		.disk_sectors = 1000, .block_sectors = 1, .unit_sectors = 1, .read_only = rows[_i].read_only};
	char reason[BLKIF_REASON_MAX] = "";
	int error = blkif_check_head(&rows[_i].request, &limits, reason);

	if (error == 0)
		error = blkif_check_segments(&rows[_i].request, &limits, reason);
	ck_assert_int_eq(error, rows[_i].error);
	ck_assert_msg(strstr(reason, rows[_i].reason), "'%s' is not in '%s'", rows[_i].reason, reason);
}
END_TEST

/*
 * Each row is one request, or one discard without segments, to a disk of 125 blocks of 4096 bytes, by a frontend that counts
 * in sectors of 512 bytes, or in blocks.
 */
static const struct {
	bool in_blocks;
	uint32_t segment_count;
	uint64_t sector, sectors;
	struct blkif_wire_segment segments[3];
	const char *reason;
} large_rows[] = {
	{false, 1, 0, 0, {WHOLE_PAGE}, ""},
	{false, 1, 992, 0, {WHOLE_PAGE}, ""},
	/* A block may lie in two pages. */
	{false, 2, 8, 0, {{1, 3, 7}, {2, 0, 2}}, ""},
	{false, 3, 8, 0, {{1, 7, 7}, {2, 0, 7}, {3, 0, 6}}, ""},
	{false,
	 1,
	 4,
	 0,
	 {WHOLE_PAGE},
	 "sector_number is 4 with 8 sectors of 512 bytes, both must be multiples of 8"},
	{false, 1, 8, 0, {{1, 0, 0}}, "sector_number is 8 with 1 sectors of 512 bytes"},
	{false, 2, 8, 0, {WHOLE_PAGE, {1, 0, 3}}, "with 12 sectors"},
	{false, 1, 1000, 0, {WHOLE_PAGE}, "the disk has 1000"},
	{false, 1, 8, 0, {{1, 0, 8}}, "last_sect 8"},
	{false, 0, 992, 8, {{0}}, ""},
	{false, 0, 991, 8, {{0}}, "sector_number is 991 with 8"},
	{false, 0, 0, 9, {{0}}, "with 9 sectors of 512 bytes"},
	{true, 1, 0, 0, {{1, 0, 0}}, ""},
	{true, 3, 122, 0, {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}}, ""},
	{true,
	 3,
	 123,
	 0,
	 {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}},
	 "sector_number is 123 with 3 sectors, the disk has 125"},
	{true, 1, 0, 0, {{1, 0, 1}}, "last_sect 1, a page has sectors 0 to 0"},
	{true, 1, UINT64_C(1) << 61, 0, {{1, 0, 0}}, "the disk has 125"},
	{true, 0, 1, 124, {{0}}, ""},
	{true, 0, 1, 125, {{0}}, "sector_number is 1 with 125 sectors, the disk has 125"},
};

START_TEST(check_large)
{
	const struct blkif_limits limits = {.disk_sectors = 1000,
					    .block_sectors = 8,
					    .unit_sectors = large_rows[_i].in_blocks ? 8 : 1,
					    .discard = true};
	struct blkif_wire_request request = {.operation = BLKIF_OP_WRITE,
					     .segment_count = (uint16_t)large_rows[_i].segment_count,
					     .sector = large_rows[_i].sector};
	const struct blkif_wire_discard discard = {.sector = large_rows[_i].sector,
						   .sectors = large_rows[_i].sectors};
	char reason[BLKIF_REASON_MAX] = "";
	int error;

	memcpy(request.segments, large_rows[_i].segments, sizeof(large_rows[_i].segments));
	if (request.segment_count > 0)
		error = blkif_check_segments(&request, &limits, reason);
	else
		error = blkif_check_discard(&discard, &limits, reason);
	ck_assert_int_eq(error, large_rows[_i].reason[0] ? -EINVAL : 0);
	ck_assert_msg(strstr(reason, large_rows[_i].reason), "'%s' is not in '%s'", large_rows[_i].reason,
		      reason);
}
END_TEST

struct discard_x86_32 {
	uint8_t operation;
	uint8_t flag;
	uint16_t handle;
	uint64_t id;
	uint64_t sector_number;
	uint64_t nr_sectors;
} __attribute__((packed, aligned(4)));

START_TEST(decode_discard)
{
	struct blkif_request_discard wide = {
		BLKIF_OP_DISCARD, 1, 3, UINT64_C(0x1122334455667788), UINT64_C(0x99aabbccddeeff),
		UINT64_MAX - 1};
	struct discard_x86_32 narrow = {BLKIF_OP_DISCARD, 0, 3, UINT64_C(0x8877665544332211), 77, 88};
	uint8_t entry[BLKIF_ENTRY_MAX] = {BLKIF_OP_INDIRECT};
	struct blkif_wire_discard request;

	ck_assert(!blkif_is_discard(entry));
	memcpy(entry, &wide, sizeof(wide));
	ck_assert(blkif_is_discard(entry));
	blkif_decode_discard(BLKIF_X86_64, entry, &request);
	ck_assert_uint_eq(request.flags, 1);
	ck_assert_uint_eq(request.id, wide.id);
	ck_assert_uint_eq(request.sector, wide.sector_number);
	ck_assert_uint_eq(request.sectors, UINT64_MAX - 1);
	memcpy(entry, &narrow, sizeof(narrow));
	blkif_decode_discard(BLKIF_X86_32, entry, &request);
	ck_assert_uint_eq(request.flags, 0);
	ck_assert_uint_eq(request.id, narrow.id);
	ck_assert_uint_eq(request.sector, 77);
	ck_assert_uint_eq(request.sectors, 88);
}
END_TEST

/* Each row is one discard of a disk of 1000 sectors. */
static const struct {
	uint8_t flags;
	uint64_t sector, sectors;
	bool offered, read_only;
	int error;
	const char *reason;
	bool secure; /* is offered, too */
} discards[] = {
	{0, 0, 1000, true, false, 0, "", false},
	{0, 999, 1, true, false, 0, "", false},
	{0, 0, 1, false, false, -EOPNOTSUPP, "does not offer", false},
	{1, 0, 1, true, false, -EOPNOTSUPP, "flag of a discard is 1, only 0 is offered", false},
	{1, 0, 1, true, false, 0, "", true},
	{0, 0, 1, true, false, 0, "", true},
	{2, 0, 1, true, false, -EOPNOTSUPP, "flag of a discard is 2, only 0 and 1 are offered", true},
	{1, 0, 1, true, true, -EROFS, "read-only", true},
	{0, 0, 1, true, true, -EROFS, "read-only", false},
	{0, 0, 0, true, false, -EINVAL, "nr_sectors of a discard is 0", false},
	{0, 0, 1001, true, false, -EINVAL, "with 1001 sectors", false},
	{0, 1000, 1, true, false, -EINVAL, "sector_number is 1000", false},
	{0, 8, UINT64_MAX - 7, true, false, -EINVAL, "the disk has 1000", false},
	{0, UINT64_C(1) << 55, 1, true, false, -EINVAL, "the disk has 1000", false},
};

START_TEST(check_discard)
{
	const struct blkif_limits limits = {.disk_sectors = 1000,
					    .block_sectors = 1,
					    .unit_sectors = 1,
					    .read_only = discards[_i].read_only,
					    .discard = discards[_i].offered,
					    .discard_secure = discards[_i].secure};
	const struct blkif_wire_discard request = {discards[_i].flags, 0, discards[_i].sector,
						   discards[_i].sectors};
	char reason[BLKIF_REASON_MAX] = "";

	ck_assert_int_eq(blkif_check_discard(&request, &limits, reason), discards[_i].error);
	ck_assert_msg(strstr(reason, discards[_i].reason), "'%s' is not in '%s'", discards[_i].reason,
		      reason);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, decode_both);
	tcase_add_test(test_case, decode_too_many_segments);
	tcase_add_test(test_case, decode_indirect);
	tcase_add_test(test_case, decode_discard);
	tcase_add_loop_test(test_case, check_discard, 0, sizeof(discards) / sizeof(discards[0]));
	tcase_add_test(test_case, encode_both);
	tcase_add_loop_test(test_case, check_row, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(test_case, check_large, 0, sizeof(large_rows) / sizeof(large_rows[0]));
}

CHECK_MAIN("blkif_check", add_tests)
