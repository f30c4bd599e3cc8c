// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_queue.c - one pair of rings of one network card: made, started, stopped and unmade; its backend's operations
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/netif.h>

#include "rings/netif_internal.h"

static_assert(offsetof(struct netif_layer, seen) == 0, "netif_layer_of");
static_assert(offsetof(struct netif_packet, seen) == 0, "netif_packet_of");

/* A packet's private beginning, and what the backend has before it. */
#define HEADER_BYTES (NETIF_HEADROOM_BYTES + NETIF_HEADER_BYTES)

/* make_packets - all that packets need, so that nothing is allocated later. */
static int make_packets(struct netif_queue *queue)
{
	queue->packets = calloc(NETIF_RING_SIZE, sizeof(*queue->packets));
	queue->operations = calloc(queue->operation_count, sizeof(*queue->operations));
	if (!queue->packets || !queue->operations)
		return -ENOMEM;
	if (queue->hash) {
		queue->orders = calloc(2, sizeof(*queue->orders));
		if (!queue->orders)
			return -ENOMEM;
	}
	if (queue->map_tx) {
		queue->headers = aligned_alloc(16, NETIF_RING_SIZE * HEADER_BYTES);
		if (!queue->headers)
			return -ENOMEM;
	} else if (netif_area_init(&queue->area) < 0) {
		return -ENOMEM;
	}
	for (uint32_t i = NETIF_RING_SIZE; i-- > 0;) {
		struct netif_packet *packet = &queue->packets[i];

		packet->seen.queue = &queue->layers[0].seen;
		packet->seen.index = i;
		packet->private = queue->map_tx ? queue->headers + i * HEADER_BYTES + NETIF_HEADROOM_BYTES
						: NULL;
		packet->next = queue->free_packets;
		queue->free_packets = packet;
	}
	return 0;
}

/* attach - to the rings, which another worker may have served before. */
static int attach(struct netif_queue *queue, const struct netif_queue_parameters *parameters)
{
	int error = ring_attach(&queue->tx, parameters->tx_page, PAGE_BYTES,
				sizeof(union netif_tx_sring_entry));

	if (error == 0)
		error = ring_attach(&queue->rx, parameters->rx_page, PAGE_BYTES,
				    sizeof(union netif_rx_sring_entry));
	assert(error < 0 || (queue->tx.size == NETIF_RING_SIZE && queue->rx.size == NETIF_RING_SIZE));
	queue->rx_known = queue->rx.request_consumer;
	return error;
}

/* add_layer - below those that there are. Returns 0 or -ENOMEM, which only one below a wrapper does. */
static int add_layer(struct netif_queue *queue, const struct netif_queue_parameters *parameters,
		     const struct netif_below *added)
{
	struct netif_layer *layer = &queue->layers[queue->layer_count];

	assert(queue->layer_count < NETIF_LAYERS_MAX &&
	       added->properties->operations <= NETIF_OPERATIONS_MAX);
	layer->seen = (struct xvhost_net_queue){
		.size = sizeof(layer->seen),
		.index = parameters->index,
		.count = parameters->count,
		.packets_max = NETIF_RING_SIZE,
		.guest_takes = parameters->guest_takes,
		.net = added->net,
	};
	layer->queue = queue;
	layer->backend = added->backend;
	layer->first_number = queue->operation_count;
	queue->operation_count += added->properties->operations;
	layer->end_number = queue->operation_count;
	if (queue->layer_count++ == 0)
		return 0;
	layer->offers = calloc(1, sizeof(*layer->offers));
	return layer->offers ? 0 : -ENOMEM;
}

int netif_queue_create(const struct netif_queue_parameters *parameters, struct netif_queue **created)
{
	struct netif_queue *queue = calloc(1, sizeof(*queue));
	int error;

	if (!queue)
		return -ENOMEM;
	queue->operation_count = NETIF_RING_SIZE;
	add_layer(queue, parameters,
		  &(struct netif_below){parameters->net, parameters->backend, parameters->properties});
	queue->name = parameters->net->name;
	queue->limit = parameters->limit;
	queue->owner = parameters->owner;
	queue->scatter = parameters->scatter;
	queue->cached = parameters->cached;
	queue->map_tx = parameters->map_tx;
	queue->map_rx = parameters->map_rx;
	queue->silent = parameters->silent;
	queue->hash = parameters->hash;
	queue->takes = parameters->properties->flags;
	queue->ended_last = &queue->ended;
	queue->multicast = parameters->multicast;
	if (!queue->multicast)
		queue->multicast = queue->own_multicast = netif_multicast_create();
	netif_queue_set(queue, parameters->settings);
	error = queue->multicast ? attach(queue, parameters) : -ENOMEM;
	for (uint32_t i = 0; i < parameters->below_count && error == 0; i++)
		error = add_layer(queue, parameters, &parameters->below[i]);
	if (error == 0)
		error = make_packets(queue);
	if (error < 0) {
		netif_queue_free(queue);
		return error;
	}
	*created = queue;
	return 0;
}

