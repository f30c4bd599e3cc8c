// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_net.c - network cards in all of xvhostd, over a xenstore in this process, with worker processes that have none
 *
 * As test_daemon_loop.c, which has what is the same for disks and cards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "daemon/device.h"
#include "daemon_run.h"
#include "daemon_store.h"
#include "fake_worker.h"
#include "sim/xenstore.h"

#define OWN_WATCHES 2 /* of a card, in Dom0 */
#define STORM_WRITES 600
#define STORM_EVENTS_PER_TURN 128 /* at least, that xvhostd takes */

/* ---- the toolstack and the frontend ---- */

static const char *path_of(const char *format, unsigned domid, const char *name)
{
	static char path[XENSTORE_PATH_MAX];

	snprintf(path, sizeof(path), format, domid);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s%s", name[0] ? "/" : "", name);
	return path;
}

#define BACKEND "backend/vif/%u/0"
#define FRONTEND "/local/domain/%u/device/vif/0"

static void set_backend(unsigned domid, const char *name, const char *value)
{
	daemon_store_set(path_of(BACKEND, domid, name), value);
}

static void set_frontend(unsigned domid, const char *name, const char *value)
{
	daemon_store_set(path_of(FRONTEND, domid, name), value);
}

static const char *get(const char *path)
{
	const char *value = daemon_store_get(path);

	return value != NULL ? value : "(none)";
}

static const char *backend(unsigned domid, const char *name)
{
	return get(path_of(BACKEND, domid, name));
}

static const char *error_node(unsigned domid)
{
	return get(path_of("error/" BACKEND "/error", domid, ""));
}

static void turn_until(unsigned domid, const char *name, const char *value)
{
	daemon_run_until(path_of(BACKEND, domid, name), value);
}

/* make_device - what libxl 4.17 writes. The backend's state comes last, as if it was all one transaction. */
static void make_device(unsigned domid)
{
	char number[16], frontend[XENSTORE_PATH_MAX];

	snprintf(number, sizeof(number), "%u", domid);
	snprintf(frontend, sizeof(frontend), "%s", path_of(FRONTEND, domid, ""));
	set_frontend(domid, "state", "1");
	set_frontend(domid, "handle", "0");
	set_frontend(domid, "mac", "00:16:3e:01:02:03");
	set_backend(domid, "frontend", frontend);
	set_backend(domid, "frontend-id", number);
	set_backend(domid, "online", "1");
	set_backend(domid, "script", "/etc/xen/scripts/vif-xvhost");
	set_backend(domid, "mac", "00:16:3e:01:02:03");
	set_backend(domid, "bridge", "xenbr0");
	set_backend(domid, "handle", "0");
	set_backend(domid, "type", "vif");
	set_backend(domid, "hotplug-status", "");
	set_backend(domid, "state", "1");
}

/* make_rings - what netfront writes before state 4, to which it goes at once. */
static void make_rings(unsigned domid)
{
	static const char *const nodes[][2] = {
		{"multi-queue-num-queues", "1"},    {"request-rx-copy", "1"},
		{"feature-rx-notify", "1"},	    {"feature-sg", "1"},
		{"feature-gso-tcpv4", "1"},	    {"feature-gso-tcpv6", "1"},
		{"feature-ipv6-csum-offload", "1"},
	};
	static const char *const numbers[] = {"tx-ring-ref", "rx-ring-ref", "event-channel-tx",
					      "event-channel-rx"};
	const unsigned values[] = {FAKE_RING_REF, FAKE_RING_REF + 1, FAKE_EVENT_CHANNEL,
				   FAKE_EVENT_CHANNEL + 1};
	char number[16];

	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		set_frontend(domid, nodes[i][0], nodes[i][1]);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(number, sizeof(number), "%u", values[i]);
		set_frontend(domid, numbers[i], number);
	}
	set_frontend(domid, "state", "4");
}

/* run_script - what vif-xvhost comes to. */
static void run_script(unsigned domid)
{
	ck_assert_str_eq(backend(domid, "xvhost-status"), "ready");
	set_backend(domid, "hotplug-status", "connected");
}

/* attach - a card from nothing to Connected. */
static void attach(unsigned domid)
{
	make_device(domid);
	turn_until(domid, "state", "2");
	run_script(domid);
	make_rings(domid);
	turn_until(domid, "state", "4");
	daemon_run_for(20);
	ck_assert_str_eq(backend(domid, "state"), "4");
}

static void begin_detach(unsigned domid)
{
	set_backend(domid, "online", "0");
	set_backend(domid, "state", "5");
}

