// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report_text.c - numbers as people write them
 */
#include "try/report_text.h"

#include <inttypes.h>
#include <stdio.h>

const char *report_size(uint64_t bytes, char text[32])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	int unit = 0;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	/* %g leaves out what is 0 after the point. */
	snprintf(text, 32, "%.4g %s", value, units[unit]);
	return text;
}

const char *report_time(double ns, char text[32])
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	int unit = 0;

	while (ns >= 1000 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	snprintf(text, 32, "%.*f %s", unit == 0 || ns >= 100 ? 0 : ns >= 10 ? 1 : 2, ns, units[unit]);
	return text;
}

const char *report_count(uint64_t count, char text[32])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	char *to = text;

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}
