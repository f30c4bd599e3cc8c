// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_net.c - what is a network card's own: what is read of xenstore and written there, and what its worker says
 *
 * Theory of operation: see device_kind.h for when each of these functions is called.
 *
 * What may change while a card is connected is looked at with everything else: `rate`, which the watch on our own directories tells of;
 * `xdp-headroom`, after which the frontend goes through state 7; and `request-multicast-control`. For that the specification wants
 * a watch if we offer that it may change. A driver domain has few watches, so there it is not offered, and is read when the
 * frontend connects only. What makes no sense then changes nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device_action.h"
#include "daemon/device_kind.h"
#include "daemon/frontend_net.h"
#include "daemon/nodes.h"
#include "daemon/text.h"
#include "xvhost/backend.h"

#define SCRIPT_NAME "vif-xvhost" /* the script= that makes a vif ours */
#define TAP "tap"		 /* the backend that makes interfaces for other scripts */
#define BELOW "target="		 /* of wrappers: the card below */
#define MTU_DEFAULT 1500
#define NUMBER_TEXT_MAX 24 /* bytes of a number as a text with the final 0 */
#define TAKES_ALL                                                                                            \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

/* below - the target of the card that a wrapper stands before, which all call so; NULL: there is none. Commas in values are doubled. */
static const char *below(const char *target)
{
	const char *part = strchr(target, ':');

	while (part) {
		part++;
		if (strncmp(part, BELOW, strlen(BELOW)) == 0)
			return part + strlen(BELOW);
		part = strchr(part, ',');
		while (part && part[1] == ',')
			part = strchr(part + 2, ',');
	}
	return NULL;
}

/* is_tap - the target's innermost backend, which stands before a colon; what options there are stand before the outermost. */
static bool is_tap(const char *target)
{
	const char *inner, *name;
	size_t length;

	while ((inner = below(target)))
		target = inner;
	length = strcspn(target, ":");
	name = target + length;
	while (name > target && name[-1] != ',')
		name--;
	length -= (size_t)(name - target);
	return length == strlen(TAP) && strncmp(name, TAP, length) == 0;
}

/* is_ours - see device_kind.h; so for all that follow. */
static bool is_ours(const struct host *host, const char *directory)
{
	const char *target;
	char *bridge;

	if (device_kind_has_script(host, directory, SCRIPT_NAME))
		return true;
	if (!host->config->net_adopt_all)
		return false;
	bridge = nodes_read(host, directory, "bridge");
	target = config_net_target(host->config, bridge != NULL ? bridge : "");
	free(bridge);
	return is_tap(target);
}

/*
 * read_name - a node that names an interface, as Linux has them: no space, slash or colon in it; `name` is as it was if there is none.
 * False: `text` says what is wrong.
 */
static bool read_name(const struct device *device, const struct host *host, const char *node,
		      char name[NET_NAME_MAX], char text[ERROR_TEXT_MAX])
{
	char *value = nodes_read(host, device->backend, node);
	bool right;

	if (value == NULL)
		return true;
	right = value[0] != '\0' && strlen(value) < NET_NAME_MAX && strcmp(value, ".") != 0 &&
		strcmp(value, "..") != 0;
	for (const char *at = value; *at != '\0'; at++)
		right = right && *at > ' ' && *at <= '~' && *at != '/' && *at != ':';
	if (right)
		memcpy(name, value, strlen(value) + 1);
	else
		snprintf(text, ERROR_TEXT_MAX,
			 "backend node %s is \"%.40s\"; it must be the name of an interface, of 1 to %d "
			 "characters",
			 node, value, NET_NAME_MAX - 1);
	free(value);
	return right;
}

/* read_interface - as the toolstack calls it, or would. False: `text` says what is wrong. */
static bool read_interface(const struct device *device, const struct host *host, char interface[NET_NAME_MAX],
			   char text[ERROR_TEXT_MAX])
{
	char name[2 * NET_NAME_MAX];

	snprintf(name, sizeof(name), "vif%" PRIu16 ".%" PRIu32, device->domid, device->id);
	if (strlen(name) < NET_NAME_MAX)
		memcpy(interface, name, strlen(name) + 1);
	if (!read_name(device, host, "vifname", interface, text))
		return false;
	if (interface[0] == '\0')
		snprintf(text, ERROR_TEXT_MAX,
			 "%s is no name for an interface, since it has more than %d characters; "
			 "backend node vifname must have another one",
			 name, NET_NAME_MAX - 1);
	return interface[0] != '\0';
}

