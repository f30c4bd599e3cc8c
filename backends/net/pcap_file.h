/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_file.h - the file of backend pcap: opened, added to, closed. Control thread; may block.
 */
#ifndef PCAP_FILE_H
#define PCAP_FILE_H

#include "xvhost/backend.h"

/*
 * pcap_file_open - for what is to be added to it. The file is made if it is not there; one that is must be a pcapng file, and of nobody
 * else's. If it does not end with a whole block it is cut to what is whole. `*size` is its size. Returns a descriptor, or a negative
 * errno after host->fail() gave the reason.
 */
int pcap_file_open(struct xvhost_net *net, const char *path, uint64_t *size);

/* pcap_file_begin - a new section, for this card. What can't be written whole is taken back. Returns as pcap_file_open. */
int pcap_file_begin(struct xvhost_net *net, const char *path, int fd, uint64_t *size);

/* pcap_file_write - all of it, at the file's end. Returns 0 or a negative errno. */
int pcap_file_write(int fd, const void *from, size_t bytes);

#endif
