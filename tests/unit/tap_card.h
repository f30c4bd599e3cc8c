/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_card.h - a card of the backends tap and packet over a real interface, for their tests
 *
 * Each test has a network namespace of its own. That of tap needs /dev/net/tun. The other side of the interface is a packet socket, the
 * wire, which sees the headers that large packets and blank checksums have. Frames are packets of a type of their own, of which each has
 * a number.
 */
#ifndef TAP_CARD_H
#define TAP_CARD_H

#include <net/if.h>

#include "ipv4_packets.h"
#include "xvhost/backend.h"

#define INTERFACE "vif1.0" /* as fake_net_host.h has it */
#define FRAME_TYPE 0x88b5  /* an EtherType for experiments */

extern int tap_card_control; /* a socket for questions about interfaces */
extern int tap_card_wire;

/* tap_card_namespace - before each test. tap_card_prepare - the same, for those of tap. */
void tap_card_namespace(void);
void tap_card_prepare(void);

/* tap_card_listen - make the wire: on this interface, with headers (struct virtio_net_hdr) if that is wanted. */
void tap_card_listen(const char *interface, bool with_headers);

/* tap_card_question - an ioctl about an interface. Returns 0 or a negative errno. */
int tap_card_question(const char *name, unsigned long request, struct ifreq *argument);

/* tap_card_flags - of an interface (IFF_...); 0 if there is none. */
int tap_card_flags(const char *name);
bool tap_card_has_link(const char *name);

/* tap_card_wait_link - until Linux sends packets by this interface: it takes notice of a link in its own time. */
void tap_card_wait_link(const char *name);

/* tap_card_set_up - set an interface up, or down. */
void tap_card_set_up(const char *name, bool up);

/* tap_card_open - the card, and the wire, which has headers (struct virtio_net_hdr) if that is wanted. */
void tap_card_open(const struct xvhost_net_backend *tap_backend, uint16_t queues, bool with_headers);
void tap_card_close(void);

/* tap_card_start - a queue, and wait for the interface's link. */
void tap_card_start(uint32_t index, uint32_t takes);

/* tap_card_frame - make the frame of this number. Returns its length. */
size_t tap_card_frame(uint8_t frame[PACKET_MAX], uint32_t number, size_t bytes);

/* tap_card_send - that frame, through the wire. */
void tap_card_send(uint32_t number, size_t bytes);

/* tap_card_got - the guest's packet at this place is that frame. */
void tap_card_got(uint32_t place, uint32_t number, size_t bytes);

/* tap_card_from_wire - what came there, or comes soon. Returns its bytes, or 0. */
size_t tap_card_from_wire(uint8_t *bytes);

/* tap_card_remove - an interface, as somebody on the host may. */
void tap_card_remove(const char *name);

#endif
