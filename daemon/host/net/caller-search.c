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
	HostProcess *process;   /* a reference to the one that is searched */
	Payer payer;            /* of the examiner's child processes */
	HeldGpus *held;         /* the result for SEARCH_HELD_GPUS, else NULL */
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

static void search_free(CallerSearch *search)
{
	host_process_unref(search->process);
	free(search->held);
	free(search);
}

static void search_end(CallerSearch *search, Lookup lookup, uint32_t value)
{
	TAILQ_REMOVE(&search->user->searches, search, link);
	search->has_ended = true;
	search->lookup = lookup;
	search->value = value;
	if (search->connection)
		connection_queue(search->connection);
	else
		search_free(search);
}

static void on_answer(SearchRequest *request, Lookup lookup, uint32_t value);

/* Asks for the first search of the queue, unless that has been done. */
static void peer_user_search(PeerUser *user)
{
	CallerSearch *search;

	while ((search = TAILQ_FIRST(&user->searches)) && !search->is_asked) {
		const Connection *connection = search->connection;

		search->request.answered = on_answer;
		search->is_asked = examiner_ask_search(&connection_server(connection)->examiner,
						       &search->request, search->process->pid,
						       search->process->pidfd,
						       &search->payer) == LOOKUP_PENDING;
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

/* Describes a search, with the members as in SearchRequest. */
typedef struct SearchAim {
	HostProcess *process;
	SearchTopic topic;
	pid_t inner_pid;
	Payer payer;
} SearchAim;

static Payer payer_of_user(const PeerUser *user)
{
	return (Payer){ .uid = user->uid, .is_operator = user->is_operator };
}

/* Begins a search for the request. Returns NULL if out of memory. */
static CallerSearch *search_new(Connection *connection, const SearchAim *aim)
{
	bool wants_gpus = aim->topic == SEARCH_HELD_GPUS;
	CallerSearch *search = calloc(1, sizeof(*search));

	if (search && wants_gpus)
		search->held = calloc(1, sizeof(*search->held));
	if (!search || (wants_gpus && !search->held)) {
		free(search);
		return NULL;
	}
	search->connection = connection;
	search->process = aim->process;
	search->payer = aim->payer;
	host_process_ref(search->process);
	search->request.topic = aim->topic;
	search->request.process = aim->process->key;
	search->request.inner_pid = aim->inner_pid;
	search->request.held = search->held;
	search->user = connection->user;
	TAILQ_INSERT_TAIL(&search->user->searches, search, link);
	return search;
}

/* Begins the search unless that was done, and returns its result. */
static Lookup connection_search(Connection *connection, const SearchAim *aim, uint32_t *ret_value)
{
	if (!aim->process)
		return LOOKUP_GONE;
	ConnectionWaits *waits = connection_get_waits(connection);
	if (!waits)
		return LOOKUP_EXHAUSTED;
	if (!waits->search) {
		waits->search = search_new(connection, aim);
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
	search_free(search);
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

/* --- contexts, GPUs and processes ------------------------------------------------------------ */

Lookup connection_find_graphics_context(Connection *connection, GraphicsContextKind *ret_kind)
{
	const SearchAim aim = {
		.process = connection->process,
		.topic = SEARCH_CONTEXT,
		.payer = payer_of_user(connection->user),
	};
	uint32_t kind = 0;
	Lookup lookup = connection_search(connection, &aim, &kind);

	*ret_kind = (GraphicsContextKind)kind;
	return lookup;
}

Lookup connection_find_held_gpus(Connection *connection, HostProcess *process, uid_t uid,
				 HeldGpus *ret)
{
	const SearchAim aim = {
		.process = process,
		.topic = SEARCH_HELD_GPUS,
		.payer = { .uid = uid },
	};
	ConnectionWaits *waits = connection_get_waits(connection);
	uint32_t count;

	if (!waits)
		return LOOKUP_EXHAUSTED;
	if (waits->search && waits->search->process != process)
		drop_search(waits); /* the VM of its process has ended meanwhile */
	Lookup lookup = connection_search(connection, &aim, &count);
	if (lookup == LOOKUP_PENDING)
		return lookup;
	if (lookup == LOOKUP_FOUND && waits->search)
		*ret = *waits->search->held;
	drop_search(waits);
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
	const SearchAim aim = {
		.process = connection->process,
		.topic = SEARCH_PID,
		.inner_pid = inner_pid,
		.payer = payer_of_user(connection->user),
	};
	uint32_t pid = 0;

	*ret_process = NULL;
	if (namespace == PID_NAMESPACE_UNKNOWN)
		return LOOKUP_ABSENT;
	Lookup lookup = connection_search(connection, &aim, &pid);
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
