// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_uplinks.c - the uplinks of switches: started with xvhostd, started again, ended with it
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "daemon/uplinks.h"
#include "daemon_run.h"
#include "daemon_store.h"
#include "fake_worker.h"

/* add - a switch with this uplink to the configuration. */
static void add(const char *name, const char *target)
{
	struct config_named *configured = &daemon_run_config.switches[daemon_run_config.switch_count++];

	snprintf(configured->name, sizeof(configured->name), "%s", name);
	snprintf(configured->target, sizeof(configured->target), "%s", target);
}

/* told - how often a worker has written this line. */
static unsigned told(const char *line)
{
	FILE *file = fopen(daemon_run_record_path, "r");
	char text[256];
	unsigned count = 0;

	while (file != NULL && fgets(text, sizeof(text), file) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		count += strcmp(text, line) == 0;
	}
	if (file != NULL)
		fclose(file);
	return count;
}

/* run_until_told - so often, and no more often. */
static void run_until_told(const char *line, unsigned count)
{
	for (unsigned turns = 0; turns < 250 && told(line) < count; turns++)
		daemon_run_turn(20);
	ck_assert_uint_eq(told(line), count);
}

START_TEST(test_start_and_end)
{
	add("lan", "good");
	add("a,b", "stubborn");
	daemon_run_start();
	run_until_told("switch lan: good in domain 0", 1);
	run_until_told("switch a,b: stubborn in domain 0", 1);
	daemon_run_for(100);
	ck_assert_int_eq(daemon_run_children(0), 2);
	ck_assert_uint_eq(told("switch lan: end"), 0);
	/* Who does not end is not waited for. */
	daemon_run_children(SIGCONT);
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	run_until_told("switch lan: end", 1);
	daemon_run_ahead_ms += WORKER_STOP_TIMEOUT_MS;
	daemon_run_stop();
	ck_assert_uint_eq(told("switch lan: good in domain 0"), 1);
}
END_TEST

START_TEST(test_killed)
{
	add("lan", "good");
	add("other", "good");
	daemon_run_start();
	run_until_told("switch lan: good in domain 0", 1);
	run_until_told("switch other: good in domain 0", 1);
	daemon_run_children(SIGKILL);
	daemon_run_until_children(0);
	daemon_run_for(50);
	ck_assert_int_eq(daemon_run_children(0), 0);
	daemon_run_ahead_ms += UPLINK_PAUSE_MIN_MS;
	run_until_told("switch lan: good in domain 0", 2);
	run_until_told("switch other: good in domain 0", 2);
	ck_assert_int_eq(daemon_run_children(0), 2);
	daemon_run_stop();
	ck_assert_uint_eq(told("switch lan: end"), 1);
}
END_TEST

/* What does not last is started after longer and longer pauses; what has lasted, after the shortest again. */
START_TEST(test_pauses)
{
	static const char line[] = "switch lan: good in domain 0";
	static const int64_t pauses_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 1000};
	const size_t count = sizeof(pauses_ms) / sizeof(pauses_ms[0]);

	add("lan", "good");
	daemon_run_start();
	for (size_t i = 0; i < count; i++) {
		run_until_told(line, (unsigned)i + 1);
		if (i == count - 1)
			daemon_run_ahead_ms += UPLINK_LASTS_MS;
		daemon_run_children(SIGKILL);
		daemon_run_until_children(0);
		daemon_run_ahead_ms += pauses_ms[i] - 300;
		daemon_run_for(50);
		ck_assert_int_eq(daemon_run_children(0), 0);
		daemon_run_ahead_ms += 300;
	}
	run_until_told(line, (unsigned)count + 1);
}
END_TEST

/* An uplink that says something is none of ours any more. */
START_TEST(test_talks)
{
	add("lan", "talks");
	daemon_run_start();
	run_until_told("switch lan: talks in domain 0", 1);
	daemon_run_until_children(0);
	daemon_run_ahead_ms += UPLINK_PAUSE_MIN_MS;
	run_until_told("switch lan: talks in domain 0", 2);
}
END_TEST

START_TEST(test_dies)
{
	add("lan", "dies");
	daemon_run_start();
	for (unsigned i = 1; i <= 4; i++) {
		run_until_told("switch lan: dies in domain 0", i);
		daemon_run_until_children(0);
		daemon_run_ahead_ms += UPLINK_PAUSE_MIN_MS << (i - 1);
	}
}
END_TEST

/* A program that is not there is tried again, too. */
START_TEST(test_no_program)
{
	add("lan", "good");
	strcpy(daemon_run_config.worker, "/nowhere/worker");
	daemon_run_start();
	daemon_run_for(50);
	ck_assert_int_eq(daemon_run_children(0), 0);
	snprintf(daemon_run_config.worker, sizeof(daemon_run_config.worker), "%s", fake_worker_path());
	daemon_run_ahead_ms += UPLINK_PAUSE_MIN_MS;
	run_until_told("switch lan: good in domain 0", 1);
}
END_TEST

START_TEST(test_driver_domain)
{
	daemon_store_start(5);
	add("lan", "good");
	daemon_run_start();
	run_until_told("switch lan: good in domain 5", 1);
	/* It is the toolstack's. */
	daemon_store_unset("error");
}
END_TEST

/* As many as can be configured, which take no place from guests. */
START_TEST(test_many)
{
	char name[NET_NAME_MAX], line[64];

	for (unsigned i = 0; i < CONFIG_SWITCHES_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		add(name, "good");
	}
	daemon_run_start();
	for (unsigned i = 0; i < CONFIG_SWITCHES_MAX; i++) {
		snprintf(line, sizeof(line), "switch n%u: good in domain 0", i);
		run_until_told(line, 1);
	}
	ck_assert_int_eq(daemon_run_children(0), CONFIG_SWITCHES_MAX);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, daemon_run_set_up, daemon_run_tear_down);
	tcase_add_test(test_case, test_start_and_end);
	tcase_add_test(test_case, test_killed);
	tcase_add_test(test_case, test_pauses);
	tcase_add_test(test_case, test_talks);
	tcase_add_test(test_case, test_dies);
	tcase_add_test(test_case, test_no_program);
	tcase_add_test(test_case, test_driver_domain);
	tcase_add_test(test_case, test_many);
}

CHECK_MAIN("daemon: uplinks", add_tests)
