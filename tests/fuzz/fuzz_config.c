// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_config.c - xvhost.conf(5): any bytes
 *
 * What must hold besides memory: as many errors are told as are counted, each in one line of printable text that
 * names the file and a line of it; and whatever the file says, each setting ends within its limits.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"
#include "worker/messages.h"

static char path[64];
static int lines; /* of the file */
static int told;

static void must(bool holds, const char *what, const char *text)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s: %s\n", what, text);
	abort();
}

static void report(const char *text)
{
	size_t length = strlen(text);
	int line = 0;

	told++;
	must(length > 0 && length < REPORT_MAX, "an error has a text that ends", text);
	must(strncmp(text, path, strlen(path)) == 0 && sscanf(text + strlen(path), ":%d: ", &line) == 1,
	     "an error names the file and the line", text);
	must(line >= 1 && line <= lines, "the line is one of the file's", text);
	for (size_t i = 0; i < length; i++)
		must(text[i] >= ' ' && text[i] <= '~', "an error is printable", text);
}

/* write_file - the bytes become a file without a place in the file system. */
static void write_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("xvhost.conf", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	lines = 1;
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	int errors;

	write_file(data, size);
	told = 0;
	config_set_defaults(&config);
	errors = config_read(path, &config, report);
	must(errors == told, "all errors are told", path);
	must(log_level_name(config.log_level)[0] != '\0' && config.log_level <= LOG_LEVEL_DEBUG,
	     "the log level is one", path);
	must(config.worker[0] == '/' && memchr(config.worker, '\0', sizeof(config.worker)),
	     "worker is a path", path);
	must(config.backend_directory[0] == '/' &&
		     memchr(config.backend_directory, '\0', sizeof(config.backend_directory)),
	     "backend_directory is a path", path);
	must(config.max_ring_page_order <= RING_ORDER_MAX, "max_ring_page_order is within its limit", path);
	must(config.net_max_queues >= 1 && config.net_max_queues <= NET_QUEUES_MAX,
	     "max_queues of cards is within its limit", path);
	must(config.network_count <= CONFIG_NETWORKS_MAX, "networks are within their limit", path);
	for (uint32_t i = 0; i < config.network_count; i++)
		must(config.networks[i].name[0] != '\0' &&
			     config_net_target(&config, config.networks[i].name)[0] != '\0',
		     "a network has a name and a target", path);
	must(config.switch_count <= CONFIG_SWITCHES_MAX, "switches are within their limit", path);
	for (uint32_t i = 0; i < config.switch_count; i++)
		must(config.switches[i].name[0] != '\0' &&
			     memchr(config.switches[i].target, '\0', sizeof(config.switches[i].target)),
		     "a switch has a name", path);
	return 0;
}
