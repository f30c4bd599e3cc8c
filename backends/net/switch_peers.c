// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch_peers.c - the other ports of the switch: how they are greeted, woken and lost
 *
 * Theory of operation: two ports have one connection. By it each tells the other, in one message, of the ring in which it wants the other's
 * packets; from then on a byte wakes the other side, and the connection's end is the peer's. A wake is not an eventfd because both sides
 * would share that: what one does to its flags and its count can make the other's write wait. A socket's end is one's own.
 *
 * A peer that is lost has its connection shut down, so that the operations on it end; when they have, and the guest has none of its packets
 * any more, its rings are unmapped.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch_internal.h"

#define GREETING_MAGIC "xvswitch"
#define SWITCH_GREETING_VERSION 1u
#define LISTENER UINT32_MAX /* among epoll's events, instead of a peer's number */
#define EVENTS_MAX 16	    /* in one turn of the loop */
#define ACCEPTED_MAX 16	    /* the same */
#define WATCH 0		    /* the queue's only one */

/* What a port says to another one, once; with the descriptor of a ring. */
struct switch_greeting {
	char magic[8];
	uint32_t version; /* of this, and of the rings */
	uint32_t ring_bytes;
};

static const struct switch_greeting own_greeting = {
	.magic = {'x', 'v', 's', 'w', 'i', 't', 'c', 'h'},
	.version = SWITCH_GREETING_VERSION,
	.ring_bytes = SWITCH_RING_BYTES,
};

/* Room for one descriptor in a message. */
union descriptor {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr aligned;
};

/* ---- greeting ---- */

/* send_greeting - of the ring whose descriptor this is. Returns 0 or a negative errno. */
static int send_greeting(int fd, int ring)
{
	struct iovec piece = {(void *)(uintptr_t)&own_greeting, sizeof(own_greeting)};
	union descriptor control = {.bytes = {0}};
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t sent;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(ring));
	memcpy(CMSG_DATA(header), &ring, sizeof(ring));
	sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	return sent == (ssize_t)sizeof(own_greeting) ? 0 : -EIO;
}

/* receive_greeting - returns the ring's descriptor; -EAGAIN: nothing was said yet; or another negative errno. */
static int receive_greeting(int fd)
{
	struct switch_greeting greeting;
	struct iovec piece = {&greeting, sizeof(greeting)};
	union descriptor control;
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t received = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;
	int ring = -1;

	if (received < 0)
		return -errno;
	/* The kernel closes what there is no room for. */
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(ring)))
		memcpy(&ring, CMSG_DATA(header), sizeof(ring));
	if (received == 0 && ring < 0)
		return -ECONNRESET;
	if (ring >= 0 && received == (ssize_t)sizeof(greeting) && !(message.msg_flags & MSG_TRUNC) &&
	    memcmp(&greeting, &own_greeting, sizeof(greeting)) == 0)
		return ring;
	if (ring >= 0)
		close(ring);
	return -EPROTO;
}

/* make_peer - on this connection, which is ours alone. Returns 0 or a negative errno. */
static int make_peer(struct switch_peer *peer, int fd)
{
	struct ucred credentials;
	socklen_t bytes = sizeof(credentials);
	int ring, error;

	*peer = (struct switch_peer){.fd = fd};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) < 0)
		return -errno;
	if (credentials.uid != geteuid())
		return -EPERM;
	peer->process = credentials.pid;
	peer->bell_in = peer->bell_out = (struct iovec){&peer->bell, sizeof(peer->bell)};
	error = switch_consumer_create(&peer->in, &ring);
	if (error < 0)
		return error;
	error = send_greeting(fd, ring);
	close(ring);
	if (error < 0)
		switch_consumer_destroy(&peer->in);
	return error;
}

int switch_peer_greet(struct switch_port *port, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct switch_peer *peer;
	uint32_t place = 0;
	int error;

	while (place < SWITCH_PEERS_MAX && port->peers[place].state != SWITCH_PEER_NONE)
		place++;
	if (place == SWITCH_PEERS_MAX) {
		close(fd);
		return -ENOSPC;
	}
	peer = &port->peers[place];
	error = make_peer(peer, fd);
	if (error < 0) {
		close(fd);
		return error;
	}
	event.data.u32 = place;
	if (epoll_ctl(port->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		error = -errno;
		switch_peer_free(port, peer);
		return error;
	}
	peer->state = SWITCH_PEER_GREETED;
	if (place >= port->peers_end)
		port->peers_end = place + 1;
	return 0;
}

void switch_peer_free(struct switch_port *port, struct switch_peer *peer)
{
	switch_producer_unmap(&peer->out);
	switch_consumer_destroy(&peer->in);
	close(peer->fd);
	peer->state = SWITCH_PEER_NONE;
	while (port->peers_end > 0 && port->peers[port->peers_end - 1].state == SWITCH_PEER_NONE)
		port->peers_end--;
}

/* ---- while a queue runs ---- */

/* start_read - of the byte that wakes this port. */
static void start_read(struct switch_port *port, struct switch_peer *peer)
{
	struct xvhost_net_queue *queue = port->queue;

	peer->reading = true;
	queue->net->host->read(queue, queue->packets_max + SWITCH_READ + switch_number(port, peer), peer->fd,
			       &peer->bell_in, 1);
}

/* go_on - with a peer that has joined, now or in a queue before. */
static void go_on(struct switch_port *port, struct switch_peer *peer)
{
	if (switch_consumer_open(&peer->in) < 0) {
		switch_peer_lose(port, peer, "its ring is not possible");
		return;
	}
	start_read(port, peer);
}

/* hear - what a peer says that was greeted. */
static void hear(struct switch_port *port, struct switch_peer *peer)
{
	int ring = receive_greeting(peer->fd), error = ring;

	if (ring >= 0) {
		error = switch_producer_map(&peer->out, ring);
		close(ring);
	}
	if (error == -EAGAIN)
		return;
	if (error < 0) {
		switch_peer_lose(port, peer, error == -ECONNRESET ? NULL : strerror(-error));
		return;
	}
	epoll_ctl(port->epoll, EPOLL_CTL_DEL, peer->fd, NULL);
	peer->state = SWITCH_PEER_JOINED;
	go_on(port, peer);
}

static void log_refused(const struct switch_port *port, int error)
{
	port->net->host->log(port->net, XVHOST_LOG_WARNING, "another port of the switch can't join: %s",
			     error == -ENOSPC  ? "there are too many"
			     : error == -EPERM ? "it belongs to another user"
					       : strerror(-error));
}

/* accept_some - of those that connect. What can't be accepted would be said to be there again and again. */
static void accept_some(struct switch_port *port)
{
	for (int i = 0; i < ACCEPTED_MAX; i++) {
		int fd = accept4(port->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), error;

		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0) {
			if (errno == EAGAIN)
				return;
			log_refused(port, -errno);
			epoll_ctl(port->epoll, EPOLL_CTL_DEL, port->listener, NULL);
			return;
		}
		error = switch_peer_greet(port, fd);
		/* One that has left again is no matter. */
		if (error < 0 && error != -EPIPE && error != -ECONNRESET)
			log_refused(port, error);
	}
}

