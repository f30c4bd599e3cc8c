// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_worker.c - worker processes: start, full sockets, ends
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_main.h"
#include "daemon/worker_process.h"
#include "fake_worker.h"

#define WAIT_MS 5000
#define MESSAGES_ENOUGH 100000 /* more than any socket takes */

static struct config config;
static struct workers workers;
static char text[ERROR_TEXT_MAX];

static void set_up(void)
{
	snprintf(config.worker, sizeof(config.worker), "%s", fake_worker_path());
	snprintf(config.backend_directory, sizeof(config.backend_directory), "/nowhere");
	log_init("xvhostd", LOG_LEVEL_DEBUG);
}

static bool wait_for(int fd, short events)
{
	struct pollfd polled = {.fd = fd, .events = events};

	return poll(&polled, 1, WAIT_MS) == 1;
}

/* check_end - the worker ends in this way. */
static void check_end(struct worker *worker, const char *right)
{
	char end[WORKER_END_MAX];

	ck_assert(wait_for(worker->end_fd, POLLIN));
	ck_assert(worker_reap(worker, end));
	ck_assert_str_eq(end, right);
	ck_assert(!worker->used);
}

START_TEST(test_start_and_stop)
{
	struct worker *worker = worker_start(&workers, &config, 3, text);
	char end[WORKER_END_MAX];

	ck_assert_ptr_nonnull(worker);
	ck_assert_ptr_eq(worker_find(&workers, 3), worker);
	ck_assert_ptr_null(worker_find(&workers, 4));
	ck_assert(!worker_reap(worker, end));
	worker_stop(worker, 1000);
	ck_assert_ptr_null(worker_find(&workers, 3));
	ck_assert_int_eq(worker->kill_at_ms, 1000 + WORKER_STOP_TIMEOUT_MS);
	check_end(worker, "it ended with status 0");
}
END_TEST

START_TEST(test_kill)
{
	struct worker *worker = worker_start(&workers, &config, 3, text);

	worker_kill(worker, "test");
	worker_kill(worker, "test");
	check_end(worker, "it was ended by signal 9 (Killed)");
}
END_TEST

START_TEST(test_what_it_has)
{
	char path[64], target[64];
	struct worker *worker = worker_start(&workers, &config, 3, text);
	struct message message = {
		.type = MESSAGE_OPEN, .class = DEVICE_DISK, .device_id = 1, .open = {.target = "good"}};
	ssize_t length;

	ck_assert_int_eq(worker_send(worker, &message), 0);
	ck_assert(wait_for(worker->socket, POLLIN));
	ck_assert_int_eq(worker_receive(worker, &message), 1);
	ck_assert_int_eq(worker_receive(worker, &message), 0);
	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)worker->pid, fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0) {
			ck_assert_int_gt(fd, 3);
			continue;
		}
		target[length] = '\0';
		ck_assert_msg(fd <= 3, "descriptor %d is %s", fd, target);
		if (fd == 0)
			ck_assert_str_eq(target, "/dev/null");
		if (fd == 3)
			ck_assert_ptr_nonnull(strstr(target, "socket:"));
	}
	worker_stop(worker, 0);
	check_end(worker, "it ended with status 0");
}
END_TEST

START_TEST(test_signals_are_not_blocked)
{
	struct worker *worker;
	char path[64], line[128];
	uint64_t blocked = 1;
	sigset_t all;
	FILE *file;

	sigfillset(&all);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &all, NULL), 0);
	worker = worker_start(&workers, &config, 3, text);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)worker->pid);
	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file) != NULL)
		sscanf(line, "SigBlk: %" SCNx64, &blocked);
	fclose(file);
	ck_assert_uint_eq(blocked, 0);
	worker_stop(worker, 0);
	check_end(worker, "it ended with status 0");
}
END_TEST

START_TEST(test_full_socket)
{
	struct message message = {
		.type = MESSAGE_OPEN, .class = DEVICE_DISK, .device_id = 1, .open = {.target = "silent"}};
	struct worker *worker = worker_start(&workers, &config, 3, text);
	int error = 0;

	ck_assert_int_eq(kill(worker->pid, SIGSTOP), 0);
	for (unsigned sent = 0; error == 0 && sent < MESSAGES_ENOUGH; sent++)
		error = worker_send(worker, &message);
	ck_assert_int_eq(error, -EAGAIN);
	ck_assert(worker->blocked);
	worker_stop(worker, 0);
	ck_assert(!worker->blocked);
	/* The end of the socket comes through, if not its last message. */
	ck_assert_int_eq(kill(worker->pid, SIGCONT), 0);
	check_end(worker, "it ended with status 0");
}
END_TEST

