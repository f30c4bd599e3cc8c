// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_state.c - device_next: what libxl's, blkfront's and netfront's sequences lead to, and what holds whatever
 * is seen
 */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "daemon/device_state.h"

/* Flags of a step. */
#define OFFLINE 1      /* online = 0 */
#define RELEASED 2     /* released */
#define PAUSE 4	       /* not may_open */
#define TOLD 8	       /* told */
#define MAY_REMOVE 16  /* may_remove */
#define OPEN_FAILED 32 /* FAILURE_OPEN */
#define FAILED 64      /* FAILURE_RUNTIME */
#define RESIZED 128    /* resized */
#define CHANGED 256    /* changed */
#define SCRIPTLESS 512 /* scriptless */
#define HELD 1024      /* held */
#define NET 2048       /* a card: reconfigures */

struct step {
	const char *story; /* NULL: goes on */
	enum xenbus_state backend, frontend;
	enum device_phase phase;
	unsigned flags;
	enum device_action action;
};

static const struct step steps[] = {
	{"boot, block-attach", 1, 1, PHASE_NONE, 0, ACTION_OPEN},
	{NULL, 1, 1, PHASE_OPENING, 0, ACTION_NONE},
	{NULL, 1, 1, PHASE_OPEN, 0, ACTION_OFFER},
	{NULL, 2, 1, PHASE_OFFERED, 0, ACTION_NONE},
	{NULL, 2, 3, PHASE_OFFERED, 0, ACTION_CONNECT},
	{NULL, 2, 3, PHASE_CONNECTING, 0, ACTION_NONE},
	{NULL, 2, 3, PHASE_CONNECTED, 0, ACTION_PUBLISH},
	{NULL, 4, 3, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 4, 4, PHASE_PUBLISHED, 0, ACTION_NONE},
	{"the disk has another size", 4, 4, PHASE_PUBLISHED, RESIZED, ACTION_RESIZE},
	{NULL, 4, 3, PHASE_PUBLISHED, RESIZED, ACTION_RESIZE},
	{NULL, 4, 5, PHASE_PUBLISHED, RESIZED, ACTION_BEGIN_CLOSING},
	{NULL, 5, 5, PHASE_PUBLISHED, RESIZED, ACTION_NONE},
	{NULL, 4, 4, PHASE_PUBLISHED, RESIZED | OFFLINE, ACTION_BEGIN_CLOSING},
	{"another medium in the drive", 4, 4, PHASE_PUBLISHED, CHANGED, ACTION_CHANGE},
	{NULL, 4, 4, PHASE_CHANGING, 0, ACTION_NONE},
	{NULL, 4, 4, PHASE_PUBLISHED, RESIZED, ACTION_RESIZE},
	{"changed again while it is", 4, 4, PHASE_CHANGING, CHANGED, ACTION_NONE},
	{NULL, 4, 4, PHASE_PUBLISHED, CHANGED | RESIZED, ACTION_RESIZE},
	{NULL, 4, 4, PHASE_PUBLISHED, CHANGED, ACTION_CHANGE},
	{"before it is connected", 2, 1, PHASE_OFFERED, CHANGED, ACTION_CLOSE},
	{NULL, 2, 1, PHASE_NONE, 0, ACTION_OPEN},
	{NULL, 2, 1, PHASE_OPEN, 0, ACTION_OFFER},
	{"the frontend closes meanwhile", 4, 5, PHASE_CHANGING, 0, ACTION_BEGIN_CLOSING},
	{NULL, 5, 6, PHASE_CHANGING, 0, ACTION_NONE},
	{NULL, 5, 6, PHASE_PUBLISHED, CHANGED, ACTION_DISCONNECT},
	{"the ring breaks meanwhile", 4, 4, PHASE_CHANGING, FAILED, ACTION_BEGIN_CLOSING},
	{NULL, 5, 4, PHASE_BROKEN, FAILED, ACTION_DISCONNECT},
	{"the rings are lost meanwhile", 4, 4, PHASE_OPEN, FAILED, ACTION_BEGIN_CLOSING},
	{"a frontend that is Connected at once", 2, 4, PHASE_OFFERED, 0, ACTION_CONNECT},
	{NULL, 2, 4, PHASE_CONNECTED, 0, ACTION_PUBLISH},

	{"block-detach: libxl writes online 0 and state 5", 5, 4, PHASE_PUBLISHED, OFFLINE, ACTION_NONE},
	{NULL, 5, 5, PHASE_PUBLISHED, OFFLINE, ACTION_NONE},
	{NULL, 5, 6, PHASE_PUBLISHED, OFFLINE, ACTION_DISCONNECT},
	{NULL, 5, 6, PHASE_DISCONNECTING, OFFLINE, ACTION_NONE},
	{NULL, 5, 6, PHASE_OPEN, OFFLINE, ACTION_END_CLOSING},
	{NULL, 6, 6, PHASE_OPEN, OFFLINE, ACTION_CLOSE},
	{NULL, 6, 6, PHASE_CLOSING, OFFLINE, ACTION_NONE},
	{NULL, 6, 6, PHASE_NONE, OFFLINE, ACTION_NONE},
	{NULL, 0, 0, PHASE_NONE, OFFLINE, ACTION_FORGET},
	{"the same, the directory goes before the disk is closed", 0, 0, PHASE_CLOSING, OFFLINE, ACTION_NONE},
	{NULL, 0, 0, PHASE_NONE, OFFLINE, ACTION_FORGET},
	{"the same in a driver domain", 6, 6, PHASE_NONE, OFFLINE, ACTION_NONE},
	{NULL, 6, 6, PHASE_NONE, OFFLINE | MAY_REMOVE, ACTION_REMOVE},
	{"driver domain, the disk first", 6, 6, PHASE_OPEN, OFFLINE | MAY_REMOVE, ACTION_CLOSE},

	{"guest shutdown: the frontend begins", 4, 5, PHASE_PUBLISHED, 0, ACTION_BEGIN_CLOSING},
	{NULL, 5, 5, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 5, 6, PHASE_PUBLISHED, 0, ACTION_DISCONNECT},
	{NULL, 5, 6, PHASE_OPEN, 0, ACTION_END_CLOSING},
	{NULL, 6, 6, PHASE_OPEN, 0, ACTION_NONE},
	{"then the toolstack", 6, 0, PHASE_OPEN, OFFLINE, ACTION_CLOSE},
	{NULL, 6, 0, PHASE_NONE, OFFLINE, ACTION_NONE},
	{NULL, 0, 0, PHASE_NONE, 0, ACTION_FORGET},

	{"destroy: the frontend vanishes with state 5", 5, 0, PHASE_PUBLISHED, OFFLINE, ACTION_DISCONNECT},
	{NULL, 5, 0, PHASE_OPEN, OFFLINE, ACTION_END_CLOSING},
	{"destroy while connecting", 5, 0, PHASE_CONNECTING, OFFLINE, ACTION_NONE},
	{NULL, 5, 0, PHASE_CONNECTED, OFFLINE, ACTION_DISCONNECT},
	{"destroy, everything at once", 0, 0, PHASE_PUBLISHED, 0, ACTION_DISCONNECT},
	{NULL, 0, 0, PHASE_DISCONNECTING, 0, ACTION_NONE},
	{NULL, 0, 0, PHASE_OPEN, 0, ACTION_CLOSE},
	{NULL, 0, 0, PHASE_NONE, 0, ACTION_FORGET},
	{"destroy while opening", 0, 0, PHASE_OPENING, 0, ACTION_NONE},
	{NULL, 0, 0, PHASE_OPEN, 0, ACTION_CLOSE},
	{"a frontend that vanishes alone", 4, 0, PHASE_PUBLISHED, 0, ACTION_BEGIN_CLOSING},
	{NULL, 5, 0, PHASE_PUBLISHED, 0, ACTION_DISCONNECT},
	{NULL, 5, 0, PHASE_OPEN, 0, ACTION_END_CLOSING},
	{NULL, 6, 0, PHASE_OPEN, 0, ACTION_CLOSE},
	{NULL, 6, 0, PHASE_NONE, 0, ACTION_NONE},

	{"reboot: the same number for a new device", 1, 1, PHASE_PUBLISHED, RELEASED, ACTION_DISCONNECT},
	{NULL, 1, 1, PHASE_OPEN, RELEASED, ACTION_CLOSE},
	{NULL, 1, 1, PHASE_CLOSING, RELEASED, ACTION_NONE},
	{NULL, 1, 1, PHASE_NONE, 0, ACTION_OPEN},

	{"driver reload: Closed, then Initialising", 6, 6, PHASE_OPEN, 0, ACTION_NONE},
	{NULL, 6, 1, PHASE_OPEN, 0, ACTION_OFFER},
	{NULL, 2, 1, PHASE_OFFERED, 0, ACTION_NONE},
	{NULL, 2, 3, PHASE_OFFERED, 0, ACTION_CONNECT},
	{"driver reload, the disk was not open", 6, 1, PHASE_NONE, 0, ACTION_OPEN},
	{NULL, 6, 1, PHASE_OPENING, 0, ACTION_NONE},
	{"driver unload before it connected", 2, 5, PHASE_OFFERED, 0, ACTION_BEGIN_CLOSING},
	{NULL, 5, 6, PHASE_OFFERED, 0, ACTION_END_CLOSING},
	{"the frontend begins anew without Closing", 4, 1, PHASE_PUBLISHED, 0, ACTION_BEGIN_CLOSING},
	{NULL, 5, 1, PHASE_PUBLISHED, 0, ACTION_DISCONNECT},
	{NULL, 5, 1, PHASE_OPEN, 0, ACTION_END_CLOSING},
	{NULL, 6, 1, PHASE_OPEN, 0, ACTION_OFFER},

	{"save: the guest stands still, then libxl removes", 4, 4, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 5, 0, PHASE_PUBLISHED, OFFLINE, ACTION_DISCONNECT},

	{"a frontend that never connects", 2, 1, PHASE_OFFERED, 0, ACTION_NONE},
	{"its detach", 5, 1, PHASE_OFFERED, OFFLINE, ACTION_END_CLOSING},
	{"detach after the ring was made", 5, 3, PHASE_OFFERED, OFFLINE, ACTION_END_CLOSING},
	{"detach while connecting", 5, 3, PHASE_CONNECTING, OFFLINE, ACTION_NONE},
	{NULL, 5, 3, PHASE_CONNECTED, OFFLINE, ACTION_DISCONNECT},
	{NULL, 5, 3, PHASE_OPEN, OFFLINE, ACTION_END_CLOSING},
	{"detach while opening", 5, 1, PHASE_OPENING, OFFLINE, ACTION_END_CLOSING},
	{NULL, 6, 1, PHASE_OPENING, OFFLINE, ACTION_NONE},
	{NULL, 6, 1, PHASE_OPEN, OFFLINE, ACTION_CLOSE},
	{"online 0 alone", 2, 1, PHASE_OFFERED, OFFLINE, ACTION_BEGIN_CLOSING},
	{NULL, 4, 4, PHASE_PUBLISHED, OFFLINE, ACTION_BEGIN_CLOSING},

	{"nonsense from the frontend", 1, 6, PHASE_NONE, 0, ACTION_OPEN},
	{NULL, 1, 0, PHASE_OPEN, 0, ACTION_OFFER},
	{NULL, 1, 9, PHASE_OPEN, 0, ACTION_OFFER},
	{NULL, 2, 9, PHASE_OFFERED, 0, ACTION_NONE},
	{NULL, 2, 2, PHASE_OFFERED, 0, ACTION_NONE},
	{NULL, 2, 8, PHASE_OFFERED, 0, ACTION_NONE},
	{NULL, 4, 2, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 4, 7, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 4, 9, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 5, 9, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 5, 9, PHASE_PUBLISHED, OFFLINE, ACTION_DISCONNECT},
	{NULL, 6, 4, PHASE_OPEN, 0, ACTION_NONE},
	{NULL, 6, 3, PHASE_OPEN, 0, ACTION_NONE},
	{"nonsense from the toolstack", 9, 4, PHASE_PUBLISHED, 0, ACTION_NONE},
	{NULL, 7, 1, PHASE_NONE, 0, ACTION_NONE},
	{NULL, 6, 4, PHASE_PUBLISHED, 0, ACTION_DISCONNECT},

	{"the disk can't be opened", 1, 1, PHASE_NONE, OPEN_FAILED, ACTION_REFUSE},
	{NULL, 2, 1, PHASE_NONE, OPEN_FAILED, ACTION_NONE},
	{NULL, 2, 3, PHASE_NONE, OPEN_FAILED, ACTION_NONE},
	{NULL, 2, 3, PHASE_NONE, OPEN_FAILED | TOLD, ACTION_BEGIN_CLOSING},
	{NULL, 5, 3, PHASE_NONE, OPEN_FAILED, ACTION_NONE},
	{NULL, 5, 6, PHASE_NONE, OPEN_FAILED, ACTION_END_CLOSING},
	{"libxl then removes it", 5, 1, PHASE_NONE, OPEN_FAILED | OFFLINE, ACTION_END_CLOSING},
	{NULL, 6, 1, PHASE_NONE, OFFLINE, ACTION_NONE},
	{"driver domain, the disk can't be opened", 1, 1, PHASE_NONE, OPEN_FAILED | SCRIPTLESS, ACTION_NONE},
	{"libxl then removes it", 5, 1, PHASE_NONE, OPEN_FAILED | SCRIPTLESS | OFFLINE, ACTION_END_CLOSING},
	{"driver domain, opened after all, too late", 1, 1, PHASE_OPEN, OPEN_FAILED | SCRIPTLESS,
	 ACTION_CLOSE},
	{"it is opened after all, too late", 1, 1, PHASE_OPENING, OPEN_FAILED, ACTION_REFUSE},
	{NULL, 2, 1, PHASE_OPENING, OPEN_FAILED, ACTION_NONE},
	{NULL, 2, 1, PHASE_OPEN, OPEN_FAILED, ACTION_CLOSE},
	{"it can't be opened again after a driver reload", 6, 1, PHASE_NONE, OPEN_FAILED, ACTION_NONE},
	{NULL, 6, 6, PHASE_NONE, OPEN_FAILED, ACTION_FORGIVE},
	{NULL, 6, 6, PHASE_NONE, 0, ACTION_NONE},
	{NULL, 6, 1, PHASE_NONE, PAUSE, ACTION_NONE},
	{NULL, 6, 1, PHASE_NONE, 0, ACTION_OPEN},

	{"bad ring nodes, or the ring can't be mapped", 2, 3, PHASE_OFFERED, FAILED, ACTION_BEGIN_CLOSING},
	{NULL, 5, 3, PHASE_OFFERED, FAILED, ACTION_NONE},
	{NULL, 5, 6, PHASE_OFFERED, FAILED, ACTION_END_CLOSING},
	{"broken ring", 4, 4, PHASE_BROKEN, FAILED, ACTION_BEGIN_CLOSING},
	{NULL, 5, 4, PHASE_BROKEN, FAILED, ACTION_DISCONNECT},
	{NULL, 5, 4, PHASE_OPEN, FAILED, ACTION_NONE},
	{NULL, 5, 6, PHASE_OPEN, FAILED, ACTION_END_CLOSING},
	{NULL, 6, 1, PHASE_OPEN, 0, ACTION_OFFER},
	{"broken before it was published", 2, 3, PHASE_BROKEN, FAILED, ACTION_BEGIN_CLOSING},

	{"the worker died in use", 4, 4, PHASE_NONE, FAILED | PAUSE, ACTION_BEGIN_CLOSING},
	{NULL, 5, 4, PHASE_NONE, FAILED, ACTION_NONE},
	{NULL, 5, 6, PHASE_NONE, FAILED, ACTION_END_CLOSING},
	{NULL, 6, 6, PHASE_NONE, PAUSE, ACTION_NONE},
	{NULL, 6, 1, PHASE_NONE, 0, ACTION_OPEN},
	{"the worker died before use", 2, 1, PHASE_NONE, PAUSE, ACTION_NONE},
	{NULL, 2, 1, PHASE_NONE, 0, ACTION_OPEN},
	{"the worker died at the end", 5, 6, PHASE_NONE, 0, ACTION_END_CLOSING},

	{"xvhostd is started again, Connected", 4, 4, PHASE_NONE, 0, ACTION_OPEN},
	{NULL, 4, 4, PHASE_OPENING, 0, ACTION_NONE},
	{NULL, 4, 4, PHASE_OPEN, 0, ACTION_CONNECT},
	{NULL, 4, 4, PHASE_CONNECTING, 0, ACTION_NONE},
	{NULL, 4, 4, PHASE_CONNECTED, 0, ACTION_PUBLISH},
	{NULL, 4, 4, PHASE_PUBLISHED, 0, ACTION_NONE},
	{"started again, the disk is gone", 4, 4, PHASE_NONE, OPEN_FAILED, ACTION_BEGIN_CLOSING},
	{"started again, InitWait", 2, 1, PHASE_NONE, 0, ACTION_OPEN},
	{NULL, 2, 1, PHASE_OPEN, 0, ACTION_OFFER},
	{"started again, the frontend has gone on to 3", 2, 3, PHASE_OPEN, 0, ACTION_OFFER},
	{"started again, the frontend has closed", 4, 6, PHASE_NONE, 0, ACTION_BEGIN_CLOSING},
	{NULL, 5, 6, PHASE_NONE, 0, ACTION_END_CLOSING},
	{"started again, the frontend has begun anew", 4, 1, PHASE_NONE, 0, ACTION_BEGIN_CLOSING},
	{NULL, 5, 1, PHASE_NONE, 0, ACTION_END_CLOSING},
	{NULL, 6, 1, PHASE_NONE, 0, ACTION_OPEN},
	{"started again, Closing", 5, 4, PHASE_NONE, 0, ACTION_NONE},
	{"started again, Closed", 6, 6, PHASE_NONE, OFFLINE, ACTION_NONE},

	{"a card: the script was not there yet", 2, 4, PHASE_CONNECTED, NET | HELD, ACTION_NONE},
	{NULL, 2, 3, PHASE_CONNECTED, NET | HELD, ACTION_NONE},
	{NULL, 2, 4, PHASE_CONNECTED, NET, ACTION_PUBLISH},
	{NULL, 4, 4, PHASE_PUBLISHED, NET, ACTION_NONE},
	{"the same, the frontend goes first", 2, 6, PHASE_CONNECTED, NET | HELD, ACTION_BEGIN_CLOSING},
	{NULL, 5, 6, PHASE_CONNECTED, NET | HELD, ACTION_DISCONNECT},
	{"the same, the toolstack goes first", 5, 4, PHASE_CONNECTED, NET | HELD | OFFLINE, ACTION_NONE},
	{NULL, 5, 0, PHASE_CONNECTED, NET | HELD | OFFLINE, ACTION_DISCONNECT},
	{"the ring breaks before the script was there", 2, 4, PHASE_BROKEN, NET | FAILED,
	 ACTION_BEGIN_CLOSING},
	{"xvhostd is started again, Connected, and the script is forgotten", 4, 4, PHASE_CONNECTED,
	 NET | HELD, ACTION_PUBLISH},
	{"a card's rate is changed", 4, 4, PHASE_PUBLISHED, NET | CHANGED, ACTION_CHANGE},
	{NULL, 4, 4, PHASE_PUBLISHED, NET, ACTION_NONE},
	{"netfront gets an XDP program: Reconfiguring", 4, 7, PHASE_PUBLISHED, NET | CHANGED, ACTION_CHANGE},
	{NULL, 4, 7, PHASE_PUBLISHED, NET, ACTION_RECONFIGURED},
	{NULL, 8, 7, PHASE_PUBLISHED, NET, ACTION_NONE},
	{NULL, 8, 4, PHASE_PUBLISHED, NET, ACTION_PUBLISH},
	{NULL, 4, 4, PHASE_PUBLISHED, NET, ACTION_NONE},
	{"another one before we saw that it had gone on", 8, 7, PHASE_PUBLISHED, NET | CHANGED,
	 ACTION_CHANGE},
	{"the toolstack ends it in between", 8, 7, PHASE_PUBLISHED, NET | OFFLINE, ACTION_BEGIN_CLOSING},
	{"the frontend ends it in between", 8, 5, PHASE_PUBLISHED, NET, ACTION_BEGIN_CLOSING},
	{"its ring breaks in between", 8, 7, PHASE_BROKEN, NET | FAILED, ACTION_BEGIN_CLOSING},
	{"Reconfiguring before it is connected", 2, 7, PHASE_OFFERED, NET, ACTION_NONE},
	{NULL, 2, 7, PHASE_CONNECTED, NET | HELD, ACTION_NONE},
	{"started again, Reconfiguring", 4, 7, PHASE_NONE, NET, ACTION_OPEN},
	{NULL, 4, 7, PHASE_OPEN, NET, ACTION_CONNECT},
	{NULL, 4, 7, PHASE_CONNECTED, NET, ACTION_PUBLISH},
	{NULL, 4, 7, PHASE_PUBLISHED, NET, ACTION_RECONFIGURED},
	{"started again, Reconfigured", 8, 7, PHASE_NONE, NET, ACTION_OPEN},
	{NULL, 8, 4, PHASE_OPEN, NET, ACTION_CONNECT},
	{NULL, 8, 4, PHASE_CONNECTED, NET, ACTION_PUBLISH},
	{"a disk knows no Reconfigured", 8, 4, PHASE_PUBLISHED, 0, ACTION_NONE},

	{"the kernel's driver has taken it", 1, 1, PHASE_NONE, RELEASED, ACTION_NONE},
	{NULL, 4, 4, PHASE_NONE, RELEASED, ACTION_NONE},
	{NULL, 5, 6, PHASE_OPEN, RELEASED | OFFLINE, ACTION_CLOSE},
	{NULL, 0, 0, PHASE_NONE, RELEASED, ACTION_FORGET},
};