static void remove_device(unsigned domid)
{
	daemon_store_unset(path_of(FRONTEND, domid, ""));
	daemon_store_unset(path_of("backend/vif/%u", domid, ""));
	daemon_run_for(20);
}

static void detach(unsigned domid)
{
	begin_detach(domid);
	daemon_run_for(20);
	set_frontend(domid, "state", "6");
	turn_until(domid, "state", "6");
	remove_device(domid);
	ck_assert_str_eq(error_node(domid), "(none)");
}

/* ---- what the worker was asked ---- */

static const char *record(void)
{
	static char text[8192];
	FILE *file = fopen(daemon_run_record_path, "r");
	size_t length;

	if (file == NULL)
		return "";
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	return text;
}

/* expect - in the end the worker was asked exactly this since the last call. */
static void expect(const char *lines)
{
	for (unsigned turns = 0; turns < 250 && strcmp(record(), lines) != 0; turns++)
		daemon_run_turn(20);
	ck_assert_str_eq(record(), lines);
	unlink(daemon_run_record_path);
}

#define OPENED                                                                                               \
	"open 0: switch: interface vif3.0 bridge xenbr0 mac 00:16:3e:01:02:03 mtu 1500 queues 2\n"           \
	"open: rate 0,0 multicast 0 headroom 0\n"
#define CONNECTED                                                                                            \
	"connect 0: takes 15 scatter 1 again 0\n"                                                            \
	"connect: rate 0,0 multicast 0 headroom 0\n"

static void set_up(void)
{
	daemon_run_set_up();
	daemon_run_config.net_max_queues = 2;
}

/* set_target - of all cards. */
static void set_target(const char *target)
{
	snprintf(daemon_run_config.net_target, sizeof(daemon_run_config.net_target), "%s", target);
}

/* ---- tests ---- */

START_TEST(test_attach_and_detach)
{
	static const char *const offered[][2] = {
		{"feature-sg", "1"},
		{"feature-gso-tcpv4", "1"},
		{"feature-gso-tcpv6", "1"},
		{"feature-ipv6-csum-offload", "1"},
		{"feature-no-csum-offload", "(none)"},
		{"feature-rx-copy", "1"},
		{"feature-rx-flip", "0"},
		{"feature-multicast-control", "1"},
		{"feature-dynamic-multicast-control", "1"},
		{"feature-split-event-channels", "1"},
		{"feature-xdp-headroom", "1"},
		{"feature-ctrl-ring", "1"},
		{"multi-queue-max-queues", "2"},
		{"carrier", "1"},
	};
	unsigned nodes;

	daemon_run_start();
	daemon_store_set("backend/vif", "");
	daemon_store_set("/local/domain/3/device/vif", "");
	nodes = daemon_store_nodes();
	attach(3);
	for (unsigned i = 0; i < sizeof(offered) / sizeof(offered[0]); i++)
		ck_assert_msg(strcmp(backend(3, offered[i][0]), offered[i][1]) == 0, "%s is %s",
			      offered[i][0], backend(3, offered[i][0]));
	ck_assert_str_eq(error_node(3), "(none)");
	ck_assert_int_eq(daemon_run_children(0), 1);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES + OWN_WATCHES);
	expect(OPENED CONNECTED);

	begin_detach(3);
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "5");
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	daemon_run_until_children(0);
	expect("disconnect 0\nclose 0\n");
	remove_device(3);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
	ck_assert_uint_eq(daemon_store_nodes(), nodes);
}
END_TEST

START_TEST(test_takes_nothing)
{
	set_target("takes-nothing");
	daemon_run_config.net_max_queues = 8;
	daemon_run_start();
	attach(3);
	ck_assert_str_eq(backend(3, "multi-queue-max-queues"), "4");
	ck_assert_str_eq(backend(3, "feature-sg"), "1");
	ck_assert_str_eq(backend(3, "feature-gso-tcpv4"), "0");
	ck_assert_str_eq(backend(3, "feature-gso-tcpv6"), "0");
	ck_assert_str_eq(backend(3, "feature-ipv6-csum-offload"), "0");
	ck_assert_str_eq(backend(3, "feature-no-csum-offload"), "1");
	detach(3);
}
END_TEST

/* The frontend is faster than the script: it hears of state 4 when that was there, too. */
START_TEST(test_script_comes_last)
{
	daemon_run_start();
	make_device(3);
	turn_until(3, "state", "2");
	make_rings(3);
	expect(OPENED CONNECTED);
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "2");
	set_backend(3, "hotplug-status", "error");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "2");
	run_script(3);
	turn_until(3, "state", "4");
	detach(3);
}
END_TEST

