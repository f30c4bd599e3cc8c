// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-wrong.c - a network card that gives each packet back and does what parameter `fault` says wrong, and without it nothing
 *
 * Each packet is written to /dev/null; when that is done it goes back to the guest. One read waits for what never comes.
 * tests/try/conform says for each fault which promise it breaks.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "xvhost/backend.h"

#define BUFFERS 64u
#define BYTES_MAX 1600u /* of a packet: it takes no GSO */
#define PACKETS_MAX 256u
#define SOMETIMES 40u /* faults that are not in each packet are in one of so many */
#define BLOCK_US 150000
#define OPERATIONS_MAX 256u
#define ADDRESSES_BYTES 12u
#define PIECES_FEW 8u
#define MEETING_MS 40 /* no loop is held to be blocked by so little */
#define MEETINGS_MISSED_MAX 25u

enum fault {
	FAULT_NONE = 0,
	FAULT_ABORTS,
	FAULT_ACCEPTS_OPERATIONS,
	FAULT_ATTENDS_NOTHING,
	FAULT_BAD_FLAGS,
	FAULT_BLANKS_CHECKSUM,
	FAULT_BLOCKING_DESCRIPTOR,
	FAULT_BLOCKS,
	FAULT_CHANGES_BYTE,
	FAULT_CHANGES_HEADERS,
	FAULT_CHANGES_IOVEC,
	FAULT_CHANGES_LENGTH,
	FAULT_CHANGES_PACKET,
	FAULT_CHANGING_PROPERTIES,
	FAULT_CLOSES_ANOTHER,
	FAULT_ENDS_EARLY,
	FAULT_ENDS_TWICE,
	FAULT_FEW_PIECES,
	FAULT_FORGETS_UNDELIVERED,
	FAULT_GIVES_UP,
	FAULT_KEEPS_AT_STOP,
	FAULT_LEAKS_BY_FAILING,
	FAULT_LEAKS_BY_PACKET,
	FAULT_LEAKS_FD,
	FAULT_LEAKS_MEMORY,
	FAULT_LINKS_ON_LOOP,
	FAULT_NEVER_ENDS,
	FAULT_NUMBER_BEYOND,
	FAULT_NUMBER_OF_NOBODY,
	FAULT_ONE_QUEUE,
	FAULT_OPENS_ONE_QUEUE,
	FAULT_OTHER_THREAD,
	FAULT_POSITIVE_ERROR,
	FAULT_POSITIVE_OPEN,
	FAULT_RACES,
	FAULT_READS_AT_STOP,
	FAULT_READS_BEHIND,
	FAULT_RECEIVES_FROM_STOP,
	FAULT_RECEIVES_TWICE,
	FAULT_REORDERS,
	FAULT_REUSES_BUFFER,
	FAULT_SHARES_PACKETS,
	FAULT_SILENT,
	FAULT_SWALLOWS_ERRORS,
	FAULT_TOO_SHORT,
	FAULT_TOUCHES_PACKET,
	FAULT_TWO_AT_ONCE,
	FAULT_UNKNOWN_FLAGS,
	FAULT_UNTAKEN_GSO,
	FAULT_WATCHES_BEYOND,
	FAULT_WRONG_LENGTH,
	FAULTS
};

