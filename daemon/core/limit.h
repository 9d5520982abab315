/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_LIMIT_H
#define DAEMON_CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * All limits of the daemon. Every resource that a caller can use up is limited per uid and in
 * total, and some also per VM or GPU process. The configuration can change these. The limits on
 * messages and memory are constants.
 */

typedef enum LimitKind {
	LIMIT_CONNECTIONS,
	LIMIT_REGISTRATIONS,
	LIMIT_CONTEXTS,
	LIMIT_GPU_PROCESSES,
	LIMIT_VIRTUAL_MACHINES,
	LIMIT_VIRTUAL_GPUS,
	LIMIT_QUARANTINES,
	LIMIT_WATCHES,
	LIMIT_ADAPTERS,
	LIMIT_DRIVER_RESERVATIONS,
	LIMIT_USER_RANGES,
	LIMIT_OBJECTS,
	LIMIT_OBJECT_MEBIBYTES, /* shared memory, each object rounded up */
	LIMIT_HOLDERS,
	LIMIT_DISPLAYS,           /* display channels */
	LIMIT_STORE_ENTRIES,      /* fdstore entries: pidfds, fds of objects, display channels */
	LIMIT_PAGE_TABLE_ENTRIES, /* entries written by a driver, and tables that it evicted */
	LIMIT_MAX,
} LimitKind;

typedef struct Limits {
	uint64_t per_uid[LIMIT_MAX];
	uint64_t host_wide[LIMIT_MAX];
	uint64_t per_entity[LIMIT_MAX]; /* per VM or GPU process, for kinds with such a limit */
} Limits;

extern const Limits limits_default;

/* Returns the name in replies and in the configuration: "connectionsPerUid" or "connections". */
const char *limit_name(LimitKind kind, bool per_uid);

/*
 * Returns the name of the limit per VM or GPU process, such as "userRangesPerProcess". Returns NULL
 * if the kind has no such limit.
 */
const char *limit_entity_name(LimitKind kind);

/* Names of limits that the configuration cannot change. */
#define LIMIT_NAME_MACHINE_VIRTUAL_GPUS "virtualGpusPerMachine"
#define LIMIT_NAME_ADAPTER_VIRTUAL_GPUS "maxVirtualGpus" /* what its driver declared */
#define LIMIT_NAME_CLOSES               "closesUnderWay"

/* The highest value that the configuration may set for a limit. */
#define LIMIT_VALUE_MAX 1000000

/* One in this many connections and fdstore entries is reserved for operators. */
#define LIMIT_OPERATOR_SHARE 10

/*
 * Connections that each operator may have whatever the limits are, so that one can always reload
 * the configuration.
 */
#define LIMIT_OPERATOR_CONNECTIONS 16

/* Number of virtual GPUs that the software adapter offers. */
#define LIMIT_SOFTWARE_ADAPTER_VIRTUAL_GPUS 4096

/*
 * Virtual GPUs per VM. The description of a VM with this many fits in one reply, even with the
 * longest profile names.
 */
#define LIMIT_VIRTUAL_GPUS_OF_MACHINE 64

/* GPU devices of the host that are listed as adapters. */
#define LIMIT_FOUND_ADAPTERS 1024

/* Functions of GPU devices that are reported for one VMM. */
#define LIMIT_HELD_GPUS 16

/* Configured reservations of the software adapter, per kind of process. */
#define LIMIT_CONFIGURED_RESERVATIONS 32

/* Damage rectangles per update. A sharer with more reports the whole object as changed. */
#define LIMIT_DAMAGE_RECTANGLES 64

/* Lengths of names in requests, in bytes without the NUL. */
#define LIMIT_NAME_LENGTH      255
#define LIMIT_USER_NAME_LENGTH 255

/* Display clients per VM. */
#define LIMIT_DISPLAY_CLIENTS 16

/* One in this many display channels of a VM is for other payers than the one with the most. */
#define LIMIT_DISPLAY_SHARE 4

/* Display channels that end at a time when their server has not come back in time. */
#define LIMIT_DISPLAYS_ENDED 32

/*
 * Unread output of a connection in bytes. A reply or event that would exceed it is not written.
 */
#define LIMIT_UNREAD_PER_CONNECTION (1u << 20)

/*
 * Unread output and unfinished input of all connections of a uid in bytes. If they exceed it, the
 * connection with the most is closed.
 */
#define LIMIT_BUFFERED_PER_UID (8u << 20)

/*
 * Parts of a list in one reply: its items, and their own items, such as the vGPUs of a VM. With
 * that many, a reply is usually below LIMIT_UNREAD_PER_CONNECTION. Longer lists need "more".
 */
#define LIMIT_LIST_PARTS 4096

/* Entities that one step of a list or watch looks at. The caller may be allowed to see none. */
#define LIMIT_LIST_WALK 128

/* A connection with this many bytes of unread output gets no further requests served. */
#define LIMIT_UNREAD_PAUSE (64u << 10)

/* Send buffer of a socket. The kernel allows twice as many bytes, and counts them as the daemon's.
 */
#define LIMIT_SEND_BUFFER (32 << 10)

/* Time from the first byte of a message to its last. */
#define LIMIT_PARTIAL_MESSAGE_SECONDS 10

/* For how long the rest of a malformed message is read and discarded, after the error was sent. */
#define LIMIT_LINGER_SECONDS 1

/*
 * Time after a restart for a driver to register its adapter again, and for an agent to serve its
 * display channels again.
 */
#define LIMIT_DRIVER_WAIT_SECONDS 30

/* Fds per message: the kernel's SCM_MAX_FD. */
#define LIMIT_MESSAGE_FDS 253

/*
 * Child processes of one payer that close fds at the same time: fds that clients sent, and as many
 * again for fds that the examiner fetched.
 */
#define LIMIT_CLOSES_UNDER_WAY 8

/* If all closes of a uid have run for at least this long, they count as blocked. */
#define LIMIT_CLOSE_MILLISECONDS 100

/* Fds of one process that are examined in the search for a graphics context or for held GPUs. */
#define LIMIT_FDS_EXAMINED 1024

/* Audit records of denied requests per second and uid. Further ones are only counted. */
#define LIMIT_DENY_RECORDS_PER_SECOND 10

#endif