/* The guest's driver is unloaded and loaded; the script is not run again. */
START_TEST(test_guest_closes_and_comes_back)
{
	daemon_run_start();
	attach(3);
	for (unsigned i = 0; i < 3; i++) {
		set_frontend(3, "state", "5");
		turn_until(3, "state", "5");
		set_frontend(3, "state", "6");
		turn_until(3, "state", "6");
		set_frontend(3, "state", "1");
		turn_until(3, "state", "2");
		make_rings(3);
		turn_until(3, "state", "4");
	}
	ck_assert_int_eq(daemon_run_children(0), 1);
}
END_TEST

START_TEST(test_wishes)
{
	struct config_named *network = &daemon_run_config.networks[0];

	snprintf(network->name, sizeof(network->name), "lan");
	snprintf(network->target, sizeof(network->target), "good");
	daemon_run_config.network_count = 1;
	daemon_run_start();
	make_device(3);
	set_backend(3, "bridge", "lan");
	set_backend(3, "vifname", "web-0");
	set_backend(3, "mtu", "9000");
	set_backend(3, "mac", "00:16:3E:aB:cd:EF");
	set_backend(3, "rate", "12500,50000");
	turn_until(3, "state", "2");
	expect("open 0: good interface web-0 bridge lan mac 00:16:3e:ab:cd:ef mtu 9000 queues 2\n"
	       "open: rate 12500,50000 multicast 0 headroom 0\n");
	run_script(3);
	set_frontend(3, "request-multicast-control", "1");
	set_frontend(3, "xdp-headroom", "128");
	set_frontend(3, "feature-no-csum-offload", "1");
	make_rings(3);
	turn_until(3, "state", "4");
	expect("connect 0: takes 10 scatter 1 again 0\n"
	       "connect: rate 12500,50000 multicast 1 headroom 128\n");
}
END_TEST

/* A bridge that is not named, and none at all. */
START_TEST(test_no_bridge)
{
	daemon_run_start();
	make_device(3);
	daemon_store_unset(path_of(BACKEND, 3, "bridge"));
	turn_until(3, "state", "2");
	expect("open 0: switch: interface vif3.0 bridge  mac 00:16:3e:01:02:03 mtu 1500 queues 2\n"
	       "open: rate 0,0 multicast 0 headroom 0\n");
}
END_TEST

/* A number so large that the interface would have too long a name; the toolstack can give it one. */
START_TEST(test_large_number)
{
	static const char *const nodes[][2] = {
		{"/local/domain/32000/device/vif/4000000000/state", "1"},
		{"backend/vif/32000/4000000000/frontend", "/local/domain/32000/device/vif/4000000000"},
		{"backend/vif/32000/4000000000/frontend-id", "32000"},
		{"backend/vif/32000/4000000000/online", "1"},
		{"backend/vif/32000/4000000000/script", "vif-xvhost"},
		{"backend/vif/32000/4000000000/mac", "00:16:3e:01:02:03"},
	};

	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		daemon_store_set(nodes[i][0], nodes[i][1]);
	if (_i == 1)
		daemon_store_set("backend/vif/32000/4000000000/vifname", "large");
	daemon_store_set("backend/vif/32000/4000000000/state", "1");
	daemon_run_start();
	daemon_run_until("backend/vif/32000/4000000000/state", "2");
	if (_i == 1)
		expect("open 4000000000: switch: interface large bridge  mac 00:16:3e:01:02:03 mtu 1500 "
		       "queues 2\n"
		       "open: rate 0,0 multicast 0 headroom 0\n");
	else
		ck_assert_str_eq(get("backend/vif/32000/4000000000/hotplug-error"),
				 "vif32000.4000000000 is no name for an interface, since it has more than 15 "
				 "characters; backend node vifname must have another one");
}
END_TEST

/* check_refused - the card failed to open, with this text; it can be removed and leaves nothing. */
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
	ck_assert_ptr_null(daemon_store_get("error"));
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
}

