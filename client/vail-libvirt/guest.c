/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/guest.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "client/common/client-list.h"
#include "client/common/user-message.h"
#include "client/vail-libvirt/agent-process.h"
#include "client/vail-libvirt/consent.h"
#include "client/vail-libvirt/domain.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Time until a guest is checked again after a failure, in milliseconds; doubled each time. */
#define RETRY_MIN 1000
#define RETRY_MAX 60000

/* The exit status of vail-qemu if an operator has removed the VM from vaild; see vail-qemu(1). */
#define AGENT_VM_REMOVED 3

struct Guest {
	Guests *guests;
	virDomainPtr domain; /* a reference */
	char uuid[VIR_UUID_STRING_BUFLEN];
	Domain given;          /* the display clients that vail-qemu or vaild was given last */
	const char *remark;    /* the last logged reason for sharing nothing; static */
	unsigned int graphics; /* index of the display */
	AgentProcess agent;    /* vail-qemu */
	bool is_removed;       /* an operator has removed the VM; it stays so until it changes */
	int timer;             /* libvirt's number for the next check; -1 for none */
	int delay;             /* until that check, in milliseconds */
	int64_t started_at;    /* when vail-qemu was started, in milliseconds */
	LIST_ENTRY(Guest) entries;
};

static const char *name_of(const Guest *guest)
{
	return virDomainGetName(guest->domain);
}

