// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * writable.c - a library to preload into xvhostd and its workers: what is mapped by privcmd to be read is mapped to be written
 *
 * So a scenario can show that it would notice.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_privcmd(int fd)
{
	char link[64], path[64];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return 0;
	path[length] = '\0';
	return strcmp(path, "/dev/xen/privcmd") == 0;
}

/* These take the places of libc's functions. */
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	if (fd >= 0 && protection == PROT_READ && is_privcmd(fd))
		protection |= PROT_WRITE;
	return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off64_t offset)
{
	return mmap(address, bytes, protection, flags, fd, offset);
}