/* view_of - a step's view. */
static struct device_view view_of(const struct step *step)
{
	return (struct device_view){
		.backend = step->backend,
		.frontend = step->frontend,
		.online = !(step->flags & OFFLINE),
		.phase = step->phase,
		.failure = step->flags & OPEN_FAILED ? FAILURE_OPEN
			   : step->flags & FAILED    ? FAILURE_RUNTIME
						     : FAILURE_NONE,
		.released = step->flags & RELEASED,
		.may_open = !(step->flags & PAUSE),
		.told = step->flags & TOLD,
		.may_remove = step->flags & MAY_REMOVE,
		.resized = step->flags & RESIZED,
		.changed = step->flags & CHANGED,
		.scriptless = step->flags & SCRIPTLESS,
		.held = step->flags & HELD,
		.reconfigures = step->flags & NET,
	};
}

START_TEST(test_stories)
{
	const char *story = NULL;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct device_view view = view_of(&steps[i]);
		enum device_action action = device_next(&view);

		story = steps[i].story != NULL ? steps[i].story : story;
		ck_assert_msg(action == steps[i].action, "%s: backend %d, frontend %d, phase %d: %s, not %s",
			      story, (int)view.backend, (int)view.frontend, (int)view.phase,
			      device_action_name(action), device_action_name(steps[i].action));
	}
}
END_TEST

