// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * corrupting.c - a wrong backend: a disk in memory that changes one byte of every hundredth write
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xvhost/backend.h"

#define DISK_BYTES (1u << 20)
#define WRITES_BETWEEN 100u

/* One open disk. There is one loop thread, so nothing is locked. */
struct corrupting {
	unsigned int writes;
	unsigned char data[DISK_BYTES];
};

static int corrupting_open(struct xvhost_disk *disk, const void *config,
			   struct xvhost_disk_properties *properties)
{
	(void)config;
	disk->state = calloc(1, sizeof(struct corrupting));
	if (!disk->state) {
		disk->host->fail(disk, "no memory for %u bytes", DISK_BYTES);
		return -ENOMEM;
	}
	properties->size_bytes = DISK_BYTES;
	properties->block_bytes = 512;
	properties->memory_alignment = 1;
	return 0;
}

static void corrupting_close(struct xvhost_disk *disk)
{
	free(disk->state);
}

static void corrupting_submit(struct xvhost_request *request)
{
	struct corrupting *corrupting = request->queue->disk->state;
	unsigned char *data = corrupting->data + request->offset;

	for (uint32_t i = 0; i < request->iov_count; i++) {
		if (request->operation == XVHOST_READ)
			memcpy(request->iov[i].iov_base, data, request->iov[i].iov_len);
		else
			memcpy(data, request->iov[i].iov_base, request->iov[i].iov_len);
		data += request->iov[i].iov_len;
	}
	if (request->operation == XVHOST_WRITE && ++corrupting->writes % WRITES_BETWEEN == 0)
		data[-1] ^= 1;
	request->queue->disk->host->complete(request, 0);
}

static const struct xvhost_disk_backend corrupting_backend = {
	.size = sizeof(corrupting_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "corrupting",
	.version = "1.0",
	.description = "a wrong disk: changes one byte of every hundredth write",
	.open = corrupting_open,
	.close = corrupting_close,
	.submit = corrupting_submit,
};

XVHOST_DISK_BACKEND(corrupting_backend);