static const char *const fault_names[FAULTS] = {
	[FAULT_NONE] = "none",
	[FAULT_ABORTS] = "aborts",
	[FAULT_ACCEPTS_OPERATIONS] = "accepts-operations",
	[FAULT_ATTENDS_NOTHING] = "attends-nothing",
	[FAULT_BAD_FLAGS] = "bad-flags",
	[FAULT_BLANKS_CHECKSUM] = "blanks-checksum",
	[FAULT_BLOCKING_DESCRIPTOR] = "blocking-descriptor",
	[FAULT_BLOCKS] = "blocks",
	[FAULT_CHANGES_BYTE] = "changes-byte",
	[FAULT_CHANGES_HEADERS] = "changes-headers",
	[FAULT_CHANGES_IOVEC] = "changes-iovec",
	[FAULT_CHANGES_LENGTH] = "changes-length",
	[FAULT_CHANGES_PACKET] = "changes-packet",
	[FAULT_CHANGING_PROPERTIES] = "changing-properties",
	[FAULT_CLOSES_ANOTHER] = "closes-another",
	[FAULT_ENDS_EARLY] = "ends-early",
	[FAULT_ENDS_TWICE] = "ends-twice",
	[FAULT_FEW_PIECES] = "few-pieces",
	[FAULT_FORGETS_UNDELIVERED] = "forgets-undelivered",
	[FAULT_GIVES_UP] = "gives-up",
	[FAULT_KEEPS_AT_STOP] = "keeps-at-stop",
	[FAULT_LEAKS_BY_FAILING] = "leaks-by-failing",
	[FAULT_LEAKS_BY_PACKET] = "leaks-by-packet",
	[FAULT_LEAKS_FD] = "leaks-fd",
	[FAULT_LEAKS_MEMORY] = "leaks-memory",
	[FAULT_LINKS_ON_LOOP] = "links-on-loop",
	[FAULT_NEVER_ENDS] = "never-ends",
	[FAULT_NUMBER_BEYOND] = "number-beyond",
	[FAULT_NUMBER_OF_NOBODY] = "number-of-nobody",
	[FAULT_ONE_QUEUE] = "one-queue",
	[FAULT_OPENS_ONE_QUEUE] = "opens-one-queue",
	[FAULT_OTHER_THREAD] = "other-thread",
	[FAULT_POSITIVE_ERROR] = "positive-error",
	[FAULT_POSITIVE_OPEN] = "positive-open",
	[FAULT_RACES] = "races",
	[FAULT_READS_AT_STOP] = "reads-at-stop",
	[FAULT_READS_BEHIND] = "reads-behind",
	[FAULT_RECEIVES_FROM_STOP] = "receives-from-stop",
	[FAULT_RECEIVES_TWICE] = "receives-twice",
	[FAULT_REORDERS] = "reorders",
	[FAULT_REUSES_BUFFER] = "reuses-buffer",
	[FAULT_SHARES_PACKETS] = "shares-packets",
	[FAULT_SILENT] = "silent",
	[FAULT_SWALLOWS_ERRORS] = "swallows-errors",
	[FAULT_TOO_SHORT] = "too-short",
	[FAULT_TOUCHES_PACKET] = "touches-packet",
	[FAULT_TWO_AT_ONCE] = "two-at-once",
	[FAULT_UNKNOWN_FLAGS] = "unknown-flags",
	[FAULT_UNTAKEN_GSO] = "untaken-gso",
	[FAULT_WATCHES_BEYOND] = "watches-beyond",
	[FAULT_WRONG_LENGTH] = "wrong-length",
};

struct config {
	const char *fault;
	uint64_t operations;
};

/* One open card. */
struct wrong {
	enum fault fault;
	int null_fd, event_fd;
};

/* A packet that goes back to the guest. */
struct buffer {
	struct xvhost_packet packet; /* first: `delivered` is called with it */
	struct iovec piece;
	struct buffer *next_free;
	char bytes[BYTES_MAX];
};

struct wrong_queue {
	struct buffer *free;
	struct buffer buffers[BUFFERS];
	struct xvhost_packet *kept[PACKETS_MAX]; /* by index: what is being written */
	struct xvhost_packet *ended;		 /* `touches-packet`: one that was ended */
	struct buffer *last;			 /* that was received */
	struct buffer *late;			 /* `reorders`: what comes after the next one */
	uint32_t packets, ends;			 /* so far */
	bool gave_up;
	uint64_t event; /* what is read into */
	struct iovec room;
};

/* What must not be shared by cards and threads. */
static struct xvhost_packet *shared_packets[PACKETS_MAX];
static int last_fd = -1;
static unsigned int opens;
static char shared_bytes[BYTES_MAX];
static atomic_uint shared_uses, meetings_missed;

