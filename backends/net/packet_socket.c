// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet_socket.c - packet sockets (packet(7))
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet_internal.h"

/* As much of the kernel's memory may be used for packets that wait for the guest: some 1000 of an Ethernet's MTU. */
#define RECEIVE_BYTES (4 << 20)

/* What is sent is bounded by the guest's ring. A write must not wait for room: another one might overtake it. */
#define SEND_BYTES (1 << 30)

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* prepare - before it is bound. */
static int prepare(int fd)
{
	int error = packet_filter_close(fd);

	if (error == 0)
		error = set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	if (error == 0)
		error = set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (error == 0)
		error = set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES / 2);
	if (error == 0)
		error = set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BYTES / 2);
	return error;
}

int packet_socket_open(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = prepare(fd);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

int packet_socket_bind(int fd, int index)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};

	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
}

int packet_socket_join(int fd, int index, bool others)
{
	const struct packet_mreq request = {.mr_ifindex = index,
					    .mr_type = others ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI};

	return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) == 0 ? 0 : -errno;
}

void packet_socket_empty(int fd)
{
	char byte;

	/* The first may tell that the interface was down. */
	while (recv(fd, &byte, sizeof(byte), MSG_TRUNC) >= 0 || (errno != EAGAIN && errno != EBADF))
		;
}

uint32_t packet_socket_dropped(int fd)
{
	struct tpacket_stats statistics;
	socklen_t size = sizeof(statistics);

	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0 ? statistics.tp_drops
										      : 0;
}
