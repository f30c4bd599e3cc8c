// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report_net.c - what came of a run of a network card, for people or for machines
 *
 * In JSON times are in nanoseconds unless a name says otherwise. Names are only added.
 */
#include "try/report_net.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "try/report_text.h"
#include "try/report_value.h"

#define NS_PER_S 1e9

static const double percentiles[] = {50, 99, 99.9};

/* ---- for people ---- */

/* print_what - the first line: what was done. */
static void print_what(const struct run_net_result *result)
{
	const struct try_options *options = result->options;

	printf("packets of %" PRIu32, options->packet_minimum);
	if (options->packet_maximum > options->packet_minimum)
		printf(" to %" PRIu32, options->packet_maximum);
	printf(" bytes%s, %" PRIu32 " in flight", options->gso ? " with GSO" : "", options->depth);
	if (options->queues > 1)
		printf(" in each of %" PRIu32 " queues", options->queues);
	printf("%s, on %s (%s %s)\n\n", options->second_guest ? ", to a second guest" : "", options->target,
	       result->subject.backend->name, result->subject.backend->version);
}

/* print_row - one direction. */
static void print_row(const struct run_net_result *result, const char *name, uint64_t packets, uint64_t bytes)
{
	double seconds = (double)result->load.elapsed_ns / NS_PER_S;
	char text[32];

	printf("  %-8s %14s", name, report_count(packets, text));
	printf(" %12s", report_count(seconds > 0 ? (uint64_t)((double)packets / seconds) : 0, text));
	printf(" %10.1f\n", seconds > 0 ? (double)bytes / 1e6 / seconds : 0);
}

static void print_rows(const struct run_net_result *result)
{
	const struct net_load_result *load = &result->load;

	printf("  %-8s %14s %12s %10s\n", "", "packets", "packets/s", "MB/s");
	print_row(result, "sent", load->sent, load->sent_bytes);
	if (result->arrives)
		print_row(result, "received", load->received, load->received_bytes);
}

/* print_latency - of the way there and back, or until the host's answer. */
static void print_latency(const struct run_net_result *result)
{
	const struct histogram *way = &result->load.way_ns;
	char text[32];

	if (way->count == 0)
		return;
	printf("  %-18s mean %s",
	       !result->arrives		       ? "until answered"
	       : result->options->second_guest ? "to the other guest"
					       : "there and back",
	       report_time(histogram_mean(way), text));
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		printf(", %g%% %s", percentiles[i],
		       report_time((double)histogram_percentile(way, percentiles[i]), text));
	printf(", max %s\n", report_time((double)way->maximum, text));
}

/* packets_moved - in both directions. */
static double packets_moved(const struct run_net_result *result)
{
	return (double)(result->load.sent + result->load.refused + result->load.received);
}

/* print_cpu - what a packet cost, on either side. */
static void print_cpu(const struct run_net_result *result)
{
	double packets = packets_moved(result), elapsed_ns = (double)result->load.elapsed_ns;
	char worker[32], guest[32];

	if (packets == 0 || elapsed_ns == 0 || result->worker_cpu_ns == 0)
		return;
	printf("  CPU per packet     worker %s (%.0f%% of a core), guest %s (%.0f%%)\n",
	       report_time((double)result->worker_cpu_ns / packets, worker),
	       (double)result->worker_cpu_ns / elapsed_ns * 100,
	       report_time((double)result->load.guest_cpu_ns / packets, guest),
	       (double)result->load.guest_cpu_ns / elapsed_ns * 100);
}

/* print_drops - what did not arrive. */
static void print_drops(const struct run_net_result *result)
{
	char lost[32], refused[32], others[32];

	if (result->arrives)
		printf("  verified           all that %s; %s lost, %s refused, %s of others\n",
		       result->options->second_guest ? "arrived" : "came back",
		       report_count(result->load.lost, lost), report_count(result->load.refused, refused),
		       report_count(result->load.others, others));
	else
		printf("  verified           nothing: no packet comes back; %s refused\n",
		       report_count(result->load.refused, refused));
}

