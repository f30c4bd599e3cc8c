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
#include "sim_net.h"

#define OTHER_DOMID 8
#define LARGE_DEPTH                                                                                          \
	10 /* of the largest packets: less than a port has room for, and than the guest has posted */
#define PAIRS 2
#define RING_FILE_BYTES (4096 + SWITCH_RING_BYTES)

static struct sim_guest *guests[2];
static struct worker_thread *workers[2];
static struct sim_net cards[PAIRS][2]; /* each pair is a switch, with a card of each guest */
static char directory[64];
static struct net_load_result results[PAIRS];

static const struct netif_frontend_options all_taken = {.takes = SIM_NET_ALL_TAKEN, .guard = true};

/* use - this guest and its worker, for the functions of sim_net.h. */
static void use(uint32_t index)
{
	guest = guests[index];
	worker = workers[index];
}

static void open_card(struct sim_net *card, uint32_t index, uint32_t device_id, const char *name)
{
	char target[128];

	snprintf(target, sizeof(target), "switch:name=%s,directory=%s", name, directory);
	use(index);
	sim_net_open(card, device_id, target);
	ck_assert_uint_eq(card->opened.takes, SIM_NET_ALL_TAKEN);
	ck_assert_uint_eq(card->opened.queues_max, 1);
}

static void stop(void)
{
	char command[128];

	for (uint32_t i = 0; i < 2; i++) {
		use(i);
		for (uint32_t pair = 0; pair < PAIRS; pair++)
			sim_net_close(&cards[pair][i]);
	}
	ck_assert_int_eq(worker_thread_stop(workers[1]), 0);
	sim_guest_destroy(guests[1]);
	use(0);
	sim_disk_stop();
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

/* begin - a load from one guest to the other by this pair of cards. */
static struct net_load *begin(uint32_t pair, uint32_t from, struct net_load_options options)
{
	struct net_load *load;

	options.from = cards[pair][from].frontend;
	options.to = cards[pair][1 - from].frontend;
	options.content.addressed = options.content.minimum >= NET_CONTENT_ADDRESSED_BYTES;
	memcpy(options.content.source, (const uint8_t[]){2, 0, 0, 0, (uint8_t)pair, (uint8_t)from}, 6);
	memcpy(options.content.destination, (const uint8_t[]){2, 0, 0, 0, (uint8_t)pair, (uint8_t)(1 - from)},
	       6);
	ck_assert_int_eq(net_load_create(&options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	return load;
}

/* finish - all that was sent has come. */
static const struct net_load_result *finish(uint32_t pair, struct net_load *load)
{
	struct net_load_result *result = &results[pair];

	net_load_finish(load, result);
	net_load_destroy(load);
	ck_assert_msg(result->error == 0, "%s", result->text);
	ck_assert_uint_eq(result->lost, 0);
	ck_assert_uint_eq(result->refused + result->failed, 0);
	ck_assert_uint_eq(result->received, result->sent);
	ck_assert_uint_eq(result->received_bytes, result->sent_bytes);
	return result;
}

/* wait_until_joined - ports find each other when their guests are connected already: until then packets go nowhere. */
static void wait_until_joined(uint32_t pair)
{
	const struct net_load_options one = {
		.content = {.minimum = 60, .maximum = 60}, .packets = 1, .quiet_ms = 1000};

	usleep(100000);
	for (uint32_t from = 0; from < 2; from++) {
		uint32_t tries = 0;

		do {
			struct net_load *load = begin(pair, from, one);

			ck_assert_uint_lt(tries++, 10);
			net_load_finish(load, &results[pair]);
			net_load_destroy(load);
			ck_assert_msg(results[pair].error == 0, "%s", results[pair].text);
		} while (results[pair].received == 0);
	}
}

static void start(const char *access)
{
	const struct sim_guest_options options = {.domid = OTHER_DOMID, .pages = 16384, .strict = true};
	static const char *const names[PAIRS] = {"one", "two"};
	char backends[SIM_DISK_PATH_MAX];

	strcpy(directory, "/tmp/xvhost-sim-switch.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	sim_disk_access = access;
	sim_disk_start(true);
	guests[0] = guest;
	workers[0] = worker;
	sim_disk_built(backends, "backends");
	ck_assert_int_eq(sim_guest_create(machine, &options, &guests[1]), 0);
	ck_assert_int_eq(worker_thread_start(sim_platform(machine), OTHER_DOMID, backends, &workers[1]), 0);
	for (uint32_t pair = 0; pair < PAIRS; pair++)
		for (uint32_t i = 0; i < 2; i++) {
			open_card(&cards[pair][i], i, pair, names[pair]);
			sim_net_connect(&cards[pair][i], &all_taken);
		}
	for (uint32_t pair = 0; pair < PAIRS; pair++)
		wait_until_joined(pair);
}

/* both_ways - the same load by each pair, in the other direction, at the same time. */
static void both_ways(struct net_load_options options)
{
	struct net_load *loads[PAIRS];

	for (uint32_t pair = 0; pair < PAIRS; pair++)
		loads[pair] = begin(pair, pair % 2, options);
	for (uint32_t pair = 0; pair < PAIRS; pair++)
		ck_assert_uint_eq(finish(pair, loads[pair])->received, options.packets);
}

static struct net_content_options content(uint32_t minimum, uint32_t maximum, uint64_t seed)
{
	return (struct net_content_options){
		.minimum = minimum, .maximum = maximum, .takes = SIM_NET_ALL_TAKEN, .seed = seed};
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
		both_ways((struct net_load_options){.content = content(lengths[i], lengths[i], i),
						    .depth = LARGE_DEPTH,
						    .split = i % 2,
						    .packets = 50});
	stop();
}
END_TEST

/* Many packets of any size. */
START_TEST(mixed)
{
	start(ways[_i]);
	both_ways((struct net_load_options){
		.content = content(14, 65535, 1), .depth = LARGE_DEPTH, .split = true, .packets = 1500});
	both_ways((struct net_load_options){
		.content = content(22, 65535, 2), .depth = LARGE_DEPTH, .packets = 1500});
	both_ways((struct net_load_options){.content = content(14, 1514, 3), .depth = 100, .packets = 5000});
	stop();
}
END_TEST

/* Guests come and go: what is sent to one that is not there is lost, and nothing else. */
START_TEST(comes_and_goes)
{
	start(ways[_i]);
	for (uint32_t round = 0; round < 6; round++) {
		uint32_t goes = round % 2;
		struct net_load *load = begin(0, 0,
					      (struct net_load_options){.content = content(14, 65535, round),
									.depth = LARGE_DEPTH,
									.quiet_ms = 500,
									.timeout_ms = 500});

		while (net_load_received(load) < 20)
			usleep(100);
		use(goes);
		ck_assert_int_eq(worker_thread_net_disconnect(worker, 0), 0);
		net_load_stop(load);
		net_load_finish(load, &results[0]);
		net_load_destroy(load);
		/* What the guest that went away has still in its ring is never answered. */
		ck_assert_msg(results[0].error == 0 || (goes == 0 && results[0].error == -ETIMEDOUT), "%s",
			      results[0].text);
		for (uint32_t i = 0; i < 2; i++) {
			use(i);
			if (i != goes)
				ck_assert_int_eq(worker_thread_net_disconnect(worker, 0), 0);
			ck_assert_uint_eq(netif_frontend_destroy(cards[0][i].frontend), 0);
			cards[0][i].frontend = NULL;
			/* Every now and then the card is another, too. */
			if (round % 2 == 0) {
				sim_net_close(&cards[0][i]);
				open_card(&cards[0][i], i, 0, "one");
			}
		}
		for (uint32_t i = 0; i < 2; i++) {
			use(i);
			sim_net_connect(&cards[0][i], &all_taken);
		}
		wait_until_joined(0);
		both_ways((struct net_load_options){
			.content = content(14, 65535, round), .depth = LARGE_DEPTH, .packets = 100});
	}
	stop();
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

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/one/%u-vif%u.0", directory, SIM_DISK_DOMID,
		 SIM_DISK_DOMID);
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
	load = begin(0, 0,
		     (struct net_load_options){
			     .content = content(14, 65535, 5), .depth = LARGE_DEPTH, .split = true});
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
	ck_assert_uint_ge(finish(0, load)->received, 400);
	stop();
}
END_TEST

/* A third port comes and goes, and a guest behind it takes nothing: nobody waits for it. */
START_TEST(beside_each_other)
{
	struct net_load *load;
	struct sim_net third;

	start(ways[_i % 2]);
	load = begin(0, 1,
		     (struct net_load_options){
			     .content = content(14, 65535, 6), .depth = LARGE_DEPTH, .split = true});
	for (uint32_t round = 0; round < 10; round++) {
		uint64_t before = net_load_received(load);

		open_card(&third, 0, PAIRS, "one");
		if (round % 2)
			sim_net_connect(&third, &all_taken);
		while (net_load_received(load) < before + 100)
			usleep(100);
		use(0);
		sim_net_close(&third);
	}
	net_load_stop(load);
	ck_assert_uint_ge(finish(0, load)->received, 400);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, sizes, 0, 2);
	tcase_add_loop_test(test_case, mixed, 0, 2);
	tcase_add_loop_test(test_case, comes_and_goes, 0, 2);
	tcase_add_loop_test(test_case, liars, 0, 2);
	tcase_add_loop_test(test_case, beside_each_other, 0, 2);
}

CHECK_MAIN("net switch", add_tests)
