// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net-load serve - takes part in the jobs that others ask for, one asker at a time, until it is ended
 * net-load FOLDER ADDRESS/JOB... - load for network cards, which costs the guest little, with the net-load serve at this IPv4 address
 *
 * A job is KIND:SIZE:COUNT:AMOUNT, such as tcp-send:64k:4:500ms or udp-receive:64:128:20000. KIND is
 *
 *	tcp-send, tcp-receive	COUNT streams; SIZE is that of each write
 *	udp-send, udp-receive	datagrams of SIZE bytes, at most COUNT of them under way; 0: as fast as the sender can. With a COUNT
 *				the receiver says now and then how far it is, in a datagram of its own
 *	request			SIZE bytes there and the same back, by TCP, one after the other; COUNT is 1
 *
 * where send is from the asker to the other. AMOUNT is so many writes, datagrams or requests, or as many as are sent in so many
 * milliseconds. A fifth of it comes first, on the same sockets, and is not measured.
 *
 * What counts is what came to the receiver. A job takes from its beginning until all is known to have come; if datagrams are lost,
 * until the last of the others came.
 *
 * FOLDER is for guest_tell.h: what is between begin and end is the measured part of a job. Prints a line of JSON for each job:
 *
 *	units, bytes		that were received; of TCP, units are the bytes by SIZE
 *	elapsed_ns
 *	lost, disordered	datagrams
 *	p50_ns, p99_ns		of requests: how long one took
 */
#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest_tell.h"
#include "net_load.h"

#define PORT 5300
#define RECEIVE_BUFFER (8 << 20) /* of datagrams: what is lost is lost on the way */

struct load load;

uint64_t load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- sockets ---- */

static void set_option(int socket_fd, int level, int name, int value)
{
	if (setsockopt(socket_fd, level, name, &value, sizeof(value)) != 0)
		err(1, "an option of a socket");
}

static int make_socket(int type)
{
	int made = socket(AF_INET, type, 0);

	if (made < 0)
		err(1, "a socket");
	return made;
}

static int connected_stream(struct sockaddr_in *address)
{
	int stream = make_socket(SOCK_STREAM);

	if (connect(stream, (struct sockaddr *)address, sizeof(*address)) != 0)
		err(1, "port %u of the other side", ntohs(address->sin_port));
	set_option(stream, IPPROTO_TCP, TCP_NODELAY, 1);
	return stream;
}

/* How long to wait for what comes. */
static void set_patience(int socket_fd, int ms)
{
	struct timeval wait = {ms / 1000, ms % 1000 * 1000};

	if (setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0)
		err(1, "an option of a socket");
}

