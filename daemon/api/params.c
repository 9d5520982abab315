/* SPDX-License-Identifier: MIT */
#include "daemon/api/params.h"

_Static_assert(sizeof(((Failure *)0)->parameter) == JSON_PATH_SIZE, "paths are cut alike");

NTSTATUS params_decode(const JsonTable *table, const JsonValue *parameters, void *ret,
		       Failure *failure)
{
	JsonFault fault;
	char text[sizeof(failure->message)];

	if (json_table_decode(table, parameters, NULL, ret, &fault))
		return STATUS_SUCCESS;
	if (fault.kind == JSON_FAULT_UNKNOWN)
		return failure_parameter(failure, fault.path,
					 "is not a parameter of this method; leave it out");
	return failure_parameter(failure, fault.path, "%s",
				 json_fault_format(&fault, text, sizeof(text)));
}
