/* SPDX-License-Identifier: MIT */
#ifndef CORE_CALLER_H
#define CORE_CALLER_H

#include "account.h"
#include "credentials.h"
#include "host.h"

/*
 * Who is at the other end of a connection, as the kernel recorded it when it was made. Captured
 * once, by the host, and passed in with every request.
 */
typedef struct Caller {
	ProcessKey process; /* PROCESS_KEY_NONE: the peer cannot be known, or was gone at once */
	pid_t pid;          /* 0 for a peer outside the daemon's pid namespace */
	uid_t account;      /* who pays: its uid, or the owner of its user namespace */
	bool in_initial_user_namespace;
	bool is_operator;
	ConnectionCredentials credentials;
} Caller;

static inline Payer payer_of(const Caller *caller)
{
	return (Payer){ .uid = caller->account, .is_operator = caller->is_operator };
}

#endif
