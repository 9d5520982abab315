/* SPDX-License-Identifier: MIT */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "failure.h"
#include "guid.h"
#include "json.h"
#include "limit.h"

/*
 * Parameters: one row a JSON field, decoded into a plain struct. Everything about shape is decided
 * here: missing, unknown, ill-typed, too long, and the form of GUIDs. What is decoded borrows its
 * strings from the message.
 */

typedef enum ParamType {
	PARAM_GUID,    /* Guid; all zero, which is none, where absent */
	PARAM_STRING,  /* const char *, NULL where absent */
	PARAM_HANDLE,  /* const char *, NULL where absent; any string, to be looked up */
	PARAM_INTEGER, /* OptionalInteger */
	PARAM_BOOLEAN, /* OptionalBoolean */
	PARAM_OBJECT,  /* a struct whose first member is bool present */
	PARAM_ARRAY,   /* a struct that begins with ParamArray */
} ParamType;

typedef struct OptionalInteger {
	bool present;
	uint64_t value;
} OptionalInteger;

typedef struct OptionalBoolean {
	bool present;
	bool value;
} OptionalBoolean;

typedef struct ParamArray {
	bool present;
	size_t count;
} ParamArray;

typedef struct ParamTable ParamTable;

typedef struct ParamField {
	const char *name;
	ParamType type;
	bool required;
	size_t offset;
	size_t maximum;          /* bytes of a string, items of an array */
	const ParamTable *table; /* of an object, or of each item of an array */
	size_t items_offset;     /* of an array: where its items begin, from the struct */
	size_t item_size;
} ParamField;

struct ParamTable {
	const ParamField *fields;
	size_t count;
};

/* For methods that take none. */
extern const ParamTable params_none;

/*
 * Decodes into *ret, which the caller has zeroed. Returns STATUS_SUCCESS, or
 * STATUS_INVALID_PARAMETER with the path of the field at fault.
 */
NTSTATUS params_decode(const ParamTable *table, const JsonValue *parameters, void *ret,
		       Failure *failure);

/* The parameters of the methods, as their handlers see them. */

typedef struct MachineParams { /* all that name just a VM */
	Guid virtual_machine;
} MachineParams;

typedef struct RevokeParams {
	Guid virtual_machine;
	OptionalInteger pid;
} RevokeParams;

typedef struct PartyParams { /* a display client or an agent */
	bool present;
	const char *user;
	OptionalInteger pid;
} PartyParams;

typedef struct DisplayClientsParams {
	ParamArray array;
	PartyParams items[LIMIT_DISPLAY_CLIENTS];
} DisplayClientsParams;

typedef struct MachineSettingsParams {
	Guid virtual_machine;
	const char *name;
	OptionalInteger vmm_pid; /* not of UpdateVirtualMachine */
	DisplayClientsParams display_clients;
	PartyParams agent;
} MachineSettingsParams;

typedef struct AssignParams {
	Guid virtual_machine;
	const char *adapter;
	const char *profile;
} AssignParams;

typedef struct HandleParams { /* all that name just a thing with a handle */
	const char *handle;
} HandleParams;

typedef struct QuarantineParams {
	Guid virtual_machine;
	OptionalBoolean quarantined;
	const char *reason;
} QuarantineParams;

typedef struct InterfaceParams {
	const char *interface;
} InterfaceParams;

typedef union Params {
	Guid virtual_machine; /* of all whose subject is a VM, first */
	const char *handle;   /* of all whose subject has a handle, first */
	MachineParams machine;
	RevokeParams revoke;
	MachineSettingsParams machine_settings;
	AssignParams assign;
	HandleParams handle_only;
	QuarantineParams quarantine;
	InterfaceParams interface;
} Params;

extern const ParamTable params_machine;
extern const ParamTable params_machine_if_named;
extern const ParamTable params_revoke;
extern const ParamTable params_register_machine;
extern const ParamTable params_update_machine;
extern const ParamTable params_assign;
extern const ParamTable params_virtual_gpu;
extern const ParamTable params_quarantine;
extern const ParamTable params_adapter;
extern const ParamTable params_context;
extern const ParamTable params_interface;

#endif
