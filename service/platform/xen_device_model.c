// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xen_device_model.c - memory reported as written, and news of memory that the guest gave away
 *
 * The news come to an ioreq server: a device model that Xen asks to carry out what a guest does with emulated devices.
 * Ours claims no device, so it is sent only what all are sent. Each of the guest's processors has a request in a shared
 * page and an event channel. The processor that gave memory away waits until its request is answered.
 *
 * A server is the guest's, not the process's, and outlives it. So there is a file for each (server_record.h), and somebody
 * else answers and destroys the server of a process that was killed.
 */
#include "platform/server_record.h"
#include "platform/frame_extents.h"
#include "platform/xen.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/memory.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/ioreq.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#define PROCESSORS_MAX (PAGE_BYTES / sizeof(struct ioreq)) /* as many as one shared page has requests for */
/* No requests that Xen need not wait for. HVM_IOREQSRV_BUFIOREQ_OFF, which hvm_op.h shows to Xen's own tools only. */
#define NO_BUFFERED_REQUESTS 0
#define SERVERS_MAX 8 /* that a guest can have; Xen's MAX_NR_IOREQ_SERVERS */
#define RECORDS "/run/xvhost"
#define EXTENTS_MAX 256 /* runs of frames in one call; privcmd takes no buffer of more than a page */

struct device_model {
	uint16_t domid;
	xentoollog_logger *logger;
	xendevicemodel_handle *handle;
	xenforeignmemory_handle *memory;
	xenforeignmemory_resource_handle *page;
	xenevtchn_handle *channels;
	ioservid_t server;
	bool server_created;
	bool is_pv;			 /* Xen says so */
	int record;			 /* the file, locked; or -1 */
	volatile struct ioreq *requests; /* the shared page */
	uint32_t processors;
	int ports[PROCESSORS_MAX]; /* by processor */
};

/* ---- opening and closing ---- */

/* create_server - Xen's errors: -ESRCH without a guest, -EINVAL for one that is PV. It does nothing until it is enabled. */
static int create_server(struct device_model *model)
{
	if (xendevicemodel_create_ioreq_server(model->handle, model->domid, NO_BUFFERED_REQUESTS,
					       &model->server) < 0) {
		model->is_pv = errno == EINVAL;
		return error_number();
	}
	model->server_created = true;
	model->record = server_record_make(RECORDS, model->domid, model->server);
	return model->record >= 0 ? 0 : model->record;
}

static int enable_server(struct device_model *model, bool enable)
{
	int result = xendevicemodel_set_ioreq_server_state(model->handle, model->domid, model->server,
							   enable);

	return result == 0 ? 0 : error_number();
}

/* map_requests - the page that the server shares with Xen. */
static int map_requests(struct device_model *model)
{
	void *page = NULL;

	model->page = xenforeignmemory_map_resource(model->memory, model->domid, XENMEM_resource_ioreq_server,
						    model->server,
						    XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page,
						    PROT_READ | PROT_WRITE, 0);
	if (!model->page)
		return error_number();
	model->requests = page;
	return 0;
}

/* bind_processors - the event channel of each of the guest's processors, to be read without waiting. */
static int bind_processors(struct device_model *model)
{
	int flags, fd = xenevtchn_fd(model->channels);
	unsigned processors;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_number();
	if (xendevicemodel_nr_vcpus(model->handle, model->domid, &processors) < 0)
		return error_number();
	if (processors > PROCESSORS_MAX)
		return -E2BIG;
	for (; model->processors < processors; model->processors++) {
		uint32_t remote = model->requests[model->processors].vp_eport;
		int port = xenevtchn_bind_interdomain(model->channels, model->domid, remote);

		if (port < 0)
			return error_number();
		model->ports[model->processors] = port;
	}
	return 0;
}

/* restrict_handles - from here on nothing of another domain can be reached by them. */
static int restrict_handles(struct device_model *model)
{
	if (xenevtchn_restrict(model->channels, model->domid) < 0 ||
	    xendevicemodel_restrict(model->handle, model->domid) < 0 ||
	    xenforeignmemory_restrict(model->memory, model->domid) < 0)
		return error_number();
	return 0;
}

/* begin - handles for a guest, and no server yet. NULL with errno set. */
static struct device_model *begin(uint16_t domid)
{
	struct device_model *model = calloc(1, sizeof(*model));
	int error;

	if (!model)
		return NULL;
	model->domid = domid;
	model->record = -1;
	model->logger = quiet_logger();
	model->handle = xendevicemodel_open(model->logger, 0);
	model->memory = model->handle ? xenforeignmemory_open(model->logger, 0) : NULL;
	model->channels = model->memory ? xenevtchn_open(model->logger, 0) : NULL;
	if (model->channels && restrict_handles(model) == 0)
		return model;
	error = errno;
	xen_device_model_close(model);
	errno = error;
	return NULL;
}

int xen_device_model_open(const struct platform *platform, uint16_t domid, struct device_model **model)
{
	struct device_model *opened;
	int error = xen_device_model_clean_up(platform, domid);

	if (error < 0)
		return error;
	opened = begin(domid);
	if (!opened)
		return error_number();
	error = create_server(opened);
	if (error == 0)
		error = map_requests(opened);
	if (error == 0)
		error = enable_server(opened, true);
	if (error == 0)
		error = bind_processors(opened);
	if (error < 0) {
		/* Whoever hears -EINVAL takes the guest for one that never has another page behind a frame. */
		if (error == -EINVAL && !opened->is_pv)
			error = -EIO;
		xen_device_model_close(opened);
		return error;
	}
	*model = opened;
	return 0;
}

