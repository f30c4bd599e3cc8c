// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file backend's discards: piece by piece, left when the queue is to stop, in whole blocks, and only on devices that can.
 * The host carries out each piece at once and notes it, and tells of its end when the test wants it.
 */
#include <stdio.h>

#include "../../backends/disk/file.c"

#include "check_main.h" /* last: it has a macro called fail */

#define MIB (UINT64_C(1) << 20)
#define PIECE (256 * MIB)
#define DISK_BYTES (4 * PIECE + 100 * MIB)
#define CALLS_MAX 16

static struct {
	uint64_t offset, length;
} calls[CALLS_MAX];
static unsigned call_count, completed;
static int completed_with;
static bool under_way;

static void host_complete(struct xvhost_request *request, int error)
{
	(void)request;
	ck_assert(!under_way);
	completed++;
	completed_with = error;
}

static void host_fallocate(struct xvhost_request *request, int fd, int mode, uint64_t offset, uint64_t length)
{
	(void)request;
	ck_assert(!under_way && call_count < CALLS_MAX);
	ck_assert_int_eq(fallocate(fd, mode, (off_t)offset, (off_t)length), 0);
	calls[call_count].offset = offset;
	calls[call_count].length = length;
	call_count++;
	under_way = true;
}

static void host_log(const struct xvhost_disk *disk, enum xvhost_log_level level, const char *format, ...)
{
	(void)disk;
	(void)level;
	(void)format;
}

static void host_fail(struct xvhost_disk *disk, const char *format, ...)
{
	(void)disk;
	ck_abort_msg("%s", format);
}

static const struct xvhost_host host = {
	.size = sizeof(host),
	.abi = XVHOST_BACKEND_ABI,
	.complete = host_complete,
	.fallocate = host_fallocate,
	.log = host_log,
	.fail = host_fail,
};

static char path[] = "/tmp/xvhost-test-XXXXXX";
static int content;
static struct xvhost_disk disk = {.size = sizeof(disk), .host = &host, .name = "test"};
static struct xvhost_queue queue = {.size = sizeof(queue), .disk = &disk};
static struct file_request scratch;
static struct xvhost_request request = {.queue = &queue, .operation = XVHOST_DISCARD, .scratch = &scratch};
static const char sector[SECTOR_BYTES] = "what was written";

/* start_disk - a file with nothing in it. */
static void start_disk(void)
{
	const struct file_config config = {.path = path};
	struct xvhost_disk_properties properties = {0};

	content = mkstemp(path);
	ck_assert_int_ge(content, 0);
	ck_assert_int_eq(ftruncate(content, DISK_BYTES), 0);
	ck_assert_int_eq(file_open(&disk, &config, &properties), 0);
	ck_assert_uint_ne(properties.flags & XVHOST_DISK_DISCARD, 0);
}

static void stop_disk(void)
{
	file_close(&disk);
	close(content);
	unlink(path);
}

static void submit(uint64_t offset, uint64_t length)
{
	request.offset = offset;
	request.length = length;
	file_submit(&request);
}

/* done - of the piece that is under way. */
static void done(int32_t result)
{
	ck_assert(under_way);
	under_way = false;
	file_io_done(&request, result);
}

static bool is_there(uint64_t offset)
{
	char found[SECTOR_BYTES];

	ck_assert_int_eq(pread(content, found, sizeof(found), (off_t)offset), sizeof(found));
	return memcmp(found, sector, sizeof(found)) == 0;
}

static void put(uint64_t offset)
{
	ck_assert_int_eq(pwrite(content, sector, sizeof(sector), (off_t)offset), sizeof(sector));
}

/* Of all, or of all but the first and the last sector: pieces that follow each other, and none is left out. */
START_TEST(pieces)
{
	uint64_t from = _i ? SECTOR_BYTES : 0, end = DISK_BYTES - from, next = from;

	put(0);
	put(DISK_BYTES - SECTOR_BYTES);
	for (uint64_t at = PIECE; at < DISK_BYTES; at += PIECE) {
		put(at - SECTOR_BYTES);
		put(at);
		put(at + SECTOR_BYTES);
	}
	submit(from, end - from);
	while (under_way)
		done(0);
	ck_assert_uint_eq(completed, 1);
	ck_assert_int_eq(completed_with, 0);
	ck_assert_uint_eq(call_count, 5);
	for (unsigned i = 0; i < call_count; i++) {
		ck_assert_uint_eq(calls[i].offset, next);
		ck_assert_uint_le(calls[i].length, PIECE);
		next += calls[i].length;
	}
	ck_assert_uint_eq(next, end);
	ck_assert_int_eq(is_there(0), _i);
	ck_assert_int_eq(is_there(DISK_BYTES - SECTOR_BYTES), _i);
	for (uint64_t at = PIECE; at < DISK_BYTES; at += PIECE)
		ck_assert(!is_there(at - SECTOR_BYTES) && !is_there(at) && !is_there(at + SECTOR_BYTES));
}
END_TEST

