/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/guest.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "client/common/plain-words.h"
#include "client/common/user-message.h"
#include "client/vail-libvirt/agent-arguments.h"
#include "client/vail-libvirt/agent-process.h"
#include "client/vail-libvirt/bus.h"
#include "client/vail-libvirt/consent.h"
#include "client/vail-libvirt/domain.h"
#include "client/vail-libvirt/registration.h"
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
	char *remark;          /* the last logged reason for sharing nothing; owned */
	unsigned int graphics; /* index of the display */
	char *bus;           /* address of the display's bus; owned; NULL for a peer to peer one */
	ProcessUser user;    /* of QEMU, if there is a bus */
	AgentProcess search; /* looks for QEMU on the bus */
	int found;           /* the pipe with its result; -1 without one */
	AgentProcess agent;  /* vail-qemu */
	bool is_removed;     /* an operator has removed the VM; it stays so until it changes */
	int timer;           /* libvirt's number for the next check; -1 for none */
	int delay;           /* until that check, in milliseconds */
	int64_t started_at;  /* when vail-qemu was started, in milliseconds */
	LIST_ENTRY(Guest) entries;
};

static const char *name_of(const Guest *guest)
{
	return virDomainGetName(guest->domain);
}

/* Logs why nothing is shared, unless that was the last reason, too. remark: NULL for none. */
static void log_remark(Guest *guest, const char *remark)
{
	if (remark && (!guest->remark || strcmp(guest->remark, remark) != 0))
		log_message("%s: %s", name_of(guest), remark);
	free(guest->remark);
	guest->remark = remark ? strdup(remark) : NULL;
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

/* Starts vail-qemu. display: see AgentProgram. */
static void start_agent(Guest *guest, int display)
{
	_cleanup_(agent_arguments_free) char **arguments = agent_arguments_new(
		name_of(guest), guest->guests->socket, guest->bus, &guest->given);
	const AgentProgram program = { .path = guest->guests->vail_qemu,
				       .arguments = arguments,
				       .display = display,
				       .user = guest->bus ? &guest->user : NULL };
	int error = arguments ? agent_process_start(&guest->agent, &program, on_agent_exit, guest)
			      : ENOMEM;

	if (error != 0) {
		log_message("%s: cannot start %s: %s", name_of(guest), program.path,
			    strerror(error));
		plan_check(guest);
		return;
	}
	guest->started_at = now();
	log_remark(guest, NULL);
	log_message("%s: started vail-qemu with pid %d", name_of(guest), (int)guest->agent.pid);
}

/* Opens the display, from which another client is then disconnected. */
static void open_display(Guest *guest)
{
	_cleanup_close_ int display = virDomainOpenGraphicsFD(guest->domain, guest->graphics, 0);

	if (display >= 0) {
		start_agent(guest, display);
		return;
	}
	log_message("%s: libvirt does not open the display: %s", name_of(guest),
		    virGetLastErrorMessage());
	plan_check(guest);
}

/* ---- A display on a bus ---- */

/* Logs why no QEMU was found, unless the search has done that. */
static void log_search_failure(Guest *guest, int status)
{
	if (WIFSIGNALED(status))
		log_remark(guest, "the bus of its display does not reply; trying again later");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		log_remark(guest,
			   "not shared, because another user's process is QEMU on the bus of "
			   "its display; add p2p='yes' to <graphics type='dbus'>");
}

/* Registers the VM with the QEMU that was found, and starts a vail-qemu of QEMU's user. */
static void on_search_exit(void *context, int status)
{
	Guest *guest = context;
	pid_t qemu = bus_search_result(guest->found, &guest->user);

	fd_close(&guest->found);
	if (qemu == 0)
		log_search_failure(guest, status);
	if (qemu > 0 && registration_add(guest->guests->socket, guest->uuid, name_of(guest), qemu,
					 guest->user.uid, &guest->given))
		start_agent(guest, -1);
	else
		plan_check(guest);
}

static void search_qemu(Guest *guest)
{
	int error = bus_search_start(&guest->search, guest->bus, &guest->user, name_of(guest),
				     on_search_exit, guest, &guest->found);

	if (error == 0)
		return;
	log_message("%s: cannot start a process on the bus of its display: %s", name_of(guest),
		    strerror(error));
	plan_check(guest);
}

/* ---- Both ---- */

static bool has_processes(const Guest *guest)
{
	return agent_process_runs(&guest->agent) || agent_process_runs(&guest->search);
}

static void stop_processes(Guest *guest)
{
	agent_process_stop(&guest->search);
	fd_close(&guest->found);
	agent_process_stop(&guest->agent);
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
 * Stops a vail-qemu that does not serve the guest yet: it would still give vaild the display
 * clients that it was started with.
 */
static void stop_late_agent(Guest *guest)
{
	if (!guest->bus && agent_process_runs(&guest->agent) &&
	    consent_server(guest->guests->socket, guest->uuid) != guest->agent.pid)
		agent_process_stop(&guest->agent);
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
	case CONSENT_KEPT_BY_OPERATOR:
		log_message("%s: the changed metadata do not count, because an operator has set "
			    "the display clients of the VM in vaild; to change them, run: vailctl "
			    "vm update",
			    name_of(guest));
		stop_late_agent(guest);
		break;
	case CONSENT_KEPT_BY_DROP_IN:
		log_message("%s: the changed metadata do not count, because a drop-in in "
			    "/etc/vaild/machines.d names the display clients of the VM; to change "
			    "them, edit it and run: vailctl reload",
			    name_of(guest));
		stop_late_agent(guest);
		break;
	case CONSENT_NO_VM:
		/* A vail-qemu that registers the VM just now has the old display clients. */
		if (!has_processes(guest) || guest->given.client_count == 0)
			break;
		stop_processes(guest);
		return false;
	case CONSENT_WITHDRAWN:
		stop_processes(guest);
		set_given(guest, &none);
		return false;
	case CONSENT_FAILED:
		return false;
	case CONSENT_CHANGED:
		stop_late_agent(guest);
		break;
	}
	set_given(guest, wanted);
	return true;
}

/* Returns why the domain cannot be shared, or NULL. */
static const char *obstacle(const Domain *domain)
{
	if (domain->display == DOMAIN_DISPLAY_NONE)
		return "not shared, because it has no D-Bus display; see: vail-libvirt status";
	if (domain->client_count == 0)
		return "not shared, because its metadata name no display client; see: vail-libvirt "
		       "status";
	return domain->display == DOMAIN_DISPLAY_BUS ? bus_obstacle(domain) : NULL;
}

/* Stops sharing, and takes the display clients back from vaild. */
static void withhold(Guest *guest, const char *remark)
{
	Domain none = { 0 };

	log_remark(guest, remark);
	stop_processes(guest);
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
		guest->bus ? search_qemu(guest) : open_display(guest);
		return;
	}
	log_remark(guest, "another vail-qemu shares its screen; waiting until that has ended");
	plan_check(guest);
}

