// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_kept.c - writes that are kept until they are durable
 *
 * Two rings, of the writes and of their data. A write is added at the end when it is sent; what is durable is dropped at
 * the front. When all is dropped the data begins at the memory's start again, so that a guest that writes little uses
 * little of it.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "nbd_internal.h"

#define BYTES_OF_ONE 4096 /* so many writes as if each had this many bytes */

int remote_kept_init(struct kept *kept, uint64_t data_bytes)
{
	void *data = mmap(NULL, data_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (data == MAP_FAILED)
		return -ENOMEM;
	kept->write_count = (uint32_t)(data_bytes / BYTES_OF_ONE);
	kept->writes = calloc(kept->write_count, sizeof(kept->writes[0]));
	if (!kept->writes) {
		munmap(data, data_bytes);
		return -ENOMEM;
	}
	kept->data = data;
	kept->data_bytes = data_bytes;
	return 0;
}

void remote_kept_destroy(struct kept *kept)
{
	if (!kept->data)
		return;
	munmap(kept->data, kept->data_bytes);
	free(kept->writes);
}

struct kept_write *remote_kept_add(struct kept *kept, struct xvhost_request *request, uint64_t at,
				   uint32_t length)
{
	struct kept_write *write = remote_kept_at(kept, kept->end);
	uint64_t to_end, place;

	if (kept->first == kept->end)
		kept->data_first = kept->data_end = 0;
	place = kept->data_end;
	to_end = kept->data_bytes - place % kept->data_bytes;
	/* The data of one write lies together. */
	if (to_end < length)
		place += to_end;
	if (kept->end - kept->first == kept->write_count ||
	    place + length - kept->data_first > kept->data_bytes) {
		kept->waited_for = true;
		return NULL;
	}
	kept->end++;
	kept->data_end = place + length;
	*write = (struct kept_write){
		.state = KEPT_SENT, .at = at, .length = length, .place = place, .request = request};
	return write;
}

bool remote_kept_is_half_full(const struct kept *kept)
{
	bool half = kept->end - kept->first > kept->write_count / 2 ||
		    kept->data_end - kept->data_first > kept->data_bytes / 2;

	return half && remote_kept_at(kept, kept->first)->state == KEPT_WRITTEN;
}

void remote_kept_written(struct kept *kept, struct kept_write *write, int error, bool durable)
{
	write->request = NULL;
	/* What could not be written is not written later, either. */
	write->state = error < 0 || durable ? KEPT_DURABLE : KEPT_WRITTEN;
	write->number = ++kept->written;
}

bool remote_kept_forget(struct kept *kept)
{
	bool waited_for = kept->waited_for;
	uint64_t first = kept->first;

	while (kept->first < kept->end && remote_kept_at(kept, kept->first)->state == KEPT_DURABLE)
		kept->first++;
	kept->data_first = kept->first < kept->end ? remote_kept_at(kept, kept->first)->place
						   : kept->data_end;
	if (kept->first == first)
		return false;
	kept->waited_for = false;
	return waited_for;
}

bool remote_kept_flushed(struct kept *kept, uint64_t number)
{
	for (uint64_t i = kept->first; i < kept->end; i++) {
		struct kept_write *write = remote_kept_at(kept, i);

		if (write->state == KEPT_WRITTEN && write->number <= number)
			write->state = KEPT_DURABLE;
	}
	return remote_kept_forget(kept);
}

uint64_t remote_kept_bytes(const struct kept *kept)
{
	uint64_t bytes = 0;

	for (uint64_t i = kept->first; i < kept->end; i++)
		if (remote_kept_at(kept, i)->state == KEPT_WRITTEN)
			bytes += remote_kept_at(kept, i)->length;
	return bytes;
}
