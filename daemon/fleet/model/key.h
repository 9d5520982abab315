/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_KEY_H
#define DAEMON_FLEET_MODEL_KEY_H

#include <stdbool.h>

#include "proto/guid.h"

/*
 * The keys of the fleet in etcd, relative to the prefix:
 *
 *   hosts/HOST            a host that runs vaild-fleet
 *   vms/GUID/HOST         a VM on a host; several hosts may have the same VM
 *   gpus/HOST/ADDRESS     an adapter of a host
 *   where/GUID            the host that has the VM
 *   quarantine/GUID       a quarantine of the fleet
 *
 * GUID has the form of guid_format(). HOST is a machine ID, see machine-id(5).
 */

typedef enum FleetKeyKind {
	FLEET_KEY_HOST,
	FLEET_KEY_VM,
	FLEET_KEY_GPU,
	FLEET_KEY_WHERE,
	FLEET_KEY_QUARANTINE,
	FLEET_KEY_KIND_MAX,
} FleetKeyKind;

/* A machine ID, as 128 bits. */
typedef Handle HostId;

#define FLEET_ADDRESS_SIZE 64 /* of an adapter's address, with its NUL */
#define FLEET_KEY_SIZE     128

/* Members that the kind does not have are zero, so keys can be compared as a whole. */
typedef struct FleetKey {
	FleetKeyKind kind;
	Guid vm;
	HostId host;
	char address[FLEET_ADDRESS_SIZE];
} FleetKey;

FleetKey fleet_key_host(const HostId *host);
FleetKey fleet_key_vm(const Guid *vm, const HostId *host);

/* The address must pass fleet_address_is_valid(). */
FleetKey fleet_key_gpu(const HostId *host, const char *address);
FleetKey fleet_key_where(const Guid *vm);
FleetKey fleet_key_quarantine(const Guid *vm);

/*
 * Parses a key. Returns false, with *ret_key unchanged, for any text that fleet_key_format() would
 * not write: an unknown folder, other letters than lower case, or something after the last part.
 */
bool fleet_key_parse(const char *text, FleetKey *ret_key);

/* Formats the key with a NUL at the end. Returns text. */
char *fleet_key_format(const FleetKey *key, char text[static FLEET_KEY_SIZE]);

/* Orders by kind, then VM, host and address. Returns as memcmp() does. */
int fleet_key_compare(const FleetKey *a, const FleetKey *b);

/* Tests for a host's own keys, which exist only with its lease. */
bool fleet_key_is_leased(const FleetKey *key);

/* Parses 32 lower-case hex digits that are not all zero. */
bool host_id_parse(const char *text, HostId *ret_host);
bool host_id_is_nil(const HostId *host);

/* An address has 1 to 63 letters, digits and ".:_-!". */
bool fleet_address_is_valid(const char *address);

#endif
