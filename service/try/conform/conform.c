// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conform.c - a process for each promise, and what is printed
 */
#include "try/conform/conform.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "try/conform/context.h"
#include "try/conform/list.h"
#include "try/options.h"

#define HANG_MS (CONFORM_TIMEOUT_MS + 1000) /* what a process finds out by itself comes first */
#define TEXT_MAX (sizeof(((struct conform_report *)NULL)->text) + 512)

/* What was found out about a promise. */
struct result {
	enum conform_verdict verdict;
	char text[TEXT_MAX];
};

/* ---- processes ---- */

/* wait_for - until the process ends; if nothing goes on in it for too long, it is killed. Returns its status, -1 if it
 * was killed. */
static int wait_for(pid_t process)
{
	struct pollfd ended = {.fd = pidfd_open(process, 0), .events = POLLIN};
	uint64_t seen = 0, now;
	bool killed = false;
	int status, ready;

	for (;;) {
		ready = poll(&ended, 1, HANG_MS);
		if (ready > 0)
			break;
		now = atomic_load(&conform_report->progress);
		if (ready == 0 && now == seen) {
			kill(process, SIGKILL);
			killed = true;
			break;
		}
		seen = now;
	}
	close(ended.fd);
	waitpid(process, &status, 0);
	return killed ? -1 : status;
}

/* judge_end - a process that ended without a verdict. */
static void judge_end(int status)
{
	const char *doing = conform_report->doing[0] ? conform_report->doing : "a promise's own code";
	char *text = conform_report->text;
	size_t size = sizeof(conform_report->text);

	conform_report->broken = CONFORM_PROMISES;
	atomic_store(&conform_report->verdict, CONFORM_BROKEN);
	if (status < 0)
		snprintf(text, size, "nothing went on for %d s; it was in %s", HANG_MS / 1000, doing);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "the process was ended by a signal (%s) in %s",
			 strsignal(WTERMSIG(status)), doing);
	else
		snprintf(text, size, "the process ended itself with status %d in %s", WEXITSTATUS(status),
			 doing);
}

/* look_at - one promise, or the second half of one, in a process of its own. The report says what came of it. */
static void look_at(const struct conform_options *options, enum conform_promise_number number,
		    void (*check)(struct conform_context *context))
{
	pid_t process;
	int status;

	memset(conform_report, 0, sizeof(*conform_report));
	process = fork();
	if (process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		conform_context_run(options, number, check);
	}
	if (process < 0) {
		conform_report->verdict = CONFORM_SKIPPED;
		snprintf(conform_report->text, sizeof(conform_report->text), "can't start a process: %s",
			 strerror(errno));
		return;
	}
	status = wait_for(process);
	if (atomic_load(&conform_report->verdict) == CONFORM_NO_VERDICT)
		judge_end(status);
	/* What can't be told to be another promise's is this one's. */
	if (conform_report->broken == CONFORM_PROMISES)
		conform_report->broken = number;
}

/* ---- results ---- */

