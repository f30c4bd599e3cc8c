// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tap backend over real interfaces, in a network namespace of each test's own. It needs /dev/net/tun. The other side of an
 * interface is a packet socket, which sees the headers that large packets and blank checksums have.
 */
#include "../../backends/net/tap.c"
#include "../../backends/net/tap_header.c"
#include "../../backends/net/tap_interface.c"
#include "../../backends/net/tap_receive.c"

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <sched.h>
#include <stdio.h>

#include "fake_net_host.h"
#include "ipv4_packets.h"

#include "check_main.h" /* last: it has a macro called fail */

#define INTERFACE "vif1.0"
#define TEST_TYPE 0x88b5 /* an EtherType for experiments */

static int control, wire; /* a socket for questions, and one that is the other side of the interface */

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

static void prepare(void)
{
	int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;

	ck_assert_msg(access("/dev/net/tun", R_OK | W_OK) == 0,
		      "the tests of backend tap need /dev/net/tun: %s", strerror(errno));
	ck_assert_msg(unshare(flags) == 0, "no network namespace can be made: %s", strerror(errno));
	be_quiet();
	control = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_ge(control, 0);
	wire = -1;
}

/* question - an ioctl about an interface. */
static int question(const char *name, unsigned long request, struct ifreq *argument)
{
	strcpy(argument->ifr_name, name);
	return ioctl(control, request, argument) == 0 ? 0 : -errno;
}

static int flags_of(const char *name)
{
	struct ifreq request = {0};

	return question(name, SIOCGIFFLAGS, &request) == 0 ? (unsigned short)request.ifr_flags : 0;
}

static bool has_link(void)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
	struct ifreq request = {.ifr_data = (void *)&value};

	ck_assert_int_eq(question(INTERFACE, SIOCETHTOOL, &request), 0);
	return value.data;
}

