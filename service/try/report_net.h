/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report_net.h - what came of a run of a network card, for people or for machines
 */
#ifndef REPORT_NET_H
#define REPORT_NET_H

#include "try/run_net.h"

/* report_net - as the options say: a table or JSON on standard output; what went wrong on standard error, too. */
void report_net(const struct run_net_result *result);

#endif
