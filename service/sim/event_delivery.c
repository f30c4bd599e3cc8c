// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event_delivery.c - events on their way to the host: what is masked, what is held, and the unmasker
 *
 * Theory of operation: the host's end of an event channel is a port of a handle, as of /dev/xen/evtchn: one
 * descriptor, from which pending ports are read and to which ports are written to unmask them. It is one end of a
 * stream socket pair; we have the other. An event for a port that is not masked is written there, and masks it.
 *
 * What the host writes to unmask lies in the socket until somebody looks. Nobody needs to know while no event is
 * held, so we look when there is an event for a port that we take for masked. If it is still masked then, the event is
 * held, and the machine's thread, the unmasker, waits for the host to write; otherwise the event has cost two system
 * calls, and has not woken the unmasker. None is lost, whoever sleeps where. (To look several times before an event is
 * held was tried: it took the guest's time, and no fewer events were held.)
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sim/machine.h"

#define UNMASK_BATCH 64

static void must(bool good)
{
	if (!good)
		abort();
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

/* wake_later - have the unmasker send what a fault keeps back, all together when the first is due. */
static void wake_later(struct sim_machine *machine, uint32_t delay_us)
{
	struct itimerspec due = {
		.it_value = {.tv_sec = delay_us / 1000000, .tv_nsec = (long)(delay_us % 1000000) * 1000},
	};

	if (__atomic_exchange_n(&machine->late_timer_set, true, __ATOMIC_SEQ_CST))
		return;
	must(timerfd_settime(machine->late_timer, 0, &due, NULL) == 0);
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

void sim_take_unmasks(struct event_channels *channels)
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
		sim_take_unmasks(channels);
	if (!port->masked) {
		deliver(channels, number);
	} else if (!port->held) {
		port->held = true;
		channels->held++;
	}
	if (channels->held > 0 && (!channels->watched || channels->full))
		watch(channels);
}

void sim_raise_event(struct sim_machine *machine, uint32_t number)
{
	struct sim_host_port *port = &machine->host_ports[number];
	struct event_channels *channels = port->owner;
	uint32_t late_us = sim_faulty(machine) ? sim_fault_delay(machine, SIM_EVENT) : 0;

	pthread_mutex_lock(&channels->lock);
	if (late_us > 0) {
		port->late = true;
		wake_later(machine, late_us);
	} else {
		send_event(channels, number);
	}
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

/* look_after - the host has written, or read, unless the handle was closed meanwhile. ports_lock is held. */
static void look_after(struct sim_machine *machine, const void *watched)
{
	struct event_channels *channels = machine->channels;

	/* Another one of the same address does not mind. */
	while (channels && channels != watched)
		channels = channels->next;
	if (!channels)
		return;
	pthread_mutex_lock(&channels->lock);
	channels->watched = false;
	sim_take_unmasks(channels);
	if (channels->full)
		deliver_rest(channels);
	if (channels->held > 0)
		watch(channels);
	pthread_mutex_unlock(&channels->lock);
}

/* send_late - the events that were kept back. ports_lock is held. */
static void send_late(struct sim_machine *machine)
{
	sim_clear(machine->late_timer);
	/* An event that is kept back from here on is seen below, or sets the timer anew. */
	__atomic_store_n(&machine->late_timer_set, false, __ATOMIC_SEQ_CST);
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
