// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net_context.c - the network card that is tried, for promises
 */
#include "try/conform/net_context.h"

struct opening {
	struct conform_context *context;
	struct conform_card *card;
	const char *target;
	int error;
};

static void open_on_control(void *argument)
{
	struct opening *opening = argument;

	opening->error = conform_card_make(opening->card, opening->context->options->directory,
					   opening->target);
}

int conform_card_open_target(struct conform_context *context, struct conform_card *card, const char *target)
{
	struct opening opening = {.context = context, .card = card, .target = target};

	conform_on_control(open_on_control, &opening);
	return opening.error;
}

void conform_card_open(struct conform_context *context, struct conform_card *card)
{
	int error = conform_card_open_target(context, card, context->subject.target);
	char text[ERROR_TEXT_MAX];

	if (error < 0)
		conform_broken(CONFORM_OPEN, "can't open '%s': %s (%s)", context->options->target,
			       card->fail_text[0] ? card->fail_text : "the backend does not say why",
			       conform_error_name(error));
	if (conform_card_impossible(card, text))
		conform_broken(CONFORM_PROPERTIES, "%s", text);
}

static void close_on_control(void *argument)
{
	conform_card_unmake(argument);
}

void conform_card_close(struct conform_card *card)
{
	conform_on_control(close_on_control, card);
}

void conform_net_begin(struct conform_context *context, struct conform_card *card,
		       struct conform_net_queue *queue, struct conform_traffic *traffic, uint32_t guest_takes)
{
	conform_card_open(context, card);
	conform_traffic_init(traffic, card, 1 + context->promise);
	context->net_loop.traffic = traffic;
	conform_net_queue_start(queue, &context->net_loop, card, 0, 1, guest_takes);
}

void conform_net_end(struct conform_card *card, struct conform_net_queue *queue)
{
	conform_net_queue_stop(queue);
	conform_card_close(card);
}