static const struct xvhost_parameter parameters[] = {
	{.name = "fault",
	 .type = XVHOST_STRING,
	 .offset = offsetof(struct config, fault),
	 .default_text = "none",
	 .help = "what is done wrong"},
	{.name = "operations",
	 .type = XVHOST_NUMBER,
	 .offset = offsetof(struct config, operations),
	 .default_text = "1",
	 .minimum = 1,
	 .help = "how many operations a queue has"},
};

/* ---- open and close ---- */

static int find_fault(struct xvhost_net *net, const char *name, enum fault *fault)
{
	for (uint32_t i = 0; i < FAULTS; i++) {
		if (strcmp(name, fault_names[i]) == 0) {
			*fault = (enum fault)i;
			return 0;
		}
	}
	net->host->fail(net, "parameter fault: there is no '%s'", name);
	return -EINVAL;
}

/* open_files - with the faults that are about them. */
static int open_files(struct xvhost_net *net, struct wrong *wrong)
{
	wrong->event_fd = -1;
	wrong->null_fd = open("/dev/null",
			      O_WRONLY | O_CLOEXEC |
				      (wrong->fault == FAULT_BLOCKING_DESCRIPTOR ? 0 : O_NONBLOCK));
	if (wrong->null_fd >= 0)
		wrong->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wrong->event_fd >= 0)
		return 0;
	if (wrong->fault != FAULT_SILENT)
		net->host->fail(net, "can't have two descriptors: %s", strerror(errno));
	return -EMFILE;
}

/* set_properties - with the faults that are about them. */
static int set_properties(struct xvhost_net *net, const struct wrong *wrong, const struct config *config,
			  struct xvhost_net_properties *properties)
{
	if (config->operations > OPERATIONS_MAX && wrong->fault != FAULT_ACCEPTS_OPERATIONS) {
		net->host->fail(net, "parameter operations is %llu, it must be %u at most",
				(unsigned long long)config->operations, OPERATIONS_MAX);
		return -EINVAL;
	}
	opens++;
	properties->operations = (uint32_t)config->operations;
	properties->flags = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6;
	if (wrong->fault == FAULT_BAD_FLAGS)
		properties->flags |= 1u << 9;
	if (wrong->fault == FAULT_CHANGING_PROPERTIES)
		properties->mtu_max = 2000 + opens;
	return 0;
}

static void close_files(const struct wrong *wrong)
{
	if (wrong->null_fd >= 0)
		close(wrong->null_fd);
	if (wrong->event_fd >= 0)
		close(wrong->event_fd);
}

static int wrong_open(struct xvhost_net *net, const void *opaque, struct xvhost_net_properties *properties)
{
	static void *volatile lost;
	const struct config *config = opaque;
	struct wrong *wrong = calloc(1, sizeof(*wrong));
	int error;

	if (!wrong) {
		net->host->fail(net, "no memory");
		return -ENOMEM;
	}
	wrong->null_fd = wrong->event_fd = -1;
	error = find_fault(net, config->fault, &wrong->fault);
	if (error == 0)
		error = open_files(net, wrong);
	if (error == 0)
		error = set_properties(net, wrong, config, properties);
	if (error < 0) {
		close_files(wrong);
		if (wrong->fault != FAULT_LEAKS_BY_FAILING)
			free(wrong);
		return error;
	}
	if (wrong->fault == FAULT_LEAKS_FD && dup(wrong->null_fd) < 0)
		abort();
	if (wrong->fault == FAULT_LEAKS_MEMORY)
		lost = malloc(24);
	(void)lost;
	if (wrong->fault == FAULT_ATTENDS_NOTHING)
		net->attend_fd = wrong->event_fd;
	last_fd = wrong->null_fd;
	net->state = wrong;
	return wrong->fault == FAULT_POSITIVE_OPEN ? wrong->null_fd : 0;
}

static void wrong_close(struct xvhost_net *net)
{
	struct wrong *wrong = net->state;

	if (wrong->fault == FAULT_CLOSES_ANOTHER && last_fd != wrong->null_fd)
		close(last_fd);
	close_files(wrong);
	free(wrong);
}

/* ---- queues ---- */

