/* SPDX-License-Identifier: MIT */
#include "daemon/api/policy.h"

#include <stdio.h>

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

/* Groups of callers, as bits. */
enum {
	OPERATORS = 1 << 0,
	OBSERVERS = 1 << 1,
	QUARANTINERS = 1 << 2,
};

/*
 * For each rule, the groups whose members it allows, whatever the subject is; and the reason and
 * the sentence of its denial. check_display_client() and check_opener() have those of three rules.
 */
static const struct {
	int groups;
	const char *reason;
	const char *message;
} rules[RULE_MAX] = {
	[RULE_OPERATOR] = { OPERATORS, "notOperator", "only operators may do this" },
	[RULE_OBSERVER] = { OPERATORS | OBSERVERS, "notOperator",
			    "only operators and observers may do this" },
	[RULE_QUARANTINER] = { OPERATORS | QUARANTINERS, "notOperator",
			       "only operators and members of quarantineGroup in "
			       "vaild.json may do this" },
	[RULE_QUARANTINE_VIEWER] = { OPERATORS | OBSERVERS | QUARANTINERS, "notOperator",
				     "only operators, observers and members of "
				     "quarantineGroup in vaild.json may do this" },
	[RULE_MACHINE_MAKER] = { OPERATORS, "notOperator", "only operators may add a VM here" },
	[RULE_MACHINE_OWNER] = { OPERATORS, "notRegistrar",
				 "only operators and the user who added the VM may do this" },
	[RULE_MACHINE_VIEWER] = { OPERATORS | OBSERVERS, "notViewer",
				  "only operators, observers, the user who added the VM, its VMM, "
				  "and processes that may register for it may see it" },
	[RULE_WATCHER] = { OPERATORS | OBSERVERS, "notWatcher",
			   "only operators, observers, the VM's VMM and agent, and processes "
			   "registered for it may watch the VM" },
	[RULE_CONTEXT_OWNER] = { 0, "notOwner",
				 "only the process that created the context may do this" },
	[RULE_ADAPTER_OWNER] = { OPERATORS, "notDriver",
				 "only operators and the connection that registered the adapter "
				 "may do this" },
	[RULE_ADAPTER_DRIVER] = { 0, "notDriver",
				  "only the adapter's driver may do this; call on the connection "
				  "that registered the adapter" },
	[RULE_PROCESS_ITSELF] = { 0, "notProcess",
				  "only the process that this GPU process belongs to may do this" },
	[RULE_SHARER] = { 0, "notSharer",
			  "only the VM's VMM and its agent may share objects for it; ask an "
			  "operator to make this process or its user the agent" },
	[RULE_OBJECT_SHARER] = { 0, "notSharer",
				 "only the process that shared the object may do this" },
	[RULE_OBJECT_ENDER] = { OPERATORS, "notSharer",
				"only operators and the process that shared the object may do "
				"this" },
	[RULE_OBJECT_HOLDER] = { 0, "notHolder",
				 "only a process that has opened the object may do this" },
	[RULE_DISPLAY_SERVER] = { 0, "notServer",
				  "only the VM's VMM and its agent may serve its displays; ask an "
				  "operator to make this process or its user the agent" },
	[RULE_DISPLAY_CLOSER] = { OPERATORS, "notOpener",
				  "only the process that opened the display channel, the VM's VMM "
				  "and agent, and operators may close it" },
	[RULE_PROCESS_VIEWER] = { OPERATORS | OBSERVERS, "notViewer",
				  "only operators, observers, the process that this GPU process "
				  "belongs to, and its adapter's driver may see it" },
};

static bool rule_exists(Rule rule)
{
	return rule > RULE_NONE && rule < RULE_MAX;
}

/* Tests whether the caller is in a group that the rule allows. */
static bool rule_allows_group(Rule rule, const PolicyFacts *facts)
{
	const int groups = rules[rule].groups;

	return (groups & OPERATORS && facts->is_operator) ||
	       (groups & OBSERVERS && facts->is_observer) ||
	       (groups & QUARANTINERS && facts->may_quarantine);
}

bool policy_precedes_subject(Rule rule)
{
	return rule == RULE_OPERATOR || rule == RULE_OBSERVER || rule == RULE_QUARANTINER ||
	       rule == RULE_QUARANTINE_VIEWER;
}

bool policy_allows_view(const PolicyFacts *facts)
{
	return rule_allows_group(RULE_MACHINE_VIEWER, facts) || facts->is_registrar ||
	       facts->is_vmm || facts->is_registered || facts->resembles_client;
}

