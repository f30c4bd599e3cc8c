/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_host.h - the host's functions for the loop thread of network cards, and calls of net backends, all of which are watched
 */
#ifndef CONFORM_NET_HOST_H
#define CONFORM_NET_HOST_H

#include "try/conform/net_loop.h"

/* What each card sees as its host. */
extern const struct xvhost_net_host conform_net_host;

/* The loop of this thread, NULL on any other. */
extern _Thread_local struct conform_net_loop *conform_my_net_loop;

/* Which packet lies in which arena. */
extern struct conform_net_packet *conform_net_packets[CONFORM_ARENAS_MAX];

/* conform_net_queue_of - whose queue is this? Breaks a promise if this function of the host can't be called for it here. */
struct conform_net_queue *conform_net_queue_of(const struct xvhost_net_queue *seen, const char *function);

/* conform_net_packet_of - the packet that is to be ended or passed on now. Breaks a promise if that can't be. */
struct conform_net_packet *conform_net_packet_of(const struct xvhost_packet *seen, const char *function);

/* conform_net_is_faulty - is the operation that begins now the one that is to fail? Counts it. */
bool conform_net_is_faulty(struct conform_net_loop *loop);

/* conform_net_describe - for conform_memory_user. */
bool conform_net_describe(uint32_t arena, char *text, size_t size);

#endif
