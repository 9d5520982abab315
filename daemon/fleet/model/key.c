/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/key.h"

#include <stdio.h>
#include <string.h>

#include "proto/macros.h"

static const char *const folders[] = {
	[FLEET_KEY_HOST] = "hosts/",
	[FLEET_KEY_VM] = "vms/",
	[FLEET_KEY_GPU] = "gpus/",
	[FLEET_KEY_WHERE] = "where/",
	[FLEET_KEY_QUARANTINE] = "quarantine/",
};

_Static_assert(ARRAY_SIZE(folders) == FLEET_KEY_KIND_MAX, "each kind has a folder");

FleetKey fleet_key_host(const HostId *host)
{
	return (FleetKey){ .kind = FLEET_KEY_HOST, .host = *host };
}

FleetKey fleet_key_vm(const Guid *vm, const HostId *host)
{
	return (FleetKey){ .kind = FLEET_KEY_VM, .vm = *vm, .host = *host };
}

FleetKey fleet_key_gpu(const HostId *host, const char *address)
{
	FleetKey key = { .kind = FLEET_KEY_GPU, .host = *host };

	snprintf(key.address, sizeof(key.address), "%s", address);
	return key;
}

FleetKey fleet_key_where(const Guid *vm)
{
	return (FleetKey){ .kind = FLEET_KEY_WHERE, .vm = *vm };
}

FleetKey fleet_key_quarantine(const Guid *vm)
{
	return (FleetKey){ .kind = FLEET_KEY_QUARANTINE, .vm = *vm };
}

bool host_id_is_nil(const HostId *host)
{
	static const HostId nil;

	return handle_compare(host, &nil) == 0;
}

bool host_id_parse(const char *text, HostId *ret_host)
{
	HostId host;

	if (!handle_parse(text, &host) || host_id_is_nil(&host))
		return false;
	*ret_host = host;
	return true;
}

bool fleet_address_is_valid(const char *address)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.:_-!";
	size_t length = strlen(address);

	return length > 0 && length < FLEET_ADDRESS_SIZE && strspn(address, allowed) == length;
}

/*
 * Copies the next part of a key, up to a slash or the end, and moves *text behind it. Returns false
 * if the part does not fit.
 */
static bool take_part(const char **text, char *part, size_t size)
{
	size_t length = strcspn(*text, "/");

	if (length >= size)
		return false;
	memcpy(part, *text, length);
	part[length] = '\0';
	*text += length;
	return true;
}

static bool take_slash(const char **text)
{
	if (**text != '/')
		return false;
	(*text)++;
	return true;
}

static bool take_guid(const char **text, Guid *ret_guid)
{
	char part[GUID_TEXT_LENGTH + 1], canonical[GUID_TEXT_LENGTH + 1];
	Guid guid;

	if (!take_part(text, part, sizeof(part)) || !guid_parse(part, &guid) ||
	    strcmp(guid_format(&guid, canonical), part) != 0)
		return false;
	*ret_guid = guid;
	return true;
}

static bool take_host(const char **text, HostId *ret_host)
{
	char part[HANDLE_TEXT_LENGTH + 1];

	return take_part(text, part, sizeof(part)) && host_id_parse(part, ret_host);
}

static bool take_address(const char **text, char address[FLEET_ADDRESS_SIZE])
{
	return take_part(text, address, FLEET_ADDRESS_SIZE) && fleet_address_is_valid(address);
}

/* Parses the parts behind the folder. */
static bool take_rest(const char **text, FleetKey *key)
{
	switch (key->kind) {
	case FLEET_KEY_HOST:
		return take_host(text, &key->host);
	case FLEET_KEY_VM:
		return take_guid(text, &key->vm) && take_slash(text) && take_host(text, &key->host);
	case FLEET_KEY_GPU:
		return take_host(text, &key->host) && take_slash(text) &&
		       take_address(text, key->address);
	case FLEET_KEY_WHERE:
	case FLEET_KEY_QUARANTINE:
		return take_guid(text, &key->vm);
	case FLEET_KEY_KIND_MAX:
		break;
	}
	return false;
}

bool fleet_key_parse(const char *text, FleetKey *ret_key)
{
	for (FleetKeyKind kind = 0; kind < FLEET_KEY_KIND_MAX; kind++) {
		FleetKey key = { .kind = kind };
		const char *rest = text + strlen(folders[kind]);

		if (strncmp(text, folders[kind], strlen(folders[kind])) != 0)
			continue;
		if (!take_rest(&rest, &key) || *rest != '\0')
			return false;
		/* Bytes behind an address would make equal keys differ. */
		*ret_key = kind == FLEET_KEY_GPU ? fleet_key_gpu(&key.host, key.address) : key;
		return true;
	}
	return false;
}

char *fleet_key_format(const FleetKey *key, char text[static FLEET_KEY_SIZE])
{
	char guid[GUID_TEXT_LENGTH + 1], host[HANDLE_TEXT_LENGTH + 1];

	guid_format(&key->vm, guid);
	handle_format(&key->host, host);
	switch (key->kind) {
	case FLEET_KEY_HOST:
		snprintf(text, FLEET_KEY_SIZE, "%s%s", folders[key->kind], host);
		break;
	case FLEET_KEY_VM:
		snprintf(text, FLEET_KEY_SIZE, "%s%s/%s", folders[key->kind], guid, host);
		break;
	case FLEET_KEY_GPU:
		snprintf(text, FLEET_KEY_SIZE, "%s%s/%s", folders[key->kind], host, key->address);
		break;
	case FLEET_KEY_WHERE:
	case FLEET_KEY_QUARANTINE:
		snprintf(text, FLEET_KEY_SIZE, "%s%s", folders[key->kind], guid);
		break;
	case FLEET_KEY_KIND_MAX:
		text[0] = '\0';
		break;
	}
	return text;
}

int fleet_key_compare(const FleetKey *a, const FleetKey *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	int order = guid_compare(&a->vm, &b->vm);
	if (order == 0)
		order = handle_compare(&a->host, &b->host);
	return order != 0 ? order : strcmp(a->address, b->address);
}

bool fleet_key_is_leased(const FleetKey *key)
{
	return key->kind == FLEET_KEY_HOST || key->kind == FLEET_KEY_VM ||
	       key->kind == FLEET_KEY_GPU;
}
