// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_connector.c - the thread of a disk that makes its connections
 *
 * It may wait: for names, for the server, for the next try. Only looking up a name can't be ended early; a disk that is
 * closed meanwhile is left to the thread, which gives it back afterwards.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nbd_internal.h"

#define OPEN_S 8	  /* for opening: libxl waits 10 s */
#define CONNECT_S 6	  /* for one try */
#define RETRY_MS 100	  /* after the first try, then twice as long each time ... */
#define RETRY_MAX_MS 2000 /* ... up to this */

static struct timespec earlier_of(struct timespec one, struct timespec other)
{
	bool is_one = one.tv_sec < other.tv_sec ||
		      (one.tv_sec == other.tv_sec && one.tv_nsec < other.tv_nsec);

	return is_one ? one : other;
}

/* ---- the thread ---- */

/* give - a link its new connection. Under the lock, but while the disk is opened. */
static void give(struct link *link, struct nbd_handle *handle)
{
	link->handle = handle;
	link->is_new = true;
	link->state = LINK_READY;
	link->failing = false;
}

/* close_connections - those that are lost, and while the disk is down those that nobody uses. Under the lock. */
static void close_connections(struct remote *remote)
{
	for (uint32_t i = 0; i < remote->link_count; i++) {
		struct link *link = &remote->links[i];

		if (link->state == LINK_READY && !remote->is_up) {
			link->state = LINK_LOST;
			link->lost_at = remote_now();
		}
		if (link->state != LINK_LOST)
			continue;
		nbd_close(link->handle);
		link->handle = NULL;
		link->state = LINK_NONE;
		link->next_at = remote_now();
	}
}

static bool any_is_taken(const struct remote *remote)
{
	for (uint32_t i = 0; i < remote->link_count; i++)
		if (remote->links[i].state == LINK_TAKEN)
			return true;
	return false;
}

/* try_until - for how long a connection is tried: not beyond the time at which requests fail. Under the lock. */
static struct timespec try_until(const struct remote *remote)
{
	struct timespec until = remote_later(remote_now(), CONNECT_S * 1000);

	for (uint32_t i = 0; i < remote->link_count && remote->config.reconnect_s > 0; i++) {
		const struct link *link = &remote->links[i];

		if (link->state == LINK_NONE && !link->failing)
			until = earlier_of(until,
					   remote_later(link->lost_at, remote->config.reconnect_s * 1000));
	}
	return until;
}

/* tell - what came of trying to connect; of what is in vain again and again each reason once. */
static void tell(struct remote *remote, int error, bool was_up)
{
	if (error == 0) {
		remote->told[0] = '\0';
		if (!was_up)
			remote_say(remote, XVHOST_LOG_INFO, "connected to %s again", remote->uri);
	} else if (error != -ECANCELED && strcmp(remote->told, remote->text) != 0) {
		snprintf(remote->told, sizeof(remote->told), "%s", remote->text);
		remote_say(remote, XVHOST_LOG_WARNING, "can't connect to %s: %s; trying again", remote->uri,
			   remote->text);
	}
}

/* connect_link - one of them; the first after the connection was lost brings the disk up again. Under the lock. */
static void connect_link(struct remote *remote, struct link *link)
{
	struct timespec until = try_until(remote);
	struct nbd_handle *handle = NULL;
	bool was_up = remote->is_up;
	int error;

	pthread_mutex_unlock(&remote->lock);
	error = remote_connect(remote, until, &handle);
	if (error == 0)
		error = remote_is_same(remote, handle);
	if (error == 0 && !was_up)
		error = remote_restore(remote, handle);
	if (error < 0 && handle)
		nbd_close(handle);
	tell(remote, error, was_up);
	pthread_mutex_lock(&remote->lock);
	if (error < 0) {
		uint64_t ms = (uint64_t)RETRY_MS << (remote->tries < 8 ? remote->tries : 8);

		remote->tries++;
		link->next_at = remote_later(remote_now(), ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS);
		return;
	}
	give(link, handle);
	remote->tries = 0;
	if (!was_up) {
		remote->is_up = true;
		remote->session++;
	}
	remote_ring_all(remote);
}

/* look_at_link - is it time to connect it, or to let its requests fail? Returns when to look again. Under the lock. */
static struct timespec look_at_link(struct remote *remote, struct link *link)
{
	struct timespec fails_at = remote_later(link->lost_at, remote->config.reconnect_s * 1000);
	bool may_fail = remote->config.reconnect_s > 0;

	if (link->state != LINK_NONE)
		return remote_far();
	/* While the disk is down the first one goes before. */
	if (!any_is_taken(remote) || remote->is_up)
		if ((remote->is_up || link == remote->links) && remote_ms_until(link->next_at) == 0)
			connect_link(remote, link);
	if (link->state != LINK_NONE)
		return remote_now();
	if (may_fail && !link->failing && remote_ms_until(fails_at) == 0) {
		link->failing = true;
		remote_link_ring(link);
	}
	if (!remote->is_up && (link != remote->links || any_is_taken(remote)))
		return may_fail && !link->failing ? fails_at : remote_far();
	return may_fail && !link->failing ? earlier_of(link->next_at, fails_at) : link->next_at;
}

