/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * switch_table.h - behind which peer a MAC is, as its packets have shown
 *
 * Sets of a few entries each, found by a hash of the MAC. A new one takes the place of the set's oldest. Entries do not age: a MAC that is
 * seen behind another peer is behind that from then on, and those of a peer that goes away are forgotten.
 */
#ifndef SWITCH_TABLE_H
#define SWITCH_TABLE_H

#include <stdint.h>
#include <string.h>

#define SWITCH_TABLE_SETS 1024u
#define SWITCH_TABLE_WAYS 4u
#define SWITCH_TABLE_NONE UINT16_MAX /* no peer */

struct switch_table {
	struct {
		uint64_t macs[SWITCH_TABLE_WAYS]; /* 0: none */
		uint16_t peers[SWITCH_TABLE_WAYS];
		uint16_t next; /* which entry is the next to be replaced */
	} sets[SWITCH_TABLE_SETS];
};

/* switch_table_key - of the MAC that begins here. 0 is none that anybody has. */
static inline uint64_t switch_table_key(const uint8_t mac[6])
{
	uint64_t key = 0;

	memcpy(&key, mac, 6);
	return key;
}

static inline uint32_t switch_table_set(uint64_t key)
{
	/* The golden ratio's multiples are spread over all upper bits. */
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 54) % SWITCH_TABLE_SETS;
}

/* switch_table_find - the peer's number, or SWITCH_TABLE_NONE. */
static inline uint16_t switch_table_find(const struct switch_table *table, uint64_t key)
{
	uint32_t set = switch_table_set(key);

	for (uint32_t i = 0; i < SWITCH_TABLE_WAYS; i++)
		if (table->sets[set].macs[i] == key)
			return key ? table->sets[set].peers[i] : SWITCH_TABLE_NONE;
	return SWITCH_TABLE_NONE;
}

/* switch_table_learn - this MAC is behind this peer. */
static inline void switch_table_learn(struct switch_table *table, uint64_t key, uint16_t peer)
{
	uint32_t set = switch_table_set(key), way = 0;

	while (way < SWITCH_TABLE_WAYS && table->sets[set].macs[way] != key)
		way++;
	if (way == SWITCH_TABLE_WAYS)
		way = table->sets[set].next++ % SWITCH_TABLE_WAYS;
	table->sets[set].macs[way] = key;
	table->sets[set].peers[way] = peer;
}

/* switch_table_forget - all that is behind this peer. */
static inline void switch_table_forget(struct switch_table *table, uint16_t peer)
{
	for (uint32_t set = 0; set < SWITCH_TABLE_SETS; set++)
		for (uint32_t i = 0; i < SWITCH_TABLE_WAYS; i++)
			if (table->sets[set].peers[i] == peer)
				table->sets[set].macs[i] = 0;
}

#endif
