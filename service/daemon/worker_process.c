// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * worker_process.c - the processes that serve guests, one each, as seen from xvhostd
 *
 * Theory of operation: a worker is a child with one end of a socket pair, and a pidfd tells of its end.
 * Nothing here waits for it. A worker that its guest has broken into can send us anything, stop reading or
 * refuse to end: what it sends is checked by those who take it, sending never blocks, and whoever waits for
 * it has a deadline.
 */
#include "daemon/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER_SOCKET 3 /* the descriptor's number in the worker */

extern char **environ;

struct worker *worker_find(struct workers *workers, uint16_t domid)
{
	for (uint32_t i = 0; i < workers->end; i++) {
		struct worker *worker = &workers->worker[i];

		if (worker->used && !worker->uplink && !worker->stopping && !worker->killed &&
		    worker->domid == domid)
			return worker;
	}
	return NULL;
}

/* free_place - a place of the table, or NULL if all are taken. Those of uplinks come first, and guests don't get them. */
static struct worker *free_place(struct workers *workers, bool for_uplink)
{
	uint32_t most = for_uplink ? CONFIG_SWITCHES_MAX : WORKERS_MAX;

	for (uint32_t i = for_uplink ? 0 : CONFIG_SWITCHES_MAX; i < most; i++) {
		if (workers->worker[i].used)
			continue;
		if (i >= workers->end)
			workers->end = i + 1;
		return &workers->worker[i];
	}
	return NULL;
}

/* set_up_child - what the worker shall have: its socket, our standard error, and nothing else of ours. */
static int set_up_child(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int socket)
{
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, socket, WORKER_SOCKET);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, WORKER_SOCKET + 1);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attributes, 0);
	/* Its own process group: Ctrl-C at the terminal is for us, and we then end it in good order. */
	if (error == 0)
		error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
								     POSIX_SPAWN_SETPGROUP);
	return error;
}

/* spawn - start the program with its end of the socket pair. Returns 0 or an errno. */
static int spawn(const struct config *config, const struct worker *worker, int socket, pid_t *pid)
{
	const struct config_named *uplink = worker->uplink;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char domid_text[8], socket_text[8];
	const char *arguments[] = {
		config->worker,
		"--domid",
		domid_text,
		"--socket",
		socket_text,
		"--backend-directory",
		config->backend_directory,
		"--log-level",
		log_level_name(log_get_level()),
		/* A worker of a guest has none of these. */
		uplink ? "--switch" : NULL,
		uplink ? uplink->name : NULL,
		"--uplink",
		uplink ? uplink->target : NULL,
		NULL,
	};
	int error;

	snprintf(domid_text, sizeof(domid_text), "%" PRIu16, worker->domid);
	snprintf(socket_text, sizeof(socket_text), "%d", WORKER_SOCKET);
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = set_up_child(&actions, &attributes, socket);
		if (error == 0)
			/* posix_spawn's type is older than const, and it changes nothing. */
			error = posix_spawn(pid, config->worker, &actions, &attributes,
					    (char *const *)arguments, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* start_process - see struct worker_kind. */
static int start_process(struct worker *worker, const struct config *config, int socket)
{
	int error = spawn(config, worker, socket, &worker->pid);

	close(socket);
	if (error != 0)
		return error;
	snprintf(worker->name, sizeof(worker->name), "process %d", (int)worker->pid);
	worker->end_fd = pidfd_open(worker->pid, 0);
	if (worker->end_fd >= 0)
		return 0;
	error = errno;
	kill(worker->pid, SIGKILL);
	waitpid(worker->pid, NULL, 0);
	return error;
}

/* kill_process - see struct worker_kind. */
static void kill_process(struct worker *worker)
{
	pidfd_send_signal(worker->end_fd, SIGKILL, NULL, 0);
}

/* reap_process - see struct worker_kind. */
static bool reap_process(struct worker *worker, char end[WORKER_END_MAX])
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PIDFD, (id_t)worker->end_fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return false;
	if (info.si_code == CLD_EXITED)
		snprintf(end, WORKER_END_MAX, "it ended with status %d", info.si_status);
	else
		snprintf(end, WORKER_END_MAX, "it was ended by signal %d (%s)", info.si_status,
			 sigdescr_np(info.si_status) != NULL ? sigdescr_np(info.si_status) : "unknown");
	close(worker->end_fd);
	return true;
}

static const struct worker_kind worker_is_process = {
	.start = start_process,
	.kill = kill_process,
	.reap = reap_process,
};

/* start_at - start a worker in a free place. Returns 0 or an errno. */
static int start_at(struct worker *worker, const struct worker_kind *kind, const struct config *config,
		    uint16_t domid, const struct config_named *uplink)
{
	int sockets[2];
	int error;

	memset(worker, 0, sizeof(*worker));
	worker->kind = kind;
	worker->domid = domid;
	worker->uplink = uplink;
	if (uplink)
		snprintf(worker->serves, sizeof(worker->serves), "switch %s", uplink->name);
	else
		snprintf(worker->serves, sizeof(worker->serves), "guest %" PRIu16, domid);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return errno;
	/* Only our end: the worker decides about its own. */
	if (fcntl(sockets[0], F_SETFL, O_NONBLOCK) < 0) {
		error = errno;
		close(sockets[1]);
	} else {
		error = kind->start(worker, config, sockets[1]);
	}
	if (error != 0) {
		close(sockets[0]);
		return error;
	}
	worker->used = true;
	worker->socket = sockets[0];
	return 0;
}

static struct worker *start(struct workers *workers, const struct config *config, uint16_t domid,
			    const struct config_named *uplink, char text[ERROR_TEXT_MAX])
{
	struct worker *worker = free_place(workers, uplink != NULL);
	int error;

	if (worker == NULL) {
		snprintf(text, ERROR_TEXT_MAX, "there are %d workers, and no more are allowed",
			 CONFIG_MAX_GUESTS);
		return NULL;
	}
	error = start_at(worker, workers->kind != NULL ? workers->kind : &worker_is_process, config, domid,
			 uplink);
	if (error != 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't start the worker %.*s: %s", ERROR_TEXT_MAX / 2,
			 config->worker, strerror(error));
		return NULL;
	}
	log_debug("%s: started worker, %s", worker->serves, worker->name);
	return worker;
}

