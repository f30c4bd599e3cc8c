// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - xvhostd: options, configuration, and then the loop
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/daemon.h"
#include "log.h"
#include "platform/platform.h"

#define DEFAULT_CONFIG XVHOST_SYSCONFDIR "/xvhost/xvhost.conf"
#define LOCK_PATH "/run/xvhost/xvhostd.lock"
#define SYSFS_PATH "/sys"

struct options {
	const char *config; /* NULL: the default, which may be missing */
	bool check_config;
	bool has_log_level;
	enum log_level log_level;
};

enum option_key {
	OPTION_CONFIG = 'c',
	OPTION_CHECK_CONFIG = 0x100,
	OPTION_LOG_LEVEL,
};

static const struct argp_option option_table[] = {
	{"config", OPTION_CONFIG, "FILE", 0, "Read FILE instead of " DEFAULT_CONFIG, 0},
	{"check-config", OPTION_CHECK_CONFIG, NULL, 0,
	 "Read the configuration, tell what is wrong with it, and end", 0},
	{"log-level", OPTION_LOG_LEVEL, "LEVEL", 0,
	 "error, warning, info or debug; instead of the configuration's", 0},
	{0},
};

const char *argp_program_version = "xvhostd " XVHOST_VERSION;

/* parse_option - argp's parser. */
static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case OPTION_CONFIG:
		options->config = argument;
		return 0;
	case OPTION_CHECK_CONFIG:
		options->check_config = true;
		return 0;
	case OPTION_LOG_LEVEL:
		if (log_level_parse(argument, &options->log_level) < 0)
			argp_error(state, "--log-level is \"%s\"; it must be error, warning, info or debug",
				   argument);
		options->has_log_level = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* report_to_stderr, report_to_log - what is wrong with the configuration. */
static void report_to_stderr(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static void report_to_log(const char *text)
{
	log_error("%s", text);
}

/* read_config - as the options say. False: it was reported what is wrong. */
static bool read_config(const struct options *options, struct config *config,
			void (*report)(const char *text))
{
	const char *path = options->config != NULL ? options->config : DEFAULT_CONFIG;
	char text[REPORT_MAX];
	int errors;

	config_set_defaults(config);
	errors = config_read(path, config, report);
	if (errors == -ENOENT && options->config == NULL)
		return true;
	if (errors < 0) {
		snprintf(text, sizeof(text), "%.512s: can't be read: %s", path, strerror(-errors));
		report(text);
	}
	return errors == 0;
}

/* check_config - all of --check-config. */
static int check_config(const struct options *options)
{
	struct config config;

	if (!read_config(options, &config, report_to_stderr))
		return EXIT_FAILURE;
	printf("%s: OK\n", options->config != NULL ? options->config : DEFAULT_CONFIG);
	return EXIT_SUCCESS;
}

/* run - serve until a signal asks for the end. */
static int run(const struct config *config)
{
	const struct daemon_settings settings = {
		.platform = &platform_xen,
		.config = config,
		.lock_path = LOCK_PATH,
		.sysfs_path = SYSFS_PATH,
	};
	struct daemon *daemon = daemon_create(&settings);

	if (daemon == NULL)
		return EXIT_FAILURE;
	while (daemon_turn(daemon, -1))
		;
	return daemon_destroy(daemon) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse_option,
		.doc = "Serve disks and network cards of Xen guests: those whose configuration says "
		       "script=block-xvhost or script=vif-xvhost.\v"
		       "Runs in the foreground and logs to standard error. SIGTERM ends it; guests see a "
		       "pause until it "
		       "is started again.",
	};
	struct options options = {0};
	struct config config;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (options.check_config)
		return check_config(&options);
	log_init("xvhostd", LOG_LEVEL_INFO);
	if (!read_config(&options, &config, report_to_log))
		return EXIT_FAILURE;
	log_set_level(options.has_log_level ? options.log_level : config.log_level);
	/* The log may be a pipe that nobody reads any more. */
	signal(SIGPIPE, SIG_IGN);
	return run(&config);
}
