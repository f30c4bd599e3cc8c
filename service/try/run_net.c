// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run_net.c - one net backend, served by a worker, under the load of a simulated guest
 *
 * Theory of operation: as run.c has it for disks. First a few packets are sent to see whether they come back. If they do, the load waits
 * for all of its packets and verifies them; if not, they only go.
 */
#include "try/run_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "try/report_net.h"
#include "try/run.h"
#include "try/stage.h"
#include "try/watch.h"

#define DEVICE 0
#define GUEST_PAGES 2048u	/* for all but the queues ... */
#define GUEST_PAGES_QUEUE 1024u /* ... and for each: pages of two rings, and their frames */
#define MTU 1500u
#define PROBES_MAX 10 /* for packets to another guest */
#define QUIET_MS 1000
#define CHECKSUMS (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6)
#define GSO (XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

/* A guest's card. */
struct card {
	struct message_net_opened properties;
	struct netif_frontend *frontend;
	bool opened, connected;
};

static const uint8_t macs[STAGE_GUESTS_MAX][6] = {{0, 0x16, 0x3e, 0, 0, 1}, {0, 0x16, 0x3e, 0, 0, 2}};

/* What a run has made so far; NULL where it has not. */
struct run {
	struct stage stage;
	struct card cards[STAGE_GUESTS_MAX];
	struct net_load *load;
};

bool run_net_good(const struct run_net_result *result)
{
	return result->load.error == 0 && result->load.failed == 0;
}

/* ---- making ---- */

/* open_card - for this guest, and see that the load can be done with it. */
static int open_card(struct run *run, uint32_t index, struct run_net_result *result)
{
	const struct try_options *options = result->options;
	struct message_net_open open = {.mtu = MTU, .queues_max = NET_QUEUES_MAX};
	struct card *card = &run->cards[index];

	if ((size_t)snprintf(open.target, sizeof(open.target), "%s%s", result->host_options,
			     result->subject.target) >= sizeof(open.target))
		return run_fail(TRY_USAGE, "the target is longer than %d bytes", TARGET_MAX - 1);
	memcpy(open.mac, macs[index], sizeof(open.mac));
	snprintf(open.interface, sizeof(open.interface), "xvhost-try%s", index > 0 ? "2" : "");
	if (worker_thread_net_open(run->stage.guests[index].worker, DEVICE, &open, &card->properties) < 0)
		return run_fail(TRY_FAILED, "%s", card->properties.text);
	card->opened = true;
	if (options->queues > card->properties.queues_max)
		return run_fail(TRY_USAGE, "--queues is %u, but the card can have %u", options->queues,
				card->properties.queues_max);
	if (options->gso && !(card->properties.takes & GSO))
		return run_fail(TRY_USAGE, "--gso: the backend takes no packets with GSO");
	return TRY_GOOD;
}

static int connect_card(struct run *run, uint32_t index, const struct try_options *options)
{
	struct card *card = &run->cards[index];
	const struct netif_frontend_options frontend = {
		.guest = run->stage.guests[index].guest,
		.host_domid = SIM_HOST_DOMID,
		.device_id = DEVICE,
		.queues = options->queues,
		.split = true,
		.takes = CHECKSUMS | GSO,
	};
	const struct netif_features features = worker_thread_net_features(&card->properties);
	char text[ERROR_TEXT_MAX];
	int error = netif_frontend_create(&frontend, &features, &card->frontend);

	if (error < 0)
		return run_fail(TRY_FAILED, "can't make the guest's rings: %s", strerror(-error));
	error = worker_thread_net_connect(run->stage.guests[index].worker, card->frontend, false, text);
	if (error < 0)
		return run_fail(TRY_FAILED, "the worker can't serve the guest's rings: %s", text);
	card->connected = true;
	return TRY_GOOD;
}

/* make_cards - all guests with a card that is connected. */
static int make_cards(struct run *run, struct run_net_result *result)
{
	uint32_t guests = result->options->second_guest ? 2 : 1;
	int status = stage_make(&run->stage, result->options, guests,
				GUEST_PAGES + result->options->queues * GUEST_PAGES_QUEUE);

	for (uint32_t i = 0; i < guests && status == TRY_GOOD; i++)
		status = open_card(run, i, result);
	for (uint32_t i = 0; i < guests && status == TRY_GOOD; i++)
		status = connect_card(run, i, result->options);
	return status;
}

/* ---- running ---- */

/* load_options - of the load that was asked for; if packets do not arrive anywhere they only go. */
static struct net_load_options load_options(const struct run *run, const struct try_options *options,
					    bool arrives)
{
	const struct card *to = &run->cards[options->second_guest];
	struct net_load_options load = {
		.from = run->cards[0].frontend,
		.to = arrives ? to->frontend : NULL,
		.content = {.seed = options->seed,
			    .minimum = options->packet_minimum,
			    .maximum = options->packet_maximum,
			    .takes = CHECKSUMS | (options->gso ? GSO : 0),
			    .addressed = options->second_guest &&
					 options->packet_minimum >= NET_CONTENT_ADDRESSED_BYTES},
		.depth = options->depth,
		.packets = options->packets,
		.time_ms = options->time_ms,
		.quiet_ms = QUIET_MS,
		.others_come = true,
	};

	memcpy(load.content.source, macs[0], sizeof(macs[0]));
	memcpy(load.content.destination, macs[1], sizeof(macs[1]));
	return load;
}

