// SPDX-License-Identifier: GPL-2.0-or-later
/* The delay backend: how long each request waits, exactly. */
#include <stdio.h>
#include <sys/stat.h>

#include "fake_host.h"

#include "../../backends/disk/delay.c"

#include "check_main.h" /* last: it has a macro called fail */

/* Each operation has its own delay; requests wait side by side. */
START_TEST(each_operation)
{
	const struct fake_host_request *read, *write, *flush, *discard, *second;

	ck_assert_int_eq(fake_host_open(&delay_backend, "read-us=500,write-us=2000"), 0);
	ck_assert_uint_eq(fake_host_properties()->size_bytes, FAKE_HOST_DISK_BYTES);
	ck_assert_uint_eq(fake_host_properties()->flags, XVHOST_DISK_FLUSH | XVHOST_DISK_DISCARD);
	fake_host_below_ns = 7 * FAKE_HOST_US;
	read = fake_host_submit(XVHOST_READ, 4096, 512);
	second = fake_host_submit(XVHOST_READ, 0, 512);
	write = fake_host_submit(XVHOST_WRITE, 0, 4096);
	discard = fake_host_submit(XVHOST_DISCARD, 0, 1 << 20);
	flush = fake_host_submit(XVHOST_FLUSH, 0, 0);
	fake_host_run(FAKE_HOST_S);
	ck_assert_uint_eq(read->forwarded_ns - read->submitted_ns, 500 * FAKE_HOST_US);
	ck_assert_uint_eq(read->completed_ns - read->submitted_ns, 507 * FAKE_HOST_US);
	ck_assert_uint_eq(second->completed_ns - second->submitted_ns, 507 * FAKE_HOST_US);
	ck_assert_uint_eq(write->completed_ns - write->submitted_ns, 2007 * FAKE_HOST_US);
	ck_assert_uint_eq(discard->completed_ns - discard->submitted_ns, 2007 * FAKE_HOST_US);
	ck_assert_uint_eq(flush->completed_ns - flush->submitted_ns, 7 * FAKE_HOST_US);
	fake_host_close();
}
END_TEST

START_TEST(errors_are_passed_on)
{
	const struct fake_host_request *request;

	ck_assert_int_eq(fake_host_open(&delay_backend, _i ? "flush-us=1" : ""), 0);
	fake_host_below_error = -ENOSPC;
	request = fake_host_submit(XVHOST_FLUSH, 0, 0);
	fake_host_run(FAKE_HOST_US);
	ck_assert_int_eq(request->error, -ENOSPC);
	fake_host_close();
}
END_TEST

/* jitter - the delays of some reads; returns their sum in microseconds. */
static uint64_t jitter(const char *parameters, uint64_t us[], uint32_t count)
{
	uint64_t sum = 0;

	ck_assert_int_eq(fake_host_open(&delay_backend, parameters), 0);
	for (uint32_t i = 0; i < count; i++) {
		const struct fake_host_request *request = fake_host_submit(XVHOST_READ, 0, 512);

		fake_host_run(FAKE_HOST_S);
		us[i] = (request->forwarded_ns - request->submitted_ns) / FAKE_HOST_US;
		ck_assert_uint_ge(us[i], 100);
		ck_assert_uint_le(us[i], 110);
		sum += us[i];
	}
	fake_host_close();
	return sum;
}

/* By chance, over the whole range, and the same again from the same seed. */
START_TEST(jitter_by_seed)
{
	enum {
		COUNT = 440
	};
	uint64_t first[COUNT], second[COUNT], other[COUNT], sum;
	uint32_t times[11] = {0};

	sum = jitter("read-us=100,jitter-us=10,seed=5", first, COUNT);
	/* 105 on average; the mean of 440 such is off by 0.15, one time in three. */
	ck_assert_uint_ge(sum, 104 * COUNT);
	ck_assert_uint_le(sum, 106 * COUNT);
	for (int i = 0; i < COUNT; i++)
		times[first[i] - 100]++;
	for (int i = 0; i <= 10; i++)
		ck_assert_msg(times[i] > 10, "%d us came only %u times", 100 + i, times[i]);
	jitter("read-us=100,jitter-us=10,seed=5", second, COUNT);
	ck_assert_mem_eq(first, second, sizeof(first));
	jitter("read-us=100,jitter-us=10,seed=6", other, COUNT);
	ck_assert_mem_ne(first, other, sizeof(first));
}
END_TEST

