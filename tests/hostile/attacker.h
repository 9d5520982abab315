/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_ATTACKER_H
#define TESTS_HOSTILE_ATTACKER_H

#include "tests/hostile/hostile.h"

/* Starts the process of an attacker, in a process group of its own. */
pid_t attacker_start(const Attack *attack, const Attacker *attacker);

/*
 * Call when the preparations are finished. Waits until those of the other attackers are, because
 * one attack could make the preparations of the next take for ever.
 */
void attacker_begin(const Attacker *attacker);

/* Changes the ids of the process to those of the attacker's user. */
void attacker_become_user(const Attacker *attacker);

/* Opens idle connections, which stay open, so that the user has as many as the form demands. */
void attacker_hold_connections(const Attacker *attacker, unsigned int count);

/* Connects, with blocking. */
int attacker_connect(const Attacker *attacker);

/* The same, and waits until the daemon has let the connection send fds. */
int attacker_connect_as_agent(const Attacker *attacker);

#endif
