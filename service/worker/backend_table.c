// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_table.c - what a backend says of itself: is it all there, and for this ABI?
 */
#include "worker/backend_table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_SIZE_MAX 4096u /* as backend.h says */

#define SAME_PLACE(member)                                                                                   \
	static_assert(offsetof(struct backend_head, member) ==                                               \
				      offsetof(struct xvhost_disk_backend, member) &&                        \
			      offsetof(struct backend_head, member) ==                                       \
				      offsetof(struct xvhost_net_backend, member),                           \
		      #member)
SAME_PLACE(size);
SAME_PLACE(abi);
SAME_PLACE(name);
SAME_PLACE(version);
SAME_PLACE(description);
SAME_PLACE(parameters);
SAME_PLACE(parameter_count);
SAME_PLACE(parameter_size);
SAME_PLACE(config_size);

/* Bytes that each structure had in the first version of the ABI: no backend can have less. */
#define FIRST_DISK_SIZE (offsetof(struct xvhost_disk_backend, io_done) + sizeof(void (*)(void)))
#define FIRST_NET_SIZE (offsetof(struct xvhost_net_backend, ready) + sizeof(void (*)(void)))
#define FIRST_PARAMETER_SIZE (offsetof(struct xvhost_parameter, help) + sizeof(const char *))

/* Bytes of each kind's table: at least, and as this host knows it. */
static const struct {
	size_t first, known;
} table_bytes[BACKEND_KINDS] = {
	[BACKEND_DISK] = {FIRST_DISK_SIZE, sizeof(struct xvhost_disk_backend)},
	[BACKEND_NET] = {FIRST_NET_SIZE, sizeof(struct xvhost_net_backend)},
};

const struct xvhost_parameter *backends_parameter(const struct backend_head *backend, uint32_t number)
{
	const char *rows = (const char *)backend->parameters;

	return (const struct xvhost_parameter *)(const void *)(rows +
							       (size_t)number * backend->parameter_size);
}

/* missing_in_head - the name of what the beginning of a table lacks, NULL if it has all. */
static const char *missing_in_head(const struct backend_head *head)
{
	if (!head->name || !head->name[0])
		return "name";
	if (!head->version)
		return "version";
	if (!head->description)
		return "description";
	if (head->parameter_count > 0 && (!head->parameters || head->parameter_size < FIRST_PARAMETER_SIZE))
		return "parameters";
	return NULL;
}

static const char *missing_in_disk(const struct xvhost_disk_backend *table)
{
	if (!table->open)
		return "open";
	if (!table->close)
		return "close";
	if (!table->submit)
		return "submit";
	return NULL;
}

static const char *missing_in_net(const struct xvhost_net_backend *table)
{
	if (!table->open)
		return "open";
	if (!table->close)
		return "close";
	if (!table->queue_start)
		return "queue_start";
	if (!table->queue_stop)
		return "queue_stop";
	if (!table->transmit)
		return "transmit";
	if (!table->room)
		return "room";
	if (!table->delivered)
		return "delivered";
	return NULL;
}

/* missing_part - the name of what a table lacks, NULL if it has all. */
static const char *missing_part(enum backend_kind kind, const struct backend_head *table)
{
	const char *missing = missing_in_head(table);

	if (missing)
		return missing;
	return kind == BACKEND_DISK ? missing_in_disk(disk_of_head(table))
				    : missing_in_net(net_of_head(table));
}

/* missing_in_wrapper - what a table lacks that has a parameter of type XVHOST_TARGET; NULL if it has all. */
static const char *missing_in_wrapper(enum backend_kind kind, const struct backend_head *table)
{
	bool forwarded = kind == BACKEND_DISK ? disk_of_head(table)->forwarded != NULL
					      : net_of_head(table)->forwarded != NULL;

	if (!forwarded)
		return "a parameter of type XVHOST_TARGET, but no 'forwarded'";
	if (kind == BACKEND_NET && !net_of_head(table)->offered)
		return "a parameter of type XVHOST_TARGET, but no 'offered'";
	return NULL;
}

/* wrong_wrapper - what is wrong with the parts that make a backend a wrapper; NULL if nothing is. */
static const char *wrong_wrapper(enum backend_kind kind, const struct backend_head *backend)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < backend->parameter_count; i++) {
		const struct xvhost_parameter *parameter = backends_parameter(backend, i);

		if (parameter->type != XVHOST_TARGET)
			continue;
		if (kind == BACKEND_NET && strcmp(parameter->name, "target") != 0)
			return "a parameter of type XVHOST_TARGET that is not called 'target'";
		if (++count > 1)
			return "more than one parameter of type XVHOST_TARGET";
		if (!(parameter->flags & XVHOST_REQUIRED))
			return "a parameter of type XVHOST_TARGET without XVHOST_REQUIRED";
	}
	return count > 0 ? missing_in_wrapper(kind, backend) : NULL;
}

int backend_table_adopt(enum backend_kind kind, const struct backend_head *table, const char *origin,
			const struct backend_head **backend, char text[ERROR_TEXT_MAX])
{
	const size_t known = table_bytes[kind].known;
	const char *missing, *wrong;
	struct backend_head *copy;

	if (table->abi != XVHOST_BACKEND_ABI) {
		snprintf(text, ERROR_TEXT_MAX, "%s was built for backend ABI %u, this xvhost has ABI %u",
			 origin, table->abi, XVHOST_BACKEND_ABI);
		return -ELIBBAD;
	}
	if (table->size < table_bytes[kind].first) {
		snprintf(text, ERROR_TEXT_MAX, "%s has a backend table of %u bytes, ABI %u has at least %zu",
			 origin, table->size, XVHOST_BACKEND_ABI, table_bytes[kind].first);
		return -ELIBBAD;
	}
	missing = missing_part(kind, table);
	if (missing) {
		snprintf(text, ERROR_TEXT_MAX, "%s lacks '%s' in its backend table", origin, missing);
		return -ELIBBAD;
	}
	if (kind == BACKEND_DISK && disk_of_head(table)->request_size > REQUEST_SIZE_MAX) {
		snprintf(text, ERROR_TEXT_MAX, "%s asks for %u bytes for each request, at most %u are given",
			 origin, disk_of_head(table)->request_size, REQUEST_SIZE_MAX);
		return -ELIBBAD;
	}
	copy = calloc(1, known);
	if (!copy) {
		snprintf(text, ERROR_TEXT_MAX, "%s: no memory", origin);
		return -ENOMEM;
	}
	memcpy(copy, table, table->size < known ? table->size : known);
	copy->size = (uint32_t)known;
	wrong = wrong_wrapper(kind, copy);
	if (wrong) {
		snprintf(text, ERROR_TEXT_MAX, "%s has %s in its backend table", origin, wrong);
		free(copy);
		return -ELIBBAD;
	}
	*backend = copy;
	return 0;
}
