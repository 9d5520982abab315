/* SPDX-License-Identifier: MIT */
#include "tests/hostile/traffic.h"

#include <stdarg.h>
#include <sys/epoll.h>

#include "tests/hostile/attacker.h"
#include "tests/support/helper.h"

#define EVENTS_AT_ONCE 64
#define INPUT_SIZE     (256 << 10)

typedef struct Stream {
	int fd; /* -1 if it could not be opened yet */
	Text text;
	size_t sent;
	bool is_silent; /* has sent everything */
} Stream;

typedef struct Sender {
	const Attacker *attacker;
	const Traffic *traffic;
	Stream *streams;
	size_t closed; /* number of streams without a connection */
	int poll;
} Sender;

/* --- texts ----------------------------------------------------------------------------------- */

Text text_build(const char *begin, const char *middle, size_t count, const char *end)
{
	size_t first = strlen(begin), each = strlen(middle), last = strlen(end);
	Text text = { .length = first + count * each + last };

	text.bytes = malloc(text.length + 1);
	if (!text.bytes)
		err(2, "malloc");
	memcpy(text.bytes, begin, first);
	for (size_t i = 0; i < count; i++)
		memcpy(text.bytes + first + i * each, middle, each);
	memcpy(text.bytes + first + count * each, end, last + 1);
	return text;
}

Text text_repeat(size_t count, const char *format, ...)
{
	char request[1024];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(request, sizeof(request) - 1, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(request) - 1)
		errx(2, "the request %s is too long", format);
	request[length] = '\n';
	request[length + 1] = '\0';
	return text_build("", request, count, "");
}

/* --- one connection -------------------------------------------------------------------------- */

static Text first_text(const Sender *sender, const Stream *stream)
{
	const Traffic *traffic = sender->traffic;
	size_t index = (size_t)(stream - sender->streams);
	bool greets = traffic->greeting.bytes && !(traffic->only_first && index == 0);

	if (greets)
		return traffic->greeting;
	return traffic->own_texts ? traffic->own_texts[index] : traffic->text;
}

/* Opens the connection. Leaves it closed if the daemon's queue of new connections is full. */
static void stream_open(Sender *sender, Stream *stream)
{
	struct sockaddr_un address = helper_address(sender->attacker->socket);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = stream };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (sender->traffic->never_reads)
		event.events = EPOLLOUT;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    epoll_ctl(sender->poll, EPOLL_CTL_ADD, fd, &event) < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	*stream = (Stream){ .fd = fd };
	stream->text = first_text(sender, stream);
	sender->closed--;
}

static void stream_close(Sender *sender, Stream *stream)
{
	close(stream->fd);
	stream->fd = -1;
	sender->closed++;
	sender->attacker->board->work++;
}

static void stream_fall_silent(Sender *sender, Stream *stream)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = stream };

	stream->is_silent = true;
	epoll_ctl(sender->poll, EPOLL_CTL_MOD, stream->fd, &event);
}

/* Continues with the next text when one has been sent. */
static void stream_finish_text(Sender *sender, Stream *stream)
{
	const Traffic *traffic = sender->traffic;
	size_t index = (size_t)(stream - sender->streams);

	stream->sent = 0;
	sender->attacker->board->work += traffic->messages;
	if (traffic->only_once || (traffic->only_first && index > 0))
		stream_fall_silent(sender, stream);
	else
		stream->text = traffic->own_texts ? traffic->own_texts[index] : traffic->text;
}

static void stream_write(Sender *sender, Stream *stream)
{
	size_t rest = stream->text.length - stream->sent;
	size_t piece = sender->traffic->piece;
	ssize_t size = send(stream->fd, stream->text.bytes + stream->sent,
			    piece > 0 && piece < rest ? piece : rest, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size < 0) {
		stream_close(sender, stream);
		return;
	}
	stream->sent += (size_t)size;
	sender->attacker->board->work += piece > 0;
	if (stream->sent == stream->text.length)
		stream_finish_text(sender, stream);
}

/* Returns false if the daemon has closed the connection. */
static bool stream_read(Stream *stream)
{
	static char input[INPUT_SIZE];
	ssize_t size = recv(stream->fd, input, sizeof(input), MSG_DONTWAIT);

	return size > 0 || (size < 0 && errno == EAGAIN);
}

static void stream_handle(Sender *sender, Stream *stream, uint32_t what)
{
	bool ended = what & (EPOLLHUP | EPOLLERR);

	if (what & EPOLLIN && !stream_read(stream))
		ended = true;
	if (ended)
		stream_close(sender, stream);
	else if (what & EPOLLOUT && !stream->is_silent)
		stream_write(sender, stream);
}

/* --- all connections ------------------------------------------------------------------------- */

static void open_all(Sender *sender)
{
	for (unsigned int i = 0; i < sender->attacker->connections && sender->closed > 0; i++)
		if (sender->streams[i].fd < 0)
			stream_open(sender, &sender->streams[i]);
}

void traffic_run(const Attacker *attacker, const Traffic *traffic)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	Sender sender = {
		.attacker = attacker,
		.traffic = traffic,
		.streams = calloc(attacker->connections, sizeof(Stream)),
		.closed = attacker->connections,
		.poll = epoll_create1(EPOLL_CLOEXEC),
	};

	if (!sender.streams || sender.poll < 0)
		err(2, "traffic");
	for (unsigned int i = 0; i < attacker->connections; i++)
		sender.streams[i].fd = -1;
	open_all(&sender);
	attacker_begin(attacker);
	for (;;) {
		/* A full queue of new connections is tried again after a millisecond. */
		int ready =
			epoll_wait(sender.poll, events, EVENTS_AT_ONCE, sender.closed > 0 ? 1 : -1);

		for (int i = 0; i < ready; i++)
			stream_handle(&sender, events[i].data.ptr, events[i].events);
		if (sender.closed > 0)
			open_all(&sender);
	}
}
