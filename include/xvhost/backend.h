/* SPDX-License-Identifier: MIT */
/*
 * backend.h - the interface between xvhost and a backend of disks or network cards, ABI version 1
 *
 * A disk backend carries out the requests of one kind of disk: a file, a network export, memory. It is one
 * `struct xvhost_disk_backend`, built into xvhost-worker or loaded from a shared object, and needs no
 * other header and no library of xvhost's. A net backend moves the packets of network cards in the same way; it is one
 * `struct xvhost_net_backend`, and what is different for it stands at its part of this file.
 *
 * The life of a disk, and the thread that makes each call:
 *
 *	open ------> queue_start ----> submit ... io_done ----> queue_stop ----> close
 *	control      loop              loop                     loop             control
 *	  measure, from time to time, from open to close: control
 *
 * The control thread may block: it opens files and connects to servers. A loop thread serves rings and
 * must never block: no sleeping, no waiting for a lock that is held during I/O, no system call that can
 * wait. queue_start, submit, io_done, forwarded, ready and queue_stop of one queue are always called on the same thread. Queues of
 * one disk may be on different loop threads at the same time: what they share is the backend's to protect.
 * queue_stop comes when the queue has no request left; it may be followed by another queue_start. A guest
 * that goes away without connecting leads from open straight to close.
 *
 * A wrapper is a backend that stands before another: it has a parameter of type XVHOST_TARGET, which names the
 * disk below, such as log:file=/tmp/log,disk=file:path=/srv/disk.img. The host opens that disk first and closes
 * it last, and starts its queues first and stops them last. What the wrapper gets, it may pass on by
 * host->forward.
 *
 * Guest memory in a request is shared with the guest, which may change it at any time. A backend that
 * looks at data (checksums, headers) copies it first and then looks at the copy.
 *
 * Promise: this file is only added to. Structures grow at their end and carry their size, so that a backend
 * built against an older file goes on working; a member that one side does not have reads as zero. Where
 * that can't hold, XVHOST_BACKEND_ABI is raised, and the host refuses the other number by name.
 *
 * Errors are negative errno values of Linux throughout (-ENOSPC).
 */
#ifndef XVHOST_BACKEND_H
#define XVHOST_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XVHOST_BACKEND_ABI 1

struct xvhost_disk;
struct xvhost_queue;
struct xvhost_request;

/* ---- parameters ------------------------------------------------------------------------------------- */

/* How the text of a parameter is read, and the C type of the member it is stored in. */
enum xvhost_parameter_type {
	XVHOST_STRING = 1, /* const char *; any text, never empty */
	XVHOST_BOOL = 2,   /* bool; on, off, yes, no, true, false, 1, 0 */
	XVHOST_NUMBER = 3, /* uint64_t; decimal, within minimum and maximum */
	XVHOST_BYTES = 4,  /* uint64_t; decimal with an optional suffix K, M, G or T (powers of 1024) */
	/*
	 * const char *; the target string of the disk or the card below, for wrappers. It is the last that the string
	 * gives, takes all that follows, and commas in it are written once. A backend has at most one, with
	 * XVHOST_REQUIRED. Since xvhost 0.2; in net backends since xvhost 0.4.
	 */
	XVHOST_TARGET = 5
};

enum {
	XVHOST_REQUIRED = 1u << 0 /* the disk's target string must give this parameter */
};

/*
 * One parameter of a backend, as in `target=NAME:path=/srv/disk.img,direct=on`. The host parses the text,
 * stores it at `offset` in the backend's configuration structure, and writes the errors. A parameter that is
 * not given has the value of `default_text`; without one it is NULL, false or 0.
 */
struct xvhost_parameter {
	const char *name;	  /* lower case, digits and '-' */
	uint32_t type;		  /* enum xvhost_parameter_type */
	uint32_t flags;		  /* XVHOST_REQUIRED or 0 */
	size_t offset;		  /* of the member in the configuration structure */
	const char *default_text; /* parsed like a given value; NULL: none */
	uint64_t minimum;	  /* XVHOST_NUMBER, XVHOST_BYTES: smallest value that is taken */
	uint64_t maximum;	  /* the same, largest; 0: no limit */
	const char *help;	  /* one sentence for people */
};

/* ---- disks and requests ----------------------------------------------------------------------------- */

