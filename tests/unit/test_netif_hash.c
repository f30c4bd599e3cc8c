// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hashes of packets: the values of the suite that Microsoft has published for RSS, what is hashed of which packet, and what a guest may
 * ask for.
 */
#include <arpa/inet.h>
#include <string.h>
#include <xen/io/netif.h>

#include "check_main.h"
#include "rings/netif_hash.h"

#define ALL                                                                                                  \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | XEN_NETIF_CTRL_HASH_TYPE_IPV6 | \
	 XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

enum {
	TCP = 6,
	UDP = 17,
};

static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
				0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
				0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
				0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct {
	const char *source, *destination;
	uint16_t source_port, destination_port;
	uint32_t addresses, all; /* the hashes */
} known[] = {
	{"66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178},
	{"199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea},
	{"24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a},
	{"38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f},
	{"153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2},
	{"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d},
	{"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf},
	{"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x4b61e985,
	 0x02d1feef},
};

#define SUITE ((int)(sizeof(known) / sizeof(known[0])))

static struct netif_hash *hash;
static uint8_t packet[128];
static uint32_t network, transport;

static void start(void)
{
	hash = netif_hash_create(3);
	ck_assert_ptr_nonnull(hash);
	ck_assert_uint_eq(netif_hash_set_algorithm(hash, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ), 0);
	ck_assert_uint_eq(netif_hash_set_flags(hash, ALL), 0);
	netif_hash_set_key(hash, key, sizeof(key));
}

static void stop(void)
{
	netif_hash_free(hash);
}

static bool is_v6(int index)
{
	return strchr(known[index].source, ':') != NULL;
}

/* make - the packet of the suite, with so many VLAN tags, and behind so many bytes of options of IP. */
static void make(int index, uint8_t protocol, uint32_t tags, uint32_t options)
{
	bool v6 = is_v6(index);
	const uint8_t ports[4] = {(uint8_t)(known[index].source_port >> 8), (uint8_t)known[index].source_port,
				  (uint8_t)(known[index].destination_port >> 8),
				  (uint8_t)known[index].destination_port};

	memset(packet, 0, sizeof(packet));
	network = 14 + 4 * tags;
	for (uint32_t i = 0; i < tags; i++)
		packet[12 + 4 * i] = 0x81;
	packet[network - 2] = v6 ? 0x86 : 0x08;
	packet[network - 1] = v6 ? 0xdd : 0;
	packet[network] = v6 ? 0x60 : (uint8_t)(0x45 + options / 4);
	packet[network + (v6 ? 6 : 9)] = protocol;
	ck_assert_int_eq(
		inet_pton(v6 ? AF_INET6 : AF_INET, known[index].source, packet + network + (v6 ? 8 : 12)), 1);
	ck_assert_int_eq(inet_pton(v6 ? AF_INET6 : AF_INET, known[index].destination,
				   packet + network + (v6 ? 24 : 16)),
			 1);
	transport = network + (v6 ? 40 : 20) + options;
	memcpy(packet + transport, ports, sizeof(ports));
	packet[transport + 12] = 5 << 4;
}

static void expect_of(uint32_t available, uint8_t type, uint32_t value)
{
	struct netif_hash_value seen = netif_hash_packet(hash, packet, available);

	ck_assert(seen.there);
	ck_assert_uint_eq(seen.type, type);
	ck_assert_uint_eq(seen.value, value);
}

static void expect(uint8_t type, uint32_t value)
{
	expect_of(sizeof(packet), type, value);
}

static void expect_none(void)
{
	ck_assert(!netif_hash_packet(hash, packet, sizeof(packet)).there);
}

static uint8_t type_of_addresses(int index)
{
	return is_v6(index) ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6 : _XEN_NETIF_CTRL_HASH_TYPE_IPV4;
}

static uint8_t type_of_all(int index)
{
	return is_v6(index) ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP : _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
}

/* ---- packets ---- */

START_TEST(published)
{
	make(_i, TCP, 0, 0);
	expect(type_of_all(_i), known[_i].all);
	make(_i, UDP, 0, 0);
	expect(type_of_addresses(_i), known[_i].addresses);
	make(_i, TCP, 2, 0);
	expect(type_of_all(_i), known[_i].all);
}
END_TEST

/* Of those that the guest wants, the one that says most. */
START_TEST(types)
{
	make(_i, TCP, 0, 0);
	ck_assert_uint_eq(netif_hash_set_flags(hash, 1u << type_of_addresses(_i)), 0);
	expect(type_of_addresses(_i), known[_i].addresses);
	ck_assert_uint_eq(netif_hash_set_flags(hash, 1u << type_of_all(_i)), 0);
	expect(type_of_all(_i), known[_i].all);
	make(_i, UDP, 0, 0);
	expect_none();
	/* Those of the other version. */
	ck_assert_uint_eq(netif_hash_set_flags(hash, is_v6(_i) ? 3 : 12), 0);
	expect_none();
	make(_i, TCP, 0, 0);
	expect_none();
}
END_TEST

/* Behind options of IPv4, and other headers of IPv6, TCP is found. */
START_TEST(options)
{
	make(0, TCP, 0, 40);
	expect(type_of_all(0), known[0].all);
	make(6, 60, 0, 8);
	packet[network + 40] = TCP;
	expect(type_of_all(6), known[6].all);
}
END_TEST

/* A fragment has no ports that others of it have, too; nor has what ends before them. */
START_TEST(without_ports)
{
	make(1, TCP, 0, 0);
	packet[network + 6] = 0x20;
	expect(type_of_addresses(1), known[1].addresses);
	packet[network + 6] = 0;
	packet[network + 7] = 100;
	expect(type_of_addresses(1), known[1].addresses);
	make(7, 44, 0, 8);
	packet[network + 40] = TCP;
	packet[network + 43] = 1;
	expect(type_of_addresses(7), known[7].addresses);
	make(1, TCP, 0, 0);
	expect_of(transport + 19, type_of_addresses(1), known[1].addresses);
	expect_of(transport + 20, type_of_all(1), known[1].all);
	expect_of(network + 20, type_of_addresses(1), known[1].addresses);
}
END_TEST

START_TEST(no_ip)
{
	make(0, TCP, 0, 0);
	ck_assert(!netif_hash_packet(hash, packet, network + 19).there);
	ck_assert(!netif_hash_packet(hash, packet, 14).there);
	packet[13] = 6; /* ARP */
	expect_none();
	make(0, TCP, 0, 0);
	packet[network] = 0x65;
	expect_none();
	make(5, TCP, 0, 0);
	ck_assert(!netif_hash_packet(hash, packet, network + 39).there);
	packet[network] = 0x45;
	expect_none();
	make(0, TCP, 3, 0);
	expect_none();
}
END_TEST

/* What is missing of a key is 0, and so is the hash of no key at all. */
START_TEST(short_keys)
{
	static const uint8_t bit[1] = {0x80};

	make(0, TCP, 0, 0);
	netif_hash_set_key(hash, NULL, 0);
	expect(type_of_all(0), 0);
	/* Its first window is 1 << 31, the next are 0: the first bit of the first address, which is 66. */
	netif_hash_set_key(hash, bit, 1);
	expect(type_of_all(0), 0);
	packet[network + 12] |= 0x80;
	expect(type_of_all(0), 0x80000000);
	netif_hash_set_key(hash, key, sizeof(key));
	packet[network + 12] &= 0x7f;
	expect(type_of_all(0), known[0].all);
}
END_TEST

/* ---- what a guest may ask for ---- */

START_TEST(algorithms)
{
	uint32_t flags;

	ck_assert(netif_hash_on(hash));
	ck_assert_uint_eq(netif_hash_set_algorithm(hash, 2), XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(netif_hash_set_algorithm(hash, UINT32_MAX),
			  XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert(netif_hash_on(hash));
	ck_assert_uint_eq(netif_hash_get_flags(hash, &flags), 0);
	ck_assert_uint_eq(flags, ALL);
	ck_assert_uint_eq(netif_hash_set_flags(hash, ALL + 1), XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert(netif_hash_on(hash));
	ck_assert_uint_eq(netif_hash_set_flags(hash, 0), 0);
	ck_assert(!netif_hash_on(hash));
	ck_assert_uint_eq(netif_hash_set_flags(hash, 1), 0);
	ck_assert_uint_eq(netif_hash_set_algorithm(hash, XEN_NETIF_CTRL_HASH_ALGORITHM_NONE), 0);
	ck_assert(!netif_hash_on(hash));
	ck_assert_uint_eq(netif_hash_get_flags(hash, &flags), XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED);
	ck_assert_uint_eq(netif_hash_set_flags(hash, 1), XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED);
}
END_TEST

START_TEST(keys)
{
	ck_assert_uint_eq(netif_hash_check_key(0), 0);
	ck_assert_uint_eq(netif_hash_check_key(40), 0);
	ck_assert_uint_eq(netif_hash_check_key(41), XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);
	ck_assert_uint_eq(netif_hash_check_key(UINT32_MAX), XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);
}
END_TEST

/* The mapping lies where it was set, and beyond its size nothing can be set (XSA-270, where the sum of size and offset overflowed). */
START_TEST(mappings)
{
	static const uint32_t entries[] = {2, 0, 1}, wrong[] = {1, 1, 3};

	ck_assert_uint_eq(netif_hash_queue(hash, 7), 1);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, 1, 0), XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, 0, 0), 0);
	ck_assert_uint_eq(netif_hash_set_mapping_size(hash, NETIF_HASH_MAPPING_MAX + 1),
			  XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(netif_hash_set_mapping_size(hash, 5), 0);
	ck_assert_uint_eq(netif_hash_queue(hash, 7), 0);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, 3, 2), 0);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, 3, 3), XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, 2, UINT32_MAX),
			  XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, UINT32_MAX, 2),
			  XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, 129, 0), XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);
	ck_assert_uint_eq(netif_hash_set_mapping(hash, entries, 3, 2), 0);
	ck_assert_uint_eq(netif_hash_queue(hash, 5 + 2), 2);
	ck_assert_uint_eq(netif_hash_queue(hash, 10 + 3), 0);
	ck_assert_uint_eq(netif_hash_queue(hash, 15 + 4), 1);
	ck_assert_uint_eq(netif_hash_queue(hash, 20 + 1), 0);
	/* What is wrong in part changes nothing. */
	ck_assert_uint_eq(netif_hash_set_mapping(hash, wrong, 3, 2), XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(netif_hash_queue(hash, 2), 2);
	/* A new size is a new mapping. */
	ck_assert_uint_eq(netif_hash_set_mapping_size(hash, 128), 0);
	for (uint32_t i = 0; i < 128; i++)
		ck_assert_uint_eq(netif_hash_queue(hash, i), 0);
	ck_assert_uint_eq(netif_hash_check_mapping(hash, 128, 0), 0);
	ck_assert_uint_eq(netif_hash_set_mapping_size(hash, 0), 0);
	ck_assert_uint_eq(netif_hash_queue(hash, 8), 2);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, start, stop);
	tcase_add_loop_test(test_case, published, 0, SUITE);
	tcase_add_loop_test(test_case, types, 0, SUITE);
	tcase_add_test(test_case, options);
	tcase_add_test(test_case, without_ports);
	tcase_add_test(test_case, no_ip);
	tcase_add_test(test_case, short_keys);
	tcase_add_test(test_case, algorithms);
	tcase_add_test(test_case, keys);
	tcase_add_test(test_case, mappings);
}

CHECK_MAIN("netif: hashes", add_tests)
