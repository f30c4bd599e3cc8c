// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parameters.c - promises about the backend's table and its parameters
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "try/conform/context.h"
#include "try/conform/promises.h"
#include "try/conform/target.h"
#include "try/conform/usage.h"
#include "worker/target.h"

#define PARAMETERS_MAX 32
#define FAILING_OPENS 40  /* of each kind, to see whether they leave something */
#define SLOW_S 2	  /* an open that takes so long until it fails is tried once */
#define DESCRIPTORS_MAX 8 /* that open() is given one by one */
#define NO_PATH "/xvhost-conformance/no/such/file"
#define ADDRESS_SPACE                                                                                        \
	(UINT64_C(4) << 30) /* for opens with the largest values: the machine's memory is not theirs */

/* The address sanitizer uses addresses without number. gcc and clang tell of it in their own ways. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER true
#else
#define ADDRESS_SANITIZER false
#endif

/* ---- the table ---- */

/* check_file_name - the worker finds a backend by its file's name. */
static void check_file_name(const struct conform_context *context)
{
	const char *target = context->options->target, *name = context->subject.backend->name;
	size_t length = strcspn(target, ":");
	const char *slash = memrchr(target, '/', length);
	size_t name_length = strlen(name);

	if (!slash)
		return;
	length -= (size_t)(slash + 1 - target);
	if (length != name_length + 3 || strncmp(slash + 1, name, name_length) != 0 ||
	    strncmp(slash + 1 + name_length, ".so", 3) != 0)
		conform_broken(CONFORM_LOAD,
			       "the file %.*s holds the backend '%s', which the worker looks for in %s.so",
			       (int)length, slash + 1, name, name);
}

/* The backend was loaded and its table adopted before this. */
void conform_check_load(struct conform_context *context)
{
	const struct backend_head *backend = context->subject.backend;

	check_file_name(context);
	if (strchr(backend->description, '\n') || !backend->description[0])
		conform_broken(CONFORM_LOAD, "the description must be one line: '%s'", backend->description);
	if (!backend->version[0])
		conform_broken(CONFORM_LOAD, "the version is empty");
	conform_note("%s %s, %s", backend->name, backend->version, backend->description);
}

/* member_size - of the configuration's member that a parameter is stored in; 0: the type is not known. */
static size_t member_size(const struct xvhost_parameter *parameter)
{
	switch ((enum xvhost_parameter_type)parameter->type) {
	case XVHOST_STRING:
	case XVHOST_TARGET:
		return sizeof(const char *);
	case XVHOST_BOOL:
		return sizeof(bool);
	case XVHOST_NUMBER:
	case XVHOST_BYTES:
		return sizeof(uint64_t);
	}
	return 0;
}

static void check_member(const struct backend_head *backend, uint32_t number)
{
	const struct xvhost_parameter *one = backends_parameter(backend, number);
	size_t size = member_size(one);

	if (size == 0)
		conform_broken(CONFORM_TABLE, "parameter %s has type %u, which backend.h does not have",
			       one->name, one->type);
	if (one->offset + size > backend->config_size)
		conform_broken(CONFORM_TABLE,
			       "parameter %s is stored at byte %zu of the configuration, which has %u bytes "
			       "(its type takes %zu)",
			       one->name, one->offset, backend->config_size, size);
	if (one->offset % size != 0)
		conform_broken(CONFORM_TABLE,
			       "parameter %s is stored at byte %zu, its type must be aligned to %zu",
			       one->name, one->offset, size);
	for (uint32_t i = 0; i < number; i++) {
		const struct xvhost_parameter *other = backends_parameter(backend, i);

		if (strcmp(one->name, other->name) == 0)
			conform_broken(CONFORM_TABLE, "there are two parameters %s", one->name);
		if (one->offset < other->offset + member_size(other) && other->offset < one->offset + size)
			conform_broken(CONFORM_TABLE,
				       "parameters %s and %s are stored at the same place of the "
				       "configuration (bytes %zu "
				       "and %zu)",
				       other->name, one->name, other->offset, one->offset);
	}
}

/* check_default - it is parsed as what people write. */
static void check_default(const struct backend_head *backend, const struct xvhost_parameter *parameter)
{
	void *config = calloc(1, backend->config_size);
	char text[ERROR_TEXT_MAX];

	if (!config)
		conform_skip("no memory");
	if (parameter->default_text &&
	    target_store(backend, parameter, parameter->default_text, config, text) < 0)
		conform_broken(CONFORM_TABLE, "the default of a parameter can't be parsed: %s", text);
	free(config);
}

