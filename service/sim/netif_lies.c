// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_lies.c - what a liar can say about a network card: packets that are right but for one thing
 */
#include <stdint.h>

#include "sim/netif_liar_internal.h"

/* request_of - of a slot of the packet that is no extra info; the packet has three. */
static struct netif_tx_request *request_of(struct net_liar_packet *packet, uint32_t index)
{
	return &packet->slots[index].request;
}

/* some - one of its slots. */
static struct netif_tx_request *some(struct net_liar *liar, struct net_liar_packet *packet)
{
	return request_of(packet, net_liar_random(liar, 3));
}

/* one_slot - of so many bytes. */
static void one_slot(struct net_liar_packet *packet, uint16_t bytes)
{
	packet->count = 1;
	request_of(packet, 0)->flags = 0;
	request_of(packet, 0)->size = bytes;
}

/* ---- packets: sizes ---- */

static void no_bytes(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	one_slot(packet, 0);
}

static void one_byte(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	one_slot(packet, 1);
}

static void thirteen_bytes(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	one_slot(packet, 13);
}

static void first_leaves_page(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	request_of(packet, 0)->offset = PAGE_BYTES - NET_LIAR_SLOT_BYTES + 1;
}

static void other_leaves_page(struct net_liar *liar, struct net_liar_packet *packet)
{
	request_of(packet, 1 + net_liar_random(liar, 2))->offset = PAGE_BYTES - NET_LIAR_SLOT_BYTES + 1;
}

static void offset_beyond_page(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->offset = (uint16_t)(PAGE_BYTES + net_liar_random(liar, 65536 - PAGE_BYTES));
}

/* Together more than 16 bits: a sum that is kept in 16 is small. */
static void offset_overflows(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->offset = (uint16_t)(65536 - NET_LIAR_SLOT_BYTES);
}

static void slot_beyond_sum(struct net_liar *liar, struct net_liar_packet *packet)
{
	request_of(packet, 1)->offset = 0;
	request_of(packet, 1)->size = (uint16_t)(3 * NET_LIAR_SLOT_BYTES + 1 + net_liar_random(liar, 3000));
}

static void slots_beyond_sum(struct net_liar *liar, struct net_liar_packet *packet)
{
	request_of(packet, 0)->size = (uint16_t)(2 * NET_LIAR_SLOT_BYTES - 1 - net_liar_random(liar, 50));
}

static void sum_beyond_slots(struct net_liar *liar, struct net_liar_packet *packet)
{
	request_of(packet, 0)->size = (uint16_t)(PAGE_BYTES + 2 * NET_LIAR_SLOT_BYTES + 1 +
						 net_liar_random(liar, 60000));
}

/* ---- packets: slots ---- */

/* many_slots - so many, all but the first empty, and it is said of the last that nothing comes. */
static void many_slots(struct net_liar_packet *packet, uint32_t count)
{
	struct netif_tx_request empty = *request_of(packet, 1);

	empty.size = 1;
	request_of(packet, 0)->size = (uint16_t)(NET_LIAR_SLOT_BYTES + count - 1);
	for (uint32_t i = 1; i < count; i++)
		packet->slots[i].request = empty;
	packet->slots[count - 1].request.flags = 0;
	packet->count = count;
}

static void eighteen_slots(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	many_slots(packet, 18);
}

static void nineteen_slots(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	many_slots(packet, 19);
}

static void twenty_slots(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	many_slots(packet, 20);
}

static void too_many_slots(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	many_slots(packet, 21);
}

static void all_slots(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	many_slots(packet, 255);
}

static void empty_slots(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	many_slots(packet, 18);
	request_of(packet, 0)->size = NET_LIAR_SLOT_BYTES;
	for (uint32_t i = 1; i < packet->count; i++)
		request_of(packet, i)->size = 0;
}

/* Nothing is read by the grant of a slot without bytes. */
static void empty_slot_without_grant(struct net_liar *liar, struct net_liar_packet *packet)
{
	empty_slots(liar, packet);
	request_of(packet, 3)->gref = liar->withdrawn.gref;
	request_of(packet, 4)->gref = UINT32_MAX;
}

