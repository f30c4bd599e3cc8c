// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/xen/remap: who may do what, and the addresses that mmap() reserves. include/xvhost/remap.h tells how it is used.
 *
 * The kernel's own memory code must never touch an entry of a reservation, except to clear it when the mapping ends. For
 * a PV domain the entries hold machine frames of somebody else, which it can neither translate nor write again. Hence a
 * reservation can't be moved, split, protected otherwise, or copied, and each such wish is refused before it changes
 * anything.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compat.h>
#include <linux/miscdevice.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <xen/features.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "xen_remap.h"

/* Offset of all reservations in the file, in pages. mmap() is called with 0, so this one tells mremap(). */
#define RESERVED_OFFSET (1UL << 32)

/* No restriction; no domain has this number. */
#define ANY_DOMAIN U32_MAX

/* An open file. */
struct descriptor {
	u32 domain; /* the only one whose frames it maps, or ANY_DOMAIN */
};

const struct way *remap_way;

/* ---- reservations ---------------------------------------------------------------------------------------------- */

static void reservation_open(struct vm_area_struct *vma)
{
	struct reservation *reservation = vma->vm_private_data;

	refcount_inc(&reservation->users);
}

static void reservation_close(struct vm_area_struct *vma)
{
	struct reservation *reservation = vma->vm_private_data;

	if (!refcount_dec_and_test(&reservation->users))
		return;
	if (remap_way->release)
		remap_way->release(reservation);
	xa_destroy(&reservation->pages);
	mutex_destroy(&reservation->lock);
	kfree(reservation);
}

/* munmap(), mprotect() and others on a part. */
static int reservation_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int reservation_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
				unsigned long flags)
{
	return -EACCES;
}

