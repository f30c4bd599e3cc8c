// SPDX-License-Identifier: GPL-2.0
/*
 * In a domain with its own translation (PVH, HVM), a foreign frame is first put at a frame number of ours that has no
 * memory, XENMEM_add_to_physmap_range taking a list of them, and then mapped there as any page is. The kernel exports
 * the rest: empty pages, and the way back, which takes one hypercall for each page.
 *
 * reservation->pages has our page for each page of the reservation at which something is mapped.
 */
#include <asm/xen/hypercall.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <xen/xen-ops.h>
#include <xen/xen.h>

#include "xen_remap.h"

/* Pages that are let go together. */
#define RELEASE_PAGES 64

/* What of a block can be tried to map. */
struct candidates {
	struct block *block;
	unsigned int count;
	unsigned long *address;
	xen_ulong_t *foreign;
	xen_pfn_t *local;
	struct page **page; /* ours; its frame number is in `local` */
	int *error;
	u16 *entry; /* of the block */

	/* The walk that collects them: */
	const struct piece *piece;
	unsigned int first; /* entry of the piece */
};

#define CANDIDATE_BYTES                                                                                      \
	(sizeof(unsigned long) + sizeof(xen_ulong_t) + sizeof(xen_pfn_t) + sizeof(struct page *) +           \
	 sizeof(int) + sizeof(u16))

static unsigned long index_of(const struct block *block, unsigned long address)
{
	return (address - block->vma->vm_start) >> PAGE_SHIFT;
}

/* Takes the foreign frames from behind our pages, and gives these back to the kernel. */
static void let_go(struct page **pages, unsigned int count)
{
	xen_xlate_unmap_gfn_range(NULL, count, pages);
	xen_free_unpopulated_pages(count, pages);
}

/* The same for a range of the reservation; returns how many pages there were. */
static unsigned int release_range(struct reservation *reservation, unsigned long first, unsigned long last)
{
	struct page *pages[RELEASE_PAGES], *page;
	unsigned int count = 0, released = 0;
	unsigned long index;

	xa_for_each_range(&reservation->pages, index, page, first, last)
	{
		xa_erase(&reservation->pages, index);
		pages[count++] = page;
		released++;
		if (count == RELEASE_PAGES) {
			let_go(pages, count);
			count = 0;
		}
	}
	if (count > 0)
		let_go(pages, count);
	return released;
}

static void unmap_block(struct block *block)
{
	struct xarray *pages = &block->reservation->pages;
	const struct piece *piece;

	for (piece = block->pieces; piece < block->pieces + block->piece_count; piece++) {
		unsigned long first = index_of(block, piece->address), last = first + piece->entries - 1,
			      found = first;

		if (!xa_find(pages, &found, last, XA_PRESENT))
			continue;
		/* This flushes. The page tables must no longer lead to our pages when these become others'. */
		zap_vma_ptes(block->vma, piece->address, (unsigned long)piece->entries << PAGE_SHIFT);
		block->flushes++;
		block->hypercalls += release_range(block->reservation, first, last);
	}
}

/* For each page of a piece that is to be mapped. */
static int collect_candidate(pte_t *pte, unsigned long address, void *data)
{
	struct candidates *candidates = data;
	struct block *block = candidates->block;
	unsigned int entry = candidates->first + ((address - candidates->piece->address) >> PAGE_SHIFT);
	u64 frame = block->frames[entry];

	if (xa_load(&block->reservation->pages, index_of(block, address))) {
		block->errors[entry] = -EEXIST;
	} else if (frame < FRAME_LIMIT) {
		candidates->address[candidates->count] = address;
		candidates->foreign[candidates->count] = frame;
		candidates->entry[candidates->count] = entry;
		candidates->count++;
	} else if (block->kind != LIST_REPLACE || frame != XVHOST_REMAP_NOTHING) {
		block->errors[entry] = -EINVAL;
	}
	return 0;
}

/* For each page of a piece: fills the entry of one that has been given a page just now. */
static int map_page(pte_t *pte, unsigned long address, void *data)
{
	struct candidates *candidates = data;
	struct block *block = candidates->block;
	struct page *page = xa_load(&block->reservation->pages, index_of(block, address));

	if (page && pte_none(*pte))
		set_pte_at(block->vma->vm_mm, address, pte,
			   pte_mkspecial(pfn_pte(page_to_pfn(page), block->protection)));
	return 0;
}

