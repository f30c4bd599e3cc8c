// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_action.c - doing what is to be done with a device
 *
 * Theory of operation: an action either asks the worker something or writes nodes, and `disk` changes only
 * when that went well. When it did not, because the worker must first read what it was sent or because
 * somebody else wrote the same nodes, nothing has changed, and the next look leads to the same action, if it
 * is still right.
 */
#include "daemon/device_action.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/frontend.h"
#include "daemon/kernel_driver.h"
#include "daemon/nodes.h"
#include "daemon/text.h"

#define SECTOR_BYTES 512 /* unit of the node `sectors`, unless the frontend says otherwise */
#define VDISK_CDROM 1	 /* bits of the node `info` (xen/io/blkif.h) */
#define VDISK_REMOVABLE 2
#define VDISK_READONLY 4
#define DISK_NODES 10	   /* of describe_disk */
#define NUMBER_TEXT_MAX 24 /* bytes of a number as a text with the final 0 */
#define WATCH_TOKEN_MAX 24 /* bytes of a watch's token with the final 0 */
#define STATE_TEXT_MAX 4   /* bytes of a state as a text with the final 0 */

/* watch_token - what comes back when the frontend's state changes: the device's numbers. */
static void watch_token(const struct device *device, char token[WATCH_TOKEN_MAX])
{
	snprintf(token, WATCH_TOKEN_MAX, "%" PRIu16 "/%" PRIu32, device->domid, device->id);
}

int device_watch(struct device *device, const struct host *host)
{
	char path[XENSTORE_PATH_MAX], token[WATCH_TOKEN_MAX];
	int error;

	if (device->watched)
		return 0;
	snprintf(path, sizeof(path), "%s/state", device->frontend);
	watch_token(device, token);
	error = host->platform->xenstore_watch(host->xenstore, path, token);
	device->watched = error >= 0;
	return error < 0 ? error : 0;
}

void device_unwatch(struct device *device, const struct host *host)
{
	char path[XENSTORE_PATH_MAX], token[WATCH_TOKEN_MAX];

	if (!device->watched)
		return;
	snprintf(path, sizeof(path), "%s/state", device->frontend);
	watch_token(device, token);
	host->platform->xenstore_unwatch(host->xenstore, path, token);
	device->watched = false;
}

void device_show_error(struct device *device, const struct host *host, int error, const char *text,
		       bool to_toolstack)
{
	const struct node nodes[] = {
		{"hotplug-error", text},
		{"xvhost-status", "error"},
	};

	device->error_shown = true;
	nodes_write_error(host, device->backend, error, text);
	if (to_toolstack)
		nodes_update(host, device->backend, XENBUS_ABSENT, nodes, 2);
}

void device_clear_error(struct device *device, const struct host *host)
{
	if (device->error_shown)
		nodes_clear_error(host, device->backend);
	device->error_shown = false;
}

/* write_nodes - bring nodes and the state to what they shall be. False: not now, or not any more. */
static bool write_nodes(struct device *device, const struct host *host, struct node *nodes, unsigned count,
			enum xenbus_state state, int64_t now_ms)
{
	char state_text[STATE_TEXT_MAX];
	int error;

	/* The last place of `nodes` is for the state. */
	snprintf(state_text, sizeof(state_text), "%u", (unsigned)state % 10);
	nodes[count - 1] = (struct node){"state", state_text};
	error = nodes_update(host, device->backend, device->state_seen, nodes, count);
	if (error == 0) {
		device->state_seen = state;
		device->dirty = true;
		device->retry_at_ms = 0;
		return true;
	}
	if (error == -ENOENT || error == -ESTALE) {
		device->dirty = true;
		return false;
	}
	log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: can't write state %s to %s in xenstore: %s",
		    device->name, state_text, device->backend, nodes_error_text(error));
	device->retry_at_ms = now_ms + WRITE_PAUSE_MS;
	return false;
}

/* write_state - the same without other nodes. */
static bool write_state(struct device *device, const struct host *host, enum xenbus_state state,
			int64_t now_ms)
{
	struct node nodes[1];

	return write_nodes(device, host, nodes, 1, state, now_ms);
}

/* ask - send a question and go on to the phase in which its answer is awaited. */
static void ask(struct device *device, struct message *message, enum message_type type, enum disk_phase phase,
		int64_t answer_deadline_ms)
{
	int error;

	message->type = type;
	message->class = DEVICE_DISK;
	message->device_id = device->id;
	error = worker_send(device->worker, message);
	if (error == 0) {
		device->disk = phase;
		device->answer_deadline_ms = answer_deadline_ms;
	} else if (error != -EAGAIN) {
		worker_kill(device->worker, strerror(-error));
	}
}

