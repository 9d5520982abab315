/* SPDX-License-Identifier: MIT */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "failure.h"
#include "gpu-mmu.h"
#include "guid.h"
#include "json.h"
#include "limit.h"
#include "object.h"

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
	PARAM_ADDRESS, /* OptionalInteger; a string of "0x" and 1 to 16 hex digits */
	PARAM_CHOICE,  /* OptionalInteger: which of the field's choices */
	PARAM_OBJECT,  /* a struct whose first member is bool present */
	PARAM_ARRAY,   /* a struct that begins with ParamArray; of objects, or of uint64_t */
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
	const ParamTable *table; /* of an object, or of each item of an array; NULL: integers */
	size_t items_offset;     /* of an array: where its items begin, from the struct */
	size_t item_size;
	const char *const *choices; /* of a choice; NULL behind the last */
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

typedef struct IndexBitsParams {
	ParamArray array;
	uint64_t items[GPU_PAGE_TABLE_LEVEL_MAX];
} IndexBitsParams;

typedef struct RegisterAdapterParams {
	const char *name;
	OptionalInteger address_bits;
	IndexBitsParams index_bits;
	OptionalInteger max_virtual_gpus;
} RegisterAdapterParams;

typedef struct CreateProcessParams {
	const char *adapter;
	OptionalInteger pid;
	const char *name;
	Guid virtual_machine;
} CreateProcessParams;

typedef struct ReserveRangeParams {
	const char *process;
	OptionalInteger size;
	OptionalInteger alignment;
	OptionalInteger base_address;
	OptionalBoolean allow_user_mode_mapping;
} ReserveRangeParams;

/* Of the configuration, which is decoded like a message. */
typedef struct ReservationParams {
	bool present;
	OptionalInteger size;
	OptionalInteger alignment;
	OptionalInteger base_address;
	OptionalBoolean allow_user_mode_mapping;
} ReservationParams;

typedef struct ReservationsParams {
	ParamArray array;
	ReservationParams items[LIMIT_CONFIGURED_RESERVATIONS];
} ReservationsParams;

typedef struct SoftwareAdapterParams {
	ReservationsParams reservations;
	ReservationsParams system_reservations;
} SoftwareAdapterParams;

typedef struct PageTableParams { /* all that name a place in the page tables */
	const char *process;
	OptionalInteger virtual_address;
	OptionalInteger page_table_address;
} PageTableParams;

typedef struct PlacementParams {
	const char *process;
	OptionalInteger size;
	OptionalInteger base_address;
	OptionalInteger minimum;
	OptionalInteger maximum;
	OptionalInteger protection; /* of a mapping, as is the rest; a GpuProtection */
	OptionalInteger allocation;
	OptionalInteger offset;
} PlacementParams;

typedef struct PlaneParams {
	bool present;
	OptionalInteger descriptor;
	OptionalInteger offset;
	OptionalInteger stride;
} PlaneParams;

typedef struct PlanesParams {
	ParamArray array;
	PlaneParams items[OBJECT_PLANES_MAX];
} PlanesParams;

typedef struct FenceParams {
	bool present;
	OptionalInteger descriptor;
} FenceParams;

typedef struct ObjectParams {
	bool present;
	OptionalInteger type;   /* an ObjectType */
	OptionalInteger access; /* an ObjectAccess */
	const char *name;
	OptionalInteger width;
	OptionalInteger height;
	const char *format;
	OptionalInteger modifier;
	PlanesParams planes;
	FenceParams fence;
} ObjectParams;

typedef struct ShareParams {
	Guid virtual_machine;
	ObjectParams object;
} ShareParams;

typedef struct RectangleParams {
	bool present;
	OptionalInteger x;
	OptionalInteger y;
	OptionalInteger width;
	OptionalInteger height;
} RectangleParams;

typedef struct DamageParams {
	ParamArray array;
	RectangleParams items[LIMIT_DAMAGE_RECTANGLES];
} DamageParams;

typedef struct UpdateParams {
	const char *handle;
	DamageParams damage;
} UpdateParams;

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
	RegisterAdapterParams register_adapter;
	CreateProcessParams create_process;
	ReserveRangeParams reserve_range;
	PageTableParams page_table;
	PlacementParams placement;
	ShareParams share;
	UpdateParams update;
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
extern const ParamTable params_register_adapter;
extern const ParamTable params_unregister_adapter;
extern const ParamTable params_create_process;
extern const ParamTable params_process;
extern const ParamTable params_reserve_range;
extern const ParamTable params_page_table;
extern const ParamTable params_set_entry;
extern const ParamTable params_reserve;
extern const ParamTable params_map;
extern const ParamTable params_free;
extern const ParamTable params_software_adapter;
extern const ParamTable params_share;
extern const ParamTable params_update;
extern const ParamTable params_object_handle;
extern const ParamTable params_interface;

#endif
