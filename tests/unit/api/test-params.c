/* SPDX-License-Identifier: MIT */
/*
 * Parameters that are missing, unknown, of the wrong type or too long, and the path of the fault.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/params.h"

TestSuite(params);

#define G "\"virtualMachineGuid\":\"af0dcd1a-a0fd-59a0-998e-cad0c3834a2c\""

/* Decodes text into *ret. Returns the path at fault, or "", valid until the next call. */
static const char *decode(const JsonTable *table, const char *text, Params *ret)
{
	static Failure failure;
	JsonParser *parser = json_parser_new();
	const char *error;
	JsonValue *value = json_parse(parser, text, strlen(text), &error);

	cr_assert_null(error, "%s: %s", text, error);
	failure = FAILURE_INIT;
	memset(ret, 0, sizeof(*ret));
	NTSTATUS status = params_decode(table, value, ret, &failure);
	cr_assert_eq(status, failure.status);
	cr_assert_eq(status == STATUS_SUCCESS, failure.parameter[0] == '\0');
	if (status != STATUS_SUCCESS) {
		cr_assert_eq(status, STATUS_INVALID_PARAMETER);
		cr_assert_eq(strncmp(failure.message, failure.parameter, strlen(failure.parameter)),
			     0, "the message does not begin with the path");
	}
	json_free(value);
	json_parser_free(parser);
	return failure.parameter;
}

Test(params, paths)
{
	static const struct {
		const JsonTable *table;
		const char *text, *path;
	} rows[] = {
		{ &params_none, "{}", "" },
		{ &params_none, "{\"a\":1}", "a" },
		{ &params_none, "{\"a\":null}", "a" },
		{ &params_machine, "{" G "}", "" },
		{ &params_machine, "{}", "virtualMachineGuid" },
		{ &params_machine, "{\"virtualMachineGuid\":null}", "virtualMachineGuid" },
		{ &params_machine, "{\"virtualMachineGuid\":7}", "virtualMachineGuid" },
		{ &params_machine, "{\"virtualMachineGuid\":[]}", "virtualMachineGuid" },
		{ &params_machine, "{\"virtualMachineGuid\":\"\"}", "virtualMachineGuid" },
		{ &params_machine, "{\"virtualmachineguid\":\"\"}", "virtualmachineguid" },
		{ &params_machine, "{" G ",\"x\":1}", "x" },
		{ &params_machine, "{" G ",\"x\":null}", "x" },
		{ &params_revoke, "{" G "}", "pid" },
		{ &params_revoke, "{" G ",\"pid\":null}", "pid" },
		{ &params_revoke, "{" G ",\"pid\":0}", "" },
		{ &params_revoke, "{" G ",\"pid\":9223372036854775807}", "" },
		{ &params_revoke, "{" G ",\"pid\":9223372036854775808}", "pid" },
		{ &params_revoke, "{" G ",\"pid\":-1}", "pid" },
		{ &params_revoke, "{" G ",\"pid\":1.0}", "pid" },
		{ &params_revoke, "{" G ",\"pid\":1e1}", "pid" },
		{ &params_revoke, "{" G ",\"pid\":\"1\"}", "pid" },
		{ &params_revoke, "{" G ",\"pid\":true}", "pid" },
		{ &params_revoke, "{\"pid\":1}", "virtualMachineGuid" },
		{ &params_quarantine, "{" G ",\"quarantined\":true}", "" },
		{ &params_quarantine, "{" G ",\"quarantined\":1}", "quarantined" },
		{ &params_quarantine, "{" G ",\"quarantined\":\"true\"}", "quarantined" },
		{ &params_quarantine, "{" G "}", "quarantined" },
		{ &params_quarantine, "{" G ",\"quarantined\":false,\"reason\":7}", "reason" },
		{ &params_quarantine, "{" G ",\"quarantined\":false,\"reason\":null}", "" },
		{ &params_adapter, "{}", "" },
		{ &params_adapter, "{\"adapter\":null}", "" },
		{ &params_adapter, "{\"adapter\":\"anything\"}", "" },
		{ &params_adapter, "{\"adapter\":{}}", "adapter" },
		{ &params_context, "{}", "context" },
		{ &params_virtual_gpu, "{\"virtualGpu\":false}", "virtualGpu" },
		{ &params_interface, "{}", "interface" },
		{ &params_page_table, "{\"process\":\"p\",\"virtualAddress\":\"0x0\"}", "" },
		{ &params_page_table, "{\"process\":\"p\",\"virtualAddress\":4096}",
		  "virtualAddress" },
		{ &params_page_table, "{\"process\":\"p\",\"virtualAddress\":\"4096\"}",
		  "virtualAddress" },
		{ &params_page_table, "{\"process\":\"p\"}", "virtualAddress" },
		{ &params_map, "{\"process\":\"p\",\"sizeInBytes\":1,\"protection\":\"zero\"}",
		  "" },
		{ &params_map, "{\"process\":\"p\",\"sizeInBytes\":1,\"protection\":\"Zero\"}",
		  "protection" },
		{ &params_map, "{\"process\":\"p\",\"sizeInBytes\":1,\"protection\":3}",
		  "protection" },
		{ &params_map, "{\"process\":\"p\",\"sizeInBytes\":1}", "protection" },
		{ &params_register_adapter,
		  "{\"name\":\"a\",\"virtualAddressBitCount\":1,\"pageTableIndexBitCount\":[1,"
		  "null]}",
		  "pageTableIndexBitCount[1]" },
		{ &params_register_adapter,
		  "{\"name\":\"a\",\"virtualAddressBitCount\":1,\"pageTableIndexBitCount\":9}",
		  "pageTableIndexBitCount" },
		{ &params_register_machine, "{" G ",\"vmmPid\":\"1\"}", "vmmPid" },
		{ &params_update_machine, "{" G ",\"vmmPid\":1}", "" },
		{ &params_register_machine, "{" G ",\"displayClients\":[]}", "" },
		{ &params_register_machine, "{" G ",\"displayClients\":{}}", "displayClients" },
		{ &params_register_machine, "{" G ",\"displayClients\":[7]}", "displayClients[0]" },
		{ &params_register_machine, "{" G ",\"displayClients\":[null]}",
		  "displayClients[0]" },
		{ &params_register_machine, "{" G ",\"displayClients\":[{},{\"pid\":-1}]}",
		  "displayClients[1].pid" },
		{ &params_register_machine, "{" G ",\"displayClients\":[{\"user\":1}]}",
		  "displayClients[0].user" },
		{ &params_register_machine, "{" G ",\"displayClients\":[{\"gid\":1}]}",
		  "displayClients[0].gid" },
		{ &params_register_machine, "{" G ",\"agent\":[]}", "agent" },
		{ &params_register_machine, "{" G ",\"agent\":{\"pid\":{}}}", "agent.pid" },
		{ &params_register_machine, "{" G ",\"agent\":{\"a.b[3]\":1}}", "agent.a.b[3]" },
		{ &params_register_machine, "{" G ",\"agent\":null,\"name\":null}", "" },
	};
	Params params;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(decode(rows[i].table, rows[i].text, &params), rows[i].path, "%s",
				 rows[i].text);
}