/* digit_of - a hexadecimal digit's value, -1 if it is none. */
static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* parse_mac - six bytes of two digits, with colons between them, of one card and not of many. */
static bool parse_mac(const char *text, uint8_t mac[6])
{
	static const uint8_t none[6];

	if (strlen(text) != 17)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		int high = digit_of(text[3 * i]), low = digit_of(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return (mac[0] & 1) == 0 && memcmp(mac, none, sizeof(none)) != 0;
}

/* read_mac - the guest's address. False: `text` says what is wrong. */
static bool read_mac(const struct device *device, const struct host *host, uint8_t mac[6],
		     char text[ERROR_TEXT_MAX])
{
	char *value = nodes_read(host, device->backend, "mac");
	bool right = value != NULL && parse_mac(value, mac);

	if (!right)
		snprintf(text, ERROR_TEXT_MAX,
			 "backend node mac is \"%.40s\"; it must be the address of one card, such as "
			 "00:16:3e:01:02:03",
			 value != NULL ? value : "");
	free(value);
	return right;
}

/* read_mtu - False: `text` says what is wrong. */
static bool read_mtu(const struct device *device, const struct host *host, uint32_t *mtu,
		     char text[ERROR_TEXT_MAX])
{
	char *value = nodes_read(host, device->backend, "mtu");
	uint64_t number = MTU_DEFAULT;
	bool right = value == NULL || text_number(value, NET_MTU_MIN, NET_MTU_MAX, &number);

	*mtu = (uint32_t)number;
	if (!right)
		snprintf(text, ERROR_TEXT_MAX,
			 "backend node mtu is \"%.40s\"; it must be a decimal number from %u to %u", value,
			 NET_MTU_MIN, NET_MTU_MAX);
	free(value);
	return right;
}

/* parse_rate - bytes and microseconds with a comma between them. */
static bool parse_rate(char *text, struct message_net_settings *settings)
{
	char *comma = strchr(text, ',');
	uint64_t bytes, interval_us;
	bool right;

	if (comma == NULL)
		return false;
	*comma = '\0';
	right = text_number(text, 1, INT64_MAX, &bytes) &&
		text_number(comma + 1, 1, UINT32_MAX, &interval_us);
	*comma = ',';
	if (!right)
		return false;
	settings->rate_bytes = bytes;
	settings->rate_interval_us = interval_us;
	return true;
}

/* read_rate - what the guest may send in which time; without a node, anything. False: `text` says what is wrong. */
static bool read_rate(const struct device *device, const struct host *host,
		      struct message_net_settings *settings, char text[ERROR_TEXT_MAX])
{
	char *value = nodes_read(host, device->backend, "rate");
	bool right;

	if (value == NULL && errno != ENOENT) {
		snprintf(text, ERROR_TEXT_MAX, "backend node rate can't be read: %s", strerror(errno));
		return false;
	}
	if (value == NULL) {
		settings->rate_bytes = settings->rate_interval_us = 0;
		return true;
	}
	right = parse_rate(value, settings);
	if (!right) {
		snprintf(text, ERROR_TEXT_MAX,
			 "backend node rate is \"%.40s\"; it must be BYTES,MICROSECONDS, both from 1 on",
			 value);
		text_clean(text);
	}
	free(value);
	return right;
}

static bool read_wish(const struct device *device, const struct host *host, struct message *message,
		      char text[ERROR_TEXT_MAX])
{
	struct message_net_open *open = &message->net_open;

	open->queues_max = host->config->net_max_queues;
	if (!read_name(device, host, "bridge", open->bridge, text) ||
	    !read_interface(device, host, open->interface, text) ||
	    !read_mac(device, host, open->mac, text) || !read_mtu(device, host, &open->mtu, text) ||
	    !read_rate(device, host, &open->settings, text))
		return false;
	snprintf(open->target, sizeof(open->target), "%s", config_net_target(host->config, open->bridge));
	return true;
}

static void opening(struct device *device, const struct message *message)
{
	const struct message_net_open *open = &message->net_open;
	char target[TARGET_MAX];

	memcpy(target, open->target, TARGET_MAX);
	text_clean(target);
	log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: opening %.800s, interface %s, bridge %s",
		    device->name, target, open->interface, open->bridge[0] != '\0' ? open->bridge : "(none)");
}

