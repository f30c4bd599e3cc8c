// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_turn.c - what all queues of a loop do together: memory is mapped and copied by one call for all of them
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "rings/netif_internal.h"

/* Pieces that a queue has copied at a time: a piece ends at the end of a slot, or of one of a backend's iovecs. */
#define COPIES_MAX (NETIF_RING_SIZE + NETIF_RECEIVED_MAX * XVHOST_NET_IOVECS_MAX)

int netif_turn_init(struct netif_turn *turn, struct memory *memory, uint32_t queues_max)
{
	*turn = (struct netif_turn){
		.memory = memory,
		.mappings = calloc((size_t)queues_max * NETIF_MAPPINGS_MAX, sizeof(*turn->mappings)),
		.gone = calloc((size_t)queues_max * NETIF_MAPPINGS_MAX, sizeof(*turn->gone)),
		.copies = calloc((size_t)queues_max * COPIES_MAX, sizeof(*turn->copies)),
	};
	if (turn->mappings && turn->gone && turn->copies)
		return 0;
	netif_turn_free(turn);
	return -ENOMEM;
}

void netif_turn_free(struct netif_turn *turn)
{
	free(turn->mappings);
	free(turn->gone);
	free(turn->copies);
}

/* call - map or copy what was collected. */
static void call(struct netif_turn *turn)
{
	if (turn->mapping_count > 0)
		memory_map(turn->memory, turn->mappings, turn->mapping_count);
	if (turn->copy_count > 0)
		memory_copy(turn->memory, turn->copies, turn->copy_count);
}

void netif_start(struct netif_turn *turn)
{
	struct netif_queue *queue = turn->taken, *next;
	const struct grant_copy *copies = turn->copies;

	turn->mapping_count = turn->copy_count = 0;
	for (; queue; queue = queue->next_taken)
		netif_transmit_collect(queue);
	call(turn);
	queue = turn->taken;
	turn->taken = NULL;
	for (; queue; queue = next) {
		next = queue->next_taken;
		queue->in_taken = false;
		copies = netif_transmit(queue, copies);
	}
}

/* ---- finishing ---- */

/* detach - the queues of the list; what ends from now on is for another time. */
static struct netif_queue *detach(struct netif_turn *turn)
{
	struct netif_queue *queues = turn->finished;

	turn->finished = NULL;
	for (struct netif_queue *queue = queues; queue; queue = queue->next_finishing) {
		queue->next_finishing = queue->next_finished;
		queue->in_finished = false;
	}
	return queues;
}

/* bring - packets for the guest to where it wants them. What is mapped then stays in the turn's list. */
static void bring(struct netif_turn *turn, struct netif_queue *queues)
{
	const struct grant_copy *copies = turn->copies;
	uint32_t mapped = 0;

	turn->mapping_count = turn->copy_count = 0;
	for (struct netif_queue *queue = queues; queue; queue = queue->next_finishing)
		netif_receive_collect(queue);
	call(turn);
	for (uint32_t i = 0; i < turn->mapping_count; i++) {
		struct netif_delivery *delivery = netif_delivery_of_mapping(turn->mappings[i]);

		delivery->error = delivery->mapping.error;
		if (delivery->error < 0)
			continue;
		netif_receive_fill(delivery);
		turn->mappings[mapped++] = &delivery->mapping;
	}
	turn->mapping_count = mapped;
	for (struct netif_queue *queue = queues; queue && turn->copy_count > 0; queue = queue->next_finishing)
		copies = netif_receive_copied(queue, copies);
}

/* end_packets - those that need not be unmapped are answered at once. */
static void end_packets(struct netif_turn *turn, struct netif_queue *queue)
{
	struct netif_packet *packet = queue->ended, *next;

	queue->ended = NULL;
	queue->ended_last = &queue->ended;
	for (; packet; packet = next) {
		next = packet->next;
		if (packet->mapped)
			turn->mappings[turn->mapping_count++] = &packet->mapping;
		else
			netif_answer_packet(packet);
	}
}

/* give_back - all that is mapped. Packets from the guest that were mapped by grants wait for each other; those for it were mapped
 * together, and are given back together. */
static void give_back(struct netif_turn *turn)
{
	size_t gone;

	if (turn->mapping_count == 0)
		return;
	gone = memory_unmap(turn->memory, turn->mappings, turn->mapping_count, turn->gone);
	for (size_t i = 0; i < gone; i++) {
		struct memory_mapping *mapping = turn->gone[i];

		/* What was written may not have reached the guest. */
		if (mapping->writable)
			netif_delivery_of_mapping(mapping)->error = mapping->error;
		else
			netif_answer_packet(netif_packet_of_mapping(mapping));
	}
}

void netif_finish(struct netif_turn *turn)
{
	struct netif_queue *queues = detach(turn);

	if (!queues)
		return;
	bring(turn, queues);
	for (struct netif_queue *queue = queues; queue; queue = queue->next_finishing)
		end_packets(turn, queue);
	give_back(turn);
	for (struct netif_queue *queue = queues; queue; queue = queue->next_finishing)
		netif_receive_answer(queue);
	for (struct netif_queue *queue = queues; queue; queue = queue->next_finishing)
		netif_receive_give_back(queue);
	for (struct netif_queue *queue = queues; queue; queue = queue->next_finishing)
		netif_receive_empty(queue);
}

bool netif_hand_over(struct netif_queue *queue, bool tx, struct ring_publication *publication)
{
	if (queue->broken || !ring_hand_over(tx ? &queue->tx : &queue->rx, publication))
		return false;
	publication->notifications = &queue->counters.notifications;
	return true;
}
