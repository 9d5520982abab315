/* SPDX-License-Identifier: MIT */
/*
 * The rules of authorisation, daemon/api/policy.c, for all rules and all facts. A rule may also be
 * a number that is not in the enumeration.
 *
 * Proved: policy_check() succeeds exactly if the table below names a fact that holds. So no method
 * succeeds without a rule, a caller without facts is denied, and a VM in quarantine admits nobody
 * to RULE_DISPLAY_CLIENT, RULE_OBJECT_OPENER and RULE_DISPLAY_OPENER. Without a configuration, only
 * operators succeed.
 * A caller whose only fact is that it is an observer succeeds under the rules that read, and under
 * no other; one of the quarantine group under two. Each denial is STATUS_ACCESS_DENIED with a
 * reason. The decision depends on the privileges of the caller only if policy_needs_privileges()
 * says so.
 *
 * Nothing is bounded: the code has no loop, and all values of all facts are tried.
 */
#include "daemon/api/policy.h"
#include "tests/proofs/proof.h"

/* Returns every combination of facts, also with numbers that are no difference. */
PolicyFacts nondet_facts(void);

static PolicyFacts any_facts(void)
{
	PolicyFacts facts = nondet_facts();

	assume(facts.difference >= DIFFERENCE_NONE && facts.difference < DIFFERENCE_MAX);
	return facts;
}

/*
 * The facts that each rule asks for, of which one suffices. This repeats the comments of policy.h
 * and not the code of policy.c.
 */
static bool is_entitled(Rule rule, const PolicyFacts *f)
{
	const bool entitles[RULE_MAX] = {
		[RULE_ANYONE] = true,
		[RULE_OPERATOR] = f->is_operator,
		[RULE_OBSERVER] = f->is_operator || f->is_observer,
		[RULE_QUARANTINER] = f->is_operator || f->may_quarantine,
		[RULE_QUARANTINE_VIEWER] = f->is_operator || f->is_observer || f->may_quarantine,
		[RULE_MACHINE_MAKER] = f->is_operator || f->allow_user_machines,
		[RULE_MACHINE_OWNER] = f->is_operator || f->is_registrar,
		[RULE_MACHINE_VIEWER] = f->is_operator || f->is_observer || f->is_registrar ||
					f->is_vmm || f->is_registered || f->resembles_client,
		[RULE_DISPLAY_CLIENT] = !f->is_quarantined &&
					(f->is_registered || (f->difference == DIFFERENCE_NONE)),
		[RULE_WATCHER] = !f->names_machine || f->is_operator || f->is_observer ||
				 f->is_vmm || f->is_agent || f->is_registered,
		[RULE_CONTEXT_OWNER] = f->is_context_owner,
		[RULE_ADAPTER_OWNER] = f->is_operator || f->is_driver,
		[RULE_ADAPTER_DRIVER] = f->is_driver,
		[RULE_PROCESS_ITSELF] = f->is_process_itself,
		[RULE_PROCESS_VIEWER] =
			f->is_process_itself || f->is_driver || f->is_operator || f->is_observer,
		[RULE_SHARER] = f->is_vmm || f->is_agent,
		[RULE_OBJECT_SHARER] = f->is_object_sharer,
		[RULE_OBJECT_ENDER] = f->is_object_sharer || f->is_operator,
		[RULE_OBJECT_OPENER] = !f->is_quarantined && f->is_registered &&
				       (f->difference == DIFFERENCE_NONE),
		[RULE_OBJECT_HOLDER] = f->is_object_holder,
		[RULE_DISPLAY_OPENER] = !f->is_quarantined && f->is_registered &&
					(f->difference == DIFFERENCE_NONE),
		[RULE_DISPLAY_SERVER] = f->is_vmm || f->is_agent,
		[RULE_DISPLAY_CLOSER] =
			f->is_display_opener || f->is_vmm || f->is_agent || f->is_operator,
	};

	if (f->operators_only && !f->is_operator)
		return false;
	return rule > RULE_NONE && rule < RULE_MAX && entitles[rule];
}

PROOF(policy_check)
{
	Rule rule = (Rule)nondet_int();
	PolicyFacts facts = any_facts();
	Failure failure = FAILURE_INIT;
	NTSTATUS status = policy_check(rule, &facts, NULL, &failure);

	assert((status == STATUS_SUCCESS) == is_entitled(rule, &facts));
	if (status == STATUS_SUCCESS)
		return;
	assert(status == STATUS_ACCESS_DENIED);
	assert(failure.status == status && failure.reason != NULL);
}

/* A caller that is only a member of groups gains what these give, and no more. */
PROOF(policy_groups)
{
	Rule rule = (Rule)nondet_int();
	PolicyFacts facts = { .names_machine = true, .difference = DIFFERENCE_UID };
	Failure failure;
	bool reads = rule == RULE_OBSERVER || rule == RULE_QUARANTINE_VIEWER ||
		     rule == RULE_MACHINE_VIEWER || rule == RULE_WATCHER ||
		     rule == RULE_PROCESS_VIEWER;
	bool quarantines = rule == RULE_QUARANTINER || rule == RULE_QUARANTINE_VIEWER;

	facts.is_observer = nondet_bool();
	facts.may_quarantine = nondet_bool();
	facts.is_quarantined = nondet_bool();
	bool gains = (facts.is_observer && reads) || (facts.may_quarantine && quarantines);
	assert((policy_check(rule, &facts, NULL, &failure) == STATUS_SUCCESS) ==
	       (rule == RULE_ANYONE || gains));
}

/* The lists leave out exactly what their methods would refuse. Whoever is shut out gets no list. */
PROOF(policy_views)
{
	PolicyFacts facts = any_facts();
	Failure failure;

	assume(!facts.operators_only);
	assert(policy_allows_view(&facts) ==
	       (policy_check(RULE_MACHINE_VIEWER, &facts, NULL, &failure) == STATUS_SUCCESS));
	assert(policy_allows_process_view(&facts) ==
	       (policy_check(RULE_PROCESS_VIEWER, &facts, NULL, &failure) == STATUS_SUCCESS));
}

/* Compares two callers that differ only in their privileges. */
PROOF(policy_needs_privileges)
{
	Rule rule = (Rule)nondet_int();
	PolicyFacts facts = any_facts(), other = facts;
	Failure failure;

	other.difference = any_facts().difference;
	assert(policy_needs_privileges(rule, &facts) == policy_needs_privileges(rule, &other));
	if (!policy_needs_privileges(rule, &facts))
		assert(policy_check(rule, &facts, NULL, &failure) ==
		       policy_check(rule, &other, NULL, &failure));
}
