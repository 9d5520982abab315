/* SPDX-License-Identifier: MIT */
#include "sharing-play.h"

#include <stdarg.h>
#include <time.h>

unsigned int play_roll(Play *play, unsigned int sides)
{
	play->random = play->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(play->random >> 33) % sides;
}

_Noreturn void play_fail(const Play *play, const char *format, ...)
{
	va_list arguments;

	printf("seed %lu, step %lu: ", play->seed, play->step);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	exit(1);
}

bool seen_is(const Seen *seen, const char *status)
{
	return strcmp(seen->status, status) == 0;
}

void play_check_status(const Play *play, unsigned int actor, const char *what, const Seen *seen,
		       const char *expected)
{
	if (!seen_is(seen, expected))
		play_fail(play, "actor %u, %s: %s instead of %s: %s", actor, what, seen->status,
			  expected, seen->reply);
}

/* --- single requests ------------------------------------------------------------------------- */

void play_order(const Play *play, Order *order, const char *method, unsigned int object)
{
	order->kind = ORDER_ASK;
	order->tag = object;
	snprintf(order->text, sizeof(order->text),
		 "{\"method\":\"io.vaild.%s\",\"parameters\":{\"handle\":\"%s\"}}\n", method,
		 play->model.objects[object].handle);
}

const Seen *play_ask(const Play *play, unsigned int actor, const char *method, unsigned int object)
{
	Order order = { .tag = 0 };

	play_order(play, &order, method, object);
	return actor_do(&play->actors[actor], &order);
}

/* What the operator asks for, and has to be given. */
static void operate(Play *play, const char *method, const char *parameters)
{
	play_check_status(play, MODEL_OPERATOR, method,
			  actor_ask(&play->actors[MODEL_OPERATOR],
				    "{\"method\":\"io.vaild.%s\",\"parameters\":{%s}}", method,
				    parameters),
			  "STATUS_SUCCESS");
}

void play_check_arrived(Play *play, unsigned int actor, unsigned int object, const Seen *seen)
{
	const ModelObject *it = &play->model.objects[object];
	size_t expected = seen_is(seen, "STATUS_SUCCESS") ? it->planes : 0;

	if (seen->rights != expected)
		play_fail(play, "actor %u got %zu descriptors of object %u instead of %zu", actor,
			  seen->rights, object, expected);
	for (size_t i = 0; i < expected; i++)
		if (seen->arrived[i].inode != it->memory[i].inode ||
		    seen->arrived[i].access != it->memory[i].access)
			play_fail(play, "actor %u got other memory than object %u has", actor,
				  object);
	play->seen.descriptors += expected;
	if (expected > 0)
		model_opened(&play->model, actor, object);
}

/* --- machines and actors --------------------------------------------------------------------- */

const char *play_guid(unsigned int machine)
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

void play_begin_machine(Play *play, unsigned int machine)
{
	char clients[96], text[ACTOR_TEXT_SIZE];

	display_clients(machine, clients, sizeof(clients));
	snprintf(text, sizeof(text),
		 "\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,\"displayClients\":[%s],"
		 "\"agent\":{\"pid\":%d}",
		 play_guid(machine), play->actors[machine].pid, clients,
		 play->actors[MODEL_MACHINES + machine].pid);
	operate(play, "Machine.RegisterVirtualMachine", text);
	snprintf(text, sizeof(text), "\"virtualMachineGuid\":\"%s\"", play_guid(machine));
	operate(play, "Machine.AssignVirtualGpu", text);
}

void play_begin_agent(Play *play, unsigned int machine)
{
	char text[ACTOR_TEXT_SIZE];

	snprintf(text, sizeof(text), "\"virtualMachineGuid\":\"%s\",\"agent\":{\"pid\":%d}",
		 play_guid(machine), play->actors[MODEL_MACHINES + machine].pid);
	operate(play, "Machine.UpdateVirtualMachine", text);
}

void play_begin_actor(Play *play, unsigned int actor)
{
	play->actors[actor] = actor_start(play->socket, model_user(actor));
	play_check_status(
		play, actor, "CreateContext",
		actor_ask(&play->actors[actor], "{\"method\":\"io.vaild.Gpu.CreateContext\"}"),
		"STATUS_SUCCESS");
}

static const char *end_of(const Seen *seen)
{
	return seen->reply + seen->reply_length;
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

/* Each has a GPU process, which goes, with all else that it has, when the daemon hears of its end.
 */
void play_wait_until_gone(const Play *play, unsigned int actor)
{
	time_t deadline = time(NULL) + PLAY_PATIENCE;
	const Seen *seen;

	do {
		if (time(NULL) > deadline)
			play_fail(play, "the daemon does not hear of the end of actor %u", actor);
		seen = actor_ask(&play->actors[MODEL_OPERATOR],
				 "{\"method\":\"io.vaild.Gpu.ListProcesses\"}");
	} while (mentions_pid(seen->reply, end_of(seen), play->actors[actor].pid));
}

/* --- after each step ------------------------------------------------------------------------- */

void play_look_at_all(const Play *play)
{
	const Order look = { .kind = ORDER_LOOK };

	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		actor_tell(&play->actors[i], &look);
	for (unsigned int i = 0; i < MODEL_ACTORS; i++) {
		const Seen *seen = actor_hear(&play->actors[i]);

		if (seen->kept != model_kept(&play->model, i))
			play_fail(play, "actor %u has %zu descriptors instead of %zu", i,
				  seen->kept, model_kept(&play->model, i));
		if (seen->unasked)
			play_fail(play, "actor %u was sent what it did not ask for", i);
	}
}

static size_t count_of(const char *text, const char *end, const char *wanted)
{
	size_t count = 0;

	for (; (text = strstr(text, wanted)) && text < end; text++)
		count++;
	return count;
}

static void check_holders(const Play *play, unsigned int object, const char *list)
{
	const ModelObject *it = &play->model.objects[object];
	const char *begin = strstr(list, it->handle);
	const char *next = begin ? strstr(begin, "\"handle\"") : NULL;

	if (!begin)
		play_fail(play, "object %u is in no list", object);
	if (!next)
		next = begin + strlen(begin);
	if (count_of(begin, next, "\"pid\":") != model_holders(&play->model, object))
		play_fail(play, "object %u has other holders: %s", object, begin);
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		if (it->held_by[i] && !mentions_pid(begin, next, play->actors[i].pid))
			play_fail(play, "actor %u is no holder of object %u: %s", i, object, begin);
}

static void check_daemon(const Play *play)
{
	size_t expected = play->descriptors + model_shared_planes(&play->model), real;
	time_t deadline = time(NULL) + PLAY_PATIENCE;

	while ((real = count_descriptors(play->daemon_folder)) != expected) {
		if (time(NULL) > deadline)
			play_fail(play, "the daemon has %zu descriptors instead of %zu", real,
				  expected);
		poll(NULL, 0, 1);
	}
}

void play_audit(const Play *play)
{
	const Seen *seen = actor_ask(&play->actors[MODEL_OPERATOR],
				     "{\"method\":\"io.vaild.ListSharedObjects\"}");

	if (count_of(seen->reply, end_of(seen), "\"handle\":") !=
	    model_shared_objects(&play->model))
		play_fail(play, "other objects are shared: %s", seen->reply);
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		if (play->model.objects[i].is_shared)
			check_holders(play, i, seen->reply);
	check_daemon(play);
}
