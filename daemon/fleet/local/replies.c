/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/local/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/local/gpu-types.h"
#include "daemon/fleet/local/wall-clock.h"
#include "proto/macros.h"

bool reply_list_add(ReplyList *list, JsonValue *reply)
{
	if (list->count == list->room) {
		size_t room = list->room * 2 + 16;
		JsonValue **replies = reallocarray(list->replies, room, sizeof(JsonValue *));

		if (!replies) {
			json_free(reply);
			return false;
		}
		list->replies = replies;
		list->room = room;
	}
	list->replies[list->count++] = reply;
	return true;
}

static void list_clear(ReplyList *list)
{
	for (size_t i = 0; i < list->count; i++)
		json_free(list->replies[i]);
	free(list->replies);
	*list = (ReplyList){ .count = 0 };
}

void replies_clear(Replies *replies)
{
	free(replies->version);
	replies->version = NULL;
	list_clear(&replies->vms);
	list_clear(&replies->adapters);
	list_clear(&replies->quarantines);
}

/* Returns the item of a reply to a call with "more", or NULL. */
static const JsonValue *item_at(const ReplyList *list, size_t at, const char *key)
{
	return json_array_at(json_member(list->replies[at], key), 0);
}

static const char *text_of(const JsonValue *item, const char *name)
{
	const char *text = json_string(json_member(item, name));

	return text ? text : "";
}

static uint64_t number_of(const JsonValue *item, const char *name)
{
	uint64_t number = 0;

	json_read_unsigned(json_member(item, name), &number);
	return number;
}

/* --- VMs ------------------------------------------------------------------------------------- */

/* Returns the VM's date in the earlier facts, or a new one. Returns NULL if out of memory. */
static char *date_of(const FleetLocalVm *vm, const FleetFacts *earlier, double now)
{
	const FleetLocalVm *known = fleet_facts_vm(earlier, &vm->guid);
	char date[DATE_SIZE];

	if (known && known->since <= vm->since && known->since >= vm->since)
		return strdup(known->vm.date);
	return strdup(date_for_people(now - vm->since, date));
}

/*
 * Tests whether the fleet gets to know a VM. A user who may register VMs chooses their GUIDs, and
 * could otherwise claim a VM that operators have on another host.
 */
static bool is_published(const JsonValue *item)
{
	bool is_operators = false;

	if (!json_member(item, "registeredByUid"))
		return true; /* found */
	json_read_boolean(json_member(item, "registeredByOperator"), &is_operators);
	return is_operators;
}

/*
 * Reads the uids of the users that are display clients, as vaild has resolved them. A vaild that is
 * too old to send them has none. Returns false if out of memory.
 */
static bool read_users(const JsonValue *item, FleetLocalVm *vm)
{
	const JsonValue *clients = json_member(item, "displayClients");
	size_t count = json_array_size(clients);

	vm->users = calloc(count + 1, sizeof(*vm->users));
	for (size_t i = 0; vm->users && i < count; i++) {
		uint64_t uid;

		if (json_read_unsigned(json_member(json_array_at(clients, i), "uid"), &uid) &&
		    uid < (uid_t)-1)
			vm->users[vm->user_count++] = (uid_t)uid;
	}
	return vm->users != NULL;
}

static FleetGuest guest_of(const JsonValue *item)
{
	static const char *const names[] = {
		[FLEET_GUEST_RUNNING] = "running",
		[FLEET_GUEST_INCOMING] = "incoming",
		[FLEET_GUEST_MIGRATED] = "migrated",
	};
	const char *state = text_of(item, "guestState");

	for (FleetGuest guest = FLEET_GUEST_RUNNING; guest < ARRAY_SIZE(names); guest++)
		if (strcmp(state, names[guest]) == 0)
			return guest;
	return FLEET_GUEST_UNKNOWN;
}

static bool read_vm(const JsonValue *item, const FleetFacts *earlier, double now, FleetFacts *facts)
{
	FleetLocalVm *vm = &facts->vms[facts->vm_count];

	if (!is_published(item) || !guid_parse(text_of(item, "virtualMachineGuid"), &vm->guid))
		return true;
	json_read_real(json_member(item, "since"), &vm->since);
	vm->guest = guest_of(item);
	vm->vm.vgpus = json_array_size(json_member(item, "virtualGpus"));
	vm->vm.registrations = number_of(item, "registrations");
	vm->vm.name = fleet_text_copy(text_of(item, "name"));
	vm->vm.date = date_of(vm, earlier, now);
	facts->vm_count++;
	facts->host.vms++;
	facts->host.registrations += vm->vm.registrations;
	return read_users(item, vm) && vm->vm.name && vm->vm.date;
}

static bool read_vms(const Replies *replies, const FleetFacts *earlier, double now,
		     FleetFacts *facts)
{
	facts->vms = calloc(replies->vms.count + 1, sizeof(*facts->vms));
	if (!facts->vms)
		return false;
	for (size_t i = 0; i < replies->vms.count; i++)
		if (!read_vm(item_at(&replies->vms, i, "virtualMachines"), earlier, now, facts))
			return false;
	return true;
}

