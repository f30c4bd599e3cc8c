// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_loop.c - all of xvhostd over a xenstore in this process, with worker processes that have no
 * disks
 *
 * The test plays the toolstack and the frontend. After each test nothing may be left: no process, no watch,
 * no file, and in xenstore only what the toolstack made.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check_main.h"
#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/device.h"
#include "daemon/worker_process.h"
#include "fake_worker.h"
#include "daemon_run.h"
#include "daemon_store.h"
#include "sim/xenstore.h"

#define DISK 51712 /* xvda */

/*
 * ---- the toolstack and the frontend
 * -------------------------------------------------------------------------
 */

static const char *path_of(const char *end, unsigned domid, const char *name)
{
	static char path[XENSTORE_PATH_MAX];

	if (end[0] == 'b')
		snprintf(path, sizeof(path), "backend/vbd/%u/%d%s%s", domid, DISK, name[0] ? "/" : "", name);
	else if (end[0] == 'f')
		snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/%d%s%s", domid, DISK,
			 name[0] ? "/" : "", name);
	else
		snprintf(path, sizeof(path), "error/backend/vbd/%u/%d/error", domid, DISK);
	return path;
}

static void set_backend(unsigned domid, const char *name, const char *value)
{
	daemon_store_set(path_of("backend", domid, name), value);
}

static void set_frontend(unsigned domid, const char *name, const char *value)
{
	daemon_store_set(path_of("frontend", domid, name), value);
}

static const char *backend(unsigned domid, const char *name)
{
	const char *value = daemon_store_get(path_of("backend", domid, name));

	return value != NULL ? value : "(none)";
}

static const char *error_node(unsigned domid)
{
	const char *value = daemon_store_get(path_of("error", domid, ""));

	return value != NULL ? value : "(none)";
}

/* make_device - what libxl 4.17 writes. The backend's state comes last, as if it was all one transaction. */
static void make_device(unsigned domid, const char *target)
{
	char number[16], frontend[XENSTORE_PATH_MAX];

	snprintf(number, sizeof(number), "%u", domid);
	snprintf(frontend, sizeof(frontend), "%s", path_of("frontend", domid, ""));
	set_frontend(domid, "state", "1");
	set_backend(domid, "frontend", frontend);
	set_backend(domid, "frontend-id", number);
	set_backend(domid, "online", "1");
	set_backend(domid, "params", target);
	set_backend(domid, "script", "/etc/xen/scripts/block-xvhost");
	set_backend(domid, "mode", "w");
	set_backend(domid, "state", "1");
}

/* begin_detach - what libxl does first. */
static void begin_detach(unsigned domid)
{
	set_backend(domid, "online", "0");
	set_backend(domid, "state", "5");
}

/* remove_device - what libxl does last. */
static void remove_device(unsigned domid)
{
	char guest[32];

	daemon_store_unset(path_of("frontend", domid, ""));
	snprintf(guest, sizeof(guest), "backend/vbd/%u", domid);
	daemon_store_unset(guest);
}

static void make_ring(unsigned domid)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", FAKE_RING_REF);
	set_frontend(domid, "ring-ref", number);
	snprintf(number, sizeof(number), "%d", FAKE_EVENT_CHANNEL);
	set_frontend(domid, "event-channel", number);
	set_frontend(domid, "protocol", "x86_64-abi");
	set_frontend(domid, "state", "3");
}

/* turn_until - let xvhostd run until a backend node has this value. */
static void turn_until(unsigned domid, const char *name, const char *value)
{
	daemon_run_until(path_of("backend", domid, name), value);
}

/* connect_ring - the frontend's part, of a device that waits for it. */
static void connect_ring(unsigned domid)
{
	turn_until(domid, "state", "2");
	make_ring(domid);
	turn_until(domid, "state", "4");
}

/* attach - a device from nothing to Connected. */
static void attach(unsigned domid, const char *target)
{
	make_device(domid, target);
	turn_until(domid, "state", "2");
	ck_assert_str_eq(backend(domid, "xvhost-status"), "ready");
	make_ring(domid);
	turn_until(domid, "state", "4");
	set_frontend(domid, "state", "4");
	daemon_run_for(20);
	ck_assert_str_eq(backend(domid, "state"), "4");
}

/* detach - a device in any state to nothing. */
static void detach(unsigned domid)
{
	begin_detach(domid);
	daemon_run_for(20);
	set_frontend(domid, "state", "6");
	turn_until(domid, "state", "6");
	remove_device(domid);
	daemon_run_for(20);
	ck_assert_str_eq(error_node(domid), "(none)");
}

/*
 * ---- tests
 * ------------------------------------------------------------------------------------------------
 */

