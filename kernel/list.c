// SPDX-License-Identifier: GPL-2.0
/*
 * A caller's list, taken apart into blocks. The whole list is checked before anything is done. A block's frames are
 * copied in, it is carried out under the mmap lock, its errors are copied out; between two blocks no lock is held, so
 * a long list keeps nobody waiting, and a process that is to die dies.
 */
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "xen_remap.h"

/* A list under way. */
struct progress {
	struct xvhost_remap_run *runs;
	u64 entries;	     /* of all runs */
	unsigned long start; /* of all addresses */
	unsigned long end;
	u32 run;  /* the next entry's */
	u64 page; /* the next entry's, within its run */
	struct block block;
};

/* Runs must ascend and have no page in common; counts the entries. */
static int check_runs(struct progress *progress, u32 count)
{
	const struct xvhost_remap_run *run;
	u64 end = 0;

	for (run = progress->runs; run < progress->runs + count; run++) {
		if (!PAGE_ALIGNED(run->address) || run->pages == 0 || run->address < end)
			return -EINVAL;
		if (run->address >= TASK_SIZE_MAX ||
		    run->pages > (TASK_SIZE_MAX - run->address) >> PAGE_SHIFT)
			return -EINVAL;
		end = run->address + (run->pages << PAGE_SHIFT);
		progress->entries += run->pages;
	}
	progress->start = progress->runs[0].address;
	progress->end = end;
	return 0;
}

static int check_list(struct file *file, enum list_kind kind, const struct xvhost_remap_list *list)
{
	if (list->run_count == 0 || list->run_count > XVHOST_REMAP_MAX_RUNS)
		return -EINVAL;
	if (kind == LIST_UNMAP)
		return 0;
	/* Not our own memory, nor devices', nor Xen's: this maps guests. */
	if (list->domain >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	return may_map(file, list->domain) ? 0 : -EPERM;
}

static bool is_alone(const struct block *block)
{
	return block->kind == LIST_UNMAP && remap_way->unmaps_alone;
}

static int lock_mm(const struct block *block)
{
	return is_alone(block) ? mmap_write_lock_killable(current->mm) : mmap_read_lock_killable(current->mm);
}

static void unlock_mm(const struct block *block)
{
	if (is_alone(block))
		mmap_write_unlock(current->mm);
	else
		mmap_read_unlock(current->mm);
}

/* Takes the mmap lock if the reservation is (still) there, and says which one it is. */
static int lock_reservation(struct file *file, struct progress *progress)
{
	struct block *block = &progress->block;

	if (lock_mm(block))
		return -EINTR;
	block->vma = find_reservation(file, progress->start, progress->end);
	if (!block->vma) {
		unlock_mm(block);
		return -EINVAL;
	}
	block->reservation = block->vma->vm_private_data;
	/* Not vm_page_prot, from which the kernel may have taken the right to write in order to see the first write. */
	block->protection = vm_get_page_prot(block->vma->vm_flags);
	return 0;
}

/* Fills the block with the list's next entries. */
static int next_block(struct progress *progress, u64 done, u64 frames)
{
	struct block *block = &progress->block;
	unsigned int left = min_t(u64, progress->entries - done, BLOCK_ENTRIES);

	block->entries = left;
	for (block->piece_count = 0; left > 0; block->piece_count++) {
		const struct xvhost_remap_run *run = &progress->runs[progress->run];
		struct piece *piece = &block->pieces[block->piece_count];

		piece->address = run->address + (progress->page << PAGE_SHIFT);
		piece->entries = min_t(u64, run->pages - progress->page, left);
		left -= piece->entries;
		progress->page += piece->entries;
		if (progress->page == run->pages) {
			progress->run++;
			progress->page = 0;
		}
	}
	memset(block->errors, 0, block->entries * sizeof(*block->errors));
	if (block->kind != LIST_UNMAP &&
	    copy_from_user(block->frames, u64_to_user_ptr(frames + done * sizeof(u64)),
			   block->entries * sizeof(u64)))
		return -EFAULT;
	return 0;
}

/* Counts the block's errors, and tells them. */
static int report_block(struct block *block, u64 done, struct xvhost_remap_list *list)
{
	unsigned int i;

	for (i = 0; i < block->entries; i++)
		list->failed += block->errors[i] != 0;
	if (list->errors && copy_to_user(u64_to_user_ptr(list->errors + done * sizeof(s32)), block->errors,
					 block->entries * sizeof(s32)))
		return -EFAULT;
	return 0;
}

static int carry_out_blocks(struct file *file, struct progress *progress, struct xvhost_remap_list *list)
{
	struct block *block = &progress->block;
	u64 done;
	int result;

	while (list->done < progress->entries) {
		done = list->done;
		result = fatal_signal_pending(current) ? -EINTR : next_block(progress, done, list->frames);
		if (!result)
			result = lock_reservation(file, progress);
		if (result)
			return result;
		mutex_lock(&block->reservation->lock);
		result = remap_way->carry_out(block);
		mutex_unlock(&block->reservation->lock);
		unlock_mm(block);
		if (result)
			return result;
		list->done += block->entries;
		result = report_block(block, done, list);
		if (result)
			return result;
		cond_resched();
	}
	return 0;
}

/* Memory for one block, in one piece; short lists need little. */
static int allocate_block(struct progress *progress, u32 run_count)
{
	struct block *block = &progress->block;
	size_t entries = min_t(u64, progress->entries, BLOCK_ENTRIES);
	size_t pieces = min_t(size_t, run_count, entries);
	size_t error_bytes = ALIGN(entries * sizeof(*block->errors), sizeof(u64));

	block->pieces = kvmalloc(pieces * sizeof(*block->pieces) + entries * sizeof(*block->frames) +
					 error_bytes + entries * remap_way->scratch_bytes,
				 GFP_KERNEL);
	if (!block->pieces)
		return -ENOMEM;
	block->frames = (u64 *)(block->pieces + pieces);
	block->errors = (s32 *)(block->frames + entries);
	block->work = (char *)block->errors + error_bytes;
	return 0;
}

/* The three calls with a list; fills in the list's answers. */
long carry_out_list(struct file *file, enum list_kind kind, struct xvhost_remap_list *list)
{
	struct progress progress = {.block = {.kind = kind, .domain = list->domain}};
	int result;

	list->done = 0;
	list->failed = 0;
	list->hypercalls = 0;
	list->flushes = 0;
	result = check_list(file, kind, list);
	if (result)
		return result;
	progress.runs = vmemdup_user(u64_to_user_ptr(list->runs), list->run_count * sizeof(*progress.runs));
	if (IS_ERR(progress.runs))
		return PTR_ERR(progress.runs);
	result = check_runs(&progress, list->run_count);
	if (!result)
		result = allocate_block(&progress, list->run_count);
	if (!result)
		result = carry_out_blocks(file, &progress, list);
	if (progress.block.flush && remap_way->flush)
		remap_way->flush(current->mm, &progress.block);
	list->hypercalls = progress.block.hypercalls;
	list->flushes = progress.block.flushes;
	kvfree(progress.block.pieces);
	kvfree(progress.runs);
	return result;
}
