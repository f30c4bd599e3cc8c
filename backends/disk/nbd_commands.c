// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_commands.c - requests become commands of libnbd, and are answered
 *
 * All of this is the loop's thread, called by nbd_link.c, but for on_done(), which libnbd calls while it holds its handle's
 * lock: it only notes which command is done.
 */
#include <string.h>

#include "nbd_internal.h"

#define DISCARD_PIECE_BYTES (UINT64_C(256) << 20)

static bool is_stopping(const struct link *link)
{
	return link->queue->flags & XVHOST_QUEUE_STOPPING;
}

/* ---- lists of requests ---- */

static void append(struct request_list *list, struct xvhost_request *request)
{
	remote_request_of(request)->next = NULL;
	if (list->last)
		remote_request_of(list->last)->next = request;
	else
		list->first = request;
	list->last = request;
}

struct xvhost_request *remote_list_take(struct request_list *list)
{
	struct xvhost_request *request = list->first;

	if (request) {
		list->first = remote_request_of(request)->next;
		if (!list->first)
			list->last = NULL;
	}
	return request;
}

static struct request_list *list_of(struct link *link, const struct xvhost_request *request)
{
	return request->operation == XVHOST_WRITE ? &link->writes : &link->reads;
}

void remote_request_enlist(struct link *link, struct xvhost_request *request)
{
	if (remote_request_of(request)->listed)
		return;
	remote_request_of(request)->listed = true;
	append(list_of(link, request), request);
}

/* unlist - it is mostly the first. */
static void unlist(struct link *link, struct xvhost_request *request)
{
	struct request_list *list = list_of(link, request), rest = *list;
	struct xvhost_request *each;

	if (!remote_request_of(request)->listed)
		return;
	remote_request_of(request)->listed = false;
	if (list->first == request) {
		remote_list_take(list);
		return;
	}
	*list = (struct request_list){0};
	while ((each = remote_list_take(&rest)))
		if (each != request)
			append(list, each);
}

/* ---- commands ---- */

void remote_commands_reset(struct link *link)
{
	link->free_commands = link->done = NULL;
	link->under_way = 0;
	for (uint32_t i = 0; i < REMOTE_COMMANDS; i++) {
		link->commands[i] = (struct command){.link = link, .next = link->free_commands};
		link->free_commands = &link->commands[i];
	}
}

static struct command *new_command(struct link *link, struct xvhost_request *request)
{
	struct command *command = link->free_commands;

	link->free_commands = command->next;
	*command = (struct command){.link = link, .used = true, .request = request};
	link->under_way++;
	return command;
}

static void free_command(struct command *command)
{
	struct link *link = command->link;

	command->used = false;
	command->next = link->free_commands;
	link->free_commands = command;
	link->under_way--;
}

/* on_done - libnbd calls it. 0: it keeps the command until it is asked for it, when it looks whether all of a read came. */
static int on_done(void *opaque, int *error)
{
	struct command *command = opaque;

	(void)error;
	command->next = command->link->done;
	command->link->done = command;
	return 0;
}

static nbd_completion_callback callback(struct command *command)
{
	return (nbd_completion_callback){.callback = on_done, .user_data = command};
}

/* ---- requests ---- */

void remote_request_finish(struct link *link, struct xvhost_request *request)
{
	append(&link->finished, request);
}

/* part_done - of what a request has under way: 0 or a negative errno. */
void remote_part_done(struct link *link, struct xvhost_request *request, int error)
{
	struct remote_request *mine = remote_request_of(request);

	if (error < 0 && mine->error == 0)
		mine->error = error;
	if (--mine->under_way > 0)
		return;
	if (mine->error < 0) {
		unlist(link, request);
		remote_request_finish(link, request);
	} else if (mine->again) {
		mine->again = false;
		mine->sent_bytes = 0;
		mine->iov_index = 0;
		mine->iov_bytes = 0;
		remote_request_enlist(link, request);
	} else if (mine->listed) {
		return;
	} else if (request->operation == XVHOST_DISCARD && mine->sent_bytes < request->length &&
		   !is_stopping(link)) {
		remote_request_enlist(link, request);
	} else {
		remote_request_finish(link, request);
	}
}

