/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of /dev/xen/remap, run in a domain of the lab against another one that is paused. remap_test.c prepares that
 * domain's frames and runs the tests; what these share is here.
 */
#ifndef REMAP_TEST_H
#define REMAP_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xvhost/remap.h>

#define PAGE 4096UL

/* Entries of the longest list. Larger than two of the module's blocks. */
#define MOST_FRAMES 5000

struct frames {
	uint32_t domain;
	uint64_t frame[MOST_FRAMES]; /* that can be mapped */
	unsigned int count;
};

extern struct frames frames;
extern bool short_tests; /* this domain is slow */

/* Frames that can't be mapped, and the error that each has to have. */
struct bad_frame {
	uint64_t frame;
	int error;
};

#define MOST_BAD_FRAMES 16

extern struct bad_frame bad_frames[MOST_BAD_FRAMES];
extern unsigned int bad_frame_count;

/* A list with one run, and room for its answers. */
struct list {
	struct xvhost_remap_list request;
	struct xvhost_remap_run run;
	uint64_t frame[MOST_FRAMES];
	int32_t error[MOST_FRAMES];
};

int open_remap(void);
unsigned char *reserve(int device, size_t pages);

void prepare_list(struct list *list, void *address, size_t pages);
int map_list(int device, struct list *list);
int unmap_list(int device, struct list *list);
int replace_list(int device, struct list *list);

/* Whether the page shows this frame (or, 0, nothing). */
bool shows(const void *page, uint64_t frame);

/* Whether reading, or writing, there ends in a signal, and in which one; 0: none. */
int signal_of(void *page, bool write);

/* The error that a frame has to have; 0 if it can be mapped. */
int error_of(uint64_t frame);

uint32_t random_number(uint32_t below);

/* Fails the test at hand unless the condition holds. */
void check_at(bool holds, const char *file, int line, const char *what);
#define check(condition) check_at((condition), __FILE__, __LINE__, #condition)
#define check_errno(call, number)                                                                            \
	check_at((call) == -1 && errno == (number), __FILE__, __LINE__, #call " is " #number)

struct test {
	const char *name;
	void (*run)(void);
};

/* They end with a test without a name. */
extern const struct test list_tests[];
extern const struct test misuse_tests[];
extern const struct test storm_tests[];

#endif
