// SPDX-License-Identifier: GPL-2.0-or-later
/* The error backend: which requests fail, exactly. */
#include <stdio.h>

#include "fake_host.h"

#include "../../backends/disk/error.c"

#include "check_main.h" /* last: it has a macro called fail */

/* fate - submits one; 0, or the error. A request that fails does not reach the disk below. */
static int fate(uint32_t operation, uint64_t offset, uint64_t length)
{
	const struct fake_host_request *request = fake_host_submit(operation, offset, length);

	ck_assert_uint_ne(request->completed_ns, 0);
	ck_assert_int_eq(request->order == 0, request->error != 0);
	return request->error;
}

START_TEST(operations)
{
	static const struct {
		const char *parameters;
		int read, write, flush, discard;
	} rows[] = {
		{"", -EIO, -EIO, -EIO, -EIO},
		{"operations=all,error=ENOSPC", -ENOSPC, -ENOSPC, -ENOSPC, -ENOSPC},
		{"operations=read", -EIO, 0, 0, 0},
		{"operations=write,error=EROFS", 0, -EROFS, 0, 0},
		{"operations=flush,error=ETIMEDOUT", 0, 0, -ETIMEDOUT, 0},
		{"operations=discard", 0, 0, 0, -EIO},
		{"operations=flush+read,error=EHWPOISON", -EHWPOISON, 0, -EHWPOISON, 0},
		{"per-million=0", 0, 0, 0, 0},
	};

	ck_assert_int_eq(fake_host_open(&error_backend, rows[_i].parameters), 0);
	ck_assert_uint_eq(fake_host_properties()->size_bytes, FAKE_HOST_DISK_BYTES);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 512), rows[_i].read);
	ck_assert_int_eq(fate(XVHOST_WRITE, 512, 4096), rows[_i].write);
	ck_assert_int_eq(fate(XVHOST_FLUSH, 0, 0), rows[_i].flush);
	ck_assert_int_eq(fate(XVHOST_DISCARD, 0, 1 << 20), rows[_i].discard);
	ck_assert_int_eq(fate(XVHOST_SECURE_DISCARD, 0, 1 << 20), rows[_i].discard);
	fake_host_close();
}
END_TEST

/* Only what touches bytes 4096 to 8191, to the byte; a flush has no place. */
START_TEST(range)
{
	ck_assert_int_eq(fake_host_open(&error_backend, "from=4K,to=8K"), 0);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 4096), 0);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 4608), -EIO);
	ck_assert_int_eq(fate(XVHOST_WRITE, 4096, 512), -EIO);
	ck_assert_int_eq(fate(XVHOST_READ, 7680, 512), -EIO);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 65536), -EIO);
	ck_assert_int_eq(fate(XVHOST_READ, 8192, 512), 0);
	ck_assert_int_eq(fate(XVHOST_FLUSH, 0, 0), 0);
	fake_host_close();
}
END_TEST

START_TEST(range_to_the_end)
{
	ck_assert_int_eq(fake_host_open(&error_backend, "from=1M"), 0);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 1 << 20), 0);
	ck_assert_int_eq(fate(XVHOST_READ, FAKE_HOST_DISK_BYTES - 512, 512), -EIO);
	fake_host_close();
}
END_TEST

/* After two, each third: numbers 5, 8, 11 ... of the reads. Writes are not counted. */
START_TEST(after_and_every)
{
	ck_assert_int_eq(fake_host_open(&error_backend, "operations=read,after=2,every=3"), 0);
	for (int i = 1; i <= 30; i++) {
		ck_assert_int_eq(fate(XVHOST_READ, 0, 512), i > 2 && (i - 2) % 3 == 0 ? -EIO : 0);
		ck_assert_int_eq(fate(XVHOST_WRITE, 0, 512), 0);
	}
	fake_host_close();
}
END_TEST