START_TEST(test_attach_and_detach)
{
	unsigned nodes;

	daemon_run_start();
	daemon_store_set("backend/vbd", "");
	daemon_store_set("/local/domain/3/device/vbd", "");
	nodes = daemon_store_nodes();
	attach(3, "good");
	ck_assert_str_eq(backend(3, "sectors"), "2048");
	ck_assert_str_eq(backend(3, "sector-size"), "512");
	ck_assert_str_eq(backend(3, "physical-sector-size"), "512");
	ck_assert_str_eq(backend(3, "info"), "0");
	ck_assert_str_eq(backend(3, "feature-flush-cache"), "1");
	ck_assert_str_eq(backend(3, "feature-barrier"), "1");
	ck_assert_str_eq(backend(3, "feature-max-indirect-segments"), "256");
	ck_assert_str_eq(backend(3, "max-ring-page-order"), "4");
	ck_assert_str_eq(error_node(3), "(none)");
	ck_assert_int_eq(daemon_run_children(0), 1);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES + 1);

	begin_detach(3);
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "5");
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	daemon_run_until_children(0);
	remove_device(3);
	daemon_run_for(20);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
	ck_assert_uint_eq(daemon_store_nodes(), nodes);
}
END_TEST

START_TEST(test_read_only)
{
	daemon_run_start();
	attach(3, "read-only");
	ck_assert_str_eq(backend(3, "info"), "4");
	make_device(4, "good");
	set_backend(4, "mode", "r");
	connect_ring(4);
	ck_assert_str_eq(backend(4, "info"), "4");
}
END_TEST

/* What libxl writes for direct-io-safe goes to the worker. */
START_TEST(test_direct_io_safe)
{
	daemon_run_start();
	attach(3, "direct");
	ck_assert_str_eq(backend(3, "info"), "0");
	make_device(4, "direct");
	set_backend(4, "direct-io-safe", "1");
	connect_ring(4);
	ck_assert_str_eq(backend(4, "info"), "4");
	make_device(5, "direct");
	set_backend(5, "direct-io-safe", "0");
	connect_ring(5);
	ck_assert_str_eq(backend(5, "info"), "0");
}
END_TEST

START_TEST(test_discard_nodes)
{
	daemon_run_start();
	attach(3, "erases");
	ck_assert_str_eq(backend(3, "feature-discard"), "1");
	ck_assert_str_eq(backend(3, "discard-secure"), "1");
	ck_assert_str_eq(backend(3, "discard-granularity"), "65536");
	ck_assert_str_eq(backend(3, "discard-alignment"), "4096");
	attach(4, "good");
	ck_assert_str_eq(backend(4, "feature-discard"), "0");
	ck_assert_str_eq(backend(4, "discard-secure"), "0");
}
END_TEST

/* blkif.h wants the disk's size to be a multiple of its physical sector. */
START_TEST(test_physical_sectors)
{
	daemon_run_start();
	attach(3, "physical");
	ck_assert_str_eq(backend(3, "sector-size"), "512");
	ck_assert_str_eq(backend(3, "physical-sector-size"), "4096");
	ck_assert_str_eq(backend(3, "sectors"), "2048");
	attach(4, "physical-odd");
	ck_assert_str_eq(backend(4, "sector-size"), "512");
	ck_assert_str_eq(backend(4, "physical-sector-size"), "1024");
	ck_assert_str_eq(backend(4, "sectors"), "2050");
}
END_TEST

/* As libxl has it for devtype=cdrom: read-only and removable, too. */
START_TEST(test_cdrom)
{
	daemon_run_start();
	make_device(3, "good");
	set_backend(3, "mode", "r");
	set_backend(3, "removable", "1");
	set_backend(3, "device-type", "cdrom");
	connect_ring(3);
	ck_assert_str_eq(backend(3, "info"), "7");
	make_device(4, "good");
	set_backend(4, "removable", "1");
	connect_ring(4);
	ck_assert_str_eq(backend(4, "info"), "2");
}
END_TEST

/* attach_drive - a connected drive with a medium in it. */
static void attach_drive(void)
{
	make_device(3, "good");
	set_backend(3, "mode", "r");
	set_backend(3, "removable", "1");
	set_backend(3, "device-type", "cdrom");
	connect_ring(3);
	set_frontend(3, "state", "4");
	daemon_run_for(20);
}

/* What the guest is told, and the toolstack, if there is something wrong with the medium. */
START_TEST(test_medium)
{
	daemon_run_start();
	attach_drive();
	ck_assert_str_eq(backend(3, "sectors"), "2048");
	set_backend(3, "params", "");
	turn_until(3, "sectors", "0");
	ck_assert_str_eq(backend(3, "xvhost-status"), "ready");
	set_backend(3, "params", "another");
	turn_until(3, "sectors", "4096");
	set_backend(3, "params", "bad");
	turn_until(3, "sectors", "0");
	ck_assert_str_eq(backend(3, "xvhost-status"), "error");
	ck_assert_str_eq(backend(3, "hotplug-error"), "no such disk");
	ck_assert_str_eq(error_node(3), "2 no such disk");
	set_backend(3, "params", "good");
	turn_until(3, "sectors", "4096");
	ck_assert_str_eq(backend(3, "xvhost-status"), "ready");
	ck_assert_str_eq(backend(3, "hotplug-error"), "(none)");
	ck_assert_str_eq(error_node(3), "(none)");
	ck_assert_str_eq(backend(3, "info"), "7");
	ck_assert_str_eq(backend(3, "state"), "4");
	ck_assert_int_eq(daemon_run_children(0), 1);
	detach(3);
}
END_TEST

