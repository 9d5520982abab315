/* SPDX-License-Identifier: MIT */
#include "tests/system/helpers/share-at-random/model-run.h"

#include <stdarg.h>
#include <time.h>

unsigned int run_draw(ModelRun *run, unsigned int limit)
{
	run->random = run->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(run->random >> 33) % limit;
}

_Noreturn void run_fail(const ModelRun *run, const char *format, ...)
{
	va_list arguments;

	printf("seed %lu, step %lu: ", run->seed, run->step);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	exit(1);
}

bool report_has_status(const ActorReport *report, const char *status)
{
	return strcmp(report->status, status) == 0;
}

void run_check_status(const ModelRun *run, unsigned int actor, const char *what,
		      const ActorReport *report, const char *expected)
{
	if (!report_has_status(report, expected))
		run_fail(run, "actor %u, %s: %s instead of %s: %s", actor, what, report->status,
			 expected, report->reply);
}

/* --- requests -------------------------------------------------------------------------------- */

void run_fill_request(const ModelRun *run, ActorCommand *command, const char *method,
		      unsigned int object)
{
	command->kind = ACTOR_REQUEST;
	command->tag = object;
	snprintf(command->text, sizeof(command->text),
		 "{\"method\":\"io.vaild.%s\",\"parameters\":{\"handle\":\"%s\"}}\n", method,
		 run->model.objects[object].handle);
}

const ActorReport *run_request(const ModelRun *run, unsigned int actor, const char *method,
			       unsigned int object)
{
	ActorCommand command = { .tag = 0 };

	run_fill_request(run, &command, method, object);
	return actor_execute(&run->actors[actor], &command);
}

/* Sends a request as the operator, which must succeed. */
static void request_as_operator(ModelRun *run, const char *method, const char *parameters)
{
	run_check_status(run, MODEL_OPERATOR, method,
			 actor_request(&run->actors[MODEL_OPERATOR],
				       "{\"method\":\"io.vaild.%s\",\"parameters\":{%s}}", method,
				       parameters),
			 "STATUS_SUCCESS");
}

void run_check_arrived(ModelRun *run, unsigned int actor, unsigned int object,
		       const ActorReport *report)
{
	const ModelObject *it = &run->model.objects[object];
	size_t expected = report_has_status(report, "STATUS_SUCCESS") ? it->planes : 0;

	if (report->rights != expected)
		run_fail(run, "actor %u received %zu fds of object %u instead of %zu", actor,
			 report->rights, object, expected);
	for (size_t i = 0; i < expected; i++)
		if (report->arrived[i].inode != it->memory[i].inode ||
		    report->arrived[i].access != it->memory[i].access)
			run_fail(run, "actor %u received other memory than that of object %u",
				 actor, object);
	run->counts.fds += expected;
	if (expected > 0)
		model_opened(&run->model, actor, object);
}

/* --- machines and actors --------------------------------------------------------------------- */

const char *run_guid(unsigned int machine)
{
	static const char *const guids[MODEL_MACHINES] = {
		"abababab-abab-4bab-8bab-abababababa1",
		"abababab-abab-4bab-8bab-abababababa2",
		"abababab-abab-4bab-8bab-abababababa3",
	};

	return guids[machine];
}

