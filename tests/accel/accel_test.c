// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * accel-test DOMID OTHER FRAME... - uses libxenforeignmemory in ways that programs may, and says what comes of each
 *
 * A scenario runs it with libxvhost-foreignmemory.so and without: both must say the same. FRAMEs, at least 4, are of DOMID and can
 * be mapped; OTHER is another domain.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenforeignmemory.h>
#include <xentoolcore.h>

#define PAGE 4096UL
#define FRAMES 4
#define BAD_FRAME ((1UL << 40) - 1)
#define MANY_HANDLES 40 /* more than are accelerated */
#define NO_GUEST 0x7ff1 /* DOMID_IO: a domain that is the library's alone */

static uint32_t domain, other;
static xen_pfn_t frames[FRAMES];
static xenforeignmemory_handle *foreign;
static sigjmp_buf escape;

static void on_signal(int number)
{
	siglongjmp(escape, number);
}

static int signal_at(const void *page)
{
	int number = sigsetjmp(escape, 1);

	if (number == 0)
		(void)*(const volatile char *)page;
	return number;
}

/* say - what a call has returned. */
static void say(const char *what, bool good, const int *errors)
{
	int error = errno;

	printf("%s: %s", what, good ? "good" : strerror(error));
	for (int i = 0; errors && i < FRAMES; i++)
		printf(" %d", errors[i]);
	putchar('\n');
}

static xenforeignmemory_handle *open_handle(void)
{
	xenforeignmemory_handle *handle = xenforeignmemory_open(NULL, 0);

	if (!handle)
		err(2, "xenforeignmemory_open");
	return handle;
}

static void map_and_unmap(const char *what, uint32_t of, size_t pages, const xen_pfn_t *list,
			  bool want_errors)
{
	int errors[FRAMES] = {1, 1, 1, 1};
	char *mapped = xenforeignmemory_map(foreign, of, PROT_READ | PROT_WRITE, pages, list,
					    want_errors ? errors : NULL);

	say(what, mapped, want_errors ? errors : NULL);
	for (size_t i = 0; mapped && i < pages; i++)
		if (!want_errors || errors[i] == 0)
			printf("page %zu: signal %d\n", i, signal_at(mapped + i * PAGE));
	if (mapped)
		say("unmap", xenforeignmemory_unmap(foreign, mapped, pages) == 0, NULL);
	if (mapped)
		printf("afterwards: signal %d\n", signal_at(mapped));
}

static void lists(void)
{
	xen_pfn_t bad[FRAMES] = {frames[0], BAD_FRAME, frames[2], frames[3]};

	map_and_unmap("good frames", domain, FRAMES, frames, true);
	map_and_unmap("good frames, no errors wanted", domain, FRAMES, frames, false);
	map_and_unmap("a bad frame", domain, FRAMES, bad, true);
	map_and_unmap("a bad frame, no errors wanted", domain, FRAMES, bad, false);
	map_and_unmap("no frames", domain, 0, frames, true);
	map_and_unmap("no guest", NO_GUEST, FRAMES, frames, true);
	map_and_unmap("no domain", 0x7000, FRAMES, frames, true);
	map_and_unmap("another guest, that has no such frame", other, 1, &bad[1], false);
}

/* ---- addresses that the program has chosen ---- */

static char *area;
static atomic_bool ending;
static atomic_ulong stolen;

