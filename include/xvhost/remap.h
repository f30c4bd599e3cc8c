/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/xen/remap, the device of the kernel module xen_remap: maps pages of other domains by long lists.
 *
 *     int fd = open(XVHOST_REMAP_PATH, O_RDWR | O_CLOEXEC);
 *     char *base = mmap(NULL, 4096 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
 *     struct xvhost_remap_run run = {.address = (uintptr_t)base, .pages = 512};
 *     struct xvhost_remap_list list = {
 *             .domain = domid,
 *             .runs = (uintptr_t)&run,
 *             .run_count = 1,
 *             .frames = (uintptr_t)frames,
 *             .errors = (uintptr_t)errors,
 *     };
 *     ioctl(fd, XVHOST_REMAP_MAP_LIST, &list);
 *
 * mmap() reserves addresses and maps nothing; reading there ends in SIGBUS. It must be MAP_SHARED, to read or write, at
 * offset 0. The reservation's protection is that of all pages mapped into it. It can't be moved, resized, split, given
 * another protection, or inherited by fork(); munmap() of all of it, or the process's end, unmaps everything. Unmapping
 * what is mapped by XVHOST_REMAP_UNMAP_LIST first is much faster.
 *
 * A list says at which pages of one reservation (runs) which frames of one domain are to be. An entry that fails does
 * not keep the others from being mapped. The calls return 0 if every entry was dealt with, failed ones included, and
 * -1 with errno if the list is wrong, or if it could not be carried out to its end (ENOMEM, EFAULT of frames or errors,
 * EINTR on the way to the process's death); then `done` says how far it went.
 */
#ifndef XVHOST_REMAP_H
#define XVHOST_REMAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define XVHOST_REMAP_PATH "/dev/xen/remap"

/* Consecutive pages. */
struct xvhost_remap_run {
	__u64 address; /* of the first page, a multiple of the page size */
	__u64 pages;   /* 1 or more */
};

/* Runs that a list may have at most. */
#define XVHOST_REMAP_MAX_RUNS 65536

/* In the place of a frame of XVHOST_REMAP_REPLACE_LIST: let nothing be mapped at this page. */
#define XVHOST_REMAP_NOTHING (~(__u64)0)

/*
 * Pointers are given as numbers. An entry is a page of a run: the first run's pages come first, then the second's, and
 * so on. The runs of a list lie in one reservation, ascend, and don't overlap.
 */
struct xvhost_remap_list {
	__u32 domain;	 /* whose frames; not used by XVHOST_REMAP_UNMAP_LIST */
	__u32 run_count; /* 1 to XVHOST_REMAP_MAX_RUNS */
	__u64 runs;	 /* struct xvhost_remap_run[run_count] */
	__u64 frames;	 /* __u64 for each entry; not used by XVHOST_REMAP_UNMAP_LIST */
	__u64 errors;	 /* __s32 for each entry: 0 or a negative errno; or 0: not wanted */
	/* Answers, also when the call fails: */
	__u64 done;	  /* entries dealt with; those behind are as they were, or unmapped by REPLACE_LIST */
	__u64 failed;	  /* those of them that have an error */
	__u32 hypercalls; /* that this took */
	__u32 flushes;	  /* of the processors' translations that this took */
};

/* See XVHOST_REMAP_RESTRICT. */
struct xvhost_remap_restriction {
	__u32 domain;
	__u32 reserved; /* 0 */
};

/*
 * Maps frames at pages where nothing is mapped. Errors of an entry: EEXIST, a frame is mapped there, and stays; ESRCH,
 * there is no such domain; ENOENT, the frame is being paged in, try again; others, the domain has no such frame, or it
 * can't be had in this way, as Xen says (mostly EINVAL, EBUSY or EPERM).
 */
#define XVHOST_REMAP_MAP_LIST _IOWR('X', 0xe0, struct xvhost_remap_list)

/*
 * Unmaps what is mapped at these pages, if anything. It costs least where it leaves nothing in an aligned 2 MiB of addresses; a
 * reservation of that size or more begins at such a place.
 */
#define XVHOST_REMAP_UNMAP_LIST _IOWR('X', 0xe1, struct xvhost_remap_list)

/* Maps frames at pages whether or not one is mapped there. At an entry with an error nothing is mapped afterwards. */
#define XVHOST_REMAP_REPLACE_LIST _IOWR('X', 0xe2, struct xvhost_remap_list)

/*
 * From now on this descriptor, and whatever was duplicated from it, maps and reports frames of this domain only; others fail with
 * EPERM. It can't be taken back, and fails with EPERM if there is a restriction to another domain. What is mapped stays.
 */
#define XVHOST_REMAP_RESTRICT _IOW('X', 0xe3, struct xvhost_remap_restriction)

/*
 * For a server of rings (xen/include/public/io/ring.h): the end of a turn, by one command of io_uring.
 *
 *     struct xvhost_remap_publication publication = {.domain = domid, ...};
 *     sqe->opcode = IORING_OP_URING_CMD;
 *     sqe->fd = fd;
 *     sqe->cmd_op = XVHOST_REMAP_PUBLISH;
 *     sqe->cmd, its first 8 bytes: the address of the publication
 *
 * First Xen is told which frames were written to, as by XEN_DMOP_modified_memory (hvm/dm_op.h). If that fails nothing more is
 * done. Then for each ring the responses are shown, and the frontend is notified if it has asked for that; of rings that
 * follow each other and have one port, once, by the last of them. An entry that waits for no other one is carried out, and its
 * answers are there, when the call of io_uring_enter() that has taken it returns; until then nothing of it may be changed.
 *
 * The completion's result is 0 or a negative errno: EINVAL, a number is too large, or the domain can't be a guest; EPERM,
 * the descriptor is restricted to another domain; EFAULT, by which some rings may have been shown; EINTR, the process is being
 * killed; ENOTTY, another command; EOPNOTSUPP, an io_uring that polls for completions; or Xen's. With IOSQE_CQE_SKIP_SUCCESS only
 * failures have a completion.
 */
#define XVHOST_REMAP_PUBLISH _IOWR('X', 0xe4, struct xvhost_remap_publication)

/* Frames that follow each other. */
struct xvhost_remap_extent {
	__u32 frames;	/* 1 to XVHOST_REMAP_MAX_FRAMES */
	__u32 reserved; /* 0 */
	__u64 first;
};

/* A ring whose responses are shown. */
struct xvhost_remap_ring {
	__u64 producer; /* address of the ring's counter of responses, and ... */
	__u64 event;	/* ... of the counter by which the frontend asks to be notified */
	__u32 before;	/* what the first was ... */
	__u32 now;	/* ... and is to be */
	__u32 port;	/* to be notified */
	__s32 result; /* answered: 1, it was notified; 0, it has not asked for it; or a negative errno, it could not be notified */
};

#define XVHOST_REMAP_MAX_EXTENTS 65536
#define XVHOST_REMAP_MAX_FRAMES 4096 /* of an extent */
#define XVHOST_REMAP_MAX_RINGS 65536

struct xvhost_remap_publication {
	__u64 written;	      /* struct xvhost_remap_extent[written_count] */
	__u64 rings;	      /* struct xvhost_remap_ring[ring_count] */
	__u32 written_count;  /* 0 to XVHOST_REMAP_MAX_EXTENTS */
	__u32 ring_count;     /* 0 to XVHOST_REMAP_MAX_RINGS */
	__u32 domain;	      /* whose frames were written to */
	__s32 event_channels; /* a descriptor of /dev/xen/evtchn whose ports are those of the rings */
	__u32 reserved;	      /* 0 */
	__s32 result;	      /* answered: as the completion's */
};

#endif