void netif_queue_free(struct netif_queue *queue)
{
	assert(netif_queue_idle(queue) && !queue->started);
	netif_area_exit(&queue->area);
	netif_multicast_free(queue->own_multicast);
	free(queue->orders);
	free(queue->headers);
	free(queue->operations);
	free(queue->packets);
	for (uint32_t i = 1; i < queue->layer_count; i++)
		free(queue->layers[i].offers);
	free(queue);
}

/* start_layer - what its backend says. */
static int start_layer(struct netif_queue *queue, struct netif_layer *layer)
{
	int error = layer->backend->queue_start(&layer->seen);

	if (error < 0)
		log_error("%s: backend %s can't start a queue: %s", queue->name, layer->backend->name,
			  strerror(-error));
	layer->started = error == 0;
	return error;
}

int netif_queue_start(struct netif_queue *queue, struct netif_turn *turn, uint16_t index)
{
	int error = 0;

	queue->turn = turn;
	queue->index = index;
	/* The innermost first. Those that have started are stopped when the queue is released. */
	for (uint32_t i = queue->layer_count; i > 0 && error == 0; i--)
		error = start_layer(queue, &queue->layers[i - 1]);
	queue->started = queue->tx_look = error == 0;
	if (queue->hash && queue->started)
		queue->hash->queues[queue->layers[0].seen.index] = queue;
	return error;
}

const struct xvhost_net_backend *netif_not_started(const struct netif_queue *queue)
{
	uint32_t i = queue->layer_count - 1;

	while (i > 0 && queue->layers[i].started)
		i--;
	return queue->layers[i].backend;
}

void netif_queue_release(struct netif_queue *queue)
{
	if (queue->released)
		return;
	queue->released = true;
	for (uint32_t i = 0; i < queue->layer_count; i++)
		queue->layers[i].seen.flags |= XVHOST_QUEUE_STOPPING;
	for (uint32_t i = 0; i < queue->layer_count; i++)
		if (queue->layers[i].started)
			queue->layers[i].backend->room(&queue->layers[i].seen);
}

void netif_queue_stop(struct netif_queue *queue)
{
	assert(netif_queue_idle(queue));
	queue->started = false;
	if (queue->hash)
		queue->hash->queues[queue->layers[0].seen.index] = NULL;
	for (uint32_t i = 0; i < queue->layer_count; i++) {
		struct netif_layer *layer = &queue->layers[i];

		if (layer->started)
			layer->backend->queue_stop(&layer->seen);
		layer->started = false;
	}
}

/*
 * rate_bytes - this queue's part of what the card may send. Queues are served by threads that share nothing; so each has its part, even if
 * the others send nothing. A limit stays one, however small.
 */
static uint64_t rate_bytes(const struct netif_queue *queue, uint64_t card_bytes)
{
	uint64_t part = card_bytes / queue->layers[0].seen.count;

	return part == 0 && card_bytes > 0 ? 1 : part;
}

void netif_queue_set(struct netif_queue *queue, const struct message_net_settings *settings)
{
	uint32_t headroom = settings->xdp_headroom;

	netif_rate_set(&queue->rate, rate_bytes(queue, settings->rate_bytes), settings->rate_interval_us);
	netif_rate_passed(queue);
	queue->multicast_control = settings->multicast_control;
	queue->headroom = (uint16_t)(headroom < NET_XDP_HEADROOM_MAX ? headroom : NET_XDP_HEADROOM_MAX);
}

/* With wrappers a queue may be in the turn's list for no more than news of room. It must not go while it is there. */
bool netif_queue_idle(const struct netif_queue *queue)
{
	if (queue->in_finished)
		return false;
	if (queue->hash && (queue->orders[0].count > 0 || queue->orders[1].count > 0))
		return false;
	return queue->in_flight == 0 && queue->operations_busy == 0 && queue->batches[0].count == 0 &&
	       queue->batches[1].count == 0 && netif_offers_none(queue);
}

bool netif_queue_broken(const struct netif_queue *queue)
{
	return queue->broken;
}

bool netif_queue_ready(const struct netif_queue *queue)
{
	if (queue->in_taken || queue->in_finished)
		return true;
	if (!queue->started || queue->released || queue->broken)
		return false;
	return queue->tx_look || netif_room_due(queue);
}

void netif_event(struct netif_queue *queue)
{
	queue->counters.events++;
	queue->tx_look = true;
}

bool netif_ask(struct netif_queue *queue)
{
	uint32_t producer;

	if (!queue->started || queue->released || queue->broken)
		return false;
	if (!queue->tx_asked && !queue->tx_no_room && !queue->rate_waits) {
		ring_ask_notification(&queue->tx);
		queue->tx_asked = true;
		/* Look once more after asking: what came in between is not notified. A counter that can't be is found by
		 * taking. */
		queue->tx_look |= ring_pending(&queue->tx, &producer) != 0;
	}
	return netif_ask_room(queue) || queue->tx_look;
}

