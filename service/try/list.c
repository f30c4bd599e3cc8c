// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * list.c - for people: which backends there are, and what one of them takes
 */
#include "try/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/backends.h"

struct listing {
	const char *directory;
	enum backend_kind kind;
	bool complete;
};

static void list_one(void *context, const char *name, bool built_in)
{
	struct listing *listing = context;
	const struct xvhost_disk_backend *disk;
	const struct xvhost_net_backend *net;
	const struct backend_head *backend;
	char text[ERROR_TEXT_MAX];
	int error;

	if (listing->kind == BACKEND_DISK) {
		error = backends_find(listing->directory, name, &disk, text);
		backend = head_of_disk(disk);
	} else {
		error = backends_find_net(listing->directory, name, &net, text);
		backend = head_of_net(net);
	}
	if (error == 0) {
		printf("%-12s %-8s %-9s %s\n", backend->name, backend->version,
		       built_in ? "built in" : "loadable", backend->description);
	} else {
		fprintf(stderr, "xvhost-try: %s\n", text);
		listing->complete = false;
	}
}

bool list_backends(const char *directory)
{
	struct listing listing = {directory, BACKEND_DISK, true};

	backends_each(listing.kind, directory, list_one, &listing);
	printf("\nFor network cards, with --net:\n");
	listing.kind = BACKEND_NET;
	backends_each(listing.kind, directory, list_one, &listing);
	return listing.complete;
}

/* print_size - a number of bytes in the largest unit that it is a multiple of. */
static void print_size(uint64_t bytes)
{
	static const char units[] = "TGMK";

	for (int i = 0; i < 4; i++) {
		uint64_t unit = UINT64_C(1) << (40 - 10 * i);

		if (bytes > 0 && bytes % unit == 0) {
			printf("%" PRIu64 "%c", bytes / unit, units[i]);
			return;
		}
	}
	printf("%" PRIu64, bytes);
}

static void print_number(uint64_t number)
{
	printf("%" PRIu64, number);
}

/* print_range - what a number can be. */
static void print_range(const struct xvhost_parameter *parameter)
{
	void (*print)(uint64_t number) = parameter->type == XVHOST_BYTES ? print_size : print_number;

	if (parameter->minimum == 0 && parameter->maximum == 0)
		return;
	printf(", ");
	print(parameter->minimum);
	if (parameter->maximum == 0) {
		printf(" or more");
		return;
	}
	printf(" to ");
	print(parameter->maximum);
}

/* type_name - the value's place in what people write. */
static const char *type_name(uint32_t type)
{
	switch ((enum xvhost_parameter_type)type) {
	case XVHOST_STRING:
		return "TEXT";
	case XVHOST_BOOL:
		return "on|off";
	case XVHOST_NUMBER:
		return "NUMBER";
	case XVHOST_BYTES:
		return "BYTES";
	case XVHOST_TARGET:
		return "TARGET";
	}
	return "?";
}

static void list_parameter(const struct xvhost_parameter *parameter)
{
	char form[64];

	snprintf(form, sizeof(form), "%s=%s", parameter->name, type_name(parameter->type));
	printf("\n  %-24s", form);
	if (parameter->flags & XVHOST_REQUIRED)
		printf(" required");
	else if (parameter->default_text)
		printf(" default %s", parameter->default_text);
	else
		printf(" no default");
	if (parameter->type == XVHOST_TARGET)
		printf(", the last one: takes all that follows");
	if (parameter->type == XVHOST_NUMBER || parameter->type == XVHOST_BYTES)
		print_range(parameter);
	printf("\n      %s\n", parameter->help ? parameter->help : "");
}

void list_parameters(const struct backend_head *backend)
{
	printf("%s %s - %s\n", backend->name, backend->version, backend->description);
	if (backend->parameter_count == 0)
		printf("\n  no parameters\n");
	for (uint32_t i = 0; i < backend->parameter_count; i++)
		list_parameter(backends_parameter(backend, i));
}
