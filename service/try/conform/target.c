// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target.c - a target string with one parameter changed
 */
#include "try/conform/target.h"

#include <stdio.h>
#include <string.h>

/* takes_the_rest - is this the name of the parameter that names the disk below? */
static bool takes_the_rest(const struct backend_head *backend, const char *name, size_t length)
{
	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (parameter->type == XVHOST_TARGET && strlen(parameter->name) == length &&
		    strncmp(parameter->name, name, length) == 0)
			return true;
	}
	return false;
}

/* part_length - of the "name=value" at the start of a list, with doubled commas in it. */
static size_t part_length(const struct backend_head *backend, const char *list)
{
	size_t length = 0;

	if (takes_the_rest(backend, list, strcspn(list, "=")))
		return strlen(list);
	while (list[length] != '\0') {
		if (list[length] == ',' && list[length + 1] != ',')
			break;
		length += list[length] == ',' ? 2 : 1;
	}
	return length;
}

static bool is_called(const char *part, size_t length, const char *name)
{
	size_t name_length = strlen(name);

	return length > name_length && strncmp(part, name, name_length) == 0 && part[name_length] == '=';
}

/* append - one part of a list. False: too long. */
static bool append(char changed[TARGET_MAX], bool *first, const char *part, size_t length)
{
	size_t used = strlen(changed);
	bool fits = (size_t)snprintf(changed + used, TARGET_MAX - used, "%s%.*s", *first ? ":" : ",",
				     (int)length, part) < TARGET_MAX - used;

	*first = false;
	return fits;
}

bool conform_target_change(const char *target, const struct backend_head *backend, const char *name,
			   const char *value, uint32_t times, char changed[TARGET_MAX])
{
	const char *list = strchr(target, ':');
	const char *last = NULL; /* the part that takes the rest */
	char given[TARGET_MAX];
	bool first = true, fits;

	list = list ? list + 1 : "";
	fits = snprintf(changed, TARGET_MAX, "%s", backend->name) < TARGET_MAX &&
	       snprintf(given, sizeof(given), "%s=%s", name, value) < TARGET_MAX;
	while (*list) {
		size_t length = part_length(backend, list);

		if (!is_called(list, length, name)) {
			if (takes_the_rest(backend, list, strcspn(list, "=")))
				last = list;
			else
				fits = fits && append(changed, &first, list, length);
		}
		list += length + (list[length] == ',');
	}
	for (uint32_t i = 0; i < times; i++)
		fits = fits && append(changed, &first, given, strlen(given));
	return fits && (!last || append(changed, &first, last, strlen(last)));
}

bool conform_target_value(const char *target, const struct backend_head *backend, const char *name,
			  char value[TARGET_MAX])
{
	const char *list = strchr(target, ':');

	list = list ? list + 1 : "";
	while (*list) {
		size_t length = part_length(backend, list);

		if (is_called(list, length, name)) {
			snprintf(value, TARGET_MAX, "%.*s", (int)(length - strlen(name) - 1),
				 list + strlen(name) + 1);
			return true;
		}
		list += length + (list[length] == ',');
	}
	return false;
}

const char *conform_target_inner(const char *target, const struct backend_head *backend)
{
	const char *list = strchr(target, ':');

	list = list ? list + 1 : "";
	while (*list) {
		size_t length = part_length(backend, list), name_length = strcspn(list, "=");

		if (takes_the_rest(backend, list, name_length) && list[name_length] == '=')
			return list + name_length + 1;
		list += length + (list[length] == ',');
	}
	return NULL;
}