static void check_row(const struct backend_head *backend, uint32_t number)
{
	const struct xvhost_parameter *one = backends_parameter(backend, number);
	bool numeric = one->type == XVHOST_NUMBER || one->type == XVHOST_BYTES;

	if (!one->name || !one->name[0] ||
	    one->name[strspn(one->name, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		conform_broken(CONFORM_TABLE,
			       "parameter %u is called '%s', a name has lower case letters, digits and '-'",
			       number + 1, one->name ? one->name : "");
	if (!one->help || !one->help[0])
		conform_broken(CONFORM_TABLE, "parameter %s has no help", one->name);
	if (one->flags & ~XVHOST_REQUIRED)
		conform_broken(CONFORM_TABLE, "parameter %s has flags 0x%x, backend.h has 0x%x", one->name,
			       one->flags, XVHOST_REQUIRED);
	if ((one->flags & XVHOST_REQUIRED) && one->default_text)
		conform_broken(CONFORM_TABLE, "parameter %s is required and has a default ('%s')", one->name,
			       one->default_text);
	if (numeric && one->maximum != 0 && one->minimum > one->maximum)
		conform_broken(CONFORM_TABLE,
			       "parameter %s has the minimum %" PRIu64 " and the maximum %" PRIu64, one->name,
			       one->minimum, one->maximum);
	check_member(backend, number);
	check_default(backend, one);
}

void conform_check_table(struct conform_context *context)
{
	const struct backend_head *backend = context->subject.backend;

	if (backend->parameter_count > PARAMETERS_MAX)
		conform_broken(CONFORM_TABLE, "there are %u parameters, at most %u can be used",
			       backend->parameter_count, PARAMETERS_MAX);
	for (uint32_t i = 0; i < backend->parameter_count; i++)
		check_row(backend, i);
	conform_note("%u parameter%s", backend->parameter_count, backend->parameter_count == 1 ? "" : "s");
}

/* ---- parameters ---- */

/* configure - parse a target with one parameter changed. Returns what target_configure does. */
static int configure(const struct conform_context *context, const char *name, const char *value,
		     uint32_t times, char text[ERROR_TEXT_MAX])
{
	const struct backend_head *backend = context->subject.backend;
	char changed[TARGET_MAX];
	void *config;
	int error;

	if (!conform_target_change(context->subject.target, backend, name, value, times, changed))
		conform_skip("the target is too long to be changed");
	error = target_configure(changed, backend, &config, text);
	if (error == 0)
		free(config);
	return error;
}

/* refused - this must not be taken, and the text must name the parameter. */
static void refused(const struct conform_context *context, const char *name, const char *value,
		    uint32_t times, const char *why)
{
	char text[ERROR_TEXT_MAX] = "";

	if (configure(context, name, value, times, text) == 0)
		conform_broken(CONFORM_PARAMETERS, "parameter %s: %s ('%s') was taken", name, why, value);
	if (!strstr(text, name))
		conform_broken(CONFORM_PARAMETERS,
			       "parameter %s: %s ('%s') was refused by a text that does not name it: %s",
			       name, why, value, text);
}

/* taken - this must be taken. */
static void taken(const struct conform_context *context, const char *name, const char *value, uint32_t times,
		  const char *why)
{
	char text[ERROR_TEXT_MAX] = "";

	if (configure(context, name, value, times, text) < 0)
		conform_broken(CONFORM_PARAMETERS, "parameter %s: %s ('%s') was refused: %s", name, why,
			       value, text);
}

static void check_number(const struct conform_context *context, const struct xvhost_parameter *parameter)
{
	uint64_t maximum = parameter->maximum ? parameter->maximum : UINT64_MAX;
	char value[32];

	refused(context, parameter->name, "many", 1, "what is no number");
	refused(context, parameter->name, "-1", 1, "a negative number");
	refused(context, parameter->name, "", 1, "no value");
	if (parameter->type == XVHOST_NUMBER)
		refused(context, parameter->name, "1K", 1, "a number with a suffix");
	snprintf(value, sizeof(value), "%" PRIu64, parameter->minimum);
	taken(context, parameter->name, value, 1, "its minimum");
	snprintf(value, sizeof(value), "%" PRIu64, maximum);
	taken(context, parameter->name, value, 1, "its maximum");
	if (parameter->minimum > 0) {
		snprintf(value, sizeof(value), "%" PRIu64, parameter->minimum - 1);
		refused(context, parameter->name, value, 1, "less than its minimum");
	}
	if (maximum < UINT64_MAX) {
		snprintf(value, sizeof(value), "%" PRIu64, maximum + 1);
		refused(context, parameter->name, value, 1, "more than its maximum");
	}
}

/* good_value - one that can be given, for the test with two of them. */
static void good_value(const struct conform_context *context, const struct xvhost_parameter *parameter,
		       char value[TARGET_MAX])
{
	if (conform_target_value(context->subject.target, context->subject.backend, parameter->name, value))
		return;
	if (parameter->default_text)
		snprintf(value, TARGET_MAX, "%s", parameter->default_text);
	else if (parameter->type == XVHOST_NUMBER || parameter->type == XVHOST_BYTES)
		snprintf(value, TARGET_MAX, "%" PRIu64, parameter->minimum);
	else
		snprintf(value, TARGET_MAX, "on");
}

static void check_parameter(const struct conform_context *context, const struct xvhost_parameter *parameter)
{
	char value[TARGET_MAX];

	if (parameter->flags & XVHOST_REQUIRED)
		refused(context, parameter->name, "", 0, "that it is missing");
	else
		taken(context, parameter->name, parameter->default_text ? parameter->default_text : "", 0,
		      "its default");
	if (parameter->type == XVHOST_NUMBER || parameter->type == XVHOST_BYTES)
		check_number(context, parameter);
	else
		refused(context, parameter->name, "", 1, "no value");
	if (parameter->type == XVHOST_BOOL)
		refused(context, parameter->name, "maybe", 1, "what is neither on nor off");
	if (parameter->type == XVHOST_TARGET)
		return; /* a second one would be a part of the first */
	good_value(context, parameter, value);
	refused(context, parameter->name, value, 2, "that it is given twice");
}

/* open_impossible - a value that the table allows is either refused by open(), or the disk can be served. */
static void open_impossible(struct conform_context *context, const struct xvhost_parameter *parameter,
			    uint64_t number)
{
	static struct conform_attempt attempt;
	char value[32], changed[TARGET_MAX];

	if (number < parameter->minimum || (parameter->maximum && number > parameter->maximum))
		return;
	snprintf(value, sizeof(value), "%" PRIu64, number);
	if (!conform_target_change(context->subject.target, context->subject.backend, parameter->name, value,
				   1, changed))
		return;
	conform_attempt(context, changed, &attempt);
	if (attempt.error < 0 && !attempt.why[0])
		conform_broken(CONFORM_PARAMETERS,
			       "parameter %s: '%s' was refused by open() without a text by fail()",
			       parameter->name, value);
	if (attempt.impossible[0])
		conform_broken(CONFORM_PARAMETERS, "parameter %s: '%s' was taken by open(), but %s",
			       parameter->name, value, attempt.impossible);
}

/* limit_memory - so that a disk with the largest size does not take the machine's. False: it can't be limited. */
static bool limit_memory(void)
{
	struct rlimit limit = {.rlim_cur = ADDRESS_SPACE, .rlim_max = ADDRESS_SPACE};

	return !ADDRESS_SANITIZER && setrlimit(RLIMIT_AS, &limit) == 0;
}

void conform_check_parameters(struct conform_context *context)
{
	const struct backend_head *backend = context->subject.backend;
	bool limited;

	refused(context, "no-such-parameter", "1", 1, "what the backend does not have");
	for (uint32_t i = 0; i < backend->parameter_count; i++)
		check_parameter(context, backends_parameter(backend, i));
	limited = limit_memory();
	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (parameter->type != XVHOST_NUMBER && parameter->type != XVHOST_BYTES)
			continue;
		open_impossible(context, parameter, parameter->minimum);
		open_impossible(context, parameter, parameter->minimum + 1);
		open_impossible(context, parameter, 1000);
		if (limited)
			open_impossible(context, parameter,
					parameter->maximum ? parameter->maximum : UINT64_MAX);
	}
	conform_note("%u parameter%s", backend->parameter_count, backend->parameter_count == 1 ? "" : "s");
}

/* ---- opens that fail ---- */

/* A way in which open() is made to fail. */
struct failure {
	const char *target;
	const char *why;	/* for texts */
	rlim_t descriptors_max; /* 0: as many as there are */
};

/* fails - open it this way. Returns false if it can be opened; if it can't, there must be a text. */
static bool fails(struct conform_context *context, const struct failure *failure)
{
	static struct conform_attempt attempt;

	attempt.descriptors_max = failure->descriptors_max;
	conform_attempt(context, failure->target, &attempt);
	if (attempt.impossible[0])
		conform_broken(CONFORM_OPEN_FAILS, "%s open() succeeded, but %s", failure->why,
			       attempt.impossible);
	if (attempt.error < 0 && !attempt.why[0])
		conform_broken(CONFORM_OPEN_FAILS, "%s open() returned %s without a text by fail()",
			       failure->why, conform_error_name(attempt.error));
	return attempt.error < 0;
}

/* fail_again - the same many times, to see whether it leaves something. Returns false if it can be opened. */
static bool fail_again(struct conform_context *context, const struct failure *failure)
{
	struct conform_usage before, after;
	struct timespec began, now;
	char text[200];

	clock_gettime(CLOCK_MONOTONIC, &began);
	if (!fails(context, failure))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* One that waits for something first would take many minutes. */
	if (now.tv_sec - began.tv_sec >= SLOW_S)
		return true;
	/* What comes about in the first round only is kept for all times, by the backend or by the C library. */
	for (uint32_t round = 0; round < 2; round++) {
		conform_usage_now(&before);
		for (uint32_t i = 0; i < FAILING_OPENS; i++)
			if (!fails(context, failure))
				return false;
		conform_usage_now(&after);
	}
	if (conform_usage_leak(&before, &after, FAILING_OPENS, text, sizeof(text)))
		conform_broken(CONFORM_OPEN_FAILS, "%s open() failed %u times, and %s", failure->why,
			       FAILING_OPENS, text);
	return true;
}

/* without_descriptors - open() can have one descriptor, two, ... and no more. Returns how often it failed. */
static uint32_t without_descriptors(struct conform_context *context)
{
	uint32_t failed = 0;
	int first_free = dup(STDERR_FILENO);

	if (first_free < 0)
		return 0;
	close(first_free);
	for (uint32_t more = 0; more < DESCRIPTORS_MAX; more++) {
		char why[64];
		struct failure failure = {.target = context->subject.target,
					  .why = why,
					  .descriptors_max = (rlim_t)first_free + more};

		snprintf(why, sizeof(why), "with room for %u descriptors,", more);
		if (!fail_again(context, &failure))
			break;
		failed++;
	}
	return failed;
}

/* without_file - each text parameter names what is not there. A backend to which it is just a text opens. */
static uint32_t without_file(struct conform_context *context)
{
	const struct backend_head *backend = context->subject.backend;
	char changed[TARGET_MAX], why[64 + sizeof(NO_PATH)];
	uint32_t failed = 0;

	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (parameter->type != XVHOST_STRING ||
		    !conform_target_change(context->subject.target, backend, parameter->name, NO_PATH, 1,
					   changed))
			continue;
		snprintf(why, sizeof(why), "with %.32s=%s", parameter->name, NO_PATH);
		failed += fail_again(context, &(struct failure){.target = changed, .why = why});
	}
	return failed;
}

/* names_content - does the target give this parameter the name of a file that holds something? */
static bool names_content(const struct conform_context *context, const struct xvhost_parameter *parameter)
{
	char value[TARGET_MAX];
	struct stat status;

	return parameter->type == XVHOST_STRING &&
	       conform_target_value(context->subject.target, context->subject.backend, parameter->name,
				    value) &&
	       stat(value, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

/* with_odd_file - the parameter names a file of so many bytes, which can't be a disk's. Returns how often open() failed. */
static uint32_t with_odd_file(struct conform_context *context, const struct xvhost_parameter *parameter,
			      uint32_t bytes)
{
	char path[32], changed[TARGET_MAX], why[128];
	int fd = memfd_create("conformance", MFD_CLOEXEC);
	bool failed;

	if (fd < 0)
		return 0;
	/* Nothing is left in any folder, however this ends. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(why, sizeof(why), "when %.32s names a file of %u bytes,", parameter->name, bytes);
	failed = ftruncate(fd, bytes) == 0 &&
		 conform_target_change(context->subject.target, context->subject.backend, parameter->name,
				       path, 1, changed) &&
		 fail_again(context, &(struct failure){.target = changed, .why = why});
	close(fd);
	return failed;
}

/* with_odd_files - a backend to which the file is not the disk opens. */
static uint32_t with_odd_files(struct conform_context *context)
{
	const struct backend_head *backend = context->subject.backend;
	uint32_t failed = 0;

	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (names_content(context, parameter))
			failed += with_odd_file(context, parameter, 0) +
				  with_odd_file(context, parameter, 513);
	}
	return failed;
}

void conform_check_open_fails(struct conform_context *context)
{
	uint32_t failed = without_file(context) + with_odd_files(context) + without_descriptors(context);
	static struct conform_attempt attempt;

	/* And afterwards it opens. */
	conform_attempt(context, context->subject.target, &attempt);
	if (attempt.error < 0)
		conform_broken(CONFORM_OPEN, "can't open '%s': %s (%s)", context->options->target,
			       attempt.why[0] ? attempt.why : "the backend does not say why",
			       conform_error_name(attempt.error));
	if (failed == 0)
		conform_skip("no way was found to make open() fail");
	conform_note("%u ways to fail", failed);
}
