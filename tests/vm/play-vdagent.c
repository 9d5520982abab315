/* SPDX-License-Identifier: MIT */
/*
 * play-vdagent PORT: runs in a guest and plays the part of SPICE's agent that shares the clipboard,
 * on the virtio-serial port of QEMU's "-chardev qemu-vdagent". Each line of stdin is a text that
 * the guest copies. Prints "agent" when it begins or begins again, "asked" when QEMU wants the
 * text, and "pasted TEXT" for each text that the guest is offered. Linked statically.
 *
 * The protocol is that of vd_agent.h in the package libspice-protocol-dev. A message comes in
 * chunks, and each chunk has a header.
 */
#include "tests/support/helper.h"

#define CLIENT_PORT 1u
#define PROTOCOL    1u
#define DATA_MAX    4096
#define WORDS_MAX   3

enum MessageType {
	CLIPBOARD = 4,
	CAPABILITIES = 6,
	GRAB = 7,
	REQUEST = 8,
};

#define UTF8_TEXT         1u
#define CAPABILITY_DEMAND (1u << 5)  /* texts are sent on request */
#define CAPABILITY_CHOOSE (1u << 6)  /* messages begin with the clipboard's number */
#define CAPABILITY_SERIAL (1u << 17) /* grabs have a serial; QEMU's D-Bus display needs that */

typedef struct __attribute__((packed)) ChunkHeader {
	uint32_t port, size;
} ChunkHeader;

typedef struct __attribute__((packed)) MessageHeader {
	uint32_t protocol, type;
	uint64_t unused;
	uint32_t size;
} MessageHeader;

typedef struct Agent {
	int port;
	uint8_t received[sizeof(MessageHeader) + DATA_MAX];
	size_t size;         /* of received */
	uint32_t serial;     /* of the next grab */
	char text[DATA_MAX]; /* that the guest has copied */
} Agent;

static void write_all(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size > 0) {
		ssize_t count = write(fd, at, size);

		if (count <= 0)
			err(1, "write");
		at += count;
		size -= (size_t)count;
	}
}

/* Returns false if QEMU closes the port before that. */
static bool read_all(int port, void *data, size_t size)
{
	uint8_t *at = data;

	while (size > 0) {
		ssize_t count = read(port, at, size);

		if (count < 0)
			err(1, "read");
		if (count == 0)
			return false;
		at += count;
		size -= (size_t)count;
	}
	return true;
}

/* Sends a message in one chunk: count words, and then the text. */
static void send_message(const Agent *agent, uint32_t type, const uint32_t *words, size_t count,
			 const char *text)
{
	size_t size = count * sizeof(words[0]) + strlen(text);
	ChunkHeader chunk = { CLIENT_PORT, (uint32_t)(sizeof(MessageHeader) + size) };
	MessageHeader header = { .protocol = PROTOCOL, .type = type, .size = (uint32_t)size };
	uint8_t message[sizeof(chunk) + sizeof(header) + WORDS_MAX * sizeof(words[0]) + DATA_MAX];
	uint8_t *end = message;

	end = mempcpy(end, &chunk, sizeof(chunk));
	end = mempcpy(end, &header, sizeof(header));
	end = mempcpy(end, words, count * sizeof(words[0]));
	end = mempcpy(end, text, strlen(text));
	write_all(agent->port, message, (size_t)(end - message));
}

static void send_capabilities(const Agent *agent)
{
	const uint32_t words[] = { 1 /* QEMU shall send its own */,
				   CAPABILITY_DEMAND | CAPABILITY_CHOOSE | CAPABILITY_SERIAL };

	send_message(agent, CAPABILITIES, words, 2, "");
}

static void send_grab(Agent *agent)
{
	const uint32_t words[] = { 0, agent->serial++, UTF8_TEXT };

	send_message(agent, GRAB, words, 3, "");
}

static void handle_message(Agent *agent, const MessageHeader *header, const uint8_t *data)
{
	const uint32_t words[] = { 0, UTF8_TEXT };

	if (header->type == GRAB && header->size >= sizeof(words)) {
		memcpy(&agent->serial, data + sizeof(words[0]), sizeof(agent->serial));
		agent->serial++;
		send_message(agent, REQUEST, words, 2, "");
	} else if (header->type == REQUEST) {
		puts("asked");
		send_message(agent, CLIPBOARD, words, 2, agent->text);
	} else if (header->type == CLIPBOARD && header->size >= sizeof(words)) {
		printf("pasted %.*s\n", (int)(header->size - sizeof(words)),
		       (const char *)data + sizeof(words));
	}
	fflush(stdout);
}

/* Reads a chunk, and handles the message if it is complete. Returns false if QEMU closes the port.
 */
static bool receive(Agent *agent)
{
	ChunkHeader chunk;
	MessageHeader header;

	if (!read_all(agent->port, &chunk, sizeof(chunk)))
		return false;
	if (chunk.size > sizeof(agent->received) - agent->size)
		errx(1, "a message is too long");
	if (!read_all(agent->port, agent->received + agent->size, chunk.size))
		return false;
	agent->size += chunk.size;
	if (agent->size < sizeof(header))
		return true;
	memcpy(&header, agent->received, sizeof(header));
	if (agent->size < sizeof(header) + header.size)
		return true;
	handle_message(agent, &header, agent->received + sizeof(header));
	agent->size = 0;
	return true;
}

/* Copies the line that stdin has. */
static void copy_line(Agent *agent)
{
	ssize_t count = read(STDIN_FILENO, agent->text, sizeof(agent->text) - 1);

	if (count <= 0)
		err(1, "stdin");
	agent->text[count] = '\0';
	agent->text[strcspn(agent->text, "\n")] = '\0';
	send_grab(agent);
}

/* Serves until QEMU closes the port, which it does to make the agent begin again. */
static void serve(Agent *agent, const char *path)
{
	struct pollfd polled[] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };

	agent->port = open(path, O_RDWR);
	if (agent->port < 0)
		err(1, "%s", path);
	agent->size = 0;
	agent->serial = 0;
	polled[0].fd = agent->port;
	send_capabilities(agent);
	puts("agent");
	fflush(stdout);
	do {
		if (polled[1].revents & POLLIN)
			copy_line(agent);
		if (poll(polled, 2, -1) < 0)
			err(1, "poll");
	} while (polled[0].revents == 0 || receive(agent));
	close(agent->port);
}

int main(int argc, char **argv)
{
	static Agent agent;

	if (argc != 2)
		errx(2, "usage: play-vdagent PORT");
	for (;;)
		serve(&agent, argv[1]);
}
