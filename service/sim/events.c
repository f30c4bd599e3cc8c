// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * events.c - event channels: guests' ports, the host's handles, what is masked and what is held
 *
 * Theory of operation: a guest's end is an eventfd. The host's end is a port of a handle, as of /dev/xen/evtchn:
 * one descriptor, from which pending ports are read and to which ports are written to unmask them. It is one end
 * of a stream socket pair; we have the other. An event for a port that is not masked is written there, and masks
 * it.
 *
 * What the host writes to unmask lies in the socket until somebody looks. Nobody needs to know while no event is
 * held, so we look when there is an event for a port that we take for masked. If it is still masked then, the event is
 * held, and the machine's thread, the unmasker, waits for the host to write. So in the common case an event costs
 * one system call, or two, and never wakes the unmasker; and none is lost, whoever sleeps where.
 */
#include "sim/machine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Numbers begin at different places, so that the one end's can't be taken for the other's. */
#define FIRST_GUEST_PORT 8u
#define FIRST_HOST_PORT 1200u

#define UNMASK_BATCH 64

struct event_channels {
	struct event_channels *next;
	struct sim_machine *machine;
	int fd;		       /* the host's end ... */
	int own_fd;	       /* ... and ours */
	int64_t restricted_to; /* a domain, or -1 */
	pthread_mutex_t lock;
	uint32_t held; /* events that wait for the host to unmask their ports */
	bool watched;  /* the unmasker waits for the host to write */
	bool full;     /* the socket takes no more events */
};

static void must(bool good)
{
	if (!good)
		abort();
}

/* clear - forget that this eventfd or timer has gone off. Returns true if it had. */
static bool clear(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

/* ---- events to the host ---- */

/* watch - have the unmasker look after the handle. It is locked. */
static void watch(struct event_channels *channels)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLONESHOT | (channels->full ? (uint32_t)EPOLLOUT : 0),
		.data.ptr = channels,
	};

	must(epoll_ctl(channels->machine->unmasker_epoll, EPOLL_CTL_MOD, channels->own_fd, &event) == 0);
	channels->watched = true;
}

