/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/machine-questions.h"

#include <event2/event.h>
#include <string.h>

#include "daemon/discovery/machine-reply.h"

#define RETRY_SECONDS_MAX 32

void machine_bus_set_state(MachineBus *bus, MachineBusState state, int error)
{
	bus->state = state;
	bus->error = error;
	bus->changed(bus->context);
}

void machine_bus_retry_later(MachineBus *bus)
{
	unsigned int seconds = bus->retry_seconds > 0 ? bus->retry_seconds : 1;
	const struct timeval wait = { .tv_sec = seconds };

	if (event_pending(&bus->retry_event, EV_TIMEOUT, NULL))
		return;
	bus->retry_seconds = seconds < RETRY_SECONDS_MAX ? 2 * seconds : seconds;
	event_add(&bus->retry_event, &wait);
}

/* --- calls ----------------------------------------------------------------------------------- */

int machine_bus_send(MachineBus *bus, sd_bus_message *call, sd_bus_message_handler_t on_reply,
		     void *context, sd_bus_slot **ret_slot)
{
	int result = sd_bus_message_set_auto_start(call, false);

	if (result >= 0)
		result = sd_bus_call_async(bus->connection, ret_slot, call, on_reply, context, 0);
	sd_bus_message_unref(call);
	return result;
}

void machine_bus_cancel_calls(MachineBus *bus)
{
	bus->listing = sd_bus_slot_unref(bus->listing);
	for (size_t i = 0; i < MACHINE_BUS_CALLS_MAX; i++)
		bus->calls[i].slot = sd_bus_slot_unref(bus->calls[i].slot);
}

/* --- properties of machines ------------------------------------------------------------------ */

static void ask_machines(MachineBus *bus);

static int on_properties(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	MachineBusCall *call = context;
	MachineBus *bus = call->bus;
	MachineFacts facts;
	bool is_read =
		!sd_bus_message_is_method_error(reply, NULL) && machine_reply_read(reply, &facts);

	(void)error;
	call->slot = sd_bus_slot_unref(call->slot);
	machine_table_answer(&bus->table, call->name, is_read ? &facts : NULL);
	ask_machines(bus);
	return 0;
}

static int ask_machine(MachineBusCall *call, const KnownMachine *machine)
{
	MachineBus *bus = call->bus;
	sd_bus_message *message = NULL;
	int result =
		sd_bus_message_new_method_call(bus->connection, &message, MACHINED, machine->path,
					       "org.freedesktop.DBus.Properties", "GetAll");

	if (result >= 0)
		result = sd_bus_message_append_basic(message, 's',
						     "org.freedesktop.machine1.Machine");
	if (result < 0) {
		sd_bus_message_unref(message);
		return result;
	}
	strcpy(call->name, machine->name);
	return machine_bus_send(bus, message, on_properties, call, &call->slot);
}

/* Asks as many machines as calls may wait, and reports when nothing is left to ask. */
static void ask_machines(MachineBus *bus)
{
	for (size_t i = 0; i < MACHINE_BUS_CALLS_MAX; i++) {
		MachineBusCall *call = &bus->calls[i];
		KnownMachine *machine = call->slot ? NULL : machine_table_ask(&bus->table);

		if (call->slot)
			continue;
		if (!machine)
			break;
		/* sd-bus refuses an invalid object path. */
		if (ask_machine(call, machine) < 0)
			machine_table_answer(&bus->table, machine->name, NULL);
	}
	if (bus->listing || !machine_table_is_complete(&bus->table))
		return;
	if (machine_table_failed(&bus->table) > 0)
		machine_bus_retry_later(bus);
	else
		bus->retry_seconds = 0;
	machine_bus_set_state(bus, MACHINE_BUS_LISTED, 0);
}

/* --- the list -------------------------------------------------------------------------------- */

/* NoReply is no such error: the bus sends it also if a machined that runs does not answer. */
static bool is_about_absence(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN);
}

static void list_refused(MachineBus *bus, int error)
{
	machine_bus_retry_later(bus);
	machine_bus_set_state(bus, MACHINE_BUS_REFUSED, error);
}

static int on_list(sd_bus_message *reply, void *context, sd_bus_error *ret_error)
{
	MachineBus *bus = context;
	const sd_bus_error *error = sd_bus_message_get_error(reply);

	(void)ret_error;
	bus->listing = sd_bus_slot_unref(bus->listing);
	if (error && is_about_absence(error)) {
		machine_bus_set_state(
			bus, bus->is_installed ? MACHINE_BUS_IDLE : MACHINE_BUS_NO_MACHINED, 0);
		return 0;
	}
	int result =
		error ? -sd_bus_message_get_errno(reply) : machine_reply_list(reply, &bus->table);
	if (result < 0)
		list_refused(bus, result);
	else
		ask_machines(bus);
	return 0;
}

void machine_bus_list(MachineBus *bus)
{
	sd_bus_message *call = NULL;

	if (bus->listing)
		return;
	int result = sd_bus_message_new_method_call(bus->connection, &call, MACHINED, MACHINED_PATH,
						    MACHINED_MANAGER, "ListMachines");
	if (result >= 0)
		result = machine_bus_send(bus, call, on_list, bus, &bus->listing);
	if (result < 0)
		list_refused(bus, result);
	else
		machine_bus_set_state(bus, MACHINE_BUS_LISTING, 0);
}
