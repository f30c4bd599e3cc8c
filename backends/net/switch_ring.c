// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch_ring.c - packets from one port of a switch to another, in memory that both share
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "switch_ring.h"

#define PAGE_BYTES 4096u
#define MEMORY_BYTES (PAGE_BYTES + SWITCH_RING_BYTES)	  /* the header's page and the area */
#define MAPPED_BYTES (PAGE_BYTES + 2 * SWITCH_RING_BYTES) /* with the area once more */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define ETHERNET_BYTES 14u
#define TCP_BYTES_MIN 20u
#define CHECKSUM_IN_TCP 16u /* where it is in the header */

_Static_assert(sizeof(struct switch_record) == SWITCH_RECORD_ALIGNMENT, "records follow each other");
_Static_assert(sizeof(struct switch_ring_header) <= PAGE_BYTES, "one page");
_Static_assert((SWITCH_RING_BYTES & (SWITCH_RING_BYTES - 1)) == 0 && SWITCH_RING_BYTES % PAGE_BYTES == 0,
	       "positions become places by a mask");
_Static_assert(SWITCH_RING_BYTES > sizeof(struct switch_record) + XVHOST_NET_BYTES_MAX, "a packet fits");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2, "no lock in shared memory");

/* map - the header, and the area twice in a row. Returns NULL and errno if that can't be. */
static struct switch_ring_header *map(int fd)
{
	const int flags = MAP_SHARED | MAP_FIXED;
	uint8_t *base = mmap(NULL, MAPPED_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);
	int error;

	if (base == MAP_FAILED)
		return NULL;
	if (mmap(base, MEMORY_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0) != MAP_FAILED &&
	    mmap(base + MEMORY_BYTES, SWITCH_RING_BYTES, PROT_READ | PROT_WRITE, flags, fd, PAGE_BYTES) !=
		    MAP_FAILED)
		return (struct switch_ring_header *)(void *)base;
	error = errno;
	munmap(base, MAPPED_BYTES);
	errno = error;
	return NULL;
}

static uint8_t *area_of(struct switch_ring_header *header)
{
	return (uint8_t *)header + PAGE_BYTES;
}

/* record_bytes - of a packet's record, with what fills it up. */
static uint32_t record_bytes(uint32_t length)
{
	const uint32_t mask = SWITCH_RECORD_ALIGNMENT - 1;

	return ((uint32_t)sizeof(struct switch_record) + length + mask) & ~mask;
}

/* ---- the consumer ---- */

