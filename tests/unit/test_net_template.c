// SPDX-License-Identifier: GPL-2.0-or-later
/* The skeleton of a net backend, as `make new-backend` writes it: packets to a peer and from it, and a queue that stops. */
#include "../../backends/template/net.c"

#include <stdio.h>

#include "fake_net_host.h"

#include "check_main.h" /* last: it has a macro called fail */

#define PACKET_BYTES 100u

static int peer;
static uint8_t frame[PACKET_BYTES];

/* start - the card, and its peer, which is a socket on a port that is free. */
static void start(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	char target[128];
	int other = socket(AF_INET, SOCK_DGRAM, 0);

	for (uint32_t i = 0; i < PACKET_BYTES; i++)
		frame[i] = (uint8_t)(i * 3);
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(peer, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
	/* The card's own port: one that was free just now. */
	ck_assert_int_eq(getsockname(other, (struct sockaddr *)&address, &length), 0);
	close(other);
	ck_assert_int_eq(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(target, sizeof(target),
		 "template:port=%u,peer=127.0.0.1,peer-port=", ntohs(address.sin_port));
	ck_assert_int_eq(getsockname(peer, (struct sockaddr *)&address, &length), 0);
	snprintf(target + strlen(target), 8, "%u", ntohs(address.sin_port));
	ck_assert_msg(fake_net_open(&template_backend, target, 4) == 0, "%s", fake_net_text);
	ck_assert_uint_eq(fake_net_properties.queues_max, 1);
	fake_net_start(0, 0);
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].reading, BUFFERS);
}

static void stop(void)
{
	fake_net_stop(0);
	fake_net_close();
	close(peer);
}

START_TEST(both_directions)
{
	const struct iovec pieces[] = {{frame, 40}, {frame + 40, PACKET_BYTES - 40}};
	uint8_t seen[PACKET_BYTES + 1];

	start();
	for (uint32_t i = 1; i <= 3 * BUFFERS; i++) {
		fake_net_transmit(0, pieces, 2, NULL);
		fake_net_run();
		ck_assert_uint_eq(fake_net_queues[0].transmitted, i);
		ck_assert_int_eq(fake_net_queues[0].error, 0);
		ck_assert_int_eq(recv(peer, seen, sizeof(seen), 0), PACKET_BYTES);
		ck_assert_mem_eq(seen, frame, PACKET_BYTES);

		frame[20] = (uint8_t)i;
		ck_assert_int_eq(send(peer, frame, PACKET_BYTES, 0), PACKET_BYTES);
		fake_net_run();
		ck_assert_uint_eq(fake_net_received_count, i);
		ck_assert_uint_eq(fake_net_received[i - 1].packet.length, PACKET_BYTES);
		ck_assert_mem_eq(fake_net_received[i - 1].piece.iov_base, frame, PACKET_BYTES);
	}
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	ck_assert_uint_eq(fake_net_queues[0].reading, BUFFERS);
	stop();
}
END_TEST

/* What is too short is none, what the guest has no room for is dropped, and neither costs a buffer. */
START_TEST(drops)
{
	start();
	ck_assert_int_eq(send(peer, frame, XVHOST_NET_BYTES_MIN - 1, 0), XVHOST_NET_BYTES_MIN - 1);
	fake_net_run();
	ck_assert_uint_eq(fake_net_queues[0].dropped, 0);
	fake_net_queues[0].room = 1;
	for (uint32_t i = 0; i < 2 * BUFFERS; i++)
		ck_assert_int_eq(send(peer, frame, PACKET_BYTES, 0), PACKET_BYTES);
	fake_net_run();
	ck_assert_uint_eq(fake_net_received_count, 1);
	ck_assert_uint_eq(fake_net_queues[0].dropped, 2 * BUFFERS - 1);
	ck_assert_uint_eq(fake_net_queues[0].reading, BUFFERS);
	stop();
}
END_TEST

START_TEST(wrong_peer)
{
	ck_assert_int_eq(fake_net_open(&template_backend, "template:port=7,peer=localhost,peer-port=7", 1),
			 -EINVAL);
	ck_assert_str_eq(fake_net_text,
			 "parameter peer of backend template is 'localhost', it must be an IPv4 address");
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, both_directions);
	tcase_add_test(test_case, drops);
	tcase_add_test(test_case, wrong_peer);
}

CHECK_MAIN("net template", add_tests)
