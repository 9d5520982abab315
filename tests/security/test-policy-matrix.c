/* SPDX-License-Identifier: MIT */
/*
 * Authorisation. Compares each rule, under every combination of facts, with a table and with an
 * independent oracle. Also lists each method's rule, so that no change of the method table goes
 * unnoticed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "daemon/api/policy.h"

TestSuite(policy_matrix);

enum {
	OPERATOR = 1 << 0,
	USER_MACHINES = 1 << 1,
	REGISTRAR = 1 << 2,
	VMM = 1 << 3,
	REGISTERED = 1 << 4,
	RESEMBLES = 1 << 5,
	CONTEXT_OWNER = 1 << 6,
	QUARANTINED = 1 << 7,
	AGENT = 1 << 8,
	NO_MACHINE = 1 << 9, /* the request names no VM */
	DRIVER = 1 << 10,
	PROCESS_ITSELF = 1 << 11,
	OBJECT_SHARER = 1 << 12,
	OBJECT_HOLDER = 1 << 13,
	OPERATORS_ONLY = 1 << 14, /* the daemon has no configuration */
	DISPLAY_OPENER = 1 << 15,
	OBSERVER = 1 << 16,
	QUARANTINER = 1 << 17,
	ALL_FACTS = (1 << 18) - 1,
};

/* For each rule, the facts that forbid, the facts that suffice, and the reason of a denial. */
static const struct {
	Rule rule;
	bool everybody;
	unsigned int forbids;
	unsigned int enough;
	bool equal_is_enough; /* privileges equal to a display client's suffice */
	const char *reason;   /* NULL for the name of the difference */
} matrix[] = {
	{ RULE_NONE, false, 0, 0, false, "noRule" },
	{ RULE_ANYONE, true, 0, 0, false, "" },
	{ RULE_OPERATOR, false, 0, OPERATOR, false, "notOperator" },
	{ RULE_OBSERVER, false, 0, OPERATOR | OBSERVER, false, "notOperator" },
	{ RULE_QUARANTINER, false, 0, OPERATOR | QUARANTINER, false, "notOperator" },
	{ RULE_QUARANTINE_VIEWER, false, 0, OPERATOR | OBSERVER | QUARANTINER, false,
	  "notOperator" },
	{ RULE_MACHINE_MAKER, false, 0, OPERATOR | USER_MACHINES, false, "notOperator" },
	{ RULE_MACHINE_OWNER, false, 0, OPERATOR | REGISTRAR, false, "notRegistrar" },
	{ RULE_MACHINE_VIEWER, false, 0,
	  OPERATOR | OBSERVER | REGISTRAR | VMM | REGISTERED | RESEMBLES, false, "notViewer" },
	{ RULE_DISPLAY_CLIENT, false, QUARANTINED, REGISTERED, true, NULL },
	{ RULE_WATCHER, false, 0, OPERATOR | OBSERVER | REGISTERED | VMM | AGENT | NO_MACHINE,
	  false, "notWatcher" },
	{ RULE_CONTEXT_OWNER, false, 0, CONTEXT_OWNER, false, "notOwner" },
	{ RULE_ADAPTER_OWNER, false, 0, OPERATOR | DRIVER, false, "notDriver" },
	{ RULE_ADAPTER_DRIVER, false, 0, DRIVER, false, "notDriver" },
	{ RULE_PROCESS_ITSELF, false, 0, PROCESS_ITSELF, false, "notProcess" },
	{ RULE_SHARER, false, 0, VMM | AGENT, false, "notSharer" },
	{ RULE_OBJECT_SHARER, false, 0, OBJECT_SHARER, false, "notSharer" },
	{ RULE_OBJECT_ENDER, false, 0, OBJECT_SHARER | OPERATOR, false, "notSharer" },
	{ RULE_OBJECT_HOLDER, false, 0, OBJECT_HOLDER, false, "notHolder" },
	{ RULE_OBJECT_OPENER, false, QUARANTINED, 0, true, NULL },
	{ RULE_DISPLAY_OPENER, false, QUARANTINED, 0, true, NULL },
	{ RULE_DISPLAY_SERVER, false, 0, VMM | AGENT, false, "notServer" },
	{ RULE_DISPLAY_CLOSER, false, 0, DISPLAY_OPENER | VMM | AGENT | OPERATOR, false,
	  "notOpener" },
	{ RULE_PROCESS_VIEWER, false, 0, OPERATOR | OBSERVER | DRIVER | PROCESS_ITSELF, false,
	  "notViewer" },
};