/* for_each_view - call `check` with every view that can be. */
static void for_each_view(void (*check)(const struct device_view *view))
{
	struct device_view view;

	for (unsigned backend = 0; backend <= XENBUS_NONSENSE; backend++)
		for (unsigned frontend = 0; frontend <= XENBUS_NONSENSE; frontend++)
			for (unsigned phase = 0; phase <= PHASE_CLOSING; phase++)
				for (unsigned failure = 0; failure <= FAILURE_RUNTIME; failure++)
					for (unsigned bits = 0; bits < 1024; bits++) {
						view = (struct device_view){
							.backend = backend,
							.frontend = frontend,
							.online = bits & 1,
							.phase = phase,
							.failure = failure,
							.released = bits & 2,
							.may_open = bits & 4,
							.told = bits & 8,
							.may_remove = bits & 16,
							.resized = bits & 32,
							.changed = bits & 64,
							.scriptless = bits & 128,
							.held = bits & 256,
							.reconfigures = bits & 512,
						};
						check(&view);
					}
}

static bool serves(enum device_phase phase)
{
	return phase == PHASE_CONNECTED || phase == PHASE_PUBLISHED || phase == PHASE_BROKEN;
}

/* is_connected - the frontend was told that it is. */
static bool is_connected(const struct device_view *view)
{
	return view->backend == XENBUS_CONNECTED ||
	       (view->backend == XENBUS_RECONFIGURED && view->reconfigures);
}

