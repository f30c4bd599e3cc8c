// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_frontend.c - a network card as the guest has it: made, described, waited for, unmade
 */
#include "sim/net_front_control.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static_assert(sizeof(struct netif_extra_info) <= sizeof(struct netif_tx_request), "layout");
static_assert(sizeof(struct netif_extra_info) == sizeof(struct netif_rx_response), "layout");

int net_front_refuse(struct net_front_queue *queue, const char *format, ...)
{
	int length = snprintf(queue->error, sizeof(queue->error), "vif %" PRIu32 " queue %" PRIu32 ": ",
			      queue->frontend->options.device_id, queue->index);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(queue->error + length, sizeof(queue->error) - (size_t)length, format, arguments);
	va_end(arguments);
	return -EPROTO;
}

/* ---- making and unmaking ---- */

/* create_pages - for both rings, as many as they have entries; all are free. */
static int create_pages(struct net_front_queue *queue)
{
	const struct netif_frontend_options *options = &queue->frontend->options;
	uint32_t posted = options->posted ? options->posted : NET_FRONT_RING_SIZE;

	for (uint32_t i = NET_FRONT_RING_SIZE; i-- > 0;) {
		struct net_front_slot *slot = &queue->slots[i];
		struct net_front_page *page = &queue->pages[i];
		int error = sim_pages_take(options->guest, 1, &slot->frame);

		if (error < 0)
			return error;
		slot->page = sim_page(options->guest, slot->frame);
		slot->id = (uint16_t)i;
		slot->next_free = queue->free_slots;
		queue->free_slots = slot;
		queue->free_slot_count++;
		queue->packets[i].next_free = queue->free_packets;
		queue->free_packets = &queue->packets[i];
		if (i >= posted)
			continue;
		error = sim_pages_take(options->guest, 1, &page->frame);
		if (error < 0)
			return error;
		page->page = sim_page(options->guest, page->frame);
		page->id = (uint16_t)i;
		page->next_free = queue->free_pages;
		queue->free_pages = page;
	}
	return 0;
}

/* open_ports - one for both rings, or one for each. */
static int open_ports(struct net_front_queue *queue)
{
	const struct netif_frontend_options *options = &queue->frontend->options;
	int port = sim_port_open(options->guest, options->host_domid);

	if (port < 0)
		return port;
	queue->tx_port = queue->rx_port = (uint32_t)port;
	if (!options->split)
		return 0;
	port = sim_port_open(options->guest, options->host_domid);
	if (port < 0)
		return port;
	queue->rx_port = (uint32_t)port;
	return 0;
}

/* create_queue - what there is of it when this fails is destroyed with the frontend. */
static int create_queue(struct netif_frontend *frontend, uint32_t index)
{
	const struct netif_frontend_options *options = &frontend->options;
	struct net_front_queue *queue = calloc(1, sizeof(*queue));
	int error;

	if (!queue)
		return -ENOMEM;
	frontend->queues[frontend->queue_count++] = queue;
	queue->frontend = frontend;
	queue->index = index;
	error = net_ring_create(&queue->tx, options->guest, options->host_domid,
				sizeof(struct netif_tx_request));
	if (error == 0)
		error = net_ring_create(&queue->rx, options->guest, options->host_domid,
					sizeof(struct netif_rx_request));
	if (error == 0)
		error = open_ports(queue);
	if (error == 0)
		error = create_pages(queue);
	assert(error < 0 || (queue->tx.size == NET_FRONT_RING_SIZE && queue->rx.size == NET_FRONT_RING_SIZE));
	return error;
}

int netif_frontend_create(const struct netif_frontend_options *options, const struct netif_features *features,
			  struct netif_frontend **created)
{
	uint32_t queues = options->queues ? options->queues : 1;
	struct netif_frontend *frontend;
	int error = 0;

	if (queues > NET_QUEUES_MAX || queues > features->queues_max ||
	    options->posted > NET_FRONT_RING_SIZE || (options->split && !features->split) ||
	    (options->multicast_control && !features->multicast_control) ||
	    (options->xdp_headroom && !features->xdp_headroom) || (options->control && !features->control))
		return -EINVAL;
	frontend = calloc(1, sizeof(*frontend));
	if (!frontend)
		return -ENOMEM;
	frontend->options = *options;
	frontend->options.queues = queues;
	frontend->features = *features;
	while (frontend->queue_count < queues && error == 0)
		error = create_queue(frontend, frontend->queue_count);
	if (error == 0 && options->control)
		error = net_front_control_create(frontend);
	if (error < 0) {
		netif_frontend_destroy(frontend);
		return error;
	}
	*created = frontend;
	return 0;
}

