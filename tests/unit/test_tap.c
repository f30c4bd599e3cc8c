// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tap backend: its interface, packets from the guest, and how it ends. See tap_card.h.
 */
#include "../../backends/net/frames.c"
#include "../../backends/net/frames_header.c"
#include "../../backends/net/frames_receive.c"
#include "../../backends/net/interface_news.c"
#include "../../backends/net/tap.c"
#include "../../backends/net/tap_interface.c"

#include <fcntl.h>

#include "fake_net_host.h"
#include "ipv4_packets.h"
#include "tap_card.h"

#include "check_main.h" /* last: it has a macro called fail */

/* ---- the interface ---- */

/* It is there, as the toolstack's scripts want it, from open to close; it has a link while a queue runs. */
START_TEST(life)
{
	const uint16_t queues = _i == 0 ? 1 : 3;
	struct ifreq request = {0};

	tap_card_open(&tap_backend, queues, false);
	ck_assert_uint_eq(fake_net_properties.queues_max, queues);
	ck_assert_uint_eq(fake_net_properties.flags, FAKE_NET_ALL);
	ck_assert_int_eq(tap_card_question(INTERFACE, SIOCGIFMTU, &request), 0);
	ck_assert_int_eq(request.ifr_mtu, 1400);
	ck_assert_int_eq(tap_card_question(INTERFACE, SIOCGIFHWADDR, &request), 0);
	ck_assert_mem_eq(request.ifr_hwaddr.sa_data, "\xfe\xff\xff\xff\xff\xff", 6);
	ck_assert(tap_card_flags(INTERFACE) & IFF_UP);
	ck_assert(!tap_card_has_link(INTERFACE));
	for (uint32_t times = 0; times < 2; times++) {
		for (uint32_t i = 0; i < queues; i++) {
			fake_net_start(i, 0);
			ck_assert(tap_card_has_link(INTERFACE));
		}
		for (uint32_t i = 0; i < queues; i++) {
			ck_assert(tap_card_has_link(INTERFACE));
			fake_net_stop(i);
		}
		ck_assert(!tap_card_has_link(INTERFACE));
	}
	tap_card_close();
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);
}
END_TEST

START_TEST(bridge)
{
	struct ifreq request = {0};

	ck_assert_msg(ioctl(tap_card_control, SIOCBRADDBR, "br0") == 0, "no bridge can be made: %s",
		      strerror(errno));
	ck_assert_msg(fake_net_open(&tap_backend, "tap:bridge=br0,name=other", 1) == 0, "%s", fake_net_text);
	ck_assert_uint_eq(if_nametoindex(INTERFACE), 0);
	request.ifr_ifindex = (int)if_nametoindex("other");
	ck_assert_int_gt(request.ifr_ifindex, 0);
	/* It is a port, or it could not be taken out. */
	ck_assert_int_eq(tap_card_question("br0", SIOCBRDELIF, &request), 0);
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

	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t length = lengths[i];
		const struct iovec pieces[] = {
			{frame, 5}, {frame + 5, 0}, {frame + 5, 9}, {frame + 14, length - 14}};

		memset(frame, 0, sizeof(frame));
		frame[12] = FRAME_TYPE >> 8;
		frame[13] = FRAME_TYPE & 0xff;
		for (size_t at = 14; at < length; at++)
			frame[at] = (uint8_t)(at * 3);
		fake_net_transmit(0, pieces, 4, NULL);
		fake_net_run();
		ck_assert_uint_eq(fake_net_queues[0].transmitted, i + 1);
		ck_assert_int_eq(fake_net_queues[0].error, 0);
		ck_assert_uint_eq(tap_card_from_wire(seen), length);
		ck_assert_mem_eq(seen, frame, length);
	}
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* Many at a time, each with its own memory, in their order. */
START_TEST(transmit_many)
{
	static uint8_t frames[FAKE_NET_PACKETS][PACKET_MAX];
	uint8_t seen[PACKET_MAX];

	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++) {
		struct iovec piece = {frames[i], tap_card_frame(frames[i], i, 100 + i)};

		fake_net_transmit(0, &piece, 1, NULL);
	}
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].transmitted, FAKE_NET_PACKETS);
	for (uint32_t i = 0; i < FAKE_NET_PACKETS; i++) {
		ck_assert_uint_eq(tap_card_from_wire(seen), 100 + i);
		ck_assert_mem_eq(seen, frames[i], 100 + i);
	}
	fake_net_stop(0);
	tap_card_close();
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

	tap_card_open(&tap_backend, 1, true);
	tap_card_start(0, 0);
	fake_net_transmit(0, pieces, 2, &shape);
	fake_net_run();
	ck_assert_int_eq(fake_net_queues[0].error, 0);
	ck_assert_uint_eq(tap_card_from_wire(seen), sizeof(header) + length);
	memcpy(&header, seen, sizeof(header));
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_eq(header.gso_size, 1000);
	ck_assert_uint_eq(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.csum_start, 34);
	ck_assert_uint_eq(header.csum_offset, 16);
	ck_assert_mem_eq(seen + sizeof(header), frame, length);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* ---- the end ---- */

