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
	       is_errno(answer->owner_error) && answer->unused == 0 &&
	       memchr(answer->executable, '\0', sizeof(answer->executable));
}

/* Waits for the answer. Returns its size, 0 if the examiner has ended, or -1 with errno. */
static ssize_t receive_answer(const Examiner *examiner, WhoAnswer *ret)
{
	ssize_t size;

	do
		size = recv(examiner->sockets.who, ret, sizeof(*ret), MSG_TRUNC);
	while (size < 0 && errno == EINTR);
	return size;
}

int examiner_ask_who(Examiner *examiner, pid_t pid, WhoAnswer *ret)
{
	WhoQuestion question = { .number = ++examiner->last_number, .pid = pid };
	ssize_t size;

	if (examiner->has_failed)
		return -EPIPE;
	do
		size = send(examiner->sockets.who, &question, sizeof(question), MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	if (size < 0) /* if the examiner has ended, the loop notices it */
		return errno == EPIPE ? -EPIPE : -ENOMEM;
	size = receive_answer(examiner, ret);
	if (size == sizeof(*ret) && who_answer_is_valid(ret, question.number))
		return 0;
	if (size > 0)
		examiner_fail(examiner, "has sent an invalid answer");
	else
		examiner_fail_to_talk(examiner, size);
	return -EPIPE;
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
		if (examiner_ask_who(examiner, pid, &answer) < 0)
			return "";
		examiner_remember(examiner, process, &answer);
	}
	return examiner->known_executable;
}

/* --- contexts -------------------------------------------------------------------------------- */

static void request_end(ContextRequest *request, Lookup lookup, GraphicsContextKind kind)
{
	TAILQ_REMOVE(&request->examiner->asked, request, link);
	event_del(&request->timeout);
	request->answered(request, lookup, kind);
}

/*
 * Gives up waiting for an answer. A search can be slow on a busy machine, so only the
 * examiner's silence means that it has failed. A late answer is ignored.
 */
static void on_request_timeout(evutil_socket_t fd, short what, void *context)
{
	ContextRequest *request = context;
	WhoAnswer answer;

	(void)fd;
	(void)what;
	examiner_ask_who(request->examiner, getpid(), &answer);
	request_end(request, LOOKUP_EXHAUSTED, 0);
}

static bool context_answer_is_valid(const Examiner *examiner, const ContextAnswer *answer)
{
	return answer->number > 0 && answer->number <= examiner->last_number &&
	       answer->lookup < LOOKUP_PENDING && answer->kind < GRAPHICS_CONTEXT_MAX &&
	       (answer->kind == 0) == (answer->lookup != LOOKUP_FOUND);
}

static void on_answer(evutil_socket_t fd, short what, void *context)
{
	Examiner *examiner = context;
	ContextRequest *request;
	ContextAnswer answer;
	ssize_t size = recv(fd, &answer, sizeof(answer), MSG_TRUNC | MSG_DONTWAIT);

	(void)what;
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0) {
		examiner_fail_to_talk(examiner, size);
		return;
	}
	if (size != sizeof(answer) || !context_answer_is_valid(examiner, &answer)) {
		examiner_fail(examiner, "has sent an invalid answer");
		return;
	}
	TAILQ_FOREACH (request, &examiner->asked, link)
		if (request->number == answer.number)
			break;
	if (request)
		request_end(request, (Lookup)answer.lookup, (GraphicsContextKind)answer.kind);
}

/* Sends the question with the pidfd. Returns the result of sendmsg(). */
static ssize_t send_question(const Examiner *examiner, ContextQuestion *question, int pidfd)
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

Lookup examiner_ask_context(Examiner *examiner, ContextRequest *request, pid_t pid, int pidfd,
			    const Payer *payer)
{
	ContextQuestion question = {
		.number = ++examiner->last_number,
		.pid = pid,
		.payer = payer->uid,
		.payer_is_operator = payer->is_operator,
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
	ContextRequest *request;

	while ((request = TAILQ_FIRST(&examiner->asked)))
		request_end(request, LOOKUP_EXHAUSTED, 0);
	event_del(&examiner->answer_event);
	fd_close(&examiner->sockets.who);
	fd_close(&examiner->sockets.context);
}
