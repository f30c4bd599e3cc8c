/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_main.h - the main() of a test program with one test case
 *
 * The tests of a program are added to one Check test case; each runs in a process of its own.
 */
#ifndef CHECK_MAIN_H
#define CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>
#include <time.h>

/*
 * Check has each assertion that holds written to a file, to say of a test that crashes or hangs where it was last. That is
 * most of the time of a test that asserts a million times, so it is told of one in each tick of the clock.
 */
static inline void mark_point_of_tick(const char *file, int line)
{
	static _Thread_local struct timespec last;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_nsec == last.tv_nsec && now.tv_sec == last.tv_sec)
		return;
	last = now;
	_mark_point(file, line);
}
#define _mark_point(file, line) mark_point_of_tick(file, line)

#define CHECK_MAIN(name, add_tests)                                                                          \
	int main(void)                                                                                       \
	{                                                                                                    \
		Suite *suite = suite_create(name);                                                           \
		TCase *test_case = tcase_create(name);                                                       \
		SRunner *runner;                                                                             \
		int failed;                                                                                  \
		tcase_set_timeout(test_case, 20);                                                            \
		add_tests(test_case);                                                                        \
		suite_add_tcase(suite, test_case);                                                           \
		runner = srunner_create(suite);                                                              \
		srunner_run_all(runner, CK_ENV);                                                             \
		failed = srunner_ntests_failed(runner);                                                      \
		srunner_free(runner);                                                                        \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                 \
	}

#endif
