// SPDX-License-Identifier: GPL-2.0-or-later
/* The limit backend: how many requests pass, exactly. */
#include <stdio.h>

#include "fake_host.h"

#define clock_gettime fake_host_clock
#include "../../backends/disk/limit.c"

#include "check_main.h" /* last: it has a macro called fail */

/* submit_many - all at once. */
static void submit_many(uint32_t count, uint64_t bytes)
{
	for (uint32_t i = 0; i < count; i++)
		fake_host_submit(XVHOST_READ, 0, bytes);
}

/* 1000 in a second, without a burst: one at once, and then one each millisecond. */
START_TEST(iops)
{
	ck_assert_int_eq(fake_host_open(&limit_backend, "iops=1000,burst-ms=0"), 0);
	ck_assert_uint_eq(fake_host_properties()->size_bytes, FAKE_HOST_DISK_BYTES);
	submit_many(1000, 4096);
	ck_assert_uint_eq(fake_host_forwarded(), 1);
	fake_host_run(FAKE_HOST_MS - 1);
	ck_assert_uint_eq(fake_host_forwarded(), 1);
	fake_host_run(1);
	ck_assert_uint_eq(fake_host_forwarded(), 2);
	fake_host_run(499 * FAKE_HOST_MS);
	ck_assert_uint_eq(fake_host_forwarded(), 501);
	fake_host_run(500 * FAKE_HOST_MS);
	ck_assert_uint_eq(fake_host_forwarded(), 1000);
	fake_host_close();
}
END_TEST

/* A rate whose interval is no whole number of nanoseconds does not drift, and is never passed. */
START_TEST(odd_rates)
{
	static const uint32_t rates[] = {3, 7, 333, 3001};
	char parameters[64];

	snprintf(parameters, sizeof(parameters), "iops=%u,burst-ms=0", rates[_i]);
	ck_assert_int_eq(fake_host_open(&limit_backend, parameters), 0);
	submit_many(rates[_i] + 10, 512);
	fake_host_run(FAKE_HOST_S - 1);
	ck_assert_uint_eq(fake_host_forwarded(), rates[_i]);
	fake_host_run(1001);
	ck_assert_uint_eq(fake_host_forwarded(), rates[_i] + 1);
	fake_host_run(10 * FAKE_HOST_S);
	fake_host_close();
}
END_TEST

/* 1 MiB in a second is 256 reads of 4 KiB, or writes; flushes and discards cost nothing of it. */
START_TEST(bandwidth)
{
	ck_assert_int_eq(fake_host_open(&limit_backend, "bandwidth=1M,burst-ms=0"), 0);
	for (int i = 0; i < 512; i++) {
		fake_host_submit(i % 2 ? XVHOST_READ : XVHOST_WRITE, 0, 4096);
		fake_host_submit(i % 2 ? XVHOST_DISCARD : XVHOST_FLUSH, 0, i % 2 ? 1 << 20 : 0);
	}
	fake_host_run(FAKE_HOST_S - 1);
	ck_assert_uint_eq(fake_host_forwarded(), 2 * 256 - 1);
	fake_host_run(2 * FAKE_HOST_S);
	fake_host_close();
}
END_TEST

/* A request that is larger than what a second allows passes, and those after it wait for it. */
START_TEST(large_request)
{
	const struct fake_host_request *large, *next;

	ck_assert_int_eq(fake_host_open(&limit_backend, "bandwidth=64K,burst-ms=10"), 0);
	large = fake_host_submit(XVHOST_WRITE, 0, 1 << 20);
	next = fake_host_submit(XVHOST_WRITE, 0, 512);
	fake_host_run(20 * FAKE_HOST_S);
	ck_assert_uint_eq(large->forwarded_ns, large->submitted_ns);
	ck_assert_uint_eq(next->forwarded_ns - next->submitted_ns, 16 * FAKE_HOST_S);
	fake_host_close();
}
END_TEST

/* An idle disk may catch up what 50 ms allow: 50 requests at once beside the one that may pass anyway. Not more, however
 * long it was idle, and not twice. */
START_TEST(burst)
{
	ck_assert_int_eq(fake_host_open(&limit_backend, "iops=1000,burst-ms=50"), 0);
	fake_host_run(100 * FAKE_HOST_S);
	submit_many(200, 512);
	ck_assert_uint_eq(fake_host_forwarded(), 51);
	fake_host_run(100 * FAKE_HOST_MS);
	ck_assert_uint_eq(fake_host_forwarded(), 151);
	fake_host_run(49 * FAKE_HOST_MS);
	ck_assert_uint_eq(fake_host_forwarded(), 200);
	/* 10 ms of idleness give 10. */
	fake_host_run(11 * FAKE_HOST_MS);
	submit_many(50, 512);
	ck_assert_uint_eq(fake_host_forwarded(), 211);
	fake_host_run(FAKE_HOST_S);
	fake_host_close();
}
END_TEST