Test(params, empty_name_is_unknown)
{
	JsonParser *parser = json_parser_new();
	const char *error;
	JsonValue *value = json_parse(parser, "{\"\":1}", 6, &error);
	Failure failure = FAILURE_INIT;
	Params params = { 0 };

	cr_assert_eq(params_decode(&params_none, value, &params, &failure),
		     STATUS_INVALID_PARAMETER);
	json_free(value);
	json_parser_free(parser);
}

Test(params, length_of_strings)
{
	char text[2048], name[300];
	Params params;

	for (size_t length = 254; length <= 256; length++) {
		memset(name, 'n', length);
		name[length] = '\0';
		snprintf(text, sizeof(text), "{" G ",\"name\":\"%s\"}", name);
		cr_assert_str_eq(decode(&params_register_machine, text, &params),
				 length <= LIMIT_NAME_LENGTH ? "" : "name");
		snprintf(text, sizeof(text), "{" G ",\"agent\":{\"user\":\"%s\"}}", name);
		cr_assert_str_eq(decode(&params_register_machine, text, &params),
				 length <= LIMIT_USER_NAME_LENGTH ? "" : "agent.user");
		snprintf(text, sizeof(text), "{" G ",\"profile\":\"%s\"}", name);
		cr_assert_str_eq(decode(&params_assign, text, &params),
				 length <= LIMIT_NAME_LENGTH ? "" : "profile");
		snprintf(text, sizeof(text), "{\"interface\":\"%s\"}", name);
		cr_assert_str_eq(decode(&params_interface, text, &params),
				 length <= LIMIT_NAME_LENGTH ? "" : "interface");
	}
}

Test(params, number_of_items)
{
	for (size_t count = 15; count <= 17; count++) {
		char text[1024] = "{" G ",\"displayClients\":[";
		Params params;

		for (size_t i = 0; i < count; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
				 "%s{\"pid\":%zu}", i > 0 ? "," : "", i + 1);
		strcat(text, "]}");
		cr_assert_str_eq(decode(&params_register_machine, text, &params),
				 count <= 16 ? "" : "displayClients");
		if (count > 16)
			continue;
		const DisplayClientsParams *clients = &params.machine_settings.display_clients;
		cr_assert(clients->array.present);
		cr_assert_eq(clients->array.count, count);
		for (size_t i = 0; i < count; i++) {
			cr_assert_eq(clients->items[i].pid.value, i + 1);
			cr_assert_null(clients->items[i].user);
		}
	}
}

Test(params, decoded_values)
{
	Params params;
	char text[GUID_TEXT_LENGTH + 1];

	decode(&params_quarantine, "{\"quarantined\":false," G "}", &params);
	cr_assert_str_eq(guid_format(&params.virtual_machine, text),
			 "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c");
	cr_assert(params.quarantine.quarantined.present);
	cr_assert_not(params.quarantine.quarantined.value);
	cr_assert_null(params.quarantine.reason);
	decode(&params_register_machine, "{" G ",\"vmmPid\":7,\"agent\":{\"pid\":8}}", &params);
	cr_assert_eq(params.machine_settings.vmm_pid.value, 7u);
	cr_assert(params.machine_settings.agent.present);
	cr_assert_eq(params.machine_settings.agent.pid.value, 8u);
	cr_assert_not(params.machine_settings.display_clients.array.present);
	decode(&params_register_machine, "{" G "}", &params);
	cr_assert_not(params.machine_settings.vmm_pid.present);
	cr_assert_not(params.machine_settings.agent.present);
}

Test(params, long_path_is_cut_between_characters)
{
	char text[600] = "{\"";
	Params params;

	for (int i = 0; i < 200; i++)
		strcat(text, "\xc3\xa9");
	strcat(text, "\":1}");
	const char *path = decode(&params_none, text, &params);
	size_t length = strlen(path);
	cr_assert_gt(length, 80u);
	cr_assert_eq(length % 2, 0u, "a character was split");
}