static const struct {
	const char *node, *value, *text;
} bad_wishes[] = {
	{"frontend", "/local/domain/4/device/vif/0",
	 "backend node frontend is \"/local/domain/4/device/vif/0\"; it must be "
	 "/local/domain/3/device/vif/0"},
	{"frontend-id", "4", "backend node frontend-id is \"4\"; it must be 3"},
	{"mac", "00:16:3e:01:02",
	 "backend node mac is \"00:16:3e:01:02\"; it must be the address of one card, such as "
	 "00:16:3e:01:02:03"},
	{"mac", "00:16:3e:01:02:0g",
	 "backend node mac is \"00:16:3e:01:02:0g\"; it must be the address of one card, such as "
	 "00:16:3e:01:02:03"},
	{"mac", "00-16-3e-01-02-03",
	 "backend node mac is \"00-16-3e-01-02-03\"; it must be the address of one card, such as "
	 "00:16:3e:01:02:03"},
	{"mac", "01:00:5e:00:00:01",
	 "backend node mac is \"01:00:5e:00:00:01\"; it must be the address of one card, such as "
	 "00:16:3e:01:02:03"},
	{"mac", "00:00:00:00:00:00",
	 "backend node mac is \"00:00:00:00:00:00\"; it must be the address of one card, such as "
	 "00:16:3e:01:02:03"},
	{"mac", "",
	 "backend node mac is \"\"; it must be the address of one card, such as 00:16:3e:01:02:03"},
	{"mtu", "67", "backend node mtu is \"67\"; it must be a decimal number from 68 to 65521"},
	{"mtu", "65522", "backend node mtu is \"65522\"; it must be a decimal number from 68 to 65521"},
	{"mtu", "", "backend node mtu is \"\"; it must be a decimal number from 68 to 65521"},
	{"bridge", "sixteen-letters-",
	 "backend node bridge is \"sixteen-letters-\"; it must be the name of an "
	 "interface, of 1 to 15 characters"},
	{"bridge", "",
	 "backend node bridge is \"\"; it must be the name of an interface, of 1 to 15 characters"},
	{"bridge", "..",
	 "backend node bridge is \"..\"; it must be the name of an interface, of 1 to 15 characters"},
	{"vifname", "a/b",
	 "backend node vifname is \"a/b\"; it must be the name of an interface, of 1 to 15 characters"},
	{"vifname", "a b",
	 "backend node vifname is \"a b\"; it must be the name of an interface, of 1 to 15 characters"},
	{"rate", "1000", "backend node rate is \"1000\"; it must be BYTES,MICROSECONDS, both from 1 on"},
	{"rate", "0,50000",
	 "backend node rate is \"0,50000\"; it must be BYTES,MICROSECONDS, both from 1 on"},
	{"rate", "1000,0", "backend node rate is \"1000,0\"; it must be BYTES,MICROSECONDS, both from 1 on"},
	{"rate", "1,2,3", "backend node rate is \"1,2,3\"; it must be BYTES,MICROSECONDS, both from 1 on"},
	{"rate", "1kB/s,1",
	 "backend node rate is \"1kB/s,1\"; it must be BYTES,MICROSECONDS, both from 1 on"},
};

START_TEST(test_bad_wish)
{
	make_device(3);
	set_backend(3, bad_wishes[_i].node, bad_wishes[_i].value);
	daemon_run_start();
	check_refused(3, "22", bad_wishes[_i].text);
}
END_TEST

static const struct {
	const char *target, *number, *text;
} failures_to_open[] = {
	{"bad", "2", "no such network"},
	{"dies-opening", "5", "the worker is gone, it ended with status 3, before it opened the card"},
	{"takes-too-much", "5",
	 "the worker is gone, it was ended by signal 9 (Killed), before it opened the card"},
	{"links-early", "5",
	 "the worker is gone, it was ended by signal 9 (Killed), before it opened the card"},
	{"no-queues", "5",
	 "the worker is gone, it was ended by signal 9 (Killed), before it opened the card"},
	{"many-queues", "5",
	 "the worker is gone, it was ended by signal 9 (Killed), before it opened the card"},
};

START_TEST(test_open_fails)
{
	set_target(failures_to_open[_i].target);
	daemon_run_start();
	make_device(3);
	check_refused(3, failures_to_open[_i].number, failures_to_open[_i].text);
}
END_TEST

/* libxl makes hotplug-status itself, and empty: that is not the script's word. */
START_TEST(test_open_fails_and_frontend_waits)
{
	set_target("bad");
	daemon_run_start();
	make_device(3);
	turn_until(3, "state", "2");
	make_rings(3);
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "2");
	set_backend(3, "hotplug-status", "error");
	turn_until(3, "state", "5");
}
END_TEST

START_TEST(test_worker_is_silent)
{
	set_target("silent");
	daemon_run_start();
	make_device(3);
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "1");
	daemon_run_ahead_ms += OPEN_TIMEOUT_MS;
	check_refused(3, "110", "the worker has not opened the card within 7000 ms");
}
END_TEST

static const struct {
	const char *target, *error;
} runtime_failures[] = {
	{"fails-connecting", "5 no such ring"},
	{"breaks", "71 nonsense?in the ring"},
	{"dies-connected", "5 the worker is gone while the card was in use, it ended with status 5"},
};

