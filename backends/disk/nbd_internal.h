/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_internal.h - what the files of backend nbd have in common
 *
 * Theory of operation: libnbd has a state machine for each connection, and never waits in it once the connection stands.
 * So a queue has a connection of its own (a link), whose socket its loop watches, and the loop's thread calls libnbd
 * (nbd_link.c). Everything before that may wait: names are looked up, certificates are read. That is done by a thread of
 * the disk's, the connector (nbd_connector.c), for the first time and whenever the connection was lost.
 *
 * Who has a link's handle is its state. What is shared (the states, the kept writes) is under the disk's lock, which nobody
 * holds for longer than some instructions; threads wake each other by a condition and by the links' bells.
 *
 * What is written is kept in memory of ours until a flush has made it durable at the server (nbd_kept.c), and a request
 * until it is answered. When a connection is lost, all links give theirs up, after what the others have under way is
 * answered. Then the connector makes a new one, writes all again that is kept, in its order, flushes, and gives the links
 * their connections; they go on with the requests that were not answered. So a server that lost what it had in its cache
 * has it again before a guest asks for anything.
 */
#ifndef NBD_INTERNAL_H
#define NBD_INTERNAL_H

#include <errno.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "xvhost/backend.h"

#define REMOTE_BLOCK_MIN 512u /* blocks that can be served */
#define REMOTE_BLOCK_MAX 4096u
#define REMOTE_LINKS_MAX 16
#define REMOTE_COMMANDS 128 /* of one link under way */
#define REMOTE_TEXT_MAX 400
#define REMOTE_STOP_S 3	 /* how long requests may take when the queue is to stop; whoever waits has 8 s */
#define REMOTE_CLOSE_S 3 /* how long closing may take */

struct remote_config {
	const char *uri;
	uint64_t connections;
	uint64_t reconnect_s;
	uint64_t keep_bytes;
};

/* ---- writes that are kept: nbd_kept.c ---- */

enum kept_state {
	KEPT_SENT = 1, /* not answered yet; it has an owner */
	KEPT_ANSWERED, /* by the connector, which wrote it again; the owner does not know yet */
	KEPT_WRITTEN,  /* the guest takes it for written */
	KEPT_DURABLE,  /* not needed any more */
};

struct kept_write {
	enum kept_state state;
	int error;   /* of KEPT_ANSWERED: 0 or a negative errno */
	uint64_t at; /* byte of the disk */
	uint32_t length;
	uint64_t place;			/* of its data in the memory */
	uint64_t number;		/* of KEPT_WRITTEN: counts what was written */
	struct xvhost_request *request; /* of KEPT_SENT, KEPT_ANSWERED: the owner */
};

/* A ring of writes in the order in which they were sent, and a ring of their data. Under the disk's lock, but for data. */
struct kept {
	struct kept_write *writes;
	uint32_t write_count;
	uint64_t first, end; /* of the writes; counted on without end */
	char *data;	     /* NULL: a disk that is read-only */
	uint64_t data_bytes;
	uint64_t data_first, data_end; /* counted on without end */
	uint64_t written;	       /* counts KEPT_WRITTEN */
	bool waited_for;	       /* a link waits for room */
};

/* remote_kept_init - for this many bytes of data. Returns 0 or a negative errno. */
int remote_kept_init(struct kept *kept, uint64_t data_bytes);
void remote_kept_destroy(struct kept *kept);

/* remote_kept_add - room for a write; its data is the caller's to fill in. NULL: there is none. */
struct kept_write *remote_kept_add(struct kept *kept, struct xvhost_request *request, uint64_t at,
				   uint32_t length);

static inline char *remote_kept_data(const struct kept *kept, const struct kept_write *write)
{
	return kept->data + write->place % kept->data_bytes;
}

static inline struct kept_write *remote_kept_at(const struct kept *kept, uint64_t index)
{
	return &kept->writes[index % kept->write_count];
}

/* remote_kept_is_half_full - it is time for a flush, and there is something that it would free. */
bool remote_kept_is_half_full(const struct kept *kept);

/* remote_kept_written - the server has answered a write: 0 or a negative errno. */
void remote_kept_written(struct kept *kept, struct kept_write *write, int error, bool durable);

/* remote_kept_flushed - what was written until `number` is durable. Returns whether there is room that is waited for. */
bool remote_kept_flushed(struct kept *kept, uint64_t number);

