/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - a device's target string: [option=value,...]NAME:parameter=value,parameter=value
 *
 * A comma in a value is written twice, except in the disk below a wrapper, which takes all that follows it. The
 * string comes from the toolstack; whatever is wrong with it becomes a sentence that names the parameter, its
 * value and what would be right.
 */
#ifndef TARGET_H
#define TARGET_H

#include "memory/access.h"
#include "worker/backends.h"

/* What stands before the backend's name is for the host. */
struct target_options {
	bool access_given;
	enum memory_access access;
};

/*
 * target_take_options - parse what stands before the backend's name; `*rest` is where that begins. Returns 0 or -EINVAL.
 */
int target_take_options(const char *target, struct target_options *options, const char **rest,
			char text[ERROR_TEXT_MAX]);

/*
 * target_backend_name - the part before the first ':'. Returns 0, or -EINVAL when there is none or it is too
 * long.
 */
int target_backend_name(const char *target, char name[BACKEND_NAME_MAX], char text[ERROR_TEXT_MAX]);

/*
 * target_configure - parse the rest by the backend's table of parameters into a new configuration structure,
 * which is the caller's to free(). Returns 0, -EINVAL or -ENOMEM.
 */
int target_configure(const char *target, const struct backend_head *backend, void **config,
		     char text[ERROR_TEXT_MAX]);

/*
 * target_find, _net - all of that: the backend that a target names, and its parameters. Returns as target_backend_name, backends_find and
 * target_configure do. Control thread.
 */
int target_find(const char *directory, const char *target, const struct xvhost_disk_backend **backend,
		void **config, char text[ERROR_TEXT_MAX]);
int target_find_net(const char *directory, const char *target, const struct xvhost_net_backend **backend,
		    void **config, char text[ERROR_TEXT_MAX]);

/*
 * target_store - parse one parameter's value into the configuration structure, which keeps texts by pointer. Returns 0
 * or -EINVAL.
 */
int target_store(const struct backend_head *backend, const struct xvhost_parameter *parameter,
		 const char *value, void *config, char text[ERROR_TEXT_MAX]);

/* target_of_inner - the target string of what is below, if the backend is a wrapper; else NULL. */
const char *target_of_inner(const struct backend_head *backend, const void *config);

/* target_bytes - a size such as 512, 4k, 10G. Returns 0, -EINVAL, or -ERANGE above 2^64 - 1. */
int target_bytes(const char *text, bool with_suffix, uint64_t *bytes);

#endif
