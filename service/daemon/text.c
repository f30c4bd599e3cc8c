// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * text.c - texts that come from outside: numbers in them, and how they are shown
 */
#include "daemon/text.h"

#define DIGITS_MAX 19 /* of a number that fits into 64 bits whatever the digits are */

bool text_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *number)
{
	uint64_t sum = 0;
	unsigned digits = 0;

	for (const char *at = text; *at != '\0'; at++) {
		if (*at < '0' || *at > '9' || ++digits > DIGITS_MAX)
			return false;
		sum = sum * 10 + (uint64_t)(*at - '0');
	}
	if (digits == 0 || sum < minimum || sum > maximum)
		return false;
	*number = sum;
	return true;
}

void text_clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}