uint64_t netif_rate_wait_ns(const struct netif_queue *queue)
{
	return queue->rate_waits ? netif_rate_left_ns(&queue->rate) : 0;
}

void netif_rate_passed(struct netif_queue *queue)
{
	queue->tx_look |= queue->rate_waits;
	queue->rate_waits = false;
}

/* ---- a broken ring ---- */

void netif_break(struct netif_queue *queue, const char *format, ...)
{
	char reason[256];
	va_list arguments;

	queue->broken = true;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_limited(queue->limit, LOG_LEVEL_ERROR, "%s: queue %" PRIu32 ": ring broken: %s", queue->name,
		    queue->layers[0].seen.index, reason);
}

void netif_break_counter(struct netif_queue *queue, const struct ring *ring, uint32_t producer)
{
	netif_break(queue,
		    "req_prod of %s is %" PRIu32 ", at most %" PRIu32 " is possible (%" PRIu32
		    " taken, %" PRIu32 " answered, %" PRIu32 " entries)",
		    ring == &queue->tx ? "tx" : "rx", producer, ring->response_producer + ring->size,
		    ring->request_consumer, ring->response_producer, ring->size);
}

/* ---- the backend's operations ---- */

uint32_t netif_numbers(const struct netif_queue *queue)
{
	return queue->operation_count;
}

/* A packet has one number for all layers, since only one of them has it at a time. */
uint32_t netif_number(struct xvhost_net_queue *seen, uint32_t number)
{
	const struct netif_layer *layer = netif_layer_of(seen);

	if (number >= NETIF_RING_SIZE)
		number += layer->first_number - NETIF_RING_SIZE;
	/* A backend with other numbers than it has said has lost count. */
	assert(number < layer->end_number);
	return number;
}

static struct netif_operation *operation_of(struct xvhost_net_queue *seen, uint32_t number)
{
	return &netif_queue_of(seen)->operations[netif_number(seen, number)];
}

uint32_t netif_begin(struct xvhost_net_queue *seen, uint32_t number)
{
	struct netif_queue *queue = netif_queue_of(seen);
	struct netif_operation *operation = operation_of(seen, number);

	assert(!operation->busy);
	operation->busy = true;
	operation->waiting = false;
	operation->layer = (uint8_t)netif_layer(seen);
	operation->generation = (operation->generation + 1) & NETIF_GENERATION_MASK;
	queue->operations_busy++;
	return operation->generation;
}

void netif_done(struct netif_queue *queue, uint32_t number, uint32_t generation, int32_t result)
{
	struct netif_operation *operation = &queue->operations[number];
	struct netif_layer *layer = &queue->layers[operation->layer];

	assert(operation->busy && operation->generation == generation);
	operation->busy = false;
	operation->waiting = false;
	queue->operations_busy--;
	if (number >= NETIF_RING_SIZE)
		number -= layer->first_number - NETIF_RING_SIZE;
	layer->backend->io_done(&layer->seen, number, result);
}

void netif_set_waiting(struct xvhost_net_queue *seen, uint32_t number)
{
	struct netif_operation *operation = operation_of(seen, number);

	assert(operation->busy);
	operation->waiting = true;
}

void netif_each_waiting(struct netif_queue *queue,
			void (*each)(void *context, uint32_t number, uint32_t generation), void *context)
{
	for (uint32_t i = 0; i < queue->operation_count; i++)
		if (queue->operations[i].waiting)
			each(context, i, queue->operations[i].generation);
}

/* ---- what others ask ---- */

const struct netif_counters *netif_counters(const struct netif_queue *queue)
{
	return &queue->counters;
}

void *netif_owner(const struct netif_queue *queue)
{
	return queue->owner;
}

struct netif_queue *netif_queue_of(struct xvhost_net_queue *seen)
{
	return netif_layer_of(seen)->queue;
}

struct xvhost_net_queue *netif_seen(struct netif_queue *queue)
{
	return &queue->layers[0].seen;
}

const struct xvhost_net_backend *netif_backend(const struct netif_queue *queue)
{
	return queue->layers[0].backend;
}

struct xvhost_net_queue *netif_seen_by(struct netif_queue *queue, uint32_t layer)
{
	return &queue->layers[layer].seen;
}

uint32_t netif_layer(struct xvhost_net_queue *seen)
{
	const struct netif_layer *layer = netif_layer_of(seen);

	return (uint32_t)(layer - layer->queue->layers);
}

uint32_t netif_layers(const struct netif_queue *queue)
{
	return queue->layer_count;
}

bool netif_can_watch(struct xvhost_net_queue *seen)
{
	return netif_layer_of(seen)->backend->ready;
}

void netif_ready(struct netif_queue *queue, uint32_t layer, uint32_t index, int32_t events)
{
	queue->layers[layer].backend->ready(&queue->layers[layer].seen, index, events);
}

uint16_t netif_index(const struct netif_queue *queue)
{
	return queue->index;
}
