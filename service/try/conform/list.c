// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * list.c - the promises of disk backends, and those of net backends
 */
#include "try/conform/list.h"

#include <stddef.h>

#include "try/conform/net_promises.h"
#include "try/conform/promises.h"

/* docs/backend-guide.md has the same lists; a test compares them. What is the same for both kinds comes first. */
static const struct conform_entry common_promises[CONFORM_PROMISES] = {
	[CONFORM_LOAD] = {{"load", "it can be loaded, and its table is complete"}, conform_check_load, NULL},
	[CONFORM_TABLE] = {{"table", "its table of parameters is right"}, conform_check_table, NULL},
	[CONFORM_OPEN_FAILS] = {{"open-fails", "an open that fails says why and leaves nothing behind"},
				conform_check_open_fails,
				NULL},
	[CONFORM_PARAMETERS] = {{"parameters", "parameters that can't be are refused by name"},
				conform_check_parameters,
				NULL},
};

static const struct conform_entry disk_promises[CONFORM_PROMISES] = {
	[CONFORM_OPEN] = {{"open", "the disk opens and closes, with and without queues"},
			  conform_check_open,
			  NULL},
	[CONFORM_PROPERTIES] = {{"properties", "what it says of the disk can be served, and stays the same"},
				conform_check_properties,
				NULL},
	[CONFORM_COMPLETE] = {{"complete", "each request is completed exactly once"},
			      conform_check_complete,
			      NULL},
	[CONFORM_DATA] = {{"data", "what was written is read back, at its place"}, conform_check_data, NULL},
	[CONFORM_THREAD] = {{"thread", "it calls the host on the right thread"}, conform_check_calls, NULL},
	[CONFORM_HOST_CALLS] = {{"host-calls",
				 "it calls the host where it may, one call at a time for each request"},
				conform_check_calls,
				NULL},
	[CONFORM_MEMORY] = {{"memory", "a request's memory is used as it may be, and not after complete"},
			    conform_check_memory,
			    NULL},
	[CONFORM_READ_FILLS] = {{"read-fills", "a read fills all of its memory"},
				conform_check_read_fills,
				NULL},
	[CONFORM_EDGES] = {{"edges", "the first and the last block, and the largest request"},
			   conform_check_edges,
			   NULL},
	[CONFORM_IOVECS] = {{"iovecs", "memory in any pieces"}, conform_check_iovecs, NULL},
	[CONFORM_PARALLEL] = {{"parallel", "many requests at once, and what they wrote"},
			      conform_check_parallel,
			      NULL},
	[CONFORM_KEEPS] = {{"keeps", "what was written is there when the disk is opened again"},
			   conform_check_keeps,
			   NULL},
	[CONFORM_FLUSH] = {{"flush", "what was flushed does not end with the process"},
			   conform_check_flush,
			   conform_check_flush_after},
	[CONFORM_DISCARD] = {{"discard", "what lies beside a discarded range stays"},
			     conform_check_discard,
			     NULL},
	[CONFORM_READ_ONLY] = {{"read-only", "a disk that is opened read-only says so and is not changed"},
			       conform_check_read_only,
			       NULL},
	[CONFORM_ERRORS] = {{"errors", "an operation that fails is not taken for success"},
			    conform_check_errors,
			    NULL},
	[CONFORM_SHORT] = {{"short", "a read or write that ends short is gone on with"},
			   conform_check_short,
			   NULL},
	[CONFORM_QUIESCE] = {{"quiesce", "what was submitted ends by itself, then the queue stops"},
			     conform_check_quiesce,
			     NULL},
	[CONFORM_QUEUES] = {{"queues", "several queues at once, and one that comes back"},
			    conform_check_queues,
			    NULL},
	[CONFORM_LOOPS] = {{"loops", "queues on different threads"}, conform_check_loops, NULL},
	[CONFORM_NO_BLOCKING] = {{"no-blocking", "it never blocks the loop thread"},
				 conform_check_calls,
				 NULL},
	[CONFORM_FRESH] = {{"fresh", "an open knows nothing of another one"}, conform_check_fresh, NULL},
	[CONFORM_NO_LEAK] = {{"no-leak", "1000 times opened and closed, it leaves nothing behind"},
			     conform_check_no_leak,
			     NULL},
};

static const struct conform_entry net_promises[CONFORM_PROMISES] = {
	[CONFORM_OPEN] = {{"open", "the card opens and closes, with and without queues"},
			  conform_net_open,
			  NULL},
	[CONFORM_PROPERTIES] = {{"properties", "what it says of the card can be served, and stays the same"},
				conform_net_properties,
				NULL},
	[CONFORM_TRANSMITTED] = {{"transmitted", "each packet from the guest is ended exactly once"},
				 conform_net_transmitted,
				 NULL},
	[CONFORM_THREAD] = {{"thread", "it calls the host on the right thread"}, conform_net_calls, NULL},
	[CONFORM_HOST_CALLS] = {{"host-calls",
				 "it calls the host where it may, one operation at a time for each number"},
				conform_net_calls,
				NULL},
	[CONFORM_MEMORY] = {{"memory", "a packet's memory is only read, and not after transmitted"},
			    conform_net_memory,
			    NULL},
	[CONFORM_PACKETS] = {{"packets", "packets of any length, in any pieces, of each kind that it takes"},
			     conform_net_packets_of_all_kinds,
			     NULL},
	[CONFORM_RECEIVE] = {{"receive",
			      "what it has for the guest is well-formed, and such as the guest takes"},
			     conform_net_receive,
			     NULL},
	[CONFORM_UNCHANGED] = {{"unchanged",
				"what the host has taken for the guest stays as it is until delivered"},
			       conform_net_unchanged,
			       NULL},
	[CONFORM_ORDER] = {{"order", "what comes back is what was sent, in its order"},
			   conform_net_order,
			   NULL},
	[CONFORM_ROOM] = {{"room", "a guest without room, which gives some again"}, conform_net_room, NULL},
	[CONFORM_ERRORS] = {{"errors",
			     "what fails, or ends short, is not taken for success and harms nothing else"},
			    conform_net_errors,
			    NULL},
	[CONFORM_QUIESCE] = {{"quiesce", "when the queue is to stop, all that is under way ends"},
			     conform_net_quiesce,
			     NULL},
	[CONFORM_QUEUES] = {{"queues", "several queues at once, and one that comes back"},
			    conform_net_queues,
			    NULL},
	[CONFORM_LOOPS] = {{"loops", "queues on different threads"}, conform_net_loops, NULL},
	[CONFORM_NO_BLOCKING] = {{"no-blocking", "it never blocks the loop thread"}, conform_net_calls, NULL},
	[CONFORM_FRESH] = {{"fresh", "an open knows nothing of another one"}, conform_net_fresh, NULL},
	[CONFORM_NO_LEAK] = {{"no-leak", "1000 times opened and closed, it leaves nothing behind"},
			     conform_net_no_leak,
			     NULL},
};

const struct conform_entry *conform_entry(enum backend_kind kind, enum conform_promise_number number)
{
	const struct conform_entry *entry = kind == BACKEND_NET ? &net_promises[number]
								: &disk_promises[number];

	if (common_promises[number].check)
		return &common_promises[number];
	return entry->check ? entry : NULL;
}

const struct conform_promise *conform_promise(enum backend_kind kind, uint32_t number)
{
	for (uint32_t i = 0; i < CONFORM_PROMISES; i++) {
		const struct conform_entry *entry = conform_entry(kind, i);

		if (entry && number-- == 0)
			return &entry->promise;
	}
	return NULL;
}
