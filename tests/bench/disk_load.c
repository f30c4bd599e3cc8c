// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk-load FOLDER JOB... - load for disks, which costs the guest little: runs in the lab's guests
 *
 * A job is RW:SIZE:DEPTH:DISKS:AMOUNT, such as randread:4k:32:a:20000 or write:256k:8:abcd:500ms. RW is read, write, randread,
 * randwrite or mixed (random, 70 % reads), DEPTH is that of each disk, DISKS are the last letters of their names, xvda and so on,
 * AMOUNT is so many requests, or as many as come in so many milliseconds. A fifth of it comes first and is not measured.
 *
 * It is light: one io_uring with registered memory and files, direct I/O, and the clock is read once for all that is
 * complete. So a request's latency is from where it was handed to the kernel together with others to where it was found complete.
 *
 * FOLDER is for guest_tell.h: what is between begin and end is the measured part of a job. Prints a line of JSON for each job.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#include "guest_tell.h"
#include "sim/histogram.h"

#define DISKS_MAX 4u
#define SLOTS_MAX 512u

struct job {
	const char *text;
	char rw[16], letters[DISKS_MAX + 1];
	bool random, reads, writes;
	uint32_t block_bytes, depth, disks;
	uint64_t requests; /* 0: as many as come in ... */
	uint64_t ns;
};

struct disk {
	uint64_t blocks, next;
};

struct slot {
	char *memory;
	uint32_t disk;
	uint64_t started_ns;
};

static struct io_uring ring;
static struct disk disks[DISKS_MAX];
static struct slot slots[SLOTS_MAX];
static struct histogram latency;
static uint64_t chance = 88172645463325252u;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t random_number(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance;
}

/* ---- jobs ---- */

static void parse_kind(struct job *job)
{
	job->random = strncmp(job->rw, "rand", 4) == 0 || strcmp(job->rw, "mixed") == 0;
	job->reads = strstr(job->rw, "read") || strcmp(job->rw, "mixed") == 0;
	job->writes = strstr(job->rw, "write") || strcmp(job->rw, "mixed") == 0;
	if (!job->reads && !job->writes)
		errx(2, "%s: there is no such job", job->text);
}

static void parse_job(const char *text, struct job *job)
{
	uint32_t size_kib, amount;
	char unit[3] = "";
	int fields;

	*job = (struct job){.text = text};
	fields = sscanf(text, "%15[a-z]:%uk:%u:%4[a-z]:%u%2s", job->rw, &size_kib, &job->depth, job->letters,
			&amount, unit);
	job->disks = (uint32_t)strlen(job->letters);
	if (fields < 5 || (fields == 6 && strcmp(unit, "ms") != 0) || job->depth == 0 ||
	    job->depth > SLOTS_MAX / DISKS_MAX || size_kib == 0 || amount == 0)
		errx(2, "%s: a job is RW:SIZE:DEPTH:DISKS:AMOUNT, such as randread:4k:32:a:500ms", text);
	job->block_bytes = size_kib * 1024;
	if (fields == 6)
		job->ns = (uint64_t)amount * 1000000u;
	else
		job->requests = amount;
	parse_kind(job);
}

/* ---- disks ---- */

static void open_disks(const struct job *job)
{
	int files[DISKS_MAX];
	uint64_t bytes;

	for (uint32_t i = 0; i < job->disks; i++) {
		char path[] = "/dev/xvda";

		path[sizeof(path) - 2] = job->letters[i];
		files[i] = open(path, O_RDWR | O_DIRECT);
		if (files[i] < 0 || ioctl(files[i], BLKGETSIZE64, &bytes) != 0)
			err(1, "%s", path);
		disks[i] = (struct disk){.blocks = bytes / job->block_bytes};
	}
	if (io_uring_register_files(&ring, files, job->disks) != 0)
		errx(1, "the disks can't be registered");
	for (uint32_t i = 0; i < job->disks; i++)
		close(files[i]);
}

