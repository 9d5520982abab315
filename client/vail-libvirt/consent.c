/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/consent.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/common/atomic-file.h"
#include "client/common/client-list.h"
#include "client/common/machine-settings.h"
#include "client/common/user-message.h"
#include "proto/macros.h"

bool consent_equal(const Domain *one, const Domain *other)
{
	bool is_equal = one->client_count == other->client_count;

	for (size_t i = 0; is_equal && i < one->client_count; i++)
		is_equal = one->rights[i] == other->rights[i] &&
			   strcmp(one->clients[i], other->clients[i]) == 0;
	return is_equal;
}

/* Tests whether vaild would know the user: a name, or a decimal uid. */
static bool is_known_user(const char *user)
{
	errno = 0;
	if (getpwnam(user))
		return true;
	/* An error of the lookup itself says nothing about the user. */
	bool is_trouble =
		errno != 0 && errno != ENOENT && errno != ESRCH && errno != EBADF && errno != EPERM;
	return is_trouble || strspn(user, "0123456789") == strlen(user);
}

const char *consent_unknown_user(const Domain *consent)
{
	for (size_t i = 0; i < consent->client_count; i++)
		if (!is_known_user(consent->clients[i]))
			return consent->clients[i];
	return NULL;
}

/* ---- In vaild ---- */

static void close_vail(struct vail **vail)
{
	vail_close(*vail);
}

NTSTATUS consent_clients(const Domain *consent, ClientList *clients)
{
	for (size_t i = 0; i < consent->client_count; i++) {
		const VailParty user = { .user = consent->clients[i] };

		if (!client_list_add(clients, user, consent->rights[i]))
			return STATUS_NO_MEMORY;
	}
	return STATUS_SUCCESS;
}

/* The arguments of consent_change(), and a connection. */
typedef struct Change {
	struct vail *vail;
	const char *guid;
	const char *name;
	const Domain *given;
	const Domain *wanted;
} Change;

/* The display clients of a VM in vaild, compared with those of the metadata. */
typedef struct Comparison {
	bool are_given;     /* equal to the given ones, or absent */
	bool are_wanted;    /* equal to the wanted ones */
	bool are_requested; /* named by a request of an operator */
	bool are_from_drop_in;
} Comparison;

static NTSTATUS compare(const Change *change, Comparison *ret)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	_cleanup_(client_list_deinit) ClientList earlier = { 0 };
	_cleanup_(client_list_deinit) ClientList now = { 0 };
	NTSTATUS status = settings_read(change->vail, change->guid, &settings);

	if (status == STATUS_SUCCESS)
		status = consent_clients(change->given, &earlier);
	if (status == STATUS_SUCCESS)
		status = consent_clients(change->wanted, &now);
	if (status != STATUS_SUCCESS)
		return status;
	ret->are_given = settings.client_count == 0 || settings_clients_are(&settings, &earlier);
	ret->are_wanted = settings_clients_are(&settings, &now);
	ret->are_from_drop_in = settings.clients_are_from_drop_in;
	ret->are_requested = settings.client_count > 0 && !settings.clients_are_from_drop_in &&
			     !settings.clients_are_from_libvirt;
	return STATUS_SUCCESS;
}

static NTSTATUS update(struct vail *vail, const char *guid, const Domain *wanted)
{
	_cleanup_(client_list_deinit) ClientList clients = { 0 };
	VailMachine machine = VAIL_MACHINE_INIT;
	NTSTATUS status = consent_clients(wanted, &clients);

	client_list_put(&clients, &machine);
	machine.settings_source = "libvirt";
	return status == STATUS_SUCCESS ? vail_update_virtual_machine(vail, guid, &machine)
					: status;
}

static void log_failure(const char *name, struct vail *vail, NTSTATUS status)
{
	_cleanup_free_ char *reason = message_refusal(vail, status, NULL);

	log_message("%s: cannot change the display clients in vaild: %s", name,
		    reason ? reason : "out of memory");
}

/*
 * Ends the VM in vaild with all its registrations, unless an operator or a drop-in has just named
 * display clients.
 */
static NTSTATUS end_vm(struct vail *vail, const char *guid)
{
	_cleanup_free_ char *reply = NULL;
	char parameters[96];

	snprintf(parameters, sizeof(parameters),
		 "{\"virtualMachineGuid\":\"%s\",\"settingsSource\":\"libvirt\"}", guid);
	return vail_call(vail, "io.vaild.Machine.UnregisterVirtualMachine", parameters, &reply);
}

static ConsentResult fail(const Change *change, NTSTATUS status)
{
	if (status == STATUS_NOT_FOUND)
		return CONSENT_NO_VM;
	log_failure(change->name, change->vail, status);
	return CONSENT_FAILED;
}

/* Reads which display clients count now, and returns the result. */
static ConsentResult read_result(const Change *change)
{
	Comparison comparison = { 0 };
	NTSTATUS status = compare(change, &comparison);

	if (status != STATUS_SUCCESS)
		return fail(change, status);
	if (comparison.are_wanted)
		return CONSENT_CHANGED;
	return comparison.are_from_drop_in ? CONSENT_KEPT_BY_DROP_IN : CONSENT_KEPT_BY_OPERATOR;
}

