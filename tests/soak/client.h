/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SOAK_CLIENT_H
#define TESTS_SOAK_CLIENT_H

#include "tests/soak/soak.h"

#define OUTPUT_SIZE   (32u << 10)
#define INPUT_SIZE    (2u << 20)
#define ASIDE_MAX     4
#define NAMES_EACH    4
#define ADDRESSES_MAX 8
#define ADDRESS_SIZE  20

/* A client mostly sends requests that fit its role. */
typedef enum Role {
	ROLE_VMM,
	ROLE_VIEWER,
	ROLE_COMPUTE, /* uses a GPU address space */
	ROLE_DRIVER,  /* registers an adapter */
	ROLE_OPERATOR,
	ROLE_STRANGER,
	ROLE_MAX,
} Role;

/* Kinds of handles, except those of shared objects. */
typedef enum NameKind {
	NAME_CONTEXT,
	NAME_PROCESS,
	NAME_VIRTUAL_GPU,
	NAME_ADAPTER,
	NAME_KINDS,
} NameKind;

typedef struct Client {
	const Soak *soak;
	size_t number;
	const char *user;
	Role role;
	RandomObjects objects;
	char guid[GUID_SIZE]; /* the VM that it owns or views */
	char names[NAME_KINDS][NAMES_EACH][HANDLE_SIZE];
	char addresses[ADDRESSES_MAX][ADDRESS_SIZE];
	int connection;
	uint64_t pending; /* number of requests without a reply */
	char output[OUTPUT_SIZE];
	size_t output_size;
	char *input; /* the incomplete reply */
	size_t input_size;
	size_t searched;         /* bytes of the input without a terminator */
	int aside[ASIDE_MAX];    /* additional connections with few requests, or -1 */
	bool is_read[ASIDE_MAX]; /* false to leave their replies unread */
} Client;

static inline uint64_t *client_random(Client *client)
{
	return &client->objects.random;
}

static inline void guid_write(char guid[GUID_SIZE], uint64_t number)
{
	snprintf(guid, GUID_SIZE, "50a450a4-50a4-40a4-80a4-0000000000%02x",
		 (unsigned int)(number % GUIDS));
}

/* --- requests.c ------------------------------------------------------------------------------ */

/* The first two requests of a client, which depend on its role. The second uses the first reply. */
void request_first(Client *client, Request *request);
void request_second(Client *client, Request *request);

/* A random request, without its terminator. */
void request_next(Client *client, Request *request);

/* A call of Watch. */
void request_watch(Client *client, Request *request);

/* A call of a list method, whose reply may be long. */
void request_list(Client *client, Request *request);

/* --- answers.c: replies ---------------------------------------------------------------------- */

/* Receives available replies and closes their fds. Returns false at the end of the connection. */
bool client_receive(Client *client);

/* The same for another connection, whose replies are only counted. */
bool client_skim(Client *client, int connection);

/* The statuses and errors that are counted, NULL-terminated. */
extern const char *const answer_words[];

#endif
