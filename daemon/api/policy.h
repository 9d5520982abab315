/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_POLICY_H
#define DAEMON_API_POLICY_H

#include <stdbool.h>

#include "daemon/core/credentials.h"
#include "daemon/core/failure.h"

/*
 * Authorisation. Each row of the method table has a rule. A rule is a pure function of facts about
 * the caller and its relation to the subject, and denies by default.
 */

typedef enum Rule {
	RULE_NONE,              /* invalid in the method table: the daemon does not start */
	RULE_ANYONE,            /* any caller; the reply contains only what the caller may see */
	RULE_OPERATOR,          /* operators */
	RULE_OBSERVER,          /* operators and observers */
	RULE_QUARANTINER,       /* operators and members of the quarantine group */
	RULE_QUARANTINE_VIEWER, /* all of these */
	RULE_MACHINE_MAKER,     /* operators; with allowUserMachines any caller, for itself */
	RULE_MACHINE_OWNER,     /* operators and the user who registered the VM */
	RULE_MACHINE_VIEWER,    /* callers that see the VM in a list, among them observers */
	RULE_DISPLAY_CLIENT, /* a display client's privileges, now or at an earlier registration */
	RULE_WATCHER, /* one VM: its processes, operators and observers; all VMs: any caller */
	RULE_CONTEXT_OWNER,  /* the process that created the context */
	RULE_ADAPTER_OWNER,  /* operators and the connection that registered the adapter */
	RULE_ADAPTER_DRIVER, /* the connection that registered the GPU process's adapter */
	RULE_PROCESS_ITSELF, /* the host process that the GPU process belongs to */
	RULE_PROCESS_VIEWER, /* that process, its adapter's driver, operators and observers */
	RULE_SHARER,         /* the VM's VMM and its agent */
	RULE_OBJECT_SHARER,  /* the process that shared the object */
	RULE_OBJECT_ENDER,   /* that process and operators */
	RULE_OBJECT_OPENER,  /* registered processes with a display client's current privileges */
	RULE_OBJECT_HOLDER,  /* processes that have opened the object */
	RULE_DISPLAY_OPENER, /* the same, for a display channel */
	RULE_DISPLAY_SERVER, /* the VM's VMM and its agent */
	RULE_DISPLAY_CLOSER, /* the process that opened the channel, that VMM and agent, operators
			      */
	RULE_MAX,
} Rule;

/* Facts about the caller and its relation to the subject. */
typedef struct PolicyFacts {
	bool is_operator;
	bool is_observer;    /* the caller is in the observers' group */
	bool may_quarantine; /* the caller is in the quarantine group */
	bool operators_only; /* the daemon has no configuration, so all others are refused */
	bool allow_user_machines;
	bool is_registrar;      /* the caller's uid registered the VM */
	bool is_vmm;            /* the caller is the VM's VMM */
	bool is_agent;          /* the caller may share on the VMM's behalf */
	bool names_machine;     /* the subject is a VM */
	bool is_registered;     /* the calling process is registered for the VM */
	bool resembles_client;  /* the connection's credentials match a display client's */
	bool is_object_sharer;  /* the calling process shared the object */
	bool is_object_holder;  /* the calling process has opened the object */
	bool is_display_opener; /* the calling process opened the display channel */
	bool is_driver;         /* the calling connection registered the adapter */
	bool is_process_itself; /* the GPU process belongs to the calling process */
	bool is_context_owner;
	bool is_quarantined;   /* the VM's GUID is in quarantine */
	Difference difference; /* from the display clients, if policy_needs_privileges() */
} PolicyFacts;

/* The groups that give rights, for sentences. A name is NULL or "" if there is no such group. */
typedef struct PolicyGroups {
	const char *operators;
	const char *observers;
	const char *quarantiners;
} PolicyGroups;

/*
 * Tests whether the rule asks only what the caller is, and nothing about a subject. It is then
 * checked before the subject is looked up.
 */
bool policy_precedes_subject(Rule rule);

/* Tests whether the decision needs the fact difference, and so the caller's current credentials. */
bool policy_needs_privileges(Rule rule, const PolicyFacts *facts);

/* Tests RULE_MACHINE_VIEWER, for lists, which leave out VMs that it denies. */
bool policy_allows_view(const PolicyFacts *facts);

/* Tests RULE_PROCESS_VIEWER, for lists. */
bool policy_allows_process_view(const PolicyFacts *facts);

/*
 * Returns STATUS_SUCCESS, or STATUS_ACCESS_DENIED with a reason and a sentence.
 *
 * groups: for the sentence; NULL if there are none.
 */
NTSTATUS policy_check(Rule rule, const PolicyFacts *facts, const PolicyGroups *groups,
		      Failure *failure);

#endif
