/* SPDX-License-Identifier: MIT */
/*
 * random-requests SOCKET GUID COUNT SEED vmm|viewer: after a first line on stdin makes a context,
 * registers, if it may, and pipelines so many requests about shared objects, good ones and broken
 * ones, those of a VMM with descriptors of all kinds. Which ones, the seed decides, and what the
 * daemon answers. Prints each status and limit and how often it was answered, then "sent",
 * "refused" (sends whose descriptors the kernel refused), "received" (descriptors), "connections",
 * "lost" (of those, to the daemon) and "done", and stays connected until stdin ends.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "descriptor-kinds.h"

#define HANDLES_MAX 64
#define HANDLE_SIZE 33
#define WORDS_MAX   32
#define INPUT_SIZE  (4u << 20)
#define ANSWERED_MS 10000

typedef struct Client {
	const char *path, *guid;
	bool is_vmm;
	int connection;
	uint64_t random;
	int pool[DESCRIPTOR_KINDS]; /* -1: this machine has none of that kind */
	char handles[HANDLES_MAX][HANDLE_SIZE];
	char forgotten[HANDLES_MAX][HANDLE_SIZE]; /* to be closed, or they are held for good */
	size_t forgotten_count;
	char *input; /* what was not yet looked at begins here */
	size_t input_size;
	struct {
		char name[64];
		uint64_t count;
	} words[WORDS_MAX];
	uint64_t sent, refused, received, connections, lost;
} Client;

typedef struct Request {
	char text[8192];
	size_t length;
	int descriptors[TOOL_DESCRIPTORS_MAX];
	size_t count;
	bool is_broken; /* nobody knows what becomes of the connection behind it */
} Request;

/* --- randomness ------------------------------------------------------------------------------ */

static uint64_t draw(Client *client, uint64_t below)
{
	uint64_t value = client->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return (value ^ value >> 31) % below;
}

static bool one_in(Client *client, uint64_t count)
{
	return draw(client, count) == 0;
}

#define PICK(client, items) (items)[draw(client, sizeof(items) / sizeof((items)[0]))]

/* --- requests -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void add(Request *request, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	request->length +=
		(size_t)vsnprintf(request->text + request->length,
				  sizeof(request->text) - request->length, format, arguments);
	va_end(arguments);
	if (request->length >= sizeof(request->text))
		errx(2, "a request is too long");
}

static void add_descriptors(Client *client, Request *request, size_t count, size_t kinds)
{
	while (count-- > 0 && request->count < TOOL_DESCRIPTORS_MAX) {
		int descriptor = client->pool[draw(client, kinds)];

		if (descriptor >= 0)
			request->descriptors[request->count++] = descriptor;
	}
}

/* One that was seen, most often. */
static const char *pick_handle(Client *client)
{
	static const char *const strange[] = { "", "0", "0123456789abcdef0123456789abcdef",
					       "\\u00e9", "null" };
	const char *handle = PICK(client, client->handles);

	return *handle == '\0' || one_in(client, 16) ? PICK(client, strange) : handle;
}

static void begin(Request *request, const char *method)
{
	add(request, "{\"method\":\"io.vaild.%s\",\"parameters\":", method);
}

static void call_with_handle(Client *client, Request *request, const char *method)
{
	begin(request, method);
	add(request, "{\"handle\":\"%s\"}}", pick_handle(client));
}

static void open_object(Client *client, Request *request)
{
	call_with_handle(client, request, "OpenSharedObject");
}

static void close_object(Client *client, Request *request)
{
	call_with_handle(client, request, "CloseSharedObject");
}

static void close_forgotten(Client *client, Request *request)
{
	begin(request, "CloseSharedObject");
	add(request, "{\"handle\":\"%s\"}}", client->forgotten[--client->forgotten_count]);
}

static void unshare(Client *client, Request *request)
{
	call_with_handle(client, request, "UnshareObject");
}

