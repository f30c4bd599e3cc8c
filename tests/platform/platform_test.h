/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platform_test.h - what the tests of the platform `xen` have in common
 */
#ifndef PLATFORM_TEST_H
#define PLATFORM_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/platform.h"

#define FRAMES_MAX 1500
#define NO_DOMAIN 32000 /* a number that no domain of the lab has */

/* The guest under test, and frames of its memory that can be mapped. It is paused while they are used. */
struct test_guest {
	uint16_t domid;
	bool pv;
	uint64_t frames[FRAMES_MAX];
	uint32_t frame_count;
};

extern struct test_guest guest;
extern const struct platform *const platform;

/* check - notes a failure and goes on; the first of each test is printed. */
#define check(condition) check_at((condition), __FILE__, __LINE__, #condition)
#define check_equal(is, should) check_equal_at((is), (should), __FILE__, __LINE__, #is)
void check_at(bool holds, const char *file, int line, const char *what);
void check_equal_at(int64_t is, int64_t should, const char *file, int line, const char *what);

/* can_read, can_write - or would the program be killed? */
bool can_read(void *address);
bool can_write(void *address);

/* open_foreign, reserve, map, unmap - the platform's functions, where nothing may fail; map is of one run. */
struct foreign *open_foreign(void);
char *reserve(struct foreign *foreign, uint32_t pages, enum foreign_use use);
int map(struct foreign *foreign, void *address, const uint64_t *frames, uint32_t count, int *errors);
int unmap(struct foreign *foreign, void *address, uint32_t count);

/* dirty_log_begin - Xen notes what is written from now on; dirty_log_has: this frame was. */
void dirty_log_begin(void);
bool dirty_log_has(uint64_t frame);
void dirty_log_end(void);

static inline char *page_at(char *range, uint32_t page)
{
	return range + (size_t)page * PAGE_BYTES;
}

/* test_foreign.c */
void test_lists(void);
void test_runs(void);
void test_wrong_calls(void);
void test_restricted(void);
void test_close(void);

/* test_grants.c */
void test_grant_table(void);
void test_granted_pages(void);
void test_grant_copy(void);

/* test_device_model.c */
void test_device_models(void);
void test_device_models_at_once(void);
void test_dirty(void);
void test_balloon(void);
void test_abandoned(void);
void test_kept(void);
void test_clean_up(void);

/* test_publisher.c */
void test_publish(void);
void test_publish_shared(void);
void test_publish_refused(void);
void test_publish_dirty(void);

#endif
