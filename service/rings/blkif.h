/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkif.h - one ring of one disk: requests in, responses out
 *
 * Theory of operation: a loop turn goes through these functions in this order, each for all queues that have
 * something to do.
 *
 *	blkif_take	copies requests out of the ring, checks them, collects what must be mapped
 *	blkif_start	reads the segments of indirect requests, maps all that was collected by one call, gives the
 *			requests to their backends
 *	...		backends complete requests, now or in a later turn (blkif_complete)
 *	blkif_finish	gives back the memory of all that is complete, answers what is unmapped
 *	blkif_hand_over	says what of one ring is to be shown to the frontend
 *
 * A request that fails its check is completed with an error without being started. A ring whose counters are
 * impossible is broken: nothing more is taken from it. What all queues together may have under way is limited, and
 * divided among them (struct blkif_stock).
 *
 * The backend of a queue may be a stack of them: wrappers above the one that holds the data. A request has one
 * `struct blkif_layer_request` for each layer. The outermost is asked by the ring; each asks the one below by
 * blkif_forward, and what it answers goes up the same way.
 *
 * What blkif asks for in one request can take a backend several steps (a barrier is flush, write, flush). A
 * barrier also waits until all requests before it are answered, and nothing is taken from its ring until it
 * is.
 */
#ifndef BLKIF_H
#define BLKIF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/time_types.h>
#include <stdint.h>

#include "log.h"
#include "memory/memory.h"
#include "rings/blkif_wire.h"
#include "rings/ring.h"
#include "xvhost/backend.h"

#define BLKIF_STEPS_MAX 3
#define BLKIF_LAYERS_MAX 8 /* backends that stand one before the other */

struct blkif_queue;
struct blkif_many_segments;

/* A request as one layer of backends has it. */
struct blkif_layer_request {
	struct xvhost_request seen; /* what the backend sees */
	struct blkif_layer_request
		*outer; /* of the layer above; NULL: the ring's own, and this is in a blkif_slot */
	struct blkif_layer_request *inner; /* of the layer below; NULL: none */
	uint16_t slot;			   /* index among its queue's slots */
	uint8_t layer;			   /* index among its queue's layers */
	bool submitted;			   /* the backend has it */
	bool waiting;			   /* by host->wait, of which the loop has not seen the end yet */
	struct __kernel_timespec wait;	   /* of host->wait, until io_uring has read it */
};

/* A request that was taken and is not yet answered. A queue has one for each entry of its ring. */
struct blkif_slot {
	struct blkif_layer_request request; /* of the outermost layer */
	struct blkif_slot *next;	    /* in one of the turn's lists, or the queue's free slots */
	struct memory_mapping mapping;
	uint64_t id;	 /* the guest's, given back in the response */
	uint64_t offset; /* of its data on the disk, in bytes */
	uint64_t length; /* of its data, in bytes; 0 without data */
	int error;
	uint32_t indirect_gref;		/* of the page of segments, with `indirect` */
	uint16_t indirect_count;	/* segments in it */
	uint16_t grants;		/* counted in the turn's */
	bool indirect;			/* the segments have still to be read */
	uint32_t generation;		/* counts the uses of this slot */
	uint8_t operation;		/* blkif's */
	uint8_t steps[BLKIF_STEPS_MAX]; /* enum xvhost_operation, ended by 0 */
	uint8_t step;			/* the one that is under way or next */
	bool mapped;
	uint32_t *grefs; /* of the segments; these five are arrays of `direct` or `many` */
	void **pages;
	uint8_t *first_sectors;
	uint8_t *sector_counts;
	struct iovec *iov;
	struct {
		uint32_t grefs[BLKIF_DIRECT_SEGMENTS_MAX];
		void *pages[BLKIF_DIRECT_SEGMENTS_MAX];
		uint8_t first_sectors[BLKIF_DIRECT_SEGMENTS_MAX];
		uint8_t sector_counts[BLKIF_DIRECT_SEGMENTS_MAX];
		struct iovec iov[BLKIF_DIRECT_SEGMENTS_MAX];
	} direct;
	struct blkif_many_segments *many; /* memory that is not touched before the first indirect request */
};

/* Memory for the segments of an indirect request. */
struct blkif_many_segments {
	uint8_t copy[BLKIF_SEGMENTS_MAX * BLKIF_SEGMENT_BYTES]; /* of the guest's page */
	uint32_t grefs[BLKIF_SEGMENTS_MAX];
	void *pages[BLKIF_SEGMENTS_MAX];
	uint8_t first_sectors[BLKIF_SEGMENTS_MAX];
	uint8_t sector_counts[BLKIF_SEGMENTS_MAX];
	struct iovec iov[BLKIF_SEGMENTS_MAX];
};

/* A list of slots, first in, first out. */
struct blkif_list {
	struct blkif_slot *first;
	struct blkif_slot *last;
};

