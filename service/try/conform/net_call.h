/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_call.h - calls of net backends, each for one queue, and when they come
 */
#ifndef CONFORM_NET_CALL_H
#define CONFORM_NET_CALL_H

#include "try/conform/net_loop.h"

int conform_net_call_start(struct conform_net_queue *queue);
void conform_net_call_stop(struct conform_net_queue *queue);
void conform_net_call_transmit(struct conform_net_queue *queue, struct xvhost_packet *const *packets,
			       uint32_t count);
void conform_net_call_ready(struct conform_net_queue *queue, uint32_t index, int32_t events);
void conform_net_call_room(struct conform_net_queue *queue);
void conform_net_call_delivered(struct conform_net_queue *queue, struct xvhost_packet *packet, int error);
void conform_net_call_forwarded(struct conform_net_queue *queue, struct xvhost_packet *packet, int error);
bool conform_net_call_offered(struct conform_net_queue *queue, struct xvhost_packet *packet);

/* conform_net_tell_stop - the queue is to stop, and those below: tell the backends, end reads and waits, tell the watches. */
void conform_net_tell_stop(struct conform_net_queue *queue);

/* conform_net_tell_room - if the backend waits for room and there is some. Returns whether it did. */
bool conform_net_tell_room(struct conform_net_queue *queue);

/* conform_net_delivered - give back all that the host has taken. Returns whether there was anything. */
bool conform_net_delivered(struct conform_net_queue *queue);

/* conform_net_deliver - what io_uring says of an operation or a watch. Returns whether a backend was told. */
bool conform_net_deliver(struct conform_net_loop *loop, uint64_t data, int32_t result);

#endif
