// SPDX-License-Identifier: MIT
/*
 * guest-dump.c - writes a guest's memory to a file: page n of the guest at n times the page size
 *
 *     make guest-dump
 *     ./guest-dump DOMID FILE
 *     xvhost-accel ./guest-dump DOMID FILE     the same by the kernel module xen_remap, if it is loaded
 *
 * It shows how a program reaches guests' memory by libxenforeignmemory, in blocks of 1024 pages as a migration does, and
 * hands what it mapped to io_uring without a copy: while one block is written the next one is mapped. Pages without
 * memory behind them, and pages of zeroes, become holes of the file. A guest that runs goes on changing its memory; `xl pause`
 * first for a dump of one moment.
 *
 * Foreign memory can't be read around the page cache (O_DIRECT), nor be registered with io_uring: the kernel knows
 * addresses of it, but no pages of its own.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenguest.h>

#define PAGE 4096ull
#define BLOCK_PAGES 1024
#define BLOCKS 2			     /* that are mapped at the same time */
#define WRITES_MAX (BLOCKS * BLOCK_PAGES)    /* no block has more runs than pages */
#define LOW_PAGES_MAX (0xf0000000ull / PAGE) /* a guest with less memory than this has it in one piece */

/* What is mapped at a time. */
struct block {
	char *memory; /* NULL: nothing */
	size_t pages;
	unsigned writes; /* that are not done yet */
};

struct dump {
	uint32_t domid;
	int file;
	xenforeignmemory_handle *foreign;
	struct io_uring ring;
	struct block blocks[BLOCKS];
	xen_pfn_t *frames; /* by page; NULL: page n is frame n */
	uint64_t pages;
	uint64_t absent, zero, written; /* pages so far */
	time_t shown_at;
};

/*
 * find_pages - how many pages there are, and their frames. A guest with its own translation (HVM, PVH) has page n in
 * frame n. A PV guest's frames are those of the machine, and it has a table of them.
 */
static void find_pages(struct dump *dump)
{
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);
	struct xc_domain_meminfo memory = {0};
	xc_dominfo_t guest;
	xen_pfn_t last;

	if (!xen)
		err(1, "xc_interface_open");
	if (xc_domain_getinfo(xen, dump->domid, 1, &guest) != 1 || guest.domid != dump->domid)
		errx(1, "there is no domain %u", dump->domid);
	if (guest.hvm) {
		if (xc_domain_maximum_gpfn(xen, dump->domid, &last) < 0)
			err(1, "the last page of domain %u", dump->domid);
		dump->pages = guest.max_memkb * 1024 / PAGE;
		/* Above all memory a small guest has a few pages that are Xen's and the toolstack's. */
		if (dump->pages > LOW_PAGES_MAX || dump->pages > last + 1)
			dump->pages = last + 1;
	} else {
		if (xc_map_domain_meminfo(xen, dump->domid, &memory) < 0)
			err(1, "the frames of domain %u", dump->domid);
		dump->pages = memory.p2m_size;
		dump->frames = calloc(dump->pages, sizeof(dump->frames[0]));
		if (!dump->frames)
			err(1, "the frames of domain %u", dump->domid);
		memcpy(dump->frames, memory.p2m_table, dump->pages * sizeof(dump->frames[0]));
		xc_unmap_domain_meminfo(xen, &memory);
	}
	xc_interface_close(xen);
}

/* show_progress - once a second, and at the end. */
static void show_progress(struct dump *dump, uint64_t done)
{
	time_t now = time(NULL);

	if (now == dump->shown_at && done < dump->pages)
		return;
	dump->shown_at = now;
	fprintf(stderr, "\r%3llu %%  %llu of %llu MiB: %llu written, %llu zero, %llu absent%s",
		(unsigned long long)(done * 100 / dump->pages), done * PAGE >> 20, dump->pages * PAGE >> 20,
		dump->written * PAGE >> 20, dump->zero * PAGE >> 20, dump->absent * PAGE >> 20,
		done < dump->pages ? "" : "\n");
}

