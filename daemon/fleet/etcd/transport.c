/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/transport.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "proto/macros.h"

struct Transport {
	struct event_base *base;
	const EtcdSettings *settings;
	CURLM *multi;
	struct event *timer;
	struct curl_slist *headers;
	struct curl_slist *headers_with_leader;
	TAILQ_HEAD(, Exchange) running;
	void (*on_activity)(void *context);
	void *context;
};

static int64_t now(const Transport *transport)
{
	return transport->settings->clock->now(transport->settings->clock->context);
}

/* The ends of exchanges */

static void release(Exchange *exchange)
{
	Transport *transport = exchange->transport;

	TAILQ_REMOVE(&transport->running, exchange, link);
	curl_multi_remove_handle(transport->multi, exchange->easy);
	curl_easy_cleanup(exchange->easy);
	exchange->easy = NULL;
	exchange->transport = NULL;
	exchange->deadline = INT64_MAX;
}

void exchange_cancel(Exchange *exchange)
{
	if (exchange->transport)
		release(exchange);
}

void exchange_deinit(Exchange *exchange)
{
	exchange_cancel(exchange);
	buffer_deinit(&exchange->request);
	buffer_deinit(&exchange->answer);
}

static bool was_sent(const Exchange *exchange)
{
	long size = 0;

	curl_easy_getinfo((CURL *)exchange->easy, CURLINFO_REQUEST_SIZE, &size);
	return size > 0;
}

/*
 * Returns the reason for a failure. libcurl's own text about a failed connection contains times, so
 * it would never be the same twice.
 */
static const char *reason(const Exchange *exchange, CURLcode code)
{
	if (exchange->result.is_too_long)
		return "the answer is too long";
	if (code == CURLE_COULDNT_CONNECT || !exchange->error[0])
		return curl_easy_strerror(code);
	return exchange->error;
}

static void set_result(Exchange *exchange, CURLcode code)
{
	ExchangeResult *result = &exchange->result;

	result->status = 0;
	result->was_sent = was_sent(exchange);
	if (code == CURLE_OK)
		curl_easy_getinfo((CURL *)exchange->easy, CURLINFO_RESPONSE_CODE, &result->status);
	result->why = result->status == 0 ? reason(exchange, code) : NULL;
	exchange->has_ended = true;
}

static void collect_ended(Transport *transport)
{
	CURLMsg *message;
	Exchange *exchange;
	int left;

	while ((message = curl_multi_info_read(transport->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		TAILQ_FOREACH (exchange, &transport->running, link)
			if (exchange->easy == message->easy_handle)
				set_result(exchange, code);
	}
}

/* Returns an exchange whose functions have to be called, or NULL. */
static Exchange *find_waiting(Transport *transport)
{
	Exchange *exchange;

	TAILQ_FOREACH (exchange, &transport->running, link)
		if (exchange->has_data || exchange->has_ended)
			return exchange;
	return NULL;
}

/* Calls the functions of exchanges that need it. They may start and cancel any exchange. */
static void serve(Transport *transport)
{
	Exchange *exchange;

	collect_ended(transport);
	while ((exchange = find_waiting(transport))) {
		if (exchange->has_data) {
			exchange->has_data = false;
			if (exchange->on_data)
				exchange->on_data(exchange);
			continue;
		}
		ExchangeResult result = exchange->result;
		release(exchange);
		exchange->on_end(exchange, &result);
	}
	transport->on_activity(transport->context);
}

/*
 * Reads what has arrived, for example during a pause of this process. curl_multi_perform() would do
 * so as well, but it starts exchanges without asking for a watch of their sockets.
 */
static void read_answers(Transport *transport)
{
	curl_socket_t socket;
	Exchange *exchange;
	int running;

	TAILQ_FOREACH (exchange, &transport->running, link)
		if (curl_easy_getinfo((CURL *)exchange->easy, CURLINFO_ACTIVESOCKET, &socket) ==
			    CURLE_OK &&
		    socket != CURL_SOCKET_BAD)
			curl_multi_socket_action(transport->multi, socket, CURL_CSELECT_IN,
						 &running);
}

void transport_expire(Transport *transport)
{
	int64_t time = now(transport);
	Exchange *exchange;

	read_answers(transport);
	collect_ended(transport);
	TAILQ_FOREACH (exchange, &transport->running, link) {
		if (exchange->deadline > time || exchange->has_ended)
			continue;
		set_result(exchange, CURLE_OPERATION_TIMEDOUT);
		exchange->result.why = "no answer";
	}
	serve(transport);
}

int64_t transport_deadline(const Transport *transport)
{
	const Exchange *exchange;
	int64_t nearest = INT64_MAX;

	TAILQ_FOREACH (exchange, &transport->running, link)
		if (exchange->deadline < nearest)
			nearest = exchange->deadline;
	return nearest;
}

/* libcurl on libevent */

static void on_socket_ready(evutil_socket_t socket, short events, void *context)
{
	Transport *transport = context;
	int running, actions = 0;

	if (events & EV_READ)
		actions |= CURL_CSELECT_IN;
	if (events & EV_WRITE)
		actions |= CURL_CSELECT_OUT;
	curl_multi_socket_action(transport->multi, socket, actions, &running);
	serve(transport);
}

static void on_timer(evutil_socket_t socket, short events, void *context)
{
	Transport *transport = context;
	int running;

	(void)socket;
	(void)events;
	curl_multi_socket_action(transport->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	serve(transport);
}

/* libcurl has another interest in a socket than before. */
static int watch_socket(CURL *easy, curl_socket_t socket, int interest, void *context,
			void *socket_context)
{
	Transport *transport = context;
	struct event *event = socket_context;
	int events = EV_PERSIST;

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (interest == CURL_POLL_IN || interest == CURL_POLL_INOUT)
		events |= EV_READ;
	if (interest == CURL_POLL_OUT || interest == CURL_POLL_INOUT)
		events |= EV_WRITE;
	if (interest != CURL_POLL_REMOVE)
		event = event_new(transport->base, socket, (short)events, on_socket_ready,
				  transport);
	/* Without an event, the exchange ends at its deadline. */
	if (event)
		event_add(event, NULL);
	curl_multi_assign(transport->multi, socket, event);
	return 0;
}

static int set_timer(CURLM *multi, long milliseconds, void *context)
{
	Transport *transport = context;

	(void)multi;
	if (milliseconds < 0) {
		event_del(transport->timer);
	} else {
		struct timeval delay = { .tv_sec = milliseconds / 1000,
					 .tv_usec = milliseconds % 1000 * 1000 };
		event_add(transport->timer, &delay);
	}
	return 0;
}

static size_t keep_answer(char *data, size_t size, size_t count, void *context)
{
	Exchange *exchange = context;
	int64_t time = now(exchange->transport);
	size_t bytes = size * count;

	if (bytes > exchange->answer_max - buffer_size(&exchange->answer)) {
		exchange->result.is_too_long = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (!buffer_append(&exchange->answer, data, bytes))
		return CURL_WRITEFUNC_ERROR;
	exchange->has_data = true;
	if (exchange->is_stream)
		exchange->deadline = INT64_MAX;
	else if (time + exchange->patience < exchange->latest)
		exchange->deadline = time + exchange->patience;
	else
		exchange->deadline = exchange->latest;
	return bytes;
}

/* Exchanges */

static void set_tls(CURL *easy, const EtcdSettings *settings)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (settings->ca) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca);
		/* libcurl would trust the system's folder of certificates as well. */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (settings->certificate)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->certificate);
	if (settings->private_key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->private_key);
	/* A replaced file of certificates counts after a minute. */
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 60L);
}