/* ask_plainly - a question without contents. */
static void ask_plainly(struct device *device, enum message_type type, enum disk_phase phase,
			int64_t answer_deadline_ms)
{
	struct message message;

	memset(&message, 0, sizeof(message));
	ask(device, &message, type, phase, answer_deadline_ms);
}

/*
 * check_node - a node of the backend directory that must have a certain value. False: `text` says what is
 * wrong.
 */
static bool check_node(const struct device *device, const struct host *host, const char *name,
		       const char *right, char text[ERROR_TEXT_MAX])
{
	char *value = nodes_read(host, device->backend, name);
	bool same = value != NULL && strcmp(value, right) == 0;

	if (!same)
		snprintf(text, ERROR_TEXT_MAX, "backend node %s is \"%.100s\"; it must be %s", name,
			 value != NULL ? value : "", right);
	free(value);
	return same;
}

/* says - whether a node of the backend directory has this value. */
static bool says(const struct device *device, const struct host *host, const char *name, const char *value)
{
	char *text = nodes_read(host, device->backend, name);
	bool same = text != NULL && strcmp(text, value) == 0;

	free(text);
	return same;
}

bool device_target_changed(const struct device *device, const struct host *host)
{
	char *target = nodes_read(host, device->backend, "params");
	bool changed = target != NULL && strncmp(target, device->target, TARGET_MAX - 1) != 0;

	free(target);
	return changed;
}

/* read_target - what is to be opened. False: `text` says what is wrong. */
static bool read_target(const struct device *device, const struct host *host, struct message_disk_open *open,
			char text[ERROR_TEXT_MAX])
{
	char *target = nodes_read(host, device->backend, "params");
	bool fits = target != NULL && (target[0] != '\0' || open->removable) && strlen(target) < TARGET_MAX;

	if (target != NULL)
		memcpy(open->target, target, strnlen(target, TARGET_MAX - 1));
	if (!fits)
		snprintf(
			text, ERROR_TEXT_MAX,
			"the target (backend node params) is \"%.40s\"; it must have from 1 to %d characters",
			open->target, TARGET_MAX - 1);
	free(target);
	return fits;
}

/* read_mode - whether the guest may write. False: `text` says what is wrong. */
static bool read_mode(const struct device *device, const struct host *host, struct message_disk_open *open,
		      char text[ERROR_TEXT_MAX])
{
	char *mode = nodes_read(host, device->backend, "mode");
	bool known = mode != NULL && (strcmp(mode, "r") == 0 || strcmp(mode, "w") == 0);

	if (known)
		open->read_only = mode[0] == 'r';
	else
		snprintf(text, ERROR_TEXT_MAX, "backend node mode is \"%.40s\"; it must be r or w",
			 mode != NULL ? mode : "");
	free(mode);
	return known;
}

/*
 * read_discard - whether the guest may discard. blkif.h has it that it may unless the toolstack says no; as in Linux's
 * backend, what is not a number says nothing. False: `text` says what is wrong.
 */
static bool read_discard(const struct device *device, const struct host *host, struct message_disk_open *open,
			 char text[ERROR_TEXT_MAX])
{
	char *value = nodes_read(host, device->backend, "discard-enable");
	uint64_t number;

	if (value == NULL && errno != ENOENT) {
		snprintf(text, ERROR_TEXT_MAX, "backend node discard-enable can't be read: %s",
			 strerror(errno));
		return false;
	}
	open->discard_off = value != NULL && text_number(value, 0, UINT32_MAX, &number) && number == 0;
	free(value);
	return true;
}

/* read_wish - what the toolstack wants of this device. False: `text` says what is wrong with it. */
static bool read_wish(struct device *device, const struct host *host, struct message_disk_open *open,
		      char text[ERROR_TEXT_MAX])
{
	char domid[NUMBER_TEXT_MAX];
	int error = device_watch(device, host);

	snprintf(domid, sizeof(domid), "%" PRIu16, device->domid);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't watch %s/state in xenstore: %s", device->frontend,
			 nodes_error_text(error));
		return false;
	}
	open->direct = says(device, host, "direct-io-safe", "1");
	open->removable = says(device, host, "device-type", "cdrom") || says(device, host, "removable", "1");
	return check_node(device, host, "frontend-id", domid, text) &&
	       check_node(device, host, "frontend", device->frontend, text) &&
	       read_target(device, host, open, text) && read_mode(device, host, open, text) &&
	       read_discard(device, host, open, text);
}

