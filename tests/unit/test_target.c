// SPDX-License-Identifier: GPL-2.0-or-later
/* Target strings and backends' tables: what is understood, and what the error says when it is not. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "worker/target.h"

struct config {
	const char *path;
	const char *label;
	bool direct;
	bool fast;
	uint64_t depth;
	uint64_t size_bytes;
};

static const struct xvhost_parameter parameters[] = {
	{"path", XVHOST_STRING, XVHOST_REQUIRED, offsetof(struct config, path), NULL, 0, 0, "where it is"},
	{"label", XVHOST_STRING, 0, offsetof(struct config, label), "none", 0, 0, "its name"},
	{"direct", XVHOST_BOOL, 0, offsetof(struct config, direct), "off", 0, 0, "directly"},
	{"fast", XVHOST_BOOL, 0, offsetof(struct config, fast), "on", 0, 0, "fast"},
	{"depth", XVHOST_NUMBER, 0, offsetof(struct config, depth), "8", 1, 128, "how deep"},
	{"size", XVHOST_BYTES, 0, offsetof(struct config, size_bytes), NULL, 0, 0, "how large"},
};

static int no_open(struct xvhost_disk *disk, const void *config, struct xvhost_disk_properties *properties)
{
	(void)disk;
	(void)config;
	(void)properties;
	return -ENOSYS;
}

static void no_close(struct xvhost_disk *disk)
{
	(void)disk;
}

static void no_submit(struct xvhost_request *request)
{
	(void)request;
}

static const struct xvhost_disk_backend good = {
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
	.submit = no_submit,
};

START_TEST(all_given)
{
	char text[ERROR_TEXT_MAX];
	struct config *config;
	void *made;

	ck_assert_int_eq(target_configure("good:path=/a,,b=c,direct=yes,fast=0,depth=128,size=3G,label=x y",
					  head_of_disk(&good), &made, text),
			 0);
	config = made;
	ck_assert_str_eq(config->path, "/a,b=c");
	ck_assert_str_eq(config->label, "x y");
	ck_assert(config->direct);
	ck_assert(!config->fast);
	ck_assert_uint_eq(config->depth, 128);
	ck_assert_uint_eq(config->size_bytes, UINT64_C(3) << 30);
	free(made);
}
END_TEST

START_TEST(defaults)
{
	char text[ERROR_TEXT_MAX];
	struct config *config;
	void *made;

	ck_assert_int_eq(target_configure("good:path=/a", head_of_disk(&good), &made, text), 0);
	config = made;
	ck_assert_str_eq(config->path, "/a");
	ck_assert_str_eq(config->label, "none");
	ck_assert(!config->direct);
	ck_assert(config->fast);
	ck_assert_uint_eq(config->depth, 8);
	ck_assert_uint_eq(config->size_bytes, 0);
	free(made);
}
END_TEST

/* The disk below takes the rest as it stands: its commas and its parameters are its own. */
START_TEST(target_below)
{
	static const struct xvhost_parameter wrapper_parameters[] = {
		{"label", XVHOST_STRING, 0, offsetof(struct config, label), "none", 0, 0, "its name"},
		{"disk", XVHOST_TARGET, XVHOST_REQUIRED, offsetof(struct config, path), NULL, 0, 0, "below"},
	};
	struct xvhost_disk_backend wrapper = good;
	char text[ERROR_TEXT_MAX] = "";
	struct config *config;
	void *made;

	wrapper.parameters = wrapper_parameters;
	wrapper.parameter_count = 2;
	ck_assert_int_eq(target_configure("good:label=a,,b,disk=good:label=c,,d,disk=good:path=/e,,f,fast=on",
					  head_of_disk(&wrapper), &made, text),
			 0);
	config = made;
	ck_assert_str_eq(config->label, "a,b");
	ck_assert_str_eq(config->path, "good:label=c,,d,disk=good:path=/e,,f,fast=on");
	free(made);
	/* Only the parameter itself does so. */
	ck_assert_int_eq(target_configure("good:label=disk=x,disk=y", head_of_disk(&wrapper), &made, text),
			 0);
	config = made;
	ck_assert_str_eq(config->label, "disk=x");
	ck_assert_str_eq(config->path, "y");
	free(made);
	ck_assert_int_eq(target_configure("good:label=a,disk=", head_of_disk(&wrapper), &made, text),
			 -EINVAL);
	ck_assert_str_eq(text, "parameter disk of backend good is empty (below)");
	ck_assert_int_eq(target_configure("good:disk,label=a", head_of_disk(&wrapper), &made, text), -EINVAL);
	ck_assert_int_eq(target_configure("good:label=a", head_of_disk(&wrapper), &made, text), -EINVAL);
	ck_assert_str_eq(text, "parameter disk of backend good is missing (below)");
}
END_TEST