static int opened(struct device *device, const struct message *message)
{
	const struct message_net_opened *opened = &message->net_opened;

	if ((opened->takes & ~(uint32_t)TAKES_ALL) != 0 || opened->queues_max < 1 ||
	    opened->queues_max > NET_QUEUES_MAX)
		return -EPROTO;
	device->net.takes = opened->takes;
	device->net.queues_max = opened->queues_max;
	device->net.link = opened->link;
	device->net.link_shown = false;
	return 0;
}

/* is_held - the script must have been there before state 4. In a driver domain nobody runs ours, which has nothing to do there. */
static bool is_held(const struct device *device, const struct host *host)
{
	if (host->domid != 0 && device_kind_has_script(host, device->backend, SCRIPT_NAME))
		return false;
	return !device_says(device, host, "hotplug-status", "connected");
}

/* look_at_settings - as they are wanted now. What makes no sense changes nothing, and is logged once. */
static void look_at_settings(struct device *device, const struct host *host)
{
	struct message_net_settings *wanted = &device->net.wanted;
	char text[3][ERROR_TEXT_MAX] = {"", "", ""};
	bool nonsense = false;

	read_rate(device, host, wanted, text[0]);
	/* Where it was not offered that this may change, only what was said before counts. */
	if (host->domid == 0)
		frontend_net_read_multicast(host, device->frontend, wanted, text[1]);
	frontend_net_read_headroom(host, device->frontend, wanted, text[2]);
	for (unsigned i = 0; i < 3; i++) {
		if (text[i][0] == '\0')
			continue;
		nonsense = true;
		if (!device->net.nonsense_told)
			log_limited(&device->log_limit, LOG_LEVEL_WARNING, "%s: %s", device->name, text[i]);
	}
	device->net.nonsense_told = nonsense;
}

/* same_settings - two of them. */
static bool same_settings(const struct message_net_settings *a, const struct message_net_settings *b)
{
	return a->rate_bytes == b->rate_bytes && a->rate_interval_us == b->rate_interval_us &&
	       a->multicast_control == b->multicast_control && a->xdp_headroom == b->xdp_headroom;
}

static void look(struct device *device, const struct host *host, struct device_view *view)
{
	view->reconfigures = true;
	if (device->phase == PHASE_CONNECTED)
		view->held = is_held(device, host);
	if (device->phase != PHASE_PUBLISHED)
		return;
	if (view->frontend == XENBUS_CONNECTED || view->frontend == XENBUS_RECONFIGURING)
		look_at_settings(device, host);
	view->resized = !device->net.link_shown || device->net.link_told != device->net.link;
	view->changed = !same_settings(&device->net.wanted, &device->net.settings);
}

/* flag_text - whether the guest may send packets with this: XVHOST_NET_... */
static const char *flag_text(const struct device *device, uint32_t takes)
{
	return device->net.takes & takes ? "1" : "0";
}

/* queues_max - as the operator and the backend have it. */
static uint32_t queues_max(const struct device *device, const struct host *host)
{
	uint32_t ours = host->config->net_max_queues;

	return device->net.queues_max < ours ? device->net.queues_max : ours;
}

static const char *link_text(const struct device *device)
{
	return device->net.link ? "1" : "0";
}

/* note_shown - the frontend has been told of the link. */
static void note_shown(struct device *device)
{
	device->net.link_shown = true;
	device->net.link_told = device->net.link;
}

static bool offer(struct device *device, const struct host *host, int64_t now_ms)
{
	char queues[NUMBER_TEXT_MAX];
	struct node nodes[] = {
		{"feature-sg", "1"},
		{"feature-gso-tcpv4", flag_text(device, XVHOST_NET_GSO_TCPV4)},
		{"feature-gso-tcpv6", flag_text(device, XVHOST_NET_GSO_TCPV6)},
		{"feature-no-csum-offload", device->net.takes & XVHOST_NET_CHECKSUM_IPV4 ? NULL : "1"},
		{"feature-ipv6-csum-offload", flag_text(device, XVHOST_NET_CHECKSUM_IPV6)},
		{"feature-rx-copy", "1"},
		{"feature-rx-flip", "0"},
		{"feature-multicast-control", "1"},
		{"feature-dynamic-multicast-control", host->domid == 0 ? "1" : "0"},
		{"feature-split-event-channels", "1"},
		{"feature-xdp-headroom", "1"},
		{"feature-ctrl-ring", "1"},
		{"multi-queue-max-queues", queues},
		{"carrier", link_text(device)},
		{"xvhost-status", "ready"},
		{"hotplug-error", NULL},
		{NULL, NULL},
	};

	snprintf(queues, sizeof(queues), "%" PRIu32, queues_max(device, host));
	if (!device_write_nodes(device, host, nodes, sizeof(nodes) / sizeof(nodes[0]), XENBUS_INIT_WAIT,
				now_ms))
		return false;
	note_shown(device);
	return true;
}

