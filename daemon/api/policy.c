/* SPDX-License-Identifier: MIT */
#include "policy.h"

static NTSTATUS deny(Failure *failure, const char *reason, const char *message)
{
	return failure_set(failure, STATUS_ACCESS_DENIED, reason, "%s", message);
}

static const char *difference_sentence(Difference difference)
{
	switch (difference) {
	case DIFFERENCE_USER_NAMESPACE:
		return "the calling process is in another user namespace than the VM's display "
		       "client; call from where the display client runs";
	case DIFFERENCE_UID:
		return "the calling process runs as another user than the VM's display client; "
		       "call as that user";
	case DIFFERENCE_GID:
		return "the calling process has another primary group than the VM's display "
		       "client; call with the display client's group";
	case DIFFERENCE_GROUPS:
		return "the calling process has other groups than the VM's display client; call "
		       "from a session that has exactly its groups";
	case DIFFERENCE_CAPABILITIES:
		return "the calling process has other capabilities than the VM's display client; "
		       "call with the same, not more";
	case DIFFERENCE_LABEL:
		return "the calling process has another security label than the VM's display "
		       "client; call with the same";
	case DIFFERENCE_UNREADABLE:
		return "the privileges of the calling process could not be read; ask an "
		       "administrator to look into the daemon's log";
	case DIFFERENCE_NONE:
	case DIFFERENCE_MAX:
		break;
	}
	return "the calling process has other privileges than the VM's display client";
}

static NTSTATUS check_display_client(const PolicyFacts *facts, Failure *failure)
{
	if (facts->is_quarantined)
		return deny(failure, "quarantined",
			    "the VM is in quarantine; ask an operator to lift it");
	if (facts->is_registered || facts->difference == DIFFERENCE_NONE)
		return STATUS_SUCCESS;
	return deny(failure, difference_name(facts->difference),
		    difference_sentence(facts->difference));
}

bool policy_needs_privileges(Rule rule, const PolicyFacts *facts)
{
	return rule == RULE_DISPLAY_CLIENT && !facts->is_registered && !facts->is_quarantined;
}

bool policy_allows_view(const PolicyFacts *facts)
{
	return facts->is_operator || facts->is_registrar || facts->is_vmm || facts->is_registered ||
	       facts->resembles_client;
}

NTSTATUS policy_check(Rule rule, const PolicyFacts *facts, Failure *failure)
{
	switch (rule) {
	case RULE_ANYONE:
		return STATUS_SUCCESS;
	case RULE_OPERATOR:
		if (facts->is_operator)
			return STATUS_SUCCESS;
		return deny(failure, "notOperator",
			    "only operators may do this; call as root or as a member of the "
			    "operators' group");
	case RULE_MACHINE_MAKER:
		if (facts->is_operator || facts->allow_user_machines)
			return STATUS_SUCCESS;
		return deny(failure, "notOperator",
			    "only operators may register a VM here; call as root or as a member of "
			    "the operators' group, or have allowUserMachines set");
	case RULE_MACHINE_OWNER:
		if (facts->is_operator || facts->is_registrar)
			return STATUS_SUCCESS;
		return deny(failure, "notRegistrar",
			    "only operators and the user who registered the VM may do this");
	case RULE_MACHINE_VIEWER:
		if (policy_allows_view(facts))
			return STATUS_SUCCESS;
		return deny(failure, "notViewer",
			    "only operators and those who registered the VM, run it or may "
			    "register for it may see it");
	case RULE_DISPLAY_CLIENT:
		return check_display_client(facts, failure);
	case RULE_WATCHER:
		if (!facts->names_machine || facts->is_operator || facts->is_registered ||
		    facts->is_vmm || facts->is_agent)
			return STATUS_SUCCESS;
		return deny(failure, "notWatcher",
			    "only operators, the VM's VMM and agent and the processes that are "
			    "registered for it may watch the VM");
	case RULE_CONTEXT_OWNER:
		if (facts->is_context_owner)
			return STATUS_SUCCESS;
		return deny(failure, "notOwner",
			    "only the process that made the context may do this");
	case RULE_NONE:
	case RULE_MAX:
		break;
	}
	return deny(failure, "noRule", "nobody may do this");
}
