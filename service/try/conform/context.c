// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * context.c - the two threads of a process that looks at a promise, and the disk that is tried
 */
#include "try/conform/context.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "try/conform/report.h"
#include "try/conform/net_context.h"
#include "try/options.h"

/* What the control thread is asked to do. */
static struct {
	sem_t asked, answered;
	void (*function)(void *argument);
	void *argument;
} control;
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER; /* of two loop threads, one asks */

static void (*run_promise)(struct conform_context *context);

void conform_on_control(void (*function)(void *argument), void *argument)
{
	pthread_mutex_lock(&control_lock);
	control.function = function;
	control.argument = argument;
	sem_post(&control.asked);
	while (sem_wait(&control.answered) < 0)
		;
	pthread_mutex_unlock(&control_lock);
}

static void *loop_main(void *argument)
{
	struct conform_context *context = argument;

	if (context->options->kind == BACKEND_NET)
		conform_net_loop_init(&context->net_loop);
	else
		conform_loop_init(&context->loop);
	run_promise(context);
	conform_kept();
}

void conform_context_run(const struct conform_options *options, enum conform_promise_number promise,
			 void (*run)(struct conform_context *context))
{
	static struct conform_context context;
	char text[ERROR_TEXT_MAX];
	pthread_t thread;
	int error;

	conform_memory_init();
	conform_disk_init();
	conform_card_init();
	context.options = options;
	context.promise = promise;
	conform_doing("loading it");
	error = subject_find(options->kind, options->target, options->directory, &context.subject, text);
	if (error < 0 && subject_status(error) == TRY_USAGE)
		conform_no_subject("%s", text);
	if (error < 0)
		conform_broken(CONFORM_LOAD, "%s", text);
	conform_doing(NULL);
	run_promise = run;
	sem_init(&control.asked, 0, 0);
	sem_init(&control.answered, 0, 0);
	if (pthread_create(&thread, NULL, loop_main, &context) != 0)
		conform_skip("can't start a thread");
	for (;;) {
		if (sem_wait(&control.asked) < 0)
			continue;
		control.function(control.argument);
		sem_post(&control.answered);
	}
}

/* ---- for promises ---- */

struct opening {
	struct conform_context *context;
	struct conform_disk *disk;
	const char *target;
	uint32_t flags;
	int error;
};

static void open_on_control(void *argument)
{
	struct opening *opening = argument;

	opening->error = conform_disk_open(opening->disk, opening->context->options->directory,
					   opening->target, opening->flags);
}

int conform_open_target(struct conform_context *context, struct conform_disk *disk, const char *target,
			uint32_t flags)
{
	struct opening opening = {.context = context, .disk = disk, .target = target, .flags = flags};

	conform_on_control(open_on_control, &opening);
	return opening.error;
}

void conform_open(struct conform_context *context, struct conform_disk *disk, uint32_t flags)
{
	char text[ERROR_TEXT_MAX];
	int error = conform_open_target(context, disk, context->subject.target, flags);

	if (error < 0)
		conform_broken(CONFORM_OPEN, "can't open '%s': %s (%s)", context->options->target,
			       disk->fail_text[0] ? disk->fail_text : "the backend does not say why",
			       conform_error_name(error));
	if (conform_disk_impossible(&disk->layers[0], text))
		conform_broken(CONFORM_PROPERTIES, "%s", text);
}

/* attempt_disk, attempt_card - the two kinds of conform_attempt. */
static void attempt_disk(struct conform_context *context, const char *target, struct conform_attempt *attempt)
{
	static struct conform_disk disk;

	attempt->error = conform_open_target(context, &disk, target, 0);
	snprintf(attempt->why, sizeof(attempt->why), "%s", disk.fail_text);
	if (attempt->error < 0)
		return;
	conform_disk_impossible(&disk.layers[0], attempt->impossible);
	conform_close(&disk);
}

static void attempt_card(struct conform_context *context, const char *target, struct conform_attempt *attempt)
{
	static struct conform_card card;

	attempt->error = conform_card_open_target(context, &card, target);
	snprintf(attempt->why, sizeof(attempt->why), "%s", card.fail_text);
	if (attempt->error < 0)
		return;
	conform_card_impossible(&card, attempt->impossible);
	conform_card_close(&card);
}

void conform_attempt(struct conform_context *context, const char *target, struct conform_attempt *attempt)
{
	struct rlimit before, limit;

	attempt->why[0] = attempt->impossible[0] = '\0';
	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	if (attempt->descriptors_max)
		limit.rlim_cur = attempt->descriptors_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (context->options->kind == BACKEND_NET)
		attempt_card(context, target, attempt);
	else
		attempt_disk(context, target, attempt);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void close_on_control(void *argument)
{
	conform_disk_close(argument);
}

void conform_close(struct conform_disk *disk)
{
	conform_on_control(close_on_control, disk);
}

struct measuring {
	struct conform_disk *disk;
	uint64_t size_bytes;
	int error;
};

static void measure_on_control(void *argument)
{
	struct measuring *measuring = argument;

	measuring->error = conform_disk_measure(measuring->disk, &measuring->size_bytes);
}

void conform_check_measure(struct conform_disk *disk)
{
	struct measuring measuring = {.disk = disk};

	if (!disk->layers[0].backend->measure)
		return;
	conform_on_control(measure_on_control, &measuring);
	if (measuring.error != 0)
		conform_broken(CONFORM_PROPERTIES, "measure() returned %s",
			       conform_error_name(measuring.error));
	if (measuring.size_bytes != disk->layers[0].properties.size_bytes)
		conform_broken(CONFORM_PROPERTIES,
			       "measure() says %" PRIu64 " bytes, size_bytes was %" PRIu64,
			       measuring.size_bytes, disk->layers[0].properties.size_bytes);
}

bool conform_is_read_only(const struct conform_disk *disk)
{
	return disk->layers[0].properties.flags & XVHOST_DISK_READ_ONLY;
}

void conform_begin(struct conform_context *context, struct conform_disk *disk, struct conform_queue *queue)
{
	conform_open(context, disk, 0);
	conform_image_init(&context->image, disk->layers[0].properties.size_bytes,
			   disk->layers[0].properties.block_bytes, 1 + context->promise);
	context->image.promise = context->promise;
	context->image.writes = !conform_is_read_only(disk);
	context->image.verify = context->options->data != CONFORM_DATA_NEVER;
	conform_queue_start(queue, &context->loop, disk, 0);
}

void conform_end(struct conform_disk *disk, struct conform_queue *queue)
{
	conform_queue_stop(queue);
	conform_close(disk);
}

void conform_needs_data(const struct conform_context *context, const struct conform_disk *disk,
			enum conform_data least)
{
	if (conform_is_read_only(disk))
		conform_skip("the disk is read-only");
	if (context->options->data > least)
		conform_skip("the disk is not meant to keep what is written%s",
			     least == CONFORM_DATA_ALWAYS ? " when it is closed" : "");
}
