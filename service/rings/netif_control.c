// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netif_control.c - the control ring of one network card
 */
#include "rings/netif_control.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/netif.h>

#include "rings/ring.h"

static_assert(sizeof(union xen_netif_ctrl_sring_entry) == sizeof(struct xen_netif_ctrl_request), "entries");

struct netif_control {
	struct netif_control_parameters with;
	struct ring ring;
	bool look;  /* there may be requests in the ring */
	bool asked; /* to be notified of the next one */
	bool broken;
};

int netif_control_create(const struct netif_control_parameters *parameters, struct netif_control **created)
{
	struct netif_control *control = calloc(1, sizeof(*control));
	int error;

	if (!control)
		return -ENOMEM;
	control->with = *parameters;
	control->look = true;
	error = ring_attach(&control->ring, parameters->page, PAGE_BYTES,
			    sizeof(union xen_netif_ctrl_sring_entry));
	if (error < 0) {
		free(control);
		return error;
	}
	*created = control;
	return 0;
}

void netif_control_free(struct netif_control *control)
{
	free(control);
}

/* ---- what the guest's grants hold ---- */

/* read_page - the first bytes of a page that the guest names. Returns false if they can't be had. */
static bool read_page(struct netif_control *control, uint32_t gref, void *bytes, uint32_t length)
{
	void *page;
	struct memory_mapping mapping = {
		.grefs = &gref,
		.count = 1,
		.cached = control->with.cached,
		.sharer = control,
		.pages = &page,
	};
	struct memory_mapping *mappings[1] = {&mapping}, *gone[1];

	memory_map(control->with.memory, mappings, 1);
	if (mapping.error < 0) {
		log_limited(control->with.limit, LOG_LEVEL_WARNING,
			    "%s: control ring: can't map grant %" PRIu32 ": %s", control->with.name, gref,
			    strerror(-mapping.error));
		return false;
	}
	memcpy(bytes, page, length);
	/* Of a list of one nobody waits for another. */
	memory_unmap(control->with.memory, mappings, 1, gone);
	return true;
}

static uint32_t set_key(struct netif_control *control, uint32_t gref, uint32_t bytes)
{
	uint8_t key[NETIF_TOEPLITZ_KEY_MAX] = {0};
	uint32_t status = netif_hash_check_key(bytes);

	if (status != XEN_NETIF_CTRL_STATUS_SUCCESS)
		return status;
	/* A key of no bytes is in no page. */
	if (bytes > 0 && !read_page(control, gref, key, bytes))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	netif_hash_set_key(control->with.hash, key, bytes);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping(struct netif_control *control, uint32_t gref, uint32_t count, uint32_t offset)
{
	uint32_t entries[NETIF_HASH_MAPPING_MAX];
	uint32_t status = netif_hash_check_mapping(control->with.hash, count, offset);

	if (status != XEN_NETIF_CTRL_STATUS_SUCCESS)
		return status;
	if (count > 0 && !read_page(control, gref, entries, count * (uint32_t)sizeof(entries[0])))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	return netif_hash_set_mapping(control->with.hash, entries, count, offset);
}

/* ---- requests ---- */

/* carry_out - returns the status; *data is what the answer says besides. */
static uint32_t carry_out(struct netif_control *control, const struct xen_netif_ctrl_request *request,
			  uint32_t *data)
{
	struct netif_hash *hash = control->with.hash;

	switch (request->type) {
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
		return netif_hash_get_flags(hash, data);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		return netif_hash_set_flags(hash, request->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		return set_key(control, request->data[0], request->data[1]);
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		*data = NETIF_HASH_MAPPING_MAX;
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		return netif_hash_set_mapping_size(hash, request->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		return set_mapping(control, request->data[0], request->data[1], request->data[2]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		return netif_hash_set_algorithm(hash, request->data[0]);
	default: /* grants that stay mapped, and what there is not */
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	}
}

/* answer - all bytes of the entry are ours. */
static void answer(struct netif_control *control, const struct xen_netif_ctrl_request *request,
		   uint32_t status, uint32_t data)
{
	const struct {
		struct xen_netif_ctrl_response response;
		uint8_t unused[sizeof(*request) - sizeof(struct xen_netif_ctrl_response)];
	} entry = {.response = {.id = request->id, .type = request->type, .status = status, .data = data}};

	ring_answer(&control->ring, &entry, sizeof(entry));
	if (status != XEN_NETIF_CTRL_STATUS_SUCCESS)
		log_limited(control->with.limit, LOG_LEVEL_WARNING,
			    "%s: control ring: request of type %u (%" PRIu32 ", %" PRIu32 ", %" PRIu32
			    ") refused with status %" PRIu32,
			    control->with.name, request->type, request->data[0], request->data[1],
			    request->data[2], status);
}

static void break_ring(struct netif_control *control, uint32_t producer)
{
	const struct ring *ring = &control->ring;

	control->broken = true;
	log_limited(control->with.limit, LOG_LEVEL_ERROR,
		    "%s: control ring broken: req_prod is %" PRIu32 ", at most %" PRIu32
		    " is possible (%" PRIu32 " taken, %" PRIu32 " entries)",
		    control->with.name, producer, ring->response_producer + ring->size,
		    ring->request_consumer, ring->size);
}

void netif_control_take(struct netif_control *control)
{
	uint32_t producer, taken = 0;
	int pending;

	if (!control->look || control->broken)
		return;
	pending = ring_pending(&control->ring, &producer);
	if (pending < 0)
		break_ring(control, producer);
	if (pending > 0)
		control->asked = false;
	for (; pending > 0 && taken < NETIF_CONTROL_PER_TURN; pending--, taken++) {
		struct xen_netif_ctrl_request request;
		uint32_t data = 0, status;

		ring_take(&control->ring, &request);
		status = carry_out(control, &request, &data);
		answer(control, &request, status, data);
	}
	control->look = pending > 0;
}

/* ---- events ---- */

void netif_control_event(struct netif_control *control)
{
	control->look = true;
}

bool netif_control_ready(const struct netif_control *control)
{
	return control->look && !control->broken;
}

bool netif_control_broken(const struct netif_control *control)
{
	return control->broken;
}

bool netif_control_hand_over(struct netif_control *control, struct ring_publication *publication)
{
	return !control->broken && ring_hand_over(&control->ring, publication);
}

bool netif_control_ask(struct netif_control *control)
{
	uint32_t producer;

	if (control->broken)
		return false;
	if (!control->asked) {
		ring_ask_notification(&control->ring);
		control->asked = true;
		/* A counter that can't be is found by taking. */
		control->look |= ring_pending(&control->ring, &producer) != 0;
	}
	return control->look;
}
