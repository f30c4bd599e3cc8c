// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file backend's writes that wait: by the queue's thread, continued where the kernel does them in part, and the loop is rung for
 * seldom, but in time. What the kernel makes of a write is the test's doing.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>

static ssize_t kernel_write(int fd, const void *bytes, size_t length, off_t offset);
static ssize_t kernel_writev(int fd, const struct iovec *pieces, int count, off_t offset);

#define pwrite kernel_write
#define pwritev kernel_writev
#include "../../backends/disk/file.c"
#include "../../backends/disk/file_descriptor.c"
#include "../../backends/disk/file_thread.c"
#undef pwrite
#undef pwritev

#include "check_main.h" /* last: it has a macro called fail */

#define REQUESTS 40
#define REQUEST_BYTES 8192
#define DISK_BYTES (REQUESTS * REQUEST_BYTES)

/* What the kernel does. */
static size_t bytes_at_once;   /* 0: all */
static unsigned interruptions; /* as many calls are interrupted */
static int error_at;	       /* the call, from 1 on, that fails */
static int error_is;	       /* so; 0: it writes nothing */
static unsigned slow_at, waiting_at;
static sem_t go_on;
static atomic_uint calls, carried_out;
static pthread_t test_thread;

static unsigned completed, logged, by_host;
static int completed_with[REQUESTS];
static int watched = -1;

static char path[] = "/tmp/xvhost-test-XXXXXX";
static int content;
static struct xvhost_disk disk;
static struct xvhost_queue queue;
static _Alignas(4096) char memory[DISK_BYTES];
static struct {
	struct xvhost_request request;
	struct file_request scratch;
	struct iovec pieces[2];
} slots[REQUESTS];

static ssize_t kernel_writev(int fd, const struct iovec *pieces, int count, off_t offset)
{
	unsigned call = ++calls;
	struct iovec piece = pieces[0];
	ssize_t result;

	ck_assert(!pthread_equal(pthread_self(), test_thread));
	if (call == slow_at)
		usleep(50000);
	if (call == waiting_at)
		sem_wait(&go_on);
	if (interruptions > 0) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	if ((int)call == error_at) {
		errno = error_is;
		return error_is ? -1 : 0;
	}
	if (bytes_at_once && piece.iov_len > bytes_at_once)
		piece.iov_len = bytes_at_once;
	result = bytes_at_once ? pwritev(fd, &piece, 1, offset) : pwritev(fd, pieces, count, offset);
	carried_out++;
	return result;
}

static ssize_t kernel_write(int fd, const void *bytes, size_t length, off_t offset)
{
	const struct iovec piece = {(void *)bytes, length};

	return kernel_writev(fd, &piece, 1, offset);
}

static void host_complete(struct xvhost_request *request, int error)
{
	ck_assert(pthread_equal(pthread_self(), test_thread));
	completed_with[completed++] = error;
	/* Completed once. */
	ck_assert_ptr_nonnull(request->queue);
	request->queue = NULL;
}

static void host_write(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		       uint64_t offset)
{
	(void)request;
	(void)iov;
	(void)iov_count;
	(void)offset;
	ck_assert_int_eq(fd, ((struct file *)disk.state)->fd);
	by_host++;
}

static void host_log(const struct xvhost_disk *of, enum xvhost_log_level level, const char *format, ...)
{
	(void)of;
	(void)level;
	(void)format;
	logged++;
}

static void host_watch(struct xvhost_queue *of, uint32_t index, int fd, uint32_t events)
{
	(void)of;
	ck_assert(index == FILE_WRITER && events == POLLIN);
	watched = fd;
}

static void host_fail(struct xvhost_disk *of, const char *format, ...)
{
	(void)of;
	ck_abort_msg("%s", format);
}

static const struct xvhost_host host = {
	.size = sizeof(host),
	.abi = XVHOST_BACKEND_ABI,
	.complete = host_complete,
	.write = host_write,
	.watch = host_watch,
	.log = host_log,
	.fail = host_fail,
};