static void set_result(struct result *result, enum conform_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void set_result(struct result *result, enum conform_verdict verdict, const char *format, ...)
{
	va_list arguments;

	result->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(result->text, sizeof(result->text), format, arguments);
	va_end(arguments);
}

/*
 * take_report - what the report means for the results. A promise may be stopped by the breach of another one; that one is
 * then broken, and this one could not be looked at.
 */
static void take_report(const struct conform_options *options, struct result results[CONFORM_PROMISES],
			enum conform_promise_number number)
{
	enum conform_verdict verdict = (enum conform_verdict)atomic_load(&conform_report->verdict);
	enum conform_promise_number broken = (enum conform_promise_number)conform_report->broken;
	const char *log = conform_report->log, *owner = conform_entry(options->kind, broken)->promise.name;
	const char *log_intro = log[0] ? "; the last it logged: " : "";

	if (verdict != CONFORM_BROKEN) {
		set_result(&results[number], verdict, "%s", conform_report->text);
	} else if (broken == number) {
		set_result(&results[number], verdict, "%s%s%s", conform_report->text, log_intro, log);
	} else if (results[broken].verdict == CONFORM_BROKEN) {
		set_result(&results[number], CONFORM_SKIPPED, "stopped by what breaks '%s'", owner);
	} else if (broken > number && !options->only) {
		set_result(&results[broken], verdict, "%s%s%s", conform_report->text, log_intro, log);
		set_result(&results[number], CONFORM_SKIPPED, "stopped by what breaks '%s'", owner);
	} else {
		set_result(&results[number], verdict, "(this breaks '%s') %s%s%s", owner,
			   conform_report->text, log_intro, log);
	}
}

/* ---- printing ---- */

static const char *const verdict_words[] = {
	[CONFORM_KEPT] = "ok", [CONFORM_BROKEN] = "FAILED", [CONFORM_SKIPPED] = "skipped"};

/* print_running - which promise is being looked at; the result takes its place. */
static void print_running(const struct conform_promise *promise)
{
	if (!isatty(STDOUT_FILENO))
		return;
	printf("%-8s %s", "...", promise->name);
	fflush(stdout);
}

static void erase_running(void)
{
	if (!isatty(STDOUT_FILENO))
		return;
	printf("\r\033[K");
	fflush(stdout);
}

static void print_line(const struct conform_promise *promise, const struct result *result)
{
	erase_running();
	printf("%-8s %-12s %s", verdict_words[result->verdict], promise->name, promise->text);
	if (result->verdict == CONFORM_BROKEN)
		printf("\n         seen: %s", result->text);
	else if (result->text[0])
		printf(" (%s)", result->text);
	printf("\n");
	fflush(stdout);
}

static void print_json(const struct conform_options *options, const struct result *results,
		       const uint32_t *counts)
{
	json_t *list = json_array(), *all;

	for (uint32_t i = 0; i < CONFORM_PROMISES; i++) {
		const struct conform_entry *entry = conform_entry(options->kind, i);

		if (entry && results[i].verdict != CONFORM_NO_VERDICT)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:s, s:s}", "name", entry->promise.name, "text",
						entry->promise.text, "result",
						verdict_words[results[i].verdict], "seen", results[i].text));
	}
	all = json_pack("{s:s, s:o, s:i, s:i, s:i}", "target", options->target, "promises", list, "kept",
			(int)counts[CONFORM_KEPT], "broken", (int)counts[CONFORM_BROKEN], "skipped",
			(int)counts[CONFORM_SKIPPED]);
	json_dumpf(all, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(all);
}

/* ---- all of it ---- */

/* find_out - about one promise, unless it is known, or one that it needs is broken. */
static void find_out(const struct conform_options *options, struct result results[CONFORM_PROMISES],
		     enum conform_promise_number number)
{
	const struct conform_entry *entry = conform_entry(options->kind, number);

	if (results[number].verdict != CONFORM_NO_VERDICT)
		return;
	for (uint32_t i = 0; i < number && i <= CONFORM_LAST_BASIC; i++) {
		if (results[i].verdict == CONFORM_BROKEN) {
			set_result(&results[number], CONFORM_SKIPPED, "needs '%s'",
				   conform_entry(options->kind, i)->promise.name);
			return;
		}
	}
	look_at(options, number, entry->check);
	if (atomic_load(&conform_report->verdict) == CONFORM_KEPT && entry->check_after)
		look_at(options, number, entry->check_after);
	take_report(options, results, number);
}

/* find_out_all - and print each. False: the target names no backend, which was said. */
static bool find_out_all(const struct conform_options *options, struct result results[CONFORM_PROMISES],
			 uint32_t counts[CONFORM_SKIPPED + 1])
{
	for (uint32_t i = 0; i < CONFORM_PROMISES; i++) {
		const struct conform_entry *entry = conform_entry(options->kind, i);

		if (!entry || (options->only && strcmp(options->only, entry->promise.name) != 0))
			continue;
		if (!options->json)
			print_running(&entry->promise);
		find_out(options, results, i);
		if (results[i].verdict == CONFORM_NO_SUBJECT) {
			if (!options->json)
				erase_running();
			fprintf(stderr, "xvhost-try: %s\n", results[i].text);
			return false;
		}
		counts[results[i].verdict]++;
		if (!options->json)
			print_line(&entry->promise, &results[i]);
	}
	return true;
}

int conform_run(const struct conform_options *options)
{
	struct result *results = calloc(CONFORM_PROMISES, sizeof(*results));
	uint32_t counts[CONFORM_SKIPPED + 1] = {0};
	int status = TRY_USAGE;

	conform_report = mmap(NULL, sizeof(*conform_report), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!results || conform_report == MAP_FAILED) {
		free(results);
		fprintf(stderr, "xvhost-try: no memory\n");
		return TRY_FAILED;
	}
	fflush(stdout);
	if (find_out_all(options, results, counts)) {
		if (options->json)
			print_json(options, results, counts);
		else
			printf("%s: %u promises kept, %u broken, %u not looked at\n", options->target,
			       counts[CONFORM_KEPT], counts[CONFORM_BROKEN], counts[CONFORM_SKIPPED]);
		status = counts[CONFORM_BROKEN] ? TRY_FAILED : TRY_GOOD;
	}
	munmap(conform_report, sizeof(*conform_report));
	free(results);
	return status;
}
