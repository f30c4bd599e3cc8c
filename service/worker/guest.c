// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest.c - what the devices of a guest have in common: the guest's number, and the loops that serve its queues
 */
#include "worker/guest.h"

#include <stdio.h>
#include <string.h>

#include "rings/netif_control.h"

/* open_loop - event channels, memory and thread: all of them or none. */
static int open_loop(const struct guest *guest, struct guest_loop *loop, char text[ERROR_TEXT_MAX])
{
	int error = guest->platform->event_channels_open(guest->platform, &loop->channels);

	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX,
			 "can't open the event channel device: %s (is this a Xen domain, is xen-evtchn "
			 "loaded?)",
			 strerror(-error));
		return error;
	}
	error = guest->platform->event_channels_restrict(loop->channels, guest->domid);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't restrict event channels to guest %u: %s", guest->domid,
			 strerror(-error));
		goto fail_channels;
	}
	error = memory_open(guest->platform, guest->domid, guest->memory,
			    CONFIG_LOOP_REQUESTS_IN_FLIGHT + LOOP_NETS_MAX * NETIF_MAPPINGS_MAX +
				    NETIF_CONTROL_MAPPINGS_MAX,
			    &loop->memory);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't open the grant device: %s (is xen-gntdev loaded?)",
			 strerror(-error));
		goto fail_channels;
	}
	error = loop_create(guest->platform, loop->channels, loop->memory, guest->domid, guest->wait_by_poll,
			    &loop->loop);
	if (error < 0) {
		snprintf(text, ERROR_TEXT_MAX, "can't start a loop: %s", strerror(-error));
		goto fail_memory;
	}
	return 0;
fail_memory:
	memory_close(loop->memory);
fail_channels:
	guest->platform->event_channels_close(loop->channels);
	return error;
}

int guest_loop(struct guest *guest, uint32_t queue_index, struct guest_loop **loop, char text[ERROR_TEXT_MAX])
{
	uint32_t index = queue_index % GUEST_LOOPS_MAX;

	while (guest->loop_count <= index) {
		int error = open_loop(guest, &guest->loops[guest->loop_count], text);

		if (error < 0 && guest->loop_count == 0)
			return error;
		if (error < 0) {
			log_limited(
				&guest->limit, LOG_LEVEL_WARNING,
				"guest %u: %s; its queues are served by %u loop%s, fewer than there could be",
				guest->domid, text, guest->loop_count, guest->loop_count > 1 ? "s" : "");
			index %= guest->loop_count;
			break;
		}
		guest->loop_count++;
	}
	*loop = &guest->loops[index];
	return 0;
}

int guest_open(struct guest *guest)
{
	const struct guest_memory_settings settings = {
		.most_mib = CONFIG_MEMORY_GUEST_MIB,
		.budget_mib = CONFIG_MEMORY_GUEST_MIB,
		.idle_s = MEMORY_IDLE_DEFAULT_S,
	};

	guest->access = MEMORY_AUTO;
	return guest_memory_open(guest->platform, guest->domid, &settings, &guest->memory);
}

void guest_set_memory(struct guest *guest, const struct message_memory *asked)
{
	const struct guest_memory_settings settings = {
		.most_mib = asked->most_mib,
		.budget_mib = asked->budget_mib,
		.idle_s = asked->idle_s,
	};

	guest->access = asked->access;
	guest_memory_set(guest->memory, &settings);
}

void guest_close(struct guest *guest)
{
	for (; guest->loop_count > 0; guest->loop_count--) {
		struct guest_loop *loop = &guest->loops[guest->loop_count - 1];

		loop_destroy(loop->loop);
		memory_close(loop->memory);
		guest->platform->event_channels_close(loop->channels);
	}
	guest_memory_close(guest->memory);
}
