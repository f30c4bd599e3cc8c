/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report_value.h - values of reports for machines
 */
#ifndef REPORT_VALUE_H
#define REPORT_VALUE_H

#include <jansson.h>
#include <stdint.h>

#include "sim/histogram.h"

/* report_json_integer - JSON has no unsigned numbers; nothing here comes near the sign. */
json_t *report_json_integer(uint64_t number);

/* report_json_command - the command line. */
json_t *report_json_command(char **arguments);

/* report_json_latency - null where nothing was measured. */
json_t *report_json_latency(const struct histogram *histogram);

/* report_json_per - 0 where there is nothing to divide by. */
json_t *report_json_per(double number, double by);

#endif
