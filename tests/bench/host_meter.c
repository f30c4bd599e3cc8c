// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host-meter DOMID[,DOMID...] JOBS [PID...] - what the jobs of disk-load or net-load, in the first of these guests, cost the
 *	machine: runs in the lab's Dom0
 *
 * Waits for the words that the load writes to xenstore, begin and end, looks at the clocks and removes them, which lets it go
 * on. So what is between the two is the measured part of a job and nothing else. Prints a line of JSON for each job:
 *
 *	elapsed_ns			on the clock, which counts instructions in a lab that counts these
 *	host_ns, guest_ns		processor time of Dom0 and of all these guests, from Xen, Xen's own for them included
 *	process_ns			of the processes with these PIDs, all their threads, kernel and user
 *	system_calls, ioctls		of these processes, by number and by command, while the kernel counts them (ways_count_calls)
 */
#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

#define PROCESSES_MAX 8
#define GUESTS_MAX 4
#define CALLS_MAX 256 /* kinds of them, of each thread */
#define SYSTEM_CALLS "/sys/kernel/tracing/events/raw_syscalls/sys_enter/hist"
#define IOCTLS "/sys/kernel/tracing/events/syscalls/sys_enter_ioctl/hist"

struct call {
	int thread;
	uint64_t number, count;
};

struct calls {
	struct call call[CALLS_MAX];
	int kinds;
};

struct clocks {
	uint64_t elapsed_ns, host_ns, guest_ns, process_ns;
	struct calls system_calls, ioctls;
};

static struct {
	xc_interface *xen;
	struct xs_handle *store;
	char node[64];
	uint32_t guests[GUESTS_MAX];
	int guest_count;
	const char *pids[PROCESSES_MAX];
	int pid_count;
} meter;

static uint64_t domain_ns(uint32_t domain)
{
	xc_domaininfo_t info;

	if (xc_domain_getinfolist(meter.xen, domain, 1, &info) != 1 || info.domain != domain)
		errx(1, "domain %u is not there", domain);
	return info.cpu_time;
}

static uint64_t thread_ns(const char *pid, const char *thread)
{
	uint64_t ns = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.16s/task/%.16s/schedstat", pid, thread);
	file = fopen(path, "r");
	if (!file)
		return 0;
	/* QEMU's threads come and go: one that has ended since can't be read. */
	if (fscanf(file, "%" SCNu64, &ns) != 1 && !ferror(file))
		errx(1, "%s is not as expected", path);
	fclose(file);
	return ns;
}

static uint64_t processes_ns(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < meter.pid_count; i++) {
		char path[64];
		const struct dirent *entry;
		DIR *folder;

		snprintf(path, sizeof(path), "/proc/%s/task", meter.pids[i]);
		folder = opendir(path);
		if (!folder)
			err(1, "%s", path);
		while ((entry = readdir(folder)))
			if (entry->d_name[0] != '.')
				sum += thread_ns(meter.pids[i], entry->d_name);
		closedir(folder);
	}
	return sum;
}

