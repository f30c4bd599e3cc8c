// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network cards behind wrappers, served by a whole worker: what passes is in the file of pcap, each packet with all its bytes, in its order
 * and direction; and the guest sees nothing of it. (The same before switch: test_net_switch.)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_main.h"
#include "pcap_check.h"
#include "sim/net_front_control.h"
#include "sim_net.h"

#define CARD 0
#define OTHER_DOMID 8
#define LAYERS_MAX 8 /* of one card */

static const char *const ways[] = {"foreign", "grant"};
static const struct netif_frontend_options all_taken = {.takes = SIM_NET_ALL_TAKEN, .guard = true};
static char directory[64];
static char path[96];
static struct pcap_reader file;

static void start(int way)
{
	strcpy(directory, "/tmp/xvhost-sim-pcap.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/card.pcapng", directory);
	sim_disk_access = ways[way];
	sim_disk_start(true);
}

static void stop(void)
{
	char command[96];

	sim_disk_stop();
	pcap_reader_free(&file);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void open_card(struct sim_net *card, const char *more, const char *below)
{
	char target[256];

	snprintf(target, sizeof(target), "pcap:path=%s,%starget=%s", path, more, below);
	sim_net_open(card, CARD, target);
	ck_assert_uint_eq(card->opened.takes, SIM_NET_ALL_TAKEN);
}

/* read_again - what the file has now. */
static void read_again(void)
{
	pcap_reader_free(&file);
	pcap_reader_read(&file, path);
}

/*
 * Loads that fit into the buffers whatever the disk does: all of it is there. Small packets and large ones, over one queue and over
 * several, which share the file.
 */
START_TEST(all_is_there)
{
	static const struct {
		uint32_t queues, minimum, maximum, packets;
	} rows[] = {{1, 14, 1514, 600}, {1, 14, 65535, 30}, {4, 14, 1514, 600}, {4, 14, 65535, 30}};
	const struct net_load_options load = {.content = sim_net_content(rows[_i / 2].minimum,
									 rows[_i / 2].maximum, (uint64_t)_i),
					      .depth = 10,
					      .split = true,
					      .packets = rows[_i / 2].packets};
	struct netif_frontend_options options = all_taken;
	uint32_t queues = rows[_i / 2].queues, packets = rows[_i / 2].packets;
	struct sim_net card;

	start(_i % 2);
	options.queues = queues;
	open_card(&card, "", "echo");
	sim_net_connect(&card, &options);
	sim_net_load(&card, &load);
	sim_net_close(&card);
	read_again();
	ck_assert_uint_eq(file.section_count, 1);
	ck_assert_uint_eq(file.sections[0].packets, 2u * queues * packets);
	ck_assert_uint_eq(file.sections[0].missing, 0);
	ck_assert_uint_eq(file.packet_count, 2u * queues * packets);
	ck_assert_str_eq(file.sections[0].name, "vif7.0");
	pcap_check(&file, 0, PCAP_READER_IN, &load.content, queues, packets, false, false);
	pcap_check(&file, 0, PCAP_READER_OUT, &load.content, queues, packets, false, true);
	stop();
}
END_TEST

/* As fast as it goes: what is missing is counted, what is there is right, and the guest loses nothing. */
START_TEST(fast)
{
	const struct net_load_options load = {
		.content = sim_net_content(14, 65535, 9), .depth = 10, .split = true, .packets = 3000};
	struct sim_net card;
	uint32_t came;

	start(_i);
	open_card(&card, "", "echo");
	sim_net_connect(&card, &all_taken);
	sim_net_load(&card, &load);
	sim_net_close(&card);
	read_again();
	came = pcap_check(&file, 0, PCAP_READER_IN, &load.content, 1, 3000, true, false);
	came += pcap_check(&file, 0, PCAP_READER_OUT, &load.content, 1, 3000, true, true);
	ck_assert_uint_eq(file.sections[0].packets, 6000);
	ck_assert_uint_eq(came + file.sections[0].missing, 6000);
	stop();
}
END_TEST

/* A card that is connected again and again, and is opened a second time. */
START_TEST(comes_and_goes)
{
	const struct net_load_options load = {
		.content = sim_net_content(14, 1000, 4), .depth = 20, .packets = 50};
	struct sim_net card;

	start(_i);
	for (uint32_t open = 0; open < 2; open++) {
		open_card(&card, "", "echo");
		for (uint32_t connect = 0; connect < 3; connect++) {
			sim_net_connect(&card, &all_taken);
			sim_net_load(&card, &load);
			sim_net_disconnect(&card);
		}
		sim_net_close(&card);
	}
	read_again();
	ck_assert_uint_eq(file.section_count, 2);
	ck_assert_uint_eq(file.packet_count, 600);
	for (uint32_t section = 0; section < 2; section++)
		ck_assert_uint_eq(file.sections[section].packets, 300);
	stop();
}
END_TEST

/* The limit is reached under load: nobody but the file knows. */
START_TEST(limit)
{
	const struct net_load_options load = {
		.content = sim_net_content(14, 1514, 5), .depth = 50, .packets = 2000};
	struct sim_net card;
	uint32_t came;

	start(_i);
	open_card(&card, "limit=100K,", "echo");
	sim_net_connect(&card, &all_taken);
	sim_net_load(&card, &load);
	sim_net_close(&card);
	read_again();
	ck_assert_uint_le(file.size, 102400);
	ck_assert_uint_gt(file.size, 100000);
	came = pcap_check(&file, 0, PCAP_READER_IN, &load.content, 1, 2000, true, false);
	came += pcap_check(&file, 0, PCAP_READER_OUT, &load.content, 1, 2000, true, true);
	ck_assert_uint_eq(came + file.sections[0].missing, 4000);
	stop();
}
END_TEST

/* As many as can be, one before the other. One more is refused, and so is one that nobody knows; nothing stays open then. */
START_TEST(stacks)
{
	const struct net_load_options load = {
		.content = sim_net_content(14, 5000, 6), .depth = 10, .packets = 200};
	struct message_net_open open = {.mtu = 1500, .queues_max = 1};
	struct message_net_opened opened;
	char target[TARGET_MAX] = "";
	struct sim_net card;

	start(_i);
	for (uint32_t i = 0; i < LAYERS_MAX - 1; i++)
		snprintf(target + strlen(target), sizeof(target) - strlen(target),
			 "pcap:path=%s/%u,target=", directory, i);
	strcat(target, "echo");
	sim_net_open(&card, CARD, target);
	sim_net_connect(&card, &all_taken);
	sim_net_load(&card, &load);
	sim_net_close(&card);
	for (uint32_t i = 0; i < LAYERS_MAX - 1; i++) {
		snprintf(path, sizeof(path), "%s/%u", directory, i);
		read_again();
		pcap_check(&file, 0, PCAP_READER_IN, &load.content, 1, 200, false, false);
		pcap_check(&file, 0, PCAP_READER_OUT, &load.content, 1, 200, false, true);
	}
	snprintf(open.target, sizeof(open.target), "pcap:path=%s/last,target=%.900s", directory, target);
	ck_assert_int_eq(worker_thread_net_open(worker, CARD, &open, &opened), -EINVAL);
	ck_assert_str_eq(opened.text, "more than 8 backends stand one before the other");
	snprintf(open.target, sizeof(open.target), "pcap:path=%s/0,target=nothing", directory);
	ck_assert_int_eq(worker_thread_net_open(worker, CARD, &open, &opened), -ENOENT);
	ck_assert_msg(strstr(opened.text, "no net backend is called 'nothing'"), "%s", opened.text);
	snprintf(open.target, sizeof(open.target), "pcap:path=%s/0,target=pcap:path=%s/0,target=echo",
		 directory, directory);
	ck_assert_int_eq(worker_thread_net_open(worker, CARD, &open, &opened), -EAGAIN);
	ck_assert_msg(strstr(opened.text, "/0' is in use, by another card perhaps"), "%s", opened.text);
	open_card(&card, "", "echo");
	sim_net_close(&card);
	stop();
}
END_TEST

/* A frontend that has more queues than it was offered is refused, though the backends would have any number: they were told of so many. */
START_TEST(more_queues_than_offered)
{
	struct message_net_open open = {.mtu = 1500, .queues_max = 2};
	struct netif_frontend_options options = all_taken;
	struct sim_net card = {.device_id = CARD};
	char text[ERROR_TEXT_MAX];

	start(_i);
	snprintf(open.target, sizeof(open.target), "pcap:path=%s/0,target=echo", directory);
	ck_assert_int_eq(worker_thread_net_open(worker, CARD, &open, &card.opened), 0);
	ck_assert_uint_eq(card.opened.queues_max, 2);
	card.opened.queues_max = NET_QUEUES_MAX;
	options.queues = 3;
	sim_net_create(&card, &options);
	ck_assert_int_eq(worker_thread_net_connect(worker, card.frontend, false, text), -EINVAL);
	ck_assert_str_eq(text, "the frontend has 3 queues, the card can have 2");
	ck_assert_uint_eq(netif_frontend_destroy(card.frontend), 0);
	card.frontend = NULL;
	options.queues = 2;
	sim_net_connect(&card, &options);
	sim_net_close(&card);
	stop();
}
END_TEST

/* link_backend - one of those that are made for tests, where another worker finds it. */
static void link_backend(const char *name)
{
	char built[SIM_DISK_PATH_MAX], from[SIM_DISK_PATH_MAX + 64], to[128];

	sim_disk_built(built, "tests/backends");
	snprintf(from, sizeof(from), "%s/%s.so", built, name);
	snprintf(to, sizeof(to), "%s/net/%s.so", directory, name);
	ck_assert_int_eq(symlink(from, to), 0);
}

static struct sim_guest *other_guest;
static struct worker_thread *other;

/* start_other - with a second guest, whose worker finds these two. */
static void start_other(const char *first, const char *second)
{
	const struct sim_guest_options options = {.domid = OTHER_DOMID, .pages = 1024, .strict = true};
	char folder[96];

	start(0);
	snprintf(folder, sizeof(folder), "%s/net", directory);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	link_backend(first);
	link_backend(second);
	ck_assert_int_eq(sim_guest_create(machine, &options, &other_guest), 0);
	ck_assert_int_eq(worker_thread_start(sim_platform(machine), OTHER_DOMID, directory, &other), 0);
}

static void stop_other(void)
{
	ck_assert_int_eq(worker_thread_stop(other), 0);
	sim_guest_destroy(other_guest);
	stop();
}

/* A wrapper that takes what the card below does not is refused, and the card below is closed again. */
START_TEST(takes_too_much)
{
	struct message_net_open open = {.mtu = 1500, .queues_max = 1};
	struct message_net_opened opened;

	start_other("net-wrong-wrapper", "net-wrong");
	strcpy(open.target, "net-wrong-wrapper:fault=takes-more,target=net-wrong:");
	ck_assert_int_eq(worker_thread_net_open(other, CARD, &open, &opened), -EINVAL);
	ck_assert_str_eq(opened.text,
			 "backend net-wrong-wrapper says that it takes 0x7, the card below it takes 0x3");
	strcpy(open.target, "net-wrong-wrapper:target=net-wrong:");
	ck_assert_int_eq(worker_thread_net_open(other, CARD, &open, &opened), 0);
	ck_assert_uint_eq(opened.takes, XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6);
	ck_assert_int_eq(worker_thread_net_close(other, CARD), 0);
	stop_other();
}
END_TEST

/* A card has a link if all of its backends say so. */
START_TEST(links)
{
	static const char *const says[] = {"off", "on"};
	struct message_net_open open = {.mtu = 1500, .queues_max = 1};
	struct message_net_opened opened;

	start_other("net-delaying", "net-wrong");
	for (uint32_t i = 0; i < 8; i++) {
		snprintf(open.target, sizeof(open.target),
			 "net-delaying:link=%s,target=net-delaying:link=%s,target=net-delaying:link=%s,"
			 "target=net-wrong:",
			 says[i & 1], says[i >> 1 & 1], says[i >> 2]);
		ck_assert_int_eq(worker_thread_net_open(other, CARD, &open, &opened), 0);
		ck_assert_int_eq(opened.link, i == 7);
		ck_assert_int_eq(worker_thread_net_close(other, CARD), 0);
	}
	stop_other();
}
END_TEST

/*
 * A card with a control ring, whose guest has packets put into queues of its choice: the file has all that the backend gave and got, each
 * stream in its order, whichever queues the guest got it by.
 */
START_TEST(steered)
{
	const struct net_load_options load = {
		.content = sim_net_content(14, 1514, 8), .depth = 10, .scattered = true, .packets = 300};
	struct netif_frontend_options options = all_taken;
	struct net_hash hash = {.flags = XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |
					 XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP,
				.mapping_size = 5,
				.mapping = {3, 1, 0, 2, 3},
				.key_bytes = 40};
	struct sim_net card;

	start(_i);
	options.queues = 4;
	options.control = true;
	open_card(&card, "", "echo");
	sim_net_connect(&card, &options);
	for (uint32_t i = 0; i < hash.key_bytes; i++)
		hash.key[i] = (uint8_t)(i * 89 + 17);
	ck_assert_msg(net_front_control_hash(card.frontend, &hash) == 0, "%s", card.frontend->control.error);
	sim_net_load(&card, &load);
	sim_net_close(&card);
	read_again();
	ck_assert_uint_eq(file.sections[0].missing, 0);
	ck_assert_uint_eq(file.packet_count, 2u * 4 * 300);
	pcap_check(&file, 0, PCAP_READER_IN, &load.content, 4, 300, false, false);
	pcap_check(&file, 0, PCAP_READER_OUT, &load.content, 4, 300, false, true);
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, all_is_there, 0, 8);
	tcase_add_loop_test(test_case, fast, 0, 2);
	tcase_add_loop_test(test_case, comes_and_goes, 0, 2);
	tcase_add_loop_test(test_case, limit, 0, 2);
	tcase_add_loop_test(test_case, more_queues_than_offered, 0, 2);
	tcase_add_loop_test(test_case, stacks, 0, 2);
	tcase_add_loop_test(test_case, steered, 0, 2);
	tcase_add_test(test_case, takes_too_much);
	tcase_add_test(test_case, links);
}

CHECK_MAIN("net pcap", add_tests)