static PolicyFacts make_facts(unsigned int bits, Difference difference)
{
	return (PolicyFacts){
		.is_operator = bits & OPERATOR,
		.is_observer = bits & OBSERVER,
		.may_quarantine = bits & QUARANTINER,
		.operators_only = bits & OPERATORS_ONLY,
		.allow_user_machines = bits & USER_MACHINES,
		.is_registrar = bits & REGISTRAR,
		.is_vmm = bits & VMM,
		.is_agent = bits & AGENT,
		.names_machine = !(bits & NO_MACHINE),
		.is_registered = bits & REGISTERED,
		.resembles_client = bits & RESEMBLES,
		.is_context_owner = bits & CONTEXT_OWNER,
		.is_quarantined = bits & QUARANTINED,
		.is_driver = bits & DRIVER,
		.is_object_sharer = bits & OBJECT_SHARER,
		.is_object_holder = bits & OBJECT_HOLDER,
		.is_display_opener = bits & DISPLAY_OPENER,
		.is_process_itself = bits & PROCESS_ITSELF,
		.difference = difference,
	};
}

/* Looks up the table. Returns NULL if the call is allowed, else the reason of the denial. */
static const char *table_reason(Rule rule, unsigned int bits, Difference difference)
{
	if (bits & OPERATORS_ONLY && !(bits & OPERATOR))
		return "noConfiguration";
	for (size_t i = 0; i < ARRAY_SIZE(matrix); i++) {
		if (matrix[i].rule != rule)
			continue;
		if (bits & matrix[i].forbids)
			return "quarantined";
		if ((rule == RULE_OBJECT_OPENER || rule == RULE_DISPLAY_OPENER) &&
		    !(bits & REGISTERED))
			return "notRegistered";
		if (matrix[i].everybody || bits & matrix[i].enough)
			return NULL;
		if (matrix[i].equal_is_enough && difference == DIFFERENCE_NONE)
			return NULL;
		return matrix[i].reason ? matrix[i].reason : difference_name(difference);
	}
	return "no row";
}

/* Decides again, independently of the table. */
static bool oracle_allows(Rule rule, const PolicyFacts *facts)
{
	bool observes = facts->is_operator || facts->is_observer;
	bool sees = observes || facts->is_registrar || facts->is_vmm;

	if (facts->operators_only && !facts->is_operator)
		return false;
	if (rule == RULE_ANYONE)
		return true;
	if (rule == RULE_CONTEXT_OWNER)
		return facts->is_context_owner; /* not operators either */
	if (rule == RULE_SHARER || rule == RULE_DISPLAY_SERVER)
		return facts->is_vmm || facts->is_agent; /* not operators either */
	if (rule == RULE_OBJECT_SHARER)
		return facts->is_object_sharer;
	if (rule == RULE_OBJECT_ENDER)
		return facts->is_object_sharer || facts->is_operator;
	if (rule == RULE_OBJECT_HOLDER)
		return facts->is_object_holder;
	if (rule == RULE_DISPLAY_CLOSER)
		return facts->is_display_opener || facts->is_vmm || facts->is_agent ||
		       facts->is_operator;
	if (rule == RULE_OBJECT_OPENER ||
	    rule == RULE_DISPLAY_OPENER) /* needs both registration and privileges */
		return !facts->is_quarantined && facts->is_registered &&
		       facts->difference == DIFFERENCE_NONE;
	if (rule == RULE_ADAPTER_DRIVER)
		return facts->is_driver; /* not operators either */
	if (rule == RULE_PROCESS_ITSELF)
		return facts->is_process_itself; /* not its driver either */
	if (rule == RULE_ADAPTER_OWNER)
		return facts->is_operator || facts->is_driver;
	if (rule == RULE_PROCESS_VIEWER)
		return observes || facts->is_driver || facts->is_process_itself;
	if (rule == RULE_DISPLAY_CLIENT) /* operators are not exempt */
		return !facts->is_quarantined &&
		       (facts->is_registered || facts->difference == DIFFERENCE_NONE);
	if (rule == RULE_WATCHER) /* the user who registered the VM is not enough, because it may be
				     any user */
		return !facts->names_machine || observes || facts->is_vmm || facts->is_agent ||
		       facts->is_registered;
	if (rule == RULE_MACHINE_VIEWER)
		return sees || facts->is_registered || facts->resembles_client;
	if (rule == RULE_MACHINE_OWNER)
		return facts->is_operator || facts->is_registrar;
	if (rule == RULE_MACHINE_MAKER)
		return facts->is_operator || facts->allow_user_machines;
	if (rule == RULE_OBSERVER)
		return observes;
	if (rule == RULE_QUARANTINER) /* not observers */
		return facts->is_operator || facts->may_quarantine;
	if (rule == RULE_QUARANTINE_VIEWER)
		return observes || facts->may_quarantine;
	return rule == RULE_OPERATOR && facts->is_operator;
}

