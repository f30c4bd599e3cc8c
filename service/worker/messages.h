/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * messages.h - what xvhostd and a worker say to each other
 *
 * Theory of operation: one SOCK_SEQPACKET socket pair per worker. Each message is one `struct message`, a
 * packet of fixed size; both ends are built from the same tree and are installed together, so there is no
 * version. xvhostd asks, the worker answers each question exactly once and in its own time; questions about
 * different disks may be answered out of order, for one disk xvhostd waits for an answer before it asks again.
 * The worker also reports a disk that broke, or has another size. When the socket closes, the other side is gone: the worker then
 * finishes what it has taken and ends.
 *
 *	xvhostd			worker
 *	DISK_OPEN	->			parse the target, open the backend
 *			<-	DISK_OPENED
 *	DISK_CONNECT	->			map the rings, bind the event channels, serve
 *			<-	DISK_CONNECTED
 *			<-	DISK_BROKEN	while connected: nothing more is taken from a ring, and why
 *			<-	DISK_RESIZED	while open: the disk has another size
 *	DISK_CHANGE	->			while connected: answer what was taken, close the backend, open another one
 *			<-	DISK_CHANGED
 *	DISK_DISCONNECT	->			answer what was taken, unbind, unmap
 *			<-	DISK_DISCONNECTED
 *	DISK_CLOSE	->			close the backend
 *			<-	DISK_CLOSED
 *	STOP		->			disconnect and close all disks, end
 *	MEMORY		->			what to do with the guest's memory; has no answer, and may come again
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/access.h"

#define TARGET_MAX 1024	   /* bytes of a target string with the final 0 */
#define ERROR_TEXT_MAX 512 /* bytes of an error text with the final 0 */
#define RING_ORDER_MAX 4   /* a ring has at most 2^4 pages, as in Linux's blkfront and blkback */
#define RING_PAGES_MAX (1u << RING_ORDER_MAX)
#define DISK_QUEUES_MAX 16u
#define DISK_BLOCK_MIN 512u  /* bytes of a block of a disk, which is a power of 2: a sector ... */
#define DISK_BLOCK_MAX 4096u /* ... to a page */
#define DISK_SEGMENTS_MAX                                                                                    \
	256u /* of one indirect request, as many as Linux's blkback offers; they fit one page */

static inline bool is_power_of_2(uint32_t number)
{
	return number > 0 && (number & (number - 1)) == 0;
}

/* is_disk_block - bytes that a disk's block can have. */
static inline bool is_disk_block(uint32_t bytes)
{
	return is_power_of_2(bytes) && bytes >= DISK_BLOCK_MIN && bytes <= DISK_BLOCK_MAX;
}

enum message_type {
	MESSAGE_DISK_OPEN = 1,
	MESSAGE_DISK_OPENED,
	MESSAGE_DISK_CONNECT,
	MESSAGE_DISK_CONNECTED,
	MESSAGE_DISK_BROKEN,
	MESSAGE_DISK_DISCONNECT,
	MESSAGE_DISK_DISCONNECTED,
	MESSAGE_DISK_CLOSE,
	MESSAGE_DISK_CLOSED,
	MESSAGE_STOP,
	MESSAGE_MEMORY,
	MESSAGE_DISK_RESIZED,
	MESSAGE_DISK_CHANGE,
	MESSAGE_DISK_CHANGED,
	MESSAGE_TYPES, /* none: one more than the last */
};

/* The ABI of the guest's requests: what its `protocol` node names (protocols.h). */
enum blkif_protocol {
	BLKIF_X86_64 = 1, /* "x86_64-abi" */
	BLKIF_X86_32 = 2, /* "x86_32-abi", and no node at all, as blkback has it */
};

/* Asks: the disk as the toolstack describes it. */
struct message_disk_open {
	char target[TARGET_MAX];
	bool read_only;
	bool discard_off; /* the guest may not discard, even if the disk can */
	bool direct;	  /* by direct I/O, where that can be */
	bool removable;	  /* the drive can be empty, which is the target "" or "empty" */
};

/* Answers DISK_OPEN and DISK_CHANGE: the disk as it is. With an error of DISK_OPEN, `text` says what and nothing else counts. */
struct message_disk_opened {
	int32_t error; /* 0 or a negative errno */
	char text[ERROR_TEXT_MAX];
	uint64_t size_bytes;
	uint32_t block_bytes;
	uint32_t physical_block_bytes; /* a power of 2, block_bytes or more */
	bool read_only;
	bool flush;
	bool discard;
	bool discard_secure;
	uint32_t discard_granularity; /* bytes, a multiple of block_bytes */
	uint32_t discard_alignment;   /* bytes, a multiple of block_bytes */
	bool persistent;	      /* grants that the frontend leaves in place would stay mapped */
	uint32_t queues_max;	      /* it can have at a time; 0: any number */
	bool lost; /* of DISK_CHANGED with an error: the rings are not served any more. If not, the drive is empty */
};

/* One ring, as the frontend describes it. */
struct message_queue {
	uint32_t ring_refs[RING_PAGES_MAX];
	uint32_t event_channel; /* the guest's port */
};

/* Asks: the rings as the frontend describes them. */
struct message_disk_connect {
	enum blkif_protocol protocol;
	uint32_t ring_pages;  /* of each: 1, 2, 4, 8 or 16 */
	uint32_t queue_count; /* 1 to DISK_QUEUES_MAX */
	bool persistent;      /* the frontend leaves its grants in place */
	bool again;	      /* the rings were served before, and are not new */
	bool large_sectors;   /* the frontend counts in the disk's blocks, not in sectors of 512 bytes */
	struct message_queue queues[DISK_QUEUES_MAX];
};

/* Answers DISK_CONNECT, or reports as DISK_BROKEN. */
struct message_error {
	int32_t error; /* 0 or a negative errno */
	char text[ERROR_TEXT_MAX];
};

/* Reports: how large the disk is from now on. */
struct message_disk_resized {
	uint64_t size_bytes;
};

/* Tells: how the guest's memory is to be reached. A worker that was told nothing has its own defaults. */
struct message_memory {
	enum memory_access access; /* of disks whose target does not say */
	uint32_t most_mib;	   /* as struct guest_memory_settings */
	uint32_t budget_mib;
	uint32_t idle_s;
};

struct message {
	enum message_type type;
	uint32_t device_id; /* the vbd's number within the guest; 0 for STOP and MEMORY */
	union {
		struct message_disk_open open;	   /* DISK_OPEN, DISK_CHANGE */
		struct message_disk_opened opened; /* DISK_OPENED, DISK_CHANGED */
		struct message_disk_connect connect;
		struct message_error error; /* DISK_CONNECTED, DISK_BROKEN */
		struct message_memory memory;
		struct message_disk_resized resized;
	};
};

#endif
