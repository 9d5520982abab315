/* SPDX-License-Identifier: MIT */
#include "tests/support/actor.h"

#include <dirent.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#define PLANE_SIZE 8192 /* 64 by 32 pixels, of 32 bits */
#define HELD_MAX   900

/* The state of the actor's own process. */
typedef struct Self {
	const char *socket;
	int channel;
	int connection;
	size_t initial_count; /* of open fds */
	size_t held_count;
	struct {
		unsigned int tag;
		int fd;
	} held[HELD_MAX];
} Self;

size_t count_fds(const char *folder)
{
	DIR *directory = opendir(folder);
	size_t count = 0;

	if (!directory)
		err(2, "%s", folder);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count - 2; /* . and .. */
}

static Arrived look_at(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		err(2, "fstat");
	return (Arrived){ status.st_ino, fcntl(fd, F_GETFL) & O_ACCMODE };
}

/* --- requests -------------------------------------------------------------------------------- */

static void hold(Self *self, int fd, unsigned int tag, ActorReport *report)
{
	if (report->rights < ACTOR_PLANES_MAX)
		report->arrived[report->rights] = look_at(fd);
	report->rights++;
	if (self->held_count == HELD_MAX)
		errx(2, "an actor holds more than %d fds", HELD_MAX);
	self->held[self->held_count].tag = tag;
	self->held[self->held_count++].fd = fd;
}

/* Receives a part of the reply. Returns false when the reply is complete or cannot be. */
static bool receive_piece(Self *self, unsigned int tag, ActorReport *report)
{
	int fds[HELPER_FDS_MAX];
	size_t count;
	ssize_t size = helper_recvmsg(self->connection, report->reply + report->reply_length,
				      sizeof(report->reply) - 1 - report->reply_length,
				      MSG_CMSG_CLOEXEC, fds, HELPER_FDS_MAX, &count);

	if (size < 0 && errno == EMSGSIZE)
		errx(2, "received more fds than a process can hold");
	if (size <= 0) {
		strcpy(report->status, size < 0 && errno == EAGAIN ? "silent" : "closed");
		return false;
	}
	for (size_t i = 0; i < count; i++)
		hold(self, fds[i], tag, report);
	report->reply_length += (size_t)size;
	report->reply[report->reply_length] = '\0';
	return report->reply[report->reply_length - 1] != '\n';
}

static void receive_answer(Self *self, unsigned int tag, ActorReport *report)
{
	static const char status[] = "\"status\":\"";

	while (receive_piece(self, tag, report))
		;
	const char *found = strstr(report->reply, status);
	if (found)
		snprintf(report->status, sizeof(report->status), "%.*s",
			 (int)strcspn(found + strlen(status), "\""), found + strlen(status));
}

static int make_memory(bool writes)
{
	int fd = memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | (writes ? 0 : F_SEAL_FUTURE_WRITE);

	if (fd < 0 || ftruncate(fd, PLANE_SIZE) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals | F_SEAL_SEAL) < 0)
		err(2, "memfd");
	return fd;
}

/*
 * Makes memory for the planes, sends it with the request and closes it, so that others can only get
 * it from the daemon. Returns false if the request cannot be sent.
 */
static bool share(const Self *self, const ActorCommand *command, ActorReport *report)
{
	bool writes = strstr(command->text, "readWrite");
	int fds[ACTOR_PLANES_MAX];

	for (unsigned int i = 0; i < command->planes; i++) {
		bool is_new = command->memories == 0 || i < command->memories;

		fds[i] = is_new ? make_memory(writes) : dup(fds[i - command->memories]);
		report->shared[i] = look_at(fds[i]);
	}
	/* The kernel limits the fds in flight by user, so other tests count as well. */
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;
	bool is_sent;
	do
		is_sent = helper_send_fds(self->connection, command->text, fds, command->planes);
	while (!is_sent && errno == ETOOMANYREFS && time(NULL) <= deadline);
	for (unsigned int i = 0; i < command->planes; i++)
		close(fds[i]);
	return is_sent;
}