/* open_disk - as if its file system were one of those that wait. */
static void open_disk(bool read_only)
{
	const struct file_config config = {.path = path, .read_only = read_only};
	struct xvhost_disk_properties properties = {0};
	struct file *file;

	disk = (struct xvhost_disk){.size = sizeof(disk), .host = &host, .name = "test"};
	queue = (struct xvhost_queue){.size = sizeof(queue), .disk = &disk};
	ck_assert_int_eq(file_open(&disk, &config, &properties), 0);
	file = disk.state;
	ck_assert_int_eq(file->waiting_fd, read_only || writes_at_once(file->fd) ? -1 : file->fd);
	if (!read_only)
		file->waiting_fd = file->fd;
	ck_assert_int_eq(file_queue_start(&queue), 0);
}

static void start_disk(void)
{
	test_thread = pthread_self();
	sem_init(&go_on, 0, 0);
	content = mkstemp(path);
	ck_assert_int_ge(content, 0);
	ck_assert_int_eq(ftruncate(content, DISK_BYTES), 0);
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (char)(i / 512 * 7 + i);
	open_disk(false);
	ck_assert_int_ge(watched, 0);
}

static void stop_disk(void)
{
	file_queue_stop(&queue);
	file_close(&disk);
	close(content);
	unlink(path);
}

/* submit - a write of one of the disk's parts, whose memory is in one piece or two. */
static void submit(unsigned index, size_t bytes)
{
	char *from = memory + index * REQUEST_BYTES;
	size_t first = index % 2 || bytes == 512 ? bytes : 512;

	slots[index].pieces[0] = (struct iovec){from, first};
	slots[index].pieces[1] = (struct iovec){from + first, bytes - first};
	slots[index].request = (struct xvhost_request){
		.queue = &queue,
		.operation = XVHOST_WRITE,
		.offset = index * REQUEST_BYTES,
		.length = bytes,
		.iov = slots[index].pieces,
		.iov_count = first < bytes ? 2 : 1,
		.scratch = &slots[index].scratch,
	};
	file_submit(&slots[index].request);
}

/* submit_several - from a guest that has had more than one at a time. */
static void submit_several(unsigned count)
{
	struct file_queue *mine = queue.state;

	mine->several_before = true;
	for (unsigned i = 0; i < count; i++)
		submit(i, REQUEST_BYTES);
}

/* look - as the loop does it when it is rung for. */
static void look(void)
{
	struct pollfd polled = {.fd = watched, .events = POLLIN};

	ck_assert_int_eq(poll(&polled, 1, 5000), 1);
	watched = -1;
	file_ready(&queue, FILE_WRITER, POLLIN);
	ck_assert_int_ge(watched, 0);
}

static void look_until(unsigned count)
{
	while (completed < count)
		look();
	ck_assert_uint_eq(completed, count);
}

/* is_written - what was submitted is in the file. */
static bool is_written(unsigned count)
{
	static char found[DISK_BYTES];

	ck_assert_int_eq(pread(content, found, sizeof(found), 0), sizeof(found));
	return memcmp(found, memory, count * REQUEST_BYTES) == 0;
}