/* What a request asks for. A backend is asked only for what its properties offer. */
enum xvhost_operation {
	XVHOST_READ = 1,  /* fill the memory from the disk */
	XVHOST_WRITE = 2, /* put the memory on the disk; may stay in a cache until a flush */
	XVHOST_FLUSH = 3, /* all writes that were completed before are durable when this completes */
	/* What the range held is not needed any more; until it is written, it may read as anything. Has no memory.
	 * Since xvhost 0.2. */
	XVHOST_DISCARD = 4,
	/* The same, and nobody can get at what the range held any more when this completes. Has no memory. Since xvhost 0.2. */
	XVHOST_SECURE_DISCARD = 5
};

enum {
	XVHOST_DISK_READ_ONLY = 1u << 0, /* never asked to write */
	XVHOST_DISK_FLUSH = 1u << 1,	 /* has a cache: wants XVHOST_FLUSH; without it writes are durable */
	XVHOST_DISK_DISCARD = 1u << 2,	 /* can give space back: takes XVHOST_DISCARD */
	/*
	 * Its requests' memory goes to direct I/O (O_DIRECT), or to something else that pins pages. Guest memory can't
	 * always be used so; with this flag the host sees to it that what requests have can. Since xvhost 0.2.
	 */
	XVHOST_DISK_DIRECT = 1u << 3,
	XVHOST_DISK_SECURE_DISCARD =
		1u << 4 /* takes XVHOST_SECURE_DISCARD, and XVHOST_DISCARD. Since xvhost 0.2. */
};

/* What the backend tells of a disk that it opened. The host zeroes it before open() and checks it after. */
struct xvhost_disk_properties {
	uint64_t size_bytes; /* a multiple of block_bytes, at least one block */
	uint32_t block_bytes; /* unit of offsets and lengths: a power of 2 from 512 to 4096; hosts before 0.2 take 512 only */
	uint32_t memory_alignment; /* alignment of the memory's addresses that it needs; version 1: at most
				      512 */
	uint32_t flags;		   /* XVHOST_DISK_... */
	/*
	 * What the storage writes at once: a power of 2 from block_bytes on. 0: block_bytes. Guests keep to it where they
	 * can, and nothing else follows from it. Since xvhost 0.2; was reserved.
	 */
	uint32_t physical_block_bytes;
};

enum {
	XVHOST_WATCHES_MAX = 4 /* of one queue */
};

/* How serious a message is. The numbers are syslog's. */
enum xvhost_log_level {
	XVHOST_LOG_ERROR = 3,
	XVHOST_LOG_WARNING = 4,
	XVHOST_LOG_INFO = 6,
	XVHOST_LOG_DEBUG = 7
};

#if defined(__GNUC__)
#define XVHOST_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#else
#define XVHOST_PRINTF(format_at, first_at)
#endif

/*
 * What the host does for a backend. Reached as disk->host, valid from open to the end of close.
 *
 * read, write, sync, fallocate and wait start an operation on the loop's io_uring and return at once; its result arrives by
 * io_done. forward starts one of the disk below; its result arrives by forwarded. They are called on the loop
 * thread only, from submit, io_done, forwarded or ready, for a request that is not yet complete, one at a time for each
 * request. They can't fail: what goes wrong is the result. The iovecs and the memory must stay as they are until
 * then.
 */
struct xvhost_host {
	uint32_t size; /* bytes of this structure that the host has */
	uint32_t abi;  /* XVHOST_BACKEND_ABI of the host */

	/*
	 * complete - end a request: 0 or a negative errno. Exactly once for each request, on the loop thread,
	 * from submit, io_done, ready or any other call that the host makes there. The request and its memory
	 * are not the backend's any more when this returns.
	 */
	void (*complete)(struct xvhost_request *request, int error);

	/* As preadv(2), pwritev(2): the result is a number of bytes, which may be short, or a negative errno.
	 */
	void (*read)(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		     uint64_t offset);
	void (*write)(struct xvhost_request *request, int fd, const struct iovec *iov, uint32_t iov_count,
		      uint64_t offset);

	/* As fdatasync(2): the result is 0 or a negative errno. */
	void (*sync)(struct xvhost_request *request, int fd);

	/*
	 * log - write one line, without a newline, to the host's log; the host puts the disk's name before
	 * it. Any thread. What a guest can cause again and again is limited in its rate by the host.
	 */
	void (*log)(const struct xvhost_disk *disk, enum xvhost_log_level level, const char *format, ...)
		XVHOST_PRINTF(3, 4);

