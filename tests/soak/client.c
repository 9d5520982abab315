/* SPDX-License-Identifier: MIT */
#include "tests/soak/client.h"

#include <signal.h>
#include <sys/prctl.h>

#define LIFE_REQUESTS 2000 /* at most */

static const char *const users[] = { "root", "vail-carol", "vail-vmm", "vail-alice", "vail-bob" };

#define USERS     (sizeof(users) / sizeof(users[0]))
#define OPERATORS 2 /* the first ones */

/* --- connections ----------------------------------------------------------------------------- */

static short wait_for(const Client *client, short what)
{
	struct pollfd connection = { .fd = client->connection, .events = what };

	if (poll(&connection, 1, -1) != 1)
		err(FATE_FAILED, "poll");
	return connection.revents;
}

static void reconnect(Client *client)
{
	if (client->connection >= 0)
		close(client->connection);
	client->connection = helper_connect(client->soak->socket);
	client->input_size = client->searched = client->output_size = 0;
	client->pending = 0;
	client->soak->board->connections++;
}

/*
 * Reconnects after the daemon has closed the connection, because it was restarted or because this
 * user's clients left too many replies unread.
 */
static void reconnect_after_loss(Client *client)
{
	client->soak->board->lost++;
	reconnect(client);
}

/*
 * Sends the buffered requests. Receives replies meanwhile, so that the daemon does not stop
 * reading.
 */
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
			reconnect_after_loss(client);
			return;
		}
	}
	client->output_size = 0;
}

/* Sends the buffered requests and waits for all replies. */
static void await_replies(Client *client)
{
	flush(client);
	while (client->pending > 0) {
		wait_for(client, POLLIN);
		if (!client_receive(client)) {
			reconnect_after_loss(client);
			return;
		}
	}
}

/* Sends the buffered requests and the end of input, and waits for the end of the connection. */
static void finish(Client *client)
{
	flush(client);
	shutdown(client->connection, SHUT_WR);
	do
		wait_for(client, POLLIN);
	while (client_receive(client));
}

/* Sends a request with fds as a separate message. */
static void send_fds(Client *client, Request *request)
{
	flush(client);
	for (;;) {
		ssize_t size = helper_sendmsg(client->connection, request->text, request->length,
					      request->fds, request->count, MSG_DONTWAIT);

		if (size >= 0)
			return;
		if (errno == EPERM && request->count > 0) {
			request->count = 0; /* the daemon refuses fds */
		} else if (errno == ETOOMANYREFS && request->count > 0) {
			request->count--; /* too many fds of this user are in flight */
		} else if (errno != EAGAIN || (wait_for(client, POLLIN | POLLOUT) & POLLIN &&
					       !client_receive(client))) {
			reconnect_after_loss(client);
			return;
		}
	}
}

/* --- requests -------------------------------------------------------------------------------- */

static bool is_call(const Request *request)
{
	return strncmp(request->text, "{\"method\":", strlen("{\"method\":")) == 0;
}

/* Sometimes makes the request oneway, so that it gets no reply. Returns true if it has. */
static bool make_oneway(Client *client, Request *request)
{
	if (!one_in(client_random(client), 20) || !is_call(request) ||
	    strstr(request->text, "\"more\""))
		return false;
	request->length--; /* the last brace */
	request_add(request, ",\"oneway\":true}");
	return true;
}

static void send_request(Client *client, Request *request)
{
	client->soak->board->operations++;
	if (request->count > 0) {
		send_fds(client, request);
	} else {
		if (client->output_size + request->length > OUTPUT_SIZE)
			flush(client);
		memcpy(client->output + client->output_size, request->text, request->length);
		client->output_size += request->length;
	}
	if (!request->is_broken)
		return;
	finish(client);
	reconnect(client);
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
	if (one_in(random, 200)) /* superfluous fds */
		request_add_fds(&client->objects, &request, 1 + draw(random, 4), FD_KINDS);
	if (!make_oneway(client, &request) && request.length > 0)
		client->pending++;
	request_end(random, &request);
	send_request(client, &request);
}

/* --- additional connections ------------------------------------------------------------------ */

/*
 * Opens an additional connection, closing an earlier one. Sends the request several times, each
 * time only its first 1/divisor.
 */
static void open_aside(Client *client, void (*make)(Client *, Request *), size_t times,
		       size_t divisor)
{
	size_t at = draw(client_random(client), ASIDE_MAX);
	Request request = { .length = 0 };

	if (client->aside[at] >= 0)
		close(client->aside[at]);
	client->aside[at] = helper_connect(client->soak->socket);
	client->soak->board->connections++;
	client->is_read[at] = one_in(client_random(client), 2);
	for (size_t i = 0; i < times; i++) {
		request.length = 0;
		make(client, &request);
		request.text[request.length++] = '\n';
		send(client->aside[at], request.text, request.length / divisor,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		client->soak->board->operations++;
	}
}

static void watch(Client *client)
{
	open_aside(client, request_watch, 1, 1);
}

/* Requests lists, whose replies may stay unread. */
static void list_much(Client *client)
{
	open_aside(client, request_list, 1 + draw(client_random(client), 8), 1);
}

static void send_half(Client *client)
{
	open_aside(client, request_next, 1, 2);
}

static void finish_and_reconnect(Client *client)
{
	finish(client);
	reconnect(client);
}

static void read_aside(Client *client)
{
	for (size_t i = 0; i < ASIDE_MAX; i++)
		if (client->aside[i] >= 0 && client->is_read[i])
			client_skim(client, client->aside[i]);
}

static void disturb(Client *client)
{
	static void (*const acts[])(Client *) = { watch,     watch,     list_much,
						  send_half, reconnect, finish_and_reconnect };

	PICK(client_random(client), acts)(client);
}

/* --- the process ----------------------------------------------------------------------------- */

static Role pick_role(Client *client)
{
	static const Role usual[] = { ROLE_VMM,     ROLE_VMM,     ROLE_VMM,    ROLE_VMM,
				      ROLE_VIEWER,  ROLE_VIEWER,  ROLE_VIEWER, ROLE_VIEWER,
				      ROLE_COMPUTE, ROLE_STRANGER };
	static const Role operators[] = { ROLE_DRIVER, ROLE_OPERATOR, ROLE_VMM, ROLE_VIEWER };
	uint64_t *random = client_random(client);

	return client->number % USERS < OPERATORS ? PICK(random, operators) : PICK(random, usual);
}

/* Picks a VM: for a VMM its own, for other roles one that a VMM of the same user may have. */
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
	if (!helper_become_user(client.user))
		err(FATE_FAILED, "cannot become %s", client.user);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the user change, which clears it */
	reconnect(&client);
	ask(&client, request_first);
	await_replies(&client);
	ask(&client, request_second);
	uint64_t left = 1 + draw(client_random(&client), LIFE_REQUESTS);
	for (; left > 0 && soak->board->operations < soak->board->goal; left--) {
		ask(&client, request_next);
		if (one_in(client_random(&client), 16))
			await_replies(&client);
		if (one_in(client_random(&client), 64))
			read_aside(&client);
		if (one_in(client_random(&client), 200))
			disturb(&client);
	}
	end(&client);
}
