// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's side of a network card by itself: what it writes into its rings, and what it says of a host that answers wrongly.
 * The test is the host.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>

#include "check_main.h"
#include "sim/netif_frontend.h"

#define DOMID 5
#define HEADROOM 32

static struct sim_machine *machine;
static struct sim_guest *guest;
static struct netif_frontend *frontend;
static struct net_front_queue *queue;

static void start_with(struct netif_frontend_options options)
{
	const struct sim_guest_options with = {.domid = DOMID, .pages = 8192};
	const struct netif_features features = {.scatter = true,
						.split = true,
						.multicast_control = true,
						.xdp_headroom = true,
						.queues_max = 8};

	machine = sim_machine_create(3);
	ck_assert_int_eq(sim_guest_create(machine, &with, &guest), 0);
	options.guest = guest;
	ck_assert_int_eq(netif_frontend_create(&options, &features, &frontend), 0);
	queue = frontend->queues[0];
}

static void start(void)
{
	start_with((struct netif_frontend_options){
		.takes = XVHOST_NET_GSO_TCPV4, .xdp_headroom = HEADROOM, .posted = 40, .guard = true});
}

static void stop(void)
{
	ck_assert_uint_eq(netif_frontend_destroy(frontend), 0);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}

/* send - a packet of so many slots of 100 bytes and so many extra infos. */
static struct net_front_packet *send_packet(uint32_t slots, uint32_t extras)
{
	struct net_front_packet *packet = net_front_take(queue, slots, extras);

	ck_assert_ptr_nonnull(packet);
	for (uint32_t i = 0; i < slots; i++) {
		packet->slots[i]->offset = (uint16_t)(10 * i);
		packet->slots[i]->size = 100;
	}
	for (uint32_t i = 0; i < extras; i++) {
		packet->extras[i] = (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD};
		packet->extras[i].u.mcast.addr[5] = (uint8_t)(i + 1);
	}
	packet->extra_count = extras;
	ck_assert_int_eq(net_front_send(queue, packet), 0);
	return packet;
}

/* ---- what the host does ---- */

static struct ring_header *tx_header(void)
{
	return net_ring_header(&queue->tx);
}

static struct ring_header *rx_header(void)
{
	return net_ring_header(&queue->rx);
}

static void answer_tx(uint16_t id, int16_t status)
{
	const struct netif_tx_response response = {.id = id, .status = status};

	memcpy(net_ring_entry(&queue->tx, tx_header()->response_producer++), &response, sizeof(response));
}

/* posted - the page that lies so many places after the next to be answered. */
static struct net_front_page *posted(uint32_t ahead)
{
	return queue->posted[(rx_header()->response_producer + ahead) % NET_FRONT_RING_SIZE];
}

/* answer_rx - the next request, by bytes in its page. */
static void answer_rx(uint16_t id_change, uint16_t offset, uint16_t flags, int16_t status)
{
	struct net_front_page *page = posted(0);
	const struct netif_rx_response response = {
		.id = page->id ^ id_change, .offset = offset, .flags = flags, .status = status};

	if (status > 0 && offset + status <= (int)PAGE_BYTES)
		memset(page->page + offset, 0x11, (size_t)status);
	memcpy(net_ring_entry(&queue->rx, rx_header()->response_producer++), &response, sizeof(response));
}

static void answer_extra(uint8_t type, uint8_t flags, uint16_t size, uint8_t gso_type, uint8_t pad)
{
	struct netif_extra_info extra = {.type = type, .flags = flags};

	extra.u.gso.size = size;
	extra.u.gso.type = gso_type;
	extra.u.gso.pad = pad;
	memcpy(net_ring_entry(&queue->rx, rx_header()->response_producer++), &extra, sizeof(extra));
}

/* map - a grant, and keep it so. */
static struct grants *map(uint32_t gref, void **mapping)
{
	const struct platform *platform = sim_platform(machine);
	struct grants *host;
	void *page;

