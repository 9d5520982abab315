/* SPDX-License-Identifier: MIT */
#ifndef API_POLICY_H
#define API_POLICY_H

#include <stdbool.h>

#include "credentials.h"
#include "failure.h"

/*
 * Who may do what. A rule is a column of the method table; whether it allows is a pure function of
 * facts about the caller and its relation to the subject. What no rule allows is denied.
 */

typedef enum Rule {
	RULE_NONE,           /* no method may have it: such a table does not start */
	RULE_ANYONE,         /* what is seen is filtered */
	RULE_OPERATOR,       /* decided before a subject is looked for */
	RULE_MACHINE_MAKER,  /* operators; with allowUserMachines anyone, for itself */
	RULE_MACHINE_OWNER,  /* operators, and who registered the VM */
	RULE_MACHINE_VIEWER, /* who sees the VM in a list */
	RULE_DISPLAY_CLIENT, /* who has the privileges of the VM's display client, or has shown so
			      */
	RULE_WATCHER,        /* of one VM: who has to do with it; of all: anyone, filtered */
	RULE_CONTEXT_OWNER,  /* the process that made it */
	RULE_ADAPTER_OWNER,  /* operators, and the connection that registered it */
	RULE_ADAPTER_DRIVER, /* that connection alone, of the adapter or of the GPU process's */
	RULE_PROCESS_ITSELF, /* the host process that the GPU process is for */
	RULE_PROCESS_VIEWER, /* that process, its adapter's driver, operators */
	RULE_SHARER,         /* the VM's VMM, and its agent */
	RULE_OBJECT_SHARER,  /* the process that shared the object */
	RULE_OBJECT_ENDER,   /* that, and operators */
	RULE_OBJECT_OPENER, /* who is registered for its VM and has a display client's privileges */
	RULE_OBJECT_HOLDER, /* who has opened it */
	RULE_MAX,
} Rule;

typedef struct PolicyFacts {
	bool is_operator;
	bool allow_user_machines;
	bool is_registrar;      /* its uid registered the VM */
	bool is_vmm;            /* it is the VM's VMM */
	bool is_agent;          /* it may share on the VMM's behalf */
	bool names_machine;     /* a VM is the subject */
	bool is_registered;     /* it is registered for the VM */
	bool resembles_client;  /* its connection looks like a display client's */
	bool is_object_sharer;  /* its process shared the object */
	bool is_object_holder;  /* its process has opened the object */
	bool is_driver;         /* its connection registered the adapter */
	bool is_process_itself; /* the GPU process is for the calling process */
	bool is_context_owner;
	bool is_quarantined;   /* the VM's GUID is */
	Difference difference; /* from the display clients; looked at under RULE_DISPLAY_CLIENT */
} PolicyFacts;

/* Whether the rule's answer depends on credentials read now, beyond the other facts. */
bool policy_needs_privileges(Rule rule, const PolicyFacts *facts);

/* RULE_MACHINE_VIEWER as a question, for lists, which leave out what it denies. */
bool policy_allows_view(const PolicyFacts *facts);

/* RULE_PROCESS_VIEWER, likewise. */
bool policy_allows_process_view(const PolicyFacts *facts);

/* STATUS_SUCCESS, or STATUS_ACCESS_DENIED with reason and sentence. */
NTSTATUS policy_check(Rule rule, const PolicyFacts *facts, Failure *failure);

#endif
