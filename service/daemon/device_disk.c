// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_disk.c - what is a disk's own: what is read of xenstore and written there, and what its worker says
 *
 * Theory of operation: see device_kind.h for when each of these functions is called.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device_action.h"
#include "daemon/device_kind.h"
#include "daemon/frontend_disk.h"
#include "daemon/nodes.h"
#include "daemon/text.h"

#define SCRIPT_NAME "block-xvhost" /* the script= that makes a vbd ours */
#define SECTOR_BYTES 512	   /* unit of the node `sectors`, unless the frontend says otherwise */
#define VDISK_CDROM 1		   /* bits of the node `info` (xen/io/blkif.h) */
#define VDISK_REMOVABLE 2
#define VDISK_READONLY 4
#define DISK_NODES 10	   /* of describe_disk */
#define NUMBER_TEXT_MAX 24 /* bytes of a number as a text with the final 0 */

/* is_ours - see device_kind.h; so for all that follow. */
static bool is_ours(const struct host *host, const char *directory)
{
	return device_kind_has_script(host, directory, SCRIPT_NAME);
}

/* target_changed - the toolstack's target is not what was opened, or tried, last. */
static bool target_changed(const struct device *device, const struct host *host)
{
	char *target = nodes_read(host, device->backend, "params");
	bool changed = target != NULL && strncmp(target, device->disk.target, TARGET_MAX - 1) != 0;

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

static bool read_wish(const struct device *device, const struct host *host, struct message *message,
		      char text[ERROR_TEXT_MAX])
{
	struct message_disk_open *open = &message->open;

	open->direct = device_says(device, host, "direct-io-safe", "1");
	open->removable = device_says(device, host, "device-type", "cdrom") ||
			  device_says(device, host, "removable", "1");
	return read_target(device, host, open, text) && read_mode(device, host, open, text) &&
	       read_discard(device, host, open, text);
}

static void opening(struct device *device, const struct message *message)
{
	struct device_disk *disk = &device->disk;
	char target[TARGET_MAX];

	memcpy(disk->target, message->open.target, TARGET_MAX);
	memcpy(target, disk->target, TARGET_MAX);
	text_clean(target);
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: opening %.800s%s", device->name, target,
		    message->open.read_only ? ", read-only" : "");
	disk->read_only = message->open.read_only;
	disk->removable = message->open.removable;
}

/* are_sound - a disk can have such properties; one that is removable may be empty. */
static bool are_sound(const struct message_disk_opened *opened, bool removable)
{
	uint32_t block = opened->block_bytes, physical = opened->physical_block_bytes;

	return is_disk_block(block) && physical >= block && is_power_of_2(physical) &&
	       (opened->size_bytes > 0 || removable) && opened->size_bytes % block == 0;
}

static int opened(struct device *device, const struct message *message)
{
	if (!are_sound(&message->opened, device->disk.removable))
		return -EPROTO;
	device->disk.properties = message->opened;
	return 0;
}

static void look(struct device *device, const struct host *host, struct device_view *view)
{
	const struct device_disk *disk = &device->disk;

	view->resized = device->phase == PHASE_PUBLISHED &&
			disk->published_bytes != disk->properties.size_bytes;
	view->changed = disk->removable && target_changed(device, host);
}

/* show_medium - how it went with another medium; `error` is 0 or an errno, which `text` explains. */
static void show_medium(struct device *device, const struct host *host, int error, const char *text)
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

/* What the toolstack wants is asked for once, be it right or not. */
static void change(struct device *device, const struct host *host, int64_t now_ms)
{
	struct message message;
	char text[ERROR_TEXT_MAX];
	bool right = device_wish(device, host, &message, text);

	if (device_pause(device, host, now_ms))
		return;
	if (right)
		device_ask(device, &message, MESSAGE_CHANGE, PHASE_CHANGING, now_ms + ANSWER_TIMEOUT_MS);
	else
		show_medium(device, host, EINVAL, text);
	if (!right || device->phase == PHASE_CHANGING)
		memcpy(device->disk.target, message.open.target, TARGET_MAX);
}

/* flush_text - feature-flush-cache. What is put into a drive later may have a cache though this has none. */
static const char *flush_text(const struct device *device)
{
	return device->disk.properties.flush || device->disk.removable ? "1" : "0";
}

/* queues_max - as the operator and the disk have it. */
static uint32_t queues_max(const struct device *device, const struct host *host)
{
	uint32_t ours = host->config->max_queues, disks = device->disk.properties.queues_max;

	return disks > 0 && disks < ours ? disks : ours;
}

