// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap_card.c - a card of the tap backend over a real interface, for its tests
 */
#include "tap_card.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_net_host.h"

int tap_card_control, tap_card_wire;

/* be_quiet - Linux is not to send packets of its own. Where there is no IPv6, it sends none. */
static void be_quiet(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);

	if (fd < 0) {
		ck_assert_int_eq(errno, ENOENT);
		return;
	}
	ck_assert_int_eq(write(fd, "1", 1), 1);
	close(fd);
}

void tap_card_namespace(void)
{
	int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;

	ck_assert_msg(unshare(flags) == 0, "no network namespace can be made: %s", strerror(errno));
	be_quiet();
	tap_card_control = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_ge(tap_card_control, 0);
	tap_card_wire = -1;
}

void tap_card_prepare(void)
{
	ck_assert_msg(access("/dev/net/tun", R_OK | W_OK) == 0,
		      "the tests of backend tap need /dev/net/tun: %s", strerror(errno));
	tap_card_namespace();
}

int tap_card_question(const char *name, unsigned long request, struct ifreq *argument)
{
	strcpy(argument->ifr_name, name);
	return ioctl(tap_card_control, request, argument) == 0 ? 0 : -errno;
}

int tap_card_flags(const char *name)
{
	struct ifreq request = {0};

	return tap_card_question(name, SIOCGIFFLAGS, &request) == 0 ? (unsigned short)request.ifr_flags : 0;
}

void tap_card_set_up(const char *name, bool up)
{
	struct ifreq request = {0};

	ck_assert_int_eq(tap_card_question(name, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
	ck_assert_int_eq(tap_card_question(name, SIOCSIFFLAGS, &request), 0);
}

bool tap_card_has_link(const char *name)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
	struct ifreq request = {.ifr_data = (void *)&value};

	ck_assert_int_eq(tap_card_question(name, SIOCETHTOOL, &request), 0);
	return value.data;
}

void tap_card_listen(const char *interface, bool with_headers)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int one = 1;

	tap_card_wire = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(tap_card_wire, 0);
	if (with_headers)
		ck_assert_int_eq(setsockopt(tap_card_wire, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)),
				 0);
	ck_assert_int_eq(setsockopt(tap_card_wire, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	address.sll_ifindex = (int)if_nametoindex(interface);
	ck_assert_int_eq(bind(tap_card_wire, (struct sockaddr *)&address, sizeof(address)), 0);
}

void tap_card_open(const struct xvhost_net_backend *tap_backend, uint16_t queues, bool with_headers)
{
	ck_assert_msg(fake_net_open(tap_backend, "tap", queues) == 0, "%s", fake_net_text);
	tap_card_listen(INTERFACE, with_headers);
}

void tap_card_close(void)
{
	close(tap_card_wire);
	fake_net_close();
}

void tap_card_wait_link(const char *name)
{
	for (int i = 0; i < 1000 && !(tap_card_flags(name) & IFF_RUNNING); i++)
		usleep(5000);
	ck_assert(tap_card_flags(name) & IFF_RUNNING);
	/* The flag is seen a little earlier; this question is answered after what belongs to it. */
	ck_assert(tap_card_has_link(name));
}

void tap_card_start(uint32_t index, uint32_t takes)
{
	fake_net_start(index, takes);
	tap_card_wait_link(INTERFACE);
}

/* tap_card_frame - with our EtherType and a number; bytes that follow from it. Returns its length. */
size_t tap_card_frame(uint8_t frame[PACKET_MAX], uint32_t number, size_t bytes)
{
	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x02\x00\x00\x00\x00\x01", 6);
	frame[12] = FRAME_TYPE >> 8;
	frame[13] = FRAME_TYPE & 0xff;
	for (size_t i = 14; i < bytes; i++)
		frame[i] = (uint8_t)(number + i * 7);
	memcpy(frame + 14, &number, sizeof(number));
	return bytes;
}

void tap_card_send(uint32_t number, size_t bytes)
{
	uint8_t frame[PACKET_MAX];

	tap_card_frame(frame, number, bytes);
	ck_assert_int_eq(send(tap_card_wire, frame, bytes, 0), (ssize_t)bytes);
}

void tap_card_got(uint32_t place, uint32_t number, size_t bytes)
{
	uint8_t frame[PACKET_MAX];

	ck_assert_uint_lt(place, fake_net_received_count);
	ck_assert_uint_eq(fake_net_received[place].packet.length, bytes);
	tap_card_frame(frame, number, bytes);
	ck_assert_msg(memcmp(fake_net_received[place].piece.iov_base, frame, bytes) == 0,
		      "packet %u is not frame %u", place, number);
}

size_t tap_card_from_wire(uint8_t *bytes)
{
	struct pollfd polled = {.fd = tap_card_wire, .events = POLLIN};
	ssize_t length;

	poll(&polled, 1, 5000);
	length = recv(tap_card_wire, bytes, PACKET_MAX, 0);

	return length < 0 ? 0 : (size_t)length;
}

void tap_card_remove(const char *name)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg message;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_DELLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.message = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name)},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	ck_assert_int_eq(send(netlink, &request, sizeof(request), 0), sizeof(request));
	ck_assert_int_ge(recv(netlink, &answer, sizeof(answer), 0), (ssize_t)sizeof(answer.header));
	ck_assert_int_eq(answer.error.error, 0);
	close(netlink);
	ck_assert_uint_eq(if_nametoindex(name), 0);
}
