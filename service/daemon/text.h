/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text.h - texts that come from outside: numbers in them, and how they are shown
 */
#ifndef DAEMON_TEXT_H
#define DAEMON_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * text_number - read a text that is a decimal number and nothing else: no sign, no space, no other base.
 * False if it is not, or is not within minimum and maximum; then *number stays as it was.
 */
bool text_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *number);

/* text_clean - replace all that is not printable ASCII by '?', so that nobody can forge lines of the log. */
void text_clean(char *text);

#endif