START_TEST(test_runtime_failure)
{
	set_target(runtime_failures[_i].target);
	daemon_run_start();
	make_device(3);
	turn_until(3, "state", "2");
	run_script(3);
	make_rings(3);
	turn_until(3, "state", "5");
	daemon_run_for(50);
	ck_assert_str_eq(error_node(3), runtime_failures[_i].error);
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	daemon_run_ahead_ms += OPEN_PAUSE_MS;
	set_frontend(3, "state", "1");
	turn_until(3, "state", "2");
	ck_assert_str_eq(error_node(3), "(none)");
}
END_TEST

START_TEST(test_bad_frontend)
{
	daemon_run_start();
	make_device(3);
	turn_until(3, "state", "2");
	run_script(3);
	set_frontend(3, "feature-sg", "x");
	make_rings(3);
	set_frontend(3, "request-rx-copy", "0");
	turn_until(3, "state", "5");
	ck_assert_str_eq(error_node(3),
			 "95 frontend node request-rx-copy is 0; it must be 1: packets are copied into the "
			 "guest's pages");
}
END_TEST

/* ---- what changes while it is connected ---- */

START_TEST(test_rate_changes)
{
	daemon_run_start();
	attach(3);
	expect(OPENED CONNECTED);
	set_backend(3, "rate", "1000,20000");
	expect("settings: rate 1000,20000 multicast 0 headroom 0\n");
	/* What makes no sense changes nothing, and what follows it is seen. */
	set_backend(3, "rate", "fast");
	daemon_run_for(50);
	set_backend(3, "rate", "2000,20000");
	expect("settings: rate 2000,20000 multicast 0 headroom 0\n");
	daemon_store_unset(path_of(BACKEND, 3, "rate"));
	expect("settings: rate 0,0 multicast 0 headroom 0\n");
	ck_assert_str_eq(backend(3, "state"), "4");
	ck_assert_str_eq(error_node(3), "(none)");
	detach(3);
}
END_TEST

/* The card gets and loses its link at the worker's changes of other settings. */
START_TEST(test_link)
{
	set_target("no-link");
	daemon_run_start();
	attach(3);
	ck_assert_str_eq(backend(3, "carrier"), "0");
	set_backend(3, "rate", "1000,20000");
	turn_until(3, "carrier", "1");
	set_backend(3, "rate", "2000,20000");
	turn_until(3, "carrier", "0");
	ck_assert_str_eq(backend(3, "state"), "4");
	ck_assert_str_eq(error_node(3), "(none)");
	detach(3);
}
END_TEST

/* What stands there was told by an xvhostd before. */
START_TEST(test_link_when_started_again)
{
	daemon_run_start();
	attach(3);
	daemon_run_stop();
	set_backend(3, "carrier", "0");
	daemon_run_start();
	turn_until(3, "carrier", "1");
	ck_assert_str_eq(backend(3, "state"), "4");
	detach(3);
}
END_TEST

START_TEST(test_multicast_changes)
{
	daemon_run_start();
	attach(3);
	expect(OPENED CONNECTED);
	set_frontend(3, "request-multicast-control", "1");
	expect("settings: rate 0,0 multicast 1 headroom 0\n");
	set_frontend(3, "request-multicast-control", "banana");
	daemon_run_for(50);
	set_frontend(3, "request-multicast-control", "0");
	expect("settings: rate 0,0 multicast 0 headroom 0\n");
	ck_assert_str_eq(backend(3, "state"), "4");
}
END_TEST

/* As netfront does for an XDP program. */
START_TEST(test_reconfigure)
{
	daemon_run_start();
	attach(3);
	expect(OPENED CONNECTED);
	for (unsigned i = 0; i < 2; i++) {
		set_frontend(3, "xdp-headroom", i == 0 ? "256" : "0");
		set_frontend(3, "state", "7");
		turn_until(3, "state", "8");
		/* Not before the worker was told. */
		expect(i == 0 ? "settings: rate 0,0 multicast 0 headroom 256\n"
			      : "settings: rate 0,0 multicast 0 headroom 0\n");
		set_frontend(3, "state", "4");
		turn_until(3, "state", "4");
	}
	set_frontend(3, "xdp-headroom", "99999");
	set_frontend(3, "state", "7");
	turn_until(3, "state", "8");
	/* It goes while it is about to be reconfigured. */
	set_frontend(3, "state", "5");
	turn_until(3, "state", "5");
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	expect("disconnect 0\n");
}
END_TEST

/* reads_of - what xvhostd reads in so many turns. */
static unsigned reads_of(unsigned turns)
{
	unsigned before = daemon_store_reads();

	for (; turns > 0; turns--)
		daemon_run_turn(0);
	return daemon_store_reads() - before;
}