/* --- adapters -------------------------------------------------------------------------------- */

/*
 * Makes the address of an adapter: that of its device, or for one without a device the name
 * "software", or "client-" and its handle.
 */
static bool make_address(const JsonValue *item, char address[FLEET_ADDRESS_SIZE])
{
	const char *source = text_of(item, "source"), *device = text_of(item, "pciAddress");

	if (device[0] == '\0')
		device = text_of(item, "devicePath");
	if (device[0] != '\0')
		snprintf(address, FLEET_ADDRESS_SIZE, "%s", device);
	else if (strcmp(source, "software") == 0)
		snprintf(address, FLEET_ADDRESS_SIZE, "%s", source);
	else
		snprintf(address, FLEET_ADDRESS_SIZE, "client-%s", text_of(item, "adapter"));
	for (char *at = address; *at; at++)
		if (*at == '/')
			*at = '!';
	return fleet_address_is_valid(address);
}

/*
 * Adds the VM's vGPUs on the adapter to its holders, as far as there is room. Those of a VM that is
 * not published are only counted as used.
 */
static bool add_holders(const JsonValue *vm, const char *adapter, FleetGpu *gpu)
{
	const JsonValue *vgpus = json_member(vm, "virtualGpus");

	for (size_t i = 0; i < json_array_size(vgpus); i++) {
		const JsonValue *vgpu = json_array_at(vgpus, i);
		FleetGpuHolder *holder = &gpu->holders[gpu->holder_count];

		if (strcmp(text_of(vgpu, "adapter"), adapter) != 0)
			continue;
		gpu->used++;
		if (gpu->holder_count == FLEET_ITEMS_MAX || !is_published(vm) ||
		    !guid_parse(text_of(vm, "virtualMachineGuid"), &holder->vm))
			continue;
		holder->type = fleet_text_copy(text_of(vgpu, "profile"));
		gpu->holder_count++;
		if (!holder->type)
			return false;
	}
	return true;
}

static bool read_holders(const Replies *replies, const char *adapter, FleetGpu *gpu)
{
	gpu->holders = calloc(FLEET_ITEMS_MAX, sizeof(*gpu->holders));
	if (!gpu->holders)
		return false;
	for (size_t i = 0; i < replies->vms.count; i++)
		if (!add_holders(item_at(&replies->vms, i, "virtualMachines"), adapter, gpu))
			return false;
	return true;
}

static bool read_gpu(const Replies *replies, const JsonValue *item, FleetFacts *facts)
{
	FleetLocalGpu *local = &facts->gpus[facts->gpu_count];
	FleetGpu *gpu = &local->gpu;
	bool is_device = strcmp(text_of(item, "source"), "drm") == 0;

	if (!make_address(item, local->address))
		return true;
	facts->gpu_count++;
	gpu->name = fleet_text_copy(text_of(item, "name"));
	gpu->source = fleet_text_copy(text_of(item, "source"));
	if (!gpu->name || !gpu->source || !read_holders(replies, text_of(item, "adapter"), gpu))
		return false;
	gpu->takes_any_type = !is_device;
	gpu->capacity = number_of(item, is_device ? "maxVirtualFunctions" : "maxVirtualGpus");
	if (!is_device)
		gpu->used = number_of(item, "virtualGpus");
	return !is_device || gpu_types_read(text_of(item, "pciAddress"), gpu);
}

static bool read_gpus(const Replies *replies, FleetFacts *facts)
{
	facts->gpus = calloc(replies->adapters.count + 1, sizeof(*facts->gpus));
	if (!facts->gpus)
		return false;
	for (size_t i = 0; i < replies->adapters.count; i++)
		if (!read_gpu(replies, item_at(&replies->adapters, i, "adapters"), facts))
			return false;
	return true;
}

/* --- the rest -------------------------------------------------------------------------------- */

static bool read_quarantines(const Replies *replies, FleetFacts *facts)
{
	const ReplyList *list = &replies->quarantines;

	facts->quarantines = calloc(list->count + 1, sizeof(*facts->quarantines));
	if (!facts->quarantines)
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const JsonValue *item = item_at(list, i, "quarantines");
		FleetLocalQuarantine *local = &facts->quarantines[facts->quarantine_count];

		if (!guid_parse(text_of(item, "virtualMachineGuid"), &local->guid))
			continue;
		local->reason = fleet_text_copy(text_of(item, "reason"));
		facts->quarantine_count++;
		if (!local->reason)
			return false;
	}
	return true;
}

bool replies_read(const Replies *replies, const char *host_name, double now, FleetFacts *facts)
{
	FleetFacts found = { .is_known = true };

	found.host.name = fleet_text_copy(host_name);
	found.host.version = fleet_text_copy(replies->version);
	if (!found.host.name || !found.host.version || !read_vms(replies, facts, now, &found) ||
	    !read_gpus(replies, &found) || !read_quarantines(replies, &found)) {
		fleet_facts_deinit(&found);
		return false;
	}
	fleet_facts_sort(&found);
	fleet_facts_deinit(facts);
	*facts = found;
	return true;
}
