/* SPDX-License-Identifier: MIT */
/* Methods of org.varlink.service, with which every Varlink service describes itself. */
#include <stdio.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "daemon/api/reply.h"
#include "proto/interfaces.h"
#include "proto/version.h"

NTSTATUS method_get_info(Request *request)
{
	Writer *reply = request->reply;

	writer_key(reply, "vendor");
	writer_string(reply, SERVICE_VENDOR);
	writer_key(reply, "product");
	writer_string(reply, SERVICE_PRODUCT);
	writer_key(reply, "version");
	writer_string(reply, VAILD_VERSION);
	writer_key(reply, "url");
	writer_string(reply, SERVICE_URL);
	writer_key(reply, "interfaces");
	writer_array_begin(reply);
	for (size_t i = 0; i < interface_count; i++)
		writer_string(reply, interfaces[i].name);
	writer_array_end(reply);
	return STATUS_SUCCESS;
}

NTSTATUS method_get_interface_description(Request *request)
{
	const char *name = request->params.interface.interface;

	for (size_t i = 0; i < interface_count; i++) {
		if (strcmp(interfaces[i].name, name) != 0)
			continue;
		writer_key(request->reply, "description");
		writer_string(request->reply, interfaces[i].description);
		return STATUS_SUCCESS;
	}
	failure_set(
		&request->failure, STATUS_NOT_FOUND, "interface",
		"vaild has no such interface; org.varlink.service.GetInfo lists all interfaces");
	snprintf(request->failure.parameter, sizeof(request->failure.parameter), "%s", name);
	return STATUS_NOT_FOUND;
}
