// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables of a PV domain, emptied as a whole. To clear an entry by HYPERVISOR_mmu_update costs Xen several hundred
 * instructions, most of them for finding the page table again and making sure that it is one. A table that nothing leads
 * to any more gives back all that its entries hold at once, for a quarter of that. So a table that is to lose all of its
 * entries is taken out of the tree, ceases to be a page table, is cleared, becomes one again, and is put back.
 *
 * Meanwhile the lock is held under which the kernel makes tables where none is. Whoever else comes there, a fault or a walk,
 * finds that there is no table, and waits for the lock or has nothing to do. The processors see an empty
 * table before and after.
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

/* Whether the table's entries from `first` to before `last` are worth it, and there are no others. */
static bool is_worth_it(pmd_t place, unsigned int first, unsigned int last)
{
	const pte_t *table = (const pte_t *)pmd_page_vaddr(place);
	unsigned int i, entries = 0;

	for (i = 0; i < PTRS_PER_PTE; i++) {
		if (pte_none(table[i]))
			continue;
		if (i < first || i >= last)
			return false;
		entries++;
	}
	return entries >= LEAST_ENTRIES;
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

static void empty_tables(struct tables *tables)
{
	static const unsigned int commands[] = {MMUEXT_UNPIN_TABLE, MMUEXT_CLEAR_PAGE, MMUEXT_PIN_L1_TABLE};
	pmdval_t value[MOST_TABLES];
	unsigned int i;
	spinlock_t *lock;

	if (tables->count == 0)
		return;
	lock = pmd_lock(tables->block->vma->vm_mm, tables->place[0]);
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
	spin_unlock(lock);
	tables->block->flush = true;
	tables->count = 0;
}

/* A table of which the block has the entries from `address` to before `end`. */
static void add_table(struct tables *tables, unsigned long address, unsigned long end)
{
	const struct vm_area_struct *vma = tables->block->vma;
	unsigned long start = address & PMD_MASK;
	pmd_t *place;

	/* Entries that are not the reservation's can come at any time. */
	if (start < vma->vm_start || start + PMD_SIZE > vma->vm_end)
		return;
	place = find_place(vma->vm_mm, address);
	if (!place || !PagePinned(pmd_page(*place)) ||
	    !is_worth_it(*place, (address - start) >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT))
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
	const struct piece *piece;

	if (!USE_SPLIT_PTE_PTLOCKS)
		return;
	for (piece = block->pieces; piece < block->pieces + block->piece_count; piece++) {
		unsigned long address = piece->address;
		unsigned long end = address + ((unsigned long)piece->entries << PAGE_SHIFT), next;

		for (; address < end; address = next) {
			next = min((address & PMD_MASK) + PMD_SIZE, end);
			if (next - address >= LEAST_ENTRIES << PAGE_SHIFT)
				add_table(&tables, address, next);
		}
	}
	empty_tables(&tables);
}