static void print_table(const struct run_net_result *result)
{
	char text[32];

	print_what(result);
	print_rows(result);
	printf("\n  ran for            %s%s\n", report_time((double)result->load.elapsed_ns, text),
	       result->interrupted ? ", interrupted" : "");
	print_latency(result);
	print_cpu(result);
	print_drops(result);
	fflush(stdout);
}

/* ---- for machines ---- */

static json_t *direction(const struct run_net_result *result, uint64_t packets, uint64_t bytes)
{
	double seconds = (double)result->load.elapsed_ns / NS_PER_S;

	return json_pack("{s:o, s:o, s:o, s:o}", "packets", report_json_integer(packets), "bytes",
			 report_json_integer(bytes), "packets_per_second",
			 report_json_per((double)packets, seconds), "bytes_per_second",
			 report_json_per((double)bytes, seconds));
}

static json_t *load(const struct try_options *options)
{
	return json_pack("{s:i, s:i, s:b, s:b, s:i, s:i, s:o, s:o, s:o}", "minimum_bytes",
			 (int)options->packet_minimum, "maximum_bytes", (int)options->packet_maximum, "gso",
			 (int)options->gso, "second_guest", (int)options->second_guest, "depth",
			 (int)options->depth, "queues", (int)options->queues, "time_ms",
			 report_json_integer(options->time_ms), "packets",
			 report_json_integer(options->packets), "seed", report_json_integer(options->seed));
}

static json_t *cpu(const struct run_net_result *result)
{
	double worker_ns = (double)result->worker_cpu_ns, guest_ns = (double)result->load.guest_cpu_ns;
	double elapsed_ns = (double)result->load.elapsed_ns, packets = packets_moved(result);

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "worker_ns_per_packet",
			 report_json_per(worker_ns, packets), "guest_ns_per_packet",
			 report_json_per(guest_ns, packets), "worker_cores",
			 report_json_per(worker_ns, elapsed_ns), "guest_cores",
			 report_json_per(guest_ns, elapsed_ns), "packets_per_worker_core_second",
			 report_json_per(packets * NS_PER_S, worker_ns));
}

static void print_json(const struct run_net_result *result)
{
	const struct net_load_result *done = &result->load;
	struct utsname name;
	json_t *object;

	uname(&name);
	object = json_pack("{s:o, s:s, s:s, s:{s:s, s:s}, s:o, s:f, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			   "s:o, s:o, s:b, s:b, "
			   "s:s}",
			   "command", report_json_command(result->options->arguments), "version",
			   XVHOST_VERSION, "kernel", name.release, "net_backend", "name",
			   result->subject.backend->name, "version", result->subject.backend->version, "load",
			   load(result->options), "elapsed_s", (double)done->elapsed_ns / NS_PER_S,
			   "comes_back", (int)(result->arrives && !result->options->second_guest), "sent",
			   direction(result, done->sent, done->sent_bytes), "received",
			   direction(result, done->received, done->received_bytes), "refused",
			   report_json_integer(done->refused), "lost",
			   report_json_integer(result->arrives ? done->lost : 0), "failed",
			   report_json_integer(done->failed), "others", report_json_integer(done->others),
			   "latency_ns", report_json_latency(&done->way_ns), "cpu", cpu(result),
			   "notifications", report_json_integer(done->notifications), "interrupted",
			   (int)result->interrupted, "good", (int)run_net_good(result), "error_text",
			   done->text);
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	printf("\n");
	fflush(stdout);
	json_decref(object);
}

void report_net(const struct run_net_result *result)
{
	if (result->options->json)
		print_json(result);
	else if (!result->options->quiet)
		print_table(result);
	if (result->load.failed > 0)
		fprintf(stderr, "xvhost-try: %" PRIu64 " packets for the guest were answered with an error\n",
			result->load.failed);
	if (result->load.text[0])
		fprintf(stderr, "xvhost-try: %s\n", result->load.text);
}
