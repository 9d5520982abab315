/* SPDX-License-Identifier: MIT */
/*
 * play-machines SOCKET COUNT: plays a system bus at SOCKET, and systemd-machined with COUNT VMs
 * whose leaders are children of this process. Prints "ready", and runs until it is killed.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/played-bus.h"

static pid_t start_leader(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void add_machine(PlayedBus *bus, size_t number)
{
	PlayedMachine machine = { .leader = (uint32_t)start_leader() };

	memcpy(machine.id, &machine.leader, sizeof(machine.leader));
	machine.id[15] = 1;
	played_machine_new(bus, number, &machine);
}

/* Stores the pid of the process that has connected, which it asks for. */
static void learn_peer(PlayedBus *bus)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(sd_bus_get_fd(bus->peer), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		bus->peer_pid = (uint32_t)peer.pid;
}

static void serve(PlayedBus *bus)
{
	for (;;) {
		struct pollfd poll_for = {
			.fd = bus->peer ? sd_bus_get_fd(bus->peer) : bus->listener,
			.events = POLLIN,
		};
		bool was_connected = bus->peer != NULL;
		bool is_busy = played_bus_pump(bus);

		if (bus->peer && !was_connected)
			learn_peer(bus);
		is_busy |= played_bus_answer(bus);
		if (!is_busy)
			poll(&poll_for, 1, 100);
	}
}

int main(int argc, char **argv)
{
	static PlayedBus bus;

	if (argc != 3 || atoi(argv[2]) < 0 || atoi(argv[2]) > PLAYED_MACHINES_MAX) {
		fprintf(stderr, "usage: play-machines SOCKET COUNT, at most %d\n",
			PLAYED_MACHINES_MAX);
		return EXIT_FAILURE;
	}
	played_bus_init(&bus, argv[1]);
	played_machined_runs(&bus, true);
	for (size_t i = 0; i < (size_t)atoi(argv[2]); i++)
		add_machine(&bus, i);
	puts("ready");
	fflush(stdout);
	serve(&bus);
}