static void check_one(Rule rule, unsigned int bits, Difference difference)
{
	PolicyFacts facts = make_facts(bits, difference);
	Failure failure = FAILURE_INIT;
	NTSTATUS status = policy_check(rule, &facts, NULL, &failure);
	const char *expected = table_reason(rule, bits, difference);

	cr_assert_eq(status == STATUS_SUCCESS, oracle_allows(rule, &facts),
		     "rule %d, facts %#x, difference %d", rule, bits, difference);
	if (!expected) {
		cr_assert_eq(status, STATUS_SUCCESS, "rule %d, facts %#x, difference %d", rule,
			     bits, difference);
		return;
	}
	cr_assert_eq(status, STATUS_ACCESS_DENIED, "rule %d, facts %#x, difference %d", rule, bits,
		     difference);
	cr_assert_eq(failure.status, STATUS_ACCESS_DENIED);
	cr_assert_str_eq(failure.reason, expected, "rule %d, facts %#x, difference %d", rule, bits,
			 difference);
	cr_assert_gt(strlen(failure.message), 10u);
	cr_assert_lt(strlen(failure.message) + 1, sizeof(failure.message), "the message was cut");
}

/* The differences matter to three rules. Of all others, no difference and the last one are checked.
 */
static int step_of(Rule rule)
{
	bool compares = rule == RULE_DISPLAY_CLIENT || rule == RULE_OBJECT_OPENER ||
			rule == RULE_DISPLAY_OPENER;

	return compares ? 1 : DIFFERENCE_MAX - 1;
}

Test(policy_matrix, each_rule_under_all_facts)
{
	size_t seen = 0;

	for (int rule = 0; rule < RULE_MAX; rule++)
		for (unsigned int bits = 0; bits <= ALL_FACTS; bits++)
			for (int difference = 0; difference < DIFFERENCE_MAX;
			     difference += step_of((Rule)rule), seen++)
				check_one((Rule)rule, bits, (Difference)difference);
	cr_assert_eq(seen, ((size_t)(RULE_MAX - 3) * 2 + 3 * DIFFERENCE_MAX) * (ALL_FACTS + 1));
	cr_assert_eq(ARRAY_SIZE(matrix), (size_t)RULE_MAX, "a rule has no row");
}

Test(policy_matrix, invalid_rules_deny)
{
	PolicyFacts facts = make_facts(ALL_FACTS & ~QUARANTINED, DIFFERENCE_NONE);
	Failure failure;

	cr_assert_eq(policy_check(RULE_MAX, &facts, NULL, &failure), STATUS_ACCESS_DENIED);
	cr_assert_eq(policy_check((Rule)99, &facts, NULL, &failure), STATUS_ACCESS_DENIED);
}

Test(policy_matrix, privileges_are_read_only_if_they_decide)
{
	for (int rule = 0; rule < RULE_MAX; rule++)
		for (unsigned int bits = 0; bits <= ALL_FACTS; bits++) {
			PolicyFacts facts = make_facts(bits, DIFFERENCE_UNREADABLE);
			PolicyFacts equal = make_facts(bits, DIFFERENCE_NONE);
			Failure failure;
			bool decides = policy_check((Rule)rule, &facts, NULL, &failure) !=
				       policy_check((Rule)rule, &equal, NULL, &failure);

			cr_assert_eq(policy_needs_privileges((Rule)rule, &facts), decides,
				     "rule %d, facts %#x", rule, bits);
		}
}

