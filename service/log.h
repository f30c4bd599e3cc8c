/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - one line for each thing worth saying, to standard error
 *
 * Levels are syslog's numbers and stand before each line as systemd reads them ("<3>"), unless standard error
 * is a terminal or the program said otherwise. Any thread may log. What a guest can cause again and again goes
 * through a `struct log_limit`.
 */
#ifndef LOG_H
#define LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

#define LOG_LINE_MAX 1024	/* bytes of one line; the rest is cut */
#define LOG_LIMIT_LINES 10	/* lines that a log_limit lets through ... */
#define LOG_LIMIT_INTERVAL_S 10 /* ... in this many seconds */

/* Counts the lines of one source; all zero at the start. Any thread. */
struct log_limit {
	int64_t interval_start_s;
	uint32_t lines;
	uint32_t suppressed;
};

/* log_init - `program` stands before each line; messages above `level` are dropped. Once, before any other
 * thread. */
void log_init(const char *program, enum log_level level);
/* log_without_priority - no priority before lines, whatever standard error is: for what people run themselves. After
 * log_init. */
void log_without_priority(void);
const char *log_level_name(enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* log_level_parse - "error", "warning", "info", "debug"; returns 0, or -EINVAL for anything else. */
int log_level_parse(const char *text, enum log_level *level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_line(enum log_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* log_limited - as the above, unless this source has said enough for now; then the next line tells how many
 * were left out. */
void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