	/*
	 * fail - the text of the error that open() is about to return, for the person who wrote the
	 * target string: name the parameter, its value and what would be right. Control thread, from open
	 * only.
	 */
	void (*fail)(struct xvhost_disk *disk, const char *format, ...) XVHOST_PRINTF(2, 3);

	/* Since xvhost 0.2. A host without them has a smaller `size`. */

	/* As fallocate(2): the result is 0 or a negative errno. */
	void (*fallocate)(struct xvhost_request *request, int fd, int mode, uint64_t offset, uint64_t length);

	/*
	 * wait - io_done comes with 0 when this time has passed; with 0 nanoseconds, in the loop's next turn. It comes
	 * early when the queue is to stop: who disconnects a disk does not wait for it.
	 */
	void (*wait)(struct xvhost_request *request, uint64_t nanoseconds);

	/*
	 * forward - ask the disk below; for wrappers. It may be asked for what its properties offer, within
	 * its size, in its blocks. It may change the iovecs. It may have answered, by forwarded, before this returns.
	 */
	void (*forward)(struct xvhost_request *request, uint32_t operation, uint64_t offset, uint64_t length,
			struct iovec *iov, uint32_t iov_count);

	/*
	 * watch - have ready() called once, when a descriptor has one of these events of poll(2), POLLIN or POLLOUT; POLLERR
	 * and POLLHUP always count. For libraries that do their own I/O on a socket that does not block. A queue has
	 * XVHOST_WATCHES_MAX watches, told apart by `index`; one that is set already is changed. With descriptor -1 it
	 * ends: ready() is not called for it any more, and only then the descriptor may be closed. All end with
	 * queue_stop. Loop thread, from any call for this queue but queue_stop.
	 */
	void (*watch)(struct xvhost_queue *queue, uint32_t index, int fd, uint32_t events);
};

/* One disk of one guest. The host owns it; it lives from open to the end of close. */
struct xvhost_disk {
	uint32_t size; /* bytes of this structure that the host has */
	/*
	 * XVHOST_DISK_READ_ONLY: the guest may not write; open for reading only, and say so in the properties.
	 * XVHOST_DISK_DIRECT: the toolstack would have direct I/O, where that can be (since xvhost 0.2).
	 */
	uint32_t flags;
	const struct xvhost_host *host;
	const char *name; /* for messages, as in "guest 3 vbd 51712" */
	void *state;	  /* the backend's own, for the disk */

	/* Since xvhost 0.2. What the disk below is; NULL if there is none. */
	const struct xvhost_disk_properties *inner;

	/* Since xvhost 0.2. Set by open(): the disk can have so many queues at a time, with indexes below this; 0: any number. */
	uint32_t queues_max;

	/*
	 * Since xvhost 0.2. Set by open(): discards give space back in units of so many bytes, a multiple of block_bytes, the
	 * first of which begins at the other number of bytes. 0: block_bytes, 0. Guests keep to them where they can.
	 */
	uint32_t discard_granularity;
	uint32_t discard_alignment;
	uint32_t reserved;
};

enum {
	/* No request comes any more, and queue_stop as soon as those under way are completed, for which somebody waits:
	   what need not be done can be left. */
	XVHOST_QUEUE_STOPPING = 1u << 0
};

/* One ring of a disk. The host owns it; it lives from queue_start to the end of queue_stop. */
struct xvhost_queue {
	uint32_t size;	/* bytes of this structure that the host has */
	uint32_t index; /* counts from 0 within the disk */
	struct xvhost_disk *disk;
	void *state; /* the backend's own, for the queue */

	/* Since xvhost 0.2. */
	uint32_t flags; /* XVHOST_QUEUE_...; changes between two calls */
	uint32_t reserved;
};

/*
 * One request. The host owns it and has checked it: offset and length lie within the disk and are multiples
 * of block_bytes, the iovecs sum up to length, a disk that is read-only is not written. Each iovec is a multiple of 512
 * bytes and aligned to 512, whatever block_bytes is: a block may lie in two pages of the guest's. From submit to
 * complete a backend may change iov and the iovecs that it points to (to go on after a short read, for
 * example), and nothing else. The memory of a write may only be read.
 */