/* open_links - the disk is open when the first one is connected; then the others, as many as the server takes. */
static int open_links(struct remote *remote)
{
	struct timespec until = remote_later(remote_now(), CONNECT_S * 1000);
	struct nbd_handle *handle;
	uint32_t count = 0;
	int error = remote_connect(remote, until, &handle);

	if (error == 0) {
		error = remote_learn(remote, handle);
		if (error < 0)
			nbd_close(handle);
	}
	if (error < 0)
		return error;
	do {
		give(&remote->links[count++], handle);
		error = count < remote->config.connections && nbd_can_multi_conn(handle) == 1
				? remote_connect(remote, until, &handle)
				: -ENOENT;
	} while (error == 0);
	if (count < remote->config.connections)
		remote_say(remote, XVHOST_LOG_INFO, "%u of %u connections, so the guest can have %s: %s",
			   count, (unsigned int)remote->config.connections,
			   count == 1 ? "one queue" : "no more queues",
			   error == -ENOENT
				   ? "the server says that writes and flushes of several are not related"
				   : remote->text);
	pthread_mutex_lock(&remote->lock);
	remote->link_count = count;
	remote->is_up = true;
	pthread_cond_broadcast(&remote->changed);
	pthread_mutex_unlock(&remote->lock);
	return 0;
}

/* disconnect - no queue runs any more. What is not durable is flushed, if that is possible at once. */
static void disconnect(struct remote *remote)
{
	struct timespec until = remote_later(remote_now(), (REMOTE_CLOSE_S - 1) * 1000);
	uint64_t bytes = remote_kept_bytes(&remote->kept);
	int result = 0;

	for (uint32_t i = 0; i < remote->link_count; i++) {
		struct link *link = &remote->links[i];

		if (link->state != LINK_READY)
			continue;
		if (bytes > 0 && remote_flush(remote, link->handle, until, true, &result) == 0 && result == 0)
			bytes = 0;
		nbd_aio_disconnect(link->handle, 0);
	}
	if (bytes > 0)
		remote_say(remote, XVHOST_LOG_ERROR,
			   "%" PRIu64 " bytes that the guest has written and not flushed may be lost: %s",
			   bytes, result < 0 ? strerror(-result) : "no connection");
}

static void *connector_main(void *opaque)
{
	struct remote *remote = opaque;
	bool abandoned;

	remote->error = open_links(remote);
	pthread_mutex_lock(&remote->lock);
	while (remote->error == 0 && !remote->closing) {
		struct timespec next = remote_far();

		close_connections(remote);
		for (uint32_t i = 0; i < remote->link_count; i++)
			next = earlier_of(next, look_at_link(remote, &remote->links[i]));
		if (!remote->closing && remote_ms_until(next) > 0)
			pthread_cond_timedwait(&remote->changed, &remote->lock, &next);
	}
	pthread_mutex_unlock(&remote->lock);
	if (remote->error == 0)
		disconnect(remote);
	pthread_mutex_lock(&remote->lock);
	remote->ended = true;
	abandoned = remote->abandoned;
	pthread_cond_broadcast(&remote->changed);
	pthread_mutex_unlock(&remote->lock);
	if (abandoned)
		remote_destroy(remote);
	return NULL;
}

/* ---- the control thread's side ---- */

/* start_thread - signals are for the others. */
static int start_thread(struct remote *remote)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -pthread_create(&remote->connector, NULL, connector_main, remote);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* part - from the thread: the disk is its own, if it does not end in time. */
static void part(struct remote *remote, struct timespec until)
{
	pthread_t connector = remote->connector;
	bool ended;

	pthread_mutex_lock(&remote->lock);
	remote->closing = true;
	pthread_cond_broadcast(&remote->changed);
	if (write(remote->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
		until = remote_now();
	while (!remote->ended && remote_ms_until(until) > 0)
		pthread_cond_timedwait(&remote->changed, &remote->lock, &until);
	pthread_mutex_lock(&remote->log_lock);
	ended = remote->ended;
	remote->abandoned = !ended;
	pthread_mutex_unlock(&remote->log_lock);
	pthread_mutex_unlock(&remote->lock);
	if (ended) {
		pthread_join(connector, NULL);
		remote_destroy(remote);
	} else {
		pthread_detach(connector);
	}
}

int remote_connector_start(struct remote *remote, char text[REMOTE_TEXT_MAX])
{
	struct timespec until = remote_later(remote_now(), OPEN_S * 1000);
	int error = start_thread(remote);

	if (error < 0) {
		snprintf(text, REMOTE_TEXT_MAX, "can't start a thread: %s", strerror(-error));
		remote_destroy(remote);
		return error;
	}
	pthread_mutex_lock(&remote->lock);
	while (!remote->ended && remote->link_count == 0 && remote_ms_until(until) > 0)
		pthread_cond_timedwait(&remote->changed, &remote->lock, &until);
	error = remote->link_count > 0 ? 0 : remote->ended ? remote->error : -ETIMEDOUT;
	if (error < 0)
		snprintf(text, REMOTE_TEXT_MAX, "%s",
			 remote->ended ? remote->text : "no connection within 8 s; is its name known?");
	pthread_mutex_unlock(&remote->lock);
	if (error < 0)
		part(remote, remote_now());
	return error;
}

void remote_connector_end(struct remote *remote)
{
	part(remote, remote_later(remote_now(), REMOTE_CLOSE_S * 1000));
}
