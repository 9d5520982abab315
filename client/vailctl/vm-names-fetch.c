/* SPDX-License-Identifier: MIT */
/* Asks vaild for the names of VMs. */
#include <string.h>

#include "client/common/json-members.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/vm-names.h"
#include "proto/json-writer.h"

NTSTATUS vm_names_fetch(Tool *tool, VmNames *names)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	NTSTATUS status = listing_fetch(tool, "io.vaild.Machine.ListVirtualMachines", NULL,
					"virtualMachines", &machines);

	for (size_t i = 0; status == STATUS_SUCCESS && i < machines.item_count; i++) {
		const char *guid = member_text(machines.items[i], "virtualMachineGuid");

		if (guid && !vm_names_set(names, guid, member_text(machines.items[i], "name")))
			status = STATUS_NO_MEMORY;
	}
	return status;
}

/* Returns NULL if out of memory. */
static struct vail *open_apart(const Tool *tool)
{
	struct vail *vail = NULL;

	if (vail_new(tool->options.socket, &vail) == STATUS_SUCCESS)
		vail_set_resume(vail, false);
	return vail;
}

void vm_names_fetch_apart(const Tool *tool, VmNames *names)
{
	Tool apart = *tool;

	apart.vail = open_apart(tool);
	if (!apart.vail)
		return;
	vm_names_fetch(&apart, names);
	vail_close(apart.vail);
}

void vm_names_refresh(const Tool *tool, VmNames *names, const char *guid)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	_cleanup_free_ char *reply = NULL;
	Writer writer = WRITER_INIT(&text);
	struct vail *vail;
	const char *error;

	writer_object_begin(&writer);
	writer_key(&writer, "virtualMachineGuid");
	writer_string(&writer, guid);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	if (writer.failed || !(vail = open_apart(tool)))
		return;
	if (vail_call(vail, "io.vaild.Machine.DescribeVirtualMachine", buffer_head(&text),
		      &reply) == STATUS_SUCCESS) {
		JsonValue *value = json_parse(tool->parser, reply, strlen(reply), &error);

		vm_names_set(names, guid,
			     member_text(json_member(value, "virtualMachine"), "name"));
		json_free(value);
	}
	vail_close(vail);
}