/* complete - wait for one write. The file system writes all of it, or there is an error. */
static void complete(struct dump *dump)
{
	struct io_uring_cqe *cqe;
	int error = io_uring_submit_and_wait(&dump->ring, 1);

	if (error < 0 || (error = io_uring_peek_cqe(&dump->ring, &cqe)) < 0)
		errx(1, "io_uring: %s", strerror(-error));
	if (cqe->res < 0)
		errx(1, "write: %s", strerror(-cqe->res));
	dump->blocks[cqe->user_data % BLOCKS].writes--;
	if ((uint64_t)cqe->res != cqe->user_data / BLOCKS * PAGE)
		errx(1, "write: %d bytes instead of %llu; is the disk full?", cqe->res,
		     cqe->user_data / BLOCKS * PAGE);
	io_uring_cqe_seen(&dump->ring, cqe);
}

/* release - wait until the block is written, then unmap it. */
static void release(struct dump *dump, struct block *block)
{
	while (block->writes > 0)
		complete(dump);
	if (block->memory && xenforeignmemory_unmap(dump->foreign, block->memory, block->pages) < 0)
		err(1, "unmap");
	block->memory = NULL;
}

/* write_run - submitted later, with all of the block's. */
static void write_run(struct dump *dump, struct block *block, uint64_t first, size_t from, size_t pages)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&dump->ring);

	io_uring_prep_write(sqe, dump->file, block->memory + from * PAGE, (unsigned)(pages * PAGE),
			    (first + from) * PAGE);
	io_uring_sqe_set_data64(sqe, pages * BLOCKS + (unsigned)(block - dump->blocks));
	block->writes++;
	dump->written += pages;
}

/* has_data - is the page there, and not zero? */
static bool has_data(struct dump *dump, const struct block *block, size_t page, const int *errors)
{
	const char *bytes = block->memory + page * PAGE;

	if (errors[page]) {
		dump->absent++;
		return false;
	}
	if (bytes[0] == 0 && memcmp(bytes, bytes + 1, PAGE - 1) == 0) {
		dump->zero++;
		return false;
	}
	return true;
}

/* dump_block - map it, and write all runs of pages with data. */
static void dump_block(struct dump *dump, struct block *block, uint64_t first)
{
	xen_pfn_t numbers[BLOCK_PAGES], *frames = dump->frames ? dump->frames + first : numbers;
	int errors[BLOCK_PAGES];
	size_t run = 0; /* pages before this one that belong together */

	block->pages = dump->pages - first < BLOCK_PAGES ? dump->pages - first : BLOCK_PAGES;
	for (size_t i = 0; i < block->pages; i++)
		numbers[i] = first + i;
	block->memory = xenforeignmemory_map(dump->foreign, dump->domid, PROT_READ, block->pages, frames,
					     errors);
	if (!block->memory)
		err(1, "map of pages %llu and on", (unsigned long long)first);
	for (size_t i = 0; i < block->pages; i++) {
		if (has_data(dump, block, i, errors)) {
			run++;
			continue;
		}
		if (run > 0)
			write_run(dump, block, first, i - run, run);
		run = 0;
	}
	if (run > 0)
		write_run(dump, block, first, block->pages - run, run);
	io_uring_submit(&dump->ring);
}

int main(int count, char **arguments)
{
	static struct dump dump;
	char *end;
	int error;

	if (count != 3)
		errx(2, "usage: guest-dump DOMID FILE");
	dump.domid = (uint32_t)strtoul(arguments[1], &end, 10);
	if (end == arguments[1] || *end != '\0')
		errx(2, "%s is no domain's number; xl domid tells it", arguments[1]);
	find_pages(&dump);
	dump.foreign = xenforeignmemory_open(NULL, 0);
	if (!dump.foreign)
		err(1, "xenforeignmemory_open");
	dump.file = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (dump.file < 0 || ftruncate(dump.file, (off_t)(dump.pages * PAGE)) < 0)
		err(1, "%s", arguments[2]);
	error = io_uring_queue_init(WRITES_MAX, &dump.ring, 0);
	if (error < 0)
		errx(1, "io_uring: %s", strerror(-error));
	for (uint64_t first = 0; first < dump.pages; first += BLOCK_PAGES) {
		struct block *block = &dump.blocks[first / BLOCK_PAGES % BLOCKS];

		release(&dump, block);
		dump_block(&dump, block, first);
		show_progress(&dump, first + block->pages);
	}
	for (int i = 0; i < BLOCKS; i++)
		release(&dump, &dump.blocks[i]);
	if (close(dump.file) < 0)
		err(1, "%s", arguments[2]);
	io_uring_queue_exit(&dump.ring);
	xenforeignmemory_close(dump.foreign);
	free(dump.frames);
	return 0;
}
