/* SPDX-License-Identifier: MIT */
/*
 * random-requests SOCKET GUID COUNT SEED vmm|viewer: after a first line on stdin makes a context,
 * registers, if it may, and pipelines so many requests about shared objects, good ones and broken
 * ones, those of a VMM with descriptors of all kinds. Which ones, the seed decides, and what the
 * daemon answers. Prints each status and limit and how often it was answered, then "sent",
 * "refused" (sends whose descriptors the kernel refused), "received" (descriptors), "connections",
 * "lost" (of those, to the daemon) and "done", and stays connected until stdin ends.
 */
#include "random-objects.h"

#define WORDS_MAX   32
#define INPUT_SIZE  (4u << 20)
#define ANSWERED_MS 10000

typedef struct Client {
	const char *path;
	bool is_vmm;
	int connection;
	RandomObjects objects;
	char *input; /* what was not yet looked at begins here */
	size_t input_size;
	struct {
		char name[64];
		uint64_t count;
	} words[WORDS_MAX];
	uint64_t sent, refused, received, connections, lost;
} Client;

static void make_request(Client *client, Request *request)
{
	uint64_t *random = &client->objects.random;

	request->length = request->count = 0;
	request->is_broken = false;
	random_objects_request(&client->objects, request);
	if (one_in(random, 16)) /* with some that it does not need */
		request_add_descriptors(&client->objects, request, 1 + draw(random, 4),
					DESCRIPTOR_KINDS);
	if (!client->is_vmm && !one_in(random, 100))
		request->count = 0;
	if (one_in(random, 500))
		request_break(random, request);
	request->text[request->length++] = one_in(random, 2) ? '\n' : '\0';
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

static void look_at_answer(Client *client, const char *text)
{
	static const char handle[] = "\"handle\":\"";

	count_member(client, text, "\"status\":\"");
	count_member(client, text, "\"limit\":\"");
	for (const char *at = strstr(text, handle); at; at = strstr(at + 1, handle))
		if (strcspn(at + strlen(handle), "\"") == HANDLE_SIZE - 1)
			random_objects_remember(&client->objects, at + strlen(handle));
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

	request_begin(&request, "Gpu.CreateContext");
	request_add(&request, "{}}\n");
	request_begin(&request, "RegisterVailProcess");
	request_add(&request, "{\"virtualMachineGuid\":\"%s\"}}\n", client->objects.guid);
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
			   .connection = -1,
			   .objects = { .random = tool_number(argv[4]), .guid = argv[2] },
			   .is_vmm = strcmp(argv[5], "vmm") == 0,
			   .input = malloc(INPUT_SIZE) };
	if (!client.input)
		err(2, "malloc");
	random_objects_make_pool(&client.objects);
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