static void take_memory(const struct job *job, struct iovec *memory)
{
	uint32_t count = job->depth * job->disks;

	memory->iov_len = (size_t)count * job->block_bytes;
	memory->iov_base = mmap(NULL, memory->iov_len, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory->iov_base == MAP_FAILED)
		err(1, "memory");
	for (size_t i = 0; i < memory->iov_len / sizeof(uint64_t); i += 64)
		((uint64_t *)memory->iov_base)[i] = random_number();
	if (io_uring_register_buffers(&ring, memory, 1) != 0)
		errx(1, "memory can't be registered");
	for (uint32_t i = 0; i < count; i++)
		slots[i] = (struct slot){(char *)memory->iov_base + (size_t)i * job->block_bytes,
					 i % job->disks, 0};
}

/* ---- load ---- */

static void submit(const struct job *job, uint32_t index, uint64_t now)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct slot *slot = &slots[index];
	struct disk *disk = &disks[slot->disk];
	uint64_t chosen = random_number();
	uint64_t block = job->random ? (chosen >> 8) % disk->blocks : disk->next++ % disk->blocks;
	bool read = job->reads && (!job->writes || (uint8_t)chosen < 70 * 256 / 100);

	if (read)
		io_uring_prep_read_fixed(sqe, (int)slot->disk, slot->memory, job->block_bytes,
					 block * job->block_bytes, 0);
	else
		io_uring_prep_write_fixed(sqe, (int)slot->disk, slot->memory, job->block_bytes,
					  block * job->block_bytes, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data64(sqe, index);
	slot->started_ns = now;
}

static uint32_t completions(const struct job *job, uint32_t indices[SLOTS_MAX], uint64_t now)
{
	struct io_uring_cqe *cqe;
	uint32_t head, count = 0;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		uint32_t index = (uint32_t)io_uring_cqe_get_data64(cqe);

		if (cqe->res != (int)job->block_bytes)
			errx(1, "%s: a request ended with %d", job->text, cqe->res);
		histogram_add(&latency, now - slots[index].started_ns);
		indices[count++] = index;
	}
	io_uring_cq_advance(&ring, count);
	return count;
}

/* Keeps `depth` requests of each disk under way until so many have begun, or so much time is over, and all are complete. */
static void load(const struct job *job, uint64_t requests, uint64_t ns)
{
	uint32_t all = job->depth * job->disks, under_way = 0, free_count = all, indices[SLOTS_MAX];
	uint64_t begun = 0, now = now_ns(), end = now + ns;
	bool more;

	histogram_clear(&latency);
	for (uint32_t i = 0; i < all; i++)
		indices[i] = i;
	do {
		more = false;
		for (uint32_t i = 0; i < free_count && (more = requests ? begun < requests : now < end);
		     i++) {
			submit(job, indices[i], now);
			under_way++;
			begun++;
		}
		if (io_uring_submit_and_wait(&ring, under_way > 0) < 0)
			errx(1, "%s: io_uring fails", job->text);
		now = now_ns();
		free_count = completions(job, indices, now);
		under_way -= free_count;
	} while (under_way > 0 || more);
}

static void run_job(const char *folder, const struct job *job)
{
	struct iovec memory;
	uint64_t started, elapsed;

	if (io_uring_queue_init(SLOTS_MAX, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) !=
	    0)
		errx(1, "there is no io_uring");
	open_disks(job);
	take_memory(job, &memory);
	load(job, job->requests / 5 + (job->requests > 0), job->ns / 5);
	guest_tell(folder, "begin");
	started = now_ns();
	load(job, job->requests, job->ns);
	elapsed = now_ns() - started;
	guest_tell(folder, "end");
	printf("{\"job\": \"%s\", \"requests\": %llu, \"bytes\": %llu, \"elapsed_ns\": %llu, \"p50_ns\": "
	       "%llu, \"p99_ns\": %llu}\n",
	       job->text, (unsigned long long)latency.count,
	       (unsigned long long)latency.count * job->block_bytes, (unsigned long long)elapsed,
	       (unsigned long long)histogram_percentile(&latency, 50),
	       (unsigned long long)histogram_percentile(&latency, 99));
	io_uring_queue_exit(&ring);
	munmap(memory.iov_base, memory.iov_len);
}

int main(int count, char **arguments)
{
	struct job job;

	if (count < 3)
		errx(2, "usage: disk-load FOLDER JOB..., see tests/bench/disk_load.c");
	for (int i = 2; i < count; i++) {
		parse_job(arguments[i], &job);
		run_job(arguments[1], &job);
	}
	return 0;
}
