/* SPDX-License-Identifier: MIT */
#include "tests/support/played-bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MACHINED "org.freedesktop.machine1"
#define MANAGER  "org.freedesktop.machine1.Manager"
#define OWNER    ":1.2"
#define PEER     ":1.7"
#define DRIVER   "org.freedesktop.DBus"

/* Stops a program whose bus cannot be played, which is no result. */
#define MUST(call) must((call) >= 0, #call)

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "played bus: %s\n", what);
	abort();
}

void played_bus_init(PlayedBus *bus, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*bus = (PlayedBus){ .is_installed = true, .peer_pid = (uint32_t)getpid() };
	snprintf(bus->path, sizeof(bus->path), "%s", path);
	strcpy(address.sun_path, bus->path);
	unlink(bus->path);
	bus->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	MUST(bind(bus->listener, (struct sockaddr *)&address, sizeof(address)));
	MUST(listen(bus->listener, 4));
}

void played_bus_drop(PlayedBus *bus)
{
	while (bus->call_count > 0)
		sd_bus_message_unref(bus->calls[--bus->call_count]);
	bus->peer = sd_bus_close_unref(bus->peer);
	bus->is_broken = false;
}

void played_bus_deinit(PlayedBus *bus)
{
	played_bus_drop(bus);
	close(bus->listener);
	unlink(bus->path);
}

/* --- calls ----------------------------------------------------------------------------------- */

static bool is_for_machined(sd_bus_message *call)
{
	const char *destination = sd_bus_message_get_destination(call);

	return destination && strcmp(destination, MACHINED) == 0;
}

static int keep_call(sd_bus_message *message, void *context, sd_bus_error *error)
{
	PlayedBus *bus = context;
	size_t calls = 0;
	uint8_t type;

	(void)error;
	MUST(sd_bus_message_get_type(message, &type));
	if (type != SD_BUS_MESSAGE_METHOD_CALL)
		return 1;
	must(bus->call_count < PLAYED_CALLS_MAX, "too many calls at a time");
	bus->calls[bus->call_count++] = sd_bus_message_ref(message);
	for (size_t i = 0; i < bus->call_count; i++)
		calls += is_for_machined(bus->calls[i]);
	if (calls > bus->most_calls)
		bus->most_calls = calls;
	if (is_for_machined(message) && sd_bus_message_get_auto_start(message))
		bus->started_calls++;
	return 1;
}

static void append_machines(const PlayedBus *bus, sd_bus_message *reply)
{
	char name[16], path[64];

	MUST(sd_bus_message_open_container(reply, 'a', "(ssso)"));
	for (size_t i = 0; i < PLAYED_MACHINES_MAX; i++) {
		const PlayedMachine *machine = &bus->machines[i];

		if (!machine->exists)
			continue;
		snprintf(name, sizeof(name), "m%zu", i);
		snprintf(path, sizeof(path), "/org/freedesktop/machine1/machine/m%zu", i);
		MUST(sd_bus_message_append(reply, "(ssso)", name,
					   machine->is_container ? "container" : "vm", "test",
					   path));
	}
	MUST(sd_bus_message_close_container(reply));
}

static void append_properties(const PlayedMachine *machine, sd_bus_message *reply)
{
	MUST(sd_bus_message_open_container(reply, 'a', "{sv}"));
	MUST(sd_bus_message_append(reply, "{sv}", "Class", "s",
				   machine->is_container ? "container" : "vm"));
	MUST(sd_bus_message_append(reply, "{sv}", "NetworkInterfaces", "ai", 2, 1, 2));
	MUST(sd_bus_message_open_container(reply, 'e', "sv"));
	MUST(sd_bus_message_append(reply, "s", "Id"));
	MUST(sd_bus_message_open_container(reply, 'v', "ay"));
	MUST(sd_bus_message_append_array(reply, 'y', machine->id, sizeof(machine->id)));
	MUST(sd_bus_message_close_container(reply));
	MUST(sd_bus_message_close_container(reply));
	MUST(sd_bus_message_append(reply, "{sv}", "Leader", "u", machine->leader));
	if (machine->has_odd_owner)
		MUST(sd_bus_message_append(reply, "{sv}", "UID", "s", "0"));
	MUST(sd_bus_message_close_container(reply));
}

/* Returns the machine that the call asks for, or NULL. */
static const PlayedMachine *called_machine(const PlayedBus *bus, sd_bus_message *call)
{
	const char *number = strrchr(sd_bus_message_get_path(call), '/');
	size_t index = number ? strtoul(number + 2, NULL, 10) : PLAYED_MACHINES_MAX;

	return index < PLAYED_MACHINES_MAX && bus->machines[index].exists ? &bus->machines[index]
									  : NULL;
}

static bool is_silent(const PlayedBus *bus, sd_bus_message *call)
{
	return bus->silent && strcmp(sd_bus_message_get_member(call), bus->silent) == 0;
}

/* Returns the name of the error with which the call fails. */
static const char *error_of(const PlayedBus *bus, sd_bus_message *call)
{
	if (is_silent(bus, call))
		return SD_BUS_ERROR_NO_REPLY;
	return bus->runs ? SD_BUS_ERROR_UNKNOWN_OBJECT : SD_BUS_ERROR_NAME_HAS_NO_OWNER;
}