/* check_sense - no action is ever asked for that could not be done, or would harm. */
static void check_sense(const struct device_view *view)
{
	bool has_ring = serves(view->phase) || view->phase == PHASE_CONNECTING ||
			view->phase == PHASE_CHANGING || view->phase == PHASE_DISCONNECTING;
	bool is_open = view->phase == PHASE_OPEN || view->phase == PHASE_OFFERED;
	enum device_action action = device_next(view);

	switch (action) {
	case ACTION_OPEN:
		ck_assert(view->phase == PHASE_NONE && view->may_open && view->online);
		ck_assert(view->failure == FAILURE_NONE);
		break;
	case ACTION_OFFER:
		ck_assert(is_open && view->online && view->failure == FAILURE_NONE);
		break;
	case ACTION_REFUSE:
		ck_assert(view->backend == XENBUS_INITIALISING && view->failure == FAILURE_OPEN);
		break;
	case ACTION_CONNECT:
		ck_assert(is_open && view->online && view->failure == FAILURE_NONE);
		ck_assert(view->frontend == XENBUS_INITIALISED || view->frontend == XENBUS_CONNECTED ||
			  (view->frontend == XENBUS_RECONFIGURING && is_connected(view)));
		break;
	case ACTION_PUBLISH:
		ck_assert(view->online && view->failure == FAILURE_NONE);
		if (view->phase == PHASE_CONNECTED)
			ck_assert(!view->held || is_connected(view));
		else
			ck_assert(view->phase == PHASE_PUBLISHED && view->backend == XENBUS_RECONFIGURED);
		break;
	case ACTION_RESIZE:
		ck_assert(view->phase == PHASE_PUBLISHED && view->resized);
		ck_assert(is_connected(view) && view->failure == FAILURE_NONE);
		break;
	case ACTION_CHANGE:
		ck_assert(view->phase == PHASE_PUBLISHED && view->changed);
		ck_assert(is_connected(view) && view->failure == FAILURE_NONE);
		break;
	case ACTION_RECONFIGURED:
		ck_assert(view->phase == PHASE_PUBLISHED && view->failure == FAILURE_NONE);
		ck_assert(view->backend == XENBUS_CONNECTED && view->frontend == XENBUS_RECONFIGURING);
		ck_assert(view->reconfigures);
		break;
	case ACTION_BEGIN_CLOSING:
		ck_assert((view->backend >= XENBUS_INITIALISING && view->backend <= XENBUS_CONNECTED) ||
			  is_connected(view));
		break;
	case ACTION_DISCONNECT:
		ck_assert(serves(view->phase));
		break;
	case ACTION_END_CLOSING:
		ck_assert(view->backend == XENBUS_CLOSING && !has_ring);
		break;
	case ACTION_FORGIVE:
		ck_assert(view->failure != FAILURE_NONE);
		break;
	case ACTION_CLOSE:
		ck_assert(is_open);
		break;
	case ACTION_REMOVE:
		ck_assert(view->phase == PHASE_NONE && view->may_remove && !view->online);
		break;
	case ACTION_FORGET:
		ck_assert(view->phase == PHASE_NONE && view->backend == XENBUS_ABSENT);
		break;
	case ACTION_NONE:
		break;
	}
	if (view->released || view->backend == XENBUS_ABSENT)
		ck_assert(action == ACTION_NONE || action == ACTION_DISCONNECT || action == ACTION_CLOSE ||
			  action == ACTION_FORGET);
}

