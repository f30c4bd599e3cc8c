// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - xvhost-worker: started by xvhostd for one guest, or for the uplink of a switch of guests
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "log.h"
#include "worker/cable.h"
#include "worker/messages.h"
#include "worker/sole.h"
#include "worker/worker.h"

#define RUN_FOLDER "/run/xvhost"
#define DOMID_MAX 0x7fef /* the last one that can be a guest's: DOMID_FIRST_RESERVED - 1 */

const char *argp_program_version = "xvhost-worker " XVHOST_VERSION;

enum option_key {
	OPTION_SWITCH = 0x100,
	OPTION_UPLINK,
};

static const struct argp_option options[] = {
	{"domid", 'd', "N", 0, "The guest to serve; for an uplink the domain that this is", 0},
	{"socket", 's', "FD", 0, "Open descriptor of the socket to xvhostd", 0},
	{"backend-directory", 'b', "DIR", 0, "Where loadable backends are (default " XVHOST_BACKEND_DIR ")",
	 0},
	{"switch", OPTION_SWITCH, "NAME", 0, "Serve no guest, but give this switch of guests an uplink", 0},
	{"uplink", OPTION_UPLINK, "TARGET", 0, "To which backend that is, as in xvhost-net(7)", 0},
	{"log-level", 'l', "LEVEL", 0, "error, warning, info (default) or debug", 0},
	{0},
};

struct arguments {
	struct worker_options worker;
	bool domid_given;
	const char *switch_name, *uplink; /* NULL: a guest is served */
	enum log_level log_level;
};

/* number - a decimal option value within limits, or the end of the program. */
static long number(const char *text, long least, long most, const char *name, struct argp_state *state)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < least || value > most)
		argp_error(state, "--%s is '%s', it must be %ld to %ld", name, text, least, most);
	return value;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'd':
		arguments->worker.domid = (uint16_t)number(argument, 0, DOMID_MAX, "domid", state);
		arguments->domid_given = true;
		return 0;
	case 's':
		arguments->worker.socket = (int)number(argument, 3, 1 << 20, "socket", state);
		return 0;
	case 'b':
		arguments->worker.backend_directory = argument;
		return 0;
	case OPTION_SWITCH:
		if (strlen(argument) >= NET_NAME_MAX)
			argp_error(state, "--switch is '%s', it must have at most %d characters", argument,
				   NET_NAME_MAX - 1);
		arguments->switch_name = argument;
		return 0;
	case OPTION_UPLINK:
		arguments->uplink = argument;
		return 0;
	case 'l':
		if (log_level_parse(argument, &arguments->log_level) < 0)
			argp_error(state, "--log-level is '%s', it must be error, warning, info or debug",
				   argument);
		return 0;
	case ARGP_KEY_END:
		if (!arguments->domid_given || arguments->worker.socket < 0)
			argp_error(state, "xvhostd starts this program; it needs --domid and --socket");
		if (!arguments->switch_name != !arguments->uplink)
			argp_error(state, "--switch and --uplink belong together");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	.options = options,
	.parser = parse,
	.doc = "Serves the devices of one Xen guest, or is the uplink of a switch of guests. Started by "
	       "xvhostd, and "
	       "of no use without it.",
};

/* serve - as the only worker of this guest. Returns 0 or a negative errno. */
static int serve(struct worker_options *worker)
{
	int file = sole_take(RUN_FOLDER, worker->domid, &worker->killed_before);
	int error;

	if (file < 0) {
		log_error("guest %u: can't lock a file in %s: %s", worker->domid, RUN_FOLDER,
			  strerror(-file));
		return file;
	}
	error = worker_run(worker);
	if (error == 0)
		sole_release(RUN_FOLDER, worker->domid, file);
	return error;
}

#define PORT_MAX                                                                                             \
	64 /* bytes of the target of a switch's port with the final 0: a comma of its name is written twice */

/* port_of - the target string of a port of this switch. */
static const char *port_of(const char *name, char target[PORT_MAX])
{
	int used = snprintf(target, PORT_MAX, "switch:name=");

	for (; *name && used < PORT_MAX - 2; name++) {
		if (*name == ',')
			target[used++] = ',';
		target[used++] = *name;
	}
	target[used] = '\0';
	return target;
}

/* uplink - of a switch. Returns 0 or a negative errno. */
static int uplink(const struct arguments *arguments)
{
	char name[NET_NAME_MAX + 32], interface[NET_NAME_MAX], port[PORT_MAX];
	const struct cable_options cable = {
		.name = name,
		.interface = interface,
		.targets = {port_of(arguments->switch_name, port), arguments->uplink},
		.domid = arguments->worker.domid,
		.socket = arguments->worker.socket,
		.backend_directory = arguments->worker.backend_directory,
	};

	snprintf(name, sizeof(name), "uplink of switch %s", arguments->switch_name);
	snprintf(interface, sizeof(interface), "up.%s", arguments->switch_name);
	return cable_run(&cable);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.worker = {.platform = &platform_xen, .socket = -1, .backend_directory = XVHOST_BACKEND_DIR},
		.log_level = LOG_LEVEL_INFO,
	};

	argp_parse(&parser, argc, argv, 0, NULL, &arguments);
	log_init("xvhost-worker", arguments.log_level);
	/*
	 * A terminal's ^C and a service manager's SIGTERM reach all processes of a group. xvhostd decides
	 * when a worker ends: it says so, or its socket closes.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (arguments.uplink ? uplink(&arguments) : serve(&arguments.worker)) < 0 ? EXIT_FAILURE
										      : EXIT_SUCCESS;
}
