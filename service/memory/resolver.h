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
 * The table grows while it is in use. Its frames are mapped when the first grant in them is asked for. Where Xen says that
 * the table ends is remembered, or a guest that names grants beyond could have us ask for each. One
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
	char *range;	     /* of RESOLVER_FRAMES_MAX pages, and one for trying */
	uint32_t frames_end; /* from this one on the table has none; a guest's limit does not change */
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

/* What the look-ups of mappings that are made together have in common. */
struct resolver_view {
	const void *entries;
	uint32_t version;
	uint32_t count;	    /* of entries that can be looked at */
	uint32_t looked_at; /* these bits of an entry's first word: flags and domain ... */
	uint32_t right;	    /* ... must be these */
};

/* resolver_view - look-ups of frames that are to be read, or written. */
static inline struct resolver_view resolver_view(const struct resolver *resolver, bool writable)
{
	uint32_t version = __atomic_load_n(&resolver->version, __ATOMIC_RELAXED);

	return (struct resolver_view){
		.entries = resolver->entries,
		.version = version,
		.count = __atomic_load_n(&resolver->bytes_mapped, __ATOMIC_ACQUIRE) >> (version == 1 ? 3 : 4),
		.looked_at = 0xffff0000u | RESOLVER_TYPE | RESOLVER_SUB_PAGE |
			     (writable ? RESOLVER_READ_ONLY : 0),
		.right = resolver->host_domid << 16 | RESOLVER_PERMIT,
	};
}

/* resolver_grow - map the table up to an entry that the view does not have. False: it can't be. Any thread. */
bool resolver_grow(struct resolver *resolver, struct resolver_view *view, uint32_t gref);

/* resolver_look_up_v2 - resolver_look_up in a table of version 2, in which the entry is. */
enum resolved resolver_look_up_v2(const struct resolver_view *view, uint32_t gref, uint64_t *frame);

/* resolver_look_up - the frame that is granted, if it may be used so. Any thread. */
static inline enum resolved resolver_look_up(struct resolver *resolver, struct resolver_view *view,
					     uint32_t gref, uint64_t *frame)
{
	uint64_t entry;

	if (__builtin_expect(gref >= view->count, 0) && !resolver_grow(resolver, view, gref))
		return RESOLVED_NOT_HERE;
	if (__builtin_expect(view->version != 1, 0)) {
		uint64_t found = 0;
		enum resolved resolved = resolver_look_up_v2(view, gref, &found);

		*frame = found;
		return resolved;
	}
	entry = __atomic_load_n((const uint64_t *)view->entries + gref, __ATOMIC_ACQUIRE);
	if (__builtin_expect(((uint32_t)entry & view->looked_at) != view->right, 0))
		return RESOLVED_NOT_HERE;
	*frame = entry >> 32;
	return RESOLVED;
}

#endif
