// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_link.c - a queue and its connection
 *
 * All of this is the loop's thread. What libnbd and the host call may come back here, so look_after() does all that is to
 * be done, one after the other, and what comes while it is at work waits in a list.
 */
#include <assert.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "nbd_internal.h"

enum watch_index {
	WATCH_SOCKET = 0,
	WATCH_BELL,
	WATCH_TIMER
};

/* ---- a connection comes and goes ---- */

/* lose - give the connection up: it is broken, or another link's is. Requests that were not answered are begun anew, but for
 * what they have written: that is kept. */
static void lose(struct link *link)
{
	struct remote *remote = link->remote;
	bool first;

	for (uint32_t i = 0; i < REMOTE_COMMANDS; i++) {
		struct command *command = &link->commands[i];

		if (!command->used || command->write)
			continue;
		if (command->request) {
			remote_request_of(command->request)->again = true;
			remote_part_done(link, command->request, 0);
		}
	}
	link->queue->disk->host->watch(link->queue, WATCH_SOCKET, -1, 0);
	link->watched = 0;
	link->broken = link->draining = false;
	link->taken = NULL;
	pthread_mutex_lock(&remote->lock);
	for (uint32_t i = 0; i < REMOTE_COMMANDS; i++)
		if (link->commands[i].used && !link->commands[i].request)
			remote->flushing = false;
	remote_commands_reset(link);
	link->state = LINK_LOST;
	clock_gettime(CLOCK_MONOTONIC, &link->lost_at);
	first = remote->is_up;
	remote->is_up = false;
	pthread_cond_broadcast(&remote->changed);
	pthread_mutex_unlock(&remote->lock);
	if (!first)
		return;
	remote->disk->host->log(remote->disk, XVHOST_LOG_WARNING,
				"the connection to %s is lost; requests wait", remote->uri);
	remote_ring_all(remote);
}

/* answer_kept - writes of this link that the connector has sent again. Under the disk's lock. */
static void answer_kept(struct link *link)
{
	struct kept *kept = &link->remote->kept;

	for (uint64_t i = kept->first; i < kept->end; i++) {
		struct kept_write *write = remote_kept_at(kept, i);

		if (write->state != KEPT_ANSWERED || write->request->queue != link->queue)
			continue;
		write->state = KEPT_DURABLE;
		remote_part_done(link, write->request, write->error);
		write->request = NULL;
	}
	remote_kept_forget(kept);
}

/* look - at what the connector has done. */
static void look(struct link *link)
{
	struct remote *remote = link->remote;

	pthread_mutex_lock(&remote->lock);
	if (link->session != remote->session)
		answer_kept(link);
	link->session = remote->session;
	if (!remote->is_up && link->taken) {
		link->draining = true;
	} else if (remote->is_up && link->state == LINK_READY) {
		link->state = LINK_TAKEN;
		link->taken = link->handle;
		if (link->is_new)
			remote_commands_reset(link);
		link->is_new = false;
	}
	link->fails = link->failing;
	pthread_mutex_unlock(&remote->lock);
}

/* fail_requests - all that there are; there is no connection. */
static void fail_requests(struct link *link)
{
	struct kept *kept = &link->remote->kept;
	struct request_list *lists[] = {&link->reads, &link->writes};
	struct xvhost_request *request;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		while ((request = remote_list_take(lists[i]))) {
			remote_request_of(request)->listed = false;
			remote_request_of(request)->error = -EIO;
			if (remote_request_of(request)->under_way == 0)
				remote_request_finish(link, request);
		}
	/* What has failed must not be written later. */
	pthread_mutex_lock(&link->remote->lock);
	for (uint64_t i = kept->first; i < kept->end; i++) {
		struct kept_write *write = remote_kept_at(kept, i);

		if (!write->request || write->request->queue != link->queue)
			continue;
		write->state = KEPT_DURABLE;
		remote_part_done(link, write->request, -EIO);
		write->request = NULL;
	}
	remote_kept_forget(kept);
	pthread_mutex_unlock(&link->remote->lock);
}

/* ---- the turn of a link ---- */

static bool complete_finished(struct link *link)
{
	const struct xvhost_host *host = link->queue->disk->host;
	struct xvhost_request *request;
	bool any = link->finished.first;

	while ((request = remote_list_take(&link->finished))) {
		link->requests--;
		host->complete(request, remote_request_of(request)->error);
	}
	return any;
}

