// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - the command line of xvhost-try
 */
#include "try/options.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rings/blkif_wire.h"
#include "rings/ring.h"
#include "sim/blkif_frontend.h"
#include "sim/net_content.h"
#include "sim/netif_frontend.h"
#include "try/subject.h"
#include "worker/target.h"

#define TIME_MS_MAX (UINT64_C(7) * 24 * 3600 * 1000)
#define BLOCK_BYTES_MAX (UINT64_C(8) << 20)
#define DEFAULT_TIME_MS 5000
#define DEFAULT_DEPTH 32
#define DEFAULT_NET_DEPTH 64u

const char *argp_program_version = "xvhost-try " XVHOST_VERSION;

enum option_key {
	OPTION_RW = 0x100,
	OPTION_RW_MIX,
	OPTION_BS,
	OPTION_DEPTH,
	OPTION_QUEUES,
	OPTION_RING_ORDER,
	OPTION_TIME,
	OPTION_BYTES,
	OPTION_SIZE,
	OPTION_SEED,
	OPTION_READ_ONLY,
	OPTION_FLUSH_EVERY,
	OPTION_NO_VERIFY,
	OPTION_LIST,
	OPTION_DESCRIBE,
	OPTION_CONFORM,
	OPTION_KEEPS,
	OPTION_PROMISE,
	OPTION_NET,
	OPTION_GSO,
	OPTION_SECOND_GUEST,
	OPTION_PACKETS,
	OPTION_JSON,
	OPTION_BACKEND_DIRECTORY,
	OPTION_LOG_LEVEL,
	OPTION_QUIET = 'q',
};

static const struct argp_option option_table[] = {
	{NULL, 0, NULL, 0, "What the guest does:", 1},
	{"rw", OPTION_RW, "MODE", 0, "read, write, randread (default), randwrite, rw or randrw", 1},
	{"rw-mix", OPTION_RW_MIX, "PERCENT", 0,
	 "How many of the requests of rw and randrw are reads (default 50)", 1},
	{"bs", OPTION_BS, "SIZE", 0, "Bytes of each request (default 4k)", 1},
	{"depth", OPTION_DEPTH, "N", 0,
	 "Requests in flight, in each queue (default 32), or packets (64, fewer large ones)", 1},
	{"queues", OPTION_QUEUES, "N", 0, "Rings, each with a thread of the guest's (default 1)", 1},
	{"ring-order", OPTION_RING_ORDER, "N", 0,
	 "A ring has 2^N pages, N from 0 to 4 (default: as --depth needs)", 1},
	{"flush-every", OPTION_FLUSH_EVERY, "N", 0, "Flush after each N writes of a queue", 1},
	{"size", OPTION_SIZE, "SIZE", 0,
	 "Use only this much of the disk, from its beginning; with --net, MIN-MAX or one number: bytes of a "
	 "packet (default 1514)",
	 1},
	{"gso", OPTION_GSO, NULL, 0, "With --net: larger packets than the MTU, with GSO (default size 65535)",
	 1},
	{"second-guest", OPTION_SECOND_GUEST, NULL, 0,
	 "With --net: send to a second guest, which has a worker of its own and a card of the same BACKEND",
	 1},
	{"read-only", OPTION_READ_ONLY, NULL, 0, "Give the guest the disk for reading only", 1},
	{"seed", OPTION_SEED, "N", 0, "Repeat the places and data of another run (default 1)", 1},
	{"no-verify", OPTION_NO_VERIFY, NULL, 0, "Do not verify data", 1},
	{NULL, 0, NULL, 0, "When it ends; the first that is reached:", 2},
	{"time", OPTION_TIME, "SECONDS", 0, "(default 5, without limit if --bytes is given)", 2},
	{"bytes", OPTION_BYTES, "SIZE", 0, "Bytes read and written", 2},
	{"packets", OPTION_PACKETS, "N", 0, "With --net: packets sent by each queue", 2},
	{NULL, 0, NULL, 0, "Instead of that:", 3},
	{"list", OPTION_LIST, NULL, 0, "List the backends that there are", 3},
	{"describe", OPTION_DESCRIBE, "BACKEND", 0, "Tell what parameters a backend has", 3},
	{"conform", OPTION_CONFORM, "BACKEND:PARAMETER=VALUE,...", 0,
	 "Look whether the backend keeps the promises of backend.h", 3},
	{"keeps", OPTION_KEEPS, "WHEN", 0,
	 "With --conform: the disk is meant to keep what is written always (default), while-open, or never",
	 3},
	{"promise", OPTION_PROMISE, "NAME", 0, "With --conform: look at this one only", 3},

	{NULL, 0, NULL, 0, "And:", 4},
	{"net", OPTION_NET, NULL, 0, "BACKEND is one of network cards", 4},
	{"json", OPTION_JSON, NULL, 0, "Report as JSON", 4},
	{"quiet", OPTION_QUIET, NULL, 0, "No report and no progress, only errors and the exit status", 4},
	{"backend-directory", OPTION_BACKEND_DIRECTORY, "DIR", 0,
	 "Where loadable backends are (default: where this program was built, or " XVHOST_BACKEND_DIR ")", 4},
	{"log-level", OPTION_LOG_LEVEL, "LEVEL", 0,
	 "What the worker and the backend log: error, warning (default), info or debug", 4},
	{0},
};

