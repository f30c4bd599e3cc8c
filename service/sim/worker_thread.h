/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_thread.h - a worker in a thread of this process, and messages to it, without an xvhostd
 *
 * For tests, fuzzers and benchmarks of the worker itself. Each function asks and waits for the answer; one thread.
 */
#ifndef WORKER_THREAD_H
#define WORKER_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/platform.h"
#include "sim/blkif_frontend.h"
#include "sim/netif_frontend.h"
#include "worker/messages.h"

#define WORKER_THREAD_TIMEOUT_MS 20000 /* for an answer; then -ETIMEDOUT */

struct worker_thread;

/* worker_thread_start - serve this guest. `backend_directory` is that of loadable backends, or NULL. Returns 0 or a negative
 * errno. */
int worker_thread_start(const struct platform *platform, uint16_t domid, const char *backend_directory,
			struct worker_thread **worker);

/* worker_thread_stop - STOP, and the end of the thread. Returns what worker_run returned. */
int worker_thread_stop(struct worker_thread *worker);

/* worker_thread_set_memory - as xvhostd tells each worker before it opens anything. Returns 0 or a negative errno. */
int worker_thread_set_memory(struct worker_thread *worker, const struct message_memory *memory);

/* worker_thread_open - a disk. Returns answer->error; answer->text says why. */
int worker_thread_open(struct worker_thread *worker, uint32_t device_id, const char *target, bool read_only,
		       struct message_disk_opened *answer);

/*
 * worker_thread_connect - the rings of a frontend whose device was opened; sets the frontend up with what `opened` offers.
 * Returns 0 or a negative errno; `text` says why.
 */
int worker_thread_connect(struct worker_thread *worker, struct blkif_frontend *frontend,
			  const struct message_disk_opened *opened, char text[ERROR_TEXT_MAX]);
int worker_thread_disconnect(struct worker_thread *worker, uint32_t device_id);
int worker_thread_close(struct worker_thread *worker, uint32_t device_id);

/* ---- network cards, whose numbers differ from those of disks ---- */

/* worker_thread_net_open - returns answer->error; answer->text says why. */
int worker_thread_net_open(struct worker_thread *worker, uint32_t device_id,
			   const struct message_net_open *open, struct message_net_opened *answer);

/* worker_thread_net_features - what an xvhostd would write for such a card. */
struct netif_features worker_thread_net_features(const struct message_net_opened *opened);

/* worker_thread_net_connect - the rings of a frontend whose device was opened. Returns 0 or a negative errno; `text` says
 * why. `again`: they were served before. */
int worker_thread_net_connect(struct worker_thread *worker, struct netif_frontend *frontend, bool again,
			      char text[ERROR_TEXT_MAX]);

/* worker_thread_net_set - other settings, for a card that is connected. */
int worker_thread_net_set(struct worker_thread *worker, uint32_t device_id,
			  const struct message_net_settings *settings);
int worker_thread_net_disconnect(struct worker_thread *worker, uint32_t device_id);
int worker_thread_net_close(struct worker_thread *worker, uint32_t device_id);

/* worker_thread_net_counters - of the card that was disconnected last, while it was connected. */
const struct message_net_counters *worker_thread_net_counters(const struct worker_thread *worker);

/* ---- */

/* worker_thread_broken - has the worker reported this device as broken since it was connected? Waits up to timeout_ms for it;
 * `text` may be NULL. */
bool worker_thread_broken(struct worker_thread *worker, uint32_t device_id, int timeout_ms,
			  char text[ERROR_TEXT_MAX]);

/*
 * worker_thread_net_link - wait up to timeout_ms until the worker says of this card, whose number is below 32, that it has a link, or
 * that it has none. Before it says anything there is one.
 */
bool worker_thread_net_link(struct worker_thread *worker, uint32_t device_id, bool up, int timeout_ms);

#endif
