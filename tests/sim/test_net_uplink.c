// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two guests on switches of their own, which cables join: directly, and by interfaces of the host and a bridge. What one guest sends the other
 * one gets, to the last byte. A cable that is killed is missed only until there is another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "log.h"
#include "sim_pairs.h"
#include "worker/cable.h"

#define UPLINKS_MAX 4
#define TARGET_BYTES 160
#define BRIDGE "br0"

/* The first pair's cards are on two switches, the second pair's on one. */
static const char *const names[SIM_PAIRS][2] = {{"near", "far"}, {"same", "same"}};

/* A cable, in a thread or in a process. */
struct uplink {
	int socket; /* our end */
	pthread_t thread;
	pid_t process;
	struct cable_options options;
	char interface[16], backends[SIM_DISK_PATH_MAX];
	char targets[CABLE_ENDS][TARGET_BYTES];
	int result;
};

static struct uplink uplinks[UPLINKS_MAX];

/* start_pairs - the second one goes by no cable. */
static void start_pairs(const char *access)
{
	sim_pairs_start(access, names);
	sim_pairs_wait_until_joined(1);
}

static const char *port_of(const char *name)
{
	static char target[TARGET_BYTES];

	snprintf(target, sizeof(target), "switch:name=%s,directory=%s", name, sim_pairs_directory);
	return target;
}

