/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - the thread that serves rings
 *
 * Theory of operation: one thread, one io_uring, one place that waits. Each turn reaps what io_uring has,
 * takes requests from the rings that have some (a bounded number from each, so that no disk starves another),
 * maps them together, submits them, answers what is complete, notifies each frontend at most once, and
 * unmasks the event channels by one write. The I/O that backends start goes into the same io_uring; all of it
 * is handed to the kernel by the system call that waits.
 *
 * The control thread talks to the loop by two small mailboxes: commands in, events out. It never touches a
 * queue between loop_serve and the event LOOP_RELEASED.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"
#include "rings/blkif.h"
#include "rings/netif.h"

/* Queues of one loop: all of all disks, and of all cards, when there is only one. */
#define LOOP_QUEUES_MAX (CONFIG_MAX_DISKS_PER_GUEST * DISK_QUEUES_MAX)
#define LOOP_NETS_MAX (CONFIG_MAX_NETS_PER_GUEST * NET_QUEUES_MAX)

struct loop;
struct netif_control;

/* What the loop tells the control thread. */
enum loop_event_type {
	LOOP_BROKEN = 1,  /* the frontend broke the ring; what was taken goes on, nothing more is taken */
	LOOP_NOT_STARTED, /* a backend can't start the queue; nothing is taken, nor ever will be */
	LOOP_RELEASED,	  /* the last request was answered, the queue is the control thread's again */
	LOOP_NET_SET,	  /* other settings hold for all that comes now */
	LOOP_FAILED,	  /* the loop can't go on and has ended; it is of no queue */
};

struct loop_event {
	enum loop_event_type type;
	struct blkif_queue *queue; /* of a disk, or NULL */
	struct loop_net *net;	   /* queue of a card, or NULL */
	int error;		   /* of LOOP_NOT_STARTED: the backend's, a negative errno */
};

/*
 * loop_create - start the thread, which serves rings of this domain. With `wait_by_poll` it waits in poll(), at the price of a system call, and never in
 * io_uring_enter(): for valgrind, which lets no other thread run while one is there. Returns 0 or a negative errno.
 * Control thread, as all that follow.
 */
int loop_create(const struct platform *platform, struct event_channels *channels, struct memory *memory,
		uint16_t domid, bool wait_by_poll, struct loop **loop);

/* loop_destroy - end the thread; it serves no queue any more. */
void loop_destroy(struct loop *loop);

/* loop_serve - serve a queue, whose frontend is reached by this local port. At most
 * LOOP_QUEUES_MAX at a time. */
void loop_serve(struct loop *loop, struct blkif_queue *queue, uint32_t port);

/* loop_release - stop taking requests, answer what was taken; LOOP_RELEASED follows. Once for each
 * loop_serve. */
void loop_release(struct loop *loop, struct blkif_queue *queue);

/*
 * loop_net_create - what a loop has of a card's queue, which is its owner (netif_owner). The ports are the local ones, the same if
 * they are not split. Returns 0 or -ENOMEM. loop_net_destroy: when it is not served.
 */
int loop_net_create(uint32_t port_tx, uint32_t port_rx, struct loop_net **net);
void loop_net_destroy(struct loop_net *net);

/* loop_net_control - before loop_net_serve: with this queue, the last of its card that is served, the card's control ring is. */
void loop_net_control(struct loop_net *net, struct netif_control *control, uint32_t port);

/* loop_net_serve, loop_net_release - as those of disks' queues. At most LOOP_NETS_MAX at a time. */
void loop_net_serve(struct loop *loop, struct loop_net *net, struct netif_queue *queue);
void loop_net_release(struct loop *loop, struct loop_net *net);

/* loop_net_set - other settings for a queue that is served and not released; LOOP_NET_SET follows, before the next ones. */
void loop_net_set(struct loop *loop, struct loop_net *net, const struct message_net_settings *settings);

/* loop_event_fd - becomes readable when there are events. */
int loop_event_fd(const struct loop *loop);

/* loop_next_event - take one event; false when there is none. */
bool loop_next_event(struct loop *loop, struct loop_event *event);

/* What xvhost_host has for the loop thread: read, write and so on by the loop's io_uring. */
void loop_read(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
	       uint64_t offset);
void loop_write(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		uint64_t offset);
void loop_sync(struct xvhost_request *request, int fd);
void loop_fallocate(struct xvhost_request *request, int fd, int mode, uint64_t offset, uint64_t length);
void loop_wait(struct xvhost_request *request, uint64_t nanoseconds);
void loop_watch(struct xvhost_queue *queue, uint32_t index, int fd, uint32_t events);

/* The same of xvhost_net_host. */
void loop_net_read(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		   uint32_t iov_count);
void loop_net_write(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		    uint32_t iov_count);
void loop_net_wait(struct xvhost_net_queue *queue, uint32_t number, uint64_t nanoseconds);
void loop_net_watch(struct xvhost_net_queue *queue, uint32_t index, int fd, uint32_t events);

#endif