/* Written by hand, to notice changes. */
static const struct {
	const char *interface, *name;
	Rule rule;
	int flags;
} expected_rows[] = {
	{ "org.varlink.service", "GetInfo", RULE_ANYONE, METHOD_READS },
	{ "org.varlink.service", "GetInterfaceDescription", RULE_ANYONE, METHOD_READS },
	{ "io.vaild", "RegisterVailProcess", RULE_DISPLAY_CLIENT, METHOD_AUDITS_REFUSALS },
	{ "io.vaild", "UnregisterVailProcess", RULE_ANYONE, METHOD_CHANGES_STATE },
	{ "io.vaild", "RevokeRegistration", RULE_MACHINE_OWNER, METHOD_CHANGES_STATE },
	{ "io.vaild", "Watch", RULE_WATCHER, METHOD_STREAMS },
	{ "io.vaild", "ListRegistrations", RULE_ANYONE, METHOD_READS },
	{ "io.vaild", "ShareObjectWithHost", RULE_SHARER, METHOD_CHANGES_STATE | METHOD_TAKES_FDS },
	{ "io.vaild", "UpdateObject", RULE_OBJECT_SHARER, METHOD_READS },
	{ "io.vaild", "UnshareObject", RULE_OBJECT_ENDER, METHOD_CHANGES_STATE },
	{ "io.vaild", "OpenSharedObject", RULE_OBJECT_OPENER,
	  METHOD_AUDITS_REFUSALS | METHOD_GIVES_FDS },
	{ "io.vaild", "CloseSharedObject", RULE_OBJECT_HOLDER, METHOD_CHANGES_STATE },
	{ "io.vaild", "ListSharedObjects", RULE_ANYONE, METHOD_READS },
	{ "io.vaild.Machine", "RegisterVirtualMachine", RULE_MACHINE_MAKER, METHOD_CHANGES_STATE },
	{ "io.vaild.Machine", "UpdateVirtualMachine", RULE_MACHINE_OWNER, METHOD_CHANGES_STATE },
	{ "io.vaild.Machine", "UnregisterVirtualMachine", RULE_MACHINE_OWNER,
	  METHOD_CHANGES_STATE },
	{ "io.vaild.Machine", "AssignVirtualGpu", RULE_MACHINE_OWNER, METHOD_CHANGES_STATE },
	{ "io.vaild.Machine", "RemoveVirtualGpu", RULE_MACHINE_OWNER, METHOD_CHANGES_STATE },
	{ "io.vaild.Machine", "ListVirtualMachines", RULE_ANYONE, METHOD_READS },
	{ "io.vaild.Machine", "DescribeVirtualMachine", RULE_MACHINE_VIEWER, METHOD_READS },
	{ "io.vaild.Machine", "SetQuarantine", RULE_QUARANTINER, METHOD_CHANGES_STATE },
	{ "io.vaild.Machine", "ListQuarantines", RULE_QUARANTINE_VIEWER, METHOD_READS },
	{ "io.vaild.Display", "OpenDisplay", RULE_DISPLAY_OPENER,
	  METHOD_AUDITS_REFUSALS | METHOD_GIVES_FDS },
	{ "io.vaild.Display", "ServeDisplays", RULE_DISPLAY_SERVER,
	  METHOD_CHANGES_STATE | METHOD_STREAMS },
	{ "io.vaild.Display", "CloseDisplay", RULE_DISPLAY_CLOSER, METHOD_CHANGES_STATE },
	{ "io.vaild.Display", "ListDisplays", RULE_ANYONE, METHOD_READS },
	{ "io.vaild.Gpu", "ListAdapters", RULE_ANYONE, METHOD_READS },
	{ "io.vaild.Gpu", "ListHolders", RULE_ANYONE, METHOD_READS },
	{ "io.vaild.Gpu", "RegisterAdapter", RULE_OPERATOR, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "UnregisterAdapter", RULE_ADAPTER_OWNER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "CreateContext", RULE_ANYONE, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "DestroyContext", RULE_CONTEXT_OWNER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "CreateProcess", RULE_ADAPTER_DRIVER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "ReserveGpuVirtualAddressRange", RULE_ADAPTER_DRIVER,
	  METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "CompleteCreateProcess", RULE_ADAPTER_DRIVER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "DestroyProcess", RULE_ADAPTER_DRIVER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "ListProcesses", RULE_ANYONE, METHOD_READS },
	{ "io.vaild.Gpu", "SetReservedPageTableEntry", RULE_ADAPTER_DRIVER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "EvictPageTable", RULE_ADAPTER_DRIVER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "MakePageTableResident", RULE_ADAPTER_DRIVER, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "ReserveGpuVirtualAddress", RULE_PROCESS_ITSELF, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "MapGpuVirtualAddress", RULE_PROCESS_ITSELF, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "FreeGpuVirtualAddress", RULE_PROCESS_ITSELF, METHOD_CHANGES_STATE },
	{ "io.vaild.Gpu", "TranslateGpuVirtualAddress", RULE_PROCESS_VIEWER, METHOD_READS },
	{ "io.vaild.Gpu", "DescribeAddressSpace", RULE_PROCESS_VIEWER, METHOD_READS },
	{ "io.vaild.Monitor", "GetStatus", RULE_ANYONE, METHOD_READS },
	{ "io.vaild.Monitor", "GetMetrics", RULE_OBSERVER, METHOD_READS },
	{ "io.vaild.Monitor", "ReloadConfiguration", RULE_OPERATOR, METHOD_CHANGES_STATE },
};