/* sectors_text - the node `sectors`, in what the frontend counts in (docs/architecture.md, Sectors). */
static void sectors_text(const struct device *device, char text[NUMBER_TEXT_MAX])
{
	const struct message_disk_opened *properties = &device->disk.properties;
	uint32_t unit = device->disk.large_sectors ? properties->block_bytes : SECTOR_BYTES;

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
	unsigned bits = device->disk.read_only || device->disk.properties.read_only ? VDISK_READONLY : 0;

	if (device_says(device, host, "device-type", "cdrom"))
		bits |= VDISK_CDROM;
	if (device_says(device, host, "removable", "1"))
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
	const struct message_disk_opened *properties = &device->disk.properties;
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

static bool offer(struct device *device, const struct host *host, int64_t now_ms)
{
	/* Where frames are mapped they would only cost the guest a copy. A driver domain has nothing but grants. */
	const char *persistent = device->disk.properties.persistent || host->domid != 0 ? "1" : "0";
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

	describe_disk(device, host, &texts, nodes);
	snprintf(order, sizeof(order), "%" PRIu32, host->config->max_ring_page_order);
	snprintf(queues, sizeof(queues), "%" PRIu32, queues_max(device, host));
	snprintf(indirect, sizeof(indirect), "%u", DISK_SEGMENTS_MAX);
	return device_write_nodes(device, host, nodes, sizeof(nodes) / sizeof(nodes[0]), XENBUS_INIT_WAIT,
				  now_ms);
}

static int read_rings(struct device *device, const struct host *host, struct message *message,
		      char text[ERROR_TEXT_MAX])
{
	struct message_disk_connect *connect = &message->connect;
	int error = frontend_disk_read(host, device->frontend, connect, text);

	/* What the frontend was offered, maybe by an xvhostd before this one. */
	connect->persistent = connect->persistent && device_says(device, host, "feature-persistent", "1");
	/* Only a connected frontend puts requests into its rings. */
	connect->again = device_in_use(device);
	device->disk.large_sectors = connect->large_sectors;
	return error;
}

static bool publish(struct device *device, const struct host *host, int64_t now_ms)
{
	struct disk_texts texts;
	struct node nodes[DISK_NODES + 1];

	describe_disk(device, host, &texts, nodes);
	if (!device_write_nodes(device, host, nodes, DISK_NODES + 1, XENBUS_CONNECTED, now_ms))
		return false;
	device->disk.published_bytes = device->disk.properties.size_bytes;
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: connected, %s sectors, blocks of %s bytes",
		    device->name, texts.sectors, texts.sector_size);
	return true;
}

/* As Linux's backend does it. */
static void resize(struct device *device, const struct host *host, int64_t now_ms)
{
	char sectors[NUMBER_TEXT_MAX];
	struct node nodes[] = {
		{"sectors", sectors},
		{NULL, NULL},
	};

	sectors_text(device, sectors);
	if (!device_write_nodes(device, host, nodes, sizeof(nodes) / sizeof(nodes[0]), XENBUS_CONNECTED,
				now_ms))
		return;
	device->disk.published_bytes = device->disk.properties.size_bytes;
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: resized, %s sectors", device->name, sectors);
}

/* answer_changed - MESSAGE_CHANGED. */
static int answer_changed(struct device *device, const struct host *host, struct message_disk_opened *changed,
			  int64_t now_ms)
{
	if (device->phase != PHASE_CHANGING)
		return -EPROTO;
	if (!are_sound(changed, true) || changed->block_bytes != device->disk.properties.block_bytes ||
	    (changed->lost && changed->error == 0))
		return -EPROTO;
	changed->text[ERROR_TEXT_MAX - 1] = '\0';
	device->answer_deadline_ms = 0;
	device->disk.properties = *changed;
	/* The frontend is told even if both have the same size. */
	device->disk.published_bytes = UINT64_MAX;
	if (changed->lost)
		device->phase = PHASE_OPEN;
	else
		device->phase = device->failure == FAILURE_NONE ? PHASE_PUBLISHED : PHASE_BROKEN;
	if (device_is_over(device))
		return 0;
	if (changed->lost)
		device_fail(device, host, now_ms, FAILURE_RUNTIME, changed->error, "%s", changed->text);
	else
		show_medium(device, host, changed->error, changed->text);
	return 0;
}

/* report_resized - MESSAGE_RESIZED. */
static int report_resized(struct device *device, const struct message_disk_resized *report)
{
	struct message_disk_opened properties = device->disk.properties;

	if (device->phase == PHASE_NONE || device->phase == PHASE_OPENING)
		return -EPROTO;
	properties.size_bytes = report->size_bytes;
	if (!are_sound(&properties, false))
		return -EPROTO;
	device->disk.properties.size_bytes = report->size_bytes;
	return 0;
}

static int answer(struct device *device, const struct host *host, struct message *message, int64_t now_ms)
{
	switch (message->type) {
	case MESSAGE_CHANGED:
		return answer_changed(device, host, &message->opened, now_ms);
	case MESSAGE_RESIZED:
		return report_resized(device, &message->resized);
	default:
		return -EPROTO;
	}
}

const struct device_kind device_kind_disk = {
	.class = DEVICE_DISK,
	.directory = "vbd",
	.noun = "disk",
	.hangs = "the storage has not answered in time; the disk is let go when it does",
	.driver = "xen-blkback",
	.module = "xen_blkback",
	.is_ours = is_ours,
	.read_wish = read_wish,
	.opening = opening,
	.opened = opened,
	.look = look,
	.offer = offer,
	.read_rings = read_rings,
	.publish = publish,
	.change = change,
	.resize = resize,
	.answer = answer,
};
