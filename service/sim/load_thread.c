// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load_thread.c - one queue's part of a load
 */
#include "sim/load_thread.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <xen/io/blkif.h>

#include "sim/load_content.h"

#define PROBES_MAX 64u /* blocks that are tried after a random one in use */
#define PUSH_EVERY 16u /* requests put before the host is shown them */
#define NO_BLOCK UINT64_MAX

__extension__ typedef unsigned __int128 uint128;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- counting ---- */

/* add - to a counter that another thread may read meanwhile. */
static void add(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

static void count_error(struct load_thread *thread, enum load_error error, const char *text)
{
	add(&thread->result.counters.errors[error], 1);
	if (thread->result.text[0] == '\0')
		snprintf(thread->result.text, sizeof(thread->result.text), "%s", text);
}

/* fail - the thread can't go on. */
static void fail(struct load_thread *thread, int error, const char *text)
{
	thread->result.error = error;
	snprintf(thread->result.text, sizeof(thread->result.text), "%s", text);
}

/* ---- choosing what to do next ---- */

static uint64_t next_random(struct load_thread *thread)
{
	uint64_t value = thread->random += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

/* random_below - each number below the limit as often as any other. */
static uint64_t random_below(struct load_thread *thread, uint64_t limit)
{
	return (uint64_t)(((uint128)next_random(thread) * limit) >> 64);
}

static struct load_block *block_of(const struct load_thread *thread, uint64_t block)
{
	return thread->load->blocks ? &thread->load->blocks[block] : NULL;
}

static bool may(const struct load_thread *thread, uint64_t block, bool write)
{
	const struct load_block *model = block_of(thread, block);

	return !model || model_may(model, write);
}

/* choose_block - the next one, or NO_BLOCK when it has to wait for an answer. */
static uint64_t choose_block(struct load_thread *thread, bool write)
{
	uint64_t at;

	if (!thread->load->options.random) {
		uint64_t block = thread->first_block + thread->cursor;

		if (!may(thread, block, write))
			return NO_BLOCK;
		thread->cursor = thread->cursor + 1 < thread->block_count ? thread->cursor + 1 : 0;
		return block;
	}
	at = random_below(thread, thread->block_count);
	for (uint32_t probes = 0; probes < PROBES_MAX; probes++) {
		if (may(thread, thread->first_block + at, write))
			return thread->first_block + at;
		at = at + 1 < thread->block_count ? at + 1 : 0;
	}
	return NO_BLOCK;
}

/* choose_written - the next block that was written and is known; NO_BLOCK after the last. */
static uint64_t choose_written(struct load_thread *thread)
{
	while (thread->cursor < thread->block_count) {
		uint64_t block = thread->first_block + thread->cursor++;

		if (thread->load->blocks[block].state == BLOCK_WRITTEN)
			return block;
	}
	thread->ending = true;
	return NO_BLOCK;
}

/* due - is it time for what comes after so many writes? */
static bool due(uint32_t every, uint32_t *writes_left)
{
	if (every == 0 || *writes_left > 0)
		return false;
	*writes_left = every;
	return true;
}

/* choose_operation - of the load's next request. */
static uint8_t choose_operation(struct load_thread *thread)
{
	const struct load_options *options = &thread->load->options;

	if (due(options->flush_every, &thread->writes_to_flush))
		return BLKIF_OP_FLUSH_DISKCACHE;
	if (due(options->discard_every, &thread->writes_to_discard))
		return BLKIF_OP_DISCARD;
	if (options->read_percent == 100 ||
	    (options->read_percent > 0 && random_below(thread, 100) < options->read_percent))
		return BLKIF_OP_READ;
	return BLKIF_OP_WRITE;
}

static struct load_data data_of(const struct load *load, const struct front_request *request)
{
	return (struct load_data){
		.pages = request->pages,
		.first_sector = load->options.first_sector,
		.sector = request->sector,
		.sectors = load->block_sectors,
		.seed = load->options.seed,
	};
}

/* prepare_write - counts towards what is due after writes, and makes the data. */
static void prepare_write(struct load_thread *thread, struct front_request *request)
{
	const struct load_options *options = &thread->load->options;
	struct load_block *block = block_of(thread, request->block);

	if (due(options->barrier_every, &thread->writes_to_barrier))
		request->operation = BLKIF_OP_WRITE_BARRIER;
	/* Only reads and writes can be indirect. */
	request->indirect = options->indirect && request->operation == BLKIF_OP_WRITE;
	if (options->flush_every)
		thread->writes_to_flush--;
	if (options->barrier_every)
		thread->writes_to_barrier--;
	if (options->discard_every)
		thread->writes_to_discard--;
	if (block) {
		struct load_data data = data_of(thread->load, request);

		request->generation = model_write_begins(block);
		model_fill(&data, request->generation);
	}
}

/* prepare - a request of this operation; false when its block has to wait. */
static bool prepare(struct load_thread *thread, struct front_request *request, uint8_t operation)
{
	const struct load *load = thread->load;

	request->operation = operation;
	request->indirect = load->options.indirect;
	if (operation == BLKIF_OP_FLUSH_DISKCACHE) {
		request->indirect = false;
		request->segment_count = 0;
		request->sector = 0;
		return true;
	}
	if (thread->pass == PASS_READ_BACK)
		request->block = choose_written(thread);
	else
		request->block = choose_block(thread, operation != BLKIF_OP_READ);
	if (request->block == NO_BLOCK)
		return false;
	request->sector = load->options.start_bytes / LOAD_SECTOR_BYTES +
			  request->block * load->block_sectors;
	if (operation == BLKIF_OP_DISCARD) {
		request->discard_sectors = load->block_sectors;
		if (load->blocks)
			model_discard_begins(block_of(thread, request->block));
		return true;
	}
	front_set_data(request, load->options.first_sector, load->block_sectors);
	if (operation == BLKIF_OP_WRITE)
		prepare_write(thread, request);
	else if (load->blocks)
		model_read_begins(block_of(thread, request->block));
	return true;
}

/* ---- what was answered ---- */

/* count_failure - a request that was answered with an error. */
static void count_failure(struct load_thread *thread, const struct front_request *request,
			  enum load_error error)
{
	static const char *const names[] = {"read", "write", "barrier", "flush", "?", "discard"};
	char text[FRONT_ERROR_MAX];

	if (request->status == BLKIF_RSP_EOPNOTSUPP)
		error = LOAD_UNSUPPORTED;
	snprintf(text, sizeof(text), "%s at sector %" PRIu64 " was answered with status %d",
		 names[request->operation], request->sector, request->status);
	count_error(thread, error, text);
}

static void read_answered(struct load_thread *thread, const struct front_request *request, bool good)
{
	const struct load *load = thread->load;
	struct load_block *block = block_of(thread, request->block);
	struct load_counters *counters = &thread->result.counters;
	struct load_data data = data_of(load, request);
	char text[FRONT_ERROR_MAX];
	enum load_error error;

	if (good) {
		add(&counters->reads, 1);
		add(&counters->bytes_read, load->options.block_bytes);
	} else {
		count_failure(thread, request, LOAD_READ_FAILED);
	}
	if (!block)
		return;
	model_read_ends(block);
	if (!good || block->state == BLOCK_UNKNOWN)
		return;
	error = model_check(&data, block, text);
	if (error == LOAD_ERRORS)
		add(&counters->blocks_verified, 1);
	else
		count_error(thread, error, text);
}

static void write_answered(struct load_thread *thread, const struct front_request *request, bool good)
{
	struct load_block *block = block_of(thread, request->block);
	struct load_counters *counters = &thread->result.counters;

	if (good) {
		add(&counters->writes, 1);
		add(&counters->bytes_written, thread->load->options.block_bytes);
	} else {
		count_failure(thread, request, LOAD_WRITE_FAILED);
	}
	if (block)
		model_write_ends(block, good);
}

static void answered(struct load_thread *thread, struct front_request *request, uint64_t now)
{
	bool good = request->status == BLKIF_RSP_OKAY;
	uint64_t took_ns = now - request->began_ns;

	switch (request->operation) {
	case BLKIF_OP_READ:
		histogram_add(&thread->result.read_ns, took_ns);
		read_answered(thread, request, good);
		break;
	case BLKIF_OP_WRITE:
	case BLKIF_OP_WRITE_BARRIER:
		histogram_add(&thread->result.write_ns, took_ns);
		write_answered(thread, request, good);
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
		histogram_add(&thread->result.flush_ns, took_ns);
		if (good)
			add(&thread->result.counters.flushes, 1);
		else
			count_failure(thread, request, LOAD_FLUSH_FAILED);
		break;
	case BLKIF_OP_DISCARD:
		if (good)
			add(&thread->result.counters.discards, 1);
		else
			count_failure(thread, request, LOAD_DISCARD_FAILED);
		if (thread->load->blocks)
			model_discard_ends(block_of(thread, request->block));
		break;
	default:
		assert(false);
	}
	if (request->busy)
		count_error(thread, LOAD_GRANT_BUSY,
			    "a request was answered while its grants were mapped still");
}

/* ---- a thread ---- */

/* look_for_end - has a limit been reached? */
static void look_for_end(struct load_thread *thread, uint64_t now)
{
	const struct load_options *options = &thread->load->options;

	if (thread->pass != PASS_LOAD)
		return;
	if (__atomic_load_n(&thread->load->stop, __ATOMIC_RELAXED) ||
	    (options->time_ms && now - thread->began_ns >= options->time_ms * 1000000))
		thread->ending = true;
}

/* spend - one read or write of what this thread is to do. */
static void spend(struct load_thread *thread, uint8_t operation)
{
	uint64_t bytes = thread->load->options.block_bytes;

	if (thread->pass != PASS_LOAD || operation == BLKIF_OP_FLUSH_DISKCACHE ||
	    operation == BLKIF_OP_DISCARD)
		return;
	thread->requests_left--;
	thread->bytes_left = thread->bytes_left > bytes ? thread->bytes_left - bytes : 0;
	if (thread->requests_left == 0 || thread->bytes_left == 0)
		thread->ending = true;
}

static void push(struct load_thread *thread)
{
	int error = front_push(thread->queue);

	if (error < 0)
		fail(thread, error, "the host can't be notified");
}

/* put_one - false when nothing more can be put now. */
static bool put_one(struct load_thread *thread, uint64_t now)
{
	struct front_request *request;
	uint8_t operation;
	int error;

	if (thread->ending || thread->queue->in_flight >= thread->load->options.depth)
		return false;
	request = front_take(thread->queue);
	if (!request)
		return false;
	operation = thread->pass == PASS_LOAD ? choose_operation(thread) : BLKIF_OP_READ;
	if (!prepare(thread, request, operation)) {
		front_give_back(thread->queue, request);
		return false;
	}
	request->began_ns = now;
	spend(thread, operation);
	error = front_put(thread->queue, request);
	if (error < 0) {
		fail(thread, error, "the guest has no more grants");
		return false;
	}
	return true;
}

static void put_all(struct load_thread *thread, uint64_t now)
{
	uint32_t unseen = 0;

	look_for_end(thread, now);
	while (put_one(thread, now)) {
		if (++unseen == PUSH_EVERY) {
			push(thread);
			unseen = 0;
		}
	}
	if (unseen > 0)
		push(thread);
}

/* reap_all - returns false if there was nothing. */
static bool reap_all(struct load_thread *thread)
{
	struct front_request *request;
	uint64_t now = 0;
	int error;

	while ((request = front_reap(thread->queue, &error))) {
		if (now == 0)
			now = now_ns();
		answered(thread, request, now);
		front_give_back(thread->queue, request);
	}
	if (error < 0)
		fail(thread, error, thread->queue->error);
	return now != 0 || error < 0;
}

/* spin - look for answers for a while; false when none came. */
static bool spin(struct load_thread *thread)
{
	uint64_t end_ns;

	if (thread->load->options.spin_us == 0)
		return false;
	end_ns = now_ns() + thread->load->options.spin_us * 1000u;
	do {
		for (uint32_t i = 0; i < 32; i++) {
			if (reap_all(thread))
				return true;
			__builtin_ia32_pause();
		}
	} while (now_ns() < end_ns);
	return false;
}

static void sleep_for_answers(struct load_thread *thread)
{
	uint32_t timeout_ms = thread->load->options.timeout_ms;
	char text[FRONT_ERROR_MAX];
	int result = front_wait(thread->queue, (int)timeout_ms);

	if (result == 0) {
		snprintf(text, sizeof(text),
			 "queue %" PRIu32 ": none of %" PRIu32 " requests was answered within %" PRIu32 " ms",
			 thread->queue->index, thread->queue->in_flight, timeout_ms);
		fail(thread, -ETIMEDOUT, text);
	} else if (result < 0) {
		fail(thread, result, "the event channel can't be waited for");
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec cpu;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	return (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
}

void *load_thread_run(void *argument)
{
	struct load_thread *thread = argument;
	uint64_t cpu_before_ns = cpu_ns();

	thread->began_ns = now_ns();
	for (;;) {
		put_all(thread, now_ns());
		if (thread->queue->in_flight == 0 && !thread->ending && thread->result.error == 0)
			fail(thread, -EBUSY, "no request is free: the host has all pages mapped still");
		if (thread->queue->in_flight == 0 || thread->result.error < 0)
			break;
		if (!reap_all(thread) && !spin(thread))
			sleep_for_answers(thread);
	}
	thread->ended_ns = now_ns();
	thread->result.guest_cpu_ns = cpu_ns() - cpu_before_ns;
	return NULL;
}
