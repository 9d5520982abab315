/* SPDX-License-Identifier: MIT */
#include "daemon/core/drop-in.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker.h"

/* --- the list -------------------------------------------------------------------------------- */

void drop_in_deinit(DropIn *drop_in)
{
	for (size_t i = 0; i < drop_in->client_count; i++)
		free(drop_in->clients[i].name);
	free(drop_in->clients);
	free(drop_in->agent.name);
	free(drop_in->registrar.name);
	free(drop_in->name);
	free(drop_in->text);
	free(drop_in->path);
	*drop_in = (DropIn){ 0 };
}

void drop_ins_deinit(DropIns *drop_ins)
{
	for (size_t i = 0; i < drop_ins->count; i++)
		drop_in_deinit(&drop_ins->items[i]);
	free(drop_ins->items);
	*drop_ins = DROP_INS_INIT;
}

bool drop_ins_add(DropIns *drop_ins, DropIn *drop_in)
{
	DropIn *items = reallocarray(drop_ins->items, drop_ins->count + 1, sizeof(*items));

	if (!items)
		return false;
	drop_ins->items = items;
	items[drop_ins->count++] = *drop_in;
	*drop_in = (DropIn){ 0 };
	return true;
}

/* --- the choice ------------------------------------------------------------------------------ */

VmIdentity vm_identity(const VirtualMachine *vm, const char *name)
{
	return (VmIdentity){ .guid = &vm->guid,
			     .name = name,
			     .by_operator = vm->by_operator,
			     .registered_by = vm->registered_by };
}

static bool is_for_registrar(const DropIn *drop_in, const VmIdentity *identity)
{
	if (!drop_in->has_registrar)
		return identity->by_operator;
	return !drop_in->registrar.is_unknown && id_is_mapped(identity->registered_by) &&
	       drop_in->registrar.uid == identity->registered_by;
}

static bool is_for(const DropIn *drop_in, const VmIdentity *identity)
{
	if (!is_for_registrar(drop_in, identity))
		return false;
	if (drop_in->subject == DROP_IN_GUID)
		return guid_compare(&drop_in->guid, identity->guid) == 0;
	if (!identity->name)
		return false;
	if (drop_in->subject == DROP_IN_NAME)
		return strcmp(drop_in->name, identity->name) == 0;
	return fnmatch(drop_in->name, identity->name, 0) == 0;
}

static void add_choice(const DropIn *drop_in, DropInChoice *choice)
{
	if (!choice->clients && drop_in->client_count > 0)
		choice->clients = drop_in;
	if (!choice->agent && drop_in->has_agent)
		choice->agent = drop_in;
	choice->requires_sealed_memory |= drop_in->requires_sealed_memory;
}

DropInChoice drop_ins_choose(const DropIns *drop_ins, const VmIdentity *identity)
{
	DropInChoice choice = { 0 };

	if (!drop_ins)
		return choice;
	for (DropInSubject subject = 0; subject < DROP_IN_SUBJECT_MAX; subject++)
		for (size_t i = 0; i < drop_ins->count; i++)
			if (drop_ins->items[i].subject == subject &&
			    is_for(&drop_ins->items[i], identity))
				add_choice(&drop_ins->items[i], &choice);
	return choice;
}

/* --- display clients ------------------------------------------------------------------------- */

static bool make_client(const DropInUser *user, const Host *host, DisplayClient *ret)
{
	Lookup lookup = LOOKUP_ABSENT;

	ret->user = strdup(user->name);
	ret->uid = user->uid;
	ret->rights = user->rights & ~DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW);
	if (!user->is_unknown)
		lookup = host->read_user(host->self, user->uid, &ret->credentials);
	ret->unreadable = lookup != LOOKUP_FOUND || !credentials_are_mapped(&ret->credentials);
	return ret->user && lookup != LOOKUP_EXHAUSTED;
}

