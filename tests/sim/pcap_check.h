/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_check.h - does a file of backend pcap have the packets of a load?
 */
#ifndef PCAP_CHECK_H
#define PCAP_CHECK_H

#include "pcap_reader.h"
#include "sim/net_content.h"

/*
 * pcap_check - of this direction the file has, of one section's packets from `first` on, those of this load: each byte by byte, those of
 * a stream in their order, and as many as `packets` of each of so many streams. With `some` there may be gaps. `mirrored`: addresses
 * are exchanged. Returns how many there were.
 */
uint32_t pcap_check(const struct pcap_reader *file, uint32_t first, uint32_t direction,
		    const struct net_content_options *options, uint32_t streams, uint32_t packets, bool some,
		    bool mirrored);

#endif