static void *steal(void *nothing)
{
	while (!ending) {
		void *got = mmap(area, FRAMES * PAGE, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		stolen += got == area;
	}
	return nothing;
}

/* They belong to the program all the time, whatever fails. */
static void fixed_addresses(void)
{
	int errors[FRAMES];
	pthread_t thief;

	area = mmap(NULL, FRAMES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("fixed",
	    xenforeignmemory_map2(foreign, domain, area, PROT_READ, MAP_FIXED, FRAMES, frames, errors) ==
		    area,
	    errors);
	printf("fixed: signal %d\n", signal_at(area));
	if (pthread_create(&thief, NULL, steal, NULL) != 0)
		errx(2, "pthread_create");
	for (int i = 0; i < 3000; i++)
		if (xenforeignmemory_map2(foreign, NO_GUEST, area, PROT_READ, MAP_FIXED, FRAMES, frames,
					  errors) != area)
			err(2, "fixed, no guest");
	ending = true;
	pthread_join(thief, NULL);
	printf("fixed: others got the addresses %lu times\n", stolen);
	munmap(area, FRAMES * PAGE);
}

/* ---- handles ---- */

static void many_handles(void)
{
	xenforeignmemory_handle *many[MANY_HANDLES];
	char *mapped[MANY_HANDLES];
	int errors[FRAMES], good = 0;

	for (int i = 0; i < MANY_HANDLES; i++) {
		many[i] = open_handle();
		mapped[i] = xenforeignmemory_map(many[i], domain, PROT_READ, FRAMES, frames, errors);
	}
	/* By another handle than the one that has mapped; by none that is open. */
	for (int i = 0; i < MANY_HANDLES; i++) {
		xenforeignmemory_close(many[i]);
		good += signal_at(mapped[i]) == 0;
		good += xenforeignmemory_unmap(foreign, mapped[i], FRAMES) == 0;
		good += signal_at(mapped[i]) == SIGSEGV;
	}
	printf("handles: %d\n", good);
}

static void *use_handles(void *good)
{
	for (int i = 0; i < 50; i++) {
		xenforeignmemory_handle *own = open_handle();
		int errors[FRAMES];
		char *mapped = xenforeignmemory_map(own, domain, PROT_READ, FRAMES, frames, errors);

		*(atomic_int *)good += mapped && *(volatile char *)mapped == *mapped;
		*(atomic_int *)good += xenforeignmemory_unmap(own, mapped, FRAMES) == 0;
		*(atomic_int *)good += xenforeignmemory_close(own) == 0;
	}
	return NULL;
}

static void handles_of_threads(void)
{
	pthread_t thread[4];
	atomic_int good = 0;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, use_handles, &good) != 0)
			errx(2, "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	printf("handles of threads: %d\n", good);
}

/* ---- processes ---- */

static int wait_for(pid_t child)
{
	int status = -1;

	if (waitpid(child, &status, 0) != child)
		err(2, "waitpid");
	return status;
}

static void children(void)
{
	int errors[FRAMES];
	char *mapped = xenforeignmemory_map(foreign, domain, PROT_READ, FRAMES, frames, errors);
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		printf("child: signal %d\n", signal_at(mapped));
		lists();
		fflush(stdout);
		_exit(0);
	}
	printf("child: status %d, ours: signal %d\n", wait_for(child), signal_at(mapped));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		execlp("bash", "bash", "-c", "echo started: $(ls -l /proc/$$/fd | grep -c /dev/xen)", NULL);
		_exit(1);
	}
	wait_for(child);
	say("unmap", xenforeignmemory_unmap(foreign, mapped, FRAMES) == 0, NULL);
}

static void restrictions(void)
{
	xenforeignmemory_handle *before = foreign;

	foreign = open_handle();
	say("restrict", xenforeignmemory_restrict(foreign, (domid_t)domain) == 0, NULL);
	map_and_unmap("own", domain, FRAMES, frames, false);
	map_and_unmap("other", other, FRAMES, frames, false);
	say("restrict to another", xenforeignmemory_restrict(foreign, (domid_t)other) == 0, NULL);
	xenforeignmemory_close(foreign);
	foreign = before;
	say("restrict all", xentoolcore_restrict_all((domid_t)domain) == 0, NULL);
	map_and_unmap("own", domain, FRAMES, frames, false);
	map_and_unmap("other", other, FRAMES, frames, false);
	map_and_unmap("no domain", 0x7000, FRAMES, frames, false);
}

int main(int count, char **arguments)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (count != 3 + FRAMES)
		errx(2, "usage: accel-test DOMID OTHER FRAME FRAME FRAME FRAME");
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	domain = (uint32_t)atoi(arguments[1]);
	other = (uint32_t)atoi(arguments[2]);
	for (int i = 0; i < FRAMES; i++)
		frames[i] = strtoul(arguments[3 + i], NULL, 0);
	foreign = open_handle();
	lists();
	fixed_addresses();
	many_handles();
	handles_of_threads();
	children();
	restrictions();
	xenforeignmemory_close(foreign);
	return 0;
}
