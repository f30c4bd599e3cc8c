// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_node.c - reading what frontends of any kind write into xenstore
 */
#include "daemon/frontend_node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/nodes.h"
#include "daemon/text.h"

int frontend_refuse(struct frontend_reading *reading, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reading->text, ERROR_TEXT_MAX, format, arguments);
	va_end(arguments);
	text_clean(reading->text);
	return error;
}

int frontend_read_number(struct frontend_reading *reading, const char *name, uint32_t minimum,
			 uint32_t maximum, uint32_t *value)
{
	char *text = nodes_read(reading->host, reading->directory, name);
	uint64_t number;
	int error = 0;

	if (text == NULL && errno == ENOENT)
		return -ENOENT;
	if (text == NULL)
		return frontend_refuse(reading, -errno, "frontend node %s can't be read: %s", name,
				       strerror(errno));
	if (text_number(text, minimum, maximum, &number))
		*value = (uint32_t)number;
	else
		error = frontend_refuse(
			reading, -EINVAL,
			"frontend node %s is \"%.40s\"; it must be a decimal number from %" PRIu32
			" to %" PRIu32,
			name, text, minimum, maximum);
	free(text);
	return error;
}

int frontend_read_needed(struct frontend_reading *reading, const char *name, uint32_t minimum,
			 uint32_t maximum, uint32_t *value)
{
	int error = frontend_read_number(reading, name, minimum, maximum, value);

	if (error == -ENOENT)
		return frontend_refuse(
			reading, error,
			"frontend node %s is missing; it must be a decimal number from %" PRIu32
			" to %" PRIu32,
			name, minimum, maximum);
	return error;
}

int frontend_read_queue_node(struct frontend_reading *reading, const char *prefix, const char *name,
			     uint32_t minimum, uint32_t maximum, uint32_t *value)
{
	char path[NODE_NAME_MAX];

	snprintf(path, sizeof(path), "%s%s", prefix, name);
	return frontend_read_needed(reading, path, minimum, maximum, value);
}

int frontend_read_flag(struct frontend_reading *reading, const char *name, bool *flag)
{
	uint32_t value = 0;
	int error = frontend_read_number(reading, name, 0, 1, &value);

	*flag = value == 1;
	return error == -ENOENT ? 0 : error;
}
