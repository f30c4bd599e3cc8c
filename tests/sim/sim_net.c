// SPDX-License-Identifier: GPL-2.0-or-later
/* sim_net.c - network cards of the guest of sim_disk.h, served by the same worker */
#include "sim_net.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const char *access_of_cards(void)
{
	const char *environment = getenv("XVHOST_TEST_MEMORY");

	if (sim_disk_access)
		return sim_disk_access;
	return environment ? environment : "auto";
}

void sim_net_open(struct sim_net *net, uint32_t device_id, const char *target)
{
	struct message_net_open open = {.mac = {0x00, 0x16, 0x3e, 0, 0, (uint8_t)device_id},
					.mtu = 1500,
					.queues_max = NET_QUEUES_MAX};

	*net = (struct sim_net){.device_id = device_id};
	snprintf(open.target, sizeof(open.target), "memory=%s,%s", access_of_cards(), target);
	snprintf(open.interface, sizeof(open.interface), "vif%u.%u", SIM_DISK_DOMID, device_id);
	ck_assert_msg(worker_thread_net_open(worker, device_id, &open, &net->opened) == 0, "%s",
		      net->opened.text);
}

void sim_net_create(struct sim_net *net, const struct netif_frontend_options *options)
{
	const struct netif_features features = worker_thread_net_features(&net->opened);
	struct netif_frontend_options all = *options;

	all.guest = guest;
	all.host_domid = SIM_HOST_DOMID;
	all.device_id = net->device_id;
	ck_assert_int_eq(netif_frontend_create(&all, &features, &net->frontend), 0);
}

void sim_net_connect(struct sim_net *net, const struct netif_frontend_options *options)
{
	char text[ERROR_TEXT_MAX];

	sim_net_create(net, options);
	ck_assert_msg(worker_thread_net_connect(worker, net->frontend, false, text) == 0, "%s", text);
}

void sim_net_disconnect(struct sim_net *net)
{
	ck_assert_int_eq(worker_thread_net_disconnect(worker, net->device_id), 0);
	ck_assert_uint_eq(netif_frontend_destroy(net->frontend), 0);
	net->frontend = NULL;
}

void sim_net_close(struct sim_net *net)
{
	if (net->frontend)
		sim_net_disconnect(net);
	ck_assert_int_eq(worker_thread_net_close(worker, net->device_id), 0);
}

struct net_content_options sim_net_content(uint32_t minimum, uint32_t maximum, uint64_t seed)
{
	return (struct net_content_options){
		.minimum = minimum, .maximum = maximum, .takes = SIM_NET_ALL_TAKEN, .seed = seed};
}

struct net_load *sim_net_begin(const struct net_load_options *options)
{
	struct net_load *load;

	ck_assert_int_eq(net_load_create(options, &load), 0);
	ck_assert_int_eq(net_load_start(load), 0);
	return load;
}

void sim_net_finish(struct net_load *load, struct net_load_result *result)
{
	net_load_finish(load, result);
	net_load_destroy(load);
	ck_assert_msg(result->error == 0, "%s", result->text);
	ck_assert_msg(result->lost == 0, "%lu of %lu packets are lost after %lu ms",
		      (unsigned long)result->lost, (unsigned long)result->sent,
		      (unsigned long)(result->elapsed_ns / 1000000));
	ck_assert_uint_eq(result->refused + result->failed, 0);
	ck_assert_uint_eq(result->received, result->sent);
	ck_assert_uint_eq(result->received_bytes, result->sent_bytes);
}

const struct net_load_result *sim_net_load(struct sim_net *net, const struct net_load_options *options)
{
	static struct net_load_result result;
	struct net_load_options all = *options;

	all.from = all.to = net->frontend;
	sim_net_finish(sim_net_begin(&all), &result);
	return &result;
}
