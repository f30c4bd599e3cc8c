// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#include "guest_tell.h"

#define NODE_BYTES_MAX 256u

/* One question to xenstore, and its answer. Returns the kind of the answer. */
static uint32_t ask_xenstore(uint32_t type, const void *body, size_t length)
{
	static int xenstore = -1;
	struct xsd_sockmsg head = {.type = type, .len = (uint32_t)length};
	char message[sizeof(head) + NODE_BYTES_MAX], answer[NODE_BYTES_MAX];

	if (xenstore < 0)
		xenstore = open("/dev/xen/xenbus", O_RDWR);
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), body, length);
	if (xenstore < 0 ||
	    write(xenstore, message, sizeof(head) + length) != (ssize_t)(sizeof(head) + length))
		err(1, "/dev/xen/xenbus");
	for (size_t got = 0; got < sizeof(head);) {
		ssize_t more = read(xenstore, (char *)&head + got, sizeof(head) - got);

		if (more <= 0)
			err(1, "/dev/xen/xenbus");
		got += (size_t)more;
	}
	if (head.len > sizeof(answer))
		errx(1, "/dev/xen/xenbus: an answer of %u bytes", head.len);
	for (size_t got = 0; got < head.len;) {
		ssize_t more = read(xenstore, answer, head.len - got);

		if (more <= 0)
			err(1, "/dev/xen/xenbus");
		got += (size_t)more;
	}
	return head.type;
}

void guest_tell(const char *folder, const char *word)
{
	char body[NODE_BYTES_MAX];
	int length = snprintf(body, sizeof(body), "%s/load%c%s", folder, 0, word);
	size_t path_length = strlen(body) + 1;

	if (strcmp(folder, "-") == 0)
		return;
	if ((size_t)length >= sizeof(body) || ask_xenstore(XS_WRITE, body, (size_t)length) != XS_WRITE)
		errx(1, "%s/load can't be written", folder);
	while (ask_xenstore(XS_READ, body, path_length) == XS_READ)
		usleep(2000);
}
