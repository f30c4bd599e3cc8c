// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_area.c - memory for packets that are copied from the guest
 */
#include "rings/netif_area.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "xvhost/backend.h"

int netif_area_init(struct netif_area *area)
{
	void *bytes = mmap(NULL, NETIF_AREA_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (bytes == MAP_FAILED)
		return -ENOMEM;
	area->bytes = bytes;
	return 0;
}

void netif_area_exit(struct netif_area *area)
{
	if (area->bytes)
		munmap(area->bytes, NETIF_AREA_BYTES);
}

static uint32_t aligned(uint32_t length)
{
	return (length + NETIF_AREA_ALIGNMENT - 1) & ~(NETIF_AREA_ALIGNMENT - 1);
}

/* begin_of - where a piece begins that comes next: it does not go beyond the area's end. */
static uint32_t begin_of(const struct netif_area *area, uint32_t length)
{
	uint32_t rest = NETIF_AREA_BYTES - area->head % NETIF_AREA_BYTES;

	return area->head + (rest < length ? rest : 0);
}

bool netif_area_fits(const struct netif_area *area)
{
	uint32_t length = aligned(XVHOST_NET_HEADROOM_BYTES + XVHOST_NET_BYTES_MAX);

	return begin_of(area, length) + length - area->tail <= NETIF_AREA_BYTES;
}

uint8_t *netif_area_take(struct netif_area *area, uint32_t packet, uint32_t length)
{
	uint32_t bytes = aligned(XVHOST_NET_HEADROOM_BYTES + length);
	uint32_t begin = begin_of(area, bytes), piece = area->end++ % NETIF_AREA_PIECES;

	area->head = begin + bytes;
	assert(area->head - area->tail <= NETIF_AREA_BYTES && area->end - area->first <= NETIF_AREA_PIECES);
	area->packets[piece] = (uint16_t)packet;
	area->ends[piece] = area->head;
	area->free[packet] = false;
	return area->bytes + begin % NETIF_AREA_BYTES + XVHOST_NET_HEADROOM_BYTES;
}

void netif_area_give_back(struct netif_area *area, uint32_t packet)
{
	area->free[packet] = true;
	while (area->first != area->end) {
		uint32_t piece = area->first % NETIF_AREA_PIECES;

		if (!area->free[area->packets[piece]])
			return;
		area->tail = area->ends[piece];
		area->first++;
	}
	area->head = area->tail = 0;
}
