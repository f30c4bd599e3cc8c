// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target.c - a device's target string: [option=value,...]NAME:parameter=value,parameter=value
 */
#include "worker/target.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX 32		/* of one backend */
#define WRONG_MAX (ERROR_TEXT_MAX - 64) /* of a text that stands behind another */
#define OPTION_MAX 64			/* bytes of option=value with the final 0 */

/* take_option - one of them. */
static int take_option(char *option, struct target_options *options, char text[ERROR_TEXT_MAX])
{
	char *value = strchr(option, '=');

	*value++ = '\0';
	if (strcmp(option, "memory") != 0) {
		snprintf(text, ERROR_TEXT_MAX,
			 "'%s' before the backend's name is no option of a disk; it has memory", option);
		return -EINVAL;
	}
	if (options->access_given) {
		snprintf(text, ERROR_TEXT_MAX, "the option memory is given twice");
		return -EINVAL;
	}
	options->access_given = true;
	if (memory_access_parse(value, &options->access))
		return 0;
	snprintf(text, ERROR_TEXT_MAX, "the option memory is '%s', it must be " MEMORY_ACCESS_NAMES, value);
	return -EINVAL;
}

int target_take_options(const char *target, struct target_options *options, const char **rest,
			char text[ERROR_TEXT_MAX])
{
	*options = (struct target_options){.access = MEMORY_AUTO};
	for (;;) {
		size_t length = strcspn(target, ",:");
		char option[OPTION_MAX];
		int error;

		*rest = target;
		if (target[length] != ',' || !memchr(target, '=', length))
			return 0;
		snprintf(option, sizeof(option), "%.*s", (int)length, target);
		if (!strchr(option, '=')) {
			snprintf(text, ERROR_TEXT_MAX,
				 "'%s...' before the backend's name is no option of a disk", option);
			return -EINVAL;
		}
		error = take_option(option, options, text);
		if (error < 0)
			return error;
		target += length + 1;
	}
}

int target_backend_name(const char *target, char name[BACKEND_NAME_MAX], char text[ERROR_TEXT_MAX])
{
	size_t length = strcspn(target, ":");

	if (length == 0 || length >= BACKEND_NAME_MAX) {
		snprintf(
			text, ERROR_TEXT_MAX,
			"target '%.100s' does not begin with a backend's name, as in file:path=/srv/disk.img",
			target);
		return -EINVAL;
	}
	memcpy(name, target, length);
	name[length] = '\0';
	return 0;
}

int target_bytes(const char *text, bool with_suffix, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t value = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -ERANGE;
	if (at == text)
		return -EINVAL;
	if (*at != '\0' && with_suffix) {
		const char *found = strchr(suffixes, toupper((unsigned char)*at));

		if (!found || at[1] != '\0')
			return -EINVAL;
		if (__builtin_mul_overflow(value, UINT64_C(1) << (10 * (found - suffixes + 1)), &value))
			return -ERANGE;
	} else if (*at != '\0') {
		return -EINVAL;
	}
	*bytes = value;
	return 0;
}

/* store_bool - on/off in its usual spellings. */
static int store_bool(const char *value, bool *member)
{
	static const char *const spellings[][2] = {
		{"off", "on"}, {"no", "yes"}, {"false", "true"}, {"0", "1"}};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		for (int on = 0; on <= 1; on++) {
			if (strcmp(value, spellings[i][on]) == 0) {
				*member = on;
				return 0;
			}
		}
	}
	return -EINVAL;
}

int target_store(const struct backend_head *backend, const struct xvhost_parameter *parameter,
		 const char *value, void *config, char text[ERROR_TEXT_MAX])
{
	void *member = (char *)config + parameter->offset;
	uint64_t number;
	int error;

	switch ((enum xvhost_parameter_type)parameter->type) {
	case XVHOST_STRING:
	case XVHOST_TARGET:
		if (value[0] != '\0') {
			*(const char **)member = value;
			return 0;
		}
		snprintf(text, ERROR_TEXT_MAX, "parameter %s of backend %s is empty (%s)", parameter->name,
			 backend->name, parameter->help);
		return -EINVAL;
	case XVHOST_BOOL:
		if (store_bool(value, member) == 0)
			return 0;
		snprintf(text, ERROR_TEXT_MAX, "parameter %s of backend %s is '%.100s', it must be on or off",
			 parameter->name, backend->name, value);
		return -EINVAL;
	case XVHOST_NUMBER:
	case XVHOST_BYTES:
		error = target_bytes(value, parameter->type == XVHOST_BYTES, &number);
		if (error == 0 && number >= parameter->minimum &&
		    (parameter->maximum == 0 || number <= parameter->maximum)) {
			*(uint64_t *)member = number;
			return 0;
		}
		snprintf(text, ERROR_TEXT_MAX,
			 "parameter %s of backend %s is '%.100s', it must be a %s from %" PRIu64
			 " to %" PRIu64,
			 parameter->name, backend->name, value,
			 parameter->type == XVHOST_BYTES ? "number of bytes (suffixes K, M, G, T)"
							 : "decimal number",
			 parameter->minimum, parameter->maximum ? parameter->maximum : UINT64_MAX);
		return -EINVAL;
	}
	snprintf(text, ERROR_TEXT_MAX,
		 "parameter %s of backend %s has the type %u, which this xvhost does not know",
		 parameter->name, backend->name, parameter->type);
	return -EINVAL;
}

