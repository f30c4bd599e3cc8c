// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon.c - xvhostd as a whole
 *
 * Theory of operation: one thread, one poll(2). A turn of the loop takes what has come: watches, signals,
 * messages and ends of workers; of each source so many at most that none holds up the others. That marks
 * devices dirty. Then each dirty device is looked at once (device.c), and workers that no device needs are
 * told to end. The uplinks of switches are workers, too, which are there without a device (uplinks.c).
 *
 * At the end, by SIGTERM or daemon_stop(), the devices' nodes stay as they are, and the workers are told to stop: they answer
 * what they have taken and let go of the rings. To the guest that is a disk which takes long to answer, or a network that loses packets. The
 * next xvhostd finds both ends connected and connects the ring again.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/device_kind.h"
#include "daemon/devices.h"
#include "daemon/host.h"
#include "daemon/kernel_driver.h"
#include "daemon/lock.h"
#include "daemon/nodes.h"
#include "daemon/notify.h"
#include "daemon/text.h"
#include "daemon/uplinks.h"
#include "daemon/worker_process.h"
#include "log.h"

#define WATCHES_PER_TURN 256
#define MESSAGES_PER_TURN 64 /* of each worker */

enum descriptor {
	DESCRIPTOR_XENSTORE,
	DESCRIPTOR_SIGNALS,
	DESCRIPTOR_STOP,
	DESCRIPTOR_WORKERS, /* from here on a socket and an end_fd for each */
};

struct daemon {
	struct host host;
	int read_error; /* the host's */
	const char *lock_path;
	int lock_fd;
	int signal_fd;
	int stop_fd; /* an eventfd of daemon_stop() */
	sigset_t former_mask;
	bool stopping;
	bool lost;	   /* xenstore is gone */
	bool watches_left; /* the last turn did not take all */
	struct workers workers;
	struct devices devices;
	int64_t scan_at_ms; /* 0: nothing was missed */
	struct uplinks uplinks;
	struct pollfd polled[DESCRIPTOR_WORKERS + 2 * WORKERS_MAX];
};

/* take_signals - block SIGTERM and SIGINT and get them by a descriptor; another one is for daemon_stop(). */
static bool take_signals(struct daemon *daemon)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	pthread_sigmask(SIG_BLOCK, &mask, &daemon->former_mask);
	daemon->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (daemon->signal_fd >= 0 && daemon->stop_fd >= 0)
		return true;
	log_error("can't make a descriptor: %s", strerror(errno));
	return false;
}

/* take_lock - be the only one. */
static bool take_lock(struct daemon *daemon)
{
	daemon->lock_fd = lock_take(daemon->lock_path);
	if (daemon->lock_fd == -EWOULDBLOCK)
		log_error("another xvhostd is running: it has locked %s", daemon->lock_path);
	else if (daemon->lock_fd < 0)
		log_error("can't lock %s: %s", daemon->lock_path, strerror(-daemon->lock_fd));
	return daemon->lock_fd >= 0;
}

/* find_domid - learn which domain this is. */
static bool find_domid(struct host *host)
{
	char *text = host->platform->xenstore_read(host->xenstore, 0, "domid");
	uint64_t domid = 0;
	bool found = text != NULL && text_number(text, 0, DOMID_LAST, &domid);

	if (text == NULL)
		log_error("xenstore has no node domid for this domain: %s; in Dom0 xen-init-dom0 writes it",
			  strerror(errno));
	else if (!found)
		log_error("xenstore node domid is \"%.40s\"; it must be a number from 0 to %u", text,
			  DOMID_LAST);
	host->domid = (uint16_t)domid;
	free(text);
	return found;
}