struct xvhost_request {
	struct xvhost_queue *queue;
	uint32_t operation; /* enum xvhost_operation */
	uint32_t flags;	    /* none yet: 0 */
	uint64_t offset;    /* bytes from the disk's start; 0 for XVHOST_FLUSH */
	uint64_t length;    /* bytes; 0 for XVHOST_FLUSH */
	struct iovec *iov;
	uint32_t iov_count;
	uint32_t reserved;
	void *scratch; /* request_size bytes of the backend's, aligned to 16, not cleared between requests */
};

/* ---- the backend ------------------------------------------------------------------------------------ */

struct xvhost_disk_backend {
	uint32_t size; /* sizeof(struct xvhost_disk_backend) */
	uint32_t abi;  /* XVHOST_BACKEND_ABI */

	const char *name;	 /* as in the target string: lower case letters, digits, '-' */
	const char *version;	 /* of the backend, for people */
	const char *description; /* one line for people */

	const struct xvhost_parameter *parameters; /* parameter_count of them */
	uint32_t parameter_count;
	uint32_t parameter_size; /* sizeof(struct xvhost_parameter) */
	uint32_t config_size;	 /* of the structure that the parameters' offsets point into */
	uint32_t request_size;	 /* bytes of scratch that each request carries; at most 4096 */

	/*
	 * open - make a disk ready. `config` holds the parsed parameters and stays until close. Sets
	 * disk->state and fills `properties`. Returns 0, or a negative errno after host->fail() gave the
	 * reason; then close is not called. Control thread; may block.
	 */
	int (*open)(struct xvhost_disk *disk, const void *config, struct xvhost_disk_properties *properties);

	/* close - give back all that open took. No queue runs. Control thread; may block. */
	void (*close)(struct xvhost_disk *disk);

	/* queue_start - optional (NULL): set up queue->state. Returns 0 or a negative errno. Loop thread. */
	int (*queue_start)(struct xvhost_queue *queue);

	/* queue_stop - optional (NULL): the queue has no requests left and gets no more. Loop thread. */
	void (*queue_stop)(struct xvhost_queue *queue);

	/* submit - begin a request; may complete it before it returns. Loop thread. */
	void (*submit)(struct xvhost_request *request);

	/*
	 * io_done - the result of the read, write, sync, fallocate or wait that was started for this request. May be NULL in
	 * a backend that starts none. Loop thread.
	 */
	void (*io_done)(struct xvhost_request *request, int32_t result);

	/* Since xvhost 0.2. */

	/*
	 * forwarded - what the disk below answered to forward: 0 or a negative errno. NULL in a backend that is no
	 * wrapper. Loop thread.
	 */
	void (*forwarded)(struct xvhost_request *request, int error);

	/*
	 * measure - optional (NULL: the disk's size never changes): how large is the disk now? The host asks every few
	 * seconds, and tells the guest when that is something else; it takes whole blocks of it. From then on requests go to
	 * the new end, but those that it has checked before may go to the old one. Returns 0, or a negative errno when it
	 * can't be told. A wrapper asks disk->inner, which the host has measured before. Control thread, any time between
	 * open and close; keeps it from its other work, so it must not take long.
	 */
	int (*measure)(struct xvhost_disk *disk, uint64_t *size_bytes);

	/*
	 * ready - what came of a watch: events of poll(2), or a negative errno when the descriptor can't be watched. The
	 * watch has ended and may be set again. 0: the queue has begun to stop (XVHOST_QUEUE_STOPPING), which each
	 * watch that is set is told once; it stays set. NULL in a backend that watches nothing. Loop thread.
	 */
	void (*ready)(struct xvhost_queue *queue, uint32_t index, int32_t events);
};

/* ---- network cards (since xvhost 0.3) --------------------------------------------------------------- */

