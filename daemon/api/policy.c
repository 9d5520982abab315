/* SPDX-License-Identifier: MIT */
#include "daemon/api/policy.h"

static NTSTATUS deny(Failure *failure, const char *reason, const char *message)
{
	return failure_set(failure, STATUS_ACCESS_DENIED, reason, "%s", message);
}

static const char *difference_sentence(Difference difference)
{
	switch (difference) {
	case DIFFERENCE_USER_NAMESPACE:
		return "the calling process is in another user namespace than the VM's display "
		       "client; call from the display client's user namespace";
	case DIFFERENCE_UID:
		return "the calling process runs as another user than the VM's display client; "
		       "call as that user";
	case DIFFERENCE_GID:
		return "the calling process has another primary group than the VM's display "
		       "client; call with the display client's group";
	case DIFFERENCE_GROUPS:
		return "the calling process has other groups than the VM's display client; call "
		       "from a session that has exactly its groups, or name a process like the "
		       "calling one with: vailctl vm update VM --client-pid PID:RIGHTS";
	case DIFFERENCE_CAPABILITIES:
		return "the calling process has other capabilities than the VM's display client; "
		       "call with exactly its capabilities, not more, or name a process like the "
		       "calling one with: vailctl vm update VM --client-pid PID:RIGHTS";
	case DIFFERENCE_LABEL:
		return "the calling process has another security label than the VM's display "
		       "client; call with the display client's label";
	case DIFFERENCE_UNREADABLE:
		return "the privileges of the calling process cannot be read; ask an "
		       "administrator to read the daemon's log";
	case DIFFERENCE_NO_CLIENT:
		return "nobody may register for this VM, because no display client is named for "
		       "it; ask an operator to name one with: vailctl vm update, or vm add if the "
		       "VM was found";
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
			    "the VM is in quarantine; have an operator run: vailctl vm release VM");
	if (facts->is_registered || facts->difference == DIFFERENCE_NONE)
		return STATUS_SUCCESS;
	return deny(failure, difference_name(facts->difference),
		    difference_sentence(facts->difference));
}

static NTSTATUS check_opener(const PolicyFacts *facts, Failure *failure)
{
	if (facts->is_quarantined)
		return deny(failure, "quarantined",
			    "the VM is in quarantine; have an operator run: vailctl vm release VM");
	if (!facts->is_registered)
		return deny(failure, "notRegistered",
			    "the calling process is not registered for the VM; register first");
	if (facts->difference == DIFFERENCE_NONE)
		return STATUS_SUCCESS;
	return deny(failure, difference_name(facts->difference),
		    difference_sentence(facts->difference));
}

/* Tests whether the caller is refused under every rule. */
static bool is_shut_out(const PolicyFacts *facts)
{
	return facts->operators_only && !facts->is_operator;
}

bool policy_needs_privileges(Rule rule, const PolicyFacts *facts)
{
	if (facts->is_quarantined || is_shut_out(facts))
		return false;
	if (rule == RULE_OBJECT_OPENER || rule == RULE_DISPLAY_OPENER)
		return facts->is_registered;
	return rule == RULE_DISPLAY_CLIENT && !facts->is_registered;
}

bool policy_allows_view(const PolicyFacts *facts)
{
	return facts->is_operator || facts->is_registrar || facts->is_vmm || facts->is_registered ||
	       facts->resembles_client;
}

bool policy_allows_process_view(const PolicyFacts *facts)
{
	return facts->is_operator || facts->is_process_itself || facts->is_driver;
}

/* Denies what only operators may do. operator_group: NULL or "" if only root is one. */
static NTSTATUS deny_to_user(Rule rule, const char *operator_group, Failure *failure)
{
	bool may_be_allowed = rule == RULE_MACHINE_MAKER;
	bool has_group = operator_group && *operator_group != '\0';

	return failure_set(
		failure, STATUS_ACCESS_DENIED, "notOperator",
		"only operators may %s; call as root%s%s%s",
		may_be_allowed ? "add a VM here" : "do this",
		has_group ? " or as a member of the group " : "", has_group ? operator_group : "",
		may_be_allowed ? ", or ask an administrator to set allowUserMachines in vaild.json"
			       : "");
}

