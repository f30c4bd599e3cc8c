/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - a target string with one parameter changed
 */
#ifndef CONFORM_TARGET_H
#define CONFORM_TARGET_H

#include "worker/backends.h"

/*
 * conform_target_change - `target` without this parameter, but with it `times` times with `value`, which has no comma. A
 * parameter of type XVHOST_TARGET stays the last one. Returns false if that is too long.
 */
bool conform_target_change(const char *target, const struct backend_head *backend, const char *name,
			   const char *value, uint32_t times, char changed[TARGET_MAX]);

/* conform_target_value - what the target gives for this parameter, as it stands there. False: nothing. */
bool conform_target_value(const char *target, const struct backend_head *backend, const char *name,
			  char value[TARGET_MAX]);

/* conform_target_inner - where in `target` the disk below begins, if the backend is a wrapper and it is given; else NULL. */
const char *conform_target_inner(const char *target, const struct backend_head *backend);

#endif
