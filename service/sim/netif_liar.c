// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_liar.c - a hostile guest's network card: rings that are right but for one thing
 */
#include "sim/netif_liar_internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/grant_table.h>

#include "sim/net_content.h"

#define ANSWER_TIMEOUT_MS 10000
#define QUIET_MS 50 /* after a lie that ruins the rings no answer may come at all */
#define HONEST_BYTES_MIN 60u
#define HONEST_BYTES_MAX 1514u

uint32_t net_liar_random(struct net_liar *liar, uint32_t below)
{
	uint64_t value = liar->random += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((value ^ value >> 31) % below);
}

/* ---- making and unmaking ---- */

/* make_large - a packet for GSO, as a load sends it. */
static int make_large(struct net_liar *liar)
{
	const struct net_content_options options = {.minimum = NET_LIAR_LARGE_BYTES,
						    .maximum = NET_LIAR_LARGE_BYTES,
						    .takes = XVHOST_NET_GSO_TCPV4};
	uint8_t *bytes = malloc(XVHOST_NET_BYTES_MAX + 8);
	struct net_content content;

	if (!bytes)
		return -ENOMEM;
	net_content_make(&options, 1, 1, &content, bytes);
	memcpy(liar->large.memory, bytes, NET_LIAR_LARGE_BYTES);
	free(bytes);
	return 0;
}

/* take_pages - of all kinds. */
static int take_pages(struct net_liar *liar)
{
	const uint16_t host = liar->options.card->options.host_domid;
	const struct {
		struct liar_page *page;
		uint16_t domid;
		bool read_only;
	} others[] = {{&liar->large, host, true},
		      {&liar->read_only, host, true},
		      {&liar->foreign, LIAR_OTHER_DOMID, false},
		      {&liar->fickle, host, false},
		      {&liar->lost, host, false},
		      {&liar->withdrawn, host, false}};
	int error = 0;

	for (uint32_t i = 0; i < NET_LIAR_PAGES && error == 0; i++) {
		error = liar_page_take(liar->guest, &liar->pages[i], host, false);
		/* Neither a multicast address, nor a protocol that anybody knows. */
		if (error == 0)
			memset(liar->pages[i].memory, 0xa2, PAGE_BYTES);
	}
	for (uint32_t i = 0; i < NET_LIAR_POSTED && error == 0; i++) {
		error = liar_page_take(liar->guest, &liar->receiving[i], host, false);
		liar->free[liar->free_count++] = &liar->receiving[i];
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && error == 0; i++)
		error = liar_page_take(liar->guest, others[i].page, others[i].domid, others[i].read_only);
	return error;
}

int net_liar_create(const struct net_liar_options *options, struct net_liar **created)
{
	struct net_liar *liar = calloc(1, sizeof(*liar));
	int error;

	if (!liar)
		return -ENOMEM;
	liar->options = *options;
	liar->guest = options->card->options.guest;
	liar->queue = options->card->queues[0];
	liar->random = options->seed;
	error = take_pages(liar);
	if (error == 0)
		error = make_large(liar);
	if (error < 0) {
		net_liar_destroy(liar);
		return error;
	}
	liar_page_lose_frame(liar->guest, &liar->lost, options->grant_version);
	liar_page_set_flags(liar->guest, &liar->withdrawn, 0);
	*created = liar;
	return 0;
}

