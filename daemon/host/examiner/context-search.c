/* SPDX-License-Identifier: MIT */
#include "daemon/host/examiner/context-search.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/core/limit.h"
#include "daemon/host/examiner/call-filter.h"
#include "daemon/host/process/graphics-context.h"
#include "daemon/host/process/held-gpus.h"
#include "daemon/host/process/pid-namespace.h"
#include "proto/fd-util.h"

/* Exists while it has children or questions that wait. */
typedef struct SearchPayer {
	uint32_t uid;
	bool is_operator;
	bool pays_for_holders; /* for questions about held GPUs, and for no others */
	unsigned int child_count;
	unsigned int wait_count;
	uint64_t last_start; /* of the youngest child, in milliseconds */
	TAILQ_ENTRY(SearchPayer) link;
} SearchPayer;

typedef struct SearchChild {
	pid_t pid;
	SearchPayer *payer;
	ProcessKey process; /* that is searched */
	bool is_stuck;      /* a question has waited for its exit in vain */
	TAILQ_ENTRY(SearchChild) link;
} SearchChild;

/* A question that waits for the exit of a child. */
typedef struct SearchWait {
	SearchQuestion question;
	int pidfd;
	SearchPayer *payer;
	uint64_t since; /* milliseconds */
	TAILQ_ENTRY(SearchWait) link;
} SearchWait;

static uint64_t milliseconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void context_searches_init(ContextSearches *searches, const FsRoots *roots, int answers,
			   int other_socket)
{
	*searches = (ContextSearches){
		.roots = *roots,
		.answers = answers,
		.other_socket = other_socket,
	};
	TAILQ_INIT(&searches->payers);
	TAILQ_INIT(&searches->children);
	TAILQ_INIT(&searches->waits);
}

/* --- answers --------------------------------------------------------------------------------- */

static void answer(const ContextSearches *searches, const SearchQuestion *question, Lookup lookup,
		   uint32_t value)
{
	SearchAnswer message = {
		.number = question->number,
		.lookup = lookup,
		.value = lookup == LOOKUP_FOUND ? value : 0,
	};

	/* If the daemon has ended, poll() tells. */
	send(searches->answers, &message, sizeof(message), MSG_NOSIGNAL);
}

static void refuse(const ContextSearches *searches, const SearchQuestion *question, int pidfd)
{
	answer(searches, question, LOOKUP_EXHAUSTED, 0);
	close(pidfd);
}

/* Gives up a socket of the examiner. The filter forbids to close it. */
static void drop_socket(int socket)
{
	dup3(EXAMINER_NULL_FD, socket, O_CLOEXEC);
}

/* Gives up the socket that search() keeps for the answer. */
static void enter_fetcher(void)
{
	drop_socket(EXAMINER_CONTEXT_FD);
}

static SearchedProcess searched_process(const SearchQuestion *question, int pidfd)
{
	return (SearchedProcess){
		.pid = question->pid,
		.pidfd = pidfd,
		.enter_child = enter_fetcher,
	};
}

/* Searches for what the question names, and stores the value for the answer if FOUND. */
static Lookup find(const FsRoots *roots, const SearchQuestion *question, int pidfd, uint32_t *ret)
{
	const SearchedProcess process = searched_process(question, pidfd);
	GraphicsContextKind kind = 0;
	pid_t pid = 0;
	Lookup lookup;

	if (question->topic == SEARCH_CONTEXT) {
		lookup = graphics_context_find(roots, &process, &kind);
		*ret = kind;
	} else {
		lookup = pid_namespace_find(roots, question->pid, question->inner_pid, true, &pid);
		*ret = (uint32_t)pid;
	}
	return lookup;
}

