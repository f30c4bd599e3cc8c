/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * valgrind.h - does this process run under valgrind?
 */
#ifndef SIM_VALGRIND_H
#define SIM_VALGRIND_H

#include <stdbool.h>

/* runs_under_valgrind - told by what valgrind has the dynamic linker load, so that its headers are not needed. */
bool runs_under_valgrind(void);

#endif
