// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_sim_xenstore.c - the simulated xenstore against what xenstored's clients can rely on
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "sim/xenstore.h"

#define GUEST 3
#define OTHER 4
#define DEVICE "/local/domain/3/device/vbd/51712"

static struct sim_store *store;
static struct xenstore *dom0, *guest, *other;

static void set_up(void)
{
	store = sim_store_create();
	ck_assert_ptr_nonnull(store);
	ck_assert_int_eq(sim_store_connect(store, 0, &dom0), 0);
	sim_store_introduce(store, GUEST);
	sim_store_introduce(store, OTHER);
	ck_assert_int_eq(sim_store_connect(store, GUEST, &guest), 0);
	ck_assert_int_eq(sim_store_connect(store, OTHER, &other), 0);
}

static void tear_down(void)
{
	sim_xenstore_close(other);
	sim_xenstore_close(guest);
	sim_xenstore_close(dom0);
	sim_store_destroy(store);
}

/* check_value - a node's value; NULL: it is not there. */
static void check_value(struct xenstore *xenstore, uint32_t transaction, const char *path, const char *right)
{
	char *value = sim_xenstore_read(xenstore, transaction, path);

	if (right == NULL) {
		ck_assert_ptr_null(value);
		ck_assert_int_eq(errno, ENOENT);
	} else {
		ck_assert_ptr_nonnull(value);
		ck_assert_str_eq(value, right);
	}
	free(value);
}

/* check_no_read - it can't be read, with this error. */
static void check_no_read(struct xenstore *xenstore, const char *path, int error)
{
	ck_assert_ptr_null(sim_xenstore_read(xenstore, 0, path));
	ck_assert_int_eq(errno, error);
}