/* describe - what the cable is to join. Returns its end of the socket. */
static int describe(struct uplink *uplink, uint32_t number, const char *port, const char *target)
{
	int sockets[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	snprintf(uplink->interface, sizeof(uplink->interface), "up%u", number);
	snprintf(uplink->targets[0], TARGET_BYTES, "%s", port);
	snprintf(uplink->targets[1], TARGET_BYTES, "%s", target);
	uplink->socket = sockets[0];
	sim_disk_built(uplink->backends, "backends");
	uplink->options = (struct cable_options){
		.backend_directory = uplink->backends,
		.name = "uplink of the test",
		.interface = uplink->interface,
		.targets = {uplink->targets[0], uplink->targets[1]},
		.socket = sockets[1],
	};
	return sockets[1];
}

static void *run(void *argument)
{
	struct uplink *uplink = argument;

	uplink->result = cable_run(&uplink->options);
	return NULL;
}

/* start - in a thread. */
static void start(uint32_t number, const char *port, const char *target)
{
	struct uplink *uplink = &uplinks[number];

	describe(uplink, number, port, target);
	ck_assert_int_eq(pthread_create(&uplink->thread, NULL, run, uplink), 0);
}

/* stop - as xvhostd does, by a message or by closing the socket. */
static void stop(uint32_t number, bool by_message)
{
	const struct message message = {.type = MESSAGE_STOP};
	struct uplink *uplink = &uplinks[number];

	if (by_message)
		ck_assert_int_eq(send(uplink->socket, &message, sizeof(message), MSG_NOSIGNAL),
				 sizeof(message));
	else
		ck_assert_int_eq(shutdown(uplink->socket, SHUT_RDWR), 0);
	ck_assert_int_eq(pthread_join(uplink->thread, NULL), 0);
	ck_assert_int_eq(uplink->result, 0);
	close(uplink->socket);
}

/* both_kinds - packets of at least so many bytes. A bridge must see true addresses, for which the smallest have no room. */
static void both_kinds(uint32_t minimum)
{
	sim_pairs_both_ways((struct net_load_options){
		.content = sim_net_content(minimum, 1514, 3), .depth = 50, .split = true, .packets = 3000});
	sim_pairs_both_ways((struct net_load_options){
		.content = sim_net_content(22, 65535, 2), .depth = SIM_PAIRS_LARGE_DEPTH, .packets = 1500});
}

/* back - as both_kinds, but the other way. */
static void back(void)
{
	struct net_load *load;

	load = sim_pairs_begin(0, 1,
			       (struct net_load_options){.content = sim_net_content(22, 65535, 4),
							 .depth = SIM_PAIRS_LARGE_DEPTH,
							 .packets = 1500});
	ck_assert_uint_eq(sim_pairs_finish(0, load)->received, 1500);
}

/* ---- two switches ---- */

START_TEST(joined)
{
	char far[TARGET_BYTES];

	start_pairs("foreign");
	strcpy(far, port_of("far"));
	for (uint32_t round = 0; round < 3; round++) {
		start(0, port_of("near"), far);
		sim_pairs_wait_until_joined(0);
		both_kinds(XVHOST_NET_BYTES_MIN);
		back();
		stop(0, round % 2);
	}
	sim_pairs_stop();
}
END_TEST

/* A guest that takes neither large packets nor blank checksums gets what it takes. */
START_TEST(takes_little)
{
	const struct netif_frontend_options little = {.guard = true};
	char far[TARGET_BYTES];
	struct net_load *load;

	start_pairs("grant");
	strcpy(far, port_of("far"));
	sim_pairs_use(1);
	sim_net_disconnect(&sim_pairs_cards[0][1]);
	sim_net_connect(&sim_pairs_cards[0][1], &little);
	start(0, port_of("near"), far);
	sim_pairs_wait_until_joined(0);
	load = sim_pairs_begin(0, 0,
			       (struct net_load_options){.content = {.minimum = 22,
								     .maximum = 1514,
								     .takes = XVHOST_NET_CHECKSUM_IPV4 |
									      XVHOST_NET_CHECKSUM_IPV6},
							 .depth = 50,
							 .packets = 2000});
	sim_pairs_finish(0, load);
	stop(0, true);
	sim_pairs_stop();
}
END_TEST

/* Nobody looks at what comes to a guest behind the cable: when its rings are full packets are thrown away, and who sends them does not
 * notice, nor does the other pair. */
START_TEST(no_room)
{
	struct net_load_options options = {.content = sim_net_content(1000, 1514, 8), .depth = 200};
	char far[TARGET_BYTES];
	struct net_load *flood, *load;

	start_pairs("foreign");
	strcpy(far, port_of("far"));
	start(0, port_of("near"), far);
	sim_pairs_wait_until_joined(0);
	options.from = sim_pairs_cards[0][0].frontend;
	ck_assert_int_eq(net_load_create(&options, &flood), 0);
	ck_assert_int_eq(net_load_start(flood), 0);
	load = sim_pairs_begin(1, 0,
			       (struct net_load_options){.content = sim_net_content(14, 1514, 9),
							 .depth = 50,
							 .packets = 20000});
	ck_assert_uint_eq(sim_pairs_finish(1, load)->received, 20000);
	/* That is more than all rings on the way can hold. */
	while (net_load_sent(flood) < 20000)
		usleep(1000);
	net_load_stop(flood);
	net_load_finish(flood, &sim_pairs_results[0]);
	net_load_destroy(flood);
	ck_assert_msg(sim_pairs_results[0].error == 0, "%s", sim_pairs_results[0].text);
	ck_assert_uint_eq(sim_pairs_results[0].refused, 0);
	stop(0, true);
	sim_pairs_stop();
}
END_TEST

/* ---- killed ---- */

/* prepare - a process that waits until it is told what to join. Before there are threads. */
static void prepare(uint32_t number)
{
	struct uplink *uplink = &uplinks[number];
	int socket = describe(uplink, number, "", "");

	uplink->process = fork();
	ck_assert_int_ge(uplink->process, 0);
	if (uplink->process > 0) {
		close(socket);
		return;
	}
	for (uint32_t i = 0; i <= number; i++)
		close(uplinks[i].socket);
	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		if (recv(socket, uplink->targets[i], TARGET_BYTES, 0) <= 0)
			_exit(1);
	_exit(cable_run(&uplink->options) == 0 ? 0 : 1);
}

static void go(uint32_t number, const char *port, const char *target)
{
	const char *const targets[CABLE_ENDS] = {port, target};

	for (uint32_t i = 0; i < CABLE_ENDS; i++)
		ck_assert_int_gt(send(uplinks[number].socket, targets[i], strlen(targets[i]) + 1, 0), 0);
}

static void end(uint32_t number, int signal_number)
{
	struct uplink *uplink = &uplinks[number];
	int status;

	if (signal_number)
		ck_assert_int_eq(kill(uplink->process, signal_number), 0);
	else
		shutdown(uplink->socket, SHUT_RDWR);
	ck_assert_int_eq(waitpid(uplink->process, &status, 0), uplink->process);
	ck_assert(signal_number ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(uplink->socket);
}

START_TEST(killed)
{
	char far[TARGET_BYTES];
	struct net_load *load, *other;

	for (uint32_t i = 0; i < UPLINKS_MAX; i++)
		prepare(i);
	start_pairs("foreign");
	strcpy(far, port_of("far"));
	load = sim_pairs_begin(0, 0,
			       (struct net_load_options){.content = sim_net_content(22, 65535, 5),
							 .depth = SIM_PAIRS_LARGE_DEPTH,
							 .quiet_ms = 100});
	other = sim_pairs_begin(1, 1,
				(struct net_load_options){.content = sim_net_content(22, 65535, 6),
							  .depth = SIM_PAIRS_LARGE_DEPTH});
	for (uint32_t i = 0; i < UPLINKS_MAX; i++) {
		uint64_t before = net_load_received(load);

		go(i, port_of("near"), far);
		while (net_load_received(load) < before + 200)
			usleep(100);
		if (i < UPLINKS_MAX - 1)
			end(i, SIGKILL);
	}
	net_load_stop(load);
	net_load_stop(other);
	net_load_finish(load, &sim_pairs_results[0]);
	net_load_destroy(load);
	ck_assert_msg(sim_pairs_results[0].error == 0, "%s", sim_pairs_results[0].text);
	ck_assert_uint_gt(sim_pairs_results[0].lost, 0);
	/* Nothing is lost where it is not on the way. */
	sim_pairs_finish(1, other);
	sim_pairs_wait_until_joined(0);
	both_kinds(XVHOST_NET_BYTES_MIN);
	back();
	end(UPLINKS_MAX - 1, 0);
	sim_pairs_stop();
}
END_TEST

/* ---- interfaces of the host ---- */

/* set - of the network namespace; where there is no such setting, Linux has nothing to send either. */
static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0) {
		ck_assert_int_eq(errno, ENOENT);
		return;
	}
	ck_assert_int_eq(write(fd, value, strlen(value)), (ssize_t)strlen(value));
	close(fd);
}

