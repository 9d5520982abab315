/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/caller-search.h"

#include <stdlib.h>

#include "daemon/host/process/process-pids.h"
#include "daemon/host/server.h"

/*
 * The search for a connection's request. It is in the user's queue until it has ended, and the
 * first of the queue is with the examiner. The connection owns it; if the connection closes first,
 * the queue does.
 */
struct CallerSearch {
	SearchRequest request;
	Connection *connection; /* NULL if it has closed */
	PeerUser *user;
	bool is_asked;
	bool has_ended;
	Lookup lookup; /* the result, if it has ended */
	uint32_t value;
	TAILQ_ENTRY(CallerSearch) link;
};

/* A pid that a request names, and its process. */
struct FoundProcess {
	pid_t pid;
	HostProcess *process; /* a reference, or NULL if no process has the pid */
	SLIST_ENTRY(FoundProcess) link;
};

/* --- searches -------------------------------------------------------------------------------- */

static void search_end(CallerSearch *search, Lookup lookup, uint32_t value)
{
	TAILQ_REMOVE(&search->user->searches, search, link);
	search->has_ended = true;
	search->lookup = lookup;
	search->value = value;
	if (search->connection)
		connection_queue(search->connection);
	else
		free(search);
}

static void on_answer(SearchRequest *request, Lookup lookup, uint32_t value);

/* Asks for the first search of the queue, unless that has been done. */
static void peer_user_search(PeerUser *user)
{
	CallerSearch *search;

	while ((search = TAILQ_FIRST(&user->searches)) && !search->is_asked) {
		const Connection *connection = search->connection;
		const Payer payer = { .uid = user->uid, .is_operator = user->is_operator };

		search->request.answered = on_answer;
		search->is_asked =
			examiner_ask_search(&connection_server(connection)->examiner,
					    &search->request, connection->process->pid,
					    connection->process->pidfd, &payer) == LOOKUP_PENDING;
		if (!search->is_asked)
			search_end(search, LOOKUP_EXHAUSTED, 0);
	}
}

static void on_answer(SearchRequest *request, Lookup lookup, uint32_t value)
{
	CallerSearch *search = container_of(request, CallerSearch, request);
	PeerUser *user = search->user;

	search_end(search, lookup, value);
	peer_user_search(user);
	peer_user_put(user);
}

/* Begins a search for the request, with inner_pid as in SearchRequest. Returns NULL if out of
 * memory. */
static CallerSearch *search_new(Connection *connection, pid_t inner_pid)
{
	CallerSearch *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	search->connection = connection;
	search->request.inner_pid = inner_pid;
	search->user = connection->user;
	TAILQ_INSERT_TAIL(&search->user->searches, search, link);
	return search;
}

/* Begins the search unless that was done, and returns its result. */
static Lookup connection_search(Connection *connection, pid_t inner_pid, uint32_t *ret_value)
{
	if (!connection->process)
		return LOOKUP_GONE;
	ConnectionWaits *waits = connection_get_waits(connection);
	if (!waits)
		return LOOKUP_EXHAUSTED;
	if (!waits->search) {
		waits->search = search_new(connection, inner_pid);
		if (!waits->search)
			return LOOKUP_EXHAUSTED;
		peer_user_search(connection->user);
	}
	const CallerSearch *search = waits->search;
	if (!search->has_ended)
		return LOOKUP_PENDING;
	*ret_value = search->value;
	return search->lookup;
}

static void drop_search(ConnectionWaits *waits)
{
	CallerSearch *search = waits->search;

	if (!search)
		return;
	waits->search = NULL;
	search->connection = NULL;
	if (search->is_asked && !search->has_ended)
		return; /* freed with its answer */
	if (!search->has_ended)
		TAILQ_REMOVE(&search->user->searches, search, link);
	free(search);
}

void connection_end_search(Connection *connection)
{
	ConnectionWaits *waits = connection->waits;
	struct FoundProcess *found;

	drop_search(waits);
	while ((found = SLIST_FIRST(&waits->found))) {
		SLIST_REMOVE_HEAD(&waits->found, link);
		host_process_unref(found->process);
		free(found);
	}
}

/* --- contexts and processes ------------------------------------------------------------------ */

Lookup connection_find_graphics_context(Connection *connection, GraphicsContextKind *ret_kind)
{
	uint32_t kind = 0;
	Lookup lookup = connection_search(connection, 0, &kind);

	*ret_kind = (GraphicsContextKind)kind;
	return lookup;
}

static bool has_inner_pid(HostProcess *process, PidNamespace namespace, pid_t inner_pid)
{
	const InnerPids *pids = host_process_inner_pids(process);

	return inner_pids_translate(pids, process->pid, namespace) == inner_pid;
}

/*
 * Searches for the process. Sets *ret_process to NULL if ABSENT. The examiner's answer is a hint:
 * the process counts only if it has the pid there while its pidfd is open.
 */
static Lookup search_process(Connection *connection, pid_t inner_pid, HostProcess **ret_process)
{
	const PidNamespace namespace = connection->caller.pid_namespace;
	uint32_t pid = 0;

	*ret_process = NULL;
	if (namespace == PID_NAMESPACE_UNKNOWN)
		return LOOKUP_ABSENT;
	Lookup lookup = connection_search(connection, inner_pid, &pid);
	if (lookup == LOOKUP_FOUND)
		lookup = process_table_open(&connection_server(connection)->processes, (pid_t)pid,
					    ret_process);
	if (lookup == LOOKUP_PENDING || lookup == LOOKUP_EXHAUSTED)
		return lookup;
	if (lookup == LOOKUP_FOUND && has_inner_pid(*ret_process, namespace, inner_pid))
		return LOOKUP_FOUND;
	*ret_process = NULL;
	return LOOKUP_ABSENT;
}

Lookup connection_find_process(Connection *connection, pid_t pid, HostProcess **ret_process)
{
	ConnectionWaits *waits = connection_get_waits(connection);
	struct FoundProcess *found;

	if (!waits)
		return LOOKUP_EXHAUSTED;
	SLIST_FOREACH(found, &waits->found, link)
	if (found->pid == pid)
		break;
	if (!found) {
		HostProcess *process;
		Lookup lookup = search_process(connection, pid, &process);

		if (lookup == LOOKUP_PENDING || lookup == LOOKUP_EXHAUSTED)
			return lookup;
		drop_search(waits);
		found = calloc(1, sizeof(*found));
		if (!found)
			return LOOKUP_EXHAUSTED;
		*found = (struct FoundProcess){ .pid = pid, .process = process };
		if (process)
			host_process_ref(process);
		SLIST_INSERT_HEAD(&waits->found, found, link);
	}
	if (!found->process)
		return LOOKUP_ABSENT;
	*ret_process = found->process;
	return host_process_is_alive(found->process) ? LOOKUP_FOUND : LOOKUP_GONE;
}