bool policy_allows_process_view(const PolicyFacts *facts)
{
	return rule_allows_group(RULE_PROCESS_VIEWER, facts) || facts->is_process_itself ||
	       facts->is_driver;
}

/* Tests whether the caller's relation to the subject suffices. */
static bool rule_allows_relation(Rule rule, const PolicyFacts *facts)
{
	switch (rule) {
	case RULE_ANYONE:
		return true;
	case RULE_MACHINE_MAKER:
		return facts->allow_user_machines;
	case RULE_MACHINE_OWNER:
		return facts->is_registrar;
	case RULE_MACHINE_VIEWER:
		return policy_allows_view(facts);
	case RULE_WATCHER:
		return !facts->names_machine || facts->is_registered || facts->is_vmm ||
		       facts->is_agent;
	case RULE_CONTEXT_OWNER:
		return facts->is_context_owner;
	case RULE_ADAPTER_OWNER:
	case RULE_ADAPTER_DRIVER:
		return facts->is_driver;
	case RULE_PROCESS_ITSELF:
		return facts->is_process_itself;
	case RULE_PROCESS_VIEWER:
		return policy_allows_process_view(facts);
	case RULE_DISPLAY_CLOSER:
		return facts->is_display_opener || facts->is_vmm || facts->is_agent;
	case RULE_DISPLAY_SERVER:
	case RULE_SHARER:
		return facts->is_vmm || facts->is_agent;
	case RULE_OBJECT_SHARER:
	case RULE_OBJECT_ENDER:
		return facts->is_object_sharer;
	case RULE_OBJECT_HOLDER:
		return facts->is_object_holder;
	case RULE_OPERATOR: /* only groups */
	case RULE_OBSERVER:
	case RULE_QUARANTINER:
	case RULE_QUARANTINE_VIEWER:
	case RULE_DISPLAY_CLIENT: /* policy_check() handles these three */
	case RULE_OBJECT_OPENER:
	case RULE_DISPLAY_OPENER:
	case RULE_NONE:
	case RULE_MAX:
		break;
	}
	return false;
}

/* --- the sentence of a denial ---------------------------------------------------------------- */

#define GROUP_LIST_SIZE 128

/* Writes the names of the groups that the rule allows, such as "the group a, b or c", or "". */
static void list_groups(Rule rule, const PolicyGroups *groups, char text[static GROUP_LIST_SIZE])
{
	const int allowed = rules[rule].groups;
	const char *names[] = { "", "", "" };
	size_t count = 0;

	if (allowed & OPERATORS && groups->operators && groups->operators[0] != '\0')
		names[count++] = groups->operators;
	if (allowed & OBSERVERS && groups->observers && groups->observers[0] != '\0')
		names[count++] = groups->observers;
	if (allowed & QUARANTINERS && groups->quarantiners && groups->quarantiners[0] != '\0')
		names[count++] = groups->quarantiners;
	snprintf(text, GROUP_LIST_SIZE, "%s%s%s%s%s%s", count > 0 ? "the group " : "", names[0],
		 count == 3 ? ", " : (count == 2 ? " or " : ""), names[1], count == 3 ? " or " : "",
		 names[2]);
}

static const PolicyGroups no_groups;

static NTSTATUS deny_by_rule(Rule rule, const PolicyGroups *groups, Failure *failure)
{
	const char *reason = rules[rule].reason, *message = rules[rule].message;
	char list[GROUP_LIST_SIZE];

	if (rules[rule].groups == 0)
		return deny(failure, reason, message);
	list_groups(rule, groups ? groups : &no_groups, list);
	if (!policy_precedes_subject(rule) && rule != RULE_MACHINE_MAKER)
		return failure_set(failure, STATUS_ACCESS_DENIED, reason,
				   "%s; call as one of them, such as %s%s", message,
				   list[0] != '\0' ? "a member of " : "root", list);
	return failure_set(failure, STATUS_ACCESS_DENIED, reason, "%s; call as root%s%s%s", message,
			   list[0] != '\0' ? " or as a member of " : "", list,
			   rule != RULE_MACHINE_MAKER
				   ? ""
				   : ", or ask an administrator to set allowUserMachines in "
				     "vaild.json");
}

NTSTATUS policy_check(Rule rule, const PolicyFacts *facts, const PolicyGroups *groups,
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
	if (!rule_exists(rule))
		return deny(failure, "noRule", "this method has no rule, so nobody may call it");
	if (rule_allows_group(rule, facts) || rule_allows_relation(rule, facts))
		return STATUS_SUCCESS;
	return deny_by_rule(rule, groups, failure);
}
