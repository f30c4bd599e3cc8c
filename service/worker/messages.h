/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * messages.h - what xvhostd and a worker say to each other
 *
 * Theory of operation: one SOCK_SEQPACKET socket pair per worker. Each message is one `struct message`, a
 * packet of fixed size; both ends are built from the same tree and are installed together, so there is no
 * version. xvhostd asks, the worker answers each question exactly once and in its own time; questions about
 * different devices may be answered out of order, for one device xvhostd waits for an answer before it asks again. A device is a
 * disk (vbd) or a network card (vif).
 * The worker also reports a device that broke, a disk that has another size, and a card whose link has come or gone. When the socket closes, the other side is gone: the
 * worker then finishes what it has taken and ends.
 *
 *	xvhostd			worker
 *	OPEN		->			parse the target, open the backend
 *			<-	OPENED
 *	CONNECT		->			map the rings, bind the event channels, serve
 *			<-	CONNECTED
 *			<-	BROKEN		while connected: nothing more is taken from a ring, and why
 *			<-	RESIZED		a disk, while open: it has another size
 *			<-	LINK		a card, while open: it has a link now, or none
 *	CHANGE		->			while connected. A disk: answer what was taken, close the backend, open another one. A
 *						card: other settings
 *			<-	CHANGED		a card: they hold for all that comes now
 *	DISCONNECT	->			answer what was taken, unbind, unmap
 *			<-	DISCONNECTED	a card: what it did meanwhile
 *	CLOSE		->			close the backend
 *			<-	CLOSED
 *	STOP		->			disconnect and close all devices, end
 *	MEMORY		->			what to do with the guest's memory; has no answer, and may come again
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/access.h"

#define TARGET_MAX 1024	   /* bytes of a target string with the final 0 */
#define ERROR_TEXT_MAX 512 /* bytes of an error text with the final 0 */
#define RING_ORDER_MAX 4   /* a ring has at most 2^4 pages, as in Linux's blkfront and blkback */
#define RING_PAGES_MAX (1u << RING_ORDER_MAX)
#define DISK_QUEUES_MAX 16u
#define DISK_BLOCK_MIN 512u  /* bytes of a block of a disk, which is a power of 2: a sector ... */
#define DISK_BLOCK_MAX 4096u /* ... to a page */
#define DISK_SEGMENTS_MAX                                                                                    \
	256u /* of one indirect request, as many as Linux's blkback offers; they fit one page */

static inline bool is_power_of_2(uint32_t number)
{
	return number > 0 && (number & (number - 1)) == 0;
}

/* is_disk_block - bytes that a disk's block can have. */
static inline bool is_disk_block(uint32_t bytes)
{
	return is_power_of_2(bytes) && bytes >= DISK_BLOCK_MIN && bytes <= DISK_BLOCK_MAX;
}

#define NET_QUEUES_MAX 8u  /* of a card */
#define NET_NAME_MAX 16	   /* bytes of an interface's or a bridge's name with the final 0 */
#define NET_MTU_MIN 68u	   /* bytes; RFC 791 */
#define NET_MTU_MAX 65521u /* bytes: with the Ethernet header, the largest packet that a ring can say */
#define NET_XDP_HEADROOM_MAX 256u /* bytes: Linux's XDP_PACKET_HEADROOM; more is not given */

enum device_class {
	DEVICE_DISK = 1, /* vbd */
	DEVICE_NET,	 /* vif */
};

enum message_type {
	MESSAGE_OPEN = 1,
	MESSAGE_OPENED,
	MESSAGE_CONNECT,
	MESSAGE_CONNECTED,
	MESSAGE_BROKEN,
	MESSAGE_DISCONNECT,
	MESSAGE_DISCONNECTED,
	MESSAGE_CLOSE,
	MESSAGE_CLOSED,
	MESSAGE_STOP,
	MESSAGE_MEMORY,
	MESSAGE_RESIZED,
	MESSAGE_CHANGE,
	MESSAGE_CHANGED,
	MESSAGE_LINK,
	MESSAGE_TYPES, /* none: one more than the last */
};

/* The ABI of the guest's requests: what its `protocol` node names (protocols.h). */
enum blkif_protocol {
	BLKIF_X86_64 = 1, /* "x86_64-abi" */
	BLKIF_X86_32 = 2, /* "x86_32-abi", and no node at all, as blkback has it */
};

/* Asks: the disk as the toolstack describes it. */
struct message_disk_open {
	char target[TARGET_MAX];
	bool read_only;
	bool discard_off; /* the guest may not discard, even if the disk can */
	bool direct;	  /* by direct I/O, where that can be */
	bool removable;	  /* the drive can be empty, which is the target "" or "empty" */
};

/* Answers OPEN and CHANGE: the disk as it is. With an error of OPEN, `text` says what and nothing else counts. */
struct message_disk_opened {
	int32_t error; /* 0 or a negative errno */
	char text[ERROR_TEXT_MAX];
	uint64_t size_bytes;
	uint32_t block_bytes;
	uint32_t physical_block_bytes; /* a power of 2, block_bytes or more */
	bool read_only;
	bool flush;
	bool discard;
	bool discard_secure;
	uint32_t discard_granularity; /* bytes, a multiple of block_bytes */
	uint32_t discard_alignment;   /* bytes, a multiple of block_bytes */
	bool persistent;	      /* grants that the frontend leaves in place would stay mapped */
	uint32_t queues_max;	      /* it can have at a time; 0: any number */
	bool lost; /* of CHANGED with an error: the rings are not served any more. If not, the drive is empty */
};