/* Each piece is done in part: within an iovec, up to its end, or in the next one. */
START_TEST(in_parts)
{
	static const size_t parts[] = {512, 1024, 4096, 100, 7680};

	bytes_at_once = parts[_i];
	submit_several(3);
	look_until(3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(completed_with[i], 0);
	ck_assert_uint_ge(calls, 6);
	ck_assert(is_written(3));
}
END_TEST

START_TEST(interrupted)
{
	interruptions = 3;
	submit_several(1);
	look_until(1);
	ck_assert_int_eq(completed_with[0], 0);
	ck_assert_uint_eq(calls, 4);
	ck_assert(is_written(1));
}
END_TEST

/* At once, or after a part. Others go on. */
START_TEST(failing)
{
	bytes_at_once = _i ? 512 : 0;
	error_at = _i ? 2 : 1;
	error_is = ENOSPC;
	submit_several(1);
	look_until(1);
	ck_assert_int_eq(completed_with[0], -ENOSPC);
	((struct file_queue *)queue.state)->several_before = true;
	submit(1, REQUEST_BYTES);
	look_until(2);
	ck_assert_int_eq(completed_with[1], 0);
}
END_TEST

START_TEST(no_more)
{
	error_at = 1;
	submit_several(1);
	look_until(1);
	ck_assert_int_eq(completed_with[0], -EIO);
	ck_assert_uint_eq(logged, 1);
}
END_TEST

/* Many at once: the loop is rung for once until it looks, and finds all that was done meanwhile. */
START_TEST(many)
{
	uint64_t rung;

	waiting_at = 1;
	submit_several(REQUESTS);
	sem_post(&go_on);
	while (carried_out < REQUESTS)
		usleep(100);
	ck_assert_int_eq(read(watched, &rung, sizeof(rung)), sizeof(rung));
	ck_assert_uint_eq(rung, 1);
	file_ready(&queue, FILE_WRITER, POLLIN);
	ck_assert_uint_ge(completed, REQUESTS / UNTOLD_MAX * UNTOLD_MAX);
	look_until(REQUESTS);
	ck_assert(is_written(REQUESTS));
}
END_TEST

/* One that hangs does not keep back for long what was done before: neither a few that were slow, nor many. */
START_TEST(hanging)
{
	unsigned before = _i ? UNTOLD_MAX : 2;

	slow_at = _i ? 0 : 2;
	waiting_at = before + 1;
	submit_several(before + 1);
	look_until(before);
	/* The queue is to stop: what hangs is waited for. */
	file_ready(&queue, FILE_WRITER, 0);
	ck_assert_uint_eq(completed, before);
	sem_post(&go_on);
	look_until(before + 1);
	ck_assert(is_written(before + 1));
}
END_TEST

/* What is no whole page is the host's, which does several at a time. */
START_TEST(cut_pages)
{
	((struct file_queue *)queue.state)->several_before = true;
	submit(0, _i ? 512 : 4096 + 512);
	ck_assert_uint_eq(by_host, 1);
	ck_assert_uint_eq(calls, 0);
	file_io_done(&slots[0].request, _i ? 512 : 4096 + 512);
	ck_assert_uint_eq(completed, 1);
}
END_TEST

/* One at a time goes by the host. Of more the first one does, and all that come as long as there are several. */
START_TEST(one_at_a_time)
{
	for (unsigned i = 0; i < 2; i++) {
		submit(i, REQUEST_BYTES);
		file_io_done(&slots[i].request, REQUEST_BYTES);
	}
	ck_assert_uint_eq(by_host, 2);
	submit(2, REQUEST_BYTES);
	submit(3, REQUEST_BYTES);
	ck_assert_uint_eq(by_host, 3);
	file_io_done(&slots[2].request, REQUEST_BYTES);
	look_until(4);
	submit(4, REQUEST_BYTES);
	look_until(5);
	ck_assert_uint_eq(by_host, 3);
	ck_assert_uint_eq(calls, 2);
	/* Now it has had one at a time. */
	submit(5, REQUEST_BYTES);
	ck_assert_uint_eq(by_host, 4);
	file_io_done(&slots[5].request, REQUEST_BYTES);
	ck_assert_uint_eq(completed, 6);
}
END_TEST

/* A queue that comes back has the thread of the one before, even if that is about to do something. */
START_TEST(queues)
{
	struct file_thread *before = ((struct file_queue *)queue.state)->threads[FILE_WRITER];

	for (unsigned i = 0; i < 100; i++) {
		submit_several(2);
		look_until(completed + 2);
		file_queue_stop(&queue);
		ck_assert_int_eq(file_queue_start(&queue), 0);
		ck_assert_ptr_eq(((struct file_queue *)queue.state)->threads[FILE_WRITER], before);
		completed = 0;
	}
}
END_TEST

/* Who does not write needs no thread. */
START_TEST(read_only)
{
	const struct file_queue *mine;

	file_queue_stop(&queue);
	file_close(&disk);
	watched = -1;
	open_disk(true);
	mine = queue.state;
	ck_assert(!mine->threads[FILE_WRITER] && !mine->threads[FILE_TRIMMER]);
	ck_assert_int_eq(watched, -1);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, start_disk, stop_disk);
	tcase_add_loop_test(test_case, in_parts, 0, 5);
	tcase_add_test(test_case, interrupted);
	tcase_add_loop_test(test_case, failing, 0, 2);
	tcase_add_test(test_case, no_more);
	tcase_add_test(test_case, many);
	tcase_add_loop_test(test_case, hanging, 0, 2);
	tcase_add_loop_test(test_case, cut_pages, 0, 2);
	tcase_add_test(test_case, one_at_a_time);
	tcase_add_test(test_case, queues);
	tcase_add_test(test_case, read_only);
}

CHECK_MAIN("file: writer", add_tests)