/* taken_by_kernel - xen-blkback has the device since we looked last. */
static bool taken_by_kernel(struct device *device, const struct host *host)
{
	if (!kernel_driver_has(host->sysfs_path, device->domid, device->id))
		return false;
	device_leave_to_kernel(device, host);
	device->dirty = true;
	return true;
}

/* open_disk - ACTION_OPEN. */
static void open_disk(struct device *device, const struct host *host, int64_t now_ms)
{
	struct message message;
	char text[ERROR_TEXT_MAX];

	if (taken_by_kernel(device, host))
		return;
	if (device->open_deadline_ms == 0)
		device->open_deadline_ms = now_ms + device_open_timeout_ms(device);
	memset(&message, 0, sizeof(message));
	if (!read_wish(device, host, &message.open, text)) {
		device_fail(device, host, now_ms, FAILURE_OPEN, EINVAL, "%s", text);
		return;
	}
	device->worker = worker_find(host->workers, device->domid);
	if (device->worker == NULL) {
		/* An xvhostd before us may have been killed with its worker; ours may have no need of a device model. */
		host_clean_up(host, device->domid);
		device->worker = worker_start(host->workers, host->config, device->domid, text);
	}
	if (device->worker == NULL) {
		device_fail(device, host, now_ms, FAILURE_OPEN, EAGAIN, "%s", text);
		return;
	}
	ask(device, &message, MESSAGE_OPEN, DISK_OPENING, 0);
	if (device->disk == DISK_OPENING) {
		text_clean(message.open.target);
		log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: opening %.800s%s", device->name,
			    message.open.target, message.open.read_only ? ", read-only" : "");
		device->read_only = message.open.read_only;
		device->removable = message.open.removable;
		memcpy(device->target, message.open.target, TARGET_MAX);
	}
}

void device_show_medium(struct device *device, const struct host *host, int error, const char *text)
{
	const struct node nodes[] = {
		{"hotplug-error", NULL},
		{"xvhost-status", "ready"},
	};

	if (error != 0) {
		log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: %s", device->name, text);
		device_show_error(device, host, error, text, true);
	} else if (device->error_shown) {
		nodes_update(host, device->backend, XENBUS_ABSENT, nodes, 2);
		device_clear_error(device, host);
	}
}

/* change_medium - ACTION_CHANGE. What the toolstack wants is asked for once, be it right or not. */
static void change_medium(struct device *device, const struct host *host, int64_t now_ms)
{
	struct message message;
	char text[ERROR_TEXT_MAX];
	bool right;

	memset(&message, 0, sizeof(message));
	right = read_wish(device, host, &message.open, text);
	if (right)
		ask(device, &message, MESSAGE_CHANGE, DISK_CHANGING, now_ms + ANSWER_TIMEOUT_MS);
	else
		device_show_medium(device, host, EINVAL, text);
	if (!right || device->disk == DISK_CHANGING)
		memcpy(device->target, message.open.target, TARGET_MAX);
}

/* flush_text - feature-flush-cache. What is put into a drive later may have a cache though this has none. */
static const char *flush_text(const struct device *device)
{
	return device->properties.flush || device->removable ? "1" : "0";
}

/* queues_max - as the operator and the disk have it. */
static uint32_t queues_max(const struct device *device, const struct host *host)
{
	uint32_t ours = host->config->max_queues, disks = device->properties.queues_max;

	return disks > 0 && disks < ours ? disks : ours;
}

/* sectors_text - the node `sectors`, in what the frontend counts in (docs/architecture.md, Sectors). */
static void sectors_text(const struct device *device, char text[NUMBER_TEXT_MAX])
{
	const struct message_disk_opened *properties = &device->properties;
	uint32_t unit = device->large_sectors ? properties->block_bytes : SECTOR_BYTES;

	snprintf(text, NUMBER_TEXT_MAX, "%" PRIu64, properties->size_bytes / unit);
}

/* physical_bytes - blkif.h wants the disk to be a multiple of what is said here. */
static uint32_t physical_bytes(const struct message_disk_opened *properties)
{
	uint32_t bytes = properties->physical_block_bytes;

	while (properties->size_bytes % bytes != 0)
		bytes /= 2;
	return bytes;
}