/* open_xenstore - connect, watch, and find what is there. */
static bool open_xenstore(struct daemon *daemon)
{
	struct host *host = &daemon->host;
	int error = host->platform->xenstore_open(host->platform, &host->xenstore);

	if (error < 0) {
		host->xenstore = NULL;
		log_error("can't connect to xenstore: %s; is this a Xen domain, and does xenstored run?",
			  strerror(-error));
		return false;
	}
	if (!find_domid(host) || devices_watch(host) < 0)
		return false;
	devices_scan(&daemon->devices, host);
	return true;
}

/* tell_of_kernel_drivers - those that are there. A host whose disks alone are xvhost's may well have xen-netback. */
static void tell_of_kernel_drivers(const char *sysfs_path)
{
	char text[ERROR_TEXT_MAX];

	for (unsigned i = 0; i < DEVICE_KINDS; i++) {
		const struct device_kind *kind = device_kinds[i];

		if (!kernel_driver_loaded(sysfs_path, kind->directory))
			continue;
		snprintf(text, sizeof(text),
			 "the kernel's driver %s is loaded and takes every %s before xvhostd "
			 "can; " KERNEL_DRIVER_ADVICE,
			 kind->driver, kind->directory, kind->module, kind->module);
		if (kind->class == DEVICE_DISK)
			log_error("%s", text);
		else
			log_warning("%s", text);
	}
}

struct daemon *daemon_create(const struct daemon_settings *settings)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	if (daemon == NULL) {
		log_error("out of memory");
		return NULL;
	}
	daemon->host = (struct host){
		.platform = settings->platform,
		.config = settings->config,
		.sysfs_path = settings->sysfs_path,
		.workers = &daemon->workers,
		.read_error = &daemon->read_error,
	};
	daemon->lock_path = settings->lock_path;
	daemon->workers.kind = settings->worker_kind;
	daemon->signal_fd = -1;
	daemon->stop_fd = -1;
	pthread_sigmask(SIG_BLOCK, NULL, &daemon->former_mask);
	if (!take_lock(daemon) || !take_signals(daemon)) {
		daemon_destroy(daemon);
		return NULL;
	}
	tell_of_kernel_drivers(settings->sysfs_path);
	if (!open_xenstore(daemon)) {
		daemon_destroy(daemon);
		return NULL;
	}
	log_info("ready, in domain %" PRIu16, daemon->host.domid);
	if (notify_send("READY=1") < 0)
		log_warning("can't tell the service manager that xvhostd is ready");
	return daemon;
}

/* begin_stop - let the workers end. */
static void begin_stop(struct daemon *daemon, int64_t now_ms)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	log_info("stopping");
	if (notify_send("STOPPING=1") < 0)
		log_warning("can't tell the service manager that xvhostd is stopping");
	for (uint32_t i = 0; i < daemon->workers.end; i++)
		if (daemon->workers.worker[i].used)
			worker_stop(&daemon->workers.worker[i], now_ms);
}

