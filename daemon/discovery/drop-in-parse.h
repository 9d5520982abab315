/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_DROP_IN_PARSE_H
#define DAEMON_DISCOVERY_DROP_IN_PARSE_H

#include "daemon/config/config-text.h"
#include "daemon/core/drop-in.h"

/*
 * Parses the drop-ins of the administrator, /etc/vaild/machines.d/NAME.json. Each file is one
 * object:
 *
 *   virtualMachineGuid, name, namePattern
 *                       string: the VM, by one of them
 *   registeredBy        string: the user whose VMs are meant; without it, those of operators
 *   displayClients      array of objects: user, rights
 *   agent               object: user
 *   requireSealedMemory boolean
 */

/* Finds a user by name or decimal uid. Returns LOOKUP_FOUND, LOOKUP_ABSENT or LOOKUP_EXHAUSTED. */
typedef Lookup DropInFindUser(const char *user, uid_t *ret_uid);

/* The destination of drop_in_read(). */
typedef struct DropInReader {
	DropIns *drop_ins;
	DropInFindUser *find_user;
} DropInReader;

/*
 * Adds the drop-in that is the object of the file. A ConfigReader, whose context is a DropInReader.
 * A user that does not exist is a mistake, except in a file that the daemon has kept. Returns true,
 * or false with a mistake in the file's error and the list unchanged.
 */
bool drop_in_read(const ConfigFile *file, const JsonValue *object, void *context);

#endif
