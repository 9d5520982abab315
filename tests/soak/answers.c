/* SPDX-License-Identifier: MIT */
#include "client.h"

#define LOOKED_AT 4096 /* of one answer, for names */

const char *const answer_words[] = {
	"STATUS_SUCCESS",
	"STATUS_INVALID_HANDLE",
	"STATUS_INVALID_PARAMETER",
	"STATUS_NO_MEMORY",
	"STATUS_CONFLICTING_ADDRESSES",
	"STATUS_ACCESS_DENIED",
	"STATUS_OBJECT_TYPE_MISMATCH",
	"STATUS_INVALID_DISPOSITION",
	"STATUS_OBJECT_NAME_COLLISION",
	"STATUS_QUOTA_EXCEEDED",
	"STATUS_INSUFFICIENT_RESOURCES",
	"STATUS_NOT_SUPPORTED",
	"STATUS_PROCESS_IS_TERMINATING",
	"STATUS_INVALID_DEVICE_STATE",
	"STATUS_NOT_FOUND",
	"STATUS_GRAPHICS_VAIL_STATE_CHANGED",
	"org.varlink.service.MethodNotFound",
	"org.varlink.service.InterfaceNotFound",
	"org.varlink.service.ExpectedMore",
	"org.varlink.service.InvalidParameter",
	"no status", /* org.varlink.service has none */
	NULL,
};

_Static_assert(sizeof(answer_words) / sizeof(answer_words[0]) <= WORDS, "the board has room");

/* An answer's first status, or where it has none its error. */
static void count_answer(Client *client, const char *text)
{
	static const char status[] = "\"status\":\"", error[] = "\"error\":\"";
	const char *begin = strstr(text, status);
	size_t i = 0;

	if (begin)
		begin += strlen(status);
	else if ((begin = strstr(text, error)))
		begin += strlen(error);
	else
		begin = "no status\"";
	size_t length = strcspn(begin, "\"");
	while (answer_words[i] &&
	       (strncmp(answer_words[i], begin, length) != 0 || answer_words[i][length] != '\0'))
		i++;
	if (!answer_words[i])
		errx(FATE_FAILED, "not ok soak: nobody knows this answer: %.200s", text);
	client->soak->board->words[i]++;
}

static bool ends_in(const char *text, size_t length, const char *end)
{
	return length >= strlen(end) && memcmp(text + length - strlen(end), end, strlen(end)) == 0;
}

static bool is_named(const char *value, const char *begin, const char *key)
{
	return (size_t)(value - begin) >= strlen(key) &&
	       memcmp(value - strlen(key), key, strlen(key)) == 0;
}

/* In the place of another; the first one takes all places. */
static void put(Client *client, char (*places)[HANDLE_SIZE], size_t count, const char *value)
{
	bool is_first = places[0][0] == '\0';

	memcpy(places[draw(client_random(client), count)], value, HANDLE_SIZE - 1);
	for (size_t i = 0; is_first && i < count; i++)
		memcpy(places[i], value, HANDLE_SIZE - 1);
}

/* An object of a VM's: those who look at this VM shall hear of it. */
static void put_on_board(Client *client, const char *handle)
{
	static const char key[] = "\",\"virtualMachineGuid\":\"";
	const char *guid = handle + HANDLE_SIZE - 1;

	if (strncmp(guid, key, strlen(key)) != 0 || strlen(guid + strlen(key)) < GUID_SIZE)
		return;
	guid += strlen(key) + GUID_SIZE - 3;
	unsigned long number = strtoul((char[]){ guid[0], guid[1], '\0' }, NULL, 16) % GUIDS;
	put(client, client->soak->board->handles[number], ON_BOARD, handle);
}

static void remember_handle(Client *client, const char *begin, const char *value)
{
	static const char *const keys[NAME_KINDS] = {
		[NAME_CONTEXT] = "\"context\":\"",
		[NAME_PROCESS] = "\"process\":\"",
		[NAME_VIRTUAL_GPU] = "\"virtualGpu\":\"",
		[NAME_ADAPTER] = "\"adapter\":\"",
	};

	if (is_named(value, begin, "\"handle\":\"")) {
		random_objects_remember(&client->objects, value);
		put_on_board(client, value);
	}
	for (NameKind kind = 0; kind < NAME_KINDS; kind++)
		if (is_named(value, begin, keys[kind]))
			put(client, client->names[kind], NAMES_EACH, value);
}

static void remember_address(Client *client, const char *value, size_t length)
{
	char *place = PICK(client_random(client), client->addresses);

	memcpy(place, value, length);
	place[length] = '\0';
}

static void remember_names(Client *client, const char *text)
{
	const char *end = text + LOOKED_AT;

	for (const char *at = text; (at = strstr(at, "\":\"")) && at < end;) {
		size_t length;

		at += strlen("\":\"");
		length = strcspn(at, "\"");
		if (length == HANDLE_SIZE - 1)
			remember_handle(client, text, at);
		else if (length < ADDRESS_SIZE && is_named(at, text, "irtualAddress\":\""))
			remember_address(client, at, length);
	}
}

static void look_at_answer(Client *client, const char *text, size_t length)
{
	if (client->pending > 0 && !ends_in(text, length, "\"continues\":true}"))
		client->pending--;
	count_answer(client, text);
	remember_names(client, text);
}

/* Looks at the whole ones among the answers, which end in what their requests ended in. */
static void look_at_answers(Client *client)
{
	char *begin = client->input, *end = begin + client->input_size;

	for (char *at = begin + client->searched; at < end; at++) {
		if (*at != '\n' && *at != '\0')
			continue;
		*at = '\0';
		look_at_answer(client, begin, (size_t)(at - begin));
		begin = at + 1;
	}
	client->input_size = client->searched = (size_t)(end - begin);
	memmove(client->input, begin, client->input_size);
	if (client->input_size == INPUT_SIZE)
		errx(FATE_FAILED, "not ok soak: an answer is longer than any can be");
}

/* Returns as recvmsg() does. */
static ssize_t receive(Client *client, int connection, char *text, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec room = { .iov_base = text, .iov_len = size };
	struct msghdr message = { .msg_iov = &room,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t received = recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (received <= 0)
		return received;
	if (message.msg_flags & MSG_CTRUNC)
		errx(FATE_FAILED, "not ok soak: an answer brings too many descriptors");
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
	     header = CMSG_NXTHDR(&message, header))
		for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int descriptor;

			memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			close(descriptor);
			client->soak->board->descriptors++;
		}
	return received;
}

bool client_receive(Client *client)
{
	ssize_t size = receive(client, client->connection, client->input + client->input_size,
			       INPUT_SIZE - client->input_size);

	if (size > 0) {
		client->input_size += (size_t)size;
		look_at_answers(client);
	}
	return size > 0 || (size < 0 && errno == EAGAIN);
}

bool client_skim(Client *client, int connection)
{
	static char text[64 << 10];
	ssize_t size = receive(client, connection, text, sizeof(text));

	for (ssize_t i = 0; i < size; i++)
		client->soak->board->events += text[i] == '\n' || text[i] == '\0';
	return size > 0 || (size < 0 && errno == EAGAIN);
}