/* watch_socket - for what libnbd waits for now. */
static void watch_socket(struct link *link)
{
	unsigned int direction;
	uint32_t events;

	if (!link->taken)
		return;
	direction = nbd_aio_get_direction(link->taken);
	events = (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
		 (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
	if (events == link->watched || events == 0)
		return;
	link->watched = events;
	link->queue->disk->host->watch(link->queue, WATCH_SOCKET, nbd_aio_get_fd(link->taken), events);
}

/* look_after - do all that can be done now. */
static void look_after(struct link *link)
{
	bool again;

	if (link->busy) {
		link->added = true;
		return;
	}
	link->busy = true;
	do {
		link->added = false;
		remote_commands_send(link);
		again = remote_commands_settle(link);
		if (link->taken && (link->broken || (link->draining && link->under_way == 0)))
			lose(link);
		if (link->fails && !link->taken)
			fail_requests(link);
		again |= complete_finished(link);
	} while (again || link->added || (link->taken && link->done));
	watch_socket(link);
	link->busy = false;
}

void remote_submit(struct xvhost_request *request)
{
	struct link *link = request->queue->state;

	*remote_request_of(request) = (struct remote_request){0};
	link->requests++;
	remote_request_enlist(link, request);
	look_after(link);
}

/* socket_ready - let libnbd read or write. */
static void socket_ready(struct link *link, int32_t events)
{
	unsigned int direction = nbd_aio_get_direction(link->taken);

	link->watched = 0;
	if (events < 0)
		link->broken = true;
	else if ((events & (POLLIN | POLLHUP | POLLERR)) && (direction & LIBNBD_AIO_DIRECTION_READ))
		nbd_aio_notify_read(link->taken);
	else if ((events & (POLLOUT | POLLHUP | POLLERR)) && (direction & LIBNBD_AIO_DIRECTION_WRITE))
		nbd_aio_notify_write(link->taken);
	if (remote_is_dead(link->taken))
		link->broken = true;
}

static void empty(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);
}

static void set_timer(struct link *link, time_t seconds)
{
	timerfd_settime(link->timer_fd, 0, &(struct itimerspec){.it_value.tv_sec = seconds}, NULL);
}

/* too_late - the queue is to stop, and somebody waits for it: requests that are not answered have failed. */
static void too_late(struct link *link)
{
	empty(link->timer_fd);
	if (link->requests == 0)
		return;
	link->remote->disk->host->log(
		link->remote->disk, XVHOST_LOG_ERROR,
		"%u requests are not answered after %d s, and the disk is to be disconnected", link->requests,
		REMOTE_STOP_S);
	link->broken |= link->taken != NULL;
	pthread_mutex_lock(&link->remote->lock);
	link->failing = link->fails = true;
	pthread_mutex_unlock(&link->remote->lock);
}

void remote_ready(struct xvhost_queue *queue, uint32_t index, int32_t events)
{
	struct link *link = queue->state;

	if (events == 0) {
		if (index == WATCH_BELL)
			set_timer(link, REMOTE_STOP_S);
		return;
	}
	switch ((enum watch_index)index) {
	case WATCH_SOCKET:
		if (link->taken)
			socket_ready(link, events);
		break;
	case WATCH_BELL:
		empty(link->bell_fd);
		queue->disk->host->watch(queue, WATCH_BELL, link->bell_fd, POLLIN);
		look(link);
		break;
	case WATCH_TIMER:
		too_late(link);
		break;
	}
	look_after(link);
}

/* ---- life ---- */

int remote_queue_start(struct xvhost_queue *queue)
{
	struct remote *remote = queue->disk->state;
	const struct xvhost_host *host = queue->disk->host;
	struct link *link;

	if (queue->index >= remote->link_count)
		return -EMFILE;
	link = &remote->links[queue->index];
	link->queue = queue;
	queue->state = link;
	set_timer(link, 0);
	host->watch(queue, WATCH_BELL, link->bell_fd, POLLIN);
	host->watch(queue, WATCH_TIMER, link->timer_fd, POLLIN);
	look(link);
	look_after(link);
	return 0;
}

void remote_queue_stop(struct xvhost_queue *queue)
{
	struct link *link = queue->state;
	struct remote *remote = link->remote;

	assert(link->requests == 0);
	pthread_mutex_lock(&remote->lock);
	if (link->taken) {
		/* A flush of our own may be under way. It is waited for no more; who wants one makes another. */
		if (link->under_way > 0) {
			remote->flushing = false;
			remote_ring_all(remote);
		}
		link->state = remote->is_up ? LINK_READY : LINK_LOST;
		clock_gettime(CLOCK_MONOTONIC, &link->lost_at);
	}
	/* Another queue may have more time than this one had. */
	link->failing = link->fails = false;
	pthread_cond_broadcast(&remote->changed);
	pthread_mutex_unlock(&remote->lock);
	link->taken = NULL;
	link->draining = link->broken = false;
	link->watched = 0;
	link->queue = NULL;
}

void remote_link_ring(const struct link *link)
{
	if (write(link->bell_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
		assert(errno == EAGAIN);
}

int remote_link_init(struct link *link, struct remote *remote)
{
	link->remote = remote;
	remote_commands_reset(link);
	link->timer_fd = -1;
	link->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (link->bell_fd >= 0)
		link->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return link->timer_fd < 0 ? -errno : 0;
}

void remote_link_destroy(struct link *link)
{
	if (link->handle)
		nbd_close(link->handle);
	if (link->timer_fd >= 0)
		close(link->timer_fd);
	if (link->bell_fd >= 0)
		close(link->bell_fd);
}
