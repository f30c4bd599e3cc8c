// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of a turn by one command of io_uring: XVHOST_REMAP_PUBLISH. The "rings" are counters in our own memory, and their
 * frontends are other ports of this domain.
 */
#include "platform_test.h"

#include <err.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>

#include "xvhost/remap.h"

#define RINGS 4
#define DOMID_OF_OURSELVES 0x7ff0

/* A ring and both ends of its event channel. */
struct channel {
	uint32_t producer, event;
	uint32_t port, peers_port;
};

static struct io_uring uring;
static int device;
static xenevtchn_handle *ours, *peers;
static struct channel channels[RINGS];
static struct xvhost_remap_ring rings[RINGS];
static struct xvhost_remap_publication publication;

static void begin(void)
{
	if (io_uring_queue_init(8, &uring, 0) < 0)
		errx(2, "io_uring_queue_init");
	device = platform->publisher_open(platform, guest.domid);
	if (device < 0)
		errx(2, "publisher_open: %s", strerror(-device));
	ours = xenevtchn_open(NULL, 0);
	peers = xenevtchn_open(NULL, 0);
	if (!ours || !peers)
		err(2, "xenevtchn_open");
	for (int i = 0; i < RINGS; i++) {
		int port = xenevtchn_bind_unbound_port(peers, DOMID_OF_OURSELVES);

		channels[i] = (struct channel){.peers_port = (uint32_t)port};
		port = xenevtchn_bind_interdomain(ours, DOMID_OF_OURSELVES, channels[i].peers_port);
		if (port < 0)
			err(2, "xenevtchn_bind_interdomain");
		channels[i].port = (uint32_t)port;
	}
}

static void end(void)
{
	xenevtchn_close(ours);
	xenevtchn_close(peers);
	close(device);
	io_uring_queue_exit(&uring);
}

/* prepare - so many rings, which show their first response; each frontend wants to be notified of it. */
static void prepare(uint32_t count)
{
	for (uint32_t i = 0; i < RINGS; i++) {
		channels[i].producer = 0;
		channels[i].event = 1;
		rings[i] = (struct xvhost_remap_ring){.producer = (uintptr_t)&channels[i].producer,
						      .event = (uintptr_t)&channels[i].event,
						      .before = 0,
						      .now = 1,
						      .port = channels[i].port,
						      .result = 77};
	}
	publication = (struct xvhost_remap_publication){.rings = (uintptr_t)rings,
							.ring_count = count,
							.domain = guest.domid,
							.event_channels = xenevtchn_fd(ours),
							.result = 77};
}

/* command - carry it out. Returns the completion's result. */
static int command(uint32_t number, const void *argument)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	uint64_t address = (uintptr_t)argument;
	struct io_uring_cqe *cqe;
	int result;

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, device, NULL, 0, 0);
	sqe->cmd_op = number;
	memcpy(sqe->cmd, &address, sizeof(address));
	if (io_uring_submit(&uring) != 1)
		errx(2, "io_uring_submit");
	/* It is over when it was submitted. */
	if (io_uring_peek_cqe(&uring, &cqe) < 0)
		errx(2, "the command has no completion");
	result = cqe->res;
	io_uring_cqe_seen(&uring, cqe);
	return result;
}

static int publish(void)
{
	return command(XVHOST_REMAP_PUBLISH, &publication);
}

/* notified - the frontends that were, one bit each; waits as long as one of them could still be. */
static uint32_t notified(void)
{
	struct pollfd polled = {.fd = xenevtchn_fd(peers), .events = POLLIN};
	uint32_t bits = 0;

	while (poll(&polled, 1, 100) == 1) {
		int port = xenevtchn_pending(peers);

		for (int i = 0; i < RINGS; i++)
			bits |= (uint32_t)(channels[i].peers_port == (uint32_t)port) << i;
		xenevtchn_unmask(peers, (evtchn_port_t)port);
	}
	return bits;
}

/* Responses are shown, and those are notified who have asked for it. */
void test_publish(void)
{
	begin();
	check_equal(notified(), 0);
	prepare(RINGS);
	channels[1].event = 2; /* wants the next one only */
	rings[3].before = UINT32_MAX - 1;
	rings[3].now = 3; /* across the wrap */
	channels[3].event = UINT32_MAX;
	check_equal(publish(), 0);
	check_equal(publication.result, 0);
	for (int i = 0; i < RINGS; i++) {
		check_equal(channels[i].producer, i == 3 ? 3 : 1);
		check_equal(rings[i].result, i != 1);
	}
	check_equal(notified(), 0xd);

	/* Nothing to do is no error. */
	prepare(0);
	check_equal(publish(), 0);
	check_equal(publication.result, 0);
	end();
}

