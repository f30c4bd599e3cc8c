// SPDX-License-Identifier: GPL-2.0
/*
 * What a server of rings does at the end of a turn, by one command of io_uring: tell Xen which frames were written to, show
 * responses, notify frontends. By itself each of these is a call of its own, and in a PV domain a call changes page tables twice.
 *
 * Nothing is done here that the caller could not do: the frames are those of a domain that its descriptor may map, rings are
 * written and read as the caller's own memory, and the event channels are those of a descriptor of /dev/xen/evtchn, which is
 * asked as by ioctl() and looks for itself whether the port is one of its own.
 */
#include <asm/xen/hypercall.h>
#include <linux/file.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <xen/evtchn.h>
#include <xen/interface/hvm/dm_op.h>

#include "xen_remap.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

#ifndef IOCTL_EVTCHN_NOTIFY
#include <uapi/xen/evtchn.h>
#endif

/* A call of the device model's that says what was written: xen/include/public/hvm/dm_op.h, XEN_DMOP_modified_memory. */
struct modified_memory {
	u32 operation;
	u32 reserved;
	u32 extent_count;
	u32 opaque; /* Xen's own, while it carries out a long list */
};

#define MODIFIED_MEMORY 11

/* Xen reads the list where the caller has it. */
static int report_written(const struct xvhost_remap_publication *publication)
{
	struct modified_memory call = {.operation = MODIFIED_MEMORY,
				       .extent_count = publication->written_count};
	void __user *extents = u64_to_user_ptr(publication->written);
	size_t bytes = publication->written_count * sizeof(struct xvhost_remap_extent);
	struct xen_dm_op_buf buffers[2];

	if (publication->written_count == 0)
		return 0;
	if (!access_ok(extents, bytes))
		return -EFAULT;
	set_xen_guest_handle(buffers[0].h, &call);
	buffers[0].size = sizeof(call);
	set_xen_guest_handle(buffers[1].h, (void __force *)extents);
	buffers[1].size = bytes;
	return HYPERVISOR_dm_op(publication->domain, ARRAY_SIZE(buffers), buffers);
}

/* Answers 1, or why the frontend could not be notified. */
static int notify(struct file *channels, struct xvhost_remap_ring __user *ring)
{
	long result = -EBADF;

	if (channels && channels->f_op->unlocked_ioctl)
		result = channels->f_op->unlocked_ioctl(channels, IOCTL_EVTCHN_NOTIFY,
							(unsigned long)&ring->port);
	return put_user(result < 0 ? (s32)result : 1, &ring->result);
}

/*
 * Returns 1 if the frontend has asked to be notified of what this shows, else 0, or a negative errno. The frontend sets its
 * event and then looks for responses; we do the same crosswise.
 */
static int show(const struct xvhost_remap_ring *ring)
{
	u32 event;

	virt_wmb();
	if (put_user(ring->now, (u32 __user *)u64_to_user_ptr(ring->producer)))
		return -EFAULT;
	virt_mb();
	if (get_user(event, (u32 __user *)u64_to_user_ptr(ring->event)))
		return -EFAULT;
	return ring->now - event < ring->now - ring->before;
}

/* The last of some rings with one port notifies for all of them. */
static int show_rings(struct file *channels, struct xvhost_remap_ring __user *rings, u32 count)
{
	int wanted = 0;
	u32 i, port = 0;

	for (i = 0; i < count; i++) {
		struct xvhost_remap_ring ring;
		int asked;

		if (copy_from_user(&ring, &rings[i], sizeof(ring)))
			return -EFAULT;
		if (wanted && ring.port != port) {
			if (notify(channels, &rings[i - 1]))
				return -EFAULT;
			wanted = 0;
		}
		asked = show(&ring);
		if (asked < 0 || put_user(0, &rings[i].result))
			return -EFAULT;
		wanted |= asked;
		port = ring.port;
	}
	return wanted ? notify(channels, &rings[count - 1]) : 0;
}

static int publish(struct file *file, const struct xvhost_remap_publication *publication)
{
	struct xvhost_remap_ring __user *rings = u64_to_user_ptr(publication->rings);
	struct file *channels;
	int error;

	if (publication->written_count > XVHOST_REMAP_MAX_EXTENTS ||
	    publication->ring_count > XVHOST_REMAP_MAX_RINGS || publication->reserved != 0 ||
	    publication->domain >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (!may_map(file, publication->domain))
		return -EPERM;
	error = report_written(publication);
	if (error || publication->ring_count == 0)
		return error;
	channels = fget(publication->event_channels);
	error = show_rings(channels, rings, publication->ring_count);
	if (channels)
		fput(channels);
	return error;
}

/* Is carried out by whoever submits it, before that call returns. */
int remap_command(struct io_uring_cmd *command, unsigned int issue_flags)
{
	struct xvhost_remap_publication __user *place;
	struct xvhost_remap_publication publication;
	const u64 *address;
	int error;

	if (command->cmd_op != XVHOST_REMAP_PUBLISH)
		return -ENOTTY;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	address = io_uring_sqe_cmd(command->sqe);
#else
	address = command->cmd;
#endif
	place = u64_to_user_ptr(READ_ONCE(*address));
	if (copy_from_user(&publication, place, sizeof(publication)))
		return -EFAULT;
	error = publish(command->file, &publication);
	if (put_user((s32)error, &place->result))
		return -EFAULT;
	return error;
}
