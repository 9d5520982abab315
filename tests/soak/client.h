/* SPDX-License-Identifier: MIT */
#ifndef SOAK_CLIENT_H
#define SOAK_CLIENT_H

#include "soak.h"

#define OUTPUT_SIZE   (32u << 10)
#define INPUT_SIZE    (2u << 20)
#define ASIDE_MAX     4
#define NAMES_EACH    4
#define ADDRESSES_MAX 8
#define ADDRESS_SIZE  20

/* What a client mostly does. */
typedef enum Role {
	ROLE_VMM,
	ROLE_VIEWER,
	ROLE_COMPUTE, /* a GPU process and its address space */
	ROLE_DRIVER,
	ROLE_OPERATOR,
	ROLE_STRANGER,
	ROLE_MAX,
} Role;

/* What the daemon has given names to. */
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
	char guid[GUID_SIZE]; /* of its VM, or of the one that it looks at */
	char names[NAME_KINDS][NAMES_EACH][HANDLE_SIZE];
	char addresses[ADDRESSES_MAX][ADDRESS_SIZE];
	int connection;
	uint64_t pending; /* answers that are to come */
	char output[OUTPUT_SIZE];
	size_t output_size;
	char *input; /* what was not yet looked at begins here */
	size_t input_size, searched;
	int aside[ASIDE_MAX]; /* further connections, on which little is said; -1: none */
	bool is_read[ASIDE_MAX];
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

/* What a client of its role asks first, and with what came of that. */
void request_first(Client *client, Request *request);
void request_second(Client *client, Request *request);

/* Anything. Without its end. */
void request_next(Client *client, Request *request);

/* A stream that lasts. */
void request_watch(Client *client, Request *request);

/* A list that may be long. */
void request_list(Client *client, Request *request);

/* --- answers.c ------------------------------------------------------------------------------- */

/* Takes what is there, and closes descriptors. Returns false at the end of the connection. */
bool client_receive(Client *client);

/* Likewise of a connection whose answers nobody looks at. */
bool client_skim(Client *client, int connection);

/* The words that are counted; NULL behind the last. */
extern const char *const answer_words[];

#endif