/* Each must be refused, and the text must say the second. */
static const char *const refused[][2] = {
	{"good", "parameter path of backend good is missing (where it is)"},
	{"good:", "parameter path of backend good is missing"},
	{"good:path=", "parameter path of backend good is empty"},
	{"good:path", "'path' in the target of backend good is not parameter=value"},
	{"good:path=/a,", "'' in the target of backend good is not parameter=value"},
	{"good:pth=/a", "no parameter 'pth'; it has path, label, direct, fast, depth, size"},
	{"good:Path=/a", "no parameter 'Path'"},
	{"good:path=/a,path=/b", "parameter path of backend good is given twice"},
	{"good:path=/a,direct=maybe", "parameter direct of backend good is 'maybe', it must be on or off"},
	{"good:path=/a,direct=", "direct of backend good is '', it must be on or off"},
	{"good:path=/a,depth=0", "depth of backend good is '0', it must be a decimal number from 1 to 128"},
	{"good:path=/a,depth=129", "'129', it must be a decimal number from 1 to 128"},
	{"good:path=/a,depth=1k", "'1k', it must be a decimal number from 1 to 128"},
	{"good:path=/a,depth=-1", "'-1', it must be"},
	{"good:path=/a,depth= 1", "' 1', it must be"},
	{"good:path=/a,size=12Q",
	 "size of backend good is '12Q', it must be a number of bytes (suffixes K, M, G, T)"},
	{"good:path=/a,size=18446744073709551616", "it must be a number of bytes"},
	{"good:path=/a,size=16777216T", "it must be a number of bytes"},
};

START_TEST(refused_row)
{
	char text[ERROR_TEXT_MAX] = "";
	void *made = NULL;

	ck_assert_int_eq(target_configure(refused[_i][0], head_of_disk(&good), &made, text), -EINVAL);
	ck_assert_msg(strstr(text, refused[_i][1]), "'%s' is not in '%s'", refused[_i][1], text);
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		int error;
		uint64_t bytes;
	} rows[] = {
		{"0", 0, 0},
		{"512", 0, 512},
		{"4k", 0, 4096},
		{"4K", 0, 4096},
		{"7M", 0, 7 << 20},
		{"1T", 0, UINT64_C(1) << 40},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"16777215T", 0, UINT64_C(16777215) << 40},
		{"16777216T", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"1KK", -EINVAL, 0},
		{"1kb", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t bytes = 0;

		ck_assert_int_eq(target_bytes(rows[i].text, true, &bytes), rows[i].error);
		ck_assert_uint_eq(bytes, rows[i].bytes);
	}
}
END_TEST

START_TEST(backend_names)
{
	char name[BACKEND_NAME_MAX], text[ERROR_TEXT_MAX];

	ck_assert_int_eq(target_backend_name("file:path=/x", name, text), 0);
	ck_assert_str_eq(name, "file");
	ck_assert_int_eq(target_backend_name("null", name, text), 0);
	ck_assert_str_eq(name, "null");
	ck_assert_int_eq(target_backend_name("", name, text), -EINVAL);
	ck_assert_int_eq(target_backend_name(":path=/x", name, text), -EINVAL);
	ck_assert_int_eq(target_backend_name("abcdefghijklmnopqrstuvwxyzabcdef", name, text), -EINVAL);
}
END_TEST

