// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - the memory of requests, which faults when it is touched at the wrong time
 */
#include "try/conform/memory.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "try/conform/report.h"

#define PAGE 4096u
#define SCRATCH_MAX 4096u
#define STACK_BYTES (64u << 10) /* of the signal handler */

/* Where the parts of an arena begin. A page that is never opened follows each. */
enum {
	AT_REQUEST = PAGE,
	AT_IOV = AT_REQUEST + 2 * PAGE,
	AT_SCRATCH = AT_IOV + CONFORM_IOV_MAX * sizeof(struct iovec) + PAGE,
	AT_DATA = AT_SCRATCH + SCRATCH_MAX + PAGE,
	ARENA_BYTES = AT_DATA + CONFORM_SPAN_BYTES + PAGE
};

static_assert(CONFORM_IOV_MAX * sizeof(struct iovec) % PAGE == 0, "the iovecs end at a page's end");

static uint8_t *arenas;
static bool taken[CONFORM_ARENAS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

const struct conform_memory_user *conform_memory_user;

/* ---- faults ---- */

/* part_name - what lies at this place of an arena. */
static const char *part_name(size_t at)
{
	if (at >= AT_DATA)
		return at < ARENA_BYTES - PAGE ? "the data" : "memory behind the data";
	if (at >= AT_SCRATCH)
		return at < AT_DATA - PAGE ? conform_memory_user->scratch : "memory behind the scratch";
	if (at >= AT_IOV)
		return at < AT_SCRATCH - PAGE ? "the iovecs" : "memory behind the last iovec";
	return conform_memory_user->structure;
}

/* code_name - where in which file an instruction lies, as addr2line(1) takes it. */
static void code_name(const ucontext_t *context, char *text, size_t size)
{
	Dl_info info;

	text[0] = '\0';
#ifdef __x86_64__
	uintptr_t at = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];

	if (dladdr((void *)at, &info) && info.dli_fname)
		snprintf(text, size, ", by the code at %s+0x%zx", info.dli_fname,
			 (size_t)(at - (uintptr_t)info.dli_fbase));
#else
	(void)context;
	(void)size;
	(void)info;
#endif
}

/* fault - a part of an arena was touched while it was closed. */
static noreturn void fault(uint32_t arena, size_t at, bool written, const char *code)
{
	char request[200];
	bool live = conform_memory_user->describe(arena, request, sizeof(request));
	const char *part = part_name(at);

	if (!live)
		conform_broken(CONFORM_MEMORY, "%s of %s was touched after %s%s", part, request,
			       conform_memory_user->end, code);
	if (at >= AT_DATA && at < ARENA_BYTES - PAGE && !written)
		conform_broken(CONFORM_MEMORY, "memory behind the data of %s was touched%s", request, code);
	if (at >= AT_DATA && at < ARENA_BYTES - PAGE)
		conform_broken(CONFORM_MEMORY, "the data of %s, which may only be read, was written%s",
			       request, code);
	conform_broken(CONFORM_MEMORY, "%s of %s was touched%s", part, request, code);
}

/* was_written - did the access that faulted write? Where that can't be told, it did. */
static bool was_written(const ucontext_t *context)
{
#ifdef __x86_64__
	return context->uc_mcontext.gregs[REG_ERR] & 2;
#else
	(void)context;
	return true;
#endif
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr, begin = (uintptr_t)arenas;
	char code[300];

	code_name(context, code, sizeof(code));
	if (number == SIGSEGV && address >= begin &&
	    address < begin + (size_t)CONFORM_ARENAS_MAX * ARENA_BYTES)
		fault((uint32_t)((address - begin) / ARENA_BYTES), (address - begin) % ARENA_BYTES,
		      was_written(context), code);
	/* Its number is that of the promise that was looked at; conform.c puts it there. */
	conform_broken(CONFORM_PROMISES, "crashed: %s%s%s%s", strsignal(number),
		       number == SIGABRT ? "" : code, conform_report->doing[0] ? ", in " : "",
		       conform_report->doing);
}