static int walk_pieces(struct candidates *candidates, pte_fn_t function)
{
	const struct block *block = candidates->block;
	const struct piece *piece;
	int result = 0;

	candidates->first = 0;
	for (piece = block->pieces; piece < block->pieces + block->piece_count && !result; piece++) {
		candidates->piece = piece;
		result = apply_to_page_range(block->vma->vm_mm, piece->address,
					     (unsigned long)piece->entries << PAGE_SHIFT, function,
					     candidates);
		candidates->first += piece->entries;
	}
	return result;
}

/* Undoes all that was done for the candidates. */
static void take_back(struct candidates *candidates)
{
	struct block *block = candidates->block;
	unsigned int i;

	for (i = 0; i < candidates->count; i++) {
		zap_vma_ptes(block->vma, candidates->address[i], PAGE_SIZE);
		xa_erase(&block->reservation->pages, index_of(block, candidates->address[i]));
	}
	let_go(candidates->page, candidates->count);
}

/* Asks Xen to put the foreign frames at our pages' frame numbers; the pages of those that it refuses are given back. */
static void submit(struct candidates *candidates)
{
	struct xen_add_to_physmap_range request = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_gmfn_foreign,
		.size = candidates->count,
		.foreign_domid = candidates->block->domain,
	};
	struct block *block = candidates->block;
	unsigned int i, refused = 0;
	int result;

	set_xen_guest_handle(request.idxs, candidates->foreign);
	set_xen_guest_handle(request.gpfns, candidates->local);
	set_xen_guest_handle(request.errs, candidates->error);
	result = HYPERVISOR_memory_op(XENMEM_add_to_physmap_range, &request);
	block->hypercalls++;
	for (i = 0; i < candidates->count; i++) {
		int error = result < 0 ? result : candidates->error[i];

		if (error == 0)
			continue;
		block->errors[candidates->entry[i]] = error;
		xa_erase(&block->reservation->pages, index_of(block, candidates->address[i]));
		swap(candidates->page[refused], candidates->page[i]);
		refused++;
	}
	if (refused > 0)
		let_go(candidates->page, refused);
}

static int map_candidates(struct candidates *candidates)
{
	struct block *block = candidates->block;
	unsigned int i;
	int result;

	result = xen_alloc_unpopulated_pages(candidates->count, candidates->page);
	if (result)
		return result;
	for (i = 0; i < candidates->count && !result; i++) {
		candidates->local[i] = page_to_xen_pfn(candidates->page[i]);
		result = xa_err(xa_store(&block->reservation->pages, index_of(block, candidates->address[i]),
					 candidates->page[i], GFP_KERNEL));
	}
	if (result) {
		take_back(candidates);
		return result;
	}
	submit(candidates);
	/* The page tables are there since the candidates were collected, so this needs no memory. */
	return walk_pieces(candidates, map_page);
}

static int translated_carry_out(struct block *block)
{
	struct candidates candidates = {.block = block};
	int result;

	if (block->kind != LIST_MAP)
		unmap_block(block);
	if (block->kind == LIST_UNMAP)
		return 0;
	candidates.address = block->work;
	candidates.foreign = (xen_ulong_t *)(candidates.address + block->entries);
	candidates.local = (xen_pfn_t *)(candidates.foreign + block->entries);
	candidates.page = (struct page **)(candidates.local + block->entries);
	candidates.error = (int *)(candidates.page + block->entries);
	candidates.entry = (u16 *)(candidates.error + block->entries);
	result = walk_pieces(&candidates, collect_candidate);
	if (result || candidates.count == 0)
		return result;
	return map_candidates(&candidates);
}

static void translated_release(struct reservation *reservation)
{
	release_range(reservation, 0, ULONG_MAX);
}

const struct way translated_way = {
	.name = "auto-translated",
	.scratch_bytes = CANDIDATE_BYTES,
	.carry_out = translated_carry_out,
	.release = translated_release,
};
