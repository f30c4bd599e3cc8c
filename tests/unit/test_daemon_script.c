// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_script.c - the hotplug scripts, with a xenstore of files and a sleep that takes no time
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"

#define BACKEND "backend/vbd/3/51712" /* what it is called makes no difference to the scripts */

/* A script, and the words that the toolstack runs it with. */
static const struct {
	const char *file, *add, *remove, *wrong, *of_wrong;
} scripts[] = {
	{"block-xvhost", "add", "remove", "online", "\"online\"; it must be add or remove"},
	{"vif-xvhost", "online type_if=vif", "offline type_if=vif", "start",
	 "\"start\"; it must be online, offline, add or remove"},
};

#define SCRIPTS (sizeof(scripts) / sizeof(scripts[0]))

static char directory[64];
static const char *script; /* the file's name */

/* shell - run a command with $T for the test's directory; returns its status. */
static int shell(const char *command)
{
	int status = system(command);

	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/xvhost-test-script-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(setenv("T", directory, 1), 0);
	ck_assert_int_eq(setenv("XENBUS_PATH", BACKEND, 1), 0);
	ck_assert_int_eq(shell("mkdir -p $T/bin $T/store/" BACKEND " && cd $T/bin && "
			       "echo 'cat $T/store/$1 2>/dev/null' >xenstore-read && "
			       "echo 'printf %s \"$2\" >$T/store/$1' >xenstore-write && "
			       "echo 'echo $1 >>$T/slept; eval \"$WHILE_ASLEEP\"' >sleep && "
			       "sed -i '1i #!/bin/sh' * && chmod +x *"),
			 0);
}

static void tear_down(void)
{
	shell("rm -r $T");
}

/* run_script - with these arguments; returns its status. */
static int run_script(const char *arguments)
{
	char command[256];

	snprintf(command, sizeof(command), "PATH=$T/bin:$PATH sh service/daemon/%s %s 2>$T/errors", script,
		 arguments);
	return shell(command);
}

/* value - what a file of the test's directory holds, "(none)" if there is none. */
static const char *value(const char *path)
{
	static char text[512];
	char full[256];
	size_t length;
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", directory, path);
	file = fopen(full, "r");
	if (file == NULL)
		return "(none)";
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	return text;
}

START_TEST(test_ready)
{
	script = scripts[_i].file;
	shell("printf ready >$T/store/" BACKEND "/xvhost-status");
	ck_assert_int_eq(run_script(scripts[_i].add), 0);
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-status"), "connected");
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-error"), "(none)");
	ck_assert_str_eq(value("slept"), "(none)");
	ck_assert_str_eq(value("errors"), "");
}
END_TEST

START_TEST(test_ready_later)
{
	script = scripts[_i].file;
	setenv("WHILE_ASLEEP", "printf ready >$T/store/" BACKEND "/xvhost-status", 1);
	ck_assert_int_eq(run_script(scripts[_i].add), 0);
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-status"), "connected");
	ck_assert_str_eq(value("slept"), "1\n");
}
END_TEST

START_TEST(test_error)
{
	script = scripts[_i].file;
	shell("printf error >$T/store/" BACKEND "/xvhost-status");
	shell("printf 'no disk' >$T/store/" BACKEND "/hotplug-error");
	ck_assert_int_eq(run_script(scripts[_i].add), 1);
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-status"), "error");
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-error"), "no disk");
}
END_TEST

START_TEST(test_nobody)
{
	script = scripts[_i].file;
	ck_assert_int_eq(run_script(scripts[_i].add), 1);
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-status"), "error");
	ck_assert_ptr_nonnull(strstr(value("store/" BACKEND "/hotplug-error"), "xvhostd has not taken"));
	ck_assert_str_eq(value("slept"), "1\n1\n1\n1\n1\n1\n1\n1\n");
}
END_TEST

START_TEST(test_remove)
{
	script = scripts[_i].file;
	ck_assert_int_eq(run_script(scripts[_i].remove), 0);
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-status"), "(none)");
}
END_TEST

/* The emulated card of an HVM guest. */
START_TEST(test_emulated)
{
	script = "vif-xvhost";
	shell("printf error >$T/store/" BACKEND "/xvhost-status");
	ck_assert_int_eq(run_script("add type_if=tap"), 0);
	ck_assert_int_eq(run_script("remove type_if=tap"), 0);
	ck_assert_str_eq(value("store/" BACKEND "/hotplug-status"), "(none)");
}
END_TEST

START_TEST(test_wrong_use)
{
	script = scripts[_i].file;
	ck_assert_int_eq(run_script(scripts[_i].wrong), 1);
	ck_assert_ptr_nonnull(strstr(value("errors"), scripts[_i].of_wrong));
	unsetenv("XENBUS_PATH");
	ck_assert_int_eq(run_script(scripts[_i].add), 1);
	ck_assert_ptr_nonnull(strstr(value("errors"), "XENBUS_PATH is not set"));
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_loop_test(test_case, test_ready, 0, SCRIPTS);
	tcase_add_loop_test(test_case, test_ready_later, 0, SCRIPTS);
	tcase_add_loop_test(test_case, test_error, 0, SCRIPTS);
	tcase_add_loop_test(test_case, test_nobody, 0, SCRIPTS);
	tcase_add_loop_test(test_case, test_remove, 0, SCRIPTS);
	tcase_add_test(test_case, test_emulated);
	tcase_add_loop_test(test_case, test_wrong_use, 0, SCRIPTS);
}

CHECK_MAIN("daemon: hotplug scripts", add_tests)
