/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_FLEET_SEARCH_H
#define CLIENT_COMMON_FLEET_SEARCH_H

/*
 * Asks the vaild-fleet of this host, if there is one, for the host of a VM. Operators and observers
 * get an answer, and display clients of a VM that was on this host.
 */

/* Returns the socket in VAILD_FLEET_SOCKET, which set-uid programs ignore, or the usual one. */
const char *fleet_socket_path(void);

/*
 * Returns a sentence without a full stop that says on which other host the VM is, to be freed by
 * the caller. Returns NULL if it is on this host, if nobody can tell, or if out of memory. Waits at
 * most 2 seconds.
 *
 * machine: a name or a whole GUID.
 * program: the program to be run there.
 */
char *fleet_note(const char *machine, const char *program);

/*
 * The same for a VM that has just ended on this host, perhaps because it has moved. Then the fleet
 * may notice it a little later, so this waits at most 3 seconds more.
 *
 * guid: of the VM.
 * machine: the name for it in the sentence.
 */
char *fleet_moved_note(const char *guid, const char *machine, const char *program);

#endif
