// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ram.c - a disk in the host's memory, gone when it is closed
 *
 * Theory of operation: the disk is a range of addresses. A page of it comes into being when it is written first, and goes when
 * all of it is discarded; until then it reads as zeroes. Requests are copies, and complete before submit returns.
 *
 * To give memory back takes the longer the more there is, and a loop must not be kept: so a discard goes piece by piece, and
 * other requests have their turn between two of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xvhost/backend.h"

#define BLOCK_BYTES 512u
#define PAGE_BYTES UINT64_C(4096)
#define DISCARD_PIECE_BYTES (UINT64_C(16) << 20)

struct ram_config {
	uint64_t size_bytes;
};

/* One open disk. */
struct ram {
	char *memory;
	uint64_t size_bytes;
};

/* What a discard carries along. */
struct ram_request {
	uint64_t done_bytes;
};

static const struct xvhost_parameter ram_parameters[] = {
	{
		.name = "size",
		.type = XVHOST_BYTES,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct ram_config, size_bytes),
		.minimum = BLOCK_BYTES,
		.maximum = UINT64_C(1) << 44,
		.help = "how large the disk is, a multiple of 512 bytes; it takes memory as it is written",
	},
};

/* reserve - the addresses, without memory behind them. */
static int reserve(struct xvhost_disk *disk, struct ram *ram)
{
	void *memory = mmap(NULL, ram->size_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		int error = errno;

		disk->host->fail(disk,
				 "parameter size of backend ram is %" PRIu64 ": can't reserve so much: %s",
				 ram->size_bytes, strerror(error));
		return -error;
	}
	/* Or a sector could take 2 MiB. A kernel that has no huge pages says no. */
	madvise(memory, ram->size_bytes, MADV_NOHUGEPAGE);
	ram->memory = memory;
	return 0;
}

static int ram_open(struct xvhost_disk *disk, const void *opaque, struct xvhost_disk_properties *properties)
{
	const struct ram_config *config = opaque;
	struct ram *ram;
	int error;

	if (config->size_bytes % BLOCK_BYTES != 0) {
		disk->host->fail(disk,
				 "parameter size of backend ram is %" PRIu64 ", it must be a multiple of %u",
				 config->size_bytes, BLOCK_BYTES);
		return -EINVAL;
	}
	ram = malloc(sizeof(*ram));
	if (!ram)
		return -ENOMEM;
	ram->size_bytes = config->size_bytes;
	error = reserve(disk, ram);
	if (error < 0) {
		free(ram);
		return error;
	}
	properties->size_bytes = ram->size_bytes;
	properties->block_bytes = BLOCK_BYTES;
	properties->memory_alignment = 1;
	/* No XVHOST_DISK_FLUSH: there is no cache. */
	properties->flags = XVHOST_DISK_DISCARD | (disk->flags & XVHOST_DISK_READ_ONLY);
	disk->state = ram;
	return 0;
}

static void ram_close(struct xvhost_disk *disk)
{
	struct ram *ram = disk->state;

	munmap(ram->memory, ram->size_bytes);
	free(ram);
}

/* copy - between the disk and the request's memory. */
static void copy(const struct ram *ram, const struct xvhost_request *request)
{
	char *at = ram->memory + request->offset;

	for (uint32_t i = 0; i < request->iov_count; i++) {
		const struct iovec *piece = &request->iov[i];

		if (request->operation == XVHOST_READ)
			memcpy(piece->iov_base, at, piece->iov_len);
		else
			memcpy(at, piece->iov_base, piece->iov_len);
		at += piece->iov_len;
	}
}

/* discard - the next piece of whole pages; complete when there is none. */
static void discard(struct xvhost_request *request)
{
	const struct xvhost_host *host = request->queue->disk->host;
	const struct ram *ram = request->queue->disk->state;
	struct ram_request *mine = request->scratch;
	uint64_t from = (request->offset + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES + mine->done_bytes;
	uint64_t end = (request->offset + request->length) / PAGE_BYTES * PAGE_BYTES;
	uint64_t piece = from < end ? end - from : 0;

	if (piece > DISCARD_PIECE_BYTES)
		piece = DISCARD_PIECE_BYTES;
	if (piece > 0 && madvise(ram->memory + from, piece, MADV_DONTNEED) < 0) {
		host->complete(request, -errno);
		return;
	}
	mine->done_bytes += piece;
	if (from + piece < end)
		host->wait(request, 0);
	else
		host->complete(request, 0);
}

static void ram_submit(struct xvhost_request *request)
{
	struct ram_request *mine = request->scratch;

	if (request->operation == XVHOST_DISCARD) {
		mine->done_bytes = 0;
		discard(request);
		return;
	}
	copy(request->queue->disk->state, request);
	request->queue->disk->host->complete(request, 0);
}

static void ram_io_done(struct xvhost_request *request, int32_t result)
{
	if (result < 0)
		request->queue->disk->host->complete(request, result);
	else
		discard(request);
}

static const struct xvhost_disk_backend ram_backend = {
	.size = sizeof(ram_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "ram",
	.version = "1.0",
	.description = "a disk in the host's memory, gone when it is closed",
	.parameters = ram_parameters,
	.parameter_count = sizeof(ram_parameters) / sizeof(ram_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct ram_config),
	.request_size = sizeof(struct ram_request),
	.open = ram_open,
	.close = ram_close,
	.submit = ram_submit,
	.io_done = ram_io_done,
};

XVHOST_DISK_BACKEND(ram_backend);
