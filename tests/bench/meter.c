// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <x86intrin.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xen/trace.h>

#include "meter.h"

#define PAGE 4096UL

/* Of Xen's buffer, which holds what one block of 4096 pages leaves many times over. */
#define BUFFER_PAGES 512

/* A processor's buffer has records behind this head. */
static struct t_buf *buffer;
static uint32_t buffer_bytes; /* of records */
static xc_interface *xen;
static bool counting;

static void *map_xen_pages(const xen_pfn_t *frames, size_t pages, int protection)
{
	static xenforeignmemory_handle *foreign;
	void *base;

	if (!foreign)
		foreign = xenforeignmemory_open(NULL, 0);
	base = foreign ? xenforeignmemory_map(foreign, DOMID_XEN, protection, pages, frames, NULL) : NULL;
	if (!base)
		err(1, "Xen's trace buffers");
	return base;
}

/* The buffer of Dom0's processor, which is the first. */
static void find_buffer(unsigned long info_frame, size_t info_pages)
{
	xen_pfn_t frames[BUFFER_PAGES];
	const struct t_info *info;
	const uint32_t *list;

	for (size_t i = 0; i < info_pages; i++)
		frames[i] = info_frame + i;
	info = map_xen_pages(frames, info_pages, PROT_READ);
	if (info->tbuf_size > BUFFER_PAGES)
		errx(1, "somebody has made Xen's trace buffers %u pages large", info->tbuf_size);
	list = (const uint32_t *)info + info->mfn_offset[0];
	for (size_t i = 0; i < info->tbuf_size; i++)
		frames[i] = list[i];
	buffer = map_xen_pages(frames, info->tbuf_size, PROT_READ | PROT_WRITE);
	buffer_bytes = info->tbuf_size * PAGE - sizeof(*buffer);
}

static void begin_trace(void)
{
	unsigned long info_frame, info_bytes;

	xen = xc_interface_open(NULL, NULL, 0);
	if (!xen || xc_tbuf_set_evt_mask(xen, TRC_PV) != 0 ||
	    xc_tbuf_enable(xen, BUFFER_PAGES, &info_frame, &info_bytes) != 0)
		err(1, "Xen's trace");
	find_buffer(info_frame, info_bytes / PAGE);
}

void meter_count_hypercalls(bool count)
{
	struct sched_param priority = {.sched_priority = count ? 1 : 0};

	/* While calls are counted no other process makes any. */
	if (sched_setscheduler(0, count ? SCHED_FIFO : SCHED_OTHER, &priority) != 0)
		err(1, "sched_setscheduler");
	if (count)
		begin_trace();
	else
		xc_tbuf_disable(xen);
	counting = count;
}

bool meter_counts_hypercalls(void)
{
	return counting;
}

/* What is known of the records so far. */
struct reader {
	struct meter *meter;
	bool multicall;		/* there is one of which nothing has been about memory yet */
	uint32_t grant_command; /* of the last call about grants, */
	uint32_t grants;	/* and how many */
};

/* With this in its count a list of updates goes on where an interrupt has stopped it. */
#define GOES_ON 0x80000000u

/* As above, of lists of grants, which have no such mark. All lists of a measurement are of one size. */
static uint32_t grants_of(struct reader *reader, uint32_t command, uint32_t grants)
{
	bool goes_on = command == reader->grant_command && grants < reader->grants;

	reader->grant_command = command;
	reader->grants = grants;
	return goes_on ? 0 : grants;
}

/* How many operations a call has; 0: it is not about memory, or only goes on. */
static uint32_t operations_of(struct reader *reader, const uint32_t *data)
{
	switch (data[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK) {
	case __HYPERVISOR_mmu_update:
	case __HYPERVISOR_mmuext_op:
		return data[1] & GOES_ON ? 0 : data[1];
	case __HYPERVISOR_grant_table_op:
		return grants_of(reader, data[1], data[2]);
	case __HYPERVISOR_update_va_mapping:
	case __HYPERVISOR_update_va_mapping_otherdomain:
	case __HYPERVISOR_memory_op:
		return 1;
	default:
		return 0;
	}
}

static void add_record(struct reader *reader, uint32_t event, const uint32_t *data)
{
	struct meter *meter = reader->meter;
	uint32_t operations;

	switch (event & ~TRC_64_FLAG) {
	case TRC_PV_HYPERCALL_V2:
		operations = operations_of(reader, data);
		reader->multicall = (data[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK) == __HYPERVISOR_multicall;
		meter->hypercalls += operations > 0;
		meter->operations += operations;
		break;
	case TRC_PV_HYPERCALL_SUBCALL:
		operations = operations_of(reader, data);
		meter->hypercalls += operations > 0 && reader->multicall;
		meter->operations += operations;
		reader->multicall &= operations == 0;
		break;
	case TRC_PV_PTWR_EMULATION:
	case TRC_PV_PTWR_EMULATION_PAE:
		meter->traps++;
		break;
	case TRC_LOST_RECORDS:
		errx(1, "Xen's trace buffer was full");
	}
}

uint64_t meter_start(void)
{
	if (counting)
		__atomic_store_n(&buffer->cons, __atomic_load_n(&buffer->prod, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
	return __rdtsc();
}

static void count_records(struct meter *meter)
{
	uint32_t at = buffer->cons, end = __atomic_load_n(&buffer->prod, __ATOMIC_ACQUIRE);
	struct reader reader = {.meter = meter};

	while (at != end) {
		const struct t_rec *record = (const struct t_rec *)((const char *)(buffer + 1) +
								    at % buffer_bytes);
		const uint32_t *data = record->cycles_included ? record->u.cycles.extra_u32
							       : record->u.nocycles.extra_u32;

		add_record(&reader, record->event, data);
		at += (uint32_t)((const char *)(data + record->extra_u32) - (const char *)record);
		at %= 2 * buffer_bytes;
	}
}

void meter_stop(struct meter *meter, uint64_t started)
{
	meter->ticks += __rdtsc() - started;
	if (counting)
		count_records(meter);
}

static void tell_calls(const char *what, const struct meter *meter, double pages)
{
	printf(", \"%s\": {\"hypercalls\": %.5f, \"operations\": %.5f, \"traps\": %.5f}", what,
	       (double)meter->hypercalls / pages, (double)meter->operations / pages,
	       (double)meter->traps / pages);
}

void meter_tell(const struct measurement *measurement)
{
	double pages = (double)measurement->pages;

	if (!counting && measurement->round == 0)
		return;
	printf("{\"way\": \"%s\", \"pages\": %u", measurement->way, measurement->block);
	if (counting) {
		tell_calls("map_calls", &measurement->map, pages);
		tell_calls("unmap_calls", &measurement->unmap, pages);
	} else {
		printf(", \"round\": %u, \"map\": %.1f, \"unmap\": %.1f", measurement->round,
		       (double)measurement->map.ticks / pages, (double)measurement->unmap.ticks / pages);
	}
	if (measurement->grants > 0)
		printf(", \"grants\": %u", measurement->grants);
	printf("}\n");
}
