/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.h - descriptors that backends watch; each call is looked at
 */
#ifndef CONFORM_WATCH_H
#define CONFORM_WATCH_H

#include "try/conform/loop.h"

/* conform_watch - what xvhost_host has. */
void conform_watch(struct xvhost_queue *queue, uint32_t index, int fd, uint32_t events);

/* conform_is_watch - is this what io_uring says of a watch, and not of a request's operation? */
bool conform_is_watch(uint64_t data);

/* conform_watch_deliver - tell the backend, unless it does not watch this any more; then it returns false. */
bool conform_watch_deliver(struct conform_loop *loop, uint64_t data, int32_t result);

/* conform_watch_stopping - tell all watches of the queue that it is to stop. */
void conform_watch_stopping(struct conform_queue *queue);

/* conform_watch_nothing - the queue has stopped. */
void conform_watch_nothing(struct conform_queue *queue);

#endif