/*
 * Shares nothing for a user whom this host does not know. The user may be created later, or be
 * known when the network is up. If vaild was given the same display clients, the user was known
 * then, and the user database may have failed: nothing ends for that.
 */
static void refuse_user(Guest *guest, const Domain *domain, const char *user)
{
	bool is_given = consent_equal(&guest->given, domain);
	char quoted[PLAIN_QUOTE_SIZE], remark[PLAIN_QUOTE_SIZE + 192];

	snprintf(remark, sizeof(remark),
		 "%s, because its metadata name the user %s, whom this host does not know%s",
		 is_given ? "the VM stays as it is" : "not shared", plain_quote(user, quoted),
		 is_given ? " any more; check the user database, or remove the name"
			  : "; correct or remove the name");
	if (is_given)
		log_remark(guest, remark);
	else
		withhold(guest, remark);
	plan_check(guest);
}

static void share(Guest *guest, Domain *domain)
{
	guest->graphics = domain->graphics;
	free(guest->bus);
	guest->bus = TAKE_POINTER(domain->bus);
	if (guest->bus)
		bus_user_read(domain->owner, &guest->user);
	if (!change_consent(guest, domain))
		plan_check(guest);
	else if (has_processes(guest))
		log_remark(guest, NULL);
	else if (!guest->is_removed)
		start_agent_if_free(guest);
}

/* ---- The list ---- */

static void guest_free(Guest *guest)
{
	LIST_REMOVE(guest, entries);
	cancel_check(guest);
	stop_processes(guest);
	domain_deinit(&guest->given);
	free(guest->bus);
	free(guest->remark);
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
			  .search = AGENT_PROCESS_INIT,
			  .found = -1,
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
	const char *fault = NULL, *unknown;
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
	else if ((unknown = consent_unknown_user(&domain)))
		refuse_user(guest, &domain, unknown);
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

	LIST_FOREACH (guest, &guests->list, entries) {
		agent_process_ask(&guest->search);
		agent_process_ask(&guest->agent);
	}
	while ((guest = LIST_FIRST(&guests->list)))
		guest_free(guest);
}
