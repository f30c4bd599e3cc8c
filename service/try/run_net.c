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

#include "sim/sim.h"
#include "sim/worker_thread.h"
#include "try/report_net.h"
#include "try/run.h"
#include "try/threads.h"
#include "try/watch.h"

#define DOMID 1
#define DEVICE 0
#define GUEST_PAGES 2048u	/* for all but the queues ... */
#define GUEST_PAGES_QUEUE 1024u /* ... and for each: pages of two rings, and their frames */
#define MTU 1500u
#define PROBE_QUIET_MS 300
#define QUIET_MS 1000
#define CHECKSUMS (XVHOST_NET_CHECKSUM_IPV4 | XVHOST_NET_CHECKSUM_IPV6)
#define GSO (XVHOST_NET_GSO_TCPV4 | XVHOST_NET_GSO_TCPV6)

/* What a run has made so far; NULL where it has not. */
struct run {
	struct sim_machine *machine;
	struct sim_guest *guest;
	struct worker_thread *worker;
	struct netif_frontend *frontend;
	struct net_load *load;
	bool opened, connected;
	struct threads not_worker; /* the threads that there were before the worker's */
};

bool run_net_good(const struct run_net_result *result)
{
	return result->load.error == 0 && result->load.failed == 0;
}

/* ---- making ---- */

/* make_guest - the machine, the guest, and the worker that serves it. */
static int make_guest(struct run *run, const struct try_options *options)
{
	const struct sim_guest_options guest = {.domid = DOMID,
						.pages = GUEST_PAGES + options->queues * GUEST_PAGES_QUEUE};
	int error;

	run->machine = sim_machine_create(options->seed);
	if (!run->machine)
		return run_fail(TRY_FAILED, "can't make a simulated machine: %s", strerror(errno));
	error = sim_guest_create(run->machine, &guest, &run->guest);
	if (error < 0)
		return run_fail(TRY_FAILED, "can't make a guest with %u pages of memory: %s", guest.pages,
				strerror(-error));
	threads_note(&run->not_worker);
	watch_hold_signals(true);
	error = worker_thread_start(sim_platform(run->machine), DOMID, options->backend_directory,
				    &run->worker);
	watch_hold_signals(false);
	if (error < 0)
		return run_fail(TRY_FAILED, "can't start a worker: %s", strerror(-error));
	return TRY_GOOD;
}

/* open_card - and see that the load can be done with it. */
static int open_card(struct run *run, struct run_net_result *result)
{
	const struct try_options *options = result->options;
	struct message_net_open open = {.interface = "xvhost-try",
					.mac = {0x00, 0x16, 0x3e, 0x00, 0x00, 0x01},
					.mtu = MTU,
					.queues_max = NET_QUEUES_MAX};

	if ((size_t)snprintf(open.target, sizeof(open.target), "%s%s", result->host_options,
			     result->subject.target) >= sizeof(open.target))
		return run_fail(TRY_USAGE, "the target is longer than %d bytes", TARGET_MAX - 1);
	if (worker_thread_net_open(run->worker, DEVICE, &open, &result->card) < 0)
		return run_fail(TRY_FAILED, "%s", result->card.text);
	run->opened = true;
	if (options->queues > result->card.queues_max)
		return run_fail(TRY_USAGE, "--queues is %u, but the card can have %u", options->queues,
				result->card.queues_max);
	if (options->gso && !(result->card.takes & GSO))
		return run_fail(TRY_USAGE, "--gso: the backend takes no packets with GSO");
	return TRY_GOOD;
}

static int connect_guest(struct run *run, const struct run_net_result *result)
{
	const struct netif_frontend_options frontend = {
		.guest = run->guest,
		.host_domid = SIM_HOST_DOMID,
		.device_id = DEVICE,
		.queues = result->options->queues,
		.split = true,
		.takes = CHECKSUMS | GSO,
	};
	const struct netif_features features = worker_thread_net_features(&result->card);
	char text[ERROR_TEXT_MAX];
	int error = netif_frontend_create(&frontend, &features, &run->frontend);

	if (error < 0)
		return run_fail(TRY_FAILED, "can't make the guest's rings: %s", strerror(-error));
	error = worker_thread_net_connect(run->worker, run->frontend, false, text);
	if (error < 0)
		return run_fail(TRY_FAILED, "the worker can't serve the guest's rings: %s", text);
	run->connected = true;
	return TRY_GOOD;
}

/* ---- running ---- */

/* load_options - of the load that was asked for; if packets do not come back they only go. */
static struct net_load_options load_options(const struct run *run, const struct try_options *options,
					    bool comes_back)
{
	return (struct net_load_options){
		.from = run->frontend,
		.to = comes_back ? run->frontend : NULL,
		.content = {.seed = options->seed,
			    .minimum = options->packet_minimum,
			    .maximum = options->packet_maximum,
			    .takes = CHECKSUMS | (options->gso ? GSO : 0)},
		.depth = options->depth,
		.packets = options->packets,
		.time_ms = options->time_ms,
		.quiet_ms = QUIET_MS,
		.others_come = true,
	};
}

/* probe - do packets come back? */
static int probe(const struct run *run, struct run_net_result *result)
{
	struct net_load_options options = load_options(run, result->options, true);
	struct net_load *load;
	int error;

	options.content.seed++;
	options.packets = options.depth;
	options.time_ms = 0;
	options.quiet_ms = PROBE_QUIET_MS;
	error = net_load_create(&options, &load);
	if (error < 0)
		return run_fail(TRY_FAILED, "can't make the guest's load: %s", strerror(-error));
	error = net_load_start(load);
	if (error == 0) {
		net_load_finish(load, &result->load);
		result->comes_back = result->load.received > 0 || result->load.error;
	}
	net_load_destroy(load);
	return error < 0 ? run_fail(TRY_FAILED, "can't start the guest's load: %s", strerror(-error))
			 : TRY_GOOD;
}

static int make_load(struct run *run, const struct run_net_result *result)
{
	const struct net_load_options options = load_options(run, result->options, result->comes_back);
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
	uint64_t before_ns = threads_others_cpu_ns(&run->not_worker);
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
	result->worker_cpu_ns = threads_others_cpu_ns(&run->not_worker) - before_ns;
	return TRY_GOOD;
}

static int run_all(struct run *run, struct run_net_result *result)
{
	int status = make_guest(run, result->options);

	if (status == TRY_GOOD)
		status = open_card(run, result);
	if (status == TRY_GOOD)
		status = connect_guest(run, result);
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

/* unmake - the reverse. */
static void unmake(struct run *run)
{
	if (run->load)
		net_load_destroy(run->load);
	if (run->connected)
		worker_thread_net_disconnect(run->worker, DEVICE);
	if (run->opened)
		worker_thread_net_close(run->worker, DEVICE);
	if (run->worker)
		worker_thread_stop(run->worker);
	if (run->frontend)
		netif_frontend_destroy(run->frontend);
	if (run->guest)
		sim_guest_destroy(run->guest);
	if (run->machine)
		sim_machine_destroy(run->machine);
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
	/* One that has lost packets can't end. */
	if (result->load.error == -ETIMEDOUT) {
		if (worker_thread_net_disconnect(run.worker, DEVICE) < 0) {
			fflush(stdout);
			_Exit(status);
		}
		run.connected = false;
	}
	unmake(&run);
	free(result);
	return status;
}