/*
 * XSA-349: a guest that writes what is watched in a storm. What was written between two turns costs one look at the card, as one write does, or
 * one for as many events as a turn takes; and then nothing of it is left.
 */
START_TEST(xsa_349_watch_storm)
{
	const unsigned turns_most = 2 * STORM_WRITES / STORM_EVENTS_PER_TURN + 2;
	unsigned look, quiet = 1;

	daemon_run_start();
	attach(3);
	expect(OPENED CONNECTED);
	for (unsigned turns = 0; turns < 100 && quiet > 0; turns++)
		quiet = reads_of(5);
	ck_assert_uint_eq(quiet, 0);
	set_frontend(3, "request-multicast-control", "0");
	look = reads_of(5);
	ck_assert_uint_gt(look, 0);
	ck_assert_uint_lt(look, 50);
	for (unsigned i = 0; i < STORM_WRITES; i++) {
		set_frontend(3, "request-multicast-control", i % 2 ? "0" : "1");
		set_frontend(3, "state", i % 2 ? "4" : "7");
	}
	ck_assert_uint_le(reads_of(turns_most), turns_most * look);
	ck_assert_uint_eq(reads_of(5), 0);
	ck_assert_str_eq(record(), "");
	ck_assert_str_eq(backend(3, "state"), "4");
	detach(3);
}
END_TEST

/* The same while the card is looked at, and another one's card. */
START_TEST(test_storm)
{
	daemon_run_start();
	attach(3);
	for (unsigned i = 0; i < 600; i++) {
		set_frontend(3, "request-multicast-control", i % 2 ? "1" : "0");
		set_frontend(3, "state", i % 3 ? "7" : "4");
		if (i % 50 == 0)
			daemon_run_turn(0);
	}
	set_frontend(3, "state", "4");
	attach(4);
	turn_until(3, "state", "4");
	detach(3);
	detach(4);
}
END_TEST

/* ---- which are ours ---- */

/* make_with - a card with these nodes, all at once. */
static void make_with(const char *script, const char *bridge)
{
	make_device(3);
	set_backend(3, "state", "");
	set_backend(3, "script", script);
	set_backend(3, "bridge", bridge);
	daemon_run_start();
	set_backend(3, "state", "1");
}

static const struct {
	const char *script, *bridge;
	bool all, taken;
} adoptions[] = {
	{"/etc/xen/scripts/vif-xvhost", "xenbr0", false, true},
	{"vif-xvhost", "tapped", true, true},
	{"/etc/xen/scripts/vif-bridge", "tapped", false, false},
	{"/etc/xen/scripts/vif-bridge", "tapped", true, true},
	{"/etc/xen/scripts/vif-bridge", "memory", true, true},
	{"/etc/xen/scripts/vif-bridge", "tape", true, false},
	{"/etc/xen/scripts/vif-bridge", "other", true, false},
	{"/etc/xen/scripts/vif-bridge", "wrapped", true, true},
	{"/etc/xen/scripts/vif-bridge", "wrapped tape", true, false},
	{"/etc/xen/scripts/vif-bridge", "wrapped other", true, false},
	{"/etc/xen/scripts/vif-bridge", "xenbr0", true, false},
	{"/etc/xen/scripts/vif-xvhost2", "xenbr0", false, false},
	{"block-xvhost", "xenbr0", false, false},
};

START_TEST(test_adoption)
{
	static const char *const networks[][2] = {{"tapped", "tap:"},
						  {"memory", "memory=grant,tap:a=b"},
						  {"tape", "tape:"},
						  {"other", "null:x=tap:"},
						  {"wrapped", "a:x=1,,target=b,y=2,target=c:target=tap:z=3"},
						  {"wrapped tape", "a:x=1,target=tape:x=tap:"},
						  {"wrapped other", "a:x=1,,target=tap:"}};

	for (unsigned i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		struct config_named *network = &daemon_run_config.networks[i];

		snprintf(network->name, sizeof(network->name), "%s", networks[i][0]);
		snprintf(network->target, sizeof(network->target), "%s", networks[i][1]);
		daemon_run_config.network_count++;
	}
	daemon_run_config.net_adopt_all = adoptions[_i].all;
	make_with(adoptions[_i].script, adoptions[_i].bridge);
	if (adoptions[_i].taken)
		turn_until(3, "state", "2");
	else
		daemon_run_for(100);
	ck_assert_str_eq(backend(3, "state"), adoptions[_i].taken ? "2" : "1");
	ck_assert_int_eq(daemon_run_children(0), adoptions[_i].taken);
}
END_TEST

