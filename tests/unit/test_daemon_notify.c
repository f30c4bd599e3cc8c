// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_notify.c - what the service manager is told
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check_main.h"
#include "daemon/notify.h"

/* check_notify - a message arrives at a socket of this name, where '@' is the abstract namespace. */
static void check_notify(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[32];
	ssize_t length;

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(notify_send("READY=1"), 0);
	length = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	ck_assert_int_eq(length, 7);
	ck_assert_int_eq(memcmp(text, "READY=1", 7), 0);
	close(fd);
}

START_TEST(test_abstract)
{
	char name[64];

	snprintf(name, sizeof(name), "@xvhost-test-notify-%d", (int)getpid());
	check_notify(name);
}
END_TEST

START_TEST(test_file)
{
	char name[64];

	snprintf(name, sizeof(name), "/tmp/xvhost-test-notify-%d", (int)getpid());
	check_notify(name);
	unlink(name);
}
END_TEST

START_TEST(test_nobody)
{
	char name[200];

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	ck_assert_int_eq(notify_send("READY=1"), -ENOENT);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(notify_send("READY=1"), -ENAMETOOLONG);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, test_abstract);
	tcase_add_test(test_case, test_file);
	tcase_add_test(test_case, test_nobody);
}

CHECK_MAIN("daemon: notify", add_tests)
