// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_restore.c - what is kept is written again, to a server that may have lost it
 */
#include <string.h>

#include "nbd_internal.h"

#define AGAIN_AT_ONCE 16 /* kept writes that are sent again at the same time */

struct again {
	bool used, done;
	uint64_t index;
	struct kept_write write; /* as it was when it was sent */
	int error;
};

static int on_again_done(void *opaque, int *error)
{
	struct again *again = opaque;

	again->done = true;
	again->error = -*error;
	return 1;
}

/* take_done - note what came of those that are done. Returns an error if the connection is not there any more. */
static int take_done(struct remote *remote, struct nbd_handle *handle, struct again all[AGAIN_AT_ONCE],
		     int error)
{
	if (error < 0 || remote_is_dead(handle))
		return error < 0 ? error : remote_failed(remote);
	pthread_mutex_lock(&remote->lock);
	for (uint32_t i = 0; i < AGAIN_AT_ONCE; i++) {
		struct again *again = &all[i];

		if (!again->used || !again->done)
			continue;
		again->used = false;
		if (again->error == -ESHUTDOWN)
			error = -ENOTCONN;
		else if (again->index >= remote->kept.first)
			remote_kept_at(&remote->kept, again->index)->error = again->error;
	}
	pthread_mutex_unlock(&remote->lock);
	return error;
}

/* place_for - where a write may be sent from now: there is one, and none under way has any of the same blocks. */
static struct again *place_for(struct again all[AGAIN_AT_ONCE], const struct kept_write *write)
{
	struct again *place = NULL;

	for (uint32_t i = 0; i < AGAIN_AT_ONCE; i++) {
		const struct kept_write *other = &all[i].write;

		if (!all[i].used)
			place = &all[i];
		else if (write->at < other->at + other->length && other->at < write->at + write->length)
			return NULL;
	}
	return place;
}

static bool any_under_way(const struct again all[AGAIN_AT_ONCE])
{
	for (uint32_t i = 0; i < AGAIN_AT_ONCE; i++)
		if (all[i].used)
			return true;
	return false;
}

/* send_again - all that is kept, in its order where that matters. Links do not use it meanwhile, but may drop some. */
static int send_again(struct remote *remote, struct nbd_handle *handle)
{
	struct kept *kept = &remote->kept;
	struct again all[AGAIN_AT_ONCE] = {0}, *place;
	uint64_t index = 0;
	int error = 0;

	while (error == 0) {
		struct kept_write write = {0};

		pthread_mutex_lock(&remote->lock);
		if (index < kept->first)
			index = kept->first;
		while (index < kept->end && remote_kept_at(kept, index)->state == KEPT_DURABLE)
			index++;
		if (index < kept->end)
			write = *remote_kept_at(kept, index);
		pthread_mutex_unlock(&remote->lock);
		place = write.length > 0 ? place_for(all, &write) : NULL;
		if (place) {
			*place = (struct again){.used = true, .index = index++, .write = write};
			if (nbd_aio_pwrite(handle, remote_kept_data(kept, &write), write.length, write.at,
					   (nbd_completion_callback){.callback = on_again_done,
								     .user_data = place},
					   0) < 0)
				error = remote_failed(remote);
		} else if (any_under_way(all)) {
			error = remote_await(remote, handle, remote_far(), false);
		} else {
			return 0;
		}
		error = take_done(remote, handle, all, error);
	}
	return error;
}

int remote_flush(struct remote *remote, struct nbd_handle *handle, struct timespec until, bool to_end,
		 int *result)
{
	struct again again = {.used = true};
	int error = 0;

	if (nbd_aio_flush(handle, (nbd_completion_callback){.callback = on_again_done, .user_data = &again},
			  0) < 0)
		error = remote_failed(remote);
	while (error == 0 && !again.done)
		error = remote_await(remote, handle, until, to_end);
	if (error == 0 && (remote_is_dead(handle) || again.error == -ESHUTDOWN))
		error = -ENOTCONN;
	*result = again.error;
	return error;
}

/* note_results - all that is kept has been written again, and flushed with this result. Under the lock. */
static void note_results(struct remote *remote, int flushed)
{
	struct kept *kept = &remote->kept;

	if (flushed < 0)
		remote->lost_error = flushed;
	for (uint64_t i = kept->first; i < kept->end; i++) {
		struct kept_write *write = remote_kept_at(kept, i);

		if (write->state == KEPT_SENT)
			write->state = KEPT_ANSWERED;
		if (write->state != KEPT_WRITTEN)
			continue;
		write->state = KEPT_DURABLE;
		if (write->error < 0)
			remote->lost_error = write->error;
	}
	remote_kept_forget(kept);
}

int remote_restore(struct remote *remote, struct nbd_handle *handle)
{
	int flushed = 0, error = send_again(remote, handle);

	if (error == 0 && remote->can_flush && !remote->read_only)
		error = remote_flush(remote, handle, remote_far(), false, &flushed);
	if (error < 0)
		return error;
	pthread_mutex_lock(&remote->lock);
	note_results(remote, flushed);
	error = remote->lost_error;
	pthread_mutex_unlock(&remote->lock);
	if (error < 0)
		remote_say(
			remote, XVHOST_LOG_ERROR,
			"the server could not write again what it had lost: %s; the guest's next flush fails",
			strerror(-error));
	return 0;
}
