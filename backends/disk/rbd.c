// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rbd.c - a disk that is an image of a Ceph cluster
 *
 * What is done here, and what in the other files: rbd_internal.h.
 */
#include <inttypes.h>

#include "rbd_internal.h"

static const struct xvhost_parameter rbd_parameters[] = {
	{
		.name = "image",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct rbd_config, image),
		.help = "POOL/IMAGE, POOL/NAMESPACE/IMAGE, and @SNAPSHOT after it for one of its snapshots",
	},
	{
		.name = "conf",
		.type = XVHOST_STRING,
		.offset = offsetof(struct rbd_config, conf),
		.help = "the cluster's configuration file; without it the one that librados finds, such as "
			"/etc/ceph/ceph.conf",
	},
	{
		.name = "id",
		.type = XVHOST_STRING,
		.offset = offsetof(struct rbd_config, id),
		.help = "the user, as in client.ID; without it admin",
	},
	{
		.name = "timeout-s",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct rbd_config, timeout_s),
		.default_text = "0",
		.maximum = 86400,
		.help = "requests that the cluster does not answer for so many seconds fail; 0: they wait "
			"for ever",
	},
};

static bool host_can_watch(const struct xvhost_host *host)
{
	return host->size >= offsetof(struct xvhost_host, watch) + sizeof(host->watch);
}

static int rbd_disk_open(struct xvhost_disk *disk, const void *opaque,
			 struct xvhost_disk_properties *properties)
{
	const struct rbd_config *config = opaque;
	struct image *image;
	uint64_t size_bytes;
	int error;

	if (!host_can_watch(disk->host)) {
		disk->host->fail(disk, "backend rbd needs a newer xvhost, which can watch descriptors");
		return -ENOSYS;
	}
	error = image_open(disk, config, &image);
	if (error < 0)
		return error;
	size_bytes = image_size(image);
	if (size_bytes == 0 || size_bytes % IMAGE_BLOCK_BYTES != 0) {
		disk->host->fail(disk,
				 "parameter image of backend rbd is '%s': it has %" PRIu64
				 " bytes, which must be a multiple of %u",
				 config->image, size_bytes, IMAGE_BLOCK_BYTES);
		image_close(image);
		return -EINVAL;
	}
	disk->state = image;
	properties->size_bytes = size_bytes;
	properties->block_bytes = IMAGE_BLOCK_BYTES;
	properties->memory_alignment = 1;
	if (image->snapshot || (disk->flags & XVHOST_DISK_READ_ONLY))
		properties->flags = XVHOST_DISK_READ_ONLY;
	else
		properties->flags = XVHOST_DISK_FLUSH | XVHOST_DISK_DISCARD;
	return 0;
}

static void rbd_disk_close(struct xvhost_disk *disk)
{
	image_close(disk->state);
}

static int rbd_disk_measure(struct xvhost_disk *disk, uint64_t *size_bytes)
{
	*size_bytes = image_size(disk->state);
	return 0;
}

static const struct xvhost_disk_backend rbd_backend = {
	.size = sizeof(rbd_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "rbd",
	.version = "1.0",
	.description = "a disk that is an image of a Ceph cluster",
	.parameters = rbd_parameters,
	.parameter_count = sizeof(rbd_parameters) / sizeof(rbd_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct rbd_config),
	.open = rbd_disk_open,
	.close = rbd_disk_close,
	.measure = rbd_disk_measure,
	.queue_start = rbd_queue_start,
	.queue_stop = rbd_queue_stop,
	.submit = rbd_queue_submit,
	.ready = rbd_queue_ready,
};

XVHOST_DISK_BACKEND(rbd_backend);
