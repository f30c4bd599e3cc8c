/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_check.h - is a packet that a backend has for the guest as backend.h says, and does it stay so?
 */
#ifndef CONFORM_NET_CHECK_H
#define CONFORM_NET_CHECK_H

#include "try/conform/net_loop.h"

/* conform_net_check_received - breaks a promise unless the host may take this packet now. */
void conform_net_check_received(const struct conform_net_queue *queue, const struct xvhost_packet *packet);

/* conform_net_check_unchanged - breaks a promise unless it is as it was when the host took it. */
void conform_net_check_unchanged(const struct conform_net_received *received);

/* conform_net_iov_sum, conform_net_content_sum - change when an iovec does, or a byte that they point to. */
uint64_t conform_net_iov_sum(const struct iovec *iov, uint32_t iov_count);
uint64_t conform_net_content_sum(const struct xvhost_packet *packet);

#endif
