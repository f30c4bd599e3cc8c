// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_text.c - numbers and text from outside
 */
#include <string.h>

#include "check_main.h"
#include "daemon/text.h"

START_TEST(test_numbers)
{
	uint64_t number = 77;

	ck_assert(text_number("0", 0, 10, &number) && number == 0);
	ck_assert(text_number("10", 0, 10, &number) && number == 10);
	ck_assert(text_number("4294967295", 0, UINT32_MAX, &number) && number == UINT32_MAX);
	ck_assert(text_number("007", 0, 10, &number) && number == 7);
}
END_TEST

START_TEST(test_not_numbers)
{
	static const char *const texts[] = {
		"",
		" ",
		"-1",
		"+1",
		" 1",
		"1 ",
		"0x1",
		"1.0",
		"11",
		"1\n",
		"1e1",
		"\xd9\xa1",
		"18446744073709551617",
		"99999999999999999999999999",
		"one",
	};
	uint64_t number = 77;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!text_number(texts[i], 0, 10, &number), "\"%s\" was taken", texts[i]);
	ck_assert(!text_number("0", 1, 10, &number));
	ck_assert_uint_eq(number, 77);
}
END_TEST

START_TEST(test_clean)
{
	char text[] = "a b~\n\t\x1b[31m\x7f\xff";

	text_clean(text);
	ck_assert_str_eq(text, "a b~???[31m??");
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, test_numbers);
	tcase_add_test(test_case, test_not_numbers);
	tcase_add_test(test_case, test_clean);
}

CHECK_MAIN("daemon: texts", add_tests)