/* A page at which nothing is mapped. */
static vm_fault_t reservation_fault(struct vm_fault *fault)
{
	return VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct reservation_operations = {
	.open = reservation_open,
	.close = reservation_close,
	.may_split = reservation_may_split,
	.mprotect = reservation_mprotect,
	.fault = reservation_fault,
};

/* The VMA of the reservation, made through this file, that has all of these addresses. With the mmap lock held. */
struct vm_area_struct *find_reservation(struct file *file, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = find_vma(current->mm, start);

	if (!vma || vma->vm_ops != &reservation_operations || vma->vm_file != file)
		return NULL;
	return start >= vma->vm_start && end <= vma->vm_end ? vma : NULL;
}

static int remap_mmap(struct file *file, struct vm_area_struct *vma)
{
	const unsigned long flags = VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP;
	struct reservation *reservation;

	/*
	 * Private pages would have to be copied when written, which needs a struct page. Entries of pages that can't be
	 * accessed at all would be no mappings in Xen's eyes, but some in the kernel's.
	 */
	if (vma->vm_pgoff != 0 || !(vma->vm_flags & VM_MAYSHARE) || !(vma->vm_flags & (VM_READ | VM_WRITE)))
		return -EINVAL;
	reservation = kzalloc(sizeof(*reservation), GFP_KERNEL);
	if (!reservation)
		return -ENOMEM;
	refcount_set(&reservation->users, 1);
	mutex_init(&reservation->lock);
	xa_init(&reservation->pages);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
	vma->vm_pgoff = RESERVED_OFFSET;
	vma->vm_ops = &reservation_operations;
	vma->vm_private_data = reservation;
	return 0;
}

/* The kernel's choice of free addresses. */
static unsigned long free_addresses(struct file *file, unsigned long address, unsigned long length,
				    unsigned long offset, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return mm_get_unmapped_area(current->mm, file, address, length, offset, flags);
#else
	return current->mm->get_unmapped_area(file, address, length, offset, flags);
#endif
}

/*
 * Where mmap() is to put a reservation. One that fills page tables begins with one, so that these can be emptied as a
 * whole. mremap() asks, too, before it moves anything, and is refused.
 */
static unsigned long remap_get_unmapped_area(struct file *file, unsigned long address, unsigned long length,
					     unsigned long offset, unsigned long flags)
{
	unsigned long place;

	if (offset >= RESERVED_OFFSET)
		return -EINVAL;
	if (length >= PMD_SIZE && !(flags & MAP_FIXED)) {
		place = free_addresses(file, address, length + PMD_SIZE - PAGE_SIZE, offset, flags);
		if (!IS_ERR_VALUE(place))
			return ALIGN(place, PMD_SIZE);
	}
	return free_addresses(file, address, length, offset, flags);
}

/* ---- the device ------------------------------------------------------------------------------------------------ */

/*
 * In Dom0 a descriptor can map from any guest. In another domain it is restricted as privcmd's is: to the domain that
 * ours is there to serve, as a device model's domain, which its "target" in xenstore names.
 */
static int remap_open(struct inode *inode, struct file *file)
{
	struct descriptor *descriptor;
	u32 domain = ANY_DOMAIN;

	if (!xen_initial_domain() && xenbus_scanf(XBT_NIL, "target", "", "%u", &domain) != 1)
		return -EPERM;
	descriptor = kzalloc(sizeof(*descriptor), GFP_KERNEL);
	if (!descriptor)
		return -ENOMEM;
	descriptor->domain = domain;
	file->private_data = descriptor;
	return 0;
}

static int remap_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

bool may_map(struct file *file, u32 domain)
{
	const struct descriptor *descriptor = file->private_data;
	u32 only = READ_ONCE(descriptor->domain);

	return only == ANY_DOMAIN || only == domain;
}

static long remap_restrict(struct file *file, const void __user *argument)
{
	struct descriptor *descriptor = file->private_data;
	struct xvhost_remap_restriction restriction;
	u32 before;

	if (copy_from_user(&restriction, argument, sizeof(restriction)))
		return -EFAULT;
	if (restriction.reserved != 0 || restriction.domain >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	before = cmpxchg(&descriptor->domain, ANY_DOMAIN, restriction.domain);
	return before == ANY_DOMAIN || before == restriction.domain ? 0 : -EPERM;
}

static long remap_list(struct file *file, enum list_kind kind, void __user *argument)
{
	struct xvhost_remap_list list;
	long result;

	if (copy_from_user(&list, argument, sizeof(list)))
		return -EFAULT;
	result = carry_out_list(file, kind, &list);
	if (copy_to_user(argument, &list, sizeof(list)))
		return -EFAULT;
	return result;
}

static long remap_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *pointer = (void __user *)argument;

	switch (command) {
	case XVHOST_REMAP_MAP_LIST:
		return remap_list(file, LIST_MAP, pointer);
	case XVHOST_REMAP_UNMAP_LIST:
		return remap_list(file, LIST_UNMAP, pointer);
	case XVHOST_REMAP_REPLACE_LIST:
		return remap_list(file, LIST_REPLACE, pointer);
	case XVHOST_REMAP_RESTRICT:
		return remap_restrict(file, pointer);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations remap_operations = {
	.owner = THIS_MODULE,
	.open = remap_open,
	.release = remap_release,
	.mmap = remap_mmap,
	.get_unmapped_area = remap_get_unmapped_area,
	.unlocked_ioctl = remap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = remap_command,
};

static struct miscdevice remap_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "xen/remap",
	.fops = &remap_operations,
	.mode = 0600,
};

static int __init remap_init(void)
{
	int error;

	if (!xen_domain())
		return -ENODEV;
	remap_way = xen_feature(XENFEAT_auto_translated_physmap) ? &translated_way : &pv_way;
	error = misc_register(&remap_device);
	if (!error)
		pr_info("maps guest memory the %s way\n", remap_way->name);
	return error;
}

static void __exit remap_exit(void)
{
	misc_deregister(&remap_device);
}

module_init(remap_init);
module_exit(remap_exit);

MODULE_DESCRIPTION("Maps pages of other Xen domains by long lists");
MODULE_LICENSE("GPL");
MODULE_ALIAS("devname:xen/remap");