static void watch(struct switch_port *port)
{
	port->net->host->watch(port->queue, WATCH, port->epoll, POLLIN);
}

void switch_peers_start(struct switch_port *port)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = LISTENER};

	/* It may be there already. */
	epoll_ctl(port->epoll, EPOLL_CTL_ADD, port->listener, &event);
	watch(port);
	for (uint32_t i = 0; i < port->peers_end; i++)
		if (port->peers[i].state == SWITCH_PEER_JOINED)
			go_on(port, &port->peers[i]);
}

void switch_peers_close(struct switch_port *port)
{
	for (uint32_t i = 0; i < port->peers_end; i++)
		if (port->peers[i].state == SWITCH_PEER_JOINED)
			switch_consumer_close(&port->peers[i].in);
}

void switch_peers_ready(struct switch_port *port)
{
	struct epoll_event events[EVENTS_MAX];
	int count;

	/* A read that began now would have no end. What there is waits for the next queue. */
	if (switch_is_stopping(port))
		return;
	count = epoll_wait(port->epoll, events, EVENTS_MAX, 0);
	for (int i = 0; i < count; i++) {
		uint32_t number = events[i].data.u32;

		/* One that has gone meanwhile is not asked, and another in its place has nothing to say yet. */
		if (number == LISTENER)
			accept_some(port);
		else if (port->peers[number].state == SWITCH_PEER_GREETED)
			hear(port, &port->peers[number]);
	}
	watch(port);
}

/* ---- losing ---- */

void switch_peer_settle(struct switch_port *port, struct switch_peer *peer)
{
	if (peer->state == SWITCH_PEER_GONE && !peer->reading && !peer->ringing && peer->given == 0)
		switch_peer_free(port, peer);
}

void switch_peer_lose(struct switch_port *port, struct switch_peer *peer, const char *why)
{
	if (peer->state == SWITCH_PEER_GONE)
		return;
	if (why)
		port->net->host->log(port->net, XVHOST_LOG_WARNING,
				     "the switch's port of process %d is cut off from this one: %s",
				     (int)peer->process, why);
	peer->state = SWITCH_PEER_GONE;
	peer->busy = false;
	switch_table_forget(&port->table, switch_number(port, peer));
	switch_receive_forget(port, peer);
	/* It leaves epoll with its last descriptor, and its operations end. */
	shutdown(peer->fd, SHUT_RDWR);
	switch_peer_settle(port, peer);
}

/* ---- waking ---- */

void switch_peer_ring(struct switch_port *port, struct switch_peer *peer)
{
	struct xvhost_net_queue *queue = port->queue;

	if (peer->ringing) {
		peer->ring_again = true;
		return;
	}
	/* A queue that is to stop starts nothing more. */
	if (switch_is_stopping(port)) {
		send(peer->fd, &peer->bell, sizeof(peer->bell), MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	peer->ringing = true;
	queue->net->host->write(queue, queue->packets_max + SWITCH_RING + switch_number(port, peer), peer->fd,
				&peer->bell_out, 1);
}

bool switch_peer_read(struct switch_port *port, struct switch_peer *peer, int32_t result)
{
	peer->reading = false;
	if (peer->state != SWITCH_PEER_JOINED) {
		switch_peer_settle(port, peer);
		return false;
	}
	if (result <= 0) {
		if (result != -ECANCELED)
			switch_peer_lose(port, peer, NULL);
		return false;
	}
	peer->busy = true;
	if (!switch_is_stopping(port))
		start_read(port, peer);
	return true;
}

/* One that was not woken since this queue stops would sleep for ever. Other errors mean that it has gone, which its read tells. */
void switch_peer_rung(struct switch_port *port, struct switch_peer *peer, int32_t result)
{
	bool again = result == -ECANCELED || (peer->ring_again && result > 0);

	peer->ringing = peer->ring_again = false;
	if (peer->state == SWITCH_PEER_JOINED && again)
		switch_peer_ring(port, peer);
	else
		switch_peer_settle(port, peer);
}
