// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file backend's discards: piece by piece, left when the queue is to stop, in whole blocks, and only on devices that can.
 * The host carries out each piece at once and notes it, and tells of its end when the test wants it. What a device does by ioctls
 * is the test's doing: few machines have one that erases securely.
 */
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

static int device_ioctl(int fd, unsigned long code, void *argument);

#define ioctl device_ioctl
#include "../../backends/disk/file.c"
#include "../../backends/disk/file_descriptor.c"
#include "../../backends/disk/file_thread.c"
#undef ioctl

#include "check_main.h" /* last: it has a macro called fail */

#define MIB (UINT64_C(1) << 20)
#define PIECE (256 * MIB)
#define DISK_BYTES (4 * PIECE + 100 * MIB)
#define CALLS_MAX 16

static struct {
	uint64_t offset, length;
} calls[CALLS_MAX];
static unsigned call_count, completed, logged;
static int completed_with;
static bool under_way;
static int watched = -1;

/* What the device can, and has been asked for by the queue's thread: calls[] has what. */
static bool device_erases;
static int device_error;
static unsigned long device_code;
static pthread_t test_thread;

static int device_ioctl(int fd, unsigned long code, void *argument)
{
	uint64_t *range = argument;

	if (code != BLKDISCARD && code != BLKSECDISCARD)
		return ioctl(fd, code, argument);
	if (code == BLKSECDISCARD && range[0] % 512 != 0) {
		errno = device_erases ? EINVAL : EOPNOTSUPP;
		return -1;
	}
	ck_assert(!pthread_equal(pthread_self(), test_thread));
	device_code = code;
	calls[call_count].offset = range[0];
	calls[call_count].length = range[1];
	call_count++;
	errno = device_error;
	return device_error ? -1 : 0;
}

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
	logged++;
}

static void host_watch(struct xvhost_queue *queue, uint32_t index, int fd, uint32_t events)
{
	(void)queue;
	ck_assert(index == 0 && events == POLLIN);
	watched = fd;
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
	.watch = host_watch,
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
	ck_assert_uint_eq(properties.flags & XVHOST_DISK_SECURE_DISCARD, 0);
	ck_assert_uint_ge(disk.discard_granularity, SECTOR_BYTES);
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

	((struct file *)disk.state)->discard.block_bytes = 4096;
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
	enum file_discard_way way;
} devices[] = {
	{"1073741824", "1073741824", FILE_DISCARD_HOLE},
	{"2199023255040", "65536", FILE_DISCARD_HOLE},
	{"0", "65536", FILE_DISCARD_NONE},
	{"65536", "0", FILE_DISCARD_IOCTL},
	{"0", "0", FILE_DISCARD_NONE},
	{"65536", "", FILE_DISCARD_IOCTL},
};

/* expect_device - what is found of it. */
static void expect_device(const char *root, unsigned minor_number, enum file_discard_way way,
			  uint32_t alignment)
{
	struct file_discard found;

	file_discard_of_device(root, makedev(8, minor_number), &found);
	ck_assert_int_eq(found.way, way);
	ck_assert_uint_eq(found.block_bytes, way ? 4096 : 0);
	ck_assert_uint_eq(found.granularity, way ? 1 << 16 : 0);
	ck_assert_uint_eq(found.alignment, way ? alignment : 0);
}

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
	set_limit(name, "discard_granularity", "65536");
	snprintf(name, sizeof(name), "%s/sda", root);
	set_limit(name, "discard_alignment", "0");
	snprintf(name, sizeof(name), "%s/sda/sda1", root);
	set_limit(name, "discard_alignment", "4096");
	expect_device(root, 0, devices[_i].way, 0);
	expect_device(root, 1, devices[_i].way, 4096);
	expect_device(root, 2, FILE_DISCARD_NONE, 0);
	snprintf(name, sizeof(name), "rm -r %s", root);
	ck_assert_int_eq(system(name), 0);
}
END_TEST

/* become_device - one that needs the thread for all, or to erase alone. */
static void become_device(enum file_discard_way way)
{
	struct file *file = disk.state;

	test_thread = pthread_self();
	file->discard.way = way;
	file->discard.secure = true;
	ck_assert_int_eq(file_queue_start(&queue), 0);
	ck_assert_int_ge(watched, 0);
}

/* wait_for_device - as the loop does it; until a request is complete. */
static void wait_for_device(void)
{
	while (!completed) {
		struct pollfd polled = {.fd = watched, .events = POLLIN};

		ck_assert_int_eq(poll(&polled, 1, 5000), 1);
		watched = -1;
		file_ready(&queue, 0, POLLIN);
		ck_assert_int_ge(watched, 0);
	}
}