/* Sends the GPUs that were found. Returns false if none was. */
static bool answer_with_gpus(const ContextSearches *searches, const SearchQuestion *question,
			     Lookup lookup, const HeldGpus *held)
{
	HeldGpusAnswer message = {
		.head = { .number = question->number,
			  .lookup = lookup,
			  .value = (uint32_t)held->count },
		.is_complete = held->is_complete,
	};

	if (lookup != LOOKUP_FOUND)
		return false;
	memcpy(message.items, held->items, held->count * sizeof(*held->items));
	send(searches->answers, &message, sizeof(message), MSG_NOSIGNAL);
	return true;
}

/* Makes the search and answers the question. */
static void find_and_answer(const ContextSearches *searches, const SearchQuestion *question,
			    int pidfd)
{
	const SearchedProcess process = searched_process(question, pidfd);
	HeldGpus held = { 0 };
	uint32_t value = 0;
	Lookup lookup;

	if (question->topic != SEARCH_HELD_GPUS) {
		lookup = find(&searches->roots, question, pidfd, &value);
		answer(searches, question, lookup, value);
		return;
	}
	lookup = held_gpus_find(&searches->roots, &process, &held);
	if (!answer_with_gpus(searches, question, lookup, &held))
		answer(searches, question, lookup, 0);
}

/*
 * Waits until no child is left that fetched fds. Until then this process counts as a child of its
 * payer, which therefore pays for those that hang.
 */
static void await_fetchers(void)
{
	pid_t pid;

	do
		pid = wait(NULL);
	while (pid > 0 || errno == EINTR);
}

/* The life of a child. */
static _Noreturn void search(const ContextSearches *searches, const SearchQuestion *question,
			     int pidfd, pid_t examiner)
{
	int answers = searches->answers;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != examiner)
		_exit(EXIT_FAILURE);
	drop_socket(searches->other_socket);
	find_and_answer(searches, question, pidfd);
	/* The daemon notices the examiner's death only when no child has the socket. */
	drop_socket(answers);
	close(pidfd);
	await_fetchers();
	_exit(EXIT_SUCCESS);
}

/* --- children -------------------------------------------------------------------------------- */

static SearchPayer *get_payer(ContextSearches *searches, const SearchQuestion *question)
{
	const bool is_operator = question->payer_is_operator != 0;
	const bool pays_for_holders = question->topic == SEARCH_HELD_GPUS;
	SearchPayer *payer;

	TAILQ_FOREACH (payer, &searches->payers, link)
		if (payer->uid == question->payer && payer->is_operator == is_operator &&
		    payer->pays_for_holders == pays_for_holders)
			return payer;
	payer = calloc(1, sizeof(*payer));
	if (!payer)
		return NULL;
	payer->uid = question->payer;
	payer->is_operator = is_operator;
	payer->pays_for_holders = pays_for_holders;
	TAILQ_INSERT_TAIL(&searches->payers, payer, link);
	return payer;
}

static void put_payer(ContextSearches *searches, SearchPayer *payer)
{
	if (payer->child_count > 0 || payer->wait_count > 0)
		return;
	TAILQ_REMOVE(&searches->payers, payer, link);
	free(payer);
}

/* Starts a child for the question. Returns false if out of memory or processes. */
static bool start_child(ContextSearches *searches, SearchPayer *payer,
			const SearchQuestion *question, int pidfd)
{
	const pid_t examiner = getpid();
	SearchChild *child = calloc(1, sizeof(*child));

	if (!child)
		return false;
	*child = (SearchChild){ .pid = fork(), .payer = payer, .process = question->process };
	if (child->pid == 0)
		search(searches, question, pidfd, examiner);
	if (child->pid < 0) {
		free(child);
		return false;
	}
	close(pidfd);
	TAILQ_INSERT_TAIL(&searches->children, child, link);
	payer->child_count++;
	payer->last_start = milliseconds_now();
	return true;
}

/* Returns the child that has to exit before a search about held GPUs can begin, or NULL. */
static SearchChild *find_earlier(const ContextSearches *searches, const SearchPayer *payer,
				 const SearchQuestion *question)
{
	SearchChild *child;

	if (!payer->pays_for_holders)
		return NULL;
	TAILQ_FOREACH (child, &searches->children, link)
		if (child->payer->pays_for_holders && child->process == question->process)
			break;
	return child;
}