/* step - over bytes of the request's memory. */
static void step(struct xvhost_request *request, size_t bytes)
{
	struct remote_request *mine = remote_request_of(request);

	mine->sent_bytes += bytes;
	mine->iov_bytes += bytes;
	if (mine->iov_index < request->iov_count &&
	    mine->iov_bytes == request->iov[mine->iov_index].iov_len) {
		mine->iov_index++;
		mine->iov_bytes = 0;
	}
}

/* copy_out - the next bytes of what a request writes. */
static void copy_out(struct xvhost_request *request, char *to, size_t bytes)
{
	struct remote_request *mine = remote_request_of(request);

	while (bytes > 0) {
		const struct iovec *iov = &request->iov[mine->iov_index];
		size_t piece = iov->iov_len - mine->iov_bytes;

		if (piece > bytes)
			piece = bytes;
		memcpy(to, (const char *)iov->iov_base + mine->iov_bytes, piece);
		to += piece;
		bytes -= piece;
		step(request, piece);
	}
}

/* begun - libnbd has taken a command, or not. */
static void begun(struct link *link, struct command *command, int64_t cookie)
{
	int error = cookie < 0 ? nbd_get_errno() : 0;

	command->cookie = cookie;
	if (cookie >= 0)
		return;
	if (remote_is_dead(link->taken)) {
		link->broken = true;
		return;
	}
	/* No memory, perhaps: it is done with an error. */
	command->error = error ? error : EIO;
	command->next = link->done;
	link->done = command;
}

static bool send_read(struct link *link, struct xvhost_request *request)
{
	struct remote_request *mine = remote_request_of(request);
	const struct iovec *iov = &request->iov[mine->iov_index];
	uint64_t offset = request->offset + mine->sent_bytes;
	char *to = (char *)iov->iov_base + mine->iov_bytes;
	size_t bytes = iov->iov_len - mine->iov_bytes;
	struct command *command = new_command(link, request);

	if (bytes > link->remote->piece_bytes)
		bytes = link->remote->piece_bytes;
	mine->under_way++;
	step(request, bytes);
	begun(link, command, nbd_aio_pread(link->taken, to, bytes, offset, callback(command), 0));
	return true;
}

static bool send_write(struct link *link, struct xvhost_request *request)
{
	struct remote *remote = link->remote;
	struct remote_request *mine = remote_request_of(request);
	uint64_t offset = request->offset + mine->sent_bytes, bytes = request->length - mine->sent_bytes;
	struct kept_write *write;
	struct command *command;

	if (bytes > remote->piece_bytes)
		bytes = remote->piece_bytes;
	pthread_mutex_lock(&remote->lock);
	write = remote_kept_add(&remote->kept, request, offset, (uint32_t)bytes);
	pthread_mutex_unlock(&remote->lock);
	if (!write)
		return false;
	copy_out(request, remote_kept_data(&remote->kept, write), bytes);
	command = new_command(link, request);
	command->write = write;
	mine->under_way++;
	begun(link, command,
	      nbd_aio_pwrite(link->taken, remote_kept_data(&remote->kept, write), bytes, offset,
			     callback(command), 0));
	return true;
}

/* send_flush - a request's, or our own. It makes durable what is written now. */
static bool send_flush(struct link *link, struct xvhost_request *request)
{
	struct command *command = new_command(link, request);

	pthread_mutex_lock(&link->remote->lock);
	command->number = link->remote->kept.written;
	pthread_mutex_unlock(&link->remote->lock);
	if (request)
		remote_request_of(request)->under_way++;
	begun(link, command, nbd_aio_flush(link->taken, callback(command), 0));
	return true;
}

/* send_discard - the next piece; the one after it when this one is done. */
static bool send_discard(struct link *link, struct xvhost_request *request)
{
	struct remote_request *mine = remote_request_of(request);
	uint64_t offset = request->offset + mine->sent_bytes, bytes = request->length - mine->sent_bytes;
	struct command *command = new_command(link, request);

	if (bytes > DISCARD_PIECE_BYTES)
		bytes = DISCARD_PIECE_BYTES;
	mine->under_way++;
	mine->sent_bytes += bytes;
	begun(link, command, nbd_aio_trim(link->taken, bytes, offset, callback(command), 0));
	return true;
}

