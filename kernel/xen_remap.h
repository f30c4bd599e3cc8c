/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of xen_remap: device.c has the device and its reservations, list.c takes a caller's list apart into blocks,
 * and pv.c (with table.c) or translated.c, whichever way this kernel runs in, carries a block out. publish.c has what needs no
 * reservation: the end of a turn.
 */
#ifndef XEN_REMAP_H
#define XEN_REMAP_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <xen/interface/xen.h>

#include <xvhost/remap.h>

/* Entries that are carried out together. The numbers are copied for so many, and a hypercall has at most so many. */
#define BLOCK_ENTRIES 2048U

/* Addresses that mmap() reserved: the private data of its VMA. */
struct reservation {
	refcount_t users;  /* VMAs: one, unless the kernel copies them in a way that is not known today */
	struct mutex lock; /* held while a block is carried out */
	struct xarray
		pages; /* auto-translated: our struct page behind each page that is mapped, by its index */
};

enum list_kind {
	LIST_MAP,
	LIST_UNMAP,
	LIST_REPLACE
};

/* A run's part that is in a block. */
struct piece {
	unsigned long address;
	unsigned int entries;
};

/* Some entries of a list on their way. */
struct block {
	enum list_kind kind;
	domid_t domain;
	struct vm_area_struct *vma;
	struct reservation *reservation;
	pgprot_t protection;
	unsigned int entries;
	unsigned int piece_count;
	struct piece *pieces; /* the memory of all that follow, too */
	u64 *frames;	      /* not of LIST_UNMAP */
	s32 *errors;	      /* set to 0 beforehand */
	void *work;	      /* scratch_bytes for each entry */

	/* Over all blocks of a list. */
	bool flush; /* something that was mapped no longer is: see struct way */
	u32 hypercalls;
	u32 flushes;
};

/* How pages get mapped. */
struct way {
	const char *name;
	size_t scratch_bytes; /* that carry_out needs for an entry */
	bool unmaps_alone;    /* LIST_UNMAP wants the mmap lock for writing */

	/*
	 * Carries a block out: an error for each entry in block->errors. Returns a negative errno if it could not be done;
	 * then nothing is mapped that was not before. With the mmap lock (for writing if unmaps_alone, else for reading) and the reservation's held.
	 */
	int (*carry_out)(struct block *block);
	/* Once after the blocks of a list if one of them has set `flush`; NULL if carry_out has done it. */
	void (*flush)(struct mm_struct *mm, struct block *block);
	/* The kernel has emptied the reservation's page table entries; let go of whatever was behind them. */
	void (*release)(struct reservation *reservation);
};

extern const struct way pv_way;
extern const struct way translated_way;
extern const struct way *remap_way;

/* No domain has more frames than fit a page table entry; Xen would see other bits of a larger one. */
#define FRAME_LIMIT (1ULL << (52 - PAGE_SHIFT))

/* table.c */
void empty_whole_tables(struct block *block);

/* list.c */
long carry_out_list(struct file *file, enum list_kind kind, struct xvhost_remap_list *list);

/* device.c */
struct vm_area_struct *find_reservation(struct file *file, unsigned long start, unsigned long end);
bool may_map(struct file *file, u32 domain);

/* publish.c */
struct io_uring_cmd;
int remap_command(struct io_uring_cmd *command, unsigned int issue_flags);

#endif