/* option_name - for texts. */
static const char *option_name(int key)
{
	const struct argp_option *option = option_table;

	while (option->key != key)
		option++;
	return option->name;
}

/* ---- values ---- */

/* number - a number with or without a size's suffix, within limits, or the end of the program. */
static uint64_t number(struct argp_state *state, const char *name, const char *text, bool with_suffix,
		       uint64_t least, uint64_t most)
{
	uint64_t value;

	if (target_bytes(text, with_suffix, &value) < 0 || value < least || value > most)
		argp_error(state, "--%s is '%s', it must be a number%s from %" PRIu64 " to %" PRIu64, name,
			   text, with_suffix ? " of bytes (suffixes K, M, G, T)" : "", least, most);
	return value;
}

/* sectors - a size in whole sectors. */
static uint64_t sectors(struct argp_state *state, const char *name, const char *text, uint64_t most)
{
	uint64_t bytes = number(state, name, text, true, BLKIF_SECTOR_BYTES, most);

	if (bytes % BLKIF_SECTOR_BYTES != 0)
		argp_error(state, "--%s is '%s', it must be a multiple of %u bytes", name, text,
			   BLKIF_SECTOR_BYTES);
	return bytes;
}

/* milliseconds - of a number of seconds, which may have a fraction. */
static uint64_t milliseconds(struct argp_state *state, const char *text)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (errno || end == text || *end != '\0' || !(seconds >= 0.001) ||
	    seconds * 1000 > (double)TIME_MS_MAX)
		argp_error(state, "--time is '%s', it must be a number of seconds from 0.001 to %" PRIu64,
			   text, TIME_MS_MAX / 1000);
	return (uint64_t)(seconds * 1000 + 0.5);
}

static const struct {
	const char *name;
	uint32_t read_percent;
	bool random;
	bool mixed;
} modes[] = {
	{"read", 100, false, false},	{"write", 0, false, false},    {"rw", 50, false, true},
	{"randread", 100, true, false}, {"randwrite", 0, true, false}, {"randrw", 50, true, true},
};

/* What the parser remembers beside the options. */
struct parsing {
	struct try_options *options;
	bool mixed, load_given, conform_given;
	const char *promise;	 /* NULL: not given */
	const char *size;	 /* the same; what it means is not known before the end */
	const char *disk_option; /* the last that was given of those that go with disks only ... */
	const char *net_option;	 /* ... and with network cards only */
	int rw_mix;		 /* -1: not given */
	int ring_order;		 /* the same */
};

static void set_mode(struct argp_state *state, struct parsing *parsing, const char *text)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(text, modes[i].name) == 0) {
			parsing->options->mode = modes[i].name;
			parsing->options->read_percent = modes[i].read_percent;
			parsing->options->random = modes[i].random;
			parsing->mixed = modes[i].mixed;
			return;
		}
	}
	argp_error(state, "--rw is '%s', it must be read, write, randread, randwrite, rw or randrw", text);
}

static void set_keeps(struct argp_state *state, struct try_options *options, const char *text)
{
	static const char *const names[] = {[CONFORM_DATA_ALWAYS] = "always",
					    [CONFORM_DATA_WHILE_OPEN] = "while-open",
					    [CONFORM_DATA_NEVER] = "never"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			options->conform.data = (enum conform_data)i;
			return;
		}
	}
	argp_error(state, "--keeps is '%s', it must be always, while-open or never", text);
}

