/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_VALUE_H
#define DAEMON_FLEET_MODEL_VALUE_H

#include <stdint.h>

#include "daemon/fleet/model/key.h"
#include "proto/json-writer.h"
#include "proto/json.h"

/*
 * The values of the keys, JSON objects. Hosts of several versions read them, so members that are
 * unknown are ignored, and missing or ill-typed ones have a default: 0, false, or an empty text.
 * Texts are at most FLEET_TEXT_MAX bytes long; longer ones are cut behind a character.
 *
 * Dates are for people. No decision depends on one, because the clocks of hosts differ.
 */

#define FLEET_VALUE_MAX 65536 /* bytes of a value; longer ones are malformed */
#define FLEET_TEXT_MAX  255
#define FLEET_ITEMS_MAX 64 /* of an array; further items are ignored */

typedef struct FleetHost {
	char *name;
	char *version; /* of vaild */
	uint64_t vms;
	uint64_t registrations;
	bool is_vaild_away;
} FleetHost;

typedef enum FleetVmState {
	FLEET_VM_RUNNING,  /* the host has the VM, or is about to claim it */
	FLEET_VM_INCOMING, /* another host has it, and this one takes it when that host's VM ends */
	FLEET_VM_ENDED,
	FLEET_VM_CONFLICT, /* the VM runs here, but another host has it */
	FLEET_VM_STATE_MAX,
} FleetVmState;

typedef struct FleetVm {
	char *name; /* or empty */
	FleetVmState state;
	uint64_t vgpus;
	uint64_t registrations;
	char *date; /* of its beginning */
} FleetVm;

/* A type of vGPUs that an adapter offers, and how many more of it are possible. */
typedef struct FleetGpuType {
	char *name;
	uint64_t free;
} FleetGpuType;

/* A vGPU in use. */
typedef struct FleetGpuHolder {
	Guid vm;
	char *type;
} FleetGpuHolder;

typedef struct FleetGpu {
	char *name;
	char *source;      /* as in io.vaild.Gpu.Adapter */
	uint64_t capacity; /* vGPUs that it can have; 0 if vaild does not know */
	uint64_t used;
	bool takes_any_type; /* the type is only a label, so each free vGPU can have any */
	FleetGpuType *types;
	size_t type_count;
	FleetGpuHolder *holders;
	size_t holder_count;
} FleetGpu;

typedef struct FleetWhere {
	HostId host;     /* nil if the value is malformed */
	HostId previous; /* the host from which it has claimed the VM; nil for none */
	char *host_name; /* or empty */
	char *vm_name;   /* or empty */
	char *date;
} FleetWhere;

typedef struct FleetQuarantine {
	char *reason;
	char *who;
	char *date;
	bool is_released; /* it is lifted; the key stays for hosts that are down meanwhile */
} FleetQuarantine;

typedef struct FleetValue {
	FleetKeyKind kind;
	union {
		FleetHost host;
		FleetVm vm;
		FleetGpu gpu;
		FleetWhere where;
		FleetQuarantine quarantine;
	};
} FleetValue;

typedef enum FleetParse {
	FLEET_PARSE_DONE,
	FLEET_PARSE_MALFORMED, /* no JSON object, or too long */
	FLEET_PARSE_NO_MEMORY,
} FleetParse;

/*
 * Parses the value of a key of this kind. *ret_value is set if the result is FLEET_PARSE_DONE; the
 * caller frees it with fleet_value_deinit().
 */
FleetParse fleet_value_parse(JsonParser *parser, FleetKeyKind kind, const char *text,
			     FleetValue *ret_value);

/* Returns the value as JSON, to be freed by the caller; NULL if out of memory. */
char *fleet_value_format(const FleetValue *value);

/* Write the members "types" and "holders" of an adapter, which replies have, too. */
void fleet_gpu_write_types(Writer *writer, const FleetGpu *gpu);
void fleet_gpu_write_holders(Writer *writer, const FleetGpu *gpu);

/* Frees what the value owns, and zeroes it. */
void fleet_value_deinit(FleetValue *value);

/* Sets a value without any facts, as if it were the object {}. Returns false if out of memory. */
bool fleet_value_init(FleetValue *value, FleetKeyKind kind);

/* Copies a text, cut to FLEET_TEXT_MAX bytes; NULL counts as empty. Returns NULL if out of memory.
 */
char *fleet_text_copy(const char *text);

/* Returns the name of a state, like "incoming". */
const char *fleet_vm_state_name(FleetVmState state);

/* Returns how many more vGPUs of the type the adapter can have; NULL stands for any type. */
uint64_t fleet_gpu_free(const FleetGpu *gpu, const char *type);

/* Tests for vaild's software adapter, which is no GPU and never a reason to choose a host. */
bool fleet_gpu_is_software(const FleetGpu *gpu);

/* Tests whether the type is one of those that the device itself names. */
bool fleet_gpu_names(const FleetGpu *gpu, const char *type);

/* Tests whether the adapter can have vGPUs of the type, free or not. */
bool fleet_gpu_offers(const FleetGpu *gpu, const char *type);

#endif