int switch_consumer_create(struct switch_consumer *consumer, int *fd)
{
	int error;

	*fd = memfd_create("xvhost-switch", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return -errno;
	*consumer = (struct switch_consumer){0};
	if (ftruncate(*fd, MEMORY_BYTES) == 0 && fcntl(*fd, F_ADD_SEALS, SEALS) == 0)
		consumer->header = map(*fd);
	if (consumer->header) {
		consumer->area = area_of(consumer->header);
		return 0;
	}
	error = -errno;
	close(*fd);
	return error;
}

void switch_consumer_destroy(struct switch_consumer *consumer)
{
	if (consumer->header)
		munmap(consumer->header, MAPPED_BYTES);
	consumer->header = NULL;
}

/* look - how far the producer is. Returns 0 or -EPROTO. */
static int look(struct switch_consumer *consumer, memory_order order)
{
	uint64_t produced = atomic_load_explicit(&consumer->header->produced, order);
	uint64_t bytes = produced - consumer->consumed;

	/* It can't go back, either: what was seen was there. */
	if (bytes > SWITCH_RING_BYTES || bytes < consumer->produced - consumer->consumed ||
	    bytes % SWITCH_RECORD_ALIGNMENT != 0)
		return -EPROTO;
	consumer->produced = produced;
	return 0;
}

int switch_consumer_open(struct switch_consumer *consumer)
{
	int error;

	/* What is shown after this wakes the consumer; what was shown before is seen, and left out. */
	atomic_store(&consumer->header->state, SWITCH_RING_SLEEPS);
	error = look(consumer, memory_order_seq_cst);
	if (error < 0)
		return error;
	consumer->taken = consumer->produced;
	switch_consumer_give_back(consumer, false);
	return 0;
}

void switch_consumer_close(struct switch_consumer *consumer)
{
	atomic_store(&consumer->header->state, SWITCH_RING_CLOSED);
}

/* check - a private copy of what stands before a packet, after which there are so many bytes. */
static bool check(const struct switch_record *record, uint64_t available)
{
	const uint32_t known = XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD;
	uint32_t start = record->checksum_start;

	if (record->length < XVHOST_NET_BYTES_MIN || record->length > XVHOST_NET_BYTES_MAX ||
	    record_bytes(record->length) > available || record->flags & ~known)
		return false;
	if (!(record->flags & XVHOST_PACKET_CHECKSUM_BLANK))
		return record->gso == XVHOST_GSO_NONE;
	if (start < ETHERNET_BYTES || start + record->checksum_offset + 2 > record->length)
		return false;
	if (record->gso == XVHOST_GSO_NONE)
		return true;
	return (record->gso == XVHOST_GSO_TCPV4 || record->gso == XVHOST_GSO_TCPV6) &&
	       record->gso_bytes > 0 && record->checksum_offset == CHECKSUM_IN_TCP &&
	       record->header_bytes >= start + TCP_BYTES_MIN && record->header_bytes <= record->length;
}

int switch_consumer_next(struct switch_consumer *consumer, struct xvhost_packet *packet, struct iovec *piece)
{
	uint8_t *place = consumer->area + (consumer->taken & (SWITCH_RING_BYTES - 1));
	_Atomic uint64_t *from = (_Atomic uint64_t *)(void *)place;
	union {
		struct switch_record record;
		uint64_t words[2];
	} copy;

	if (consumer->taken == consumer->produced) {
		if (look(consumer, memory_order_acquire) < 0)
			return -EPROTO;
		if (consumer->taken == consumer->produced)
			return 0;
	}
	/* Once, and nothing is looked at before. */
	copy.words[0] = atomic_load_explicit(&from[0], memory_order_relaxed);
	copy.words[1] = atomic_load_explicit(&from[1], memory_order_relaxed);
	if (!check(&copy.record, consumer->produced - consumer->taken))
		return -EPROTO;
	*piece = (struct iovec){place + sizeof(copy), copy.record.length};
	packet->iov = piece;
	packet->iov_count = 1;
	packet->length = copy.record.length;
	packet->flags = copy.record.flags;
	packet->gso = copy.record.gso;
	packet->gso_bytes = copy.record.gso_bytes;
	packet->header_bytes = copy.record.header_bytes;
	packet->checksum_start = copy.record.checksum_start;
	packet->checksum_offset = copy.record.checksum_offset;
	consumer->last = consumer->taken;
	consumer->taken += record_bytes(copy.record.length);
	return 1;
}

void switch_consumer_give_back(struct switch_consumer *consumer, bool but_last)
{
	uint64_t to = but_last ? consumer->last : consumer->taken;

	if (to == consumer->consumed)
		return;
	consumer->consumed = to;
	atomic_store_explicit(&consumer->header->consumed, to, memory_order_release);
}

bool switch_consumer_sleep(struct switch_consumer *consumer)
{
	atomic_store(&consumer->header->state, SWITCH_RING_SLEEPS);
	/* Either the producer sees that, or what it has shown is seen here. Nonsense is found by who takes it. */
	if (atomic_load(&consumer->header->produced) == consumer->taken)
		return true;
	atomic_store_explicit(&consumer->header->state, SWITCH_RING_AWAKE, memory_order_relaxed);
	return false;
}

uint32_t switch_consumer_thrown_away(struct switch_consumer *consumer)
{
	uint64_t before = consumer->thrown_away;

	consumer->thrown_away = atomic_load_explicit(&consumer->header->thrown_away, memory_order_relaxed);
	return (uint32_t)(consumer->thrown_away - before);
}

/* ---- the producer ---- */

/* is_ring - memory of the right kind and size, which nobody can make smaller: that would be a signal for who touches it. */
static bool is_ring(int fd)
{
	struct statfs system;
	struct stat file;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(fd, &file) == 0 &&
	       file.st_size == MEMORY_BYTES && fstatfs(fd, &system) == 0 && system.f_type == TMPFS_MAGIC;
}

int switch_producer_map(struct switch_producer *producer, int fd)
{
	*producer = (struct switch_producer){0};
	if (!is_ring(fd))
		return -EPROTO;
	producer->header = map(fd);
	if (!producer->header)
		return -errno;
	producer->area = area_of(producer->header);
	return 0;
}

void switch_producer_unmap(struct switch_producer *producer)
{
	if (producer->header)
		munmap(producer->header, MAPPED_BYTES);
	producer->header = NULL;
}

/* make_room - for so many bytes. Returns 0, -ENOBUFS or -EPROTO. */
static int make_room(struct switch_producer *producer, uint32_t bytes)
{
	uint64_t consumed;

	if (SWITCH_RING_BYTES - (producer->produced - producer->consumed) >= bytes)
		return 0;
	consumed = atomic_load_explicit(&producer->header->consumed, memory_order_acquire);
	/* It goes forward, and not past what was produced. */
	if (producer->produced - consumed > producer->produced - producer->consumed ||
	    consumed % SWITCH_RECORD_ALIGNMENT != 0)
		return -EPROTO;
	producer->consumed = consumed;
	return SWITCH_RING_BYTES - (producer->produced - consumed) >= bytes ? 0 : -ENOBUFS;
}

int switch_producer_put(struct switch_producer *producer, const struct xvhost_packet *packet)
{
	const struct switch_record record = {
		.length = packet->length,
		.flags = (uint8_t)packet->flags,
		.gso = (uint8_t)packet->gso,
		.gso_bytes = packet->gso_bytes,
		.header_bytes = packet->header_bytes,
		.checksum_start = packet->checksum_start,
		.checksum_offset = packet->checksum_offset,
	};
	struct switch_ring_header *header = producer->header;
	uint32_t bytes = record_bytes(packet->length);
	uint8_t *to = producer->area + (producer->produced & (SWITCH_RING_BYTES - 1));
	int error;

	if (atomic_load_explicit(&header->state, memory_order_relaxed) == SWITCH_RING_CLOSED)
		return -ENOTCONN;
	error = make_room(producer, bytes);
	if (error == -ENOBUFS)
		atomic_fetch_add_explicit(&header->thrown_away, 1, memory_order_relaxed);
	if (error < 0)
		return error;
	memcpy(to, &record, sizeof(record));
	to += sizeof(record);
	for (uint32_t i = 0; i < packet->iov_count; i++) {
		memcpy(to, packet->iov[i].iov_base, packet->iov[i].iov_len);
		to += packet->iov[i].iov_len;
	}
	producer->produced += bytes;
	return 0;
}

bool switch_producer_show(struct switch_producer *producer)
{
	_Atomic uint32_t *state = &producer->header->state;
	uint32_t sleeps = SWITCH_RING_SLEEPS;

	if (producer->shown == producer->produced)
		return false;
	producer->shown = producer->produced;
	atomic_store(&producer->header->produced, producer->produced);
	return atomic_load(state) == SWITCH_RING_SLEEPS &&
	       atomic_compare_exchange_strong(state, &sleeps, SWITCH_RING_AWAKE);
}
