// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolver.c - from a grant reference to the frame that is granted
 */
#include "memory/resolver.h"

#include <errno.h>

/* Foreign memory is for Dom0, so the grants must be for Dom0. */
#define DOM0 0

int resolver_open(struct resolver *resolver, const struct platform *platform, struct foreign *foreign,
		  uint16_t domid)
{
	void *range;
	int error;

	*resolver = (struct resolver){
		.platform = platform,
		.foreign = foreign,
		.domid = domid,
		.host_domid = DOM0,
		.version = 1,
		.frames_end = RESOLVER_FRAMES_MAX,
	};
	error = platform->foreign_reserve(foreign, RESOLVER_FRAMES_MAX + 1, FOREIGN_GRANT_TABLE, &range);
	if (error < 0)
		return error;
	resolver->range = range;
	resolver->entries = range;
	error = platform->foreign_map_grant_frames(foreign, domid, range, GRANT_FRAMES_ENTRIES, 0, 1);
	if (error < 0) {
		platform->foreign_release(foreign, range, RESOLVER_FRAMES_MAX + 1);
		return error;
	}
	resolver->bytes_mapped = PAGE_BYTES;
	pthread_mutex_init(&resolver->lock, NULL);
	return 0;
}

void resolver_close(struct resolver *resolver)
{
	resolver->platform->foreign_release(resolver->foreign, resolver->range, RESOLVER_FRAMES_MAX + 1);
	pthread_mutex_destroy(&resolver->lock);
}

/* Only a table of version 2 has statuses. */
int resolver_see_version(struct resolver *resolver)
{
	const struct foreign_run run = {resolver->range + (size_t)RESOLVER_FRAMES_MAX * PAGE_BYTES, 1};
	int error = resolver->platform->foreign_map_grant_frames(resolver->foreign, resolver->domid,
								 run.address, GRANT_FRAMES_STATUSES, 0, 1);

	if (error < 0 && error != -EINVAL)
		return error;
	__atomic_store_n(&resolver->version, error == 0 ? 2 : 1, __ATOMIC_RELAXED);
	if (error == -EINVAL)
		return 0;
	return resolver->platform->foreign_unmap(resolver->foreign, &run, 1);
}

bool resolver_grow(struct resolver *resolver, struct resolver_view *view, uint32_t gref)
{
	uint64_t frame = (uint64_t)gref * (view->version == 1 ? 8 : 16) / PAGE_BYTES;
	uint32_t mapped, frames;
	int error = 0;

	pthread_mutex_lock(&resolver->lock);
	mapped = resolver->bytes_mapped / PAGE_BYTES;
	frames = frame < resolver->frames_end ? (uint32_t)frame + 1 : 0;
	if (frames > mapped) {
		error = resolver->platform->foreign_map_grant_frames(
			resolver->foreign, resolver->domid, resolver->range + (size_t)mapped * PAGE_BYTES,
			GRANT_FRAMES_ENTRIES, mapped, frames - mapped);
		if (error == 0)
			__atomic_store_n(&resolver->bytes_mapped, frames * PAGE_BYTES, __ATOMIC_RELEASE);
		if (error == -EINVAL)
			resolver->frames_end = frames - 1;
	}
	if (error == 0)
		view->count = resolver->bytes_mapped / (view->version == 1 ? 8 : 16);
	pthread_mutex_unlock(&resolver->lock);
	return frames > 0 && error == 0;
}

/* classify - what to do with an entry whose first word is not right. */
static enum resolved classify(const struct resolver_view *view, uint32_t head)
{
	uint32_t type = head & RESOLVER_TYPE;

	/* All but the type and its flag must be right. */
	if ((head ^ view->right) & view->looked_at & ~(RESOLVER_TYPE | RESOLVER_SUB_PAGE))
		return RESOLVED_NOT_HERE;
	if (type == RESOLVER_TRANSITIVE || (type == RESOLVER_PERMIT && head & RESOLVER_SUB_PAGE))
		return RESOLVED_BY_COPY;
	return RESOLVED_NOT_HERE;
}

enum resolved resolver_look_up_v2(const struct resolver_view *view, uint32_t gref, uint64_t *frame)
{
	const uint32_t *head_at = (const uint32_t *)view->entries + (size_t)gref * 4;
	uint32_t head = __atomic_load_n(head_at, __ATOMIC_ACQUIRE);

	if ((head & view->looked_at) != view->right)
		return classify(view, head);
	*frame = __atomic_load_n((const uint64_t *)(const void *)(head_at + 2), __ATOMIC_ACQUIRE);
	return __atomic_load_n(head_at, __ATOMIC_RELAXED) == head ? RESOLVED : RESOLVED_NOT_HERE;
}