/* What the toolstack has of a drive is read anew with each medium, and may be wrong then. */
START_TEST(test_bad_medium)
{
	char target[TARGET_MAX + 1];

	daemon_run_start();
	attach_drive();
	memset(target, 'x', TARGET_MAX);
	target[TARGET_MAX] = '\0';
	set_backend(3, "params", target);
	turn_until(3, "xvhost-status", "error");
	ck_assert_ptr_nonnull(strstr(backend(3, "hotplug-error"), "it must have from 1 to 1023 characters"));
	/* The medium that was there is there still. */
	ck_assert_str_eq(backend(3, "sectors"), "2048");
	daemon_run_for(50);
	set_backend(3, "params", "another");
	turn_until(3, "sectors", "4096");
	ck_assert_str_eq(backend(3, "xvhost-status"), "ready");
	detach(3);
}
END_TEST

/* A disk that is no drive keeps what it was opened with. */
START_TEST(test_not_a_drive)
{
	daemon_run_start();
	attach(3, "good");
	set_backend(3, "params", "another");
	daemon_run_for(100);
	ck_assert_str_eq(backend(3, "sectors"), "2048");
	ck_assert_str_eq(backend(3, "state"), "4");
	detach(3);
}
END_TEST

/* A drive that begins without a medium; a disk can't. */
START_TEST(test_empty_drive)
{
	daemon_run_start();
	make_device(3, "");
	set_backend(3, "removable", "1");
	connect_ring(3);
	ck_assert_str_eq(backend(3, "info"), "2");
	make_device(4, "");
	turn_until(4, "xvhost-status", "error");
	ck_assert_ptr_nonnull(strstr(backend(4, "hotplug-error"), "backend node params"));
}
END_TEST

START_TEST(test_guest_closes_and_comes_back)
{
	daemon_run_start();
	attach(3, "good");
	for (unsigned i = 0; i < 3; i++) {
		set_frontend(3, "state", "5");
		turn_until(3, "state", "5");
		set_frontend(3, "state", "6");
		turn_until(3, "state", "6");
		set_frontend(3, "state", "1");
		connect_ring(3);
	}
	ck_assert_int_eq(daemon_run_children(0), 1);
}
END_TEST

START_TEST(test_destroy)
{
	daemon_run_start();
	attach(3, "good");
	begin_detach(3);
	daemon_store_unset(path_of("frontend", 3, ""));
	turn_until(3, "state", "6");
	daemon_run_until_children(0);
	remove_device(3);
	daemon_run_for(20);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);

	attach(4, "good");
	remove_device(4);
	daemon_run_until_children(0);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
	ck_assert_ptr_null(daemon_store_get("backend/vbd/4"));
}
END_TEST

START_TEST(test_new_device_of_the_same_number)
{
	daemon_run_start();
	attach(3, "good");
	remove_device(3);
	make_device(3, "read-only");
	connect_ring(3);
	ck_assert_str_eq(backend(3, "info"), "4");
}
END_TEST

START_TEST(test_devices_that_are_there)
{
	make_device(3, "good");
	make_device(4, "good");
	set_backend(4, "script", "/etc/xen/scripts/block");
	make_device(5, "good");
	set_backend(5, "script", "block-xvhost");
	daemon_store_set("backend/vbd/x/y/script", "block-xvhost");
	daemon_store_set("backend/vbd/99999/1/script", "block-xvhost");
	daemon_run_start();
	turn_until(3, "state", "2");
	turn_until(5, "state", "2");
	daemon_run_for(20);
	ck_assert_str_eq(backend(4, "state"), "1");
	ck_assert_int_eq(daemon_run_children(0), 2);
}
END_TEST

/* check_refused - the device failed to open, with this text; it can be removed and leaves nothing. */
static void check_refused(unsigned domid, const char *number, const char *text)
{
	char error[ERROR_TEXT_MAX];

	turn_until(domid, "state", "2");
	ck_assert_str_eq(backend(domid, "xvhost-status"), "error");
	ck_assert_str_eq(backend(domid, "hotplug-error"), text);
	snprintf(error, sizeof(error), "%s %s", number, text);
	ck_assert_str_eq(error_node(domid), error);
	begin_detach(domid);
	turn_until(domid, "state", "6");
	daemon_run_until_children(0);
	remove_device(domid);
	daemon_run_for(20);
	ck_assert_ptr_null(daemon_store_get("error"));
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
}

START_TEST(test_open_fails)
{
	daemon_run_start();
	make_device(3, "bad");
	check_refused(3, "2", "no such disk");
}
END_TEST

START_TEST(test_open_fails_and_frontend_waits)
{
	daemon_run_start();
	make_device(3, "bad");
	turn_until(3, "state", "2");
	make_ring(3);
	daemon_run_for(50);
	/* The toolstack must see 2. */
	ck_assert_str_eq(backend(3, "state"), "2");
	set_backend(3, "hotplug-status", "error");
	turn_until(3, "state", "5");
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");

	set_backend(3, "params", "good");
	set_frontend(3, "state", "1");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "6");
	daemon_run_ahead_ms += OPEN_PAUSE_MS;
	turn_until(3, "state", "2");
	ck_assert_str_eq(backend(3, "xvhost-status"), "ready");
	ck_assert_str_eq(backend(3, "hotplug-error"), "(none)");
	ck_assert_str_eq(error_node(3), "(none)");
}
END_TEST