/* Logs why nothing is shared, unless that was the last reason, too. */
static void log_remark(Guest *guest, const char *remark)
{
	if (guest->remark != remark)
		log_message("%s: %s", name_of(guest), remark);
	guest->remark = remark;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- The next check ---- */

static void cancel_check(Guest *guest)
{
	if (guest->timer >= 0)
		virEventRemoveTimeout(guest->timer);
	guest->timer = -1;
}

static void on_check_time(int timer, void *context)
{
	Guest *guest = context;

	(void)timer;
	cancel_check(guest);
	guest_check(guest->guests, guest->domain);
}

static void plan_check(Guest *guest)
{
	cancel_check(guest);
	guest->timer = virEventAddTimeout(guest->delay, on_check_time, guest, NULL);
	guest->delay = guest->delay * 2 < RETRY_MAX ? guest->delay * 2 : RETRY_MAX;
}

/* ---- The vail-qemu of a guest ---- */

/* Checks the guest again in any case, because it may have been restarted in the meantime. */
static void on_agent_exit(void *context, int status)
{
	Guest *guest = context;

	if (now() - guest->started_at > RETRY_MAX)
		guest->delay = RETRY_MIN;
	if (WIFEXITED(status) && WEXITSTATUS(status) == AGENT_VM_REMOVED) {
		log_message("%s: an operator has removed the VM from vaild; it is shared again "
			    "when it is started again or its metadata change",
			    name_of(guest));
		guest->is_removed = true;
		return;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_message("%s: vail-qemu has ended; starting it again in %d s", name_of(guest),
			    guest->delay / 1000);
	plan_check(guest);
}

static void user_values_deinit(char ***values)
{
	for (char **value = *values; value && *value; value++)
		free(*value);
	free(*values);
}

/*
 * Returns the values of the options --user, which end with NULL. The rights are left out if they
 * are view alone. Returns NULL if out of memory.
 */
static char **user_values(const Domain *consent)
{
	char **values = calloc(consent->client_count + 1, sizeof(*values));
	char rights[DISPLAY_RIGHTS_SIZE];

	for (size_t i = 0; values && i < consent->client_count; i++) {
		bool has_more = consent->rights[i] != VAIL_DISPLAY_VIEW;

		display_rights_text(consent->rights[i], ',', rights);
		if (asprintf(&values[i], "%s%s%s", consent->clients[i], has_more ? ":" : "",
			     has_more ? rights : "") >= 0)
			continue;
		values[i] = NULL; /* asprintf() leaves anything there */
		user_values_deinit(&values);
		return NULL;
	}
	return values;
}

/*
 * Returns the arguments of vail-qemu in allocated memory. The strings belong to others. Returns
 * NULL if out of memory.
 */
static char **agent_arguments(const Guest *guest, char *const *users)
{
	char **arguments = calloc(8 + 2 * guest->given.client_count, sizeof(*arguments));
	size_t count = 0;

	if (!arguments)
		return NULL;
	arguments[count++] = (char *)"vail-qemu";
	arguments[count++] = (char *)"--display-fd=" AGENT_DISPLAY_FD_TEXT;
	arguments[count++] = (char *)"--label"; /* its messages are among those of this process */
	arguments[count++] = (char *)name_of(guest);
	if (guest->guests->socket) {
		arguments[count++] = (char *)"--socket";
		arguments[count++] = (char *)guest->guests->socket;
	}
	for (; *users; users++) {
		arguments[count++] = (char *)"--user";
		arguments[count++] = *users;
	}
	return arguments;
}

static void start_agent(Guest *guest)
{
	_cleanup_(user_values_deinit) char **users = user_values(&guest->given);
	_cleanup_free_ char **arguments = users ? agent_arguments(guest, users) : NULL;
	_cleanup_close_ int display = -1;

	display = virDomainOpenGraphicsFD(guest->domain, guest->graphics, 0);
	if (display < 0) {
		log_message("%s: libvirt does not open the display: %s", name_of(guest),
			    virGetLastErrorMessage());
		plan_check(guest);
		return;
	}
	int error = arguments ? agent_process_start(&guest->agent, guest->guests->vail_qemu,
						    arguments, display, on_agent_exit, guest)
			      : ENOMEM;
	if (error != 0) {
		log_message("%s: cannot start %s: %s", name_of(guest), guest->guests->vail_qemu,
			    strerror(error));
		plan_check(guest);
		return;
	}
	guest->started_at = now();
	guest->remark = NULL;
	log_message("%s: started vail-qemu with pid %d", name_of(guest), (int)guest->agent.pid);
}

/* ---- Consent ---- */

/* Sets and remembers the display clients that vaild has now. Takes ownership of them. */
static void set_given(Guest *guest, Domain *given)
{
	consent_remember(guest->guests->folder, guest->uuid, given);
	domain_deinit(&guest->given);
	guest->given = *given;
	*given = (Domain){ 0 };
}

/*
 * Brings vaild into line with changed metadata. wanted: without display clients to share nothing;
 * taken over on success. Returns false if that has to be tried again.
 */
static bool change_consent(Guest *guest, Domain *wanted)
{
	Domain none = { 0 };

	if (consent_equal(&guest->given, wanted))
		return true;
	guest->is_removed = false;
	switch (guest->given.client_count == 0
			? CONSENT_NO_VM
			: consent_change(guest->guests->socket, guest->uuid, name_of(guest),
					 &guest->given, wanted)) {
	case CONSENT_KEPT:
		log_message("%s: the metadata name other display clients, but an operator has set "
			    "those of the VM in vaild; to change them, run: vailctl vm update",
			    name_of(guest));
		break;
	case CONSENT_NO_VM:
		/* A vail-qemu that registers the VM just now has the old display clients. */
		if (!agent_process_runs(&guest->agent) || guest->given.client_count == 0)
			break;
		agent_process_stop(&guest->agent);
		return false;
	case CONSENT_WITHDRAWN:
		agent_process_stop(&guest->agent);
		set_given(guest, &none);
		return false;
	case CONSENT_FAILED:
		return false;
	case CONSENT_CHANGED:
		break;
	}
	set_given(guest, wanted);
	return true;
}

/* Returns why the domain cannot be shared, or NULL. */
static const char *obstacle(const Domain *domain)
{
	if (domain->display == DOMAIN_DISPLAY_BUS)
		return "not shared, because its display is on a bus of its own; see: vail-libvirt "
		       "status";
	if (domain->display == DOMAIN_DISPLAY_NONE)
		return "not shared, because it has no D-Bus display; see: vail-libvirt status";
	if (domain->client_count == 0)
		return "not shared, because its metadata name no display client; see: vail-libvirt "
		       "status";
	return NULL;
}

/* Stops sharing, and takes the display clients back from vaild. */
static void withhold(Guest *guest, const char *remark)
{
	Domain none = { 0 };

	log_remark(guest, remark);
	agent_process_stop(&guest->agent);
	if (!change_consent(guest, &none))
		plan_check(guest);
}

/*
 * Starts vail-qemu, unless another one serves the guest: libvirt would take the display from it.
 * Looks again later.
 */
static void start_agent_if_free(Guest *guest)
{
	if (consent_server(guest->guests->socket, guest->uuid) == 0) {
		start_agent(guest);
		return;
	}
	log_remark(guest, "another vail-qemu shares its screen; waiting until that has ended");
	plan_check(guest);
}

static void share(Guest *guest, Domain *domain)
{
	guest->graphics = domain->graphics;
	if (!change_consent(guest, domain))
		plan_check(guest);
	else if (!agent_process_runs(&guest->agent) && !guest->is_removed)
		start_agent_if_free(guest);
}

/* ---- The list ---- */

static void guest_free(Guest *guest)
{
	LIST_REMOVE(guest, entries);
	cancel_check(guest);
	agent_process_stop(&guest->agent);
	domain_deinit(&guest->given);
	virDomainFree(guest->domain);
	free(guest);
}

/* Replaces the reference, because those of a lost connection to libvirt are useless. */
static void set_domain(Guest *guest, virDomainPtr domain)
{
	if (guest->domain == domain)
		return;
	virDomainRef(domain);
	virDomainFree(guest->domain);
	guest->domain = domain;
}

static Guest *guest_new(Guests *guests, virDomainPtr domain, const char *uuid)
{
	Guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return NULL;
	*guest = (Guest){ .guests = guests,
			  .domain = domain,
			  .agent = AGENT_PROCESS_INIT,
			  .timer = -1,
			  .delay = RETRY_MIN };
	virDomainRef(domain);
	snprintf(guest->uuid, sizeof(guest->uuid), "%s", uuid);
	consent_recall(guests->folder, uuid, &guest->given);
	LIST_INSERT_HEAD(&guests->list, guest, entries);
	return guest;
}

/* Finds the domain's guest, or adds one. Returns NULL if out of memory. */
static Guest *guest_find(Guests *guests, virDomainPtr domain)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	Guest *guest;

	if (virDomainGetUUIDString(domain, uuid) < 0)
		return NULL;
	LIST_FOREACH (guest, &guests->list, entries)
		if (strcmp(guest->uuid, uuid) == 0) {
			set_domain(guest, domain);
			return guest;
		}
	return guest_new(guests, domain, uuid);
}

/* The domain has stopped, and with it the VM in vaild. */
static void guest_stopped(Guest *guest)
{
	const Domain none = { 0 };

	consent_remember(guest->guests->folder, guest->uuid, &none);
	guest_free(guest);
}

static void check_running(Guest *guest)
{
	_cleanup_(domain_deinit) Domain domain = { 0 };
	const char *fault = NULL;
	char *xml = virDomainGetXMLDesc(guest->domain, 0);

	if (!xml) {
		log_message("%s: libvirt does not describe the domain: %s", name_of(guest),
			    virGetLastErrorMessage());
		plan_check(guest);
		return;
	}
	if (!domain_parse(xml, strlen(xml), &domain, &fault))
		withhold(guest, fault);
	else if (obstacle(&domain))
		withhold(guest, obstacle(&domain));
	else
		share(guest, &domain);
	free(xml);
}

void guest_check(Guests *guests, virDomainPtr domain)
{
	Guest *guest = guest_find(guests, domain);
	int is_active = virDomainIsActive(domain);

	if (!guest)
		log_message("this process is out of memory");
	else if (is_active == 0)
		guest_stopped(guest);
	else if (is_active == 1)
		check_running(guest);
	/* Otherwise libvirt is away; after the next connection, all guests are checked. */
}

void guests_deinit(Guests *guests)
{
	Guest *guest;

	LIST_FOREACH (guest, &guests->list, entries)
		agent_process_ask(&guest->agent);
	while ((guest = LIST_FIRST(&guests->list)))
		guest_free(guest);
}