static int read_rings(struct device *device, const struct host *host, struct message *message,
		      char text[ERROR_TEXT_MAX])
{
	struct message_net_connect *connect = &message->net_connect;
	int error;

	/* Only a connected frontend puts packets into its rings. */
	connect->again = device_in_use(device);
	if (!read_rate(device, host, &connect->settings, text))
		return -EINVAL;
	error = frontend_net_read(host, device->frontend, connect, text);
	device->net.settings = device->net.wanted = connect->settings;
	return error;
}

static bool publish(struct device *device, const struct host *host, int64_t now_ms)
{
	struct node nodes[1];

	if (!device_write_nodes(device, host, nodes, 1, XENBUS_CONNECTED, now_ms))
		return false;
	/* If not, it was connected all the time. */
	if (device->phase == PHASE_CONNECTED)
		log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: connected", device->name);
	return true;
}

static void change(struct device *device, const struct host *host, int64_t now_ms)
{
	struct message message;

	(void)host;
	memset(&message, 0, sizeof(message));
	message.net_settings = device->net.wanted;
	device_ask(device, &message, MESSAGE_CHANGE, PHASE_CHANGING, now_ms + ANSWER_TIMEOUT_MS);
	if (device->phase != PHASE_CHANGING)
		return;
	device->net.settings = device->net.wanted;
	log_limited(&device->log_limit, LOG_LEVEL_INFO,
		    "%s: now %" PRIu64 " bytes in %" PRIu64
		    " us (0: any), multicast control %s, headroom %" PRIu32,
		    device->name, device->net.settings.rate_bytes, device->net.settings.rate_interval_us,
		    device->net.settings.multicast_control ? "on" : "off", device->net.settings.xdp_headroom);
}

/* The state is written again as it is, so that who watches it looks; Linux's frontend then tells the network where it is. */
static void resize(struct device *device, const struct host *host, int64_t now_ms)
{
	bool first = !device->net.link_shown;
	struct node nodes[] = {
		{"carrier", link_text(device)},
		{NULL, NULL},
	};

	if (!device_write_nodes(device, host, nodes, sizeof(nodes) / sizeof(nodes[0]), device->state_seen,
				now_ms))
		return;
	note_shown(device);
	if (!first)
		log_limited(&device->log_limit, LOG_LEVEL_INFO, "%s: the card has %s link now", device->name,
			    device->net.link ? "a" : "no");
}

/* report_link - MESSAGE_LINK. */
static int report_link(struct device *device, const struct message_net_link *report)
{
	if (device->phase == PHASE_NONE || device->phase == PHASE_OPENING)
		return -EPROTO;
	device->net.link = report->up;
	return 0;
}

/* answer - MESSAGE_CHANGED: the settings hold, so the frontend may be told. */
static int answer(struct device *device, const struct host *host, struct message *message, int64_t now_ms)
{
	(void)host;
	(void)now_ms;
	if (message->type == MESSAGE_LINK)
		return report_link(device, &message->net_link);
	if (message->type != MESSAGE_CHANGED || device->phase != PHASE_CHANGING)
		return -EPROTO;
	device->answer_deadline_ms = 0;
	device->phase = device->failure == FAILURE_NONE ? PHASE_PUBLISHED : PHASE_BROKEN;
	return 0;
}

const struct device_kind device_kind_net = {
	.class = DEVICE_NET,
	.directory = "vif",
	.noun = "card",
	.hangs = "the network has not answered in time; the card is let go when it does",
	.driver = "xen-netback",
	.module = "xen_netback",
	.watched = "request-multicast-control",
	.is_ours = is_ours,
	.read_wish = read_wish,
	.opening = opening,
	.opened = opened,
	.look = look,
	.offer = offer,
	.read_rings = read_rings,
	.publish = publish,
	.change = change,
	.resize = resize,
	.answer = answer,
};