/*
 * A net backend moves the packets of a guest's network cards: to an interface of the host, to other guests, to a file. The life
 * of a card is that of a disk, with the same threads:
 *
 *	open ------> queue_start ----> transmit, io_done, ready, delivered, room ----> queue_stop ----> close
 *	control      loop              loop                                            loop             control
 *	  queue_open, before queue_start, and queue_close, after queue_stop: control
 *	  attend, at any time from open to close: control
 *
 * What the guest sends comes by `transmit`; the backend ends each packet by host->transmitted. What the guest is to get goes by
 * host->receive; the host gives each packet back by `delivered`. In each direction the order of packets is kept.
 *
 * A wrapper stands before another card, as one of disks does: pcap:path=/tmp/vif.pcapng,target=tap:bridge=br0. Its parameter
 * of type XVHOST_TARGET is called target. The host opens the card below first and closes it last, and starts its queues first
 * and stops them last. What the guest sends comes to the wrapper's `transmit`; it passes it on by host->forward, gets it back
 * by `forwarded`, and ends it by host->transmitted. What the card below has for the guest comes to the wrapper's `offered`; it
 * passes it on by host->receive, gets it back by `delivered`, and gives it back by host->give_back. So it sees each packet in
 * both directions with its result. In place of passing a packet on it may end it or give it back at once, which drops it, or
 * pass it on later. It has a card, queues and operations of its own like any other backend. A packet's number is for who has
 * the packet; the others that the card below has are not in its way. Since xvhost 0.4.
 *
 * A packet is an Ethernet frame without its checksum at the end. One that is larger than the MTU is to be cut into segments by
 * whoever sends it on (gso), and one whose TCP or UDP checksum is blank is to get it from whoever sends it on. Both sides say
 * what they take, and get nothing else.
 */
struct xvhost_net;
struct xvhost_net_queue;
struct xvhost_packet;

enum {
	XVHOST_NET_BYTES_MAX = 65535, /* of a packet */
	XVHOST_NET_BYTES_MIN = 14,    /* of a packet: the Ethernet header */
	XVHOST_NET_IOVECS_MAX = 20,   /* of a packet, in both directions */
	XVHOST_NET_HEADER_BYTES =
		128, /* so many of the first bytes of a packet that is transmitted are not the guest's memory */
	XVHOST_NET_HEADROOM_BYTES = 16 /* before these, so many are there for a header of the backend's */
};

/* What a side takes. */
enum {
	XVHOST_NET_CHECKSUM_IPV4 =
		1u << 0, /* packets with XVHOST_PACKET_CHECKSUM_BLANK: TCP and UDP over IPv4 */
	XVHOST_NET_CHECKSUM_IPV6 = 1u << 1, /* the same over IPv6 */
	XVHOST_NET_GSO_TCPV4 = 1u << 2, /* packets with XVHOST_GSO_TCPV4; their checksum is always blank */
	XVHOST_NET_GSO_TCPV6 = 1u << 3	/* the same over IPv6 */
};

enum {
	/* The checksum of TCP or UDP holds the sum of the pseudo header only. Who sends the packet to a wire adds the rest:
	 * of the bytes from checksum_start on, to be stored at checksum_start + checksum_offset. */
	XVHOST_PACKET_CHECKSUM_BLANK = 1u << 0,
	/* Somebody has seen that the checksum is right, or blank: the receiver need not look. */
	XVHOST_PACKET_CHECKSUM_GOOD = 1u << 1
};

enum xvhost_gso {
	XVHOST_GSO_NONE = 0,
	XVHOST_GSO_TCPV4 = 1,
	XVHOST_GSO_TCPV6 = 2
};

/*
 * One packet. One that is transmitted is the host's, which has checked it: length is the sum of the iovecs and from
 * XVHOST_NET_BYTES_MIN to XVHOST_NET_BYTES_MAX, and the first min(length, XVHOST_NET_HEADER_BYTES) bytes lie in the first
 * iovec and are not the guest's memory, so that headers can be looked at where they are. The others are, which may change at any
 * time, may only be read, and may be used until host->transmitted. From transmit to transmitted a backend may change iov, the
 * iovecs, and the XVHOST_NET_HEADROOM_BYTES before the first iovec's memory, which begin at a multiple of 16; and nothing else.
 *
 * One that is received is the backend's, and so is all that it points to; from host->receive, if that takes it, until
 * `delivered` it must stay as it is. Its length is the sum of the iovecs, too, and within the same limits.
 *
 * A wrapper passes on the same structure. Its `queue` is that of the backend which has the packet at the time; the host sees to that.
 */
struct xvhost_packet {
	struct xvhost_net_queue *queue;
	struct iovec *iov;
	uint32_t iov_count;
	uint32_t length;
	uint32_t flags;	       /* XVHOST_PACKET_... */
	uint32_t index;	       /* transmitted: of the packet among its queue's, below queue->packets_max */
	uint16_t gso;	       /* enum xvhost_gso */
	uint16_t gso_bytes;    /* with gso: of TCP's data in each segment */
	uint16_t header_bytes; /* with gso: of all headers, up to TCP's data */
	uint16_t checksum_start; /* with XVHOST_PACKET_CHECKSUM_BLANK: bytes from the packet's beginning to TCP's or UDP's */
	uint16_t checksum_offset; /* the same, from there to the checksum */
	uint16_t reserved[3];
};

