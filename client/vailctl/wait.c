/* SPDX-License-Identifier: MIT */
/*
 * The wait command. It watches the VM, or, while the VM does not run, everything. Each watch begins
 * with all that exists, so nothing is missed between two watches.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/common/program-options.h"
#include "client/common/self-register.h"
#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/monitor.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/vailctl.h"
#include "client/vailctl/vm-state.h"
#include "proto/macros.h"
#include <vail.h>

/* How long the command is silent before it says what it waits for, in milliseconds. */
#define SILENT_MILLISECONDS 1000

/* The exit status after --timeout, the same as that of timeout(1). */
#define EXIT_TIMED_OUT 124

typedef enum Goal {
	GOAL_REGISTERED, /* a process is registered for the VM */
	GOAL_SHARED,     /* an object of the VM is shared */
	GOAL_ENDED,      /* the VM does not run any more */
	GOAL_MAX,
} Goal;

static const struct {
	const char *name;
	const char *missing; /* what the VM does not have yet */
} goals[] = {
	[GOAL_REGISTERED] = { "registered", "has no registered process" },
	[GOAL_SHARED] = { "shared", "shares no object" },
	[GOAL_ENDED] = { "ended", "has not ended" },
};

_Static_assert(ARRAY_SIZE(goals) == GOAL_MAX, "each goal has a name");

/* The next action of the command. */
typedef enum Step {
	STEP_WATCH_MACHINE,
	STEP_WATCH_ALL,     /* until the VM runs */
	STEP_REGISTER_SELF, /* a display client must register before it may watch the VM */
	STEP_EXIT,
} Step;

typedef struct Wait {
	Tool *tool;
	const char *text; /* that names the VM */
	Goal goal;
	int64_t deadline;             /* in milliseconds on CLOCK_MONOTONIC; INT64_MAX for none */
	int64_t silent_until;         /* the same; INT64_MAX if nothing is left to say */
	Step said;                    /* the step that was said last; STEP_EXIT for none */
	char guid[MACHINE_GUID_SIZE]; /* "" while no VM with the name runs */
	Step step;
	bool is_watching;   /* the present watch has not decided on the next step */
	bool is_current;    /* it has reported all that exists */
	bool is_registered; /* the command has registered itself */
	int exit_status;    /* of STEP_EXIT */
} Wait;

/* ---- Results ---- */

static void decide(Wait *wait, Step step)
{
	wait->is_watching = false;
	wait->step = step;
}

static void decide_exit(Wait *wait, int exit_status)
{
	decide(wait, STEP_EXIT);
	wait->exit_status = exit_status;
}

static int print_event_json(const Wait *wait, const VailEvent *event)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	report_document_begin(&writer);
	writer_key(&writer, "virtualMachineGuid");
	writer_string(&writer, wait->guid);
	if (event) {
		writer_key(&writer, "event");
		writer_json(&writer, event->json, strlen(event->json));
	}
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

static void print_pid(const Tool *tool, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	tool_print_result(tool, "Registered process", text);
}

/* Ends with success. event: the one that the user waits for; NULL if the VM does not run. */
static void succeed(Wait *wait, const VailEvent *event)
{
	decide_exit(wait, EXIT_DONE);
	if (options_have(&wait->tool->options, OPTION_JSON))
		wait->exit_status = print_event_json(wait, event);
	else if (wait->goal == GOAL_REGISTERED)
		print_pid(wait->tool, event->pid);
	else if (wait->goal == GOAL_SHARED)
		tool_print_result(wait->tool, "Shared object", event->shared_object->handle);
}

/* Ends because the VM does not run any more. */
static void end_with_machine(Wait *wait, const VailEvent *event)
{
	if (wait->goal == GOAL_ENDED) {
		succeed(wait, event);
		return;
	}
	decide_exit(wait, tool_failed(wait->tool, STATUS_NOT_FOUND,
				      "virtual machine %s %s, and has ended; start it, and wait "
				      "again",
				      wait->text, goals[wait->goal].missing));
}

/* ---- Time ---- */

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns the time that is left for poll(), or -1 for INT64_MAX. */
static int time_until(int64_t time)
{
	int64_t left = time - milliseconds();

	if (time == INT64_MAX)
		return -1;
	return left > 0 ? (int)left : 0;
}

