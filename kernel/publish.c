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
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <xen/evtchn.h>
#include <xen/interface/hvm/dm_op.h>

#include "xen_remap.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

/* A call of the device model's that says what was written: xen/include/public/hvm/dm_op.h, XEN_DMOP_modified_memory. */
struct modified_memory {
	u32 operation;
	u32 reserved;
	u32 extent_count;
	u32 opaque; /* Xen's own, while it carries out a long list */
};

#define MODIFIED_MEMORY 11

/* Extents that are told by one call: Xen is not interrupted by the scheduler meanwhile. */
#define EXTENTS_AT_ONCE 64U

static int report(u32 domain, struct xvhost_remap_extent *extents, u32 count)
{
	struct modified_memory call = {.operation = MODIFIED_MEMORY, .extent_count = count};
	struct xen_dm_op_buf buffers[2];

	set_xen_guest_handle(buffers[0].h, &call);
	buffers[0].size = sizeof(call);
	set_xen_guest_handle(buffers[1].h, extents);
	buffers[1].size = count * sizeof(*extents);
	return HYPERVISOR_dm_op(domain, ARRAY_SIZE(buffers), buffers);
}

/* The list is copied: Xen does not bring in a page of it that is not there. */
static int report_written(const struct xvhost_remap_publication *publication)
{
	const struct xvhost_remap_extent __user *from = u64_to_user_ptr(publication->written);
	struct xvhost_remap_extent extents[EXTENTS_AT_ONCE];
	u32 i, now, left = publication->written_count;
	int error = 0;

	for (; left > 0 && !error; left -= now, from += now) {
		now = min(left, EXTENTS_AT_ONCE);
		if (copy_from_user(extents, from, now * sizeof(*extents)))
			return -EFAULT;
		for (i = 0; i < now; i++)
			if (extents[i].frames > XVHOST_REMAP_MAX_FRAMES)
				return -EINVAL;
		error = report(publication->domain, extents, now);
		if (!error && fatal_signal_pending(current))
			error = -EINTR;
		cond_resched();
	}
	return error;
}

/*
 * Answers 1, or why the frontend could not be notified. The event channels' descriptor is asked as by ioctl(), by whoever could do so
 * itself; of another file this is refused.
 */
static int notify(struct file *channels, struct xvhost_remap_ring __user *ring)
{
	unsigned long argument = (unsigned long)&ring->port;
	long result = -EBADF;

	if (channels) {
		result = security_file_ioctl(channels, IOCTL_EVTCHN_NOTIFY, argument);
		if (!result)
			result = vfs_ioctl(channels, IOCTL_EVTCHN_NOTIFY, argument);
	}
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
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
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

/* -EAGAIN would have io_uring carry it out once more. */
static int answer(int error)
{
	return error == -EAGAIN ? -EIO : error;
}

/*
 * Is carried out by whoever submits it, before that call returns; if it waits for another entry, when that is over. User memory is that of a
 * thread of the process in each case but one, which is refused: what a process that ends has left is given to a thread of the kernel's.
 */
int remap_command(struct io_uring_cmd *command, unsigned int issue_flags)
{
	struct xvhost_remap_publication __user *place;
	struct xvhost_remap_publication publication;
	const u64 *address;
	int error;

	if (command->cmd_op != XVHOST_REMAP_PUBLISH)
		return -ENOTTY;
	if (issue_flags & IO_URING_F_IOPOLL)
		return -EOPNOTSUPP;
	if (current->flags & PF_KTHREAD)
		return -EFAULT;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	address = (const u64 *)command->sqe->cmd;
#else
	address = command->cmd;
#endif
	place = u64_to_user_ptr(READ_ONCE(*address));
	if (copy_from_user(&publication, place, sizeof(publication)))
		return -EFAULT;
	error = answer(publish(command->file, &publication));
	if (put_user((s32)error, &place->result))
		return -EFAULT;
	return error;
}
