/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_blocks.h - the blocks of a pcapng file, as bytes (draft-ietf-opsawg-pcapng): in this machine's byte order, each a multiple of 4
 * bytes long, with its length at both ends
 *
 * A file is one or more sections, of a header and one interface each; then come packets, and at the end what was counted.
 */
#ifndef PCAP_BLOCKS_H
#define PCAP_BLOCKS_H

#include "xvhost/backend.h"

#define PCAP_BLOCK_BYTES_MIN 12u      /* of any block: type, length, length */
#define PCAP_BEGINNING_BYTES_MAX 512u /* of what pcap_put_beginning makes */
#define PCAP_COUNTS_BYTES 76u	      /* of what pcap_put_counts makes */

/* As the interface has it: what the guest sends comes in. */
enum pcap_direction {
	PCAP_IN = 1,
	PCAP_OUT = 2
};

/* What was counted, and when: nanoseconds since 1970. */
struct pcap_counts {
	uint64_t began_ns, ended_ns;
	uint64_t packets; /* that passed */
	uint64_t missing; /* of them, that are not in the file */
};

/* pcap_put_beginning - a section with the interface of this card. Returns its bytes. */
uint32_t pcap_put_beginning(uint8_t *to, const struct xvhost_net *net);

/* pcap_packet_bytes - of the block of a packet of which so much is written. */
uint32_t pcap_packet_bytes(uint32_t captured_bytes);

/* pcap_put_packet - the first `captured_bytes` of it. */
void pcap_put_packet(uint8_t *to, const struct xvhost_packet *packet, uint32_t captured_bytes,
		     enum pcap_direction direction, uint64_t time_ns);

void pcap_put_counts(uint8_t *to, const struct pcap_counts *counts);

/* pcap_is_beginning - is this the first word of a file? */
bool pcap_is_beginning(uint32_t word);

#endif
