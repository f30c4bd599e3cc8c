/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.h - one vbd or vif of one guest
 */
#ifndef DAEMON_DEVICE_H
#define DAEMON_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/device_state.h"
#include "daemon/host.h"
#include "daemon/worker_process.h"
#include "log.h"
#include "worker/messages.h"

#define DEVICE_PATH_MAX 64 /* bytes of a device's directory with the final 0 */
#define DEVICE_NAME_MAX 40 /* the same of its name in messages */

/* The toolstack waits 10 s for state 2 and 10 s for state 6; it shall see our errors, not its own. */
#define OPEN_TIMEOUT_MS 7000 /* from the first try to open a device to the failure */
#define REOPEN_TIMEOUT_MS                                                                                    \
	30000 /* of one that a guest uses: an earlier xvhostd's worker may have to end first */
#define DISCONNECT_TIMEOUT_MS 8000 /* for the answer, then the worker is killed */
#define ANSWER_TIMEOUT_MS 30000	   /* the same for questions whose answers nobody waits for */
#define TELL_TIMEOUT_MS 12000	   /* a toolstack that has not looked at a failure by then has given up */
#define OPEN_PAUSE_MS 1000	   /* from a failure to the next try to open */
#define RETRY_PAUSE_MS 1000	   /* from what failed in xenstore to the next try */
#define SEEN_PAUSE_MS 1000 /* in a driver domain from state 2 to state 4, for the toolstack to see state 2 */
#define REMOVE_DELAY_MS 2000 /* from state 6 to removing our directory, for the toolstack to see state 6 */

struct device_kind;

/* What only disks have. */
struct device_disk {
	struct message_disk_opened properties; /* from PHASE_OPEN on */
	uint64_t published_bytes;	       /* in PHASE_PUBLISHED: the size that the frontend was told */
	bool read_only;			       /* the toolstack wants it so */
	bool removable;			       /* the same: a drive, which can be empty */
	char target[TARGET_MAX];	       /* with `removable`: what was opened, or tried */
	bool large_sectors;		       /* as the frontend said when it was connected */
};

/* What only network cards have. */
struct device_net {
	uint32_t takes;	     /* from PHASE_OPEN on: XVHOST_NET_... of packets that the guest sends */
	uint32_t queues_max; /* the same: that the guest may have */
	bool link;	     /* the same: whether it has one */
	bool link_shown;     /* the frontend was told so, by this xvhostd: `link_told` */
	bool link_told;
	struct message_net_settings settings; /* in PHASE_PUBLISHED: as the worker has them ... */
	struct message_net_settings wanted;   /* ... and as they were seen at the last look */
	bool nonsense_told;		      /* that one of them makes no sense is in the log */
};

struct device {
	bool used;
	bool dirty; /* something may have changed: device_evaluate is to be called */
	const struct device_kind *kind;
	uint16_t domid;
	uint32_t id;
	char name[DEVICE_NAME_MAX];	/* "guest 3 vbd 51712" */
	char backend[DEVICE_PATH_MAX];	/* "backend/vbd/3/51712" */
	char frontend[DEVICE_PATH_MAX]; /* "/local/domain/3/device/vbd/51712" */

	struct worker *worker; /* NULL only in PHASE_NONE */
	enum device_phase phase;
	enum device_failure failure;
	union {
		struct device_disk disk;
		struct device_net net;
	};

	enum xenbus_state state_seen; /* of the backend, at the last look */
	bool kernel_has;	      /* the kernel's driver has taken it */
	bool leftover;		      /* what the worker has is of an earlier device of this number */
	bool watched;		      /* there are watches on the frontend's nodes */
	bool error_shown;	      /* there may be an error node */
	bool untold_node;	      /* the error node is still to be written ... */
	bool untold_toolstack;	      /* ... and what the toolstack looks at */

	int64_t open_deadline_ms;	 /* 0: not tried yet */
	int64_t open_not_before_ms;	 /* 0: no matter */
	int64_t publish_not_before_ms;	 /* 0: no matter */
	int64_t answer_deadline_ms;	 /* 0: nothing asked that has one */
	int64_t told_at_ms;		 /* with FAILURE_OPEN */
	int64_t remove_at_ms;		 /* 0: not offline and closed */
	int64_t retry_at_ms;		 /* 0: nothing has failed in xenstore */
	int64_t wake_ms;		 /* when to look again even if nothing happens */
	struct log_limit log_limit;	 /* of what the guest can cause */
	int error;			 /* of device_show_error: an errno ... */
	char error_text[ERROR_TEXT_MAX]; /* ... and what it was about */
};

/* device_in_use - its frontend is connected, as far as xenstore tells: it may have been by an xvhostd before us. */
static inline bool device_in_use(const struct device *device)
{
	return device->state_seen == XENBUS_CONNECTED || device->state_seen == XENBUS_RECONFIGURED;
}

/* device_open_timeout_ms - from the first try to open it to the failure. */
static inline int device_open_timeout_ms(const struct device *device)
{
	return device_in_use(device) ? REOPEN_TIMEOUT_MS : OPEN_TIMEOUT_MS;
}

/*
 * device_adopt - take a place for the device of that number: no worker, dirty. Its error node of earlier
 * times, if any, is cleared.
 */
void device_adopt(struct device *device, const struct host *host, const struct device_kind *kind,
		  uint16_t domid, uint32_t id);

/* device_release - let go of the place: no watch and no error node is left. */
void device_release(struct device *device, const struct host *host);

/*
 * device_evaluate - look at the device and do the next thing; `used` becomes false when that was to forget
 * it.
 */
void device_evaluate(struct device *device, const struct host *host, int64_t now_ms);

/*
 * device_answer - take a message of the device's worker. Returns 0, or -EPROTO if the worker may not say
 * such a thing now.
 */
int device_answer(struct device *device, const struct host *host, struct message *message, int64_t now_ms);

/* device_worker_ended - the device's worker is no more; `end` says how it ended. */
void device_worker_ended(struct device *device, const struct host *host, const char *end, int64_t now_ms);

/* device_is_served - its frontend's requests are carried out. */
bool device_is_served(const struct device *device);

/* device_needs_worker - false if there is no worker, or nothing that would be lost with it. */
bool device_needs_worker(const struct device *device);

/*
 * device_fail - the device has failed: say so in the log and in xenstore. `error` is an errno; the text
 * names the thing, its value and what would be right.
 */
void device_fail(struct device *device, const struct host *host, int64_t now_ms, enum device_failure failure,
		 int error, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* device_left_to_kernel - true if the kernel's driver has the device: that is said, and it is not touched any more. */
bool device_left_to_kernel(struct device *device, const struct host *host);

/* device_is_over - nothing that happens to the device now is of interest to anybody. */
bool device_is_over(const struct device *device);

#endif
