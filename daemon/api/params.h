/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_PARAMS_H
#define DAEMON_API_PARAMS_H

#include "daemon/core/failure.h"
#include "daemon/core/limit.h"
#include "daemon/core/object.h"
#include "daemon/core/va/gpu-mmu.h"
#include "proto/guid.h"
#include "proto/json-table.h"

/*
 * The parameters of each method: a table with one row per JSON member, and the plain structure that
 * it decodes into. The tables decide everything about shape: which parameters are missing, unknown,
 * of the wrong type or too long, and the form of GUIDs and addresses. Decoded strings belong to the
 * message.
 */

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

/* For methods without parameters. */
extern const JsonTable params_none;

/*
 * Decodes parameters into *ret, which the caller has zeroed. Allocates no memory. Returns
 * STATUS_SUCCESS, or STATUS_INVALID_PARAMETER with the path of the first parameter at fault.
 */
NTSTATUS params_decode(const JsonTable *table, const JsonValue *parameters, void *ret,
		       Failure *failure);

/* Handles are strings of any form and length: looking one up tells whether it is a handle. */
#define PARAM_HANDLE_MAXIMUM UINT64_MAX

static inline bool param_is_handle(const JsonField *field)
{
	return field->type == JSON_FIELD_STRING && field->maximum == PARAM_HANDLE_MAXIMUM;
}

/* The parameters of the methods, as their handlers see them. Absent ones are zero or NULL. */

typedef struct MachineParams { /* of methods that only name a VM */
	Guid virtual_machine;
} MachineParams;

typedef struct RevokeParams {
	Guid virtual_machine;
	OptionalInteger pid;
} RevokeParams;

typedef struct PartyParams { /* a display client or an agent */
	bool present;
	const char *user;
	OptionalInteger
		uid; /* only of a display client; ignored, so that a reply can be sent back */
	OptionalInteger pid;
	OptionalInteger rights; /* only of a display client, as DISPLAY_RIGHT_BIT() */
} PartyParams;

typedef struct DisplayClientsParams {
	ParamArray array;
	PartyParams items[LIMIT_DISPLAY_CLIENTS];
} DisplayClientsParams;

typedef struct MachineSettingsParams {
	Guid virtual_machine;
	const char *name;
	OptionalInteger vmm_pid;
	DisplayClientsParams display_clients;
	PartyParams agent;
	OptionalInteger source;      /* a SettingsSource */
	OptionalInteger guest_state; /* a GuestState, from GUEST_STATE_RUNNING on */
} MachineSettingsParams;

typedef struct AssignParams {
	Guid virtual_machine;
	const char *adapter;
	const char *profile;
} AssignParams;

typedef struct HandleParams { /* of methods that only name an entity by its handle */
	const char *handle;
} HandleParams;

typedef struct QuarantineParams {
	Guid virtual_machine;
	OptionalBoolean quarantined;
	const char *reason;
	const char *expected_reason;
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

typedef struct PageTableParams { /* of methods on one page table entry or one table */
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

	/* Only for a mapping. */
	OptionalInteger protection; /* a GpuProtection */
	OptionalInteger allocation;
	OptionalInteger offset;
} PlacementParams;

typedef struct PlaneParams {
	OptionalInteger fd;
	OptionalInteger offset;
	OptionalInteger stride;
} PlaneParams;

typedef struct PlanesParams {
	ParamArray array;
	PlaneParams items[OBJECT_PLANES_MAX];
} PlanesParams;

typedef struct FenceParams {
	bool present;
	OptionalInteger fd;
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
	OptionalInteger first_row; /* an ObjectFirstRow */
	PlanesParams planes;
	FenceParams fence;
} ObjectParams;

typedef struct ShareParams {
	Guid virtual_machine;
	ObjectParams object;
} ShareParams;

typedef struct RectangleParams {
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

typedef struct OpenDisplayParams {
	Guid virtual_machine;
	OptionalInteger rights; /* as DISPLAY_RIGHT_BIT() */
} OpenDisplayParams;

/* More displays than any VM may have by default, and few enough for a message. */
#define PARAM_DISPLAYS_MAX 448

typedef struct HandlesParams {
	ParamArray array;
	const char *items[PARAM_DISPLAYS_MAX];
} HandlesParams;

typedef struct ServeDisplaysParams {
	Guid virtual_machine;
	HandlesParams displays;
} ServeDisplaysParams;

typedef union Params {
	Guid virtual_machine; /* first member for methods whose subject is a VM */
	const char *handle;   /* first member for methods whose subject has a handle */
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
	OpenDisplayParams open_display;
	ServeDisplaysParams serve_displays;
} Params;

extern const JsonTable params_machine;
extern const JsonTable params_machine_if_named;
extern const JsonTable params_revoke;
extern const JsonTable params_register_machine;
extern const JsonTable params_update_machine;
extern const JsonTable params_unregister_machine;
extern const JsonTable params_assign;
extern const JsonTable params_virtual_gpu;
extern const JsonTable params_quarantine;
extern const JsonTable params_adapter;
extern const JsonTable params_context;
extern const JsonTable params_register_adapter;
extern const JsonTable params_unregister_adapter;
extern const JsonTable params_create_process;
extern const JsonTable params_process;
extern const JsonTable params_reserve_range;
extern const JsonTable params_page_table;
extern const JsonTable params_set_entry;
extern const JsonTable params_reserve;
extern const JsonTable params_map;
extern const JsonTable params_free;
extern const JsonTable params_share;
extern const JsonTable params_update;
extern const JsonTable params_object_handle;
extern const JsonTable params_open_display;
extern const JsonTable params_serve_displays;
extern const JsonTable params_display;
extern const JsonTable params_interface;

#endif