/* Ends the VM in vaild. vaild refuses that if others have named display clients. */
static ConsentResult withdraw(const Change *change, ConsentResult result)
{
	NTSTATUS status = end_vm(change->vail, change->guid);

	if (status == STATUS_SUCCESS || status == STATUS_NOT_FOUND)
		return result;
	return status == STATUS_INVALID_DEVICE_STATE ? read_result(change) : fail(change, status);
}

/*
 * Updates the display clients. vaild decides whether they count, because an operator may name
 * others at any time.
 */
static ConsentResult replace(const Change *change)
{
	NTSTATUS status = update(change->vail, change->guid, change->wanted);

	if (status == STATUS_SUCCESS)
		return read_result(change);
	if (status != STATUS_INVALID_PARAMETER)
		return fail(change, status);
	log_failure(change->name, change->vail, status);
	/* Those whose names were removed must not stay because another name is wrong. */
	return withdraw(change, CONSENT_WITHDRAWN);
}

static ConsentResult change_in_vaild(const Change *change)
{
	Comparison comparison = { 0 };
	NTSTATUS status = compare(change, &comparison);

	if (status != STATUS_SUCCESS)
		return fail(change, status);
	/*
	 * This update tells vaild that the operator and the metadata have named the same ones, so
	 * that it accepts changed metadata. If the update fails, the operator's stay.
	 */
	if (comparison.are_requested && comparison.are_given)
		update(change->vail, change->guid, change->given);
	return change->wanted->client_count > 0 ? replace(change)
						: withdraw(change, CONSENT_CHANGED);
}

ConsentResult consent_change(const char *socket, const char *guid, const char *name,
			     const Domain *given, const Domain *wanted)
{
	_cleanup_(close_vail) struct vail *vail = NULL;
	NTSTATUS status = vail_new(socket, &vail);
	const Change change = {
		.vail = vail, .guid = guid, .name = name, .given = given, .wanted = wanted
	};

	return status == STATUS_SUCCESS ? change_in_vaild(&change) : fail(&change, status);
}

pid_t consent_server(const char *socket, const char *guid)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	_cleanup_(close_vail) struct vail *vail = NULL;

	if (vail_new(socket, &vail) != STATUS_SUCCESS ||
	    settings_read(vail, guid, &settings) != STATUS_SUCCESS)
		return 0;
	return settings_server_of(&settings, settings.vmm);
}

/* ---- In a file ---- */

/* Returns the path of a guest's file, which the caller frees. Returns NULL if out of memory. */
static char *file_of(const char *folder, const char *guid)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", folder, guid) >= 0 ? path : NULL;
}

/* Adds a line of the file, USER:RIGHTS. Returns false if it is none. */
static bool add_line(char *line, Domain *given)
{
	char *names = strchr(line, ':'), *name;
	unsigned int rights = VAIL_DISPLAY_VIEW;

	line[strcspn(line, "\n")] = '\0';
	if (!names || names == line || given->client_count == DOMAIN_CLIENTS_MAX)
		return false;
	*names++ = '\0';
	while ((name = strsep(&names, ",")))
		rights |= vail_display_right(name);
	given->clients[given->client_count] = strdup(line);
	given->rights[given->client_count] = rights;
	return given->clients[given->client_count] && ++given->client_count;
}

void consent_recall(const char *folder, const char *guid, Domain *ret)
{
	_cleanup_free_ char *path = folder ? file_of(folder, guid) : NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	FILE *file = path ? fopen(path, "re") : NULL;

	*ret = (Domain){ 0 };
	if (!file)
		return;
	while (getline(&line, &size, file) > 0 && add_line(line, ret))
		;
	fclose(file);
}

static int write_lines(const char *path, const Domain *given)
{
	_cleanup_(atomic_file_deinit) AtomicFile file = ATOMIC_FILE_INIT;
	char rights[DISPLAY_RIGHTS_SIZE];
	int result = atomic_file_create(&file, path);

	if (result < 0)
		return result;
	for (size_t i = 0; i < given->client_count; i++)
		fprintf(file.out, "%s:%s\n", given->clients[i],
			display_rights_text(given->rights[i], ',', rights));
	return atomic_file_commit(&file);
}

void consent_remember(const char *folder, const char *guid, const Domain *given)
{
	_cleanup_free_ char *path = folder ? file_of(folder, guid) : NULL;
	int result = -ENOMEM;

	if (!folder)
		return;
	if (path && given->client_count > 0)
		result = write_lines(path, given);
	else if (path)
		result = unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
	if (result < 0)
		log_message("cannot remember the display clients in %s: %s", folder,
			    strerror(-result));
}

char *consent_folder(void)
{
	const char *given = getenv("RUNTIME_DIRECTORY");
	const char *parent = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
	char *path = NULL;

	if (given && *given == '/')
		path = strdup(given);
	else if (parent && *parent == '/' && asprintf(&path, "%s/vail-libvirt", parent) < 0)
		path = NULL;
	if (path && (mkdir(path, 0700) == 0 || errno == EEXIST))
		return path;
	log_message("there is no folder to remember display clients in (%s), so consent that is "
		    "withdrawn while vail-libvirt does not run stays in vaild; set "
		    "XDG_RUNTIME_DIR",
		    path ? path : "out of memory, or XDG_RUNTIME_DIR is not set");
	free(path);
	return NULL;
}
