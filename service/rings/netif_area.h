/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_area.h - memory for packets that are copied from the guest
 *
 * Theory of operation: each packet gets one piece. Packets end nearly in the order in which they came, so the area is used round and
 * round, and a piece is free again when all that were taken before it are free, too. Pieces are named by the index of their
 * packet. When nothing is taken the area begins anew, so that a queue with few packets uses a few pages.
 */
#ifndef NETIF_AREA_H
#define NETIF_AREA_H

#include <stdbool.h>
#include <stdint.h>

#define NETIF_AREA_BYTES (512u * 1024) /* a power of 2 */
#define NETIF_AREA_ALIGNMENT 64u
#define NETIF_AREA_PIECES 256u /* a power of 2 */

struct netif_area {
	uint8_t *bytes;
	uint32_t head, tail; /* count bytes and wrap: taken up to here, free up to here */
	uint32_t first, end; /* count pieces and wrap: the oldest that is taken, the next one */
	/* By piece: the packet's index, and where it ends. */
	uint16_t packets[NETIF_AREA_PIECES];
	uint32_t ends[NETIF_AREA_PIECES];
	bool free[NETIF_AREA_PIECES]; /* by packet */
};

/* netif_area_init - returns 0 or -ENOMEM. Memory of ours is used when it is first taken. */
int netif_area_init(struct netif_area *area);
void netif_area_exit(struct netif_area *area);

/* netif_area_fits - is there room for any packet? */
bool netif_area_fits(const struct netif_area *area);

/* netif_area_take - a piece of `length` bytes, with XVHOST_NET_HEADROOM_BYTES before it. There is room, and the packet has none. */
uint8_t *netif_area_take(struct netif_area *area, uint32_t packet, uint32_t length);

void netif_area_give_back(struct netif_area *area, uint32_t packet);

#endif
