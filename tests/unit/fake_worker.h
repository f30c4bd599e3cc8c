/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_worker.h - a worker process that has no disks and no cards and does what their targets say
 *
 * The test program is the worker program, too: fake_worker_path is what to configure, and when it is started
 * with a worker's arguments it never gets to main(). The targets:
 *
 *	good			opens and connects
 *	read-only		the same, and says that it is read-only
 *	direct			the same, if it is asked to use direct I/O
 *	erases			opens and connects, and can discard securely, in units of its own
 *	physical		opens and connects, and has sectors of 512 bytes in physical ones of 4096
 *	physical-odd		the same, and ends with 1024 bytes of such a one
 *	bad			fails to open: ENOENT, "no such disk"; as another medium, too, and the drive is empty
 *	silent			never answers OPEN
 *	dies-opening		exits at OPEN
 *	fails-connecting	fails to connect: EIO, "no such ring"
 *	dies-connecting		exits at CONNECT
 *	breaks			connects, then reports BROKEN: EPROTO, "nonsense in the ring"
 *	dies-connected		connects, then exits
 *	hangs-disconnecting	never answers DISCONNECT
 *	opens-twice		answers OPEN two times
 *	nonsense		answers OPEN with CLOSED
 *	dies-changing		exits at CHANGE, which asks for it
 *	loses-rings		answers CHANGE that the rings are lost
 *	stubborn		opens and connects, but ignores STOP and the end of the socket
 *
 * It connects only the ring FAKE_RING_REF, FAKE_EVENT_CHANNEL, x86_64.
 *
 * Of these a card can have good, bad ("no such network"), silent, dies-opening, fails-connecting, breaks, dies-connected and
 * hangs-disconnecting, and besides:
 *
 *	switch:			as good
 *	takes-nothing		opens and connects, but takes neither blank checksums nor large packets
 *	takes-too-much		answers OPEN with an offload that there is not
 *	no-queues, many-queues	answers OPEN with 0 or 9 queues
 *	no-link			as good, but the card has no link, until it gets one at the first CHANGE, and loses it at the next
 *	links-early		reports LINK before it answers OPEN
 *
 * As the uplink of a switch it can have the targets good, dies (with status 7), talks (sends a message) and stubborn (see above).
 *
 * What it is asked of cards, and as an uplink, is written, a line each, to the file that the environment's FAKE_RECORD names, if there is one.
 */
#ifndef FAKE_WORKER_H
#define FAKE_WORKER_H

#define FAKE_SIZE_BYTES (1u << 20)
#define FAKE_RING_REF 8
#define FAKE_EVENT_CHANNEL 9
#define FAKE_NET_QUEUES 4 /* of a card */
#define FAKE_RECORD "XVHOST_FAKE_RECORD"

/* fake_worker_path - this program's file. */
const char *fake_worker_path(void);

#endif