/* A queue that stops starts nothing more, and what its reads bring is dropped; those that wait end. */
START_TEST(stop_while_reading)
{
	struct fake_net_queue *queue = &fake_net_queues[0];
	uint32_t reads, reading;

	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	for (uint32_t i = 0; i < 50; i++)
		tap_card_send(i, 60);
	fake_net_run();
	reading = queue->reading;
	reads = queue->reads;
	ck_assert_uint_gt(reading, 2);
	for (uint32_t i = 0; i < 2; i++)
		tap_card_send(i, 60);
	fake_net_release(0);
	fake_net_stop(0);
	ck_assert_uint_eq(queue->reading, 0);
	ck_assert_uint_eq(queue->reads, reads);
	ck_assert_uint_eq(fake_net_received_count, 50);
	ck_assert_uint_le(queue->dropped, 2);
	tap_card_close();
}
END_TEST

START_TEST(stop_without_room)
{
	tap_card_open(&tap_backend, 1, false);
	tap_card_start(0, 0);
	fake_net_queues[0].room = 1;
	for (uint32_t i = 0; i < 50; i++)
		tap_card_send(i, 60);
	fake_net_run();
	ck_assert(fake_net_queues[0].waiting);
	fake_net_stop(0);
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert_uint_gt(fake_net_queues[0].dropped, 0);
	/* The next guest gets what comes from now on, and what the interface had kept. */
	tap_card_start(0, 0);
	tap_card_send(1000, 60);
	fake_net_run();
	tap_card_got(fake_net_received_count - 1, 1000, 60);
	fake_net_stop(0);
	tap_card_close();
}
END_TEST

/* The interface is removed while the card is in use: a line in the log, and packets are dropped. */
START_TEST(removed)
{
	uint8_t frame[PACKET_MAX];
	struct iovec piece = {frame, tap_card_frame(frame, 1, 60)};

	tap_card_open(&tap_backend, 2, false);
	tap_card_start(0, 0);
	tap_card_start(1, 0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_logged, 0);
	tap_card_remove(INTERFACE);
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
	ck_assert(!fake_net_link);
	fake_net_stop(0);
	fake_net_stop(1);
	tap_card_close();
}
END_TEST

/* The card has a link unless the interface is set down, whatever its name is by then. */
START_TEST(link_follows_interface)
{
	struct ifreq request = {.ifr_newname = "renamed"};

	tap_card_open(&tap_backend, 2, false);
	tap_card_start(0, 0);
	fake_net_run();
	ck_assert(fake_net_link);
	tap_card_set_up(INTERFACE, false);
	fake_net_run();
	ck_assert(!fake_net_link);
	ck_assert_str_eq(fake_net_text, "the interface was set down");
	ck_assert_int_eq(tap_card_question(INTERFACE, SIOCSIFNAME, &request), 0);
	tap_card_set_up("renamed", true);
	fake_net_run();
	ck_assert(fake_net_link);
	ck_assert_uint_eq(fake_net_logged, 2);
	fake_net_stop(0);
	fake_net_run();
	ck_assert(fake_net_link);
	tap_card_close();
}
END_TEST

/* Each queue sends and receives; one that is stopped gets nothing. */
START_TEST(queues)
{
	uint8_t frame[PACKET_MAX], seen[PACKET_MAX];
	struct iovec piece = {frame, tap_card_frame(frame, 1, 60)};

	tap_card_open(&tap_backend, 3, false);
	for (uint32_t i = 0; i < 3; i++)
		tap_card_start(i, 0);
	for (uint32_t i = 0; i < 3; i++) {
		fake_net_transmit(i, &piece, 1, NULL);
		fake_net_run();
		ck_assert_int_eq(fake_net_queues[i].error, 0);
		ck_assert_uint_eq(tap_card_from_wire(seen), 60);
	}
	fake_net_stop(2);
	fake_net_stop(0);
	for (uint32_t i = 0; i < 20; i++)
		tap_card_send(i, 60);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 20);
	for (uint32_t i = 0; i < 20; i++)
		ck_assert_uint_eq(fake_net_received[i].packet.queue->index, 1);
	fake_net_stop(1);
	tap_card_close();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, tap_card_prepare, NULL);
	tcase_add_loop_test(test_case, life, 0, 2);
	tcase_add_test(test_case, bridge);
	tcase_add_test(test_case, refusals);
	tcase_add_test(test_case, name_is_taken);
	tcase_add_test(test_case, transmit);
	tcase_add_test(test_case, transmit_many);
	tcase_add_test(test_case, transmit_gso);
	tcase_add_test(test_case, stop_while_reading);
	tcase_add_test(test_case, stop_without_room);
	tcase_add_test(test_case, removed);
	tcase_add_test(test_case, link_follows_interface);
	tcase_add_test(test_case, queues);
}

CHECK_MAIN("tap", add_tests)
