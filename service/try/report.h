/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - what came of a run, for people or for machines
 */
#ifndef REPORT_H
#define REPORT_H

#include "try/run.h"

/* report - as the options say: a table or JSON on standard output; what went wrong on standard error, too. */
void report(const struct run_result *result);

/* report_json - the one for machines. */
void report_json(const struct run_result *result);

#endif