/* start_read - one read waits for what never comes. */
static void start_read(struct xvhost_net_queue *queue)
{
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;
	uint32_t number = queue->packets_max;

	if (wrong->fault == FAULT_NUMBER_BEYOND)
		number++;
	mine->room = (struct iovec){&mine->event, sizeof(mine->event)};
	queue->net->host->read(queue, number, wrong->event_fd, &mine->room, 1);
}

static int wrong_queue_open(struct xvhost_net_queue *queue)
{
	const struct wrong *wrong = queue->net->state;

	return wrong->fault == FAULT_OPENS_ONE_QUEUE && queue->index > 0 ? -EBUSY : 0;
}

static int wrong_queue_start(struct xvhost_net_queue *queue)
{
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine;

	if (wrong->fault == FAULT_ONE_QUEUE && queue->index > 0)
		return -EBUSY;
	if (queue->packets_max > PACKETS_MAX)
		return -EINVAL;
	mine = calloc(1, sizeof(*mine));
	if (!mine)
		return -ENOMEM;
	for (uint32_t i = 0; i < BUFFERS; i++) {
		mine->buffers[i].next_free = mine->free;
		mine->free = &mine->buffers[i];
	}
	queue->state = mine;
	if (wrong->fault == FAULT_LINKS_ON_LOOP)
		queue->net->host->link(queue->net, true);
	if (wrong->fault == FAULT_WATCHES_BEYOND)
		queue->net->host->watch(queue, XVHOST_WATCHES_MAX, wrong->event_fd, 1);
	if (wrong->fault == FAULT_NUMBER_OF_NOBODY)
		queue->net->host->wait(queue, 3, 1000);
	start_read(queue);
	return 0;
}

static void wrong_queue_stop(struct xvhost_net_queue *queue)
{
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;

	if (wrong->fault == FAULT_RECEIVES_FROM_STOP && mine->last)
		queue->net->host->receive(queue, &mine->last->packet);
	free(mine);
}

static void wrong_ready(struct xvhost_net_queue *queue, uint32_t index, int32_t events)
{
	(void)queue;
	(void)index;
	(void)events;
}

static void wrong_room(struct xvhost_net_queue *queue)
{
	(void)queue;
}

/* ---- to the guest ---- */

/* spoil - what is wrong with a packet for the guest. */
static void spoil(enum fault fault, struct buffer *buffer)
{
	struct xvhost_packet *packet = &buffer->packet;

	if (fault == FAULT_WRONG_LENGTH)
		packet->length++;
	if (fault == FAULT_TOO_SHORT) {
		packet->length = XVHOST_NET_BYTES_MIN - 1;
		buffer->piece.iov_len = packet->length;
	}
	if (fault == FAULT_UNKNOWN_FLAGS)
		packet->flags |= 1u << 7;
	if (fault == FAULT_UNTAKEN_GSO && !(packet->queue->guest_takes & XVHOST_NET_GSO_TCPV4)) {
		packet->gso = XVHOST_GSO_TCPV4;
		packet->gso_bytes = 10;
		packet->header_bytes = XVHOST_NET_BYTES_MIN;
	}
	if (fault == FAULT_CHANGES_BYTE)
		buffer->bytes[packet->length - 1]++;
}

/* offer - a packet to the guest, which gets it or does not. */
static void offer(struct xvhost_net_queue *queue, struct buffer *buffer)
{
	const struct xvhost_net_host *host = queue->net->host;
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;

	if (!mine->gave_up && host->receive(queue, &buffer->packet)) {
		if (wrong->fault == FAULT_RECEIVES_TWICE)
			host->receive(queue, &buffer->packet);
		if (wrong->fault == FAULT_REUSES_BUFFER)
			buffer->bytes[ADDRESSES_BYTES]++;
		mine->last = buffer;
		return;
	}
	mine->gave_up = wrong->fault == FAULT_GIVES_UP;
	host->dropped(queue, 1);
	buffer->next_free = mine->free;
	mine->free = buffer;
}

