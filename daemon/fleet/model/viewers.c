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
	fleet_users_free(vm->users, vm->user_count);
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

/* Copies the users. Returns false, with *ret_users NULL, if out of memory. */
static bool copy_users(const FleetLocalVm *local, char ***ret_users)
{
	char **users = calloc(local->user_count + 1, sizeof(*users));

	*ret_users = NULL;
	for (size_t i = 0; users && i < local->user_count; i++) {
		users[i] = strdup(local->users[i]);
		if (!users[i]) {
			fleet_users_free(users, i);
			return false;
		}
	}
	*ret_users = users;
	return users != NULL;
}

/* Adds the VM as the one that was seen last. */
static void add_vm(Viewers *viewers, const FleetLocalVm *local)
{
	ViewedVm *vm = calloc(1, sizeof(*vm));

	if (!vm || !copy_users(local, &vm->users)) {
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
	if (vm->user_count != local->user_count)
		return false;
	for (size_t i = 0; i < vm->user_count; i++)
		if (strcmp(vm->users[i], local->users[i]) != 0)
			return false;
	return true;
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

bool viewers_contain(const Viewers *viewers, const Guid *guid, const char *uid, const char *name)
{
	const ViewedVm *vm = find_vm(viewers, guid);

	for (size_t i = 0; vm && i < vm->user_count; i++)
		if (strcmp(vm->users[i], uid) == 0 || (name && strcmp(vm->users[i], name) == 0))
			return true;
	return false;
}