	ck_assert_int_eq(platform->grants_open(platform, &host), 0);
	ck_assert_int_eq(platform->grants_map(host, DOMID, &gref, 1, false, true, &page, mapping), 0);
	return host;
}

static void unmap(struct grants *host, void *mapping)
{
	const struct platform *platform = sim_platform(machine);

	ck_assert_int_eq(platform->grants_unmap(host, mapping, 1), 0);
	platform->grants_close(host);
}

/* ---- what lies in the rings, byte for byte as netif.h has it ---- */

START_TEST(transmitted)
{
	struct netif_tx_request first, second, third;
	struct netif_extra_info one, two;
	struct net_front_packet *packet;

	start();
	packet = net_front_take(queue, 3, 2);
	packet->flags = NETTXF_csum_blank;
	packet->extra_count = 2;
	packet->extras[0] = (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO};
	packet->extras[0].u.gso.size = 1448;
	packet->extras[0].u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	packet->extras[1] = (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_MCAST_DEL, .flags = 0xff};
	packet->slots[0]->offset = 7;
	packet->slots[0]->size = 4089;
	packet->slots[1]->offset = 5;
	packet->slots[1]->size = 0;
	packet->slots[2]->offset = 4095;
	packet->slots[2]->size = 1;
	ck_assert_int_eq(net_front_send(queue, packet), 0);
	ck_assert_uint_eq(tx_header()->request_producer, 0);
	ck_assert_int_eq(net_front_push(queue), 0);
	ck_assert_uint_eq(tx_header()->request_producer, 5);
	memcpy(&first, net_ring_entry(&queue->tx, 0), sizeof(first));
	memcpy(&one, net_ring_entry(&queue->tx, 1), sizeof(one));
	memcpy(&two, net_ring_entry(&queue->tx, 2), sizeof(two));
	memcpy(&second, net_ring_entry(&queue->tx, 3), sizeof(second));
	memcpy(&third, net_ring_entry(&queue->tx, 4), sizeof(third));
	ck_assert_uint_eq(first.size, 4090);
	ck_assert_uint_eq(first.offset, 7);
	ck_assert_uint_eq(first.flags, NETTXF_csum_blank | NETTXF_more_data | NETTXF_extra_info);
	ck_assert_uint_eq(first.gref, packet->slots[0]->gref);
	ck_assert(*(uint16_t *)sim_grant_entry(guest, first.gref) & GTF_readonly);
	ck_assert_uint_eq(one.type, XEN_NETIF_EXTRA_TYPE_GSO);
	ck_assert_uint_eq(one.flags, XEN_NETIF_EXTRA_FLAG_MORE);
	ck_assert_uint_eq(one.u.gso.size, 1448);
	ck_assert_uint_eq(two.type, XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
	ck_assert_uint_eq(two.flags, 0);
	ck_assert_uint_eq(second.size, 0);
	ck_assert_uint_eq(second.flags, NETTXF_more_data);
	ck_assert_uint_eq(third.size, 1);
	ck_assert_uint_eq(third.offset, 4095);
	ck_assert_uint_eq(third.flags, 0);
	stop();
}
END_TEST

/* All that is sent is answered in any order; grants end one by one; ids are never the same twice in a row. */
START_TEST(answered)
{
	struct net_front_packet *one, *two, *reaped;
	uint16_t ids[3];
	uint32_t gref;

	start();
	for (uint32_t round = 0; round < 300; round++) {
		one = send_packet(2, 1);
		two = send_packet(1, 0);
		ids[0] = one->slots[0]->id;
		ids[1] = one->slots[1]->id;
		ids[2] = two->slots[0]->id;
		gref = one->slots[1]->gref;
		ck_assert_int_eq(net_front_push(queue), 0);
		answer_tx(ids[1], NETIF_RSP_OKAY);
		ck_assert_int_eq(net_front_reap(queue, &reaped), 0);
		ck_assert_uint_eq(*(uint16_t *)sim_grant_entry(guest, gref) & GTF_type_mask, 0);
		answer_tx(ids[2], NETIF_RSP_ERROR);
		answer_tx(0, NETIF_RSP_NULL);
		answer_tx(ids[0], NETIF_RSP_OKAY);
		ck_assert_int_eq(net_front_reap(queue, &reaped), 1);
		ck_assert_ptr_eq(reaped, two);
		ck_assert_int_eq(reaped->status, NETIF_RSP_ERROR);
		net_front_free(queue, reaped);
		ck_assert_int_eq(net_front_idle(queue), -EPROTO);
		ck_assert_int_eq(net_front_reap(queue, &reaped), 1);
		ck_assert_ptr_eq(reaped, one);
		ck_assert_int_eq(reaped->status, NETIF_RSP_OKAY);
		net_front_free(queue, reaped);
		ck_assert_int_eq(net_front_reap(queue, &reaped), 0);
		ck_assert_int_eq(net_front_idle(queue), 0);
	}
	stop();
}
END_TEST

/* As many packets as the ring has entries for, and then none. */
START_TEST(full)
{
	uint32_t count = 0;

	start();
	while (net_front_take(queue, 1, 0))
		count++;
	ck_assert_uint_eq(count, 256);
	stop();
	start();
	for (count = 0; count < 64; count++)
		send_packet(2, 2);
	ck_assert_ptr_null(net_front_take(queue, 1, 0));
	stop();
}
END_TEST

START_TEST(received)
{
	struct net_front_received packet;
	struct netif_rx_request request;

	start();
	ck_assert_int_eq(net_front_post(queue), 40);
	ck_assert_int_eq(net_front_post(queue), 0);
	ck_assert_int_eq(net_front_push(queue), 0);
	ck_assert_uint_eq(rx_header()->request_producer, 40);
	memcpy(&request, net_ring_entry(&queue->rx, 1), sizeof(request));
	ck_assert_uint_eq(request.id, posted(1)->id);
	ck_assert_uint_eq(request.gref, posted(1)->gref);
	ck_assert_uint_eq(request.pad, 0);
	ck_assert_int_eq(net_front_receive(queue, &packet), 0);
	answer_rx(0, HEADROOM, NETRXF_csum_blank | NETRXF_more_data | NETRXF_extra_info, 4000);
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 0);
	answer_rx(0, HEADROOM, NETRXF_more_data, 4064);
	answer_rx(0, HEADROOM, 0, 1);
	answer_rx(0, HEADROOM, NETRXF_data_validated, 14);
	ck_assert_int_eq(net_front_receive(queue, &packet), 1);
	ck_assert_uint_eq(packet.length, 8065);
	ck_assert_uint_eq(packet.piece_count, 3);
	ck_assert_uint_eq(packet.page_count, 4);
	ck_assert_uint_eq(packet.gso_bytes, 1400);
	ck_assert_uint_eq(packet.gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
	ck_assert_uint_eq(packet.flags, NETRXF_csum_blank);
	ck_assert_uint_eq(*(uint8_t *)packet.pieces[2].iov_base, 0x11);
	net_front_done(queue, &packet);
	ck_assert_int_eq(net_front_post(queue), 4);
	ck_assert_int_eq(net_front_receive(queue, &packet), 1);
	ck_assert_uint_eq(packet.length, 14);
	ck_assert_uint_eq(packet.flags, NETRXF_data_validated);
	net_front_done(queue, &packet);
	answer_rx(0, 0, 0, NETIF_RSP_DROPPED);
	ck_assert_int_eq(net_front_push(queue), 0);
	ck_assert_int_eq(net_front_receive(queue, &packet), 1);
	ck_assert(packet.failed);
	ck_assert_uint_eq(queue->failed, 1);
	net_front_done(queue, &packet);
	stop();
}
END_TEST

/* ---- what can't be ---- */

static void tx_unknown_id(void)
{
	answer_tx(send_packet(1, 0)->slots[0]->id ^ 0x100, NETIF_RSP_OKAY);
}

static void tx_id_of_free_slot(void)
{
	struct net_front_packet *packet = send_packet(1, 0);

	answer_tx(packet->slots[0]->id ^ 1, NETIF_RSP_OKAY);
}

static void tx_twice(void)
{
	struct net_front_packet *packet = send_packet(2, 0);

	answer_tx(packet->slots[1]->id, NETIF_RSP_OKAY);
	answer_tx(packet->slots[1]->id, NETIF_RSP_OKAY);
}

static void tx_status_high(void)
{
	answer_tx(send_packet(1, 0)->slots[0]->id, 2);
}

static void tx_status_low(void)
{
	answer_tx(send_packet(1, 0)->slots[0]->id, -3);
}

static void tx_extra_without(void)
{
	answer_tx(send_packet(1, 0)->slots[0]->id, NETIF_RSP_NULL);
}

static void tx_too_many(void)
{
	struct net_front_packet *packet = send_packet(1, 0);

	answer_tx(packet->slots[0]->id, NETIF_RSP_OKAY);
	answer_tx(packet->slots[0]->id, NETIF_RSP_OKAY);
}

static void tx_backwards(void)
{
	send_packet(1, 0);
	tx_header()->response_producer--;
}

static void tx_leaks(void)
{
	uint8_t *entry = net_ring_entry(&queue->tx, 0);

	answer_tx(send_packet(1, 0)->slots[0]->id, NETIF_RSP_OKAY);
	entry[11] ^= 0x40;
}

static void rx_wrong_id(void)
{
	answer_rx(0x100, HEADROOM, 0, 60);
}

static void rx_out_of_order(void)
{
	answer_rx((uint16_t)(posted(0)->id ^ posted(1)->id), HEADROOM, 0, 60);
}

static void rx_unknown_flag(void)
{
	answer_rx(0, HEADROOM, NETRXF_gso_prefix, 60);
}

static void rx_flag_of_second(void)
{
	answer_rx(0, HEADROOM, NETRXF_more_data, 60);
	answer_rx(0, HEADROOM, NETRXF_csum_blank, 60);
}

static void rx_status_low(void)
{
	answer_rx(0, HEADROOM, 0, -3);
}

static void rx_no_bytes(void)
{
	answer_rx(0, HEADROOM, NETRXF_more_data, 60);
	answer_rx(0, HEADROOM, 0, 0);
}

static void rx_no_headroom(void)
{
	answer_rx(0, 0, 0, 60);
}

static void rx_second_has_no_headroom(void)
{
	answer_rx(0, HEADROOM, NETRXF_more_data, 60);
	answer_rx(0, 0, 0, 60);
}

static void rx_leaves_page(void)
{
	answer_rx(0, HEADROOM, 0, PAGE_BYTES - HEADROOM + 1);
}

static void rx_too_many_pieces(void)
{
	answer_rx(0, HEADROOM, NETRXF_more_data, 60);
	for (int i = 0; i < NET_FRONT_SLOTS_MAX; i++)
		answer_rx(0, HEADROOM, i + 1 < NET_FRONT_SLOTS_MAX ? NETRXF_more_data : 0, 60);
}

static void rx_too_large(void)
{
	answer_rx(0, HEADROOM, NETRXF_more_data, 60);
	for (int i = 0; i < 17; i++)
		answer_rx(0, HEADROOM, i < 16 ? NETRXF_more_data : 0, PAGE_BYTES - HEADROOM);
}

static void rx_too_small(void)
{
	answer_rx(0, HEADROOM, NETRXF_more_data, 12);
	answer_rx(0, HEADROOM, 0, 1);
}

static void rx_part(void)
{
	answer_rx(0, HEADROOM, NETRXF_more_data, 60);
}

static void rx_part_before_extra(void)
{
	answer_rx(0, HEADROOM, NETRXF_extra_info | NETRXF_csum_blank, 60);
}

static void rx_writes_before(void)
{
	posted(0)->page[HEADROOM - 1] = 0;
	answer_rx(0, HEADROOM, 0, 60);
}

static void rx_writes_behind(void)
{
	posted(0)->page[HEADROOM + 60] = 0;
	answer_rx(0, HEADROOM, 0, 60);
}

static void rx_too_many(void)
{
	rx_header()->response_producer = rx_header()->request_producer + 1;
}

/* first_of_extra - of a packet that has one. */
static void first_of_extra(void)
{
	answer_rx(0, HEADROOM, NETRXF_extra_info | NETRXF_csum_blank, 60);
}

static void extra_hash(void)
{
	first_of_extra();
	answer_extra(XEN_NETIF_EXTRA_TYPE_HASH, 0, 1400, 0, 0);
}

static void extra_multicast(void)
{
	first_of_extra();
	answer_extra(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, 1400, 0, 0);
}

static void extra_flags(void)
{
	first_of_extra();
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 2, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void extra_twice(void)
{
	first_of_extra();
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 1, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 0);
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void extra_no_size(void)
{
	first_of_extra();
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 0, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void extra_padding(void)
{
	first_of_extra();
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 1);
}

static void extra_not_blank(void)
{
	answer_rx(0, HEADROOM, NETRXF_extra_info | NETRXF_data_validated, 60);
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void extra_not_taken(void)
{
	first_of_extra();
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1400, XEN_NETIF_GSO_TYPE_TCPV6, 0);
}

static void extra_writes(void)
{
	first_of_extra();
	posted(0)->page[4095] = 0;
	answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

/* Answers that can't be; each ends the use of the queue with a text. */
static const struct {
	void (*host)(void);
	const char *text;
} faults[] = {
	{tx_unknown_id, "has an id that no request in flight has"},
	{tx_id_of_free_slot, "has an id that no request in flight has"},
	{tx_twice, "answers a request that was answered before"},
	{tx_status_high, "has a status that netif does not have"},
	{tx_status_low, "has a status that netif does not have"},
	{tx_extra_without, "is for an extra info, and there was none"},
	{tx_too_many, "shows more tx responses than there were requests"},
	{tx_backwards, "shows more tx responses than there were requests"},
	{tx_leaks, "has bytes behind it that the guest did not write"},
	{rx_wrong_id, "has not the id of the request in its place"},
	{rx_out_of_order, "has not the id of the request in its place"},
	{rx_unknown_flag, "has flags that netif does not have"},
	{rx_flag_of_second, "has flags that only a packet's first can have"},
	{rx_status_low, "has a status that netif does not have"},
	{rx_no_bytes, "has no bytes"},
	{rx_no_headroom, "has not the headroom that was asked for"},
	{rx_second_has_no_headroom, "has not the headroom that was asked for"},
	{rx_leaves_page, "leaves its page"},
	{rx_too_many_pieces, "is one more of its packet than netif allows"},
	{rx_too_large, "is larger than netif allows"},
	{rx_too_small, "has no Ethernet header"},
	{rx_part, "shows a part of a packet"},
	{rx_part_before_extra, "shows a part of a packet"},
	{rx_writes_before, "has written outside of them"},
	{rx_writes_behind, "has written outside of them"},
	{rx_too_many, "shows more rx responses than there were requests"},
	{extra_hash, "has a type that was not asked for"},
	{extra_multicast, "has a type that was not asked for"},
	{extra_flags, "has flags that netif does not have"},
	{extra_twice, "is the second of its type"},
	{extra_no_size, "has segments of no bytes"},
	{extra_padding, "has bytes that are to be zero"},
	{extra_not_blank, "is for a packet whose checksum is not blank"},
	{extra_not_taken, "has a type of GSO that the guest does not take"},
	{extra_writes, "has written to its request's page"},
};

START_TEST(wrong_answers)
{
	struct net_front_received packet;
	struct net_front_packet *reaped;
	int error;

	start();
	ck_assert_int_eq(net_front_post(queue), 40);
	ck_assert_int_eq(net_front_push(queue), 0);
	faults[_i].host();
	ck_assert_int_eq(net_front_push(queue), 0);
	error = net_front_reap(queue, &reaped);
	if (error >= 0)
		error = net_front_receive(queue, &packet);
	ck_assert_int_eq(error, -EPROTO);
	ck_assert_msg(strstr(queue->error, faults[_i].text), "%s", queue->error);
	stop();
}
END_TEST

START_TEST(second_page_unwanted)
{
	struct net_front_received packet;

	start_with((struct netif_frontend_options){.no_scatter = true});
	net_front_post(queue);
	net_front_push(queue);
	answer_rx(0, 0, NETRXF_more_data, 4096);
	answer_rx(0, 0, 0, 60);
	ck_assert_int_eq(net_front_receive(queue, &packet), -EPROTO);
	ck_assert_msg(strstr(queue->error, "though the guest takes one page only"), "%s", queue->error);
	stop();
}
END_TEST

/* A host that has a page mapped still when it answers is found out. */
START_TEST(grant_in_use)
{
	struct net_front_received packet;
	struct net_front_packet *reaped;
	struct grants *host;
	void *mapping;

	start();
	net_front_post(queue);
	if (_i) {
		reaped = send_packet(1, 0);
		host = map(reaped->slots[0]->gref, &mapping);
		net_front_push(queue);
		answer_tx(reaped->slots[0]->id, NETIF_RSP_OKAY);
		ck_assert_int_eq(net_front_reap(queue, &reaped), -EBUSY);
	} else {
		net_front_push(queue);
		host = map(posted(0)->gref, &mapping);
		answer_rx(0, HEADROOM, 0, 60);
		ck_assert_int_eq(net_front_receive(queue, &packet), -EBUSY);
	}
	ck_assert_msg(strstr(queue->error, "still"), "%s", queue->error);
	unmap(host, mapping);
	stop();
}
END_TEST

/* What is mapped still at the end is counted. */
START_TEST(mapped_at_end)
{
	struct grants *host;
	void *mapping;

	start();
	net_front_post(queue);
	host = map(posted(3)->gref, &mapping);
	ck_assert_uint_eq(netif_frontend_destroy(frontend), 1);
	unmap(host, mapping);
	sim_guest_destroy(guest);
	sim_machine_destroy(machine);
}
END_TEST

/* The host is notified only as it asked; and asks are made so that nothing is missed. */
START_TEST(notifications)
{
	struct net_front_packet *one, *two, *three, *reaped;
	struct net_front_received packet;

	start();
	net_front_post(queue);
	one = send_packet(1, 0);
	net_front_push(queue);
	/* One event channel, and one event for both rings. */
	ck_assert_uint_eq(queue->notifications, 1);
	two = send_packet(1, 0);
	three = send_packet(1, 0);
	net_front_push(queue);
	ck_assert_uint_eq(queue->notifications, 1);
	ck_assert_int_eq(net_front_wait(queue, NET_FRONT_TX | NET_FRONT_RX, -1, 0), 0);
	ck_assert_uint_eq(tx_header()->response_event, 2);
	ck_assert_uint_eq(rx_header()->response_event, 1);
	answer_tx(one->slots[0]->id, NETIF_RSP_OKAY);
	ck_assert_int_eq(net_front_wait(queue, NET_FRONT_TX, -1, 10), 0);
	answer_tx(two->slots[0]->id, NETIF_RSP_OKAY);
	ck_assert_int_eq(net_front_wait(queue, NET_FRONT_TX | NET_FRONT_RX, -1, -1), NET_FRONT_TX);
	answer_tx(three->slots[0]->id, NETIF_RSP_OKAY);
	answer_rx(0, HEADROOM, 0, 60);
	ck_assert_int_eq(net_front_wait(queue, NET_FRONT_TX | NET_FRONT_RX, -1, -1),
			 NET_FRONT_TX | NET_FRONT_RX);
	while (net_front_reap(queue, &reaped) == 1)
		net_front_free(queue, reaped);
	ck_assert_int_eq(net_front_receive(queue, &packet), 1);
	net_front_done(queue, &packet);
	ck_assert_int_eq(net_front_wait(queue, NET_FRONT_TX | NET_FRONT_RX, -1, 10), 0);
	ck_assert_uint_eq(rx_header()->response_event, 2);
	stop();
}
END_TEST

/* Two event channels, each for its ring; and what the options want is refused where it is not offered. */
START_TEST(negotiated)
{
	struct netif_frontend_options options = {.split = true, .queues = 3};
	struct netif_features none = {.queues_max = 3};
	struct message_net_connect connect;
	struct netif_frontend *other;

	start_with(options);
	net_front_post(queue);
	net_front_push(queue);
	ck_assert_uint_eq(queue->notifications, 1);
	send_packet(1, 0);
	net_front_push(queue);
	ck_assert_uint_eq(queue->notifications, 2);
	netif_frontend_describe(frontend, &connect);
	ck_assert_uint_eq(connect.queue_count, 3);
	ck_assert_uint_ne(connect.queues[2].event_channel_tx, connect.queues[2].event_channel_rx);
	ck_assert_uint_ne(connect.queues[2].tx_ring_ref, connect.queues[2].rx_ring_ref);
	options.guest = guest;
	ck_assert_int_eq(netif_frontend_create(&options, &none, &other), -EINVAL);
	options = (struct netif_frontend_options){.guest = guest, .queues = 4};
	ck_assert_int_eq(netif_frontend_create(&options, &none, &other), -EINVAL);
	options = (struct netif_frontend_options){.guest = guest, .multicast_control = true};
	ck_assert_int_eq(netif_frontend_create(&options, &none, &other), -EINVAL);
	options = (struct netif_frontend_options){.guest = guest, .xdp_headroom = 1};
	ck_assert_int_eq(netif_frontend_create(&options, &none, &other), -EINVAL);
	stop();
}
END_TEST

/* A guest that has too few pages gets all of them back. */
START_TEST(no_memory)
{
	const struct netif_features features = {.queues_max = 8};
	struct netif_frontend_options options = {.queues = 7};
	struct netif_frontend *second, *third;

	start_with((struct netif_frontend_options){.queues = 1});
	options.guest = guest;
	ck_assert_int_eq(netif_frontend_create(&options, &features, &second), 0);
	options.queues = 8;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(netif_frontend_create(&options, &features, &third), -ENOMEM);
	ck_assert_uint_eq(netif_frontend_destroy(second), 0);
	ck_assert_int_eq(netif_frontend_create(&options, &features, &third), 0);
	ck_assert_uint_eq(netif_frontend_destroy(third), 0);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, transmitted);
	tcase_add_test(test_case, answered);
	tcase_add_test(test_case, full);
	tcase_add_test(test_case, received);
	tcase_add_loop_test(test_case, wrong_answers, 0, (int)(sizeof(faults) / sizeof(faults[0])));
	tcase_add_test(test_case, second_page_unwanted);
	tcase_add_loop_test(test_case, grant_in_use, 0, 2);
	tcase_add_test(test_case, mapped_at_end);
	tcase_add_test(test_case, notifications);
	tcase_add_test(test_case, negotiated);
	tcase_add_test(test_case, no_memory);
}

CHECK_MAIN("net frontend", add_tests)