/* open_card - and the other side of its interface, with headers if that is wanted. */
static void open_card(uint16_t queues, bool with_headers)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int one = 1;

	ck_assert_msg(fake_net_open(&tap_backend, "tap", queues) == 0, "%s", fake_net_text);
	wire = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(wire, 0);
	if (with_headers)
		ck_assert_int_eq(setsockopt(wire, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	ck_assert_int_eq(setsockopt(wire, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	address.sll_ifindex = (int)if_nametoindex(INTERFACE);
	ck_assert_int_eq(bind(wire, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void close_card(void)
{
	close(wire);
	fake_net_close();
}

/* start - a queue, and wait until Linux sends packets: it takes notice of a link in its own time. */
static void start(uint32_t index, uint32_t takes)
{
	fake_net_start(index, takes);
	for (int i = 0; i < 1000 && !(flags_of(INTERFACE) & IFF_RUNNING); i++)
		usleep(5000);
	ck_assert(flags_of(INTERFACE) & IFF_RUNNING);
	/* The flag is seen a little earlier; this question is answered after what belongs to it. */
	ck_assert(has_link());
}

/* make_frame - with our EtherType and a number; bytes that follow from it. Returns its length. */
static size_t make_frame(uint8_t frame[PACKET_MAX], uint32_t number, size_t bytes)
{
	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x00\x16\x3e\x01\x02\x03", 6);
	frame[12] = TEST_TYPE >> 8;
	frame[13] = TEST_TYPE & 0xff;
	for (size_t i = 14; i < bytes; i++)
		frame[i] = (uint8_t)(number + i * 7);
	memcpy(frame + 14, &number, sizeof(number));
	return bytes;
}

static void send_frame(uint32_t number, size_t bytes)
{
	uint8_t frame[PACKET_MAX];

	make_frame(frame, number, bytes);
	ck_assert_int_eq(send(wire, frame, bytes, 0), (ssize_t)bytes);
}

/* got - the guest's packet at this place is that frame. */
static void got(uint32_t place, uint32_t number, size_t bytes)
{
	uint8_t frame[PACKET_MAX];

	ck_assert_uint_lt(place, fake_net_received_count);
	ck_assert_uint_eq(fake_net_received[place].packet.length, bytes);
	make_frame(frame, number, bytes);
	ck_assert_msg(memcmp(fake_net_received[place].piece.iov_base, frame, bytes) == 0,
		      "packet %u is not frame %u", place, number);
}

/* from_wire - what came to the other side. Returns its bytes, or 0. */
static size_t from_wire(uint8_t *bytes)
{
	ssize_t length = recv(wire, bytes, PACKET_MAX, 0);

	return length < 0 ? 0 : (size_t)length;
}

/* remove_interface - as somebody on the host may. */
static void remove_interface(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg message;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_DELLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.message = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(INTERFACE)},
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
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);
}

/* ---- the interface ---- */

/* It is there, as the toolstack's scripts want it, from open to close; it has a link while a queue runs. */
START_TEST(life)
{
	const uint16_t queues = _i == 0 ? 1 : 3;
	struct ifreq request = {0};

	open_card(queues, false);
	ck_assert_uint_eq(fake_net_properties.queues_max, queues);
	ck_assert_uint_eq(fake_net_properties.flags, FAKE_NET_ALL);
	ck_assert_int_eq(question(INTERFACE, SIOCGIFMTU, &request), 0);
	ck_assert_int_eq(request.ifr_mtu, 1400);
	ck_assert_int_eq(question(INTERFACE, SIOCGIFHWADDR, &request), 0);
	ck_assert_mem_eq(request.ifr_hwaddr.sa_data, "\xfe\xff\xff\xff\xff\xff", 6);
	ck_assert(flags_of(INTERFACE) & IFF_UP);
	ck_assert(!has_link());
	for (uint32_t times = 0; times < 2; times++) {
		for (uint32_t i = 0; i < queues; i++) {
			fake_net_start(i, 0);
			ck_assert(has_link());
		}
		for (uint32_t i = 0; i < queues; i++) {
			ck_assert(has_link());
			fake_net_stop(i);
		}
		ck_assert(!has_link());
	}
	close_card();
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);
}
END_TEST

START_TEST(bridge)
{
	struct ifreq request = {0};

	ck_assert_msg(ioctl(control, SIOCBRADDBR, "br0") == 0, "no bridge can be made: %s", strerror(errno));
	ck_assert_msg(fake_net_open(&tap_backend, "tap:bridge=br0,name=other", 1) == 0, "%s", fake_net_text);
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);
	request.ifr_ifindex = (int)if_nametoindex("other");
	ck_assert_int_gt(request.ifr_ifindex, 0);
	/* It is a port, or it could not be taken out. */
	ck_assert_int_eq(question("br0", SIOCBRDELIF, &request), 0);
	fake_net_close();
}
END_TEST

/* refused - and nothing of it is left. */
static void refused(const char *target, int error, const char *says)
{
	ck_assert_int_eq(fake_net_open(&tap_backend, target, 2), error);
	ck_assert_str_eq(fake_net_text, says);
	ck_assert_uint_eq(if_nametoindex("new"), 0);
}

START_TEST(refusals)
{
	refused("tap:name=lo", -EBUSY,
		"backend tap can't make the interface 'lo': there is one of that name");
	refused("tap:name=new%d", -EINVAL,
		"parameter name of backend tap is 'new%d', it must be an interface's name, of at most 15 "
		"bytes");
	refused("tap:name=sixteen-letters-", -EINVAL,
		"parameter name of backend tap is 'sixteen-letters-', it must be an interface's name, of at "
		"most 15 "
		"bytes");
	refused("tap:name=new,bridge=a/b", -EINVAL,
		"parameter bridge of backend tap is 'a/b', it must be an interface's name, of at most 15 "
		"bytes");
	refused("tap:name=new,bridge=br7", -ENODEV,
		"parameter bridge of backend tap is 'br7': there is no such interface");
	refused("tap:name=new,bridge=lo", -EOPNOTSUPP,
		"parameter bridge of backend tap is 'lo': that is no bridge");
}
END_TEST

/* Another card's interface is not taken over. */
START_TEST(name_is_taken)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(request.ifr_name, INTERFACE);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &request), 0);
	ck_assert_int_eq(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
	ck_assert_int_eq(fake_net_open(&tap_backend, "tap", 1), -EBUSY);
	ck_assert_str_eq(fake_net_text,
			 "backend tap can't make the interface '" INTERFACE "': there is one of that name");
}
END_TEST