static void set_promise(struct argp_state *state, struct try_options *options, const char *text)
{
	const struct conform_promise *promise;
	char names[1024];
	size_t used = 0;

	for (uint32_t i = 0; (promise = conform_promise(options->kind, i)) != NULL; i++) {
		if (strcmp(text, promise->name) == 0) {
			options->conform.only = promise->name;
			return;
		}
	}
	for (uint32_t i = 0; (promise = conform_promise(options->kind, i)) != NULL && used < sizeof(names);
	     i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
					 promise->name);
	argp_error(state, "--promise is '%s', it must be one of %s", text, names);
}

/* ---- what goes together ---- */

/* ring_entries - requests that fit into a ring. */
static uint32_t ring_entries(uint32_t order)
{
	return ring_size(PAGE_BYTES << order, blkif_entry_bytes(BLKIF_X86_64));
}

/* settle_ring - as large as the depth needs, or as given and then large enough. */
static void settle_ring(struct argp_state *state, const struct parsing *parsing)
{
	struct try_options *options = parsing->options;

	if (parsing->ring_order >= 0)
		options->ring_order = (uint32_t)parsing->ring_order;
	else
		while (options->ring_order < RING_ORDER_MAX &&
		       ring_entries(options->ring_order) < options->depth)
			options->ring_order++;
	if (ring_entries(options->ring_order) < options->depth)
		argp_error(state, "--depth is %u, but a ring of 2^%u pages has %u entries", options->depth,
			   options->ring_order, ring_entries(options->ring_order));
}

static void settle_disk_load(struct argp_state *state, const struct parsing *parsing)
{
	struct try_options *options = parsing->options;

	if (parsing->size)
		options->size_bytes = sectors(state, "size", parsing->size, UINT64_MAX);
	if (options->depth == 0)
		options->depth = DEFAULT_DEPTH;
	if (parsing->rw_mix >= 0 && !parsing->mixed)
		argp_error(state, "--rw-mix goes with --rw rw or randrw, not with %s", options->mode);
	if (parsing->rw_mix >= 0)
		options->read_percent = (uint32_t)parsing->rw_mix;
	if (options->read_only && options->read_percent < 100)
		argp_error(state, "--read-only goes with --rw read or randread, not with %s", options->mode);
	if (options->size_bytes > 0 && options->size_bytes < options->block_bytes)
		argp_error(state, "--size is %" PRIu64 " bytes, less than one request has (--bs %u)",
			   options->size_bytes, options->block_bytes);
	if (options->time_ms == 0 && options->bytes == 0)
		options->time_ms = DEFAULT_TIME_MS;
	settle_ring(state, parsing);
}

/* packet_size - one number, or two with a '-' between. */
static void packet_size(struct argp_state *state, struct try_options *options, const char *text)
{
	const uint64_t least = XVHOST_NET_BYTES_MIN, most = XVHOST_NET_BYTES_MAX;
	const char *dash = strchr(text, '-');
	char first[24];

	if (dash &&
	    (size_t)snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text) < sizeof(first)) {
		options->packet_minimum = (uint32_t)number(state, "size", first, false, least, most);
		options->packet_maximum = (uint32_t)number(state, "size", dash + 1, false, least, most);
	} else {
		options->packet_minimum = options->packet_maximum = (uint32_t)number(state, "size", text,
										     false, least, most);
	}
	if (options->packet_minimum > options->packet_maximum)
		argp_error(state, "--size is '%s', the first number must be the smaller one", text);
}

/* settle_net_depth - as many packets as there are, whose pages the guest can have posted at a time. */
static void settle_net_depth(struct argp_state *state, struct try_options *options)
{
	uint32_t pages = (options->packet_maximum + PAGE_BYTES - 1) / PAGE_BYTES + 1;
	uint32_t fits = NET_FRONT_RING_SIZE / 2 / pages;

	if (options->depth > NET_FRONT_RING_SIZE)
		argp_error(state, "--depth is %u, a ring of a network card has %u entries", options->depth,
			   NET_FRONT_RING_SIZE);
	if (options->depth == 0)
		options->depth = fits < DEFAULT_NET_DEPTH ? fits : DEFAULT_NET_DEPTH;
}

