// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_lock.c - only one xvhostd at a time
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "daemon/lock.h"

static char directory[64], path[96];

static void set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/xvhost-test-lock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run/lock", directory);
}

static void tear_down(void)
{
	ck_assert_int_eq(rmdir(directory), 0);
}

START_TEST(test_one)
{
	int fd = lock_take(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lock_take(path), -EWOULDBLOCK);
	lock_release(path, fd);
	fd = lock_take(path);
	ck_assert_int_ge(fd, 0);
	lock_release(path, fd);
}
END_TEST

START_TEST(test_left_behind)
{
	int fd = lock_take(path);

	/* As if the process had been killed. */
	ck_assert_int_ge(fd, 0);
	close(fd);
	fd = lock_take(path);
	ck_assert_int_ge(fd, 0);
	lock_release(path, fd);
}
END_TEST

START_TEST(test_no_directory)
{
	ck_assert_int_eq(lock_take("/nowhere/at/all/lock"), -ENOENT);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_test(test_case, test_one);
	tcase_add_test(test_case, test_left_behind);
	tcase_add_test(test_case, test_no_directory);
}

CHECK_MAIN("daemon: lock", add_tests)
