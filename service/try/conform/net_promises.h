/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_promises.h - the promises of net backends: functions as promises.h has them for disks
 */
#ifndef CONFORM_NET_PROMISES_H
#define CONFORM_NET_PROMISES_H

struct conform_context;

/* net_life.c */
void conform_net_open(struct conform_context *context);
void conform_net_properties(struct conform_context *context);
void conform_net_quiesce(struct conform_context *context);
void conform_net_queues(struct conform_context *context);
void conform_net_loops(struct conform_context *context);
void conform_net_fresh(struct conform_context *context);
void conform_net_no_leak(struct conform_context *context);

/* net_packets.c */
void conform_net_transmitted(struct conform_context *context);
void conform_net_calls(struct conform_context *context);
void conform_net_memory(struct conform_context *context);
void conform_net_packets_of_all_kinds(struct conform_context *context);
void conform_net_receive(struct conform_context *context);
void conform_net_unchanged(struct conform_context *context);
void conform_net_order(struct conform_context *context);
void conform_net_room(struct conform_context *context);
void conform_net_errors(struct conform_context *context);

#endif