/* make_bridge - in a network namespace of the test's own, in which Linux sends no packets by itself. */
static void make_bridge(void)
{
	struct ifreq request = {.ifr_name = BRIDGE};
	int fd;

	ck_assert_msg(unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == 0,
		      "no network namespace can be made: %s", strerror(errno));
	set("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	/* Of the bridge, which listens for other bridges. */
	set("/proc/sys/net/ipv4/igmp_link_local_mcast_reports", "0");
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(ioctl(fd, SIOCBRADDBR, BRIDGE), 0);
	ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

/* From one guest to the other by two cables and Linux's own bridge. */
START_TEST(bridged)
{
	make_bridge();
	start_pairs("foreign");
	for (uint32_t round = 0; round < 2; round++) {
		start(0, port_of("near"), "tap:bridge=" BRIDGE);
		start(1, port_of("far"), "tap:bridge=" BRIDGE);
		sim_pairs_wait_until_joined(0);
		both_kinds(NET_CONTENT_ADDRESSED_BYTES);
		back();
		ck_assert_uint_gt(if_nametoindex("up0"), 0);
		stop(0, true);
		stop(1, false);
		ck_assert_uint_eq(if_nametoindex("up0") + if_nametoindex("up1"), 0);
	}
	sim_pairs_stop();
}
END_TEST

/* ---- what can't be ---- */

static const struct {
	const char *port, *target;
	int error;
} wrong[] = {
	{"switch:", "nothing:", -ENOENT},
	{"switch:", "null", 0},
	{"switch:", "null:a=b", -EINVAL},
	{"switch:name=/", "null:", -EINVAL},
	{"switch:", "", -EINVAL},
	{"switch:", "tap:bridge=nowhere", -ENODEV},
	{"switch:", "tap:name=a/b", -EINVAL},
	{"memory=grant,switch:", "null:", -EINVAL},
	{"switch:", "pcap:path=/dev/null,target=null", -EOPNOTSUPP},
};

START_TEST(targets)
{
	const char *port = wrong[_i].port;
	char near[TARGET_BYTES];

	make_bridge();
	start_pairs("foreign");
	snprintf(near, sizeof(near), "%s", strcmp(port, "switch:") == 0 ? port_of("near") : port);
	describe(&uplinks[0], 0, near, wrong[_i].target);
	if (wrong[_i].error == 0)
		ck_assert_int_eq(shutdown(uplinks[0].socket, SHUT_RDWR), 0);
	ck_assert_int_eq(cable_run(&uplinks[0].options), wrong[_i].error);
	close(uplinks[0].socket);
	sim_pairs_stop();
}
END_TEST

static void add_tests(TCase *test_case)
{
	tcase_add_test(test_case, joined);
	tcase_add_test(test_case, takes_little);
	tcase_add_test(test_case, no_room);
	tcase_add_test(test_case, killed);
	tcase_add_test(test_case, bridged);
	tcase_add_loop_test(test_case, targets, 0, sizeof(wrong) / sizeof(wrong[0]));
}

CHECK_MAIN("net uplink", add_tests)
