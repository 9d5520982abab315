/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_CALLER_H
#define DAEMON_CORE_CALLER_H

#include "daemon/core/account.h"
#include "daemon/core/credentials.h"
#include "daemon/core/host.h"
#include "daemon/core/inner-pids.h"

/*
 * The peer of a connection, as the kernel recorded it at connect time. The host reads it once and
 * passes it in with every request.
 */
typedef struct Caller {
	ProcessKey process; /* PROCESS_KEY_NONE if the peer is unknown or had exited at accept */
	PidNamespace pid_namespace; /* the one that the pids of its messages belong to */
	pid_t pid;                  /* 0 for a peer outside the daemon's pid namespace */
	uid_t account;              /* the user who pays: its uid, or its user namespace's owner */
	/*
	 * The number of supplementary groups if there are so many that nobody has read them yet, or
	 * 0. The credentials then have only the primary group. Host.read_groups() reads the others.
	 */
	uint32_t unread_groups;
	bool in_initial_user_namespace;
	bool is_operator;
	bool is_observer;        /* may list and watch everything, as a member of that group */
	bool may_quarantine;     /* may impose and lift quarantines, as a member of that group */
	bool has_user_namespace; /* user_namespace was read when the connection was accepted */
	UserNamespace user_namespace;
	ConnectionCredentials credentials;
} Caller;

/* Tests whether the caller may list and watch everything. */
static inline bool caller_sees_all(const Caller *caller)
{
	return caller->is_operator || caller->is_observer;
}

static inline Payer payer_of(const Caller *caller)
{
	return (Payer){ .uid = caller->account, .is_operator = caller->is_operator };
}

#endif