/*
 * What the backend tells of a card that it opened. The host zeroes it before open() and checks it after. A wrapper takes what the card
 * below takes, or less; the two limits of that count for it, too.
 */
struct xvhost_net_properties {
	uint32_t flags; /* XVHOST_NET_...: of packets that are transmitted. What is not there the guest does itself */
	uint32_t mtu_max;    /* the largest that it can have, 68 to 65521; 0: any */
	uint32_t queues_max; /* it can have so many at a time; 0: any number */
	uint32_t operations; /* that a queue of it has besides those of transmitted packets; see host->read. At most 256 */
};

/*
 * What the host does for a net backend. Reached as net->host, valid from open to the end of close. All but log, fail and link are
 * called on the loop thread of the queue only, from any call for it; from queue_stop none of them.
 *
 * read, write and wait start an operation on the loop's io_uring and return at once; its result arrives by io_done. They have a
 * number, which is the backend's to choose: index of the transmitted packet that it is for, or queue->packets_max and more
 * for others, `operations` of them. At most one of each number is under way. They can't fail: what goes wrong is the
 * result. The iovecs and the memory must stay as they are until then.
 */
struct xvhost_net_host {
	uint32_t size; /* bytes of this structure that the host has */
	uint32_t abi;  /* XVHOST_BACKEND_ABI of the host */

	/*
	 * transmitted - end a packet that came by transmit: 0, or a negative errno if it was lost. Exactly once for each, from
	 * within any call of the host's for this queue. The packet and its memory are not the backend's any more.
	 */
	void (*transmitted)(struct xvhost_packet *packet, int error);

	/*
	 * receive - a packet for the guest. Returns true if the host takes it: then `delivered` comes for it, after this
	 * call and before the loop waits, and for those of a queue in the order of these calls. By which of its queues the guest
	 * gets it may be the guest's choice. False: the guest has given no room for it, and the packet stays the backend's, to keep or
	 * to drop; `room` is called when there may be room again. The flags and gso may be such as queue->guest_takes has.
	 */
	bool (*receive)(struct xvhost_net_queue *queue, struct xvhost_packet *packet);

	/* dropped - the backend has thrown away so many packets for the guest; they are counted. */
	void (*dropped)(struct xvhost_net_queue *queue, uint32_t count);

	/*
	 * As readv(2), writev(2): the result is a number of bytes or a negative errno. The descriptor is one that does not block
	 * (O_NONBLOCK), or a regular file without it that is written at its end (O_APPEND). Where there is nothing to read, a
	 * read waits for it, without a thread, and ends with -ECANCELED when the queue is to stop; so does a write that waits for
	 * room. Of several reads of one descriptor any may get what comes next; io_done is called in the order in which they
	 * got it.
	 */
	void (*read)(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		     uint32_t iov_count);
	void (*write)(struct xvhost_net_queue *queue, uint32_t number, int fd, const struct iovec *iov,
		      uint32_t iov_count);

	/* wait - io_done comes with 0 when this time has passed, or early when the queue is to stop. */
	void (*wait)(struct xvhost_net_queue *queue, uint32_t number, uint64_t nanoseconds);

	/* watch - as that of disks: `ready` is called once when a descriptor has one of these events of poll(2). -1: no more. */
	void (*watch)(struct xvhost_net_queue *queue, uint32_t index, int fd, uint32_t events);

	/* log, fail - as those of disks. Any thread; control thread, from open only. */
	void (*log)(const struct xvhost_net *net, enum xvhost_log_level level, const char *format, ...)
		XVHOST_PRINTF(3, 4);
	void (*fail)(struct xvhost_net *net, const char *format, ...) XVHOST_PRINTF(2, 3);

	/* Since xvhost 0.4. A host without it has a smaller `size`. */

	/*
	 * link - does the card have a link, so that packets pass as far as the backend can know? It has one until this says something
	 * else; one with wrappers has one while all of its backends say so. The guest is told. Control thread, from open, attend, queue_open
	 * and queue_close.
	 */
	void (*link)(struct xvhost_net *net, bool up);

	/* The same, for wrappers. */

