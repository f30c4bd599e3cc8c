// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dirty_log.c - which frames Xen holds for written, as who migrates the guest sees it
 */
#include <err.h>
#include <xenctrl.h>

#include "platform_test.h"

/* Macros of xenctrl.h, which clang sees where they are used. */
#pragma GCC diagnostic ignored "-Wpedantic"

static xc_interface *xen;

/* ask - for the bit of a frame; by XEN_DOMCTL_SHADOW_OP_CLEAN all of them are cleared. */
static bool ask(unsigned int operation, uint64_t frame)
{
	/* All up to the frame, rounded to whole words of the bitmap. */
	unsigned long pages = (frame | 63) + 1;
	bool dirty;
	DECLARE_HYPERCALL_BUFFER(unsigned long, bitmap);

	bitmap = xc_hypercall_buffer_alloc(xen, bitmap, pages / 8);
	if (!bitmap)
		err(2, "a bitmap of %lu pages", pages);
	check_equal(xc_logdirty_control(xen, guest.domid, operation, HYPERCALL_BUFFER(bitmap), pages, 0,
					NULL),
		    (int64_t)pages);
	dirty = bitmap[frame / 64] >> frame % 64 & 1;
	xc_hypercall_buffer_free(xen, bitmap);
	return dirty;
}

void dirty_log_begin(void)
{
	xen = xc_interface_open(NULL, NULL, 0);
	if (!xen)
		err(2, "xc_interface_open");
	check_equal(xc_shadow_control(xen, guest.domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0);
	ask(XEN_DOMCTL_SHADOW_OP_CLEAN, guest.frames[0]);
}

bool dirty_log_has(uint64_t frame)
{
	return ask(XEN_DOMCTL_SHADOW_OP_PEEK, frame);
}

void dirty_log_end(void)
{
	check_equal(xc_shadow_control(xen, guest.domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0), 0);
	xc_interface_close(xen);
}
