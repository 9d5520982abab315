/* SPDX-License-Identifier: MIT */
#include "daemon/host/machine-watch.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/discovery/machine-adopt.h"
#include "daemon/host/log/log.h"
#include "daemon/host/server.h"
#include "proto/fd-util.h"

/* VMs that one turn of the event loop adds. Each costs some system calls. */
#define ADDITIONS_PER_TURN 16

static const struct timeval at_once = { 0 };

/* The service manager reads its messages soon. */
static const struct timeval soon = { .tv_usec = 100000 };

/* --- reports --------------------------------------------------------------------------------- */

/* Words what keeps vaild from seeing the machines, as the predicate of a sentence about them. */
static void describe_state(const MachineBus *bus, char *text, size_t size)
{
	switch (bus->state) {
	case MACHINE_BUS_ABSENT:
		snprintf(text, size, "are not looked for, because this host has no system bus");
		break;
	case MACHINE_BUS_NO_MACHINED:
		snprintf(text, size,
			 "are not looked for, because systemd-machined is not installed; install "
			 "the package systemd-container if vaild shall find VMs");
		break;
	case MACHINE_BUS_FAILED:
		snprintf(text, size,
			 "are not known now, because the system bus cannot be reached: %s; vaild "
			 "tries again by itself",
			 strerror(-bus->error));
		break;
	case MACHINE_BUS_CONNECTING:
		snprintf(text, size, "are not known yet, because the system bus has not answered");
		break;
	case MACHINE_BUS_FOREIGN:
		snprintf(text, size,
			 "are not looked for, because vaild runs in another pid namespace than the "
			 "system bus, and pids there are not pids here");
		break;
	case MACHINE_BUS_REFUSED:
		snprintf(text, size,
			 "cannot be listed: %s; see the log of systemd-machined; vaild tries again "
			 "by itself",
			 strerror(-bus->error));
		break;
	case MACHINE_BUS_LISTING:
	case MACHINE_BUS_LISTED:
	case MACHINE_BUS_IDLE:
	case MACHINE_BUS_STATE_MAX:
		text[0] = '\0';
		break;
	}
}

/* Writes the gaps in a complete list, if there are any, as describe_state() does. */
static void describe_gaps(MachineBus *bus, size_t left_out, char *text, size_t size)
{
	size_t untold = machine_table_failed(&bus->table);

	if (left_out > 0)
		snprintf(text, size,
			 "are not all listed: vaild leaves out %zu, because it has reached a limit "
			 "or is out of memory; see vailctl limits",
			 left_out);
	else if (untold > 0)
		snprintf(text, size,
			 "are not all known: systemd-machined has not told the properties of %zu; "
			 "see its log; vaild asks again by itself",
			 untold);
}

/* Tests whether a person should look after the state. Otherwise it may be just as wanted. */
static bool is_failure(const MachineBus *bus)
{
	return bus->state == MACHINE_BUS_REFUSED || bus->state == MACHINE_BUS_FOREIGN;
}

/* Logs a failure, unless it was the last one, and keeps the state for GetStatus. */
static void report_state(MachineWatch *watch)
{
	char *kept = watch->server->service.statistics.machines;
	size_t left_out = watch->bus.table.left_out + watch->refused;
	char text[STATISTICS_MACHINES_SIZE] = "";

	describe_state(&watch->bus, text, sizeof(text));
	if (text[0] == '\0')
		describe_gaps(&watch->bus, left_out, text, sizeof(text));
	if ((is_failure(&watch->bus) || left_out > 0) && strcmp(kept, text) != 0)
		log_warning("the VMs of systemd-machined %s", text);
	snprintf(kept, STATISTICS_MACHINES_SIZE, "%s", text);
}

/* Mentions once each machine that is left alone. */
static void mention(KnownMachine *machine)
{
	if (machine->is_mentioned || !machine->is_answered || machine->verdict == MACHINE_IS_VM)
		return;
	machine->is_mentioned = true;
	log_info("leaves the machine %s of systemd-machined alone: it %s", machine->name,
		 machine_verdict_text(machine->verdict));
}

/* --- machines -------------------------------------------------------------------------------- */

/* Returns microseconds on CLOCK_MONOTONIC, with which machined dates its machines. */
static uint64_t monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Returns the age of the process in microseconds, by its start time in clock ticks. */
static uint64_t age_of(const Server *server, const ProcessIdentity *identity)
{
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t started = identity->start_time * (1000000 / ticks);
	uint64_t now = server->host.now(server->host.self);

	return now > started ? now - started : 0;
}

/* Finds the leader's process. Its pid may have been reused since machined has named it. */
static Lookup open_leader(Server *server, const FoundMachine *machine, HostProcess **ret)
{
	ProcessIdentity identity;
	Lookup lookup = machine->leader == getpid()
				? LOOKUP_ABSENT
				: process_table_open(&server->processes, machine->leader, ret);

	if (lookup == LOOKUP_FOUND)
		lookup = host_process_identify(*ret, &identity);
	if (lookup == LOOKUP_FOUND &&
	    !machine_leader_is_old_enough(machine, age_of(server, &identity), monotonic_now()))
		return LOOKUP_GONE;
	return lookup;
}

