/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platform.h - the seam under which Xen lies
 *
 * Theory of operation: everything that xvhost asks of Xen goes through one table of functions. `xen` (xen.c)
 * fills it with Debian's Xen libraries and is the only file that includes their headers. Another platform
 * can put a guest into the same process; the code above can't tell. A seam of functions, rather than of
 * libraries, is also where a test makes a call fail.
 *
 * Independent groups, so that a process opens only what it needs: xvhostd uses xenstore, xvhost-worker uses event
 * channels and grants. The groups after these are optional: a platform that can't has NULL for each of their
 * functions, and then everything goes by mapping grants.
 *
 * All functions return 0 or more for success and a negative errno for failure, unless they say otherwise.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u
#define XENSTORE_PATH_MAX 256	/* bytes with the final 0; longer paths are refused */
#define XENSTORE_VALUE_MAX 4096 /* bytes; xenstored's own limit on a message */

struct xenstore;
struct event_channels;
struct grants;
struct foreign;
struct device_model;

/* A piece of a grant copy: between a part of a granted page and our own memory. */
struct grant_copy {
	uint32_t gref;
	uint16_t offset, length; /* bytes of the granted page; it must not be left */
	bool to_guest;		 /* or from it */
	void *own;
	int error; /* answered: 0 or a negative errno */
};

/* Pages that follow each other, in addresses that were reserved. */
struct foreign_run {
	void *address;
	uint32_t pages;
};

/* What lies in the frames of a grant table (grant_table.h). */
enum grant_frames {
	GRANT_FRAMES_ENTRIES,
	GRANT_FRAMES_STATUSES, /* of a table of version 2, and of no other */
};

/* What reserved addresses are for: frames to be read, frames to be read and written, a grant table. */
enum foreign_use {
	FOREIGN_READ,
	FOREIGN_WRITE,
	FOREIGN_GRANT_TABLE,
};

struct platform {
	const char *name;
	void *context;		    /* the platform's own; the functions that open get it by the table */
	uint32_t requests_per_turn; /* of one ring: enough of them to share what a call costs, where each turn makes one */

	/*
	 * xenstore (docs/misc/xenstore.txt). One handle, one thread. Paths are absolute or relative to the
	 * domain's own path. `transaction` 0 means none.
	 */
	int (*xenstore_open)(const struct platform *platform, struct xenstore **xenstore);
	void (*xenstore_close)(struct xenstore *xenstore);
	/* A text of the caller's to free(), always ended by a 0; NULL with errno set (ENOENT: no such node). */
	char *(*xenstore_read)(struct xenstore *xenstore, uint32_t transaction, const char *path);
	int (*xenstore_write)(struct xenstore *xenstore, uint32_t transaction, const char *path,
			      const char *value);
	int (*xenstore_remove)(struct xenstore *xenstore, uint32_t transaction, const char *path);
	/* An array to free() with one free(), of *count names; NULL with errno set. */
	char **(*xenstore_directory)(struct xenstore *xenstore, uint32_t transaction, const char *path,
				     unsigned *count);
	/* Returns the transaction's number, 0 with errno set. */
	uint32_t (*xenstore_transaction_start)(struct xenstore *xenstore);
	/* -EAGAIN: somebody else changed a node that was read; start again. */
	int (*xenstore_transaction_end)(struct xenstore *xenstore, uint32_t transaction, bool abort);
	int (*xenstore_watch)(struct xenstore *xenstore, const char *path, const char *token);
	int (*xenstore_unwatch)(struct xenstore *xenstore, const char *path, const char *token);
	/* Becomes readable when a watch has fired. */
	int (*xenstore_fd)(struct xenstore *xenstore);
	/*
	 * Takes one fired watch without waiting. Returns true and copies path and token, cut to their sizes;
	 * false when there is none.
	 */
	bool (*xenstore_next_watch)(struct xenstore *xenstore, char *path, size_t path_size, char *token,
				    size_t token_size);

	/*
	 * Event channels (event_channel.h). The descriptor is read for pending ports and written to unmask
	 * them, both as arrays of uint32_t; it does not block (EAGAIN). bind, unbind, notify: any thread.
	 */
	int (*event_channels_open)(const struct platform *platform, struct event_channels **channels);
	void (*event_channels_close)(struct event_channels *channels);
	int (*event_channels_fd)(struct event_channels *channels);
	/* From now on the handle takes ports of this domain only. */
	int (*event_channels_restrict)(struct event_channels *channels, uint16_t domid);
	/* Returns the local port. */
	int (*event_channels_bind)(struct event_channels *channels, uint16_t domid, uint32_t remote_port);
	int (*event_channels_unbind)(struct event_channels *channels, uint32_t port);
	int (*event_channels_notify)(struct event_channels *channels, uint32_t port);

