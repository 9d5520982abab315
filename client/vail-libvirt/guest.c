/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/guest.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/common/client-list.h"
#include "client/common/machine-settings.h"
#include "client/common/user-message.h"
#include "client/vail-libvirt/domain.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* The display's socket in vail-qemu. */
#define DISPLAY_FD      3
#define DISPLAY_FD_TEXT "3"

/* Time between two starts of vail-qemu, in milliseconds; doubled after each failure. */
#define RETRY_MIN 1000
#define RETRY_MAX 60000

struct Guest {
	Guests *guests;
	virDomainPtr domain; /* a reference */
	char uuid[VIR_UUID_STRING_BUFLEN];
	Domain consent;     /* the display clients that vail-qemu or vaild was given */
	const char *remark; /* the last logged reason for sharing nothing; static */
	pid_t agent;        /* vail-qemu; 0 if it does not run */
	int agent_pidfd;    /* -1 if it does not run */
	int watch;          /* libvirt's number for the pidfd; -1 for none */
	int timer;          /* libvirt's number for the next start; -1 for none */
	int delay;          /* until that start, in milliseconds */
	int64_t started_at; /* when vail-qemu was started, in milliseconds */
	LIST_ENTRY(Guest) entries;
};

/* Logs why nothing is shared, unless that was the last reason, too. */
static void log_remark(Guest *guest, const char *remark)
{
	if (guest->remark != remark)
		log_message("%s: %s", virDomainGetName(guest->domain), remark);
	guest->remark = remark;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- The vail-qemu of a guest ---- */

static void cancel_start(Guest *guest)
{
	if (guest->timer >= 0)
		virEventRemoveTimeout(guest->timer);
	guest->timer = -1;
}

static void forget_agent(Guest *guest)
{
	if (guest->watch >= 0)
		virEventRemoveHandle(guest->watch);
	guest->watch = -1;
	fd_close(&guest->agent_pidfd);
	guest->agent = 0;
}

static void on_start_time(int timer, void *context)
{
	Guest *guest = context;

	(void)timer;
	cancel_start(guest);
	guest_check(guest->guests, guest->domain);
}

static void plan_start(Guest *guest)
{
	cancel_start(guest);
	guest->timer = virEventAddTimeout(guest->delay, on_start_time, guest, NULL);
	guest->delay = guest->delay * 2 < RETRY_MAX ? guest->delay * 2 : RETRY_MAX;
}

static void on_agent_exit(int watch, int fd, int events, void *context)
{
	Guest *guest = context;
	int status = 0;

	(void)watch, (void)fd, (void)events;
	if (waitpid(guest->agent, &status, WNOHANG) == 0)
		return;
	forget_agent(guest);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return; /* QEMU has ended */
	if (now() - guest->started_at > RETRY_MAX)
		guest->delay = RETRY_MIN;
	log_message("%s: vail-qemu has ended; starting it again in %d seconds",
		    virDomainGetName(guest->domain), guest->delay / 1000);
	plan_start(guest);
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
	char **arguments = calloc(6 + 2 * guest->consent.client_count, sizeof(*arguments));
	size_t count = 0;

	if (!arguments)
		return NULL;
	arguments[count++] = (char *)"vail-qemu";
	arguments[count++] = (char *)"--display-fd=" DISPLAY_FD_TEXT;
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

/*
 * Copies the environment without systemd's socket, on which only this process reports. The strings
 * belong to others. Returns NULL if out of memory.
 */
static char **agent_environment(void)
{
	size_t count = 0;

	while (environ[count])
		count++;
	char **variables = calloc(count + 1, sizeof(*variables));
	count = 0;
	for (char **variable = environ; variables && *variable; variable++)
		if (strncmp(*variable, "NOTIFY_SOCKET=", strlen("NOTIFY_SOCKET=")) != 0)
			variables[count++] = *variable;
	return variables;
}

/* Returns 0 or a positive errno. */
static int spawn_agent(Guest *guest, int display)
{
	_cleanup_(user_values_deinit) char **users = user_values(&guest->consent);
	_cleanup_free_ char **arguments = users ? agent_arguments(guest, users) : NULL;
	_cleanup_free_ char **variables = agent_environment();
	posix_spawn_file_actions_t actions;
	pid_t pid;

	if (!arguments || !variables || posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	/* The duplicate is inherited, also if it is the same fd. */
	int error = posix_spawn_file_actions_adddup2(&actions, display, DISPLAY_FD);
	if (error == 0)
		error = posix_spawn(&pid, guest->guests->vail_qemu, &actions, NULL, arguments,
				    variables);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		return error;
	guest->agent = pid;
	guest->started_at = now();
	guest->agent_pidfd = pidfd_open(pid, 0);
	if (guest->agent_pidfd >= 0)
		guest->watch = virEventAddHandle(guest->agent_pidfd, VIR_EVENT_HANDLE_READABLE,
						 on_agent_exit, guest, NULL);
	return 0;
}

static void start_agent(Guest *guest)
{
	_cleanup_close_ int display =
		virDomainOpenGraphicsFD(guest->domain, guest->consent.graphics, 0);

	if (display < 0) {
		log_message("%s: libvirt does not open the display: %s",
			    virDomainGetName(guest->domain), virGetLastErrorMessage());
		plan_start(guest);
		return;
	}
	int error = spawn_agent(guest, display);
	if (error != 0) {
		log_message("%s: cannot start %s: %s", virDomainGetName(guest->domain),
			    guest->guests->vail_qemu, strerror(error));
		plan_start(guest);
		return;
	}
	guest->remark = NULL;
	log_message("%s: vail-qemu shares the screen", virDomainGetName(guest->domain));
}

static void stop_agent(Guest *guest)
{
	cancel_start(guest);
	if (guest->agent <= 0)
		return;
	kill(guest->agent, SIGTERM);
	waitpid(guest->agent, NULL, 0);
	forget_agent(guest);
}

/* ---- Consent ---- */

static bool clients_equal(const Domain *one, const Domain *other)
{
	bool is_equal = one->client_count == other->client_count;

	for (size_t i = 0; is_equal && i < one->client_count; i++)
		is_equal = one->rights[i] == other->rights[i] &&
			   strcmp(one->clients[i], other->clients[i]) == 0;
	return is_equal;
}

/* Appends the display clients, whose strings stay those of consent. */
static NTSTATUS add_clients(const Domain *consent, ClientList *clients)
{
	for (size_t i = 0; i < consent->client_count; i++) {
		const VailParty user = { .user = consent->clients[i] };

		if (!client_list_add(clients, user, consent->rights[i]))
			return STATUS_NO_MEMORY;
	}
	return STATUS_SUCCESS;
}

/* Logs that vaild has refused a change. Returns false. */
static bool change_failed(const Guest *guest, struct vail *vail, NTSTATUS status)
{
	_cleanup_free_ char *reason = message_refusal(vail, status, NULL);

	log_message("%s: vaild does not take over the changed metadata: %s",
		    virDomainGetName(guest->domain), reason ? reason : "out of memory");
	return false;
}

static void close_vail(struct vail **vail)
{
	vail_close(*vail);
}

/*
 * Tests whether vaild still has the display clients that it was given. Others were chosen by an
 * operator, whose word comes first.
 *
 * Returns STATUS_SUCCESS, STATUS_NO_MEMORY, or as vail_open() or vail_call().
 */
static NTSTATUS connect_and_compare(const Guest *guest, struct vail **ret_vail, bool *ret_are_ours)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	_cleanup_(client_list_deinit) ClientList clients = { 0 };
	NTSTATUS status = vail_open(guest->guests->socket, ret_vail);

	if (status == STATUS_SUCCESS)
		status = settings_read(*ret_vail, guest->uuid, &settings);
	if (status == STATUS_SUCCESS)
		status = add_clients(&guest->consent, &clients);
	if (status != STATUS_SUCCESS)
		return status;
	*ret_are_ours = settings_clients_are(&settings, &clients);
	return STATUS_SUCCESS;
}

/* Gives vaild the display clients of changed metadata. Returns false after it has logged an error.
 */
static bool change_clients(const Guest *guest, const Domain *consent)
{
	_cleanup_(close_vail) struct vail *vail = NULL;
	_cleanup_(client_list_deinit) ClientList clients = { 0 };
	VailMachine machine = VAIL_MACHINE_INIT;
	bool are_ours;
	NTSTATUS status = connect_and_compare(guest, &vail, &are_ours);

	if (status != STATUS_SUCCESS)
		return change_failed(guest, vail, status);
	if (!are_ours) {
		log_message("%s: the metadata name other display clients, but an operator has set "
			    "those of the VM in vaild; to change them, run: vailctl vm update",
			    virDomainGetName(guest->domain));
		return true;
	}
	status = add_clients(consent, &clients);
	client_list_put(&clients, &machine);
	if (status == STATUS_SUCCESS)
		status = vail_update_virtual_machine(vail, guest->uuid, &machine);
	return status == STATUS_SUCCESS || change_failed(guest, vail, status);
}

/*
 * Stops sharing. Ends the VM in vaild with all its registrations, unless an operator has set its
 * display clients.
 */
static void withdraw(Guest *guest)
{
	_cleanup_(close_vail) struct vail *vail = NULL;
	bool are_ours = false;

	stop_agent(guest);
	NTSTATUS status = connect_and_compare(guest, &vail, &are_ours);
	if (status == STATUS_SUCCESS && are_ours)
		status = vail_unregister_virtual_machine(vail, guest->uuid);
	if (status != STATUS_SUCCESS && status != STATUS_NOT_FOUND)
		change_failed(guest, vail, status);
	domain_deinit(&guest->consent);
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

/* ---- The list ---- */

static void guest_free(Guest *guest)
{
	LIST_REMOVE(guest, entries);
	cancel_start(guest);
	forget_agent(guest);
	domain_deinit(&guest->consent);
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
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return NULL;
	*guest = (Guest){ .guests = guests,
			  .domain = domain,
			  .agent_pidfd = -1,
			  .watch = -1,
			  .timer = -1,
			  .delay = RETRY_MIN };
	virDomainRef(domain);
	memcpy(guest->uuid, uuid, sizeof(uuid));
	LIST_INSERT_HEAD(&guests->list, guest, entries);
	return guest;
}

static void apply(Guest *guest, Domain *domain)
{
	const char *remark = obstacle(domain);

	if (remark) {
		if (guest->consent.client_count > 0)
			withdraw(guest);
		log_remark(guest, remark);
		return;
	}
	if (guest->agent > 0 && !clients_equal(&guest->consent, domain) &&
	    !change_clients(guest, domain))
		return;
	domain_deinit(&guest->consent);
	guest->consent = *domain;
	*domain = (Domain){ 0 };
	if (guest->agent <= 0)
		start_agent(guest);
}

void guest_check(Guests *guests, virDomainPtr domain)
{
	Guest *guest = guest_find(guests, domain);
	_cleanup_(domain_deinit) Domain described = { 0 };
	const char *fault = NULL;

	if (!guest) {
		log_message("this process is out of memory");
		return;
	}
	if (virDomainIsActive(domain) != 1) {
		guest_stopped(guests, domain);
		return;
	}
	char *xml = virDomainGetXMLDesc(domain, 0);
	if (!xml)
		log_message("%s: libvirt does not describe the domain: %s",
			    virDomainGetName(domain), virGetLastErrorMessage());
	else if (!domain_parse(xml, strlen(xml), &described, &fault))
		log_remark(guest, fault);
	else
		apply(guest, &described);
	free(xml);
}

void guest_stopped(Guests *guests, virDomainPtr domain)
{
	Guest *guest = guest_find(guests, domain);

	if (!guest)
		return;
	stop_agent(guest);
	guest_free(guest);
}

void guests_deinit(Guests *guests)
{
	Guest *guest, *next;

	for (guest = LIST_FIRST(&guests->list); guest; guest = next) {
		next = LIST_NEXT(guest, entries);
		stop_agent(guest);
		guest_free(guest);
	}
}
