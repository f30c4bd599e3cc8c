/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend_table.h - what a backend says of itself: the tables of disk and net backends begin alike
 */
#ifndef BACKEND_TABLE_H
#define BACKEND_TABLE_H

#include "worker/messages.h"
#include "xvhost/backend.h"

/* The beginning of struct xvhost_disk_backend and struct xvhost_net_backend. */
struct backend_head {
	uint32_t size;
	uint32_t abi;
	const char *name;
	const char *version;
	const char *description;
	const struct xvhost_parameter *parameters;
	uint32_t parameter_count;
	uint32_t parameter_size;
	uint32_t config_size;
} __attribute__((may_alias));

static inline const struct backend_head *head_of_disk(const struct xvhost_disk_backend *backend)
{
	return (const struct backend_head *)backend;
}

static inline const struct backend_head *head_of_net(const struct xvhost_net_backend *backend)
{
	return (const struct backend_head *)backend;
}

static inline const struct xvhost_disk_backend *disk_of_head(const struct backend_head *head)
{
	return (const struct xvhost_disk_backend *)head;
}

static inline const struct xvhost_net_backend *net_of_head(const struct backend_head *head)
{
	return (const struct xvhost_net_backend *)head;
}

enum backend_kind {
	BACKEND_DISK,
	BACKEND_NET,
	BACKEND_KINDS, /* none: so many there are */
};

/* backends_parameter - a backend's parameter by number, whatever size its table's rows have. */
const struct xvhost_parameter *backends_parameter(const struct backend_head *backend, uint32_t number);

/*
 * backend_table_adopt - check a backend's table and make a copy of the size that this host knows; members that it
 * does not have are zero. `origin` says for the error text where it is from. Returns 0, -ELIBBAD, -ENOMEM.
 */
int backend_table_adopt(enum backend_kind kind, const struct backend_head *table, const char *origin,
			const struct backend_head **backend, char text[ERROR_TEXT_MAX]);

#endif
