// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wrong-table.c - a disk that drops what is written, with a table that $WRONG_TABLE makes wrong
 *
 * tests/try/conform says what is said of each.
 */
#include <stdlib.h>
#include <string.h>

#include "xvhost/backend.h"

struct config {
	uint64_t size_bytes;
	const char *inner;
	const char *second;
};

static int wrong_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct config *config = opaque;

	properties->size_bytes = config->size_bytes;
	properties->block_bytes = 512;
	properties->memory_alignment = 1;
	properties->flags = disk->flags & XVHOST_DISK_READ_ONLY;
	return 0;
}

static void wrong_close(struct xvhost_disk *disk)
{
	(void)disk;
}

static void wrong_submit(struct xvhost_request *request)
{
	if (request->operation == XVHOST_READ)
		for (uint32_t i = 0; i < request->iov_count; i++)
			memset(request->iov[i].iov_base, 0, request->iov[i].iov_len);
	request->queue->disk->host->complete(request, 0);
}

static struct xvhost_parameter parameters[] = {
	{.name = "size",
	 .type = XVHOST_NUMBER,
	 .offset = offsetof(struct config, size_bytes),
	 .default_text = "1048576",
	 .minimum = 1048576,
	 .maximum = 1048576,
	 .help = "how large the disk is"},
	{.name = "inner",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, inner),
	 .help = "names nothing yet"},
	{.name = "second",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, second),
	 .help = "names nothing yet"},
};

/* A table from a later time, when there were more members. */
static struct {
	struct xvhost_disk_backend table;
	void *added_later[4];
} later = {
	.table =
		{
			.size = sizeof(later.table),
			.abi = XVHOST_BACKEND_ABI,
			.name = "wrong-table",
			.version = "1.0",
			.description = "a disk whose table is wrong",
			.parameters = parameters,
			.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
			.parameter_size = sizeof(struct xvhost_parameter),
			.config_size = sizeof(struct config),
			.open = wrong_open,
			.close = wrong_close,
			.submit = wrong_submit,
		},
};

/* make_wrong - as its name says. */
static void make_wrong(const char *how)
{
	if (strcmp(how, "newer-abi") == 0)
		later.table.abi = XVHOST_BACKEND_ABI + 1;
	else if (strcmp(how, "small") == 0)
		later.table.size = 40;
	else if (strcmp(how, "larger") == 0)
		later.table.size = sizeof(later);
	else if (strcmp(how, "no-submit") == 0)
		later.table.submit = NULL;
	else if (strcmp(how, "large-scratch") == 0)
		later.table.request_size = 4097;
	else if (strcmp(how, "two-lines") == 0)
		later.table.description = "two\nlines";
	else if (strcmp(how, "same-name") == 0)
		parameters[1].name = "size";
	else if (strcmp(how, "same-place") == 0)
		parameters[1].offset = 0;
	else if (strcmp(how, "outside") == 0)
		later.table.config_size = 16;
	else if (strcmp(how, "unaligned") == 0)
		parameters[2].offset -= 4;
	else if (strcmp(how, "unknown-type") == 0)
		parameters[1].type = 9;
	else if (strcmp(how, "capital") == 0)
		parameters[1].name = "Inner";
	else if (strcmp(how, "no-help") == 0)
		parameters[1].help = "";
	else if (strcmp(how, "required-with-default") == 0)
		parameters[0].flags = XVHOST_REQUIRED;
	else if (strcmp(how, "minimum-above-maximum") == 0)
		parameters[0].minimum++;
	else if (strcmp(how, "bad-default") == 0)
		parameters[0].default_text = "1M";
	else if (strcmp(how, "optional-target") == 0)
		parameters[1].type = XVHOST_TARGET;
	else if (strcmp(how, "no-forwarded") == 0) {
		parameters[1].type = XVHOST_TARGET;
		parameters[1].flags = XVHOST_REQUIRED;
	} else
		abort();
}

const struct xvhost_disk_backend *xvhost_disk_backend_entry(void);

XVHOST_EXPORT const struct xvhost_disk_backend *xvhost_disk_backend_entry(void)
{
	const char *how = getenv("WRONG_TABLE");

	if (how)
		make_wrong(how);
	return &later.table;
}