void netif_frontend_describe(const struct netif_frontend *frontend, struct message_net_connect *connect)
{
	*connect = (struct message_net_connect){
		.queue_count = frontend->queue_count,
		.guest_takes = frontend->options.takes,
		.scatter = !frontend->options.no_scatter,
		.silent = frontend->options.silent,
		.ctrl = frontend->options.control,
		.ctrl_ring_ref = frontend->control.ring.gref,
		.event_channel_ctrl = frontend->control.port,
		.settings = {.multicast_control = frontend->options.multicast_control,
			     .xdp_headroom = frontend->options.xdp_headroom},
	};
	for (uint32_t i = 0; i < frontend->queue_count; i++) {
		const struct net_front_queue *queue = frontend->queues[i];

		connect->queues[i] = (struct message_net_queue){
			.tx_ring_ref = queue->tx.gref,
			.rx_ring_ref = queue->rx.gref,
			.event_channel_tx = queue->tx_port,
			.event_channel_rx = queue->rx_port,
		};
	}
}

/* give_page_back - and end its grant; 1 if that can't be. */
static uint32_t give_page_back(struct sim_guest *guest, const void *page, uint64_t frame, uint32_t gref)
{
	if (!page)
		return 0;
	if (gref != 0 && sim_grant_end(guest, gref) < 0)
		return 1;
	sim_pages_give_back(guest, 1, &frame);
	return 0;
}

static uint32_t destroy_queue(struct net_front_queue *queue, struct sim_guest *guest)
{
	uint32_t mapped = 0;

	if (queue->tx_port != 0)
		sim_port_close(guest, queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		sim_port_close(guest, queue->rx_port);
	for (uint32_t i = 0; i < NET_FRONT_RING_SIZE; i++) {
		const struct net_front_slot *slot = &queue->slots[i];
		const struct net_front_page *page = &queue->pages[i];

		mapped += give_page_back(guest, slot->page, slot->frame, slot->gref);
		mapped += give_page_back(guest, page->page, page->frame, page->gref);
	}
	mapped += net_ring_destroy(&queue->tx, guest);
	mapped += net_ring_destroy(&queue->rx, guest);
	free(queue);
	return mapped;
}

uint32_t netif_frontend_destroy(struct netif_frontend *frontend)
{
	uint32_t mapped = net_front_control_destroy(frontend);

	for (uint32_t i = 0; i < frontend->queue_count; i++)
		mapped += destroy_queue(frontend->queues[i], frontend->options.guest);
	free(frontend);
	return mapped;
}

/* ---- notifications ---- */

static int notify(struct net_front_queue *queue, uint32_t port)
{
	int error = sim_port_notify(queue->frontend->options.guest, port);

	queue->notifications++;
	/* Without another end Xen drops the event and says nothing: a host that is being replaced looks when it comes. */
	return error == -ENOTCONN ? 0 : error;
}

int net_front_push(struct net_front_queue *queue)
{
	bool tx = net_ring_push(&queue->tx);
	bool rx = net_ring_push(&queue->rx) && !queue->frontend->options.silent;
	int error = 0;

	if (tx)
		error = notify(queue, queue->tx_port);
	if (error == 0 && rx && !(tx && queue->rx_port == queue->tx_port))
		error = notify(queue, queue->rx_port);
	return error;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ask - for events of what is waited for; returns what is there already. */
static int ask(struct net_front_queue *queue, unsigned int what)
{
	int there = 0;

	if (what & NET_FRONT_TX) {
		uint32_t in_flight = queue->tx.request_published - queue->tx.response_consumer;

		/* With nothing in flight there is nothing to wait for. */
		if (in_flight > 0 && net_ring_ask(&queue->tx, (in_flight + 1) / 2))
			there |= NET_FRONT_TX;
	}
	if (what & NET_FRONT_RX && net_ring_ask(&queue->rx, 1))
		there |= NET_FRONT_RX;
	return there;
}

/* sleep_for_events - until an event comes, or `fd` is readable. Returns 1 if it is, 0 if not, or a negative errno; the events
 * are taken. */
static int sleep_for_events(struct net_front_queue *queue, int fd, int timeout_ms)
{
	struct sim_guest *guest = queue->frontend->options.guest;
	struct pollfd polled[3] = {
		{.fd = sim_port_fd(guest, queue->tx_port), .events = POLLIN},
		{.fd = queue->rx_port == queue->tx_port ? -1 : sim_port_fd(guest, queue->rx_port),
		 .events = POLLIN},
		{.fd = fd, .events = POLLIN},
	};

	queue->waits++;
	if (poll(polled, 3, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t count;

		if (polled[i].revents & POLLIN && read(polled[i].fd, &count, sizeof(count)) < 0)
			return -errno;
	}
	return polled[2].revents != 0;
}

int net_front_wait(struct net_front_queue *queue, unsigned int what, int fd, int timeout_ms)
{
	int64_t end_ms = timeout_ms > 0 ? now_ms() + timeout_ms : 0;

	/* An event may have come for a response that was taken before it: then there is nothing yet. */
	for (;;) {
		int there = ask(queue, what), left_ms = timeout_ms, other;

		if (there)
			return there;
		if (timeout_ms > 0) {
			int64_t now = now_ms();

			left_ms = end_ms > now ? (int)(end_ms - now) : 0;
		}
		other = sleep_for_events(queue, fd, left_ms);
		if (other < 0)
			return other;
		if (other > 0)
			return ask(queue, what) | NET_FRONT_OTHER;
		if (left_ms == 0)
			return ask(queue, what);
	}
}