/* A disk and a card of one guest and one number, in one worker. */
START_TEST(test_disk_of_the_same_number)
{
	static const char *const disk[][2] = {
		{"/local/domain/3/device/vbd/0/state", "3"},
		{"/local/domain/3/device/vbd/0/ring-ref", "8"},
		{"/local/domain/3/device/vbd/0/event-channel", "9"},
		{"/local/domain/3/device/vbd/0/protocol", "x86_64-abi"},
		{"backend/vbd/3/0/frontend", "/local/domain/3/device/vbd/0"},
		{"backend/vbd/3/0/frontend-id", "3"},
		{"backend/vbd/3/0/online", "1"},
		{"backend/vbd/3/0/mode", "w"},
		{"backend/vbd/3/0/script", "block-xvhost"},
		{"backend/vbd/3/0/params", "good"},
		{"backend/vbd/3/0/state", "1"},
	};

	daemon_run_start();
	attach(3);
	for (unsigned i = 0; i < sizeof(disk) / sizeof(disk[0]); i++)
		daemon_store_set(disk[i][0], disk[i][1]);
	daemon_run_until("backend/vbd/3/0/state", "4");
	ck_assert_int_eq(daemon_run_children(0), 1);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES + OWN_WATCHES + 1);
	detach(3);
	ck_assert_str_eq(get("backend/vbd/3/0/state"), "4");
	ck_assert_int_eq(daemon_run_children(0), 1);
}
END_TEST

START_TEST(test_stop_and_start_again)
{
	daemon_run_start();
	attach(3);
	daemon_run_stop();
	ck_assert_str_eq(backend(3, "state"), "4");
	unlink(daemon_run_record_path);
	daemon_run_start();
	expect(OPENED "connect 0: takes 15 scatter 1 again 1\nconnect: rate 0,0 multicast 0 headroom 0\n");
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "4");
	/* The same while it is being reconfigured. */
	set_frontend(3, "state", "7");
	turn_until(3, "state", "8");
	daemon_run_stop();
	ck_assert_str_eq(backend(3, "state"), "8");
	daemon_run_start();
	expect(OPENED "connect 0: takes 15 scatter 1 again 1\nconnect: rate 0,0 multicast 0 headroom 0\n");
	set_frontend(3, "state", "4");
	turn_until(3, "state", "4");
	detach(3);
}
END_TEST

START_TEST(test_kernel_driver)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "mkdir -p %s/bus/xen-backend/drivers/vif %s/bus/xen-backend/devices/vif-3-0/driver",
		 daemon_run_sysfs_path, daemon_run_sysfs_path);
	ck_assert_int_eq(system(command), 0);
	daemon_run_start();
	make_device(3);
	turn_until(3, "xvhost-status", "error");
	ck_assert_ptr_nonnull(strstr(backend(3, "hotplug-error"), "xen-netback has taken the device"));
	ck_assert_ptr_nonnull(strstr(backend(3, "hotplug-error"), "rmmod xen_netback"));
	ck_assert_ptr_nonnull(strstr(error_node(3), "16 the kernel's driver"));
	ck_assert_int_eq(daemon_run_children(0), 0);
	attach(4);
	remove_device(3);
	ck_assert_ptr_null(daemon_store_get("error"));
}
END_TEST

/* Without the second watch there is no card, and no watch is left. */
START_TEST(test_no_watch)
{
	daemon_run_start();
	daemon_run_for(20);
	daemon_store_fail_watches(E2BIG);
	make_device(3);
	turn_until(3, "xvhost-status", "error");
	ck_assert_ptr_nonnull(
		strstr(backend(3, "hotplug-error"), "can't watch /local/domain/3/device/vif/0"));
	daemon_store_fail_watches(0);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
}
END_TEST

/* There one watch is enough, no script is run, and the directory is ours to remove. */
START_TEST(test_driver_domain)
{
	daemon_store_start(2);
	daemon_run_start();
	make_device(3);
	turn_until(3, "state", "2");
	ck_assert_str_eq(backend(3, "feature-multicast-control"), "1");
	ck_assert_str_eq(backend(3, "feature-dynamic-multicast-control"), "0");
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES + 1);
	set_frontend(3, "request-multicast-control", "1");
	make_rings(3);
	expect(OPENED "connect 0: takes 15 scatter 1 again 0\nconnect: rate 0,0 multicast 1 headroom 0\n");
	/* The toolstack may not have seen this yet. */
	daemon_run_for(50);
	ck_assert_str_eq(backend(3, "state"), "2");
	daemon_run_ahead_ms += SEEN_PAUSE_MS;
	turn_until(3, "state", "4");
	/* It was not offered that this may change. */
	set_frontend(3, "request-multicast-control", "0");
	set_backend(3, "rate", "1000,20000");
	expect("settings: rate 1000,20000 multicast 1 headroom 0\n");
	begin_detach(3);
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	daemon_run_ahead_ms += REMOVE_DELAY_MS;
	turn_until(3, "state", "(none)");
	daemon_run_for(20);
	ck_assert_uint_eq(daemon_store_watches(), DAEMON_RUN_WATCHES);
	/* It is the toolstack's there. */
	daemon_store_unset("error");
}
END_TEST