static bool is_of_process(int thread)
{
	char path[64];

	for (int i = 0; i < meter.pid_count; i++) {
		snprintf(path, sizeof(path), "/proc/%.16s/task/%d", meter.pids[i], thread);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* read_calls - of a histogram with lines such as "{ common_pid: 123, id: 16 } hitcount: 4567". */
static void read_calls(const char *path, struct calls *calls)
{
	char line[256];
	FILE *file = fopen(path, "r");

	calls->kinds = 0;
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		struct call call;
		int thread;

		if (sscanf(line, "{ common_pid: %d, %*[a-z]: %" SCNu64 " } hitcount: %" SCNu64, &thread,
			   &call.number, &call.count) != 3 ||
		    !is_of_process(thread))
			continue;
		if (calls->kinds == CALLS_MAX)
			errx(1, "%s: too many kinds of calls", path);
		call.thread = thread;
		calls->call[calls->kinds++] = call;
	}
	fclose(file);
}

/* print_calls - by number, what came since. */
static void print_calls(const char *name, const struct calls *before, const struct calls *after)
{
	const char *comma = "";

	printf(", \"%s\": [", name);
	for (int i = 0; i < after->kinds; i++) {
		const struct call *call = &after->call[i];
		uint64_t count = call->count;

		for (int j = 0; j < before->kinds; j++)
			if (before->call[j].thread == call->thread && before->call[j].number == call->number)
				count -= before->call[j].count;
		if (count == 0)
			continue;
		printf("%s{\"number\": %" PRIu64 ", \"count\": %" PRIu64 "}", comma, call->number, count);
		comma = ", ";
	}
	printf("]");
}

static void look(struct clocks *clocks)
{
	struct timespec now;

	read_calls(SYSTEM_CALLS, &clocks->system_calls);
	read_calls(IOCTLS, &clocks->ioctls);
	clocks->process_ns = processes_ns();
	clocks->host_ns = domain_ns(0);
	clocks->guest_ns = 0;
	for (int i = 0; i < meter.guest_count; i++)
		clocks->guest_ns += domain_ns(meter.guests[i]);
	clock_gettime(CLOCK_MONOTONIC, &now);
	clocks->elapsed_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Wait until the load says this. */
static void hear(const char *word)
{
	for (;;) {
		unsigned int count;
		char **event, *said = xs_read(meter.store, XBT_NULL, meter.node, &count);

		if (said && strcmp(said, word) == 0) {
			free(said);
			return;
		}
		if (said)
			errx(1, "%s is '%s' but should be '%s'", meter.node, said, word);
		event = xs_read_watch(meter.store, &count);
		if (!event)
			err(1, "xenstore");
		free(event);
	}
}

static void go_on(void)
{
	if (!xs_rm(meter.store, XBT_NULL, meter.node))
		err(1, "%s", meter.node);
}

static void measure_job(void)
{
	static struct clocks before, after;

	hear("begin");
	look(&before);
	go_on();
	hear("end");
	look(&after);
	go_on();
	printf("{\"elapsed_ns\": %" PRIu64 ", \"host_ns\": %" PRIu64 ", \"guest_ns\": %" PRIu64
	       ", \"process_ns\": %" PRIu64,
	       after.elapsed_ns - before.elapsed_ns, after.host_ns - before.host_ns,
	       after.guest_ns - before.guest_ns, after.process_ns - before.process_ns);
	print_calls("system_calls", &before.system_calls, &after.system_calls);
	print_calls("ioctls", &before.ioctls, &after.ioctls);
	printf("}\n");
	fflush(stdout);
}

static void parse_guests(char *list)
{
	for (char *guest = strtok(list, ","); guest; guest = strtok(NULL, ",")) {
		if (meter.guest_count == GUESTS_MAX)
			errx(2, "more than %d guests", GUESTS_MAX);
		meter.guests[meter.guest_count++] = (uint32_t)atoi(guest);
	}
	if (meter.guest_count == 0)
		errx(2, "no guest");
}

int main(int count, char **arguments)
{
	if (count < 3 || count > 3 + PROCESSES_MAX)
		errx(2, "usage: host-meter DOMID[,DOMID...] JOBS [PID...]");
	parse_guests(arguments[1]);
	meter.pid_count = count - 3;
	memcpy(meter.pids, arguments + 3, (size_t)meter.pid_count * sizeof(arguments[0]));
	meter.xen = xc_interface_open(NULL, NULL, 0);
	meter.store = xs_open(0);
	if (!meter.xen || !meter.store)
		err(1, "Xen");
	snprintf(meter.node, sizeof(meter.node), "/local/domain/%u/data/load", meter.guests[0]);
	if (!xs_watch(meter.store, meter.node, "load"))
		err(1, "%s", meter.node);
	for (int i = 0; i < atoi(arguments[2]); i++)
		measure_job();
	return 0;
}
