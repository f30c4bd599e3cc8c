// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_state.c - what to do next with a device
 *
 * Theory of operation: there are no transitions here, but one pure function from what is seen to what is
 * to be done. Whatever order things happened in, and whether xvhostd saw them happen or was just started,
 * the same view leads to the same action. A frontend may write any state at any time; each leads to
 * some action, and none to a wrong one, for what the worker has is known and not guessed from states.
 *
 * The two ends, in the order of a device's life (backend's state, then the frontend's):
 *
 *	1 1	the toolstack has made the device; we open it
 *	2 1	open, features are there; the toolstack runs its script
 *	2 3	the frontend has made a ring; we connect. A network card's frontend is told so when the script was there, too
 *	4 3, 4 4	served; 4 is written again when the disk has another size, and Linux's frontend reads that. Another
 *		medium in the drive is such a size, too
 *	4 7	a network card's frontend wants us to look at its nodes; we do
 *	8 7	we have; back to 4 when the frontend is
 *	5 4	one of us, the toolstack or the frontend wants to end; still served
 *	5 6	the frontend has let go; we disconnect
 *	6 6	closed; the toolstack removes the device (online 0), or the frontend may come back:
 *	6 1	it comes back; to 2 1
 *
 * The toolstack (libxl 4.17) waits for 2 after making a device and for 6 after asking for its end, which it
 * does by writing online = 0 and our state = 5. After 2 it runs its script, which tells it of a failure to open. In a driver
 * domain it runs none; there a device that can't be opened stays in state 1, and the toolstack fails when it has waited long enough.
 */
#include "daemon/device_state.h"

/* give_up - the next step to the worker having nothing of the device; `then` when it has nothing. */
static enum device_action give_up(enum device_phase phase, enum device_action then)
{
	switch (phase) {
	case PHASE_CONNECTED:
	case PHASE_PUBLISHED:
	case PHASE_BROKEN:
		return ACTION_DISCONNECT;
	case PHASE_OPEN:
	case PHASE_OFFERED:
		return ACTION_CLOSE;
	case PHASE_OPENING:
	case PHASE_CONNECTING:
	case PHASE_CHANGING:
	case PHASE_DISCONNECTING:
	case PHASE_CLOSING:
		return ACTION_NONE;
	case PHASE_NONE:
		break;
	}
	return then;
}

/* give_up_ring - the next step to the worker having no ring, be the device open or not; then `then`. */
static enum device_action give_up_ring(enum device_phase phase, enum device_action then)
{
	switch (phase) {
	case PHASE_CONNECTED:
	case PHASE_PUBLISHED:
	case PHASE_BROKEN:
		return ACTION_DISCONNECT;
	case PHASE_CONNECTING:
	case PHASE_CHANGING:
	case PHASE_DISCONNECTING:
		return ACTION_NONE;
	case PHASE_NONE:
	case PHASE_OPENING:
	case PHASE_OPEN:
	case PHASE_OFFERED:
	case PHASE_CLOSING:
		break;
	}
	return then;
}

/* has_ring - the frontend says that it has made a ring. */
static bool has_ring(enum xenbus_state frontend)
{
	return frontend == XENBUS_INITIALISED || frontend == XENBUS_CONNECTED;
}

/* refused - state 1, 2 or 3 and the device could not be opened. */
static enum device_action refused(const struct device_view *view)
{
	/* An answer that came too late for the toolstack. */
	if (view->phase == PHASE_OPEN || view->phase == PHASE_OFFERED)
		return ACTION_CLOSE;
	if (view->backend == XENBUS_INITIALISING)
		return view->scriptless ? ACTION_NONE : ACTION_REFUSE;
	/* A frontend that waits for us must not wait for ever, but the toolstack has to see state 2 first. */
	if (has_ring(view->frontend) && view->told)
		return ACTION_BEGIN_CLOSING;
	return ACTION_NONE;
}

/* before_connected - state 1, 2 or 3. */
static enum device_action before_connected(const struct device_view *view)
{
	if (!view->online || view->failure == FAILURE_RUNTIME)
		return ACTION_BEGIN_CLOSING;
	/* In state 1 the toolstack waits for 2, whatever the frontend has to say. */
	if (view->backend != XENBUS_INITIALISING &&
	    (view->frontend == XENBUS_ABSENT || view->frontend == XENBUS_CLOSING ||
	     view->frontend == XENBUS_CLOSED))
		return ACTION_BEGIN_CLOSING;
	if (view->failure == FAILURE_OPEN)
		return refused(view);

	switch (view->phase) {
	case PHASE_NONE:
		return view->may_open ? ACTION_OPEN : ACTION_NONE;
	case PHASE_OPEN:
		return ACTION_OFFER;
	case PHASE_OFFERED:
		if (view->changed)
			return ACTION_CLOSE;
		return has_ring(view->frontend) ? ACTION_CONNECT : ACTION_NONE;
	case PHASE_CONNECTED:
		return view->held ? ACTION_NONE : ACTION_PUBLISH;
	default:
		return ACTION_NONE;
	}
}

