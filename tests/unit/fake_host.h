/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_host.h - a host with one disk, one queue and a clock of its own, for tests of wrapper backends
 *
 * Time passes only in fake_host_run, from one event to the next, so results are exact. The disk below does nothing
 * but answer. What a backend does wrong by its contract (answering twice, or a request that is not its own) fails the
 * test. One disk for each test process.
 *
 * A test includes the backend's source after
 *	#define clock_gettime fake_host_clock
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <time.h>

#include "worker/messages.h"
#include "xvhost/backend.h"

#define FAKE_HOST_DISK_BYTES (UINT64_C(1) << 30)
#define FAKE_HOST_REQUESTS 4096 /* of one test */
#define FAKE_HOST_S UINT64_C(1000000000)
#define FAKE_HOST_MS UINT64_C(1000000)
#define FAKE_HOST_US UINT64_C(1000)

/* What became of a request. Times are those of the clock; 0 is "not yet". */
struct fake_host_request {
	struct xvhost_request request;
	struct iovec iov;
	uint64_t submitted_ns, forwarded_ns, completed_ns;
	int error;
	uint32_t order; /* as which one it came to the disk below, from 1 */
};

/* The disk below: how long it takes (0: it answers before forward returns), and what it answers. */
extern uint64_t fake_host_below_ns;
extern int fake_host_below_error;

/* What was said last by log or fail. */
extern char fake_host_text[ERROR_TEXT_MAX];

/* fake_host_open - with parameters such as "read-us=500"; the disk below is added. Returns what open did. */
int fake_host_open(const struct xvhost_disk_backend *backend, const char *parameters);
void fake_host_close(void);

/* fake_host_properties - what open said of the disk. */
const struct xvhost_disk_properties *fake_host_properties(void);

const struct fake_host_request *fake_host_submit(uint32_t operation, uint64_t offset, uint64_t length);

/* fake_host_run - let this much time pass; I/O takes none. */
void fake_host_run(uint64_t ns);

/* fake_host_forwarded - how many requests have come to the disk below. */
uint32_t fake_host_forwarded(void);

/* fake_host_clock - instead of clock_gettime(2). */
int fake_host_clock(clockid_t clock, struct timespec *time);

#endif
