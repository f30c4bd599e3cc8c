// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host.c - xvhostd and its workers, in threads of this process, over the simulated machine
 */
#include "sim/host.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/worker_process.h"
#include "sim/valgrind.h"
#include "worker/worker.h"

#define DIRECTORY_TEMPLATE "/tmp/xvhost-sim-XXXXXX"

struct sim_host {
	struct daemon_settings settings;
	struct worker_kind worker_kind;
	struct config defaults;
	char directory[sizeof(DIRECTORY_TEMPLATE)]; /* has nothing but the lock */
	char lock_path[PATH_MAX], sysfs_path[PATH_MAX];
	pthread_t thread;
	sem_t ready;
	pthread_mutex_t lock;
	struct daemon *daemon; /* NULL: not running */
	bool in_order;
	unsigned workers;
};

/* A worker's thread. */
struct host_worker {
	struct sim_host *host;
	struct worker_options options;
	pthread_t thread;
	int end_fd;
	int result;
};

/* ---- workers ---- */

static void count_workers(struct sim_host *host, int more)
{
	pthread_mutex_lock(&host->lock);
	host->workers += (unsigned)more;
	pthread_mutex_unlock(&host->lock);
}

static void *run_worker(void *argument)
{
	struct host_worker *thread = argument;
	const uint64_t one = 1;

	thread->result = worker_run(&thread->options);
	/* An eventfd takes a 1. */
	if (write(thread->end_fd, &one, sizeof(one)) < 0)
		abort();
	return NULL;
}

/* start_thread - see struct worker_kind. */
static int start_thread(struct worker *worker, const struct config *config, int socket)
{
	struct host_worker *thread = calloc(1, sizeof(*thread));
	int error = ENOMEM;

	if (thread == NULL)
		goto fail;
	error = ENOSYS;
	/* There is no network outside. */
	if (worker->uplink != NULL)
		goto fail;
	thread->host = worker->kind->context;
	thread->options = (struct worker_options){
		.platform = thread->host->settings.platform,
		.domid = worker->domid,
		.socket = socket,
		.backend_directory = config->backend_directory,
		.wait_by_poll = runs_under_valgrind(),
	};
	thread->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = errno;
	if (thread->end_fd < 0)
		goto fail;
	error = pthread_create(&thread->thread, NULL, run_worker, thread);
	if (error != 0) {
		close(thread->end_fd);
		goto fail;
	}
	count_workers(thread->host, 1);
	worker->thread = thread;
	worker->end_fd = thread->end_fd;
	snprintf(worker->name, sizeof(worker->name), "thread of guest %" PRIu16, worker->domid);
	return 0;
fail:
	free(thread);
	close(socket);
	return error;
}

/* kill_thread - see struct worker_kind, and host.h. */
static void kill_thread(struct worker *worker)
{
	shutdown(worker->socket, SHUT_RDWR);
}

/* reap_thread - see struct worker_kind. */
static bool reap_thread(struct worker *worker, char end[WORKER_END_MAX])
{
	struct host_worker *thread = worker->thread;
	uint64_t value;

	if (read(thread->end_fd, &value, sizeof(value)) < 0)
		return false;
	pthread_join(thread->thread, NULL);
	snprintf(end, WORKER_END_MAX, "it ended with status %d", thread->result);
	count_workers(thread->host, -1);
	close(thread->end_fd);
	free(thread);
	return true;
}

unsigned sim_host_workers(struct sim_host *host)
{
	unsigned workers;

	pthread_mutex_lock(&host->lock);
	workers = host->workers;
	pthread_mutex_unlock(&host->lock);
	return workers;
}

/* ---- xvhostd ---- */

/* set_daemon - what others see of it. */
static void set_daemon(struct sim_host *host, struct daemon *daemon)
{
	pthread_mutex_lock(&host->lock);
	host->daemon = daemon;
	pthread_mutex_unlock(&host->lock);
}

static void *run_daemon(void *argument)
{
	struct sim_host *host = argument;
	struct daemon *daemon = daemon_create(&host->settings);

	set_daemon(host, daemon);
	sem_post(&host->ready);
	if (daemon == NULL)
		return NULL;
	while (daemon_turn(daemon, -1))
		;
	set_daemon(host, NULL);
	host->in_order = daemon_destroy(daemon);
	return NULL;
}

/* host_free - after its thread has ended. */
static void host_free(struct sim_host *host)
{
	/* Whoever releases the lock removes its directory, too. */
	if (rmdir(host->directory) < 0 && errno != ENOENT)
		perror(host->directory);
	sem_destroy(&host->ready);
	pthread_mutex_destroy(&host->lock);
	free(host);
}

/* host_create - all but the thread. */
static struct sim_host *host_create(struct sim_machine *machine, const struct config *config)
{
	struct sim_host *host = calloc(1, sizeof(*host));

	if (host == NULL)
		return NULL;
	snprintf(host->directory, sizeof(host->directory), "%s", DIRECTORY_TEMPLATE);
	if (mkdtemp(host->directory) == NULL) {
		free(host);
		return NULL;
	}
	snprintf(host->lock_path, sizeof(host->lock_path), "%s/lock", host->directory);
	snprintf(host->sysfs_path, sizeof(host->sysfs_path), "%s/sys", host->directory);
	config_set_defaults(&host->defaults);
	host->worker_kind = (struct worker_kind){
		.start = start_thread,
		.kill = kill_thread,
		.reap = reap_thread,
		.context = host,
	};
	host->settings = (struct daemon_settings){
		.platform = sim_platform(machine),
		.config = config != NULL ? config : &host->defaults,
		.lock_path = host->lock_path,
		.sysfs_path = host->sysfs_path,
		.worker_kind = &host->worker_kind,
	};
	sem_init(&host->ready, 0, 0);
	pthread_mutex_init(&host->lock, NULL);
	return host;
}

int sim_host_start(struct sim_machine *machine, const struct config *config, struct sim_host **started)
{
	struct sim_host *host = host_create(machine, config);
	int error;

	if (host == NULL)
		return -errno;
	error = -pthread_create(&host->thread, NULL, run_daemon, host);
	if (error < 0) {
		host_free(host);
		return error;
	}
	while (sem_wait(&host->ready) < 0)
		;
	pthread_mutex_lock(&host->lock);
	error = host->daemon != NULL ? 0 : -EIO;
	pthread_mutex_unlock(&host->lock);
	if (error == 0) {
		*started = host;
		return 0;
	}
	pthread_join(host->thread, NULL);
	host_free(host);
	return error;
}

int sim_host_stop(struct sim_host *host)
{
	bool in_order;

	pthread_mutex_lock(&host->lock);
	if (host->daemon != NULL)
		daemon_stop(host->daemon);
	pthread_mutex_unlock(&host->lock);
	pthread_join(host->thread, NULL);
	in_order = host->in_order && host->workers == 0;
	host_free(host);
	return in_order ? 0 : -EIO;
}