/* info_bits - the node `info`: what the toolstack wants the disk to look like. */
static unsigned info_bits(const struct device *device, const struct host *host)
{
	unsigned bits = device->read_only || device->properties.read_only ? VDISK_READONLY : 0;

	if (says(device, host, "device-type", "cdrom"))
		bits |= VDISK_CDROM;
	if (says(device, host, "removable", "1"))
		bits |= VDISK_REMOVABLE;
	return bits;
}

/* The texts of describe_disk. */
struct disk_texts {
	char sectors[NUMBER_TEXT_MAX], sector_size[NUMBER_TEXT_MAX], physical_size[NUMBER_TEXT_MAX];
	char info[NUMBER_TEXT_MAX], granularity[NUMBER_TEXT_MAX], alignment[NUMBER_TEXT_MAX];
};

/*
 * describe_disk - the nodes that tell of the disk as it was opened. They are there from the offer on, though frontends read them
 * later: if xenstored gives us no more nodes, that is found while the toolstack waits, and not when the guest does.
 */
static void describe_disk(const struct device *device, const struct host *host, struct disk_texts *texts,
			  struct node nodes[DISK_NODES])
{
	const struct message_disk_opened *properties = &device->properties;
	const char *flush = flush_text(device);
	const struct node described[DISK_NODES] = {
		{"feature-flush-cache", flush},
		{"feature-barrier", flush},
		{"feature-discard", properties->discard ? "1" : "0"},
		{"discard-secure", properties->discard_secure ? "1" : "0"},
		{"discard-granularity", texts->granularity},
		{"discard-alignment", texts->alignment},
		{"sectors", texts->sectors},
		{"sector-size", texts->sector_size},
		{"physical-sector-size", texts->physical_size},
		{"info", texts->info},
	};

	sectors_text(device, texts->sectors);
	snprintf(texts->sector_size, NUMBER_TEXT_MAX, "%" PRIu32, properties->block_bytes);
	snprintf(texts->physical_size, NUMBER_TEXT_MAX, "%" PRIu32, physical_bytes(properties));
	snprintf(texts->info, NUMBER_TEXT_MAX, "%u", info_bits(device, host));
	snprintf(texts->granularity, NUMBER_TEXT_MAX, "%" PRIu32, properties->discard_granularity);
	snprintf(texts->alignment, NUMBER_TEXT_MAX, "%" PRIu32, properties->discard_alignment);
	memcpy(nodes, described, sizeof(described));
}

/* offer - ACTION_OFFER. */
static void offer(struct device *device, const struct host *host, int64_t now_ms)
{
	/* Where frames are mapped they would only cost the guest a copy. A driver domain has nothing but grants. */
	const char *persistent = device->properties.persistent || host->domid != 0 ? "1" : "0";
	char order[NUMBER_TEXT_MAX], indirect[NUMBER_TEXT_MAX], queues[NUMBER_TEXT_MAX];
	struct disk_texts texts;
	struct node nodes[DISK_NODES + 7] = {
		[DISK_NODES] = {"feature-persistent", persistent},
		{"feature-max-indirect-segments", indirect},
		{"max-ring-page-order", order},
		{"multi-queue-max-queues", queues},
		{"xvhost-status", "ready"},
		{"hotplug-error", NULL},
		{NULL, NULL},
	};

	if (taken_by_kernel(device, host))
		return;
	describe_disk(device, host, &texts, nodes);
	snprintf(order, sizeof(order), "%" PRIu32, host->config->max_ring_page_order);
	snprintf(queues, sizeof(queues), "%" PRIu32, queues_max(device, host));
	snprintf(indirect, sizeof(indirect), "%u", DISK_SEGMENTS_MAX);
	if (!write_nodes(device, host, nodes, sizeof(nodes) / sizeof(nodes[0]), XENBUS_INIT_WAIT, now_ms))
		return;
	device->disk = DISK_OFFERED;
	device->open_deadline_ms = 0;
	device_clear_error(device, host);
}

/* connect_ring - ACTION_CONNECT. */
static void connect_ring(struct device *device, const struct host *host, int64_t now_ms)
{
	struct message message;
	char text[ERROR_TEXT_MAX];
	int error;

	if (taken_by_kernel(device, host))
		return;
	memset(&message, 0, sizeof(message));
	error = frontend_read_ring(host, device->frontend, &message.connect, text);
	/* What the frontend was offered, maybe by an xvhostd before this one. */
	message.connect.persistent = message.connect.persistent &&
				     says(device, host, "feature-persistent", "1");
	/* Only a connected frontend puts requests into its rings. */
	message.connect.again = device->state_seen == XENBUS_CONNECTED;
	if (error < 0)
		device_fail(device, host, now_ms, FAILURE_RUNTIME, error, "%s", text);
	else
		ask(device, &message, MESSAGE_CONNECT, DISK_CONNECTING, now_ms + ANSWER_TIMEOUT_MS);
	device->large_sectors = message.connect.large_sectors;
}

