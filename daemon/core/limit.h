/* SPDX-License-Identifier: MIT */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Every bound of the daemon is here. What a caller can make grow is bounded per uid and in all,
 * some of it for one owner as well, and can be set in the configuration; the bounds on messages and
 * memory are constants.
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
	LIMIT_OBJECT_MEBIBYTES, /* of memory that is shared, each object rounded up */
	LIMIT_HOLDERS,
	LIMIT_STORE_ENTRIES, /* descriptors that outlive a restart: of processes and of objects */
	LIMIT_PAGE_TABLE_ENTRIES, /* that a driver has written, and tables that it has evicted */
	LIMIT_MAX,
} LimitKind;

typedef struct Limits {
	uint64_t per_uid[LIMIT_MAX];
	uint64_t in_all[LIMIT_MAX];
	uint64_t per_owner[LIMIT_MAX]; /* of one GPU process or VM; counts where it has a name */
} Limits;

extern const Limits limits_default;

/* The names in answers and in the configuration: "connectionsPerUid" and "connections". */
const char *limit_name(LimitKind kind, bool per_uid);

/* The same of the bound on one owner: "userRangesPerProcess"; NULL where there is none. */
const char *limit_owner_name(LimitKind kind);

/* The highest value that the configuration may set. */
#define LIMIT_VALUE_MAX 1000000

/* One in so many connections and store entries is kept for operators. */
#define LIMIT_OPERATOR_SHARE 10

/* Virtual GPUs that the software adapter offers. */
#define LIMIT_SOFTWARE_ADAPTER_VIRTUAL_GPUS 4096

/* Virtual GPUs of one VM: with these, its description stays well below what one reply may hold,
 * however long its profiles are. */
#define LIMIT_VIRTUAL_GPUS_OF_MACHINE 64

/* Reservations that the configuration lists for one kind of process of the software adapter. */
#define LIMIT_CONFIGURED_RESERVATIONS 32

/* Rectangles that one update may tell; who has more to tell tells all. */
#define LIMIT_DAMAGE_RECTANGLES 64

/* Lengths of what a caller may name, in bytes without the NUL. */
#define LIMIT_NAME_LENGTH      255
#define LIMIT_USER_NAME_LENGTH 255

/* Display clients of one VM. */
#define LIMIT_DISPLAY_CLIENTS 16

/* Output that waits for its reader: a reply or event that would pass the first bound is not
 * written, a uid's fullest connection is dropped at the second. */
#define LIMIT_UNREAD_PER_CONNECTION (1u << 20)
#define LIMIT_UNREAD_PER_UID        (8u << 20)

/* With so much output waiting, a connection's further requests wait too. */
#define LIMIT_UNREAD_PAUSE (64u << 10)

#define LIMIT_HALF_MESSAGE_SECONDS 10

/* After a restart, an adapter that a driver had registered waits so long for it to come back. */
#define LIMIT_DRIVER_WAIT_SECONDS 30

/* Descriptors that one message can carry: the kernel's SCM_MAX_FD. */
#define LIMIT_MESSAGE_DESCRIPTORS 253

/* Closes of strangers' descriptors under way for one uid. */
#define LIMIT_CLOSES_UNDER_WAY 8

/* Closes that have all been under way for so long hang; others are waited for. */
#define LIMIT_CLOSE_MILLISECONDS 100

/* Descriptors of a process that are looked at for a graphics context. */
#define LIMIT_DESCRIPTORS_EXAMINED 1024

/* Records of denies a second and uid, before they are only counted. */
#define LIMIT_DENY_RECORDS_PER_SECOND 10

#endif
