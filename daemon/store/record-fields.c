/* SPDX-License-Identifier: MIT */
#include "daemon/store/record-fields.h"

void fields_write(Writer *writer, const JsonTable *table, const void *structure)
{
	json_table_encode(writer, table, structure);
}

NTSTATUS fields_read(const JsonTable *table, const JsonValue *object, const char *const *ignored,
		     void *structure, const char **ret_name)
{
	JsonFault fault;

	if (json_table_decode(table, object, ignored, structure, &fault))
		return STATUS_SUCCESS;
	*ret_name = fault.member;
	return fault.kind == JSON_FAULT_NO_MEMORY ? STATUS_NO_MEMORY : STATUS_INVALID_PARAMETER;
}

void fields_free(const JsonTable *table, void *structure)
{
	json_table_free(table, structure);
}
