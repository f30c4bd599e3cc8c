/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant_entry.h - the entries of a grant table, and what Xen says of them (xen/include/public/grant_table.h)
 *
 * A table of version 1 holds everything in one entry. In version 2 the entry is the guest's alone, and what Xen
 * does with it is written to a word of the status frames, one for each entry.
 */
#ifndef SIM_GRANT_ENTRY_H
#define SIM_GRANT_ENTRY_H

#include <assert.h>
#include <stdint.h>

/* The type, in the lowest two bits of the flags. */
#define GRANT_TYPE_MASK 3u
#define GRANT_INVALID 0u
#define GRANT_PERMIT 1u	    /* the domain may map and copy the frame */
#define GRANT_ACCEPT 2u	    /* the domain may give the guest a frame; nothing here does */
#define GRANT_TRANSITIVE 3u /* version 2: the domain may use another domain's grant; by copy only */

#define GRANT_READ_ONLY (1u << 2)
#define GRANT_READING (1u << 3)	 /* Xen's, in version 2 in the status word: it is used for reading ... */
#define GRANT_WRITING (1u << 4)	 /* ... and for writing */
#define GRANT_SUB_PAGE (1u << 8) /* version 2: a part of the frame; by copy only */

struct grant_entry_v1 {
	uint16_t flags;
	uint16_t domid;
	uint32_t frame;
};

union grant_entry_v2 {
	struct {
		uint16_t flags;
		uint16_t domid;
	};
	struct {
		uint16_t flags, domid;
		uint32_t padding;
		uint64_t frame;
	} full_page;
	struct {
		uint16_t flags, domid;
		uint16_t offset, length; /* bytes of the frame that may be used */
		uint64_t frame;
	} sub_page;
	struct {
		uint16_t flags, domid;
		uint16_t other_domid; /* whose grant it is ... */
		uint16_t padding;
		uint32_t other_gref; /* ... and which */
	} transitive;
};

static_assert(sizeof(struct grant_entry_v1) == 8, "as Xen lays it out");
static_assert(sizeof(union grant_entry_v2) == 16, "as Xen lays it out");

/* The first entries are the toolstack's: console and xenstore. */
#define GRANT_RESERVED_ENTRIES 8u

/* What Xen answers for one operation. */
enum grant_status {
	GRANT_STATUS_OKAY = 0,
	GRANT_STATUS_GENERAL_ERROR = -1,
	GRANT_STATUS_BAD_DOMAIN = -2,
	GRANT_STATUS_BAD_GREF = -3,
	GRANT_STATUS_PERMISSION_DENIED = -8,
	GRANT_STATUS_BAD_PAGE = -9,
	GRANT_STATUS_BAD_COPY_ARGUMENT = -10,
	GRANT_STATUS_NO_SPACE = -13,
};

#endif
