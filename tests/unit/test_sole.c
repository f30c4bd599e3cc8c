// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One worker at a time serves a guest: the next one waits, and hears how the one before has ended.
 */
#include "check_main.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "worker/sole.h"

#define DOMID 3
#define PROCESSES 8
#define TIMES 400

static char folder[] = "/tmp/xvhost-test-sole-XXXXXX";

static void setup(void)
{
	log_init("test", LOG_LEVEL_WARNING);
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* teardown - the last one has removed its file. */
static void teardown(void)
{
	ck_assert_int_eq(rmdir(folder), 0);
}

/* expect - take and release; it is known how the one before has ended. */
static void expect(bool killed)
{
	bool was_killed = !killed;
	int file = sole_take(folder, DOMID, &was_killed);

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(was_killed, killed);
	sole_release(folder, DOMID, file);
}

START_TEST(one_that_was_killed)
{
	bool killed;
	int status;
	pid_t child = fork();

	if (child == 0) {
		sole_take(folder, DOMID, &killed);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	expect(true);
	expect(false);
}
END_TEST

START_TEST(who_is_killed_while_it_waits)
{
	bool killed;
	int file = sole_take(folder, DOMID, &killed), status;
	pid_t child = fork();

	ck_assert_int_ge(file, 0);
	if (child == 0) {
		close(file);
		sole_take(folder, DOMID, &killed);
		_exit(1);
	}
	usleep(20000);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	sole_release(folder, DOMID, file);
	expect(false);
}
END_TEST

START_TEST(never_two)
{
	atomic_int *inside = mmap(NULL, sizeof(*inside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0);
	pid_t children[PROCESSES];
	bool killed;
	int status;

	ck_assert_ptr_ne(inside, MAP_FAILED);
	log_init("test", LOG_LEVEL_ERROR);
	for (unsigned i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		for (unsigned n = 0; children[i] == 0 && n < TIMES; n++) {
			int file = sole_take(folder, DOMID, &killed);

			if (file < 0 || killed || atomic_fetch_add(inside, 1) != 0)
				_exit(1);
			atomic_fetch_sub(inside, 1);
			sole_release(folder, DOMID, file);
		}
		if (children[i] == 0)
			_exit(0);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert_int_eq(status, 0);
	}
	munmap(inside, sizeof(*inside));
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, setup, teardown);
	tcase_add_test(test_case, one_that_was_killed);
	tcase_add_test(test_case, who_is_killed_while_it_waits);
	tcase_add_test(test_case, never_two);
}

CHECK_MAIN("worker: one at a time", add_tests)
