// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_daemon_config.c - xvhost.conf(5)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "daemon/config.h"

static char reported[4096];
static struct config config;

static void report(const char *text)
{
	strncat(reported, text, sizeof(reported) - strlen(reported) - 1);
	strncat(reported, "\n", sizeof(reported) - strlen(reported) - 1);
}

/* read_text - read a file of this content; the reports have "FILE" for its name. */
static int read_text(const char *content)
{
	char path[] = "/tmp/xvhost-test-config-XXXXXX";
	int fd = mkstemp(path);
	char *at;
	int errors;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
	reported[0] = '\0';
	config_set_defaults(&config);
	errors = config_read(path, &config, report);
	unlink(path);
	while ((at = strstr(reported, path)) != NULL) {
		memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
		memcpy(at, "FILE", 4);
	}
	return errors;
}

START_TEST(test_good)
{
	ck_assert_int_eq(read_text("# nothing\n"), 0);
	ck_assert_int_eq(config.log_level, LOG_LEVEL_INFO);
	ck_assert_uint_eq(config.max_ring_page_order, 4);
	ck_assert_int_eq(config.worker[0], '/');
	ck_assert_int_eq(config.backend_directory[0], '/');

	ck_assert_int_eq(read_text("[daemon]\nlog_level = debug\nworker=/a/w ; ours\nbackend_directory = /b\n"
				   "\n; and\n[disk]\nmax_ring_page_order = 0"),
			 0);
	ck_assert_int_eq(config.log_level, LOG_LEVEL_DEBUG);
	ck_assert_str_eq(config.worker, "/a/w");
	ck_assert_str_eq(config.backend_directory, "/b");
	ck_assert_uint_eq(config.max_ring_page_order, 0);
	ck_assert_int_eq(config.memory_access, MEMORY_AUTO);
	ck_assert_int_eq(
		read_text("[memory]\naccess = foreign\nguest_mib = 512\nhost_mib = 1024\nidle_s = 3\n"), 0);
	ck_assert_int_eq(config.memory_access, MEMORY_FOREIGN);
	ck_assert_uint_eq(config.memory_guest_mib, 512);
	ck_assert_uint_eq(config.memory_host_mib, 1024);
	ck_assert_uint_eq(config.memory_idle_s, 3);
}
END_TEST

START_TEST(test_networks)
{
	ck_assert_int_eq(read_text(""), 0);
	ck_assert_str_eq(config_net_target(&config, ""), "switch:");
	ck_assert_str_eq(config_net_target(&config, "xenbr0"), "switch:");
	ck_assert(!config.net_adopt_all);
	ck_assert_uint_ge(config.net_max_queues, 1);
	ck_assert_uint_le(config.net_max_queues, NET_QUEUES_MAX);
	ck_assert_int_eq(read_text("[net]\nadopt = all\ntarget = null:\nmax_queues = 8\n"
				   "[network xenbr0]\ntarget = tap:a=b,c=d\n"
				   "[network fifteen-letters]\ntarget = switch:x=1\n"),
			 0);
	ck_assert(config.net_adopt_all);
	ck_assert_uint_eq(config.net_max_queues, 8);
	ck_assert_str_eq(config_net_target(&config, ""), "null:");
	ck_assert_str_eq(config_net_target(&config, "xenbr0"), "tap:a=b,c=d");
	ck_assert_str_eq(config_net_target(&config, "xenbr1"), "null:");
	ck_assert_str_eq(config_net_target(&config, "fifteen-letters"), "switch:x=1");
	ck_assert_int_eq(read_text("[net]\nadopt = ours\n"), 0);
	ck_assert(!config.net_adopt_all);
}
END_TEST

START_TEST(test_switches)
{
	ck_assert_int_eq(
		read_text("[switch lan]\nuplink = tap:bridge=xenbr0,name=up0\n[switch b]\nuplink = null:\n"
			  "[network lan]\ntarget = null:\n"),
		0);
	ck_assert_uint_eq(config.switch_count, 2);
	ck_assert_str_eq(config.switches[0].name, "lan");
	ck_assert_str_eq(config.switches[0].target, "tap:bridge=xenbr0,name=up0");
	ck_assert_str_eq(config.switches[1].name, "b");
	ck_assert_str_eq(config.switches[1].target, "null:");
	ck_assert_uint_eq(config.network_count, 1);
	ck_assert_int_eq(read_text(""), 0);
	ck_assert_uint_eq(config.switch_count, 0);
}
END_TEST