	/*
	 * Grants (grant_table.h). Maps a list of one domain's grants, all or none: pages[i] is where grefs[i]
	 * is. With `consecutive` each page follows the one before; without it they lie where it costs least.
	 * `*mapping` names what was mapped together, and is unmapped together. Any thread.
	 */
	int (*grants_open)(const struct platform *platform, struct grants **grants);
	void (*grants_close)(struct grants *grants);
	int (*grants_map)(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
			  bool writable, bool consecutive, void **pages, void **mapping);
	int (*grants_unmap)(struct grants *grants, void *mapping, uint32_t count);

	/*
	 * Grant copy, optional. Each piece has its own error; the call itself fails only for what is wrong with the
	 * list, and then nothing is said of the pieces. For grants that can't be mapped it is the only way.
	 */
	int (*grants_copy)(struct grants *grants, uint16_t domid, struct grant_copy *copies, uint32_t count);

	/*
	 * Foreign memory, optional: frames mapped by number, without asking the guest, in Dom0 only. Addresses are
	 * reserved first, for one use; where nothing is mapped they fault. foreign_map puts the frames of a list at the
	 * pages of runs, one run after the other, where nothing is mapped. errors[i] is 0 or the negative errno of one
	 * frame: -EINVAL where the guest has no such frame (-EPERM where it is another's machine frame), -ESRCH where
	 * there is no such guest. Its page goes on faulting, but in a PVH Dom0 without the kernel module it can be
	 * read, so the errors are what counts. The call fails as a whole for what is wrong with it, and has mapped
	 * nothing then. foreign_unmap unmaps whole runs, as they were mapped, of any of these calls, also those that
	 * have nothing but errors. The runs of a call ascend, and lie in one reservation. Any thread.
	 */
	int (*foreign_open)(const struct platform *platform, struct foreign **foreign);
	/* What is still mapped is unmapped. */
	void (*foreign_close)(struct foreign *foreign);
	/* The way frames are mapped, such as "privcmd", and why it is this one: words for the log. */
	const char *(*foreign_way)(struct foreign *foreign, const char **reason);
	/* From now on the handle maps memory of this domain only. */
	int (*foreign_restrict)(struct foreign *foreign, uint16_t domid);
	int (*foreign_reserve)(struct foreign *foreign, uint32_t pages, enum foreign_use use, void **address);
	int (*foreign_release)(struct foreign *foreign, void *address, uint32_t pages);
	int (*foreign_map)(struct foreign *foreign, uint16_t domid, const struct foreign_run *runs,
			   uint32_t run_count, const uint64_t *frames, int *errors);
	int (*foreign_unmap)(struct foreign *foreign, const struct foreign_run *runs, uint32_t run_count);
	/*
	 * A guest's grant table, to be read; unmapped as one run of frames is. The table grows to what is mapped; -EINVAL
	 * beyond its limit, and for statuses where there are none.
	 */
	int (*foreign_map_grant_frames)(struct foreign *foreign, uint16_t domid, void *address,
					enum grant_frames which, uint32_t first, uint32_t count);

	/*
	 * Device model, optional (xendevicemodel.h): what must be said, and heard, by who maps foreign memory of a guest
	 * that is not PV. -EINVAL for one that is, and for nothing else. A handle is for one guest.
	 */
	int (*device_model_open)(const struct platform *platform, uint16_t domid,
				 struct device_model **model);
	/* Can this guest have one? 0 or -EINVAL, or the error of having asked. Changes nothing. */
	int (*device_model_possible)(const struct platform *platform, uint16_t domid);
	/*
	 * What processes that were killed have left of this guest's device models ends, as if they had closed them: else the
	 * guest would wait for them for ever. Those of living processes stay. device_model_open does this, too.
	 */
	int (*device_model_clean_up)(const struct platform *platform, uint16_t domid);
	void (*device_model_close)(struct device_model *model);
	/* We have written to these frames; must be said before the guest can learn of it. Any thread. */
	int (*device_model_modified)(struct device_model *model, const uint64_t *frames, uint32_t count);
	/* Becomes readable when the guest has given memory away and waits for us; for poll(). */
	int (*device_model_fd)(struct device_model *model);
	/* Returns true if the guest waits since it gave memory away. What was mapped before is not to be used for new
	 * requests any more. */
	bool (*device_model_invalidated)(struct device_model *model);
	/* ... That is done: what waited when device_model_invalidated was called last goes on. */
	int (*device_model_answer)(struct device_model *model);

	/*
	 * Publisher, optional: a descriptor that takes XVHOST_REMAP_PUBLISH (xvhost/remap.h) by io_uring, for rings and written frames
	 * of this domain. Closed by close(). Any thread.
	 */
	int (*publisher_open)(const struct platform *platform, uint16_t domid);
};

/* The platform of Debian's Xen libraries. */
extern const struct platform platform_xen;

#endif
