// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * null.c - a disk that reads as zeroes and drops what is written
 *
 * It shows what xvhost and the guest cost by themselves, and it is the smallest backend: each request is
 * complete before submit returns.
 */
#include <errno.h>
#include <string.h>

#include "xvhost/backend.h"

struct null_config {
	uint64_t size_bytes;
};

static const struct xvhost_parameter null_parameters[] = {
	{
		.name = "size",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct null_config, size_bytes),
		.default_text = "1G",
		.minimum = 512,
		.maximum = UINT64_C(1) << 60,
		.help = "how large the disk is",
	},
};

static int null_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct null_config *config = opaque;

	if (config->size_bytes % 512 != 0) {
		disk->host->fail(disk, "parameter size of backend null is %llu, it must be a multiple of 512",
				 (unsigned long long)config->size_bytes);
		return -EINVAL;
	}
	properties->size_bytes = config->size_bytes;
	properties->block_bytes = 512;
	properties->memory_alignment = 1;
	properties->flags = XVHOST_DISK_DISCARD | (disk->flags & XVHOST_DISK_READ_ONLY);
	return 0;
}

static void null_close(struct xvhost_disk *disk)
{
	(void)disk;
}

static void null_submit(struct xvhost_request *request)
{
	if (request->operation == XVHOST_READ)
		for (uint32_t i = 0; i < request->iov_count; i++)
			memset(request->iov[i].iov_base, 0, request->iov[i].iov_len);
	request->queue->disk->host->complete(request, 0);
}

static const struct xvhost_disk_backend null_backend = {
	.size = sizeof(null_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "null",
	.version = "1.0",
	.description = "a disk that reads as zeroes and drops what is written",
	.parameters = null_parameters,
	.parameter_count = sizeof(null_parameters) / sizeof(null_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct null_config),
	.open = null_open,
	.close = null_close,
	.submit = null_submit,
};

XVHOST_DISK_BACKEND(null_backend);
