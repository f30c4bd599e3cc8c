/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - the memory of requests, which faults when it is touched at the wrong time
 *
 * Theory of operation: what belongs to one request (the structure, its iovecs, the scratch, the data) lies in
 * pages of its own, an arena, with pages between them that always fault. While the backend has the request they
 * can be used, the data of a write can only be read, and from complete on nothing can. A fault ends the process
 * with a text that says what was touched and from where.
 */
#ifndef CONFORM_MEMORY_H
#define CONFORM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xvhost/backend.h"

#define CONFORM_ARENAS_MAX 512
#define CONFORM_IOV_MAX 256	      /* iovecs of one request: as many as an indirect one has at most */
#define CONFORM_DATA_BYTES (1u << 20) /* largest request */
#define CONFORM_SPAN_BYTES (CONFORM_DATA_BYTES + (256u << 10)) /* where its pieces lie */

struct conform_arena {
	uint32_t number;
	struct xvhost_request *request;	 /* or struct xvhost_packet: conform_arena_packet */
	struct iovec *iov;		 /* the last one ends where the memory ends */
	uint8_t *scratch;		 /* of the size that was asked for; ends where the memory ends */
	uint32_t scratch_bytes;		 /* with what aligns its start */
	uint8_t *data;			 /* CONFORM_SPAN_BYTES, of which ... */
	uint32_t data_used;		 /* ... these can be opened; changed while it is closed */
	int protection, data_protection; /* that it has, as mprotect(2) takes it */
};

/* What an arena can be used for. */
enum conform_access {
	CONFORM_CLOSED = 0,    /* nothing */
	CONFORM_OPEN_ALL,      /* the host prepares it */
	CONFORM_OPEN_DATA,     /* the host looks at the data */
	CONFORM_DATA_READABLE, /* the backend has it, and may only read the data */
	CONFORM_DATA_WRITABLE  /* the backend has it */
};

/* conform_memory_init - once in a process, before anything else here. */
void conform_memory_init(void);

/* conform_memory_catch - faults of this thread are told even if its stack is used up. */
void conform_memory_catch(void);

/* conform_arena_take - closed. Ends the process if there are no more. */
void conform_arena_take(struct conform_arena *arena, uint32_t scratch_bytes);
void conform_arena_give_back(const struct conform_arena *arena);

/* conform_arena_packet - where a packet's structure lies, in an arena of a network card. */
static inline struct xvhost_packet *conform_arena_packet(const struct conform_arena *arena)
{
	return (struct xvhost_packet *)(void *)arena->request;
}

/* conform_arena_iov - where `count` iovecs lie that end at the end of the memory. */
struct iovec *conform_arena_iov(const struct conform_arena *arena, uint32_t count);

void conform_arena_access(struct conform_arena *arena, enum conform_access access);

/* conform_arena_of - the number of the arena whose request or packet this is, -1: of none. Touches nothing. */
int conform_arena_of(const void *request);

/* Who knows what lies in the arenas. */
struct conform_memory_user {
	/* Says into `text` what the request of an arena is, and returns whether the backend has it. */
	bool (*describe)(uint32_t arena, char *text, size_t size);
	const char *structure; /* that describes it to the backend */
	const char *scratch;   /* what lies there */
	const char *end;       /* the call after which it is the backend's no more */
};

extern const struct conform_memory_user *conform_memory_user;

#endif
