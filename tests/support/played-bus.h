/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_PLAYED_BUS_H
#define TESTS_SUPPORT_PLAYED_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/*
 * Plays the system bus and systemd-machined for one connection. Calls are answered only when the
 * test says so, one after another, with the machines of that moment. Signals are sent in between.
 */

#define PLAYED_MACHINES_MAX 128
#define PLAYED_CALLS_MAX    256

typedef struct PlayedMachine {
	bool exists;
	bool is_container;
	bool has_odd_owner; /* the property UID is a text */
	uint32_t leader;
	uint8_t id[16];
} PlayedMachine;

typedef struct PlayedBus {
	char path[108]; /* of the socket */
	int listener;
	sd_bus *peer;   /* NULL until the other side has connected */
	bool is_broken; /* the other side has closed the connection */
	bool is_installed;
	bool runs;          /* machined has its name on the bus */
	uint32_t peer_pid;  /* as the bus counts pids */
	const char *silent; /* calls of this method get no reply in time; NULL for none */
	PlayedMachine machines[PLAYED_MACHINES_MAX];
	sd_bus_message *calls[PLAYED_CALLS_MAX]; /* not answered yet, in order */
	size_t call_count;
	size_t most_calls;    /* to machined, that waited at the same time */
	size_t started_calls; /* that would have started machined */
} PlayedBus;

/* Listens at the path, in place of what is there. Aborts the program on failure. */
void played_bus_init(PlayedBus *bus, const char *path);
void played_bus_deinit(PlayedBus *bus);

/* Accepts the other side, and reads its messages. Never waits. Returns false if there was nothing.
 */
bool played_bus_pump(PlayedBus *bus);

/* Answers the oldest call. Returns false if none waits. */
bool played_bus_answer(PlayedBus *bus);

/* Closes the connection, as a bus that stops. */
void played_bus_drop(PlayedBus *bus);

/* Create or remove the machine with this number, and send the signal if machined runs. */
void played_machine_new(PlayedBus *bus, size_t number, const PlayedMachine *machine);
void played_machine_removed(PlayedBus *bus, size_t number);

/* Gives machined its name on the bus, or takes it away. */
void played_machined_runs(PlayedBus *bus, bool runs);

/* Sends a signal of machined that somebody else forges. */
void played_bus_forge(PlayedBus *bus, const char *name);

#endif
