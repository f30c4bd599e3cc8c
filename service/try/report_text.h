/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report_text.h - numbers as people write them; each function returns `text`
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <stdint.h>

/* report_size - a number of bytes: 4 KiB, 1.5 GiB. */
const char *report_size(uint64_t bytes, char text[32]);

/* report_time - in the unit that leaves three digits. */
const char *report_time(double ns, char text[32]);

/* report_count - with a comma after each three digits. */
const char *report_count(uint64_t count, char text[32]);

#endif
