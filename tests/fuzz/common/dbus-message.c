/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/common/dbus-message.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/helper.h"

#define GREETING "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n"

/* Codes of the header's fields. */
enum {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR = 4,
	FIELD_REPLY_SERIAL = 5,
	FIELD_SIGNATURE = 8,
	FIELD_UNIX_FDS = 9,
};

static void append(Buffer *out, const void *data, size_t size)
{
	fuzz_must(buffer_append(out, data, size));
}

/* Pads to a multiple of size, counted from the start of the buffer. */
static void align(Buffer *out, size_t size)
{
	while (buffer_size(out) % size != 0)
		append(out, "", 1);
}

void dbus_body_number(Buffer *body, uint32_t number)
{
	align(body, sizeof(number));
	append(body, &number, sizeof(number));
}

void dbus_body_long_number(Buffer *body, uint64_t number)
{
	align(body, sizeof(number));
	append(body, &number, sizeof(number));
}

void dbus_body_text(Buffer *body, const char *text)
{
	dbus_body_number(body, (uint32_t)strlen(text));
	append(body, text, strlen(text) + 1);
}

void dbus_body_bytes(Buffer *body, Input pattern, size_t size)
{
	dbus_body_number(body, (uint32_t)size);
	fuzz_must(buffer_reserve(body, size + 1));
	for (size_t i = 0; i < size; i++)
		body->data[body->end++] =
			pattern.size > 0 ? (char)pattern.data[i % pattern.size] : 0;
}

/* Begins a field: a structure of the code and a variant of this type. */
static void begin_field(Buffer *out, uint8_t code, char type)
{
	const char beginning[] = { (char)code, 1, type, '\0' };

	align(out, 8);
	append(out, beginning, sizeof(beginning));
}

static void add_text(Buffer *out, uint8_t code, char type, const char *text)
{
	if (!text)
		return;
	begin_field(out, code, type);
	dbus_body_text(out, text);
}

static void add_number(Buffer *out, uint8_t code, uint32_t number)
{
	if (number == 0)
		return;
	begin_field(out, code, 'u');
	dbus_body_number(out, number);
}

/* A signature has its length in one byte. */
static void add_signature(Buffer *out, const char *signature)
{
	uint8_t length = (uint8_t)strlen(signature);

	if (length == 0)
		return;
	begin_field(out, FIELD_SIGNATURE, 'g');
	append(out, &length, 1);
	append(out, signature, (size_t)length + 1);
}

/* The fields begin at offset 16, which is aligned for each of them. */
static void append_message(Buffer *out, const DbusHeader *header, uint32_t serial, Input body)
{
	const uint8_t beginning[] = { 'l', (uint8_t)header->type, 0, 1 };
	Buffer fields = BUFFER_INIT;
	const uint32_t body_size = (uint32_t)body.size;
	uint32_t fields_size;

	add_text(&fields, FIELD_PATH, 'o', header->path);
	add_text(&fields, FIELD_INTERFACE, 's', header->interface);
	add_text(&fields, FIELD_MEMBER, 's', header->member);
	add_text(&fields, FIELD_ERROR, 's', header->error);
	add_number(&fields, FIELD_REPLY_SERIAL, header->reply_to);
	add_signature(&fields, header->signature);
	add_number(&fields, FIELD_UNIX_FDS, header->fd_count);
	fields_size = (uint32_t)buffer_size(&fields);
	align(&fields, 8);
	append(out, beginning, sizeof(beginning));
	append(out, &body_size, sizeof(body_size));
	append(out, &serial, sizeof(serial));
	append(out, &fields_size, sizeof(fields_size));
	append(out, buffer_head(&fields), buffer_size(&fields));
	append(out, body.data, body.size);
	buffer_deinit(&fields);
}

void dbus_send(int server, const DbusHeader *header, uint32_t serial, Input body, const int *fds)
{
	Buffer message = BUFFER_INIT;

	append_message(&message, header, serial, body);
	helper_sendmsg(server, buffer_head(&message), buffer_size(&message), fds, header->fd_count,
		       0);
	buffer_deinit(&message);
}

int dbus_connection(int *ret_server)
{
	int pair[2];

	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	fuzz_must(send(pair[1], GREETING, strlen(GREETING), 0) == (ssize_t)strlen(GREETING));
	*ret_server = pair[1];
	return pair[0];
}