/* Returns the time until the deadline, or -1 without one. */
static int time_left(const Wait *wait)
{
	return time_until(wait->deadline);
}

/* Lets the next call on the tool's handle end by the deadline. */
static void limit_call(const Wait *wait)
{
	int left = time_left(wait);

	if (left >= 0 && left < VAIL_TIMEOUT_DEFAULT)
		vail_set_timeout(wait->tool->vail, left);
}

/* Returns how the user has named the VM. */
static const char *kind_of_name(const Wait *wait)
{
	Guid guid;

	return guid_parse(wait->text, &guid) ? "with the GUID" : "named";
}

/* Says why the goal cannot be reached now, and what helps. Returns false if it can. */
static bool say_obstacle(Wait *wait)
{
	char quoted[SHELL_QUOTE_SIZE];

	if (wait->goal == GOAL_ENDED)
		return false;
	limit_call(wait);
	VmObstacle obstacle = vm_obstacle(wait->tool, wait->guid);
	if (obstacle == VM_OBSTACLE_QUARANTINE)
		log_message("virtual machine %s is in quarantine, so it %s; waiting until an "
			    "operator lifts the quarantine with: vailctl vm release %s",
			    wait->text, goals[wait->goal].missing, shell_quote(wait->text, quoted));
	else if (obstacle == VM_OBSTACLE_NO_VIRTUAL_GPU)
		log_message("virtual machine %s has no virtual GPU, so it %s; waiting until an "
			    "operator assigns one with: vailctl vgpu assign %s",
			    wait->text, goals[wait->goal].missing, shell_quote(wait->text, quoted));
	return obstacle != VM_OBSTACLE_NONE;
}

/* Says what the command waits for. */
static void say_waiting(Wait *wait)
{
	wait->silent_until = INT64_MAX;
	wait->said = wait->step;
	if (wait->step == STEP_WATCH_ALL)
		log_message("no VM %s %s runs yet; waiting for it", kind_of_name(wait), wait->text);
	else if (!say_obstacle(wait))
		log_message("virtual machine %s %s yet; waiting", wait->text,
			    goals[wait->goal].missing);
}

static void time_out(Wait *wait)
{
	unsigned long seconds = wait->tool->options.timeout;

	if (wait->step == STEP_WATCH_ALL)
		tool_failed(wait->tool, STATUS_IO_TIMEOUT,
			    "no VM %s %s has come within %lu s; to see the VMs that run, run: "
			    "vailctl list",
			    kind_of_name(wait), wait->text, seconds);
	else
		tool_failed(wait->tool, STATUS_IO_TIMEOUT,
			    "virtual machine %s %s after %lu s; to see what happens, run: vailctl "
			    "watch",
			    wait->text, goals[wait->goal].missing, seconds);
	decide_exit(wait, EXIT_TIMED_OUT);
}

/* Reports a refusal of the handle. */
static void refuse(Wait *wait, struct vail *vail, NTSTATUS status)
{
	Tool tool = *wait->tool;

	tool.vail = vail;
	if (status == STATUS_IO_TIMEOUT && time_left(wait) == 0)
		time_out(wait);
	else
		decide_exit(wait, tool_refused(&tool, status));
}

/* ---- The watch of the VM ---- */

/* Handles the end of a watch without an event. */
static void handle_refused_watch(Wait *wait, struct vail *vail, NTSTATUS status)
{
	bool may_register = wait->goal != GOAL_REGISTERED && !wait->is_registered;

	if (status == STATUS_NOT_FOUND && (wait->is_current || wait->goal == GOAL_ENDED))
		end_with_machine(wait, NULL);
	else if (status == STATUS_NOT_FOUND)
		decide(wait, STEP_WATCH_ALL);
	else if (status == STATUS_ACCESS_DENIED && may_register)
		decide(wait, STEP_REGISTER_SELF);
	else
		refuse(wait, vail, status);
}