START_TEST(find)
{
	const struct xvhost_disk_backend *backend = NULL, *again = NULL;
	char text[ERROR_TEXT_MAX] = "";

	ck_assert_int_eq(backends_find(NULL, "file", &backend, text), 0);
	ck_assert_str_eq(backend->name, "file");
	ck_assert_int_eq(backends_find(NULL, "file", &again, text), 0);
	ck_assert_ptr_eq(backend, again);
	ck_assert_int_eq(backends_find(NULL, "fil", &backend, text), -ENOENT);
	ck_assert_msg(strstr(text, "no backend is called 'fil'; there are: file"), "%s", text);
	/* No name leads out of the directory. */
	ck_assert_int_eq(backends_find("/", "../../evil", &backend, text), -EINVAL);
	ck_assert_int_eq(backends_find("/", "", &backend, text), -EINVAL);
	ck_assert_int_eq(backends_find("/", "File", &backend, text), -EINVAL);
	/* Nor does one name a file: what a toolstack writes loads nothing but what is installed. */
	ck_assert_int_eq(backends_find("/", "./evil.so", &backend, text), -EINVAL);
	ck_assert_msg(strstr(text, "'./evil.so' is no backend's name"), "%s", text);
}
END_TEST

#define FINDERS 8

static pthread_barrier_t all_there;
static const struct xvhost_disk_backend *found[FINDERS][16];

/* find_all - each built-in backend, at the same time as the other finders. */
static void *find_all(void *argument)
{
	const struct xvhost_disk_backend **mine = argument;
	char text[ERROR_TEXT_MAX];

	pthread_barrier_wait(&all_there);
	for (size_t i = 0; builtin_backends[i]; i++)
		if (backends_find(NULL, builtin_backends[i]()->name, &mine[i], text) < 0)
			mine[i] = NULL;
	return NULL;
}

/* Workers that are threads of one process find the same ones. */
START_TEST(find_together)
{
	pthread_t threads[FINDERS];
	size_t count = 0;

	while (builtin_backends[count])
		count++;
	ck_assert_uint_le(count, sizeof(found[0]) / sizeof(found[0][0]));
	pthread_barrier_init(&all_there, NULL, FINDERS);
	for (size_t i = 0; i < FINDERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, find_all, found[i]), 0);
	for (size_t i = 0; i < FINDERS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < count; i++) {
		ck_assert_ptr_nonnull(found[0][i]);
		for (size_t j = 1; j < FINDERS; j++)
			ck_assert_ptr_eq(found[j][i], found[0][i]);
	}
}
END_TEST

/* A table from a file that is no backend, or of another ABI. */
START_TEST(adopt)
{
	const struct backend_head *adopted;
	struct xvhost_disk_backend table = good;
	char text[ERROR_TEXT_MAX] = "";

	ck_assert_int_eq(backend_table_adopt(BACKEND_DISK, head_of_disk(&table), "t.so", &adopted, text), 0);
	ck_assert_str_eq(adopted->name, "good");
	free((void *)(uintptr_t)adopted);

	table.abi = XVHOST_BACKEND_ABI + 1;
	ck_assert_int_eq(backend_table_adopt(BACKEND_DISK, head_of_disk(&table), "t.so", &adopted, text),
			 -ELIBBAD);
	ck_assert_str_eq(text, "t.so was built for backend ABI 2, this xvhost has ABI 1");
	table = good;
	table.size = 40;
	ck_assert_int_eq(backend_table_adopt(BACKEND_DISK, head_of_disk(&table), "t.so", &adopted, text),
			 -ELIBBAD);
	ck_assert_msg(strstr(text, "a backend table of 40 bytes"), "%s", text);
	table = good;
	table.submit = NULL;
	ck_assert_int_eq(backend_table_adopt(BACKEND_DISK, head_of_disk(&table), "t.so", &adopted, text),
			 -ELIBBAD);
	ck_assert_msg(strstr(text, "lacks 'submit'"), "%s", text);
	table = good;
	table.request_size = 4097;
	ck_assert_int_eq(backend_table_adopt(BACKEND_DISK, head_of_disk(&table), "t.so", &adopted, text),
			 -ELIBBAD);
	ck_assert_msg(strstr(text, "4097 bytes"), "%s", text);
}
END_TEST

