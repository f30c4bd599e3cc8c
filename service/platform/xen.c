// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen.c - the platform of Debian's Xen libraries: its table, xenstore, event channels
 *
 * The libraries report in errno; here that becomes a negative errno.
 */
#include "platform/xen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xenstore.h>
#include <xenstore_lib.h>

struct xenstore {
	struct xs_handle *handle;
	bool by_kernel; /* there is no xenstored in this domain */
};

struct event_channels {
	xenevtchn_handle *handle;
	xentoollog_logger *logger;
};

xentoollog_logger *quiet_logger(void)
{
	return (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
}

/* ---- xenstore ---- */

static int xen_xenstore_open(const struct platform *platform, struct xenstore **xenstore)
{
	struct xenstore *opened = calloc(1, sizeof(*opened));

	(void)platform;
	if (!opened)
		return -ENOMEM;
	opened->by_kernel = access(xs_daemon_socket(), F_OK) < 0;
	opened->handle = xs_open(0);
	if (!opened->handle) {
		int error = error_number();

		free(opened);
		return error;
	}
	*xenstore = opened;
	return 0;
}

static void xen_xenstore_close(struct xenstore *xenstore)
{
	xs_close(xenstore->handle);
	free(xenstore);
}

static char *xen_xenstore_read(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	unsigned int length;

	return xs_read(xenstore->handle, transaction, path, &length);
}

static int xen_xenstore_write(struct xenstore *xenstore, uint32_t transaction, const char *path,
			      const char *value)
{
	if (!xs_write(xenstore->handle, transaction, path, value, (unsigned int)strlen(value)))
		return error_number();
	return 0;
}

static int xen_xenstore_remove(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	return xs_rm(xenstore->handle, transaction, path) ? 0 : error_number();
}

static char **xen_xenstore_directory(struct xenstore *xenstore, uint32_t transaction, const char *path,
				     unsigned *count)
{
	return xs_directory(xenstore->handle, transaction, path, count);
}

static uint32_t xen_xenstore_transaction_start(struct xenstore *xenstore)
{
	return xs_transaction_start(xenstore->handle);
}

static int xen_xenstore_transaction_end(struct xenstore *xenstore, uint32_t transaction, bool abort)
{
	return xs_transaction_end(xenstore->handle, transaction, abort) ? 0 : error_number();
}

/*
 * try_watch - whether xenstored gives us another watch. Of one that it refuses Linux makes a write that fails, and libxenstore then
 * gives up the connection, and all of its watches. So it is a connection that nobody needs.
 */
static int try_watch(const char *path)
{
	struct xs_handle *handle = xs_open(0);
	int error = 0;

	if (!handle)
		return error_number();
	if (!xs_watch(handle, path, ""))
		error = error_number();
	else
		xs_unwatch(handle, path, "");
	xs_close(handle);
	return error;
}

static int xen_xenstore_watch(struct xenstore *xenstore, const char *path, const char *token)
{
	int error = xenstore->by_kernel ? try_watch(path) : 0;

	if (error < 0)
		return error;
	return xs_watch(xenstore->handle, path, token) ? 0 : error_number();
}

static int xen_xenstore_unwatch(struct xenstore *xenstore, const char *path, const char *token)
{
	return xs_unwatch(xenstore->handle, path, token) ? 0 : error_number();
}

static int xen_xenstore_fd(struct xenstore *xenstore)
{
	int fd = xs_fileno(xenstore->handle);

	return fd >= 0 ? fd : error_number();
}

static bool xen_xenstore_next_watch(struct xenstore *xenstore, char *path, size_t path_size, char *token,
				    size_t token_size)
{
	char **fired = xs_check_watch(xenstore->handle);

	if (!fired)
		return false;
	snprintf(path, path_size, "%s", fired[XS_WATCH_PATH]);
	snprintf(token, token_size, "%s", fired[XS_WATCH_TOKEN]);
	free(fired);
	return true;
}

/* ---- event channels ---- */

static int xen_event_channels_open(const struct platform *platform, struct event_channels **channels)
{
	struct event_channels *opened = calloc(1, sizeof(*opened));
	int fd, flags, error;

	(void)platform;
	if (!opened)
		return -ENOMEM;
	opened->logger = quiet_logger();
	opened->handle = xenevtchn_open(opened->logger, 0);
	if (!opened->handle) {
		error = error_number();
		goto fail;
	}
	/* Without O_NONBLOCK io_uring would hand each read to a thread of its own. */
	fd = xenevtchn_fd(opened->handle);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		error = error_number();
		xenevtchn_close(opened->handle);
		goto fail;
	}
	*channels = opened;
	return 0;
fail:
	xtl_logger_destroy(opened->logger);
	free(opened);
	return error;
}

