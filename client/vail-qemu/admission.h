/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_ADMISSION_H
#define CLIENT_VAIL_QEMU_ADMISSION_H

#include "client/vail-qemu/agent.h"

/*
 * QEMU's display serves one client, so joining it takes it from the present one. Before that,
 * vail-qemu asks vaild whether it may share the screen, and whether another process serves it.
 */
typedef enum Admission {
	ADMISSION_GRANTED,
	ADMISSION_REFUSED,
	ADMISSION_DELAYED, /* vaild is not reachable, or another agent may be about to end */
} Admission;

/*
 * Registers the VM, as agent_connect() does, and waits for vaild's answer. Logs the reason of a
 * refusal. After ADMISSION_DELAYED, call it again after ADMISSION_INTERVAL.
 *
 * agent: initialised.
 * qemu: a pidfd of QEMU. Its end ends the wait with ADMISSION_REFUSED, without a message.
 */
#define ADMISSION_INTERVAL 500 /* milliseconds */
Admission admission_ask(Agent *agent, int qemu);

/* Removes the VM from vaild if admission_ask() has added it. Call if the display is not joined. */
void admission_withdraw(Agent *agent);

#endif