START_TEST(test_worker_dies_opening)
{
	daemon_run_start();
	make_device(3, "dies-opening");
	check_refused(3, "5", "the worker is gone, it ended with status 3, before it opened the disk");
}
END_TEST

START_TEST(test_worker_says_nonsense)
{
	daemon_run_start();
	make_device(3, "nonsense");
	check_refused(3, "5",
		      "the worker is gone, it was ended by signal 9 (Killed), before it opened the disk");
}
END_TEST

START_TEST(test_worker_answers_twice)
{
	daemon_run_start();
	make_device(3, "opens-twice");
	daemon_run_until_children(1);
	daemon_run_until_children(0);
}
END_TEST

START_TEST(test_no_worker)
{
	snprintf(daemon_run_config.worker, sizeof(daemon_run_config.worker), "/nowhere/worker");
	daemon_run_start();
	make_device(3, "good");
	check_refused(3, "11", "can't start the worker /nowhere/worker: No such file or directory");
}
END_TEST

START_TEST(test_worker_is_silent)
{
	daemon_run_start();
	make_device(3, "silent");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "1");
	daemon_run_ahead_ms += OPEN_TIMEOUT_MS;
	check_refused(3, "110", "the worker has not opened the disk within 7000 ms");
}
END_TEST

static const struct {
	const char *node, *value, *text;
} bad_wishes[] = {
	{"frontend", "/local/domain/4/device/vbd/51712",
	 "backend node frontend is \"/local/domain/4/device/vbd/51712\"; it must be "
	 "/local/domain/3/device/vbd/51712"},
	{"frontend-id", "4", "backend node frontend-id is \"4\"; it must be 3"},
	{"mode", "rw", "backend node mode is \"rw\"; it must be r or w"},
	{"params", "", "the target (backend node params) is \"\"; it must have from 1 to 1023 characters"},
};

START_TEST(test_bad_wish)
{
	daemon_store_set(path_of("backend", 3, "mode"), "w");
	make_device(3, "good");
	set_backend(3, bad_wishes[_i].node, bad_wishes[_i].value);
	daemon_run_start();
	check_refused(3, "22", bad_wishes[_i].text);
}
END_TEST

START_TEST(test_long_target)
{
	char target[TARGET_MAX + 1];

	memset(target, 't', TARGET_MAX);
	target[TARGET_MAX] = '\0';
	make_device(3, target);
	daemon_run_start();
	check_refused(3, "22",
		      "the target (backend node params) is \"tttttttttttttttttttttttttttttttttttttttt\"; it "
		      "must have "
		      "from 1 to 1023 characters");
}
END_TEST

START_TEST(test_no_watch)
{
	daemon_run_start();
	daemon_run_for(20);
	daemon_store_fail_watches(E2BIG);
	make_device(3, "good");
	check_refused(
		3, "22",
		"can't watch /local/domain/3/device/vbd/51712/state in xenstore: xenstored gives this domain "
		"no more "
		"watches (Argument list too long; in Dom0, xenstore-control quota DOMID tells what it has)");
	daemon_store_fail_watches(0);
}
END_TEST

/* check_runtime_failure - an error node, state 5, then 6; the frontend can come back with another target. */
static void check_runtime_failure(unsigned domid, const char *error)
{
	turn_until(domid, "state", "5");
	daemon_run_for(50);
	ck_assert_str_eq(error_node(domid), error);
	ck_assert_str_eq(backend(domid, "state"), "5");
	set_frontend(domid, "state", "6");
	turn_until(domid, "state", "6");
	daemon_run_ahead_ms += OPEN_PAUSE_MS;
	set_frontend(domid, "state", "1");
	turn_until(domid, "state", "2");
	ck_assert_str_eq(error_node(domid), "(none)");
}

START_TEST(test_bad_ring_nodes)
{
	daemon_run_start();
	make_device(3, "good");
	turn_until(3, "state", "2");
	set_frontend(3, "ring-ref", "-8");
	set_frontend(3, "state", "3");
	check_runtime_failure(
		3, "22 frontend node ring-ref is \"-8\"; it must be a decimal number from 0 to 4294967295");
	make_ring(3);
	turn_until(3, "state", "4");
}
END_TEST

static const struct {
	const char *target, *error;
} runtime_failures[] = {
	{"fails-connecting", "5 no such ring"},
	{"breaks", "71 nonsense?in the ring"},
	{"dies-connecting", "5 the worker is gone while the disk was in use, it ended with status 4"},
	{"dies-connected", "5 the worker is gone while the disk was in use, it ended with status 5"},
};

static const struct {
	const char *target, *error;
} failures_of_changing[] = {
	{"dies-changing", "5 the worker is gone while the disk was in use, it ended with status 6"},
	{"loses-rings", "12 no such disk"},
};

START_TEST(test_failure_of_changing)
{
	daemon_run_start();
	attach_drive();
	set_backend(3, "params", failures_of_changing[_i].target);
	turn_until(3, "state", "5");
	ck_assert_str_eq(error_node(3), failures_of_changing[_i].error);
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	set_backend(3, "params", "good");
	daemon_run_ahead_ms += OPEN_PAUSE_MS;
	set_frontend(3, "state", "1");
	connect_ring(3);
	ck_assert_str_eq(backend(3, "sectors"), "2048");
}
END_TEST

