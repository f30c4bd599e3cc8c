// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net_load.h"

#define UNDER_WAY_MAX 1024u
#define DATAGRAM_MAX 65507u
#define WRITE_MAX (256u * 1024)

/* The number at *text, which is behind it then. */
static uint32_t number_at(const char **text)
{
	char *end;
	unsigned long number = strtoul(*text + 1, &end, 10);

	if (**text != ':' || end == *text + 1 || number > UINT32_MAX)
		errx(2, "%s: a job is KIND:SIZE:COUNT:AMOUNT, such as tcp-send:64k:4:500ms", load.job.text);
	*text = end;
	return (uint32_t)number;
}

static void parse_kind(size_t length)
{
	static const struct {
		const char *name;
		enum load_kind kind;
		bool receive;
	} kinds[] = {{"tcp-send", LOAD_TCP, false},
		     {"tcp-receive", LOAD_TCP, true},
		     {"udp-send", LOAD_UDP, false},
		     {"udp-receive", LOAD_UDP, true},
		     {"request", LOAD_REQUEST, false}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, load.job.text, length) == 0) {
			load.job.kind = kinds[i].kind;
			load.job.receive = kinds[i].receive;
			return;
		}
	errx(2, "%s: there is no such kind of job", load.job.text);
}

static void check_job(void)
{
	uint32_t least = load.job.kind == LOAD_UDP ? sizeof(struct load_label) + sizeof(uint64_t) : 1;
	uint32_t most = load.job.kind == LOAD_UDP ? DATAGRAM_MAX : WRITE_MAX;
	uint32_t count_most = load.job.kind == LOAD_UDP	  ? UNDER_WAY_MAX
			      : load.job.kind == LOAD_TCP ? LOAD_STREAMS_MAX
							  : 1;

	if (load.job.size < least || load.job.size > most)
		errx(2, "%s: SIZE is %u but must be %u to %u", load.job.text, load.job.size, least, most);
	if ((load.job.count == 0 && load.job.kind != LOAD_UDP) || load.job.count > count_most)
		errx(2, "%s: COUNT is %u but must be %u to %u", load.job.text, load.job.count,
		     load.job.kind != LOAD_UDP, count_most);
}

void load_parse_job(const char *text)
{
	uint32_t amount;

	memset(&load.job, 0, sizeof(load.job));
	snprintf(load.job.text, sizeof(load.job.text), "%s", text);
	parse_kind(strcspn(text, ":"));
	text += strcspn(text, ":");
	load.job.size = number_at(&text);
	if (*text == 'k') {
		text++;
		load.job.size *= 1024;
	}
	load.job.count = number_at(&text);
	amount = number_at(&text);
	if (amount == 0 || (*text && strcmp(text, "ms") != 0))
		errx(2, "%s: AMOUNT is a number from 1 on, or one of milliseconds such as 500ms",
		     load.job.text);
	if (*text)
		load.job.ns = (uint64_t)amount * 1000000u;
	else
		load.job.units = amount;
	check_job();
}

/* ---- what the two sides say to each other ---- */

void load_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vdprintf(load.control, format, arguments) < 0)
		err(1, "%s: the other side", load.job.text);
	va_end(arguments);
}

bool load_hear(char line[LOAD_LINE_BYTES])
{
	for (size_t i = 0; i < LOAD_LINE_BYTES; i++) {
		ssize_t got = recv(load.control, line + i, 1, 0);

		if (got == 0 && i == 0)
			return false;
		if (got != 1)
			err(1, "%s: the other side says no more", load.job.text);
		if (line[i] == '\n') {
			line[i] = 0;
			return true;
		}
	}
	errx(1, "%s: the other side says too much", load.job.text);
}

void load_hear_numbers(const char *word, uint64_t *numbers, uint32_t count)
{
	char line[LOAD_LINE_BYTES], *at = line;

	if (!load_hear(line) || strncmp(line, word, strlen(word)) != 0)
		errx(1, "%s: the other side ends before it says %s", load.job.text, word);
	at += strlen(word);
	for (uint32_t i = 0; i < count; i++)
		numbers[i] = strtoull(at, &at, 10);
}
