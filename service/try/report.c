// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - what came of a run, for people
 */
#include "try/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "try/report_text.h"

#define NS_PER_S 1e9

static const double percentiles[] = {50, 99, 99.9};

/* print_what - the first line: what was done. */
static void print_what(const struct run_result *result)
{
	const struct try_options *options = result->options;
	char block[32], size[32];

	printf("%s of %s, %" PRIu32 " in flight", options->mode, report_size(options->block_bytes, block),
	       options->depth);
	if (options->queues > 1)
		printf(" in each of %" PRIu32 " queues", options->queues);
	printf(", on %s (%s %s, %s%s)\n\n", options->target, result->subject.backend->name,
	       result->subject.backend->version, report_size(result->disk.size_bytes, size),
	       result->disk.read_only ? ", read-only" : "");
}

/* print_row - one kind of request. Flushes have no bytes. */
static void print_row(const struct run_result *result, const char *name, const struct histogram *latency,
		      uint64_t bytes)
{
	double seconds = (double)result->load.elapsed_ns / NS_PER_S;
	char text[32];

	if (latency->count == 0)
		return;
	printf("  %-6s %14s", name, report_count(latency->count, text));
	printf(" %12s", report_count((uint64_t)((double)latency->count / seconds), text));
	if (bytes > 0)
		printf(" %10.1f", (double)bytes / 1e6 / seconds);
	else
		printf(" %10s", "");
	printf(" %9s", report_time(histogram_mean(latency), text));
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		printf(" %9s", report_time((double)histogram_percentile(latency, percentiles[i]), text));
	printf(" %9s\n", report_time((double)latency->maximum, text));
}

static void print_rows(const struct run_result *result)
{
	const struct load_result *load = &result->load;

	printf("  %-6s %14s %12s %10s %9s %9s %9s %9s %9s\n", "", "requests", "IOPS", "MB/s", "mean", "50%",
	       "99%", "99.9%", "max");
	print_row(result, "read", &load->read_ns, load->counters.bytes_read);
	print_row(result, "write", &load->write_ns, load->counters.bytes_written);
	print_row(result, "flush", &load->flush_ns, 0);
}

/* print_cpu - what a request cost, on either side. */
static void print_cpu(const struct run_result *result)
{
	const struct load_result *load = &result->load;
	double requests = (double)(load->read_ns.count + load->write_ns.count + load->flush_ns.count);
	double elapsed_ns = (double)load->elapsed_ns;
	char worker[32], guest[32];

	if (requests == 0 || elapsed_ns == 0)
		return;
	printf("  CPU per request    worker %s (%.0f%% of a core), guest %s (%.0f%%)\n",
	       report_time((double)result->worker_cpu_ns / requests, worker),
	       (double)result->worker_cpu_ns / elapsed_ns * 100,
	       report_time((double)load->guest_cpu_ns / requests, guest),
	       (double)load->guest_cpu_ns / elapsed_ns * 100);
}

/* print_verified - what is known of the data. */
static void print_verified(const struct run_result *result)
{
	char text[32];

	if (!result->options->verify || result->options->read_percent == 100)
		return;
	printf("  verified           ");
	if (result->options->read_percent > 0)
		printf("%s reads while it ran, ", report_count(result->load.counters.blocks_verified, text));
	if (result->read_back)
		printf("%s blocks read back at the end\n",
		       report_count(result->read_back_result.counters.blocks_verified, text));
	else
		printf("nothing read back at the end\n");
}

/* print_errors - each kind that came, and the first of them in words. */
static void print_errors(const struct load_result *load, const char *when)
{
	for (int i = 0; i < LOAD_ERRORS; i++)
		if (load->counters.errors[i] > 0)
			fprintf(stderr, "xvhost-try: %s: %" PRIu64 " times %s\n", when,
				load->counters.errors[i], load_error_name((enum load_error)i));
	if (load->text[0])
		fprintf(stderr, "xvhost-try: %s%s\n", load->error ? "" : "the first: ", load->text);
}

void report(const struct run_result *result)
{
	char text[32];

	if (result->options->json) {
		report_json(result);
	} else if (!result->options->quiet) {
		print_what(result);
		print_rows(result);
		printf("\n  ran for            %s%s\n", report_time((double)result->load.elapsed_ns, text),
		       result->interrupted ? ", interrupted" : "");
		print_cpu(result);
		print_verified(result);
		fflush(stdout);
	}
	print_errors(&result->load, "while it ran");
	if (result->read_back)
		print_errors(&result->read_back_result, "when read back");
	if (result->load.counters.errors[LOAD_STALE] > 0 ||
	    result->read_back_result.counters.errors[LOAD_STALE] > 0)
		fprintf(stderr, "xvhost-try: a disk that is not meant to keep what is written is tried with "
				"--no-verify\n");
}
