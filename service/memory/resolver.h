/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver.h - from a grant reference to the frame that is granted
 *
 * Theory of operation: the guest's grant table is mapped read-only, and an entry is read anew for each use. It must say
 * that the frame is permitted to us, and for writing that it is not read-only. What the entry says a moment later does
 * not matter: the guest that changes a grant in use harms itself alone.
 *
 * What is not so (no such entry, another domain's, withdrawn) is not this file's to refuse: RESOLVED_NOT_HERE, and Xen is
 * asked by mapping the grant.
 *
 * An entry of version 1 is one word, read at once. One of version 2 has its flags and its frame in two words; the
 * flags are looked at before and after the frame.
 *
 * The table grows while it is in use. Its frames are mapped when the first grant in them is asked for. One
 * resolver for all loops of a guest: look-ups take no lock, growing does.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

/* Frames of a table that can be looked at; Xen's default limit is 64. */
#define RESOLVER_FRAMES_MAX 1024u

/* The flags of an entry (xen/grant_table.h). */
#define RESOLVER_TYPE 3u
#define RESOLVER_PERMIT 1u
#define RESOLVER_TRANSITIVE 3u
#define RESOLVER_READ_ONLY 4u
#define RESOLVER_SUB_PAGE 0x100u

enum resolved {
	RESOLVED,
	RESOLVED_BY_COPY,  /* a part of a page, or another domain's grant: can be copied but not mapped */
	RESOLVED_NOT_HERE, /* can't tell, or not permitted: let Xen judge */
};

struct resolver {
	const char *entries;
	uint32_t bytes_mapped; /* of the table; only grows */
	uint32_t version;      /* 1 or 2 */
	uint32_t host_domid;   /* whom the grants must be for */

	const struct platform *platform;
	struct foreign *foreign;
	uint16_t domid;
	char *range; /* of RESOLVER_FRAMES_MAX pages, and one for trying */
	pthread_mutex_t lock;
};

/* resolver_open - map the beginning of the guest's table. Returns 0 or a negative errno. */
int resolver_open(struct resolver *resolver, const struct platform *platform, struct foreign *foreign,
		  uint16_t domid);

/* resolver_close - unmap it. Nothing is looked up any more. */
void resolver_close(struct resolver *resolver);

/*
 * resolver_see_version - see which version the table has. A guest can change it as long as none of its grants is in
 * use, so this is to be called when a ring of it has been mapped. Returns 0 or a negative errno.
 */
int resolver_see_version(struct resolver *resolver);

/* resolver_grow - map the table up to the entry at this byte. False: it can't be. Any thread. */
bool resolver_grow(struct resolver *resolver, uint64_t byte);

/* resolver_classify - what to do with an entry that is not a permission to use the whole frame. */
enum resolved resolver_classify(const struct resolver *resolver, uint32_t head, bool writable);

/* resolver_has - is this byte of the table mapped? */
static inline bool resolver_has(struct resolver *resolver, uint64_t byte)
{
	return __builtin_expect(byte < __atomic_load_n(&resolver->bytes_mapped, __ATOMIC_ACQUIRE), 1) ||
	       resolver_grow(resolver, byte);
}

/* resolver_permits - do these flags and this domain allow to use the whole frame? */
static inline bool resolver_permits(const struct resolver *resolver, uint32_t head, bool writable)
{
	uint32_t looked_at = 0xffff0000u | RESOLVER_TYPE | RESOLVER_SUB_PAGE |
			     (writable ? RESOLVER_READ_ONLY : 0);

	return __builtin_expect((head & looked_at) == (resolver->host_domid << 16 | RESOLVER_PERMIT), 1);
}

/* resolver_look_up_v2 - the same as resolver_look_up, in a table of version 2. */
static inline enum resolved resolver_look_up_v2(struct resolver *resolver, uint32_t gref, bool writable,
						uint64_t *frame)
{
	uint64_t byte = (uint64_t)gref * 16;
	const uint32_t *head_at = (const uint32_t *)(const void *)(resolver->entries + byte);
	uint32_t head;

	if (!resolver_has(resolver, byte))
		return RESOLVED_NOT_HERE;
	head = __atomic_load_n(head_at, __ATOMIC_ACQUIRE);
	if (!resolver_permits(resolver, head, writable))
		return resolver_classify(resolver, head, writable);
	*frame = __atomic_load_n((const uint64_t *)(const void *)(head_at + 2), __ATOMIC_ACQUIRE);
	return __atomic_load_n(head_at, __ATOMIC_RELAXED) == head ? RESOLVED : RESOLVED_NOT_HERE;
}

/* resolver_look_up - the frame that is granted, if it may be used so. Any thread. */
static inline enum resolved resolver_look_up(struct resolver *resolver, uint32_t gref, bool writable,
					     uint64_t *frame)
{
	uint64_t byte = (uint64_t)gref * 8, entry;

	if (__builtin_expect(__atomic_load_n(&resolver->version, __ATOMIC_RELAXED) != 1, 0))
		return resolver_look_up_v2(resolver, gref, writable, frame);
	if (!resolver_has(resolver, byte))
		return RESOLVED_NOT_HERE;
	entry = __atomic_load_n((const uint64_t *)(const void *)(resolver->entries + byte), __ATOMIC_ACQUIRE);
	if (!resolver_permits(resolver, (uint32_t)entry, writable))
		return RESOLVED_NOT_HERE;
	*frame = entry >> 32;
	return RESOLVED;
}

#endif