bool drop_in_make_clients(const DropIn *drop_in, const Host *host, DisplayClients *ret)
{
	*ret = (DisplayClients){ .are_explicit = true, .are_from_drop_in = true };
	ret->items = calloc(drop_in->client_count, sizeof(*ret->items));
	if (!ret->items)
		return false;
	while (ret->count < drop_in->client_count) {
		const DropInUser *user = &drop_in->clients[ret->count];

		if (!make_client(user, host, &ret->items[ret->count++]))
			return false;
	}
	return true;
}

bool display_clients_make_default(const Host *host, const Process *vmm, DisplayClients *ret)
{
	*ret = DISPLAY_CLIENTS_INIT;
	ret->items = calloc(1, sizeof(*ret->items));
	if (!ret->items)
		return false;
	DisplayClient *client = &ret->items[ret->count++];
	client->pid = vmm->pid;
	Lookup lookup = host->read_credentials(host->self, vmm->key, &client->credentials);
	client->unreadable =
		lookup != LOOKUP_FOUND || !credentials_are_mapped(&client->credentials) ||
		!host->is_login_user(host->self, client->credentials.uids[ID_EFFECTIVE]);
	return lookup != LOOKUP_EXHAUSTED;
}

/* Tests whether the display clients are those that the drop-in names. */
static bool are_clients_of(const DisplayClients *clients, const DropIn *drop_in)
{
	bool is_same = clients->are_from_drop_in && clients->count == drop_in->client_count;

	for (size_t i = 0; is_same && i < clients->count; i++) {
		const DisplayClient *client = &clients->items[i];
		const DropInUser *user = &drop_in->clients[i];

		is_same = strcmp(client->user, user->name) == 0 && client->uid == user->uid &&
			  (client->rights | DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW)) ==
				  (user->rights | DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW));
	}
	return is_same;
}

bool drop_in_take_agent(const DropIn *drop_in, VmSettings *settings)
{
	settings->has_agent = settings->agent_is_from_drop_in = true;
	settings->agent_uid = drop_in->agent.uid;
	settings->agent_user = strdup(drop_in->agent.name);
	return settings->agent_user != NULL;
}

/* --- a running VM ---------------------------------------------------------------------------- */

static bool resolve_clients(const Host *host, const VirtualMachine *vm, const DropIn *drop_in,
			    VmSettings *ret)
{
	const DisplayClients *present = &vm->display_clients;

	if (ret->has_display_clients || display_clients_are_requested(present))
		return true; /* a request names or has named them */
	if (drop_in ? are_clients_of(present, drop_in) : !present->are_from_drop_in)
		return true;
	ret->has_display_clients = true;
	if (drop_in)
		return drop_in_make_clients(drop_in, host, &ret->display_clients);
	/* The metadata may have changed since, and they never meant the VMM. */
	return vm_is_found(vm) || vm->has_metadata
		       ? display_clients_make_nobody(&ret->display_clients)
		       : display_clients_make_default(host, vm->vmm, &ret->display_clients);
}

static bool resolve_agent(const VirtualMachine *vm, const DropIn *drop_in, VmSettings *ret)
{
	const Agent *present = &vm->agent;
	const DropInUser *user = drop_in ? &drop_in->agent : NULL;

	if (ret->has_agent || (agent_exists(present) && !present->is_from_drop_in))
		return true;
	if (user ? agent_exists(present) && present->uid == user->uid &&
			    strcmp(present->user, user->name) == 0
		 : !agent_exists(present))
		return true;
	ret->has_agent = true;
	return !user || drop_in_take_agent(drop_in, ret);
}

bool drop_ins_resolve(Broker *broker, const VirtualMachine *vm, const char *name, VmSettings *ret)
{
	const VmIdentity identity = vm_identity(vm, name);
	const DropInChoice choice = drop_ins_choose(broker->drop_ins, &identity);

	return resolve_clients(broker->host, vm, choice.clients, ret) &&
	       resolve_agent(vm, choice.agent, ret);
}
