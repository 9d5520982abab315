/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/status.h"

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

/* Prints the command that would give consent. */
static void print_consent(const char *uuid, bool is_active)
{
	printf("    To let the user USER register, run:\n"
	       "      virsh metadata %s " DOMAIN_NAMESPACE " --key vail \\\n"
	       "        --set \"<access><displayClient user='USER'/></access>\" --config%s\n",
	       uuid, is_active ? " --live" : "");
}

static void print_display(const char *uuid, const Domain *domain)
{
	static const char *const names[] = {
		[DOMAIN_DISPLAY_NONE] = "none on D-Bus",
		[DOMAIN_DISPLAY_BUS] = "D-Bus, on a bus of its own",
		[DOMAIN_DISPLAY_P2P] = "D-Bus, peer to peer",
	};

	printf("    display           %s\n", names[domain->display]);
	if (domain->display == DOMAIN_DISPLAY_NONE)
		printf("    To add one, stop the domain, run: virsh edit %s\n"
		       "    and put this line into <devices>:\n"
		       "      <graphics type='dbus' p2p='yes'/>\n",
		       uuid);
	if (domain->display == DOMAIN_DISPLAY_BUS)
		printf("    To share it, stop the domain, run: virsh edit %s\n"
		       "    and add p2p='yes' to <graphics type='dbus'>.\n",
		       uuid);
}

/* Prints whether vaild knows the VM. vail: NULL if vaild cannot be reached. */
static void print_sharing(struct vail *vail, const char *uuid, bool is_active)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	const char *text = "no";

	if (!vail)
		text = "unknown, because vaild cannot be reached; see: systemctl status vaild";
	else if (is_active && settings_read(vail, uuid, &settings) == STATUS_SUCCESS)
		text = settings.has_agent ? "yes"
					  : "no; vaild knows the VM, but nothing shares its "
					    "screen; see: systemctl status vail-libvirt";
	printf("    shared            %s\n", text);
}

static void print_domain(virDomainPtr domain, struct vail *vail)
{
	_cleanup_(domain_deinit) Domain described = { 0 };
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	const char *fault = "libvirt does not describe the domain";
	bool is_active = virDomainIsActive(domain) == 1;
	_cleanup_free_ char *xml = virDomainGetXMLDesc(domain, 0);

	virDomainGetUUIDString(domain, uuid);
	print_text(virDomainGetName(domain));
	printf("  %s\n    state             %s\n", uuid, is_active ? "running" : "shut off");
	if (!xml || !domain_parse(xml, strlen(xml), &described, &fault)) {
		printf("    mistake           %s\n", fault);
		return;
	}
	print_display(uuid, &described);
	printf("    display clients   ");
	print_clients(&described);
	if (described.client_count == 0)
		print_consent(uuid, is_active);
	print_sharing(vail, uuid, is_active);
}

int status_print(const char *uri, const char *socket)
{
	virConnectPtr connection = virConnectOpenReadOnly(uri);
	virDomainPtr *domains = NULL;
	struct vail *vail = NULL;

	if (!connection) {
		log_message("cannot connect to libvirt: %s", virGetLastErrorMessage());
		return EXIT_FAILED;
	}
	if (vail_open(socket, &vail) != STATUS_SUCCESS) {
		vail_close(vail);
		vail = NULL;
	}
	int count = virConnectListAllDomains(connection, &domains, 0);
	for (int i = 0; i < count; i++) {
		print_domain(domains[i], vail);
		virDomainFree(domains[i]);
	}
	if (count == 0)
		puts("libvirt has no domains.");
	if (count < 0)
		log_message("libvirt does not list its domains: %s", virGetLastErrorMessage());
	free(domains);
	vail_close(vail);
	virConnectClose(connection);
	return count < 0 ? EXIT_FAILED : EXIT_DONE;
}