Test(policy_matrix, each_method_has_the_expected_rule)
{
	cr_assert_eq(method_count, ARRAY_SIZE(expected_rows), "a method was added or removed");
	for (size_t i = 0; i < ARRAY_SIZE(expected_rows); i++) {
		char name[96];
		const Method *method = NULL;

		snprintf(name, sizeof(name), "%s.%s", expected_rows[i].interface,
			 expected_rows[i].name);
		cr_assert_eq(method_find(name, &method), METHOD_FOUND, "%s is missing", name);
		cr_assert_eq(method->rule, expected_rows[i].rule, "%s has the wrong rule", name);
		cr_assert_eq(method->flags, expected_rows[i].flags, "%s has the wrong flags", name);
	}
}

Test(policy_matrix, each_method_has_a_rule)
{
	cr_assert(methods_are_sound());
	for (size_t i = 0; i < method_count; i++) {
		cr_assert_gt(methods[i].rule, RULE_NONE, "%s", methods[i].name);
		cr_assert_lt(methods[i].rule, RULE_MAX, "%s", methods[i].name);
	}
}

/* A rule about a subject's facts must not be used without that subject. */
Test(policy_matrix, rules_match_the_subjects_of_their_methods)
{
	for (size_t i = 0; i < method_count; i++) {
		const Method *method = &methods[i];
		bool needs_vm = method->rule == RULE_MACHINE_OWNER ||
				method->rule == RULE_MACHINE_VIEWER ||
				method->rule == RULE_DISPLAY_CLIENT;

		if (needs_vm)
			cr_assert(method->subject == SUBJECT_VM ||
					  method->subject == SUBJECT_VIRTUAL_GPU,
				  "%s", method->name);
		if (method->rule == RULE_WATCHER)
			cr_assert_eq(method->subject, SUBJECT_VM_IF_NAMED, "%s", method->name);
		if (method->rule == RULE_CONTEXT_OWNER)
			cr_assert_eq(method->subject, SUBJECT_CONTEXT, "%s", method->name);
	}
}

/* An observer may do nothing that changes anything, and gets no fds. */
Test(policy_matrix, rules_of_observers_only_read)
{
	for (size_t i = 0; i < method_count; i++) {
		const Method *method = &methods[i];
		PolicyFacts nobody = make_facts(0, DIFFERENCE_UID);
		PolicyFacts observer = make_facts(OBSERVER, DIFFERENCE_UID);
		Failure failure;
		bool gains = policy_check(method->rule, &nobody, NULL, &failure) !=
			     policy_check(method->rule, &observer, NULL, &failure);
		int changes = METHOD_CHANGES_STATE | METHOD_TAKES_FDS | METHOD_GIVES_FDS |
			      METHOD_AUDITS_REFUSALS;

		cr_assert(!gains || !(method->flags & changes), "%s", method->name);
	}
}

