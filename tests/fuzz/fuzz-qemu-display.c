/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes vail-qemu's use of QEMU's display: the properties of the VM and of its consoles, the
 * registration of listeners, and the signals of consoles. Each message of an input is a byte with
 * its type (bits 0-1: reply, error, signal, or a second reply to the same call; bits 4-7: the
 * signature) and its body, which 0xff ends. All is sent before vail-qemu reads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/display.h"
#include "proto/macros.h"
#include "tests/fuzz/common/dbus-message.h"
#include "tests/fuzz/common/fake-agent.h"

#define MESSAGES_MAX 100
#define END_OF_BODY  0xff
#define TURNS_MAX    8

const char program_name[] = "fuzz";

/* A body is a variant of one of these types, or has the whole signature. */
static const char *const signatures[] = { "v", "as", "au", "", "sa{sv}as", "h", "s" };

static void append(Buffer *body, Input bytes)
{
	fuzz_must(buffer_append(body, bytes.data, bytes.size));
}

/* Texts, numbers and signals are written in their valid form, because the fuzzer rarely finds it.
 */
static void write_body(Buffer *body, uint8_t how, Input bytes)
{
	static const uint8_t text_type[] = { 1, 's', 0 }, array_type[] = { 2, 'a', 'u', 0 };
	char text[64];

	switch (how) {
	case 0: /* a variant with the text */
		append(body, (Input){ text_type, sizeof(text_type) });
		snprintf(text, sizeof(text), "%.*s", (int)bytes.size, (const char *)bytes.data);
		dbus_body_text(body, text);
		break;
	case 1: /* a variant with an array of small numbers */
		append(body, (Input){ array_type, sizeof(array_type) });
		dbus_body_number(body, (uint32_t)(4 * bytes.size));
		while (bytes.size > 0)
			dbus_body_number(body, input_byte(&bytes));
		break;
	default:
		append(body, bytes);
	}
}

static void send_message(int server, Input *input, uint32_t *call)
{
	static const DbusType types[] = { DBUS_REPLY, DBUS_ERROR, DBUS_SIGNAL, DBUS_REPLY };
	uint8_t which = input_byte(input), how = which >> 4;
	Input bytes = input_until(input, (char)END_OF_BODY);
	DbusHeader header = { .type = types[which & 3] };
	Buffer body = BUFFER_INIT;

	if (header.type == DBUS_SIGNAL) {
		header.path = "/org/qemu/Display1/Console_0";
		header.interface = "org.freedesktop.DBus.Properties";
		header.member = "PropertiesChanged";
	} else {
		header.reply_to = (which & 3) == 3 && *call > 1 ? *call - 1 : (*call)++;
	}
	header.error = header.type == DBUS_ERROR ? "org.freedesktop.DBus.Error.Failed" : NULL;
	header.signature = how < 2 ? "v" : signatures[how % ARRAY_SIZE(signatures)];
	write_body(&body, how, bytes);
	dbus_send(server, &header, *call,
		  (Input){ (const uint8_t *)buffer_head(&body), buffer_size(&body) }, NULL);
	buffer_deinit(&body);
}

static void use_display(Display *display, Agent *agent)
{
	bool is_connected = display_find_consoles(display, agent);
	_cleanup_free_ struct pollfd *poll_fds =
		calloc(1 + display->console_count, sizeof(*poll_fds));

	fuzz_must(poll_fds != NULL);
	for (int turn = 0; turn < TURNS_MAX && is_connected; turn++) {
		display_listen(display);
		display_poll_for(display, poll_fds);
		is_connected = display_process(display);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	_cleanup_free_ char *name = NULL;
	uint32_t call = 1;
	Display display = { 0 };
	DisplayLink link;
	Agent agent;
	int server, socket;

	fuzz_silence();
	fake_agent_init(&agent);
	size_t before = fuzz_count_fds();
	socket = dbus_connection(&server);
	for (int i = 0; i < MESSAGES_MAX && input.size > 0; i++)
		send_message(server, &input, &call);
	shutdown(server, SHUT_WR);
	if (!link_open(&link, socket, 0, &wait_system_clock))
		link_close(&link);
	else if (display_init(&display, &link) && display_read_name(&display, &name))
		use_display(&display, &agent);
	display_deinit(&display);
	fuzz_must(LIST_EMPTY(&agent.surfaces));
	close(server);
	fuzz_must(fuzz_count_fds() == before);
	return 0;
}