START_TEST(test_runtime_failure)
{
	daemon_run_start();
	make_device(3, runtime_failures[_i].target);
	turn_until(3, "state", "2");
	make_ring(3);
	check_runtime_failure(3, runtime_failures[_i].error);
}
END_TEST

START_TEST(test_worker_dies_before_use)
{
	daemon_run_start();
	make_device(3, "good");
	turn_until(3, "state", "2");
	make_device(4, "good");
	turn_until(4, "state", "2");
	/* Both workers end; the disks are opened again by new ones. */
	ck_assert_int_eq(daemon_run_children(SIGKILL), 2);
	daemon_run_until_children(0);
	daemon_run_ahead_ms += OPEN_PAUSE_MS;
	daemon_run_until_children(2);
	make_ring(3);
	turn_until(3, "state", "4");
}
END_TEST

/* What a worker that was killed has left: by this xvhostd's, and by one that was killed, too, before ours is started. */
START_TEST(test_device_models_are_cleaned_up)
{
	make_device(3, "good");
	daemon_run_start();
	turn_until(3, "state", "2");
	ck_assert_uint_eq(daemon_store_clean_ups(3), 1);
	make_device(4, "dies-connected");
	turn_until(4, "state", "2");
	make_ring(4);
	turn_until(4, "state", "5");
	ck_assert_uint_eq(daemon_store_clean_ups(4), 2);
	ck_assert_uint_eq(daemon_store_clean_ups(3), 1);
	detach(3);
	detach(4);
}
END_TEST

START_TEST(test_guests_do_not_harm_each_other)
{
	daemon_run_start();
	attach(3, "good");
	make_device(4, "dies-connected");
	turn_until(4, "state", "2");
	make_device(5, "silent");
	make_ring(4);
	turn_until(4, "state", "5");
	attach(6, "good");
	ck_assert_str_eq(backend(3, "state"), "4");
	ck_assert_str_eq(backend(5, "state"), "1");
	detach(3);
	detach(4);
	detach(6);
}
END_TEST

START_TEST(test_worker_hangs_at_detach)
{
	daemon_run_start();
	attach(3, "hangs-disconnecting");
	begin_detach(3);
	set_frontend(3, "state", "6");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "5");
	daemon_run_ahead_ms += DISCONNECT_TIMEOUT_MS;
	turn_until(3, "state", "6");
	daemon_run_until_children(0);
}
END_TEST

/* A second disk of guest 3. */
#define SECOND_FRONTEND "/local/domain/3/device/vbd/51728"
#define SECOND_BACKEND "backend/vbd/3/51728"

static void attach_second(const char *target)
{
	static const char *const nodes[][2] = {
		{SECOND_FRONTEND "/state", "3"},
		{SECOND_FRONTEND "/ring-ref", "8"},
		{SECOND_FRONTEND "/event-channel", "9"},
		{SECOND_FRONTEND "/protocol", "x86_64-abi"},
		{SECOND_BACKEND "/frontend", SECOND_FRONTEND},
		{SECOND_BACKEND "/frontend-id", "3"},
		{SECOND_BACKEND "/online", "1"},
		{SECOND_BACKEND "/mode", "w"},
		{SECOND_BACKEND "/script", "/etc/xen/scripts/block-xvhost"},
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		daemon_store_set(nodes[i][0], nodes[i][1]);
	daemon_store_set(SECOND_BACKEND "/params", target);
	daemon_store_set(SECOND_BACKEND "/state", "1");
	daemon_run_until(SECOND_BACKEND "/state", "4");
}

/* Storage that hangs keeps the disk that is on it, and none of the guest's others; when these have ended, so does the wait. */
START_TEST(test_disk_hangs_at_detach)
{
	daemon_run_start();
	attach(3, "hangs-disconnecting");
	attach_second("good");
	begin_detach(3);
	set_frontend(3, "state", "6");
	for (int i = 0; i < 3; i++) {
		daemon_run_for(50);
		daemon_run_ahead_ms += DISCONNECT_TIMEOUT_MS;
	}
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "5");
	ck_assert_ptr_nonnull(strstr(error_node(3), "the storage has not answered in time"));
	ck_assert_int_eq(daemon_run_children(0), 1);
	ck_assert_str_eq(daemon_store_get(SECOND_BACKEND "/state"), "4");
	daemon_store_set(SECOND_BACKEND "/online", "0");
	daemon_store_set(SECOND_BACKEND "/state", "5");
	daemon_store_set(SECOND_FRONTEND "/state", "6");
	daemon_run_until(SECOND_BACKEND "/state", "6");
	daemon_run_ahead_ms += DISCONNECT_TIMEOUT_MS;
	turn_until(3, "state", "6");
	daemon_run_until_children(0);
	remove_device(3);
	daemon_run_for(20);
	ck_assert_str_eq(error_node(3), "(none)");
}
END_TEST