/* remote_kept_forget - drop what is not needed any more. Returns the same. */
bool remote_kept_forget(struct kept *kept);

/* remote_kept_bytes - of what the guest takes for written, and is not known to be durable. */
uint64_t remote_kept_bytes(const struct kept *kept);

/* ---- links and their commands ---- */

enum link_state {
	LINK_NONE = 0, /* no connection; the connector makes one if there is a queue */
	LINK_READY,    /* connected, nobody uses it */
	LINK_TAKEN,    /* the queue's loop has it */
	LINK_LOST,     /* the connector is to close it */
};

/* Something that libnbd does. */
struct command {
	struct link *link;
	bool used;
	struct xvhost_request *request; /* NULL: a flush of our own */
	struct kept_write *write;
	uint64_t number; /* of a flush: what it makes durable */
	int64_t cookie;
	int error; /* when it is done: 0 or a positive errno */
	struct command *next;
};

struct request_list {
	struct xvhost_request *first, *last;
};

/* What a request carries along. */
struct remote_request {
	struct xvhost_request *next; /* in one of the lists */
	uint64_t sent_bytes;	     /* of it, in commands; then where the next one begins in its memory: */
	uint32_t iov_index;
	size_t iov_bytes;
	uint32_t under_way; /* commands, and kept writes that were not answered */
	int error;
	bool listed; /* in the link's reads or writes */
	bool again;  /* from its beginning */
};

struct link {
	struct remote *remote;
	struct xvhost_queue *queue; /* NULL: none */
	int bell_fd, timer_fd;

	/* Under the disk's lock. */
	enum link_state state;
	struct nbd_handle *handle;
	bool is_new;		 /* the loop has not had the handle yet */
	bool failing;		 /* it took too long: requests fail */
	struct timespec lost_at; /* since when there is no connection */
	struct timespec next_at; /* when the connector tries the next time */

	/* The loop's. */
	struct nbd_handle *taken;	   /* the handle, while it is LINK_TAKEN */
	struct request_list reads, writes; /* to be sent; flushes and discards are among the reads */
	struct request_list finished;	   /* to be completed */
	uint32_t requests;		   /* that are not complete */
	uint32_t session;		   /* of the disk, when it last looked */
	bool busy;			   /* it is being looked after */
	bool added;			   /* meanwhile requests have come */
	bool fails;			   /* requests do */
	uint32_t watched;		   /* events of the socket */
	bool draining;			   /* another link was lost: nothing more is sent */
	bool broken;			   /* the connection is to be given up */
	struct command commands[REMOTE_COMMANDS];
	struct command *free_commands, *done;
	uint32_t under_way; /* commands */
};

static inline struct remote_request *remote_request_of(const struct xvhost_request *request)
{
	return request->scratch;
}

static inline bool remote_is_dead(struct nbd_handle *handle)
{
	return nbd_aio_is_dead(handle) || nbd_aio_is_closed(handle);
}

/* ---- commands: nbd_commands.c; by nbd_link.c only ---- */

/* remote_commands_reset - none is under way: the connection is a new one, or given up. */
void remote_commands_reset(struct link *link);

/* remote_commands_send - what is to be sent, as far as there is room. */
void remote_commands_send(struct link *link);

/* remote_commands_settle - what is done. Returns whether there was anything. What failed because the connection did is left. */
bool remote_commands_settle(struct link *link);

/* remote_request_enlist - it is to be sent. */
void remote_request_enlist(struct link *link, struct xvhost_request *request);

/* remote_request_finish - it is to be completed. */
void remote_request_finish(struct link *link, struct xvhost_request *request);

/* remote_part_done - of what a request has under way: 0 or a negative errno. */
void remote_part_done(struct link *link, struct xvhost_request *request, int error);

/* remote_list_take - the first one; NULL: there is none. */
struct xvhost_request *remote_list_take(struct request_list *list);

/* ---- links: nbd_link.c ---- */

/* remote_link_init, _destroy - with the disk. Returns 0 or a negative errno. */
int remote_link_init(struct link *link, struct remote *remote);
void remote_link_destroy(struct link *link);

/* remote_link_ring - have the queue's loop look at what has changed. Any thread. */
void remote_link_ring(const struct link *link);

int remote_queue_start(struct xvhost_queue *queue);
void remote_queue_stop(struct xvhost_queue *queue);
void remote_submit(struct xvhost_request *request);
void remote_ready(struct xvhost_queue *queue, uint32_t index, int32_t events);

