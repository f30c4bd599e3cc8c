/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netif_frontend.h - a network card as the guest has it: rings, packets, the pages and grants of their data
 *
 * Theory of operation: a card has queues, each with a ring for what the guest transmits and one for what it receives, and one
 * event channel or two. As Linux's netfront has it, each page that is shown to the host is granted anew and its grant ends
 * with the answer. Who describes the rings to the host is another matter: netif_handshake.h by xenstore, worker_thread.h by a
 * message to a worker.
 *
 *	net_front_take		a packet to be sent, of so many slots; fill their pages, set offsets and sizes
 *	net_front_send		into the ring
 *	net_front_push		show all that was put; notifies the host if it has asked for that
 *	net_front_reap		the next packet whose slots were all answered
 *	net_front_free		its slots are free again
 *
 *	net_front_post		empty pages into the ring, as many as there are; net_front_push shows them too
 *	net_front_receive	the next packet that has come; net_front_done gives its pages back
 *	net_front_wait		sleep until there is something to reap or to receive
 *
 * The frontend believes nothing: each response must be of a request that waits for it, in its place, of a form that netif.h
 * has, with nothing in it that was not asked for or offered; and a grant must not be in use any more when it is answered. What is
 * wrong ends the use of the queue, and queue->error names it.
 *
 * One queue belongs to one thread. Nothing is allocated after netif_frontend_create.
 */
#ifndef NETIF_FRONTEND_H
#define NETIF_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/netif.h>

#include "sim/net_hash.h"
#include "sim/net_ring.h"
#include "sim/sim.h"
#include "worker/messages.h"
#include "xvhost/backend.h"

#define NET_FRONT_SLOTS_MAX XEN_NETIF_NR_SLOTS_MIN	    /* of a packet */
#define NET_FRONT_EXTRAS_MAX (XEN_NETIF_EXTRA_TYPE_MAX - 1) /* of a packet: one of each type */
#define NET_FRONT_RING_SIZE 256u			    /* entries of each ring */
#define NET_FRONT_ERROR_MAX 256				    /* bytes of an error's text with the final 0 */

struct netif_frontend;
struct net_front_queue;

struct netif_frontend_options {
	struct sim_guest *guest;
	uint16_t host_domid; /* whom the grants and event channels are for */
	uint32_t device_id;  /* the vif's number */
	uint32_t queues;     /* 0 means 1 */
	bool split;	     /* each ring has an event channel of its own */
	uint32_t takes;	     /* XVHOST_NET_...: of packets that it receives */
	bool no_scatter;     /* no packet that it receives may lie in more than one page */
	uint32_t xdp_headroom;
	bool multicast_control; /* it gets those multicast packets only that it asks for */
	bool control;		/* it has a control ring */
	bool silent; /* it does not notify the host of pages that it posts, and does not say that it does */
	uint32_t posted; /* pages of a queue that the host has at most; 0: as many as the ring has entries */
	/*
	 * Pages are filled before they are posted, and looked at when they come back: what lies outside of the packet must be
	 * as it was.
	 */
	bool guard;
};

/* What the host offers. */
struct netif_features {
	uint32_t takes; /* XVHOST_NET_...: of packets that the guest sends */
	bool scatter;
	bool split;
	bool multicast_control;
	bool dynamic_multicast;
	bool xdp_headroom;
	bool control;
	uint32_t queues_max;
};

/* A piece of a packet to be sent. */
struct net_front_slot {
	uint8_t *page; /* PAGE_BYTES, as the guest sees them */
	uint16_t offset, size;
	int16_t status; /* answered: NETIF_RSP_... */

	/* The frontend's own. */
	uint64_t frame;
	uint32_t gref; /* 0: none */
	uint16_t id;
	bool in_flight;
	struct net_front_packet *packet;
	struct net_front_slot *next_free;
};

/* A packet to be sent. */
struct net_front_packet {
	struct net_front_slot *slots[NET_FRONT_SLOTS_MAX];
	uint32_t slot_count;
	struct netif_extra_info
		extras[NET_FRONT_EXTRAS_MAX]; /* net_front_send sets which are followed by others */
	uint32_t extra_count;
	uint16_t flags; /* NETTXF_csum_blank, NETTXF_data_validated */

	/* Answered: NETIF_RSP_OKAY, or what one of its slots was answered. */
	int16_t status;

	/* For whoever sends. */
	uint64_t sequence;
	uint64_t began_ns;

	/* The frontend's own. */
	uint32_t unanswered;
	struct net_front_packet *next_free;
};

/* A page for what is to be received. */
struct net_front_page {
	uint8_t *page;
	uint64_t frame;
	uint32_t gref;
	uint16_t id;
	struct net_front_page *next_free;
};

/* A packet that was received. */
struct net_front_received {
	uint32_t length;
	uint16_t flags; /* NETRXF_csum_blank, NETRXF_data_validated */
	bool failed;	/* the host has answered a page with an error: the packet is not whole */
	uint8_t gso_type;
	uint16_t gso_bytes; /* 0: no GSO */
	bool hashed;	    /* it has a hash, of this type */
	uint8_t hash_type;
	uint32_t hash;
	uint32_t piece_count;
	struct iovec pieces[NET_FRONT_SLOTS_MAX];

