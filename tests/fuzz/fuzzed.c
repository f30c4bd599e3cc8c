// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzzed.c - what harnesses of rings have in common */
#include "fuzzed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/grant_table.h>

#include "log.h"
#include "memory/guest_memory.h"

int64_t fuzzed_mapped;

static struct sim_machine *machine;

void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* ---- the input ---- */

uint8_t next_u8(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

uint16_t next_u16(struct input *input)
{
	uint16_t low = next_u8(input);

	return (uint16_t)(low | next_u8(input) << 8);
}

uint32_t next_u32(struct input *input)
{
	uint32_t low = next_u16(input);

	return low | (uint32_t)next_u16(input) << 16;
}

/* ---- guests ---- */

static int counted_map(struct grants *grants, uint16_t domid, const uint32_t *grefs, uint32_t count,
		       bool writable, bool consecutive, void **pages, void **mapping)
{
	int error = sim_platform(machine)->grants_map(grants, domid, grefs, count, writable, consecutive,
						      pages, mapping);

	if (error == 0)
		fuzzed_mapped += count;
	return error;
}

static int counted_unmap(struct grants *grants, void *mapping, uint32_t count)
{
	fuzzed_mapped -= count;
	return sim_platform(machine)->grants_unmap(grants, mapping, count);
}

static void open_memory(struct fuzzed *made)
{
	const struct guest_memory_settings settings = {.most_mib = 16, .budget_mib = 16, .idle_s = 10};
	const struct fuzzed_options *options = &made->options;
	struct guest_memory *shared = NULL;
	char text[MEMORY_TEXT_MAX];
	bool cached;

	if (options->cached)
		must(guest_memory_open(&made->platform, options->domid, &settings, &shared) == 0,
		     "a guest's memory");
	must(memory_open(&made->platform, options->domid, shared, options->mappings_max, &made->memory) == 0,
	     "memory");
	if (options->cached)
		must(memory_choose(made->memory, MEMORY_FOREIGN, &cached, text) == 0 && cached, "a cache");
}

void fuzzed_restore(struct fuzzed *fuzzed)
{
	for (uint32_t i = 0; i < fuzzed->options.pages; i++) {
		const uint32_t bad = i - fuzzed->options.bad_from;
		const grant_entry_v1_t entry = {
			.flags = bad == FUZZED_WITHDRAWN   ? 0
				 : bad == FUZZED_READ_ONLY ? GTF_permit_access | GTF_readonly
							   : GTF_permit_access,
			.domid = bad == FUZZED_OTHER_DOMAIN ? FUZZED_OTHER_DOMID : SIM_HOST_DOMID,
			.frame = bad == FUZZED_LOST ? 0x7ffffff0 : (uint32_t)fuzzed->frames[i],
		};

		memcpy(sim_grant_entry(fuzzed->guest, fuzzed->grefs[i]), &entry, sizeof(entry));
	}
}

void fuzzed_make(struct fuzzed *made, const struct fuzzed_options *options)
{
	const struct sim_guest_options with = {
		.domid = options->domid, .pages = 256, .pv = options->pv, .strict = options->strict};

	if (!machine) {
		machine = sim_machine_create(1);
		must(machine != NULL, "a machine");
		log_set_level((enum log_level)0);
	}
	must(options->pages <= FUZZED_PAGES_MAX, "room for the pages");
	made->options = *options;
	made->platform = *sim_platform(machine);
	made->platform.grants_map = counted_map;
	made->platform.grants_unmap = counted_unmap;
	if (options->no_copies)
		made->platform.grants_copy = NULL;
	must(sim_guest_create(machine, &with, &made->guest) == 0, "a guest");
	must(sim_pages_take(made->guest, options->pages, made->frames) == 0, "pages");
	for (uint32_t i = 0; i < options->pages; i++) {
		made->pages[i] = sim_page(made->guest, made->frames[i]);
		made->grefs[i] = (uint32_t)sim_grant(made->guest, SIM_HOST_DOMID, made->frames[i], false);
	}
	open_memory(made);
}

uint32_t next_gref(struct input *input, const struct fuzzed *of, uint32_t pages)
{
	uint8_t which = next_u8(input);

	return which < pages ? of->grefs[which] : which == 0xff ? next_u32(input) : which;
}

void change_grant(struct input *input, const struct fuzzed *of, uint32_t pages)
{
	uint16_t *entry = sim_grant_entry(of->guest, of->grefs[next_u8(input) % pages]);
	uint8_t what = next_u8(input);

	/* Of the flags, domain and frame. */
	entry[what % 4] = next_u16(input);
}
