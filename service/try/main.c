// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - xvhost-try: the tool of those who write backends
 */
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "try/conform/conform.h"
#include "try/list.h"
#include "try/options.h"
#include "try/run.h"
#include "try/subject.h"

static int describe(const struct try_options *options)
{
	struct subject subject;
	char text[ERROR_TEXT_MAX];
	int error = subject_find(options->target, options->backend_directory, &subject, text);

	if (error < 0) {
		fprintf(stderr, "xvhost-try: %s\n", text);
		return subject_status(error);
	}
	list_parameters(subject.backend);
	return TRY_GOOD;
}

/* run - what was asked for. */
static int run(const struct try_options *options)
{
	switch (options->action) {
	case TRY_LIST:
		return list_backends(options->backend_directory) ? TRY_GOOD : TRY_FAILED;
	case TRY_DESCRIBE:
		return describe(options);
	case TRY_CONFORM:
		return conform_run(&options->conform);
	case TRY_LOAD:
		break;
	}
	return run_load(options);
}

int main(int argc, char **argv)
{
	struct try_options options;
	int status;

	options_parse(argc, argv, &options);
	log_init("xvhost-try", options.log_level);
	log_without_priority();
	status = run(&options);
	free(options.arguments);
	return status;
}
