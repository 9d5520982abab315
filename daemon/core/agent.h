/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_AGENT_H
#define DAEMON_CORE_AGENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/core/process.h"

typedef struct VirtualMachine VirtualMachine;
typedef struct Agent Agent;

/*
 * A user or process that may share objects on behalf of a VM's VMM. The agent is part of the VM, or
 * of the VM's incoming VMM.
 */
struct Agent {
	VirtualMachine *vm;
	bool is_incoming;     /* on behalf of the incoming VMM */
	bool is_from_drop_in; /* named by a drop-in and not by a request */
	char *user;           /* the name in the request; NULL for a process */
	uid_t uid;            /* the user's uid; 0 for a process */
	Process *process;     /* watched; NULL for a user */
	LIST_ENTRY(Agent) of_process;
	RB_ENTRY(Agent) by_user; /* if listed, and the agent is a user */
};

typedef RB_HEAD(AgentUserTree, Agent) AgentUserTree;

/* Tests whether there is an agent. Without one, all members are 0. */
static inline bool agent_exists(const Agent *agent)
{
	return agent->user || agent->process;
}

/* Links the agent to its process. Does nothing for a user. */
void agent_link(Agent *agent);

/* Unlinks the agent, empties *agent and returns it. Release it with agent_release(). */
Agent agent_take(Agent *agent);

/* Releases the agent's memory and its process. Accepts an empty agent. */
void agent_release(Broker *broker, Agent *agent);

/* Add the agent of a listed VM to the index of agents that are users, or remove it. */
void agent_index(Broker *broker, Agent *agent);
void agent_unindex(Broker *broker, Agent *agent);

/* Returns an agent of a listed VM that is the user, or NULL. */
const Agent *agent_find_by_user(Broker *broker, uid_t uid);

#endif