/* Tests whether the event is the end of the VM, or of the command's own registration with it. */
static bool is_end_of_machine(const VailEvent *event, bool continues)
{
	return event->kind == VAIL_EVENT_VIRTUAL_MACHINE_REMOVED ||
	       (event->kind == VAIL_EVENT_UNREGISTERED && !continues &&
		event->status == STATUS_NOT_FOUND);
}

static bool is_goal(const Wait *wait, const VailEvent *event)
{
	if (event->kind == VAIL_EVENT_REGISTERED)
		return wait->goal == GOAL_REGISTERED;
	return event->kind == VAIL_EVENT_SHARED && wait->goal == GOAL_SHARED &&
	       event->shared_object;
}

/* Goes to stderr, because these two events come from libvail and not from vaild. */
static void log_interruption(VailEventKind kind)
{
	if (kind == VAIL_EVENT_INTERRUPTED)
		log_message("vaild has gone; waiting for it to return");
	else if (kind == VAIL_EVENT_RESUMED)
		log_message("vaild is back; waiting goes on");
}

/* Tests for an event after which the goal may be out of reach. */
static bool is_new_obstacle(VailEventKind kind)
{
	return kind == VAIL_EVENT_QUARANTINED || kind == VAIL_EVENT_VIRTUAL_GPU_REMOVED;
}

static bool on_machine_event(struct vail *vail, NTSTATUS status, const VailEvent *event,
			     bool continues, void *context)
{
	Wait *wait = context;

	if (!wait->is_watching)
		return false; /* the handle is being closed */
	if (!event) {
		handle_refused_watch(wait, vail, status);
		return false;
	}
	log_interruption(event->kind);
	wait->is_current |= event->kind == VAIL_EVENT_CURRENT;
	if (wait->is_current && is_new_obstacle(event->kind))
		wait->silent_until = milliseconds() + SILENT_MILLISECONDS;
	if (is_goal(wait, event))
		succeed(wait, event);
	else if (is_end_of_machine(event, continues))
		end_with_machine(wait, event);
	else if (!continues)
		decide_exit(wait, tool_failed(wait->tool, STATUS_ACCESS_DENIED,
					      "you may no longer watch virtual machine %s: %s",
					      wait->text,
					      event->reason ? event->reason : "no reason given"));
	return wait->is_watching;
}

/* ---- The watch of everything ---- */

/* Looks for the VM. Continues with it if it runs. */
static void look_for_machine(Wait *wait)
{
	_cleanup_free_ char *message = NULL;
	struct vail *vail = wait->tool->vail;

	limit_call(wait);
	NTSTATUS status = machine_find(vail, wait->text, MACHINES_RUNNING, wait->guid, &message);
	if (status == STATUS_SUCCESS)
		decide(wait, STEP_WATCH_MACHINE);
	else if (message && status == STATUS_NOT_FOUND && wait->goal == GOAL_ENDED)
		decide_exit(wait, tool_failed(wait->tool, status,
					      "%s; to wait for the end of a VM that may have ended "
					      "already, give its whole GUID",
					      message));
	else if (message && status != STATUS_NOT_FOUND)
		decide_exit(wait, tool_failed(wait->tool, status, "%s", message));
	else if (!message)
		refuse(wait, vail, status);
}

/* Tests whether the event may be the arrival of the VM. */
static bool may_be_arrival(const Wait *wait, const VailEvent *event)
{
	bool is_change = event->kind == VAIL_EVENT_VIRTUAL_MACHINE_ADDED ||
			 event->kind == VAIL_EVENT_VIRTUAL_MACHINE_CHANGED;
	Guid guid, arrived;

	/* Events do not have the name. One look finds all VMs that existed before. */
	if (!guid_parse(wait->text, &guid))
		return event->kind == VAIL_EVENT_CURRENT || (is_change && wait->is_current);
	return is_change && event->virtual_machine &&
	       guid_parse(event->virtual_machine, &arrived) && guid_compare(&guid, &arrived) == 0;
}

static bool on_any_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
			 void *context)
{
	Wait *wait = context;

	if (!wait->is_watching)
		return false; /* the handle is being closed */
	if (!event || !continues) {
		refuse(wait, vail, status);
		return false;
	}
	log_interruption(event->kind);
	wait->is_current |= event->kind == VAIL_EVENT_CURRENT;
	if (may_be_arrival(wait, event))
		look_for_machine(wait);
	return wait->is_watching;
}