/* One ring, as the frontend describes it. */
struct message_queue {
	uint32_t ring_refs[RING_PAGES_MAX];
	uint32_t event_channel; /* the guest's port */
};

/* Asks: the rings as the frontend describes them. */
struct message_disk_connect {
	enum blkif_protocol protocol;
	uint32_t ring_pages;  /* of each: 1, 2, 4, 8 or 16 */
	uint32_t queue_count; /* 1 to DISK_QUEUES_MAX */
	bool persistent;      /* the frontend leaves its grants in place */
	bool again;	      /* the rings were served before, and are not new */
	bool large_sectors;   /* the frontend counts in the disk's blocks, not in sectors of 512 bytes */
	struct message_queue queues[DISK_QUEUES_MAX];
};

/* Answers CONNECT, or reports as BROKEN. */
struct message_error {
	int32_t error; /* 0 or a negative errno */
	char text[ERROR_TEXT_MAX];
};

/* Reports: how large the disk is from now on. */
struct message_disk_resized {
	uint64_t size_bytes;
};

/* What may change while a card is connected. */
struct message_net_settings {
	uint64_t rate_bytes;	   /* that the guest may send in each interval; 0: no limit */
	uint64_t rate_interval_us; /* with rate_bytes: at least 1 */
	bool multicast_control;	   /* the guest gets those multicast packets only that it has asked for */
	uint32_t xdp_headroom;	   /* bytes that are left free before each packet for the guest */
};

/* Asks: the card as the toolstack describes it. */
struct message_net_open {
	char target[TARGET_MAX];
	char interface[NET_NAME_MAX]; /* what an interface of the host for it is to be called */
	char bridge[NET_NAME_MAX];    /* "": the toolstack says nothing */
	uint8_t mac[6];
	uint32_t mtu;	     /* NET_MTU_MIN to NET_MTU_MAX */
	uint32_t queues_max; /* that the guest is offered at most: 1 to NET_QUEUES_MAX */
	struct message_net_settings settings;
};

/* Answers OPEN of a card. With an error `text` says what and nothing else counts. */
struct message_net_opened {
	int32_t error;
	char text[ERROR_TEXT_MAX];
	uint32_t takes;	     /* XVHOST_NET_...: of packets that the guest sends */
	uint32_t queues_max; /* 1 to NET_QUEUES_MAX */
	bool link;
};

/* Reports: whether the card has a link from now on. */
struct message_net_link {
	bool up;
};

/* What all queues of a card did since it was connected; tx is from the guest. See struct netif_counters. */
struct message_net_counters {
	uint64_t tx_packets, tx_errors, rx_packets, rx_dropped;
};

/* A pair of rings, as the frontend describes them. */
struct message_net_queue {
	uint32_t tx_ring_ref, rx_ring_ref;
	uint32_t event_channel_tx,
		event_channel_rx; /* the guest's ports; the same where they are not split */
};

/* Asks: the rings as the frontend describes them. */
struct message_net_connect {
	uint32_t queue_count; /* 1 to NET_QUEUES_MAX */
	uint32_t guest_takes; /* XVHOST_NET_...: of packets that it receives */
	bool scatter;	      /* it takes packets in more than one page (feature-sg) */
	bool silent;	      /* it does not notify of pages that it has put into rx (no feature-rx-notify) */
	bool again;	      /* the rings were served before, and are not new */
	uint32_t ctrl_ring_ref, event_channel_ctrl; /* with `ctrl` */
	bool ctrl;				    /* it has a control ring */
	struct message_net_settings settings;
	struct message_net_queue queues[NET_QUEUES_MAX];
};

/* Tells: how the guest's memory is to be reached. A worker that was told nothing has its own defaults. */
struct message_memory {
	enum memory_access access; /* of disks whose target does not say */
	uint32_t most_mib;	   /* as struct guest_memory_settings */
	uint32_t budget_mib;
	uint32_t idle_s;
};

struct message {
	enum message_type type;
	enum device_class class; /* of the device; 0 for STOP and MEMORY */
	uint32_t device_id;	 /* its number within the guest; 0 for STOP and MEMORY */
	union {
		struct message_disk_open open;	   /* OPEN, CHANGE */
		struct message_disk_opened opened; /* OPENED, CHANGED */
		struct message_disk_connect connect;
		struct message_error error; /* CONNECTED, BROKEN */
		struct message_memory memory;
		struct message_disk_resized resized;
		struct message_net_open net_open;	  /* OPEN of a card */
		struct message_net_opened net_opened;	  /* OPENED of a card */
		struct message_net_connect net_connect;	  /* CONNECT of a card */
		struct message_net_settings net_settings; /* CHANGE of a card */
		struct message_net_link net_link;
		struct message_net_counters net_counters; /* DISCONNECTED of a card */
	};
};

#endif