/* publish - ACTION_PUBLISH. */
static void publish(struct device *device, const struct host *host, int64_t now_ms)
{
	struct disk_texts texts;
	struct node nodes[DISK_NODES + 1];

	describe_disk(device, host, &texts, nodes);
	if (!write_nodes(device, host, nodes, DISK_NODES + 1, XENBUS_CONNECTED, now_ms))
		return;
	device->disk = DISK_PUBLISHED;
	device->published_bytes = device->properties.size_bytes;
	device->open_deadline_ms = 0;
	device_clear_error(device, host);
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: connected, %s sectors, blocks of %s bytes",
		    device->name, texts.sectors, texts.sector_size);
}

/* resize - ACTION_RESIZE, as Linux's backend does it. */
static void resize(struct device *device, const struct host *host, int64_t now_ms)
{
	char sectors[NUMBER_TEXT_MAX];
	struct node nodes[] = {
		{"sectors", sectors},
		{NULL, NULL},
	};

	sectors_text(device, sectors);
	if (!write_nodes(device, host, nodes, sizeof(nodes) / sizeof(nodes[0]), XENBUS_CONNECTED, now_ms))
		return;
	device->published_bytes = device->properties.size_bytes;
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: resized, %s sectors", device->name, sectors);
}

/* end_closing - ACTION_END_CLOSING. */
static void end_closing(struct device *device, const struct host *host, int64_t now_ms)
{
	if (!write_state(device, host, XENBUS_CLOSED, now_ms))
		return;
	device->failure = FAILURE_NONE;
	device->open_deadline_ms = 0;
	if (device->disk == DISK_OFFERED)
		device->disk = DISK_OPEN;
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: closed", device->name);
}

/* remove_backend - ACTION_REMOVE. */
static void remove_backend(struct device *device, const struct host *host, int64_t now_ms)
{
	int error = nodes_remove_backend(host, device->backend);

	device->dirty = error == 0;
	if (error == 0)
		return;
	log_limited(&device->log_limit, LOG_LEVEL_ERROR, "%s: can't remove %s from xenstore: %s",
		    device->name, device->backend, strerror(-error));
	device->retry_at_ms = now_ms + WRITE_PAUSE_MS;
}

/* forget - ACTION_FORGET. */
static void forget(struct device *device, const struct host *host)
{
	log_info("%s: removed", device->name);
	device_release(device, host);
}

void device_perform(struct device *device, const struct host *host, enum device_action action, int64_t now_ms)
{
	switch (action) {
	case ACTION_NONE:
		break;
	case ACTION_OPEN:
		open_disk(device, host, now_ms);
		break;
	case ACTION_OFFER:
		offer(device, host, now_ms);
		break;
	case ACTION_REFUSE:
		write_state(device, host, XENBUS_INIT_WAIT, now_ms);
		break;
	case ACTION_CONNECT:
		connect_ring(device, host, now_ms);
		break;
	case ACTION_PUBLISH:
		publish(device, host, now_ms);
		break;
	case ACTION_RESIZE:
		resize(device, host, now_ms);
		break;
	case ACTION_CHANGE:
		change_medium(device, host, now_ms);
		break;
	case ACTION_BEGIN_CLOSING:
		write_state(device, host, XENBUS_CLOSING, now_ms);
		break;
	case ACTION_DISCONNECT:
		ask_plainly(device, MESSAGE_DISCONNECT, DISK_DISCONNECTING,
			    now_ms + DISCONNECT_TIMEOUT_MS);
		break;
	case ACTION_END_CLOSING:
		end_closing(device, host, now_ms);
		break;
	case ACTION_FORGIVE:
		device->failure = FAILURE_NONE;
		device->open_deadline_ms = 0;
		device->dirty = true;
		break;
	case ACTION_CLOSE:
		ask_plainly(device, MESSAGE_CLOSE, DISK_CLOSING, now_ms + ANSWER_TIMEOUT_MS);
		break;
	case ACTION_REMOVE:
		remove_backend(device, host, now_ms);
		break;
	case ACTION_FORGET:
		forget(device, host);
		break;
	}
}
