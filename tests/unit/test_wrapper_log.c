// SPDX-License-Identifier: GPL-2.0-or-later
/* The log backend: the lines, to the letter. */
#include <stdio.h>

#include "fake_host.h"

#define clock_gettime fake_host_clock
#include "../../backends/disk/log.c"

#include "check_main.h" /* last: it has a macro called fail */

static char file[] = "/tmp/xvhost-test-XXXXXX";

/* open_with_file - the backend over a new file that has one line. */
static void open_with_file(void)
{
	char parameters[64];
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "old\n", 4), 4);
	close(fd);
	snprintf(parameters, sizeof(parameters), "file=%s", file);
	ck_assert_int_eq(fake_host_open(&log_backend, parameters), 0);
}

static void expect(const char *content)
{
	char read_back[2048] = "";
	FILE *stream = fopen(file, "r");

	ck_assert_ptr_nonnull(stream);
	read_back[fread(read_back, 1, sizeof(read_back) - 1, stream)] = '\0';
	fclose(stream);
	ck_assert_str_eq(read_back, content);
}

START_TEST(lines)
{
	const struct fake_host_request *write;

	open_with_file();
	ck_assert_uint_eq(fake_host_properties()->size_bytes, FAKE_HOST_DISK_BYTES);
	fake_host_submit(XVHOST_READ, 4096, 512);
	fake_host_run(1250 * FAKE_HOST_US);
	fake_host_below_ns = 40 * FAKE_HOST_US;
	fake_host_below_error = -ENOSPC;
	write = fake_host_submit(XVHOST_WRITE, FAKE_HOST_DISK_BYTES - 65536, 65536);
	fake_host_submit(XVHOST_FLUSH, 0, 0);
	fake_host_submit(XVHOST_DISCARD, 512, 1 << 20);
	fake_host_run(39 * FAKE_HOST_US);
	ck_assert_uint_eq(write->completed_ns, 0);
	fake_host_run(FAKE_HOST_S);
	ck_assert_int_eq(write->error, -ENOSPC);
	fake_host_close();
	expect("old\n"
	       "# guest 3 vbd 51712: time operation offset length result microseconds\n"
	       "1000.000000 read 4096 512 ok 0\n"
	       "1000.001250 write 1073676288 65536 ENOSPC 40\n"
	       "1000.001250 flush 0 0 ENOSPC 40\n"
	       "1000.001250 discard 512 1048576 ENOSPC 40\n");
	unlink(file);
}
END_TEST

/* Whatever the numbers, a line fits. */
START_TEST(longest_line)
{
	struct log_request mine = {
		.at = {.tv_sec = INT64_MIN, .tv_nsec = 999999999}, .began_ns = 0, .error = -ENOTRECOVERABLE};
	struct xvhost_request request = {.offset = UINT64_MAX, .length = UINT64_MAX};
	size_t length = line_for(&request, &mine);

	ck_assert_uint_lt(length, sizeof(mine.line));
	ck_assert_int_eq(mine.line[length - 1], '\n');
	mine.error = -4095;
	length = line_for(&request, &mine);
	ck_assert_ptr_nonnull(strstr(mine.line, " unknown "));
}
END_TEST

/* A line that can't be written is told, and the guest's request is not harmed. */
START_TEST(full_device)
{
	const struct fake_host_request *request;
	const struct log *log;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	open_with_file();
	ck_assert_int_ge(full, 0);
	request = fake_host_submit(XVHOST_READ, 0, 512);
	fake_host_run(1);
	log = request->request.queue->disk->state;
	ck_assert_int_ge(dup2(full, log->fd), 0);
	request = fake_host_submit(XVHOST_READ, 0, 512);
	fake_host_run(1);
	ck_assert_int_eq(request->error, 0);
	ck_assert_msg(strstr(fake_host_text, "a line is missing in '/tmp/xvhost-test-") &&
			      strstr(fake_host_text, "No space left on device"),
		      "%s", fake_host_text);
	fake_host_close();
	unlink(file);
	close(full);
}
END_TEST

static const struct {
	const char *parameters, *text;
	int error;
} refused[] = {
	{"", "parameter file of backend log is missing", -EINVAL},
	{"file=log", "parameter file of backend log is 'log', it must be an absolute path", -EINVAL},
	{"file=/nonexistent/log",
	 "parameter file of backend log: can't open '/nonexistent/log' for appending: No such file or "
	 "directory",
	 -ENOENT},
	{"file=/dev/null",
	 "parameter file of backend log: can't write to '/dev/null': it is not a regular file", -EINVAL},
};

START_TEST(refused_row)
{
	ck_assert_int_eq(fake_host_open(&log_backend, refused[_i].parameters), refused[_i].error);
	ck_assert_msg(strstr(fake_host_text, refused[_i].text), "%s", fake_host_text);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, lines);
	tcase_add_test(test_case, longest_line);
	tcase_add_test(test_case, full_device);
	tcase_add_loop_test(test_case, refused_row, 0, sizeof(refused) / sizeof(refused[0]));
}

CHECK_MAIN("log", add_tests)
