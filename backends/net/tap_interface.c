// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap_interface.c - the interface: made, its queues attached and detached, looked at
 *
 * Theory of operation: the interface lives as long as a descriptor of it. Several queues make it an interface of several queues,
 * of which those that are not in use are detached: Linux gives packets to the others only. It has a link while a queue is
 * attached, so that nothing gathers for a guest that is not connected.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "interface_news.h"
#include "tap_internal.h"

#define DEVICE "/dev/net/tun"

/* The MAC of the host's side, as interfaces of Xen's guests have it: higher than any of a card, so that a bridge does not take
 * it for its own. */
static const unsigned char host_mac[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};

/* open_queue - a descriptor, and with the first one the interface. */
static int open_queue(struct xvhost_net *net, const char *name, uint32_t index, uint32_t count)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int error;

	if (fd < 0) {
		error = -errno;
		net->host->fail(net, "backend tap can't open %s, which is Linux's module tun: %s", DEVICE,
				strerror(-error));
		return error;
	}
	/* An interface that is there already is somebody else's. */
	if (index == 0)
		request.ifr_flags = (short)(request.ifr_flags | IFF_TUN_EXCL);
	if (count > 1)
		request.ifr_flags = (short)(request.ifr_flags | IFF_MULTI_QUEUE);
	strcpy(request.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	error = -errno;
	close(fd);
	if (error == -EBUSY && index == 0)
		net->host->fail(net, "backend tap can't make the interface '%s': there is one of that name",
				name);
	else
		net->host->fail(net, "backend tap can't make queue %u of the interface '%s': %s", index, name,
				strerror(-error));
	return error;
}

/* set - one property of the interface; `what` is for the text. */
static int set(struct xvhost_net *net, int socket_fd, unsigned long request, struct ifreq *argument,
	       const char *what)
{
	int error;

	if (ioctl(socket_fd, request, argument) == 0)
		return 0;
	error = -errno;
	net->host->fail(net, "backend tap can't %s of the interface '%s': %s", what, argument->ifr_name,
			strerror(-error));
	return error;
}

/* add_to_bridge - as its port. */
static int add_to_bridge(struct xvhost_net *net, int socket_fd, const char *name, const char *bridge)
{
	struct ifreq request = {.ifr_ifindex = (int)if_nametoindex(name)};
	int error;

	strcpy(request.ifr_name, bridge);
	if (ioctl(socket_fd, SIOCBRADDIF, &request) == 0)
		return 0;
	error = -errno;
	net->host->fail(net, "parameter bridge of backend tap is '%s': %s", bridge,
			error == -ENODEV       ? "there is no such interface"
			: error == -EOPNOTSUPP ? "that is no bridge"
					       : strerror(-error));
	return error;
}

/* set_up - MTU, MAC and bridge; then packets can come. */
static int set_up(struct xvhost_net *net, const char *name, const char *bridge)
{
	int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_mtu = (int)net->mtu};
	int error;

	if (socket_fd < 0) {
		error = -errno;
		net->host->fail(net, "backend tap can't make a socket: %s", strerror(-error));
		return error;
	}
	strcpy(request.ifr_name, name);
	error = set(net, socket_fd, SIOCSIFMTU, &request, "set the MTU");
	if (error == 0) {
		request.ifr_hwaddr = (struct sockaddr){.sa_family = ARPHRD_ETHER};
		memcpy(request.ifr_hwaddr.sa_data, host_mac, sizeof(host_mac));
		error = set(net, socket_fd, SIOCSIFHWADDR, &request, "set the MAC");
	}
	if (error == 0 && bridge)
		error = add_to_bridge(net, socket_fd, name, bridge);
	if (error == 0)
		error = set(net, socket_fd, SIOCGIFFLAGS, &request, "get the flags");
	if (error == 0) {
		request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
		error = set(net, socket_fd, SIOCSIFFLAGS, &request, "set the flags");
	}
	close(socket_fd);
	return error;
}

/* set_link - of the whole interface, by a queue that is part of it. */
static int set_link(int fd, int link)
{
	return ioctl(fd, TUNSETCARRIER, &link) == 0 ? 0 : -errno;
}

/* set_attached - nothing to do where the interface has one queue. */
static int set_attached(const struct tap *tap, uint32_t index, bool attached)
{
	struct ifreq request = {.ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

	return tap->queue_count == 1 || ioctl(tap->fds[index], TUNSETQUEUE, &request) == 0 ? 0 : -errno;
}

/* rest - all queues are as they are while no guest is connected. */
static int rest(struct xvhost_net *net, const struct tap *tap, const char *name)
{
	int error = set_link(tap->fds[0], 0);

	for (uint32_t i = 0; i < tap->queue_count && error == 0; i++)
		error = set_attached(tap, i, false);
	if (error < 0)
		net->host->fail(net, "backend tap can't detach the queues of the interface '%s': %s", name,
				strerror(-error));
	return error;
}

int tap_interface_make(struct xvhost_net *net, const struct tap_config *config, struct tap *tap)
{
	const char *name = config->name ? config->name : net->interface;
	uint32_t opened = 0;
	int error = 0;

	if (!interface_check_name(net, "parameter name of backend tap", name) ||
	    (config->bridge && !interface_check_name(net, "parameter bridge of backend tap", config->bridge)))
		return -EINVAL;
	while (opened < tap->queue_count && error == 0) {
		tap->fds[opened] = open_queue(net, name, opened, tap->queue_count);
		if (tap->fds[opened] < 0)
			error = tap->fds[opened];
		else
			opened++;
	}
	if (error == 0)
		error = rest(net, tap, name);
	if (error == 0)
		error = set_up(net, name, config->bridge);
	tap->index = error == 0 ? interface_find(tap->news, name) : 0;
	tap->up = true;
	while (error < 0 && opened > 0)
		close(tap->fds[--opened]);
	return error;
}

int tap_interface_attach(struct xvhost_net *net, struct tap *tap, uint32_t index, unsigned int offload)
{
	const char *what = "attach";
	int fd = tap->fds[index];
	int error = set_attached(tap, index, true);

	if (error == 0) {
		what = "set the offloads for";
		error = ioctl(fd, TUNSETOFFLOAD, offload) == 0 ? 0 : -errno;
	}
	if (error == 0) {
		what = "give a link to";
		error = set_link(fd, 1);
	}
	if (error == 0) {
		tap->attached++;
		return 0;
	}
	net->host->log(net, XVHOST_LOG_ERROR, "backend tap can't %s queue %u: %s", what, index,
		       strerror(-error));
	set_attached(tap, index, false);
	return error;
}

void tap_interface_detach(struct tap *tap, uint32_t index)
{
	/* Where the interface was removed these fail, and nothing is left to do. */
	if (--tap->attached == 0)
		set_link(tap->fds[index], 0);
	set_attached(tap, index, false);
}

void tap_interface_look(struct xvhost_net *net, struct tap *tap)
{
	struct interface_state state = interface_look(tap->news, tap->index);

	if (tap->removed)
		return;
	tap->removed = !state.exists;
	if (tap->removed)
		net->host->log(net, XVHOST_LOG_ERROR,
			       "the interface was removed: all packets are dropped until the card is "
			       "attached again");
	else if (tap->up != state.up)
		net->host->log(net, XVHOST_LOG_INFO, "the interface was set %s", state.up ? "up" : "down");
	tap->up = state.up;
	net->host->link(net, tap->up);
}
