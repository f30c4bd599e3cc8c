// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_life.c - promises about opening and closing network cards, and about their queues
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "try/conform/net_context.h"
#include "try/conform/net_promises.h"
#include "try/conform/usage.h"

#define CYCLES 1000	/* of opening and closing ... */
#define CYCLES_S 8	/* ... or as many as this time allows ... */
#define CYCLES_LEAST 50 /* ... but so many */
#define LOADS_MAX 4	/* of 1000 packets, until one leaves nothing behind */
#define WARM_UP 20	/* cycles in which a backend may set up what it keeps for all times */
#define QUEUES CONFORM_CARD_QUEUES

static struct conform_net_queue queues[QUEUES];
static struct conform_traffic traffic;

/* With and without a queue, and with a queue that comes a second time. */
void conform_net_open(struct conform_context *context)
{
	struct conform_card card;

	conform_card_open(context, &card);
	conform_card_close(&card);
	for (uint32_t starts = 1; starts <= 2; starts++) {
		conform_card_open(context, &card);
		for (uint32_t i = 0; i < starts; i++) {
			conform_net_queue_start(&queues[0], &context->net_loop, &card, 0, 1, CONFORM_NET_ALL);
			conform_net_queue_stop(&queues[0]);
		}
		conform_card_close(&card);
	}
}

/* conform_card_open() looks at what the properties say; they are also the same each time. */
void conform_net_properties(struct conform_context *context)
{
	struct xvhost_net_properties first, second;
	struct conform_card card;

	conform_card_open(context, &card);
	first = card.properties;
	conform_card_close(&card);
	conform_card_open(context, &card);
	second = card.properties;
	conform_card_close(&card);
	if (memcmp(&first, &second, sizeof(first)) != 0)
		conform_broken(CONFORM_PROPERTIES,
			       "flags, mtu_max, queues_max and operations were 0x%x, %u, %u and %u when it "
			       "was first "
			       "opened, 0x%x, %u, %u and %u the second time",
			       first.flags, first.mtu_max, first.queues_max, first.operations, second.flags,
			       second.mtu_max, second.queues_max, second.operations);
	conform_note("takes 0x%x, %u operations of its own", first.flags, first.operations);
}

/* All is under way at once when the queue is told to stop, with and without room in the guest. Afterwards nothing comes. */
void conform_net_quiesce(struct conform_context *context)
{
	struct conform_card card;

	conform_net_begin(context, &card, &queues[0], &traffic, CONFORM_NET_ALL);
	for (uint32_t i = 0; i < 6; i++) {
		struct conform_net_queue *one[] = {&queues[0]};

		queues[0].room = i % 3 == 2 ? 2 : CONFORM_NET_NO_LIMIT;
		conform_traffic_run(&traffic, one, 1, 50);
		if (i % 2 == 0)
			conform_traffic_send(&traffic, &queues[0], CONFORM_NET_PACKETS);
		conform_net_queue_stop(&queues[0]);
		conform_net_idle(&context->net_loop, 5);
		conform_net_queue_start(&queues[0], &context->net_loop, &card, 0, 1, CONFORM_NET_ALL);
	}
	conform_net_end(&card, &queues[0]);
	conform_net_idle(&context->net_loop, 20);
}

/* Several queues of one card on one loop; one stops and comes back while the others go on. */
void conform_net_queues(struct conform_context *context)
{
	struct conform_net_queue *all[QUEUES];
	struct conform_card card;
	uint32_t count;

	conform_card_open(context, &card);
	count = conform_card_queues(&card, QUEUES);
	if (count == 1)
		conform_skip("the card has one queue at a time (queues_max)");
	conform_traffic_init(&traffic, &card, 1 + context->promise);
	context->net_loop.traffic = &traffic;
	for (uint32_t i = 0; i < count; i++) {
		all[i] = &queues[i];
		conform_net_queue_start(&queues[i], &context->net_loop, &card, i, count, CONFORM_NET_ALL);
	}
	conform_traffic_run(&traffic, all, count, 200);
	for (uint32_t i = 0; i < count; i++) {
		struct conform_net_queue *others[QUEUES];

		for (uint32_t k = 1; k < count; k++)
			others[k - 1] = &queues[(i + k) % count];
		conform_net_queue_stop(&queues[i]);
		conform_traffic_run(&traffic, others, count - 1, 50);
		conform_net_queue_start(&queues[i], &context->net_loop, &card, i, count, CONFORM_NET_ALL);
	}
	conform_traffic_run(&traffic, all, count, 200);
	for (uint32_t i = 0; i < count; i++)
		conform_net_queue_stop(&queues[i]);
	conform_card_close(&card);
	conform_note("%u queues", count);
}

