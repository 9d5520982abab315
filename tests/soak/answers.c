/* SPDX-License-Identifier: MIT */
#include "tests/soak/client.h"

#define SEARCHED_MAX 4096 /* bytes of a reply that are searched for handles */
#define FDS_MAX      8

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
	"no status", /* a reply of org.varlink.service */
	NULL,
};

_Static_assert(sizeof(answer_words) / sizeof(answer_words[0]) <= WORDS, "WORDS is too small");

/* Counts a reply by its first status or, without a status, by its error. */
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
		errx(FATE_FAILED, "not ok soak: unknown status or error: %.200s", text);
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

/* Stores a handle in place of a random one. The first handle fills all places. */
static void store_handle(Client *client, char (*places)[HANDLE_SIZE], size_t count,
			 const char *value)
{
	bool is_first = places[0][0] == '\0';

	memcpy(places[draw(client_random(client), count)], value, HANDLE_SIZE - 1);
	for (size_t i = 0; is_first && i < count; i++)
		memcpy(places[i], value, HANDLE_SIZE - 1);
}

/* Publishes the handle of a VM's object to the clients that view this VM. */
static void put_on_board(Client *client, const char *handle)
{
	static const char key[] = "\",\"virtualMachineGuid\":\"";
	const char *guid = handle + HANDLE_SIZE - 1;

	if (strncmp(guid, key, strlen(key)) != 0 || strlen(guid + strlen(key)) < GUID_SIZE)
		return;
	guid += strlen(key) + GUID_SIZE - 3;
	unsigned long number = strtoul((char[]){ guid[0], guid[1], '\0' }, NULL, 16) % GUIDS;
	store_handle(client, client->soak->board->handles[number], ON_BOARD, handle);
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
			store_handle(client, client->names[kind], NAMES_EACH, value);
}

static void remember_address(Client *client, const char *value, size_t length)
{
	char *place = PICK(client_random(client), client->addresses);

	memcpy(place, value, length);
	place[length] = '\0';
}

static void remember_names(Client *client, const char *text)
{
	const char *end = text + SEARCHED_MAX;

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

static void look_at_reply(void *context, const char *text, size_t length)
{
	Client *client = context;

	if (client->pending > 0 && !ends_in(text, length, "\"continues\":true}"))
		client->pending--;
	count_answer(client, text);
	remember_names(client, text);
}

/* Receives without waiting and closes the fds. Returns the result of recvmsg(). */
static ssize_t receive(Client *client, int connection, char *text, size_t size)
{
	int fds[FDS_MAX];
	size_t count;
	ssize_t received = helper_recvmsg(connection, text, size, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
					  fds, FDS_MAX, &count);

	if (received < 0 && errno == EMSGSIZE)
		errx(FATE_FAILED, "not ok soak: more than %d fds came with a reply", FDS_MAX);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	client->soak->board->fds += count;
	return received;
}

bool client_receive(Client *client)
{
	ssize_t size = receive(client, client->connection, client->input + client->input_size,
			       INPUT_SIZE - client->input_size);

	if (size > 0) {
		client->input_size = replies_take(client->input, client->input_size + (size_t)size,
						  client->searched, look_at_reply, client);
		client->searched = client->input_size;
		if (client->input_size == INPUT_SIZE)
			errx(FATE_FAILED, "not ok soak: a reply is longer than %u bytes",
			     INPUT_SIZE);
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
