// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - what the process that looks at a promise says of itself
 */
#include "try/conform/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct conform_report *conform_report;

static atomic_flag ending = ATOMIC_FLAG_INIT;

/* only_once - the first thread's verdict counts; another one that comes to one waits here for the end. */
static void only_once(void)
{
	while (atomic_flag_test_and_set(&ending))
		pause();
}

/* end - nothing is closed and no destructor runs: the backend may be in any state. */
static noreturn void end(enum conform_verdict verdict)
{
	atomic_store(&conform_report->verdict, verdict);
	_exit(0);
}

/* end_with - a text. */
static noreturn void end_with(enum conform_verdict verdict, const char *format, va_list arguments)
{
	only_once();
	vsnprintf(conform_report->text, sizeof(conform_report->text), format, arguments);
	end(verdict);
}

void conform_broken(enum conform_promise_number promise, const char *format, ...)
{
	va_list arguments;

	only_once();
	conform_report->broken = promise;
	va_start(arguments, format);
	vsnprintf(conform_report->text, sizeof(conform_report->text), format, arguments);
	va_end(arguments);
	end(CONFORM_BROKEN);
}

void conform_skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end_with(CONFORM_SKIPPED, format, arguments);
}

void conform_no_subject(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end_with(CONFORM_NO_SUBJECT, format, arguments);
}

void conform_kept(void)
{
	only_once();
	end(CONFORM_KEPT);
}

void conform_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(conform_report->text, sizeof(conform_report->text), format, arguments);
	va_end(arguments);
}

void conform_doing(const char *format, ...)
{
	va_list arguments;

	atomic_fetch_add(&conform_report->progress, 1);
	if (!format) {
		conform_report->doing[0] = '\0';
		return;
	}
	va_start(arguments, format);
	vsnprintf(conform_report->doing, sizeof(conform_report->doing), format, arguments);
	va_end(arguments);
}

const char *conform_error_name(int error)
{
	static _Thread_local char text[32];
	const char *name = error < 0 ? strerrorname_np(-error) : NULL;

	if (name)
		snprintf(text, sizeof(text), "-%s", name);
	else
		snprintf(text, sizeof(text), "%d", error);
	return text;
}
