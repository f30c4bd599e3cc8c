// SPDX-License-Identifier: GPL-2.0-or-later
/* Net backends: how they are found, what is said of files and tables that are none, and their target strings. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_main.h"
#include "worker/target.h"

struct config {
	const char *bridge;
	uint64_t depth;
};

static const struct xvhost_parameter parameters[] = {
	{"bridge", XVHOST_STRING, 0, offsetof(struct config, bridge), "none", 0, 0, "where it is"},
	{"depth", XVHOST_NUMBER, 0, offsetof(struct config, depth), "8", 1, 128, "how deep"},
};

static int no_open(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties)
{
	(void)net;
	(void)config;
	(void)properties;
	return -ENOSYS;
}

static void no_close(struct xvhost_net *net)
{
	(void)net;
}

static int no_start(struct xvhost_net_queue *queue)
{
	(void)queue;
	return -ENOSYS;
}

static void no_queue(struct xvhost_net_queue *queue)
{
	(void)queue;
}

static void no_transmit(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count)
{
	(void)queue;
	(void)packets;
	(void)count;
}

static void no_delivered(struct xvhost_packet *packet, int error)
{
	(void)packet;
	(void)error;
}

static const struct xvhost_net_backend good = {
	.size = sizeof(good),
	.abi = XVHOST_BACKEND_ABI,
	.name = "good",
	.version = "1",
	.description = "for tests",
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.parameter_size = sizeof(parameters[0]),
	.config_size = sizeof(struct config),
	.open = no_open,
	.close = no_close,
	.queue_start = no_start,
	.queue_stop = no_queue,
	.transmit = no_transmit,
	.room = no_queue,
	.delivered = no_delivered,
};

/* A folder of loadable backends; files in it are links to those that were built for tests. */
static char folder[64];

