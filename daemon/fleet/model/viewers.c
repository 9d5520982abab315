/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/viewers.h"

#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

static int compare_vms(const ViewedVm *a, const ViewedVm *b)
{
	return guid_compare(&a->guid, &b->guid);
}

RB_GENERATE_INTERNAL(ViewedVmTree, ViewedVm, by_guid, compare_vms, __attribute__((unused)) static)

void viewers_init(Viewers *viewers)
{
	*viewers = (Viewers){ .count = 0 };
	TAILQ_INIT(&viewers->list);
	RB_INIT(&viewers->tree);
}

static void vm_free(Viewers *viewers, ViewedVm *vm)
{
	TAILQ_REMOVE(&viewers->list, vm, by_age);
	RB_REMOVE(ViewedVmTree, &viewers->tree, vm);
	viewers->count--;
	free(vm->users);
	free(vm);
}

void viewers_deinit(Viewers *viewers)
{
	while (!TAILQ_EMPTY(&viewers->list))
		vm_free(viewers, TAILQ_FIRST(&viewers->list));
}

static ViewedVm *find_vm(const Viewers *viewers, const Guid *guid)
{
	ViewedVm key = { .guid = *guid };

	return RB_FIND(ViewedVmTree, (ViewedVmTree *)&viewers->tree, &key);
}

static uid_t *copy_users(const FleetLocalVm *local)
{
	uid_t *users = calloc(local->user_count + 1, sizeof(*users));

	if (users && local->user_count > 0)
		memcpy(users, local->users, local->user_count * sizeof(*users));
	return users;
}

/* Adds the VM as the one that was seen last. */
static void add_vm(Viewers *viewers, const FleetLocalVm *local)
{
	ViewedVm *vm = calloc(1, sizeof(*vm));

	if (vm)
		vm->users = copy_users(local);
	if (!vm || !vm->users) {
		free(vm);
		return;
	}
	vm->guid = local->guid;
	vm->user_count = local->user_count;
	TAILQ_INSERT_TAIL(&viewers->list, vm, by_age);
	RB_INSERT(ViewedVmTree, &viewers->tree, vm);
	viewers->count++;
	if (viewers->count > VIEWERS_VMS_MAX)
		vm_free(viewers, TAILQ_FIRST(&viewers->list));
}

static bool has_same_users(const ViewedVm *vm, const FleetLocalVm *local)
{
	return vm->user_count == local->user_count &&
	       (vm->user_count == 0 ||
		memcmp(vm->users, local->users, vm->user_count * sizeof(*vm->users)) == 0);
}

static void note_vm(Viewers *viewers, const FleetLocalVm *local)
{
	ViewedVm *vm = find_vm(viewers, &local->guid);

	if (vm && has_same_users(vm, local)) {
		TAILQ_REMOVE(&viewers->list, vm, by_age);
		TAILQ_INSERT_TAIL(&viewers->list, vm, by_age);
		return;
	}
	if (vm)
		vm_free(viewers, vm);
	add_vm(viewers, local);
}

void viewers_note(Viewers *viewers, const FleetFacts *facts)
{
	for (size_t i = 0; i < facts->vm_count; i++)
		note_vm(viewers, &facts->vms[i]);
}

static bool has_user(const ViewedVm *vm, uid_t uid)
{
	for (size_t i = 0; i < vm->user_count; i++)
		if (vm->users[i] == uid)
			return true;
	return false;
}

bool viewers_contain(const Viewers *viewers, const Guid *guid, uid_t uid)
{
	const ViewedVm *vm = find_vm(viewers, guid);

	return vm && has_user(vm, uid);
}

bool viewers_contain_name(const Viewers *viewers, const FleetIndex *index, const char *name,
			  uid_t uid)
{
	const ViewedVm *vm;

	TAILQ_FOREACH (vm, &viewers->list, by_age)
		if (has_user(vm, uid) && fleet_index_has_name(index, &vm->guid, name))
			return true;
	return false;
}
