// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_xenstore.c - a guest that writes anything into xenstore, in any order, against all of xvhostd
 *
 * xvhostd runs on this thread, a turn at a time, over the simulated xenstore; the harness is its workers, the toolstack
 * and the clock, so nothing is waited for. An input is a program: steps of the guest (sim/nonsense.h) and, between them,
 * turns, time that passes, workers that fail or that the guest has broken into, the disk or card being detached, attached anew,
 * xvhostd being started again.
 *
 * What must hold besides memory: the disk of another guest stays connected, and its worker hears nothing; what is asked
 * of a worker is possible and within limits; an error names its cause; xvhostd comes to rest; and when the guest is gone
 * nothing is left of it, here or in xenstore.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/device.h"
#include "daemon/worker_process.h"
#include "sim/nonsense.h"
#include "sim/toolstack.h"
#include "sim/xenstore.h"

#define HOSTILE 3
#define INNOCENT 4
#define DRIVER_DOMAIN 2
#define DEVICE 51712
#define RING_REF 8
#define EVENT_CHANNEL 9
#define TURNS_TO_REST 12 /* without time passing */
#define STARTS_MAX 2	 /* of xvhostd by one input: they take long */
#define STEPS_MAX 300	 /* of one input */
#define END_STEP_MS 1000
#define END_STEPS_MAX 120
#define FAKES_MAX 16

/* ---- the world: one for each domain that xvhostd may run in ---- */

/* What the hostile guest's worker does with what it is asked. */
enum mood {
	GOOD,
	OPEN_FAILS,
	CONNECT_FAILS,
	BREAKS,
	DIES_OPENING,
	DIES_CONNECTING,
	SILENT,
	MOODS
};

/* A worker that is not one. It has one disk or card at most. */
struct fake {
	bool used;
	uint16_t domid;
	int socket; /* -1: closed */
	int end_fd;
	bool opened, connected, hung;
	bool broken_into; /* it has said what was not so, and what it is asked means nothing any more */
};

struct world {
	struct sim_store *store;
	uint16_t host_domid;
	struct xenstore *toolstack;
	struct platform platform;
	struct worker_kind kind;
	struct config config;
	struct daemon_settings settings;
	struct daemon *daemon;
	char directory[32], lock_path[64];
	struct fake fakes[FAKES_MAX];
	enum mood mood;
	bool innocent_is_left_alone;
	unsigned starts; /* of xvhostd, since the hostile guest is there */
	bool lied_to;	 /* by a worker, since the hostile guest is there */
	unsigned calls;	 /* of xenstore */
	unsigned nodes, watches;
};

/* What the hostile guest has: the one or the other. */
struct device_given {
	bool card;
	struct sim_block block;
	struct sim_vif vif;
};

static struct world worlds[2];
static struct device_given given;
static struct world *world;
static int64_t clock_ms;

/* clock_now_ms - in the place of clock.c's. */
int64_t clock_now_ms(void)
{
	return clock_ms;
}