static bool ask(const Self *self, const ActorCommand *command)
{
	size_t length = strlen(command->text);

	return send(self->connection, command->text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void reconnect(Self *self)
{
	if (self->connection >= 0)
		close(self->connection);
	self->connection = helper_connect(self->socket);
}

/* --- commands -------------------------------------------------------------------------------- */

static void close_tagged(Self *self, unsigned int tag)
{
	size_t left = 0;

	for (size_t i = 0; i < self->held_count; i++)
		if (self->held[i].tag == tag)
			close(self->held[i].fd);
		else
			self->held[left++] = self->held[i];
	self->held_count = left;
}

static bool has_more(const Self *self)
{
	char byte;

	return recv(self->connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void execute(Self *self, const ActorCommand *command, int received, ActorReport *report)
{
	switch (command->kind) {
	case ACTOR_REQUEST:
	case ACTOR_SHARE:
		if (command->kind == ACTOR_SHARE ? share(self, command, report)
						 : ask(self, command))
			receive_answer(self, command->tag, report);
		else
			strcpy(report->status, "closed");
		break;
	case ACTOR_CLOSE:
		close_tagged(self, command->tag);
		break;
	case ACTOR_SET_GROUPS:
		if (setgroups(command->group_count, command->groups) < 0)
			err(2, "setgroups");
		break;
	case ACTOR_USE_CONNECTION:
		if (dup2(received, self->connection) < 0)
			err(2, "dup2");
		close(received);
		break;
	case ACTOR_RECONNECT:
		reconnect(self);
		break;
	case ACTOR_SEND_CONNECTION:
	case ACTOR_LOOK:
		break;
	}
	report->unasked = has_more(self);
	report->open_fds = count_fds("/proc/self/fd") - self->initial_count;
}

/*
 * Sends a command or a report as one message; channels are SOCK_SEQPACKET sockets. The fd goes with
 * it unless it is negative.
 */
static void channel_send(int channel, const void *bytes, size_t size, int fd)
{
	if (helper_sendmsg(channel, bytes, size, &fd, fd >= 0, 0) != (ssize_t)size)
		err(2, "cannot send to an actor or its parent");
}

/* Returns false when the other end is closed. *ret_fd is -1 if no fd came. */
static bool channel_receive(int channel, void *bytes, size_t size, int *ret_fd)
{
	return helper_recvmsg_one(channel, bytes, size, MSG_CMSG_CLOEXEC, ret_fd) > 0;
}

static void serve(Self *self)
{
	static ActorCommand command;
	static ActorReport report;
	int received;

	while (channel_receive(self->channel, &command, sizeof(command), &received)) {
		report = (ActorReport){ .rights = 0 };
		execute(self, &command, received, &report);
		channel_send(self->channel, &report,
			     offsetof(ActorReport, reply) + report.reply_length + 1,
			     command.kind == ACTOR_SEND_CONNECTION ? self->connection : -1);
	}
}

/* --- the process ----------------------------------------------------------------------------- */

static _Noreturn void run(const char *socket, const char *user, int channel)
{
	static Self self = { .connection = -1 };

	/* Closes the channels of the other actors. */
	self.channel = dup2(channel, STDERR_FILENO + 1);
	close_range(STDERR_FILENO + 2, UINT_MAX, 0);
	if (!helper_become_user(user))
		err(2, "cannot become %s", user);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the user change, which clears it */
	self.socket = socket;
	reconnect(&self);
	self.initial_count = count_fds("/proc/self/fd");
	serve(&self);
	_exit(0);
}

Actor actor_start(const char *socket, const char *user)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		err(2, "socketpair");
	Actor actor = { .pid = fork(), .channel = pair[0] };
	if (actor.pid < 0)
		err(2, "fork");
	if (actor.pid == 0)
		run(socket, user, pair[1]);
	close(pair[1]);
	return actor;
}

void actor_end(Actor *actor, int signal)
{
	if (signal)
		kill(actor->pid, signal);
	else
		close(actor->channel);
	if (waitpid(actor->pid, NULL, 0) != actor->pid)
		err(2, "waitpid");
	if (signal)
		close(actor->channel);
}

void actor_send(const Actor *actor, const ActorCommand *command)
{
	channel_send(actor->channel, command, sizeof(*command), -1);
}

static const ActorReport *receive_report(const Actor *actor, int *ret_fd)
{
	static ActorReport report;

	if (!channel_receive(actor->channel, &report, sizeof(report), ret_fd))
		errx(2, "actor process %d ended unexpectedly", actor->pid);
	return &report;
}

const ActorReport *actor_receive(const Actor *actor)
{
	int none;

	return receive_report(actor, &none);
}

const ActorReport *actor_execute(const Actor *actor, const ActorCommand *command)
{
	actor_send(actor, command);
	return actor_receive(actor);
}

const ActorReport *actor_request(const Actor *actor, const char *format, ...)
{
	ActorCommand command = { .kind = ACTOR_REQUEST };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command.text, sizeof(command.text), format, arguments);
	va_end(arguments);
	strncat(command.text, "\n", sizeof(command.text) - 1 - strlen(command.text));
	return actor_execute(actor, &command);
}

void actor_lend_connection(const Actor *lender, const Actor *borrower)
{
	ActorCommand lend = { .kind = ACTOR_SEND_CONNECTION },
		     take = { .kind = ACTOR_USE_CONNECTION };
	int connection;

	actor_send(lender, &lend);
	receive_report(lender, &connection);
	channel_send(borrower->channel, &take, sizeof(take), connection);
	actor_receive(borrower);
	close(connection);
}

void command_share(ActorCommand *command, const char *guid, unsigned int planes, bool writes)
{
	int used = snprintf(command->text, sizeof(command->text),
			    "{\"method\":\"io.vaild.ShareObjectWithHost\",\"parameters\":{"
			    "\"virtualMachineGuid\":\"%s\",\"object\":{\"type\":\"resource\","
			    "\"access\":\"%s\",\"width\":64,\"height\":32,\"format\":\"XR24\","
			    "\"planes\":[",
			    guid, writes ? "readWrite" : "read");

	for (unsigned int i = 0; i < planes; i++)
		used += snprintf(command->text + used, sizeof(command->text) - (size_t)used,
				 "%s{\"fileDescriptor\":%u,\"offset\":0,\"stride\":256}",
				 i > 0 ? "," : "", i);
	snprintf(command->text + used, sizeof(command->text) - (size_t)used, "]}}}\n");
	command->kind = ACTOR_SHARE;
	command->planes = planes;
}
