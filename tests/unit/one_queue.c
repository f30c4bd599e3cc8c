// SPDX-License-Identifier: GPL-2.0-or-later
/* one_queue.c - one queue over a simulated guest, without a loop: the test takes the turns */
#include "one_queue.h"

#include <check.h>

#define IN_FLIGHT_MAX 1024

struct blkif_turn turn;
struct blkif_queue *queue;
struct front_ring frontend;

static struct log_limit limit;
static struct memory *memory;
static struct memory_ring ring;
static struct memory_mapping *mappings[IN_FLIGHT_MAX], *gone[IN_FLIGHT_MAX];
static struct xvhost_disk disks[BLKIF_LAYERS_MAX];
static struct xvhost_disk_properties properties;

void one_queue_start(enum blkif_protocol protocol, uint32_t ring_pages, uint32_t disk_flags,
		     const struct xvhost_disk_backend *const *backends, uint32_t count)
{
	struct blkif_queue_parameters parameters = {
		.layer_count = count,
		.protocol = protocol,
		.page_count = ring_pages,
		.limit = &limit,
	};
	struct message_disk_connect connect;

	properties = (struct xvhost_disk_properties){
		.size_bytes = ONE_QUEUE_DISK_BYTES, .block_bytes = 512, .flags = disk_flags};
	for (uint32_t i = 0; i < count; i++) {
		disks[i] = (struct xvhost_disk){.size = sizeof(disks[i]), .name = "test disk"};
		parameters.layers[i].disk = &disks[i];
		parameters.layers[i].backend = backends[i];
		parameters.layers[i].properties = &properties;
	}
	small_guest_init();
	small_ring_init(&frontend, protocol, ring_pages);
	small_ring_describe(&frontend, &connect);
	ck_assert_int_eq(memory_open(small_guest_platform(), SMALL_GUEST_DOMID, NULL, IN_FLIGHT_MAX, &memory),
			 0);
	ck_assert_int_eq(memory_map_ring(memory, connect.queues[0].ring_refs, ring_pages, &ring), 0);
	parameters.pages = ring.pages[0];
	ck_assert_int_eq(blkif_queue_create(&parameters, &queue), 0);
	turn = (struct blkif_turn){
		.memory = memory,
		.mappings = mappings,
		.gone = gone,
	};
	blkif_stock_init(&turn.requests, IN_FLIGHT_MAX, 1);
	blkif_stock_init(&turn.grants, UINT32_MAX, 1);
	queue->turn = &turn;
}

void one_queue_stop(void)
{
	blkif_queue_free(queue);
	ck_assert_int_eq(small_guest_mapped(), (int)ring.count);
	memory_unmap_ring(memory, &ring);
	memory_close(memory);
	ck_assert_int_eq(small_guest_mapped(), 0);
}

bool one_turn(void)
{
	struct ring_publication shown;

	blkif_take(queue, 64);
	do {
		blkif_start(&turn);
		blkif_finish(&turn);
	} while (turn.taken.first || turn.completed.first);
	return blkif_hand_over(queue, &shown) && ring_show(&shown);
}

void expect_answer(uint64_t id, uint8_t operation, int16_t status)
{
	struct front_response response;

	ck_assert(small_ring_take(&frontend, &response));
	ck_assert_uint_eq(response.id, id);
	ck_assert_uint_eq(response.operation, operation);
	ck_assert_int_eq(response.status, status);
}