/* ---- the disk ---- */

struct remote {
	struct xvhost_disk *disk;
	struct remote_config config;

	/* As the server had it when it was opened. */
	uint64_t size_bytes;
	bool read_only, can_flush, can_trim;
	uint32_t block_bytes;
	uint32_t piece_bytes; /* the longest read or write */
	uint32_t link_count;  /* 0 until it is open */
	struct link *links;   /* config.connections of them */
	char *uri;	      /* the connector may need it for longer than the disk is there */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* for the connector, and for who waits for it */
	pthread_t connector;
	int wake_fd; /* ends what the connector waits for in poll() */
	bool is_up;  /* links may take connections */
	bool closing, ended;
	pthread_mutex_t log_lock; /* while the connector logs, the disk stays */
	bool abandoned;		  /* by closing, which had no time to wait for the connector */
	uint32_t session;	  /* counts the times that it was up again */
	uint32_t tries;		  /* in vain, since it was lost */
	struct kept kept;
	bool flushing;	/* a flush of our own is under way */
	int lost_error; /* of writes that the guest takes for written; its next flush fails by it */
	char text[REMOTE_TEXT_MAX]; /* why the last try was in vain */
	char told[REMOTE_TEXT_MAX]; /* ... and the last that was logged */
	int error;
};

/* remote_ring_all - all links' bells. */
void remote_ring_all(const struct remote *remote);

/* ---- time, for the connector ---- */

static inline struct timespec remote_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time;
}

static inline struct timespec remote_later(struct timespec time, uint64_t ms)
{
	uint64_t nanoseconds = (uint64_t)time.tv_nsec + ms % 1000 * 1000000;

	time.tv_sec += (time_t)(ms / 1000 + nanoseconds / 1000000000);
	time.tv_nsec = (long)(nanoseconds % 1000000000);
	return time;
}

/* ms_until - 0 when it is past. */
static inline int remote_ms_until(struct timespec time)
{
	struct timespec from = remote_now();
	int64_t ms = (time.tv_sec - from.tv_sec) * INT64_C(1000) +
		     (time.tv_nsec - from.tv_nsec + 999999) / 1000000;

	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

/* far - as good as never: a server that is slow is waited for. */
static inline struct timespec remote_far(void)
{
	return remote_later(remote_now(), UINT64_C(86400) * 1000);
}

/* ---- one connection: nbd_connection.c; by the connector only ---- */

/* remote_say - to the log, as long as there is a disk. */
void remote_say(struct remote *remote, enum xvhost_log_level level, const char *format, ...)
	XVHOST_PRINTF(3, 4);

/* remote_failed - keep the reason of libnbd's last error. Returns a negative errno. */
int remote_failed(struct remote *remote);

/*
 * remote_await - until libnbd has got something done, or this time. With `to_end` the closing of the disk does not end
 * it. Returns 0 or a negative errno, with the reason in remote->text.
 */
int remote_await(struct remote *remote, struct nbd_handle *handle, struct timespec until, bool to_end);

/* remote_connect - to the server, until requests can be sent. */
int remote_connect(struct remote *remote, struct timespec until, struct nbd_handle **connected);

/* remote_learn - what the server says of the disk, when it is opened. */
int remote_learn(struct remote *remote, struct nbd_handle *handle);

/* remote_is_same - it is still the disk that was opened: 0 or a negative errno. */
int remote_is_same(struct remote *remote, struct nbd_handle *handle);

/* ---- what is kept is written again: nbd_restore.c; by the connector only ---- */

/* remote_restore - what a server may have lost. Returns an error if the connection is lost. */
int remote_restore(struct remote *remote, struct nbd_handle *handle);

/* remote_flush - `*result` is what the server says; the connection may be lost as well. */
int remote_flush(struct remote *remote, struct nbd_handle *handle, struct timespec until, bool to_end,
		 int *result);

/* ---- the connector: nbd_connector.c ---- */

/*
 * remote_connector_start - start it, and wait until the disk is up. Returns 0, or a negative errno with the reason in
 * `text`; then the disk is gone. Control thread.
 */
int remote_connector_start(struct remote *remote, char text[REMOTE_TEXT_MAX]);

/* remote_connector_end - flush, disconnect, end. The disk is gone when this returns, or soon afterwards. Control thread. */
void remote_connector_end(struct remote *remote);

/* remote_destroy - give back all. By whoever is the last. */
void remote_destroy(struct remote *remote);

#endif