/* take_signal - SIGTERM or SIGINT. */
static void take_signal(struct daemon *daemon, int64_t now_ms)
{
	struct signalfd_siginfo info;

	if (read(daemon->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		begin_stop(daemon, now_ms);
}

/* take_stop - daemon_stop() was called. */
static void take_stop(struct daemon *daemon, int64_t now_ms)
{
	uint64_t value;

	if (read(daemon->stop_fd, &value, sizeof(value)) == (ssize_t)sizeof(value))
		begin_stop(daemon, now_ms);
}

/* take_watches - see what has changed in xenstore. */
static void take_watches(struct daemon *daemon)
{
	const struct platform *platform = daemon->host.platform;
	char path[XENSTORE_PATH_MAX], token[XENSTORE_PATH_MAX];

	daemon->watches_left = true;
	for (unsigned i = 0; i < WATCHES_PER_TURN; i++) {
		if (!platform->xenstore_next_watch(daemon->host.xenstore, path, sizeof(path), token,
						   sizeof(token))) {
			daemon->watches_left = false;
			return;
		}
		if (strcmp(token, DEVICES_TOKEN) == 0)
			devices_backend_changed(&daemon->devices, &daemon->host, path);
		else
			devices_frontend_changed(&daemon->devices, token);
	}
}

/* take_messages - hear what a worker has to say. */
static void take_messages(struct daemon *daemon, struct worker *worker, int64_t now_ms)
{
	struct message message;
	struct device *device;
	int result;

	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		result = worker_receive(worker, &message);
		if (result == 0)
			return;
		if (result < 0 && result != -EPROTO) {
			/* It has ended, or will. If not, it is made to. */
			worker->silent = true;
			worker_stop(worker, now_ms);
			return;
		}
		if (daemon->stopping)
			continue;
		device = result > 0 ? devices_find(&daemon->devices, message.class, worker->domid,
						   message.device_id)
				    : NULL;
		if (device == NULL || device->worker != worker ||
		    device_answer(device, &daemon->host, &message, now_ms) < 0) {
			worker->silent = true;
			worker_kill(worker, "it has sent a message that makes no sense");
			return;
		}
	}
}

/* wake_devices - the worker takes messages again. */
static void wake_devices(struct daemon *daemon, struct worker *worker)
{
	worker->blocked = false;
	for (uint32_t i = 0; i < daemon->devices.end; i++)
		if (daemon->devices.device[i].worker == worker)
			daemon->devices.device[i].dirty = true;
}

/* take_end - a worker's process may have ended. */
static void take_end(struct daemon *daemon, struct worker *worker, int64_t now_ms)
{
	char end[WORKER_END_MAX];
	bool needed = false;

	if (!worker_reap(worker, end))
		return;
	if (worker->uplink) {
		uplinks_ended(&daemon->uplinks, worker, end, daemon->stopping, now_ms);
		return;
	}
	host_clean_up(&daemon->host, worker->domid);
	for (uint32_t i = 0; i < daemon->devices.end; i++) {
		struct device *device = &daemon->devices.device[i];

		if (!device->used || device->worker != worker)
			continue;
		needed = needed || device_needs_worker(device);
		if (!daemon->stopping)
			device_worker_ended(device, &daemon->host, end, now_ms);
	}
	if (needed && !daemon->stopping)
		log_error("guest %" PRIu16 ": the worker, %s, is gone: %s", worker->domid, worker->name, end);
	else
		log_debug("guest %" PRIu16 ": worker, %s: %s", worker->domid, worker->name, end);
}

/* wait_for - how long the next poll may wait. */
static int wait_for(struct daemon *daemon, int wait_ms, int64_t now_ms)
{
	int64_t uplinks_ms = uplinks_wake_ms(&daemon->uplinks, daemon->host.config);
	int64_t wake_ms = wait_ms < 0 ? CLOCK_NEVER_MS : now_ms + wait_ms;

	if (daemon->watches_left)
		return 0;
	if (!daemon->stopping && daemon->scan_at_ms != 0 && daemon->scan_at_ms < wake_ms)
		wake_ms = daemon->scan_at_ms;
	for (uint32_t i = 0; i < daemon->devices.end && !daemon->stopping; i++) {
		const struct device *device = &daemon->devices.device[i];

		if (device->used && device->dirty)
			return 0;
		if (device->used && device->wake_ms < wake_ms)
			wake_ms = device->wake_ms;
	}
	if (!daemon->stopping && uplinks_ms < wake_ms)
		wake_ms = uplinks_ms;
	for (uint32_t i = 0; i < daemon->workers.end; i++) {
		const struct worker *worker = &daemon->workers.worker[i];

		if (worker->used && worker->stopping && !worker->killed && worker->kill_at_ms < wake_ms)
			wake_ms = worker->kill_at_ms;
	}
	if (wake_ms == CLOCK_NEVER_MS)
		return -1;
	if (wake_ms <= now_ms)
		return 0;
	return wake_ms - now_ms > INT32_MAX ? INT32_MAX : (int)(wake_ms - now_ms);
}

/* set_up_poll - what to wait for. Returns the number of descriptors. */
static nfds_t set_up_poll(struct daemon *daemon)
{
	nfds_t count = DESCRIPTOR_WORKERS;
	int xenstore_fd = daemon->host.platform->xenstore_fd(daemon->host.xenstore);

	daemon->polled[DESCRIPTOR_XENSTORE] = (struct pollfd){.fd = daemon->lost ? -1 : xenstore_fd,
							      .events = POLLIN};
	daemon->polled[DESCRIPTOR_SIGNALS] = (struct pollfd){.fd = daemon->signal_fd, .events = POLLIN};
	daemon->polled[DESCRIPTOR_STOP] = (struct pollfd){.fd = daemon->stop_fd, .events = POLLIN};
	for (uint32_t i = 0; i < daemon->workers.end; i++) {
		const struct worker *worker = &daemon->workers.worker[i];

		daemon->polled[count++] = (struct pollfd){
			.fd = worker->used && !worker->silent ? worker->socket : -1,
			.events = (short)(POLLIN | (worker->blocked ? POLLOUT : 0)),
		};
		daemon->polled[count++] = (struct pollfd){.fd = worker->used ? worker->end_fd : -1,
							  .events = POLLIN};
	}
	return count;
}

/* take_workers - deal with what poll said of the workers' descriptors. */
static void take_workers(struct daemon *daemon, nfds_t count, int64_t now_ms)
{
	for (nfds_t at = DESCRIPTOR_WORKERS; at < count; at += 2) {
		struct worker *worker = &daemon->workers.worker[(at - DESCRIPTOR_WORKERS) / 2];

		if (daemon->polled[at].revents & POLLOUT)
			wake_devices(daemon, worker);
		if (daemon->polled[at].revents & ~POLLOUT)
			take_messages(daemon, worker, now_ms);
		if (daemon->polled[at + 1].revents != 0)
			take_end(daemon, worker, now_ms);
	}
}

/* scan_again - when some devices could not be seen, and it is time to try again. */
static void scan_again(struct daemon *daemon, int64_t now_ms)
{
	if (daemon->scan_at_ms != 0 && now_ms >= daemon->scan_at_ms) {
		daemon->scan_at_ms = 0;
		devices_scan(&daemon->devices, &daemon->host);
	}
	if (daemon->devices.missed && daemon->scan_at_ms == 0)
		daemon->scan_at_ms = now_ms + RETRY_PAUSE_MS;
	daemon->devices.missed = false;
}

/* look_at_devices - look at those that are dirty, once each. */
static void look_at_devices(struct daemon *daemon, int64_t now_ms)
{
	for (uint32_t i = 0; i < daemon->devices.end; i++) {
		struct device *device = &daemon->devices.device[i];

		if (device->used && (device->dirty || now_ms >= device->wake_ms))
			device_evaluate(device, &daemon->host, now_ms);
	}
	while (daemon->devices.end > 0 && !daemon->devices.device[daemon->devices.end - 1].used)
		daemon->devices.end--;
}

/* share_memory - among the workers that serve guests: each may keep as much mapped as the others. */
static void share_memory(struct daemon *daemon, uint32_t serving)
{
	const struct config *config = daemon->host.config;
	uint32_t mib = config->memory_host_mib / (serving > 0 ? serving : 1);

	if (mib > config->memory_guest_mib)
		mib = config->memory_guest_mib;
	for (uint32_t i = 0; i < daemon->workers.end; i++) {
		struct worker *worker = &daemon->workers.worker[i];

		if (worker->used && !worker->uplink && !worker->stopping && !worker->killed)
			worker_tell_memory(worker, config, mib > 0 ? mib : 1);
	}
}

/* look_at_workers - end those that nobody needs, and those that do not end. Returns how many there are. */
static uint32_t look_at_workers(struct daemon *daemon, int64_t now_ms)
{
	uint32_t used = 0, serving = 0;

	for (uint32_t i = 0; i < daemon->workers.end; i++) {
		daemon->workers.worker[i].needed = daemon->workers.worker[i].uplink != NULL;
		daemon->workers.worker[i].serving = false;
	}
	for (uint32_t i = 0; i < daemon->devices.end; i++) {
		const struct device *device = &daemon->devices.device[i];

		if (!device->used || !device_needs_worker(device))
			continue;
		device->worker->needed = true;
		device->worker->serving |= device_is_served(device);
	}
	for (uint32_t i = 0; i < daemon->workers.end; i++) {
		struct worker *worker = &daemon->workers.worker[i];

		if (!worker->used)
			continue;
		used++;
		if (!worker->needed)
			worker_stop(worker, now_ms);
		if (worker->stopping && now_ms >= worker->kill_at_ms)
			worker_kill(worker, "it was to end and has not");
		serving += !worker->uplink && !worker->stopping && !worker->killed;
	}
	share_memory(daemon, serving);
	while (daemon->workers.end > 0 && !daemon->workers.worker[daemon->workers.end - 1].used)
		daemon->workers.end--;
	return used;
}

bool daemon_turn(struct daemon *daemon, int wait_ms)
{
	nfds_t count = set_up_poll(daemon);
	int64_t now_ms = clock_now_ms();
	short xenstore_events;

	if (poll(daemon->polled, count, wait_for(daemon, wait_ms, now_ms)) < 0) {
		if (errno != EINTR)
			log_error("poll: %s", strerror(errno));
		return errno == EINTR;
	}
	now_ms = clock_now_ms();
	xenstore_events = daemon->polled[DESCRIPTOR_XENSTORE].revents;
	if (xenstore_events & (POLLERR | POLLHUP | POLLNVAL)) {
		log_error("the connection to xenstore is lost");
		daemon->lost = true;
		begin_stop(daemon, now_ms);
	}
	if (daemon->polled[DESCRIPTOR_SIGNALS].revents != 0)
		take_signal(daemon, now_ms);
	if (daemon->polled[DESCRIPTOR_STOP].revents != 0)
		take_stop(daemon, now_ms);
	if (!daemon->stopping && ((xenstore_events & POLLIN) || daemon->watches_left))
		take_watches(daemon);
	take_workers(daemon, count, now_ms);
	if (!daemon->stopping) {
		scan_again(daemon, now_ms);
		look_at_devices(daemon, now_ms);
		uplinks_start(&daemon->uplinks, &daemon->host, now_ms);
	}
	return look_at_workers(daemon, now_ms) > 0 || !daemon->stopping;
}

void daemon_stop(struct daemon *daemon)
{
	const uint64_t one = 1;

	/* It fails only when it was called more often than anybody could count. */
	if (write(daemon->stop_fd, &one, sizeof(one)) < 0)
		log_error("can't ask xvhostd to stop: %s", strerror(errno));
}

bool daemon_destroy(struct daemon *daemon)
{
	struct host *host = &daemon->host;
	bool in_order = daemon->stopping && !daemon->lost;

	for (uint32_t i = 0; i < daemon->devices.end && !daemon->lost; i++)
		if (daemon->devices.device[i].used)
			device_release(&daemon->devices.device[i], host);
	if (host->xenstore != NULL) {
		if (!daemon->lost)
			devices_unwatch(host);
		host->platform->xenstore_close(host->xenstore);
	}
	if (daemon->signal_fd >= 0)
		close(daemon->signal_fd);
	if (daemon->stop_fd >= 0)
		close(daemon->stop_fd);
	if (daemon->lock_fd >= 0)
		lock_release(daemon->lock_path, daemon->lock_fd);
	pthread_sigmask(SIG_SETMASK, &daemon->former_mask, NULL);
	free(daemon);
	return in_order;
}
