/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what vaild reads of systemd-machined: lists of machines and their properties. Each message
 * of an input is a byte with its kind (bits 0-1: list, properties, names, or properties that are
 * written in their valid form) and its body, which 0xff ends.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/discovery/machine-reply.h"
#include "proto/macros.h"
#include "tests/fuzz/common/dbus-message.h"

#define MESSAGES_MAX 40
#define END_OF_BODY  0xff
#define TURNS_MAX    8

typedef enum ReplyKind {
	REPLY_LIST,
	REPLY_PROPERTIES,
	REPLY_NAMES,
	REPLY_VALID_PROPERTIES,
} ReplyKind;

static ReplyKind kind; /* of the reply that comes next */

/* Checks what always holds of a table, whatever machined has sent. */
static void check(MachineTable *table)
{
	size_t count = 0;
	KnownMachine *machine;

	for (machine = machine_table_first(table); machine;
	     machine = machine_table_next(machine), count++) {
		for (const char *c = machine->name; *c != '\0'; c++)
			fuzz_must(*c >= ' ' && *c < 0x7f);
		fuzz_must(strlen(machine->name) < MACHINE_NAME_SIZE);
		if (!machine->is_answered || machine->verdict != MACHINE_IS_VM)
			continue;
		fuzz_must(!guid_is_nil(&machine->found.guid) && machine->found.leader > 1);
		fuzz_must(machine_name_is_valid(machine->name));
		fuzz_must(machine_table_find(table, &machine->found.guid));
	}
	fuzz_must(count == table->count && count - table->others <= MACHINES_MAX &&
		  table->others <= OTHER_MACHINES_MAX);
}

static int on_reply(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	MachineTable *table = context;
	KnownMachine *machine;
	MachineFacts facts;

	(void)error;
	switch (kind) {
	case REPLY_LIST:
		machine_reply_list(reply, table);
		break;
	case REPLY_NAMES:
		machine_reply_has_name(reply, "org.freedesktop.machine1");
		break;
	case REPLY_PROPERTIES:
	case REPLY_VALID_PROPERTIES:
		machine = machine_table_ask(table);
		if (machine)
			machine_table_answer(table, machine->name,
					     machine_reply_read(reply, &facts) ? &facts : NULL);
		else
			machine_reply_read(reply, &facts);
		break;
	}
	check(table);
	return 0;
}

/* Aligns the body as D-Bus demands of the entries of a dictionary. */
static void align(Buffer *body)
{
	while (buffer_size(body) % 8 != 0)
		fuzz_must(buffer_append(body, "", 1));
}

static void begin_property(Buffer *body, const char *name, const char *type)
{
	const uint8_t length = (uint8_t)strlen(type);

	align(body);
	dbus_body_text(body, name);
	fuzz_must(buffer_append(body, &length, 1) && buffer_append(body, type, length + 1u));
}

/* Writes properties whose values are from the input, because the fuzzer rarely finds their form. */
static void write_properties(Buffer *ret, Input bytes)
{
	Buffer body = BUFFER_INIT;
	uint8_t id_size = input_byte(&bytes) % 20;

	begin_property(&body, "Leader", "u");
	dbus_body_number(&body, input_number(&bytes));
	begin_property(&body, "Id", "ay");
	dbus_body_bytes(&body, input_take(&bytes, 4), id_size);
	begin_property(&body, "Class", "s");
	dbus_body_text(&body, input_byte(&bytes) & 1 ? "vm" : "container");
	/* The length of the array comes first, and its entries are aligned to 8. */
	dbus_body_number(ret, (uint32_t)buffer_size(&body));
	align(ret);
	fuzz_must(buffer_append(ret, buffer_head(&body), buffer_size(&body)));
	buffer_deinit(&body);
}

static void send_reply(int server, Input *input, uint32_t serial)
{
	static const char *const signatures[] = { "a(ssso)", "a{sv}", "as", "a{sv}" };
	DbusHeader header = { .type = DBUS_REPLY, .reply_to = serial };
	Buffer body = BUFFER_INIT;

	kind = (ReplyKind)(input_byte(input) % ARRAY_SIZE(signatures));
	Input bytes = input_until(input, (char)END_OF_BODY);
	header.signature = signatures[kind];
	if (kind == REPLY_VALID_PROPERTIES)
		write_properties(&body, bytes);
	else
		fuzz_must(buffer_append(&body, bytes.data, bytes.size));
	dbus_send(server, &header, serial,
		  (Input){ (const uint8_t *)buffer_head(&body), buffer_size(&body) }, NULL);
	buffer_deinit(&body);
}

/* Returns false if the connection has ended, as after a message that is none of D-Bus. */
static bool ask(sd_bus *bus, MachineTable *table, int server, Input *input, uint32_t serial)
{
	int result =
		sd_bus_call_method_async(bus, NULL, NULL, "/a", "a.b", "C", on_reply, table, NULL);

	if (result < 0)
		return false;
	send_reply(server, input, serial);
	for (int i = 0; i < TURNS_MAX && result >= 0; i++)
		result = sd_bus_process(bus, NULL);
	return result >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	MachineTable table;
	sd_bus *bus = NULL;
	int server, client = dbus_connection(&server);

	machine_table_init(&table);
	fuzz_must(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, client, client) >= 0);
	fuzz_must(sd_bus_start(bus) >= 0);
	for (int i = 0; i < TURNS_MAX && sd_bus_is_ready(bus) == 0; i++)
		sd_bus_process(bus, NULL);
	for (uint32_t serial = 1; input.size > 0 && serial <= MESSAGES_MAX; serial++)
		if (!ask(bus, &table, server, &input, serial))
			break;
	sd_bus_close_unref(bus);
	close(server);
	machine_table_deinit(&table);
	return 0;
}
