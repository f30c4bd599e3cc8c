/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim_net.h - network cards of the guest of sim_disk.h, served by the same worker
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "sim/net_load.h"
#include "sim_disk.h"

#define SIM_NET_ALL_TAKEN                                                                                    \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

struct sim_net {
	uint32_t device_id;
	struct message_net_opened opened;
	struct netif_frontend *frontend; /* NULL: not connected */
};

/* sim_net_open - a card with this backend; how memory is reached is as for disks (sim_disk_access). */
void sim_net_open(struct sim_net *net, uint32_t device_id, const char *target);

/* sim_net_create - a frontend with these options, of which guest, device and host are filled in; sim_net_connect connects it, too. */
void sim_net_create(struct sim_net *net, const struct netif_frontend_options *options);
void sim_net_connect(struct sim_net *net, const struct netif_frontend_options *options);

/* sim_net_disconnect - in order; nothing may be mapped afterwards. */
void sim_net_disconnect(struct sim_net *net);

/* sim_net_close - disconnected if it is connected. */
void sim_net_close(struct sim_net *net);

/* sim_net_content - packets of these sizes, of all kinds. */
struct net_content_options sim_net_content(uint32_t minimum, uint32_t maximum, uint64_t seed);

/* sim_net_begin - a load. sim_net_finish - its end: all that was sent has come, and nothing was refused or failed. */
struct net_load *sim_net_begin(const struct net_load_options *options);
void sim_net_finish(struct net_load *load, struct net_load_result *result);

/* sim_net_load - there and back, without any error or loss. Returns the result. */
const struct net_load_result *sim_net_load(struct sim_net *net, const struct net_load_options *options);

#endif