	/*
	 * forward - packets that came by transmit, as they came and in their order, to the card below. Each comes back by
	 * `forwarded`, maybe before this returns; until then it is the card's below, which may change iov, the iovecs and what
	 * is before them. When the queue is to stop, the card below gets nothing more: they come back with -ESHUTDOWN.
	 */
	void (*forward)(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets, uint32_t count);

	/*
	 * give_back - a packet that `offered` took: 0, or a negative errno if the guest did not get it. Exactly once for each,
	 * from within any call of the host's for this queue, and before the host's loop waits, unless host->receive has it. The card
	 * below gets them back in the order in which it offered them.
	 */
	void (*give_back)(struct xvhost_packet *packet, int error);

	/* more_room - after `offered` has returned false: the card below may offer more. Its `room` is called in the same turn. */
	void (*more_room)(struct xvhost_net_queue *queue);
};

/* One network card of one guest. The host owns it; it lives from open to the end of close. */
struct xvhost_net {
	uint32_t size; /* bytes of this structure that the host has */
	uint32_t mtu;  /* of the guest, as the toolstack has it */
	const struct xvhost_net_host *host;
	const char *name; /* for messages, as in "guest 3 vif 0" */
	const char *
		interface; /* the name that an interface of the host for this card should have, such as "vif3.0" */
	const char *
		bridge; /* what the toolstack calls the network that the card is to be part of; NULL: it says nothing */
	uint8_t mac[6];	 /* of the guest's side */
	uint16_t queues; /* that the guest may have: the most that the host offers */
	uint16_t domid;
	uint16_t reserved[3];
	void *state; /* the backend's own, for the card */

	/* Since xvhost 0.4. Set by open(): while this descriptor can be read the host calls `attend`, until close. -1, as it is before
	 * open(): there is none. */
	int32_t attend_fd;
	uint32_t reserved_2;
	const struct xvhost_net_properties
		*inner; /* what the card below is; NULL if there is none. Since xvhost 0.4 */
};

/* One pair of rings of a card. The host owns it; it lives from queue_start to the end of queue_stop. */
struct xvhost_net_queue {
	uint32_t size;	      /* bytes of this structure that the host has */
	uint32_t index;	      /* counts from 0 within the card */
	uint32_t count;	      /* of the card's queues */
	uint32_t packets_max; /* that are transmitted at a time */
	uint32_t guest_takes; /* XVHOST_NET_...: of packets that it receives */
	uint32_t flags;	      /* XVHOST_QUEUE_...; changes between two calls */
	struct xvhost_net *net;
	void *state; /* the backend's own, for the queue */
};

struct xvhost_net_backend {
	uint32_t size; /* sizeof(struct xvhost_net_backend) */
	uint32_t abi;  /* XVHOST_BACKEND_ABI */

	const char *name;	 /* lower case letters, digits, '-' */
	const char *version;	 /* of the backend, for people */
	const char *description; /* one line for people */

	const struct xvhost_parameter *parameters; /* parameter_count of them; as those of disks */
	uint32_t parameter_count;
	uint32_t parameter_size; /* sizeof(struct xvhost_parameter) */
	uint32_t config_size;	 /* of the structure that the parameters' offsets point into */
	uint32_t reserved;

	/* open, close - as those of disks. Control thread; may block. */
	int (*open)(struct xvhost_net *net, const void *config, struct xvhost_net_properties *properties);
	void (*close)(struct xvhost_net *net);

	/* These five must be there, even if there is nothing to do. */

	/* queue_start - set up queue->state. Returns 0 or a negative errno. Loop thread. */
	int (*queue_start)(struct xvhost_net_queue *queue);

	/*
	 * queue_stop - all that was transmitted, received and started has ended, and nothing more comes. Loop thread. Before it, while
	 * queue->flags have XVHOST_QUEUE_STOPPING, the backend lets what it has under way come to an end: it is told so once by
	 * `room`, and starts nothing more.
	 */
	void (*queue_stop)(struct xvhost_net_queue *queue);

	/* transmit - packets from the guest, in their order. All that were taken in one turn come together. Loop thread. */
	void (*transmit)(struct xvhost_net_queue *queue, struct xvhost_packet *const *packets,
			 uint32_t count);

	/* room - after host->receive has returned false: the guest has given more. Or the queue is to stop. Loop thread. */
	void (*room)(struct xvhost_net_queue *queue);