/*
 * What requests take from their loop, of which there is only so much: places, and grants. A part is set aside, a share for each
 * queue that there can be, which it has whatever the others do. The rest is common: a queue may take of it while it holds
 * less than what is left. So one alone has half of it, n busy ones the (n+1)th part each, and a disk that is slow, or
 * does not answer at all, can't have what the others need.
 *
 * A request that takes more than one is taken whole, so the last of a queue may go beyond its share, and beyond what is left.
 */
struct blkif_stock {
	uint32_t max;
	uint32_t used;
	uint32_t share; /* of a queue, at least 1 */
	int64_t left;	/* of what is common */
};

/* blkif_stock_init - so much of it, for at most so many queues; max >= 4 * queues_max makes the part set aside a quarter. */
static inline void blkif_stock_init(struct blkif_stock *stock, uint32_t max, uint32_t queues_max)
{
	uint32_t share = max / 4 / queues_max;

	stock->max = max;
	stock->used = 0;
	stock->share = share ? share : 1;
	stock->left = (int64_t)max - (int64_t)stock->share * queues_max;
}

/* blkif_stock_beyond - what a queue that holds `own` has of what is common. */
static inline uint32_t blkif_stock_beyond(const struct blkif_stock *stock, uint32_t own)
{
	return own > stock->share ? own - stock->share : 0;
}

/* blkif_stock_may_take - a queue that holds `own`. */
static inline bool blkif_stock_may_take(const struct blkif_stock *stock, uint32_t own)
{
	return own < stock->share || blkif_stock_beyond(stock, own) < stock->left;
}

/* blkif_stock_set - a queue that holds `*own` holds `now` from here on. */
static inline void blkif_stock_set(struct blkif_stock *stock, uint32_t *own, uint32_t now)
{
	stock->left += (int64_t)blkif_stock_beyond(stock, *own) - blkif_stock_beyond(stock, now);
	stock->used += now - *own;
	*own = now;
}

/* What one turn of a loop gathers from all of its queues. */
struct blkif_turn {
	struct memory *memory;
	struct memory_mapping **mappings; /* room for requests.max: what is mapped or unmapped together */
	struct memory_mapping **gone;	  /* the same: what was unmapped */
	struct blkif_stock requests;	  /* taken and not yet answered */
	struct blkif_stock grants;	  /* that these name, mapped or to be mapped */
	struct blkif_list taken; /* checked as far as their segments are known, to be mapped and started */
	uint32_t indirect;	 /* of these, whose segments have still to be read */
	struct blkif_list completed; /* a step is over */
};

/* What was done, for the log and for tests. */
struct blkif_counters {
	uint64_t requests;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t errors;	/* requests answered with an error */
	uint64_t events;	/* times the event channel was pending */
	uint64_t notifications; /* times the frontend was notified */
};

/* A descriptor that a backend watches. What it asks for is handed to the kernel at the end of the turn. */
struct blkif_watch {
	int fd;		     /* -1: none */
	uint32_t events;     /* of poll(2) */
	uint32_t set_events; /* what the kernel has been asked for; 0: nothing */
	uint32_t generation; /* of that */
	bool ended;	     /* since then: the descriptor may be another one now */
};

/* A queue as one layer of backends has it. */
struct blkif_layer {
	struct xvhost_queue seen; /* what the backend sees */
	const struct xvhost_disk_backend *backend;
	const struct xvhost_disk_properties *properties;
	struct blkif_queue *queue;
	struct blkif_watch watches[XVHOST_WATCHES_MAX];
};

/* blkif_layer_bytes - the size of a layer's disk. The control thread changes it. */
static inline uint64_t blkif_layer_bytes(const struct blkif_layer *layer)
{
	return __atomic_load_n(&layer->properties->size_bytes, __ATOMIC_RELAXED);
}

struct blkif_queue {
	struct blkif_layer layers[BLKIF_LAYERS_MAX]; /* the outermost first */
	uint32_t layer_count;
	uint32_t layers_started; /* how many of them, from the innermost, have had queue_start */
	const char *name;	 /* of the disk, for messages */
	struct blkif_turn *turn; /* of the loop that serves it */
	struct ring ring;
	enum blkif_protocol protocol;
	uint32_t block_sectors; /* sectors of 512 bytes in a block of the disk */
	uint32_t unit_sectors;	/* the same in what the frontend counts in */
	bool read_only;
	struct persistent *persistent;
	uint32_t requests_per_turn;
	bool cached;	     /* memory_choose has said so */
	bool direct;	     /* the memory of requests must take direct I/O */
	bool flush;	     /* the backend wants flushes */
	bool discard;	     /* it can give space back */
	bool discard_secure; /* and leave nothing behind */
	bool broken;	     /* nothing more is taken, for good */
	bool asked;	     /* the frontend will notify of the next request */
	bool ready; /* there may be requests to take; set by the loop, and here when a barrier is done */
	bool unpublished;	    /* responses were written since the last blkif_hand_over */
	bool watching;		    /* what its backends watch has changed */
	uint16_t index;		    /* of the loop's table of queues, for completions */
	struct blkif_slot *barrier; /* taken, and waits for the others; or under way */
	struct blkif_slot *slots;   /* ring.size of them */
	struct blkif_slot *free_slots;
	struct blkif_many_segments *many_segments;  /* one for each slot */
	struct blkif_layer_request *inner_requests; /* of the layers below the outermost, slot by slot */
	uint8_t *scratch;
	uint32_t in_flight;
	uint32_t grants;	 /* that these name */
	struct log_limit *limit; /* the disk's, which outlives the queue */
	struct blkif_counters counters;
};

