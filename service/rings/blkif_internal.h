/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkif_internal.h - what the files of blkif have in common: blkif_queue.c, blkif_take.c, blkif.c
 */
#ifndef BLKIF_INTERNAL_H
#define BLKIF_INTERNAL_H

#include <stddef.h>

#include "rings/blkif.h"

static inline struct blkif_queue *blkif_queue_of(struct blkif_slot *slot)
{
	return blkif_layer_of(&slot->request)->queue;
}

/* blkif_slot_of_mapping - from a mapping to the request that it belongs to. */
static inline struct blkif_slot *blkif_slot_of_mapping(struct memory_mapping *mapping)
{
	return (struct blkif_slot *)((char *)mapping - offsetof(struct blkif_slot, mapping));
}

static inline void blkif_list_append(struct blkif_list *list, struct blkif_slot *slot)
{
	slot->next = NULL;
	if (list->last)
		list->last->next = slot;
	else
		list->first = slot;
	list->last = slot;
}

static inline struct blkif_slot *blkif_list_take(struct blkif_list *list)
{
	struct blkif_slot *slot = list->first;

	if (slot) {
		list->first = slot->next;
		if (!list->first)
			list->last = NULL;
	}
	return slot;
}

/* blkif_refuse_mapping - complete a request whose grants could not be mapped. */
void blkif_refuse_mapping(struct blkif_slot *slot);

/* blkif_read_indirect - get the segments of all indirect requests that were taken, by one call. */
void blkif_read_indirect(struct blkif_turn *turn);

#endif