	/* delivered - a packet that host->receive took: 0, or a negative errno if the guest did not get it. Loop thread. */
	void (*delivered)(struct xvhost_packet *packet, int error);

	/* io_done - the result of the operation of this number. NULL in a backend that starts none. Loop thread. */
	void (*io_done)(struct xvhost_net_queue *queue, uint32_t number, int32_t result);

	/* ready - what came of a watch, as for disks. NULL in a backend that watches nothing. Loop thread. */
	void (*ready)(struct xvhost_net_queue *queue, uint32_t index, int32_t events);

	/* Since xvhost 0.4. */

	/*
	 * queue_open, queue_close - optional (NULL): what a queue needs before queue_start and after queue_stop, and a loop thread
	 * must not wait for. queue_open returns 0 or a negative errno, after which nothing of the queue is called any more. queue_close may
	 * come without queue_start. Of xvhost_net_host they may call log and link. Control thread; may block.
	 */
	int (*queue_open)(struct xvhost_net_queue *queue);
	void (*queue_close)(struct xvhost_net_queue *queue);

	/*
	 * attend - net->attend_fd can be read; read it, or this comes again at once. NULL in a backend that sets none. Control thread; keeps
	 * it from its other work, so it must not take long.
	 */
	void (*attend)(struct xvhost_net *net);

	/* Since xvhost 0.4. NULL in a backend that is no wrapper. */

	/* forwarded - a packet that host->forward took: 0, or a negative errno if it was lost below. Loop thread. */
	void (*forwarded)(struct xvhost_packet *packet, int error);

	/*
	 * offered - the card below has a packet for the guest. Returns true if the wrapper takes it: then it gives it back by
	 * host->give_back. It must stay as it is, and may be looked at until then. False: there is no room, the packet stays that of
	 * the card below, and host->more_room is called when there may be room again. Loop thread.
	 */
	bool (*offered)(struct xvhost_net_queue *queue, struct xvhost_packet *packet);
};

/* ---- making a backend known ------------------------------------------------------------------------- */

/*
 * XVHOST_DISK_BACKEND(backend), XVHOST_NET_BACKEND(backend) - at the end of a backend's one source file: makes it known to the
 * host.
 *
 * In a shared object it defines the one symbol that the host looks for. Built into xvhost-worker,
 * XVHOST_BUILT_IN is the symbol's name, different for each backend.
 */
#ifdef XVHOST_BUILT_IN
#define XVHOST_BACKEND_SYMBOL XVHOST_BUILT_IN
#define XVHOST_NET_BACKEND_SYMBOL XVHOST_BUILT_IN
#else
#define XVHOST_BACKEND_SYMBOL xvhost_disk_backend_entry
#define XVHOST_NET_BACKEND_SYMBOL xvhost_net_backend_entry
#endif
#define XVHOST_BACKEND_SYMBOL_NAME "xvhost_disk_backend_entry"
#define XVHOST_NET_BACKEND_SYMBOL_NAME "xvhost_net_backend_entry"

#ifdef __cplusplus
#define XVHOST_EXTERN_C extern "C"
#else
#define XVHOST_EXTERN_C
#endif

#if defined(__GNUC__)
#define XVHOST_EXPORT __attribute__((visibility("default")))
#else
#define XVHOST_EXPORT
#endif

#define XVHOST_DISK_BACKEND(backend)                                                                         \
	XVHOST_EXTERN_C XVHOST_EXPORT const struct xvhost_disk_backend *XVHOST_BACKEND_SYMBOL(void);         \
	XVHOST_EXTERN_C XVHOST_EXPORT const struct xvhost_disk_backend *XVHOST_BACKEND_SYMBOL(void)          \
	{                                                                                                    \
		return &(backend);                                                                           \
	}                                                                                                    \
	struct xvhost_disk_backend /* takes the semicolon that follows */

#define XVHOST_NET_BACKEND(backend)                                                                          \
	XVHOST_EXTERN_C XVHOST_EXPORT const struct xvhost_net_backend *XVHOST_NET_BACKEND_SYMBOL(void);      \
	XVHOST_EXTERN_C XVHOST_EXPORT const struct xvhost_net_backend *XVHOST_NET_BACKEND_SYMBOL(void)       \
	{                                                                                                    \
		return &(backend);                                                                           \
	}                                                                                                    \
	struct xvhost_net_backend /* takes the semicolon that follows */

#ifdef __cplusplus
}
#endif

#endif