/* ---- from the guest ---- */

START_TEST(transmit)
{
	static const size_t lengths[] = {14, 15, 60, 1414};
	uint8_t frame[PACKET_MAX], seen[PACKET_MAX];

	open_card(1, false);
	start(0, 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t length = lengths[i];
		const struct iovec pieces[] = {
			{frame, 5}, {frame + 5, 0}, {frame + 5, 9}, {frame + 14, length - 14}};

		memset(frame, 0, sizeof(frame));
		frame[12] = TEST_TYPE >> 8;
		frame[13] = TEST_TYPE & 0xff;
		for (size_t at = 14; at < length; at++)
			frame[at] = (uint8_t)(at * 3);
		fake_net_transmit(0, pieces, 4, NULL);
		fake_net_run();
		ck_assert_uint_eq(fake_net_queues[0].transmitted, i + 1);
		ck_assert_int_eq(fake_net_queues[0].error, 0);
		ck_assert_uint_eq(from_wire(seen), length);
		ck_assert_mem_eq(seen, frame, length);
	}
	fake_net_stop(0);
	close_card();
}
END_TEST

/* Many at a time, each with its own memory, in their order. */
START_TEST(transmit_many)
{
	static uint8_t frames[FAKE_NET_PACKETS][PACKET_MAX];
	uint8_t seen[PACKET_MAX];

	open_card(1, false);
	start(0, 0);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++) {
		struct iovec piece = {frames[i], make_frame(frames[i], i, 100 + i)};

		fake_net_transmit(0, &piece, 1, NULL);
	}
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].transmitted, FAKE_NET_PACKETS);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++) {
		ck_assert_uint_eq(from_wire(seen), 100 + i);
		ck_assert_mem_eq(seen, frames[i], 100 + i);
	}
	fake_net_stop(0);
	close_card();
}
END_TEST

/* A large packet of the guest's goes out as it is. */
START_TEST(transmit_gso)
{
	static uint8_t frame[PACKET_MAX], seen[PACKET_MAX];
	const struct xvhost_packet shape = {.flags = XVHOST_PACKET_CHECKSUM_BLANK,
					    .gso = XVHOST_GSO_TCPV4,
					    .gso_bytes = 1000,
					    .header_bytes = TCP_HEADERS,
					    .checksum_start = 34,
					    .checksum_offset = 16};
	struct virtio_net_hdr header;
	size_t length = make_ipv4(frame, IPPROTO_TCP, 40000);
	const struct iovec pieces[] = {{frame, 128}, {frame + 128, length - 128}};

	open_card(1, true);
	start(0, 0);
	fake_net_transmit(0, pieces, 2, &shape);
	fake_net_run();
	ck_assert_int_eq(fake_net_queues[0].error, 0);
	ck_assert_uint_eq(from_wire(seen), sizeof(header) + length);
	memcpy(&header, seen, sizeof(header));
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_eq(header.gso_size, 1000);
	ck_assert_uint_eq(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.csum_start, 34);
	ck_assert_uint_eq(header.csum_offset, 16);
	ck_assert_mem_eq(seen + sizeof(header), frame, length);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* ---- to the guest ---- */

START_TEST(receive)
{
	uint32_t sent = 0;

	open_card(1, false);
	start(0, 0);
	send_frame(sent++, 14 + 46);
	fake_net_run();
	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < 100; i++, sent++)
			send_frame(sent, 60 + sent % 1000);
		fake_net_run();
	}
	ck_assert_uint_eq(fake_net_received_count, sent);
	got(0, 0, 60);
	for (uint32_t i = 1; i < sent; i++)
		got(i, i, 60 + i % 1000);
	/* Each read brought a packet, but for those that wait for the next. */
	ck_assert_uint_eq(fake_net_queues[0].reads - fake_net_queues[0].reading, sent);
	ck_assert_uint_gt(fake_net_queues[0].reading, 0);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* Where one packet comes at a time few reads are left to wait for it; where many do, many. */
