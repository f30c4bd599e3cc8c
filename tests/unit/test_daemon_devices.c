// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_devices.c - which vbds and vifs are ours, and what happens when there are too many
 */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "daemon/device_kind.h"
#include "daemon/devices.h"
#include "daemon_store.h"

static struct config config;
static struct host host = {.platform = &daemon_store_platform, .config = &config, .sysfs_path = "/nowhere"};
static struct devices devices;

static void set_up(void)
{
	daemon_store_start(0);
	ck_assert_int_eq(host.platform->xenstore_open(host.platform, &host.xenstore), 0);
	daemon_store_set("backend/vbd/3/768/script", "/etc/xen/scripts/block-xvhost");
	daemon_store_set("backend/vbd/3/768/state", "1");
}

/* changed - tell of a change, and say whether the device is in the table afterwards. */
static bool changed(const char *path)
{
	devices_backend_changed(&devices, &host, path);
	return devices_find(&devices, DEVICE_DISK, 3, 768) != NULL;
}

START_TEST(test_paths)
{
	static const char *const others[] = {
		"backend",
		"backend/vbd3/768",
		"backend/vbd/",
		"backend/vbd/3/",
		"backend/vbd/3/7680",
		"backend/vbd/4/768",
		"backend/vbd/3/0x300",
		"backend/vbd/-3/768",
		"backend/vbd/3/99999999999",
		"backend/vbd/70000/768",
		"backend/vbd/3//768",
		"backend/vbd/00000000000000003/768",
		"backend/vif/3/768",
		"",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!changed(others[i]), "%s", others[i]);
	ck_assert(changed("backend/vbd/3/768/state"));
}
END_TEST

START_TEST(test_scans)
{
	ck_assert(changed("backend/vbd"));
	memset(&devices, 0, sizeof(devices));
	ck_assert(changed("backend/vbd/3"));
	memset(&devices, 0, sizeof(devices));
	ck_assert(changed("backend/vbd/3/768"));
}
END_TEST

START_TEST(test_not_ours)
{
	static const char *const scripts[] = {"block", "/etc/xen/scripts/block-xvhost2",
					      "/block-xvhost/block", "", "my-block-xvhost"};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		daemon_store_set("backend/vbd/3/768/script", scripts[i]);
		ck_assert_msg(!changed("backend/vbd/3/768"), "%s", scripts[i]);
	}
	daemon_store_set("backend/vbd/3/768/script", "block-xvhost");
	daemon_store_unset("backend/vbd/3/768/state");
	ck_assert(!changed("backend/vbd/3/768"));
}
END_TEST

START_TEST(test_frontend_tokens)
{
	static const char *const others[] = {"",	   "vbd",     "vbd/3",	    "vbd/3/", "vbd/3/769",
					     "/vbd/3/768", "vbd/x/y", "vbd/3/-768", "3/768",  "vif/3/768"};
	struct device *device;

	ck_assert(changed("backend/vbd/3/768"));
	device = devices_find(&devices, DEVICE_DISK, 3, 768);
	device->dirty = false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		devices_frontend_changed(&devices, others[i]);
		ck_assert_msg(!device->dirty, "%s", others[i]);
	}
	devices_frontend_changed(&devices, "vbd/3/768");
	ck_assert(device->dirty);
}
END_TEST

/* A disk and a card of one guest and one number are two devices. */
START_TEST(test_classes)
{
	struct device *disk, *card;

	daemon_store_set("backend/vif/3/768/script", "/etc/xen/scripts/vif-xvhost");
	daemon_store_set("backend/vif/3/768/state", "1");
	devices_scan(&devices, &host);
	disk = devices_find(&devices, DEVICE_DISK, 3, 768);
	card = devices_find(&devices, DEVICE_NET, 3, 768);
	ck_assert_ptr_nonnull(disk);
	ck_assert_ptr_nonnull(card);
	ck_assert_str_eq(disk->name, "guest 3 vbd 768");
	ck_assert_str_eq(card->name, "guest 3 vif 768");
	ck_assert_str_eq(card->backend, "backend/vif/3/768");
	ck_assert_str_eq(card->frontend, "/local/domain/3/device/vif/768");
	for (unsigned i = 0; i < 4; i++) {
		disk->dirty = card->dirty = false;
		if (i == 0)
			devices_backend_changed(&devices, &host, "backend/vif/3/768/rate");
		else if (i == 1)
			devices_backend_changed(&devices, &host, "backend/vif/3");
		else if (i == 2)
			devices_backend_changed(&devices, &host, "backend/vif");
		else
			devices_frontend_changed(&devices, "vif/3/768");
		ck_assert_msg(card->dirty && !disk->dirty, "%u", i);
	}
	disk->dirty = card->dirty = false;
	devices_backend_changed(&devices, &host, "backend/vbd/3");
	ck_assert(disk->dirty && !card->dirty);
}
END_TEST

START_TEST(test_too_many)
{
	char text[80];

	for (uint32_t i = 0; i < DEVICES_MAX; i++)
		devices.device[i] = (struct device){
			.used = true, .kind = &device_kind_disk, .domid = 1, .id = i};
	devices.end = DEVICES_MAX;
	ck_assert(!changed("backend/vbd/3/768"));
	snprintf(text, sizeof(text), "xvhostd has %d devices, and no more are allowed", DEVICES_MAX);
	ck_assert_str_eq(daemon_store_get("backend/vbd/3/768/hotplug-error"), text);
	ck_assert_str_eq(daemon_store_get("backend/vbd/3/768/xvhost-status"), "error");
	ck_assert_str_eq(daemon_store_get("backend/vbd/3/768/state"), "2");

	daemon_store_set("backend/vbd/3/768/state", "5");
	ck_assert(!changed("backend/vbd/3/768/state"));
	ck_assert_str_eq(daemon_store_get("backend/vbd/3/768/state"), "6");

	devices.device[7].used = false;
	ck_assert(changed("backend/vbd/3/768/state"));
	ck_assert(devices.device[7].id == 768);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_checked_fixture(test_case, set_up, NULL);
	tcase_add_test(test_case, test_paths);
	tcase_add_test(test_case, test_scans);
	tcase_add_test(test_case, test_not_ours);
	tcase_add_test(test_case, test_frontend_tokens);
	tcase_add_test(test_case, test_classes);
	tcase_add_test(test_case, test_too_many);
}

CHECK_MAIN("daemon: devices", add_tests)
