// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_submissions.c - what the loop asks of its io_uring: for itself, and for backends of disks
 */
#include "worker/loop_internal.h"

#define UNMASK_BATCH 1024 /* ports that are unmasked by one write: Linux's driver takes a page of them */
/* Of one queue in one turn: each watch is ended and set again, and all are ended when the queue has stopped. */
#define WATCHES_CHANGED_MAX (3 * BLKIF_LAYERS_MAX * XVHOST_WATCHES_MAX)
/* Operations that can be under way: those of requests, of packets, watches, waits for rates, writes that unmask, what is read of ports, commands and
 * memory's bell, and what is published. */
#define ASIDE_MAX                                                                                            \
	(2 * CONFIG_LOOP_REQUESTS_IN_FLIGHT + WATCHES_CHANGED_MAX * LOOP_QUEUES_MAX +                        \
	 (3 * NETIF_NUMBERS_MAX + 3 * NETIF_LAYERS_MAX * XVHOST_WATCHES_MAX + 2) * LOOP_NETS_MAX +           \
	 (PORTS_MAX + UNMASK_BATCH - 1) / UNMASK_BATCH + 4)

/* Room for everything that can be under way; of waits that end early there may be more. */
#define COMPLETIONS (CONFIG_LOOP_REQUESTS_IN_FLIGHT + 16)

static_assert(LOOP_QUEUES_MAX <= UINT16_MAX && LOOP_NETS_MAX <= UINT16_MAX, "queue index in user_data");
static_assert(BLKIF_LAYERS_MAX <= 16, "layer in user_data");
static_assert(NETIF_NUMBERS_MAX <= UINT16_MAX, "number in user_data");

int loop_submissions_init(struct loop *loop)
{
	return submissions_init(&loop->io, ASIDE_MAX, COMPLETIONS);
}

int submissions_register(struct loop *loop, struct iovec memory)
{
	int error = io_uring_register_buffers(&loop->io.ring, &memory, 1);

	if (error == 0)
		loop->registered = memory;
	return error;
}

/* ---- what the loop itself asks for ---- */

void submissions_read_ports(struct loop *loop)
{
	struct io_uring_sqe *sqe = submissions_entry(&loop->io);

	io_uring_prep_read(sqe, loop->channels_fd, loop->ports, sizeof(loop->ports), 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_PORTS));
}

void submissions_read_command_bell(struct loop *loop)
{
	struct io_uring_sqe *sqe = submissions_entry(&loop->io);

	io_uring_prep_read(sqe, loop->commands.fd, &loop->rung, sizeof(loop->rung), 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_COMMAND));
}

void submissions_read_memory_bell(struct loop *loop)
{
	struct io_uring_sqe *sqe = submissions_entry(&loop->io);

	io_uring_prep_read(sqe, memory_bell(loop->turn.memory), &loop->memory_rung, sizeof(loop->memory_rung),
			   0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_MEMORY));
}

/* write_unmask - one write for these ports. */
static void write_unmask(struct loop *loop, const uint32_t *ports, uint32_t count)
{
	struct io_uring_sqe *sqe = submissions_entry(&loop->io);

	io_uring_prep_write(sqe, loop->channels_fd, ports, count * sizeof(ports[0]), 0);
	io_uring_sqe_set_data64(sqe, submissions_tag(COMPLETION_UNMASKED));
	/* Success needs no completion: it would wake the loop up for nothing. */
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

void submissions_unmask(struct loop *loop, uint32_t count)
{
	for (uint32_t first = 0; first < count; first += UNMASK_BATCH)
		write_unmask(loop, loop->unmask + first,
			     count - first < UNMASK_BATCH ? count - first : UNMASK_BATCH);
}

/* ---- what backends ask for ---- */

/* request_tag - user_data of what a backend asks for. */
static uint64_t request_tag(enum completion_type type, struct blkif_layer_request *request)
{
	uint64_t generation = blkif_slot_of(request)->generation & GENERATION_MASK;

	return submissions_tag(type) | (uint64_t)request->layer << 52 | generation << 32 |
	       (uint64_t)blkif_layer_of(request)->queue->index << 16 | request->slot;
}

/* loop_of_request - the loop that serves it, whose thread this is. */
static struct loop *loop_of_request(struct xvhost_request *seen)
{
	return loop_of(blkif_layer_of(blkif_of_seen(seen))->queue);
}

/* is_registered - does this memory lie in what is registered, in one piece? */
static bool is_registered(const struct loop *loop, const struct iovec *iov, uint32_t iov_count)
{
	const struct iovec *registered = &loop->registered;
	size_t at;

	if (iov_count != 1)
		return false;
	at = (uintptr_t)iov->iov_base - (uintptr_t)registered->iov_base;
	return at < registered->iov_len && iov->iov_len <= registered->iov_len - at;
}

/* request_sqe - an entry for a backend's I/O, whose completion finds the request again. */
static struct io_uring_sqe *request_sqe(struct xvhost_request *seen, enum completion_type type)
{
	struct blkif_layer_request *request = blkif_of_seen(seen);
	struct io_uring_sqe *sqe = submissions_entry(&loop_of_request(seen)->io);

	assert(request->submitted);
	io_uring_sqe_set_data64(sqe, request_tag(type, request));
	return sqe;
}

/* The prep functions clear what they do not set, but leave user_data alone. */
void loop_read(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
	       uint64_t offset)
{
	struct io_uring_sqe *sqe = request_sqe(request, COMPLETION_REQUEST);

	if (is_registered(loop_of_request(request), iov, iov_count))
		io_uring_prep_read_fixed(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset, 0);
	else if (iov_count == 1)
		io_uring_prep_read(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset);
	else
		io_uring_prep_readv(sqe, fd, iov, iov_count, offset);
}

void loop_write(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		uint64_t offset)
{
	struct io_uring_sqe *sqe = request_sqe(request, COMPLETION_REQUEST);

	if (is_registered(loop_of_request(request), iov, iov_count))
		io_uring_prep_write_fixed(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset, 0);
	else if (iov_count == 1)
		io_uring_prep_write(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset);
	else
		io_uring_prep_writev(sqe, fd, iov, iov_count, offset);
}

void loop_sync(struct xvhost_request *request, int fd)
{
	io_uring_prep_fsync(request_sqe(request, COMPLETION_REQUEST), fd, IORING_FSYNC_DATASYNC);
}

void loop_fallocate(struct xvhost_request *request, int fd, int mode, uint64_t offset, uint64_t length)
{
	io_uring_prep_fallocate(request_sqe(request, COMPLETION_REQUEST), fd, mode, (off_t)offset,
				(off_t)length);
}

void loop_wait(struct xvhost_request *request, uint64_t nanoseconds)
{
	struct blkif_layer_request *mine = blkif_of_seen(request);
	struct blkif_queue *queue = blkif_layer_of(mine)->queue;
	struct __kernel_timespec *wait = &mine->wait;

	/* What is let go waits for nothing any more. */
	if (loop_of(queue)->served[queue->index].releasing)
		nanoseconds = 0;
	mine->waiting = true;
	*wait = submissions_time(nanoseconds);
	io_uring_prep_timeout(request_sqe(request, COMPLETION_WAIT), wait, 0, 0);
}

void submissions_end_wait(struct loop *loop, struct blkif_layer_request *request)
{
	submissions_end_timeout(&loop->io, request_tag(COMPLETION_WAIT, request));
}
