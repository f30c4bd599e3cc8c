// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report_json.c - what came of a run, for machines
 *
 * Times are in nanoseconds unless a name says otherwise. Names are only added.
 */
#include "try/report.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "try/report_value.h"

#define NS_PER_S 1e9

static json_t *requests(const struct run_result *result, const struct histogram *histogram, uint64_t bytes)
{
	double seconds = (double)result->load.elapsed_ns / NS_PER_S;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "requests", report_json_integer(histogram->count),
			 "bytes", report_json_integer(bytes), "requests_per_second",
			 report_json_per((double)histogram->count, seconds), "bytes_per_second",
			 report_json_per((double)bytes, seconds), "latency_ns",
			 report_json_latency(histogram));
}

static json_t *load(const struct try_options *options)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:i, s:b}", "rw", options->mode,
			 "read_percent", (int)options->read_percent, "block_bytes", (int)options->block_bytes,
			 "depth", (int)options->depth, "queues", (int)options->queues, "ring_order",
			 (int)options->ring_order, "time_ms", report_json_integer(options->time_ms), "bytes",
			 report_json_integer(options->bytes), "seed", report_json_integer(options->seed),
			 "flush_every", (int)options->flush_every, "verify", (int)options->verify);
}

static json_t *cpu(const struct run_result *result, double count)
{
	double worker_ns = (double)result->worker_cpu_ns, guest_ns = (double)result->load.guest_cpu_ns;
	double elapsed_ns = (double)result->load.elapsed_ns;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "worker_ns_per_request",
			 report_json_per(worker_ns, count), "guest_ns_per_request",
			 report_json_per(guest_ns, count), "worker_cores",
			 report_json_per(worker_ns, elapsed_ns), "guest_cores",
			 report_json_per(guest_ns, elapsed_ns), "requests_per_worker_core_second",
			 report_json_per(count * NS_PER_S, worker_ns));
}

/* errors - by kind, while it ran and when read back. */
static json_t *errors(const struct run_result *result)
{
	json_t *object = json_object();

	for (int i = 0; i < LOAD_ERRORS; i++)
		json_object_set_new(object, load_error_name((enum load_error)i),
				    report_json_integer(result->load.counters.errors[i] +
							result->read_back_result.counters.errors[i]));
	return object;
}

static const char *error_text(const struct run_result *result)
{
	return result->load.text[0] ? result->load.text : result->read_back_result.text;
}

static json_t *whole(const struct run_result *result)
{
	const struct load_result *done = &result->load;
	uint64_t count = done->read_ns.count + done->write_ns.count + done->flush_ns.count;
	uint64_t bytes = done->counters.bytes_read + done->counters.bytes_written;
	double seconds = (double)done->elapsed_ns / NS_PER_S;
	bool good = load_errors(done) == 0 &&
		    (!result->read_back || load_errors(&result->read_back_result) == 0);
	struct utsname name;

	uname(&name);
	return json_pack(
		"{s:o, s:s, s:s, s:{s:s, s:s}, s:{s:o, s:b, s:b}, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, "
		"s:b, s:b, s:o, s:s}",
		"command", report_json_command(result->options->arguments), "version", XVHOST_VERSION,
		"kernel", name.release, "backend", "name", result->subject.backend->name, "version",
		result->subject.backend->version, "disk", "size_bytes",
		report_json_integer(result->disk.size_bytes), "read_only", (int)result->disk.read_only,
		"flush", (int)result->disk.flush, "load", load(result->options), "elapsed_s", seconds,
		"requests", report_json_integer(count), "requests_per_second",
		report_json_per((double)count, seconds), "bytes_per_second",
		report_json_per((double)bytes, seconds), "read",
		requests(result, &done->read_ns, done->counters.bytes_read), "write",
		requests(result, &done->write_ns, done->counters.bytes_written), "flush",
		requests(result, &done->flush_ns, 0), "cpu", cpu(result, (double)count), "notifications",
		report_json_integer(done->notifications), "blocks_verified",
		report_json_integer(done->counters.blocks_verified +
				    result->read_back_result.counters.blocks_verified),
		"interrupted", (int)result->interrupted, "good", (int)good, "errors", errors(result),
		"error_text", error_text(result));
}

void report_json(const struct run_result *result)
{
	json_t *object = whole(result);

	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	printf("\n");
	fflush(stdout);
	json_decref(object);
}