static void first_slot_is_empty(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	request_of(packet, 0)->size = 2 * NET_LIAR_SLOT_BYTES;
}

static void unfinished(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	request_of(packet, 2)->flags |= NETTXF_more_data;
}

static void unfinished_extra(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	packet->slots[1].extra.flags |= XEN_NETIF_EXTRA_FLAG_MORE;
}

static void unknown_flags(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->flags |= (uint16_t)(0x10u << net_liar_random(liar, 12));
}

/* An extra info belongs to the first slot. */
static void extra_of_second(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	request_of(packet, 1)->flags |= NETTXF_extra_info;
}

/* ---- packets: extra infos ---- */

/* loop_extras - so many extra infos, each followed by another one. */
static void loop_extras(struct net_liar_packet *packet, uint32_t count)
{
	packet->slots[1].extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;
	for (uint32_t i = 2; i <= count; i++) {
		packet->slots[i] = packet->slots[1];
		packet->is_extra[i] = true;
	}
	packet->slots[count].extra.flags = 0;
	packet->count = count + 1;
}

static void four_extras(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	loop_extras(packet, 4);
}

static void five_extras(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	loop_extras(packet, 5);
}

static void endless_extras(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	loop_extras(packet, 250);
}

static void extra_of_no_type(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	packet->slots[1].extra.type = XEN_NETIF_EXTRA_TYPE_NONE;
}

static void extra_of_unknown_type(struct net_liar *liar, struct net_liar_packet *packet)
{
	packet->slots[1].extra.type = (uint8_t)(XEN_NETIF_EXTRA_TYPE_MAX +
						net_liar_random(liar, 256 - XEN_NETIF_EXTRA_TYPE_MAX));
}

/* Nobody has asked for hashes, or offered to look at them. */
static void extra_hash(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	packet->slots[1].extra = (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_HASH};
	packet->slots[1].extra.u.hash.type = 0xff;
	packet->slots[1].extra.u.hash.algorithm = 0xff;
}

static void gso_of_no_bytes(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	packet->slots[1].extra.u.gso.size = 0;
}

/* As many segments as there can be, or fewer than there are bytes for. */
static void gso_of_odd_bytes(struct net_liar *liar, struct net_liar_packet *packet)
{
	packet->slots[1].extra.u.gso.size = net_liar_random(liar, 2) ? 1 : UINT16_MAX;
}

static void gso_of_no_type(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	packet->slots[1].extra.u.gso.type = XEN_NETIF_GSO_TYPE_NONE;
}

static void gso_of_unknown_type(struct net_liar *liar, struct net_liar_packet *packet)
{
	packet->slots[1].extra.u.gso.type = (uint8_t)(3 + net_liar_random(liar, 253));
}

static void gso_of_other_type(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	packet->slots[1].extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV6;
}

static void gso_of_no_tcp(struct net_liar *liar, struct net_liar_packet *packet)
{
	packet->slots[0].request.gref = liar->pages[0].gref;
}

static void gso_cut_in_headers(struct net_liar *liar, struct net_liar_packet *packet)
{
	packet->slots[0].request.size = (uint16_t)(14 + net_liar_random(liar, 40));
}

static void blank_without_headers(struct net_liar *liar, struct net_liar_packet *packet)
{
	(void)liar;
	request_of(packet, 0)->flags |= NETTXF_csum_blank;
}

/* ---- packets: grants ---- */

static void withdrawn(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->gref = liar->withdrawn.gref;
}

static void never_granted(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->gref = net_liar_random(liar, GNTTAB_NR_RESERVED_ENTRIES);
}

static void beyond_table(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->gref = UINT32_MAX - net_liar_random(liar, 1000000);
}

static void read_only(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->gref = liar->read_only.gref;
}

static void other_domain(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->gref = liar->foreign.gref;
}

static void lost_frame(struct net_liar *liar, struct net_liar_packet *packet)
{
	some(liar, packet)->gref = liar->lost.gref;
}

static void one_page_for_all(struct net_liar *liar, struct net_liar_packet *packet)
{
	for (uint32_t i = 0; i < 3; i++)
		request_of(packet, i)->gref = liar->pages[0].gref;
}

