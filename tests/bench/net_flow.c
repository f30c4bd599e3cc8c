// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net_load.h"

#define BATCH 32u /* datagrams of one call */
#define BUFFER_BYTES (256u * 1024)

static char buffer[BUFFER_BYTES];

static struct {
	struct mmsghdr messages[BATCH];
	struct iovec memory[BATCH];
	char *bytes;
} batch;

/* ---- streams ---- */

/* Returns how many units were sent; with units 0, as many as go within `ns`. */
static uint64_t send_streams(uint64_t units, uint64_t ns)
{
	struct pollfd polls[LOAD_STREAMS_MAX];
	uint64_t sent = 0, all = units ? units * load.job.size : UINT64_MAX, end = load_now_ns() + ns;

	while (sent < all && (units || load_now_ns() < end)) {
		bool any = false;

		for (uint32_t i = 0; i < load.job.count && sent < all; i++) {
			size_t length = all - sent < load.job.size ? all - sent : load.job.size;
			ssize_t gone = send(load.sockets[i], buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);

			if (gone < 0 && errno != EAGAIN)
				err(1, "%s", load.job.text);
			any |= gone > 0;
			sent += gone > 0 ? (uint64_t)gone : 0;
			polls[i] = (struct pollfd){load.sockets[i], POLLOUT, 0};
		}
		if (!any && poll(polls, load.job.count, LOAD_STALL_MS) <= 0)
			errx(1, "%s: nothing goes out", load.job.text);
	}
	return sent;
}

static void receive_streams(struct load_result *result)
{
	struct pollfd polls[LOAD_STREAMS_MAX + 1];
	uint64_t sent = UINT64_MAX;

	for (uint32_t i = 0; i < load.job.count; i++)
		polls[i] = (struct pollfd){load.sockets[i], POLLIN, 0};
	polls[load.job.count] = (struct pollfd){load.control, POLLIN, 0};
	while (result->bytes < sent) {
		if (poll(polls, load.job.count + 1, LOAD_STALL_MS) <= 0)
			errx(1, "%s: nothing comes after %" PRIu64 " bytes", load.job.text, result->bytes);
		for (uint32_t i = 0; i < load.job.count; i++) {
			ssize_t got = polls[i].revents
					      ? recv(load.sockets[i], buffer, sizeof(buffer), MSG_DONTWAIT)
					      : 0;

			if ((got < 0 && errno != EAGAIN) || (got == 0 && polls[i].revents))
				err(1, "%s: a stream ends", load.job.text);
			result->bytes += got > 0 ? (uint64_t)got : 0;
		}
		if (polls[load.job.count].revents)
			load_hear_numbers("sent", &sent, 1);
	}
	if (result->bytes > sent)
		errx(1, "%s: more came than was sent", load.job.text);
	result->units = sent / load.job.size;
}

/* ---- datagrams ---- */

void load_prepare(void)
{
	free(batch.bytes);
	batch.bytes = calloc(BATCH, load.job.size);
	if (!batch.bytes)
		err(1, "memory");
	for (uint32_t i = 0; i < BATCH; i++) {
		batch.memory[i] = (struct iovec){batch.bytes + (size_t)i * load.job.size, load.job.size};
		batch.messages[i].msg_hdr = (struct msghdr){.msg_iov = &batch.memory[i], .msg_iovlen = 1};
	}
}

static uint32_t send_batch(uint32_t count, uint64_t number)
{
	int gone;

	for (uint32_t i = 0; i < count; i++) {
		struct load_label label = {number + i, load.phase};
		char *bytes = batch.memory[i].iov_base;

		memcpy(bytes, &label, sizeof(label));
		memcpy(bytes + load.job.size - sizeof(label.number), &label.number, sizeof(label.number));
	}
	gone = sendmmsg(load.sockets[0], batch.messages, count, 0);
	if (gone < 0 && errno != ENOBUFS)
		err(1, "%s", load.job.text);
	return gone > 0 ? (uint32_t)gone : 0;
}

/* Until the receiver says how far it is. Those of which it has not heard soon are lost, or its word is. */
static uint64_t wait_for_receiver(uint64_t sent)
{
	struct load_label label;
	ssize_t got;

	do {
		got = recv(load.sockets[0], &label, sizeof(label), 0);
		if (got < 0 && errno == EAGAIN)
			return sent;
		if (got != sizeof(label))
			err(1, "%s", load.job.text);
	} while (label.phase != load.phase);
	return label.number;
}

static uint64_t send_datagrams(uint64_t units, uint64_t ns)
{
	uint64_t sent = 0, arrived = 0, all = units ? units : UINT64_MAX, end = load_now_ns() + ns;

	while (sent < all && (units || load_now_ns() < end)) {
		uint64_t room = load.job.count ? load.job.count - (sent - arrived) : BATCH;

		if (room == 0) {
			arrived = wait_for_receiver(sent);
			continue;
		}
		if (room > BATCH)
			room = BATCH;
		if (room > all - sent)
			room = all - sent;
		sent += send_batch((uint32_t)room, sent);
	}
	return sent;
}

