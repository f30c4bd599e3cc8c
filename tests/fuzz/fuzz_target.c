// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_target.c - target strings: any bytes, read by a table with all types of parameters, and by a wrapper's
 *
 * What must hold besides memory: an error has a text; a value that was taken is within its limits; and a target
 * written anew from the values that were taken gives the same values.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/target.h"

#define DEPTH_MIN 1
#define DEPTH_MAX 128
#define SIZE_MIN 512
#define SIZE_MAX_BYTES (UINT64_C(1) << 40)
#define LAYERS_MAX 16 /* wrappers that are followed */

struct config {
	const char *path, *label, *below;
	bool direct, fast;
	uint64_t depth, count, size_bytes, any_bytes;
};

static const struct xvhost_parameter plain_parameters[] = {
	{"path", XVHOST_STRING, XVHOST_REQUIRED, offsetof(struct config, path), NULL, 0, 0, "where it is"},
	{"label", XVHOST_STRING, 0, offsetof(struct config, label), "none", 0, 0, "its name"},
	{"direct", XVHOST_BOOL, 0, offsetof(struct config, direct), "off", 0, 0, "directly"},
	{"fast", XVHOST_BOOL, 0, offsetof(struct config, fast), "on", 0, 0, "fast"},
	{"depth", XVHOST_NUMBER, 0, offsetof(struct config, depth), "8", DEPTH_MIN, DEPTH_MAX, "how deep"},
	{"count", XVHOST_NUMBER, 0, offsetof(struct config, count), NULL, 0, 0, "how many"},
	{"size", XVHOST_BYTES, 0, offsetof(struct config, size_bytes), "1G", SIZE_MIN, SIZE_MAX_BYTES,
	 "how large"},
	{"any", XVHOST_BYTES, 0, offsetof(struct config, any_bytes), NULL, 0, 0, "any size"},
};

static const struct xvhost_parameter wrapper_parameters[] = {
	{"label", XVHOST_STRING, 0, offsetof(struct config, label), "none", 0, 0, "its name"},
	{"depth", XVHOST_NUMBER, 0, offsetof(struct config, depth), "8", DEPTH_MIN, DEPTH_MAX, "how deep"},
	{"disk", XVHOST_TARGET, XVHOST_REQUIRED, offsetof(struct config, below), NULL, 0, 0,
	 "the disk below"},
};

static const struct xvhost_disk_backend plain = {
	.name = "plain",
	.parameters = plain_parameters,
	.parameter_count = sizeof(plain_parameters) / sizeof(plain_parameters[0]),
	.parameter_size = sizeof(plain_parameters[0]),
	.config_size = sizeof(struct config),
};

static const struct xvhost_disk_backend wrapper = {
	.name = "wrapper",
	.parameters = wrapper_parameters,
	.parameter_count = sizeof(wrapper_parameters) / sizeof(wrapper_parameters[0]),
	.parameter_size = sizeof(wrapper_parameters[0]),
	.config_size = sizeof(struct config),
};

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* put_text - a value with its commas written twice. Returns where it ends. */
static char *put_text(char *to, const char *name, const char *value)
{
	to += sprintf(to, ",%s=", name);
	for (; *value != '\0'; value++) {
		if (*value == ',')
			*to++ = ',';
		*to++ = *value;
	}
	return to;
}

/* write_anew - the target string of these values. */
static char *write_anew(const struct config *config, bool is_wrapper)
{
	size_t path_bytes = is_wrapper ? strlen(config->below) : strlen(config->path);
	char *target = malloc(2 * (path_bytes + strlen(config->label)) + 512), *to = target;

	if (!target)
		abort();
	to += sprintf(to, "x:depth=%llu", (unsigned long long)config->depth);
	to = put_text(to, "label", config->label);
	if (is_wrapper) {
		sprintf(to, ",disk=%s", config->below);
		return target;
	}
	to = put_text(to, "path", config->path);
	sprintf(to, ",direct=%s,fast=%d,count=%llu,size=%llu,any=%llu", config->direct ? "yes" : "off",
		config->fast, (unsigned long long)config->count, (unsigned long long)config->size_bytes,
		(unsigned long long)config->any_bytes);
	return target;
}

static void check_limits(const struct config *config, bool is_wrapper)
{
	must(config->label[0] != '\0', "a string is not empty");
	must(config->depth >= DEPTH_MIN && config->depth <= DEPTH_MAX, "a number is within its limits");
	if (is_wrapper) {
		must(config->below[0] != '\0', "the disk below is named");
		return;
	}
	must(config->path[0] != '\0', "a required string is there");
	must(config->size_bytes >= SIZE_MIN && config->size_bytes <= SIZE_MAX_BYTES,
	     "a size is within its limits");
}

static void check_again(const struct config *config, const struct xvhost_disk_backend *backend)
{
	bool is_wrapper = backend == &wrapper;
	char *target = write_anew(config, is_wrapper);
	char text[ERROR_TEXT_MAX];
	struct config *again;
	void *made;

	must(target_configure(target, head_of_disk(backend), &made, text) == 0,
	     "what was taken is taken again");
	again = made;
	must(strcmp(again->label, config->label) == 0 && again->depth == config->depth,
	     "label and depth stay");
	if (is_wrapper)
		must(strcmp(again->below, config->below) == 0, "the disk below stays");
	else
		must(strcmp(again->path, config->path) == 0 && again->direct == config->direct &&
			     again->fast == config->fast && again->count == config->count &&
			     again->size_bytes == config->size_bytes && again->any_bytes == config->any_bytes,
		     "values stay");
	free(made);
	free(target);
}

/* read_options - what stands before the backend's name. Returns the rest. */
static const char *read_options(const char *target)
{
	char text[ERROR_TEXT_MAX] = "";
	struct target_options options;
	const char *rest = NULL;

	if (target_take_options(target, &options, &rest, text) < 0) {
		must(text[0] != '\0' && memchr(text, '\0', sizeof(text)), "an error has a text");
		return target;
	}
	must(rest >= target && rest <= target + strlen(target), "the rest is the target's");
	must(options.access_given == (rest > target), "an option is what was taken");
	return rest;
}

/* read_target - one layer, and then the ones below it. */
static void read_target(const char *target, int layers)
{
	char name[BACKEND_NAME_MAX], text[ERROR_TEXT_MAX] = "";
	const struct xvhost_disk_backend *backend;
	void *made = NULL;

	if (target_backend_name(target, name, text) < 0) {
		must(text[0] != '\0' && memchr(text, '\0', sizeof(text)), "an error has a text");
		return;
	}
	must(name[0] != '\0' && strncmp(name, target, strlen(name)) == 0,
	     "the name is the target's beginning");
	backend = strcmp(name, wrapper.name) == 0 ? &wrapper : &plain;
	if (target_configure(target, head_of_disk(backend), &made, text) < 0) {
		must(text[0] != '\0' && memchr(text, '\0', sizeof(text)), "an error has a text");
		return;
	}
	check_limits(made, backend == &wrapper);
	check_again(made, backend);
	if (backend == &wrapper && layers < LAYERS_MAX)
		read_target(((struct config *)made)->below, layers + 1);
	free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *target = malloc(size + 1);

	if (!target)
		abort();
	memcpy(target, data, size);
	target[size] = '\0';
	read_target(read_options(target), 1);
	free(target);
	return 0;
}