const struct net_lie net_lies[] = {
	{"no-bytes", LIE_REFUSED, no_bytes, false, NULL},
	{"one-byte", LIE_REFUSED, one_byte, false, NULL},
	{"13-bytes", LIE_REFUSED, thirteen_bytes, false, NULL},
	{"first-slot-leaves-its-page", LIE_BREAKS, first_leaves_page, false, NULL},
	{"slot-leaves-its-page", LIE_BREAKS, other_leaves_page, false, NULL},
	{"offset-beyond-the-page", LIE_BREAKS, offset_beyond_page, false, NULL},
	{"offset-and-size-overflow", LIE_BREAKS, offset_overflows, false, NULL},
	{"slot-larger-than-the-packet", LIE_REFUSED, slot_beyond_sum, false, NULL},
	{"slots-larger-than-the-packet", LIE_REFUSED, slots_beyond_sum, false, NULL},
	{"packet-larger-than-its-slots", LIE_BREAKS, sum_beyond_slots, false, NULL},
	{"18-slots", LIE_HARMLESS, eighteen_slots, false, NULL},
	{"19-slots", LIE_REFUSED, nineteen_slots, false, NULL},
	{"20-slots", LIE_REFUSED, twenty_slots, false, NULL},
	{"21-slots", LIE_BREAKS, too_many_slots, false, NULL},
	{"255-slots", LIE_BREAKS, all_slots, false, NULL},
	{"empty-slots", LIE_HARMLESS, empty_slots, false, NULL},
	{"empty-slots-without-grants", LIE_HARMLESS, empty_slot_without_grant, false, NULL},
	{"first-slot-is-empty", LIE_HARMLESS, first_slot_is_empty, false, NULL},
	{"no-last-slot", LIE_BREAKS, unfinished, false, NULL},
	{"no-last-extra-info", LIE_BREAKS, unfinished_extra, true, NULL},
	{"unknown-flags", LIE_HARMLESS, unknown_flags, false, NULL},
	{"extra-info-of-the-second-slot", LIE_HARMLESS, extra_of_second, false, NULL},
	{"4-extra-infos-of-one-type", LIE_HARMLESS, four_extras, true, NULL},
	{"5-extra-infos", LIE_BREAKS, five_extras, true, NULL},
	{"250-extra-infos", LIE_BREAKS, endless_extras, true, NULL},
	{"extra-info-of-no-type", LIE_BREAKS, extra_of_no_type, true, NULL},
	{"extra-info-of-unknown-type", LIE_BREAKS, extra_of_unknown_type, true, NULL},
	{"hash-that-nobody-wants", LIE_HARMLESS, extra_hash, true, NULL},
	{"gso-of-no-bytes", LIE_REFUSED, gso_of_no_bytes, true, NULL},
	{"gso-of-odd-bytes", LIE_ANYTHING, gso_of_odd_bytes, true, NULL},
	{"gso-of-no-type", LIE_REFUSED, gso_of_no_type, true, NULL},
	{"gso-of-unknown-type", LIE_REFUSED, gso_of_unknown_type, true, NULL},
	{"gso-of-the-other-protocol", LIE_REFUSED, gso_of_other_type, true, NULL},
	{"gso-without-tcp", LIE_REFUSED, gso_of_no_tcp, true, NULL},
	{"gso-cut-in-its-headers", LIE_REFUSED, gso_cut_in_headers, true, NULL},
	{"blank-checksum-without-headers", LIE_REFUSED, blank_without_headers, false, NULL},
	{"grant-withdrawn", LIE_REFUSED, withdrawn, false, NULL},
	{"grant-never-given", LIE_REFUSED, never_granted, false, NULL},
	{"grant-beyond-the-table", LIE_REFUSED, beyond_table, false, NULL},
	{"grant-read-only", LIE_HARMLESS, read_only, false, NULL},
	{"grant-of-another-domain", LIE_REFUSED, other_domain, false, NULL},
	{"grant-of-no-frame", LIE_REFUSED, lost_frame, false, NULL},
	{"one-page-for-all-slots", LIE_HARMLESS, one_page_for_all, false, NULL},
};

const uint32_t net_lie_count = sizeof(net_lies) / sizeof(net_lies[0]);
