/* SPDX-License-Identifier: MIT */
#include "daemon/host/examiner/examiner-client.h"

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/host/log/log.h"
#include "proto/fd-util.h"

static void examiner_fail(Examiner *examiner, const char *what)
{
	if (examiner->has_failed)
		return;
	examiner->has_failed = true;
	log_error(
		"vaild's second process, which examines other processes, %s; vaild exits, so that "
		"systemd starts both again",
		what);
	event_base_loopbreak(examiner->base);
}

/* Words the failure of recv(), which returned size. */
static void examiner_fail_to_talk(Examiner *examiner, ssize_t size)
{
	if (size == 0 || errno == ECONNRESET)
		examiner_fail(examiner, "has ended");
	else if (errno == EAGAIN)
		examiner_fail(examiner, "does not answer");
	else
		examiner_fail(examiner, strerror(errno));
}

/* --- who ------------------------------------------------------------------------------------- */

static bool is_errno(int32_t error)
{
	return error >= 0 && error < 4096;
}

static bool who_answer_is_valid(const WhoAnswer *answer, uint64_t number)
{
	return answer->number == number && is_errno(answer->error) &&
	       is_errno(answer->owner_error) && answer->is_in_own_pid_namespace <= 1 &&
	       memchr(answer->executable, '\0', sizeof(answer->executable));
}

static bool pids_answer_is_valid(const PidsAnswer *answer, uint64_t number)
{
	if (answer->number != number || !is_errno(answer->error) || answer->count > PID_LEVELS_MAX)
		return false;
	for (uint32_t i = 0; i < answer->count; i++)
		if (answer->levels[i].inode == 0 || answer->levels[i].pid <= 0)
			return false;
	return answer->error == 0 || answer->count == 0;
}

/*
 * Waits for an answer of this size. Returns its size, 0 if the examiner has ended, or -1 with
 * errno.
 */
static ssize_t receive_answer(const Examiner *examiner, void *ret, size_t expected)
{
	ssize_t size;

	do
		size = recv(examiner->sockets.who, ret, expected, MSG_TRUNC);
	while (size < 0 && errno == EINTR);
	return size;
}