/* With both limits neither is passed, whichever holds at the time. */
START_TEST(both)
{
	const struct fake_host_request *first, *large, *last = NULL;

	ck_assert_int_eq(fake_host_open(&limit_backend, "iops=100,bandwidth=1M,burst-ms=0"), 0);
	first = fake_host_submit(XVHOST_READ, 0, 512);
	large = fake_host_submit(XVHOST_READ, 0, 1 << 20);
	for (int i = 0; i < 101; i++)
		last = fake_host_submit(XVHOST_READ, 0, 512);
	fake_host_run(3 * FAKE_HOST_S);
	/* After the large one's second the small ones come by their number, not all at once. */
	ck_assert_uint_eq(large->forwarded_ns - first->forwarded_ns, 10 * FAKE_HOST_MS);
	ck_assert_uint_eq(last->forwarded_ns - large->forwarded_ns, 2 * FAKE_HOST_S);
	fake_host_close();
}
END_TEST

/* Requests reach the disk below in their order, though some need not wait for themselves. */
START_TEST(order)
{
	const struct fake_host_request *requests[300];

	ck_assert_int_eq(fake_host_open(&limit_backend, "iops=5000,bandwidth=1M,burst-ms=5"), 0);
	for (uint32_t i = 0; i < 300; i++) {
		requests[i] = i % 3 == 0 ? fake_host_submit(XVHOST_FLUSH, 0, 0)
					 : fake_host_submit(XVHOST_WRITE, 0, 512 * (1 + i * 7 % 64));
		fake_host_run(i * 12345 % 3 * FAKE_HOST_MS);
	}
	fake_host_run(100 * FAKE_HOST_S);
	for (uint32_t i = 0; i < 300; i++)
		ck_assert_uint_eq(requests[i]->order, i + 1);
	fake_host_close();
}
END_TEST

/* A request whose moment has come stays behind one that has not been woken yet. */
START_TEST(no_overtaking)
{
	const struct fake_host_request *first, *second;

	ck_assert_int_eq(fake_host_open(&limit_backend, "iops=1000,burst-ms=100"), 0);
	fake_host_run(FAKE_HOST_S);
	submit_many(101, 512);
	first = fake_host_submit(XVHOST_READ, 0, 512);
	((struct limit *)first->request.queue->disk->state)->next_request = 0;
	second = fake_host_submit(XVHOST_READ, 0, 512);
	ck_assert_uint_eq(second->order, 0);
	fake_host_run(FAKE_HOST_S);
	ck_assert_uint_ne(second->order, 0);
	fake_host_close();
}
END_TEST

/* After years. */
START_TEST(long_uptime)
{
	ck_assert_int_eq(fake_host_open(&limit_backend, "iops=1000,bandwidth=1M"), 0);
	fake_host_run(8 * 365 * 86400 * FAKE_HOST_S);
	submit_many(300, 4096);
	/* 100 ms of 256 in a second, and one. */
	ck_assert_uint_eq(fake_host_forwarded(), 26);
	fake_host_run(FAKE_HOST_S);
	ck_assert_uint_eq(fake_host_forwarded(), 282);
	fake_host_run(FAKE_HOST_S);
	fake_host_close();
}
END_TEST

START_TEST(errors_are_passed_on)
{
	ck_assert_int_eq(fake_host_open(&limit_backend, "iops=10"), 0);
	fake_host_below_error = -EIO;
	ck_assert_int_eq(fake_host_submit(XVHOST_READ, 0, 512)->error, -EIO);
	fake_host_close();
}
END_TEST

static const struct {
	const char *parameters, *text;
} refused[] = {
	{"", "backend limit limits nothing: give parameter iops, bandwidth or both"},
	{"burst-ms=5", "backend limit limits nothing"},
	{"iops=0", "parameter iops of backend limit is '0', it must be a decimal number from 1 to 100000000"},
	{"bandwidth=4095", "parameter bandwidth of backend limit is '4095', it must be a number of bytes"},
	{"iops=5,burst-ms=60001",
	 "parameter burst-ms of backend limit is '60001', it must be a decimal number from 0 to 60000"},
};

START_TEST(refused_row)
{
	ck_assert_int_eq(fake_host_open(&limit_backend, refused[_i].parameters), -EINVAL);
	ck_assert_msg(strstr(fake_host_text, refused[_i].text), "%s", fake_host_text);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, iops);
	tcase_add_loop_test(test_case, odd_rates, 0, 4);
	tcase_add_test(test_case, bandwidth);
	tcase_add_test(test_case, large_request);
	tcase_add_test(test_case, burst);
	tcase_add_test(test_case, both);
	tcase_add_test(test_case, order);
	tcase_add_test(test_case, no_overtaking);
	tcase_add_test(test_case, long_uptime);
	tcase_add_test(test_case, errors_are_passed_on);
	tcase_add_loop_test(test_case, refused_row, 0, sizeof(refused) / sizeof(refused[0]));
}

CHECK_MAIN("limit", add_tests)
