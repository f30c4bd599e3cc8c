// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet_filter.c - which packets come through a socket: programs of the kernel's packet filter (classic BPF)
 *
 * Theory of operation: of the packets that the interface sees, those for the guest's MAC and those for groups pass. One with a VLAN's tag
 * does not, since the tag is not part of what is read: the guest would get it without. Priority alone is no VLAN.
 *
 * Of several queues each has a socket with a filter of its own, and each packet passes one of them: a number is made of its addresses and
 * TCP's or UDP's ports, and the remainder of a division is the queue's. The kernel's own way for that, a fanout group, is of no use here:
 * what belongs to one can't be bound to another interface when the first was removed, and, in Linux 6.1, can't join while the interface is
 * down.
 *
 * A filter that reads beyond a packet's end drops it. With several queues that is one of IP which has not all of its headers.
 */
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "packet_internal.h"

#define ANCILLARY(what) ((uint32_t)(SKF_AD_OFF) + (what))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	ALL = 0xffff, /* bytes of a packet that pass: more than any has */

	ADDRESS_INSNS = 10, /* of the first part, whose last one drops */
	QUEUE_INSNS = 41,   /* of the second part */
	MAC_HIGH = 6,	    /* in the first part: compares with a MAC's first four bytes ... */
	MAC_LOW = 8,	    /* ... and with its others */
	DIVIDE = 37,	    /* in the second part: by the number of queues ... */
	COMPARE = 38,	    /* ... and the remainder, with the queue's */

	/* Places in a packet. */
	TYPE = 12,
	IPV4 = 14,
	IPV4_FRAGMENT = 20,
	IPV4_PROTOCOL = 23,
	IPV4_SOURCE = 26,
	IPV4_DESTINATION = 30,
	IPV6_PROTOCOL = 20,
	IPV6_SOURCE_END = 34, /* the last four bytes of it */
	IPV6_DESTINATION_END = 50,
	IPV6_HEADER = 40, /* of the header */

	GROUP = 0x01000000, /* in an address's first four bytes */
	VLAN_MASK = 0xfff,
	FRAGMENT_MASK = 0x3fff, /* more of them follow, or came before */
};

/* Goes on behind itself with what is for the guest. */
static const struct sock_filter address_part[] = {
	/* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ANCILLARY(SKF_AD_VLAN_TAG_PRESENT)),
	/* 1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0), /* to 4 */
	/* 2 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ANCILLARY(SKF_AD_VLAN_TAG)),
	/* 3 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, VLAN_MASK, 5, 0), /* to 9 */
	/* 4 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	/* 5 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, GROUP, 4, 0), /* to 10 */
	/* 6 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),	   /* or to 9 */
	/* 7 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
	/* 8 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), /* to 10 */
	/* 9 */ BPF_STMT(BPF_RET | BPF_K, 0),
};

static const struct sock_filter whole_part[] = {
	BPF_STMT(BPF_RET | BPF_K, ALL),
};

/* What is of no protocol that is known here goes to queue 0. */
static const struct sock_filter queue_part[] = {
	/* 0 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE),
	/* 1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 15, 0), /* to 17 */
	/* 2 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 2, 0),    /* to 5 */
	/* 3 */ BPF_STMT(BPF_LD | BPF_IMM, 0),
	/* 4 */ BPF_STMT(BPF_JMP | BPF_JA, 32), /* to 37 */

	/* IPv4: addresses; ports unless it is a fragment. */
	/* 5 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IPV4_SOURCE),
	/* 6 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
	/* 7 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IPV4_DESTINATION),
	/* 8 */ BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	/* 9 */ BPF_STMT(BPF_ST, 0),
	/* 10 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IPV4_FRAGMENT),
	/* 11 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FRAGMENT_MASK, 19, 0), /* to 31 */
	/* 12 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IPV4_PROTOCOL),
	/* 13 */ BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, IPV4), /* the header's bytes */
	/* 14 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0),
	/* 15 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 15), /* or to 31 */
	/* 16 */ BPF_STMT(BPF_JMP | BPF_JA, 9),				  /* to 26 */

	/* IPv6: the ends of the addresses; ports if they follow at once. */
	/* 17 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IPV6_SOURCE_END),
	/* 18 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
	/* 19 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IPV6_DESTINATION_END),
	/* 20 */ BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	/* 21 */ BPF_STMT(BPF_ST, 0),
	/* 22 */ BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, IPV6_HEADER),
	/* 23 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IPV6_PROTOCOL),
	/* 24 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0),
	/* 25 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 5), /* or to 31 */

	/* Ports, behind as many bytes as X has. */
	/* 26 */ BPF_STMT(BPF_LD | BPF_W | BPF_IND, IPV4),
	/* 27 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
	/* 28 */ BPF_STMT(BPF_LD | BPF_MEM, 0),
	/* 29 */ BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	/* 30 */ BPF_STMT(BPF_ST, 0),

	/* Each bit of all that shall count. */
	/* 31 */ BPF_STMT(BPF_LD | BPF_MEM, 0),
	/* 32 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
	/* 33 */ BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
	/* 34 */ BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	/* 35 */ BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1),
	/* 36 */ BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),

	/* 37 */ BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 1),
	/* 38 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), /* or to 40 */
	/* 39 */ BPF_STMT(BPF_RET | BPF_K, ALL),
	/* 40 */ BPF_STMT(BPF_RET | BPF_K, 0),
};

static_assert(COUNT(address_part) == ADDRESS_INSNS && COUNT(queue_part) == QUEUE_INSNS, "as numbered");

static int attach(int fd, struct sock_filter *insns, size_t count)
{
	const struct sock_fprog program = {.len = (unsigned short)count, .filter = insns};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 ? 0 : -errno;
}

int packet_filter_open(int fd, const uint8_t mac[6], uint32_t index, uint32_t count)
{
	struct sock_filter insns[ADDRESS_INSNS + QUEUE_INSNS];
	struct sock_filter *behind = insns + ADDRESS_INSNS;

	memcpy(insns, address_part, sizeof(address_part));
	insns[MAC_HIGH].k = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	insns[MAC_LOW].k = (uint32_t)mac[4] << 8 | mac[5];
	if (count == 1) {
		memcpy(behind, whole_part, sizeof(whole_part));
		return attach(fd, insns, ADDRESS_INSNS + COUNT(whole_part));
	}
	memcpy(behind, queue_part, sizeof(queue_part));
	behind[DIVIDE].k = count;
	behind[COMPARE].k = index;
	return attach(fd, insns, ADDRESS_INSNS + QUEUE_INSNS);
}

int packet_filter_close(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);

	return attach(fd, &none, 1);
}