/* deliver - give the port to the reader, which masks it. The handle is locked. */
static void deliver(struct event_channels *channels, uint32_t number)
{
	struct sim_host_port *port = &channels->machine->host_ports[number];

	if (send(channels->own_fd, &number, sizeof(number), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(number)) {
		port->masked = true;
		channels->held -= port->held;
		port->held = false;
		return;
	}
	/* The host unmasks and does not read. */
	channels->full = true;
	channels->held += !port->held;
	port->held = true;
}

static void unmask(struct event_channels *channels, uint32_t number)
{
	struct sim_host_port *port = &channels->machine->host_ports[number];

	/* Linux passes over what is not a port of this handle, too. */
	if (number >= SIM_HOST_PORTS_MAX || port->owner != channels)
		return;
	port->masked = false;
	if (port->held)
		deliver(channels, number);
}

/* take_unmasks - see what the host has written. The handle is locked. */
static void take_unmasks(struct event_channels *channels)
{
	uint32_t numbers[UNMASK_BATCH];
	ssize_t bytes;

	do {
		bytes = recv(channels->own_fd, numbers, sizeof(numbers), MSG_DONTWAIT);
		for (ssize_t i = 0; i < bytes / (ssize_t)sizeof(numbers[0]); i++)
			unmask(channels, numbers[i]);
	} while (bytes == sizeof(numbers));
}

/* send_event - the handle is locked. */
static void send_event(struct event_channels *channels, uint32_t number)
{
	struct sim_host_port *port = &channels->machine->host_ports[number];

	if (port->masked || channels->full)
		take_unmasks(channels);
	if (!port->masked) {
		deliver(channels, number);
	} else if (!port->held) {
		port->held = true;
		channels->held++;
	}
	if (channels->held > 0 && (!channels->watched || channels->full))
		watch(channels);
}

/* keep_back - the event comes later. All that are kept back come together. The handle is locked. */
static void keep_back(struct sim_machine *machine, struct sim_host_port *port, uint32_t delay_us)
{
	struct itimerspec due = {
		.it_value = {.tv_sec = delay_us / 1000000, .tv_nsec = (long)(delay_us % 1000000) * 1000},
	};

	port->late = true;
	must(timerfd_settime(machine->late_timer, 0, &due, NULL) == 0);
}

/* raise_event - an event for a port of the host's. ports_lock is held. */
static void raise_event(struct sim_machine *machine, uint32_t number)
{
	struct sim_host_port *port = &machine->host_ports[number];
	struct event_channels *channels = port->owner;
	uint32_t delay_us = sim_faulty(machine) ? sim_fault_delay(machine, SIM_EVENT) : 0;

	pthread_mutex_lock(&channels->lock);
	if (delay_us > 0)
		keep_back(machine, port, delay_us);
	else
		send_event(channels, number);
	pthread_mutex_unlock(&channels->lock);
}

/* deliver_rest - what found the socket full. The handle is locked. */
static void deliver_rest(struct event_channels *channels)
{
	channels->full = false;
	for (uint32_t number = 0; number < SIM_HOST_PORTS_MAX; number++) {
		struct sim_host_port *port = &channels->machine->host_ports[number];

		if (port->owner == channels && port->held && !port->masked)
			deliver(channels, number);
	}
}

/* look_after - the host has written, or read. ports_lock is held. */
static void look_after(struct sim_machine *machine, const void *watched)
{
	struct event_channels *channels = machine->channels;

	/* It may have been closed in between; another one of the same address does not mind. */
	while (channels && channels != watched)
		channels = channels->next;
	if (!channels)
		return;
	pthread_mutex_lock(&channels->lock);
	channels->watched = false;
	take_unmasks(channels);
	if (channels->full)
		deliver_rest(channels);
	if (channels->held > 0)
		watch(channels);
	pthread_mutex_unlock(&channels->lock);
}

/* send_late - the events that were kept back. ports_lock is held. */
static void send_late(struct sim_machine *machine)
{
	clear(machine->late_timer);
	for (uint32_t number = 0; number < SIM_HOST_PORTS_MAX; number++) {
		struct sim_host_port *port = &machine->host_ports[number];

		if (!port->owner)
			continue;
		pthread_mutex_lock(&port->owner->lock);
		if (port->late)
			send_event(port->owner, number);
		port->late = false;
		pthread_mutex_unlock(&port->owner->lock);
	}
}

static void *unmasker_main(void *argument)
{
	struct sim_machine *machine = argument;
	struct epoll_event event;

	for (;;) {
		if (epoll_wait(machine->unmasker_epoll, &event, 1, -1) < 1)
			continue;
		if (event.data.ptr == &machine->unmasker_end)
			return NULL;
		pthread_rwlock_rdlock(&machine->ports_lock);
		if (event.data.ptr == &machine->late_timer)
			send_late(machine);
		else
			look_after(machine, event.data.ptr);
		pthread_rwlock_unlock(&machine->ports_lock);
	}
}

/* ---- the machine's part ---- */

/* wake_unmasker_by - when the descriptor is readable; the descriptor's place tells which it is. */
static void wake_unmasker_by(struct sim_machine *machine, int *fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};

	must(epoll_ctl(machine->unmasker_epoll, EPOLL_CTL_ADD, *fd, &event) == 0);
}

static void close_unmasker(struct sim_machine *machine)
{
	close(machine->unmasker_epoll);
	close(machine->unmasker_end);
	close(machine->late_timer);
}

static int start_unmasker(struct sim_machine *machine)
{
	int error = 0;

	machine->unmasker_epoll = epoll_create1(EPOLL_CLOEXEC);
	machine->unmasker_end = eventfd(0, EFD_CLOEXEC);
	machine->late_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (machine->unmasker_epoll < 0 || machine->unmasker_end < 0 || machine->late_timer < 0)
		error = -EMFILE;
	if (error == 0) {
		wake_unmasker_by(machine, &machine->unmasker_end);
		wake_unmasker_by(machine, &machine->late_timer);
		error = -pthread_create(&machine->unmasker, NULL, unmasker_main, machine);
	}
	if (error < 0)
		close_unmasker(machine);
	return error;
}

