// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * card.c - a network card that is tried, and those below it if its backend is a wrapper
 */
#include "try/conform/card.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rings/netif.h"
#include "try/conform/net_host.h"
#include "try/conform/report.h"
#include "worker/target.h"

#define MTU 1500u
#define MTU_LEAST 68u
#define MTU_MOST 65521u
#define KNOWN_FLAGS                                                                                          \
	(XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6 | XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

static pthread_t control_thread;
static const struct xvhost_net *opening; /* open() of this card is running */

void conform_card_init(void)
{
	control_thread = pthread_self();
}

/* ---- what the backend may call ---- */

void conform_card_log(const struct xvhost_net *net, enum xvhost_log_level level, const char *format, ...)
{
	va_list arguments;

	(void)net;
	(void)level;
	va_start(arguments, format);
	vsnprintf(conform_report->log, sizeof(conform_report->log), format, arguments);
	va_end(arguments);
}

void conform_card_fail(struct xvhost_net *net, const char *format, ...)
{
	va_list arguments;

	if (!pthread_equal(pthread_self(), control_thread))
		conform_broken(CONFORM_THREAD, "fail() was called on another thread than open()");
	if (net != opening)
		conform_broken(CONFORM_HOST_CALLS, "fail() was called outside of this card's open()");
	va_start(arguments, format);
	vsnprintf(((struct conform_card *)net)->fail_text, ERROR_TEXT_MAX, format, arguments);
	va_end(arguments);
}

void conform_card_link(struct xvhost_net *net, bool up)
{
	(void)net;
	(void)up;
	if (!pthread_equal(pthread_self(), control_thread))
		conform_broken(CONFORM_THREAD, "link() was called on another thread than the control thread");
}

/* ---- open and close ---- */

/* make_below - the card below a wrapper whose parameters are parsed. */
static int make_below(struct conform_card *card, const char *directory)
{
	const char *target = target_of_inner(head_of_net(card->backend), card->config);
	int error;

	if (!target)
		return 0;
	card->below = calloc(1, sizeof(*card->below));
	if (!card->below) {
		snprintf(card->fail_text, ERROR_TEXT_MAX, "no memory for the card below");
		return -ENOMEM;
	}
	error = conform_card_make(card->below, directory, target);
	if (error < 0) {
		memcpy(card->fail_text, card->below->fail_text, ERROR_TEXT_MAX);
		free(card->below);
		return error;
	}
	card->seen.inner = &card->below->properties;
	return 0;
}

static void unmake_below(struct conform_card *card)
{
	if (!card->below)
		return;
	conform_card_unmake(card->below);
	free(card->below);
}

int conform_card_make(struct conform_card *card, const char *directory, const char *target)
{
	int error;

	*card = (struct conform_card){
		.seen = {.size = sizeof(card->seen),
			 .mtu = MTU,
			 .host = &conform_net_host,
			 .name = "conformance",
			 .interface = "xvhost-conform",
			 .mac = {0x00, 0x16, 0x3e, 0x00, 0x00, 0x01},
			 .queues = CONFORM_CARD_QUEUES,
			 .domid = 1,
			 .attend_fd = -1},
	};
	error = target_find_net(directory, target, &card->backend, &card->config, card->fail_text);
	if (error < 0)
		return error;
	error = make_below(card, directory);
	if (error < 0) {
		free(card->config);
		return error;
	}
	opening = &card->seen;
	conform_doing("open() of backend %s", card->backend->name);
	error = card->backend->open(&card->seen, card->config, &card->properties);
	conform_doing(NULL);
	opening = NULL;
	if (error > 0 || error < -4095)
		conform_broken(CONFORM_OPEN, "open() returned %d, it must be 0 or a negative errno", error);
	if (error < 0) {
		unmake_below(card);
		free(card->config);
	}
	return error;
}

void conform_card_unmake(struct conform_card *card)
{
	conform_doing("close() of backend %s", card->backend->name);
	card->backend->close(&card->seen);
	conform_doing(NULL);
	unmake_below(card);
	free(card->config);
}

bool conform_card_impossible(const struct conform_card *card, char text[ERROR_TEXT_MAX])
{
	const struct xvhost_net_properties *properties = &card->properties;

	text[0] = '\0';
	if (properties->flags & ~KNOWN_FLAGS)
		snprintf(text, ERROR_TEXT_MAX, "flags is 0x%" PRIx32 ", this backend.h has 0x%x",
			 properties->flags, KNOWN_FLAGS);
	else if (card->below && properties->flags & ~card->below->properties.flags)
		snprintf(text, ERROR_TEXT_MAX, "flags is 0x%" PRIx32 ", the card below takes 0x%" PRIx32,
			 properties->flags, card->below->properties.flags);
	else if (properties->mtu_max != 0 &&
		 (properties->mtu_max < MTU_LEAST || properties->mtu_max > MTU_MOST))
		snprintf(text, ERROR_TEXT_MAX, "mtu_max is %" PRIu32 ", it must be 0, or from %u to %u",
			 properties->mtu_max, MTU_LEAST, MTU_MOST);
	else if (properties->operations > NETIF_OPERATIONS_MAX)
		snprintf(text, ERROR_TEXT_MAX, "operations is %" PRIu32 ", at most %u are given",
			 properties->operations, NETIF_OPERATIONS_MAX);
	else if (card->seen.attend_fd >= 0 && !card->backend->attend)
		snprintf(text, ERROR_TEXT_MAX, "attend_fd is %" PRId32 ", but the backend has no attend()",
			 card->seen.attend_fd);
	else if (properties->operations > 0 && !card->backend->io_done)
		snprintf(text, ERROR_TEXT_MAX, "operations is %" PRIu32 ", but the backend has no io_done()",
			 properties->operations);
	return text[0] != '\0';
}

uint32_t conform_card_queues(const struct conform_card *card, uint32_t wanted)
{
	for (; card; card = card->below) {
		uint32_t most = card->properties.queues_max;

		if (most > 0 && most < wanted)
			wanted = most;
	}
	return wanted;
}
