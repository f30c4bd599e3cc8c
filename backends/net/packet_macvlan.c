// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet_macvlan.c - an interface with the guest's MAC on one of the host's, made and removed by rtnetlink(7)
 *
 * It is not bound to a process: it stays when a worker is killed. The next one knows it by its kind, its MAC and what it is on.
 */
#include <assert.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet_internal.h"

#define KIND "macvlan"
#define ANSWER_BYTES 16384 /* more than the description of an interface has */

/* A question about one interface. */
struct request {
	struct nlmsghdr header;
	struct ifinfomsg info;
	char attributes[256]; /* more than any of them has */
};

static struct request make_request(uint16_t type, uint16_t flags, int index)
{
	return (struct request){
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			   .nlmsg_type = type,
			   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)},
		.info = {.ifi_family = AF_UNSPEC, .ifi_index = index},
	};
}

/* add_attribute - at the end; one without content may contain others until end_nest. */
static struct rtattr *add_attribute(struct request *request, uint16_t type, const void *content, size_t bytes)
{
	struct rtattr *attribute = (struct rtattr *)(void *)((char *)request +
							     NLMSG_ALIGN(request->header.nlmsg_len));

	assert((char *)attribute + RTA_ALIGN(RTA_LENGTH(bytes)) <= (char *)(request + 1));
	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(bytes);
	if (bytes > 0)
		memcpy(RTA_DATA(attribute), content, bytes);
	request->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) +
					       RTA_ALIGN(RTA_LENGTH(bytes)));
	return attribute;
}

static void end_nest(const struct request *request, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((const char *)request + request->header.nlmsg_len - (const char *)nest);
}

/* ask - and wait for the answer: an error or 0, or a description of an interface. Returns its bytes, or a negative errno. */
static ssize_t ask(const struct request *request, void *answer)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct nlmsghdr *header = answer;
	ssize_t length = -1;

	if (fd >= 0 && send(fd, request, request->header.nlmsg_len, 0) >= 0)
		do
			length = recv(fd, answer, ANSWER_BYTES, 0);
		while (length < 0 && errno == EINTR);
	if (length < 0)
		length = -errno;
	if (fd >= 0)
		close(fd);
	if (length < 0)
		return length;
	if (!NLMSG_OK(header, (size_t)length))
		return -EPROTO;
	if (header->nlmsg_type == NLMSG_ERROR && ((const struct nlmsgerr *)NLMSG_DATA(header))->error != 0)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	return length;
}

/* find_attribute - among others; NULL: it is not there. */
static const struct rtattr *find_attribute(const struct rtattr *attributes, size_t bytes, uint16_t type)
{
	for (const struct rtattr *at = attributes; RTA_OK(at, bytes); at = RTA_NEXT(at, bytes))
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	return NULL;
}

static bool has(const struct rtattr *attribute, const void *content, size_t bytes)
{
	return attribute && RTA_PAYLOAD(attribute) >= bytes &&
	       memcmp(RTA_DATA(attribute), content, bytes) == 0;
}

/* is_left - is that of this index what we would make? */
static bool is_left(const struct xvhost_net *net, int index, int lower)
{
	struct request request = make_request(RTM_GETLINK, 0, index);
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	const struct nlmsghdr *header = (const void *)answer;
	const struct rtattr *attributes, *kind;
	size_t bytes;

	if (ask(&request, answer) < 0 || header->nlmsg_type != RTM_NEWLINK)
		return false;
	attributes = IFLA_RTA((const struct ifinfomsg *)NLMSG_DATA(header));
	bytes = IFLA_PAYLOAD(header);
	kind = find_attribute(attributes, bytes, IFLA_LINKINFO);
	if (kind)
		kind = find_attribute(RTA_DATA(kind), RTA_PAYLOAD(kind), IFLA_INFO_KIND);
	return has(kind, KIND, sizeof(KIND)) &&
	       has(find_attribute(attributes, bytes, IFLA_LINK), &lower, sizeof(lower)) &&
	       has(find_attribute(attributes, bytes, IFLA_ADDRESS), net->mac, sizeof(net->mac));
}

int packet_macvlan_make(const struct xvhost_net *net, int lower)
{
	const uint32_t mode = MACVLAN_MODE_BRIDGE;
	struct request request = make_request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	int index = (int)if_nametoindex(net->interface);
	struct rtattr *info, *data;
	ssize_t result;

	if (index > 0 && is_left(net, index, lower))
		packet_macvlan_remove(index);
	request.info.ifi_flags = request.info.ifi_change = IFF_UP;
	add_attribute(&request, IFLA_IFNAME, net->interface, strlen(net->interface) + 1);
	add_attribute(&request, IFLA_LINK, &lower, sizeof(lower));
	add_attribute(&request, IFLA_ADDRESS, net->mac, sizeof(net->mac));
	add_attribute(&request, IFLA_MTU, &net->mtu, sizeof(net->mtu));
	info = add_attribute(&request, IFLA_LINKINFO, NULL, 0);
	add_attribute(&request, IFLA_INFO_KIND, KIND, strlen(KIND));
	data = add_attribute(&request, IFLA_INFO_DATA, NULL, 0);
	add_attribute(&request, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
	end_nest(&request, data);
	end_nest(&request, info);
	result = ask(&request, answer);
	if (result < 0)
		return (int)result;
	index = (int)if_nametoindex(net->interface);
	return index > 0 ? index : -ENODEV;
}

void packet_macvlan_remove(int index)
{
	struct request request = make_request(RTM_DELLINK, NLM_F_ACK, index);
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];

	/* Whoever was faster has done the same. */
	ask(&request, answer);
}