/* By the queue's thread: in whole blocks, or every byte that was asked for. */
START_TEST(by_thread)
{
	uint64_t block = _i ? 0 : 4096, from = 4096 - 512 + block / 8;

	become_device(FILE_DISCARD_IOCTL);
	((struct file *)disk.state)->discard.block_bytes = 4096;
	request.operation = _i ? XVHOST_SECURE_DISCARD : XVHOST_DISCARD;
	submit(3584, DISK_BYTES - 3584);
	wait_for_device();
	ck_assert_int_eq(completed_with, 0);
	ck_assert_uint_eq(call_count, 5);
	for (unsigned i = 0; i < call_count; i++) {
		ck_assert_uint_eq(calls[i].offset, from);
		from += calls[i].length;
	}
	ck_assert_uint_eq(from, DISK_BYTES);
	ck_assert_uint_eq(device_code, _i ? BLKSECDISCARD : BLKDISCARD);
	file_queue_stop(&queue);
}
END_TEST

/* Only what is erased goes by the thread, where holes can be made. */
START_TEST(holes_beside)
{
	become_device(FILE_DISCARD_HOLE);
	submit(0, MIB);
	done(0);
	ck_assert_uint_eq(completed, 1);
	ck_assert_uint_eq(device_code, 0);
	file_queue_stop(&queue);
}
END_TEST

/* The rest of what is to be erased can't be left as done. */
START_TEST(stopping_thread)
{
	become_device(FILE_DISCARD_IOCTL);
	request.operation = _i ? XVHOST_SECURE_DISCARD : XVHOST_DISCARD;
	submit(0, DISK_BYTES);
	queue.flags = XVHOST_QUEUE_STOPPING;
	wait_for_device();
	ck_assert_int_eq(completed_with, _i ? -ECANCELED : 0);
	ck_assert_uint_eq(call_count, 1);
	file_queue_stop(&queue);
}
END_TEST

/* What can't be after all is tried once, by whichever way; the rest of the requests is answered so, too. */
START_TEST(unsupported)
{
	if (_i)
		become_device(FILE_DISCARD_IOCTL);
	device_error = EOPNOTSUPP;
	submit(0, MIB);
	if (_i)
		wait_for_device();
	else
		done(-EOPNOTSUPP);
	ck_assert_uint_eq(completed, 1);
	ck_assert_int_eq(completed_with, -EOPNOTSUPP);
	completed_with = 0;
	submit(0, DISK_BYTES);
	ck_assert_uint_eq(completed, 2);
	ck_assert_int_eq(completed_with, -EOPNOTSUPP);
	ck_assert_uint_eq(call_count, 1);
	ck_assert_uint_eq(logged, 1);
	if (_i)
		file_queue_stop(&queue);
}
END_TEST

/* Secure discards that can't be after all leave the others as they were, and the other way round. */
START_TEST(unsupported_kind)
{
	uint32_t kinds[] = {XVHOST_SECURE_DISCARD, XVHOST_DISCARD};

	become_device(FILE_DISCARD_IOCTL);
	request.operation = kinds[_i];
	device_error = EOPNOTSUPP;
	submit(0, MIB);
	wait_for_device();
	ck_assert_int_eq(completed_with, -EOPNOTSUPP);
	device_error = completed = 0;
	request.operation = kinds[!_i];
	submit(0, MIB);
	wait_for_device();
	ck_assert_int_eq(completed_with, 0);
	request.operation = kinds[_i];
	submit(0, MIB);
	ck_assert_uint_eq(completed, 2);
	ck_assert_int_eq(completed_with, -EOPNOTSUPP);
	ck_assert_uint_eq(call_count, 2);
	ck_assert_uint_eq(logged, 1);
	file_queue_stop(&queue);
}
END_TEST

/* An error of the moment is no reason not to try again. */
START_TEST(failing_device)
{
	become_device(FILE_DISCARD_IOCTL);
	device_error = EIO;
	submit(0, DISK_BYTES);
	wait_for_device();
	ck_assert_int_eq(completed_with, -EIO);
	device_error = completed = 0;
	submit(0, MIB);
	wait_for_device();
	ck_assert_int_eq(completed_with, 0);
	ck_assert_uint_eq(call_count, 2);
	file_queue_stop(&queue);
}
END_TEST

START_TEST(erasing)
{
	device_erases = _i;
	ck_assert_int_eq(file_can_erase(content), _i);
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
	tcase_add_loop_test(test_case, by_thread, 0, 2);
	tcase_add_test(test_case, holes_beside);
	tcase_add_loop_test(test_case, stopping_thread, 0, 2);
	tcase_add_loop_test(test_case, unsupported, 0, 2);
	tcase_add_loop_test(test_case, unsupported_kind, 0, 2);
	tcase_add_test(test_case, failing_device);
	tcase_add_loop_test(test_case, erasing, 0, 2);
	tcase_add_loop_test(test_case, device_limits, 0, sizeof(devices) / sizeof(devices[0]));
}

CHECK_MAIN("file: discard", add_tests)