struct worker *worker_start(struct workers *workers, const struct config *config, uint16_t domid,
			    char text[ERROR_TEXT_MAX])
{
	return start(workers, config, domid, NULL, text);
}

struct worker *worker_start_uplink(struct workers *workers, const struct config *config, uint16_t domid,
				   const struct config_named *uplink, char text[ERROR_TEXT_MAX])
{
	return start(workers, config, domid, uplink, text);
}

int worker_send(struct worker *worker, const struct message *message)
{
	ssize_t sent;

	do
		sent = send(worker->socket, message, sizeof(*message), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 0;
	if (errno == EWOULDBLOCK || errno == ENOBUFS) {
		worker->blocked = true;
		return -EAGAIN;
	}
	return -errno;
}

int worker_receive(struct worker *worker, struct message *message)
{
	ssize_t got;

	do
		got = recv(worker->socket, message, sizeof(*message), MSG_DONTWAIT | MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EWOULDBLOCK ? 0 : -errno;
	if (got == 0)
		return -ECONNRESET;
	return got == (ssize_t)sizeof(*message) ? 1 : -EPROTO;
}

void worker_tell_memory(struct worker *worker, const struct config *config, uint32_t mib)
{
	struct message message;

	if (worker->memory_mib == mib || worker->blocked)
		return;
	memset(&message, 0, sizeof(message));
	message.type = MESSAGE_MEMORY;
	message.memory.access = config->memory_access;
	message.memory.most_mib = config->memory_guest_mib;
	message.memory.budget_mib = mib;
	message.memory.idle_s = config->memory_idle_s;
	/* Another error shows when something is asked. */
	if (worker_send(worker, &message) == 0)
		worker->memory_mib = mib;
}

void worker_stop(struct worker *worker, int64_t now_ms)
{
	struct message message;

	if (worker->stopping || worker->killed)
		return;
	worker->stopping = true;
	worker->kill_at_ms = now_ms + WORKER_STOP_TIMEOUT_MS;
	memset(&message, 0, sizeof(message));
	message.type = MESSAGE_STOP;
	/* If that doesn't get through, the end of the socket does, and means the same. */
	if (worker_send(worker, &message) < 0)
		shutdown(worker->socket, SHUT_WR);
	worker->blocked = false;
}

void worker_kill(struct worker *worker, const char *why)
{
	if (worker->killed)
		return;
	worker->killed = true;
	worker->blocked = false;
	log_error("%s: killing worker, %s: %s", worker->serves, worker->name, why);
	worker->kind->kill(worker);
}

bool worker_reap(struct worker *worker, char end[WORKER_END_MAX])
{
	if (!worker->kind->reap(worker, end))
		return false;
	close(worker->socket);
	worker->used = false;
	return true;
}
