// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load.c - a load on a guest's disk, whose data is verified
 */
#include "sim/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/load_thread.h"

#define SECTOR_BYTES 512u
#define MODEL_BLOCKS_MAX (UINT64_C(1) << 26) /* of a verified load: 512 MiB of model */
#define TIMEOUT_DEFAULT_MS 30000u

const char *load_error_name(enum load_error error)
{
	static const char *const names[LOAD_ERRORS] = {
		[LOAD_READ_FAILED] = "read failed",   [LOAD_WRITE_FAILED] = "write failed",
		[LOAD_FLUSH_FAILED] = "flush failed", [LOAD_DISCARD_FAILED] = "discard failed",
		[LOAD_UNSUPPORTED] = "not supported", [LOAD_STALE] = "stale data",
		[LOAD_MISPLACED] = "misplaced data",  [LOAD_TORN] = "torn data",
		[LOAD_CORRUPT] = "corrupt data",      [LOAD_GRANT_BUSY] = "grant still mapped",
	};

	return error < LOAD_ERRORS ? names[error] : "no error";
}

__attribute__((format(printf, 2, 3))) static int refuse(char text[FRONT_ERROR_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, FRONT_ERROR_MAX, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* pages_of - how many pages a block's data touches. */
static uint32_t pages_of(const struct load_options *options)
{
	return (options->first_sector * SECTOR_BYTES + options->block_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* check_block - can a request carry a block? */
static int check_block(const struct blkif_frontend *frontend, const struct load_options *options,
		       char text[FRONT_ERROR_MAX])
{
	uint32_t sector_bytes = frontend->features.sector_bytes, pages;

	if (options->block_bytes == 0 || options->block_bytes % sector_bytes != 0)
		return refuse(text,
			      "a block of %" PRIu32
			      " bytes is not a multiple of the disk's sectors of %" PRIu32,
			      options->block_bytes, sector_bytes);
	if (options->first_sector >= FRONT_PAGE_SECTORS)
		return refuse(text,
			      "data can't begin at sector %" PRIu32 " of a page, which has sectors 0 to 7",
			      options->first_sector);
	pages = pages_of(options);
	if (pages > frontend->options.segments)
		return refuse(text,
			      "a block of %" PRIu32 " bytes needs %" PRIu32
			      " pages, a request of this disk has %" PRIu32,
			      options->block_bytes, pages, frontend->options.segments);
	if (options->indirect && frontend->features.indirect_segments == 0)
		return refuse(text, "the disk does not offer indirect requests");
	return 0;
}

/* check_span - does the disk have it? Fills in where it ends. */
static int check_span(const struct blkif_frontend *frontend, struct load_options *options,
		      char text[FRONT_ERROR_MAX])
{
	uint64_t disk_bytes = frontend->features.sectors * SECTOR_BYTES;

	if (options->start_bytes % options->block_bytes != 0 || options->start_bytes >= disk_bytes)
		return refuse(text,
			      "the span begins at byte %" PRIu64 "; it must be a multiple of %" PRIu32
			      " bytes, on a disk of %" PRIu64,
			      options->start_bytes, options->block_bytes, disk_bytes);
	if (options->span_bytes == 0)
		options->span_bytes = disk_bytes - options->start_bytes;
	if (options->span_bytes > disk_bytes - options->start_bytes)
		return refuse(text,
			      "the span of %" PRIu64 " bytes from byte %" PRIu64
			      " on does not fit on a disk of %" PRIu64,
			      options->span_bytes, options->start_bytes, disk_bytes);
	if (options->span_bytes / options->block_bytes < frontend->queue_count)
		return refuse(text,
			      "a span of %" PRIu64 " bytes has fewer blocks of %" PRIu32
			      " bytes than there are queues",
			      options->span_bytes, options->block_bytes);
	if (options->verify && options->span_bytes / options->block_bytes > MODEL_BLOCKS_MAX)
		return refuse(text,
			      "a span of %" PRIu64 " bytes has more than %" PRIu64 " blocks of %" PRIu32
			      " bytes, too many to be verified",
			      options->span_bytes, MODEL_BLOCKS_MAX, options->block_bytes);
	return 0;
}

/* check_options - and fill in what was left open. */
static int check_options(const struct blkif_frontend *frontend, struct load_options *options,
			 char text[FRONT_ERROR_MAX])
{
	const struct blkif_features *features = &frontend->features;
	uint32_t depth = frontend->queues[0].depth;
	int error;

	if (options->read_percent > 100)
		return refuse(text, "%" PRIu32 " of 100 requests can't be reads", options->read_percent);
	if (options->read_percent < 100 && features->read_only)
		return refuse(text, "the disk is read-only, it can't be written");
	error = check_block(frontend, options, text);
	if (error == 0)
		error = check_span(frontend, options, text);
	if (error < 0)
		return error;
	if (options->depth == 0 || options->depth > depth)
		options->depth = depth;
	if (!features->flush)
		options->flush_every = 0;
	/* An indirect request can't be a barrier. */
	if (!features->barrier || pages_of(options) > FRONT_DIRECT_SEGMENTS)
		options->barrier_every = 0;
	if (!features->discard)
		options->discard_every = 0;
	if (options->timeout_ms == 0)
		options->timeout_ms = TIMEOUT_DEFAULT_MS;
	return 0;
}

/* share - deal the blocks out, each queue a run of them. */
static void share(struct load *load)
{
	uint64_t each = load->block_count / load->thread_count;

	for (uint32_t i = 0; i < load->thread_count; i++) {
		struct load_thread *thread = &load->threads[i];

		thread->load = load;
		thread->queue = &load->frontend->queues[i];
		thread->first_block = each * i;
		thread->block_count = i + 1 < load->thread_count ? each : load->block_count - each * i;
		thread->random = load->options.seed + i;
	}
}

int load_create(struct blkif_frontend *frontend, const struct load_options *options, struct load **created,
		char text[FRONT_ERROR_MAX])
{
	struct load *load = calloc(1, sizeof(*load) + frontend->queue_count * sizeof(load->threads[0]));
	int error;

	text[0] = '\0';
	if (!load)
		return -ENOMEM;
	load->options = *options;
	error = check_options(frontend, &load->options, text);
	if (error < 0)
		goto fail;
	load->frontend = frontend;
	load->thread_count = frontend->queue_count;
	load->block_sectors = load->options.block_bytes / SECTOR_BYTES;
	load->block_count = load->options.span_bytes / load->options.block_bytes;
	share(load);
	if (load->options.verify) {
		error = -ENOMEM;
		load->blocks = calloc(load->block_count, sizeof(*load->blocks));
		if (!load->blocks)
			goto fail;
		for (uint64_t i = 0; load->options.begins_zeroed && i < load->block_count; i++)
			load->blocks[i].state = BLOCK_ZERO;
	}
	*created = load;
	return 0;
fail:
	free(load);
	return error;
}

void load_destroy(struct load *load)
{
	free(load->blocks);
	free(load);
}

/* ---- running it ---- */

/* part_of - a thread's part of a limit; 0 is no limit. */
static uint64_t part_of(const struct load *load, uint64_t limit, uint32_t index)
{
	uint64_t rest = limit % load->thread_count;

	return limit == 0 ? UINT64_MAX : limit / load->thread_count + (index < rest);
}

static void begin_pass(struct load_thread *thread, enum load_pass pass)
{
	struct load *load = thread->load;
	const struct load_options *options = &load->options;
	uint32_t index = thread->queue->index;

	memset(&thread->result, 0, sizeof(thread->result));
	histogram_clear(&thread->result.read_ns);
	histogram_clear(&thread->result.write_ns);
	histogram_clear(&thread->result.flush_ns);
	thread->pass = pass;
	thread->notifications_before = thread->queue->notifications;
	thread->waits_before = thread->queue->waits;
	thread->requests_left = part_of(load, options->requests, index);
	thread->bytes_left = part_of(load, options->bytes, index);
	thread->writes_to_flush = options->flush_every;
	thread->writes_to_barrier = options->barrier_every;
	thread->writes_to_discard = options->discard_every;
	thread->ending = thread->requests_left == 0 || thread->bytes_left == 0;
	if (pass == PASS_READ_BACK)
		thread->cursor = 0;
}

int load_start(struct load *load)
{
	load->stop = false;
	for (uint32_t i = 0; i < load->thread_count; i++) {
		struct load_thread *thread = &load->threads[i];
		int error;

		begin_pass(thread, PASS_LOAD);
		error = pthread_create(&thread->thread, NULL, load_thread_run, thread);
		if (error) {
			load_stop(load);
			while (i-- > 0)
				pthread_join(load->threads[i].thread, NULL);
			return -error;
		}
	}
	return 0;
}

void load_stop(struct load *load)
{
	__atomic_store_n(&load->stop, true, __ATOMIC_RELAXED);
}

/* add_counters - of a thread that may run meanwhile. All members are numbers of 64 bits. */
static void add_counters(struct load_counters *into, const struct load_counters *from)
{
	uint64_t *sums = (uint64_t *)into;
	const uint64_t *parts = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*into) / sizeof(*sums); i++)
		sums[i] += __atomic_load_n(&parts[i], __ATOMIC_RELAXED);
}

void load_progress(const struct load *load, struct load_counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	for (uint32_t i = 0; i < load->thread_count; i++)
		add_counters(counters, &load->threads[i].result.counters);
}

static void clear_result(struct load_result *result)
{
	memset(result, 0, sizeof(*result));
	histogram_clear(&result->read_ns);
	histogram_clear(&result->write_ns);
	histogram_clear(&result->flush_ns);
}

/* merge - a thread that has ended into the whole. */
static void merge(struct load_result *into, const struct load_thread *thread)
{
	const struct load_result *from = &thread->result;

	add_counters(&into->counters, &from->counters);
	into->guest_cpu_ns += from->guest_cpu_ns;
	into->notifications += thread->queue->notifications - thread->notifications_before;
	into->waits += thread->queue->waits - thread->waits_before;
	histogram_merge(&into->read_ns, &from->read_ns);
	histogram_merge(&into->write_ns, &from->write_ns);
	histogram_merge(&into->flush_ns, &from->flush_ns);
	/* What ended a thread says more than what it counted. */
	if (into->text[0] == '\0' || (into->error == 0 && from->error < 0))
		memcpy(into->text, from->text, sizeof(into->text));
	if (into->error == 0)
		into->error = from->error;
}

void load_finish(struct load *load, struct load_result *result)
{
	uint64_t began_ns = UINT64_MAX, ended_ns = 0;

	clear_result(result);
	for (uint32_t i = 0; i < load->thread_count; i++) {
		const struct load_thread *thread = &load->threads[i];

		pthread_join(thread->thread, NULL);
		merge(result, thread);
		if (thread->began_ns < began_ns)
			began_ns = thread->began_ns;
		if (thread->ended_ns > ended_ns)
			ended_ns = thread->ended_ns;
	}
	result->elapsed_ns = ended_ns - began_ns;
}

void load_verify(struct load *load, struct load_result *result)
{
	clear_result(result);
	if (!load->blocks)
		return;
	for (uint32_t i = 0; i < load->thread_count; i++) {
		struct load_thread *thread = &load->threads[i];

		begin_pass(thread, PASS_READ_BACK);
		thread->ending = false;
		load_thread_run(thread);
		merge(result, thread);
		result->elapsed_ns += thread->ended_ns - thread->began_ns;
	}
}

uint64_t load_errors(const struct load_result *result)
{
	uint64_t sum = result->error < 0;

	for (int i = 0; i < LOAD_ERRORS; i++)
		sum += result->counters.errors[i];
	return sum;
}