/* meet - wait for another thread to use the shared bytes, too. One that is not there does not come however often it is waited for. */
static void meet(void)
{
	unsigned int uses = atomic_fetch_add(&shared_uses, 1) + 1;

	if (atomic_load(&meetings_missed) == MEETINGS_MISSED_MAX)
		return;
	for (unsigned int ms = 0; ms < MEETING_MS && atomic_load(&shared_uses) == uses; ms++)
		usleep(1000);
	if (atomic_load(&shared_uses) == uses)
		atomic_fetch_add(&meetings_missed, 1);
}

/* copy_by_shared - for `races`: what lies behind the headers passes through bytes that all queues have. */
static void copy_by_shared(char *bytes, uint32_t length)
{
	uint32_t headers = XVHOST_NET_HEADER_BYTES;

	if (length <= headers)
		return;
	memcpy(shared_bytes, bytes + headers, length - headers);
	meet();
	memcpy(bytes + headers, shared_bytes, length - headers);
}

/* copy - a packet of the guest's into a buffer. NULL: there is none, or it would be one that the guest does not take. */
static struct buffer *copy(struct xvhost_net_queue *queue, const struct xvhost_packet *packet)
{
	const uint32_t checksums = XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6;
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;
	struct buffer *buffer = mine->free;
	char *at;

	if (!buffer || packet->length > BYTES_MAX)
		return NULL;
	if ((packet->flags & XVHOST_PACKET_CHECKSUM_BLANK) && !(queue->guest_takes & checksums) &&
	    wrong->fault != FAULT_BLANKS_CHECKSUM)
		return NULL;
	mine->free = buffer->next_free;
	at = buffer->bytes;
	for (uint32_t i = 0; i < packet->iov_count; i++) {
		memcpy(at, packet->iov[i].iov_base, packet->iov[i].iov_len);
		at += packet->iov[i].iov_len;
	}
	if (wrong->fault == FAULT_RACES)
		copy_by_shared(buffer->bytes, packet->length);
	buffer->piece = (struct iovec){buffer->bytes, packet->length};
	buffer->packet = *packet;
	buffer->packet.iov = &buffer->piece;
	buffer->packet.iov_count = 1;
	return buffer;
}

static void give_back(struct xvhost_net_queue *queue, const struct xvhost_packet *packet)
{
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;
	struct buffer *buffer = (queue->flags & XVHOST_QUEUE_STOPPING) ? NULL : copy(queue, packet), *late;

	if (!buffer) {
		queue->net->host->dropped(queue, 1);
		return;
	}
	spoil(wrong->fault, buffer);
	if (wrong->fault == FAULT_REORDERS && !mine->late) {
		mine->late = buffer;
		return;
	}
	late = mine->late;
	mine->late = NULL;
	offer(queue, buffer);
	if (late)
		offer(queue, late);
}

static void wrong_delivered(struct xvhost_packet *packet, int error)
{
	const struct wrong *wrong = packet->queue->net->state;
	struct wrong_queue *mine = packet->queue->state;
	struct buffer *buffer = (struct buffer *)(void *)packet;

	if (error < 0 && wrong->fault == FAULT_FORGETS_UNDELIVERED)
		return;
	buffer->next_free = mine->free;
	mine->free = buffer;
}

/* ---- from the guest ---- */

static void *end_on_thread(void *packet)
{
	struct xvhost_packet *mine = packet;

	mine->queue->net->host->transmitted(mine, 0);
	return NULL;
}

/* end - a packet, with the faults that are about it. */
static void end(struct xvhost_net_queue *queue, struct xvhost_packet *packet, int error)
{
	const struct xvhost_net_host *host = queue->net->host;
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;
	bool sometimes = ++mine->ends % SOMETIMES == 7;
	pthread_t thread;

	if (wrong->fault == FAULT_NEVER_ENDS && sometimes)
		return;
	if (wrong->fault == FAULT_KEEPS_AT_STOP && (queue->flags & XVHOST_QUEUE_STOPPING))
		return;
	if (wrong->fault == FAULT_SWALLOWS_ERRORS)
		error = 0;
	if (wrong->fault == FAULT_POSITIVE_ERROR && error < 0)
		error = -error;
	if (wrong->fault == FAULT_CHANGES_LENGTH)
		packet->length--;
	if (wrong->fault == FAULT_OTHER_THREAD && sometimes &&
	    pthread_create(&thread, NULL, end_on_thread, packet) == 0) {
		pthread_join(thread, NULL);
		return;
	}
	if (wrong->fault == FAULT_TOUCHES_PACKET && mine->ended && mine->ended != packet)
		mine->ended->flags = 0;
	mine->ended = packet;
	host->transmitted(packet, error);
	if (wrong->fault == FAULT_ENDS_TWICE && sometimes)
		host->transmitted(packet, error);
}