START_TEST(test_worker_that_does_not_stop)
{
	daemon_run_start();
	attach(3, "stubborn");
	detach(3);
	daemon_run_for(50);
	ck_assert_int_eq(daemon_run_children(0), 1);
	/* A new device doesn't wait for it. */
	attach(3, "good");
	ck_assert_int_eq(daemon_run_children(0), 2);
	daemon_run_ahead_ms += WORKER_STOP_TIMEOUT_MS;
	daemon_run_until_children(1);
	ck_assert_str_eq(backend(3, "state"), "4");
}
END_TEST

START_TEST(test_stop_kills_a_stubborn_worker)
{
	daemon_run_start();
	attach(3, "stubborn");
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	for (unsigned i = 0; i < 5; i++)
		daemon_run_turn(10);
	daemon_run_ahead_ms += WORKER_STOP_TIMEOUT_MS;
}
END_TEST

START_TEST(test_stop_and_start_again)
{
	daemon_run_start();
	attach(3, "good");
	make_device(4, "good");
	turn_until(4, "state", "2");
	make_device(5, "silent");
	make_device(6, "bad");
	turn_until(6, "state", "2");
	daemon_run_stop();
	ck_assert_str_eq(backend(3, "state"), "4");
	ck_assert_str_eq(backend(4, "state"), "2");
	ck_assert_str_eq(backend(5, "state"), "1");

	daemon_store_unset(path_of("backend", 3, "sectors"));
	set_backend(5, "params", "good");
	set_backend(6, "params", "good");
	daemon_run_start();
	turn_until(3, "sectors", "2048");
	ck_assert_str_eq(backend(3, "state"), "4");
	turn_until(5, "state", "2");
	turn_until(6, "xvhost-status", "ready");
	ck_assert_str_eq(backend(6, "hotplug-error"), "(none)");
	ck_assert_int_eq(daemon_run_children(0), 4);
	make_ring(4);
	turn_until(4, "state", "4");
	detach(3);
}
END_TEST

START_TEST(test_start_again_without_the_disk)
{
	daemon_run_start();
	attach(3, "good");
	daemon_run_stop();
	set_backend(3, "params", "bad");
	daemon_run_start();
	turn_until(3, "state", "5");
	ck_assert_str_eq(error_node(3), "2 no such disk");
}
END_TEST

/* The worker of an xvhostd that was killed may have to end first, and the guest can wait longer than the toolstack. */
START_TEST(test_start_again_and_worker_is_silent)
{
	daemon_run_start();
	attach(3, "good");
	daemon_run_stop();
	set_backend(3, "params", "silent");
	daemon_run_start();
	daemon_run_for(50);
	daemon_run_ahead_ms += OPEN_TIMEOUT_MS;
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "4");
	daemon_run_ahead_ms += REOPEN_TIMEOUT_MS - OPEN_TIMEOUT_MS;
	turn_until(3, "state", "5");
	ck_assert_str_eq(error_node(3), "110 the worker has not opened the disk within 30000 ms");
}
END_TEST

START_TEST(test_kernel_driver)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "mkdir -p %s/bus/xen-backend/drivers/vbd %s/bus/xen-backend/devices/vbd-3-%d/driver",
		 daemon_run_sysfs_path, daemon_run_sysfs_path, DISK);
	ck_assert_int_eq(system(command), 0);
	daemon_run_start();
	make_device(3, "good");
	turn_until(3, "xvhost-status", "error");
	ck_assert_ptr_nonnull(strstr(backend(3, "hotplug-error"), "rmmod xen_blkback"));
	ck_assert_ptr_nonnull(strstr(error_node(3), "16 the kernel's driver"));
	begin_detach(3);
	set_frontend(3, "state", "6");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "5");
	ck_assert_int_eq(daemon_run_children(0), 0);
	attach(4, "good");
	remove_device(3);
	daemon_run_for(20);
	ck_assert_ptr_null(daemon_store_get("error"));
}
END_TEST

START_TEST(test_kernel_driver_comes_later)
{
	char command[512];

	daemon_run_start();
	make_device(3, "good");
	daemon_run_until_children(1);
	/* The disk is being opened. */
	snprintf(command, sizeof(command), "mkdir -p %s/bus/xen-backend/devices/vbd-3-%d/driver",
		 daemon_run_sysfs_path, DISK);
	ck_assert_int_eq(system(command), 0);
	turn_until(3, "xvhost-status", "error");
	daemon_run_until_children(0);
	ck_assert_str_eq(backend(3, "state"), "1");
	remove_device(3);
	daemon_run_for(20);
}
END_TEST

START_TEST(test_driver_domain)
{
	daemon_store_start(2);
	daemon_run_start();
	attach(3, "good");
	begin_detach(3);
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "6");
	daemon_run_ahead_ms += REMOVE_DELAY_MS;
	turn_until(3, "state", "(none)");
	daemon_run_for(20);
	/* The directory above is the toolstack's, and only it can remove that. */
	ck_assert_ptr_null(daemon_store_get(path_of("backend", 3, "")));
	ck_assert_ptr_nonnull(daemon_store_get("/local/domain/2/backend/vbd/3"));
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
	/* It is the toolstack's there, and we could not make it again. */
	make_device(3, "bad");
	turn_until(3, "xvhost-status", "error");
	daemon_run_for(20);
	/* No script runs: the toolstack sees that something is wrong by waiting for 2 in vain. */
	ck_assert_str_eq(backend(3, "state"), "1");
	ck_assert_str_eq(backend(3, "hotplug-error"), "no such disk");
	ck_assert_str_eq(error_node(3), "2 no such disk");
	begin_detach(3);
	turn_until(3, "state", "6");
	daemon_run_ahead_ms += REMOVE_DELAY_MS;
	turn_until(3, "state", "(none)");
	daemon_store_unset("/local/domain/3/device/vbd/51712");
	daemon_run_for(20);
	ck_assert_ptr_nonnull(daemon_store_get("error"));
	ck_assert_ptr_null(daemon_store_get("error/backend"));
	daemon_store_unset("error");
}
END_TEST

