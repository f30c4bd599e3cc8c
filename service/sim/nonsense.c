// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nonsense.c - a guest that writes nonsense into xenstore where its disk's or card's frontend should describe rings
 */
#include "sim/nonsense.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/xenstore.h"

#define NUMBER_MAX 16 /* bytes of a number as a text with the final 0 */
#define HUGE_STEP_BYTES                                                                                      \
	17 /* of a huge value, for each unit of the program's byte: up to more than a node may have */

/* Most of what backends read of frontends, and some that they must not look at. */
static const char *const names[] = {
	"state",
	"ring-ref",
	"event-channel",
	"protocol",
	"ring-page-order",
	"num-ring-pages",
	"multi-queue-num-queues",
	"ring-ref0",
	"ring-ref1",
	"ring-ref2",
	"ring-ref3",
	"ring-ref7",
	"ring-ref15",
	"ring-ref16",
	"queue-0/ring-ref",
	"queue-0/ring-ref0",
	"queue-0/event-channel",
	"queue-1/ring-ref",
	"queue-1/ring-ref1",
	"queue-1/event-channel",
	"queue-15/ring-ref",
	"queue-0",
	"feature-persistent",
	"feature-large-sector-size",
	"backend",
	"backend-id",
	"virtual-device",
	"device-type",
	"discard-enable",
};

static const char *const card_names[] = {
	"state",
	"tx-ring-ref",
	"rx-ring-ref",
	"event-channel",
	"event-channel-tx",
	"event-channel-rx",
	"multi-queue-num-queues",
	"queue-0/tx-ring-ref",
	"queue-0/rx-ring-ref",
	"queue-0/event-channel",
	"queue-0/event-channel-tx",
	"queue-0/event-channel-rx",
	"queue-1/tx-ring-ref",
	"queue-1/event-channel-rx",
	"queue-7/rx-ring-ref",
	"queue-0",
	"request-rx-copy",
	"feature-rx-notify",
	"feature-sg",
	"feature-gso-tcpv4",
	"feature-gso-tcpv6",
	"feature-no-csum-offload",
	"feature-ipv6-csum-offload",
	"request-multicast-control",
	"xdp-headroom",
	"ctrl-ring-ref",
	"event-channel-ctrl",
	"backend",
	"handle",
	"mac",
	"mtu",
};

