// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables of a PV domain, emptied as a whole. To clear an entry by HYPERVISOR_mmu_update costs Xen several hundred
 * instructions, most of them for finding the page table again and making sure that it is one. A table that nothing leads
 * to any more gives back all that its entries hold at once, for a quarter of that. So a table that is to lose all of its
 * entries is taken out of the tree, ceases to be a page table, is cleared, becomes one again, and is put back.
 *
 * Meanwhile two locks are held: the one under which the kernel makes tables where none is, and the table's own. Whoever else
 * comes there, a fault or a walk, finds that there is no table, or waits. That is so since Linux 6.5, where a table may go at any
 * time. Before, who has the mmap lock may look for a table once and use it later, so we have it alone. The processors see an
 * empty table before and after.
 */
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>

#include "xen_remap.h"

/* Before Linux 6.12 this was the macro's name. Where it is not so, tables of the lowest level are not pinned each. */
#ifndef USE_SPLIT_PTE_PTLOCKS
#define USE_SPLIT_PTE_PTLOCKS IS_ENABLED(CONFIG_SPLIT_PTE_PTLOCKS)
#endif

/* Tables that are emptied together. Xen flushes twice, however many they are. */
#define MOST_TABLES 4

/* A table with fewer entries is emptied entry by entry: it costs about as much as 70 of them, and Xen's flushes besides. */
#define LEAST_ENTRIES 128

/* Tables whose places in the tree have one lock. */
struct tables {
	struct block *block;
	unsigned int count;
	pmd_t *place[MOST_TABLES];
	struct mmu_update update[MOST_TABLES];
	struct mmuext_op operation[3 * MOST_TABLES];
	spinlock_t *lock[MOST_TABLES];
};

static pmd_t *find_place(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d))
		return NULL;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud))
		return NULL;
	pmd = pmd_offset(pud, address);
	return pmd_none(*pmd) ? NULL : pmd;
}

static unsigned long end_of(const struct piece *piece)
{
	return piece->address + ((unsigned long)piece->entries << PAGE_SHIFT);
}

/* Those of the addresses from `start` to before `end`, which are all in this table. */
static unsigned int count_entries(const pte_t *table, unsigned long start, unsigned long end)
{
	const pte_t *pte = table + pte_index(start), *last = table + pte_index(end - 1);
	unsigned int count = 0;

	for (; pte <= last; pte++)
		count += !pte_none(*pte);
	return count;
}

/*
 * How many of the addresses from `start` to before `end` are the block's, of which `piece` is the first there. With a table:
 * at how many of them something is mapped.
 */
static unsigned int count_own(const struct block *block, const struct piece *piece, unsigned long start,
			      unsigned long end, const pte_t *table)
{
	unsigned int count = 0;

	for (; piece < block->pieces + block->piece_count && piece->address < end; piece++) {
		unsigned long first = max(piece->address, start), last = min(end_of(piece), end);

		count += table ? count_entries(table, first, last) : (last - first) >> PAGE_SHIFT;
	}
	return count;
}

/* Takes the tables out of the tree, or, with their values, puts them back. Returns how many of them. */
static unsigned int write_places(struct tables *tables, const pmdval_t *value)
{
	unsigned int i;
	int done = 0;

	for (i = 0; i < tables->count; i++) {
		tables->update[i].ptr = arbitrary_virt_to_machine(tables->place[i]).maddr |
					MMU_NORMAL_PT_UPDATE;
		tables->update[i].val = value ? value[i] : 0;
	}
	tables->block->hypercalls++;
	return HYPERVISOR_mmu_update(tables->update, tables->count, &done, DOMID_SELF) < 0 ? done
											   : tables->count;
}

