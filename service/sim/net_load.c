// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_load.c - packets from one network card to another, or back to the same, which are verified: made, started, ended
 */
#include "sim/net_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sim/net_load_thread.h"

#define QUIET_MS 3000
#define TIMEOUT_MS 10000
#define DEPTH 64

/* add_threads - one for each queue of a card. */
static int add_threads(struct net_load *load, struct netif_frontend *card, bool sends, bool receives)
{
	for (uint32_t i = 0; i < card->queue_count; i++) {
		struct net_load_thread *thread = &load->threads[load->thread_count];

		thread->load = load;
		thread->queue = card->queues[i];
		thread->receives = receives;
		if (sends) {
			thread->stream = &load->streams[i];
			thread->stream->sender = thread;
		}
		thread->random = load->options.content.seed + load->thread_count;
		thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (thread->wake_fd < 0)
			return -errno;
		load->thread_count++;
		thread->made = malloc(XVHOST_NET_BYTES_MAX + 8);
		thread->seen = malloc(XVHOST_NET_BYTES_MAX + 8);
		if (!thread->made || !thread->seen)
			return -ENOMEM;
		thread->notifications_before = thread->queue->notifications;
		histogram_clear(&thread->result.way_ns);
	}
	return 0;
}

int net_load_create(const struct net_load_options *options, struct net_load **created)
{
	struct net_load *load;
	int error;

	if (options->depth > NET_LOAD_DEPTH_MAX || options->content.minimum < XVHOST_NET_BYTES_MIN ||
	    options->content.maximum > XVHOST_NET_BYTES_MAX ||
	    options->content.minimum > options->content.maximum)
		return -EINVAL;
	load = calloc(1, sizeof(*load));
	if (!load)
		return -ENOMEM;
	load->options = *options;
	load->options.content.takes &= options->from->features.takes;
	if (load->options.depth == 0)
		load->options.depth = DEPTH;
	if (load->options.quiet_ms == 0)
		load->options.quiet_ms = QUIET_MS;
	if (load->options.timeout_ms == 0)
		load->options.timeout_ms = TIMEOUT_MS;
	load->stream_count = load->streams_left = options->from->queue_count;
	for (uint32_t i = 0; i < NET_QUEUES_MAX; i++)
		pthread_mutex_init(&load->streams[i].lock, NULL);
	error = add_threads(load, options->from, true, options->to == options->from);
	if (error == 0 && options->to && options->to != options->from)
		error = add_threads(load, options->to, false, true);
	if (error < 0) {
		net_load_destroy(load);
		return error;
	}
	*created = load;
	return 0;
}

void net_load_destroy(struct net_load *load)
{
	for (uint32_t i = 0; i < load->thread_count; i++) {
		close(load->threads[i].wake_fd);
		free(load->threads[i].made);
		free(load->threads[i].seen);
	}
	for (uint32_t i = 0; i < NET_QUEUES_MAX; i++)
		pthread_mutex_destroy(&load->streams[i].lock);
	free(load);
}

int net_load_start(struct net_load *load)
{
	load->began_ns = net_load_now_ns();
	/* What one of them sends may come to another. */
	for (uint32_t i = 0; i < load->thread_count; i++)
		net_load_thread_post(&load->threads[i]);
	for (; load->started_count < load->thread_count; load->started_count++) {
		struct net_load_thread *thread = &load->threads[load->started_count];
		int error = pthread_create(&thread->thread, NULL, net_load_thread_run, thread);

		if (error) {
			struct net_load_result *result = malloc(sizeof(*result));

			net_load_abandon(load);
			if (result)
				net_load_finish(load, result);
			free(result);
			return -error;
		}
	}
	return 0;
}

void net_load_stop(struct net_load *load)
{
	__atomic_store_n(&load->stop, true, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < load->thread_count; i++)
		net_load_wake(&load->threads[i]);
}

uint64_t net_load_received(const struct net_load *load)
{
	uint64_t received = 0;

	for (uint32_t i = 0; i < load->thread_count; i++)
		received += __atomic_load_n(&load->threads[i].result.received, __ATOMIC_RELAXED);
	return received;
}

uint64_t net_load_sent(const struct net_load *load)
{
	uint64_t sent = 0;

	for (uint32_t i = 0; i < load->thread_count; i++)
		sent += __atomic_load_n(&load->threads[i].result.sent, __ATOMIC_RELAXED);
	return sent;
}

/* add_result - of one thread; the first that failed says why. */
static void add_result(struct net_load_result *all, const struct net_load_thread *thread)
{
	const struct net_load_result *one = &thread->result;

	all->sent += one->sent;
	all->sent_bytes += one->sent_bytes;
	all->refused += one->refused;
	all->received += one->received;
	all->received_bytes += one->received_bytes;
	all->failed += one->failed;
	all->others += one->others;
	all->guest_cpu_ns += one->guest_cpu_ns;
	all->notifications += thread->queue->notifications - thread->notifications_before;
	if (one->elapsed_ns > all->elapsed_ns)
		all->elapsed_ns = one->elapsed_ns;
	histogram_merge(&all->way_ns, &one->way_ns);
	if (one->error < 0 && all->error == 0) {
		all->error = one->error;
		memcpy(all->text, one->text, sizeof(all->text));
	}
}

void net_load_finish(struct net_load *load, struct net_load_result *result)
{
	memset(result, 0, sizeof(*result));
	histogram_clear(&result->way_ns);
	for (uint32_t i = 0; i < load->started_count; i++) {
		pthread_join(load->threads[i].thread, NULL);
		add_result(result, &load->threads[i]);
	}
	load->started_count = 0;
	for (uint32_t i = 0; i < load->stream_count; i++)
		result->lost += load->streams[i].lost;
}