/* Sends the question, with a new number. Returns 0 or a negative errno. */
static int send_who(Examiner *examiner, WhoQuestion *question)
{
	ssize_t size;

	question->number = ++examiner->last_number;
	if (examiner->has_failed)
		return -EPIPE;
	do
		size = send(examiner->sockets.who, question, sizeof(*question), MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	if (size < 0) /* if the examiner has ended, the loop notices it */
		return errno == EPIPE ? -EPIPE : -ENOMEM;
	return 0;
}

/* Lets the examiner fail, whose answer of this size is wrong. Returns -EPIPE. */
static int refuse_answer(Examiner *examiner, ssize_t size)
{
	if (size > 0)
		examiner_fail(examiner, "has sent an invalid answer");
	else
		examiner_fail_to_talk(examiner, size);
	return -EPIPE;
}

int examiner_ask_who(Examiner *examiner, pid_t pid, bool with_pid_namespace, WhoAnswer *ret)
{
	WhoQuestion question = {
		.pid = pid,
		.topic = with_pid_namespace ? WHO_WITH_PID_NAMESPACE : WHO_IS_IT,
	};
	int error = send_who(examiner, &question);

	if (error < 0)
		return error;
	ssize_t size = receive_answer(examiner, ret, sizeof(*ret));
	if (size == sizeof(*ret) && who_answer_is_valid(ret, question.number))
		return 0;
	return refuse_answer(examiner, size);
}

int examiner_ask_pids(Examiner *examiner, pid_t pid, PidsAnswer *ret)
{
	WhoQuestion question = { .pid = pid, .topic = WHO_PIDS };
	int error = send_who(examiner, &question);

	if (error < 0)
		return error;
	ssize_t size = receive_answer(examiner, ret, sizeof(*ret));
	if (size == sizeof(*ret) && pids_answer_is_valid(ret, question.number))
		return 0;
	return refuse_answer(examiner, size);
}

void examiner_remember(Examiner *examiner, ProcessKey process, const WhoAnswer *answer)
{
	examiner->known = process;
	memcpy(examiner->known_executable, answer->executable, sizeof(answer->executable));
}

void examiner_forget(Examiner *examiner)
{
	examiner->known = PROCESS_KEY_NONE;
}

const char *examiner_executable(Examiner *examiner, ProcessKey process, pid_t pid)
{
	WhoAnswer answer;

	if (process == PROCESS_KEY_NONE)
		return "";
	if (examiner->known != process) {
		if (examiner_ask_who(examiner, pid, false, &answer) < 0)
			return "";
		examiner_remember(examiner, process, &answer);
	}
	return examiner->known_executable;
}

/* --- searches -------------------------------------------------------------------------------- */

static void request_end(SearchRequest *request, Lookup lookup, uint32_t value)
{
	TAILQ_REMOVE(&request->examiner->asked, request, link);
	event_del(&request->timeout);
	request->answered(request, lookup, value);
}

/*
 * Gives up waiting for an answer. A search can be slow on a busy machine, so only the
 * examiner's silence means that it has failed. A late answer is ignored.
 */
static void on_request_timeout(evutil_socket_t fd, short what, void *context)
{
	SearchRequest *request = context;
	WhoAnswer answer;

	(void)fd;
	(void)what;
	examiner_ask_who(request->examiner, getpid(), false, &answer);
	request_end(request, LOOKUP_EXHAUSTED, 0);
}

static SearchRequest *find_request(const Examiner *examiner, uint64_t number)
{
	SearchRequest *request;

	TAILQ_FOREACH (request, &examiner->asked, link)
		if (request->number == number)
			break;
	return request;
}

/* A message of the examiner about a search. */
typedef union SearchMessage {
	SearchAnswer head; /* of each of them */
	HeldGpusAnswer held;
} SearchMessage;

/* Returns the highest value that an answer about the topic can have. */
static uint32_t highest_value(SearchTopic topic)
{
	switch (topic) {
	case SEARCH_CONTEXT:
		return GRAPHICS_CONTEXT_MAX - 1;
	case SEARCH_HELD_GPUS:
		return LIMIT_HELD_GPUS;
	case SEARCH_PID:
	case SEARCH_MAX:
		break;
	}
	return INT32_MAX;
}

/* Tests for printable ASCII that ends within the field. */
static bool is_text(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	for (; end && text < end; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return end != NULL;
}

static bool held_gpu_is_valid(const HeldGpu *gpu)
{
	return gpu->kind < HELD_GPU_KIND_MAX && gpu->pci_class <= 0xffffff &&
	       is_text(gpu->function, sizeof(gpu->function)) &&
	       is_text(gpu->parent, sizeof(gpu->parent)) &&
	       is_text(gpu->profile, sizeof(gpu->profile)) && gpu->function[0] != '\0';
}

static bool held_gpus_are_valid(const HeldGpusAnswer *answer)
{
	for (uint32_t i = 0; i < answer->head.value; i++)
		if (!held_gpu_is_valid(&answer->items[i]))
			return false;
	return answer->is_complete <= 1;
}

/* Tests for the size that answers about this topic have. */
static bool size_is_right(const SearchMessage *message, size_t size, const SearchRequest *request)
{
	bool has_gpus = size == sizeof(message->held);

	if (!has_gpus && size != sizeof(message->head))
		return false;
	if (!request) /* it is not waited for any more */
		return true;
	return has_gpus ==
	       (request->topic == SEARCH_HELD_GPUS && message->head.lookup == LOOKUP_FOUND);
}

/* request is the one that is answered, or NULL if it is not waited for any more. */
static bool search_answer_is_valid(const Examiner *examiner, const SearchMessage *message,
				   size_t size, const SearchRequest *request)
{
	const SearchAnswer *answer = &message->head;

	return answer->number > 0 && answer->number <= examiner->last_number &&
	       answer->lookup < LOOKUP_PENDING &&
	       answer->value <= (request ? highest_value(request->topic) : INT32_MAX) &&
	       (answer->value == 0) == (answer->lookup != LOOKUP_FOUND) &&
	       size_is_right(message, size, request) &&
	       (!request || size != sizeof(message->held) || held_gpus_are_valid(&message->held));
}

/* Stores the GPUs of an answer where the request wants them. */
static void take_held_gpus(const SearchRequest *request, const HeldGpusAnswer *answer)
{
	request->held->count = answer->head.value;
	request->held->is_complete = answer->is_complete;
	memcpy(request->held->items, answer->items, answer->head.value * sizeof(*answer->items));
}

static void on_answer(evutil_socket_t fd, short what, void *context)
{
	Examiner *examiner = context;
	SearchRequest *request = NULL;
	SearchMessage message;
	ssize_t size = recv(fd, &message, sizeof(message), MSG_TRUNC | MSG_DONTWAIT);

	(void)what;
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0) {
		examiner_fail_to_talk(examiner, size);
		return;
	}
	if ((size_t)size >= sizeof(message.head))
		request = find_request(examiner, message.head.number);
	if ((size_t)size < sizeof(message.head) ||
	    !search_answer_is_valid(examiner, &message, (size_t)size, request)) {
		examiner_fail(examiner, "has sent an invalid answer");
		return;
	}
	if (!request)
		return;
	if ((size_t)size == sizeof(message.held))
		take_held_gpus(request, &message.held);
	request_end(request, (Lookup)message.head.lookup, message.head.value);
}

/* Sends the question with the pidfd. Returns the result of sendmsg(). */
static ssize_t send_question(const Examiner *examiner, SearchQuestion *question, int pidfd)
{
	char control[CMSG_SPACE(sizeof(pidfd))] = { 0 };
	struct iovec data = { .iov_base = question, .iov_len = sizeof(*question) };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(pidfd));
	memcpy(CMSG_DATA(header), &pidfd, sizeof(pidfd));
	return sendmsg(examiner->sockets.context, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Lookup examiner_ask_search(Examiner *examiner, SearchRequest *request, pid_t pid, int pidfd,
			   const Payer *payer)
{
	SearchQuestion question = {
		.number = ++examiner->last_number,
		.process = request->process,
		.pid = pid,
		.payer = payer->uid,
		.payer_is_operator = payer->is_operator,
		.inner_pid = request->inner_pid,
		.topic = request->topic,
	};

	if (examiner->has_failed || send_question(examiner, &question, pidfd) < 0)
		return LOOKUP_EXHAUSTED; /* if the examiner has ended, the loop notices it */
	request->examiner = examiner;
	request->number = question.number;
	event_assign(&request->timeout, examiner->base, -1, 0, on_request_timeout, request);
	event_add(&request->timeout, &examiner->patience);
	TAILQ_INSERT_TAIL(&examiner->asked, request, link);
	return LOOKUP_PENDING;
}

/* --- the client ------------------------------------------------------------------------------ */

void examiner_init(Examiner *examiner, struct event_base *base, const ExaminerSockets *sockets,
		   unsigned int milliseconds)
{
	*examiner = (Examiner){
		.base = base,
		.sockets = *sockets,
		.patience = { .tv_sec = milliseconds / 1000,
			      .tv_usec = (suseconds_t)(milliseconds % 1000) * 1000 },
	};
	TAILQ_INIT(&examiner->asked);
	setsockopt(sockets->who, SOL_SOCKET, SO_RCVTIMEO, &examiner->patience,
		   sizeof(examiner->patience));
	event_assign(&examiner->answer_event, base, sockets->context, EV_READ | EV_PERSIST,
		     on_answer, examiner);
	event_priority_set(&examiner->answer_event, 1);
	event_add(&examiner->answer_event, NULL);
}

void examiner_deinit(Examiner *examiner)
{
	SearchRequest *request;

	while ((request = TAILQ_FIRST(&examiner->asked)))
		request_end(request, LOOKUP_EXHAUSTED, 0);
	event_del(&examiner->answer_event);
	fd_close(&examiner->sockets.who);
	fd_close(&examiner->sockets.context);
}