void conform_memory_catch(void)
{
	static _Thread_local uint8_t stack[STACK_BYTES];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)}, present;

	/* The address sanitizer has its own, and wants it back. */
	if (sigaltstack(NULL, &present) == 0 && (present.ss_flags & SS_DISABLE))
		sigaltstack(&alternate, NULL);
}

/* ---- arenas ---- */

void conform_memory_init(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	arenas = mmap(NULL, (size_t)CONFORM_ARENAS_MAX * ARENA_BYTES, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arenas == MAP_FAILED)
		conform_skip("no memory for requests");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	conform_memory_catch();
}

void conform_arena_take(struct conform_arena *arena, uint32_t scratch_bytes)
{
	uint32_t number = 0, aligned = (scratch_bytes + 15u) & ~15u;
	uint8_t *base;

	assert(aligned <= SCRATCH_MAX);
	pthread_mutex_lock(&lock);
	while (number < CONFORM_ARENAS_MAX && taken[number])
		number++;
	assert(number < CONFORM_ARENAS_MAX);
	taken[number] = true;
	pthread_mutex_unlock(&lock);
	base = arenas + (size_t)number * ARENA_BYTES;
	*arena = (struct conform_arena){
		.number = number,
		.request = (struct xvhost_request *)(void *)(base + AT_REQUEST),
		.iov = (struct iovec *)(void *)(base + AT_IOV),
		.scratch = base + AT_SCRATCH + SCRATCH_MAX - aligned,
		.scratch_bytes = aligned,
		.data = base + AT_DATA,
	};
}

void conform_arena_give_back(const struct conform_arena *arena)
{
	uint8_t *base = arenas + (size_t)arena->number * ARENA_BYTES;

	/* Mapped anew, so that what lay there costs no memory any more. */
	if (mmap(base, ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		conform_skip("no memory for requests");
	pthread_mutex_lock(&lock);
	taken[arena->number] = false;
	pthread_mutex_unlock(&lock);
}

struct iovec *conform_arena_iov(const struct conform_arena *arena, uint32_t count)
{
	return arena->iov + CONFORM_IOV_MAX - count;
}

static void protect(uint8_t *base, size_t at, size_t size, int protection)
{
	if (mprotect(base + at, size, protection) < 0)
		conform_skip("mprotect: no memory for requests");
}

void conform_arena_access(struct conform_arena *arena, enum conform_access access)
{
	static const struct {
		int all, data;
	} protections[] = {
		[CONFORM_CLOSED] = {PROT_NONE, PROT_NONE},
		[CONFORM_OPEN_ALL] = {PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE},
		[CONFORM_OPEN_DATA] = {PROT_NONE, PROT_READ | PROT_WRITE},
		[CONFORM_DATA_READABLE] = {PROT_READ | PROT_WRITE, PROT_READ},
		[CONFORM_DATA_WRITABLE] = {PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE},
	};
	int protection = protections[access].all, data_protection = protections[access].data;
	uint8_t *base = arenas + (size_t)arena->number * ARENA_BYTES;

	if (protection != arena->protection) {
		protect(base, AT_REQUEST, PAGE, protection);
		protect(base, AT_IOV, CONFORM_IOV_MAX * sizeof(struct iovec), protection);
		protect(base, AT_SCRATCH, SCRATCH_MAX, protection);
	}
	if (data_protection != arena->data_protection && arena->data_used > 0)
		protect(base, AT_DATA, (arena->data_used + PAGE - 1) & ~(PAGE - 1), data_protection);
	arena->protection = protection;
	arena->data_protection = data_protection;
}

int conform_arena_of(const void *request)
{
	uintptr_t address = (uintptr_t)request, begin = (uintptr_t)arenas;

	if (address < begin || address >= begin + (size_t)CONFORM_ARENAS_MAX * ARENA_BYTES ||
	    (address - begin) % ARENA_BYTES != AT_REQUEST || !taken[(address - begin) / ARENA_BYTES])
		return -1;
	return (int)((address - begin) / ARENA_BYTES);
}