static void set_datagrams(int datagrams)
{
	set_option(datagrams, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
	set_patience(datagrams, LOAD_LOST_MS / 2);
}

/* The asker's sockets, to a port that the other has made for them. */
static void connect_sockets(struct sockaddr_in address)
{
	struct load_label hello = {0, 0};
	uint64_t port;

	load_hear_numbers("port", &port, 1);
	address.sin_port = htons((uint16_t)port);
	for (uint32_t i = 0; load.job.kind != LOAD_UDP && i < load.job.count; i++)
		load.sockets[i] = connected_stream(&address);
	if (load.job.kind == LOAD_UDP) {
		load.sockets[0] = make_socket(SOCK_DGRAM);
		set_datagrams(load.sockets[0]);
		if (connect(load.sockets[0], (struct sockaddr *)&address, sizeof(address)) != 0 ||
		    send(load.sockets[0], &hello, sizeof(hello), 0) != sizeof(hello))
			err(1, "port %u of the other side", ntohs(address.sin_port));
	}
	load_hear_numbers("ready", NULL, 0);
}

/* And the other's. */
static void accept_sockets(void)
{
	int own = make_socket(load.job.kind == LOAD_UDP ? SOCK_DGRAM : SOCK_STREAM);
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	struct load_label hello;

	if (bind(own, (struct sockaddr *)&address, length) != 0 ||
	    (load.job.kind != LOAD_UDP && listen(own, LOAD_STREAMS_MAX) != 0) ||
	    getsockname(own, (struct sockaddr *)&address, &length) != 0)
		err(1, "a port");
	set_patience(own, LOAD_STALL_MS);
	load_say("port %u\n", ntohs(address.sin_port));
	for (uint32_t i = 0; load.job.kind != LOAD_UDP && i < load.job.count; i++) {
		load.sockets[i] = accept(own, NULL, NULL);
		if (load.sockets[i] < 0)
			err(1, "a stream");
		set_option(load.sockets[i], IPPROTO_TCP, TCP_NODELAY, 1);
	}
	if (load.job.kind == LOAD_UDP) {
		load.sockets[0] = own;
		if (recvfrom(own, &hello, sizeof(hello), 0, (struct sockaddr *)&address, &length) !=
			    sizeof(hello) ||
		    connect(own, (struct sockaddr *)&address, length) != 0)
			err(1, "the first datagram");
		set_datagrams(own);
	} else {
		close(own);
	}
	load_say("ready\n");
}

static void close_sockets(void)
{
	for (uint32_t i = 0; i < (load.job.kind == LOAD_UDP ? 1 : load.job.count); i++)
		close(load.sockets[i]);
}

/* ---- both sides of a job ---- */

/* Returns the time that it took. */
static uint64_t ask_for_part(uint64_t number, struct load_result *result)
{
	uint64_t started = load_now_ns();

	load.phase = number;
	load_say("go %" PRIu64 "\n", load.phase);
	if (load.job.receive) {
		load_receive_part(result);
	} else {
		load_send_part();
		load_hear_numbers("got", (uint64_t *)result, sizeof(*result) / sizeof(uint64_t));
	}
	return load_now_ns() - started - result->waited_ns;
}

static void ask_for_job(const char *folder, const struct sockaddr_in *address)
{
	struct load_result result;
	uint64_t elapsed_ns;

	load_say("%s\n", load.job.text);
	connect_sockets(*address);
	if (load.job.kind == LOAD_UDP)
		load_prepare();
	ask_for_part(1, &result);
	guest_tell(folder, "begin");
	elapsed_ns = ask_for_part(2, &result);
	guest_tell(folder, "end");
	load_say("end\n");
	close_sockets();
	printf("{\"job\": \"%s\", \"units\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"elapsed_ns\": %" PRIu64,
	       load.job.text, result.units, result.bytes, elapsed_ns);
	if (load.job.kind == LOAD_UDP)
		printf(", \"lost\": %" PRIu64 ", \"disordered\": %" PRIu64, result.lost, result.disordered);
	if (load.job.kind == LOAD_REQUEST)
		printf(", \"p50_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64,
		       histogram_percentile(&load.latency, 50), histogram_percentile(&load.latency, 99));
	printf("}\n");
	fflush(stdout);
}

static void take_part(void)
{
	struct load_result result;

	accept_sockets();
	if (load.job.kind == LOAD_UDP)
		load_prepare();
	for (int i = 0; i < 2; i++) {
		load_hear_numbers("go", &load.phase, 1);
		if (load.job.receive) {
			load_send_part();
			continue;
		}
		load_receive_part(&result);
		load_say("got %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", result.units,
			 result.bytes, result.lost, result.disordered, result.waited_ns);
	}
	/* Until then the asker may still say how far it is. */
	load_hear_numbers("end", NULL, 0);
	close_sockets();
}

/* serve - each asker by a process of its own, so that its failure is not the next one's. */
static void serve(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int own = make_socket(SOCK_STREAM);
	char line[LOAD_LINE_BYTES];

	set_option(own, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(own, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(own, 4) != 0)
		err(1, "port %u", PORT);
	while ((load.control = accept(own, NULL, NULL)) >= 0) {
		pid_t child = fork();

		if (child == 0) {
			set_option(load.control, IPPROTO_TCP, TCP_NODELAY, 1);
			while (load_hear(line)) {
				load_parse_job(line);
				take_part();
			}
			exit(0);
		}
		close(load.control);
		if (child < 0 || waitpid(child, NULL, 0) != child)
			err(1, "a process");
	}
	err(1, "port %u", PORT);
}

/* The job's address; its control connection stays from one job to the next, unless that has another. Returns the job's text. */
static const char *reach(const char *argument, struct sockaddr_in *address)
{
	struct sockaddr_in other = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	char text[INET_ADDRSTRLEN] = "";
	size_t length = strcspn(argument, "/");

	if (argument[length] && length < sizeof(text))
		memcpy(text, argument, length);
	if (inet_pton(AF_INET, text, &other.sin_addr) != 1)
		errx(2, "%s should be ADDRESS/JOB", argument);
	if (other.sin_addr.s_addr != address->sin_addr.s_addr) {
		if (address->sin_addr.s_addr)
			close(load.control);
		*address = other;
		load.control = connected_stream(address);
		set_patience(load.control, 2 * LOAD_STALL_MS);
	}
	return argument + length + 1;
}

int main(int count, char **arguments)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	if (count == 2 && strcmp(arguments[1], "serve") == 0)
		serve();
	if (count < 3)
		errx(2,
		     "usage: net-load serve, or net-load FOLDER ADDRESS/JOB..., see tests/bench/net_load.c");
	for (int i = 2; i < count; i++) {
		load_parse_job(reach(arguments[i], &address));
		ask_for_job(arguments[1], &address);
	}
	return 0;
}
