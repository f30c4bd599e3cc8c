/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of net-load share; net_load.c tells what it does. A failure ends the program.
 */
#ifndef TESTS_BENCH_NET_LOAD_H
#define TESTS_BENCH_NET_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/histogram.h"

#define LOAD_STREAMS_MAX 16u
#define LOAD_LINE_BYTES 128u
#define LOAD_STALL_MS 20000 /* it is broken if nothing comes for so long */
#define LOAD_LOST_MS 100    /* datagrams that did not come within this do not come any more */

enum load_kind {
	LOAD_TCP,
	LOAD_UDP,
	LOAD_REQUEST
};

struct load_job {
	char text[LOAD_LINE_BYTES];
	enum load_kind kind;
	bool receive; /* seen by the asker */
	uint32_t size, count;
	uint64_t units; /* 0: as many as are sent in ... */
	uint64_t ns;
};

/* A datagram begins with this; its last bytes are the number again. Or it is the receiver's word, which is nothing else. */
struct load_label {
	uint64_t number;
	uint64_t phase;
};

struct load_result {
	uint64_t units, bytes, lost, disordered;
	uint64_t waited_ns; /* in vain, at the end */
};

/* The one job of this process, and what it is carried out with. */
struct load {
	struct load_job job;
	int control; /* to the other side: lines of text */
	int sockets[LOAD_STREAMS_MAX];
	uint64_t phase; /* 1, the fifth that comes first, or 2 */
	struct histogram latency;
};

extern struct load load;

uint64_t load_now_ns(void);

void load_parse_job(const char *text);

/* Words for the other side. */
__attribute__((format(printf, 1, 2))) void load_say(const char *format, ...);
/* The next line, without its end. Returns false if there is none because the other has gone. */
bool load_hear(char line[LOAD_LINE_BYTES]);
/* A line that is a word and so many numbers. */
void load_hear_numbers(const char *word, uint64_t *numbers, uint32_t count);

/* Once, when a job's sockets are there. */
void load_prepare(void);
/* One side of this phase; the receiver is told how much was sent. */
void load_send_part(void);
void load_receive_part(struct load_result *result);

#endif
