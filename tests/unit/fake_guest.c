// SPDX-License-Identifier: GPL-2.0-or-later
/* fake_guest.c - just enough of a guest for tests of the worker's own logic */
#include "fake_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rings/ring.h"

#define LOCAL_PORT 1042

static int memory_fd, channel_fds[2], notified_fd;
static char *memory;
static atomic_int mapped, bound;
static bool last_writable;

/* The event channel: as with Xen, a port that was read stays masked until it is unmasked; what comes
 * meanwhile is kept. */
static pthread_mutex_t channel_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool masked, pending;

static void must(bool good)
{
	if (!good)
		abort();
}

void fake_guest_init(void)
{
	memory_fd = memfd_create("guest", MFD_CLOEXEC);
	must(ftruncate(memory_fd, FAKE_GUEST_PAGES * PAGE_BYTES) == 0);
	memory = mmap(NULL, FAKE_GUEST_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	must(memory != MAP_FAILED);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, channel_fds) == 0);
	notified_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	must(notified_fd >= 0);
}

void *fake_guest_page(uint32_t gref)
{
	must(gref < FAKE_GUEST_PAGES);
	return memory + (size_t)gref * PAGE_BYTES;
}

int fake_guest_mapped(void)
{
	return mapped;
}

bool fake_guest_mapped_writable(void)
{
	return last_writable;
}

int fake_guest_bound(void)
{
	return bound;
}

/* raise_port - make the port pending; or, with `unmask_only`, see whether one that is pending was unmasked. */
static void raise_port(bool unmask_only)
{
	const uint32_t port = LOCAL_PORT;
	uint32_t unmasked[16];

	pthread_mutex_lock(&channel_mutex);
	while (read(channel_fds[1], unmasked, sizeof(unmasked)) > 0)
		masked = false;
	if (!unmask_only)
		pending = true;
	if (pending && !masked) {
		must(write(channel_fds[1], &port, sizeof(port)) == sizeof(port));
		pending = false;
		masked = true;
	}
	pthread_mutex_unlock(&channel_mutex);
}

void fake_guest_kick(void)
{
	raise_port(false);
}

bool fake_guest_wait_notified(int timeout_ms)
{
	struct pollfd polled[] = {{.fd = notified_fd, .events = POLLIN},
				  {.fd = channel_fds[1], .events = POLLIN}};
	uint64_t count;

	for (;;) {
		if (poll(polled, 2, timeout_ms) < 1)
			return false;
		if (polled[0].revents)
			return read(notified_fd, &count, sizeof(count)) == sizeof(count);
		raise_port(true);
	}
}

/* ---- the platform ---- */

static int channels_open(const struct platform *platform, struct event_channels **channels)
{
	(void)platform;
	*channels = (struct event_channels *)channel_fds;
	return 0;
}

static void channels_close(struct event_channels *channels)
{
	(void)channels;
}

static int channels_fd(struct event_channels *channels)
{
	(void)channels;
	return channel_fds[0];
}

static int channels_restrict(struct event_channels *channels, uint16_t domid)
{
	(void)channels;
	return domid == FAKE_GUEST_DOMID ? 0 : -EPERM;
}

static int channels_bind(struct event_channels *channels, uint16_t domid, uint32_t remote_port)
{
	(void)channels;
	if (domid != FAKE_GUEST_DOMID || remote_port != FAKE_GUEST_REMOTE_PORT || bound > 0)
		return -EINVAL;
	bound++;
	/* A port is made pending when it is bound, and is not masked then. */
	masked = false;
	raise_port(false);
	return LOCAL_PORT;
}

static int channels_unbind(struct event_channels *channels, uint32_t port)
{
	(void)channels;
	if (port != LOCAL_PORT)
		return -EINVAL;
	bound--;
	return 0;
}