__attribute__((format(printf, 2, 3))) static void must(bool holds, const char *format, ...)
{
	va_list arguments;

	if (holds)
		return;
	va_start(arguments, format);
	fprintf(stderr, "does not hold: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	abort();
}

/* ---- xenstore, whose calls are counted ---- */

static int open_store(const struct platform *platform, struct xenstore **xenstore)
{
	(void)platform;
	return sim_store_connect(world->store, world->host_domid, xenstore);
}

static char *read_node(struct xenstore *xenstore, uint32_t transaction, const char *path)
{
	world->calls++;
	return sim_xenstore_read(xenstore, transaction, path);
}

static uint32_t start_transaction(struct xenstore *xenstore)
{
	world->calls++;
	return sim_xenstore_transaction_start(xenstore);
}

static const struct platform platform = {
	.name = "fuzz",
	.xenstore_open = open_store,
	.xenstore_close = sim_xenstore_close,
	.xenstore_read = read_node,
	.xenstore_write = sim_xenstore_write,
	.xenstore_remove = sim_xenstore_remove,
	.xenstore_directory = sim_xenstore_directory,
	.xenstore_transaction_start = start_transaction,
	.xenstore_transaction_end = sim_xenstore_transaction_end,
	.xenstore_watch = sim_xenstore_watch,
	.xenstore_unwatch = sim_xenstore_unwatch,
	.xenstore_fd = sim_xenstore_fd,
	.xenstore_next_watch = sim_xenstore_next_watch,
};

/* node - a node as the toolstack sees it, good until the next call; "" if it is not there. */
static const char *node(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *node(const char *format, ...)
{
	static char value[XENSTORE_VALUE_MAX];
	char path[XENSTORE_PATH_MAX];
	va_list arguments;
	char *read;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	read = sim_xenstore_read(world->toolstack, 0, path);
	snprintf(value, sizeof(value), "%s", read != NULL ? read : "");
	free(read);
	return value;
}

/* ---- workers ---- */

static int fake_start(struct worker *worker, const struct config *unused, int socket)
{
	struct fake *fake = world->fakes;

	(void)unused;
	while (fake->used)
		must(++fake < world->fakes + FAKES_MAX, "workers that are not needed end");
	*fake = (struct fake){.used = true, .domid = worker->domid, .socket = socket};
	fake->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(fake->end_fd >= 0, "eventfd: %s", strerror(errno));
	worker->end_fd = fake->end_fd;
	worker->thread = fake;
	snprintf(worker->name, sizeof(worker->name), "fake");
	return 0;
}

static void fake_end(struct fake *fake)
{
	const uint64_t one = 1;

	if (fake->socket < 0)
		return;
	close(fake->socket);
	fake->socket = -1;
	must(write(fake->end_fd, &one, sizeof(one)) == sizeof(one), "an eventfd takes a 1");
}

static void fake_kill(struct worker *worker)
{
	fake_end(worker->thread);
}

static bool fake_reap(struct worker *worker, char end[WORKER_END_MAX])
{
	struct fake *fake = worker->thread;
	uint64_t value;

	if (read(fake->end_fd, &value, sizeof(value)) < 0)
		return false;
	snprintf(end, WORKER_END_MAX, "the fake ended");
	close(fake->end_fd);
	fake->used = false;
	return true;
}

static void answer(const struct fake *fake, struct message *message, enum message_type type)
{
	message->type = type;
	/* xvhostd may just have closed its end. */
	if (send(fake->socket, message, sizeof(*message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		must(errno == EPIPE || errno == ECONNRESET, "an answer: %s", strerror(errno));
}

/* check_target - what is to be opened is the toolstack's. */
static void check_target(const struct message_disk_open *open)
{
	must(strcmp(open->target, "file:path=/x") == 0 ||
		     (open->removable &&
		      (open->target[0] == '\0' || strcmp(open->target, "file:path=/y") == 0)),
	     "the target is the toolstack's");
}

/* check_card - the same of a card, and what a worker may rely on. */
static void check_card(const struct message_net_open *open)
{
	static const uint8_t mac[] = {0x00, 0x16, 0x3e, 1, 2, 3};

	must(strcmp(open->target, "switch:") == 0, "the target is the configuration's");
	must(strcmp(open->interface, "vif3.51712") == 0 && strcmp(open->bridge, "xenbr0") == 0 &&
		     memcmp(open->mac, mac, sizeof(mac)) == 0 && open->mtu == 1500,
	     "a card is as the toolstack has it");
	must(open->queues_max >= 1 && open->queues_max <= NET_QUEUES_MAX, "%" PRIu32 " queues",
	     open->queues_max);
}

/* check_settings - of a card. */
static void check_settings(const struct message_net_settings *settings)
{
	must((settings->rate_bytes == 0) == (settings->rate_interval_us == 0), "a rate has both or none");
	must(settings->xdp_headroom <= NET_XDP_HEADROOM_MAX, "headroom %" PRIu32, settings->xdp_headroom);
}

/* fake_open_card - as fake_open. */
static void fake_open_card(struct fake *fake, struct message *message, enum mood mood)
{
	check_card(&message->net_open);
	check_settings(&message->net_open.settings);
	memset(&message->net_opened, 0, sizeof(message->net_opened));
	if (mood == OPEN_FAILS) {
		message->net_opened.error = -ENOENT;
		snprintf(message->net_opened.text, sizeof(message->net_opened.text),
			 "the fake has no network");
	} else {
		fake->opened = true;
		message->net_opened.takes = 15;
		message->net_opened.queues_max = 2;
	}
	answer(fake, message, MESSAGE_OPENED);
}

static void fake_open(struct fake *fake, struct message *message, enum mood mood)
{
	must(!fake->opened, "a disk or card is opened once");
	if (message->class == DEVICE_DISK)
		check_target(&message->open);
	if (mood == DIES_OPENING) {
		fake_end(fake);
		return;
	}
	if (message->class == DEVICE_NET) {
		fake_open_card(fake, message, mood);
		return;
	}
	memset(&message->opened, 0, sizeof(message->opened));
	if (mood == OPEN_FAILS) {
		message->opened.error = -ENOENT;
		snprintf(message->opened.text, sizeof(message->opened.text), "the fake has no disk");
	} else {
		fake->opened = true;
		message->opened.size_bytes = 1 << 20;
		message->opened.block_bytes = 512;
		message->opened.physical_block_bytes = 512;
		message->opened.flush = true;
	}
	answer(fake, message, MESSAGE_OPENED);
}

/* check_rings - what a worker may rely on. */
static void check_rings(const struct message_disk_connect *connect)
{
	must(connect->protocol == BLKIF_X86_64 || connect->protocol == BLKIF_X86_32, "protocol %d",
	     (int)connect->protocol);
	must(connect->ring_pages >= 1 && connect->ring_pages <= RING_PAGES_MAX &&
		     (connect->ring_pages & (connect->ring_pages - 1)) == 0,
	     "%" PRIu32 " pages", connect->ring_pages);
	must(connect->queue_count >= 1 && connect->queue_count <= DISK_QUEUES_MAX, "%" PRIu32 " queues",
	     connect->queue_count);
	for (uint32_t i = 0; i < connect->queue_count; i++)
		must(connect->queues[i].event_channel >= 1 && connect->queues[i].event_channel < 1u << 17,
		     "event channel %" PRIu32, connect->queues[i].event_channel);
}

/* check_card_rings - the same of a card. */
static void check_card_rings(const struct message_net_connect *connect)
{
	must(connect->queue_count >= 1 && connect->queue_count <= NET_QUEUES_MAX, "%" PRIu32 " queues",
	     connect->queue_count);
	for (uint32_t i = 0; i < connect->queue_count; i++)
		must(connect->queues[i].event_channel_tx >= 1 && connect->queues[i].event_channel_rx >= 1 &&
			     connect->queues[i].event_channel_tx < 1u << 17 &&
			     connect->queues[i].event_channel_rx < 1u << 17,
		     "event channels %" PRIu32 " and %" PRIu32, connect->queues[i].event_channel_tx,
		     connect->queues[i].event_channel_rx);
	must(connect->guest_takes <= 15 && (connect->scatter || connect->guest_takes <= 3), "takes %" PRIu32,
	     connect->guest_takes);
	must(!connect->ctrl, "there is no control ring");
	check_settings(&connect->settings);
}

static void fake_connect(struct fake *fake, struct message *message, enum mood mood)
{
	must(fake->opened && !fake->connected, "an open disk or card is connected, once");
	if (message->class == DEVICE_NET)
		check_card_rings(&message->net_connect);
	else
		check_rings(&message->connect);
	if (mood == DIES_CONNECTING) {
		fake_end(fake);
		return;
	}
	memset(&message->error, 0, sizeof(message->error));
	if (mood == CONNECT_FAILS) {
		message->error.error = -EINVAL;
		snprintf(message->error.text, sizeof(message->error.text), "the fake has no ring");
	} else {
		fake->connected = true;
	}
	answer(fake, message, MESSAGE_CONNECTED);
	if (mood == BREAKS) {
		message->error.error = -EPROTO;
		snprintf(message->error.text, sizeof(message->error.text), "the fake is broken");
		answer(fake, message, MESSAGE_BROKEN);
	}
}

/* fake_change - another medium; or none, be it asked for or because it can't be had. */
static void fake_change(struct fake *fake, struct message *message, enum mood mood)
{
	bool empty = message->open.target[0] == '\0' || mood == OPEN_FAILS;

	must(message->class == DEVICE_DISK && fake->opened && fake->connected,
	     "a connected disk gets another medium");
	must(message->open.removable, "it is a drive");
	check_target(&message->open);
	if (mood == DIES_OPENING) {
		fake_end(fake);
		return;
	}
	memset(&message->opened, 0, sizeof(message->opened));
	if (mood == OPEN_FAILS || mood == CONNECT_FAILS) {
		message->opened.error = -ENOENT;
		snprintf(message->opened.text, sizeof(message->opened.text), "the fake has no disk");
	}
	message->opened.lost = mood == CONNECT_FAILS;
	fake->connected = !message->opened.lost;
	message->opened.size_bytes = empty ? 0 : 2 << 20;
	message->opened.block_bytes = 512;
	message->opened.physical_block_bytes = 512;
	answer(fake, message, MESSAGE_CHANGED);
}

/* fake_hear - do what a worker is asked. */
static void fake_hear(struct fake *fake, struct message *message)
{
	enum mood mood = fake->domid == INNOCENT ? GOOD : world->mood;

	/* Its part of what workers may keep mapped changes with their number. */
	if (message->type == MESSAGE_MEMORY)
		return;
	if (fake->domid == INNOCENT)
		must(!world->innocent_is_left_alone || message->type == MESSAGE_STOP,
		     "the other guest's worker is asked nothing, but it was: %d", (int)message->type);
	must(message->class == (message->type == MESSAGE_STOP	       ? 0
				: fake->domid == HOSTILE && given.card ? DEVICE_NET
								       : DEVICE_DISK),
	     "class %d", (int)message->class);
	must(message->device_id == (message->type == MESSAGE_STOP ? 0 : DEVICE), "device %" PRIu32,
	     message->device_id);
	fake->hung = fake->hung || mood == SILENT;
	if (fake->hung)
		return;
	if (fake->broken_into) {
		if (message->type == MESSAGE_STOP)
			fake_end(fake);
		return;
	}
	switch (message->type) {
	case MESSAGE_OPEN:
		fake_open(fake, message, mood);
		break;
	case MESSAGE_CONNECT:
		fake_connect(fake, message, mood);
		break;
	case MESSAGE_CHANGE:
		if (message->class == DEVICE_DISK) {
			fake_change(fake, message, mood);
			break;
		}
		must(fake->connected, "a connected card has settings");
		check_settings(&message->net_settings);
		answer(fake, message, MESSAGE_CHANGED);
		break;
	case MESSAGE_DISCONNECT:
		must(fake->opened, "an open disk or card is disconnected");
		fake->connected = false;
		answer(fake, message, MESSAGE_DISCONNECTED);
		break;
	case MESSAGE_CLOSE:
		must(fake->opened && !fake->connected, "a disk or card is closed that is not connected");
		fake->opened = false;
		answer(fake, message, MESSAGE_CLOSED);
		break;
	default:
		must(message->type == MESSAGE_STOP, "message %d", (int)message->type);
		fake_end(fake);
	}
}

/* lie - what is in the program comes from the hostile guest's worker. */
static void lie(struct sim_nonsense *program)
{
	struct message message;
	size_t length = sizeof(message) - (sim_nonsense_byte(program) == 0);
	uint8_t type = sim_nonsense_byte(program);

	memset(&message, 0, sizeof(message));
	message.type = type % (MESSAGE_TYPES + 1);
	message.class = given.card == (type < 224) ? DEVICE_NET : DEVICE_DISK;
	message.device_id = sim_nonsense_byte(program) == 0 ? DEVICE + 1 : DEVICE;
	for (uint8_t *at = (uint8_t *)&message.opened; at < (uint8_t *)&message.opened.text[16]; at++)
		*at = sim_nonsense_byte(program);
	message.opened.text[ERROR_TEXT_MAX - 1] = 'x';
	if (given.card) {
		message.net_opened.takes = sim_nonsense_byte(program) & 31;
		message.net_opened.queues_max = sim_nonsense_byte(program) & 15;
	} else {
		message.opened.size_bytes = (uint64_t)sim_nonsense_byte(program) << 5;
		message.opened.block_bytes = (uint32_t)sim_nonsense_byte(program) << 8;
		message.opened.physical_block_bytes = message.opened.block_bytes;
	}
	for (struct fake *fake = world->fakes; fake < world->fakes + FAKES_MAX; fake++) {
		if (!fake->used || fake->socket < 0 || fake->domid != HOSTILE)
			continue;
		fake->broken_into = true;
		world->lied_to = true;
		if (send(fake->socket, &message, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			must(errno == EPIPE || errno == ECONNRESET || errno == EAGAIN, "a lie: %s",
			     strerror(errno));
	}
}

static void serve_workers(void)
{
	struct message message;

	for (struct fake *fake = world->fakes; fake < world->fakes + FAKES_MAX; fake++)
		while (fake->used && fake->socket >= 0) {
			ssize_t got = recv(fake->socket, &message, sizeof(message), MSG_DONTWAIT);

			if (got < 0)
				break;
			if (got == 0)
				fake_end(fake);
			else
				fake_hear(fake, &message);
		}
}

/* ---- xvhostd ---- */

static void turn(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		must(daemon_turn(world->daemon, 0), "xvhostd goes on");
		serve_workers();
	}
}

static void start_daemon(void)
{
	world->daemon = daemon_create(&world->settings);
	must(world->daemon != NULL, "xvhostd starts");
}

static void stop_daemon(void)
{
	unsigned turns = 0;

	daemon_stop(world->daemon);
	while (daemon_turn(world->daemon, 0)) {
		serve_workers();
		must(++turns < END_STEPS_MAX, "xvhostd ends");
		clock_ms += END_STEP_MS;
	}
	must(daemon_destroy(world->daemon), "xvhostd has ended because it was asked to");
	for (const struct fake *fake = world->fakes; fake < world->fakes + FAKES_MAX; fake++)
		must(!fake->used, "no worker is left");
}

/* start_again - the innocent's disk is found connected, and is so again. */
static void start_again(void)
{
	if (world->starts == STARTS_MAX)
		return;
	world->starts++;
	stop_daemon();
	world->innocent_is_left_alone = false;
	start_daemon();
	turn(8);
	world->innocent_is_left_alone = true;
}

static void make_world(struct world *made, uint16_t host_domid, uint32_t max_queues,
		       uint32_t max_ring_page_order)
{
	static const struct sim_block innocent = {
		.domid = INNOCENT, .device_id = DEVICE, .target = "file:path=/x"};
	struct sim_block block = innocent;
	struct xenstore *guest;

	world = made;
	*made = (struct world){.host_domid = host_domid, .platform = platform, .store = sim_store_create()};
	must(made->store != NULL && sim_store_connect(made->store, 0, &made->toolstack) == 0, "a store");
	config_set_defaults(&made->config);
	made->config.max_queues = max_queues;
	made->config.max_ring_page_order = max_ring_page_order;
	snprintf(made->directory, sizeof(made->directory), "/dev/shm/xvhost-fuzz-XXXXXX");
	must(mkdtemp(made->directory) != NULL, "mkdtemp: %s", strerror(errno));
	snprintf(made->lock_path, sizeof(made->lock_path), "%s/lock", made->directory);
	made->kind = (struct worker_kind){.start = fake_start, .kill = fake_kill, .reap = fake_reap};
	made->settings = (struct daemon_settings){
		.platform = &made->platform,
		.config = &made->config,
		.lock_path = made->lock_path,
		.sysfs_path = "/nowhere",
		.worker_kind = &made->kind,
	};
	if (host_domid != 0)
		sim_store_introduce(made->store, host_domid);
	sim_store_introduce(made->store, INNOCENT);
	start_daemon();
	block.host_domid = host_domid;
	must(sim_block_create(made->toolstack, &block) == 0, "the other guest's disk");
	turn(8);
	must(sim_store_connect(made->store, INNOCENT, &guest) == 0, "the other guest");
	sim_xenstore_write(guest, 0, "device/vbd/51712/ring-ref", "8");
	sim_xenstore_write(guest, 0, "device/vbd/51712/event-channel", "9");
	sim_xenstore_write(guest, 0, "device/vbd/51712/state", "3");
	turn(8);
	sim_xenstore_write(guest, 0, "device/vbd/51712/state", "4");
	turn(8);
	sim_xenstore_close(guest);
	made->innocent_is_left_alone = true;
	made->nodes = sim_store_nodes(made->store);
	made->watches = sim_store_watches(made->store);
}

static void end_worlds(void)
{
	for (unsigned i = 0; i < 2; i++) {
		world = &worlds[i];
		if (world->daemon == NULL)
			continue;
		stop_daemon();
		sim_xenstore_close(world->toolstack);
		sim_store_destroy(world->store);
	}
}

static void make_worlds(void)
{
	/* Not a line. */
	log_init("xvhostd", (enum log_level)0);
	make_world(&worlds[0], 0, 4, 4);
	make_world(&worlds[1], DRIVER_DOMAIN, 1, 1);
	atexit(end_worlds);
}

/* ---- what must hold ---- */

static void check_innocent(void)
{
	must(strcmp(node("/local/domain/%u/backend/vbd/%u/%u/state", world->host_domid, INNOCENT, DEVICE),
		    "4") == 0,
	     "the other guest's disk is connected");
	must(node("/local/domain/%u/error/backend/vbd/%u/%u/error", world->host_domid, INNOCENT, DEVICE)[0] ==
		     '\0',
	     "the other guest's disk has no error");
}

/* check_error - it is a number and a sentence that names its cause. */
static void check_error(void)
{
	static const char *const causes[] = {"frontend node ", "the fake ", "the worker ", "backend node "};
	const char *text = node("/local/domain/%u/error/backend/%s/%u/%u/error", world->host_domid,
				given.card ? "vif" : "vbd", HOSTILE, DEVICE);
	bool named = text[0] == '\0' || world->lied_to;

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		named = named || strstr(text, causes[i]) != NULL;
	/* What a worker says is passed on. */
	must(named && (text[0] == '\0' || (text[0] >= '1' && text[0] <= '9')), "an error has a cause: \"%s\"",
	     text);
	for (; *text != '\0'; text++)
		must(*text >= ' ' && *text <= '~', "an error can be printed");
}

/* check_rest - nothing is done when nothing happens. */
static void check_rest(void)
{
	unsigned calls;

	turn(TURNS_TO_REST);
	calls = world->calls;
	turn(1);
	must(world->calls == calls, "xvhostd comes to rest");
}

/* check_nothing_left - of the guest, which is gone, after some time. */
static void check_nothing_left(void)
{
	unsigned nodes = 0, watches = 0, fakes = 0;

	for (unsigned i = 0; i < END_STEPS_MAX; i++) {
		turn(2);
		nodes = sim_store_nodes(world->store);
		watches = sim_store_watches(world->store);
		fakes = 0;
		for (const struct fake *fake = world->fakes; fake < world->fakes + FAKES_MAX; fake++)
			fakes += fake->used;
		if (nodes == world->nodes && watches == world->watches && fakes == 1)
			return;
		clock_ms += END_STEP_MS;
	}
	must(false, "nothing is left: %u nodes, not %u; %u watches, not %u; %u workers, not 1", nodes,
	     world->nodes, watches, world->watches, fakes);
}

/* ---- an input ---- */

/* create, begin_detach, detach - what the hostile guest has. */
static int create(void)
{
	return given.card ? sim_vif_create(world->toolstack, &given.vif)
			  : sim_block_create(world->toolstack, &given.block);
}

static int begin_detach(bool force)
{
	return given.card ? sim_vif_begin_detach(world->toolstack, &given.vif, force)
			  : sim_block_begin_detach(world->toolstack, &given.block, force);
}

static int detach(bool force)
{
	return given.card ? sim_vif_detach(world->toolstack, &given.vif, force, 0)
			  : sim_block_detach(world->toolstack, &given.block, force, 0);
}

/* run_script - of a card: what vif-xvhost says, or something else. Nothing if there is no card. */
static void run_script(const char *said)
{
	char directory[XENSTORE_PATH_MAX], path[XENSTORE_PATH_MAX];

	snprintf(directory, sizeof(directory), "/local/domain/%u/backend/vif/%u/%u", world->host_domid,
		 HOSTILE, DEVICE);
	if (node("%s/state", directory)[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s/hotplug-status", directory);
	sim_xenstore_write(world->toolstack, 0, path, said);
}

/* change_card - the operator, or the script that comes late. */
static void change_card(uint8_t choice)
{
	static const char *const rates[] = {"1000,50000", "4000000000,1", "0,0", "fast"};
	static const char *const words[] = {"connected", "error", "", "connected"};

	run_script(words[choice / 8 % 4]);
	if (choice % 2 &&
	    node("/local/domain/%u/backend/vif/%u/%u/state", world->host_domid, HOSTILE, DEVICE)[0] != '\0')
		sim_vif_set_rate(world->toolstack, &given.vif, rates[choice / 2 % 4]);
}

/* toolstack_step - the disk or card is detached, or attached anew; or there is another medium in the drive, or another rate. */
static void toolstack_step(uint8_t choice)
{
	static const char *const media[] = {"", "file:path=/x", "file:path=/y"};

	if (given.card && choice >= 128) {
		change_card(choice);
		return;
	}
	if (given.block.removable && choice >= 128) {
		sim_block_insert(world->toolstack, &given.block, media[choice % 3]);
		return;
	}
	switch (choice % 4) {
	case 0:
		begin_detach(false);
		break;
	case 1:
		begin_detach(true);
		break;
	case 2:
		detach(false);
		break;
	case 3:
		detach(true);
		turn(choice / 4 % 4);
		create();
		break;
	}
}

/* step - one of the guest's, or one of the world around it. */
static void step(struct sim_nonsense *nonsense, uint8_t choice)
{
	static const unsigned times_ms[] = {100,
					    OPEN_PAUSE_MS,
					    2500,
					    OPEN_TIMEOUT_MS,
					    DISCONNECT_TIMEOUT_MS,
					    TELL_TIMEOUT_MS,
					    ANSWER_TIMEOUT_MS};

	if (choice < 160) {
		sim_nonsense_step(nonsense);
	} else if (choice < 220) {
		turn(1 + choice % 3);
		check_innocent();
		check_error();
	} else if (choice < 230) {
		clock_ms += times_ms[choice % (sizeof(times_ms) / sizeof(times_ms[0]))];
		turn(1);
	} else if (choice < 238) {
		world->mood = choice % MOODS;
	} else if (choice < 242) {
		lie(nonsense);
	} else if (choice < 253) {
		toolstack_step(sim_nonsense_byte(nonsense));
	} else {
		start_again();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sim_nonsense nonsense = {.device_id = DEVICE,
					.domid = HOSTILE,
					.ring_ref = RING_REF,
					.event_channel = EVENT_CHANNEL,
					.bytes = data,
					.left = size};
	uint8_t first;

	if (worlds[0].daemon == NULL)
		make_worlds();
	first = sim_nonsense_byte(&nonsense);
	world = &worlds[first % 2];
	given = (struct device_given){
		.card = first & 8,
		.block = {.domid = HOSTILE,
			  .host_domid = world->host_domid,
			  .device_id = DEVICE,
			  .target = "file:path=/x",
			  .removable = first & 4},
		.vif = {.domid = HOSTILE,
			.host_domid = world->host_domid,
			.handle = DEVICE,
			.mac = "00:16:3e:01:02:03",
			.bridge = "xenbr0"},
	};
	world->mood = GOOD;
	world->lied_to = false;
	world->starts = 0;
	nonsense.host_domid = world->host_domid;
	nonsense.card = given.card;
	sim_store_introduce(world->store, HOSTILE);
	must(sim_store_connect(world->store, HOSTILE, &nonsense.guest) == 0, "a guest");
	must(create() == 0, "a disk or a card");
	turn(4);
	if (given.card && first & 16)
		run_script("connected");
	for (unsigned steps = 0; nonsense.left > 0 && steps < STEPS_MAX; steps++)
		step(&nonsense, sim_nonsense_byte(&nonsense));
	sim_nonsense_end(&nonsense);
	check_rest();
	check_error();
	detach(true);
	sim_xenstore_close(nonsense.guest);
	sim_store_release(world->store, HOSTILE);
	check_nothing_left();
	check_innocent();
	return 0;
}