static const char *const values[] = {
	"",
	"0",
	"1",
	"2",
	"3",
	"4",
	"5",
	"6",
	"7",
	"8",
	"9",
	"16",
	"17",
	"-1",
	"+1",
	" 1",
	"1 ",
	"1\n",
	"01",
	"0x1",
	"1.0",
	"131071",
	"131072",
	"4294967295",
	"4294967296",
	"18446744073709551615",
	"18446744073709551617",
	"99999999999999999999999999999999999999999999999999",
	"banana",
	"x86_64-abi",
	"x86_32-abi",
	"arm-abi",
	"x86_64-abi\n",
	"%s%n%d",
	"\n<3>xvhostd: forged",
	"\x1b[31m\xff\xfe",
	"/local/domain/0/backend/vbd/4/51712",
	"../../../0/backend",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

uint8_t sim_nonsense_byte(struct sim_nonsense *nonsense)
{
	if (nonsense->left == 0)
		return 0;
	nonsense->left--;
	return *nonsense->bytes++;
}

/* path_of - of a node of the device; "" is its directory. */
static void path_of(const struct sim_nonsense *nonsense, const char *name, char path[XENSTORE_PATH_MAX])
{
	snprintf(path, XENSTORE_PATH_MAX, "device/%s/%" PRIu32 "%s%s", nonsense->card ? "vif" : "vbd",
		 nonsense->device_id, name[0] != '\0' ? "/" : "", name);
}

/* put - write a node; whether that is allowed is xenstore's business. */
static void put(struct sim_nonsense *nonsense, const char *name, const void *bytes, size_t length)
{
	char path[XENSTORE_PATH_MAX];

	path_of(nonsense, name, path);
	sim_xenstore_write_bytes(nonsense->guest, nonsense->transaction, path, bytes, length);
}

static void put_text(struct sim_nonsense *nonsense, const char *name, const char *text)
{
	put(nonsense, name, text, strlen(text));
}

static void take_away(struct sim_nonsense *nonsense, const char *name)
{
	char path[XENSTORE_PATH_MAX];

	path_of(nonsense, name, path);
	sim_xenstore_remove(nonsense->guest, nonsense->transaction, path);
}

static const char *next_name(struct sim_nonsense *nonsense)
{
	uint8_t choice = sim_nonsense_byte(nonsense);

	return nonsense->card ? card_names[choice % COUNT(card_names)] : names[choice % COUNT(names)];
}

static const char *next_value(struct sim_nonsense *nonsense)
{
	return values[sim_nonsense_byte(nonsense) % COUNT(values)];
}

/* put_bytes - a value of the program's own bytes, zeroes and all. */
static void put_bytes(struct sim_nonsense *nonsense)
{
	const char *name = next_name(nonsense);
	size_t length = sim_nonsense_byte(nonsense);

	if (length > nonsense->left)
		length = nonsense->left;
	put(nonsense, name, nonsense->bytes, length);
	nonsense->bytes += length;
	nonsense->left -= length;
}

/* put_huge - one character, very often. */
static void put_huge(struct sim_nonsense *nonsense)
{
	const char *name = next_name(nonsense);
	size_t length = (size_t)sim_nonsense_byte(nonsense) * HUGE_STEP_BYTES;
	char text[UINT8_MAX * HUGE_STEP_BYTES];

	memset(text, "019x "[sim_nonsense_byte(nonsense) % 5], length);
	put(nonsense, name, text, length);
}

/* put_directory - in the place of a value. */
static void put_directory(struct sim_nonsense *nonsense)
{
	const char *name = next_name(nonsense);
	char below[XENSTORE_PATH_MAX];

	take_away(nonsense, name);
	snprintf(below, sizeof(below), "%s/%s", name, next_name(nonsense));
	put_text(nonsense, below, next_value(nonsense));
}

/* put_queue - the nodes of one queue, whose directory `prefix` names. */
static void put_queue(struct sim_nonsense *nonsense, const char *prefix)
{
	static const char *const of_disk[] = {"ring-ref", "event-channel", NULL};
	static const char *const of_card[] = {"tx-ring-ref", "rx-ring-ref", "event-channel", NULL};
	char number[NUMBER_MAX], path[32];

	for (const char *const *name = nonsense->card ? of_card : of_disk; *name != NULL; name++) {
		bool is_channel = strcmp(*name, "event-channel") == 0;

		snprintf(number, sizeof(number), "%" PRIu32,
			 is_channel ? nonsense->event_channel : nonsense->ring_ref);
		snprintf(path, sizeof(path), "%s%s", prefix, *name);
		put_text(nonsense, path, number);
	}
}

/* put_right_features - as a Linux frontend would. */
static void put_right_features(struct sim_nonsense *nonsense)
{
	if (!nonsense->card) {
		put_text(nonsense, "protocol", "x86_64-abi");
		take_away(nonsense, "ring-page-order");
		return;
	}
	put_text(nonsense, "request-rx-copy", "1");
	put_text(nonsense, "feature-rx-notify", "1");
	put_text(nonsense, "feature-sg", "1");
	put_text(nonsense, "feature-gso-tcpv4", "1");
	take_away(nonsense, "event-channel-tx");
	take_away(nonsense, "request-multicast-control");
	take_away(nonsense, "xdp-headroom");
}

/* put_right - as a Linux frontend would, with one page for each of `queues` rings. */
static void put_right(struct sim_nonsense *nonsense)
{
	unsigned queues = sim_nonsense_byte(nonsense) % 3;
	char prefix[16];

	put_right_features(nonsense);
	take_away(nonsense, "multi-queue-num-queues");
	if (queues < 2) {
		put_queue(nonsense, "");
		return;
	}
	put_text(nonsense, "multi-queue-num-queues", "2");
	for (unsigned i = 0; i < queues; i++) {
		snprintf(prefix, sizeof(prefix), "queue-%u/", i);
		put_queue(nonsense, prefix);
	}
}

/* set_permissions - of a node or of the directory: for nobody else, for the host, for all. */
static void set_permissions(struct sim_nonsense *nonsense)
{
	struct sim_permission permissions[] = {{nonsense->domid, SIM_MAY_NOTHING},
					       {nonsense->host_domid, SIM_MAY_READ}};
	uint8_t choice = sim_nonsense_byte(nonsense);
	char path[XENSTORE_PATH_MAX];

	path_of(nonsense, choice & 4 ? "" : next_name(nonsense), path);
	if (choice % 4 == 1)
		permissions[0].may = SIM_MAY_READ | SIM_MAY_WRITE;
	sim_xenstore_set_permissions(nonsense->guest, nonsense->transaction, path, permissions,
				     choice % 4 == 2 ? 2 : 1);
}

void sim_nonsense_end(struct sim_nonsense *nonsense)
{
	if (nonsense->transaction != 0)
		sim_xenstore_transaction_end(nonsense->guest, nonsense->transaction, false);
	nonsense->transaction = 0;
}

/* put_state - the one node that makes a backend look at all others. */
static void put_state(struct sim_nonsense *nonsense)
{
	char text[] = {(char)('0' + sim_nonsense_byte(nonsense) % 10), '\0'};

	put_text(nonsense, "state", text);
}

bool sim_nonsense_step(struct sim_nonsense *nonsense)
{
	const char *name;

	if (nonsense->left == 0)
		return false;
	switch (sim_nonsense_byte(nonsense) % 16) {
	case 0:
		put_bytes(nonsense);
		break;
	case 1:
		put_huge(nonsense);
		break;
	case 2:
		put_directory(nonsense);
		break;
	case 3:
		take_away(nonsense, next_name(nonsense));
		break;
	case 4:
		set_permissions(nonsense);
		break;
	case 5:
		if (nonsense->transaction == 0)
			nonsense->transaction = sim_xenstore_transaction_start(nonsense->guest);
		else
			sim_nonsense_end(nonsense);
		break;
	case 6:
		/* The whole device; the backend can't tell that from the end of the guest. */
		if (sim_nonsense_byte(nonsense) % 8 == 0)
			take_away(nonsense, "");
		break;
	case 7:
	case 8:
		put_right(nonsense);
		break;
	case 9:
	case 10:
	case 11:
	case 12:
		put_state(nonsense);
		break;
	default:
		name = next_name(nonsense);
		put_text(nonsense, name, next_value(nonsense));
		break;
	}
	return true;
}