static void adopt(MachineWatch *watch, const KnownMachine *machine)
{
	Server *server = watch->server;
	char guid[GUID_TEXT_LENGTH + 1];
	HostProcess *leader;
	Lookup lookup = open_leader(server, &machine->found, &leader);
	NTSTATUS status = STATUS_NO_MEMORY;

	if (lookup == LOOKUP_FOUND)
		status = machine_adopt(&server->service.store, machine, leader->key);
	else if (lookup != LOOKUP_EXHAUSTED)
		return; /* the leader has exited, and machined will say so */
	if (status != STATUS_SUCCESS) {
		watch->refused++;
		return;
	}
	log_info("found the VM %s (%s) in systemd-machined, with process %d",
		 guid_format(&machine->found.guid, guid), machine->name,
		 (int)machine->found.leader);
}

/* Takes the next step for a machine. Returns false if it has to wait for another turn. */
static bool look_at(MachineWatch *watch, const KnownMachine *machine, size_t *additions)
{
	Broker *broker = watch->server->service.broker;
	int notify = watch->server->persistence.store.notify;
	bool displaces = false;

	if (!machine->is_answered || machine->verdict != MACHINE_IS_VM ||
	    machine_table_find(&watch->bus.table, &machine->found.guid) != machine)
		return true;
	switch (machine_next_step(broker, &machine->found)) {
	case MACHINE_STEP_NONE:
		return true;
	case MACHINE_STEP_REPLACE:
		vm_end(broker, vm_find(broker, &machine->found.guid), END_VM_DISPLACED);
		watch->is_waiting = true;
		return true;
	case MACHINE_STEP_WAIT:
		watch->is_waiting = true;
		return true;
	case MACHINE_STEP_DISPLACE:
		displaces = true;
		break;
	case MACHINE_STEP_ADD:
		break;
	}
	/* Once one is refused, the others would be, too, and each attempt costs system calls. */
	if (watch->refused > 0) {
		watch->refused++;
		return true;
	}
	/* Watching the leader stores its pidfd, and send() would block the loop without room. */
	if (*additions == ADDITIONS_PER_TURN || (notify >= 0 && fd_poll(notify, POLLOUT) == 0)) {
		event_add(&watch->work_event, *additions == ADDITIONS_PER_TURN ? &at_once : &soon);
		return false;
	}
	/* To end a VM with many registrations takes long, so this turn does no more. */
	*additions = displaces ? ADDITIONS_PER_TURN : *additions + 1;
	adopt(watch, machine);
	return true;
}

static void on_work(evutil_socket_t fd, short what, void *context)
{
	MachineWatch *watch = context;
	MachineTable *table = &watch->bus.table;
	Broker *broker = watch->server->service.broker;
	KnownMachine *machine;
	size_t additions = 0;

	(void)fd;
	(void)what;
	watch->is_waiting = false;
	watch->refused = 0;
	if (watch->bus.state == MACHINE_BUS_LISTED)
		machines_end_lost(broker, table);
	for (machine = machine_table_first(table); machine; machine = machine_table_next(machine)) {
		mention(machine);
		if (!look_at(watch, machine, &additions))
			break;
	}
	report_state(watch);
	upkeep_after_change(&watch->server->upkeep);
}

/* Defers the work to another turn, because many answers come together. */
static void on_changed(void *context)
{
	MachineWatch *watch = context;

	report_state(watch);
	if (watch->bus.state == MACHINE_BUS_LISTED &&
	    !event_pending(&watch->work_event, EV_TIMEOUT, NULL))
		event_add(&watch->work_event, &at_once);
}

void machine_watch_init(MachineWatch *watch, Server *server)
{
	*watch = (MachineWatch){ .server = server };
	event_assign(&watch->work_event, server->base, -1, 0, on_work, watch);
	event_priority_set(&watch->work_event, 1);
	machine_bus_init(&watch->bus, server->base, MACHINE_BUS_SOCKET, on_changed, watch);
}

void machine_watch_deinit(MachineWatch *watch)
{
	event_del(&watch->work_event);
	machine_bus_deinit(&watch->bus);
}

void machine_watch_refresh(MachineWatch *watch)
{
	machine_bus_refresh(&watch->bus);
}

void machine_watch_event(MachineWatch *watch, const Event *event)
{
	if (event->kind != EVENT_VIRTUAL_MACHINE_REMOVED)
		return;
	bool makes_room = watch->is_waiting || watch->refused > 0 ||
			  machine_table_find(&watch->bus.table, event->virtual_machine);
	if (makes_room && !event_pending(&watch->work_event, EV_TIMEOUT, NULL))
		event_add(&watch->work_event, &soon);
}