static const struct {
	const char *kind, *key;
	unsigned most;
	const char *report;
} many[] = {
	{"network", "target", CONFIG_NETWORKS_MAX,
	 "FILE:130: [network n64] is one network too many; there can be 64\n"},
	{"switch", "uplink", CONFIG_SWITCHES_MAX,
	 "FILE:34: [switch n16] is one switch too many; there can be 16\n"},
};

START_TEST(test_too_many)
{
	char content[64 * (CONFIG_NETWORKS_MAX + 1)] = "";

	for (unsigned i = 0; i <= many[_i].most; i++)
		snprintf(content + strlen(content), 64, "[%s n%u]\n%s = tap:\n", many[_i].kind, i,
			 many[_i].key);
	ck_assert_int_eq(read_text(content), 1);
	ck_assert_str_eq(reported, many[_i].report);
}
END_TEST

START_TEST(test_sample_is_good)
{
	ck_assert_int_eq(config_read("service/daemon/xvhost.conf", &config, report), 0);
}
END_TEST

START_TEST(test_missing_file)
{
	ck_assert_int_eq(config_read("/nowhere/xvhost.conf", &config, report), -ENOENT);
	ck_assert_str_eq(reported, "");
}
END_TEST

static const struct {
	const char *content;
	const char *report;
} bad[] = {
	{"[daemon]\nlog_level = loud\n",
	 "FILE:2: log_level in [daemon] is \"loud\"; it must be error, warning, info or debug\n"},
	{"\n\n[daemon]\nworker = bin/worker\n",
	 "FILE:4: worker in [daemon] is \"bin/worker\"; it must be an absolute path\n"},
	{"[daemon]\nbackend_directory =\n",
	 "FILE:2: backend_directory in [daemon] is \"\"; it must be an absolute path\n"},
	{"[disk]\nmax_ring_page_order = 5\n",
	 "FILE:2: max_ring_page_order in [disk] is \"5\"; it must be a number from 0 to 4\n"},
	{"[disk]\nmax_queues = 17\n",
	 "FILE:2: max_queues in [disk] is \"17\"; it must be a number from 1 to 16\n"},
	{"[disk]\nmax_queues = 0\n",
	 "FILE:2: max_queues in [disk] is \"0\"; it must be a number from 1 to 16\n"},
	{"[disk]\nmax_ring_page_order = 4 pages\n",
	 "FILE:2: max_ring_page_order in [disk] is \"4 pages\"; it must be a number from 0 to 4\n"},
	{"[disk]\nlog_level = info\n",
	 "FILE:2: unknown key log_level in [disk]; it must be one of max_ring_page_order, max_queues\n"},
	{"[daemon]\nloglevel = info\n", "FILE:2: unknown key loglevel in [daemon]; it must be one of "
					"log_level, worker, backend_directory\n"},
	{"[nets]\nx = 1\n", "FILE:2: key x is in the unknown section [nets]; it must be [daemon], [disk], "
			    "[net], [network NAME], [switch NAME] or [memory]\n"},
	{"[net]\nx = 1\n", "FILE:2: unknown key x in [net]; it must be one of adopt, target, max_queues\n"},
	{"[net]\nadopt = none\n", "FILE:2: adopt in [net] is \"none\"; it must be ours or all\n"},
	{"[net]\nmax_queues = 9\n",
	 "FILE:2: max_queues in [net] is \"9\"; it must be a number from 1 to 8\n"},
	{"[net]\nmax_queues = 0\n",
	 "FILE:2: max_queues in [net] is \"0\"; it must be a number from 1 to 8\n"},
	{"[net]\ntarget =\n",
	 "FILE:2: target in [net] is \"\"; it must be a target string, such as switch:\n"},
	{"[network]\ntarget = tap:\n", "FILE:2: key target is in the unknown section [network]; it must be "
				       "[daemon], [disk], [net], [network "
				       "NAME], [switch NAME] or [memory]\n"},
	{"[network ]\ntarget = tap:\n", "FILE:2: the name in [network ] must have from 1 to 15 characters\n"},
	{"[network sixteen-letters0]\ntarget = tap:\n",
	 "FILE:2: the name in [network sixteen-letters0] must have from 1 to 15 characters\n"},
	{"[network a]\ntarget =\n",
	 "FILE:2: target in [network a] is \"\"; it must be a target string, such as switch:\n"},
	{"[network a]\nrate = 1\n", "FILE:2: unknown key rate in [network a]; it must be target\n"},
	{"[network a]\ntarget = tap:\n[network b]\ntarget = tap:\n[network a]\ntarget = null:\n",
	 "FILE:6: target in [network a] is given a second time, as \"null:\"\n"},
	{"[switch ]\nuplink = tap:\n", "FILE:2: the name in [switch ] must have from 1 to 15 characters\n"},
	{"[switch a]\nuplink =\n",
	 "FILE:2: uplink in [switch a] is \"\"; it must be a target string, such as tap:bridge=xenbr0\n"},
	{"[switch a]\ntarget = tap:\n", "FILE:2: unknown key target in [switch a]; it must be uplink\n"},
	{"[switch a]\nuplink = tap:\nuplink = null:\n",
	 "FILE:3: uplink in [switch a] is given a second time, as \"null:\"\n"},
	{"[memory]\naccess = grants\n",
	 "FILE:2: access in [memory] is \"grants\"; it must be auto, grant or foreign\n"},
	{"[memory]\nguest_mib = 0\n",
	 "FILE:2: guest_mib in [memory] is \"0\"; it must be a number from 1 to 32768\n"},
	{"[memory]\nhost_mib = 16777217\n",
	 "FILE:2: host_mib in [memory] is \"16777217\"; it must be a number from 1 to 16777216\n"},
	{"[memory]\nidle_s = 256\n",
	 "FILE:2: idle_s in [memory] is \"256\"; it must be a number from 1 to 255\n"},
	{"log_level = info\n", "FILE:1: key log_level is in the unknown section []; it must be [daemon], "
			       "[disk], [net], [network NAME], [switch NAME] or [memory]\n"},
	{"[daemon]\nlog_level = info\nlog_level = debug\n",
	 "FILE:3: log_level in [daemon] is given a second time, as \"debug\"\n"},
	{"[daemon\n", "FILE:1: neither [section] nor key = value nor a comment\n"},
	{"[daemon]\nlog_level\n", "FILE:2: neither [section] nor key = value nor a comment\n"},
	{"[daemon]\nlog_level = \x1b[1m\n",
	 "FILE:2: log_level in [daemon] is \"?[1m\"; it must be error, warning, info or debug\n"},
};