static void update(Client *client, Request *request)
{
	size_t count = draw(client, 3);

	begin(request, "UpdateObject");
	add(request, "{\"handle\":\"%s\",\"damage\":[", pick_handle(client));
	for (size_t i = 0; i < count; i++)
		add(request, "%s{\"x\":%u,\"y\":0,\"width\":8,\"height\":%u}", i > 0 ? "," : "",
		    (unsigned int)draw(client, 70), (unsigned int)draw(client, 34));
	add(request, "]}}");
}

static void list(Client *client, Request *request)
{
	begin(request, "ListSharedObjects");
	if (one_in(client, 2))
		add(request, "{\"virtualMachineGuid\":\"%s\"}", client->guid);
	else
		add(request, "{}");
	add(request, "%s}", one_in(client, 2) ? ",\"more\":true" : "");
}

static void begin_sharing(const Client *client, Request *request)
{
	begin(request, "ShareObjectWithHost");
	add(request, "{\"virtualMachineGuid\":\"%s\",\"object\":{", client->guid);
}

/* What can be shared, if the VM has not too many. */
static void share(Client *client, Request *request)
{
	size_t planes = 1 + draw(client, 4);

	begin_sharing(client, request);
	add(request, "\"type\":\"resource\",\"access\":\"%s\",\"width\":64,\"height\":32,",
	    one_in(client, 2) ? "read" : "readWrite");
	add(request, "\"format\":\"XR24\",\"planes\":[");
	for (size_t i = 0; i < planes; i++)
		add(request, "%s{\"fileDescriptor\":%zu,\"offset\":0,\"stride\":256}",
		    i > 0 ? "," : "", i);
	add(request, "]}}}");
	add_descriptors(client, request, planes,
			one_in(client, 4) ? DESCRIPTOR_KINDS : DESCRIPTOR_KINDS_SHAREABLE);
}

static void add_plane(Client *client, Request *request)
{
	static const char *const numbers[] = { "0",    "1",    "2",    "3",    "-1", "253",
					       "4096", "8192", "null", "true", "1e3" };

	add(request, "{\"fileDescriptor\":%s,\"offset\":%s,\"stride\":%s}", PICK(client, numbers),
	    one_in(client, 4) ? PICK(client, numbers) : "0",
	    one_in(client, 4) ? "9223372036854775807" : "256");
}

/* What hardly ever can be. */
static void share_anything(Client *client, Request *request)
{
	static const char *const types[] = { "resource", "fence", "resourceWithFence", "x" };
	static const char *const accesses[] = { "read", "readWrite", "write" };
	static const char *const formats[] = { "XR24", "NV12", "XR2", "" };
	size_t planes = draw(client, 6), counts[] = { 0, 1, 2, 3, 5, 6, 100, 253 };

	begin_sharing(client, request);
	add(request, "\"type\":\"%s\",\"access\":\"%s\"", PICK(client, types),
	    PICK(client, accesses));
	if (!one_in(client, 4))
		add(request, ",\"width\":%u,\"height\":%u,\"format\":\"%s\"",
		    (unsigned int)draw(client, 100), (unsigned int)draw(client, 100),
		    PICK(client, formats));
	if (!one_in(client, 4)) {
		add(request, ",\"planes\":[");
		for (size_t i = 0; i < planes; i++) {
			add(request, "%s", i > 0 ? "," : "");
			add_plane(client, request);
		}
		add(request, "]");
	}
	if (one_in(client, 2))
		add(request, ",\"fence\":{\"fileDescriptor\":%u}", (unsigned int)draw(client, 3));
	add(request, "}}}");
	add_descriptors(client, request, PICK(client, counts), DESCRIPTOR_KINDS);
}

static void strange(Client *client, Request *request)
{
	static const char *const texts[] = {
		"[]",
		"17",
		"{}",
		"",
		"{\"method\":\"io.vaild.Nothing\"}",
		"{\"method\":\"io.vaild.Gpu.CreateContext\",\"parameters\":{\"x\":1}}",
		"{\"method\":\"org.varlink.service.GetInfo\"}",
	};

	add(request, "%s", PICK(client, texts));
}

/* A byte of it becomes another. */
static void break_request(Client *client, Request *request)
{
	static const char bytes[] = "{}[]\",:0\\\n\x01\xff";

	if (request->length == 0)
		return;
	request->text[draw(client, request->length)] = bytes[draw(client, sizeof(bytes))];
	request->is_broken = true;
}

