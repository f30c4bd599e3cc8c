// SPDX-License-Identifier: GPL-2.0
/*
 * lab_revoke.c - a module for a guest that is hostile to those who use its grants
 *
 * As long as it is loaded it withdraws grants of the guest's other drivers, points them at another page or at a frame that
 * is not the guest's, and makes them read-only, at random and without regard to whether they are in use. The console's
 * grants and xenstore's, which have fixed numbers, are spared.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <xen/xen.h>

#define FIRST_GRANT 8	      /* of those that are given to drivers */
#define LAST_GRANT 511	      /* of a table of one page, which each guest has */
#define FRAMES (1U << 21)     /* 8 GiB: what the machine has, and beyond */
#define FRAMES_OWN (1U << 16) /* a PVH guest here has no more */

static struct page *other;
static struct task_struct *thread;
static unsigned long withdrawn, refused, redirected, strange, read_only;

static void change(grant_ref_t ref)
{
	switch (get_random_u32() % 4) {
	case 0:
		if (gnttab_end_foreign_access_ref(ref))
			withdrawn++;
		else
			refused++;
		break;
	case 1:
		gnttab_grant_foreign_access_ref(ref, 0, xen_page_to_gfn(other), 0);
		redirected++;
		break;
	case 2:
		/* Xen's, Dom0's, another guest's, a device's, nobody's. A PV guest's own may be among them: not to be written. */
		gnttab_grant_foreign_access_ref(ref, 0, FRAMES_OWN + get_random_u32() % (FRAMES - FRAMES_OWN),
						xen_pv_domain());
		strange++;
		break;
	default:
		gnttab_grant_foreign_access_ref(ref, 0, xen_page_to_gfn(other), 1);
		read_only++;
		break;
	}
}

static int change_all(void *unused)
{
	while (!kthread_should_stop()) {
		change(FIRST_GRANT + get_random_u32() % (LAST_GRANT - FIRST_GRANT + 1));
		usleep_range(100, 200);
	}
	return 0;
}

static int __init revoke_init(void)
{
	other = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!other)
		return -ENOMEM;
	thread = kthread_run(change_all, NULL, "lab_revoke");
	if (IS_ERR(thread)) {
		__free_page(other);
		return PTR_ERR(thread);
	}
	return 0;
}

/* The other page stays allocated: it may be in use. */
static void __exit revoke_exit(void)
{
	kthread_stop(thread);
	pr_info("lab_revoke: %lu withdrawn, %lu could not be, %lu redirected, %lu to any frame, %lu made "
		"read-only\n",
		withdrawn, refused, redirected, strange, read_only);
}

module_init(revoke_init);
module_exit(revoke_exit);
MODULE_DESCRIPTION("Changes grants that are in use, for tests of those who use them");
MODULE_LICENSE("GPL");
