// SPDX-License-Identifier: GPL-2.0
/*
 * In a PV domain, page table entries hold machine frames (or, on their way to Xen, frame numbers of a domain with its own
 * translation), and Xen writes them: HYPERVISOR_mmu_update takes a list of entries with their new values, stops at the
 * first that it refuses, and says how many it has done.
 *
 * No lock of the page tables is held during the hypercall. None is needed: the mmap lock keeps the tables, the
 * reservation's lock keeps its other lists away, and of all others only a fault writes entries of a reservation. It marks one
 * that it has found as used; if that entry has changed meanwhile Xen refuses.
 */
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>
#include <linux/version.h>

#include "xen_remap.h"

/* What is remembered of an update. */
struct target {
	u16 entry;   /* of the block */
	bool mapped; /* something was, before */
};

/* The updates of a block; at most one for each entry. */
struct updates {
	struct block *block;
	struct mmu_update *update;
	struct target *target;
	unsigned int count;

	/* The walk that collects them: */
	const struct piece *piece;
	unsigned int first;  /* entry of the piece */
	unsigned long table; /* the page table at hand, */
	u64 table_machine;   /* and its machine address */
};

/* As the hypercall takes it. Entries come in runs of one table, which is looked up once. */
static u64 machine_address(struct updates *updates, const pte_t *pte)
{
	unsigned long table = (unsigned long)pte & PAGE_MASK;

	if (table != updates->table) {
		updates->table = table;
		updates->table_machine = arbitrary_virt_to_machine((void *)table).maddr;
	}
	return updates->table_machine + offset_in_page(pte);
}

static void add_update(struct updates *updates, pte_t *pte, unsigned int entry, u64 value)
{
	struct mmu_update *update = &updates->update[updates->count];
	struct target *target = &updates->target[updates->count];

	update->ptr = machine_address(updates, pte) | MMU_NORMAL_PT_UPDATE;
	update->val = value;
	target->entry = entry;
	target->mapped = !pte_none(*pte);
	updates->block->flush |= target->mapped;
	updates->count++;
}

static unsigned int entry_at(const struct updates *updates, unsigned long address)
{
	return updates->first + ((address - updates->piece->address) >> PAGE_SHIFT);
}

/* For each page of a piece that is to be mapped or replaced. */
static int collect_frame(pte_t *pte, unsigned long address, void *data)
{
	struct updates *updates = data;
	struct block *block = updates->block;
	unsigned int entry = entry_at(updates, address);
	u64 frame = block->frames[entry];
	bool nothing = block->kind == LIST_REPLACE && frame == XVHOST_REMAP_NOTHING;

	if (block->kind == LIST_MAP && !pte_none(*pte)) {
		block->errors[entry] = -EEXIST;
	} else if (frame < FRAME_LIMIT) {
		add_update(updates, pte, entry, pte_val_ma(pte_mkspecial(mfn_pte(frame, block->protection))));
	} else {
		block->errors[entry] = nothing ? 0 : -EINVAL;
		if (!pte_none(*pte))
			add_update(updates, pte, entry, 0);
	}
	return 0;
}

/* For each page of a piece at which something is mapped that is to be unmapped. */
static int collect_mapped(pte_t *pte, unsigned long address, void *data)
{
	struct updates *updates = data;

	if (!pte_none(*pte))
		add_update(updates, pte, entry_at(updates, address), 0);
	return 0;
}

static int collect(struct updates *updates)
{
	const struct block *block = updates->block;
	const struct piece *piece;
	int result = 0;

	for (piece = block->pieces; piece < block->pieces + block->piece_count && !result; piece++) {
		unsigned long size = (unsigned long)piece->entries << PAGE_SHIFT;
		struct mm_struct *mm = block->vma->vm_mm;

		updates->piece = piece;
		if (block->kind == LIST_UNMAP)
			result = apply_to_existing_page_range(mm, piece->address, size, collect_mapped,
							      updates);
		else
			result = apply_to_page_range(mm, piece->address, size, collect_frame, updates);
		updates->first += piece->entries;
	}
	return result;
}

/* Records the error of an update. What was mapped there is to be cleared: such updates gather at the array's start. */
static void fail_update(struct updates *updates, unsigned int i, int error, unsigned int *left)
{
	struct target target = updates->target[i];

	updates->block->errors[target.entry] = error;
	if (target.mapped) {
		updates->update[*left].ptr = updates->update[i].ptr;
		updates->update[*left].val = 0;
		updates->target[*left] = target;
		(*left)++;
	}
}

/* Gives all updates to Xen, going on behind each one that it refuses. Leaves those that must clear an entry instead. */
static void submit(struct updates *updates, domid_t domain)
{
	unsigned int i = 0, left = 0;
	int done, result;

	while (i < updates->count) {
		done = 0;
		result = HYPERVISOR_mmu_update(updates->update + i, updates->count - i, &done, domain);
		updates->block->hypercalls++;
		if (result >= 0)
			break;
		i += done;
		do
			fail_update(updates, i++, result, &left);
		/* A domain that is not there has none of the other frames either. */
		while (result == -ESRCH && i < updates->count);
	}
	updates->count = left;
}

static int pv_carry_out(struct block *block)
{
	struct updates updates = {.block = block};
	int result;

	updates.update = block->work;
	updates.target = (struct target *)(updates.update + block->entries);
	if (block->kind == LIST_UNMAP)
		empty_whole_tables(block);
	result = collect(&updates);
	if (result)
		return result;
	submit(&updates, block->kind == LIST_UNMAP ? DOMID_SELF : block->domain);
	if (block->kind == LIST_REPLACE && updates.count > 0)
		submit(&updates, DOMID_SELF);
	return 0;
}

/* On the processors that may have translations of this address space. */
static void pv_flush(struct mm_struct *mm, struct block *block)
{
	struct mmuext_op operation = {.cmd = MMUEXT_TLB_FLUSH_MULTI, .arg2.vcpumask = mm_cpumask(mm)};

	block->hypercalls++;
	block->flushes++;
	if (HYPERVISOR_mmuext_op(&operation, 1, NULL, DOMID_SELF) == 0)
		return;
	operation = (struct mmuext_op){.cmd = MMUEXT_TLB_FLUSH_ALL};
	block->hypercalls++;
	HYPERVISOR_mmuext_op(&operation, 1, NULL, DOMID_SELF);
}

const struct way pv_way = {
	.name = "PV",
	.scratch_bytes = sizeof(struct mmu_update) + sizeof(struct target),
	/* Before this, faults and walks rely on it that a table does not go while they have the mmap lock: see table.c. */
	.unmaps_alone = LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0),
	.carry_out = pv_carry_out,
	.flush = pv_flush,
};
