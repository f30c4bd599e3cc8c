// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gnttab.c - memory by grants: Xen is asked to map each
 *
 * Theory of operation: the grant device maps a list of grants as one object, by two system calls, and can
 * unmap only the whole object, by three and a flush of the processors' address translation, which costs more
 * than all the rest. So the requests of one turn share an object, a `struct mapping_group`: those of one
 * sharer (a ring) and one direction. The group is unmapped when its last request is done. Until then none of
 * them may be answered: blkfront gives the whole disk up when it finds a grant still in use. Requests that
 * were taken together wait for each other, then; rings never do.
 *
 * One bad grant makes the whole list fail. Then each request of the group is mapped by itself, and only the
 * bad one has the error.
 */
#include "memory/mapper.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* Grants of one group: 32 direct requests, a ring of one page. More would make requests wait for each other
 * longer. */
#define GROUP_GRANTS_MAX 352

/* What is mapped by one call. */
struct mapping_group {
	struct mapping_group *next; /* free ones */
	struct memory_mapping *first, *last;
	void *mapping; /* the platform's name of it */
	uint32_t grants;
	uint32_t pending; /* members that are not done with it */
};

struct gnttab {
	struct mapping_group *free_groups;
	struct mapping_group *groups; /* as many as there can be mappings */
	uint32_t grefs[GROUP_GRANTS_MAX];
	void *pages[GROUP_GRANTS_MAX];
};

int gnttab_open(uint32_t mappings_max, struct gnttab **opened)
{
	struct gnttab *gnttab = calloc(1, sizeof(*gnttab));

	if (!gnttab)
		return -ENOMEM;
	gnttab->groups = calloc(mappings_max, sizeof(*gnttab->groups));
	if (!gnttab->groups) {
		free(gnttab);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < mappings_max; i++) {
		gnttab->groups[i].next = gnttab->free_groups;
		gnttab->free_groups = &gnttab->groups[i];
	}
	*opened = gnttab;
	return 0;
}

void gnttab_close(struct gnttab *gnttab)
{
	free(gnttab->groups);
	free(gnttab);
}

/* ---- groups ---- */

static struct mapping_group *take_group(struct gnttab *gnttab)
{
	struct mapping_group *group = gnttab->free_groups;

	assert(group);
	gnttab->free_groups = group->next;
	memset(group, 0, sizeof(*group));
	return group;
}

static void free_group(struct gnttab *gnttab, struct mapping_group *group)
{
	group->next = gnttab->free_groups;
	gnttab->free_groups = group;
}

static void join(struct mapping_group *group, struct memory_mapping *mapping)
{
	mapping->group = group;
	mapping->next = NULL;
	if (group->last)
		group->last->next = mapping;
	else
		group->first = mapping;
	group->last = mapping;
	group->grants += mapping->count;
	group->pending++;
}

/* map_group - map all members by one call. Returns 0 or a negative errno and nothing is mapped. */
static int map_group(struct memory *memory, struct mapping_group *group)
{
	struct gnttab *gnttab = memory->gnttab;
	void **pages = gnttab->pages;
	uint32_t count = 0;
	int error;

	for (struct memory_mapping *member = group->first; member; member = member->next) {
		memcpy(gnttab->grefs + count, member->grefs, member->count * sizeof(gnttab->grefs[0]));
		count += member->count;
	}
	error = memory->platform->grants_map(memory->grants, memory->domid, gnttab->grefs, count,
					     group->first->writable, false, pages, &group->mapping);
	if (error < 0)
		return error;
	for (struct memory_mapping *member = group->first; member; member = member->next) {
		member->error = 0;
		memcpy(member->pages, pages, member->count * sizeof(pages[0]));
		pages += member->count;
	}
	return 0;
}

/* map_singly - after the whole could not be mapped: each member as a group of its own, or with its own error.
 */
static void map_singly(struct memory *memory, struct memory_mapping *member)
{
	struct gnttab *gnttab = memory->gnttab;

	while (member) {
		struct memory_mapping *next = member->next;
		struct mapping_group *group = take_group(gnttab);

		join(group, member);
		member->error = map_group(memory, group);
		if (member->error < 0)
			free_group(gnttab, group);
		member = next;
	}
}

/* finish_group - no more members come. */
static void finish_group(struct memory *memory, struct mapping_group *group)
{
	struct memory_mapping *members = group->first;
	int error = map_group(memory, group);

	if (error == 0)
		return;
	free_group(memory->gnttab, group);
	if (members->next)
		map_singly(memory, members);
	else
		members->error = error;
}

/* ---- what the mapper does ---- */

/* map_direction - group those mappings of the list that are to be written, or those that are not. */
static void map_direction(struct memory *memory, struct memory_mapping **mappings, size_t count,
			  bool writable)
{
	struct mapping_group *group = NULL;

	for (size_t i = 0; i < count; i++) {
		struct memory_mapping *mapping = mappings[i];

		if (mapping->way != WAY_GRANTS || mapping->writable != writable)
			continue;
		assert(mapping->count > 0 && mapping->count <= GROUP_GRANTS_MAX);
		if (group && (group->first->sharer != mapping->sharer ||
			      group->grants + mapping->count > GROUP_GRANTS_MAX)) {
			finish_group(memory, group);
			group = NULL;
		}
		if (!group)
			group = take_group(memory->gnttab);
		join(group, mapping);
	}
	if (group)
		finish_group(memory, group);
}

void gnttab_map(struct memory *memory, struct memory_mapping **mappings, size_t count)
{
	map_direction(memory, mappings, count, false);
	map_direction(memory, mappings, count, true);
}

size_t gnttab_unmap(struct memory *memory, struct memory_mapping **mappings, size_t count,
		    struct memory_mapping **gone)
{
	size_t gone_count = 0;

	for (size_t i = 0; i < count; i++) {
		struct mapping_group *group = mappings[i]->group;
		int error;

		if (mappings[i]->way != WAY_GRANTS || --group->pending > 0)
			continue;
		error = memory->platform->grants_unmap(memory->grants, group->mapping, group->grants);
		/*
		 * A list that was mapped can't fail to be unmapped but by a fault of the kernel or of ours, and trying
		 * again is of no use: part of it may be done. The requests are answered all the same. Nothing is
		 * written to the pages any more, and nothing else is mapped in their place while they stay; a guest
		 * that looks, as Linux does, finds the grants in use and does not use the pages again. Without an
		 * answer the disk could never be disconnected.
		 */
		if (error < 0)
			log_error("guest %u: can't unmap %u grants: %s", memory->domid, group->grants,
				  strerror(-error));
		for (struct memory_mapping *member = group->first; member; member = member->next)
			gone[gone_count++] = member;
		free_group(memory->gnttab, group);
	}
	return gone_count;
}
