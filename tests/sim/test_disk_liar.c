// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest that lies on one of its disks. Each lie must end as it must, honest requests on the same ring are served, the
 * disk can be connected anew, nothing stays mapped, and another disk of the guest goes on with right data all the time.
 */
#include <stdint.h>
#include <unistd.h>

#include "check_main.h"
#include "sim/liar.h"
#include "sim_disk.h"

#define DISK_BYTES (UINT64_C(4) << 20)
#define OTHER_DEVICE (SIM_DISK_DEVICE + 16)
#define NEIGHBOUR_DOMID (SIM_DISK_DOMID + 1)

static struct sim_disk disk, other;
static struct load *load;
static struct liar *liar;
static uint32_t grant_version;
static uint64_t neighbours_frame; /* of a PV guest: frames are the machine's */

static bool is_broken(void *context)
{
	(void)context;
	return worker_thread_broken(worker, SIM_DISK_DEVICE, 0, NULL);
}

/* connect_liar - a fresh ring for it. */
static void connect_liar(uint64_t seed, enum blkif_protocol protocol)
{
	const struct blkif_frontend_options options = {
		.protocol = protocol, .ring_order = seed % 3, .depth = 1, .segments = 1};
	struct liar_options with = {.grant_version = grant_version,
				    .others_frame = neighbours_frame,
				    .seed = seed,
				    .broken = is_broken};

	sim_disk_connect(&disk, &options);
	with.frontend = disk.frontend;
	ck_assert_int_eq(liar_create(&with, &liar), 0);
}

static void disconnect_liar(void)
{
	/* The worker answers this when it has answered all that it has taken, and unmapped all. */
	sim_disk_disconnect(&disk);
	ck_assert_uint_eq(liar_destroy(liar), 0);
}

/* start_guests - the one that lies, and, if it is a PV guest, another one, whose memory it may name and not reach. */
static void start_guests(bool pv, bool strict)
{
	const struct sim_guest_options options = {
		.domid = NEIGHBOUR_DOMID, .pages = 512, .pv = true, .grant_version = 1};
	struct sim_guest *neighbour;

	sim_disk_start_guest(
		&(struct sim_guest_options){.pv = pv, .grant_version = grant_version, .strict = strict});
	neighbours_frame = 0;
	if (!pv)
		return;
	ck_assert_int_eq(sim_guest_create(machine, &options, &neighbour), 0);
	ck_assert_int_eq(sim_pages_take(neighbour, 1, &neighbours_frame), 0);
}

/* start - both disks; the other one is under load until the end. */
static void start(bool pv, bool strict, uint32_t version, const char *before, uint64_t seed)
{
	const struct blkif_frontend_options options = {
		.protocol = BLKIF_X86_64, .depth = 4, .segments = 2, .persistent = seed % 2};
	const struct load_options with = {.read_percent = 50,
					  .random = true,
					  .block_bytes = 8192,
					  .verify = true,
					  .begins_zeroed = true,
					  .seed = seed};
	char text[FRONT_ERROR_MAX];

	grant_version = version;
	start_guests(pv, strict);
	sim_disk_open_behind(&disk, SIM_DISK_DEVICE, DISK_BYTES, before);
	sim_disk_open(&other, OTHER_DEVICE, DISK_BYTES, "");
	sim_disk_connect(&other, &options);
	ck_assert_msg(load_create(other.frontend, &with, &load, text) == 0, "%s", text);
	ck_assert_int_eq(load_start(load), 0);
	connect_liar(seed, seed % 4 < 2 ? BLKIF_X86_64 : BLKIF_X86_32);
}

/* await_other - until the other disk has gone on since the lies were told. */
static void await_other(void)
{
	struct load_counters before, now;

	load_progress(load, &before);
	do {
		usleep(200);
		load_progress(load, &now);
	} while (now.blocks_verified < before.blocks_verified + 20);
}

/* stop - the other disk has served all of its load, with the right data. */
static void stop(void)
{
	static struct load_result done;

	await_other();
	disconnect_liar();
	load_stop(load);
	load_finish(load, &done);
	ck_assert_msg(load_errors(&done) == 0, "the other disk: %s", done.text);
	load_verify(load, &done);
	ck_assert_msg(load_errors(&done) == 0, "the other disk: %s", done.text);
	load_destroy(load);
	sim_disk_close(&other);
	sim_disk_close(&disk);
	sim_disk_stop();
}

static void tell(const struct lie *lie)
{
	struct lie_outcome outcome;
	const char *wrong;

	liar_tell(liar, lie, &outcome);
	wrong = liar_judge(lie, &outcome);
	ck_assert_msg(!wrong,
		      "%s: %s (honest %u: %u good, %u failed; false %u: %u granted, %u refused; %u strays)",
		      lie_name(lie), wrong, outcome.honest, outcome.honest_good, outcome.honest_failed,
		      outcome.false_ones, outcome.granted, outcome.refused, outcome.strays);
	if (lie_end(lie) != LIE_BREAKS && lie_end(lie) != LIE_RUINS)
		return;
	disconnect_liar();
	connect_liar(outcome.honest + 77, BLKIF_X86_64);
}

static uint32_t lie_total(void)
{
	uint32_t count = 0;

	while (lie_at(count))
		count++;
	return count;
}

/* Each lie by itself, some times over. */
START_TEST(each_lie)
{
	start(false, _i % 2, 1 + (uint32_t)_i % 2, NULL, (uint64_t)_i);
	for (int i = 0; i < 4; i++)
		tell(lie_at((uint32_t)_i));
	stop();
}
END_TEST

/* Many lies, in an order by chance; the last of them by PV guests. */
START_TEST(mixed_lies)
{
	start(_i >= 8, _i % 2, 1 + (uint32_t)_i / 2 % 2, NULL, (uint64_t)_i + 100);
	for (int i = 0; i < 150; i++)
		tell(liar_choose(liar));
	tell(lie_find("producer-anywhere"));
	for (int i = 0; i < 50; i++)
		tell(liar_choose(liar));
	tell(lie_find("ring-is-read-into"));
	tell(lie_find("full-ring"));
	stop();
}
END_TEST

/* Lies about what is in use, while it is: each request stays for a while. */
START_TEST(lies_in_use)
{
	static const char *const names[] = {
		"grant-withdrawn-in-use",
		"grant-moved-in-use",
		"request-changed-after-it-was-shown",
		"request-changes-while-it-is-read",
		"indirect-segments-change",
		"data-changes-while-it-is-written",
		"ring-is-written-to-the-disk",
		"host-counter-overwritten",
		"free-entries-scribbled",
	};

	start(_i >= 4, _i % 2, 1 + (uint32_t)_i / 2 % 2,
	      "delay:read-us=150,write-us=100,jitter-us=100,disk=", (uint64_t)_i);
	for (int round = 0; round < 5; round++)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			tell(lie_find(names[i]));
	tell(lie_find("producer-backwards"));
	tell(lie_find("producer-too-far"));
	stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, each_lie, 0, (int)lie_total());
	tcase_add_loop_test(test_case, mixed_lies, 0, 12);
	tcase_add_loop_test(test_case, lies_in_use, 0, 6);
}

CHECK_MAIN("disk liar", add_tests)
