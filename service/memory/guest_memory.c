// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_memory.c - what the loops of one guest share
 */
#include "memory/guest_memory.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "memory/mapper.h"

/* ring - wake whoever reads this eventfd. It can be full only when it was rung 2^64 times. */
static void ring(int bell)
{
	const uint64_t one = 1;

	if (write(bell, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN);
}

static void ring_members(struct guest_memory *guest)
{
	pthread_mutex_lock(&guest->lock);
	for (struct memory *member = guest->members; member; member = member->next)
		ring(member->bell);
	pthread_mutex_unlock(&guest->lock);
}

/* ---- the keeper ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* begin_epoch - whatever was mapped before is not to be found any more. */
static void begin_epoch(struct guest_memory *guest)
{
	pthread_mutex_lock(&guest->lock);
	__atomic_store_n(&guest->epoch, guest->epoch + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&guest->lock);
	ring_members(guest);
}

/* is_clean - does no loop have anything mapped of an older epoch? */
static bool is_clean(struct guest_memory *guest)
{
	bool clean = true;

	pthread_mutex_lock(&guest->lock);
	for (const struct memory *member = guest->members; member; member = member->next)
		if (__atomic_load_n(&member->clean_epoch, __ATOMIC_ACQUIRE) != guest->epoch)
			clean = false;
	pthread_mutex_unlock(&guest->lock);
	return clean;
}

/* needs_ticks - does any loop? */
static bool needs_ticks(struct guest_memory *guest)
{
	bool needs = false;

	pthread_mutex_lock(&guest->lock);
	for (const struct memory *member = guest->members; member; member = member->next)
		needs = needs || __atomic_load_n(&member->needs_ticks, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&guest->lock);
	return needs;
}

static bool is_ending(struct guest_memory *guest)
{
	bool ending;

	pthread_mutex_lock(&guest->lock);
	ending = guest->ending;
	pthread_mutex_unlock(&guest->lock);
	return ending;
}

/* hear_model - has the guest given memory away? Then a new epoch has begun. */
static bool hear_model(struct guest_memory *guest)
{
	if (!guest->platform->device_model_invalidated(guest->model))
		return false;
	begin_epoch(guest);
	return true;
}

/* answer - the guest goes on. */
static void answer(struct guest_memory *guest)
{
	int error = guest->platform->device_model_answer(guest->model);

	if (error < 0)
		guest_memory_fail(guest, "let it go on after it gave memory away", error);
}

static void next_tick(struct guest_memory *guest)
{
	__atomic_store_n(&guest->tick, guest->tick + 1, __ATOMIC_RELAXED);
	ring_members(guest);
}

/* keep - the keeper's thread. While it waits for the loops it does not hear the model: what comes meanwhile is answered
 * next. */
static void *keep(void *argument)
{
	struct guest_memory *guest = argument;
	int model_fd = guest->model ? guest->platform->device_model_fd(guest->model) : -1;
	int64_t tick_ms = now_ms() + GUEST_TICK_MS;
	bool waiting = false;

	while (!is_ending(guest)) {
		struct pollfd polled[] = {
			{.fd = guest->keeper_bell, .events = POLLIN},
			{.fd = waiting ? -1 : model_fd, .events = POLLIN},
		};
		int64_t left_ms = tick_ms - now_ms();
		uint64_t rung;

		if (needs_ticks(guest))
			left_ms = left_ms > 0 ? left_ms : 0;
		else
			left_ms = -1;
		if (poll(polled, 2, (int)left_ms) < 0)
			continue;
		if (polled[0].revents && read(guest->keeper_bell, &rung, sizeof(rung)) < 0)
			assert(errno == EAGAIN);
		if (polled[1].revents & ~POLLIN) {
			guest_memory_fail(guest, "hear of memory that it gives away", -EIO);
			model_fd = -1;
		} else if (polled[1].revents && hear_model(guest)) {
			waiting = true;
		}
		if (waiting && is_clean(guest)) {
			answer(guest);
			waiting = false;
		}
		if (now_ms() >= tick_ms) {
			next_tick(guest);
			tick_ms = now_ms() + GUEST_TICK_MS;
		}
	}
	return NULL;
}

/* ---- what loops say ---- */

void guest_memory_tell(struct memory *memory)
{
	struct cache *cache = memory->cache;
	bool needs_ticks = cache_needs_ticks(cache), begins = needs_ticks && !memory->needs_ticks;

	__atomic_store_n(&memory->needs_ticks, needs_ticks, __ATOMIC_RELAXED);
	if (cache->older == 0 && memory->clean_epoch != cache->epoch) {
		__atomic_store_n(&memory->clean_epoch, cache->epoch, __ATOMIC_RELEASE);
		begins = true;
	}
	if (begins)
		ring(memory->guest->keeper_bell);
}

void guest_memory_fail(struct guest_memory *guest, const char *what, int error)
{
	if (__atomic_exchange_n(&guest->failed, true, __ATOMIC_RELAXED))
		return;
	log_error("guest %u: can't %s: %s; from now on its memory is reached by grants", guest->domid, what,
		  strerror(-error));
	begin_epoch(guest);
}

/* share - what each loop may have. The lock is held. */
static void share(struct guest_memory *guest)
{
	uint32_t each = guest->chunks / (guest->member_count ? guest->member_count : 1);

	__atomic_store_n(&guest->budget, each > 0 ? each : 1, __ATOMIC_RELAXED);
}

void guest_memory_join(struct guest_memory *guest, struct memory *memory, struct cache *cache)
{
	pthread_mutex_lock(&guest->lock);
	memory->clean_epoch = cache->epoch = guest->epoch;
	cache->tick = __atomic_load_n(&guest->tick, __ATOMIC_RELAXED);
	memory->next = guest->members;
	guest->members = memory;
	guest->member_count++;
	share(guest);
	cache->budget = guest->budget;
	pthread_mutex_unlock(&guest->lock);
	/* From here on it is the loop's. What the bell has rung for before it knew the cache, it hears now. */
	__atomic_store_n(&memory->cache, cache, __ATOMIC_RELEASE);
	ring_members(guest);
}

void guest_memory_leave(struct guest_memory *guest, struct memory *memory)
{
	struct memory **link = &guest->members;

	pthread_mutex_lock(&guest->lock);
	while (*link != memory)
		link = &(*link)->next;
	*link = memory->next;
	guest->member_count--;
	share(guest);
	pthread_mutex_unlock(&guest->lock);
	ring(guest->keeper_bell);
	ring_members(guest);
}

void guest_memory_set(struct guest_memory *guest, const struct guest_memory_settings *settings)
{
	uint32_t budget_mib = settings->budget_mib;

	assert(settings->most_mib > 0 && settings->budget_mib > 0);
	assert(settings->idle_s > 0 && settings->idle_s <= GUEST_MEMORY_IDLE_MAX_S);
	if (!guest->reached)
		guest->settings = *settings;
	if (budget_mib > guest->settings.most_mib)
		budget_mib = guest->settings.most_mib;
	pthread_mutex_lock(&guest->lock);
	guest->chunks = CHUNKS_OF_MIB(budget_mib);
	share(guest);
	pthread_mutex_unlock(&guest->lock);
	ring_members(guest);
}

/* ---- open and close ---- */

bool guest_memory_is_pv(const struct guest_memory *guest)
{
	const struct platform *platform = guest->platform;

	if (guest->reached)
		return guest->pv;
	return platform->device_model_possible &&
	       platform->device_model_possible(platform, guest->domid) == -EINVAL;
}

/* open_model - and see by it what kind of guest this is. */
static int open_model(struct guest_memory *guest, char reason[MEMORY_REASON_MAX])
{
	const struct platform *platform = guest->platform;
	int error = -EOPNOTSUPP;

	if (platform->device_model_open)
		error = platform->device_model_open(platform, guest->domid, &guest->model);
	guest->pv = error == -EINVAL;
	if (guest->pv) {
		guest->model = NULL;
		return 0;
	}
	if (error < 0)
		snprintf(reason, MEMORY_REASON_MAX, "can't hear of memory that the guest gives away: %s",
			 strerror(-error));
	return error;
}

/* open_all - handle, device model, grant table, keeper; all of them or none. */
static int open_all(struct guest_memory *guest, char reason[MEMORY_REASON_MAX])
{
	const struct platform *platform = guest->platform;
	int error = platform->foreign_open(platform, &guest->foreign);

	if (error < 0) {
		snprintf(reason, MEMORY_REASON_MAX, "can't open foreign memory: %s", strerror(-error));
		return error;
	}
	error = platform->foreign_restrict(guest->foreign, guest->domid);
	if (error < 0) {
		snprintf(reason, MEMORY_REASON_MAX, "can't restrict foreign memory to the guest: %s",
			 strerror(-error));
		goto fail_foreign;
	}
	error = open_model(guest, reason);
	if (error < 0)
		goto fail_foreign;
	error = resolver_open(&guest->resolver, platform, guest->foreign, guest->domid);
	if (error < 0) {
		snprintf(reason, MEMORY_REASON_MAX, "can't map the guest's grant table: %s",
			 strerror(-error));
		goto fail_model;
	}
	error = -pthread_create(&guest->keeper, NULL, keep, guest);
	if (error == 0)
		return 0;
	snprintf(reason, MEMORY_REASON_MAX, "can't start a thread: %s", strerror(-error));
	resolver_close(&guest->resolver);
fail_model:
	if (guest->model)
		platform->device_model_close(guest->model);
fail_foreign:
	platform->foreign_close(guest->foreign);
	return error;
}

int guest_memory_reach(struct guest_memory *guest, char reason[MEMORY_REASON_MAX])
{
	int error = 0;

	if (!guest->platform->foreign_open) {
		snprintf(reason, MEMORY_REASON_MAX, "this xvhost can't map foreign memory");
		return -EOPNOTSUPP;
	}
	if (__atomic_load_n(&guest->failed, __ATOMIC_RELAXED)) {
		snprintf(reason, MEMORY_REASON_MAX, "the guest's device model has failed");
		return -EIO;
	}
	if (!guest->reached)
		error = open_all(guest, reason);
	if (error < 0)
		return error;
	guest->reached = true;
	error = resolver_see_version(&guest->resolver);
	if (error < 0)
		snprintf(reason, MEMORY_REASON_MAX, "can't see the version of the guest's grant table: %s",
			 strerror(-error));
	return error;
}

int guest_memory_open(const struct platform *platform, uint16_t domid,
		      const struct guest_memory_settings *settings, struct guest_memory **opened)
{
	struct guest_memory *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return -ENOMEM;
	guest->platform = platform;
	guest->domid = domid;
	guest->keeper_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (guest->keeper_bell < 0) {
		int error = -errno;

		free(guest);
		return error;
	}
	pthread_mutex_init(&guest->lock, NULL);
	guest_memory_set(guest, settings);
	*opened = guest;
	return 0;
}

void guest_memory_close(struct guest_memory *guest)
{
	const struct platform *platform = guest->platform;

	assert(!guest->members);
	if (guest->reached) {
		pthread_mutex_lock(&guest->lock);
		guest->ending = true;
		pthread_mutex_unlock(&guest->lock);
		ring(guest->keeper_bell);
		pthread_join(guest->keeper, NULL);
		resolver_close(&guest->resolver);
		if (guest->model)
			platform->device_model_close(guest->model);
		platform->foreign_close(guest->foreign);
	}
	close(guest->keeper_bell);
	pthread_mutex_destroy(&guest->lock);
	free(guest);
}
