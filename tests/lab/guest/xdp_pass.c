// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdp-pass INTERFACE - runs an XDP program on each packet that comes by this interface of a guest, until it is ended by a signal
 *
 * The program lets IPv4, IPv6 and ARP pass and drops all else. So nothing passes if packets do not lie where Linux's driver has told
 * XDP they do, behind the headroom. Prints "attached" when it is.
 */
#include <err.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TYPE_OFFSET 12 /* of an Ethernet header's type */
#define HEADER_BYTES 14

/* Code, destination, source, offset, value. A jump's offset counts from the instruction after it. */
static const struct bpf_insn instructions[] = {
	{BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, data), 0},
	{BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1, offsetof(struct xdp_md, data_end), 0},
	{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_2, 0, 0},
	{BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, HEADER_BYTES},
	{BPF_JMP | BPF_JGT | BPF_X, BPF_REG_4, BPF_REG_3, 5, 0}, /* to drop */
	{BPF_LDX | BPF_MEM | BPF_H, BPF_REG_5, BPF_REG_2, TYPE_OFFSET, 0},
	{BPF_ALU | BPF_END | BPF_TO_BE, BPF_REG_5, 0, 0, 16},
	{BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_5, 0, 4, 0x0800}, /* to pass */
	{BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_5, 0, 3, 0x0806},
	{BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_5, 0, 2, 0x86dd},
	{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_DROP}, /* drop */
	{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
	{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS}, /* pass */
	{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
};

static int load(void)
{
	static char log[4096];
	union bpf_attr attr;
	long made;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.expected_attach_type = BPF_XDP;
	attr.insns = (uintptr_t)instructions;
	attr.insn_cnt = sizeof(instructions) / sizeof(instructions[0]);
	attr.license = (uintptr_t) "GPL";
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	made = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (made < 0)
		err(1, "the program can't be loaded: %s", log);
	return (int)made;
}

#define DRIVER_MODE (1u << 2) /* XDP_FLAGS_DRV_MODE of linux/if_link.h, which does not go with net/if.h */

/* attach - until the link that is returned is closed. Not by the kernel's generic way, which needs nothing of the driver. */
static long attach(int program, const char *interface)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_ifindex = if_nametoindex(interface);
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = DRIVER_MODE;
	return syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

int main(int count, char *words[])
{
	if (count != 2)
		errx(2, "usage: xdp-pass INTERFACE");
	if (attach(load(), words[1]) < 0)
		err(1, "the program can't be attached to %s", words[1]);
	puts("attached");
	fflush(stdout);
	for (;;)
		pause();
}
