/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_watch.h - what a queue of a network card has io_uring do: descriptors that its backend watches
 */
#ifndef CONFORM_NET_WATCH_H
#define CONFORM_NET_WATCH_H

#include "try/conform/net_loop.h"

#define CONFORM_NET_NOTHING UINT64_MAX /* user_data of what ends something else */

/* conform_net_watch - what xvhost_net_host has. */
void conform_net_watch(struct xvhost_net_queue *queue, uint32_t index, int fd, uint32_t events);

/* conform_net_is_watch - is this what io_uring says of a watch, and not of an operation? */
bool conform_net_is_watch(uint64_t data);

/* conform_net_watch_deliver - tell the backend, unless it does not watch this any more; then it returns false. */
bool conform_net_watch_deliver(struct conform_net_loop *loop, uint64_t data, int32_t result);

/* conform_net_watch_stopping - tell all watches of the queue that it is to stop. */
void conform_net_watch_stopping(struct conform_net_queue *queue);

/* conform_net_watch_nothing - the queue has stopped. */
void conform_net_watch_nothing(struct conform_net_queue *queue);

/* conform_net_entry - a free place in the loop's io_uring. */
struct io_uring_sqe *conform_net_entry(struct conform_net_loop *loop);

#endif