/* find_parameter - by name; its number, or -EINVAL and a text that lists all. */
static int find_parameter(const struct backend_head *backend, const char *name, char text[ERROR_TEXT_MAX])
{
	size_t used;

	for (uint32_t i = 0; i < backend->parameter_count; i++)
		if (strcmp(backends_parameter(backend, i)->name, name) == 0)
			return (int)i;
	used = (size_t)snprintf(text, ERROR_TEXT_MAX, "backend %s has no parameter '%.100s'; it has",
				backend->name, name);
	for (uint32_t i = 0; i < backend->parameter_count && used < ERROR_TEXT_MAX; i++)
		used += (size_t)snprintf(text + used, ERROR_TEXT_MAX - used, "%s %s", i ? "," : "",
					 backends_parameter(backend, i)->name);
	if (backend->parameter_count == 0)
		snprintf(text + used, ERROR_TEXT_MAX - used, " none");
	return -EINVAL;
}

/*
 * next_part - cut the next "parameter=value" off a list, in place: ends it by a 0 and makes one comma of two.
 * `*rest` moves on to what follows, NULL at the end.
 */
static char *next_part(char **rest)
{
	char *part = *rest, *to = part, *from = part;

	for (; *from != '\0'; from++) {
		if (from[0] == ',' && from[1] == ',')
			from++;
		else if (from[0] == ',')
			break;
		*to++ = *from;
	}
	*rest = *from == ',' ? from + 1 : NULL;
	*to = '\0';
	return part;
}

/* is_target - does a list begin with the disk below, which takes all that follows? */
static bool is_target(const struct backend_head *backend, const char *list)
{
	size_t length = strcspn(list, ",=");

	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (parameter->type == XVHOST_TARGET && strlen(parameter->name) == length &&
		    memcmp(parameter->name, list, length) == 0)
			return list[length] == '=';
	}
	return false;
}

/* store_given - store the parameters that the string gives; `seen` tells which. */
static int store_given(const struct backend_head *backend, char *list, char *config,
		       bool seen[PARAMETERS_MAX], char text[ERROR_TEXT_MAX])
{
	while (list) {
		char *part = list, *equals;
		int number, error;

		if (is_target(backend, list))
			list = NULL;
		else
			part = next_part(&list);
		equals = strchr(part, '=');
		if (!equals) {
			snprintf(text, ERROR_TEXT_MAX,
				 "'%.100s' in the target of backend %s is not parameter=value", part,
				 backend->name);
			return -EINVAL;
		}
		*equals = '\0';
		number = find_parameter(backend, part, text);
		if (number < 0)
			return number;
		if (seen[number]) {
			snprintf(text, ERROR_TEXT_MAX, "parameter %s of backend %s is given twice", part,
				 backend->name);
			return -EINVAL;
		}
		seen[number] = true;
		error = target_store(backend, backends_parameter(backend, (uint32_t)number), equals + 1,
				     config, text);
		if (error < 0)
			return error;
	}
	return 0;
}

/* store_defaults - for the parameters that were not given. */
static int store_defaults(const struct backend_head *backend, char *config, const bool seen[PARAMETERS_MAX],
			  char text[ERROR_TEXT_MAX])
{
	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);
		char wrong[ERROR_TEXT_MAX];
		int error = 0;

		if (seen[i])
			continue;
		if (parameter->flags & XVHOST_REQUIRED) {
			snprintf(text, ERROR_TEXT_MAX, "parameter %s of backend %s is missing (%s)",
				 parameter->name, backend->name, parameter->help);
			return -EINVAL;
		}
		if (parameter->default_text)
			error = target_store(backend, parameter, parameter->default_text, config, wrong);
		if (error < 0) {
			snprintf(text, ERROR_TEXT_MAX, "the default in its own table: %.*s", WRONG_MAX,
				 wrong);
			return error;
		}
	}
	return 0;
}

const char *target_of_inner(const struct backend_head *backend, const void *config)
{
	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (parameter->type == XVHOST_TARGET)
			return *(const char *const *)(const void *)((const char *)config + parameter->offset);
	}
	return NULL;
}

int target_configure(const char *target, const struct backend_head *backend, void **config,
		     char text[ERROR_TEXT_MAX])
{
	const char *colon = strchr(target, ':');
	const char *given = colon ? colon + 1 : "";
	bool seen[PARAMETERS_MAX] = {false};
	size_t given_bytes = strlen(given) + 1;
	char *made;
	int error;

	if (backend->parameter_count > PARAMETERS_MAX) {
		snprintf(text, ERROR_TEXT_MAX, "backend %s has %u parameters, at most %d can be used",
			 backend->name, backend->parameter_count, PARAMETERS_MAX);
		return -EINVAL;
	}
	/* The text of the string parameters lies behind the structure, so that one free() is enough. */
	made = calloc(1, backend->config_size + given_bytes);
	if (!made) {
		snprintf(text, ERROR_TEXT_MAX, "no memory");
		return -ENOMEM;
	}
	memcpy(made + backend->config_size, given, given_bytes);
	error = given[0] ? store_given(backend, made + backend->config_size, made, seen, text) : 0;
	if (error == 0)
		error = store_defaults(backend, made, seen, text);
	if (error < 0) {
		free(made);
		return error;
	}
	*config = made;
	return 0;
}

int target_find(const char *directory, const char *target, const struct xvhost_disk_backend **backend,
		void **config, char text[ERROR_TEXT_MAX])
{
	char name[BACKEND_NAME_MAX];
	int error = target_backend_name(target, name, text);

	if (error == 0)
		error = backends_find(directory, name, backend, text);
	return error == 0 ? target_configure(target, head_of_disk(*backend), config, text) : error;
}

int target_find_net(const char *directory, const char *target, const struct xvhost_net_backend **backend,
		    void **config, char text[ERROR_TEXT_MAX])
{
	char name[BACKEND_NAME_MAX];
	int error = target_backend_name(target, name, text);

	if (error == 0)
		error = backends_find_net(directory, name, backend, text);
	return error == 0 ? target_configure(target, head_of_net(*backend), config, text) : error;
}
