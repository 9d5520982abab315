/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_FLEET_CALL_H
#define CLIENT_VAILCTL_FLEET_CALL_H

#include "client/common/machine-search.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/json.h"

/* Calls of vaild-fleet, for the commands about all hosts. */

/* Returns the path of vaild-fleet's socket, which the tool's options may name. */
const char *fleet_socket(const Tool *tool);

/*
 * Calls a method of vaild-fleet. parameters: a JSON object, or NULL. Returns the reply, to be freed
 * with json_free(). Returns NULL, with *ret_exit set, after it has reported the failure.
 */
JsonValue *fleet_call(Tool *tool, const char *method, const char *parameters, int *ret_exit);

/* Prints the reply as JSON. Returns the exit status. */
int fleet_print_document(const JsonValue *reply);

/* Logs how old the reply is, unless it is of now. */
void fleet_say_age(const JsonValue *reply);

/*
 * Calls a list method, and prints the reply as JSON or as a table. Returns the exit status.
 *
 * key: of the reply's items.
 * fill: adds the row of one item to the table.
 * empty: the sentence for a table without rows.
 */
int fleet_report(Tool *tool, const char *method, const char *parameters, const char *key,
		 Table *table, void (*fill)(Table *, const JsonValue *), const char *empty);

/*
 * Replaces the first argument, which names a VM of the fleet, by the VM's GUID. Returns the status
 * of machine_find(), and its message in *ret_message, without reporting it.
 */
NTSTATUS fleet_search(Tool *tool, MachineScope scope, char **ret_message);

/*
 * Like fleet_search(), but reports why no VM was found. Returns the exit status.
 *
 * method: of the command. It must have a parameter that cannot be left out.
 */
int fleet_find_machine(Tool *tool, MachineScope scope, const char *method);

#endif
