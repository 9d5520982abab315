/* SPDX-License-Identifier: MIT */
#include "tests/unit/fleet/played-gateway.h"

#include <bsd/sys/queue.h>
#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

#define CREATED "{\"result\":{" GATEWAY_HEADER ",\"created\":true}}\n"

static const struct {
	const char *path, *answer;
} paths[GATEWAY_PATH_MAX] = {
	[GATEWAY_RANGE] = { "/v3/kv/range", "{" GATEWAY_HEADER "}" },
	[GATEWAY_WATCH] = { "/v3/watch", CREATED },
	[GATEWAY_GRANT] = { "/v3/lease/grant",
			    "{" GATEWAY_HEADER ",\"ID\":\"77\",\"TTL\":\"15\"}" },
	[GATEWAY_KEEPALIVE] = { "/v3/lease/keepalive",
				"{\"result\":{" GATEWAY_HEADER ",\"ID\":\"77\",\"TTL\":\"15\"}}" },
	[GATEWAY_REVOKE] = { "/v3/lease/revoke", "{" GATEWAY_HEADER "}" },
	[GATEWAY_PUT] = { "/v3/kv/put", "{" GATEWAY_HEADER "}" },
	[GATEWAY_DELETE] = { "/v3/kv/deleterange", "{" GATEWAY_HEADER "}" },
	[GATEWAY_TXN] = { "/v3/kv/txn", "{" GATEWAY_HEADER ",\"succeeded\":true}" },
	[GATEWAY_STATUS] = { "/v3/maintenance/status", "{" GATEWAY_HEADER "}" },
};

typedef struct Scripted {
	int status; /* SILENCE or HANG_UP instead of an answer */
	char *body;
	TAILQ_ENTRY(Scripted) link;
} Scripted;

enum { SILENCE = -1, HANG_UP = -2 };

#define OPEN_MAX_COUNT 64

/* A request without an answer, or a watch. */
typedef struct OpenRequest {
	struct evhttp_request *request;
	struct evhttp_connection *connection;
	bool is_watch;
} OpenRequest;

struct Gateway {
	struct evhttp *http;
	struct evhttp_bound_socket *socket;
	char url[64];
	TAILQ_HEAD(, Scripted) scripts[GATEWAY_PATH_MAX];
	size_t counts[GATEWAY_PATH_MAX];
	char *bodies[GATEWAY_PATH_MAX];
	bool is_silent;
	bool needs_leader;
	OpenRequest open[OPEN_MAX_COUNT];
	size_t open_count;
};

/*
 * The client has closed the connection of a request without an answer, or of a watch. The request
 * then belongs to the gateway.
 */
static void on_closed(struct evhttp_connection *connection, void *context)
{
	Gateway *gateway = context;

	for (size_t i = 0; i < gateway->open_count; i++)
		if (gateway->open[i].connection == connection) {
			if (!evhttp_request_get_connection(gateway->open[i].request))
				evhttp_request_free(gateway->open[i].request);
			gateway->open[i--] = gateway->open[--gateway->open_count];
		}
}

static void keep_open(Gateway *gateway, struct evhttp_request *request, bool is_watch)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);

	cr_assert_lt(gateway->open_count, (size_t)OPEN_MAX_COUNT);
	gateway->open[gateway->open_count++] = (OpenRequest){ request, connection, is_watch };
	evhttp_connection_set_closecb(connection, on_closed, gateway);
}

static void send_chunk(struct evhttp_request *request, const char *text)
{
	struct evbuffer *chunk = evbuffer_new();

	evbuffer_add(chunk, text, strlen(text));
	evhttp_send_reply_chunk(request, chunk);
	evbuffer_free(chunk);
}

static void begin_watch(Gateway *gateway, struct evhttp_request *request, const char *body)
{
	keep_open(gateway, request, true);
	gateway->needs_leader = evhttp_find_header(evhttp_request_get_input_headers(request),
						   "Grpc-Metadata-hasleader") != NULL;
	evhttp_send_reply_start(request, 200, "OK");
	if (body[0])
		send_chunk(request, body);
}

static void answer(struct evhttp_request *request, int status, const char *body)
{
	struct evbuffer *content = evbuffer_new();

	evbuffer_add(content, body, strlen(body));
	evhttp_send_reply(request, status, NULL, content);
	evbuffer_free(content);
}

static void remember(Gateway *gateway, GatewayPath path, struct evhttp_request *request)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	size_t size = evbuffer_get_length(input);

	gateway->counts[path]++;
	free(gateway->bodies[path]);
	gateway->bodies[path] = calloc(1, size + 1);
	evbuffer_copyout(input, gateway->bodies[path], size);
}

