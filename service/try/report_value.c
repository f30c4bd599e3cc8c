// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report_value.c - values of reports for machines
 */
#include "try/report_value.h"

json_t *report_json_integer(uint64_t number)
{
	return json_integer((json_int_t)number);
}

json_t *report_json_command(char **arguments)
{
	json_t *array = json_array();

	for (; *arguments; arguments++)
		json_array_append_new(array, json_string(*arguments));
	return array;
}

json_t *report_json_latency(const struct histogram *histogram)
{
	static const struct {
		const char *name;
		double percent;
	} rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
	json_t *object;

	if (histogram->count == 0)
		return json_null();
	object = json_pack("{s:o, s:f}", "min", report_json_integer(histogram->minimum), "mean",
			   histogram_mean(histogram));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_object_set_new(object, rows[i].name,
				    report_json_integer(histogram_percentile(histogram, rows[i].percent)));
	json_object_set_new(object, "max", report_json_integer(histogram->maximum));
	return object;
}

json_t *report_json_per(double number, double by)
{
	return json_real(by > 0 ? number / by : 0);
}