START_TEST(reads_follow_packets)
{
	open_card(1, false);
	start(0, 0);
	for (uint32_t i = 0; i < 200; i++)
		send_frame(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 200);
	ck_assert_uint_ge(fake_net_queues[0].reading, TAP_BUFFERS / 2);
	for (uint32_t i = 0; i < 2 * TAP_BUFFERS; i++) {
		send_frame(i, 60);
		fake_net_run();
	}
	ck_assert_uint_ge(fake_net_queues[0].reading, 1);
	ck_assert_uint_le(fake_net_queues[0].reading, 2);
	ck_assert_uint_eq(fake_net_received_count, 200 + 2 * TAP_BUFFERS);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* send_ipv4 - a packet with a blank checksum, and with gso_bytes a large one, through the host's side. */
static void send_ipv4(uint8_t *frame, size_t length, uint8_t protocol, uint16_t gso_bytes)
{
	struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.csum_start = 34,
					.csum_offset = protocol == IPPROTO_TCP ? 16 : 6,
					.hdr_len = TCP_HEADERS,
					.gso_size = gso_bytes,
					.gso_type = gso_bytes ? VIRTIO_NET_HDR_GSO_TCPV4
							      : VIRTIO_NET_HDR_GSO_NONE};
	const struct iovec pieces[] = {{&header, sizeof(header)}, {frame, length}};

	ck_assert_int_eq(writev(wire, pieces, 2), (ssize_t)(sizeof(header) + length));
	fake_net_run();
}