static void make_request(Client *client, Request *request)
{
	static void (*const kinds[])(Client *, Request *) = {
		share,          share,          unshare,     unshare,      unshare,
		open_object,    open_object,    open_object, close_object, update,
		share_anything, share_anything, strange,
	};

	request->length = request->count = 0;
	request->is_broken = false;
	if (client->forgotten_count > 0)
		close_forgotten(client, request);
	else if (one_in(client, 64))
		list(client, request);
	else
		PICK(client, kinds)(client, request);
	if (one_in(client, 16)) /* with some that it does not need */
		add_descriptors(client, request, 1 + draw(client, 4), DESCRIPTOR_KINDS);
	if (!client->is_vmm && !one_in(client, 100))
		request->count = 0;
	if (one_in(client, 500))
		break_request(client, request);
	request->text[request->length++] = one_in(client, 2) ? '\n' : '\0';
}

/* --- answers --------------------------------------------------------------------------------- */

static void count_word(Client *client, const char *name, size_t length)
{
	size_t i = 0;

	while (i < WORDS_MAX && client->words[i].count > 0 &&
	       (strncmp(client->words[i].name, name, length) != 0 ||
		client->words[i].name[length] != '\0'))
		i++;
	if (i == WORDS_MAX || length >= sizeof(client->words[i].name))
		errx(1, "a word too many: %.*s", (int)length, name);
	memcpy(client->words[i].name, name, length);
	client->words[i].count++;
}

/* Counts the string that is the member's, where it is there. */
static void count_member(Client *client, const char *text, const char *member)
{
	const char *at = strstr(text, member);

	if (at)
		count_word(client, at + strlen(member), strcspn(at + strlen(member), "\""));
}

/* In the place of another, if it is new. */
static void remember_handle(Client *client, const char *handle)
{
	for (size_t i = 0; i < HANDLES_MAX; i++)
		if (memcmp(client->handles[i], handle, HANDLE_SIZE - 1) == 0)
			return;
	char *place = PICK(client, client->handles);
	if (*place != '\0' && client->forgotten_count < HANDLES_MAX)
		memcpy(client->forgotten[client->forgotten_count++], place, HANDLE_SIZE);
	memcpy(place, handle, HANDLE_SIZE - 1);
}

static void look_at_answer(Client *client, const char *text)
{
	static const char handle[] = "\"handle\":\"";

	count_member(client, text, "\"status\":\"");
	count_member(client, text, "\"limit\":\"");
	for (const char *at = strstr(text, handle); at; at = strstr(at + 1, handle))
		if (strcspn(at + strlen(handle), "\"") == HANDLE_SIZE - 1)
			remember_handle(client, at + strlen(handle));
}

/* Looks at the whole ones among the answers, which end in what their requests ended in. */
static void look_at_answers(Client *client)
{
	char *begin = client->input, *end = begin + client->input_size;

	for (char *at = begin; at < end; at++) {
		if (*at != '\n' && *at != '\0')
			continue;
		*at = '\0';
		look_at_answer(client, begin);
		begin = at + 1;
	}
	client->input_size = (size_t)(end - begin);
	memmove(client->input, begin, client->input_size);
}

static void take_descriptors(Client *client, struct msghdr *message)
{
	struct cmsghdr *header;

	if (message->msg_flags & MSG_CTRUNC)
		errx(1, "an answer brings too many descriptors");
	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header))
		for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int descriptor;

			memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			close(descriptor);
			client->received++;
		}
}

