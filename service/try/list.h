/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - for people: which backends there are, and what one of them takes
 */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>

#include "worker/backend_table.h"

/* list_backends - a line for each backend. Returns false if there is one that can't be loaded; standard error has its
 * line then. */
bool list_backends(const char *directory);

/* list_parameters - what a backend is and all its parameters, from its own table. */
void list_parameters(const struct backend_head *backend);

#endif