/* One piece exactly, or one sector, is one call. */
START_TEST(one_piece)
{
	uint64_t length = _i ? SECTOR_BYTES : PIECE;

	submit(MIB, length);
	done(0);
	ck_assert_uint_eq(call_count, 1);
	ck_assert_uint_eq(calls[0].offset, MIB);
	ck_assert_uint_eq(calls[0].length, length);
	ck_assert_uint_eq(completed, 1);
}
END_TEST

/* The queue is to stop: the piece that is under way is the last one. One that has not begun yet does begin. */
START_TEST(stopping)
{
	queue.flags = _i ? XVHOST_QUEUE_STOPPING : 0;
	submit(0, DISK_BYTES);
	if (!_i) {
		done(0);
		ck_assert_uint_eq(completed, 0);
	}
	queue.flags = XVHOST_QUEUE_STOPPING;
	done(0);
	ck_assert_uint_eq(call_count, _i ? 1 : 2);
	ck_assert_uint_eq(completed, 1);
	ck_assert_int_eq(completed_with, 0);
}
END_TEST

START_TEST(failing_piece)
{
	submit(0, DISK_BYTES);
	done(0);
	done(-EIO);
	ck_assert_uint_eq(call_count, 2);
	ck_assert_uint_eq(completed, 1);
	ck_assert_int_eq(completed_with, -EIO);
}
END_TEST

/* Of a device whose blocks have 4096 bytes. */
START_TEST(whole_blocks)
{
	static const struct {
		uint64_t offset, length;	   /* asked */
		uint64_t done_offset, done_length; /* 0: nothing */
	} rows[] = {
		{0, 4096, 0, 4096},
		{512, 4096 + 3584, 4096, 4096},
		{4096, 4096 + 512, 4096, 4096},
		{3584, 5120, 4096, 4096},
		{512, 3584, 0, 0},
		{512, 4096, 0, 0},
		{4096, 512, 0, 0},
	};

	((struct file *)disk.state)->discard_bytes = 4096;
	submit(rows[_i].offset, rows[_i].length);
	if (rows[_i].done_length) {
		done(0);
		ck_assert_uint_eq(calls[0].offset, rows[_i].done_offset);
		ck_assert_uint_eq(calls[0].length, rows[_i].done_length);
	}
	ck_assert_uint_eq(call_count, rows[_i].done_length ? 1 : 0);
	ck_assert_uint_eq(completed, 1);
	ck_assert_int_eq(completed_with, 0);
}
END_TEST

/* set_limit - a file as sysfs has it. */
static void set_limit(const char *directory, const char *name, const char *value)
{
	char file[256];
	FILE *stream;

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	stream = fopen(file, "w");
	ck_assert_ptr_nonnull(stream);
	fprintf(stream, "%s\n", value);
	fclose(stream);
}

static const struct {
	const char *discard, *zeroes;
	uint64_t bytes;
} devices[] = {
	{"1073741824", "1073741824", 4096},
	{"2199023255040", "65536", 4096},
	{"0", "65536", 0},
	{"65536", "0", 0},
	{"0", "0", 0},
	{"65536", "", 0},
};

/* A disk and a partition of it, as /sys/dev/block has them: links to where devices lie. */
START_TEST(device_limits)
{
	char root[] = "/tmp/xvhost-test-XXXXXX", name[256];

	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(name, sizeof(name),
		 "mkdir -p %s/sda/queue %s/sda/sda1 && ln -s sda %s/8:0 && ln -s sda/sda1 %s/8:1", root, root,
		 root, root);
	ck_assert_int_eq(system(name), 0);
	snprintf(name, sizeof(name), "%s/sda/queue", root);
	set_limit(name, "discard_max_bytes", devices[_i].discard);
	set_limit(name, "write_zeroes_max_bytes", devices[_i].zeroes);
	set_limit(name, "logical_block_size", "4096");
	ck_assert_uint_eq(device_discard_bytes(root, makedev(8, 0)), devices[_i].bytes);
	ck_assert_uint_eq(device_discard_bytes(root, makedev(8, 1)), devices[_i].bytes);
	ck_assert_uint_eq(device_discard_bytes(root, makedev(8, 2)), 0);
	snprintf(name, sizeof(name), "rm -r %s", root);
	ck_assert_int_eq(system(name), 0);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, start_disk, stop_disk);
	tcase_add_loop_test(test_case, pieces, 0, 2);
	tcase_add_loop_test(test_case, one_piece, 0, 2);
	tcase_add_loop_test(test_case, stopping, 0, 2);
	tcase_add_test(test_case, failing_piece);
	tcase_add_loop_test(test_case, whole_blocks, 0, 7);
	tcase_add_loop_test(test_case, device_limits, 0, sizeof(devices) / sizeof(devices[0]));
}

CHECK_MAIN("file: discard", add_tests)