	/* The frontend's own. */
	uint32_t page_count;
	struct net_front_page *pages[NET_FRONT_SLOTS_MAX + NET_FRONT_EXTRAS_MAX];
};

struct net_front_queue {
	struct netif_frontend *frontend;
	uint32_t index;
	struct net_ring tx, rx;
	uint32_t tx_port, rx_port; /* the guest's; one where they are not split */

	struct net_front_slot slots[NET_FRONT_RING_SIZE];
	struct net_front_packet packets[NET_FRONT_RING_SIZE];
	struct net_front_slot *free_slots;
	struct net_front_packet *free_packets;
	uint32_t free_slot_count;
	uint32_t slots_in_flight;  /* that wait for an answer */
	uint32_t extras_in_flight; /* the same of extra infos, whose answers have no id */
	struct netif_tx_request tx_written[NET_FRONT_RING_SIZE]; /* what the tx ring's entries held */

	struct net_front_page pages[NET_FRONT_RING_SIZE];
	struct net_front_page *free_pages;
	struct net_front_page *posted[NET_FRONT_RING_SIZE]; /* by the place of its request in the ring */

	uint64_t notifications;		 /* times the host was notified */
	uint64_t waits;			 /* times net_front_wait slept */
	uint64_t failed;		 /* packets that were received with an error */
	char error[NET_FRONT_ERROR_MAX]; /* what was found; "": nothing */
};

/* The control ring; see net_front_control.h. */
struct net_front_control {
	struct net_ring ring;
	uint32_t port;
	uint16_t next_id;
	uint8_t *page; /* of what the host is to read */
	uint64_t frame;
	char error[NET_FRONT_ERROR_MAX];
};

struct netif_frontend {
	struct netif_frontend_options options;
	struct netif_features features;
	uint32_t queue_count;
	struct net_front_queue *queues[NET_QUEUES_MAX];
	struct net_front_control control; /* with options.control */
	struct net_hash hash;		  /* that the host has been asked for; without flags: none */
};

/* netif_frontend_create - rings, event channels and pages; `features` is what the host offers. Returns 0, -EINVAL when that is
 * less than the options want, -ENOMEM or -ENOSPC. */
int netif_frontend_create(const struct netif_frontend_options *options, const struct netif_features *features,
			  struct netif_frontend **frontend);

/* netif_frontend_describe - the rings and what the guest takes, for a worker. */
void netif_frontend_describe(const struct netif_frontend *frontend, struct message_net_connect *connect);

/*
 * netif_frontend_destroy - end all grants, close the ports, give the pages back; what is in flight is forgotten. Returns the
 * number of grants that the host has still mapped; their pages are lost to the guest.
 */
uint32_t netif_frontend_destroy(struct netif_frontend *frontend);

/*
 * net_front_take - a packet of so many slots, for which the ring has room with so many extra infos; NULL when it has not.
 * Offsets and sizes of the slots are what they were; it has no extra info and no flag.
 */
struct net_front_packet *net_front_take(struct net_front_queue *queue, uint32_t slots, uint32_t extras);

/* net_front_send - into the ring. Returns 0, or -ENOSPC when no grant is left; then the packet is as it was. */
int net_front_send(struct net_front_queue *queue, struct net_front_packet *packet);

/* net_front_reap - the next packet that was answered. Returns 1; 0 when there is none; -EPROTO or -EBUSY. */
int net_front_reap(struct net_front_queue *queue, struct net_front_packet **packet);

/* net_front_free - of a packet that was reaped, or taken and not sent. */
void net_front_free(struct net_front_queue *queue, struct net_front_packet *packet);

/* net_front_post - all pages that are free, into the ring. Returns how many, or -ENOSPC when no grant is left. */
int net_front_post(struct net_front_queue *queue);

/* net_front_receive - the next packet. Returns 1; 0 when there is none; -EPROTO or -EBUSY. */
int net_front_receive(struct net_front_queue *queue, struct net_front_received *received);

/* net_front_done - with a packet that was received: its pages may be posted again. */
void net_front_done(struct net_front_queue *queue, struct net_front_received *received);

/* net_front_push - show the host what was put and posted, and notify it if it has asked for that. Returns 0 or a negative errno. */
int net_front_push(struct net_front_queue *queue);

/*
 * net_front_idle - all that was sent was answered, the answers to extra infos too. Returns 0, or -EPROTO when what was said does
 * not fit that.
 */
int net_front_idle(struct net_front_queue *queue);

enum {
	NET_FRONT_TX = 1u << 0, /* something to reap: half of what is in flight */
	NET_FRONT_RX = 1u << 1, /* something to receive */
	NET_FRONT_OTHER = 1u << 2
};

/*
 * net_front_wait - sleep until one of these is there, or `fd` (-1: none) is readable. Returns which are; 0 after timeout_ms (-1:
 * never); or a negative errno.
 */
int net_front_wait(struct net_front_queue *queue, unsigned int what, int fd, int timeout_ms);

/* net_front_refuse - for the frontend's own files: say what is wrong with the host; returns -EPROTO. */
int net_front_refuse(struct net_front_queue *queue, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