static void display_clients(unsigned int machine, char *text, size_t size)
{
	static const char *const users[] = { "vail-alice", "vail-bob" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (model_is_display_client(users[i], machine))
			used += (size_t)snprintf(text + used, size - used, "%s{\"user\":\"%s\"}",
						 used > 0 ? "," : "", users[i]);
}

void run_register_machine(ModelRun *run, unsigned int machine)
{
	char clients[96], text[ACTOR_TEXT_SIZE];

	display_clients(machine, clients, sizeof(clients));
	snprintf(text, sizeof(text),
		 "\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,\"displayClients\":[%s],"
		 "\"agent\":{\"pid\":%d}",
		 run_guid(machine), run->actors[machine].pid, clients,
		 run->actors[MODEL_MACHINES + machine].pid);
	request_as_operator(run, "Machine.RegisterVirtualMachine", text);
	snprintf(text, sizeof(text), "\"virtualMachineGuid\":\"%s\"", run_guid(machine));
	request_as_operator(run, "Machine.AssignVirtualGpu", text);
}

void run_update_agent(ModelRun *run, unsigned int machine)
{
	char text[ACTOR_TEXT_SIZE];

	snprintf(text, sizeof(text), "\"virtualMachineGuid\":\"%s\",\"agent\":{\"pid\":%d}",
		 run_guid(machine), run->actors[MODEL_MACHINES + machine].pid);
	request_as_operator(run, "Machine.UpdateVirtualMachine", text);
}

void run_start_actor(ModelRun *run, unsigned int actor)
{
	run->actors[actor] = actor_start(run->socket, model_user(actor));
	run_check_status(
		run, actor, "CreateContext",
		actor_request(&run->actors[actor], "{\"method\":\"io.vaild.Gpu.CreateContext\"}"),
		"STATUS_SUCCESS");
}

static const char *end_of(const ActorReport *report)
{
	return report->reply + report->reply_length;
}

static bool mentions_pid(const char *text, const char *end, pid_t pid)
{
	char wanted[24];

	snprintf(wanted, sizeof(wanted), "\"pid\":%d", pid);
	while ((text = strstr(text, wanted)) && text < end) {
		text += strlen(wanted);
		if (*text < '0' || *text > '9')
			return true;
	}
	return false;
}

/*
 * Each actor has a GPU process, which the daemon removes together with everything else of the actor
 * when it notices the exit.
 */
void run_wait_until_gone(const ModelRun *run, unsigned int actor)
{
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;
	const ActorReport *report;

	do {
		if (time(NULL) > deadline)
			run_fail(run, "the daemon does not notice the end of actor %u", actor);
		report = actor_request(&run->actors[MODEL_OPERATOR],
				       "{\"method\":\"io.vaild.Gpu.ListProcesses\"}");
	} while (mentions_pid(report->reply, end_of(report), run->actors[actor].pid));
}

/* --- checks ---------------------------------------------------------------------------------- */

void run_check_actors(const ModelRun *run)
{
	const ActorCommand look = { .kind = ACTOR_LOOK };

	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		actor_send(&run->actors[i], &look);
	for (unsigned int i = 0; i < MODEL_ACTORS; i++) {
		const ActorReport *report = actor_receive(&run->actors[i]);

		if (report->open_fds != model_open_fds(&run->model, i))
			run_fail(run, "actor %u has %zu fds instead of %zu", i, report->open_fds,
				 model_open_fds(&run->model, i));
		if (report->unasked)
			run_fail(run, "actor %u received data without a request", i);
	}
}

static size_t count_of(const char *text, const char *end, const char *wanted)
{
	size_t count = 0;

	for (; (text = strstr(text, wanted)) && text < end; text++)
		count++;
	return count;
}

static void check_holders(const ModelRun *run, unsigned int object, const char *list)
{
	const ModelObject *it = &run->model.objects[object];
	const char *begin = strstr(list, it->handle);
	const char *next = begin ? strstr(begin, "\"handle\"") : NULL;

	if (!begin)
		run_fail(run, "object %u is not listed", object);
	if (!next)
		next = begin + strlen(begin);
	if (count_of(begin, next, "\"pid\":") != model_holders(&run->model, object))
		run_fail(run, "object %u has the wrong number of holders: %s", object, begin);
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		if (it->held_by[i] && !mentions_pid(begin, next, run->actors[i].pid))
			run_fail(run, "actor %u is not listed as a holder of object %u: %s", i,
				 object, begin);
}

static void check_daemon(const ModelRun *run)
{
	size_t expected = run->fds + model_shared_planes(&run->model), real;
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;

	while ((real = count_fds(run->daemon_folder)) != expected) {
		if (time(NULL) > deadline)
			run_fail(run, "the daemon has %zu fds instead of %zu", real, expected);
		poll(NULL, 0, 1);
	}
}

void run_audit(const ModelRun *run)
{
	const ActorReport *report = actor_request(&run->actors[MODEL_OPERATOR],
						  "{\"method\":\"io.vaild.ListSharedObjects\"}");

	if (count_of(report->reply, end_of(report), "\"handle\":") !=
	    model_shared_objects(&run->model))
		run_fail(run, "the wrong number of objects is listed: %s", report->reply);
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		if (run->model.objects[i].is_shared)
			check_holders(run, i, report->reply);
	check_daemon(run);
}
