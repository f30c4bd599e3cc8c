/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - what xvhost-try is asked to do
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "try/conform/conform.h"

/* Exit statuses. */
enum {
	TRY_GOOD = 0,
	TRY_FAILED = 1, /* the backend failed, or its data was wrong */
	TRY_USAGE = 2,	/* the command line asks for what can't be */
};

enum try_action {
	TRY_LOAD = 0, /* run a load against a backend */
	TRY_LIST,
	TRY_DESCRIBE,
	TRY_CONFORM, /* does the backend keep the promises of backend.h? */
};

struct try_options {
	enum backend_kind kind;
	enum try_action action;
	const char *target; /* as given: NAME:PARAMETERS or FILE:PARAMETERS */
	const char *backend_directory;
	enum log_level log_level;
	bool quiet;
	bool json;
	char **arguments; /* the whole command line, for the report; free() it in the end */

	struct conform_options conform;

	/* The load of a network card. */
	uint32_t packet_minimum, packet_maximum; /* bytes */
	bool gso;
	bool second_guest; /* packets go to its card */
	uint64_t packets;  /* of each queue; 0: no limit */

	/* The load of either kind, and that of a disk. */
	const char *mode;      /* as --rw names it */
	uint32_t read_percent; /* 0 to 100 */
	bool random;
	uint32_t block_bytes;
	uint32_t depth; /* of each queue */
	uint32_t queues;
	uint32_t ring_order;
	uint64_t time_ms;    /* 0: no limit */
	uint64_t bytes;	     /* 0: no limit */
	uint64_t size_bytes; /* of the disk's beginning that is used; 0: all */
	uint64_t seed;
	uint32_t flush_every; /* 0: never */
	bool read_only;
	bool verify;
};

/* options_parse - the command line. Ends the program after --help, --version, or an error of usage. */
void options_parse(int argc, char **argv, struct try_options *options);

#endif
