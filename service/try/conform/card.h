/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * card.h - a network card that is tried, and those below it if its backend is a wrapper
 *
 * All functions but conform_card_log belong to the control thread.
 */
#ifndef CONFORM_CARD_H
#define CONFORM_CARD_H

#include "worker/backends.h"

#define CONFORM_CARD_QUEUES 4 /* that the guest may have */

struct conform_card {
	struct xvhost_net seen; /* first: what the backend sees */
	const struct xvhost_net_backend *backend;
	void *config;
	struct xvhost_net_properties properties;
	char fail_text[ERROR_TEXT_MAX]; /* what the backend said of its open() */
	struct conform_card *below;	/* NULL: the backend is no wrapper */
};

/* conform_card_init - says to this module which thread is the control thread: the one that calls. */
void conform_card_init(void);

/*
 * conform_card_make - open the card that a target names. Returns what the backend returned, or what is wrong with the target;
 * fail_text says why. conform_card_unmake: close it. The card below is opened before and closed after it.
 */
int conform_card_make(struct conform_card *card, const char *directory, const char *target);
void conform_card_unmake(struct conform_card *card);

/* conform_card_impossible - what can't be served of what a backend says of its card. Returns false if all of it can. */
bool conform_card_impossible(const struct conform_card *card, char text[ERROR_TEXT_MAX]);

/* conform_card_queues - so many, or as many as the card can have at a time. */
uint32_t conform_card_queues(const struct conform_card *card, uint32_t wanted);

/* What xvhost_net_host has for any thread, and for the control thread. */
void conform_card_log(const struct xvhost_net *net, enum xvhost_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void conform_card_fail(struct xvhost_net *net, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conform_card_link(struct xvhost_net *net, bool up);

#endif