static void set_up(void)
{
	char path[PATH_MAX];

	strcpy(folder, "/tmp/xvhost-net-backends.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/net", folder);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void tear_down(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* put - a file that was built, into the folder, under another name. */
static void put(const char *built, const char *name)
{
	const char *build = getenv("XVHOST_BUILD");
	char from[PATH_MAX], to[PATH_MAX];
	char *whole;

	snprintf(from, sizeof(from), "%s/tests/backends/%s", build ? build : "build", built);
	whole = realpath(from, NULL);
	ck_assert_msg(whole != NULL, "%s: %s", from, strerror(errno));
	snprintf(to, sizeof(to), "%s/%s", folder, name);
	ck_assert_int_eq(symlink(whole, to), 0);
	free(whole);
}

/* refused - no net backend of this name is found, and the text says so. */
static void refused(const char *name, int error, const char *says)
{
	const struct xvhost_net_backend *backend = &good;
	char text[ERROR_TEXT_MAX] = "";

	ck_assert_int_eq(backends_find_net(folder, name, &backend, text), error);
	ck_assert_ptr_null(backend);
	ck_assert_msg(strstr(text, says), "'%s' is not in '%s'", says, text);
}

START_TEST(found_in_folder)
{
	const struct xvhost_net_backend *backend, *again;
	char text[ERROR_TEXT_MAX] = "";

	put("net-quiet.so", "net/net-quiet.so");
	ck_assert_msg(backends_find_net(folder, "net-quiet", &backend, text) == 0, "%s", text);
	ck_assert_str_eq(backend->name, "net-quiet");
	ck_assert_uint_eq(backend->size, sizeof(*backend));
	ck_assert_int_eq(backends_find_net(folder, "net-quiet", &again, text), 0);
	ck_assert_ptr_eq(backend, again);
}
END_TEST

/* Disk and net backends have their names apart: neither is found as the other. */
START_TEST(kinds_are_apart)
{
	const struct xvhost_disk_backend *disk;
	char text[ERROR_TEXT_MAX] = "";

	put("net-quiet.so", "net/net-quiet.so");
	put("watching.so", "watching.so");
	refused("watching", -ENOENT, "no net backend is called 'watching', but one of disks is; there are: ");
	refused("watching", -ENOENT, "net-quiet");
	refused("file", -ENOENT, "no net backend is called 'file', but one of disks is; there are: ");
	ck_assert_int_eq(backends_find(folder, "net-quiet", &disk, text), -ENOENT);
	ck_assert_int_eq(backends_find(folder, "watching", &disk, text), 0);
	/* A file that lies at the other kind's place. */
	put("watching.so", "net/disk.so");
	refused("disk", -ELIBBAD,
		"net/disk.so is no net backend: it has no xvhost_net_backend_entry (see XVHOST_NET_BACKEND), "
		"but is one of disks");
	put("net-quiet.so", "card.so");
	ck_assert_int_eq(backends_find(folder, "card", &disk, text), -ELIBBAD);
	ck_assert_msg(strstr(text, "card.so is no backend: it has no xvhost_disk_backend_entry"), "%s", text);
}
END_TEST

START_TEST(wrong_files_and_names)
{
	put("net-quiet.so", "net/other.so");
	refused("other", -ELIBBAD, "net/other.so holds a backend that is called 'net-quiet'");
	put("../../config.h", "net/text.so");
	refused("text", -ELIBBAD, "net backend 'text' can't be loaded: ");
	refused("../net/other", -EINVAL, "'../net/other' is no backend's name");
	refused("", -EINVAL, "'' is no backend's name");
}
END_TEST

struct names {
	char text[1024];
};

static void add_name(void *context, const char *name, bool built_in)
{
	struct names *names = context;
	size_t used = strlen(names->text);

	snprintf(names->text + used, sizeof(names->text) - used, "%s%s ", built_in ? "+" : "", name);
}

START_TEST(each_of_a_kind)
{
	struct names names = {""};

	put("net-quiet.so", "net/zebra.so");
	put("net-quiet.so", "net/ant.so");
	put("watching.so", "watching.so");
	backends_each(BACKEND_NET, folder, add_name, &names);
	ck_assert_msg(strstr(names.text, "ant zebra ") && !strstr(names.text, "watching"), "%s", names.text);
	for (size_t i = 0; builtin_net_backends[i]; i++)
		ck_assert_msg(strstr(names.text, builtin_net_backends[i]()->name), "%s", names.text);
	names.text[0] = '\0';
	backends_each(BACKEND_DISK, folder, add_name, &names);
	ck_assert_msg(strstr(names.text, "watching ") && !strstr(names.text, "ant"), "%s", names.text);
}
END_TEST

/* not_adopted - the table is refused, and the text says why. */
static void not_adopted(const struct xvhost_net_backend *table, const char *says)
{
	char text[ERROR_TEXT_MAX] = "";
	const struct backend_head *adopted;

	ck_assert_int_eq(backend_table_adopt(BACKEND_NET, head_of_net(table), "t.so", &adopted, text),
			 -ELIBBAD);
	ck_assert_str_eq(text, says);
}

/* Of the table when there were no wrappers: the least that there is. */
#define FIRST_BYTES (offsetof(struct xvhost_net_backend, ready) + sizeof(void *))

START_TEST(tables)
{
	struct {
		struct xvhost_net_backend known;
		void *added_later[4];
	} longer = {.known = good, .added_later = {(void *)1, (void *)1, (void *)1, (void *)1}};
	struct xvhost_net_backend table = good;
	char text[ERROR_TEXT_MAX], says[ERROR_TEXT_MAX];
	const struct backend_head *adopted;

	longer.known.size = sizeof(longer);
	ck_assert_int_eq(backend_table_adopt(BACKEND_NET, head_of_net(&longer.known), "t.so", &adopted, text),
			 0);
	ck_assert_uint_eq(adopted->size, sizeof(table));
	ck_assert(net_of_head(adopted)->delivered == no_delivered);
	free((void *)(uintptr_t)adopted);

	table.abi = XVHOST_BACKEND_ABI + 1;
	not_adopted(&table, "t.so was built for backend ABI 2, this xvhost has ABI 1");
	table = good;
	table.size = FIRST_BYTES - 8;
	snprintf(says, sizeof(says), "t.so has a backend table of %zu bytes, ABI 1 has at least %zu",
		 FIRST_BYTES - 8, FIRST_BYTES);
	not_adopted(&table, says);
}
END_TEST

static void wrapper_forwarded(struct xvhost_packet *packet, int error)
{
	(void)packet;
	(void)error;
}

static bool wrapper_offered(struct xvhost_net_queue *queue, struct xvhost_packet *packet)
{
	(void)queue;
	(void)packet;
	return false;
}

/* A wrapper has all that makes it one. A table from before there were any is taken, and what lies behind it is not looked at. */
START_TEST(wrapper_tables)
{
	static struct xvhost_parameter below[] = {
		{"target", XVHOST_TARGET, XVHOST_REQUIRED, 0, NULL, 0, 0, "below"},
		{"target", XVHOST_TARGET, XVHOST_REQUIRED, 8, NULL, 0, 0, "below, too"}};
	struct xvhost_net_backend table = good;
	const struct backend_head *adopted;
	char text[ERROR_TEXT_MAX];

	table.parameters = below;
	table.parameter_count = 1;
	not_adopted(&table,
		    "t.so has a parameter of type XVHOST_TARGET, but no 'forwarded' in its backend table");
	table.forwarded = wrapper_forwarded;
	not_adopted(&table,
		    "t.so has a parameter of type XVHOST_TARGET, but no 'offered' in its backend table");
	table.offered = wrapper_offered;
	ck_assert_int_eq(backend_table_adopt(BACKEND_NET, head_of_net(&table), "t.so", &adopted, text), 0);
	free((void *)(uintptr_t)adopted);
	table.size = FIRST_BYTES;
	not_adopted(&table,
		    "t.so has a parameter of type XVHOST_TARGET, but no 'forwarded' in its backend table");
	table.parameter_count = 0;
	ck_assert_int_eq(backend_table_adopt(BACKEND_NET, head_of_net(&table), "t.so", &adopted, text), 0);
	ck_assert(!net_of_head(adopted)->forwarded && !net_of_head(adopted)->offered);
	free((void *)(uintptr_t)adopted);
	table = good;
	table.forwarded = wrapper_forwarded;
	table.offered = wrapper_offered;
	table.parameters = below;
	table.parameter_count = 2;
	not_adopted(&table, "t.so has more than one parameter of type XVHOST_TARGET in its backend table");
	below[0].name = "disk";
	not_adopted(&table, "t.so has a parameter of type XVHOST_TARGET that is not called 'target' in its "
			    "backend table");
	below[0].name = "target";
	below[0].flags = 0;
	table.parameter_count = 1;
	not_adopted(
		&table,
		"t.so has a parameter of type XVHOST_TARGET without XVHOST_REQUIRED in its backend table");
}
END_TEST

/* Each part that a table must have. */
static const struct {
	const char *name;
	size_t offset;
} parts[] = {
	{"name", offsetof(struct xvhost_net_backend, name)},
	{"version", offsetof(struct xvhost_net_backend, version)},
	{"description", offsetof(struct xvhost_net_backend, description)},
	{"parameters", offsetof(struct xvhost_net_backend, parameters)},
	{"open", offsetof(struct xvhost_net_backend, open)},
	{"close", offsetof(struct xvhost_net_backend, close)},
	{"queue_start", offsetof(struct xvhost_net_backend, queue_start)},
	{"queue_stop", offsetof(struct xvhost_net_backend, queue_stop)},
	{"transmit", offsetof(struct xvhost_net_backend, transmit)},
	{"room", offsetof(struct xvhost_net_backend, room)},
	{"delivered", offsetof(struct xvhost_net_backend, delivered)},
};

START_TEST(missing_part)
{
	struct xvhost_net_backend table = good;
	char says[ERROR_TEXT_MAX];

	memset((char *)&table + parts[_i].offset, 0, sizeof(void *));
	snprintf(says, sizeof(says), "t.so lacks '%s' in its backend table", parts[_i].name);
	not_adopted(&table, says);
}
END_TEST

START_TEST(target_strings)
{
	char text[ERROR_TEXT_MAX] = "";
	struct config *config;
	void *made;

	ck_assert_int_eq(target_configure("good:bridge=a,,b,depth=9", head_of_net(&good), &made, text), 0);
	config = made;
	ck_assert_str_eq(config->bridge, "a,b");
	ck_assert_uint_eq(config->depth, 9);
	free(made);
	ck_assert_int_eq(target_configure("good", head_of_net(&good), &made, text), 0);
	config = made;
	ck_assert_str_eq(config->bridge, "none");
	free(made);
	ck_assert_int_eq(target_configure("good:depth=0", head_of_net(&good), &made, text), -EINVAL);
	ck_assert_str_eq(text,
			 "parameter depth of backend good is '0', it must be a decimal number from 1 to 128");
	ck_assert_int_eq(target_configure("good:deep=1", head_of_net(&good), &made, text), -EINVAL);
	ck_assert_str_eq(text, "backend good has no parameter 'deep'; it has bridge, depth");
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, tear_down);
	tcase_add_test(test_case, found_in_folder);
	tcase_add_test(test_case, kinds_are_apart);
	tcase_add_test(test_case, wrong_files_and_names);
	tcase_add_test(test_case, each_of_a_kind);
	tcase_add_test(test_case, tables);
	tcase_add_test(test_case, wrapper_tables);
	tcase_add_loop_test(test_case, missing_part, 0, sizeof(parts) / sizeof(parts[0]));
	tcase_add_test(test_case, target_strings);
}

CHECK_MAIN("net backends", add_tests)