uint32_t net_liar_destroy(struct net_liar *liar)
{
	const struct liar_page *others[] = {&liar->large,  &liar->read_only, &liar->foreign,
					    &liar->fickle, &liar->lost,	     &liar->withdrawn};
	uint32_t mapped = 0;

	if (liar->withdrawn.gref)
		liar_page_set_flags(liar->guest, &liar->withdrawn, GTF_permit_access);
	for (uint32_t i = 0; i < NET_LIAR_PAGES; i++)
		mapped += liar_page_give_up(liar->guest, &liar->pages[i]);
	for (uint32_t i = 0; i < NET_LIAR_POSTED; i++)
		mapped += liar_page_give_up(liar->guest, &liar->receiving[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		mapped += liar_page_give_up(liar->guest, others[i]);
	free(liar);
	return mapped;
}

/* ---- packets ---- */

void net_liar_valid(struct net_liar *liar, bool large, struct net_liar_packet *packet)
{
	memset(packet, 0, sizeof(*packet));
	if (large) {
		packet->count = 2;
		packet->is_extra[1] = true;
		packet->slots[0].request = (struct netif_tx_request){
			.gref = liar->large.gref,
			.flags = NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info,
			.size = NET_LIAR_LARGE_BYTES};
		packet->slots[1].extra = (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO};
		packet->slots[1].extra.u.gso.size = 1400;
		packet->slots[1].extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
		return;
	}
	for (packet->count = 0; packet->count < 3; packet->count++)
		packet->slots[packet->count].request = (struct netif_tx_request){
			.gref = liar->pages[packet->count].gref,
			.offset = (uint16_t)net_liar_random(liar, PAGE_BYTES - NET_LIAR_SLOT_BYTES),
			.flags = packet->count < 2 ? NETTXF_more_data : 0,
			.size = NET_LIAR_SLOT_BYTES};
	packet->slots[0].request.size = 3 * NET_LIAR_SLOT_BYTES;
}

/* put_slot - with this id. */
static void put_slot(struct net_liar *liar, const struct netif_tx_request *slot, enum net_liar_who who,
		     uint16_t id)
{
	struct netif_tx_request request = *slot;
	struct net_ring *ring = &liar->queue->tx;

	request.id = id;
	liar->who[id] = (uint8_t)who;
	liar->waiting[id]++;
	memcpy(net_ring_entry(ring, ring->request_producer++), &request, sizeof(request));
	if (who == NET_LIAR_HONEST)
		liar->outcome->honest++;
	else
		liar->outcome->false_ones++;
}

/* make_room - in the tx ring; what is there is answered some time, or the ring is broken. */
static void make_room(struct net_liar *liar, uint32_t count)
{
	if (net_ring_free(&liar->queue->tx) >= count)
		return;
	net_liar_show(liar);
	net_liar_collect(liar);
}

void net_liar_put(struct net_liar *liar, const struct net_liar_packet *packet, enum net_liar_who who, int id)
{
	struct net_ring *ring = &liar->queue->tx;

	make_room(liar, packet->count);
	if (liar->outcome->broken || liar->outcome->unanswered)
		return;
	for (uint32_t i = 0; i < packet->count; i++) {
		if (!packet->is_extra[i]) {
			put_slot(liar, &packet->slots[i].request, who,
				 id >= 0 ? (uint16_t)id : liar->next_id++);
			continue;
		}
		memcpy(net_ring_entry(ring, ring->request_producer++), &packet->slots[i],
		       sizeof(packet->slots[i]));
		liar->outcome->extras++;
	}
}

void net_liar_put_honest(struct net_liar *liar, uint32_t count)
{
	while (count-- > 0) {
		struct net_liar_packet packet = {.count = 1};

		packet.slots[0].request = (struct netif_tx_request){
			.gref = liar->pages[net_liar_random(liar, NET_LIAR_PAGES)].gref,
			.offset = (uint16_t)net_liar_random(liar, PAGE_BYTES - HONEST_BYTES_MAX),
			.size = (uint16_t)(HONEST_BYTES_MIN +
					   net_liar_random(liar, HONEST_BYTES_MAX - HONEST_BYTES_MIN + 1))};
		net_liar_put(liar, &packet, NET_LIAR_HONEST, -1);
	}
}

/* ---- pages ---- */

/* put_page - into the rx ring, where there is always room. */
static void put_page(struct net_liar *liar, const struct net_liar_place *place, uint32_t gref,
		     uint16_t padding)
{
	struct net_ring *ring = &liar->queue->rx;
	const struct netif_rx_request request = {.id = place->id, .pad = padding, .gref = gref};

	assert(net_ring_free(ring) > 0);
	liar->places[ring->request_producer % NET_FRONT_RING_SIZE] = *place;
	memcpy(net_ring_entry(ring, ring->request_producer++), &request, sizeof(request));
}

void net_liar_post(struct net_liar *liar, uint32_t gref, uint16_t padding)
{
	const struct net_liar_place place = {.who = NET_LIAR_FALSE,
					     .id = (uint16_t)net_liar_random(liar, 65536)};

	put_page(liar, &place, gref, padding);
	liar->posted_false++;
	liar->outcome->false_pages++;
}

/* post_honest - all pages that are free. */
static void post_honest(struct net_liar *liar)
{
	while (liar->free_count > 0 && !liar->no_posting) {
		struct liar_page *page = liar->free[--liar->free_count];
		const struct net_liar_place place = {
			.who = NET_LIAR_HONEST, .page = page, .id = (uint16_t)net_liar_random(liar, 65536)};

		put_page(liar, &place, page->gref, 0);
		liar->posted_honest++;
	}
}

void net_liar_show(struct net_liar *liar)
{
	const struct net_front_queue *queue = liar->queue;

	net_ring_push(&liar->queue->tx);
	net_ring_push(&liar->queue->rx);
	sim_port_notify(liar->guest, queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		sim_port_notify(liar->guest, queue->rx_port);
}

/* ---- answers ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void note_tx(struct net_liar *liar, const struct netif_tx_response *response)
{
	struct net_lie_outcome *outcome = liar->outcome;
	bool good = response->status == NETIF_RSP_OKAY;

	if (response->status == NETIF_RSP_NULL) {
		outcome->nulls++;
	} else if (liar->waiting[response->id] == 0) {
		outcome->strays++;
	} else if (liar->who[response->id] == NET_LIAR_HONEST) {
		liar->waiting[response->id]--;
		outcome->honest_good += good;
		outcome->honest_failed += !good;
	} else {
		liar->waiting[response->id]--;
		outcome->granted += good;
		outcome->refused += !good;
	}
}

static void note_rx(struct net_liar *liar, uint32_t at, const struct netif_rx_response *response)
{
	struct net_liar_place *place = &liar->places[at % NET_FRONT_RING_SIZE];
	struct net_lie_outcome *outcome = liar->outcome;
	bool good = response->status > 0, extra = liar->extra_follows;

	liar->extra_follows = extra ? ((const struct netif_extra_info *)(const void *)response)->flags &
					      XEN_NETIF_EXTRA_FLAG_MORE
				    : good && response->flags & NETRXF_extra_info;
	/* An extra info has no id. */
	if (!extra && response->id != place->id)
		outcome->strays++;
	if (place->who == NET_LIAR_HONEST) {
		liar->posted_honest--;
		liar->free[liar->free_count++] = place->page;
		outcome->pages_good += extra || good;
		outcome->pages_failed += !extra && !good;
	} else {
		liar->posted_false--;
		outcome->pages_granted += extra || good;
		outcome->pages_refused += !extra && !good;
	}
	place->who = NET_LIAR_NOBODY;
}

/* take_answers - all that are there. */
static void take_answers(struct net_liar *liar)
{
	struct net_ring *tx = &liar->queue->tx, *rx = &liar->queue->rx;
	int there;

	/* What the liar wrote over the host's counters is no answer. */
	for (there = net_ring_look(tx); there > 0; there--) {
		struct netif_tx_response response;

		memcpy(&response, net_ring_entry(tx, tx->response_consumer++), sizeof(response));
		note_tx(liar, &response);
	}
	for (there = net_ring_look(rx); there > 0; there--) {
		struct netif_rx_response response;

		memcpy(&response, net_ring_entry(rx, rx->response_consumer), sizeof(response));
		note_rx(liar, rx->response_consumer++, &response);
	}
}

/* wait_for_event - or a millisecond. */
static void wait_for_event(struct net_liar *liar)
{
	net_ring_ask(&liar->queue->tx, 1);
	net_ring_ask(&liar->queue->rx, 1);
	sim_port_wait(liar->guest, liar->queue->tx_port, 1);
}

static bool all_answered(const struct net_liar *liar)
{
	return liar->queue->tx.request_producer == liar->queue->tx.response_consumer;
}

void net_liar_collect(struct net_liar *liar)
{
	struct net_lie_outcome *outcome = liar->outcome;
	int64_t end_ms = now_ms() + ANSWER_TIMEOUT_MS;

	while (!outcome->broken && !outcome->unanswered) {
		take_answers(liar);
		post_honest(liar);
		if (all_answered(liar) && liar->posted_false == 0)
			return;
		/* What the lie has posted is filled when so many packets have come. */
		if (all_answered(liar))
			net_liar_put_honest(liar, 4);
		net_liar_show(liar);
		outcome->broken = liar->options.broken(liar->options.context);
		outcome->unanswered = now_ms() >= end_ms;
		wait_for_event(liar);
	}
}

/* wait_quiet - see whether the ring breaks. */
static void wait_quiet(struct net_liar *liar, int64_t timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;

	while (!(liar->outcome->broken = liar->options.broken(liar->options.context)) && now_ms() < end_ms)
		wait_for_event(liar);
}

/* ---- lying ---- */

/* tell_twisted - put a packet that is right but for what the lie changes. */
static void tell_twisted(struct net_liar *liar, const struct net_lie *lie)
{
	struct net_liar_packet packet;

	net_liar_valid(liar, lie->large, &packet);
	lie->twist(liar, &packet);
	net_liar_put(liar, &packet, NET_LIAR_FALSE, -1);
	net_liar_show(liar);
}

void net_liar_tell(struct net_liar *liar, const struct net_lie *lie, struct net_lie_outcome *outcome)
{
	*outcome = (struct net_lie_outcome){0};
	liar->outcome = outcome;
	post_honest(liar);
	net_liar_put_honest(liar, net_liar_random(liar, 4));
	if (net_liar_random(liar, 2))
		net_liar_show(liar);
	if (lie->twist)
		tell_twisted(liar, lie);
	else
		lie->act(liar);
	if (lie->end == LIE_BREAKS) {
		wait_quiet(liar, ANSWER_TIMEOUT_MS);
	} else if (lie->end == LIE_RUINS) {
		wait_quiet(liar, QUIET_MS);
	} else {
		net_liar_put_honest(liar, 1 + net_liar_random(liar, 4));
		net_liar_show(liar);
		net_liar_collect(liar);
	}
}

const char *net_liar_judge(const struct net_lie *lie, const struct net_lie_outcome *outcome)
{
	if (lie->end == LIE_RUINS)
		return NULL;
	if (lie->end == LIE_BREAKS)
		return outcome->broken ? NULL : "the ring should be declared broken, and is not";
	if (outcome->broken)
		return "the ring was declared broken, and is not";
	if (outcome->unanswered)
		return "not all requests were answered";
	if (outcome->honest_good != outcome->honest)
		return "an honest packet was answered with an error";
	if (outcome->pages_failed > 0)
		return "an honest page was answered with an error";
	if (outcome->nulls != outcome->extras)
		return "extra infos were not answered one by one";
	if (lie->end != LIE_ANYTHING && outcome->strays > 0)
		return "an answer came to what was not asked";
	if (lie->end == LIE_REFUSED && outcome->granted + outcome->pages_granted > 0)
		return "the lie should be answered with an error, and was not";
	if (lie->end == LIE_HARMLESS && outcome->refused + outcome->pages_refused > 0)
		return "what is legal was answered with an error";
	return NULL;
}

const struct net_lie *net_liar_choose(struct net_liar *liar)
{
	const struct net_lie *lie;

	do
		lie = net_lie_at(
			net_liar_random(liar, net_lie_count + net_deed_count + net_control_lie_count));
	while (lie->end == LIE_BREAKS || lie->end == LIE_RUINS ||
	       (net_lie_needs_control(lie) && !liar->options.card->options.control));
	return lie;
}

const struct net_lie *net_lie_at(uint32_t index)
{
	if (index < net_lie_count)
		return &net_lies[index];
	index -= net_lie_count;
	if (index < net_deed_count)
		return &net_deeds[index];
	index -= net_deed_count;
	return index < net_control_lie_count ? &net_control_lies[index] : NULL;
}

bool net_lie_needs_control(const struct net_lie *lie)
{
	return lie >= net_control_lies && lie < net_control_lies + net_control_lie_count;
}

const char *net_lie_name(const struct net_lie *lie)
{
	return lie->name;
}

enum lie_end net_lie_end(const struct net_lie *lie)
{
	return lie->end;
}

const struct net_lie *net_lie_find(const char *name)
{
	const struct net_lie *lie;

	for (uint32_t i = 0; (lie = net_lie_at(i)); i++)
		if (strcmp(lie->name, name) == 0)
			return lie;
	return NULL;
}