/* fill_up - all nodes that this domain may have: another backend's are its, too. */
static void fill_up(void)
{
	char path[64];

	for (unsigned i = 0; i < SIM_STORE_NODES_MAX; i++) {
		snprintf(path, sizeof(path), "backend/vif/9/0/node-%u", i);
		daemon_store_set(path, "");
	}
}

/* All nodes of a card are there when the toolstack goes on: nothing after that needs one more. */
START_TEST(test_driver_domain_without_nodes)
{
	daemon_store_start(2);
	daemon_run_start();
	fill_up();
	make_device(3);
	daemon_run_for(100);
	ck_assert_str_eq(backend(3, "state"), "1");
	ck_assert_str_eq(backend(3, "feature-sg"), "(none)");
	daemon_store_unset("backend/vif/9");
	daemon_run_ahead_ms += RETRY_PAUSE_MS;
	turn_until(3, "state", "2");
	fill_up();
	make_rings(3);
	turn_until(3, "state", "4");
	set_frontend(3, "state", "7");
	turn_until(3, "state", "8");
	set_frontend(3, "state", "4");
	turn_until(3, "state", "4");
	begin_detach(3);
	set_frontend(3, "state", "6");
	turn_until(3, "state", "6");
	daemon_store_unset("backend/vif/9");
	daemon_store_unset("error");
}
END_TEST

/* Another script than ours has work to do, wherever it is. */
START_TEST(test_driver_domain_with_a_bridge)
{
	set_target("tap:");
	daemon_run_config.net_adopt_all = true;
	daemon_store_start(2);
	daemon_run_start();
	make_device(3);
	set_backend(3, "script", "/etc/xen/scripts/vif-bridge");
	turn_until(3, "state", "2");
	make_rings(3);
	daemon_run_for(100);
	ck_assert_str_eq(backend(3, "state"), "2");
	set_backend(3, "hotplug-status", "connected");
	turn_until(3, "state", "4");
	daemon_store_unset("error");
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, daemon_run_tear_down);
	tcase_add_test(test_case, test_attach_and_detach);
	tcase_add_test(test_case, test_takes_nothing);
	tcase_add_test(test_case, test_script_comes_last);
	tcase_add_test(test_case, test_guest_closes_and_comes_back);
	tcase_add_test(test_case, test_wishes);
	tcase_add_test(test_case, test_no_bridge);
	tcase_add_loop_test(test_case, test_large_number, 0, 2);
	tcase_add_loop_test(test_case, test_bad_wish, 0, sizeof(bad_wishes) / sizeof(bad_wishes[0]));
	tcase_add_loop_test(test_case, test_open_fails, 0,
			    sizeof(failures_to_open) / sizeof(failures_to_open[0]));
	tcase_add_test(test_case, test_open_fails_and_frontend_waits);
	tcase_add_test(test_case, test_worker_is_silent);
	tcase_add_loop_test(test_case, test_runtime_failure, 0,
			    sizeof(runtime_failures) / sizeof(runtime_failures[0]));
	tcase_add_test(test_case, test_bad_frontend);
	tcase_add_test(test_case, test_rate_changes);
	tcase_add_test(test_case, test_link);
	tcase_add_test(test_case, test_link_when_started_again);
	tcase_add_test(test_case, test_multicast_changes);
	tcase_add_test(test_case, test_reconfigure);
	tcase_add_test(test_case, xsa_349_watch_storm);
	tcase_add_test(test_case, test_storm);
	tcase_add_loop_test(test_case, test_adoption, 0, sizeof(adoptions) / sizeof(adoptions[0]));
	tcase_add_test(test_case, test_disk_of_the_same_number);
	tcase_add_test(test_case, test_stop_and_start_again);
	tcase_add_test(test_case, test_kernel_driver);
	tcase_add_test(test_case, test_no_watch);
	tcase_add_test(test_case, test_driver_domain);
	tcase_add_test(test_case, test_driver_domain_without_nodes);
	tcase_add_test(test_case, test_driver_domain_with_a_bridge);
}

CHECK_MAIN("daemon: network cards", add_tests)
