/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_process.h - the processes that serve guests, one each, as seen from xvhostd
 *
 * An uplink of a switch (uplinks.h) is such a process, too, which serves no guest: it is only told to end.
 *
 * Over the simulated machine workers are threads; `struct worker_kind` is what is different then.
 */
#ifndef DAEMON_WORKER_PROCESS_H
#define DAEMON_WORKER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/config.h"
#include "log.h"
#include "worker/messages.h"

/* Of guests; and of uplinks, whose places are the first. */
#define WORKERS_MAX (CONFIG_MAX_GUESTS + CONFIG_SWITCHES_MAX)
#define WORKER_STOP_TIMEOUT_MS 10000	      /* from MESSAGE_STOP to SIGKILL */
#define WORKER_END_MAX 80		      /* bytes of a text about a process's end with the final 0 */
#define WORKER_NAME_MAX 24		      /* bytes of a worker's name in messages with the final 0 */
#define WORKER_SERVES_MAX (NET_NAME_MAX + 16) /* the same of what it serves */

struct worker;

/* What a worker is: a process unless `struct workers` says otherwise. */
struct worker_kind {
	/*
	 * start - begin to serve worker->domid, or to be worker->uplink, by this end of a socket pair, which now is the worker's. Sets its
	 * name and end_fd, and what is the kind's own. Returns 0 or an errno.
	 */
	int (*start)(struct worker *worker, const struct config *config, int socket);
	/* kill - end it at once, whatever it is doing; end_fd will tell. */
	void (*kill)(struct worker *worker);
	/* reap - true if it has ended: `end` says how, and nothing of it is left. */
	bool (*reap)(struct worker *worker, char end[WORKER_END_MAX]);
	void *context;
};

struct worker {
	bool used;
	uint16_t domid;			   /* the guest's; of an uplink, this domain's own */
	const struct config_named *uplink; /* NULL: it serves a guest */
	char serves[WORKER_SERVES_MAX];	   /* "guest 3", "switch lan" */
	const struct worker_kind *kind;
	char name[WORKER_NAME_MAX]; /* "process 123" */
	pid_t pid;		    /* of a process */
	void *thread;		    /* of another kind: its own */
	int end_fd;		    /* readable when it has ended */
	int socket;
	bool needed;	     /* of the caller's: some device is with it */
	bool serving;	     /* of the caller's: some device is connected by it */
	bool blocked;	     /* the socket took no more; poll for writing */
	bool stopping;	     /* was told to end; takes no more disks */
	uint32_t memory_mib; /* of its guest's memory that it may keep mapped, as it was told; 0: not yet */
	bool silent;	     /* its end of the socket is closed */
	bool killed;
	int64_t kill_at_ms; /* with `stopping` */
	struct log_limit log_limit;
};

struct workers {
	const struct worker_kind *kind; /* NULL: processes */
	struct worker worker[WORKERS_MAX];
	uint32_t end; /* no place is used from here on */
};

/* worker_find - the guest's worker that takes disks, or NULL. */
struct worker *worker_find(struct workers *workers, uint16_t domid);

/* worker_start - start a guest's worker. NULL: `text` says why. */
struct worker *worker_start(struct workers *workers, const struct config *config, uint16_t domid,
			    char text[ERROR_TEXT_MAX]);

/* worker_start_uplink - the same of a switch's uplink; `domid` is this domain's own. */
struct worker *worker_start_uplink(struct workers *workers, const struct config *config, uint16_t domid,
				   const struct config_named *uplink, char text[ERROR_TEXT_MAX]);

/*
 * worker_send - returns 0; -EAGAIN if the worker must first read what it has (then it is `blocked`); or
 * another negative errno, and the worker is of no use any more.
 */
int worker_send(struct worker *worker, const struct message *message);

/*
 * worker_receive - 1 and a message; 0 if there is none; a negative errno, and the worker is of no use any
 * more.
 */
int worker_receive(struct worker *worker, struct message *message);

/*
 * worker_tell_memory - how many MiB of its guest's memory it may keep mapped, and how that is reached. No effect if it knows;
 * else it gets a message now, or at a later call if it must first read what it has.
 */
void worker_tell_memory(struct worker *worker, const struct config *config, uint32_t mib);

/* worker_stop - ask it to let go of everything and to end, by kill if need be. No effect the second time. */
void worker_stop(struct worker *worker, int64_t now_ms);

/* worker_kill - end it at once; `why` goes to the log. No effect the second time. */
void worker_kill(struct worker *worker, const char *why);

/* worker_reap - true if it has ended: `end` says how, and the place is free again. */
bool worker_reap(struct worker *worker, char end[WORKER_END_MAX]);

#endif
