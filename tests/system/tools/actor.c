/* SPDX-License-Identifier: MIT */
#include "actor.h"

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#define PLANE_SIZE     8192 /* 64 by 32 pixels, of 32 bits */
#define KEPT_MAX       900
#define ANSWER_SECONDS 10

/* The process itself: what it has. */
typedef struct Self {
	const char *socket;
	int channel;
	int connection;
	size_t began_with;
	size_t kept_count;
	struct {
		unsigned int tag;
		int descriptor;
	} kept[KEPT_MAX];
} Self;

typedef union Control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int) * TOOL_DESCRIPTORS_MAX)];
} Control;

size_t count_descriptors(const char *folder)
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

static Arrived look_at(int descriptor)
{
	struct stat status;

	if (fstat(descriptor, &status) < 0)
		err(2, "fstat");
	return (Arrived){ status.st_ino, fcntl(descriptor, F_GETFL) & O_ACCMODE };
}

/* --- talking to the daemon ------------------------------------------------------------------- */

static void keep(Self *self, int descriptor, unsigned int tag, Seen *seen)
{
	if (seen->rights < ACTOR_PLANES_MAX)
		seen->arrived[seen->rights] = look_at(descriptor);
	seen->rights++;
	if (self->kept_count == KEPT_MAX)
		errx(2, "too many descriptors to keep");
	self->kept[self->kept_count].tag = tag;
	self->kept[self->kept_count++].descriptor = descriptor;
}

static void take_rights(Self *self, struct msghdr *message, unsigned int tag, Seen *seen)
{
	struct cmsghdr *header;

	if (message->msg_flags & MSG_CTRUNC)
		errx(2, "more descriptors than one message holds");
	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int descriptor;

			memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			keep(self, descriptor, tag, seen);
		}
	}
}

/* One piece of the answer. Returns false where there is no more. */
static bool receive_piece(Self *self, unsigned int tag, Seen *seen)
{
	Control control;
	struct iovec vector = {
		.iov_base = seen->reply + seen->reply_length,
		.iov_len = sizeof(seen->reply) - 1 - seen->reply_length,
	};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size = recvmsg(self->connection, &message, MSG_CMSG_CLOEXEC);

	if (size <= 0) {
		strcpy(seen->status, size < 0 && errno == EAGAIN ? "silent" : "closed");
		return false;
	}
	take_rights(self, &message, tag, seen);
	seen->reply_length += (size_t)size;
	seen->reply[seen->reply_length] = '\0';
	return seen->reply[seen->reply_length - 1] != '\n';
}

static void receive_answer(Self *self, unsigned int tag, Seen *seen)
{
	static const char status[] = "\"status\":\"";

	while (receive_piece(self, tag, seen))
		;
	const char *found = strstr(seen->reply, status);
	if (found)
		snprintf(seen->status, sizeof(seen->status), "%.*s",
			 (int)strcspn(found + strlen(status), "\""), found + strlen(status));
}

static int make_memory(bool writes)
{
	int descriptor = memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | (writes ? 0 : F_SEAL_FUTURE_WRITE);

	if (descriptor < 0 || ftruncate(descriptor, PLANE_SIZE) < 0 ||
	    fcntl(descriptor, F_ADD_SEALS, seals | F_SEAL_SEAL) < 0)
		err(2, "memfd");
	return descriptor;
}

/* Nothing of what it shared stays with the sharer: what others get they have from the daemon.
 * Returns false where the connection takes nothing. */
static bool share(const Self *self, const Order *order, Seen *seen)
{
	bool writes = strstr(order->text, "readWrite");
	int descriptors[ACTOR_PLANES_MAX];

	for (unsigned int i = 0; i < order->planes; i++) {
		bool is_new = order->memories == 0 || i < order->memories;

		descriptors[i] =
			is_new ? make_memory(writes) : dup(descriptors[i - order->memories]);
		seen->shared[i] = look_at(descriptors[i]);
	}
	/* How many may be under way is counted by user, and so with those of other tests. */
	time_t deadline = time(NULL) + ANSWER_SECONDS;
	bool is_sent;
	do
		is_sent = tool_send_descriptors(self->connection, order->text, descriptors,
						order->planes);
	while (!is_sent && errno == ETOOMANYREFS && time(NULL) <= deadline);
	for (unsigned int i = 0; i < order->planes; i++)
		close(descriptors[i]);
	return is_sent;
}