/* probe_once - do packets arrive? */
static int probe_once(const struct run *run, struct run_net_result *result, uint32_t number)
{
	struct net_load_options options = load_options(run, result->options, true);
	struct net_load *load;
	int error;

	options.content.seed += 1 + number;
	options.packets = options.depth;
	options.time_ms = 0;
	error = net_load_create(&options, &load);
	if (error < 0)
		return run_fail(TRY_FAILED, "can't make the guest's load: %s", strerror(-error));
	error = net_load_start(load);
	if (error == 0) {
		net_load_finish(load, &result->load);
		result->arrives = result->load.received > 0 || result->load.error;
	}
	net_load_destroy(load);
	return error < 0 ? run_fail(TRY_FAILED, "can't start the guest's load: %s", strerror(-error))
			 : TRY_GOOD;
}

/* probe - cards of two guests may have to find each other first. */
static int probe(const struct run *run, struct run_net_result *result)
{
	uint32_t tries = result->options->second_guest ? PROBES_MAX : 1;
	int status = TRY_GOOD;

	for (uint32_t i = 0; i < tries && status == TRY_GOOD && !result->arrives; i++)
		status = probe_once(run, result, i);
	if (status == TRY_GOOD && !result->arrives && result->options->second_guest)
		return run_fail(TRY_FAILED, "no packet of the first guest's comes to the second one");
	return status;
}

static int make_load(struct run *run, const struct run_net_result *result)
{
	const struct net_load_options options = load_options(run, result->options, result->arrives);
	int error = net_load_create(&options, &run->load);

	return error < 0 ? run_fail(TRY_FAILED, "can't make the guest's load: %s", strerror(-error))
			 : TRY_GOOD;
}

static void stop(void *load)
{
	net_load_stop(load);
}

static void progress(void *load, struct watch_progress *progress)
{
	progress->done = progress->amount = net_load_sent(load);
}

/* execute - the load from its first packet to its last, and what it cost. */
static int execute(struct run *run, struct run_net_result *result)
{
	const struct try_options *options = result->options;
	uint64_t before_ns = stage_workers_cpu_ns(&run->stage);
	struct watch *watch;
	int error;

	watch_hold_signals(true);
	error = net_load_start(run->load);
	if (error < 0)
		return run_fail(TRY_FAILED, "can't start the guest's load: %s", strerror(-error));
	error = watch_start(&(struct watched){.load = run->load,
					      .stop = stop,
					      .progress = progress,
					      .noun = "packets",
					      .time_ms = options->time_ms,
					      .limit = options->packets * options->queues},
			    options->quiet, &watch);
	watch_hold_signals(false);
	if (error < 0) {
		net_load_abandon(run->load);
		net_load_finish(run->load, &result->load);
		return run_fail(TRY_FAILED, "can't look after the load: %s", strerror(-error));
	}
	net_load_finish(run->load, &result->load);
	result->interrupted = watch_end(watch);
	result->worker_cpu_ns = stage_workers_cpu_ns(&run->stage) - before_ns;
	return TRY_GOOD;
}

static int run_all(struct run *run, struct run_net_result *result)
{
	int status = make_cards(run, result);

	if (status == TRY_GOOD)
		status = probe(run, result);
	/* What goes wrong with these few does not go better with many. */
	if (status == TRY_GOOD && !run_net_good(result)) {
		report_net(result);
		return TRY_FAILED;
	}
	if (status == TRY_GOOD)
		status = make_load(run, result);
	if (status == TRY_GOOD)
		status = execute(run, result);
	if (status != TRY_GOOD)
		return status;
	report_net(result);
	return run_net_good(result) ? TRY_GOOD : TRY_FAILED;
}

/* disconnect - all cards. False: one has lost packets, and can't be. */
static bool disconnect(struct run *run)
{
	bool all = true;

	for (uint32_t i = 0; i < STAGE_GUESTS_MAX; i++) {
		struct card *card = &run->cards[i];

		if (card->connected)
			all &= worker_thread_net_disconnect(run->stage.guests[i].worker, DEVICE) == 0;
		card->connected = false;
	}
	return all;
}

/* unmake - the reverse. */
static void unmake(struct run *run)
{
	if (run->load)
		net_load_destroy(run->load);
	disconnect(run);
	for (uint32_t i = 0; i < STAGE_GUESTS_MAX; i++)
		if (run->cards[i].opened)
			worker_thread_net_close(run->stage.guests[i].worker, DEVICE);
	stage_stop_workers(&run->stage);
	for (uint32_t i = 0; i < STAGE_GUESTS_MAX; i++)
		if (run->cards[i].frontend)
			netif_frontend_destroy(run->cards[i].frontend);
	stage_unmake(&run->stage);
}

int run_net_load(const struct try_options *options)
{
	struct run_net_result *result = calloc(1, sizeof(*result));
	struct run run = {0};
	char text[ERROR_TEXT_MAX];
	int status, error;

	if (!result)
		return run_fail(TRY_FAILED, "no memory");
	result->options = options;
	error = run_find(options, result->host_options, &result->subject, text);
	if (error < 0) {
		free(result);
		return run_fail(subject_status(error), "%s", text);
	}
	status = run_all(&run, result);
	if (result->load.error == -ETIMEDOUT && !disconnect(&run)) {
		fflush(stdout);
		_Exit(status);
	}
	unmake(&run);
	free(result);
	return status;
}