/* Takes what is there. Returns false at the end of the connection. */
static bool receive(Client *client)
{
	char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec room = { .iov_base = client->input + client->input_size,
			      .iov_len = INPUT_SIZE - client->input_size };
	struct msghdr message = { .msg_iov = &room,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t size = recvmsg(client->connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (size < 0 && errno == EAGAIN)
		return true;
	if (size <= 0)
		return false;
	take_descriptors(client, &message);
	client->input_size += (size_t)size;
	look_at_answers(client);
	return true;
}

/* --- the conversation ------------------------------------------------------------------------ */

static short wait_for(const Client *client, short what)
{
	struct pollfd connection = { .fd = client->connection, .events = what };

	if (poll(&connection, 1, ANSWERED_MS) != 1)
		errx(1, "the daemon neither reads nor answers");
	return connection.revents;
}

/* Waits for a first answer: before it accepts the connection, the daemon lets no descriptor in. */
static void connect_anew(Client *client)
{
	static const char first[] = "{\"method\":\"org.varlink.service.GetInfo\"}\n";

	if (client->connection >= 0)
		close(client->connection);
	client->connection = tool_connect(client->path);
	client->input_size = 0;
	client->connections++;
	tool_send(client->connection, first, strlen(first));
	wait_for(client, POLLIN);
}

/* The daemon closed the connection, and has no reason to. */
static void lose(Client *client)
{
	client->lost++;
	connect_anew(client);
}

/* Asks no more on this connection, and takes all answers. */
static void finish(Client *client)
{
	shutdown(client->connection, SHUT_WR);
	do
		wait_for(client, POLLIN);
	while (receive(client));
}

/* Returns 0, or the error: EAGAIN, EPERM for descriptors, or that of a connection that is over. */
static int try_send(const Client *client, const Request *request)
{
	ssize_t size = tool_sendmsg(client->connection, request->text, request->length,
				    request->descriptors, request->count, MSG_DONTWAIT);

	if (size >= 0 && (size_t)size != request->length)
		errx(1, "a request was sent in part");
	return size < 0 ? errno : 0;
}

/* Sends the request, and takes answers whenever there are some. */
static void converse(Client *client, Request *request)
{
	int error;

	while ((error = try_send(client, request)) != 0) {
		if (error == EPERM && request->count > 0) {
			client->refused++;
			request->count = 0;
		} else if (error == ETOOMANYREFS) { /* descriptors under way; answers come first */
			wait_for(client, POLLIN);
			if (!receive(client))
				lose(client);
		} else if (error != EAGAIN ||
			   (wait_for(client, POLLIN | POLLOUT) & POLLIN && !receive(client))) {
			lose(client);
		}
	}
	client->sent++;
	if (client->sent % 16 == 0 && !receive(client))
		lose(client);
	if (!request->is_broken)
		return;
	finish(client);
	connect_anew(client);
}

static void begin_as_viewer(Client *client)
{
	Request request = { .length = 0 };

	begin(&request, "Gpu.CreateContext");
	add(&request, "{}}\n");
	begin(&request, "RegisterVailProcess");
	add(&request, "{\"virtualMachineGuid\":\"%s\"}}\n", client->guid);
	converse(client, &request);
}

static void print_results(const Client *client)
{
	for (size_t i = 0; i < WORDS_MAX && client->words[i].count > 0; i++)
		printf("%s %" PRIu64 "\n", client->words[i].name, client->words[i].count);
	printf("sent %" PRIu64 "\nrefused %" PRIu64 "\nreceived %" PRIu64 "\nconnections %" PRIu64
	       "\nlost %" PRIu64 "\ndone\n",
	       client->sent, client->refused, client->received, client->connections, client->lost);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static Client client;
	static Request request;

	if (argc != 6)
		errx(2, "usage: random-requests SOCKET GUID COUNT SEED vmm|viewer");
	client = (Client){ .path = argv[1],
			   .guid = argv[2],
			   .connection = -1,
			   .random = tool_number(argv[4]),
			   .is_vmm = strcmp(argv[5], "vmm") == 0,
			   .input = malloc(INPUT_SIZE) };
	if (!client.input)
		err(2, "malloc");
	for (size_t i = 0; i < DESCRIPTOR_KINDS; i++)
		client.pool[i] = descriptor_kinds[i].make();
	if (getchar() == EOF)
		errx(1, "stdin ended");
	connect_anew(&client);
	begin_as_viewer(&client);
	for (size_t count = tool_number(argv[3]); count > 0; count--) {
		make_request(&client, &request);
		converse(&client, &request);
	}
	finish(&client);
	connect_anew(&client);
	print_results(&client);
	tool_wait_for_end_of_input();
	return 0;
}
