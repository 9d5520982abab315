/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>

#define LIFE_REQUESTS 2000 /* at most */

static const char *const users[] = { "root", "vail-carol", "vail-vmm", "vail-alice", "vail-bob" };

#define USERS     (sizeof(users) / sizeof(users[0]))
#define OPERATORS 2 /* the first ones */

static void become(const char *user)
{
	const struct passwd *entry = getpwnam(user);

	if (!entry || initgroups(user, entry->pw_gid) < 0 ||
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
		err(FATE_FAILED, "becoming %s", user);
	/* Asked for once it is somebody else, since that change would take it back. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* --- the conversation ------------------------------------------------------------------------ */

static short wait_for(const Client *client, short what)
{
	struct pollfd connection = { .fd = client->connection, .events = what };

	if (poll(&connection, 1, SILENCE_MS) != 1)
		errx(FATE_FAILED,
		     "the daemon neither reads nor answers: client %zu, %s, %" PRIu64 " answers",
		     client->number, client->user, client->pending);
	return connection.revents;
}

static void connect_anew(Client *client)
{
	if (client->connection >= 0)
		close(client->connection);
	client->connection = tool_connect(client->soak->socket);
	client->input_size = client->searched = client->output_size = 0;
	client->pending = 0;
	client->soak->board->connections++;
}

/* The daemon has closed the connection: it was restarted, or somebody of this user did not read. */
static void lose(Client *client)
{
	client->soak->board->lost++;
	connect_anew(client);
}

/* Sends what waits, and takes answers whenever there are some. */
static void flush(Client *client)
{
	size_t sent = 0;

	while (sent < client->output_size) {
		ssize_t size = send(client->connection, client->output + sent,
				    client->output_size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (size >= 0) {
			sent += (size_t)size;
		} else if (errno != EAGAIN || (wait_for(client, POLLIN | POLLOUT) & POLLIN &&
					       !client_receive(client))) {
			lose(client);
			return;
		}
	}
	client->output_size = 0;
}

/* Takes all answers that are to come. */
static void await(Client *client)
{
	flush(client);
	while (client->pending > 0) {
		wait_for(client, POLLIN);
		if (!client_receive(client)) {
			lose(client);
			return;
		}
	}
}

/* Asks no more on this connection, and takes all answers. */
static void finish(Client *client)
{
	flush(client);
	shutdown(client->connection, SHUT_WR);
	do
		wait_for(client, POLLIN);
	while (client_receive(client));
}

/* A message with descriptors is one on its own. */
static void send_descriptors(Client *client, Request *request)
{
	flush(client);
	for (;;) {
		ssize_t size = tool_sendmsg(client->connection, request->text, request->length,
					    request->descriptors, request->count, MSG_DONTWAIT);

		if (size >= 0)
			return;
		if (errno == EPERM && request->count > 0) {
			request->count = 0; /* nobody wants them */
		} else if (errno == ETOOMANYREFS && request->count > 0) {
			request->count--; /* too many of this user's are under way */
		} else if (errno != EAGAIN || (wait_for(client, POLLIN | POLLOUT) & POLLIN &&
					       !client_receive(client))) {
			lose(client);
			return;
		}
	}
}

/* --- one request ----------------------------------------------------------------------------- */

static bool is_call(const Request *request)
{
	return strncmp(request->text, "{\"method\":", strlen("{\"method\":")) == 0;
}

/* Who asks so gets no answer. Returns whether it is so now. */
static bool make_oneway(Client *client, Request *request)
{
	if (!one_in(client_random(client), 20) || !is_call(request) ||
	    strstr(request->text, "\"more\""))
		return false;
	request->length--; /* the last brace */
	request_add(request, ",\"oneway\":true}");
	return true;
}

static void converse(Client *client, Request *request)
{
	client->soak->board->operations++;
	if (request->count > 0) {
		send_descriptors(client, request);
	} else {
		if (client->output_size + request->length > OUTPUT_SIZE)
			flush(client);
		memcpy(client->output + client->output_size, request->text, request->length);
		client->output_size += request->length;
	}
	if (!request->is_broken)
		return;
	finish(client);
	connect_anew(client);
}

static void ask(Client *client, void (*make)(Client *, Request *))
{
	static Request request;
	uint64_t *random = client_random(client);

	request.length = request.count = 0;
	request.is_broken = false;
	make(client, &request);
	if (request.count > 0 && client->role != ROLE_VMM && !one_in(random, 8))
		request.count = 0;
	if (one_in(random, 200)) /* with some that it does not need */
		request_add_descriptors(&client->objects, &request, 1 + draw(random, 4),
					DESCRIPTOR_KINDS);
	if (!make_oneway(client, &request) && request.length > 0)
		client->pending++;
	if (one_in(random, 500))
		request_break(random, &request);
	request.text[request.length++] = one_in(random, 2) ? '\n' : '\0';
	converse(client, &request);
}

/* --- what is done beside --------------------------------------------------------------------- */

static void lay_aside(Client *client, void (*make)(Client *, Request *), size_t times, size_t share)
{
	size_t at = draw(client_random(client), ASIDE_MAX);
	Request request = { .length = 0 };

	if (client->aside[at] >= 0)
		close(client->aside[at]);
	client->aside[at] = tool_connect(client->soak->socket);
	client->soak->board->connections++;
	client->is_read[at] = one_in(client_random(client), 2);
	for (size_t i = 0; i < times; i++) {
		request.length = 0;
		make(client, &request);
		request.text[request.length++] = '\n';
		send(client->aside[at], request.text, request.length / share,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		client->soak->board->operations++;
	}
}

static void watch(Client *client)
{
	lay_aside(client, request_watch, 1, 1);
}

/* Lists that somebody reads, or nobody. */
static void list_much(Client *client)
{
	lay_aside(client, request_list, 1 + draw(client_random(client), 8), 1);
}

static void say_half(Client *client)
{
	lay_aside(client, request_next, 1, 2);
}

static void reconnect(Client *client)
{
	connect_anew(client);
}

static void reconnect_properly(Client *client)
{
	finish(client);
	connect_anew(client);
}

static void read_aside(Client *client)
{
	for (size_t i = 0; i < ASIDE_MAX; i++)
		if (client->aside[i] >= 0 && client->is_read[i])
			client_skim(client, client->aside[i]);
}

static void do_beside(Client *client)
{
	static void (*const acts[])(Client *) = { watch,    watch,     list_much,
						  say_half, reconnect, reconnect_properly };

	PICK(client_random(client), acts)(client);
}

/* --- its life -------------------------------------------------------------------------------- */

static Role pick_role(Client *client)
{
	static const Role usual[] = { ROLE_VMM,     ROLE_VMM,     ROLE_VMM,    ROLE_VMM,
				      ROLE_VIEWER,  ROLE_VIEWER,  ROLE_VIEWER, ROLE_VIEWER,
				      ROLE_COMPUTE, ROLE_STRANGER };
	static const Role operators[] = { ROLE_DRIVER, ROLE_OPERATOR, ROLE_VMM, ROLE_VIEWER };
	uint64_t *random = client_random(client);

	return client->number % USERS < OPERATORS ? PICK(random, operators) : PICK(random, usual);
}

/* A VMM has a VM of its own; a viewer looks at one that a process of its user may have. */
static void pick_guid(Client *client)
{
	uint64_t families = client->soak->client_count / USERS;
	uint64_t number = client->number;

	if (client->role != ROLE_VMM && families > 0)
		number = number % USERS + USERS * draw(client_random(client), families);
	guid_write(client->guid, number);
}

static void init(Client *client, const Soak *soak, size_t number)
{
	*client = (Client){
		.soak = soak,
		.number = number,
		.user = users[number % USERS],
		.objects = soak->pool,
		.connection = -1,
		.input = mmap(NULL, INPUT_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
	};
	if (client->input == MAP_FAILED)
		err(FATE_FAILED, "mmap");
	*client_random(client) = soak->seed + ++soak->board->lives * UINT64_C(0x100000001);
	client->role = pick_role(client);
	pick_guid(client);
	client->objects.guid = client->guid;
	for (size_t i = 0; i < ASIDE_MAX; i++)
		client->aside[i] = -1;
}

static _Noreturn void end(Client *client)
{
	static const Fate fates[] = { FATE_LEFT, FATE_LEFT, FATE_EXITED, FATE_KILLED };
	Fate fate = PICK(client_random(client), fates);

	if (fate == FATE_LEFT)
		finish(client);
	else
		send(client->connection, client->output, client->output_size / 2,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
	if (fate == FATE_KILLED)
		raise(SIGKILL);
	_exit((int)fate);
}

void client_live(const Soak *soak, size_t number)
{
	static Client client;

	init(&client, soak, number);
	become(client.user);
	connect_anew(&client);
	ask(&client, request_first);
	await(&client);
	ask(&client, request_second);
	uint64_t left = 1 + draw(client_random(&client), LIFE_REQUESTS);
	for (; left > 0 && soak->board->operations < soak->board->goal; left--) {
		ask(&client, request_next);
		if (one_in(client_random(&client), 16))
			await(&client);
		if (one_in(client_random(&client), 64))
			read_aside(&client);
		if (one_in(client_random(&client), 200))
			do_beside(&client);
	}
	end(&client);
}