/* Returns a handle for the POST, without options for its answer, or NULL if out of memory. */
static CURL *prepare(const Transport *transport, const Buffer *request, const char *endpoint,
		     const char *path)
{
	_cleanup_free_ char *url = NULL;
	CURL *easy = curl_easy_init();

	if (!easy || asprintf(&url, "%s/%s", endpoint, path) < 0 ||
	    curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)buffer_size(request)) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, buffer_head(request)) != CURLE_OK) {
		curl_easy_cleanup(easy);
		return NULL;
	}
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transport->headers);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not that of the environment */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* The end of an exchange must not wait for the resolver's thread, which may take long. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 5L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
	set_tls(easy, transport->settings);
	return easy;
}

void exchange_await(Exchange *exchange)
{
	exchange->deadline = now(exchange->transport) + exchange->patience;
}

bool exchange_start(Exchange *exchange, Transport *transport, const char *endpoint,
		    const char *path, int64_t milliseconds)
{
	int64_t time = now(transport);
	CURL *easy = prepare(transport, &exchange->request, endpoint, path);

	if (!easy)
		return false;
	buffer_truncate(&exchange->answer, 0);
	exchange->error[0] = '\0';
	exchange->result = (ExchangeResult){ 0 };
	exchange->has_data = exchange->has_ended = false;
	exchange->patience = milliseconds;
	exchange->deadline = time + milliseconds;
	exchange->latest = time + 6 * milliseconds;
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
	if (exchange->needs_leader)
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transport->headers_with_leader);
	/* The new connection would stay open in libcurl's pool. */
	if (exchange->is_sent_once) {
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	if (curl_multi_add_handle(transport->multi, easy) != CURLM_OK) {
		curl_easy_cleanup(easy);
		return false;
	}
	exchange->easy = easy;
	exchange->transport = transport;
	TAILQ_INSERT_TAIL(&transport->running, exchange, link);
	return true;
}

/* The transport */

static struct curl_slist *make_headers(const char *further)
{
	/* libcurl would wait for "100 Continue" before it sends a long request. */
	const char *const lines[] = { "Content-Type: application/json", "Expect:", further };
	struct curl_slist *headers = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(lines) && lines[i]; i++) {
		struct curl_slist *longer = curl_slist_append(headers, lines[i]);
		if (!longer) {
			curl_slist_free_all(headers);
			return NULL;
		}
		headers = longer;
	}
	return headers;
}

Transport *transport_new(struct event_base *base, const EtcdSettings *settings,
			 void (*on_activity)(void *context), void *context)
{
	Transport *transport = calloc(1, sizeof(*transport));

	if (!transport)
		return NULL;
	*transport = (Transport){
		.base = base, .settings = settings, .on_activity = on_activity, .context = context
	};
	TAILQ_INIT(&transport->running);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(transport);
		return NULL;
	}
	transport->multi = curl_multi_init();
	transport->timer = event_new(base, -1, 0, on_timer, transport);
	transport->headers = make_headers(NULL);
	transport->headers_with_leader = make_headers("Grpc-Metadata-hasleader: true");
	if (!transport->multi || !transport->timer || !transport->headers ||
	    !transport->headers_with_leader) {
		transport_free(transport);
		return NULL;
	}
	curl_multi_setopt(transport->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(transport->multi, CURLMOPT_SOCKETDATA, transport);
	curl_multi_setopt(transport->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(transport->multi, CURLMOPT_TIMERDATA, transport);
	return transport;
}

void transport_free(Transport *transport)
{
	if (!transport)
		return;
	/* Calls watch_socket() for each connection that is left, and needs the base for that. */
	curl_multi_cleanup(transport->multi);
	curl_slist_free_all(transport->headers);
	curl_slist_free_all(transport->headers_with_leader);
	if (transport->timer)
		event_free(transport->timer);
	curl_global_cleanup();
	free(transport);
}