/* check_children - "a b c". */
static void check_children(struct xenstore *xenstore, const char *path, const char *right)
{
	char text[256] = "";
	unsigned count;
	char **names = sim_xenstore_directory(xenstore, 0, path, &count);

	ck_assert_ptr_nonnull(names);
	for (unsigned i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", names[i]);
	free(names);
	ck_assert_str_eq(text, right);
}

/* check_event - the next fired watch, "PATH TOKEN"; NULL: there is none, and the descriptor says so. */
static void check_event(struct xenstore *xenstore, const char *right)
{
	char path[XENSTORE_PATH_MAX], token[XENSTORE_PATH_MAX], text[2 * XENSTORE_PATH_MAX];
	struct pollfd polled = {.fd = sim_xenstore_fd(xenstore), .events = POLLIN};

	ck_assert_int_eq(poll(&polled, 1, 0), right != NULL);
	if (right == NULL) {
		ck_assert(!sim_xenstore_next_watch(xenstore, path, sizeof(path), token, sizeof(token)));
		return;
	}
	ck_assert(sim_xenstore_next_watch(xenstore, path, sizeof(path), token, sizeof(token)));
	snprintf(text, sizeof(text), "%s %s", path, token);
	ck_assert_str_eq(text, right);
}

static void write_ok(struct xenstore *xenstore, uint32_t transaction, const char *path, const char *value)
{
	ck_assert_int_eq(sim_xenstore_write(xenstore, transaction, path, value), 0);
}

/* ---- nodes ---- */

START_TEST(test_nodes)
{
	unsigned count = sim_store_nodes(store);

	write_ok(dom0, 0, "/a/b/c", "1");
	ck_assert_uint_eq(sim_store_nodes(store), count + 3);
	check_value(dom0, 0, "/a/b/c", "1");
	check_value(dom0, 0, "/a/b", "");
	check_value(dom0, 0, "/a/b/d", NULL);
	write_ok(dom0, 0, "/a/b/e", "2");
	write_ok(dom0, 0, "/a/b/c", "");
	check_children(dom0, "/a/b", "c e");
	check_value(dom0, 0, "/a/b/c", "");
	ck_assert_int_eq(sim_xenstore_remove(dom0, 0, "/a/b/c"), 0);
	check_children(dom0, "/a/b", "e");
	/* Not there is well, if the node above is. */
	ck_assert_int_eq(sim_xenstore_remove(dom0, 0, "/a/b/c"), 0);
	ck_assert_int_eq(sim_xenstore_remove(dom0, 0, "/a/x/c"), -ENOENT);
	ck_assert_int_eq(sim_xenstore_remove(dom0, 0, "/"), -EINVAL);
	ck_assert_int_eq(sim_xenstore_make_directory(dom0, 0, "/a/b/e"), 0);
	check_value(dom0, 0, "/a/b/e", "2");
	ck_assert_int_eq(sim_xenstore_make_directory(dom0, 0, "/a/b/f"), 0);
	check_value(dom0, 0, "/a/b/f", "");
	ck_assert_int_eq(sim_xenstore_remove(dom0, 0, "/a"), 0);
	ck_assert_uint_eq(sim_store_nodes(store), count);
	check_children(dom0, "/", "local");
}
END_TEST

START_TEST(test_bytes)
{
	char *value;

	ck_assert_int_eq(sim_xenstore_write_bytes(dom0, 0, "/a", "x\0\xff", 3), 0);
	value = sim_xenstore_read(dom0, 0, "/a");
	ck_assert_int_eq(memcmp(value, "x\0\xff", 4), 0);
	free(value);
}
END_TEST

START_TEST(test_relative_paths)
{
	write_ok(guest, 0, "data/x", "1");
	check_value(dom0, 0, "/local/domain/3/data/x", "1");
	check_value(dom0, 0, "domid", "0");
	check_value(guest, 0, "domid", "3");
}
END_TEST

START_TEST(test_bad_paths)
{
	static const char *const bad[] = {
		"", "/a/", "//a", "/a//b", "/a b", "/a\n", "@a", "@releaseDomain", "/\xe4"};
	char longest[SIM_STORE_PATH_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(sim_xenstore_write(dom0, 0, bad[i], "") == -EINVAL, "%s", bad[i]);
		check_no_read(dom0, bad[i], EINVAL);
	}
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[SIM_STORE_PATH_MAX] = '\0';
	write_ok(dom0, 0, longest, "");
	longest[SIM_STORE_PATH_MAX] = 'a';
	longest[SIM_STORE_PATH_MAX + 1] = '\0';
	ck_assert_int_eq(sim_xenstore_write(dom0, 0, longest, ""), -EINVAL);
}
END_TEST

/* ---- permissions ---- */

/* make_device - a frontend's directory, as libxl makes it: the guest's, and the backend may read it. */
static void make_device(uint16_t backend)
{
	const struct sim_permission permissions[] = {{GUEST, SIM_MAY_NOTHING}, {backend, SIM_MAY_READ}};

	ck_assert_int_eq(sim_xenstore_make_directory(dom0, 0, DEVICE), 0);
	ck_assert_int_eq(sim_xenstore_set_permissions(dom0, 0, DEVICE, permissions, 2), 0);
}

START_TEST(test_who_may_do_what)
{
	make_device(0);
	write_ok(guest, 0, DEVICE "/state", "1");
	check_value(dom0, 0, DEVICE "/state", "1");
	check_no_read(other, DEVICE "/state", EACCES);
	ck_assert_int_eq(sim_xenstore_write(other, 0, DEVICE "/state", "2"), -EACCES);
	ck_assert_int_eq(sim_xenstore_write(other, 0, DEVICE "/x", "2"), -EACCES);
	ck_assert_int_eq(sim_xenstore_remove(other, 0, DEVICE "/state"), -EACCES);
	/* Its home is the toolstack's. */
	ck_assert_int_eq(sim_xenstore_write(guest, 0, "x", "1"), -EACCES);
	ck_assert_int_eq(sim_xenstore_write(guest, 0, "device/x", "1"), -EACCES);
	ck_assert_int_eq(sim_xenstore_write(guest, 0, "domid", "0"), -EACCES);
	check_no_read(guest, "/local/domain/4/domid", EACCES);
	/* Whether a node is there is told to those who might read it. */
	check_no_read(guest, "nothing", ENOENT);
	check_no_read(other, DEVICE "/nothing", EACCES);
}
END_TEST

START_TEST(test_inherited_permissions)
{
	struct sim_permission permissions[3];

	make_device(OTHER);
	write_ok(guest, 0, DEVICE "/queue-0/ring-ref", "1");
	check_value(other, 0, DEVICE "/queue-0/ring-ref", "1");
	ck_assert_int_eq(sim_xenstore_write(other, 0, DEVICE "/queue-0/ring-ref", "2"), -EACCES);
	write_ok(dom0, 0, DEVICE "/by-dom0", "1");
	ck_assert_int_eq(sim_xenstore_get_permissions(guest, 0, DEVICE "/by-dom0", permissions, 3), 2);
	ck_assert_uint_eq(permissions[0].domid, GUEST);
	ck_assert_uint_eq(permissions[1].domid, OTHER);
	ck_assert_uint_eq(permissions[1].may, SIM_MAY_READ);
	/* Who makes a node owns it. */
	permissions[0] = (struct sim_permission){GUEST, SIM_MAY_READ | SIM_MAY_WRITE};
	ck_assert_int_eq(sim_xenstore_set_permissions(guest, 0, DEVICE "/by-dom0", permissions, 1), 0);
	write_ok(other, 0, DEVICE "/by-dom0/by-other", "1");
	ck_assert_int_eq(sim_xenstore_get_permissions(dom0, 0, DEVICE "/by-dom0/by-other", permissions, 3),
			 1);
	ck_assert_uint_eq(permissions[0].domid, OTHER);
}
END_TEST

START_TEST(test_setting_permissions)
{
	const struct sim_permission mine[] = {{GUEST, SIM_MAY_NOTHING},
					      {OTHER, SIM_MAY_READ | SIM_MAY_WRITE}};
	const struct sim_permission theirs = {OTHER, SIM_MAY_NOTHING};
	struct sim_permission many[SIM_STORE_PERMISSIONS_MAX + 1] = {{GUEST, SIM_MAY_READ}};

	make_device(0);
	ck_assert_int_eq(sim_xenstore_set_permissions(guest, 0, DEVICE, mine, 2), 0);
	write_ok(other, 0, DEVICE "/x", "1");
	ck_assert_int_eq(sim_xenstore_set_permissions(other, 0, DEVICE, mine, 2), -EACCES);
	ck_assert_int_eq(sim_xenstore_set_permissions(guest, 0, DEVICE, &theirs, 1), -EPERM);
	ck_assert_int_eq(sim_xenstore_set_permissions(guest, 0, DEVICE, many, SIM_STORE_PERMISSIONS_MAX + 1),
			 -ENOSPC);
	ck_assert_int_eq(sim_xenstore_set_permissions(guest, 0, DEVICE, mine, 0), -EINVAL);
	ck_assert_int_eq(sim_xenstore_set_permissions(guest, 0, "domid", &mine[0], 1), -EACCES);
	ck_assert_int_eq(sim_xenstore_set_permissions(guest, 0, DEVICE "/none", mine, 2), -ENOENT);
}
END_TEST

/* ---- quotas ---- */

START_TEST(test_quota_of_nodes)
{
	char path[64];
	int error = 0;
	unsigned made, before = sim_store_nodes(store);

	for (made = 0; error == 0; made++) {
		snprintf(path, sizeof(path), "data/%u/%u", made % 50, made);
		error = sim_xenstore_write(guest, 0, path, "");
	}
	ck_assert_int_eq(error, -ENOSPC);
	/* The home has three that are the guest's. */
	ck_assert_uint_eq(sim_store_nodes(store) - before, SIM_STORE_NODES_MAX - 3);
	write_ok(guest, 0, "data/0/0", "still");
	write_ok(other, 0, "data/x", "");
	write_ok(dom0, 0, "/local/domain/3/data/x", "");
	/* In a transaction, too; what is removed there counts. */
	for (unsigned i = 0; i < 2; i++) {
		uint32_t transaction = sim_xenstore_transaction_start(guest);

		ck_assert_int_eq(sim_xenstore_write(guest, transaction, "data/y", ""), -ENOSPC);
		ck_assert_int_eq(sim_xenstore_remove(guest, transaction, "data/0"), 0);
		write_ok(guest, transaction, "data/y", "");
		ck_assert_int_eq(sim_xenstore_transaction_end(guest, transaction, i == 0), 0);
	}
	write_ok(guest, 0, "data/z", "");
}
END_TEST

START_TEST(test_quota_of_bytes)
{
	char value[XENSTORE_VALUE_MAX + 1];

	memset(value, 'x', sizeof(value));
	value[SIM_STORE_NODE_BYTES_MAX] = '\0';
	ck_assert_int_eq(sim_xenstore_write(guest, 0, "data/x", value), -ENOSPC);
	check_value(guest, 0, "data/x", NULL);
	write_ok(dom0, 0, "/x", value);
	value[SIM_STORE_NODE_BYTES_MAX] = 'x';
	value[XENSTORE_VALUE_MAX] = '\0';
	ck_assert_int_eq(sim_xenstore_write(dom0, 0, "/x", value), -E2BIG);
	value[1900] = '\0';
	write_ok(guest, 0, "data/x", value);
	/* The names of its children count. */
	value[200] = '\0';
	memcpy(value, "data/x/", 7);
	ck_assert_int_eq(sim_xenstore_write(guest, 0, value, ""), -ENOSPC);
}
END_TEST

START_TEST(test_quota_of_watches_and_transactions)
{
	struct xenstore *second;
	char token[16];

	for (unsigned i = 0; i < SIM_STORE_WATCHES_MAX; i++) {
		snprintf(token, sizeof(token), "%u", i);
		ck_assert_int_eq(sim_xenstore_watch(guest, "data", token), 0);
	}
	ck_assert_int_eq(sim_store_connect(store, GUEST, &second), 0);
	ck_assert_int_eq(sim_xenstore_watch(second, "data", "x"), -E2BIG);
	ck_assert_int_eq(sim_xenstore_watch(other, "data", "x"), 0);
	ck_assert_int_eq(sim_xenstore_unwatch(guest, "data", "0"), 0);
	ck_assert_int_eq(sim_xenstore_watch(second, "data", "x"), 0);
	sim_xenstore_close(second);

	for (unsigned i = 0; i < SIM_STORE_TRANSACTIONS_MAX; i++)
		ck_assert_uint_ne(sim_xenstore_transaction_start(guest), 0);
	ck_assert_uint_eq(sim_xenstore_transaction_start(guest), 0);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_uint_ne(sim_xenstore_transaction_start(dom0), 0);
}
END_TEST

/* ---- watches ---- */

START_TEST(test_watches)
{
	ck_assert_int_eq(sim_xenstore_watch(dom0, "/a/b", "t"), 0);
	check_event(dom0, "/a/b t");
	check_event(dom0, NULL);
	ck_assert_int_eq(sim_xenstore_watch(dom0, "/a/b", "t"), -EEXIST);
	write_ok(dom0, 0, "/a/b/c/d", "1");
	check_event(dom0, "/a/b/c/d t");
	write_ok(dom0, 0, "/a/b", "1");
	check_event(dom0, "/a/b t");
	write_ok(dom0, 0, "/a/bb", "1");
	write_ok(dom0, 0, "/a", "1");
	check_event(dom0, NULL);
	sim_xenstore_remove(dom0, 0, "/a/b/c");
	check_event(dom0, "/a/b/c t");
	check_event(dom0, NULL);
	/* With what is above it goes what is watched. */
	sim_xenstore_remove(dom0, 0, "/a");
	check_event(dom0, "/a/b t");
	check_event(dom0, NULL);
	/* It is not there any more. */
	write_ok(dom0, 0, "/a", "1");
	sim_xenstore_remove(dom0, 0, "/a");
	check_event(dom0, NULL);
	ck_assert_uint_eq(sim_store_watches(store), 1);
	ck_assert_int_eq(sim_xenstore_unwatch(dom0, "/a/b", "u"), -ENOENT);
	ck_assert_int_eq(sim_xenstore_unwatch(dom0, "/a/b", "t"), 0);
	write_ok(dom0, 0, "/a/b", "1");
	check_event(dom0, NULL);
	ck_assert_uint_eq(sim_store_watches(store), 0);
}
END_TEST

START_TEST(test_relative_watches)
{
	ck_assert_int_eq(sim_xenstore_watch(dom0, "backend/vbd", "relative"), 0);
	ck_assert_int_eq(sim_xenstore_watch(dom0, "/local/domain/0/backend", "absolute"), 0);
	check_event(dom0, "backend/vbd relative");
	check_event(dom0, "/local/domain/0/backend absolute");
	write_ok(dom0, 0, "/local/domain/0/backend/vbd/3", "");
	check_event(dom0, "/local/domain/0/backend/vbd/3 absolute");
	check_event(dom0, "backend/vbd/3 relative");
	check_event(dom0, NULL);
}
END_TEST

START_TEST(test_watches_of_a_guest)
{
	make_device(0);
	ck_assert_int_eq(sim_xenstore_watch(other, DEVICE, "t"), 0);
	ck_assert_int_eq(sim_xenstore_watch(other, "/", "all"), 0);
	check_event(other, DEVICE " t");
	check_event(other, "/ all");
	write_ok(guest, 0, DEVICE "/state", "1");
	sim_xenstore_remove(guest, 0, DEVICE "/state");
	check_event(other, NULL);
	write_ok(dom0, 0, "/local/domain/4/x", "1");
	check_event(other, "/local/domain/4/x all");
}
END_TEST

START_TEST(test_domains_come_and_go)
{
	ck_assert_int_eq(sim_xenstore_watch(dom0, "@introduceDomain", "come"), 0);
	ck_assert_int_eq(sim_xenstore_watch(dom0, "@releaseDomain", "go"), 0);
	ck_assert_int_eq(sim_xenstore_watch(guest, "@releaseDomain", "go"), 0);
	check_event(dom0, "@introduceDomain come");
	check_event(dom0, "@releaseDomain go");
	check_event(guest, "@releaseDomain go");
	sim_store_introduce(store, 5);
	check_event(dom0, "@introduceDomain come");
	sim_store_release(store, 5);
	check_event(dom0, "@releaseDomain go");
	check_event(dom0, NULL);
	check_event(guest, NULL);
}
END_TEST

START_TEST(test_many_events)
{
	ck_assert_int_eq(sim_xenstore_watch(dom0, "/a", "t"), 0);
	for (unsigned i = 0; i < 3000; i++)
		write_ok(dom0, 0, "/a/b", "1");
	write_ok(dom0, 0, "/a/c", "1");
	check_event(dom0, "/a t");
	for (unsigned i = 1; i < 1024; i++)
		check_event(dom0, "/a/b t");
	check_event(dom0, "/a/c t");
	check_event(dom0, NULL);
}
END_TEST

/* ---- transactions ---- */

START_TEST(test_transaction)
{
	uint32_t transaction = sim_xenstore_transaction_start(dom0);

	ck_assert_int_eq(sim_xenstore_watch(guest, "data", "t"), 0);
	check_event(guest, "data t");
	write_ok(dom0, transaction, "/local/domain/3/data/x/y", "1");
	check_value(dom0, transaction, "/local/domain/3/data/x/y", "1");
	check_value(dom0, 0, "/local/domain/3/data/x/y", NULL);
	check_event(guest, NULL);
	ck_assert_int_eq(sim_xenstore_transaction_end(dom0, transaction, false), 0);
	check_event(guest, "data/x/y t");
	check_event(guest, NULL);
	check_value(guest, 0, "data/x/y", "1");
	ck_assert_int_eq(sim_xenstore_transaction_end(dom0, transaction, false), -ENOENT);
	ck_assert_int_eq(sim_xenstore_write(dom0, transaction, "/x", ""), -ENOENT);
	ck_assert_int_eq(sim_xenstore_transaction_end(dom0, 0, false), -ENOENT);

	transaction = sim_xenstore_transaction_start(guest);
	sim_xenstore_remove(guest, transaction, "data/x");
	check_value(guest, transaction, "data/x/y", NULL);
	ck_assert_int_eq(sim_xenstore_transaction_end(guest, transaction, true), 0);
	check_event(guest, NULL);
	check_value(guest, 0, "data/x/y", "1");

	transaction = sim_xenstore_transaction_start(guest);
	sim_xenstore_remove(guest, transaction, "data/x");
	write_ok(guest, transaction, "data/x", "2");
	ck_assert_int_eq(sim_xenstore_transaction_end(guest, transaction, false), 0);
	check_value(guest, 0, "data/x/y", NULL);
	check_value(guest, 0, "data/x", "2");
	check_children(guest, "data", "x");
}
END_TEST

START_TEST(test_conflicts)
{
	static const struct {
		const char *looked, *changed; /* NULL: removed */
		bool conflict;
	} cases[] = {
		{"/a/b", "/a/b", true},	 {"/a/b", "/a/c", false}, {"/a/none", "/a/none", true},
		{"/a", "/a/b/x", false}, {"/a", "/a/new", true},  {"/a/b", NULL, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t transaction;

		write_ok(dom0, 0, "/a/b", "1");
		write_ok(dom0, 0, "/a/c", "1");
		transaction = sim_xenstore_transaction_start(dom0);
		free(sim_xenstore_read(dom0, transaction, cases[i].looked));
		write_ok(dom0, transaction, "/z", "1");
		if (cases[i].changed != NULL)
			write_ok(dom0, 0, cases[i].changed, "2");
		else
			sim_xenstore_remove(dom0, 0, "/a");
		/* It sees what it saw. */
		free(sim_xenstore_read(dom0, transaction, cases[i].looked));
		ck_assert_msg(sim_xenstore_transaction_end(dom0, transaction, false) ==
				      (cases[i].conflict ? -EAGAIN : 0),
			      "%zu", i);
		check_value(dom0, 0, "/z", cases[i].conflict ? NULL : "1");
		sim_xenstore_remove(dom0, 0, "/z");
		sim_xenstore_remove(dom0, 0, "/a");
	}
}
END_TEST

START_TEST(test_isolation)
{
	uint32_t first, second;

	write_ok(dom0, 0, "/a", "1");
	first = sim_xenstore_transaction_start(dom0);
	second = sim_xenstore_transaction_start(dom0);
	check_value(dom0, first, "/a", "1");
	write_ok(dom0, 0, "/a", "2");
	check_value(dom0, first, "/a", "1");
	check_value(dom0, second, "/a", "2");
	ck_assert_int_eq(sim_xenstore_transaction_end(dom0, first, false), -EAGAIN);
	ck_assert_int_eq(sim_xenstore_transaction_end(dom0, second, false), 0);
}
END_TEST

START_TEST(test_views_that_do_not_fit)
{
	uint32_t transaction;

	/* A transaction sees each node as it was when it looked; what it makes of that can't be committed. */
	write_ok(dom0, 0, "/a/b/c", "1");
	transaction = sim_xenstore_transaction_start(dom0);
	check_value(dom0, transaction, "/a/b", "");
	sim_xenstore_remove(dom0, 0, "/a/b/c");
	ck_assert_int_eq(sim_xenstore_remove(dom0, transaction, "/a/b"), 0);
	ck_assert_int_eq(sim_xenstore_transaction_end(dom0, transaction, false), -EAGAIN);

	write_ok(dom0, 0, "/a/b/c", "1");
	transaction = sim_xenstore_transaction_start(dom0);
	check_value(dom0, transaction, "/a/b/c", "1");
	sim_xenstore_remove(dom0, 0, "/a");
	ck_assert_int_eq(sim_xenstore_remove(dom0, transaction, "/a/b/c"), 0);
	write_ok(dom0, transaction, "/a/b/d", "1");
	ck_assert_int_eq(sim_xenstore_transaction_end(dom0, transaction, false), -EAGAIN);
	check_children(dom0, "/", "local");
}
END_TEST

/* ---- domains and threads ---- */

START_TEST(test_release)
{
	unsigned before;
	const struct sim_permission shared = {OTHER, SIM_MAY_READ | SIM_MAY_WRITE};
	struct sim_permission permissions[2];
	struct xenstore *again;

	make_device(0);
	ck_assert_int_eq(sim_xenstore_set_permissions(other, 0, "/local/domain/4/data", &shared, 1), 0);
	before = sim_store_nodes(store);
	write_ok(guest, 0, "/local/domain/4/data/foreign/x", "1");
	permissions[0] = (struct sim_permission){OTHER, SIM_MAY_NOTHING};
	permissions[1] = (struct sim_permission){GUEST, SIM_MAY_READ};
	write_ok(other, 0, "data/x", "");
	ck_assert_int_eq(sim_xenstore_set_permissions(other, 0, "data/x", permissions, 2), 0);
	ck_assert_int_eq(sim_xenstore_watch(dom0, DEVICE, "t"), 0);
	ck_assert_int_eq(sim_xenstore_watch(guest, "data", "t"), 0);
	ck_assert_uint_ne(sim_xenstore_transaction_start(guest), 0);
	check_event(dom0, DEVICE " t");

	sim_store_release(store, GUEST);
	check_event(dom0, DEVICE " t");
	check_value(dom0, 0, "/local/domain/3", NULL);
	check_value(dom0, 0, "/local/domain/4/data/foreign", NULL);
	ck_assert_int_eq(sim_xenstore_get_permissions(dom0, 0, "/local/domain/4/data/x", permissions, 2), 1);
	/* A home has 7 nodes; the device's directory has one above it. */
	ck_assert_uint_eq(sim_store_nodes(store), before - 7 - 2 + 1);
	ck_assert_uint_eq(sim_store_watches(store), 1);
	check_no_read(guest, "domid", ENOTCONN);
	ck_assert_int_eq(sim_xenstore_write(guest, 0, "data/x", ""), -ENOTCONN);
	ck_assert_int_eq(sim_xenstore_watch(guest, "data", "t"), -ENOTCONN);
	ck_assert_uint_eq(sim_xenstore_transaction_start(guest), 0);

	sim_store_introduce(store, GUEST);
	ck_assert_int_eq(sim_store_connect(store, GUEST, &again), 0);
	check_value(again, 0, "domid", "3");
	check_no_read(again, "/local/domain/4/data/x", EACCES);
	sim_xenstore_close(again);
}
END_TEST

#define THREADS 4
#define ROUNDS 300

/* count_up - add ROUNDS to a counter that others count up, too, by transactions. */
static void *count_up(void *argument)
{
	struct xenstore *xenstore;
	char text[16];
	int error;

	(void)argument;
	if (sim_store_connect(store, 0, &xenstore) < 0)
		return NULL;
	sim_xenstore_watch(xenstore, "/counter", "t");
	for (unsigned i = 0; i < ROUNDS; i++)
		do {
			uint32_t transaction = sim_xenstore_transaction_start(xenstore);
			char *value = sim_xenstore_read(xenstore, transaction, "/counter");

			snprintf(text, sizeof(text), "%d", atoi(value) + 1);
			free(value);
			sim_xenstore_write(xenstore, transaction, "/counter", text);
			error = sim_xenstore_transaction_end(xenstore, transaction, false);
		} while (error == -EAGAIN);
	sim_xenstore_close(xenstore);
	return NULL;
}

START_TEST(test_threads)
{
	pthread_t threads[THREADS];
	char text[16];

	write_ok(dom0, 0, "/counter", "0");
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	snprintf(text, sizeof(text), "%d", THREADS * ROUNDS);
	check_value(dom0, 0, "/counter", text);
	ck_assert_uint_eq(sim_store_watches(store), 0);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_test(test_case, test_nodes);
	tcase_add_test(test_case, test_bytes);
	tcase_add_test(test_case, test_relative_paths);
	tcase_add_test(test_case, test_bad_paths);
	tcase_add_test(test_case, test_who_may_do_what);
	tcase_add_test(test_case, test_inherited_permissions);
	tcase_add_test(test_case, test_setting_permissions);
	tcase_add_test(test_case, test_quota_of_nodes);
	tcase_add_test(test_case, test_quota_of_bytes);
	tcase_add_test(test_case, test_quota_of_watches_and_transactions);
	tcase_add_test(test_case, test_watches);
	tcase_add_test(test_case, test_relative_watches);
	tcase_add_test(test_case, test_watches_of_a_guest);
	tcase_add_test(test_case, test_domains_come_and_go);
	tcase_add_test(test_case, test_many_events);
	tcase_add_test(test_case, test_transaction);
	tcase_add_test(test_case, test_conflicts);
	tcase_add_test(test_case, test_isolation);
	tcase_add_test(test_case, test_views_that_do_not_fit);
	tcase_add_test(test_case, test_release);
	tcase_add_test(test_case, test_threads);
}

CHECK_MAIN("sim: xenstore", add_tests)