static int channels_notify(struct event_channels *channels, uint32_t port)
{
	const uint64_t one = 1;

	(void)channels;
	if (port != LOCAL_PORT)
		return -EINVAL;
	return write(notified_fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

static int grants_open(const struct platform *platform, struct grants **grants)
{
	(void)platform;
	*grants = (struct grants *)&mapped;
	return 0;
}

static void grants_close(struct grants *grants)
{
	(void)grants;
}

static int grants_map(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
		      bool writable, bool consecutive, void **pages, void **mapping)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	char *start;

	(void)grants;
	(void)consecutive;
	if (domid != FAKE_GUEST_DOMID)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (grefs[i] >= FAKE_GUEST_PAGES)
			return -EINVAL;
	start = mmap(NULL, (size_t)count * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(start != MAP_FAILED);
	for (uint32_t i = 0; i < count; i++)
		must(mmap(start + (size_t)i * PAGE_BYTES, PAGE_BYTES, protection, MAP_SHARED | MAP_FIXED,
			  memory_fd, (off_t)grefs[i] * PAGE_BYTES) != MAP_FAILED);
	mapped += (int)count;
	for (uint32_t i = 0; i < count; i++)
		pages[i] = start + (size_t)i * PAGE_BYTES;
	last_writable = writable;
	*mapping = start;
	return 0;
}

static int grants_unmap(struct grants *grants, void *mapping, uint32_t count)
{
	(void)grants;
	must(munmap(mapping, (size_t)count * PAGE_BYTES) == 0);
	mapped -= (int)count;
	return 0;
}

const struct platform fake_guest_platform = {
	.name = "fake",
	.event_channels_open = channels_open,
	.event_channels_close = channels_close,
	.event_channels_fd = channels_fd,
	.event_channels_restrict = channels_restrict,
	.event_channels_bind = channels_bind,
	.event_channels_unbind = channels_unbind,
	.event_channels_notify = channels_notify,
	.grants_open = grants_open,
	.grants_close = grants_close,
	.grants_map = grants_map,
	.grants_unmap = grants_unmap,
};

/* ---- the frontend ---- */

static uint32_t entry_bytes(const struct fake_frontend *frontend)
{
	return frontend->protocol == BLKIF_X86_64 ? 112 : 108;
}

/* The ring lies on consecutive pages of the guest's view. */
static uint8_t *ring_entry(const struct fake_frontend *frontend, uint32_t number)
{
	uint8_t *pages = fake_guest_page(FAKE_FRONTEND_RING_GREF);

	return pages + 64 + (size_t)(number & (frontend->size - 1)) * entry_bytes(frontend);
}

static struct ring_header *ring_header(void)
{
	return fake_guest_page(FAKE_FRONTEND_RING_GREF);
}

void fake_frontend_init(struct fake_frontend *frontend, enum blkif_protocol protocol, uint32_t ring_pages)
{
	frontend->protocol = protocol;
	frontend->ring_pages = ring_pages;
	frontend->size = 32 * ring_pages;
	frontend->request_producer = 0;
	frontend->response_consumer = 0;
	memset(fake_guest_page(FAKE_FRONTEND_RING_GREF), 0, ring_pages * PAGE_BYTES);
	ring_header()->request_event = 1;
	ring_header()->response_event = 1;
}

void fake_frontend_put(struct fake_frontend *frontend, uint8_t operation, uint64_t id, uint64_t sector,
		       uint8_t segment_count, const struct fake_segment *segments)
{
	bool wide = frontend->protocol == BLKIF_X86_64;
	uint8_t *entry = ring_entry(frontend, frontend->request_producer++);

	memset(entry, 0, entry_bytes(frontend));
	entry[0] = operation;
	entry[1] = segment_count;
	memcpy(entry + (wide ? 8 : 4), &id, sizeof(id));
	memcpy(entry + (wide ? 16 : 12), &sector, sizeof(sector));
	for (uint32_t i = 0; i < segment_count && i < 11; i++) {
		uint8_t *segment = entry + (wide ? 24 : 20) + (size_t)i * 8;

		memcpy(segment, &segments[i].gref, sizeof(uint32_t));
		segment[4] = segments[i].first_sector;
		segment[5] = segments[i].last_sector;
	}
}

void fake_frontend_put_indirect(struct fake_frontend *frontend, uint8_t operation, uint64_t id,
				uint64_t sector, uint16_t segment_count, uint32_t gref)
{
	bool wide = frontend->protocol == BLKIF_X86_64;
	uint8_t *entry = ring_entry(frontend, frontend->request_producer++);

	memset(entry, 0, entry_bytes(frontend));
	entry[0] = 6;
	entry[1] = operation;
	memcpy(entry + 2, &segment_count, sizeof(segment_count));
	memcpy(entry + (wide ? 8 : 4), &id, sizeof(id));
	memcpy(entry + (wide ? 16 : 12), &sector, sizeof(sector));
	memcpy(entry + (wide ? 28 : 24), &gref, sizeof(gref));
}

void fake_frontend_put_discard(struct fake_frontend *frontend, uint64_t id, uint64_t sector, uint64_t sectors)
{
	bool wide = frontend->protocol == BLKIF_X86_64;
	uint8_t *entry = ring_entry(frontend, frontend->request_producer++);

	memset(entry, 0, entry_bytes(frontend));
	entry[0] = 5;
	memcpy(entry + (wide ? 8 : 4), &id, sizeof(id));
	memcpy(entry + (wide ? 16 : 12), &sector, sizeof(sector));
	memcpy(entry + (wide ? 24 : 20), &sectors, sizeof(sectors));
}

bool fake_frontend_push(struct fake_frontend *frontend)
{
	uint32_t before = ring_header()->request_producer, now = frontend->request_producer;

	__atomic_store_n(&ring_header()->request_producer, now, __ATOMIC_SEQ_CST);
	return now - __atomic_load_n(&ring_header()->request_event, __ATOMIC_SEQ_CST) < now - before;
}

bool fake_frontend_take(struct fake_frontend *frontend, uint64_t *id, uint8_t *operation, int16_t *status)
{
	uint8_t *entry = ring_entry(frontend, frontend->response_consumer);

	if (__atomic_load_n(&ring_header()->response_producer, __ATOMIC_SEQ_CST) ==
	    frontend->response_consumer) {
		/* Ask to be notified of the next, and look again. */
		__atomic_store_n(&ring_header()->response_event, frontend->response_consumer + 1,
				 __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&ring_header()->response_producer, __ATOMIC_SEQ_CST) ==
		    frontend->response_consumer)
			return false;
	}
	frontend->response_consumer++;
	memcpy(id, entry, sizeof(*id));
	*operation = entry[8];
	memcpy(status, entry + 10, sizeof(*status));
	return true;
}

void fake_frontend_message(const struct fake_frontend *frontend, struct message_disk_connect *connect)
{
	connect->protocol = frontend->protocol;
	connect->ring_pages = frontend->ring_pages;
	connect->queue_count = 1;
	connect->queues[0].event_channel = FAKE_GUEST_REMOTE_PORT;
	for (uint32_t i = 0; i < frontend->ring_pages; i++)
		connect->queues[0].ring_refs[i] = FAKE_FRONTEND_RING_GREF + i;
}
