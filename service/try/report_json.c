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

#define NS_PER_S 1e9

/* integer - JSON has no unsigned numbers; nothing here comes near the sign. */
static json_t *integer(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *command(char **arguments)
{
	json_t *array = json_array();

	for (; *arguments; arguments++)
		json_array_append_new(array, json_string(*arguments));
	return array;
}

/* latency - null where nothing was measured. */
static json_t *latency(const struct histogram *histogram)
{
	static const struct {
		const char *name;
		double percent;
	} rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
	json_t *object;

	if (histogram->count == 0)
		return json_null();
	object = json_pack("{s:o, s:f}", "min", integer(histogram->minimum), "mean",
			   histogram_mean(histogram));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_object_set_new(object, rows[i].name,
				    integer(histogram_percentile(histogram, rows[i].percent)));
	json_object_set_new(object, "max", integer(histogram->maximum));
	return object;
}

/* per - 0 where there is nothing to divide by. */
static json_t *per(double number, double by)
{
	return json_real(by > 0 ? number / by : 0);
}

static json_t *requests(const struct run_result *result, const struct histogram *histogram, uint64_t bytes)
{
	double seconds = (double)result->load.elapsed_ns / NS_PER_S;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "requests", integer(histogram->count), "bytes",
			 integer(bytes), "requests_per_second", per((double)histogram->count, seconds),
			 "bytes_per_second", per((double)bytes, seconds), "latency_ns", latency(histogram));
}

static json_t *load(const struct try_options *options)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:i, s:b}", "rw", options->mode,
			 "read_percent", (int)options->read_percent, "block_bytes", (int)options->block_bytes,
			 "depth", (int)options->depth, "queues", (int)options->queues, "ring_order",
			 (int)options->ring_order, "time_ms", integer(options->time_ms), "bytes",
			 integer(options->bytes), "seed", integer(options->seed), "flush_every",
			 (int)options->flush_every, "verify", (int)options->verify);
}

static json_t *cpu(const struct run_result *result, double count)
{
	double worker_ns = (double)result->worker_cpu_ns, guest_ns = (double)result->load.guest_cpu_ns;
	double elapsed_ns = (double)result->load.elapsed_ns;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "worker_ns_per_request", per(worker_ns, count),
			 "guest_ns_per_request", per(guest_ns, count), "worker_cores",
			 per(worker_ns, elapsed_ns), "guest_cores", per(guest_ns, elapsed_ns),
			 "requests_per_worker_core_second", per(count * NS_PER_S, worker_ns));
}

/* errors - by kind, while it ran and when read back. */
static json_t *errors(const struct run_result *result)
{
	json_t *object = json_object();

	for (int i = 0; i < LOAD_ERRORS; i++)
		json_object_set_new(object, load_error_name((enum load_error)i),
				    integer(result->load.counters.errors[i] +
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
		"command", command(result->options->arguments), "version", XVHOST_VERSION, "kernel",
		name.release, "backend", "name", result->subject.backend->name, "version",
		result->subject.backend->version, "disk", "size_bytes", integer(result->disk.size_bytes),
		"read_only", (int)result->disk.read_only, "flush", (int)result->disk.flush, "load",
		load(result->options), "elapsed_s", seconds, "requests", integer(count),
		"requests_per_second", per((double)count, seconds), "bytes_per_second",
		per((double)bytes, seconds), "read",
		requests(result, &done->read_ns, done->counters.bytes_read), "write",
		requests(result, &done->write_ns, done->counters.bytes_written), "flush",
		requests(result, &done->flush_ns, 0), "cpu", cpu(result, (double)count), "notifications",
		integer(done->notifications), "blocks_verified",
		integer(done->counters.blocks_verified + result->read_back_result.counters.blocks_verified),
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
