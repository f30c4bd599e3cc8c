// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_nodes.c - writing to xenstore never makes what the toolstack has removed, and leaves nothing
 * behind
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "daemon/nodes.h"
#include "daemon_store.h"

#define DEVICE "backend/vbd/3/768"

static struct host host = {.platform = &daemon_store_platform};

static void set_up(void)
{
	daemon_store_start(0);
	ck_assert_int_eq(host.platform->xenstore_open(host.platform, &host.xenstore), 0);
	host.domid = 0;
}

static const struct node nodes[] = {{"a", "1"}, {"b", NULL}, {"state", "2"}};

START_TEST(test_update)
{
	daemon_store_set(DEVICE "/state", "1");
	daemon_store_set(DEVICE "/b", "x");
	daemon_store_conflict(9);
	ck_assert_int_eq(nodes_update(&host, DEVICE, XENBUS_INITIALISING, nodes, 3), 0);
	ck_assert_str_eq(daemon_store_get(DEVICE "/a"), "1");
	ck_assert_ptr_null(daemon_store_get(DEVICE "/b"));
	ck_assert_int_eq(nodes_read_state(&host, DEVICE), XENBUS_INIT_WAIT);
	ck_assert_int_eq(nodes_update(&host, DEVICE, XENBUS_ABSENT, nodes, 3), 0);
}
END_TEST

START_TEST(test_update_of_what_has_changed)
{
	unsigned count;

	daemon_store_set(DEVICE "/state", "5");
	count = daemon_store_nodes();
	ck_assert_int_eq(nodes_update(&host, DEVICE, XENBUS_INITIALISING, nodes, 3), -ESTALE);
	ck_assert_uint_eq(daemon_store_nodes(), count);
	daemon_store_unset("backend");
	count = daemon_store_nodes();
	ck_assert_int_eq(nodes_update(&host, DEVICE, XENBUS_CLOSING, nodes, 3), -ENOENT);
	ck_assert_int_eq(nodes_update(&host, DEVICE, XENBUS_ABSENT, nodes, 3), -ENOENT);
	ck_assert_uint_eq(daemon_store_nodes(), count);
}
END_TEST

START_TEST(test_update_without_end)
{
	daemon_store_set(DEVICE "/state", "1");
	daemon_store_conflict(1000);
	ck_assert_int_eq(nodes_update(&host, DEVICE, XENBUS_INITIALISING, nodes, 3), -EAGAIN);
	daemon_store_conflict(0);
	daemon_store_fail_writes(ENOSPC);
	ck_assert_int_eq(nodes_update(&host, DEVICE, XENBUS_INITIALISING, nodes, 3), -ENOSPC);
	daemon_store_fail_writes(0);
	ck_assert_ptr_null(daemon_store_get(DEVICE "/a"));
}
END_TEST

START_TEST(test_states)
{
	static const struct {
		const char *text;
		enum xenbus_state state;
	} values[] = {
		{"0", XENBUS_ABSENT},	 {"1", XENBUS_INITIALISING}, {"8", XENBUS_RECONFIGURED},
		{"9", XENBUS_NONSENSE},	 {"", XENBUS_NONSENSE},	     {"-1", XENBUS_NONSENSE},
		{"4 ", XENBUS_NONSENSE}, {"x", XENBUS_NONSENSE},     {"44", XENBUS_NONSENSE},
	};

	ck_assert_int_eq(nodes_read_state(&host, DEVICE), XENBUS_ABSENT);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		daemon_store_set(DEVICE "/state", values[i].text);
		ck_assert_int_eq(nodes_read_state(&host, DEVICE), values[i].state);
	}
	daemon_store_fail_reads(EACCES);
	ck_assert_int_eq(nodes_read_state(&host, DEVICE), XENBUS_ABSENT);
	daemon_store_fail_reads(EIO);
	ck_assert_int_eq(nodes_read_state(&host, DEVICE), XENBUS_NONSENSE);
}
END_TEST

START_TEST(test_errors)
{
	unsigned count = daemon_store_nodes();

	nodes_write_error(&host, DEVICE, -ENOENT, "no disk");
	ck_assert_str_eq(daemon_store_get("/local/domain/0/error/backend/vbd/3/768/error"), "2 no disk");
	nodes_clear_error(&host, DEVICE);
	ck_assert_uint_eq(daemon_store_nodes(), count);
	nodes_clear_error(&host, DEVICE);

	/* Somebody else's stay. */
	daemon_store_set("error/backend/vif/1/0/error", "1 x");
	daemon_store_set("error/backend/vbd/3/832/error", "1 x");
	count = daemon_store_nodes();
	nodes_write_error(&host, DEVICE, ENOENT, "no disk");
	nodes_clear_error(&host, DEVICE);
	ck_assert_uint_eq(daemon_store_nodes(), count);
}
END_TEST

START_TEST(test_remove_backend)
{
	daemon_store_set("backend/vbd/3/768/state", "6");
	daemon_store_set("backend/vbd/3/832/state", "4");
	ck_assert_int_eq(nodes_remove_backend(&host, DEVICE), 0);
	ck_assert_ptr_null(daemon_store_get("backend/vbd/3/768"));
	ck_assert_ptr_nonnull(daemon_store_get("backend/vbd/3/832/state"));
	ck_assert_int_eq(nodes_remove_backend(&host, "backend/vbd/3/832"), 0);
	ck_assert_ptr_null(daemon_store_get("backend/vbd/3"));
	ck_assert_ptr_nonnull(daemon_store_get("backend/vbd"));
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, NULL);
	tcase_add_test(test_case, test_update);
	tcase_add_test(test_case, test_update_of_what_has_changed);
	tcase_add_test(test_case, test_update_without_end);
	tcase_add_test(test_case, test_states);
	tcase_add_test(test_case, test_errors);
	tcase_add_test(test_case, test_remove_backend);
}

CHECK_MAIN("daemon: nodes", add_tests)
