// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_front_control.c - the control ring of a network card, as the guest has it
 */
#include "sim/net_front_control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_TIMEOUT_MS 10000

/* refuse - say what is wrong; returns `error`. */
static int __attribute__((format(printf, 3, 4)))
refuse(struct netif_frontend *frontend, int error, const char *format, ...)
{
	char *text = frontend->control.error;
	int length = snprintf(text, NET_FRONT_ERROR_MAX,
			      "vif %" PRIu32 " control ring: ", frontend->options.device_id);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + length, NET_FRONT_ERROR_MAX - (size_t)length, format, arguments);
	va_end(arguments);
	return error;
}

/* ---- making and unmaking ---- */

int net_front_control_create(struct netif_frontend *frontend)
{
	const struct netif_frontend_options *options = &frontend->options;
	struct net_front_control *control = &frontend->control;
	int error = net_ring_create(&control->ring, options->guest, options->host_domid,
				    sizeof(struct xen_netif_ctrl_request));
	int port;

	if (error < 0)
		return error;
	error = sim_pages_take(options->guest, 1, &control->frame);
	if (error < 0)
		return error;
	control->page = sim_page(options->guest, control->frame);
	port = sim_port_open(options->guest, options->host_domid);
	if (port < 0)
		return port;
	control->port = (uint32_t)port;
	return 0;
}

uint32_t net_front_control_destroy(struct netif_frontend *frontend)
{
	struct net_front_control *control = &frontend->control;
	struct sim_guest *guest = frontend->options.guest;

	if (control->port != 0)
		sim_port_close(guest, control->port);
	if (control->page)
		sim_pages_give_back(guest, 1, &control->frame);
	return net_ring_destroy(&control->ring, guest);
}

/* ---- asking ---- */

/* wait_for_answer - false: there is none in time. */
static bool wait_for_answer(struct netif_frontend *frontend)
{
	struct net_front_control *control = &frontend->control;

	/* An event may have come for the answer before. */
	for (int waited_ms = 0; !net_ring_ask(&control->ring, 1); waited_ms++) {
		if (waited_ms == ANSWER_TIMEOUT_MS)
			return false;
		sim_port_wait(frontend->options.guest, control->port, 1);
	}
	return true;
}

int net_front_control_ask(struct netif_frontend *frontend, uint16_t type, const uint32_t data[3],
			  struct xen_netif_ctrl_response *response)
{
	struct net_front_control *control = &frontend->control;
	struct net_ring *ring = &control->ring;
	const struct xen_netif_ctrl_request request = {
		.id = control->next_id++, .type = type, .data = {data[0], data[1], data[2]}};

	memcpy(net_ring_entry(ring, ring->request_producer++), &request, sizeof(request));
	if (net_ring_push(ring))
		sim_port_notify(frontend->options.guest, control->port);
	if (!wait_for_answer(frontend))
		return refuse(frontend, -ETIMEDOUT, "request of type %u has no answer", type);
	if (net_ring_look(ring) != 1)
		return refuse(frontend, -EPROTO, "more answers than there were requests");
	memcpy(response, net_ring_entry(ring, ring->response_consumer++), sizeof(*response));
	if (response->id != request.id || response->type != type)
		return refuse(frontend, -EPROTO, "request %#x of type %u is answered as %#x of type %u",
			      request.id, type, response->id, response->type);
	return 0;
}

int net_front_control_grant(struct netif_frontend *frontend, uint16_t type, const void *bytes,
			    uint32_t length, const uint32_t rest[2], struct xen_netif_ctrl_response *response)
{
	const struct netif_frontend_options *options = &frontend->options;
	struct net_front_control *control = &frontend->control;
	int64_t gref = sim_grant(options->guest, options->host_domid, control->frame, true);
	int error;

	if (gref < 0)
		return refuse(frontend, (int)gref, "no grant is left");
	memcpy(control->page, bytes, length);
	error = net_front_control_ask(frontend, type, (const uint32_t[]){(uint32_t)gref, rest[0], rest[1]},
				      response);
	if (sim_grant_end(options->guest, (uint32_t)gref) < 0)
		return refuse(frontend, -EBUSY, "the host uses grant %" PRIu32 " still", (uint32_t)gref);
	return error;
}

/* succeed - after a request: it must have succeeded. */
static int succeed(struct netif_frontend *frontend, int error, const struct xen_netif_ctrl_response *response)
{
	if (error < 0 || response->status == XEN_NETIF_CTRL_STATUS_SUCCESS)
		return error;
	return refuse(frontend, -EPROTO, "request of type %u is answered with status %" PRIu32,
		      response->type, response->status);
}

/* set - ask for something that is one number. */
static int set(struct netif_frontend *frontend, uint16_t type, uint32_t value)
{
	struct xen_netif_ctrl_response response;
	int error = net_front_control_ask(frontend, type, (const uint32_t[]){value, 0, 0}, &response);

	return succeed(frontend, error, &response);
}

/* set_by_page - ask for something that is in a page, from its beginning on. */
static int set_by_page(struct netif_frontend *frontend, uint16_t type, const void *bytes, uint32_t length,
		       uint32_t count)
{
	struct xen_netif_ctrl_response response;
	int error = net_front_control_grant(frontend, type, bytes, length, (const uint32_t[]){count, 0},
					    &response);

	return succeed(frontend, error, &response);
}

int net_front_control_hash(struct netif_frontend *frontend, const struct net_hash *hash)
{
	int error = set(frontend, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
			XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);

	if (error == 0)
		error = set_by_page(frontend, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, hash->key, hash->key_bytes,
				    hash->key_bytes);
	if (error == 0)
		error = set(frontend, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, hash->mapping_size);
	if (error == 0)
		error = set_by_page(frontend, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, hash->mapping,
				    hash->mapping_size * (uint32_t)sizeof(hash->mapping[0]),
				    hash->mapping_size);
	if (error == 0)
		error = set(frontend, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, hash->flags);
	if (error == 0)
		frontend->hash = *hash;
	return error;
}

/* ---- what is received ---- */

int net_front_check_hash(struct net_front_queue *queue, const struct net_front_received *received)
{
	const struct netif_frontend *frontend = queue->frontend;
	uint8_t bytes[NET_HASH_BYTES_MAX], type = 0;
	uint32_t length = 0, value = 0, right;
	bool there;

	for (uint32_t i = 0; i < received->piece_count && length < sizeof(bytes); i++) {
		uint32_t rest = (uint32_t)sizeof(bytes) - length;
		uint32_t here = received->pieces[i].iov_len < rest ? (uint32_t)received->pieces[i].iov_len
								   : rest;

		memcpy(bytes + length, received->pieces[i].iov_base, here);
		length += here;
	}
	there = net_hash_of(&frontend->hash, bytes, length, &type, &value);
	if (there != received->hashed || (there && (type != received->hash_type || value != received->hash)))
		return net_front_refuse(queue,
					"a packet of %" PRIu32
					" bytes should have %s hash, type %u, %#" PRIx32
					", and has %s, type %u, %#" PRIx32,
					received->length, there ? "a" : "no", type, value,
					received->hashed ? "one" : "none", received->hash_type,
					received->hash);
	right = there ? net_hash_queue(&frontend->hash, frontend->queue_count, value) : queue->index;
	if (right != queue->index)
		return net_front_refuse(
			queue, "a packet with hash %#" PRIx32 " should come by queue %" PRIu32, value, right);
	return 0;
}
