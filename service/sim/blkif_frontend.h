/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkif_frontend.h - a disk as the guest has it: rings, requests, the pages and grants of their data
 *
 * Theory of operation: a frontend has queues, each with a ring, an event channel, and as many requests as may be in
 * flight, whose data pages are taken when it is set up. It is made in two steps, as the protocol has it: its rings and
 * event channels first, to be described to the host; its requests when the host has told what it offers. Who describes
 * it is another matter: blkif_handshake.h by xenstore, worker_thread.h by a message to a worker.
 *
 *	front_take	a free request; fill its pages, set what it asks for
 *	front_put	into the ring
 *	front_push	show all that was put; notifies the host if it has asked for that
 *	front_reap	the next request that was answered
 *	front_wait	sleep until there is something to reap
 *	front_give_back	the request is free again; or it is put once more
 *
 * One queue belongs to one thread. Between put and reap nothing is allocated, and no system call made but for the
 * notification; with fresh grants there is what a grant costs.
 */
#ifndef BLKIF_FRONTEND_H
#define BLKIF_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/front_ring.h"
#include "sim/sim.h"
#include "worker/messages.h"

#define FRONT_QUEUES_MAX DISK_QUEUES_MAX
#define FRONT_SEGMENTS_MAX 4096u /* of an indirect request: as many as its pages can describe */
#define FRONT_ERROR_MAX 256	 /* bytes of an error's text with the final 0 */

struct blkif_frontend;

/* What the guest would like. The host may offer less; then it is less. */
struct blkif_frontend_options {
	struct sim_guest *guest;
	uint16_t host_domid; /* whom the grants and event channels are for */
	uint32_t device_id;  /* the vbd's number */
	enum blkif_protocol protocol;
	uint32_t queues;     /* 0 means 1 */
	uint32_t ring_order; /* 2^ring_order pages each */
	uint32_t depth;	     /* requests of one queue in flight; 0: as many as the ring has entries */
	uint32_t segments;   /* pages of one request; 0 means 1; more than 11 need indirect requests */
	/*
	 * A request's pages are granted once, writable, and stay so until the end. Otherwise they are granted for each
	 * request, read-only where the host only reads, and the grants end with its answer. The first is told to the host
	 * as feature-persistent if that is there.
	 */
	bool persistent;
	/*
	 * Sectors are counted in the size that the host tells, rather than in 512 bytes: feature-large-sector-size, as the
	 * frontends of Windows have it.
	 */
	bool large_sectors;
};

/* What the host offers. */
struct blkif_features {
	uint64_t sectors;	    /* of 512 bytes */
	uint32_t sector_bytes;	    /* requests are multiples of it; 0 means 512 */
	uint32_t physical_bytes;    /* what the disk writes at once; 0 means sector_bytes */
	uint32_t indirect_segments; /* of one request; 0: no indirect requests */
	bool read_only;
	bool flush;
	bool barrier;
	bool persistent;
	bool discard;
	bool discard_secure;
	uint32_t discard_granularity; /* bytes */
	uint32_t discard_alignment;   /* bytes */
};

/* Sectors first to last of one page. */
struct front_range {
	uint8_t first_sector, last_sector;
};

struct front_request {
	/* Asked. */
	uint8_t operation;   /* BLKIF_OP_READ, _WRITE, _WRITE_BARRIER, _FLUSH_DISKCACHE or _DISCARD */
	bool indirect;	     /* also if 11 segments were enough */
	bool discard_secure; /* BLKIF_DISCARD_SECURE */
	uint32_t segment_count;
	uint64_t sector;
	uint64_t discard_sectors;   /* of BLKIF_OP_DISCARD */
	struct front_range *ranges; /* of each segment; segment i is in page i */
	void **pages;		    /* the data, as the guest sees it; as many as options.segments */

	/* Answered. */
	int16_t status; /* BLKIF_RSP_... */
	bool busy;	/* a grant could not be ended: the host has it mapped still */

	/* For whoever asks. */
	uint64_t began_ns;
	uint64_t block;
	uint32_t generation;
	bool refused;

	/* The frontend's own. */
	bool in_flight;
	uint8_t wire_operation;
	uint16_t index;
	uint64_t id;
	struct front_request *next_free;
	uint64_t *frames;
	struct front_segment *segments; /* with the grants that are there, 0: none */
	uint32_t granted;		/* of fresh ones */
	uint32_t indirect_page_count;
	struct front_segment *indirect_pages[FRONT_INDIRECT_PAGES];
	uint64_t indirect_frames[FRONT_INDIRECT_PAGES];
	uint32_t indirect_grefs[FRONT_INDIRECT_PAGES];
};

struct front_queue {
	struct front_ring ring;
	struct blkif_frontend *frontend;
	uint32_t index;
	uint32_t port; /* the guest's */
	uint32_t depth;
	uint32_t in_flight;
	struct front_request *requests; /* `depth` of them */
	struct front_request *first_free;
	uint64_t notifications;	     /* times the host was notified */
	uint64_t waits;		     /* times front_wait slept */
	uint64_t busy_grants;	     /* that could not be ended after an answer */
	char error[FRONT_ERROR_MAX]; /* what front_reap found */
};

struct blkif_frontend {
	struct blkif_frontend_options options; /* as they came to be */
	struct blkif_features features;
	uint32_t queue_count;
	struct front_queue queues[FRONT_QUEUES_MAX];
};

/* blkif_frontend_create - rings and event channels. Returns 0 or a negative errno. */
int blkif_frontend_create(const struct blkif_frontend_options *options, struct blkif_frontend **frontend);

/*
 * blkif_frontend_set_up - with what the host offers: fit the options to it, take and grant the requests' pages. Returns 0,
 * -ENOMEM or -ENOSPC.
 */
int blkif_frontend_set_up(struct blkif_frontend *frontend, const struct blkif_features *features);

/* blkif_frontend_describe - the rings, for a worker. */
void blkif_frontend_describe(const struct blkif_frontend *frontend, struct message_disk_connect *connect);

/*
 * blkif_frontend_destroy - end all grants, close the ports, give the pages back; requests in flight are forgotten.
 * Returns the number of grants that the host has still mapped; their pages are lost to the guest.
 */
uint32_t blkif_frontend_destroy(struct blkif_frontend *frontend);

/* front_take - a free request, or NULL when `depth` are in use. Its ranges are what they were. */
struct front_request *front_take(struct front_queue *queue);
void front_give_back(struct front_queue *queue, struct front_request *request);

/*
 * front_set_data - let a request's segments be `sectors` that follow each other in its pages, from sector `first_sector` of
 * the first page on.
 */
void front_set_data(struct front_request *request, uint32_t first_sector, uint32_t sectors);

/* front_put - into the ring; there is an entry for each request. Returns 0, or -ENOSPC when no grant is left. */
int front_put(struct front_queue *queue, struct front_request *request);

/* front_push - show the host what was put, and notify it if it has asked for that. Returns 0 or a negative errno. */
int front_push(struct front_queue *queue);

/*
 * front_reap - the next request that was answered; NULL when there is none, or when the host answered what was not asked:
 * then *error is -EPROTO (else 0), queue->error says what it was, and the ring is not to be used any more.
 */
struct front_request *front_reap(struct front_queue *queue, int *error);

/* front_wait - sleep until an answer is there. Returns 1, 0 after timeout_ms (-1: never), or a negative errno. */
int front_wait(struct front_queue *queue, int timeout_ms);

#endif
