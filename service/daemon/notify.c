// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * notify.c - tell the service manager how we are (sd_notify(3))
 */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_send(const char *message)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name = getenv("NOTIFY_SOCKET");
	socklen_t length;
	int fd, error = 0;

	if (name == NULL || name[0] == '\0')
		return 0;
	if (strlen(name) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, name, strlen(name));
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	/* A name in the abstract namespace is written with an @. */
	if (name[0] == '@')
		address.sun_path[0] = '\0';

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0)
		error = -errno;
	close(fd);
	return error;
}
