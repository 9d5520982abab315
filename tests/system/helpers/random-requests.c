/* SPDX-License-Identifier: MIT */
/*
 * random-requests SOCKET GUID COUNT SEED vmm|viewer: waits for a line on stdin, creates a context,
 * registers for the VM, and pipelines COUNT random requests about shared objects, valid and
 * invalid. Those of a VMM carry fds of all kinds. The requests depend on SEED and on the daemon's
 * replies. Then prints these lines, and stays connected until stdin ends:
 *
 *   STATUS|LIMIT N   how often each status and each limit was in a reply
 *   sent N           number of requests
 *   refused N        requests that were sent without their fds, because the kernel refused the fds
 *   received N       fds that came with replies
 *   connections N    connections that were opened
 *   lost N           connections that the daemon closed
 *   done
 */
#include "tests/support/random-objects.h"

#define REPLY_FDS_MAX 8

#define WORDS_MAX  32
#define INPUT_SIZE (4u << 20)

typedef struct Client {
	const char *path;
	bool is_vmm;
	int connection;
	RandomObjects objects;
	char *input; /* the incomplete reply */
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
	if (one_in(random, 16)) /* superfluous fds */
		request_add_fds(&client->objects, request, 1 + draw(random, 4), FD_KINDS);
	if (!client->is_vmm && !one_in(random, 100))
		request->count = 0;
	request_end(random, request);
}

/* --- replies --------------------------------------------------------------------------------- */

static void count_word(Client *client, const char *name, size_t length)
{
	size_t i = 0;

	while (i < WORDS_MAX && client->words[i].count > 0 &&
	       (strncmp(client->words[i].name, name, length) != 0 ||
		client->words[i].name[length] != '\0'))
		i++;
	if (i == WORDS_MAX || length >= sizeof(client->words[i].name))
		errx(1, "too many different statuses, or a long one: %.*s", (int)length, name);
	memcpy(client->words[i].name, name, length);
	client->words[i].count++;
}

/* Counts the string value of the member, if the reply has it. */
static void count_member(Client *client, const char *text, const char *member)
{
	const char *at = strstr(text, member);

	if (at)
		count_word(client, at + strlen(member), strcspn(at + strlen(member), "\""));
}

static void look_at_reply(void *context, const char *text, size_t length)
{
	static const char handle[] = "\"handle\":\"";
	Client *client = context;

	(void)length;
	count_member(client, text, "\"status\":\"");
	count_member(client, text, "\"limit\":\"");
	for (const char *at = strstr(text, handle); at; at = strstr(at + 1, handle))
		if (strcspn(at + strlen(handle), "\"") == HANDLE_SIZE - 1)
			random_objects_remember(&client->objects, at + strlen(handle));
}

/* Receives available replies and closes their fds. Returns false at the end of the connection. */
static bool receive(Client *client)
{
	int fds[REPLY_FDS_MAX];
	size_t count;
	ssize_t size = helper_recvmsg(client->connection, client->input + client->input_size,
				      INPUT_SIZE - client->input_size,
				      MSG_DONTWAIT | MSG_CMSG_CLOEXEC, fds, REPLY_FDS_MAX, &count);

	if (size < 0 && errno == EAGAIN)
		return true;
	if (size < 0 && errno == EMSGSIZE)
		errx(1, "more than %d fds came with a reply", REPLY_FDS_MAX);
	if (size <= 0)
		return false;
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	client->received += count;
	client->input_size = replies_take(client->input, client->input_size + (size_t)size, 0,
					  look_at_reply, client);
	return true;
}

/* --- connections ----------------------------------------------------------------------------- */

static short wait_for(const Client *client, short what)
{
	struct pollfd connection = { .fd = client->connection, .events = what };

	if (poll(&connection, 1, -1) != 1)
		err(1, "poll");
	return connection.revents;
}

/*
 * Opens a new connection and waits for a first reply, because fds that are sent before the daemon
 * accepts the connection are refused.
 */
static void reconnect(Client *client)
{
	static const char first[] = "{\"method\":\"org.varlink.service.GetInfo\"}\n";

	if (client->connection >= 0)
		close(client->connection);
	client->connection = helper_connect(client->path);
	client->input_size = 0;
	client->connections++;
	helper_send(client->connection, first, strlen(first));
	wait_for(client, POLLIN);
}

/* Reconnects after the daemon has closed the connection, for which it has no reason. */
static void reconnect_after_loss(Client *client)
{
	client->lost++;
	reconnect(client);
}

/* Ends the output and waits for all replies and the end of the connection. */
static void finish(Client *client)
{
	shutdown(client->connection, SHUT_WR);
	do
		wait_for(client, POLLIN);
	while (receive(client));
}

/*
 * Returns 0 or an errno: EAGAIN if the socket is full, EPERM or ETOOMANYREFS if the kernel refuses
 * the fds, or others if the connection is closed.
 */
static int try_send(const Client *client, const Request *request)
{
	ssize_t size = helper_sendmsg(client->connection, request->text, request->length,
				      request->fds, request->count, MSG_DONTWAIT);

	if (size >= 0 && (size_t)size != request->length)
		errx(1, "a request was sent in part");
	return size < 0 ? errno : 0;
}

/* Sends the request. Receives replies meanwhile, so that the daemon does not stop reading. */
static void send_request(Client *client, Request *request)
{
	int error;

	while ((error = try_send(client, request)) != 0) {
		if (error == EPERM && request->count > 0) {
			client->refused++;
			request->count = 0;
		} else if (error == ETOOMANYREFS) { /* too many fds in flight */
			wait_for(client, POLLIN);
			if (!receive(client))
				reconnect_after_loss(client);
		} else if (error != EAGAIN ||
			   (wait_for(client, POLLIN | POLLOUT) & POLLIN && !receive(client))) {
			reconnect_after_loss(client);
		}
	}
	client->sent++;
	if (client->sent % 16 == 0 && !receive(client))
		reconnect_after_loss(client);
	if (!request->is_broken)
		return;
	finish(client);
	reconnect(client);
}

static void begin_as_viewer(Client *client)
{
	Request request = { .length = 0 };

	request_begin(&request, "Gpu.CreateContext");
	request_add(&request, "{}}\n");
	request_begin(&request, "RegisterVailProcess");
	request_add(&request, "{\"virtualMachineGuid\":\"%s\"}}\n", client->objects.guid);
	send_request(client, &request);
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
			   .objects = { .random = helper_number(argv[4]), .guid = argv[2] },
			   .is_vmm = strcmp(argv[5], "vmm") == 0,
			   .input = malloc(INPUT_SIZE) };
	if (!client.input)
		err(2, "malloc");
	random_objects_make_pool(&client.objects);
	if (getchar() == EOF)
		errx(1, "stdin ended");
	reconnect(&client);
	begin_as_viewer(&client);
	for (size_t count = helper_number(argv[3]); count > 0; count--) {
		make_request(&client, &request);
		send_request(&client, &request);
	}
	finish(&client);
	reconnect(&client);
	print_results(&client);
	helper_wait_for_end_of_input();
	return 0;
}
