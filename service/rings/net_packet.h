/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_packet.h - a packet that a net backend has for somebody
 */
#ifndef NET_PACKET_H
#define NET_PACKET_H

#include "xvhost/backend.h"

/*
 * net_packet_check - may this packet be given to one who takes these kinds (XVHOST_NET_...)? Returns 0, -EINVAL: it is not as backend.h
 * says; or -EOPNOTSUPP: it is of another kind.
 */
int net_packet_check(const struct xvhost_packet *packet, uint32_t takes);

#endif
