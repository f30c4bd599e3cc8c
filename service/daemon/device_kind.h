/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_kind.h - what is different between disks and network cards
 *
 * Theory of operation: device.c and device_action.c do for any device what its state asks for. Where a disk and a card differ they go
 * by the device's kind: device_disk.c and device_net.c.
 */
#ifndef DAEMON_DEVICE_KIND_H
#define DAEMON_DEVICE_KIND_H

#include "daemon/device.h"

#define DEVICE_KINDS 2

struct device_kind {
	enum device_class class;
	const char *directory; /* "vbd": what xenstore calls it, and what its names have */
	const char *noun;      /* "disk": what messages for people call it */
	const char *hangs;     /* the message when it can't be let go because its backend does not answer */
	const char
		*driver; /* "xen-blkback": the kernel's own, which takes every such device that it sees ... */
	const char *module;  /* "xen_blkback": ... and its module */
	const char *watched; /* a frontend's node that is watched besides its state, in Dom0; NULL: none */

	/* is_ours - the toolstack's nodes in this directory of a device that is not known yet say that it is xvhost's. */
	bool (*is_ours)(const struct host *host, const char *directory);

	/*
	 * read_wish - what the toolstack wants of the device: MESSAGE_OPEN's contents. The device stays as it is. False: `text` says what is
	 * wrong.
	 */
	bool (*read_wish)(const struct device *device, const struct host *host, struct message *message,
			  char text[ERROR_TEXT_MAX]);

	/* opening - the worker was asked so: remember what was wanted, and log it. */
	void (*opening)(struct device *device, const struct message *message);

	/* opened - the worker has opened it: remember what it is. Returns 0, or -EPROTO if a worker may not say such a thing. */
	int (*opened)(struct device *device, const struct message *message);

	/* look - what device_next is to know of it besides what all devices have. */
	void (*look)(struct device *device, const struct host *host, struct device_view *view);

	/* offer - features and state 2. False: not written. */
	bool (*offer)(struct device *device, const struct host *host, int64_t now_ms);

	/* read_rings - what the frontend has: MESSAGE_CONNECT's contents. Returns 0, or a negative errno and `text`. */
	int (*read_rings)(struct device *device, const struct host *host, struct message *message,
			  char text[ERROR_TEXT_MAX]);

	/* publish - what the frontend has to know of it, and state 4. False: not written. */
	bool (*publish)(struct device *device, const struct host *host, int64_t now_ms);

	/* change - ACTION_CHANGE. */
	void (*change)(struct device *device, const struct host *host, int64_t now_ms);

	/* resize - ACTION_RESIZE: tell the frontend of a disk's size, of a card's link. */
	void (*resize)(struct device *device, const struct host *host, int64_t now_ms);

	/* answer - a message that only devices of this kind have; NULL: there is none. Returns 0, or -EPROTO if a worker may not say
	 * that now. */
	int (*answer)(struct device *device, const struct host *host, struct message *message,
		      int64_t now_ms);
};

extern const struct device_kind device_kind_disk, device_kind_net;
extern const struct device_kind *const device_kinds[DEVICE_KINDS];

/* device_kind_has_script - the last part of the path in the node `script` of this directory is that name. */
bool device_kind_has_script(const struct host *host, const char *directory, const char *name);

#endif
