// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch_join.c - how a port becomes part of its switch, and leaves it
 *
 * Theory of operation: nothing is in the middle. Each switch has a folder, in which each port has a socket to listen on. Who joins takes the
 * lock of the folder, listens on its own socket, connects to all others, and gives the lock back: so of two ports exactly one has connected
 * to the other. Nobody waits for an answer: a port whose guest has not connected yet leaves it for later. A socket on which nobody listens
 * was left behind by a worker that was killed, and is removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "switch_internal.h"

#define NAME_DEFAULT "default"
#define NAME_MAX_BYTES 31
#define LOCK_NAME "lock" /* names of ports begin with a digit */
#define LOCK_TRIES 500
#define LOCK_WAIT_NS 10000000 /* before each but the first */
/* Connections that wait for a port whose guest is not there; those whose other side has gone meanwhile count, too. */
#define BACKLOG 4096

static int fail(const struct switch_port *port, int error, const char *what, const char *name)
{
	port->net->host->fail(port->net, "backend switch can't %s %s: %s", what, name, strerror(-error));
	return error;
}

/* check_name - of a switch or a card: one that a file can have. */
static bool check_name(const struct switch_port *port, const char *what, const char *name)
{
	size_t length = strlen(name);

	if (length > 0 && length <= NAME_MAX_BYTES && !strchr(name, '/') && name[0] != '.')
		return true;
	port->net->host->fail(
		port->net, "%s is '%s', it must be 1 to %d bytes without '/', the first of which is no '.'",
		what, name, NAME_MAX_BYTES);
	return false;
}

/* name_port - the folder and the socket in it. */
static int name_port(struct switch_port *port, const struct switch_config *config, char *folder,
		     size_t folder_bytes)
{
	const struct xvhost_net *net = port->net;
	const char *name = config->name ? config->name : net->bridge ? net->bridge : NAME_DEFAULT;
	struct sockaddr_un *address = &port->address;
	int length;

	if (!check_name(port, "the switch's name", name) ||
	    !check_name(port, "the card's interface", net->interface))
		return -EINVAL;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(folder, folder_bytes, "%s/%s", config->directory, name);
	length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%u-%s", folder, net->domid,
			  net->interface);
	if (length > 0 && (size_t)length < sizeof(address->sun_path))
		return 0;
	net->host->fail(port->net,
			"parameter directory of backend switch is '%s': it is too long for a socket",
			config->directory);
	return -ENAMETOOLONG;
}

static int make_folder(const struct switch_port *port, const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(port, -errno, "make the folder", path);
	return 0;
}

/* lock - returns the descriptor that holds it. Others hold it for some milliseconds. */
static int lock(const struct switch_port *port, const char *folder)
{
	const struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};
	char path[sizeof(port->address.sun_path) + sizeof(LOCK_NAME)];
	int fd, error;

	snprintf(path, sizeof(path), "%s/" LOCK_NAME, folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(port, -errno, "open", path);
	for (uint32_t i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		error = -errno;
		if (error != -EWOULDBLOCK && error != -EINTR)
			break;
		nanosleep(&wait, NULL);
	}
	close(fd);
	return fail(port, error, "lock", path);
}

/* connect_to - returns a connection; -ECONNREFUSED: nobody listens there; or another negative errno. */
static int connect_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* start_listening - on the port's own socket. */
static int start_listening(struct switch_port *port)
{
	const char *path = port->address.sun_path;
	int other = connect_to(&port->address), error;

	if (other >= 0 || other == -EAGAIN) {
		if (other >= 0)
			close(other);
		port->net->host->fail(port->net, "%s is part of the switch already: somebody listens on %s",
				      port->net->name, path);
		return -EBUSY;
	}
	if (other == -ECONNREFUSED)
		unlink(path);
	port->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (port->listener < 0)
		return fail(port, -errno, "make the socket", path);
	if (bind(port->listener, (const struct sockaddr *)&port->address, sizeof(port->address)) == 0 &&
	    listen(port->listener, BACKLOG) == 0)
		return 0;
	error = -errno;
	/* What is there is somebody else's. */
	close(port->listener);
	port->listener = -1;
	return fail(port, error, "listen on", path);
}

/* greet - the port that listens here. One that can't be greeted is left out. Returns -ENOSPC if there are too many, else 0. */
static int greet(struct switch_port *port, const struct sockaddr_un *address)
{
	int error = connect_to(address);

	if (error == -ECONNREFUSED)
		unlink(address->sun_path);
	if (error == -ECONNREFUSED || error == -ENOENT)
		return 0;
	if (error >= 0)
		error = switch_peer_greet(port, error);
	if (error == -ENOSPC) {
		port->net->host->fail(port->net, "the switch has %u ports already, which is all it can have",
				      SWITCH_PORTS_MAX);
		return error;
	}
	if (error < 0)
		port->net->host->log(port->net, XVHOST_LOG_WARNING, "can't reach the switch's port %s: %s",
				     address->sun_path, strerror(-error));
	return 0;
}

/* greet_all - the others in the folder. */
static int greet_all(struct switch_port *port, const char *folder)
{
	const char *own = strrchr(port->address.sun_path, '/') + 1;
	DIR *entries = opendir(folder);
	struct dirent *entry;
	int error = 0;

	if (!entries)
		return fail(port, -errno, "read", folder);
	while (error == 0 && (entry = readdir(entries))) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int length;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || strcmp(entry->d_name, own) == 0)
			continue;
		length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, entry->d_name);
		if (length > 0 && (size_t)length < sizeof(address.sun_path))
			error = greet(port, &address);
	}
	closedir(entries);
	return error;
}

int switch_join(struct switch_port *port, const struct switch_config *config)
{
	char folder[sizeof(port->address.sun_path)];
	int lock_fd, error = name_port(port, config, folder, sizeof(folder));

	if (error == 0)
		error = make_folder(port, config->directory);
	if (error == 0)
		error = make_folder(port, folder);
	if (error < 0)
		return error;
	port->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (port->epoll < 0)
		return fail(port, -errno, "make a descriptor for", port->address.sun_path);
	port->listener = -1;
	lock_fd = lock(port, folder);
	error = lock_fd;
	if (error >= 0) {
		error = start_listening(port);
		if (error == 0)
			error = greet_all(port, folder);
		/* Before the lock is given back, or the socket may be another's. */
		if (error < 0)
			switch_leave(port);
		close(lock_fd);
	} else {
		close(port->epoll);
	}
	return error;
}

void switch_leave(struct switch_port *port)
{
	if (port->listener >= 0) {
		unlink(port->address.sun_path);
		close(port->listener);
	}
	for (uint32_t i = port->peers_end; i-- > 0;)
		if (port->peers[i].state != SWITCH_PEER_NONE)
			switch_peer_free(port, &port->peers[i]);
	close(port->epoll);
}