/* send_some - of the first request of a list. Returns false if nothing could be sent. */
static bool send_some(struct link *link, struct request_list *list)
{
	struct xvhost_request *request = list->first;
	bool sent;

	if (!request || !link->free_commands || link->broken)
		return false;
	switch (request->operation) {
	case XVHOST_READ:
		sent = send_read(link, request);
		break;
	case XVHOST_WRITE:
		sent = send_write(link, request);
		break;
	case XVHOST_FLUSH:
		sent = send_flush(link, request);
		break;
	default:
		sent = send_discard(link, request);
		break;
	}
	if (sent && (request->iov_count == 0 || remote_request_of(request)->sent_bytes == request->length))
		unlist(link, request);
	return sent;
}

/* needs_flush - one of our own, for room. */
static bool needs_flush(struct link *link)
{
	struct remote *remote = link->remote;
	bool needed;

	if (!link->writes.first || !link->free_commands)
		return false;
	pthread_mutex_lock(&remote->lock);
	needed = !remote->flushing && remote_kept_is_half_full(&remote->kept);
	remote->flushing |= needed;
	pthread_mutex_unlock(&remote->lock);
	return needed;
}

void remote_commands_send(struct link *link)
{
	bool reads, writes;

	if (!link->taken || link->draining || link->broken)
		return;
	if (needs_flush(link))
		send_flush(link, NULL);
	do {
		reads = send_some(link, &link->reads);
		writes = send_some(link, &link->writes);
	} while (reads || writes);
}

/* ---- answers ---- */

/* is_flush_waited_for - another link waits for room, and a flush of its own would make some now. Under the disk's lock. */
static bool is_flush_waited_for(struct remote *remote)
{
	if (!remote->kept.waited_for || remote->flushing || !remote_kept_is_half_full(&remote->kept))
		return false;
	remote->kept.waited_for = false;
	return true;
}

/* flush_done - a request's or our own. What it was for is not kept any longer, whatever came of it: the guest is told. */
static int flush_done(struct link *link, const struct command *command, int error)
{
	struct remote *remote = link->remote;
	bool ring;

	pthread_mutex_lock(&remote->lock);
	ring = remote_kept_flushed(&remote->kept, command->number);
	if (!command->request) {
		remote->flushing = false;
		if (error < 0)
			remote->lost_error = error;
	} else {
		if (error == 0)
			error = remote->lost_error;
		remote->lost_error = 0;
	}
	ring |= is_flush_waited_for(remote);
	pthread_mutex_unlock(&remote->lock);
	if (ring)
		remote_ring_all(remote);
	return error;
}

static void write_done(struct link *link, struct kept_write *write, int error)
{
	struct remote *remote = link->remote;
	bool ring = false;

	pthread_mutex_lock(&remote->lock);
	remote_kept_written(&remote->kept, write, error, !remote->can_flush);
	if (write->state == KEPT_DURABLE)
		ring = remote_kept_forget(&remote->kept);
	ring |= is_flush_waited_for(remote);
	pthread_mutex_unlock(&remote->lock);
	if (ring)
		remote_ring_all(remote);
}

/* error_of - what libnbd has for a command that is done: 0 or a negative errno. */
static int error_of(struct link *link, const struct command *command)
{
	if (command->error)
		return -command->error;
	if (nbd_aio_command_completed(link->taken, (uint64_t)command->cookie) == 1)
		return 0;
	return nbd_get_errno() ? -nbd_get_errno() : -EIO;
}

/* settle - what is done. Returns whether there was anything. What failed because the connection did is left to lose(). */
bool remote_commands_settle(struct link *link)
{
	struct command *command, *next, *list = link->done;

	if (!link->taken)
		return false;
	link->done = NULL;
	for (command = list; command; command = next) {
		int error = error_of(link, command);

		next = command->next;
		if (error < 0 && (error == -ESHUTDOWN || remote_is_dead(link->taken))) {
			link->broken = true;
			continue;
		}
		if (command->write)
			write_done(link, command->write, error);
		else if (!command->request || command->request->operation == XVHOST_FLUSH)
			error = flush_done(link, command, error);
		if (command->request)
			remote_part_done(link, command->request, error);
		free_command(command);
	}
	return list;
}
