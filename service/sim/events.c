// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * events.c - event channels: guests' ports and the host's handles, bound to each other and unbound
 *
 * A guest's end is an eventfd. What becomes of an event for the host is in event_delivery.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sim/machine.h"

/* Numbers begin at different places, so that the one end's can't be taken for the other's. */
#define FIRST_GUEST_PORT 8u
#define FIRST_HOST_PORT 1200u

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
	sim_clear(port->fd);
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
		sim_raise_event(machine, port->host_port);
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
	while (!sim_clear(polled.fd)) {
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
	if (epoll_ctl(machine->unmasker_epoll, EPOLL_CTL_ADD, opened->own_fd, &event) < 0)
		abort();
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
	sim_take_unmasks(channels);
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
	if (epoll_ctl(machine->unmasker_epoll, EPOLL_CTL_DEL, channels->own_fd, NULL) < 0)
		abort();
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
	sim_raise_event(machine, number);
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