static void settle_net_load(struct argp_state *state, const struct parsing *parsing)
{
	struct try_options *options = parsing->options;

	options->packet_minimum = options->packet_maximum = options->gso ? XVHOST_NET_BYTES_MAX
									 : NET_CONTENT_MTU_BYTES;
	if (parsing->size)
		packet_size(state, options, parsing->size);
	if (options->packet_maximum > NET_CONTENT_MTU_BYTES && !options->gso)
		argp_error(state, "--size is '%s', packets of more than %u bytes need --gso", parsing->size,
			   NET_CONTENT_MTU_BYTES);
	if (options->queues > NET_QUEUES_MAX)
		argp_error(state, "--queues is %u, a network card has %u at most", options->queues,
			   NET_QUEUES_MAX);
	if (options->time_ms == 0 && options->packets == 0)
		options->time_ms = DEFAULT_TIME_MS;
	settle_net_depth(state, options);
}

/* must_be_directory - where backends are looked for, if it was given. */
static void must_be_directory(struct argp_state *state, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		argp_error(state, "--backend-directory is '%s': %s", path, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		argp_error(state, "--backend-directory is '%s', which is no directory", path);
}

/* settle - after all options are known. */
static void settle(struct argp_state *state, const struct parsing *parsing)
{
	struct try_options *options = parsing->options;

	if (options->action == TRY_LOAD && !options->target)
		argp_error(state, "no backend is named, as in: %s file:path=/tmp/x.img (--list lists them)",
			   state->name);
	if (options->kind == BACKEND_NET && parsing->disk_option)
		argp_error(state, "--%s goes with disks, not with --net", parsing->disk_option);
	if (options->kind == BACKEND_DISK && parsing->net_option)
		argp_error(state, "--%s goes with --net", parsing->net_option);
	if (options->action == TRY_LOAD && options->kind == BACKEND_NET)
		settle_net_load(state, parsing);
	else if (options->action == TRY_LOAD)
		settle_disk_load(state, parsing);
	else if (parsing->load_given)
		argp_error(state, "--list, --describe and --conform take no target and no options of a load");
	else if (options->json && options->action != TRY_CONFORM)
		argp_error(state, "--json goes with a load and with --conform");
	if (parsing->conform_given && options->action != TRY_CONFORM)
		argp_error(state, "--keeps and --promise go with --conform");
	if (parsing->promise)
		set_promise(state, options, parsing->promise);
	if (options->backend_directory)
		must_be_directory(state, options->backend_directory);
	else
		options->backend_directory = subject_directory();
	options->conform.kind = options->kind;
	options->conform.target = options->target;
	options->conform.directory = options->backend_directory;
	options->conform.json = options->json;
}

/* ---- the parser ---- */

static void set_action(struct argp_state *state, struct try_options *options, enum try_action action,
		       const char *target)
{
	if (options->action != TRY_LOAD)
		argp_error(state, "only one of --list, --describe and --conform can be done");
	options->action = action;
	options->target = target;
}

/* parse_disk_load - the options of a disk's load. */
static error_t parse_disk_load(int key, char *argument, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct try_options *options = parsing->options;

	switch (key) {
	case OPTION_RW:
		set_mode(state, parsing, argument);
		break;
	case OPTION_RW_MIX:
		parsing->rw_mix = (int)number(state, "rw-mix", argument, false, 0, 100);
		break;
	case OPTION_BS:
		options->block_bytes = (uint32_t)sectors(state, "bs", argument, BLOCK_BYTES_MAX);
		break;
	case OPTION_RING_ORDER:
		parsing->ring_order = (int)number(state, "ring-order", argument, false, 0, RING_ORDER_MAX);
		break;
	case OPTION_BYTES:
		options->bytes = number(state, "bytes", argument, true, 1, UINT64_MAX);
		break;
	case OPTION_FLUSH_EVERY:
		options->flush_every = (uint32_t)number(state, "flush-every", argument, false, 1, UINT32_MAX);
		break;
	case OPTION_READ_ONLY:
		options->read_only = true;
		break;
	case OPTION_NO_VERIFY:
		options->verify = false;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	parsing->disk_option = option_name(key);
	parsing->load_given = true;
	return 0;
}

/* parse_load - the options of a load of either kind, and those of a network card's. */
static error_t parse_load(int key, char *argument, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct try_options *options = parsing->options;

	switch (key) {
	case OPTION_DEPTH:
		options->depth = (uint32_t)number(state, "depth", argument, false, 1,
						  ring_entries(RING_ORDER_MAX));
		break;
	case OPTION_QUEUES:
		options->queues = (uint32_t)number(state, "queues", argument, false, 1, FRONT_QUEUES_MAX);
		break;
	case OPTION_TIME:
		options->time_ms = milliseconds(state, argument);
		break;
	case OPTION_SIZE:
		parsing->size = argument;
		break;
	case OPTION_SEED:
		options->seed = number(state, "seed", argument, false, 0, UINT64_MAX);
		break;
	case OPTION_GSO:
		options->gso = true;
		parsing->net_option = option_name(key);
		break;
	case OPTION_SECOND_GUEST:
		options->second_guest = true;
		parsing->net_option = option_name(key);
		break;
	case OPTION_PACKETS:
		options->packets = number(state, "packets", argument, false, 1, UINT32_MAX);
		parsing->net_option = option_name(key);
		break;
	default:
		return parse_disk_load(key, argument, state);
	}
	parsing->load_given = true;
	return 0;
}

/* look_for_target - that what stands behind --conform and --describe is no option; getopt would take one. */
static void look_for_target(struct argp_state *state)
{
	/* argp itself does this later. */
	state->name = program_invocation_short_name;
	for (int i = 1; i < state->argc; i++) {
		const char *next = i + 1 < state->argc ? state->argv[i + 1] : "-";

		if (strcmp(state->argv[i], "--conform") == 0 && next[0] == '-')
			argp_error(state, "--conform needs its target right behind it: "
					  "--conform foo:path=/tmp/foo.img");
		if (strcmp(state->argv[i], "--describe") == 0 && next[0] == '-')
			argp_error(state, "--describe needs its backend right behind it: --describe foo");
	}
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct try_options *options = parsing->options;

	switch (key) {
	case ARGP_KEY_INIT:
		look_for_target(state);
		return 0;
	case OPTION_LIST:
		set_action(state, options, TRY_LIST, NULL);
		return 0;
	case OPTION_DESCRIBE:
		set_action(state, options, TRY_DESCRIBE, argument);
		return 0;
	case OPTION_CONFORM:
		set_action(state, options, TRY_CONFORM, argument);
		return 0;
	case OPTION_KEEPS:
		parsing->conform_given = true;
		parsing->disk_option = "keeps";
		set_keeps(state, options, argument);
		return 0;
	case OPTION_PROMISE:
		parsing->conform_given = true;
		parsing->promise = argument;
		return 0;
	case OPTION_NET:
		options->kind = BACKEND_NET;
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	case OPTION_QUIET:
		options->quiet = true;
		return 0;
	case OPTION_BACKEND_DIRECTORY:
		options->backend_directory = argument;
		return 0;
	case OPTION_LOG_LEVEL:
		if (log_level_parse(argument, &options->log_level) < 0)
			argp_error(state, "--log-level is '%s', it must be error, warning, info or debug",
				   argument);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "'%s' is one backend too many", argument);
		parsing->load_given = true;
		options->target = argument;
		return 0;
	case ARGP_KEY_END:
		settle(state, parsing);
		return 0;
	default:
		return parse_load(key, argument, state);
	}
}

/* keep_arguments - as they were given: argp puts them into another order. */
static char **keep_arguments(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));

	if (!copy) {
		fprintf(stderr, "xvhost-try: no memory\n");
		exit(TRY_FAILED);
	}
	memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	return copy;
}

void options_parse(int argc, char **argv, struct try_options *options)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse,
		.args_doc =
			"BACKEND:PARAMETER=VALUE,...\n--net BACKEND:PARAMETER=VALUE,...\n--list\n--describe "
			"BACKEND\n--conform BACKEND:PARAMETER=VALUE,... [--net]",
		.doc = "Try a backend: run it in a worker, under a simulated Xen, with a guest that reads "
		       "and "
		       "writes its disk, or sends and receives packets by its network card.\v"
		       "BACKEND is a name, as in file:path=/tmp/x.img, or a shared object's path with a '/', "
		       "as in "
		       "./my-backend.so:key=1. Writing destroys what the disk holds.",
	};
	struct parsing parsing = {.options = options, .rw_mix = -1, .ring_order = -1};

	*options = (struct try_options){
		.log_level = LOG_LEVEL_WARNING,
		.arguments = keep_arguments(argc, argv),
		.mode = "randread",
		.read_percent = 100,
		.random = true,
		.block_bytes = 4096,
		.queues = 1,
		.seed = 1,
		.verify = true,
	};
	argp_err_exit_status = TRY_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &parsing);
}
