// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two guests with a worker each, whose cards are ports of backend switch: packets of all sizes come from one to the other, in both
 * directions at once; and other ports that come, go, take nothing or lie beside them change nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../backends/net/switch_ring.h"
#include "check_main.h"
#include "log.h"
#include "pcap_check.h"
#include "sim_pairs.h"

#define RING_FILE_BYTES (4096 + SWITCH_RING_BYTES)

/* start - each pair is a switch of its own. */
static void start(const char *access)
{
	static const char *const names[SIM_PAIRS][2] = {{"one", "one"}, {"two", "two"}};

	sim_pairs_start(access, names);
	for (uint32_t pair = 0; pair < SIM_PAIRS; pair++)
		sim_pairs_wait_until_joined(pair);
}

static const char *const ways[] = {"foreign", "grant"};

/* Each size at which something begins or ends. */
START_TEST(sizes)
{
	static const uint32_t lengths[] = {14,	 15,   21,   22,   42,	  59,	 60,	61,   64,   127,
					   128,	 129,  255,  256,  1000,  1513,	 1514,	1515, 4095, 4096,
					   4097, 8191, 8193, 9014, 16384, 65000, 65534, 65535};

	start(ways[_i]);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		sim_pairs_both_ways(
			(struct net_load_options){.content = sim_net_content(lengths[i], lengths[i], i),
						  .depth = SIM_PAIRS_LARGE_DEPTH,
						  .split = i % 2,
						  .packets = 50});
	sim_pairs_stop();
}
END_TEST

/* Many packets of any size. */
START_TEST(mixed)
{
	start(ways[_i]);
	sim_pairs_both_ways((struct net_load_options){.content = sim_net_content(14, 65535, 1),
						      .depth = SIM_PAIRS_LARGE_DEPTH,
						      .split = true,
						      .packets = 1500});
	sim_pairs_both_ways((struct net_load_options){
		.content = sim_net_content(22, 65535, 2), .depth = SIM_PAIRS_LARGE_DEPTH, .packets = 1500});
	sim_pairs_both_ways((struct net_load_options){
		.content = sim_net_content(14, 1514, 3), .depth = 100, .packets = 5000});
	sim_pairs_stop();
}
END_TEST

/* Guests come and go: what is sent to one that is not there is lost, and nothing else. */
START_TEST(comes_and_goes)
{
	start(ways[_i]);
	for (uint32_t round = 0; round < 6; round++) {
		uint32_t goes = round % 2;
		struct net_load *load = sim_pairs_begin(
			0, 0,
			(struct net_load_options){.content = sim_net_content(14, 65535, round),
						  .depth = SIM_PAIRS_LARGE_DEPTH,
						  .quiet_ms = 500,
						  .timeout_ms = goes == 0 ? 500 : 0});

		while (net_load_received(load) < 20)
			usleep(100);
		sim_pairs_use(goes);
		ck_assert_int_eq(worker_thread_net_disconnect(worker, 0), 0);
		net_load_stop(load);
		net_load_finish(load, &sim_pairs_results[0]);
		net_load_destroy(load);
		/* What the guest that went away has still in its ring is never answered. */
		ck_assert_msg(sim_pairs_results[0].error == 0 ||
				      (goes == 0 && sim_pairs_results[0].error == -ETIMEDOUT),
			      "%s", sim_pairs_results[0].text);
		for (uint32_t i = 0; i < 2; i++) {
			sim_pairs_use(i);
			if (i != goes)
				ck_assert_int_eq(worker_thread_net_disconnect(worker, 0), 0);
			ck_assert_uint_eq(netif_frontend_destroy(sim_pairs_cards[0][i].frontend), 0);
			sim_pairs_cards[0][i].frontend = NULL;
			/* Every now and then the card is another, too. */
			if (round % 2 == 0) {
				sim_net_close(&sim_pairs_cards[0][i]);
				sim_pairs_open(&sim_pairs_cards[0][i], i, 0, "one");
			}
		}
		for (uint32_t i = 0; i < 2; i++) {
			sim_pairs_use(i);
			sim_net_connect(&sim_pairs_cards[0][i], &sim_pairs_all_taken);
		}
		sim_pairs_wait_until_joined(0);
		sim_pairs_both_ways((struct net_load_options){.content = sim_net_content(14, 65535, round),
							      .depth = SIM_PAIRS_LARGE_DEPTH,
							      .packets = 100});
	}
	sim_pairs_stop();
}
END_TEST

/*
 * Nobody looks at what comes to a guest: when its rings are full packets are thrown away, and who sends them does not notice; but the
 * worker of the one that has not got them counts them, all of them, and nothing else is lost.
 */
