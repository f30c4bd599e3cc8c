/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * switch_internal.h - between the files of backend switch
 */
#ifndef SWITCH_INTERNAL_H
#define SWITCH_INTERNAL_H

#include <sys/types.h>
#include <sys/un.h>

#include "switch_ring.h"
#include "segment.h"
#include "switch_table.h"

#define SWITCH_PORTS_MAX 64u
#define SWITCH_PEERS_MAX (SWITCH_PORTS_MAX - 1)
#define SWITCH_RECEIVED_MAX                                                                                  \
	128u /* packets that the guest is given at a time: as many as the host takes in a turn */

/* What the target string gives. */
struct switch_config {
	const char *name;
	const char *directory;
};

enum switch_peer_state {
	SWITCH_PEER_NONE = 0, /* the place is free */
	SWITCH_PEER_GREETED,  /* it was told of our ring, and has said nothing yet */
	SWITCH_PEER_JOINED,   /* packets go both ways */
	SWITCH_PEER_GONE,     /* cut off, or it has left; something of it is still under way */
};

/* Another port of the switch. */
struct switch_peer {
	enum switch_peer_state state;
	int fd;			    /* the connection */
	pid_t process;		    /* whose port it is, for people */
	struct switch_consumer in;  /* what it sends to this port */
	struct switch_producer out; /* what this port sends to it */
	bool busy;	 /* `in` is to be looked at; else the peer wakes this port when something comes */
	bool reading;	 /* the read by which it does that is under way */
	bool ringing;	 /* the write that wakes the peer is under way */
	bool ring_again; /* and it is to be woken once more */
	uint32_t given;	 /* packets of it that the guest has */
	uint64_t last_source;		/* of its last packet, which was learned; see switch_table_key */
	uint8_t bell;			/* what is read */
	struct iovec bell_in, bell_out; /* one byte each */
};

/* A packet for the guest: in a peer's ring, or in the buffer. */
struct switch_packet {
	struct xvhost_packet packet; /* first: `delivered` is called with it */
	struct iovec piece;
	struct switch_peer *peer;
	uint8_t *buffer; /* XVHOST_NET_BYTES_MAX */
};

/* What goes to the guest. Packets are in the order in which it gets them: those that it has, then one that it refused. */
struct switch_receive {
	uint32_t first, next;	 /* those that the guest has; both wrap */
	bool kept;		 /* the one at `next` was refused */
	struct switch_peer *cut; /* whose last packet is being cut into segments; NULL: nobody's */
	uint32_t turn;		 /* the peer that is the next to be looked at */
	bool no_room;		 /* the guest has given none since it refused */
	bool timing;
	uint32_t refusals;	/* wraps */
	uint32_t refusals_seen; /* when the time began that is under way */
	uint32_t discarded;	/* packets that the guest can't have, in this call of switch_receive */
	bool again;		/* it is to be called once more, in the loop's next turn */
	void *buffers;
	struct segment segment;
	struct switch_packet packets[SWITCH_RECEIVED_MAX];
};

/* One card. */
struct switch_port {
	struct xvhost_net *net;
	struct xvhost_net_queue *queue; /* NULL: none runs */
	int listener,
		epoll; /* `epoll` has the listener, and the connections of peers that have said nothing yet */
	struct sockaddr_un address; /* of the listener */
	struct switch_table table;
	struct switch_receive receive;
	uint32_t peers_end; /* behind the last place that is taken */
	struct switch_peer peers[SWITCH_PEERS_MAX];
};

/* Numbers of operations, from queue->packets_max on. */
enum {
	SWITCH_READ = 0, /* and the peer's number */
	SWITCH_RING = SWITCH_PEERS_MAX,
	SWITCH_TIME = 2 * SWITCH_PEERS_MAX,
	SWITCH_AGAIN,
	SWITCH_OPERATIONS
};

static inline bool switch_is_stopping(const struct switch_port *port)
{
	return port->queue->flags & XVHOST_QUEUE_STOPPING;
}

static inline uint16_t switch_number(const struct switch_port *port, const struct switch_peer *peer)
{
	return (uint16_t)(peer - port->peers);
}

/* ---- switch_join.c: control thread ---- */

/* switch_join - the port is part of the switch: the listener is there, and all other ports were greeted. Returns 0 or a negative errno after
 * host->fail. */
int switch_join(struct switch_port *port, const struct switch_config *config);

/* switch_leave - the listener goes. */
void switch_leave(struct switch_port *port);

/* ---- switch_peers.c: loop thread, but for switch_peer_greet, _free ---- */

/* switch_peer_greet - a connection, which becomes the peer's in any case. Returns 0 or a negative errno. */
int switch_peer_greet(struct switch_port *port, int fd);

/* switch_peer_free - nothing of it is under way; its place is free. */
void switch_peer_free(struct switch_port *port, struct switch_peer *peer);

/* switch_peers_start - with the queue. switch_peers_close - before it stops: nothing more is wanted from anybody. */
void switch_peers_start(struct switch_port *port);
void switch_peers_close(struct switch_port *port);

/* switch_peers_ready - somebody connects, or says something. */
void switch_peers_ready(struct switch_port *port);

/* switch_peer_lose - it is the peer's fault, or it has gone. What is under way ends by itself. */
void switch_peer_lose(struct switch_port *port, struct switch_peer *peer, const char *why);

/* switch_peer_settle - something of it has ended: if it is gone, and this was the last, its place is free. */
void switch_peer_settle(struct switch_port *port, struct switch_peer *peer);

/* switch_peer_ring - wake it. */
void switch_peer_ring(struct switch_port *port, struct switch_peer *peer);

/* switch_peer_read, _rung - what came of an operation. The first returns true if the peer is to be looked at. */
bool switch_peer_read(struct switch_port *port, struct switch_peer *peer, int32_t result);
void switch_peer_rung(struct switch_port *port, struct switch_peer *peer, int32_t result);

/* ---- switch_receive.c: loop thread ---- */

/* switch_receive_init, _free - the packets of this queue, and their buffers. Returns 0 or -ENOMEM. */
int switch_receive_init(struct switch_port *port, struct xvhost_net_queue *queue);
void switch_receive_free(struct switch_port *port);

/* switch_receive - give the guest what there is. */
void switch_receive(struct switch_port *port);

/* switch_receive_forget - packets of this peer that the guest does not have. */
void switch_receive_forget(struct switch_port *port, const struct switch_peer *peer);

/* switch_receive_again - the loop has begun another turn. */
void switch_receive_again(struct switch_port *port);

/* switch_receive_time - in which the guest was to give room has passed. */
void switch_receive_time(struct switch_port *port);

/* What the host calls, see backend.h. */
void switch_room(struct xvhost_net_queue *queue);
void switch_delivered(struct xvhost_packet *packet, int error);

#endif
