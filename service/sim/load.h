/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - a load on a guest's disk, whose data is verified
 *
 * Theory of operation: a thread for each queue keeps `depth` requests in flight. The span of the disk is divided into
 * blocks, and the blocks among the queues, each its own run of them. With verification each sector that is written says
 * where it belongs, which writing of its block it comes from, and which load did it; the rest of it follows from these. A
 * model remembers which writing of each block was last answered, so that a read finds lost, stale, torn and misplaced
 * data. Requests in flight never overlap then. A write that failed leaves its block unknown until it is
 * written again; so does a discard. What was there before the load is not known, unless the options say that it is zero.
 *
 *	load_create, load_start, (load_progress, load_stop), load_finish, load_verify, load_destroy
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/blkif_frontend.h"
#include "sim/histogram.h"

struct load;

struct load_options {
	uint32_t read_percent; /* 100: only reads; 0: only writes */
	bool random;	       /* else one block after the other, from the beginning again after the last */
	uint32_t block_bytes;  /* a multiple of the disk's sectors */
	uint32_t first_sector; /* of the first page, where a request's data begins: 0 to 7 */
	uint32_t depth;	       /* of each queue; 0: as many as the frontend has */
	uint64_t start_bytes;  /* where the span begins, a multiple of block_bytes */
	uint64_t span_bytes;   /* 0: to the end of the disk */
	bool indirect;	       /* indirect requests even if 11 segments are enough */

	/* It ends when one of these is reached, or at load_stop. 0: no limit. */
	uint64_t time_ms;
	uint64_t bytes;
	uint64_t requests; /* reads and writes */

	/* Those that the disk does not offer are left out. */
	uint32_t flush_every;	/* a flush after so many writes of a queue; 0: none */
	uint32_t barrier_every; /* each so many-th write of a queue is a barrier; 0: none */
	uint32_t discard_every; /* a block is discarded after so many writes of a queue; 0: none */

	bool verify;	    /* content that can be verified is written, and what is read is verified */
	bool begins_zeroed; /* what was not written yet reads as zeroes; with verify only */
	uint64_t seed;

	uint32_t spin_us;    /* look for answers so long before going to sleep */
	uint32_t timeout_ms; /* an answer that takes longer ends the load with an error; 0 means 30 s */
};

/* What went wrong. */
enum load_error {
	LOAD_READ_FAILED,  /* answered with BLKIF_RSP_ERROR */
	LOAD_WRITE_FAILED, /* the same; barriers too */
	LOAD_FLUSH_FAILED,
	LOAD_DISCARD_FAILED,
	LOAD_UNSUPPORTED, /* answered with BLKIF_RSP_EOPNOTSUPP, whatever it was */
	LOAD_STALE,	  /* read: an older writing of the same block */
	LOAD_MISPLACED,	  /* read: what was written to another place */
	LOAD_TORN,	  /* read: a block of two writings, or a sector that is right in its head only */
	LOAD_CORRUPT,	  /* read: anything else */
	LOAD_GRANT_BUSY,  /* answered while a grant was mapped still */
	LOAD_ERRORS,
};

/* load_error_name - for people: "read failed", "stale data" ... */
const char *load_error_name(enum load_error error);

/* What was done so far. */
struct load_counters {
	uint64_t reads, writes, flushes, discards; /* answered without error */
	uint64_t bytes_read, bytes_written;
	uint64_t blocks_verified; /* reads whose content was known and right */
	uint64_t errors[LOAD_ERRORS];
};

struct load_result {
	struct load_counters counters;
	uint64_t elapsed_ns;			      /* from the first request to the last answer */
	uint64_t guest_cpu_ns;			      /* of the load's own threads */
	uint64_t notifications;			      /* of the host */
	uint64_t waits;				      /* times a thread went to sleep for an answer */
	struct histogram read_ns, write_ns, flush_ns; /* from put to reap; barriers are writes */
	/*
	 * 0; -ETIMEDOUT: an answer did not come; -EPROTO: the host answered what was not asked, or other errors of the
	 * frontend. `text` is then what happened; otherwise it tells of the first error that was counted, or is empty.
	 */
	int error;
	char text[FRONT_ERROR_MAX];
};

/*
 * load_create - check the options against the disk, make the model. The frontend is connected and set up, and used by
 * nobody else. Returns 0, -EINVAL and a text, or -ENOMEM.
 */
int load_create(struct blkif_frontend *frontend, const struct load_options *options, struct load **load,
		char text[FRONT_ERROR_MAX]);
void load_destroy(struct load *load);

/* load_start - begin. After load_finish it may be started again: the model goes on, the counters begin anew. Returns 0 or a
 * negative errno. */
int load_start(struct load *load);

/* load_stop - end soon, after the answers to what is in flight. Any thread, any time. */
void load_stop(struct load *load);

/* load_progress - what is done so far. Any thread, while it runs. */
void load_progress(const struct load *load, struct load_counters *counters);

/* load_finish - wait for the end. `result` is large: not for a small stack. */
void load_finish(struct load *load, struct load_result *result);

/* load_verify - read all blocks that were written and are known, on the calling thread; counted from 0. */
void load_verify(struct load *load, struct load_result *result);

/* load_errors - the sum of a result's errors, whatever their kind; at least 1 if result->error is set. */
uint64_t load_errors(const struct load_result *result);

#endif