/* A worker is told of its part of memory once, and again when it becomes another; it needs to hear nothing else before. */
START_TEST(test_memory)
{
	struct worker worker = {.used = true};
	struct message message;
	int sockets[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets), 0);
	worker.socket = sockets[0];
	config_set_defaults(&config);
	config.memory_access = MEMORY_FOREIGN;
	config.memory_idle_s = 7;
	for (uint32_t mib = 100; mib <= 300; mib += 100) {
		for (uint32_t times = 0; times < 3; times++)
			worker_tell_memory(&worker, &config, mib);
		ck_assert_int_eq(recv(sockets[1], &message, sizeof(message), 0), sizeof(message));
		ck_assert_int_eq(message.type, MESSAGE_MEMORY);
		ck_assert_int_eq(message.memory.access, MEMORY_FOREIGN);
		ck_assert_uint_eq(message.memory.most_mib, CONFIG_MEMORY_GUEST_MIB);
		ck_assert_uint_eq(message.memory.budget_mib, mib);
		ck_assert_uint_eq(message.memory.idle_s, 7);
		ck_assert_int_eq(recv(sockets[1], &message, sizeof(message), 0), -1);
	}
	/* One that must first read what it has is told later. */
	worker.blocked = true;
	worker_tell_memory(&worker, &config, 50);
	ck_assert_int_eq(recv(sockets[1], &message, sizeof(message), 0), -1);
	worker.blocked = false;
	worker_tell_memory(&worker, &config, 50);
	ck_assert_int_eq(recv(sockets[1], &message, sizeof(message), 0), sizeof(message));
	close(sockets[0]);
	close(sockets[1]);
}
END_TEST

START_TEST(test_bad_message)
{
	struct worker *worker = worker_start(&workers, &config, 3, text);
	struct message message;
	int sockets[2];
	int former = worker->socket;

	/* What a worker could send that has been broken into. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets), 0);
	worker->socket = sockets[0];
	ck_assert_int_eq(worker_receive(worker, &message), 0);
	ck_assert_int_eq(send(sockets[1], "x", 1, 0), 1);
	ck_assert_int_eq(worker_receive(worker, &message), -EPROTO);
	memset(text, 0, sizeof(text));
	ck_assert_int_eq(send(sockets[1], workers.worker, sizeof(message) + 1, 0),
			 (ssize_t)sizeof(message) + 1);
	ck_assert_int_eq(worker_receive(worker, &message), -EPROTO);
	close(sockets[1]);
	ck_assert_int_lt(worker_receive(worker, &message), 0);
	ck_assert_int_eq(worker_send(worker, &message), -EPIPE);
	close(sockets[0]);
	worker->socket = former;
	worker_stop(worker, 0);
	check_end(worker, "it ended with status 0");
}
END_TEST

START_TEST(test_too_many)
{
	const struct config_named uplink = {.name = "lan", .target = "good"};
	struct worker *worker;

	for (uint32_t i = CONFIG_SWITCHES_MAX; i < WORKERS_MAX; i++)
		workers.worker[i] = (struct worker){.used = true, .domid = (uint16_t)(1000 + i)};
	workers.end = WORKERS_MAX;
	ck_assert_ptr_null(worker_start(&workers, &config, 3, text));
	ck_assert_ptr_nonnull(strstr(text, "no more are allowed"));
	/* Guests have taken no place of an uplink's, and an uplink serves none of them. */
	worker = worker_start_uplink(&workers, &config, 0, &uplink, text);
	ck_assert_ptr_nonnull(worker);
	ck_assert_ptr_null(worker_find(&workers, 0));
	worker_stop(worker, 0);
	check_end(worker, "it ended with status 0");
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, NULL);
	tcase_add_test(test_case, test_start_and_stop);
	tcase_add_test(test_case, test_kill);
	tcase_add_test(test_case, test_what_it_has);
	tcase_add_test(test_case, test_signals_are_not_blocked);
	tcase_add_test(test_case, test_full_socket);
	tcase_add_test(test_case, test_memory);
	tcase_add_test(test_case, test_bad_message);
	tcase_add_test(test_case, test_too_many);
}

CHECK_MAIN("daemon: worker processes", add_tests)
