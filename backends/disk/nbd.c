// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd.c - a disk that a server exports by NBD
 *
 * What is done here, and what in the other files: nbd_internal.h.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nbd_internal.h"

static const struct xvhost_parameter remote_parameters[] = {
	{
		.name = "uri",
		.type = XVHOST_STRING,
		.flags = XVHOST_REQUIRED,
		.offset = offsetof(struct remote_config, uri),
		.help = "the export, such as nbd://host/name or nbd+unix:///name?socket=/path; nbds is TLS",
	},
	{
		.name = "connections",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct remote_config, connections),
		.default_text = "1",
		.minimum = 1,
		.maximum = REMOTE_LINKS_MAX,
		.help = "at most so many queues, with a connection each, if the server can keep them in step "
			"(multi-conn)",
	},
	{
		.name = "reconnect-s",
		.type = XVHOST_NUMBER,
		.offset = offsetof(struct remote_config, reconnect_s),
		.default_text = "0",
		.maximum = 86400,
		.help = "so many seconds after the connection was lost requests fail; 0: they wait for ever",
	},
	{
		.name = "keep",
		.type = XVHOST_BYTES,
		.offset = offsetof(struct remote_config, keep_bytes),
		.default_text = "16M",
		.minimum = 4 << 20,
		.maximum = 1 << 30,
		.help = "memory for what was written and not yet flushed, to write it again at a server that "
			"has lost it",
	},
};

void remote_ring_all(const struct remote *remote)
{
	for (uint32_t i = 0; i < remote->link_count; i++)
		remote_link_ring(&remote->links[i]);
}

void remote_destroy(struct remote *remote)
{
	for (uint32_t i = 0; remote->links && i < remote->config.connections; i++)
		remote_link_destroy(&remote->links[i]);
	remote_kept_destroy(&remote->kept);
	if (remote->wake_fd >= 0)
		close(remote->wake_fd);
	pthread_cond_destroy(&remote->changed);
	pthread_mutex_destroy(&remote->lock);
	pthread_mutex_destroy(&remote->log_lock);
	free(remote->links);
	free(remote->uri);
	free(remote);
}

/* make - all that a disk needs but its connection. */
static int make(struct xvhost_disk *disk, const struct remote_config *config, struct remote **made)
{
	struct remote *remote = calloc(1, sizeof(*remote));
	pthread_condattr_t attributes;
	int error = 0;

	if (!remote)
		return -ENOMEM;
	remote->disk = disk;
	remote->config = *config;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&remote->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&remote->lock, NULL);
	pthread_mutex_init(&remote->log_lock, NULL);
	remote->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (remote->wake_fd < 0)
		error = -errno;
	remote->uri = strdup(config->uri);
	remote->links = calloc(config->connections, sizeof(remote->links[0]));
	if (!remote->uri || !remote->links)
		error = -ENOMEM;
	for (uint32_t i = 0; i < config->connections && remote->links; i++) {
		int link_error = remote_link_init(&remote->links[i], remote);

		error = error < 0 ? error : link_error;
	}
	if (error == 0 && !(disk->flags & XVHOST_DISK_READ_ONLY))
		error = remote_kept_init(&remote->kept, config->keep_bytes);
	if (error < 0) {
		remote_destroy(remote);
		return error;
	}
	*made = remote;
	return 0;
}

static bool host_can_watch(const struct xvhost_host *host)
{
	return host->size >= offsetof(struct xvhost_host, watch) + sizeof(host->watch);
}

static int remote_open(struct xvhost_disk *disk, const void *opaque,
		       struct xvhost_disk_properties *properties)
{
	const struct remote_config *config = opaque;
	struct remote *remote;
	char text[REMOTE_TEXT_MAX];
	int error;

	if (!host_can_watch(disk->host)) {
		disk->host->fail(disk, "backend nbd needs a newer xvhost, which can watch descriptors");
		return -ENOSYS;
	}
	error = make(disk, config, &remote);
	if (error < 0) {
		disk->host->fail(disk, "backend nbd can't get what it needs: %s", strerror(-error));
		return error;
	}
	error = remote_connector_start(remote, text);
	if (error < 0) {
		disk->host->fail(disk, "parameter uri of backend nbd is '%s': %s", config->uri, text);
		return error;
	}
	disk->state = remote;
	properties->size_bytes = remote->size_bytes;
	properties->block_bytes = remote->block_bytes;
	properties->memory_alignment = 1;
	disk->queues_max = remote->link_count;
	if (remote->read_only || (disk->flags & XVHOST_DISK_READ_ONLY))
		properties->flags |= XVHOST_DISK_READ_ONLY;
	else if (remote->can_trim)
		properties->flags |= XVHOST_DISK_DISCARD;
	if (remote->can_flush)
		properties->flags |= XVHOST_DISK_FLUSH;
	return 0;
}

static void remote_close(struct xvhost_disk *disk)
{
	remote_connector_end(disk->state);
}

static const struct xvhost_disk_backend nbd_backend = {
	.size = sizeof(nbd_backend),
	.abi = XVHOST_BACKEND_ABI,
	.name = "nbd",
	.version = "1.0",
	.description = "a disk that a server exports by NBD",
	.parameters = remote_parameters,
	.parameter_count = sizeof(remote_parameters) / sizeof(remote_parameters[0]),
	.parameter_size = sizeof(struct xvhost_parameter),
	.config_size = sizeof(struct remote_config),
	.request_size = sizeof(struct remote_request),
	.open = remote_open,
	.close = remote_close,
	.queue_start = remote_queue_start,
	.queue_stop = remote_queue_stop,
	.submit = remote_submit,
	.ready = remote_ready,
};

XVHOST_DISK_BACKEND(nbd_backend);
