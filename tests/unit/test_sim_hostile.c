// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_sim_hostile.c - a guest that writes nonsense into xenstore, beside one that works
 *
 * xvhostd and its workers are the real ones, and the nonsense comes from a seed. The same against xvhostd alone, with
 * more of it and without waiting, is tests/fuzz/fuzz_xenstore.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "sim/load.h"
#include "sim/nonsense.h"
#include "sim/xenstore.h"
#include "vm.h"

#define GOOD_DOMID 4
#define BAD_DOMID 3
#define SEEDS 3
#define LIVES 6		       /* of each seed: attach, nonsense, destroy */
#define TRIES 12	       /* to connect, of each life */
#define NONSENSE_BYTES 40      /* before each try, at most: some ten steps */
#define PATIENCE_MS 60	       /* for a state that may never come, ... */
#define FIRST_PATIENCE_MS 1000 /* ... until one try has come to its end, for the machine may be slow */

static const struct blkif_frontend_options plain = {.protocol = BLKIF_X86_64};
static struct vm good, bad;
static unsigned connected; /* how often the bad guest came to be connected all the same */

/* go_to - the guest's state, and the host's, that it should lead to, or another one. Returns the host's. */
static char go_to(const char *state, char host_state, char other)
{
	char now = '0';

	sim_xenstore_write(bad.xenstore, 0, "device/vbd/51712/state", state);
	for (unsigned i = 0; i < (connected > 0 ? PATIENCE_MS : FIRST_PATIENCE_MS) * 4; i++) {
		now = vm_node(&bad, "state")[0];
		if (now == host_state || now == other)
			break;
		usleep(250);
	}
	return now;
}

/*
 * try_badly - a frontend that begins anew, describes its ring, spoils that, and says that it is ready. Returns the state
 * that the host comes to.
 */
static char try_badly(struct sim_nonsense *nonsense)
{
	static const uint8_t right[] = {7, 0};
	uint8_t program[NONSENSE_BYTES];

	go_to("6", '6', '6');
	if (go_to("1", '2', '2') != '2')
		return '0';
	nonsense->bytes = right;
	nonsense->left = sizeof(right);
	sim_nonsense_step(nonsense);
	for (size_t i = 0; i < sizeof(program); i++)
		program[i] = (uint8_t)sim_random(machine);
	nonsense->bytes = program;
	nonsense->left = sim_random(machine) % sizeof(program);
	while (sim_nonsense_step(nonsense))
		;
	sim_nonsense_end(nonsense);
	return go_to("3", '4', '5');
}

/* live_badly - a guest's life. */
static void live_badly(void)
{
	struct blkif_frontend_options options = plain;
	struct sim_nonsense nonsense = {.device_id = VM_DEVICE, .domid = BAD_DOMID};
	char state = '1';

	vm_boot(&bad, BAD_DOMID);
	options.guest = bad.guest;
	options.device_id = VM_DEVICE;
	ck_assert_int_eq(blkif_frontend_create(&options, &bad.frontend), 0);
	nonsense.guest = bad.xenstore;
	nonsense.ring_ref = bad.frontend->queues[0].ring.grefs[0];
	nonsense.event_channel = bad.frontend->queues[0].port;
	vm_attach(&bad);
	/* It may have thrown its device away. */
	for (unsigned i = 0; i < TRIES && state != '0'; i++) {
		state = try_badly(&nonsense);
		connected += state == '4';
	}
	ck_assert_int_eq(sim_block_detach(toolstack, &bad.block, true, VM_WAIT_MS), 0);
	/* The host has let go of the ring. */
	ck_assert_uint_eq(blkif_frontend_destroy(bad.frontend), 0);
	vm_shut_down(&bad);
}

START_TEST(test_nonsense)
{
	static struct load_result result;
	const struct load_options options = {
		.random = true, .block_bytes = 4096, .depth = 4, .read_percent = 50, .verify = true};
	struct load *load;

	vm_start((uint64_t)_i, LOG_LEVEL_ERROR);
	vm_boot(&good, GOOD_DOMID);
	vm_attach(&good);
	vm_connect(&good, &plain);
	ck_assert_msg(load_create(good.frontend, &options, &load, vm_text) == 0, "%s", vm_text);
	ck_assert_int_eq(load_start(load), 0);
	for (unsigned i = 0; i < LIVES; i++) {
		live_badly();
		ck_assert_str_eq(vm_node(&good, "state"), "4");
		ck_assert_str_eq(vm_error(&good), "");
	}
	/* Not all of it was so bad that nothing came of it, nor so good that nothing was refused. */
	ck_assert_uint_gt(connected, 0);
	ck_assert_uint_lt(connected, LIVES * TRIES);
	load_stop(load);
	load_finish(load, &result);
	ck_assert_msg(load_errors(&result) == 0, "%s", result.text);
	ck_assert_uint_gt(result.counters.blocks_verified, 0);
	load_destroy(load);
	vm_close(&good);
	vm_detach(&good);
	vm_shut_down(&good);
	vm_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_loop_test(test_case, test_nonsense, 0, SEEDS);
}

CHECK_MAIN("sim: a hostile guest in xenstore", add_tests)