START_TEST(test_sense)
{
	for_each_view(check_sense);
}
END_TEST

/* apply - what an action makes of the view, with a worker that answers each question at once. */
static void apply(struct device_view *view, enum device_action action)
{
	switch (action) {
	case ACTION_OPEN:
		view->changed = false;
		view->phase = PHASE_OPEN;
		break;
	case ACTION_DISCONNECT:
		view->phase = PHASE_OPEN;
		break;
	case ACTION_OFFER:
		view->backend = XENBUS_INIT_WAIT;
		view->phase = PHASE_OFFERED;
		break;
	case ACTION_REFUSE:
		view->backend = XENBUS_INIT_WAIT;
		break;
	case ACTION_CONNECT:
		view->phase = PHASE_CONNECTED;
		break;
	case ACTION_PUBLISH:
		view->backend = XENBUS_CONNECTED;
		view->phase = PHASE_PUBLISHED;
		break;
	case ACTION_RESIZE:
		view->resized = false;
		break;
	case ACTION_CHANGE:
		view->changed = false;
		break;
	case ACTION_RECONFIGURED:
		view->backend = XENBUS_RECONFIGURED;
		break;
	case ACTION_BEGIN_CLOSING:
		view->backend = XENBUS_CLOSING;
		break;
	case ACTION_END_CLOSING:
		view->backend = XENBUS_CLOSED;
		view->failure = FAILURE_NONE;
		if (view->phase == PHASE_OFFERED)
			view->phase = PHASE_OPEN;
		break;
	case ACTION_FORGIVE:
		view->failure = FAILURE_NONE;
		break;
	case ACTION_CLOSE:
		view->phase = PHASE_NONE;
		break;
	case ACTION_REMOVE:
		view->backend = XENBUS_ABSENT;
		break;
	case ACTION_NONE:
		/* The answer to what was asked before. */
		if (view->phase == PHASE_OPENING || view->phase == PHASE_CONNECTING ||
		    view->phase == PHASE_DISCONNECTING)
			view->phase = PHASE_OPEN;
		if (view->phase == PHASE_CHANGING)
			view->phase = PHASE_PUBLISHED;
		if (view->phase == PHASE_CLOSING)
			view->phase = PHASE_NONE;
		break;
	case ACTION_FORGET:
		break;
	}
}