static void *second_loop_main(void *argument)
{
	static struct conform_net_loop loop;
	static struct conform_traffic second_traffic;
	struct conform_net_queue *one[] = {&queues[1]};
	struct conform_card *card = argument;

	conform_net_loop_init(&loop);
	loop.calls.is_one_of_two = true;
	conform_traffic_init(&second_traffic, card, 1);
	second_traffic.verify = true;
	loop.traffic = &second_traffic;
	conform_net_queue_start(&queues[1], &loop, card, 1, 2, CONFORM_NET_ALL);
	conform_traffic_run(&second_traffic, one, 1, 3000);
	conform_net_queue_stop(&queues[1]);
	conform_net_loop_exit(&loop);
	return NULL;
}

/* Two queues of one card, each on a thread of its own. What comes back must be what was sent. */
void conform_net_loops(struct conform_context *context)
{
	struct conform_net_queue *one[] = {&queues[0]};
	struct conform_card card;
	pthread_t thread;

	conform_card_open(context, &card);
	if (conform_card_queues(&card, 2) < 2)
		conform_skip("the card has one queue at a time (queues_max)");
	conform_traffic_init(&traffic, &card, 1 + context->promise);
	traffic.verify = true;
	context->net_loop.traffic = &traffic;
	context->net_loop.calls.is_one_of_two = true;
	conform_net_queue_start(&queues[0], &context->net_loop, &card, 0, 2, CONFORM_NET_ALL);
	if (pthread_create(&thread, NULL, second_loop_main, &card) != 0)
		conform_skip("can't start a thread");
	conform_traffic_run(&traffic, one, 1, 3000);
	pthread_join(thread, NULL);
	conform_net_end(&card, &queues[0]);
}

/* An open knows nothing of another one: neither of one before it, nor of one at the same time. */
void conform_net_fresh(struct conform_context *context)
{
	struct conform_net_queue *firsts[] = {&queues[0]}, *seconds[] = {&queues[1]};
	struct conform_card first, second;

	conform_card_open(context, &first);
	conform_card_close(&first);
	conform_net_begin(context, &first, &queues[0], &traffic, CONFORM_NET_ALL);
	if (conform_card_open_target(context, &second, context->subject.target) < 0) {
		conform_note("not with two at a time: the second is refused (%.200s)", second.fail_text);
		conform_net_end(&first, &queues[0]);
		return;
	}
	conform_net_queue_start(&queues[1], &context->net_loop, &second, 0, 1, CONFORM_NET_ALL);
	conform_traffic_run(&traffic, firsts, 1, 100);
	conform_traffic_run(&traffic, seconds, 1, 100);
	conform_net_end(&first, &queues[0]);
	conform_traffic_run(&traffic, seconds, 1, 200);
	conform_net_end(&second, &queues[1]);
}

/* cycle - a short life of the card. */
static void cycle(struct conform_context *context)
{
	struct conform_net_queue *one[] = {&queues[0]};
	struct conform_card card;

	conform_net_begin(context, &card, &queues[0], &traffic, CONFORM_NET_ALL);
	conform_traffic_run(&traffic, one, 1, 2);
	conform_net_end(&card, &queues[0]);
}

static void check_packets_leak(struct conform_context *context)
{
	struct conform_net_queue *one[] = {&queues[0]};
	struct conform_usage before, after;
	struct conform_card card;
	bool leaks = true;
	char text[200];

	conform_net_begin(context, &card, &queues[0], &traffic, CONFORM_NET_ALL);
	conform_traffic_run(&traffic, one, 1, 200);
	/* What fills a cache of some library's comes to an end, a leak does not. */
	for (uint32_t i = 0; i < LOADS_MAX && leaks; i++) {
		conform_usage_now(&before);
		conform_traffic_run(&traffic, one, 1, 1000);
		conform_usage_now(&after);
		leaks = conform_usage_leak(&before, &after, 1000, text, sizeof(text));
	}
	if (leaks)
		conform_broken(CONFORM_NO_LEAK, "after 1000 packets %s", text);
	conform_net_end(&card, &queues[0]);
}

void conform_net_no_leak(struct conform_context *context)
{
	struct conform_usage before, after;
	struct timespec began, now;
	uint32_t count = 0;
	char text[200];

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (uint32_t i = 0; i < WARM_UP; i++)
		cycle(context);
	conform_usage_now(&before);
	do {
		cycle(context);
		count++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (count < CYCLES && (count < CYCLES_LEAST || now.tv_sec - began.tv_sec < CYCLES_S));
	conform_usage_now(&after);
	if (conform_usage_leak(&before, &after, count, text, sizeof(text)))
		conform_broken(CONFORM_NO_LEAK, "after it was opened and closed %u times %s", count, text);
	check_packets_leak(context);
	conform_note("%u times", count);
}
