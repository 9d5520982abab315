/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_FAIL_CALLS_DAEMON_SNAPSHOT_H
#define TESTS_SYSTEM_HELPERS_FAIL_CALLS_DAEMON_SNAPSHOT_H

#include "tests/support/actor.h"
#include "tests/system/helpers/fail-calls/traced-daemon.h"

/* The processes of a scenario, which keeps an actor for each. Its pid is 0 if it does not run. */
typedef enum Role { ROLE_OPERATOR, ROLE_VMM, ROLE_CLIENT, ROLE_VIEWER, ROLE_MAX } Role;

/*
 * Returns a text with everything that an operator can list, except the state of the daemon itself
 * and its connections, and with the contents of the service manager's fd store. Handles, pids,
 * inodes and times are replaced with names that are the same in every run. The caller frees it.
 */
char *snapshot_take(TracedDaemon *daemon, const Actor actors[static ROLE_MAX]);

/*
 * Returns a text with the kind of each record in the daemon's record file, except removed and
 * replaced records, so that it does not depend on when the file was compacted. The caller frees it.
 */
char *snapshot_take_records(const TracedDaemon *daemon);

/*
 * Sends a request as an operator and returns the reply, which the caller frees. If the daemon dies,
 * it is restarted and the request is sent again.
 */
char *operator_request(TracedDaemon *daemon, const char *request);

/* The same, but leaves the connection open. The caller closes it. */
char *operator_request_on(TracedDaemon *daemon, const char *request, int *ret_connection);

#endif
