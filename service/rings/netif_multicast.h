/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_multicast.h - the multicast addresses that a guest asks for
 *
 * A guest asks on any of a card's queues, and what it gets comes by another one, whose loop may be another thread. So each address is
 * one atomic word, and there is no lock.
 */
#ifndef NETIF_MULTICAST_H
#define NETIF_MULTICAST_H

#include <stdbool.h>
#include <stdint.h>

#include "rings/netif.h"

/* netif_multicast_add - returns 0, or -ENOSPC when there are NETIF_MULTICAST_MAX. One that is there stays. */
int netif_multicast_add(struct netif_multicast *multicast, const uint8_t address[6]);

/* netif_multicast_remove - one that is not there is no error. */
void netif_multicast_remove(struct netif_multicast *multicast, const uint8_t address[6]);

bool netif_multicast_has(const struct netif_multicast *multicast, const uint8_t address[6]);

#endif
