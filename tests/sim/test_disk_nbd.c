// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backend nbd in a whole worker, with a real nbdkit that goes away or stops answering: who disconnects the disk does not
 * wait for it. What else it does is in tests/try/nbd.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check_main.h"
#include "sim_disk.h"

#define PATIENCE_NS UINT64_C(6000000000) /* xvhostd has 8 s */

static struct sim_disk disk;
static char directory[] = "/tmp/xvhost-test-XXXXXX";
static char at_socket[64], at_pid[64];
static pid_t server;

static void start_server(void)
{
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		/* With several threads nbdkit 1.32 may fall over an assertion of its own when a connection ends. */
		execlp("nbdkit", "nbdkit", "--threads=1", "--exit-with-parent", "-f", "-U", at_socket, "-P",
		       at_pid, "memory", "16M", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 2000 && access(at_pid, F_OK) < 0; i++)
		usleep(5000);
	ck_assert_int_eq(access(at_pid, F_OK), 0);
}

static void end_server(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(at_pid);
	unlink(at_socket);
}

/* stop_server - it does nothing more, but is there. */
static void stop_server(void)
{
	kill(server, SIGSTOP);
	ck_assert_int_eq(waitpid(server, NULL, WUNTRACED), server);
}

static void start(const char *parameters)
{
	char target[256];

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(at_socket, sizeof(at_socket), "%s/socket", directory);
	snprintf(at_pid, sizeof(at_pid), "%s/pid", directory);
	start_server();
	sim_disk_start(false);
	snprintf(target, sizeof(target), "nbd:uri=nbd+unix:///?socket=%s%s", at_socket, parameters);
	sim_disk_open_target(&disk, SIM_DISK_DEVICE, target);
}

static void stop(void)
{
	sim_disk_close(&disk);
	sim_disk_stop();
	end_server();
	ck_assert_int_eq(rmdir(directory), 0);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct load *begin_load(uint32_t read_percent)
{
	const struct load_options what = {.read_percent = read_percent,
					  .block_bytes = 4096,
					  .requests = 32,
					  .depth = 32,
					  .random = true};
	char text[FRONT_ERROR_MAX];
	struct load *load;

	ck_assert_msg(load_create(disk.frontend, &what, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	sim_disk_wait_until_taken(&disk, 32);
	return load;
}

/* disconnect_in_time - all of the load's requests fail. */
static void disconnect_in_time(struct load *load)
{
	uint64_t began_ns = monotonic_ns();
	struct load_result result;

	ck_assert_int_eq(worker_thread_disconnect(worker, SIM_DISK_DEVICE), 0);
	ck_assert_uint_lt(monotonic_ns() - began_ns, PATIENCE_NS);
	load_finish(load, &result);
	ck_assert_uint_eq(load_errors(&result), 32);
	load_destroy(load);
	ck_assert_uint_eq(blkif_frontend_destroy(disk.frontend), 0);
	disk.frontend = NULL;
}

/* use - the disk serves; on a ring without requests so far. */
static void use(void)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64};

	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk,
		      &(struct load_options){.read_percent = 50, .block_bytes = 4096, .requests = 200});
	sim_disk_disconnect(&disk);
}

/* The server stops in the midst of reads, or writes; when it goes on, the disk can be connected again. */
START_TEST(server_stops_answering)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64};

	start("");
	use();
	sim_disk_connect(&disk, &options);
	stop_server();
	disconnect_in_time(begin_load(_i == 0 ? 100 : 0));
	kill(server, SIGCONT);
	use();
	stop();
}
END_TEST

/* It is gone, and comes back. */
START_TEST(server_is_gone)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64};

	start("");
	sim_disk_connect(&disk, &options);
	end_server();
	disconnect_in_time(begin_load(_i == 0 ? 100 : 0));
	start_server();
	use();
	stop();
}
END_TEST

/* Closing a disk whose server is gone, or does not answer to the flush of what was written, takes no longer. */
START_TEST(close_without_server)
{
	const struct blkif_frontend_options options = {.protocol = BLKIF_X86_64};
	uint64_t began_ns;

	start("");
	sim_disk_connect(&disk, &options);
	sim_disk_load(&disk, &(struct load_options){.block_bytes = 4096, .requests = 200});
	sim_disk_disconnect(&disk);
	if (_i == 0)
		stop_server();
	else
		end_server();
	began_ns = monotonic_ns();
	ck_assert_int_eq(worker_thread_close(worker, SIM_DISK_DEVICE), 0);
	ck_assert_uint_lt(monotonic_ns() - began_ns, PATIENCE_NS);
	sim_disk_stop();
	if (_i == 0)
		end_server();
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, server_stops_answering, 0, 2);
	tcase_add_loop_test(test_case, server_is_gone, 0, 2);
	tcase_add_loop_test(test_case, close_without_server, 0, 2);
}

CHECK_MAIN("disk_nbd", add_tests)