/* Returns the reply to a call, or NULL if the call fails. */
static sd_bus_message *reply_to(const PlayedBus *bus, sd_bus_message *call)
{
	const char *member = sd_bus_message_get_member(call);
	const PlayedMachine *machine = called_machine(bus, call);
	sd_bus_message *reply = NULL;

	if ((is_for_machined(call) || strcmp(member, "GetNameOwner") == 0) && !bus->runs)
		return NULL;
	if ((strcmp(member, "GetAll") == 0 && !machine) || is_silent(bus, call))
		return NULL;
	MUST(sd_bus_message_new_method_return(call, &reply));
	if (strcmp(member, "Hello") == 0)
		MUST(sd_bus_message_append(reply, "s", PEER));
	else if (strcmp(member, "GetNameOwner") == 0)
		MUST(sd_bus_message_append(reply, "s", OWNER));
	else if (strcmp(member, "GetConnectionUnixProcessID") == 0)
		MUST(sd_bus_message_append(reply, "u", bus->peer_pid));
	else if (strcmp(member, "ListActivatableNames") == 0)
		MUST(sd_bus_message_append(reply, "as", 2, "org.example.Other",
					   bus->is_installed ? MACHINED : DRIVER));
	else if (strcmp(member, "ListMachines") == 0)
		append_machines(bus, reply);
	else if (strcmp(member, "GetAll") == 0)
		append_properties(machine, reply);
	return reply;
}

static void send_as(PlayedBus *bus, sd_bus_message *message, const char *sender)
{
	MUST(sd_bus_message_set_sender(message, sender));
	MUST(sd_bus_message_set_destination(message, PEER));
	bus->is_broken |= sd_bus_send(bus->peer, message, NULL) < 0;
	sd_bus_message_unref(message);
}

bool played_bus_answer(PlayedBus *bus)
{
	if (bus->call_count == 0 || !bus->peer)
		return false;
	sd_bus_message *call = bus->calls[0];
	sd_bus_message *reply = reply_to(bus, call);

	if (!reply)
		MUST(sd_bus_message_new_method_errorf(call, &reply, error_of(bus, call),
						      "refused"));
	send_as(bus, reply, is_for_machined(call) ? OWNER : DRIVER);
	sd_bus_message_unref(call);
	bus->call_count--;
	for (size_t i = 0; i < bus->call_count; i++)
		bus->calls[i] = bus->calls[i + 1];
	return true;
}

bool played_bus_pump(PlayedBus *bus)
{
	int result = 0;

	if (!bus->peer) {
		int fd = accept4(bus->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		sd_id128_t id = SD_ID128_MAKE(01, 02, 03, 04, 05, 06, 07, 08, 09, 0a, 0b, 0c, 0d,
					      0e, 0f, 10);

		if (fd < 0)
			return false;
		MUST(sd_bus_new(&bus->peer));
		MUST(sd_bus_set_fd(bus->peer, fd, fd));
		MUST(sd_bus_set_server(bus->peer, true, id));
		MUST(sd_bus_add_filter(bus->peer, NULL, keep_call, bus));
		MUST(sd_bus_start(bus->peer));
	}
	result = sd_bus_process(bus->peer, NULL);
	if (result < 0 || bus->is_broken)
		played_bus_drop(bus);
	return result > 0;
}

/* --- signals --------------------------------------------------------------------------------- */

static void send_machine_signal(PlayedBus *bus, const char *member, const char *name,
				const char *sender)
{
	sd_bus_message *signal = NULL;

	if (!bus->peer || sd_bus_is_ready(bus->peer) <= 0)
		return;
	MUST(sd_bus_message_new_signal(bus->peer, &signal, "/org/freedesktop/machine1", MANAGER,
				       member));
	MUST(sd_bus_message_append(signal, "so", name, "/org/freedesktop/machine1/machine/x"));
	send_as(bus, signal, sender);
}

static void send_about(PlayedBus *bus, size_t number, const char *member)
{
	char name[16];

	snprintf(name, sizeof(name), "m%zu", number);
	if (bus->runs)
		send_machine_signal(bus, member, name, OWNER);
}

void played_machine_new(PlayedBus *bus, size_t number, const PlayedMachine *machine)
{
	bus->machines[number] = *machine;
	bus->machines[number].exists = true;
	send_about(bus, number, "MachineNew");
}

void played_machine_removed(PlayedBus *bus, size_t number)
{
	bus->machines[number].exists = false;
	send_about(bus, number, "MachineRemoved");
}

void played_machined_runs(PlayedBus *bus, bool runs)
{
	sd_bus_message *signal = NULL;

	if (bus->runs == runs)
		return;
	bus->runs = runs;
	if (!bus->peer || sd_bus_is_ready(bus->peer) <= 0)
		return;
	MUST(sd_bus_message_new_signal(bus->peer, &signal, "/org/freedesktop/DBus", DRIVER,
				       "NameOwnerChanged"));
	MUST(sd_bus_message_append(signal, "sss", MACHINED, runs ? "" : OWNER, runs ? OWNER : ""));
	send_as(bus, signal, DRIVER);
}

void played_bus_forge(PlayedBus *bus, const char *name)
{
	send_machine_signal(bus, "MachineNew", name, ":1.99");
}
