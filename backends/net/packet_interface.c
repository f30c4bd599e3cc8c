// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet_interface.c - the interface that the sockets are bound to: found, looked at, found again
 *
 * Theory of operation: a socket whose interface goes down is silent until that comes up. When it is removed the socket is bound to nothing,
 * and is bound again when there is one of that name. Neither needs the loop threads: reads that wait go on waiting, and what is written
 * meanwhile fails.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "interface_news.h"
#include "packet_internal.h"

/* check - can it be used for this card? Returns 0, or a negative errno and `text`. */
static int check(const struct xvhost_net *net, const struct packet *packet, char text[PACKET_TEXT_MAX])
{
	struct ifreq request = {0};

	strcpy(request.ifr_name, packet->interface);
	if (ioctl(packet->news, SIOCGIFHWADDR, &request) < 0 ||
	    request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
		snprintf(text, PACKET_TEXT_MAX, "interface '%s' is no Ethernet", packet->interface);
		return -EINVAL;
	}
	if (ioctl(packet->news, SIOCGIFMTU, &request) < 0 || request.ifr_mtu < (int)net->mtu) {
		snprintf(text, PACKET_TEXT_MAX, "the card's MTU is %u, that of interface '%s' is %d",
			 net->mtu, packet->interface, request.ifr_mtu);
		return -EINVAL;
	}
	return 0;
}

/* bind_all - the sockets, to the interface of this index. */
static int bind_all(const struct packet *packet, int index)
{
	int error = 0;

	for (uint32_t i = 0; i < packet->queue_count && error == 0; i++)
		error = packet_socket_bind(packet->sockets[i], index);
	return error == 0 ? packet_socket_join(packet->sockets[0], index, !packet->macvlan) : error;
}

int packet_interface_use(const struct xvhost_net *net, struct packet *packet, char text[PACKET_TEXT_MAX])
{
	int lower = interface_find(packet->news, packet->interface), index = lower;
	int error;

	if (lower == 0) {
		snprintf(text, PACKET_TEXT_MAX,
			 "parameter interface of backend packet is '%s': there is no such interface",
			 packet->interface);
		return -ENODEV;
	}
	error = check(net, packet, text);
	if (error < 0)
		return error;
	if (packet->macvlan)
		index = packet_macvlan_make(net, lower);
	if (index < 0) {
		snprintf(text, PACKET_TEXT_MAX,
			 "backend packet can't make the macvlan interface '%s' on '%s': %s", net->interface,
			 packet->interface,
			 index == -EEXIST  ? "there is one of that name"
			 : index == -EBUSY ? "another one there has its MAC, or it is part of a bridge"
					   : strerror(-index));
		return index;
	}
	error = bind_all(packet, index);
	if (error < 0) {
		if (packet->macvlan)
			packet_macvlan_remove(index);
		snprintf(text, PACKET_TEXT_MAX, "backend packet can't bind a socket to '%s': %s",
			 packet->interface, strerror(-error));
		return error;
	}
	packet->index = index;
	return 0;
}

/* use_again - an interface of that name may be there by now. What is wrong with it is said once. */
static void use_again(struct xvhost_net *net, struct packet *packet)
{
	char text[PACKET_TEXT_MAX];
	int error = packet_interface_use(net, packet, text);

	if (error == 0)
		net->host->log(net, XVHOST_LOG_INFO, "the interface '%s' is there again", packet->interface);
	else if (error != -ENODEV && error != packet->refused)
		net->host->log(net, XVHOST_LOG_ERROR, "%s", text);
	packet->refused = error;
}

void packet_interface_look(struct xvhost_net *net, struct packet *packet)
{
	struct interface_state state = interface_look(packet->news, packet->index);

	if (packet->index != 0 && !state.exists) {
		packet->index = 0;
		net->host->log(net, XVHOST_LOG_ERROR,
			       "the interface '%s' was removed: all packets are dropped until there is one "
			       "again",
			       packet->interface);
	}
	if (packet->index == 0) {
		use_again(net, packet);
		state = interface_look(packet->news, packet->index);
	} else if (packet->link != state.runs) {
		net->host->log(net, XVHOST_LOG_INFO, "the interface '%s' has %s", packet->interface,
			       state.runs ? "a link"
			       : state.up ? "no link"
					  : "been set down");
	}
	packet->link = state.runs;
	net->host->link(net, packet->link);
}