/* A table that is longer than what this host knows: a backend built against a later header of the same ABI. */
START_TEST(adopt_longer)
{
	struct {
		struct xvhost_disk_backend known;
		void *added_later[4];
	} longer = {.known = good, .added_later = {(void *)1, (void *)1, (void *)1, (void *)1}};
	const struct backend_head *adopted;
	char text[ERROR_TEXT_MAX];

	longer.known.size = sizeof(longer);
	ck_assert_int_eq(
		backend_table_adopt(BACKEND_DISK, head_of_disk(&longer.known), "t.so", &adopted, text), 0);
	ck_assert_uint_eq(adopted->size, sizeof(good));
	free((void *)(uintptr_t)adopted);
}
END_TEST

/* What stands before the backend's name is the host's, and is taken off. */
START_TEST(options)
{
	static const struct {
		const char *target, *rest;
		bool given;
		enum memory_access access;
	} good_ones[] = {
		{"good:path=/a,memory=grant", "good:path=/a,memory=grant", false, MEMORY_AUTO},
		{"memory=grant,good:path=/a", "good:path=/a", true, MEMORY_GRANT},
		{"memory=foreign,good", "good", true, MEMORY_FOREIGN},
		{"memory=auto,", "", true, MEMORY_AUTO},
		{"good", "good", false, MEMORY_AUTO},
		{"memory=auto", "memory=auto", false, MEMORY_AUTO},
		{"a,b:c=d", "a,b:c=d", false, MEMORY_AUTO},
		{"", "", false, MEMORY_AUTO},
	};
	static const char *const bad_ones[][2] = {
		{"memory=some,good:path=/a",
		 "the option memory is 'some', it must be auto, grant or foreign"},
		{"memory=,good:path=/a", "the option memory is '', it must be auto, grant or foreign"},
		{"memory=auto,memory=auto,good:path=/a", "the option memory is given twice"},
		{"path=/a,good", "'path' before the backend's name is no option of a disk; it has memory"},
		{"=,good", "'' before the backend's name is no option of a disk; it has memory"},
	};
	struct target_options taken;
	char text[ERROR_TEXT_MAX];
	const char *rest;

	for (size_t i = 0; i < sizeof(good_ones) / sizeof(good_ones[0]); i++) {
		ck_assert_int_eq(target_take_options(good_ones[i].target, &taken, &rest, text), 0);
		ck_assert_str_eq(rest, good_ones[i].rest);
		ck_assert_int_eq(taken.access_given, good_ones[i].given);
		ck_assert_int_eq(taken.access, good_ones[i].access);
	}
	for (size_t i = 0; i < sizeof(bad_ones) / sizeof(bad_ones[0]); i++) {
		ck_assert_int_eq(target_take_options(bad_ones[i][0], &taken, &rest, text), -EINVAL);
		ck_assert_str_eq(text, bad_ones[i][1]);
	}
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, options);

	tcase_add_test(test_case, all_given);
	tcase_add_test(test_case, defaults);
	tcase_add_test(test_case, target_below);
	tcase_add_loop_test(test_case, refused_row, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(test_case, sizes);
	tcase_add_test(test_case, backend_names);
	tcase_add_test(test_case, find);
	tcase_add_test(test_case, find_together);
	tcase_add_test(test_case, adopt);
	tcase_add_test(test_case, adopt_longer);
}

CHECK_MAIN("target", add_tests)
