/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet_internal.h - between the files of backend packet
 */
#ifndef PACKET_INTERNAL_H
#define PACKET_INTERNAL_H

#include "xvhost/backend.h"

/* What the target string gives. */
struct packet_config {
	const char *interface;
	const char *mode;
};

/* One card. */
struct packet {
	const char *interface; /* of the host, to be found by its name whenever there is none */
	bool macvlan;	       /* the sockets are bound to one that is made on it, else to itself */
	int index;	       /* of that to which they are bound; 0: there is none */
	int news;	       /* see interface_news.h */
	bool link;	       /* what the host was told last */
	int refused; /* why an interface of that name could not be used, and the log says so: a negative errno */
	uint32_t queue_count;
	int sockets[]; /* one for each queue */
};

/* All of this is the control thread's. */

#define PACKET_TEXT_MAX 256 /* bytes of the text of an error with the final 0 */

/* ---- packet_socket.c ---- */

/* packet_socket_open - a socket through which nothing comes yet. Returns it, or a negative errno. */
int packet_socket_open(void);

/* packet_socket_bind - to an interface that is there. Returns 0 or a negative errno. */
int packet_socket_bind(int fd, int index);

/* packet_socket_join - as long as the socket is open, the interface takes packets for others, or for all groups. 0 or a negative errno. */
int packet_socket_join(int fd, int index, bool others);

/* packet_socket_empty - nothing is left that came. */
void packet_socket_empty(int fd);

/* packet_socket_dropped - how many packets found no room in it since this was asked last. Never waits. */
uint32_t packet_socket_dropped(int fd);

/* ---- packet_filter.c ---- */

/* packet_filter_open - what comes from now on is what is for this MAC or a group, and for queue `index` of `count`. 0 or a negative errno. */
int packet_filter_open(int fd, const uint8_t mac[6], uint32_t index, uint32_t count);

/* packet_filter_close - nothing comes from now on. Returns 0 or a negative errno. */
int packet_filter_close(int fd);

/* ---- packet_macvlan.c ---- */

/*
 * packet_macvlan_make - an interface of the card's name and MAC on that of this index, up. One that a worker left behind which was killed
 * makes way. Returns its index, or a negative errno.
 */
int packet_macvlan_make(const struct xvhost_net *net, int lower);

/* packet_macvlan_remove - an interface that was made so. */
void packet_macvlan_remove(int index);

/* ---- packet_interface.c ---- */

/* packet_interface_use - bind the sockets. Returns 0, or a negative errno and `text`. */
int packet_interface_use(const struct xvhost_net *net, struct packet *packet, char text[PACKET_TEXT_MAX]);

/* packet_interface_look - what has become of it; the host is told of its link. */
void packet_interface_look(struct xvhost_net *net, struct packet *packet);

#endif
