// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - xvhost-try: the tool of those who write backends
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "try/conform/conform.h"
#include "try/list.h"
#include "try/options.h"
#include "try/run.h"
#include "try/run_net.h"
#include "try/subject.h"
#include "worker/backends.h"

/* describe - the disk backend that is named, the net backend of that name, or both; with --net the second only. */
static int describe(const struct try_options *options)
{
	struct subject subject, net;
	char text[ERROR_TEXT_MAX], net_text[ERROR_TEXT_MAX];
	int error = -ENOENT;
	int net_error = subject_find(BACKEND_NET, options->target, options->backend_directory, &net,
				     net_text);

	if (options->kind == BACKEND_DISK)
		error = subject_find(BACKEND_DISK, options->target, options->backend_directory, &subject,
				     text);
	if (error == 0)
		list_parameters(subject.backend);
	if (error == 0 && net_error == 0)
		printf("\nFor network cards:\n");
	if (net_error == 0)
		list_parameters(net.backend);
	if (error == 0 || net_error == 0)
		return TRY_GOOD;
	if (options->kind == BACKEND_NET || (error == -ENOENT && net_error == -ELIBBAD)) {
		fprintf(stderr, "xvhost-try: %s\n", net_text);
		return subject_status(net_error);
	}
	fprintf(stderr, "xvhost-try: %s\n", text);
	return subject_status(error);
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
	return options->kind == BACKEND_NET ? run_net_load(options) : run_load(options);
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