START_TEST(no_room)
{
	const struct message_net_counters *counters;
	struct net_load_options options = {
		.content = sim_net_content(60, 1514, 8), .depth = 200, .packets = 20000};
	struct net_load_result *last = &sim_pairs_results[0], *flood = &sim_pairs_results[1];
	struct net_load *load;
	uint64_t came;

	start(ways[_i]);
	counters = worker_thread_net_counters(sim_pairs_workers[1]);
	sim_pairs_address(&options.content, 0, 0);
	options.from = sim_pairs_cards[0][0].frontend;
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	net_load_finish(load, flood);
	net_load_destroy(load);
	ck_assert_msg(flood->error == 0, "%s", flood->text);
	ck_assert_uint_eq(flood->sent, 20000);
	/* Behind these there is nothing any more. */
	load = sim_pairs_begin(0, 0,
			       (struct net_load_options){.content = sim_net_content(60, 1514, 9),
							 .depth = 1,
							 .packets = 20,
							 .others_come = true});
	net_load_finish(load, last);
	net_load_destroy(load);
	ck_assert_msg(last->error == 0, "%s", last->text);
	ck_assert_uint_gt(last->received, 0);
	sim_pairs_use(1);
	sim_net_disconnect(&sim_pairs_cards[0][1]);
	came = last->others + last->received;
	ck_assert_uint_lt(came, 10000);
	ck_assert_uint_eq(counters->rx_dropped + came, flood->sent + last->sent);
	sim_pairs_stop();
}
END_TEST

/* A guest that posts few pages, and does not notify of them: what waits in the switch comes all the same, soon. */
START_TEST(silent_guest)
{
	struct netif_frontend_options silent = sim_pairs_all_taken;
	const struct net_load_result *result;

	start(ways[_i]);
	silent.silent = true;
	silent.posted = 40;
	sim_pairs_use(1);
	sim_net_disconnect(&sim_pairs_cards[0][1]);
	sim_net_connect(&sim_pairs_cards[0][1], &silent);
	sim_pairs_wait_until_joined(0);
	result = sim_pairs_finish(
		0, sim_pairs_begin(0, 0,
				   (struct net_load_options){.content = sim_net_content(14, 9014, 1),
							     .depth = 30,
							     .packets = 400}));
	/* Of most of them: a machine that stands still makes some late. */
	ck_assert_uint_lt(histogram_percentile(&result->way_ns, 50), 500000000);
	sim_pairs_stop();
}
END_TEST

/* ---- ports beside them ---- */

/* A port that a worker has which its guest has taken over. */
struct hostile {
	int fd;
	struct switch_ring_header *own; /* that of the ring in which it wants packets */
	struct switch_ring_header *out; /* that of the ring by which it sends them */
};

static struct switch_ring_header *map(int fd)
{
	void *at = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(at, MAP_FAILED);
	return at;
}

/* talk - greet, with this descriptor; or hear the other's greeting, and return the descriptor that comes with it. */
static int talk(int fd, int ring)
{
	struct {
		char magic[8];
		uint32_t version, ring_bytes;
	} greeting = {{'x', 'v', 's', 'w', 'i', 't', 'c', 'h'}, 1, SWITCH_RING_BYTES};
	struct iovec piece = {&greeting, sizeof(greeting)};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = {.bytes = {0}};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};

	if (ring >= 0) {
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(ring));
		memcpy(CMSG_DATA(header), &ring, sizeof(ring));
		ck_assert_int_eq(sendmsg(fd, &message, MSG_NOSIGNAL), sizeof(greeting));
		return ring;
	}
	ck_assert_int_eq(recvmsg(fd, &message, 0), sizeof(greeting));
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
	memcpy(&ring, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(ring));
	return ring;
}