/* ---- Steps ---- */

/* Handles the events of the watch until one of them decides on the next step. */
static void follow(Wait *wait, struct vail *watch)
{
	while (wait->is_watching) {
		struct pollfd poll_fd = { .fd = vail_descriptor(watch),
					  .events = vail_events(watch) };
		int64_t next =
			wait->silent_until < wait->deadline ? wait->silent_until : wait->deadline;
		int ready = poll(&poll_fd, 1, time_until(next));

		if (ready < 0 && errno != EINTR)
			decide_exit(wait,
				    command_error("cannot wait for events: %s", strerror(errno)));
		else if (ready == 0 && time_left(wait) == 0)
			time_out(wait);
		else if (ready == 0)
			say_waiting(wait);
		else
			vail_process(watch); /* reports errors to the callback */
	}
}

/* guid: see vail_watch(). */
static void watch(Wait *wait, const char *guid, VailWatch on_event)
{
	struct vail *vail = NULL;
	NTSTATUS status = vail_new(vail_path(wait->tool->vail), &vail);

	wait->is_watching = true;
	wait->is_current = false;
	wait->silent_until =
		wait->said == wait->step ? INT64_MAX : milliseconds() + SILENT_MILLISECONDS;
	if (status != STATUS_SUCCESS) {
		decide_exit(wait, tool_no_memory());
		return;
	}
	status = vail_watch(vail, guid, on_event, wait);
	if (status == STATUS_SUCCESS)
		follow(wait, vail);
	else
		refuse(wait, vail, status);
	vail_close(vail);
}

static void watch_all(Wait *wait)
{
	limit_call(wait);
	if (tool_sees_all(wait->tool))
		watch(wait, NULL, on_any_event);
	else
		decide_exit(wait,
			    tool_failed(wait->tool, STATUS_NOT_FOUND,
					"no virtual machine that you may see has the GUID or name "
					"%s, and only operators and observers may wait for one "
					"that does not run yet; to see the virtual machines, run: "
					"vailctl list",
					wait->text));
}

static void register_self(Wait *wait)
{
	struct vail *vail = wait->tool->vail;
	char context[VAIL_HANDLE_SIZE] = "";

	limit_call(wait);
	NTSTATUS status = self_register(vail, wait->guid, context, false);
	wait->is_registered = true;
	if (status == STATUS_SUCCESS)
		wait->step = STEP_WATCH_MACHINE;
	else if (status == STATUS_NOT_FOUND)
		end_with_machine(wait, NULL);
	else
		refuse(wait, vail, status);
}

/* Reads --for. Returns the exit status. */
static int read_goal(const Options *options, Goal *ret_goal)
{
	*ret_goal = GOAL_REGISTERED;
	if (!options->goal)
		return EXIT_DONE;
	for (Goal goal = 0; goal < GOAL_MAX; goal++)
		if (strcmp(options->goal, goals[goal].name) == 0) {
			*ret_goal = goal;
			return EXIT_DONE;
		}
	return usage_error("--for takes registered, shared or ended, not %s; see vailctl wait "
			   "--help",
			   options->goal);
}

int command_wait(Tool *tool)
{
	Wait wait = { .tool = tool,
		      .text = tool->arguments[0],
		      .deadline = INT64_MAX,
		      .said = STEP_EXIT,
		      .step = STEP_WATCH_ALL };
	unsigned long timeout = tool->options.timeout;
	int exit_status = read_goal(&tool->options, &wait.goal);

	if (exit_status != EXIT_DONE)
		return exit_status;
	if (timeout > 0)
		wait.deadline = milliseconds() + (int64_t)timeout * 1000;
	look_for_machine(&wait);
	while (wait.step != STEP_EXIT) {
		if (wait.step == STEP_WATCH_MACHINE)
			watch(&wait, wait.guid, on_machine_event);
		else if (wait.step == STEP_WATCH_ALL)
			watch_all(&wait);
		else
			register_self(&wait);
	}
	return wait.exit_status;
}
