/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - what the operator has set, xvhost.conf(5)
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "memory/access.h"
#include "worker/messages.h"

#define REPORT_MAX 1024 /* bytes of one error's text with the final 0 */

#define CONFIG_NETWORKS_MAX 64 /* [network NAME] */
#define CONFIG_SWITCHES_MAX 16 /* [switch NAME] */
#define CONFIG_TARGET_MAX 200  /* bytes of a target string with the final 0: a line of the file has no more */

/* What has a section of its own: a network, as the toolstack names it in a card's `bridge`, and the target of its cards; or a switch, and
 * the target of its uplink. */
struct config_named {
	char name[NET_NAME_MAX];
	char target[CONFIG_TARGET_MAX];
};

struct config {
	enum log_level log_level;
	char worker[PATH_MAX];		    /* the program that serves one guest */
	char backend_directory[PATH_MAX];   /* where it finds loadable backends */
	uint32_t max_ring_page_order;	    /* a frontend may have rings of 2^this pages */
	uint32_t max_queues;		    /* a frontend may have this many for a disk */
	char net_target[CONFIG_TARGET_MAX]; /* of cards in a network that is not named below */
	bool net_adopt_all;		    /* cards with other scripts too, if their target is `tap` */
	uint32_t net_max_queues;	    /* a frontend may have this many for a card */
	struct config_named networks[CONFIG_NETWORKS_MAX];
	uint32_t network_count;
	struct config_named switches[CONFIG_SWITCHES_MAX];
	uint32_t switch_count;
	enum memory_access memory_access; /* of disks whose target does not say */
	uint32_t memory_guest_mib;	  /* of a guest's memory, kept mapped at most */
	uint32_t memory_host_mib;	  /* the same of all guests together */
	uint32_t memory_idle_s;		  /* what was not used for so long is unmapped */
};

/* config_set_defaults - what holds where nothing is set. */
void config_set_defaults(struct config *config);

/* config_net_target - the target string of cards in this network; "": the toolstack names none. */
const char *config_net_target(const struct config *config, const char *network);

/*
 * config_read - read a file over what is in *config. Each error goes to `report` as a text that begins with
 * "FILE:LINE: ". Returns the number of errors, or a negative errno, without a report, if the file can't be
 * read.
 */
int config_read(const char *path, struct config *config, void (*report)(const char *text));

#endif