/* join - the port of the first guest's first card. */
static void join(struct hostile *hostile)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int ring = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/one/%u-vif%u.0", sim_pairs_directory,
		 SIM_DISK_DOMID, SIM_DISK_DOMID);
	hostile->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(hostile->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(ftruncate(ring, RING_FILE_BYTES), 0);
	ck_assert_int_eq(fcntl(ring, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	hostile->own = map(ring);
	close(talk(hostile->fd, ring));
	ring = talk(hostile->fd, -1);
	hostile->out = map(ring);
	close(ring);
	/* It is joined when it is wanted. */
	for (int tries = 0; atomic_load(&hostile->out->state) == SWITCH_RING_CLOSED; tries++) {
		ck_assert_int_lt(tries, 10000);
		usleep(1000);
	}
}

/* wait_for_end - the other side has cut it off. */
static void wait_for_end(struct hostile *hostile)
{
	char byte;

	while (recv(hostile->fd, &byte, sizeof(byte), 0) > 0)
		;
	munmap(hostile->own, RING_FILE_BYTES);
	munmap(hostile->out, RING_FILE_BYTES);
	close(hostile->fd);
}

/* Ports that lie are cut off, while packets pass between others, of which none is lost. */
START_TEST(liars)
{
	struct net_load *load;
	struct hostile hostile;

	start(ways[_i % 2]);
	log_set_level(LOG_LEVEL_ERROR);
	load = sim_pairs_begin(0, 0,
			       (struct net_load_options){.content = sim_net_content(14, 65535, 5),
							 .depth = SIM_PAIRS_LARGE_DEPTH,
							 .split = true});
	for (uint32_t round = 0; round < 8; round++) {
		uint64_t before = net_load_received(load);

		join(&hostile);
		/* The guest's packets go there, too: it never looks, so its ring is full soon. */
		atomic_store(&hostile.own->state, SWITCH_RING_AWAKE);
		while (net_load_received(load) < before + 50)
			usleep(100);
		if (round % 2)
			atomic_store(&hostile.own->consumed, UINT64_MAX / 3);
		else
			atomic_store(&hostile.out->produced, UINT64_MAX / 3);
		ck_assert_int_eq(send(hostile.fd, "", 1, MSG_NOSIGNAL), 1);
		wait_for_end(&hostile);
	}
	net_load_stop(load);
	ck_assert_uint_ge(sim_pairs_finish(0, load)->received, 400);
	sim_pairs_stop();
}
END_TEST

/* A third port comes and goes, and a guest behind it takes nothing: nobody waits for it. */
START_TEST(beside_each_other)
{
	struct net_load *load;
	struct sim_net third;

	start(ways[_i % 2]);
	load = sim_pairs_begin(0, 1,
			       (struct net_load_options){.content = sim_net_content(14, 65535, 6),
							 .depth = SIM_PAIRS_LARGE_DEPTH,
							 .split = true});
	for (uint32_t round = 0; round < 10; round++) {
		uint64_t before = net_load_received(load);

		sim_pairs_open(&third, 0, SIM_PAIRS, "one");
		if (round % 2)
			sim_net_connect(&third, &sim_pairs_all_taken);
		while (net_load_received(load) < before + 100)
			usleep(100);
		sim_pairs_use(0);
		sim_net_close(&third);
	}
	net_load_stop(load);
	ck_assert_uint_ge(sim_pairs_finish(0, load)->received, 400);
	sim_pairs_stop();
}
END_TEST

/* With pcap before a port, which other ports don't notice: each packet is in the file, in both directions. */
START_TEST(is_written_down)
{
	struct net_load_options options = {.content = sim_net_content(22, 9000, 7),
					   .depth = SIM_PAIRS_LARGE_DEPTH,
					   .split = true,
					   .packets = 100};
	struct pcap_reader file;
	char path[128];
	uint32_t first;

	sim_pairs_written_down = true;
	start(ways[_i]);
	snprintf(path, sizeof(path), "%s/pcapng", sim_pairs_directory);
	/* The first ones were those that found out whether the ports have joined. */
	sim_pairs_use(0);
	sim_net_close(&sim_pairs_cards[0][0]);
	sim_pairs_open(&sim_pairs_cards[0][0], 0, 0, "one");
	sim_net_connect(&sim_pairs_cards[0][0], &sim_pairs_all_taken);
	sim_pairs_wait_until_joined(0);
	for (uint32_t from = 0; from < 2; from++)
		sim_pairs_finish(0, sim_pairs_begin(0, from, options));
	sim_pairs_use(0);
	sim_net_close(&sim_pairs_cards[0][0]);
	pcap_reader_read(&file, path);
	ck_assert_uint_eq(file.section_count, 2);
	ck_assert_uint_eq(file.sections[1].missing, 0);
	first = file.packet_count - 200;
	for (uint32_t from = 0; from < 2; from++) {
		sim_pairs_address(&options.content, 0, from);
		ck_assert_uint_eq(pcap_check(&file, first, from == 0 ? PCAP_READER_IN : PCAP_READER_OUT,
					     &options.content, 1, 100, false, false),
				  100);
	}
	pcap_reader_free(&file);
	sim_pairs_open(&sim_pairs_cards[0][0], 0, 0, "one");
	sim_pairs_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, is_written_down, 0, 2);
	tcase_add_loop_test(test_case, sizes, 0, 2);
	tcase_add_loop_test(test_case, mixed, 0, 2);
	tcase_add_loop_test(test_case, no_room, 0, 2);
	tcase_add_loop_test(test_case, silent_guest, 0, 2);
	tcase_add_loop_test(test_case, comes_and_goes, 0, 2);
	tcase_add_loop_test(test_case, liars, 0, 2);
	tcase_add_loop_test(test_case, beside_each_other, 0, 2);
}

CHECK_MAIN("net switch", add_tests)