Test(policy_matrix, the_quarantine_group_gains_two_methods)
{
	size_t gained = 0;

	for (size_t i = 0; i < method_count; i++) {
		const Method *method = &methods[i];
		PolicyFacts nobody = make_facts(0, DIFFERENCE_UID);
		PolicyFacts member = make_facts(QUARANTINER, DIFFERENCE_UID);
		Failure failure;

		if (policy_check(method->rule, &nobody, NULL, &failure) ==
		    policy_check(method->rule, &member, NULL, &failure))
			continue;
		gained++;
		cr_assert(strcmp(method->name, "SetQuarantine") == 0 ||
				  strcmp(method->name, "ListQuarantines") == 0,
			  "%s", method->name);
	}
	cr_assert_eq(gained, 2u);
}

/* These rules are checked before it is known whether the subject exists. */
Test(policy_matrix, rules_about_no_subject_precede_it)
{
	const unsigned int of_caller = OPERATOR | OBSERVER | QUARANTINER | OPERATORS_ONLY;

	for (int rule = 0; rule < RULE_MAX; rule++) {
		PolicyFacts nobody = make_facts(0, DIFFERENCE_UID);
		PolicyFacts anybody = make_facts(
			ALL_FACTS & ~(of_caller | QUARANTINED | NO_MACHINE), DIFFERENCE_NONE);
		Failure failure;
		bool depends = policy_check((Rule)rule, &nobody, NULL, &failure) !=
			       policy_check((Rule)rule, &anybody, NULL, &failure);
		bool precedes = !depends && rule != RULE_NONE && rule != RULE_ANYONE;

		cr_assert_eq(policy_precedes_subject((Rule)rule), precedes, "rule %d", rule);
	}
}

Test(policy_matrix, a_denied_user_learns_which_group_may)
{
	static const PolicyGroups all = { "vaild", "vaild-observers", "wardens" };
	static const PolicyGroups operators = { .operators = "vaild", .observers = "" };
	static const PolicyGroups root = { 0 };
	static const struct {
		Rule rule;
		const PolicyGroups *groups;
		const char *message;
	} rows[] = {
		{ RULE_OPERATOR, &all,
		  "only operators may do this; call as root or as a member of the group vaild" },
		{ RULE_OPERATOR, &root, "only operators may do this; call as root" },
		{ RULE_OPERATOR, NULL, "only operators may do this; call as root" },
		{ RULE_OBSERVER, &all,
		  "only operators and observers may do this; call as root or as a member of the "
		  "group vaild or vaild-observers" },
		{ RULE_QUARANTINER, &all,
		  "only operators and members of quarantineGroup in vaild.json "
		  "may do this; call as root or as a member of the group vaild or wardens" },
		{ RULE_QUARANTINE_VIEWER, &all,
		  "only operators, observers and members of quarantineGroup in "
		  "vaild.json may do this; call as root or as a member of the group vaild, "
		  "vaild-observers or wardens" },
		{ RULE_QUARANTINE_VIEWER, &operators,
		  "only operators, observers and members of quarantineGroup in "
		  "vaild.json may do this; call as root or as a member of the group vaild" },
		{ RULE_MACHINE_MAKER, &all,
		  "only operators may add a VM here; call as root or as a member of the group "
		  "vaild, or ask an administrator to set allowUserMachines in vaild.json" },
		{ RULE_MACHINE_MAKER, &root,
		  "only operators may add a VM here; call as root, or ask an administrator to "
		  "set allowUserMachines in vaild.json" },
		{ RULE_MACHINE_OWNER, &all,
		  "only operators and the user who added the VM may do this; call as one of "
		  "them, such as a member of the group vaild" },
		{ RULE_MACHINE_OWNER, &root,
		  "only operators and the user who added the VM may do this; call as one of "
		  "them, such as root" },
		{ RULE_WATCHER, &all,
		  "only operators, observers, the VM's VMM and agent, and processes registered "
		  "for it may watch the VM; call as one of them, such as a member of the group "
		  "vaild or vaild-observers" },
		{ RULE_SHARER, &all,
		  "only the VM's VMM and its agent may share objects for it; ask an operator to "
		  "make this process or its user the agent" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PolicyFacts facts = { .names_machine = true };
		Failure failure = FAILURE_INIT;

		cr_assert_eq(policy_check(rows[i].rule, &facts, rows[i].groups, &failure),
			     STATUS_ACCESS_DENIED);
		cr_assert_str_eq(failure.message, rows[i].message);
	}
}
