// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * in-cplusplus.cc - a disk and a network card that keep nothing, in C++17
 *
 * tests/try/kit builds it as an author would, and has it loaded.
 */
#include <cstring>

#include "xvhost/backend.h"

static int disk_open(xvhost_disk *disk, const void *, xvhost_disk_properties *properties)
{
	properties->size_bytes = 1 << 20;
	properties->block_bytes = 512;
	properties->flags = disk->flags & XVHOST_DISK_READ_ONLY;
	return 0;
}

static void disk_submit(xvhost_request *request)
{
	for (uint32_t i = 0; request->operation == XVHOST_READ && i < request->iov_count; i++)
		memset(request->iov[i].iov_base, 0, request->iov[i].iov_len);
	request->queue->disk->host->complete(request, 0);
}

/* begun - a table of either kind with what both have. */
template <typename Table> static Table begun()
{
	Table table = {};

	table.size = sizeof(table);
	table.abi = XVHOST_BACKEND_ABI;
	table.name = "in-cplusplus";
	table.version = "1";
	table.description = "keeps nothing, in C++";
	table.parameter_size = sizeof(xvhost_parameter);
	return table;
}

static xvhost_disk_backend disk_table()
{
	xvhost_disk_backend table = begun<xvhost_disk_backend>();

	table.open = disk_open;
	table.close = [](xvhost_disk *) {};
	table.submit = disk_submit;
	return table;
}

static xvhost_net_backend net_table()
{
	xvhost_net_backend table = begun<xvhost_net_backend>();

	table.open = [](xvhost_net *, const void *, xvhost_net_properties *) { return 0; };
	table.close = [](xvhost_net *) {};
	table.queue_start = [](xvhost_net_queue *) { return 0; };
	table.queue_stop = [](xvhost_net_queue *) {};
	table.transmit = [](xvhost_net_queue *queue, xvhost_packet *const *packets, uint32_t count) {
		for (uint32_t i = 0; i < count; i++)
			queue->net->host->transmitted(packets[i], 0);
	};
	table.room = [](xvhost_net_queue *) {};
	table.delivered = [](xvhost_packet *, int) {};
	return table;
}

static const xvhost_disk_backend disk_backend = disk_table();
static const xvhost_net_backend net_backend = net_table();

XVHOST_DISK_BACKEND(disk_backend);
XVHOST_NET_BACKEND(net_backend);
