/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.h - one network card of the guest: its backend, and its rings while a frontend is connected
 *
 * All functions belong to the control thread. The states follow each other as messages.h draws it; they are those of a disk.
 */
#ifndef NET_H
#define NET_H

#include "worker/backends.h"
#include "worker/guest.h"
#include "worker/messages.h"
#include "worker/target.h"

enum net_state {
	NET_FREE = 0,  /* not in use */
	NET_OPEN,      /* the backend is open */
	NET_CONNECTED, /* loops serve its rings */
	NET_RELEASING, /* the loops were asked to let go of them */
};

/* A pair of rings of a connected card. */
struct net_queue {
	struct netif_queue *queue;
	struct loop_net *net;
	struct guest_loop *loop; /* that serves it */
	struct memory_ring tx_ring, rx_ring;
	uint32_t port_tx, port_rx; /* local; the same if they are not split */
};

/* The control ring of a connected card. */
struct net_control {
	struct netif_control *control; /* NULL: it has none */
	struct netif_hash *hash;       /* the same */
	struct memory_ring ring;
	uint32_t port; /* local */
};

struct net;

/* One backend of a card. A wrapper is above the backend that it stands before. */
struct net_layer {
	struct xvhost_net seen; /* first: what the backend sees */
	struct net *net;
	const struct xvhost_net_backend *backend;
	void *config;
	struct xvhost_net_properties properties;
	bool link; /* the backend says that there is one */
};

struct net {
	enum net_state state;
	uint32_t device_id;
	char name[48];
	char interface[NET_NAME_MAX], bridge[NET_NAME_MAX];
	struct net_layer layers[NETIF_LAYERS_MAX]; /* the outermost first */
	uint32_t layer_count;
	struct target_options options;
	struct message_net_settings settings;
	struct netif_multicast *multicast; /* that the guest asks for, while connected */
	struct net_control control;
	struct net_queue queues[NET_QUEUES_MAX];
	uint32_t queue_count;		/* 0: not connected */
	uint32_t released;		/* of them, which loops have let go of */
	uint32_t changed;		/* of them, whose loops have the settings that were asked for last */
	bool broken;			/* since it was connected, and reported */
	bool link_told;			/* what xvhostd was told of its link last */
	char fail_text[ERROR_TEXT_MAX]; /* what a backend said of its open() */
	struct log_limit limit;
};

/* net_open - parse the target, open the backend; fills the answer. On failure the card stays free. */
void net_open(struct net *net, const struct guest *guest, uint32_t device_id,
	      const struct message_net_open *asked, struct message_net_opened *answer);

/* net_check_properties - of a backend that was opened for this card. Returns -EINVAL and the text if they can't be, or 0. */
int net_check_properties(const struct xvhost_net *seen, const struct xvhost_net_backend *backend,
			 const struct xvhost_net_properties *properties, char text[ERROR_TEXT_MAX]);

/* net_connect - map the rings, bind the event channels, give the queues to their loops; fills the answer. */
void net_connect(struct net *net, struct guest *guest, const struct message_net_connect *asked,
		 struct message_error *answer);

/* net_attend - the descriptor of the backend of this layer, seen.attend_fd, can be read. */
void net_attend(struct net *net, uint32_t layer);

/* net_link_changed - true if there is something to tell xvhostd of its link, which is told then. */
bool net_link_changed(struct net *net);

/* net_begin_change - ask the loops of a connected card for other settings. */
void net_begin_change(struct net *net, const struct message_net_settings *settings);

/* net_changed - a loop has them for one of its queues. True if that was the last one. */
bool net_changed(struct net *net);

/* net_release - ask the loops to let go of a connected card. */
void net_release(struct net *net);

/* net_released - a loop let go of one of its queues. True if that was the last one: then net_disconnect follows. */
bool net_released(struct net *net);

/* net_not_started - the backend that could not start a queue, of what a loop has. */
const struct xvhost_net_backend *net_not_started(const struct net *net, const struct loop_net *queue);

/* net_disconnect - of a released card all is unbound and unmapped. It is open then. Says what was done while it was connected. */
void net_disconnect(struct net *net, const struct guest *guest, struct message_net_counters *counters);

/* net_close - close the backend of an open card. The card is free afterwards. */
void net_close(struct net *net);

#endif
