// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole worker with cards of backend packet: two of a guest's, on the ends of a pair of interfaces, so that what one sends comes by
 * the other; also with pcap before it. It needs a network namespace, and ip(8).
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "pcap_check.h"
#include "sim_net.h"

#define LARGE_DEPTH 10 /* of the largest packets: less than the guest has posted pages for */

static struct sim_net cards[2];
static struct net_load_result result;
static char directory[64]; /* of the files of pcap, which stands before each of them; "": it does not */

static void run(const char *command)
{
	ck_assert_msg(system(command) == 0, "this failed: %s", command);
}

/* start - a namespace, a guest that takes this and its worker, cards on both ends, whose links are there. */
static void start(const char *access, const char *mode, uint32_t takes)
{
	const struct netif_frontend_options taken = {.takes = takes, .guard = true};
	static const char *const ends[] = {"near0", "far0"};
	char target[192] = "";

	ck_assert_msg(unshare(CLONE_NEWNET) == 0, "no network namespace can be made: %s", strerror(errno));
	run("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	run("ip link add near0 type veth peer name far0 && ip link set near0 up && ip link set far0 up");
	sim_disk_access = access;
	sim_disk_start(true);
	for (uint32_t i = 0; i < 2; i++) {
		if (directory[0])
			snprintf(target, sizeof(target), "pcap:path=%s/%u,target=", directory, i);
		snprintf(target + strlen(target), sizeof(target) - strlen(target),
			 "packet:interface=%s,mode=%s", ends[i], mode);
		sim_net_open(&cards[i], i, target);
		target[0] = '\0';
		ck_assert_uint_eq(cards[i].opened.takes, SIM_NET_ALL_TAKEN);
		sim_net_connect(&cards[i], &taken);
	}
	run("for i in $(seq 500); do [ $(ip -o link show up | grep -c 'state UP') -ge 2 ] && exit 0; sleep "
	    "0.01; done; exit 1");
}

static void stop(void)
{
	for (uint32_t i = 0; i < 2; i++)
		sim_net_close(&cards[i]);
	sim_disk_stop();
}

/* addressed - from one card to the other, as sim_net_open has their addresses. */
static struct net_content_options addressed(struct net_content_options content, uint32_t from)
{
	content.addressed = true;
	memcpy(content.source, (const uint8_t[]){0x00, 0x16, 0x3e, 0, 0, (uint8_t)from}, 6);
	memcpy(content.destination, (const uint8_t[]){0x00, 0x16, 0x3e, 0, 0, (uint8_t)(1 - from)}, 6);
	return content;
}

/* load - from one card to the other; all that was sent comes. */
static void load(uint32_t from, struct net_load_options options)
{
	options.from = cards[from].frontend;
	options.to = cards[1 - from].frontend;
	options.content = addressed(options.content, from);
	sim_net_finish(sim_net_begin(&options), &result);
	ck_assert_uint_eq(result.received, options.packets);
}

static const struct {
	const char *access, *mode;
} ways[] = {{"foreign", "promiscuous"}, {"grant", "promiscuous"}, {"foreign", "macvlan"}};

/* Packets of any size, with and without GSO, in both directions. */
START_TEST(mixed)
{
	start(ways[_i].access, ways[_i].mode, SIM_NET_ALL_TAKEN);
	for (uint32_t from = 0; from < 2; from++) {
		load(from, (struct net_load_options){.content = sim_net_content(22, 65535, from),
						     .depth = LARGE_DEPTH,
						     .split = true,
						     .packets = 1500});
		load(from, (struct net_load_options){.content = sim_net_content(22, 1514, 2 + from),
						     .depth = 100,
						     .packets = 5000});
	}
	stop();
}
END_TEST

/* A guest that takes nothing blank gets checksums. */
START_TEST(takes_nothing)
{
	start("foreign", "promiscuous", 0);
	load(0, (struct net_load_options){
			.content = sim_net_content(22, 1514, 7), .depth = 50, .packets = 2000});
	stop();
}
END_TEST

/* change_links - xvhostd hears of the links of both cards. */
static void change_links(void)
{
	for (uint32_t times = 0; times < 2; times++) {
		run("ip link set far0 down");
		for (uint32_t i = 0; i < 2; i++)
			ck_assert(worker_thread_net_link(worker, i, false, 5000));
		run("ip link set far0 up");
		for (uint32_t i = 0; i < 2; i++)
			ck_assert(worker_thread_net_link(worker, i, true, 5000));
	}
	run("ip link delete far0");
	for (uint32_t i = 0; i < 2; i++)
		ck_assert(worker_thread_net_link(worker, i, false, 5000));
}

/* They come from the control thread, whatever the loops do. */
START_TEST(links)
{
	start("foreign", ways[_i].mode, SIM_NET_ALL_TAKEN);
	change_links();
	stop();
}
END_TEST

/* With a wrapper before them their queues are opened and closed, and links are told, as without. */
START_TEST(behind_pcap)
{
	struct net_load_options options = {
		.content = sim_net_content(22, 1514, 9), .depth = LARGE_DEPTH, .packets = 100};
	struct pcap_reader file;
	char name[96];

	strcpy(directory, "/tmp/xvhost-sim-packet.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	start(ways[_i].access, ways[_i].mode, SIM_NET_ALL_TAKEN);
	load(0, options);
	change_links();
	stop();
	options.content = addressed(options.content, 0);
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s/%u", directory, i);
		pcap_reader_read(&file, name);
		ck_assert_uint_eq(file.sections[0].missing, 0);
		pcap_check(&file, 0, i == 0 ? PCAP_READER_IN : PCAP_READER_OUT, &options.content, 1, 100,
			   false, false);
		pcap_reader_free(&file);
		ck_assert_int_eq(unlink(name), 0);
	}
	ck_assert_int_eq(rmdir(directory), 0);
	directory[0] = '\0';
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_set_timeout(test_case, 60);
	tcase_add_loop_test(test_case, mixed, 0, sizeof(ways) / sizeof(ways[0]));
	tcase_add_test(test_case, takes_nothing);
	tcase_add_loop_test(test_case, links, 0, sizeof(ways) / sizeof(ways[0]));
	tcase_add_loop_test(test_case, behind_pcap, 0, sizeof(ways) / sizeof(ways[0]));
}

CHECK_MAIN("packet, a whole worker", add_tests)