/* Returns the number that comes next. */
static uint64_t take_batch(struct load_result *result, int count, uint64_t next)
{
	for (int i = 0; i < count; i++) {
		const char *bytes = batch.memory[i].iov_base;
		struct load_label label;

		memcpy(&label, bytes, sizeof(label));
		if (batch.messages[i].msg_len != load.job.size ||
		    memcmp(bytes + load.job.size - sizeof(label.number), &label.number,
			   sizeof(label.number)) != 0)
			errx(1, "%s: a datagram came damaged", load.job.text);
		if (label.phase != load.phase)
			continue;
		result->units++;
		if (label.number < next)
			result->disordered++;
		else
			next = label.number + 1;
	}
	return next;
}

/* take_all - that has come, a batch at a time. */
static void take_all(struct load_result *result, uint64_t *next, uint64_t *told)
{
	int count;

	while ((count = recvmmsg(load.sockets[0], batch.messages, BATCH, MSG_DONTWAIT, NULL)) > 0) {
		*next = take_batch(result, count, *next);
		if (load.job.count && *next - *told >= (load.job.count + 3) / 4) {
			struct load_label label = {*next, load.phase};

			if (send(load.sockets[0], &label, sizeof(label), 0) != sizeof(label))
				err(1, "%s", load.job.text);
			*told = *next;
		}
	}
	if (errno != EAGAIN)
		err(1, "%s", load.job.text);
}

static void receive_datagrams(struct load_result *result)
{
	struct pollfd polls[] = {{load.sockets[0], POLLIN, 0}, {load.control, POLLIN, 0}};
	uint64_t sent = UINT64_MAX, next = 0, told = 0, last_ns = load_now_ns();

	while (result->units < sent) {
		if (poll(polls, 2, sent == UINT64_MAX ? LOAD_STALL_MS : LOAD_LOST_MS) <= 0) {
			if (sent == UINT64_MAX)
				errx(1, "%s: nothing comes", load.job.text);
			result->waited_ns = load_now_ns() - last_ns;
			break;
		}
		if (polls[0].revents) {
			take_all(result, &next, &told);
			last_ns = load_now_ns();
		} else {
			load_hear_numbers("sent", &sent, 1);
		}
	}
	if (result->units > sent)
		errx(1, "%s: more came than was sent", load.job.text);
	result->lost = sent - result->units;
	result->bytes = result->units * load.job.size;
}

/* ---- requests ---- */

static void receive_whole(char *memory)
{
	if (recv(load.sockets[0], memory, load.job.size, MSG_WAITALL) != (ssize_t)load.job.size)
		err(1, "%s: no answer", load.job.text);
}

static uint64_t send_requests(uint64_t units, uint64_t ns)
{
	uint64_t sent = 0, before = load_now_ns(), end = before + ns;

	histogram_clear(&load.latency);
	while (units ? sent < units : before < end) {
		uint64_t after;

		if (send(load.sockets[0], buffer, load.job.size, MSG_NOSIGNAL) != (ssize_t)load.job.size)
			err(1, "%s", load.job.text);
		receive_whole(buffer);
		after = load_now_ns();
		histogram_add(&load.latency, after - before);
		before = after;
		sent++;
	}
	return sent;
}

static void answer_requests(struct load_result *result)
{
	struct pollfd polls[] = {{load.sockets[0], POLLIN, 0}, {load.control, POLLIN, 0}};
	uint64_t sent = UINT64_MAX;

	while (result->units < sent) {
		if (poll(polls, 2, LOAD_STALL_MS) <= 0)
			errx(1, "%s: no requests", load.job.text);
		if (polls[0].revents) {
			receive_whole(buffer);
			if (send(load.sockets[0], buffer, load.job.size, MSG_NOSIGNAL) !=
			    (ssize_t)load.job.size)
				err(1, "%s", load.job.text);
			result->units++;
		} else {
			load_hear_numbers("sent", &sent, 1);
		}
	}
	result->bytes = result->units * load.job.size;
}

/* ---- one side of a part ---- */

void load_send_part(void)
{
	uint64_t divisor = load.phase == 1 ? 5 : 1, sent;
	uint64_t units = (load.job.units + divisor - 1) / divisor, ns = load.job.ns / divisor;

	switch (load.job.kind) {
	case LOAD_TCP:
		sent = send_streams(units, ns);
		break;
	case LOAD_UDP:
		sent = send_datagrams(units, ns);
		break;
	default:
		sent = send_requests(units, ns);
	}
	load_say("sent %" PRIu64 "\n", sent);
}

void load_receive_part(struct load_result *result)
{
	memset(result, 0, sizeof(*result));
	switch (load.job.kind) {
	case LOAD_TCP:
		receive_streams(result);
		break;
	case LOAD_UDP:
		receive_datagrams(result);
		break;
	default:
		answer_requests(result);
	}
}