/* settle - go on until nothing more is done; fails if that never comes. */
static void settle(struct device_view *view)
{
	struct device_view before;
	unsigned turns = 0;

	do {
		ck_assert_uint_lt(++turns, 20);
		before = *view;
		apply(view, device_next(view));
	} while (memcmp(&before, view, sizeof(before)) != 0);
}

/* check_detach - whatever it was, online 0, state 5 and no frontend lead to state 6 and nothing left. */
static void check_detach(const struct device_view *start)
{
	struct device_view view = *start;

	if (view.released)
		return;
	view.online = false;
	view.frontend = XENBUS_ABSENT;
	view.backend = XENBUS_CLOSING;
	view.may_remove = false;
	settle(&view);
	ck_assert_int_eq(view.backend, XENBUS_CLOSED);
	ck_assert_int_eq(view.phase, PHASE_NONE);
}

START_TEST(test_detach_always_ends)
{
	for_each_view(check_detach);
}
END_TEST

/* check_attach - whatever it was, a frontend that closes, begins anew and connects gets its device. */
static void check_attach(const struct device_view *start)
{
	struct device_view view = *start;

	if (view.released ||
	    (!is_connected(&view) && (view.backend < XENBUS_INIT_WAIT || view.backend > XENBUS_CLOSED)))
		return;
	view.online = true;
	view.held = false;
	view.may_open = true;
	view.told = true;
	view.frontend = XENBUS_CLOSED;
	settle(&view);
	ck_assert_int_eq(view.backend, XENBUS_CLOSED);
	view.frontend = XENBUS_INITIALISING;
	settle(&view);
	ck_assert_int_eq(view.backend, XENBUS_INIT_WAIT);
	view.frontend = XENBUS_INITIALISED;
	settle(&view);
	ck_assert_int_eq(view.backend, XENBUS_CONNECTED);
	ck_assert_int_eq(view.phase, PHASE_PUBLISHED);
}

START_TEST(test_attach_always_works)
{
	for_each_view(check_attach);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, test_stories);
	tcase_add_test(test_case, test_sense);
	tcase_add_test(test_case, test_detach_always_ends);
	tcase_add_test(test_case, test_attach_always_works);
}

CHECK_MAIN("daemon: device states", add_tests)
