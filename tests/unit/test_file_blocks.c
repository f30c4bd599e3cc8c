// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The blocks of the file backend's disks: what they can be, and which descriptor serves memory that is cut within them. That
 * direct I/O refuses such memory is the test's doing, since it depends on the device.
 */
#include <stdarg.h>
#include <stdio.h>

#include <sys/uio.h>

static ssize_t pread_pieces(int fd, const struct iovec *pieces, int count, off_t offset);

#define preadv pread_pieces
#include "../../backends/disk/file.c"
#include "../../backends/disk/file_descriptor.c"
#include "../../backends/disk/file_thread.c"
#undef preadv

#include "check_main.h" /* last: it has a macro called fail */

#define DISK_BYTES (1 << 20)

static char path[] = "/tmp/xvhost-test-XXXXXX", text[512];
static bool whole_fails, cut_fails;
static int used_fd;

/* pread_pieces - as the kernel does it for a device of such blocks. */
static ssize_t pread_pieces(int fd, const struct iovec *pieces, int count, off_t offset)
{
	(void)fd;
	(void)offset;
	ck_assert_uint_eq((uintptr_t)pieces[0].iov_base % 4096, 512);
	if (count > 1 ? cut_fails : whole_fails) {
		errno = EINVAL;
		return -1;
	}
	return 4096;
}

static void host_fail(struct xvhost_disk *disk, const char *format, ...)
{
	va_list arguments;

	(void)disk;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
}

static void host_transfer(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
			  uint64_t offset)
{
	(void)request;
	(void)iov;
	(void)iov_count;
	(void)offset;
	used_fd = fd;
}

static const struct xvhost_host host = {
	.size = sizeof(host),
	.abi = XVHOST_BACKEND_ABI,
	.read = host_transfer,
	.write = host_transfer,
	.fail = host_fail,
};

static struct xvhost_disk disk = {.size = sizeof(disk), .host = &host};
static struct xvhost_disk_properties properties;

static int open_disk(uint64_t block_bytes, bool direct)
{
	const struct file_config config = {.path = path, .direct = direct, .block_bytes = block_bytes};

	memset(&properties, 0, sizeof(properties));
	return file_open(&disk, &config, &properties);
}

static void make_file(off_t bytes)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, bytes), 0);
	close(fd);
}

START_TEST(sizes)
{
	make_file(DISK_BYTES);
	ck_assert_int_eq(open_disk(0, false), 0);
	ck_assert_uint_eq(properties.block_bytes, 512);
	ck_assert_uint_eq(properties.physical_block_bytes, 512);
	file_close(&disk);
	ck_assert_int_eq(open_disk(4096, false), 0);
	ck_assert_uint_eq(properties.block_bytes, 4096);
	ck_assert_uint_eq(properties.physical_block_bytes, 4096);
	file_close(&disk);
	ck_assert_int_eq(open_disk(1536, false), -EINVAL);
	ck_assert_str_eq(text,
			 "parameter block-size of backend file is 1536, it must be a power of 2 from 512 "
			 "to 4096");
	ck_assert_int_eq(truncate(path, DISK_BYTES + 512), 0);
	ck_assert_int_eq(open_disk(4096, false), -EINVAL);
	ck_assert_ptr_nonnull(
		strstr(text, "has 1049088 bytes, it must be a multiple of 4096 and more than 0"));
	ck_assert_int_eq(open_disk(0, false), 0);
	file_close(&disk);
	unlink(path);
}
END_TEST

/* used_for - the descriptor that serves memory of these lengths, the first of which begins at `at` of a page. */
static int used_for(uint32_t operation, size_t at, size_t first, size_t second)
{
	static _Alignas(4096) char memory[4 * 4096];
	struct xvhost_queue queue = {.size = sizeof(queue), .disk = &disk};
	struct iovec pieces[2] = {{memory + at, first}, {memory + 2 * 4096, second}};
	struct file_request scratch;
	struct xvhost_request request = {.queue = &queue,
					 .operation = operation,
					 .length = first + second,
					 .iov = pieces,
					 .iov_count = second ? 2 : 1,
					 .scratch = &scratch};

	file_submit(&request);
	return used_fd;
}

START_TEST(cut_memory)
{
	struct file *file;

	make_file(DISK_BYTES);
	cut_fails = true;
	ck_assert_int_eq(open_disk(4096, true), 0);
	file = disk.state;
	ck_assert(fcntl(file->fd, F_GETFL) & O_DIRECT);
	ck_assert_int_ne(file->cut_fd, file->fd);
	ck_assert(!(fcntl(file->cut_fd, F_GETFL) & O_DIRECT));
	ck_assert_int_eq(used_for(XVHOST_READ, 0, 4096, 0), file->fd);
	ck_assert_int_eq(used_for(XVHOST_WRITE, 0, 4096, 4096), file->fd);
	ck_assert_int_eq(used_for(XVHOST_READ, 0, 512, 3584), file->cut_fd);
	ck_assert_int_eq(used_for(XVHOST_WRITE, 0, 6144, 2048), file->cut_fd);
	ck_assert_int_eq(used_for(XVHOST_WRITE, 512, 4096, 0), file->cut_fd);
	file_close(&disk);
	cut_fails = false;
	ck_assert_int_eq(open_disk(4096, true), 0);
	file = disk.state;
	ck_assert_int_eq(file->cut_fd, file->fd);
	ck_assert_int_eq(used_for(XVHOST_READ, 0, 512, 3584), file->fd);
	file_close(&disk);
	unlink(path);
}
END_TEST

/* Where blocks of this size can't be read directly at all, the disk is refused. */
START_TEST(no_direct)
{
	make_file(DISK_BYTES);
	whole_fails = true;
	ck_assert_int_eq(open_disk(0, true), -EINVAL);
	ck_assert_ptr_nonnull(
		strstr(text, "can't do direct I/O of 512 bytes; use direct=off or a larger block-size"));
	unlink(path);
}
END_TEST

/* What the toolstack would have is done where it can be, and a disk all the same where it can't. */
START_TEST(wanted_direct)
{
	const struct file *file;

	make_file(DISK_BYTES);
	disk.flags = XVHOST_DISK_DIRECT;
	whole_fails = _i;
	ck_assert_int_eq(open_disk(0, false), 0);
	file = disk.state;
	ck_assert_int_eq(properties.flags & XVHOST_DISK_DIRECT, _i ? 0 : XVHOST_DISK_DIRECT);
	ck_assert_int_eq(fcntl(file->fd, F_GETFL) & O_DIRECT, _i ? 0 : O_DIRECT);
	ck_assert_int_eq(used_for(XVHOST_READ, 0, 4096, 0), file->fd);
	file_close(&disk);
	/* The target's own word is an order. */
	ck_assert_int_eq(open_disk(0, true), _i ? -EINVAL : 0);
	if (!_i)
		file_close(&disk);
	unlink(path);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, sizes);
	tcase_add_test(test_case, cut_memory);
	tcase_add_test(test_case, no_direct);
	tcase_add_loop_test(test_case, wanted_direct, 0, 2);
}

CHECK_MAIN("file_blocks", add_tests)
