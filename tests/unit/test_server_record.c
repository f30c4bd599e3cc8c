// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that tell of ioreq servers: a living process's is never taken for a dead one's, whatever others do at the same time.
 */
#include "check_main.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/server_record.h"

#define DOMID 3
#define SERVER 1
#define MADE 3000

static char folder[] = "/tmp/xvhost-test-record-XXXXXX";

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(one_at_a_time)
{
	int record, status;
	pid_t child;

	ck_assert_int_eq(server_record_open(folder, DOMID, SERVER), -ENOENT);
	record = server_record_make(folder, DOMID, SERVER);
	ck_assert_int_ge(record, 0);
	ck_assert_int_eq(server_record_open(folder, DOMID, SERVER), -EBUSY);
	ck_assert_int_eq(server_record_open(folder, DOMID, SERVER + 1), -ENOENT);
	server_record_remove(folder, DOMID, SERVER, record);
	ck_assert_int_eq(server_record_open(folder, DOMID, SERVER), -ENOENT);

	child = fork();
	if (child == 0)
		_exit(server_record_make(folder, DOMID, SERVER) < 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	record = server_record_open(folder, DOMID, SERVER);
	ck_assert_int_ge(record, 0);
	ck_assert_int_eq(server_record_open(folder, DOMID, SERVER), -EBUSY);
	server_record_remove(folder, DOMID, SERVER, record);
}
END_TEST

static atomic_bool ending;
static atomic_uint taken, busy, absent;

static void *look_for_the_dead(void *nothing)
{
	while (!ending) {
		int record = server_record_open(folder, DOMID, SERVER);

		taken += record >= 0;
		busy += record == -EBUSY;
		absent += record == -ENOENT;
		if (record >= 0)
			close(record);
	}
	return nothing;
}

START_TEST(nobody_is_taken_for_dead)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, look_for_the_dead, NULL), 0);
	for (unsigned i = 0; i < MADE || busy == 0 || absent == 0; i++) {
		int record = server_record_make(folder, DOMID, SERVER);

		ck_assert_int_ge(record, 0);
		server_record_remove(folder, DOMID, SERVER, record);
	}
	ending = true;
	pthread_join(thread, NULL);
	ck_assert_uint_eq(taken, 0);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, setup, teardown);
	tcase_add_test(test_case, one_at_a_time);
	tcase_add_test(test_case, nobody_is_taken_for_dead);
}

CHECK_MAIN("server records", add_tests)