static GatewayPath path_of(struct evhttp_request *request)
{
	GatewayPath path = 0;

	while (path < GATEWAY_PATH_MAX &&
	       strcmp(paths[path].path, evhttp_request_get_uri(request)) != 0)
		path++;
	cr_assert_lt(path, GATEWAY_PATH_MAX, "%s", evhttp_request_get_uri(request));
	return path;
}

static void on_request(struct evhttp_request *request, void *context)
{
	Gateway *gateway = context;
	GatewayPath path = path_of(request);
	Scripted *scripted = TAILQ_FIRST(&gateway->scripts[path]);
	int status = scripted ? scripted->status : 200;
	const char *body = scripted ? scripted->body : paths[path].answer;

	cr_assert_eq(evhttp_request_get_command(request), EVHTTP_REQ_POST);
	remember(gateway, path, request);
	if (gateway->is_silent) {
		keep_open(gateway, request, false);
		return;
	}
	if (status == HANG_UP)
		evhttp_connection_free(evhttp_request_get_connection(request));
	else if (status == 200 && path == GATEWAY_WATCH)
		begin_watch(gateway, request, body);
	else if (status == SILENCE)
		keep_open(gateway, request, false);
	else
		answer(request, status, body);
	if (scripted) {
		TAILQ_REMOVE(&gateway->scripts[path], scripted, link);
		free(scripted->body);
		free(scripted);
	}
}

Gateway *gateway_new(struct event_base *base)
{
	Gateway *gateway = calloc(1, sizeof(*gateway));
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	gateway->http = evhttp_new(base);
	gateway->socket = evhttp_bind_socket_with_handle(gateway->http, "127.0.0.1", 0);
	cr_assert_not_null(gateway->socket);
	getsockname(evhttp_bound_socket_get_fd(gateway->socket), (struct sockaddr *)&address,
		    &size);
	snprintf(gateway->url, sizeof(gateway->url), "http://127.0.0.1:%u",
		 ntohs(address.sin_port));
	evhttp_set_gencb(gateway->http, on_request, gateway);
	for (size_t i = 0; i < GATEWAY_PATH_MAX; i++)
		TAILQ_INIT(&gateway->scripts[i]);
	return gateway;
}

void gateway_free(Gateway *gateway)
{
	for (size_t i = 0; i < gateway->open_count; i++)
		evhttp_connection_set_closecb(gateway->open[i].connection, NULL, NULL);
	evhttp_free(gateway->http);
	for (size_t i = 0; i < GATEWAY_PATH_MAX; i++) {
		Scripted *scripted;

		free(gateway->bodies[i]);
		while ((scripted = TAILQ_FIRST(&gateway->scripts[i]))) {
			TAILQ_REMOVE(&gateway->scripts[i], scripted, link);
			free(scripted->body);
			free(scripted);
		}
	}
	free(gateway);
}

const char *gateway_url(const Gateway *gateway)
{
	return gateway->url;
}

void gateway_script(Gateway *gateway, GatewayPath path, int status, const char *body)
{
	Scripted *scripted = calloc(1, sizeof(*scripted));

	*scripted = (Scripted){ .status = status, .body = strdup(body) };
	TAILQ_INSERT_TAIL(&gateway->scripts[path], scripted, link);
}

void gateway_script_silence(Gateway *gateway, GatewayPath path)
{
	gateway_script(gateway, path, SILENCE, "");
}

void gateway_script_hang_up(Gateway *gateway, GatewayPath path)
{
	gateway_script(gateway, path, HANG_UP, "");
}

void gateway_close(Gateway *gateway)
{
	evhttp_del_accept_socket(gateway->http, gateway->socket);
}

void gateway_fall_silent(Gateway *gateway)
{
	gateway->is_silent = true;
}

size_t gateway_count(const Gateway *gateway, GatewayPath path)
{
	return gateway->counts[path];
}

const char *gateway_last(const Gateway *gateway, GatewayPath path)
{
	return gateway->bodies[path] ? gateway->bodies[path] : "";
}

bool gateway_watch_needs_leader(const Gateway *gateway)
{
	return gateway->needs_leader;
}

size_t gateway_watches(const Gateway *gateway)
{
	size_t count = 0;

	for (size_t i = 0; i < gateway->open_count; i++)
		count += gateway->open[i].is_watch;
	return count;
}

void gateway_send(Gateway *gateway, const char *text)
{
	for (size_t i = 0; i < gateway->open_count; i++)
		if (gateway->open[i].is_watch)
			send_chunk(gateway->open[i].request, text);
}

void gateway_end_watches(Gateway *gateway)
{
	for (size_t i = 0; i < gateway->open_count; i++) {
		OpenRequest open = gateway->open[i];

		if (!open.is_watch)
			continue;
		gateway->open[i--] = gateway->open[--gateway->open_count];
		evhttp_connection_set_closecb(open.connection, NULL, NULL);
		evhttp_send_reply_end(open.request);
	}
}