/* A guest gets large packets and blank checksums if it takes them ... */
START_TEST(receive_offloads)
{
	static uint8_t frame[PACKET_MAX];
	const struct xvhost_packet *packet = &fake_net_received[0].packet;
	size_t length = make_ipv4(frame, IPPROTO_TCP, 30000);

	open_card(1, true);
	start(0, FAKE_NET_ALL);
	send_ipv4(frame, length, IPPROTO_TCP, 1300);
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert_uint_eq(packet->length, length);
	ck_assert_uint_eq(packet->gso, XVHOST_GSO_TCPV4);
	ck_assert_uint_eq(packet->gso_bytes, 1300);
	ck_assert_uint_eq(packet->header_bytes, TCP_HEADERS);
	ck_assert_uint_eq(packet->flags, XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD);
	ck_assert_uint_eq(packet->checksum_start, 34);
	ck_assert_uint_eq(packet->checksum_offset, 16);
	ck_assert_mem_eq(packet->iov->iov_base, frame, length);

	length = make_ipv4(frame, IPPROTO_UDP, 777);
	send_ipv4(frame, length, IPPROTO_UDP, 0);
	ck_assert_uint_eq(fake_net_received_count, 2);
	packet = &fake_net_received[1].packet;
	ck_assert_uint_eq(packet->gso, XVHOST_GSO_NONE);
	ck_assert_uint_eq(packet->flags, XVHOST_PACKET_CHECKSUM_BLANK | XVHOST_PACKET_CHECKSUM_GOOD);
	ck_assert_uint_eq(packet->checksum_offset, 6);
	ck_assert_mem_eq(packet->iov->iov_base, frame, length);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* ... and segments with whole checksums if not. */
START_TEST(receive_without_offloads)
{
	static const uint32_t takes[] = {0, XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_GSO_TCPV4,
					 XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6};
	static uint8_t frame[PACKET_MAX];
	size_t length = make_ipv4(frame, IPPROTO_TCP, 5000), data = 0;

	open_card(1, true);
	start(0, takes[_i]);
	send_ipv4(frame, length, IPPROTO_TCP, 1300);
	ck_assert_uint_eq(fake_net_received_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct xvhost_packet *packet = &fake_net_received[i].packet;
		const uint8_t *bytes = packet->iov->iov_base;

		ck_assert_uint_eq(packet->gso, XVHOST_GSO_NONE);
		ck_assert_uint_eq(packet->flags & XVHOST_PACKET_CHECKSUM_BLANK, 0);
		ck_assert(checksum_is_right(bytes, packet->length));
		ck_assert_mem_eq(bytes + TCP_HEADERS, frame + TCP_HEADERS + data,
				 packet->length - TCP_HEADERS);
		data += packet->length - TCP_HEADERS;
	}
	ck_assert_uint_eq(data, 5000);
	length = make_ipv4(frame, IPPROTO_UDP, 777);
	send_ipv4(frame, length, IPPROTO_UDP, 0);
	ck_assert_uint_eq(fake_net_received_count, 5);
	ck_assert(checksum_is_right(fake_net_received[4].packet.iov->iov_base, length));
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* ---- a guest without room ---- */

/* What came stays in its order until there is room. */
START_TEST(room_comes)
{
	open_card(1, false);
	start(0, 0);
	fake_net_queues[0].room = 3;
	for (uint32_t i = 0; i < 50; i++)
		send_frame(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 3);
	ck_assert(fake_net_queues[0].waiting);
	for (uint32_t i = 1; fake_net_received_count < 50; i++) {
		fake_net_make_room(0, i);
		fake_net_run();
		ck_assert_uint_le(i, 50);
	}
	for (uint32_t i = 0; i < 50; i++)
		got(i, i, 60);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* What is kept for some time is dropped and counted; what Linux has kept meanwhile is offered to the guest then, and so on. */
START_TEST(room_does_not_come)
{
	struct fake_net_queue *queue = &fake_net_queues[0];
	uint32_t dropped;

	open_card(1, false);
	start(0, 0);
	queue->room = 1;
	for (uint32_t i = 0; i < 100; i++)
		send_frame(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 1);
	/* There was room since the time began: it begins again. */
	fake_net_make_room(0, 1);
	fake_net_time(0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 2);
	ck_assert_uint_eq(queue->dropped, 0);
	ck_assert(queue->waiting);
	for (uint32_t times = 0; times < 2; times++) {
		dropped = queue->dropped;
		fake_net_time(0);
		fake_net_run();
		ck_assert_uint_gt(queue->dropped, dropped);
		ck_assert_uint_le(queue->dropped - dropped, TAP_BUFFERS);
		ck_assert(queue->waiting);
	}
	dropped = queue->dropped;
	fake_net_make_room(0, 1000);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 100 - dropped);
	ck_assert_uint_eq(queue->dropped, dropped);
	got(1, 1, 60);
	for (uint32_t i = 2; i < fake_net_received_count; i++)
		got(i, i + dropped, 60);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* ---- the end ---- */

/* A queue that stops starts nothing more, and what its reads bring is dropped; those that wait end. */
START_TEST(stop_while_reading)
{
	struct fake_net_queue *queue = &fake_net_queues[0];
	uint32_t reads, reading;

	open_card(1, false);
	start(0, 0);
	for (uint32_t i = 0; i < 50; i++)
		send_frame(i, 60);
	fake_net_run();
	reading = queue->reading;
	reads = queue->reads;
	ck_assert_uint_gt(reading, 2);
	for (uint32_t i = 0; i < 2; i++)
		send_frame(i, 60);
	fake_net_release(0);
	fake_net_stop(0);
	ck_assert_uint_eq(queue->reading, 0);
	ck_assert_uint_eq(queue->reads, reads);
	ck_assert_uint_eq(fake_net_received_count, 50);
	ck_assert_uint_le(queue->dropped, 2);
	close_card();
}
END_TEST

START_TEST(stop_without_room)
{
	open_card(1, false);
	start(0, 0);
	fake_net_queues[0].room = 1;
	for (uint32_t i = 0; i < 50; i++)
		send_frame(i, 60);
	fake_net_run();
	ck_assert(fake_net_queues[0].waiting);
	fake_net_stop(0);
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert_uint_gt(fake_net_queues[0].dropped, 0);
	/* The next guest gets what comes from now on, and what the interface had kept. */
	start(0, 0);
	send_frame(1000, 60);
	fake_net_run();
	got(fake_net_received_count - 1, 1000, 60);
	fake_net_stop(0);
	close_card();
}
END_TEST

/* The interface is removed while the card is in use: a line in the log, and packets are dropped. */
START_TEST(removed)
{
	uint8_t frame[PACKET_MAX];
	struct iovec piece = {frame, make_frame(frame, 1, 60)};

	open_card(2, false);
	start(0, 0);
	start(1, 0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, 0);
	remove_interface();
	for (uint32_t i = 0; i < 5; i++) {
		fake_net_transmit(0, &piece, 1, NULL);
		fake_net_transmit(1, &piece, 1, NULL);
		fake_net_run();
	}
	ck_assert_uint_eq(fake_net_queues[0].transmitted, 5);
	ck_assert_uint_eq(fake_net_queues[1].transmitted, 5);
	ck_assert_int_eq(fake_net_queues[0].error, -ENODEV);
	ck_assert_uint_eq(fake_net_logged, 1);
	ck_assert_msg(strstr(fake_net_text, "the interface was removed"), "%s", fake_net_text);
	ck_assert_uint_eq(fake_net_queues[0].reading, 0);
	fake_net_stop(0);
	fake_net_stop(1);
	close_card();
}
END_TEST

/* Each queue sends and receives; one that is stopped gets nothing. */
START_TEST(queues)
{
	uint8_t frame[PACKET_MAX], seen[PACKET_MAX];
	struct iovec piece = {frame, make_frame(frame, 1, 60)};

	open_card(3, false);
	for (uint32_t i = 0; i < 3; i++)
		start(i, 0);
	for (uint32_t i = 0; i < 3; i++) {
		fake_net_transmit(i, &piece, 1, NULL);
		fake_net_run();
		ck_assert_int_eq(fake_net_queues[i].error, 0);
		ck_assert_uint_eq(from_wire(seen), 60);
	}
	fake_net_stop(2);
	fake_net_stop(0);
	for (uint32_t i = 0; i < 20; i++)
		send_frame(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 20);
	for (uint32_t i = 0; i < 20; i++)
		ck_assert_uint_eq(fake_net_received[i].packet.queue->index, 1);
	fake_net_stop(1);
	close_card();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, prepare, NULL);
	tcase_add_loop_test(test_case, life, 0, 2);
	tcase_add_test(test_case, bridge);
	tcase_add_test(test_case, refusals);
	tcase_add_test(test_case, name_is_taken);
	tcase_add_test(test_case, transmit);
	tcase_add_test(test_case, transmit_many);
	tcase_add_test(test_case, transmit_gso);
	tcase_add_test(test_case, receive);
	tcase_add_test(test_case, reads_follow_packets);
	tcase_add_test(test_case, receive_offloads);
	tcase_add_loop_test(test_case, receive_without_offloads, 0, 3);
	tcase_add_test(test_case, room_comes);
	tcase_add_test(test_case, room_does_not_come);
	tcase_add_test(test_case, stop_while_reading);
	tcase_add_test(test_case, stop_without_room);
	tcase_add_test(test_case, removed);
	tcase_add_test(test_case, queues);
}

CHECK_MAIN("tap", add_tests)
