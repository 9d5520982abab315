/* SPDX-License-Identifier: MIT */
#include "daemon/core/agent.h"

#include <stdlib.h>

#include "daemon/core/broker.h"

static int agent_compare_user(const Agent *a, const Agent *b)
{
	int order = compare_numbers(a->uid, b->uid);

	if (order == 0)
		order = compare_numbers(a->vm ? a->vm->entity.serial : 0,
					b->vm ? b->vm->entity.serial : 0);
	return order != 0 ? order : compare_numbers(a->is_incoming, b->is_incoming);
}

TREE_GENERATE(AgentUserTree, Agent, by_user, agent_compare_user)

void agent_link(Agent *agent)
{
	if (agent->process)
		LIST_INSERT_HEAD(&agent->process->agent_of, agent, of_process);
}

Agent agent_take(Agent *agent)
{
	Agent taken = *agent;

	if (agent->process)
		LIST_REMOVE(agent, of_process);
	*agent = (Agent){ 0 };
	return taken;
}

void agent_release(Broker *broker, Agent *agent)
{
	free(agent->user);
	process_release(broker, agent->process);
}

void agent_index(Broker *broker, Agent *agent)
{
	if (agent->user)
		RB_INSERT(AgentUserTree, &broker->agents_by_user, agent);
}

void agent_unindex(Broker *broker, Agent *agent)
{
	if (agent->user)
		RB_REMOVE(AgentUserTree, &broker->agents_by_user, agent);
}

const Agent *agent_find_by_user(Broker *broker, uid_t uid)
{
	Agent first = { .uid = uid };
	Agent *agent = RB_NFIND(AgentUserTree, &broker->agents_by_user, &first);

	return agent && agent->uid == uid ? agent : NULL;
}
