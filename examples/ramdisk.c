// SPDX-License-Identifier: MIT
/*
 * ramdisk.c - a disk in memory, which is gone when it is closed: the smallest useful backend
 *
 * Build it as a shared object and name it in a target: ./ramdisk.so:size=64M. The Makefile beside it shows how. It keeps
 * nothing when it is closed, so its promises are looked at by
 *
 *	xvhost-try --conform ./ramdisk.so --keeps while-open
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xvhost/backend.h>

#define BLOCK_BYTES 512u

/* What the target string gives. xvhost fills it by the table below. */
struct ramdisk_config {
	uint64_t size_bytes;
};

static const struct xvhost_parameter ramdisk_parameters[] = {
	{
		.name = "size",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct ramdisk_config, size_bytes),
		.default_text = "64M",
		.minimum = BLOCK_BYTES,
		.maximum = UINT64_C(1) << 40,
		.help = "how large the disk is, a multiple of 512 bytes",
	},
};

/* One open disk. */
struct ramdisk {
	uint64_t size_bytes;
	char *memory;
};

/*
 * ramdisk_open - what the table can't express is checked here. Whatever goes wrong is said by fail(), for the person
 * who wrote the target string.
 */
static int ramdisk_open(struct xvhost_disk *disk, const void *opaque,
			struct xvhost_disk_properties *properties)
{
	const struct ramdisk_config *config = opaque;
	struct ramdisk *ramdisk;

	if (config->size_bytes % BLOCK_BYTES != 0) {
		disk->host->fail(disk,
				 "parameter size of backend ramdisk is %llu, it must be a multiple of %u",
				 (unsigned long long)config->size_bytes, BLOCK_BYTES);
		return -EINVAL;
	}
	ramdisk = malloc(sizeof(*ramdisk));
	if (!ramdisk) {
		disk->host->fail(disk, "no memory for backend ramdisk");
		return -ENOMEM;
	}
	ramdisk->size_bytes = config->size_bytes;
	/* Pages come into being when they are first written; until then they read as zeroes. */
	ramdisk->memory = mmap(NULL, ramdisk->size_bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ramdisk->memory == MAP_FAILED) {
		disk->host->fail(disk,
				 "parameter size of backend ramdisk is %llu: there is not so much memory",
				 (unsigned long long)config->size_bytes);
		free(ramdisk);
		return -ENOMEM;
	}
	disk->state = ramdisk;
	properties->size_bytes = ramdisk->size_bytes;
	properties->block_bytes = BLOCK_BYTES;
	properties->memory_alignment = 1;
	/* No XVHOST_DISK_FLUSH: nothing is in a cache. A disk that is given for reading only says so. */
	properties->flags = disk->flags & XVHOST_DISK_READ_ONLY;
	return 0;
}

static void ramdisk_close(struct xvhost_disk *disk)
{
	struct ramdisk *ramdisk = disk->state;

	munmap(ramdisk->memory, ramdisk->size_bytes);
	free(ramdisk);
}

/*
 * ramdisk_submit - the host has checked that the request lies within the disk. The guest's memory comes in pieces; those of
 * a write may only be read.
 */
static void ramdisk_submit(struct xvhost_request *request)
{
	const struct ramdisk *ramdisk = request->queue->disk->state;
	char *at = ramdisk->memory + request->offset;

	for (uint32_t i = 0; i < request->iov_count; i++) {
		const struct iovec *piece = &request->iov[i];

		if (request->operation == XVHOST_READ)
			memcpy(piece->iov_base, at, piece->iov_len);
		else
			memcpy(at, piece->iov_base, piece->iov_len);
		at += piece->iov_len;
	}
	/* From here on the request is the host's: not even its iovecs may be looked at. */
	request->queue->disk->host->complete(request, 0);
}

static const struct xvhost_disk_backend ramdisk_backend = {
	.size = sizeof(ramdisk_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "ramdisk",
	.version = "1.0",
	.description = "a disk in memory, gone when it is closed",
	.parameters = ramdisk_parameters,
	.parameter_count = sizeof(ramdisk_parameters) / sizeof(ramdisk_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct ramdisk_config),
	.open = ramdisk_open,
	.close = ramdisk_close,
	.submit = ramdisk_submit,
};

XVHOST_DISK_BACKEND(ramdisk_backend);