static void xen_event_channels_close(struct event_channels *channels)
{
	xenevtchn_close(channels->handle);
	xtl_logger_destroy(channels->logger);
	free(channels);
}

static int xen_event_channels_fd(struct event_channels *channels)
{
	return xenevtchn_fd(channels->handle);
}

static int xen_event_channels_restrict(struct event_channels *channels, uint16_t domid)
{
	return xenevtchn_restrict(channels->handle, domid) == 0 ? 0 : error_number();
}

static int xen_event_channels_bind(struct event_channels *channels, uint16_t domid, uint32_t remote_port)
{
	int port = xenevtchn_bind_interdomain(channels->handle, domid, remote_port);

	return port >= 0 ? port : error_number();
}

static int xen_event_channels_unbind(struct event_channels *channels, uint32_t port)
{
	return xenevtchn_unbind(channels->handle, port) == 0 ? 0 : error_number();
}

static int xen_event_channels_notify(struct event_channels *channels, uint32_t port)
{
	return xenevtchn_notify(channels->handle, port) == 0 ? 0 : error_number();
}

const struct platform platform_xen = {
	.name = "xen",
	.requests_per_turn = CONFIG_LOOP_REQUESTS_PER_TURN,
	.xenstore_open = xen_xenstore_open,
	.xenstore_close = xen_xenstore_close,
	.xenstore_read = xen_xenstore_read,
	.xenstore_write = xen_xenstore_write,
	.xenstore_remove = xen_xenstore_remove,
	.xenstore_directory = xen_xenstore_directory,
	.xenstore_transaction_start = xen_xenstore_transaction_start,
	.xenstore_transaction_end = xen_xenstore_transaction_end,
	.xenstore_watch = xen_xenstore_watch,
	.xenstore_unwatch = xen_xenstore_unwatch,
	.xenstore_fd = xen_xenstore_fd,
	.xenstore_next_watch = xen_xenstore_next_watch,
	.event_channels_open = xen_event_channels_open,
	.event_channels_close = xen_event_channels_close,
	.event_channels_fd = xen_event_channels_fd,
	.event_channels_restrict = xen_event_channels_restrict,
	.event_channels_bind = xen_event_channels_bind,
	.event_channels_unbind = xen_event_channels_unbind,
	.event_channels_notify = xen_event_channels_notify,
	.grants_open = xen_grants_open,
	.grants_close = xen_grants_close,
	.grants_map = xen_grants_map,
	.grants_unmap = xen_grants_unmap,
	.grants_copy = xen_grants_copy,
	.foreign_open = xen_foreign_open,
	.foreign_close = xen_foreign_close,
	.foreign_way = xen_foreign_way,
	.foreign_restrict = xen_foreign_restrict,
	.foreign_reserve = xen_foreign_reserve,
	.foreign_release = xen_foreign_release,
	.foreign_map = xen_foreign_map,
	.foreign_unmap = xen_foreign_unmap,
	.foreign_map_grant_frames = xen_foreign_map_grant_frames,
	.device_model_open = xen_device_model_open,
	.device_model_possible = xen_device_model_possible,
	.device_model_clean_up = xen_device_model_clean_up,
	.device_model_close = xen_device_model_close,
	.device_model_modified = xen_device_model_modified,
	.device_model_fd = xen_device_model_fd,
	.device_model_invalidated = xen_device_model_invalidated,
	.device_model_answer = xen_device_model_answer,
	.publisher_open = xen_publisher_open,
};