/* Carries out the three operations on each table. One that Xen goes on taking for a page table is left as it is. */
static void clear_tables(struct tables *tables)
{
	unsigned int i = 0, all = 3 * tables->count;
	int done;

	while (i < all) {
		done = 0;
		tables->block->hypercalls++;
		if (HYPERVISOR_mmuext_op(tables->operation + i, all - i, &done, DOMID_SELF) >= 0)
			break;
		i += done;
		WARN_ONCE(i >= tables->count, "xen_remap: Xen has refused to clear a table\n");
		if (i < tables->count) {
			tables->operation[i + tables->count].cmd = MMUEXT_TLB_FLUSH_LOCAL;
			tables->operation[i + 2 * tables->count].cmd = MMUEXT_TLB_FLUSH_LOCAL;
		}
		i++;
	}
}

/* The tables' own locks: a fault marks entries as used under it, and must not do so in what is no page table. */
static void lock_tables(struct tables *tables, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		tables->lock[i] = pte_lockptr(tables->block->vma->vm_mm, tables->place[i]);
		spin_lock_nested(tables->lock[i], i + 1);
	}
}

static void unlock_tables(struct tables *tables, unsigned int count)
{
	while (count-- > 0)
		spin_unlock(tables->lock[count]);
}

static void empty_tables(struct tables *tables)
{
	static const unsigned int commands[] = {MMUEXT_UNPIN_TABLE, MMUEXT_CLEAR_PAGE, MMUEXT_PIN_L1_TABLE};
	unsigned int i, count = tables->count;
	pmdval_t value[MOST_TABLES];
	spinlock_t *lock;

	if (count == 0)
		return;
	lock = pmd_lock(tables->block->vma->vm_mm, tables->place[0]);
	lock_tables(tables, count);
	for (i = 0; i < tables->count; i++)
		value[i] = native_pmd_val(*tables->place[i]);
	tables->count = write_places(tables, NULL);
	for (i = 0; i < 3 * tables->count; i++) {
		tables->operation[i].cmd = commands[i / tables->count];
		tables->operation[i].arg1.mfn = (value[i % tables->count] & PTE_PFN_MASK) >> PAGE_SHIFT;
	}
	clear_tables(tables);
	if (write_places(tables, value) < tables->count)
		WARN_ONCE(1, "xen_remap: Xen has refused to take a table back\n");
	unlock_tables(tables, count);
	spin_unlock(lock);
	tables->block->flush = true;
	tables->count = 0;
}

/* The table of the addresses from `start` on, if it is to be emptied; `piece` is the first with a part of it. */
static void consider_table(struct tables *tables, const struct piece *piece, unsigned long start)
{
	const struct block *block = tables->block;
	const struct vm_area_struct *vma = block->vma;
	unsigned long end = start + PMD_SIZE;
	unsigned int entries;
	const pte_t *table;
	pmd_t *place;

	/* Entries that are not the reservation's can come at any time. */
	if (start < vma->vm_start || end > vma->vm_end ||
	    count_own(block, piece, start, end, NULL) < LEAST_ENTRIES)
		return;
	place = find_place(vma->vm_mm, start);
	if (!place || !PagePinned(pmd_page(*place)))
		return;
	table = (const pte_t *)pmd_page_vaddr(*place);
	entries = count_own(block, piece, start, end, table);
	if (entries < LEAST_ENTRIES || entries < count_entries(table, start, end))
		return;
	if (tables->count == MOST_TABLES ||
	    (tables->count > 0 &&
	     pmd_lockptr(vma->vm_mm, place) != pmd_lockptr(vma->vm_mm, tables->place[0])))
		empty_tables(tables);
	tables->place[tables->count++] = place;
}

/* Empties the tables whose entries are all to be unmapped. Whatever else the block has is left to the caller. */
void empty_whole_tables(struct block *block)
{
	struct tables tables = {.block = block};
	unsigned long start, next = 0;
	const struct piece *piece;

	if (!USE_SPLIT_PTE_PTLOCKS)
		return;
	for (piece = block->pieces; piece < block->pieces + block->piece_count; piece++) {
		for (start = max(piece->address & PMD_MASK, next); start < end_of(piece); start = next) {
			next = start + PMD_SIZE;
			consider_table(&tables, piece, start);
		}
	}
	empty_tables(&tables);
}