int sim_events_init(struct sim_machine *machine)
{
	pthread_rwlockattr_t attributes;
	int error;

	machine->host_ports = calloc(SIM_HOST_PORTS_MAX, sizeof(machine->host_ports[0]));
	if (!machine->host_ports)
		return -ENOMEM;
	/* So that those who use ports all the time can't keep one from being closed. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&machine->ports_lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	error = start_unmasker(machine);
	if (error < 0) {
		pthread_rwlock_destroy(&machine->ports_lock);
		free(machine->host_ports);
	}
	return error;
}

void sim_events_destroy(struct sim_machine *machine)
{
	const uint64_t one = 1;

	must(write(machine->unmasker_end, &one, sizeof(one)) == sizeof(one));
	pthread_join(machine->unmasker, NULL);
	close_unmasker(machine);
	pthread_rwlock_destroy(&machine->ports_lock);
	free(machine->host_ports);
}

/* ---- a guest's ports ---- */

/* port_at - a port of the guest's that is open, or NULL. ports_lock is held. */
static struct sim_guest_port *port_at(struct sim_guest *guest, uint32_t number)
{
	if (number >= SIM_GUEST_PORTS_MAX || guest->ports[number].state == SIM_PORT_CLOSED)
		return NULL;
	return &guest->ports[number];
}

static int open_port(struct sim_guest *guest, uint16_t domid)
{
	uint32_t number = FIRST_GUEST_PORT;
	struct sim_guest_port *port;

	while (number < SIM_GUEST_PORTS_MAX && guest->ports[number].state != SIM_PORT_CLOSED)
		number++;
	if (number == SIM_GUEST_PORTS_MAX)
		return -ENOSPC;
	port = &guest->ports[number];
	if (port->fd < 0)
		port->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (port->fd < 0)
		return -errno;
	clear(port->fd);
	port->state = SIM_PORT_UNBOUND;
	port->domid = domid;
	return (int)number;
}

int sim_port_open(struct sim_guest *guest, uint16_t domid)
{
	int number;

	pthread_rwlock_wrlock(&guest->machine->ports_lock);
	number = open_port(guest, domid);
	pthread_rwlock_unlock(&guest->machine->ports_lock);
	return number;
}

/* close_port - the host's end stays, bound to nothing. ports_lock is held for writing. */
static void close_port(struct sim_guest *guest, struct sim_guest_port *port)
{
	if (port->state == SIM_PORT_BOUND)
		guest->machine->host_ports[port->host_port].guest = NULL;
	port->state = SIM_PORT_CLOSED;
}

int sim_port_close(struct sim_guest *guest, uint32_t number)
{
	struct sim_guest_port *port;

	pthread_rwlock_wrlock(&guest->machine->ports_lock);
	port = port_at(guest, number);
	if (port)
		close_port(guest, port);
	pthread_rwlock_unlock(&guest->machine->ports_lock);
	return port ? 0 : -EINVAL;
}

void sim_ports_destroy(struct sim_guest *guest)
{
	pthread_rwlock_wrlock(&guest->machine->ports_lock);
	for (uint32_t number = 0; number < SIM_GUEST_PORTS_MAX; number++) {
		close_port(guest, &guest->ports[number]);
		if (guest->ports[number].fd >= 0)
			close(guest->ports[number].fd);
	}
	pthread_rwlock_unlock(&guest->machine->ports_lock);
}

int sim_port_notify(struct sim_guest *guest, uint32_t number)
{
	struct sim_machine *machine = guest->machine;
	struct sim_guest_port *port;
	int error = 0;

	pthread_rwlock_rdlock(&machine->ports_lock);
	port = port_at(guest, number);
	if (!port)
		error = -EINVAL;
	else if (port->state != SIM_PORT_BOUND)
		error = -ENOTCONN;
	else
		raise_event(machine, port->host_port);
	pthread_rwlock_unlock(&machine->ports_lock);
	return error;
}

int sim_port_fd(struct sim_guest *guest, uint32_t number)
{
	struct sim_guest_port *port;
	int fd;

	pthread_rwlock_rdlock(&guest->machine->ports_lock);
	port = port_at(guest, number);
	fd = port ? port->fd : -EINVAL;
	pthread_rwlock_unlock(&guest->machine->ports_lock);
	return fd;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int sim_port_wait(struct sim_guest *guest, uint32_t number, int timeout_ms)
{
	struct pollfd polled = {.fd = sim_port_fd(guest, number), .events = POLLIN};
	int64_t until = timeout_ms > 0 ? now_ms() + timeout_ms : 0;

	if (polled.fd < 0)
		return polled.fd;
	while (!clear(polled.fd)) {
		if (timeout_ms > 0) {
			int64_t left = until - now_ms();

			timeout_ms = left > 0 ? (int)left : 0;
		}
		if (timeout_ms == 0)
			return 0;
		poll(&polled, 1, timeout_ms);
	}
	return 1;
}

/* ---- the host's handle ---- */

static int sim_channels_open(const struct platform *platform, struct event_channels **channels)
{
	struct sim_machine *machine = platform->context;
	int fds[2], error = sim_fault_check(machine, SIM_EVENT_CHANNELS_OPEN);
	struct event_channels *opened = error < 0 ? NULL : calloc(1, sizeof(*opened));
	struct epoll_event event = {.events = EPOLLONESHOT, .data.ptr = opened};

	if (!opened)
		return error < 0 ? error : -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		error = -errno;
		free(opened);
		return error;
	}
	opened->machine = machine;
	opened->fd = fds[0];
	opened->own_fd = fds[1];
	opened->restricted_to = -1;
	pthread_mutex_init(&opened->lock, NULL);
	must(epoll_ctl(machine->unmasker_epoll, EPOLL_CTL_ADD, opened->own_fd, &event) == 0);
	pthread_rwlock_wrlock(&machine->ports_lock);
	opened->next = machine->channels;
	machine->channels = opened;
	pthread_rwlock_unlock(&machine->ports_lock);
	*channels = opened;
	return 0;
}

/* unbind - the guest's end can be bound again, by the host. ports_lock is held for writing. */
static void unbind(struct sim_host_port *port)
{
	struct event_channels *channels = port->owner;

	pthread_mutex_lock(&channels->lock);
	/* What was written to unmask this port must not be taken for another one's of the same number. */
	take_unmasks(channels);
	channels->held -= port->held;
	if (port->guest)
		port->guest->ports[port->guest_port].state = SIM_PORT_UNBOUND;
	*port = (struct sim_host_port){0};
	pthread_mutex_unlock(&channels->lock);
}

/* Ports that are still bound are unbound, as when a process ends. */
static void sim_channels_close(struct event_channels *channels)
{
	struct sim_machine *machine = channels->machine;
	struct event_channels **link = &machine->channels;

	pthread_rwlock_wrlock(&machine->ports_lock);
	for (uint32_t number = 0; number < SIM_HOST_PORTS_MAX; number++)
		if (machine->host_ports[number].owner == channels)
			unbind(&machine->host_ports[number]);
	while (*link != channels)
		link = &(*link)->next;
	*link = channels->next;
	pthread_rwlock_unlock(&machine->ports_lock);
	must(epoll_ctl(machine->unmasker_epoll, EPOLL_CTL_DEL, channels->own_fd, NULL) == 0);
	close(channels->fd);
	close(channels->own_fd);
	pthread_mutex_destroy(&channels->lock);
	free(channels);
}

static int sim_channels_fd(struct event_channels *channels)
{
	return channels->fd;
}

/* Linux: once for good, and to no domain that can't be. */
static int sim_channels_restrict(struct event_channels *channels, uint16_t domid)
{
	int error = sim_fault_check(channels->machine, SIM_EVENT_CHANNELS_RESTRICT);

	if (error < 0)
		return error;
	pthread_rwlock_wrlock(&channels->machine->ports_lock);
	if (channels->restricted_to >= 0 || domid == 0 || domid > SIM_DOMID_MAX)
		error = -EINVAL;
	else
		channels->restricted_to = domid;
	pthread_rwlock_unlock(&channels->machine->ports_lock);
	return error;
}

/* bind_port - Linux's and Xen's errors. ports_lock is held for writing. */
static int bind_port(struct event_channels *channels, uint16_t domid, uint32_t remote_port)
{
	struct sim_machine *machine = channels->machine;
	uint32_t number = FIRST_HOST_PORT;
	struct sim_guest_port *remote;
	struct sim_guest *guest;

	if (channels->restricted_to >= 0 && channels->restricted_to != domid)
		return -EACCES;
	guest = sim_guest_find(machine, domid);
	if (!guest)
		return -ESRCH;
	remote = port_at(guest, remote_port);
	if (!remote || remote->state != SIM_PORT_UNBOUND || remote->domid != SIM_HOST_DOMID)
		return -EINVAL;
	while (number < SIM_HOST_PORTS_MAX && machine->host_ports[number].owner)
		number++;
	if (number == SIM_HOST_PORTS_MAX)
		return -ENOSPC;
	machine->host_ports[number] = (struct sim_host_port){
		.owner = channels, .guest = guest, .guest_port = remote_port};
	remote->state = SIM_PORT_BOUND;
	remote->host_port = number;
	/* Events may have been sent before somebody was there, so Xen makes the port pending. */
	raise_event(machine, number);
	return (int)number;
}

static int sim_channels_bind(struct event_channels *channels, uint16_t domid, uint32_t remote_port)
{
	int number = sim_fault_check(channels->machine, SIM_EVENT_CHANNELS_BIND);

	if (number < 0)
		return number;
	/* The guest is kept by machine->lock until its port is bound; then sim_ports_destroy finds that. */
	pthread_mutex_lock(&channels->machine->lock);
	pthread_rwlock_wrlock(&channels->machine->ports_lock);
	number = bind_port(channels, domid, remote_port);
	pthread_rwlock_unlock(&channels->machine->ports_lock);
	pthread_mutex_unlock(&channels->machine->lock);
	return number;
}

static int sim_channels_unbind(struct event_channels *channels, uint32_t number)
{
	struct sim_machine *machine = channels->machine;
	int error = sim_fault_check(machine, SIM_EVENT_CHANNELS_UNBIND);

	if (error < 0)
		return error;
	error = -ENOTCONN;
	pthread_rwlock_wrlock(&machine->ports_lock);
	if (number >= SIM_HOST_PORTS_MAX) {
		error = -EINVAL;
	} else if (machine->host_ports[number].owner == channels) {
		unbind(&machine->host_ports[number]);
		error = 0;
	}
	pthread_rwlock_unlock(&machine->ports_lock);
	return error;
}

static int sim_channels_notify(struct event_channels *channels, uint32_t number)
{
	struct sim_machine *machine = channels->machine;
	struct sim_host_port *port = number < SIM_HOST_PORTS_MAX ? &machine->host_ports[number] : NULL;
	const uint64_t one = 1;
	int error = sim_faulty(machine) ? sim_fault_check(machine, SIM_EVENT_CHANNELS_NOTIFY) : 0;

	if (error < 0)
		return error;
	pthread_rwlock_rdlock(&machine->ports_lock);
	if (!port || port->owner != channels)
		error = -ENOTCONN;
	else if (port->guest)
		/* It can only fail when the guest never clears it, and then it is set already. */
		(void)!write(port->guest->ports[port->guest_port].fd, &one, sizeof(one));
	pthread_rwlock_unlock(&machine->ports_lock);
	return error;
}

void sim_events_platform(struct platform *platform)
{
	platform->event_channels_open = sim_channels_open;
	platform->event_channels_close = sim_channels_close;
	platform->event_channels_fd = sim_channels_fd;
	platform->event_channels_restrict = sim_channels_restrict;
	platform->event_channels_bind = sim_channels_bind;
	platform->event_channels_unbind = sim_channels_unbind;
	platform->event_channels_notify = sim_channels_notify;
}