/* wait_until - the trigger's thread sees a change soon, but not at once. */
static void wait_until(bool on)
{
	const struct delay *delay = fake_host_submit(XVHOST_FLUSH, 0, 0)->request.queue->disk->state;

	for (int i = 0; i < 1000 && trigger_is_on(&delay->trigger) != on; i++)
		usleep(5000);
	ck_assert_int_eq(trigger_is_on(&delay->trigger), on);
}

static uint64_t read_delay(void)
{
	const struct fake_host_request *request = fake_host_submit(XVHOST_READ, 0, 512);

	fake_host_run(FAKE_HOST_S);
	return request->forwarded_ns - request->submitted_ns;
}

/* Only while the file exists: made before and after, removed, renamed to and from. */
START_TEST(trigger_file)
{
	char directory[] = "/tmp/xvhost-test-XXXXXX", file[64], other[64], parameters[128];

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/slow", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	snprintf(parameters, sizeof(parameters), "read-us=500,trigger=%s", file);
	if (_i)
		ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_int_eq(fake_host_open(&delay_backend, parameters), 0);
	ck_assert_uint_eq(read_delay(), _i ? 500 * FAKE_HOST_US : 0);
	if (!_i)
		ck_assert_int_eq(mkdir(file, 0700), 0);
	wait_until(true);
	ck_assert_uint_eq(read_delay(), 500 * FAKE_HOST_US);
	ck_assert_int_eq(rename(file, other), 0);
	wait_until(false);
	ck_assert_uint_eq(read_delay(), 0);
	ck_assert_int_eq(rename(other, file), 0);
	wait_until(true);
	ck_assert_int_eq(rmdir(file), 0);
	wait_until(false);
	fake_host_close();
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* The directory goes, with or without the file in it: the trigger is off from then on, and says so. */
START_TEST(trigger_directory_goes)
{
	char directory[] = "/tmp/xvhost-test-XXXXXX", elsewhere[64], file[64], moved[80], parameters[128];

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/slow", directory);
	snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", directory);
	snprintf(moved, sizeof(moved), "%s/slow", elsewhere);
	snprintf(parameters, sizeof(parameters), "read-us=500,trigger=%s", file);
	ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_int_eq(fake_host_open(&delay_backend, parameters), 0);
	wait_until(true);
	if (_i) {
		ck_assert_int_eq(rename(directory, elsewhere), 0);
		ck_assert_int_eq(rmdir(moved), 0);
		ck_assert_int_eq(rmdir(elsewhere), 0);
	} else {
		ck_assert_int_eq(rmdir(file), 0);
		ck_assert_int_eq(rmdir(directory), 0);
	}
	wait_until(false);
	ck_assert_uint_eq(read_delay(), 0);
	fake_host_close();
	ck_assert_msg(strstr(fake_host_text, "stays off"), "%s", fake_host_text);
}
END_TEST

static const struct {
	const char *parameters, *text;
	int error;
} refused[] = {
	{"read-us=60000001",
	 "parameter read-us of backend delay is '60000001', it must be a decimal number from 0 to 60000000",
	 -EINVAL},
	{"trigger=slow", "parameter trigger of backend delay is 'slow', it must be an absolute path",
	 -EINVAL},
	{"trigger=/nonexistent/slow",
	 "parameter trigger of backend delay: can't watch the directory of '/nonexistent/slow': No such file "
	 "or directory",
	 -ENOENT},
};

START_TEST(refused_row)
{
	ck_assert_int_eq(fake_host_open(&delay_backend, refused[_i].parameters), refused[_i].error);
	ck_assert_str_eq(fake_host_text, refused[_i].text);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, each_operation);
	tcase_add_loop_test(test_case, errors_are_passed_on, 0, 2);
	tcase_add_test(test_case, jitter_by_seed);
	tcase_add_loop_test(test_case, trigger_file, 0, 2);
	tcase_add_loop_test(test_case, trigger_directory_goes, 0, 2);
	tcase_add_loop_test(test_case, refused_row, 0, sizeof(refused) / sizeof(refused[0]));
}

CHECK_MAIN("delay", add_tests)