/* Rings with one port are notified of once, by the last of them that stand together. */
void test_publish_shared(void)
{
	static const struct {
		uint32_t ports[RINGS], events[RINGS];
		int results[RINGS];
		uint32_t notified;
	} rows[] = {
		{{0, 0, 1, 1}, {1, 1, 1, 1}, {0, 1, 0, 1}, 3},
		{{0, 0, 1, 1}, {1, 2, 2, 2}, {0, 1, 0, 0}, 1},
		{{0, 1, 1, 1}, {2, 1, 2, 2}, {0, 0, 0, 1}, 2},
		{{2, 2, 2, 2}, {2, 2, 2, 2}, {0, 0, 0, 0}, 0},
	};

	begin();
	for (uint32_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		prepare(RINGS);
		for (int i = 0; i < RINGS; i++) {
			rings[i].port = channels[rows[row].ports[i]].port;
			channels[i].event = rows[row].events[i];
		}
		check_equal(publish(), 0);
		for (int i = 0; i < RINGS; i++) {
			check_equal(channels[i].producer, 1);
			check_equal(rings[i].result, rows[row].results[i]);
		}
		check_equal(notified(), rows[row].notified);
	}
	end();
}

/* refused - with this error, and nothing is shown. */
static void refused(int error)
{
	check_equal(publish(), error);
	check_equal(publication.result, error);
	for (int i = 0; i < RINGS; i++)
		check_equal(channels[i].producer, 0);
	check_equal(notified(), 0);
}

/* What is wrong ends in an error, and changes nothing that it could not have changed. */
void test_publish_refused(void)
{
	void *nowhere = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xvhost_remap_extent extent = {.frames = 1, .first = guest.frames[0]};

	begin();
	prepare(RINGS);
	publication.ring_count = XVHOST_REMAP_MAX_RINGS + 1;
	refused(-EINVAL);
	prepare(RINGS);
	publication.reserved = 1;
	refused(-EINVAL);
	prepare(RINGS);
	publication.domain = DOMID_OF_OURSELVES;
	refused(-EINVAL);
	prepare(RINGS);
	publication.domain = guest.domid + 1u; /* the descriptor is restricted */
	refused(-EPERM);
	prepare(RINGS);
	publication.written = (uintptr_t)&extent;
	publication.written_count = XVHOST_REMAP_MAX_EXTENTS + 1;
	refused(-EINVAL);
	prepare(RINGS);
	publication.written = UINT64_MAX - 4096; /* the kernel's own memory */
	publication.written_count = 1;
	refused(-EFAULT);
	prepare(RINGS);
	publication.rings = (uintptr_t)nowhere;
	refused(-EFAULT);
	prepare(RINGS);
	rings[0].producer = UINT64_MAX - 4095;
	refused(-EFAULT);
	check_equal(command(XVHOST_REMAP_PUBLISH, nowhere), -EFAULT);
	check_equal(command(XVHOST_REMAP_MAP_LIST, &publication), -ENOTTY);

	/* Those before are shown. */
	prepare(RINGS);
	rings[1].event = (uintptr_t)nowhere;
	check_equal(publish(), -EFAULT);
	check_equal(channels[0].producer, 1);
	check_equal(channels[2].producer, 0);
	notified();

	/* A port that is not the descriptor's, or no event channels: all are shown, and it is said who was not notified. */
	prepare(RINGS);
	rings[1].port = channels[1].peers_port;
	check_equal(publish(), 0);
	check_equal(rings[1].result, -ENOTCONN);
	check_equal(notified(), 0xd);
	for (int i = 0; i < 2; i++) {
		prepare(RINGS);
		publication.event_channels = i ? -1 : uring.ring_fd;
		check_equal(publish(), 0);
		check_equal(channels[RINGS - 1].producer, 1);
		check_equal(rings[RINGS - 1].result, i ? -EBADF : -ENOTTY);
		check_equal(notified(), 0);
	}
	munmap(nowhere, PAGE_BYTES);
	end();
}

/* What was written is dirty when responses are shown; what can't be reported keeps them from being shown. */
void test_publish_dirty(void)
{
	struct xvhost_remap_extent extents[2] = {{.frames = 1, .first = guest.frames[1]},
						 {.frames = 2, .first = guest.frames[4]}};

	dirty_log_begin();
	begin();
	prepare(RINGS);
	publication.written = (uintptr_t)extents;
	publication.written_count = 2;
	check_equal(publish(), 0);
	check_equal(channels[0].producer, 1);
	for (int i = 0; i < 6; i++)
		check_equal(dirty_log_has(guest.frames[i]), i == 1 || i == 4 || i == 5);
	notified();

	prepare(RINGS);
	extents[1].first = 1ull << 40;
	publication.written = (uintptr_t)extents;
	publication.written_count = 2;
	refused(-EINVAL);
	prepare(RINGS);
	publication.written = (uintptr_t)extents;
	publication.written_count = 1;
	extents[0].reserved = 1;
	refused(-EINVAL);
	end();
	dirty_log_end();
}