/* What is written of a disk is all written before the toolstack goes on, so it sees that there was no room. */
START_TEST(test_driver_domain_without_nodes)
{
	char path[64];

	daemon_store_start(2);
	daemon_run_start();
	attach(3, "good");
	/* Another backend's nodes are this domain's, too. */
	for (unsigned i = 0; i < SIM_STORE_NODES_MAX; i++) {
		snprintf(path, sizeof(path), "backend/vbd/9/0/node-%u", i);
		daemon_store_set(path, "");
	}
	make_device(4, "good");
	daemon_run_for(100);
	ck_assert_str_eq(backend(4, "state"), "1");
	ck_assert_str_eq(backend(4, "feature-persistent"), "(none)");
	ck_assert_str_eq(backend(3, "state"), "4");
	daemon_store_unset("backend/vbd/9");
	daemon_run_ahead_ms += RETRY_PAUSE_MS;
	turn_until(4, "state", "2");
	/* The rest needs no new nodes. */
	for (unsigned i = 0; i < SIM_STORE_NODES_MAX; i++) {
		snprintf(path, sizeof(path), "backend/vbd/9/0/node-%u", i);
		daemon_store_set(path, "");
	}
	connect_ring(4);
	daemon_store_unset("backend/vbd/9");
	daemon_store_unset("error");
}
END_TEST

START_TEST(test_state_storm)
{
	daemon_run_start();
	attach(3, "good");
	make_device(4, "good");
	for (unsigned i = 0; i < 900; i++)
		set_frontend(3, "state", i % 2 ? "4" : "17");
	connect_ring(4);
	ck_assert_str_eq(backend(3, "state"), "4");
}
END_TEST

START_TEST(test_write_conflicts)
{
	daemon_run_start();
	daemon_store_conflict(25);
	attach(3, "good");
	daemon_store_fail_writes(ENOSPC);
	set_frontend(3, "state", "5");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "4");
	daemon_store_fail_writes(0);
	daemon_run_ahead_ms += RETRY_PAUSE_MS;
	turn_until(3, "state", "5");
}
END_TEST

START_TEST(test_xenstore_can_not_be_read)
{
	daemon_run_start();
	attach(3, "good");
	daemon_store_fail_reads(EIO);
	set_frontend(3, "state", "4");
	set_backend(3, "state", "4");
	daemon_run_for(50);
	daemon_store_fail_reads(0);
	ck_assert_str_eq(backend(3, "state"), "4");
	ck_assert_int_eq(daemon_run_children(0), 1);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES + 1);
	detach(3);
	daemon_run_until_children(0);
}
END_TEST

/* read_again - xenstore can be read again, and the time is up after which that is tried. */
static void read_again(void)
{
	daemon_store_fail_reads(0);
	daemon_run_ahead_ms += RETRY_PAUSE_MS;
}

/* Nothing but time has to pass, then what could not be read is. */
START_TEST(test_xenstore_can_be_read_again)
{
	daemon_run_start();
	daemon_store_fail_reads(EIO);
	make_device(3, "good");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "1");
	read_again();
	turn_until(3, "state", "2");
	daemon_store_fail_reads_of("state", EIO);
	make_ring(3);
	daemon_run_for(50);
	read_again();
	turn_until(3, "state", "4");
	set_frontend(3, "state", "4");
	daemon_run_for(20);
	daemon_store_fail_reads_of("online", EIO);
	begin_detach(3);
	set_frontend(3, "state", "6");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "5");
	read_again();
	turn_until(3, "state", "6");
}
END_TEST

static const char *const wishes[] = {"frontend-id",    "params",      "mode",
				     "direct-io-safe", "device-type", "discard-enable"};

/* A disk is not opened in another way than the toolstack wants, nor refused for what it does not say. */
START_TEST(test_wish_can_not_be_read)
{
	daemon_run_start();
	daemon_store_fail_reads_of(wishes[_i], EIO);
	make_device(3, "direct");
	set_backend(3, "direct-io-safe", "1");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "1");
	ck_assert_int_eq(daemon_run_children(0), 0);
	read_again();
	connect_ring(3);
	ck_assert_str_eq(backend(3, "info"), "4");
	ck_assert_str_eq(error_node(3), "(none)");
}
END_TEST

static const char *const frontend_nodes[] = {"ring-ref", "event-channel", "protocol", "feature-persistent"};