START_TEST(test_bad)
{
	ck_assert_int_eq(read_text(bad[_i].content), 1);
	ck_assert_str_eq(reported, bad[_i].report);
}
END_TEST

START_TEST(test_every_error_is_told)
{
	ck_assert_int_eq(read_text("[daemon]\nlog_level = x\nfoo = 1\n[disk]\nmax_ring_page_order = -1\n"),
			 3);
	ck_assert_ptr_nonnull(strstr(reported, "FILE:2: "));
	ck_assert_ptr_nonnull(strstr(reported, "FILE:3: "));
	ck_assert_ptr_nonnull(strstr(reported, "FILE:5: "));
}
END_TEST

START_TEST(test_long_line)
{
	char content[1000] = "[daemon]\nworker = /";

	memset(content + strlen(content), 'a', 600);
	strcat(content, "\nlog_level = debug\n");
	ck_assert_int_eq(read_text(content), 1);
	ck_assert_str_eq(reported, "FILE:2: the line is longer than 198 characters\n");
	ck_assert_int_eq(config.log_level, LOG_LEVEL_DEBUG);
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, test_good);
	tcase_add_test(test_case, test_networks);
	tcase_add_test(test_case, test_switches);
	tcase_add_loop_test(test_case, test_too_many, 0, sizeof(many) / sizeof(many[0]));
	tcase_add_test(test_case, test_sample_is_good);
	tcase_add_test(test_case, test_missing_file);
	tcase_add_loop_test(test_case, test_bad, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(test_case, test_every_error_is_told);
	tcase_add_test(test_case, test_long_line);
}

CHECK_MAIN("daemon: configuration", add_tests)