/* Reason and sentence of each rule's denial, except for those of deny_to_user(). */
static const struct {
	const char *reason;
	const char *message;
} denials[RULE_MAX] = {
	[RULE_MACHINE_OWNER] = { "notRegistrar",
				 "only operators and the user who added the VM may do this; "
				 "call as one of them" },
	[RULE_MACHINE_VIEWER] = { "notViewer",
				  "only operators, the user who added the VM, its VMM, and "
				  "processes that may register for it may see it; call as one of "
				  "them" },
	[RULE_WATCHER] = { "notWatcher",
			   "only operators, the VM's VMM and agent, and processes registered "
			   "for it may watch the VM; call as one of them" },
	[RULE_CONTEXT_OWNER] = { "notOwner",
				 "only the process that created the context may do this" },
	[RULE_ADAPTER_OWNER] = { "notDriver",
				 "only operators and the connection that registered the adapter "
				 "may do this" },
	[RULE_ADAPTER_DRIVER] = { "notDriver",
				  "only the adapter's driver may do this; call on the connection "
				  "that registered the adapter" },
	[RULE_PROCESS_ITSELF] = { "notProcess",
				  "only the process that this GPU process belongs to may do this" },
	[RULE_SHARER] = { "notSharer",
			  "only the VM's VMM and its agent may share objects for it; ask an "
			  "operator to make this process or its user the agent" },
	[RULE_OBJECT_SHARER] = { "notSharer",
				 "only the process that shared the object may do this" },
	[RULE_OBJECT_ENDER] = { "notSharer",
				"only operators and the process that shared the object may do "
				"this" },
	[RULE_OBJECT_HOLDER] = { "notHolder",
				 "only a process that has opened the object may do this" },
	[RULE_DISPLAY_SERVER] = { "notServer",
				  "only the VM's VMM and its agent may serve its displays; ask an "
				  "operator to make this process or its user the agent" },
	[RULE_DISPLAY_CLOSER] = { "notOpener",
				  "only the process that opened the display channel, the VM's VMM "
				  "and agent, and operators may close it; call as one of them" },
	[RULE_PROCESS_VIEWER] = { "notViewer",
				  "only operators, the process that this GPU process belongs to, "
				  "and its adapter's driver may see it; call as one of them" },
};

static bool rule_allows(Rule rule, const PolicyFacts *facts)
{
	switch (rule) {
	case RULE_ANYONE:
		return true;
	case RULE_OPERATOR:
		return facts->is_operator;
	case RULE_MACHINE_MAKER:
		return facts->is_operator || facts->allow_user_machines;
	case RULE_MACHINE_OWNER:
		return facts->is_operator || facts->is_registrar;
	case RULE_MACHINE_VIEWER:
		return policy_allows_view(facts);
	case RULE_WATCHER:
		return !facts->names_machine || facts->is_operator || facts->is_registered ||
		       facts->is_vmm || facts->is_agent;
	case RULE_CONTEXT_OWNER:
		return facts->is_context_owner;
	case RULE_ADAPTER_OWNER:
		return facts->is_operator || facts->is_driver;
	case RULE_ADAPTER_DRIVER:
		return facts->is_driver;
	case RULE_PROCESS_ITSELF:
		return facts->is_process_itself;
	case RULE_PROCESS_VIEWER:
		return policy_allows_process_view(facts);
	case RULE_DISPLAY_CLOSER:
		return facts->is_display_opener || facts->is_vmm || facts->is_agent ||
		       facts->is_operator;
	case RULE_DISPLAY_SERVER:
	case RULE_SHARER:
		return facts->is_vmm || facts->is_agent;
	case RULE_OBJECT_SHARER:
		return facts->is_object_sharer;
	case RULE_OBJECT_ENDER:
		return facts->is_object_sharer || facts->is_operator;
	case RULE_OBJECT_HOLDER:
		return facts->is_object_holder;
	case RULE_DISPLAY_CLIENT: /* policy_check() handles these three */
	case RULE_OBJECT_OPENER:
	case RULE_DISPLAY_OPENER:
	case RULE_NONE:
	case RULE_MAX:
		break;
	}
	return false;
}

NTSTATUS policy_check(Rule rule, const PolicyFacts *facts, const char *operator_group,
		      Failure *failure)
{
	if (is_shut_out(facts))
		return deny(failure, "noConfiguration",
			    "vaild started without its configuration, which has a mistake, and "
			    "serves only operators; ask an administrator to correct it");
	if (rule == RULE_DISPLAY_CLIENT)
		return check_display_client(facts, failure);
	if (rule == RULE_OBJECT_OPENER || rule == RULE_DISPLAY_OPENER)
		return check_opener(facts, failure);
	if (rule_allows(rule, facts))
		return STATUS_SUCCESS;
	if (rule <= RULE_NONE || rule >= RULE_MAX)
		return deny(failure, "noRule", "this method has no rule, so nobody may call it");
	if (rule == RULE_OPERATOR || rule == RULE_MACHINE_MAKER)
		return deny_to_user(rule, operator_group, failure);
	return deny(failure, denials[rule].reason, denials[rule].message);
}
