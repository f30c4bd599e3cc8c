// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ram backend: memory comes with what is written and goes with what is discarded, piece by piece. A wait is over when the
 * test wants it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "../../backends/disk/ram.c"

#include "check_main.h" /* last: it has a macro called fail */

#define MIB (UINT64_C(1) << 20)
#define DISK_BYTES (100 * MIB)

static unsigned completed, waits;
static int completed_with;
static char text[256];

static void host_complete(struct xvhost_request *request, int error)
{
	(void)request;
	completed++;
	completed_with = error;
}

static void host_wait(struct xvhost_request *request, uint64_t nanoseconds)
{
	(void)request;
	ck_assert_uint_eq(nanoseconds, 0);
	waits++;
}

static void host_fail(struct xvhost_disk *disk, const char *format, ...)
{
	va_list arguments;

	(void)disk;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
}

static const struct xvhost_host host = {
	.size = sizeof(host),
	.abi = XVHOST_BACKEND_ABI,
	.complete = host_complete,
	.wait = host_wait,
	.fail = host_fail,
};

static struct xvhost_disk disk = {.size = sizeof(disk), .host = &host};
static struct xvhost_disk_properties properties;

static void open_disk(uint64_t size_bytes)
{
	const struct ram_config config = {.size_bytes = size_bytes};

	memset(&properties, 0, sizeof(properties));
	ck_assert_int_eq(ram_open(&disk, &config, &properties), 0);
}

/* resident - pages of the disk that take memory. */
static size_t resident(void)
{
	static unsigned char pages[DISK_BYTES / 4096];
	const struct ram *ram = disk.state;
	size_t count = 0;

	ck_assert_int_eq(mincore(ram->memory, DISK_BYTES, pages), 0);
	for (size_t i = 0; i < sizeof(pages); i++)
		count += pages[i] & 1;
	return count;
}

/* carry_out - a request with two pieces of memory, until it is complete. Returns how often it waited. */
static unsigned carry_out(uint32_t operation, uint64_t offset, uint64_t length, char *memory)
{
	struct xvhost_queue queue = {.size = sizeof(queue), .disk = &disk};
	struct iovec pieces[2] = {{memory, 512}, {memory + 512, length - 512}};
	struct ram_request scratch;
	struct xvhost_request request = {.queue = &queue,
					 .operation = operation,
					 .offset = offset,
					 .length = length,
					 .iov = pieces,
					 .iov_count = memory ? 2 : 0,
					 .scratch = &scratch};
	unsigned before = completed, waited = waits, turns = 0;

	ram_submit(&request);
	while (completed == before) {
		ck_assert_uint_eq(waits, waited + ++turns);
		ram_io_done(&request, 0);
	}
	ck_assert_uint_eq(completed, before + 1);
	ck_assert_int_eq(completed_with, 0);
	return turns;
}

START_TEST(takes_what_is_written)
{
	static char data[8192], found[8192], zeroes[8192];

	open_disk(DISK_BYTES);
	ck_assert_uint_eq(properties.size_bytes, DISK_BYTES);
	ck_assert_uint_eq(properties.flags, XVHOST_DISK_DISCARD);
	ck_assert_uint_eq(resident(), 0);
	memset(data, 0x77, sizeof(data));
	carry_out(XVHOST_WRITE, 10 * MIB, sizeof(data), data);
	ck_assert_uint_eq(resident(), 2);
	carry_out(XVHOST_READ, 10 * MIB, sizeof(found), found);
	ck_assert_mem_eq(found, data, sizeof(data));
	carry_out(XVHOST_READ, DISK_BYTES - sizeof(found), sizeof(found), found);
	ck_assert_mem_eq(found, zeroes, sizeof(found));
	ram_close(&disk);
}
END_TEST

START_TEST(gives_back)
{
	static char data[MIB], found[8192];

	open_disk(DISK_BYTES);
	memset(data, 0x77, sizeof(data));
	for (uint64_t at = 0; at < DISK_BYTES; at += MIB)
		carry_out(XVHOST_WRITE, at, MIB, data);
	ck_assert_uint_eq(resident(), DISK_BYTES / 4096);
	/* Of a page that is not wholly discarded nothing is lost. */
	ck_assert_uint_eq(carry_out(XVHOST_DISCARD, 512, 8192, NULL), 0);
	ck_assert_uint_eq(resident(), DISK_BYTES / 4096 - 1);
	carry_out(XVHOST_READ, 8192, sizeof(found), found);
	ck_assert_mem_eq(found, data, sizeof(found));
	carry_out(XVHOST_DISCARD, MIB + 512, 1024, NULL);
	ck_assert_uint_eq(resident(), DISK_BYTES / 4096 - 1);
	ck_assert_uint_eq(carry_out(XVHOST_DISCARD, 0, 32 * MIB, NULL), 1);
	ck_assert_uint_eq(resident(), (DISK_BYTES - 32 * MIB) / 4096);
	ck_assert_uint_eq(carry_out(XVHOST_DISCARD, 0, DISK_BYTES, NULL), 6);
	ck_assert_uint_eq(resident(), 0);
	ram_close(&disk);
}
END_TEST

START_TEST(refused)
{
	const struct ram_config odd = {.size_bytes = 1000}, large = {.size_bytes = UINT64_C(1) << 62};

	ck_assert_int_eq(ram_open(&disk, &odd, &properties), -EINVAL);
	ck_assert_str_eq(text, "parameter size of backend ram is 1000, it must be a multiple of 512");
	ck_assert_int_eq(ram_open(&disk, &large, &properties), -ENOMEM);
	ck_assert_ptr_nonnull(
		strstr(text, "is 4611686018427387904: can't reserve so much: Cannot allocate memory"));
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, takes_what_is_written);
	tcase_add_test(test_case, gives_back);
	tcase_add_test(test_case, refused);
}

CHECK_MAIN("ram", add_tests)