START_TEST(test_frontend_can_not_be_read)
{
	daemon_run_start();
	make_device(3, "good");
	turn_until(3, "state", "2");
	daemon_store_fail_reads_of(frontend_nodes[_i], EIO);
	make_ring(3);
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "2");
	read_again();
	turn_until(3, "state", "4");
}
END_TEST

/* An error is told as soon as it can be. */
START_TEST(test_error_can_not_be_written)
{
	daemon_run_start();
	daemon_store_fail_writes(EIO);
	make_device(3, "bad");
	daemon_run_for(200);
	ck_assert_str_eq(error_node(3), "(none)");
	ck_assert_str_eq(backend(3, "xvhost-status"), "(none)");
	daemon_store_fail_writes(0);
	daemon_run_ahead_ms += RETRY_PAUSE_MS;
	check_refused(3, "2", "no such disk");
}
END_TEST

/* A watch that could not be ended is still there when the next device of the same number wants it. */
START_TEST(test_watch_that_is_there)
{
	daemon_run_start();
	attach(3, "good");
	daemon_store_fail_unwatches(EIO);
	detach(3);
	daemon_run_until_children(0);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES + 1);
	daemon_store_fail_unwatches(0);
	attach(3, "good");
	detach(3);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
}
END_TEST

START_TEST(test_only_one)
{
	const struct daemon_settings settings = {
		.platform = &daemon_store_platform,
		.config = &daemon_run_config,
		.lock_path = daemon_run_lock_path,
		.sysfs_path = daemon_run_sysfs_path,
	};

	daemon_run_start();
	ck_assert_ptr_null(daemon_create(&settings));
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, daemon_run_set_up, daemon_run_tear_down);
	tcase_add_test(test_case, test_attach_and_detach);
	tcase_add_test(test_case, test_read_only);
	tcase_add_test(test_case, test_direct_io_safe);
	tcase_add_test(test_case, test_discard_nodes);
	tcase_add_test(test_case, test_physical_sectors);
	tcase_add_test(test_case, test_cdrom);
	tcase_add_test(test_case, test_medium);
	tcase_add_test(test_case, test_bad_medium);
	tcase_add_test(test_case, test_not_a_drive);
	tcase_add_test(test_case, test_empty_drive);
	tcase_add_loop_test(test_case, test_failure_of_changing, 0,
			    sizeof(failures_of_changing) / sizeof(failures_of_changing[0]));
	tcase_add_test(test_case, test_guest_closes_and_comes_back);
	tcase_add_test(test_case, test_destroy);
	tcase_add_test(test_case, test_new_device_of_the_same_number);
	tcase_add_test(test_case, test_devices_that_are_there);
	tcase_add_test(test_case, test_open_fails);
	tcase_add_test(test_case, test_open_fails_and_frontend_waits);
	tcase_add_test(test_case, test_worker_dies_opening);
	tcase_add_test(test_case, test_worker_says_nonsense);
	tcase_add_test(test_case, test_worker_answers_twice);
	tcase_add_test(test_case, test_no_worker);
	tcase_add_test(test_case, test_worker_is_silent);
	tcase_add_loop_test(test_case, test_bad_wish, 0, sizeof(bad_wishes) / sizeof(bad_wishes[0]));
	tcase_add_test(test_case, test_long_target);
	tcase_add_test(test_case, test_no_watch);
	tcase_add_test(test_case, test_bad_ring_nodes);
	tcase_add_loop_test(test_case, test_runtime_failure, 0,
			    sizeof(runtime_failures) / sizeof(runtime_failures[0]));
	tcase_add_test(test_case, test_worker_dies_before_use);
	tcase_add_test(test_case, test_device_models_are_cleaned_up);
	tcase_add_test(test_case, test_guests_do_not_harm_each_other);
	tcase_add_test(test_case, test_worker_hangs_at_detach);
	tcase_add_test(test_case, test_disk_hangs_at_detach);
	tcase_add_test(test_case, test_worker_that_does_not_stop);
	tcase_add_test(test_case, test_stop_kills_a_stubborn_worker);
	tcase_add_test(test_case, test_stop_and_start_again);
	tcase_add_test(test_case, test_start_again_without_the_disk);
	tcase_add_test(test_case, test_start_again_and_worker_is_silent);
	tcase_add_test(test_case, test_kernel_driver);
	tcase_add_test(test_case, test_kernel_driver_comes_later);
	tcase_add_test(test_case, test_driver_domain);
	tcase_add_test(test_case, test_driver_domain_without_nodes);
	tcase_add_test(test_case, test_state_storm);
	tcase_add_test(test_case, test_write_conflicts);
	tcase_add_test(test_case, test_xenstore_can_not_be_read);
	tcase_add_test(test_case, test_xenstore_can_be_read_again);
	tcase_add_loop_test(test_case, test_wish_can_not_be_read, 0, sizeof(wishes) / sizeof(wishes[0]));
	tcase_add_loop_test(test_case, test_frontend_can_not_be_read, 0,
			    sizeof(frontend_nodes) / sizeof(frontend_nodes[0]));
	tcase_add_test(test_case, test_error_can_not_be_written);
	tcase_add_test(test_case, test_watch_that_is_there);
	tcase_add_test(test_case, test_only_one);
}

CHECK_MAIN("daemon: loop", add_tests)
