/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_SERVER_ANSWER_H
#define DAEMON_FLEET_SERVER_ANSWER_H

#include <sys/types.h>

#include "daemon/fleet/model/index.h"
#include "daemon/fleet/server/metrics.h"
#include "proto/json-writer.h"
#include "proto/vail-status.h"

/*
 * Answers requests of io.vaild.Fleet from the index. Makes no system call: the caller of these
 * functions has the socket, the kernel's word about the peer, and the time.
 */

#define FLEET_REPLY_MAX (1 << 20) /* bytes of a reply */
#define FLEET_PART_SIZE (1 << 16) /* bytes after which a list goes on in the next reply */

/* The peer of a connection, as the kernel has recorded it. */
typedef struct FleetCaller {
	uid_t uid;
	bool is_operator;
	bool is_observer;
} FleetCaller;

/*
 * Begins to change a quarantine of the fleet. reason: NULL to lift it. Returns false if out of
 * memory. The owner of the request answers it later with answer_change().
 */
typedef bool FleetChange(void *context, const FleetCaller *caller, const Guid *guid,
			 const char *reason, uint64_t request);

/* Tells what the index does not know of the metrics. */
typedef void FleetMeasure(void *context, FleetMetrics *ret);

/*
 * Tests whether the caller is a display client of a VM that is or was on this host. guid: NULL for
 * any VM with the name. Strangers ask this, so it must be cheap.
 */
typedef bool FleetIsViewer(void *context, const FleetCaller *caller, const Guid *guid,
			   const char *name);

typedef struct FleetService {
	const FleetIndex *index;
	uint64_t now; /* milliseconds on CLOCK_BOOTTIME; set before each answer */
	const char *version;
	FleetChange *change;
	FleetMeasure *measure;
	FleetIsViewer *is_viewer; /* NULL if nobody is */
	void *context;
	JsonParser *parser;
} FleetService;

/* Where a list goes on. The index may change between its replies. */
typedef struct FleetCursor {
	FleetKey next; /* of the first entry that was not listed; its kind is that of the list */
} FleetCursor;

typedef enum Answer {
	ANSWER_WRITTEN,
	ANSWER_CONTINUES, /* answer_rest() writes the next reply */
	ANSWER_NONE,      /* the request wanted none */
	ANSWER_LATER,     /* answer_change() will write it */
	ANSWER_NO_MEMORY,
} Answer;

/*
 * Answers one message, which proto/framing.h has found valid. is_foreign: another process than the
 * peer has sent a part of it. request: its number, handed to the change. Appends the answer to out,
 * with the terminator. Sets *ret_rest if the result is ANSWER_CONTINUES.
 */
Answer answer_message(FleetService *service, const FleetCaller *caller, JsonText message,
		      bool is_foreign, char terminator, uint64_t request, Buffer *out,
		      FleetCursor *ret_rest);

/* Appends the next reply of a list that continues. Moves the cursor, or returns ANSWER_WRITTEN. */
Answer answer_rest(FleetService *service, FleetCursor *rest, char terminator, Buffer *out);

/* Answers SetQuarantine. why: NULL if it is done. Returns false if out of memory. */
bool answer_change(const char *why, char terminator, Buffer *out);

/* Writes an error without a request. Returns false if out of memory. */
bool answer_error(NTSTATUS status, const char *message, char terminator, Buffer *out);

/* The parts of a reply that list the index; see answer-lists.c. */
void write_freshness(Writer *writer, const FleetService *service);
void write_where(Writer *writer, const FleetService *service, const FleetEntry *where);

/*
 * Writes the member with the entries of a list. Returns the first entry that does not fit into the
 * size, or NULL.
 */
const FleetEntry *write_entries(Writer *writer, const FleetService *service,
				const FleetCursor *from, size_t size_max);

/* Returns false if out of memory. */
bool write_places(Writer *writer, const FleetService *service, const char *type);

#endif
