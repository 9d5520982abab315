/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/status.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/client-list.h"
#include "client/common/machine-settings.h"
#include "client/common/program-options.h"
#include "client/common/terminal-text.h"
#include "client/common/user-message.h"
#include "client/vail-libvirt/domain.h"
#include "proto/macros.h"

static void print_text(const char *text)
{
	_cleanup_free_ char *escaped = text_escape(text, NULL);

	fputs(escaped ? escaped : "(out of memory)", stdout);
}

static void print_clients(const Domain *domain)
{
	char rights[DISPLAY_RIGHTS_SIZE];

	for (size_t i = 0; i < domain->client_count; i++) {
		fputs(i > 0 ? ", " : "", stdout);
		print_text(domain->clients[i]);
		if (domain->rights[i] != VAIL_DISPLAY_VIEW)
			printf(" (%s)", display_rights_text(domain->rights[i], ',', rights));
	}
	if (domain->client_count == 0)
		fputs("none", stdout);
	putchar('\n');
}

/* A domain to print. */
typedef struct DomainRow {
	virDomainPtr domain;
	const char *virsh; /* "virsh", with an option if that is not for the default URI */
	char uuid[VIR_UUID_STRING_BUFLEN];
	bool is_active;
	bool is_persistent;
} DomainRow;

/* Prints the command that would give consent. */
static void print_consent(const DomainRow *row)
{
	printf("    To let the user USER register, run:\n"
	       "      %s metadata %s " DOMAIN_NAMESPACE " --key vail \\\n"
	       "        --set \"<access><displayClient user='USER'/></access>\"%s%s\n",
	       row->virsh, row->uuid, row->is_persistent ? " --config" : "",
	       row->is_active ? " --live" : "");
}

static void print_display(const DomainRow *row, const Domain *domain)
{
	static const char *const names[] = {
		[DOMAIN_DISPLAY_NONE] = "none on D-Bus",
		[DOMAIN_DISPLAY_BUS] = "D-Bus, on a bus of its own",
		[DOMAIN_DISPLAY_P2P] = "D-Bus, peer to peer",
	};
	static const char change[] = "put this line into <devices>:\n"
				     "      <graphics type='dbus' p2p='yes'/>";

	printf("    display           %s\n", names[domain->display]);
	if (domain->display != DOMAIN_DISPLAY_NONE)
		return;
	if (row->is_persistent)
		printf("    To share it, run: %s edit %s\n    and %s\n    Then stop the domain and "
		       "start it again.\n",
		       row->virsh, row->uuid, change);
	else
		printf("    To share it, change the XML from which you create it:\n    %s\n",
		       change);
}

/* Prints whether vaild knows the VM. vail: NULL if vaild cannot be reached. */
static void print_sharing(struct vail *vail, const DomainRow *row)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	NTSTATUS status = STATUS_NOT_FOUND;
	const char *text;

	if (vail && row->is_active)
		status = settings_read(vail, row->uuid, &settings);
	if (!vail)
		text = "unknown, because vaild cannot be reached; see: systemctl status vaild, or "
		       "the stderr of a vaild started by hand";
	else if (status == STATUS_SUCCESS && settings.has_agent)
		text = "yes";
	else if (status == STATUS_SUCCESS)
		text = "no; vaild knows the VM, but nothing shares its screen; see: systemctl "
		       "status vail-libvirt";
	else if (status == STATUS_NOT_FOUND)
		text = "no";
	else
		text = "unknown, because only operators and the VM's users may see it; run this as "
		       "root";
	printf("    shared            %s\n", text);
}

static void print_domain(DomainRow *row, struct vail *vail)
{
	_cleanup_(domain_deinit) Domain described = { 0 };
	const char *fault = "libvirt does not describe the domain";
	_cleanup_free_ char *xml = virDomainGetXMLDesc(row->domain, 0);

	row->is_active = virDomainIsActive(row->domain) == 1;
	row->is_persistent = virDomainIsPersistent(row->domain) == 1;
	virDomainGetUUIDString(row->domain, row->uuid);
	print_text(virDomainGetName(row->domain));
	printf("  %s\n    state             %s\n", row->uuid,
	       row->is_active ? "running" : "shut off");
	if (!xml || !domain_parse(xml, strlen(xml), &described, &fault)) {
		printf("    mistake           %s\n", fault);
		return;
	}
	print_display(row, &described);
	printf("    display clients   ");
	print_clients(&described);
	if (described.client_count == 0)
		print_consent(row);
	print_sharing(vail, row);
}

/* Returns "virsh" with the option that reaches the same libvirt. The caller frees it. */
static char *virsh_command(const char *uri)
{
	char *command = NULL, quoted[SHELL_QUOTE_SIZE];

	if (!uri)
		return strdup("virsh");
	return asprintf(&command, "virsh --connect %s", shell_quote(uri, quoted)) >= 0 ? command
										       : NULL;
}

/* A user and root have different defaults, so this names the libvirt that was asked. */
static void print_absence(virConnectPtr connection)
{
	_cleanup_free_ char *uri = virConnectGetURI(connection);

	printf("The libvirt %s has no domains. To ask another one, give its URI with --connect, "
	       "for example qemu:///system.\n",
	       uri ? uri : "that was asked");
}

static int print_domains(virConnectPtr connection, const char *virsh, struct vail *vail)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(connection, &domains, 0);

	for (int i = 0; i < count; i++) {
		DomainRow row = { .domain = domains[i], .virsh = virsh };

		print_domain(&row, vail);
		virDomainFree(domains[i]);
	}
	free(domains);
	if (count == 0)
		print_absence(connection);
	if (count < 0)
		log_message("libvirt does not list its domains: %s", virGetLastErrorMessage());
	else if (fflush(stdout) != 0 || ferror(stdout))
		log_message("cannot write the output: %s", strerror(errno));
	else
		return EXIT_DONE;
	return EXIT_FAILED;
}

int status_print(const char *uri, const char *socket)
{
	_cleanup_free_ char *virsh = virsh_command(uri);
	virConnectPtr connection = virConnectOpenReadOnly(uri);
	struct vail *vail = NULL;

	if (!connection || !virsh) {
		log_message(
			"cannot connect to libvirt: %s; start libvirtd, or name another libvirt "
			"with --connect",
			virGetLastErrorMessage());
		return EXIT_FAILED;
	}
	if (vail_open(socket, &vail) != STATUS_SUCCESS)
		log_message("%s", vail_error_message(NULL));
	int exit_status = print_domains(connection, virsh, vail);
	vail_close(vail);
	virConnectClose(connection);
	return exit_status;
}
