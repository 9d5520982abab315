/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_MACHINE_FACTS_H
#define DAEMON_DISCOVERY_MACHINE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/guid.h"

/* Recognises VMs by what systemd-machined says about its machines. Reaches nothing but memory. */

/* machined names machines like hosts, with at most 64 characters. */
#define MACHINE_NAME_SIZE 65

/* The properties of a machine. Pointers are valid only during the call. */
typedef struct MachineFacts {
	const char *class; /* NULL if absent */
	const uint8_t *id; /* NULL if absent */
	size_t id_size;    /* in bytes */
	uint32_t leader;   /* 0 if absent */
	uint64_t created;  /* microseconds (CLOCK_MONOTONIC), 0 if absent */
	uint32_t owner;    /* the uid of the user that it belongs to, 0 if absent */
} MachineFacts;

/* The owner of a machine whose uid cannot be read. It is not root. */
#define MACHINE_OWNER_UNKNOWN UINT32_MAX

/* The result of recognising a machine: a VM, or the reason against it. */
typedef enum MachineVerdict {
	MACHINE_IS_VM,
	MACHINE_IS_OTHER,  /* of another class, such as a container */
	MACHINE_IS_USERS,  /* an ordinary user has registered it */
	MACHINE_HAS_NO_ID, /* or an unusable one, so it has no GUID */
	MACHINE_HAS_NO_LEADER,
	MACHINE_HAS_ODD_NAME,
	MACHINE_VERDICT_MAX,
} MachineVerdict;

/* A machine that is a VM. */
typedef struct FoundMachine {
	Guid guid;
	pid_t leader;     /* in the pid namespace of machined */
	uint64_t created; /* microseconds (CLOCK_MONOTONIC), 0 if unknown */
} FoundMachine;

/* Recognises a machine. Sets *ret if it is a VM, and otherwise leaves it unchanged. */
MachineVerdict machine_recognise(const MachineFacts *facts, FoundMachine *ret);

/* Returns the reason as the predicate of a sentence about a machine that is no VM. */
const char *machine_verdict_text(MachineVerdict verdict);

/* Tests whether the name consists of at most 64 letters, digits, dots, hyphens and underscores. */
bool machine_name_is_valid(const char *name);

/*
 * Returns the part of the name that the domain has itself. libvirt calls the domain "guest"
 * "qemu-7-guest" at its seventh start. Returns a pointer into name.
 */
const char *machine_own_name(const char *name);

/*
 * Tests whether a process can be the leader: it is at least as old as the machine. Otherwise the
 * leader has exited, and another process has its pid. process_age: microseconds on CLOCK_BOOTTIME.
 * now: microseconds on CLOCK_MONOTONIC.
 */
bool machine_leader_is_old_enough(const FoundMachine *machine, uint64_t process_age, uint64_t now);

#endif
