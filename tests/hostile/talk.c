/* SPDX-License-Identifier: MIT */
#include "tests/hostile/talk.h"

#include <stdarg.h>

#include "tests/support/helper.h"

#define REPLY_SIZE   (128 << 10)
#define REQUEST_SIZE (4 << 10)

const char *talk_receive(int connection)
{
	static char reply[REPLY_SIZE];
	size_t length = 0;

	do {
		int fd;
		ssize_t size = helper_recvmsg_one(connection, reply + length,
						  sizeof(reply) - 1 - length, 0, &fd);

		if (size <= 0)
			errx(2, "the daemon has closed the connection");
		if (fd >= 0)
			close(fd);
		length += (size_t)size;
	} while (reply[length - 1] != '\n');
	reply[length] = '\0';
	return reply;
}

__attribute__((format(printf, 2, 0))) static const char *
exchange(int connection, const char *format, va_list arguments)
{
	char request[REQUEST_SIZE];
	int length = vsnprintf(request, sizeof(request) - 1, format, arguments);

	if (length < 0 || (size_t)length >= sizeof(request) - 1)
		errx(2, "the request %s is too long", format);
	request[length++] = '\n';
	helper_send(connection, request, (size_t)length);
	return talk_receive(connection);
}

const char *talk(int connection, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const char *reply = exchange(connection, format, arguments);
	va_end(arguments);
	return reply;
}

const char *talk_successfully(int connection, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const char *reply = exchange(connection, format, arguments);
	va_end(arguments);
	if (!reply_is_success(reply))
		errx(2, "%s: %s", format, reply);
	return reply;
}

void reply_text(const char *reply, const char *member, char *ret, size_t size)
{
	char key[64];

	snprintf(key, sizeof(key), "\"%s\":\"", member);
	const char *found = strstr(reply, key);
	if (!found)
		errx(2, "no \"%s\" in %s", member, reply);
	found += strlen(key);
	snprintf(ret, size, "%.*s", (int)strcspn(found, "\""), found);
}

bool reply_is_success(const char *reply)
{
	static const char error[] = "{\"error\":";

	return strncmp(reply, error, strlen(error)) != 0;
}