static bool has_room(const ContextSearches *searches, const SearchPayer *payer,
		     const SearchQuestion *question)
{
	return payer->child_count < LIMIT_CLOSES_UNDER_WAY &&
	       !find_earlier(searches, payer, question);
}

/* Lets the question wait. Returns false if out of memory, or if that would be in vain. */
static bool wait_for_room(ContextSearches *searches, SearchPayer *payer,
			  const SearchQuestion *question, int pidfd)
{
	const SearchChild *earlier = find_earlier(searches, payer, question);

	if (earlier && earlier->is_stuck)
		return false;
	SearchWait *wait = calloc(1, sizeof(*wait));
	if (!wait)
		return false;
	*wait = (SearchWait){
		.question = *question,
		.pidfd = pidfd,
		.payer = payer,
		.since = earlier ? milliseconds_now() : payer->last_start,
	};
	TAILQ_INSERT_TAIL(&searches->waits, wait, link);
	payer->wait_count++;
	return true;
}

void context_searches_begin(ContextSearches *searches, const SearchQuestion *question, int pidfd)
{
	SearchPayer *payer = get_payer(searches, question);

	if (!payer) {
		refuse(searches, question, pidfd);
		return;
	}
	bool is_begun = has_room(searches, payer, question)
				? start_child(searches, payer, question, pidfd)
				: wait_for_room(searches, payer, question, pidfd);
	if (!is_begun)
		refuse(searches, question, pidfd);
	put_payer(searches, payer);
}

static void reap(ContextSearches *searches, pid_t pid)
{
	SearchChild *child;

	TAILQ_FOREACH (child, &searches->children, link)
		if (child->pid == pid)
			break;
	if (!child)
		return;
	TAILQ_REMOVE(&searches->children, child, link);
	child->payer->child_count--;
	put_payer(searches, child->payer);
	free(child);
}

/* Milliseconds until a waiting question is refused; 0 if it is due. */
static uint64_t remaining_wait(const SearchWait *wait)
{
	uint64_t age = milliseconds_now() - wait->since;

	return age < LIMIT_CLOSE_MILLISECONDS ? LIMIT_CLOSE_MILLISECONDS - age : 0;
}

/* Begins the search now, or refuses the question. */
static void end_wait(ContextSearches *searches, SearchWait *wait, bool is_refused)
{
	SearchPayer *payer = wait->payer;
	SearchChild *earlier = find_earlier(searches, payer, &wait->question);

	TAILQ_REMOVE(&searches->waits, wait, link);
	if (is_refused || !start_child(searches, payer, &wait->question, wait->pidfd))
		refuse(searches, &wait->question, wait->pidfd);
	if (earlier)
		earlier->is_stuck = true;
	payer->wait_count--;
	put_payer(searches, payer);
	free(wait);
}

void context_searches_update(ContextSearches *searches)
{
	SearchWait *wait, *next;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		reap(searches, pid);
	TAILQ_FOREACH_SAFE (wait, &searches->waits, link, next) {
		bool is_refused = !has_room(searches, wait->payer, &wait->question);

		if (!is_refused || remaining_wait(wait) == 0)
			end_wait(searches, wait, is_refused);
	}
}

bool context_searches_timeout(const ContextSearches *searches, struct timespec *ret)
{
	const SearchWait *wait;
	uint64_t shortest = UINT64_MAX;

	TAILQ_FOREACH (wait, &searches->waits, link)
		if (remaining_wait(wait) < shortest)
			shortest = remaining_wait(wait);
	if (shortest == UINT64_MAX)
		return false;
	*ret = (struct timespec){
		.tv_sec = (time_t)(shortest / 1000),
		.tv_nsec = (long)(shortest % 1000) * 1000000,
	};
	return true;
}