/* while_published - state 4 or 8, and the frontend was told of all. */
static enum device_action while_published(const struct device_view *view)
{
	if (view->resized)
		return ACTION_RESIZE;
	if (view->changed)
		return ACTION_CHANGE;
	if (view->backend == XENBUS_CONNECTED && view->frontend == XENBUS_RECONFIGURING)
		return ACTION_RECONFIGURED;
	if (view->backend == XENBUS_RECONFIGURED && view->frontend != XENBUS_RECONFIGURING)
		return ACTION_PUBLISH;
	return ACTION_NONE;
}

/* while_connected - state 4 or 8; that we wrote just now, or an xvhostd before us. */
static enum device_action while_connected(const struct device_view *view)
{
	if (!view->online || view->failure != FAILURE_NONE)
		return ACTION_BEGIN_CLOSING;
	if (view->frontend == XENBUS_ABSENT || view->frontend == XENBUS_INITIALISING ||
	    view->frontend == XENBUS_CLOSING || view->frontend == XENBUS_CLOSED)
		return ACTION_BEGIN_CLOSING;
	if (!has_ring(view->frontend) && !(view->reconfigures && view->frontend == XENBUS_RECONFIGURING))
		return ACTION_NONE;

	switch (view->phase) {
	case PHASE_NONE:
		return view->may_open ? ACTION_OPEN : ACTION_NONE;
	case PHASE_OPEN:
	case PHASE_OFFERED:
		return ACTION_CONNECT;
	case PHASE_CONNECTED:
		return ACTION_PUBLISH;
	case PHASE_PUBLISHED:
		return while_published(view);
	default:
		return ACTION_NONE;
	}
}

/* while_closing - state 5; that we wrote, or the toolstack. */
static enum device_action while_closing(const struct device_view *view)
{
	bool frontend_done;

	switch (view->frontend) {
	case XENBUS_ABSENT:
	case XENBUS_INITIALISING:
	case XENBUS_CLOSED:
		frontend_done = true;
		break;
	case XENBUS_CONNECTED:
	case XENBUS_CLOSING:
		frontend_done = false;
		break;
	default:
		/* It was never told that it is connected. When the toolstack waits, we don't wait for it. */
		frontend_done = !view->online;
		break;
	}
	if (frontend_done)
		return give_up_ring(view->phase, ACTION_END_CLOSING);
	return view->phase == PHASE_BROKEN ? ACTION_DISCONNECT : ACTION_NONE;
}

/* while_closed - state 6. The device stays open for a frontend that comes back. */
static enum device_action while_closed(const struct device_view *view)
{
	if (!view->online)
		return give_up(view->phase, view->may_remove ? ACTION_REMOVE : ACTION_NONE);
	if (view->frontend == XENBUS_ABSENT)
		return give_up(view->phase, view->failure != FAILURE_NONE ? ACTION_FORGIVE : ACTION_NONE);
	if (give_up_ring(view->phase, ACTION_NONE) != ACTION_NONE)
		return ACTION_DISCONNECT;
	if (view->failure != FAILURE_NONE) {
		if (view->phase == PHASE_OPEN || view->phase == PHASE_OFFERED)
			return ACTION_CLOSE;
		return view->frontend == XENBUS_CLOSED ? ACTION_FORGIVE : ACTION_NONE;
	}
	if (view->frontend != XENBUS_INITIALISING)
		return ACTION_NONE;
	if (view->phase == PHASE_NONE)
		return view->may_open ? ACTION_OPEN : ACTION_NONE;
	return view->phase == PHASE_OPEN || view->phase == PHASE_OFFERED ? ACTION_OFFER : ACTION_NONE;
}

enum device_action device_next(const struct device_view *view)
{
	if (view->backend == XENBUS_ABSENT)
		return give_up(view->phase, ACTION_FORGET);
	if (view->released)
		return give_up(view->phase, ACTION_NONE);

	switch (view->backend) {
	case XENBUS_INITIALISING:
	case XENBUS_INIT_WAIT:
	case XENBUS_INITIALISED:
		return before_connected(view);
	case XENBUS_CONNECTED:
		return while_connected(view);
	case XENBUS_CLOSING:
		return while_closing(view);
	case XENBUS_CLOSED:
		return while_closed(view);
	case XENBUS_RECONFIGURED:
		return view->reconfigures ? while_connected(view) : ACTION_NONE;
	default:
		/* Only the toolstack can write such a thing, and it doesn't. */
		return ACTION_NONE;
	}
}

const char *device_action_name(enum device_action action)
{
	static const char *const names[] = {
		[ACTION_NONE] = "none",
		[ACTION_OPEN] = "open",
		[ACTION_OFFER] = "offer",
		[ACTION_REFUSE] = "refuse",
		[ACTION_CONNECT] = "connect",
		[ACTION_PUBLISH] = "publish",
		[ACTION_RESIZE] = "resize",
		[ACTION_CHANGE] = "change",
		[ACTION_RECONFIGURED] = "reconfigured",
		[ACTION_BEGIN_CLOSING] = "begin closing",
		[ACTION_DISCONNECT] = "disconnect",
		[ACTION_END_CLOSING] = "end closing",
		[ACTION_FORGIVE] = "forgive",
		[ACTION_CLOSE] = "close",
		[ACTION_REMOVE] = "remove",
		[ACTION_FORGET] = "forget",
	};

	return names[action];
}