/* Also of a model that is open in part. Who waits is answered: when the server is disabled there are no new requests, and
 * Xen does not take back those that there are. */
void xen_device_model_close(struct device_model *model)
{
	if (model->server_created)
		enable_server(model, false);
	if (model->requests && xen_device_model_invalidated(model))
		xen_device_model_answer(model);
	if (model->page)
		xenforeignmemory_unmap_resource(model->memory, model->page);
	/* First the record: when the server is destroyed its number may become another's. */
	if (model->record >= 0)
		server_record_remove(RECORDS, model->domid, model->server, model->record);
	if (model->server_created)
		xendevicemodel_destroy_ioreq_server(model->handle, model->domid, model->server);
	if (model->channels)
		xenevtchn_close(model->channels);
	if (model->memory)
		xenforeignmemory_close(model->memory);
	if (model->handle)
		xendevicemodel_close(model->handle);
	xtl_logger_destroy(model->logger);
	free(model);
}

/* is_ours - or has the number gone to another program's server, such as QEMU's, which takes buffered requests? */
static bool is_ours(struct device_model *model)
{
	evtchn_port_t buffered = 0;

	return xendevicemodel_get_ioreq_server_info(model->handle, model->domid, model->server, NULL, NULL,
						    &buffered) == 0 &&
	       buffered == 0;
}

/*
 * clean_up_server - close the model of which this is the record, as if it were ours. The guest may be gone, and the server
 * with it. If the guest can't be told of the answer the record stays, for another try.
 */
static int clean_up_server(uint16_t domid, unsigned server, int record)
{
	struct device_model *model = begin(domid);
	int error = 0;

	if (!model) {
		error = error_number();
		close(record);
		return error;
	}
	model->server = (ioservid_t)server;
	model->record = record;
	model->server_created = is_ours(model);
	if (model->server_created)
		error = map_requests(model);
	if (model->server_created && error == 0)
		error = bind_processors(model);
	if (error < 0) {
		model->server_created = false;
		model->requests = NULL;
		model->record = -1;
		close(record);
	}
	xen_device_model_close(model);
	return error;
}

/* Xen answers questions of any device model, even if the guest has none, but not for a PV guest. */
int xen_device_model_possible(const struct platform *platform, uint16_t domid)
{
	xentoollog_logger *logger = quiet_logger();
	xendevicemodel_handle *handle = xendevicemodel_open(logger, 0);
	unsigned processors;
	int error = 0;

	(void)platform;
	if (!handle || xendevicemodel_nr_vcpus(handle, domid, &processors) < 0)
		error = error_number();
	if (handle)
		xendevicemodel_close(handle);
	xtl_logger_destroy(logger);
	return error;
}

int xen_device_model_clean_up(const struct platform *platform, uint16_t domid)
{
	int error = 0;

	(void)platform;
	for (unsigned server = 0; server < SERVERS_MAX && error == 0; server++) {
		int record = server_record_open(RECORDS, domid, server);

		if (record >= 0)
			error = clean_up_server(domid, server, record);
		else if (record != -ENOENT && record != -EBUSY)
			error = record;
	}
	return error;
}

/* ---- what we have written ---- */

static_assert(sizeof(struct xvhost_remap_extent) == sizeof(struct xen_dm_op_modified_memory_extent) &&
		      offsetof(struct xvhost_remap_extent, first) ==
			      offsetof(struct xen_dm_op_modified_memory_extent, first_pfn),
	      "ours are Xen's");

int xen_device_model_modified(struct device_model *model, const uint64_t *frames, uint32_t count)
{
	struct xvhost_remap_extent extents[EXTENTS_MAX];
	uint32_t here;

	for (uint32_t i = 0; i < count; i += here) {
		uint32_t used;

		here = count - i < EXTENTS_MAX ? count - i : EXTENTS_MAX;
		used = frame_extents(frames + i, here, extents);
		if (xendevicemodel_modified_memory_bulk(model->handle, model->domid,
							(struct xen_dm_op_modified_memory_extent *)extents,
							used) < 0)
			return error_number();
	}
	return 0;
}

/* ---- what the guest has given away ---- */

int xen_device_model_fd(struct device_model *model)
{
	return xenevtchn_fd(model->channels);
}

/*
 * Those of the requests that are looked at get the state INPROCESS. That is for ourselves, so that what comes in
 * between is not answered unseen; Xen goes on waiting.
 */
bool xen_device_model_invalidated(struct device_model *model)
{
	bool waits = false;
	int port;

	while ((port = xenevtchn_pending(model->channels)) >= 0)
		xenevtchn_unmask(model->channels, (evtchn_port_t)port);
	for (uint32_t i = 0; i < model->processors; i++) {
		if (model->requests[i].state == STATE_IOREQ_READY)
			model->requests[i].state = STATE_IOREQ_INPROCESS;
		if (model->requests[i].state == STATE_IOREQ_INPROCESS)
			waits = true;
	}
	atomic_thread_fence(memory_order_acquire);
	return waits;
}

int xen_device_model_answer(struct device_model *model)
{
	int error = 0;

	atomic_thread_fence(memory_order_release);
	for (uint32_t i = 0; i < model->processors; i++) {
		if (model->requests[i].state != STATE_IOREQ_INPROCESS)
			continue;
		model->requests[i].state = STATE_IORESP_READY;
		if (xenevtchn_notify(model->channels, (evtchn_port_t)model->ports[i]) < 0)
			error = error_number();
	}
	return error;
}