/* What a queue is made of. The caller keeps all that it points to until blkif_queue_free. */
struct blkif_queue_parameters {
	struct {
		struct xvhost_disk *disk;
		const struct xvhost_disk_backend *backend;
		const struct xvhost_disk_properties *properties;
	} layers[BLKIF_LAYERS_MAX]; /* the outermost first */
	uint32_t layer_count;
	uint32_t index; /* of the queue within the disk */
	enum blkif_protocol protocol;
	bool large_sectors; /* the frontend counts in the disk's blocks */
	void *pages;	    /* the ring, mapped */
	uint32_t page_count;
	struct persistent *persistent; /* its grants that stay mapped, or NULL */
	uint32_t requests_per_turn;    /* that the loop takes before it looks at other rings */
	bool cached; /* requests may reach the guest's memory by the cache: memory_choose has said so */
	struct log_limit *limit; /* of what the guest can cause */
};

/*
 * blkif_queue_create - a queue over a mapped ring. Returns 0, -EPROTO when the ring's counters are not
 * possible, -ENOMEM. Control thread.
 */
int blkif_queue_create(const struct blkif_queue_parameters *parameters, struct blkif_queue **queue);

/* blkif_queue_free - after the last request was answered. Control thread. */
void blkif_queue_free(struct blkif_queue *queue);

/* blkif_queue_start - tell the backends of the queue, the innermost first. Returns 0 or the first one's error. */
int blkif_queue_start(struct blkif_queue *queue);

/* blkif_layer_not_started - which it was, when blkif_queue_start has failed. Any thread, until blkif_queue_stop. */
static inline const struct blkif_layer *blkif_layer_not_started(const struct blkif_queue *queue)
{
	return &queue->layers[queue->layer_count - 1 - queue->layers_started];
}

/* blkif_queue_stop - tell those that were told of its start, the outermost first. */
void blkif_queue_stop(struct blkif_queue *queue);

/* blkif_queue_full - it can take nothing before a request was answered, and has some under way. */
static inline bool blkif_queue_full(const struct blkif_queue *queue)
{
	return !blkif_stock_may_take(&queue->turn->requests, queue->in_flight) ||
	       !blkif_stock_may_take(&queue->turn->grants, queue->grants);
}

/*
 * blkif_take - take up to `budget` requests. Returns true when more may wait in the ring, so that the queue needs
 * another turn at once; a queue that is full needs one after something was answered. May mark the queue broken.
 */
bool blkif_take(struct blkif_queue *queue, uint32_t budget);

/*
 * blkif_ask - before the loop goes to sleep: have the frontend notify of the next request. Returns true if one has come
 * meanwhile, so that the queue needs another turn. A frontend that is not asked saves itself an event, and us being
 * woken by it, as long as we look by ourselves. And so we do while the queue is full: the turn in which a request
 * was answered asks.
 */
bool blkif_ask(struct blkif_queue *queue);

/* blkif_start - map and submit what was taken. */
void blkif_start(struct blkif_turn *turn);

/* blkif_complete - a backend ends a request; xvhost_host.complete. */
void blkif_complete(struct xvhost_request *request, int error);

/* blkif_forward - a wrapper asks the layer below; xvhost_host.forward. */
void blkif_forward(struct xvhost_request *request, uint32_t operation, uint64_t offset, uint64_t length,
		   struct iovec *iov, uint32_t iov_count);

/* blkif_finish - go on with what completed: the next step, or unmap and answer. */
void blkif_finish(struct blkif_turn *turn);

/* blkif_hand_over - the responses that were written, to be shown. False: there are none. */
bool blkif_hand_over(struct blkif_queue *queue, struct ring_publication *publication);

/* From what a backend sees to what it is part of. */
static inline struct blkif_layer_request *blkif_of_seen(struct xvhost_request *seen)
{
	return (struct blkif_layer_request *)seen;
}

static inline struct blkif_layer *blkif_layer_of(struct blkif_layer_request *request)
{
	return (struct blkif_layer *)request->seen.queue;
}

static inline struct blkif_slot *blkif_slot_of(struct blkif_layer_request *request)
{
	while (request->outer)
		request = request->outer;
	return (struct blkif_slot *)request;
}

#endif
