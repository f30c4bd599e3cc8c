// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_connection.c - one connection to the server, as the connector makes it
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "nbd_internal.h"

#define PIECE_BYTES_MAX (1u << 20)

void remote_say(struct remote *remote, enum xvhost_log_level level, const char *format, ...)
{
	char text[REMOTE_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	pthread_mutex_lock(&remote->log_lock);
	if (!remote->abandoned)
		remote->disk->host->log(remote->disk, level, "%s", text);
	pthread_mutex_unlock(&remote->log_lock);
}

int remote_failed(struct remote *remote)
{
	const char *text = nbd_get_error();
	int error = nbd_get_errno();

	/* It begins with the name of the function that was called. */
	if (text && strncmp(text, "nbd_", 4) == 0 && strstr(text, ": "))
		text = strstr(text, ": ") + 2;
	snprintf(remote->text, sizeof(remote->text), "%s",
		 text ? text : "the server has closed the connection");
	return error > 0 ? -error : -ENOTCONN;
}

int remote_await(struct remote *remote, struct nbd_handle *handle, struct timespec until, bool to_end)
{
	unsigned int direction = nbd_aio_get_direction(handle);
	struct pollfd polled[2] = {
		{.fd = nbd_aio_get_fd(handle),
		 .events = (short)((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
				   (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0))},
		{.fd = to_end ? -1 : remote->wake_fd, .events = POLLIN},
	};
	int ms = remote_ms_until(until), result = ms == 0 ? 0 : poll(polled, 2, ms);

	if (result < 0)
		return errno == EINTR ? 0 : -errno;
	if (result == 0) {
		snprintf(remote->text, sizeof(remote->text), "the server does not answer");
		return -ETIMEDOUT;
	}
	if (polled[1].revents)
		return -ECANCELED;
	if (direction & LIBNBD_AIO_DIRECTION_READ && polled[0].revents & ~POLLOUT)
		result = nbd_aio_notify_read(handle);
	else
		result = nbd_aio_notify_write(handle);
	return result < 0 ? remote_failed(remote) : 0;
}

/* keep_alive - a server that vanishes while nothing is under way is noticed within half a minute. */
static void keep_alive(int fd)
{
	static const struct {
		int level, option, value;
	} options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
		       {IPPROTO_TCP, TCP_KEEPIDLE, 10},
		       {IPPROTO_TCP, TCP_KEEPINTVL, 5},
		       {IPPROTO_TCP, TCP_KEEPCNT, 3}};

	/* Other sockets than TCP's have none of it. */
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(fd, options[i].level, options[i].option, &options[i].value,
			   sizeof(options[i].value));
}

int remote_connect(struct remote *remote, struct timespec until, struct nbd_handle **connected)
{
	struct nbd_handle *handle = nbd_create();
	int error = 0;

	if (!handle)
		return remote_failed(remote);
	/* What is read goes to the guest's memory, and settle() looks whether all of it came. */
	nbd_set_pread_initialize(handle, false);
	nbd_set_uri_allow_local_file(handle, true);
	if (nbd_aio_connect_uri(handle, remote->uri) < 0)
		error = remote_failed(remote);
	while (error == 0 && !nbd_aio_is_ready(handle)) {
		if (remote_is_dead(handle))
			error = remote_failed(remote);
		else
			error = remote_await(remote, handle, until, false);
	}
	if (error < 0) {
		nbd_close(handle);
		return error;
	}
	keep_alive(nbd_aio_get_fd(handle));
	*connected = handle;
	return 0;
}

int remote_learn(struct remote *remote, struct nbd_handle *handle)
{
	int64_t size = nbd_get_size(handle), least = nbd_get_block_size(handle, LIBNBD_SIZE_MINIMUM),
		most = nbd_get_block_size(handle, LIBNBD_SIZE_MAXIMUM);

	if (size < 0)
		return remote_failed(remote);
	if (least > REMOTE_BLOCK_MAX) {
		snprintf(remote->text, sizeof(remote->text),
			 "the server takes blocks of %" PRId64
			 " bytes and more, but guests have sectors of %u at most; "
			 "let it take these, as nbdkit does with --filter=blocksize",
			 least, REMOTE_BLOCK_MAX);
		return -EINVAL;
	}
	remote->block_bytes = least > REMOTE_BLOCK_MIN ? (uint32_t)least : REMOTE_BLOCK_MIN;
	if (size == 0 || size % remote->block_bytes != 0) {
		snprintf(remote->text, sizeof(remote->text),
			 "the export has %" PRId64 " bytes, it must be a multiple of %u and more than 0",
			 size, remote->block_bytes);
		return -EINVAL;
	}
	remote->size_bytes = (uint64_t)size;
	remote->read_only = nbd_is_read_only(handle) == 1;
	remote->can_flush = nbd_can_flush(handle) == 1;
	remote->can_trim = nbd_can_trim(handle) == 1;
	remote->piece_bytes = PIECE_BYTES_MAX;
	if (most >= remote->block_bytes && most < PIECE_BYTES_MAX)
		remote->piece_bytes = (uint32_t)(most / remote->block_bytes * remote->block_bytes);
	return 0;
}

int remote_is_same(struct remote *remote, struct nbd_handle *handle)
{
	int64_t least = nbd_get_block_size(handle, LIBNBD_SIZE_MINIMUM),
		most = nbd_get_block_size(handle, LIBNBD_SIZE_MAXIMUM);

	if (nbd_get_size(handle) == (int64_t)remote->size_bytes && least <= remote->block_bytes &&
	    (most <= 0 || most >= remote->piece_bytes) &&
	    (nbd_is_read_only(handle) == 1) <= remote->read_only &&
	    (nbd_can_flush(handle) == 1) >= remote->can_flush &&
	    (nbd_can_trim(handle) == 1) >= remote->can_trim)
		return 0;
	snprintf(remote->text, sizeof(remote->text),
		 "the server has another disk there now, of %" PRId64 " bytes%s; it had %" PRIu64,
		 nbd_get_size(handle), nbd_is_read_only(handle) == 1 ? ", read-only" : "",
		 remote->size_bytes);
	return -EINVAL;
}
