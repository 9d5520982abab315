/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_AGENT_PROCESS_H
#define CLIENT_VAIL_LIBVIRT_AGENT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A child process, such as a running vail-qemu, which libvirt's event loop watches. It ends with
 * this process.
 */

/* Called after the process has ended. status: as of waitpid(). */
typedef void AgentExited(void *context, int status);

typedef struct AgentProcess {
	pid_t pid; /* 0 if it does not run */
	int pidfd; /* -1 if it does not run */
	int watch; /* libvirt's number for the pidfd; -1 for none */
	AgentExited *exited;
	void *context;
} AgentProcess;

#define AGENT_PROCESS_INIT ((AgentProcess){ .pidfd = -1, .watch = -1 })

/* The display's socket in vail-qemu. */
#define AGENT_DISPLAY_FD      3
#define AGENT_DISPLAY_FD_TEXT "3"

/* The user of a child process. It gets no further groups. */
typedef struct ProcessUser {
	uid_t uid;
	gid_t gid;
} ProcessUser;

typedef struct AgentProgram {
	const char *path;
	char **arguments;
	int display;             /* a socket, for AGENT_DISPLAY_FD; -1 for none */
	const ProcessUser *user; /* NULL for this process's */
} AgentProgram;

/*
 * Starts a program with this process's environment without systemd's socket. If the program cannot
 * be executed, it ends with status 127.
 *
 * exited: called if the process ends by itself.
 *
 * Returns 0 or a positive errno.
 */
int agent_process_start(AgentProcess *process, const AgentProgram *program, AgentExited *exited,
			void *context);

/* A function that is called in a new process. */
typedef struct AgentFunction {
	int (*call)(void *argument); /* returns the exit status */
	void *argument;
	const ProcessUser *user; /* NULL for this process's */
	int fd;                  /* the only one it keeps beside 0, 1 and 2; -1 for none */
} AgentFunction;

/*
 * Calls the function in a new process of its user. Another process of that user cannot trace it,
 * because its memory is a copy of this process's.
 *
 * exited: see agent_process_start().
 *
 * Returns 0 or a positive errno.
 */
int agent_process_call(AgentProcess *process, const AgentFunction *function, AgentExited *exited,
		       void *context);

static inline bool agent_process_runs(const AgentProcess *process)
{
	return process->pid > 0;
}

/* Asks the process to end. It still has to be stopped. */
void agent_process_ask(const AgentProcess *process);

/* Ends the process, by force if it does not end within two seconds. Idempotent. */
void agent_process_stop(AgentProcess *process);

#endif
