// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_load_thread.c - one queue's part of a load
 */
#include "sim/net_load_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PUSH_EVERY 16u /* packets put before the host is shown them */
#define STEP UINT64_C(0x9e3779b97f4a7c15)

uint64_t net_load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void net_load_wake(struct net_load_thread *thread)
{
	const uint64_t one = 1;

	/* It takes a 1 unless it is as good as readable for ever. */
	if (write(thread->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		abort();
}

void net_load_abandon(struct net_load *load)
{
	__atomic_store_n(&load->end, true, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < load->thread_count; i++)
		net_load_wake(&load->threads[i]);
}

/* fail - the load can't go on. */
__attribute__((format(printf, 3, 4))) static void fail(struct net_load_thread *thread, int error,
						       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(thread->result.text, sizeof(thread->result.text), format, arguments);
	va_end(arguments);
	thread->result.error = error;
	net_load_abandon(thread->load);
}

/* random_below - each number below the limit about as often as any other. */
static uint32_t random_below(struct net_load_thread *thread, uint32_t limit)
{
	uint64_t value = thread->random += STEP;

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((value >> 32) * limit >> 32);
}

/* add - to a counter that another thread may read meanwhile. */
static void add(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

/* ---- sending ---- */

/* choose_slots - how many slots a packet of this length is to lie in. */
static uint32_t choose_slots(struct net_load_thread *thread, uint32_t length)
{
	uint32_t least = (length + PAGE_BYTES - 1) / PAGE_BYTES;

	if (!thread->load->options.split)
		return least;
	/* Half of them in few. */
	if (random_below(thread, 2) && least + 3 <= NET_FRONT_SLOTS_MAX)
		return least + random_below(thread, 3);
	return least + random_below(thread, NET_FRONT_SLOTS_MAX - least + 1);
}

/* set_slots - parts of the packet, each somewhere in its page; only the first can't be empty. */
static void set_slots(struct net_load_thread *thread, struct net_front_packet *packet, uint32_t length)
{
	bool split = thread->load->options.split;
	const uint8_t *from = thread->made;

	for (uint32_t i = 0; i < packet->slot_count; i++) {
		struct net_front_slot *slot = packet->slots[i];
		uint32_t after = (packet->slot_count - i - 1) * PAGE_BYTES;
		uint32_t least = length > after ? length - after : i == 0;
		uint32_t most = length < PAGE_BYTES ? length : PAGE_BYTES, size = most, offset = 0;

		if (split) {
			if (after == 0)
				least = length;
			size = least + random_below(thread, most - least + 1);
			/* A byte, or none, as often as anything else. */
			if (size > 1 && least <= 1 && random_below(thread, 4) == 0)
				size = 1;
			offset = random_below(thread, PAGE_BYTES - size + 1);
		}
		slot->size = (uint16_t)size;
		slot->offset = (uint16_t)(offset % PAGE_BYTES);
		memcpy(slot->page + slot->offset, from, size);
		from += size;
		length -= size;
	}
}

static void set_gso(struct net_front_packet *packet, const struct net_content *content)
{
	struct netif_extra_info *extra = &packet->extras[0];

	packet->flags = (uint16_t)((content->blank ? NETTXF_csum_blank : 0) |
				   (content->good ? NETTXF_data_validated : 0));
	packet->extra_count = content->gso_bytes > 0;
	if (packet->extra_count == 0)
		return;
	*extra = (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO};
	extra->u.gso.size = content->gso_bytes;
	extra->u.gso.type = content->ip_version == 4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
}

/* may_send - is the stream's next packet due? */
static bool may_send(struct net_load_thread *thread, uint64_t now)
{
	const struct net_load_options *options = &thread->load->options;
	struct net_load_stream *stream = thread->stream;

	if (!stream || thread->ending)
		return false;
	if ((options->packets && stream->put >= options->packets) ||
	    (options->time_ms && now - thread->load->began_ns >= options->time_ms * 1000000) ||
	    __atomic_load_n(&thread->load->stop, __ATOMIC_RELAXED)) {
		thread->ending = true;
		return false;
	}
	if (!options->to)
		return thread->tx_in_flight < options->depth;
	return stream->put - __atomic_load_n(&stream->arrived, __ATOMIC_ACQUIRE) < options->depth;
}

/* send_one - false when nothing more can be put now. */
static bool send_one(struct net_load_thread *thread, uint64_t now)
{
	struct net_load_stream *stream = thread->stream;
	struct net_front_packet *packet;
	struct net_content content;
	int error;

	if (!may_send(thread, now))
		return false;
	/* There must be room for any packet: which one is next is not known before it is made. */
	if (net_ring_free(&thread->queue->tx) < NET_FRONT_SLOTS_MAX + 1)
		return false;
	net_content_make(&thread->load->options.content, (uint16_t)thread->queue->index, stream->put,
			 &content, thread->made);
	packet = net_front_take(thread->queue, choose_slots(thread, content.length), 1);
	if (!packet)
		return false;
	set_slots(thread, packet, content.length);
	set_gso(packet, &content);
	packet->sequence = stream->put;
	packet->began_ns = now;
	stream->began_ns[stream->put % NET_LOAD_DEPTH_MAX] = now;
	error = net_front_send(thread->queue, packet);
	if (error < 0) {
		fail(thread, error, "the guest has no more grants");
		return false;
	}
	thread->tx_in_flight++;
	__atomic_store_n(&stream->put, stream->put + 1, __ATOMIC_RELEASE);
	return true;
}

static void push(struct net_load_thread *thread)
{
	int error = net_front_push(thread->queue);

	if (error < 0)
		fail(thread, error, "the host can't be notified: %s", strerror(-error));
}

static void send_all(struct net_load_thread *thread)
{
	uint64_t now = net_load_now_ns();
	uint32_t unseen = 0;

	while (thread->result.error == 0 && send_one(thread, now)) {
		if (++unseen == PUSH_EVERY) {
			push(thread);
			unseen = 0;
		}
	}
}

/* reap_all - returns whether there was something. */
static bool reap_all(struct net_load_thread *thread, uint64_t now)
{
	struct net_load_result *result = &thread->result;
	struct net_front_packet *packet;
	bool something = false;
	int there;

	while ((there = net_front_reap(thread->queue, &packet)) == 1) {
		something = true;
		thread->tx_in_flight--;
		if (packet->status == NETIF_RSP_OKAY) {
			uint32_t length = 0;

			for (uint32_t i = 0; i < packet->slot_count; i++)
				length += packet->slots[i]->size;
			add(&result->sent, 1);
			add(&result->sent_bytes, length);
			if (!thread->load->options.to)
				histogram_add(&result->way_ns, now - packet->began_ns);
		} else {
			add(&result->refused, 1);
		}
		net_front_free(thread->queue, packet);
	}
	if (there < 0)
		fail(thread, there, "%s", thread->queue->error);
	return something;
}

/* ---- receiving ---- */

/* arrive_in_order - a packet that was sent, later than all that came before. One that was given up is not lost after all. */
static void arrive_in_order(struct net_load_stream *stream, uint32_t number)
{
	stream->least = number + 1;
	if ((int32_t)(number - stream->arrived) < 0) {
		stream->lost--;
		return;
	}
	stream->lost += number - stream->arrived;
	__atomic_store_n(&stream->arrived, number + 1, __ATOMIC_RELEASE);
}

/* arrive_scattered - the same of one that others may have overtaken. Returns false if it comes a second time. */
static bool arrive_scattered(struct net_load_stream *stream, uint32_t number)
{
	uint32_t arrived = stream->arrived, place = number % NET_LOAD_DEPTH_MAX;

	if ((int32_t)(number - arrived) < 0) {
		if (!stream->late[place])
			return false;
		stream->late[place] = false;
		stream->lost--;
		return true;
	}
	if (stream->came[place])
		return false;
	stream->came[place] = true;
	for (; stream->came[arrived % NET_LOAD_DEPTH_MAX]; arrived++)
		stream->came[arrived % NET_LOAD_DEPTH_MAX] = stream->late[arrived % NET_LOAD_DEPTH_MAX] =
			false;
	__atomic_store_n(&stream->arrived, arrived, __ATOMIC_RELEASE);
	return true;
}

/* give_up - what has not come is lost, unless it comes later. */
static void give_up(struct net_load_stream *stream)
{
	uint32_t arrived = stream->arrived;

	for (; arrived != stream->put; arrived++) {
		uint32_t place = arrived % NET_LOAD_DEPTH_MAX;

		stream->late[place] = !stream->came[place];
		stream->lost += stream->late[place];
		stream->came[place] = false;
	}
	__atomic_store_n(&stream->arrived, arrived, __ATOMIC_RELEASE);
}

/* is_sent - was this number sent? One that was given up so long ago that the sender may give its place to another one counts as never. */
static bool is_sent(const struct net_load *load, struct net_load_stream *stream, uint32_t number)
{
	return (int32_t)(__atomic_load_n(&stream->put, __ATOMIC_ACQUIRE) - number) > 0 &&
	       stream->arrived + load->options.depth - number <= NET_LOAD_DEPTH_MAX;
}

/* arrive - a packet of this number: it must not have come before, and be in its order. Returns false if not; else when it began. */
static bool arrive(const struct net_load *load, struct net_load_stream *stream, uint32_t number,
		   uint64_t *began_ns)
{
	bool right;

	pthread_mutex_lock(&stream->lock);
	right = is_sent(load, stream, number);
	if (right) {
		*began_ns = stream->began_ns[number % NET_LOAD_DEPTH_MAX];
		if (load->options.scattered)
			right = arrive_scattered(stream, number);
		else if ((int32_t)(number - stream->least) < 0)
			right = false;
		else
			arrive_in_order(stream, number);
	}
	pthread_mutex_unlock(&stream->lock);
	return right;
}

/* look_at - a packet that was received, and lies together at `seen`. */
static void look_at(struct net_load_thread *thread, const struct net_content_seen *seen, uint64_t now)
{
	struct net_load *load = thread->load;
	struct net_load_stream *stream;
	char text[NET_CONTENT_ERROR_MAX];
	uint64_t began_ns;
	uint16_t index;
	uint32_t number;

	if (!net_content_identify(&load->options.content, seen->bytes, seen->length, &index, &number) ||
	    index >= load->stream_count) {
		if (load->options.others_come) {
			add(&thread->result.others, 1);
			return;
		}
		fail(thread, -EPROTO,
		     "queue %" PRIu32 ": a packet of %" PRIu32 " bytes is none that was sent",
		     thread->queue->index, seen->length);
		return;
	}
	stream = &load->streams[index];
	if (!arrive(load, stream, number, &began_ns)) {
		fail(thread, -EPROTO, "stream %u: packet %" PRIu32 " comes twice, too late, or was not sent",
		     index, number);
		return;
	}
	if (!net_content_check(&load->options.content, index, number, seen, thread->made, text)) {
		fail(thread, -EPROTO, "stream %u: packet %" PRIu32 ": %s", index, number, text);
		return;
	}
	add(&thread->result.received, 1);
	add(&thread->result.received_bytes, seen->length);
	/* Another thread may have sent it after this turn began. */
	if (began_ns > now)
		now = net_load_now_ns();
	histogram_add(&thread->result.way_ns, now - began_ns);
	if (stream->sender != thread)
		net_load_wake(stream->sender);
}

/* gather - the pieces of a packet, together. */
static void gather(struct net_load_thread *thread, const struct net_front_received *received,
		   struct net_content_seen *seen)
{
	uint8_t *to = thread->seen;

	for (uint32_t i = 0; i < received->piece_count; i++) {
		memcpy(to, received->pieces[i].iov_base, received->pieces[i].iov_len);
		to += received->pieces[i].iov_len;
	}
	*seen = (struct net_content_seen){
		.bytes = thread->seen,
		.length = received->length,
		.blank = received->flags & NETRXF_csum_blank,
		.good = received->flags & NETRXF_data_validated,
		.gso_version = received->gso_type == XEN_NETIF_GSO_TYPE_TCPV4	? 4
			       : received->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ? 6
										: 0,
		.gso_bytes = received->gso_bytes,
		.takes = thread->queue->frontend->options.takes,
	};
}

/* post - all pages that are free. */
static void post(struct net_load_thread *thread)
{
	int posted = net_front_post(thread->queue);

	if (posted < 0)
		fail(thread, posted, "the guest has no more grants");
}

/* receive_all - returns whether there was something. */
static bool receive_all(struct net_load_thread *thread, uint64_t now)
{
	struct net_front_received received;
	struct net_content_seen seen;
	bool something = false;
	int there = 0;

	while (thread->result.error == 0 && (there = net_front_receive(thread->queue, &received)) == 1) {
		something = true;
		if (received.failed) {
			add(&thread->result.failed, 1);
		} else {
			gather(thread, &received, &seen);
			look_at(thread, &seen, now);
		}
		net_front_done(thread->queue, &received);
		/* Other threads send to this queue, and know nothing of its room. */
		if (thread->load->options.scattered) {
			post(thread);
			push(thread);
		}
	}
	if (there < 0)
		fail(thread, there, "%s", thread->queue->error);
	return something;
}

/* ---- the end ---- */

/* look_for_end - is the stream over? What has not come for so long is lost. */
static void look_for_end(struct net_load_thread *thread, bool quiet)
{
	struct net_load_stream *stream = thread->stream;
	struct net_load *load = thread->load;

	if (!stream || stream->over)
		return;
	pthread_mutex_lock(&stream->lock);
	if (quiet && load->options.to)
		give_up(stream);
	stream->over = thread->ending && thread->tx_in_flight == 0 &&
		       (!load->options.to || stream->arrived == stream->put);
	pthread_mutex_unlock(&stream->lock);
	if (!stream->over)
		return;
	if (net_front_idle(thread->queue) < 0)
		fail(thread, -EPROTO, "%s", thread->queue->error);
	else if (__atomic_sub_fetch(&load->streams_left, 1, __ATOMIC_ACQ_REL) == 0)
		net_load_abandon(load);
}

static void sleep_for_host(struct net_load_thread *thread)
{
	unsigned int what = (thread->tx_in_flight > 0 ? NET_FRONT_TX : 0) |
			    (thread->receives ? NET_FRONT_RX : 0);
	const struct net_load_options *options = &thread->load->options;
	int result, timeout_ms = (int)options->quiet_ms;
	uint64_t count;

	/* A load that has a time must see when it is over. */
	if (options->time_ms && !thread->ending && options->time_ms < options->quiet_ms)
		timeout_ms = (int)options->time_ms;
	result = net_front_wait(thread->queue, what, thread->wake_fd, timeout_ms);
	if (result < 0) {
		fail(thread, result, "the event channel can't be waited for: %s", strerror(-result));
		return;
	}
	if (result & NET_FRONT_OTHER) {
		if (read(thread->wake_fd, &count, sizeof(count)) < 0)
			fail(thread, -errno, "a wake-up can't be taken");
		thread->progress_ns = net_load_now_ns();
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec cpu;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	return (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
}

/* is_quiet - has nothing happened for so long that what has not come is lost? What is not answered by then ends the load. */
static bool is_quiet(struct net_load_thread *thread, uint64_t now)
{
	const struct net_load_options *options = &thread->load->options;
	uint64_t ms = (now - thread->progress_ns) / 1000000;

	if (thread->tx_in_flight > 0 && ms >= options->timeout_ms)
		fail(thread, -ETIMEDOUT,
		     "queue %" PRIu32 ": none of %" PRIu32 " packets was answered within %" PRIu32 " ms",
		     thread->queue->index, thread->tx_in_flight, options->timeout_ms);
	return thread->tx_in_flight == 0 && ms >= options->quiet_ms;
}

/* turn - all that can be done now. Returns whether that was something. */
static bool turn(struct net_load_thread *thread)
{
	uint64_t now = net_load_now_ns();
	uint32_t put_before = thread->stream ? thread->stream->put : 0;
	bool something = reap_all(thread, now), quiet = false;

	if (thread->receives) {
		something |= receive_all(thread, now);
		post(thread);
	}
	send_all(thread);
	push(thread);
	something |= thread->stream && thread->stream->put != put_before;
	if (!something)
		quiet = is_quiet(thread, now);
	if (something || quiet)
		thread->progress_ns = now;
	look_for_end(thread, quiet);
	/* When packets are lost, others may be sent. */
	return something || quiet;
}

void net_load_thread_post(struct net_load_thread *thread)
{
	if (!thread->receives)
		return;
	post(thread);
	push(thread);
}

void *net_load_thread_run(void *argument)
{
	struct net_load_thread *thread = argument;
	uint64_t cpu_before_ns = cpu_ns();

	thread->progress_ns = net_load_now_ns();
	while (!__atomic_load_n(&thread->load->end, __ATOMIC_ACQUIRE))
		if (!turn(thread) && thread->result.error == 0)
			sleep_for_host(thread);
	/* What has come since is looked at, too. */
	if (thread->result.error == 0)
		reap_all(thread, net_load_now_ns());
	if (thread->result.error == 0 && thread->receives)
		receive_all(thread, net_load_now_ns());
	thread->result.elapsed_ns = thread->progress_ns - thread->load->began_ns;
	thread->result.guest_cpu_ns = cpu_ns() - cpu_before_ns;
	return NULL;
}