static bool ask(const Self *self, const Order *order)
{
	size_t length = strlen(order->text);

	return send(self->connection, order->text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void connect_anew(Self *self)
{
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };

	if (self->connection >= 0)
		close(self->connection);
	self->connection = tool_connect(self->socket);
	setsockopt(self->connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* --- following orders ------------------------------------------------------------------------ */

static void drop(Self *self, unsigned int tag)
{
	size_t stay = 0;

	for (size_t i = 0; i < self->kept_count; i++)
		if (self->kept[i].tag == tag)
			close(self->kept[i].descriptor);
		else
			self->kept[stay++] = self->kept[i];
	self->kept_count = stay;
}

static bool has_more(const Self *self)
{
	char byte;

	return recv(self->connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void follow(Self *self, const Order *order, int lent, Seen *seen)
{
	switch (order->kind) {
	case ORDER_ASK:
	case ORDER_SHARE:
		if (order->kind == ORDER_SHARE ? share(self, order, seen) : ask(self, order))
			receive_answer(self, order->tag, seen);
		else
			strcpy(seen->status, "closed");
		break;
	case ORDER_DROP:
		drop(self, order->tag);
		break;
	case ORDER_GROUPS:
		if (setgroups(order->group_count, order->groups) < 0)
			err(2, "setgroups");
		break;
	case ORDER_TAKE:
		if (dup2(lent, self->connection) < 0)
			err(2, "dup2");
		close(lent);
		break;
	case ORDER_CONNECT:
		connect_anew(self);
		break;
	case ORDER_LEND:
	case ORDER_LOOK:
		break;
	}
	seen->unasked = has_more(self);
	seen->kept = count_descriptors("/proc/self/fd") - self->began_with;
}

/* What goes through a channel is a whole message, with at most one descriptor. */
static void channel_send(int channel, const void *bytes, size_t size, int descriptor)
{
	Control control = { 0 };
	struct iovec vector = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (descriptor >= 0) {
		control.header = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)),
		};
		memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int));
	}
	if (sendmsg(channel, &message, MSG_NOSIGNAL) != (ssize_t)size)
		err(2, "a channel");
}

/* Returns false at its end. *ret_descriptor is -1 where none came. */
static bool channel_receive(int channel, void *bytes, size_t size, int *ret_descriptor)
{
	Control control;
	struct iovec vector = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) <= 0)
		return false;
	*ret_descriptor = -1;
	if (message.msg_controllen >= CMSG_LEN(sizeof(int)))
		memcpy(ret_descriptor, CMSG_DATA(&control.header), sizeof(int));
	return true;
}

static void serve(Self *self)
{
	static Order order;
	static Seen seen;
	int lent;

	while (channel_receive(self->channel, &order, sizeof(order), &lent)) {
		seen = (Seen){ .rights = 0 };
		follow(self, &order, lent, &seen);
		channel_send(self->channel, &seen, offsetof(Seen, reply) + seen.reply_length + 1,
			     order.kind == ORDER_LEND ? self->connection : -1);
	}
}

/* --- its life -------------------------------------------------------------------------------- */

static void become(const char *user)
{
	const struct passwd *entry = getpwnam(user);

	if (!entry || initgroups(user, entry->pw_gid) < 0 ||
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
		err(2, "becoming %s", user);
	/* Asked for once it is somebody else, since that change would take it back. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static _Noreturn void live(const char *socket, const char *user, int channel)
{
	static Self self = { .connection = -1 };

	/* Nothing of the others'. */
	self.channel = dup2(channel, STDERR_FILENO + 1);
	close_range(STDERR_FILENO + 2, UINT_MAX, 0);
	become(user);
	self.socket = socket;
	connect_anew(&self);
	self.began_with = count_descriptors("/proc/self/fd");
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
		live(socket, user, pair[1]);
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

void actor_tell(const Actor *actor, const Order *order)
{
	channel_send(actor->channel, order, sizeof(*order), -1);
}

static const Seen *hear(const Actor *actor, int *ret_descriptor)
{
	static Seen seen;

	if (!channel_receive(actor->channel, &seen, sizeof(seen), ret_descriptor))
		errx(2, "process %d ended unasked", actor->pid);
	return &seen;
}

const Seen *actor_hear(const Actor *actor)
{
	int none;

	return hear(actor, &none);
}

const Seen *actor_do(const Actor *actor, const Order *order)
{
	actor_tell(actor, order);
	return actor_hear(actor);
}

const Seen *actor_connect(const Actor *actor)
{
	const Order order = { .kind = ORDER_CONNECT };

	return actor_do(actor, &order);
}

const Seen *actor_ask(const Actor *actor, const char *format, ...)
{
	Order order = { .kind = ORDER_ASK };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(order.text, sizeof(order.text), format, arguments);
	va_end(arguments);
	strncat(order.text, "\n", sizeof(order.text) - 1 - strlen(order.text));
	return actor_do(actor, &order);
}

void actor_lend(const Actor *lender, const Actor *borrower)
{
	Order lend = { .kind = ORDER_LEND }, take = { .kind = ORDER_TAKE };
	int connection;

	actor_tell(lender, &lend);
	hear(lender, &connection);
	channel_send(borrower->channel, &take, sizeof(take), connection);
	actor_hear(borrower);
	close(connection);
}

void order_to_share(Order *order, const char *guid, unsigned int planes, bool writes)
{
	int used = snprintf(order->text, sizeof(order->text),
			    "{\"method\":\"io.vaild.ShareObjectWithHost\",\"parameters\":{"
			    "\"virtualMachineGuid\":\"%s\",\"object\":{\"type\":\"resource\","
			    "\"access\":\"%s\",\"width\":64,\"height\":32,\"format\":\"XR24\","
			    "\"planes\":[",
			    guid, writes ? "readWrite" : "read");

	for (unsigned int i = 0; i < planes; i++)
		used += snprintf(order->text + used, sizeof(order->text) - (size_t)used,
				 "%s{\"fileDescriptor\":%u,\"offset\":0,\"stride\":256}",
				 i > 0 ? "," : "", i);
	snprintf(order->text + used, sizeof(order->text) - (size_t)used, "]}}}\n");
	order->kind = ORDER_SHARE;
	order->planes = planes;
}