/* handle - a packet of the guest's is written, with the faults that come before it. */
static void handle(struct xvhost_net_queue *queue, struct xvhost_packet *packet)
{
	static void *volatile lost;
	const struct xvhost_net_host *host = queue->net->host;
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;
	bool sometimes = ++mine->packets % SOMETIMES == 7;
	volatile char *bytes = packet->iov[0].iov_base;
	const struct iovec *last = &packet->iov[packet->iov_count - 1];

	if (wrong->fault == FAULT_ABORTS ||
	    (wrong->fault == FAULT_FEW_PIECES && packet->iov_count > PIECES_FEW))
		abort();
	if (wrong->fault == FAULT_BLOCKS && sometimes)
		usleep(BLOCK_US);
	if (wrong->fault == FAULT_LEAKS_BY_PACKET)
		lost = malloc(24);
	(void)lost;
	if (wrong->fault == FAULT_CHANGES_HEADERS)
		bytes[0]++;
	if (wrong->fault == FAULT_CHANGES_PACKET && packet->iov_count > 1)
		++*(volatile char *)packet->iov[1].iov_base;
	if (wrong->fault == FAULT_READS_BEHIND)
		mine->event += ((volatile char *)last->iov_base)[last->iov_len] == 1;
	if (wrong->fault == FAULT_SHARES_PACKETS)
		shared_packets[packet->index] = packet;
	mine->kept[packet->index] = packet;
	host->write(queue, packet->index, wrong->null_fd, packet->iov, packet->iov_count);
	if (wrong->fault == FAULT_TWO_AT_ONCE)
		host->write(queue, packet->index, wrong->null_fd, packet->iov, 1);
	if (wrong->fault == FAULT_CHANGES_IOVEC)
		packet->iov[0].iov_len--;
	if (wrong->fault == FAULT_ENDS_EARLY)
		host->transmitted(packet, 0);
}

static void wrong_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			   uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		handle(queue, packets[i]);
}

/* written - a packet of the guest's goes back to it. */
static void written(struct xvhost_net_queue *queue, uint32_t index, int32_t result)
{
	const struct wrong *wrong = queue->net->state;
	struct wrong_queue *mine = queue->state;
	struct xvhost_packet *packet = wrong->fault == FAULT_SHARES_PACKETS ? shared_packets[index]
									    : mine->kept[index];

	if (result >= 0)
		give_back(queue, packet);
	end(queue, packet, result < 0 ? result : 0);
}

static void wrong_io_done(struct xvhost_net_queue *queue, uint32_t number, int32_t result)
{
	const struct wrong *wrong = queue->net->state;

	if (number < queue->packets_max) {
		written(queue, number, result);
		return;
	}
	if (!(queue->flags & XVHOST_QUEUE_STOPPING) || wrong->fault == FAULT_READS_AT_STOP)
		start_read(queue);
}

static const struct xvhost_net_backend wrong_backend = {
	.size = sizeof(wrong_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "net-wrong",
	.version = "1",
	.description = "a network card that does something wrong, for tests",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct config),
	.open = wrong_open,
	.close = wrong_close,
	.queue_start = wrong_queue_start,
	.queue_stop = wrong_queue_stop,
	.transmit = wrong_transmit,
	.room = wrong_room,
	.delivered = wrong_delivered,
	.io_done = wrong_io_done,
	.ready = wrong_ready,
	.queue_open = wrong_queue_open,
};

XVHOST_NET_BACKEND(wrong_backend);
