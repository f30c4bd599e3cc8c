// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * interface_news.c - what becomes of the host's interfaces
 */
#include "interface_news.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int interface_news_open(struct xvhost_net *net, const char *backend)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	int error;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	net->host->fail(net, "backend %s can't listen for news of interfaces: %s", backend, strerror(-error));
	return error;
}

void interface_news_read(int fd)
{
	char byte;

	/* One that says that some were lost is one, too. */
	while (recv(fd, &byte, sizeof(byte), MSG_TRUNC) >= 0 || errno == ENOBUFS || errno == EINTR)
		;
}

int interface_find(int fd, const char *name)
{
	struct ifreq request = {0};

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	return ioctl(fd, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

struct interface_state interface_look(int fd, int index)
{
	struct interface_state state = {0};
	struct ifreq request = {.ifr_ifindex = index};

	if (index == 0 || ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return state;
	state.exists = true;
	state.up = request.ifr_flags & IFF_UP;
	state.runs = state.up && (request.ifr_flags & IFF_RUNNING);
	return state;
}

bool interface_check_name(struct xvhost_net *net, const char *what, const char *name)
{
	size_t length = strlen(name);

	if (length > 0 && length < IFNAMSIZ && !strpbrk(name, "/:% \t\n") && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0)
		return true;
	net->host->fail(net, "%s is '%s', it must be an interface's name, of at most %d bytes", what, name,
			IFNAMSIZ - 1);
	return false;
}