/* chances - how many of the first 1000 fail, and which: a hash. */
static int chances(const char *parameters, uint32_t *hash)
{
	int failed = 0;

	ck_assert_int_eq(fake_host_open(&error_backend, parameters), 0);
	*hash = 0;
	for (int i = 0; i < 1000; i++) {
		bool fails = fate(XVHOST_READ, 0, 512) != 0;

		failed += fails;
		*hash = *hash * 31 + fails;
	}
	fake_host_close();
	return failed;
}

START_TEST(per_million)
{
	uint32_t first, second, other;
	int failed = chances("per-million=200000", &first);

	/* 200 of 1000, and 13 more or less one time in three. */
	ck_assert_int_ge(failed, 150);
	ck_assert_int_le(failed, 250);
	ck_assert_int_eq(chances("per-million=200000", &second), failed);
	ck_assert_uint_eq(first, second);
	chances("per-million=200000,seed=2", &other);
	ck_assert_uint_ne(first, other);
}
END_TEST

START_TEST(trigger_file)
{
	char file[] = "/tmp/xvhost-test-XXXXXX", parameters[64];
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(parameters, sizeof(parameters), "after=1,trigger=%s", file);
	ck_assert_int_eq(fake_host_open(&error_backend, parameters), 0);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 512), 0);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 512), -EIO);
	ck_assert_int_eq(unlink(file), 0);
	for (int i = 0; i < 1000 && fate(XVHOST_READ, 0, 512) != 0; i++)
		usleep(5000);
	ck_assert_int_eq(fate(XVHOST_READ, 0, 512), 0);
	fake_host_close();
}
END_TEST

START_TEST(errors_from_below)
{
	ck_assert_int_eq(fake_host_open(&error_backend, "after=1000"), 0);
	fake_host_below_error = -ENODATA;
	ck_assert_int_eq(fake_host_submit(XVHOST_READ, 0, 512)->error, -ENODATA);
	fake_host_close();
}
END_TEST

static const struct {
	const char *parameters, *text;
} refused[] = {
	{"operations=reed", "parameter operations of backend error is 'reed', it must be all, or some of "
			    "read, write, flush and discard with + "
			    "between them"},
	{"operations=read+", "parameter operations of backend error is 'read+', it must be all"},
	{"operations=+read", "parameter operations of backend error is '+read', it must be all"},
	{"operations=all+read", "parameter operations of backend error is 'all+read', it must be all"},
	{"error=EFOO", "parameter error of backend error is 'EFOO', it must be the name of an error of "
		       "Linux, such as EIO, ENOSPC or "
		       "ETIMEDOUT"},
	{"error=5", "parameter error of backend error is '5', it must be the name"},
	{"per-million=1000001", "parameter per-million of backend error is '1000001', it must be a decimal "
				"number from 0 to 1000000"},
	{"every=0", "parameter every of backend error is '0', it must be a decimal number from 1"},
	{"from=8K,to=8K", "parameters from and to of backend error give no part of the disk: from is 8192, "
			  "to is 8192, the disk has "
			  "1073741824 bytes"},
	{"to=0", "parameter to of backend error is '0', it must be a number of bytes"},
	{"from=1G", "give no part of the disk: from is 1073741824, to is 1073741824"},
	{"trigger=x", "parameter trigger of backend error is 'x', it must be an absolute path"},
};

START_TEST(refused_row)
{
	ck_assert_int_eq(fake_host_open(&error_backend, refused[_i].parameters), -EINVAL);
	ck_assert_msg(strstr(fake_host_text, refused[_i].text), "%s", fake_host_text);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, operations, 0, 8);
	tcase_add_test(test_case, range);
	tcase_add_test(test_case, range_to_the_end);
	tcase_add_test(test_case, after_and_every);
	tcase_add_test(test_case, per_million);
	tcase_add_test(test_case, trigger_file);
	tcase_add_test(test_case, errors_from_below);
	tcase_add_loop_test(test_case, refused_row, 0, sizeof(refused) / sizeof(refused[0]));
}

CHECK_MAIN("error", add_tests)
