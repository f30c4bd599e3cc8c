// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c - one line for each thing worth saying, to standard error
 *
 * A line is put together on the stack and written by one write(2), so that lines of several threads and
 * processes on the same descriptor do not mix.
 */
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *program_name = "xvhost";
static enum log_level highest_level = LOG_LEVEL_INFO;
static bool with_priority;

static const struct {
	enum log_level level;
	const char *name;
} level_names[] = {
	{LOG_LEVEL_ERROR, "error"},
	{LOG_LEVEL_WARNING, "warning"},
	{LOG_LEVEL_INFO, "info"},
	{LOG_LEVEL_DEBUG, "debug"},
};

#define LEVEL_COUNT (sizeof(level_names) / sizeof(level_names[0]))

void log_init(const char *program, enum log_level level)
{
	program_name = program;
	highest_level = level;
	with_priority = !isatty(STDERR_FILENO);
}

void log_without_priority(void)
{
	with_priority = false;
}

void log_set_level(enum log_level level)
{
	highest_level = level;
}

enum log_level log_get_level(void)
{
	return highest_level;
}

const char *log_level_name(enum log_level level)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		if (level_names[i].level == level)
			return level_names[i].name;
	return "info";
}

int log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++) {
		if (strcmp(text, level_names[i].name) == 0) {
			*level = level_names[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

/* append - printf at the end of a line that may already be full. */
static size_t append(char *line, size_t used, const char *format, va_list arguments)
{
	int length;

	if (used >= LOG_LINE_MAX - 1)
		return LOG_LINE_MAX - 1;
	length = vsnprintf(line + used, LOG_LINE_MAX - used, format, arguments);
	if (length < 0)
		return used;
	used += (size_t)length;
	return used < LOG_LINE_MAX - 1 ? used : LOG_LINE_MAX - 1;
}

void log_line(enum log_level level, const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX + 1];
	size_t used;

	if (level > highest_level)
		return;
	if (with_priority)
		used = (size_t)snprintf(line, LOG_LINE_MAX, "<%d>%s: ", (int)level, program_name);
	else
		used = (size_t)snprintf(line, LOG_LINE_MAX, "%s: %s: ", program_name, log_level_name(level));
	used = append(line, used, format, arguments);
	line[used++] = '\n';
	/* Nothing can be done, and nobody can be told, when the log itself can't be written. */
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

#define LOG_FUNCTION(name, level)                                                                            \
	void name(const char *format, ...)                                                                   \
	{                                                                                                    \
		va_list arguments;                                                                           \
		va_start(arguments, format);                                                                 \
		log_line(level, format, arguments);                                                          \
		va_end(arguments);                                                                           \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

/*
 * limit_passes - counts one line; says whether it may be written, and how many were left out before it. One lock for all
 * limits: only what is worth a line comes here.
 */
static bool limit_passes(struct log_limit *limit, uint32_t *left_out)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec now;
	bool passes;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	pthread_mutex_lock(&mutex);
	if (limit->lines == 0 || now.tv_sec - limit->interval_start_s >= LOG_LIMIT_INTERVAL_S) {
		limit->interval_start_s = now.tv_sec;
		limit->lines = 0;
	}
	passes = limit->lines < LOG_LIMIT_LINES;
	if (passes) {
		limit->lines++;
		*left_out = limit->suppressed;
		limit->suppressed = 0;
	} else {
		limit->suppressed++;
	}
	pthread_mutex_unlock(&mutex);
	return passes;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
{
	va_list arguments;
	uint32_t left_out;

	if (level > highest_level || !limit_passes(limit, &left_out))
		return;
	if (left_out > 0)
		log_warning("%u messages of this source were left out", left_out);
	va_start(arguments, format);
	log_line(level, format, arguments);
	va_end(arguments);
}
