/* SPDX-License-Identifier: MIT */
#include "client/vailctl/vmm-process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/common/program-options.h"
#include "client/common/run-program.h"
#include "client/common/user-message.h"
#include "client/vailctl/output.h"
#include "client/vailctl/register.h"
#include "client/vailctl/vm-state.h"
#include "proto/macros.h"

/* A command that ends with success within this time was no VMM, in milliseconds. */
#define AT_ONCE 2000

/* Time for the command's helper processes to end after it, in milliseconds. */
#define GRACE 1000

typedef struct VmmProcess {
	Tool *tool;
	pid_t pid;
	int status;     /* as waitpid() returns it */
	int failure[2]; /* a pipe; the child process writes to it if the command does not start */
	int64_t started_at;
	sigset_t signals;        /* those to wait for, which are blocked */
	sigset_t inherited_mask; /* vailctl's mask and SIGCHLD action at its start, for the VMM */
	struct sigaction on_child;
} VmmProcess;

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- The child process ---- */

/* Becomes the VMM. Returns the exit status if that fails. */
static int become_vmm(const VmmProcess *vmm, const VailMachine *machine, pid_t parent)
{
	Tool *tool = vmm->tool;

	/* The VM ends with vailctl, as if the command ran in its place. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return EXIT_FAILED;
	sigaction(SIGCHLD, &vmm->on_child, NULL);
	sigprocmask(SIG_SETMASK, &vmm->inherited_mask, NULL);
	pid_t former = vm_incoming_vmm(tool, tool->arguments[0]);
	NTSTATUS status = vail_register_virtual_machine(tool->vail, tool->arguments[0], machine);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (!vm_note_incoming(tool, getpid(), machine, former)) {
		vm_note_root_client(tool, NULL);
		vm_note_same_name(tool, tool->arguments[0], machine->name);
	}
	return tool_exec(tool);
}

/* ---- vailctl itself ---- */

static void prepare_signals(VmmProcess *vmm)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };

	program_signals(&vmm->signals);
	sigprocmask(SIG_BLOCK, &vmm->signals, &vmm->inherited_mask);
	sigaction(SIGCHLD, &by_default, &vmm->on_child); /* if ignored, waitpid() would fail */
}

/* Reaps the VMM, and processes that it has left. Returns true when the VMM has ended. */
static bool reap(VmmProcess *vmm)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != vmm->pid)
			continue;
		vmm->status = status;
		return true;
	}
	return pid < 0 && errno == ECHILD;
}

static void wait_for_end(VmmProcess *vmm)
{
	siginfo_t info;

	while (!reap(vmm)) {
		int number = sigwaitinfo(&vmm->signals, &info);

		if (number > 0)
			program_pass_signal(vmm->pid, number, info.si_code);
	}
}

/* Returns a child process of this one, or 0 if the kernel does not tell. */
static pid_t find_child(void)
{
	char path[64];
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *children = fopen(path, "re");
	if (children && fscanf(children, "%d", &pid) != 1)
		pid = 0;
	if (children)
		fclose(children);
	return pid;
}

/*
 * Tests whether the VMM has left processes, which are children of this one now. Gives them some
 * time to end.
 */
static bool has_left_processes(const VmmProcess *vmm)
{
	int64_t end = milliseconds() + GRACE, left;
	pid_t pid;

	while (true) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		left = end - milliseconds();
		if (pid < 0 || left <= 0)
			return pid == 0;
		const struct timespec timeout = { left / 1000, left % 1000 * 1000000 };
		sigtimedwait(&vmm->signals, NULL, &timeout);
	}
}

/* Tests whether the command was started. If not, the child process has said why. */
static bool was_started(const VmmProcess *vmm)
{
	char byte;

	return read(vmm->failure[0], &byte, sizeof(byte)) != sizeof(byte);
}

/* Says why the VM has ended, unless a signal has ended the command: its sender knows. */
static int report_failure(const VmmProcess *vmm)
{
	if (WIFEXITED(vmm->status) && was_started(vmm))
		log_message("virtual machine %s has ended, because %s ended with exit status %d",
			    vmm->tool->arguments[0], vmm->tool->options.run[0],
			    WEXITSTATUS(vmm->status));
	return program_end_alike(vmm->status);
}

/* Reports that the VM ended with a command that continues in other processes. */
static int report_background(const VmmProcess *vmm)
{
	const char *command = vmm->tool->options.run[0], *guid = vmm->tool->arguments[0];
	pid_t child = find_child();

	if (child == 0)
		return command_error(
			"virtual machine %s has ended, because the process that vailctl started "
			"has: %s continues in the background; run it in the foreground (QEMU: "
			"without -daemonize), or add the VM with --pid PID",
			guid, command);
	return command_error(
		"virtual machine %s has ended, because the process that vailctl started has: %s "
		"continues in the background as process %d; run it in the foreground (QEMU: "
		"without -daemonize), or add the VM with: vailctl vm add %s --pid %d",
		guid, command, (int)child, guid, (int)child);
}

static int report_end(const VmmProcess *vmm)
{
	bool is_success = WIFEXITED(vmm->status) && WEXITSTATUS(vmm->status) == EXIT_DONE;
	bool at_once = milliseconds() - vmm->started_at < AT_ONCE;

	if (!is_success)
		return report_failure(vmm);
	if (has_left_processes(vmm))
		return report_background(vmm);
	if (!at_once)
		return EXIT_DONE;
	return command_error(
		"virtual machine %s has ended, because %s ended at once, with exit status 0; give "
		"a command that runs as long as the VM",
		vmm->tool->arguments[0], vmm->tool->options.run[0]);
}

int vmm_process_run(Tool *tool, const VailMachine *machine)
{
	VmmProcess vmm = { .tool = tool, .started_at = milliseconds() };
	pid_t parent = getpid();

	prepare_signals(&vmm);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* to see what a command leaves that daemonizes */
	fflush(stdout);
	if (pipe2(vmm.failure, O_CLOEXEC | O_NONBLOCK) < 0)
		return command_error("cannot start a process: %s", strerror(errno));
	vmm.pid = fork();
	if (vmm.pid < 0)
		return command_error("cannot start a process: %s", strerror(errno));
	if (vmm.pid == 0) {
		int exit_status = become_vmm(&vmm, machine, parent);
		fflush(stdout);
		(void)!write(vmm.failure[1], "", 1);
		_exit(exit_status);
	}
	wait_for_end(&vmm);
	return report_end(&vmm);
}
