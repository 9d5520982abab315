/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/machine-bus.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/discovery/machine-questions.h"
#include "daemon/discovery/machine-reply.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

#define BUS      "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

/* Messages that one turn of the event loop handles. */
#define MESSAGES_PER_TURN 32

/*
 * Every user may send messages to any connection of the system bus, and no account is charged for
 * reading them. So vaild does not read for this time after a turn with a stranger's message, which
 * makes at most 320 messages per second. The rest waits in the socket and in the bus. During such a
 * flood machined's signals are late. A lost reply counts as a refusal, and vaild asks again.
 */
#define PAUSE_MICROSECONDS 100000

static void connection_lost(MachineBus *bus, int error);

/* --- signals --------------------------------------------------------------------------------- */

/*
 * Takes machined's signals as hints only, because every user may send signals to any connection.
 * Ignores signals from other senders.
 */
static int on_machine(sd_bus_message *signal, void *context, sd_bus_error *error)
{
	MachineBus *bus = context;
	const char *sender = sd_bus_message_get_sender(signal), *name = NULL;

	(void)error;
	if (!sender || strcmp(sender, bus->owner) != 0)
		return 0;
	if (sd_bus_message_is_signal(signal, MACHINED_MANAGER, "MachineNew") &&
	    sd_bus_message_read_basic(signal, 's', &name) > 0)
		machine_table_renewed(&bus->table, name);
	machine_bus_list(bus);
	return 0;
}

static void set_owner(MachineBus *bus, const char *owner)
{
	machine_bus_cancel_calls(bus);
	bus->owner[0] = '\0';
	if (strlen(owner) < sizeof(bus->owner))
		strcpy(bus->owner, owner);
	machine_table_outdated(&bus->table);
	/* While machined does not run, the known VMs stay until their leaders exit. */
	if (owner[0] != '\0')
		machine_bus_list(bus);
	else
		machine_bus_set_state(
			bus, bus->is_installed ? MACHINE_BUS_IDLE : MACHINE_BUS_NO_MACHINED, 0);
}

/* The bus itself is the only sender of this name. */
static int on_owner_changed(sd_bus_message *signal, void *context, sd_bus_error *error)
{
	MachineBus *bus = context;
	const char *sender = sd_bus_message_get_sender(signal);
	const char *name, *former, *owner;

	(void)error;
	if (!sender || strcmp(sender, BUS) != 0 || bus->state == MACHINE_BUS_FOREIGN)
		return 0;
	if (sd_bus_message_read(signal, "sss", &name, &former, &owner) > 0 &&
	    strcmp(name, MACHINED) == 0)
		set_owner(bus, owner);
	return 0;
}

/* --- the begin of a connection --------------------------------------------------------------- */

static int call_bus(MachineBus *bus, const char *member, const char *name,
		    sd_bus_message_handler_t on_reply)
{
	sd_bus_message *call = NULL;
	int result =
		sd_bus_message_new_method_call(bus->connection, &call, BUS, BUS_PATH, BUS, member);

	if (result >= 0 && name)
		result = sd_bus_message_append_basic(call, 's', name);
	if (result < 0) {
		sd_bus_message_unref(call);
		return result;
	}
	return machine_bus_send(bus, call, on_reply, bus, NULL);
}

static int on_owner(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	MachineBus *bus = context;
	const char *owner = "";

	(void)error;
	if (bus->state == MACHINE_BUS_FOREIGN)
		return 0;
	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_read_basic(reply, 's', &owner) <= 0)
		owner = "";
	set_owner(bus, owner);
	return 0;
}

static int on_activatable(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	MachineBus *bus = context;

	(void)error;
	bus->is_installed = !sd_bus_message_is_method_error(reply, NULL) &&
			    machine_reply_has_name(reply, MACHINED);
	return 0;
}

/*
 * Compares what the bus says is the pid of this process. machined counts pids as the bus does, so
 * they mean something here only if the bus is in the same pid namespace.
 */
static int on_own_pid(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	MachineBus *bus = context;
	uint32_t pid = 0;

	(void)error;
	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_read_basic(reply, 'u', &pid) <= 0 || (pid_t)pid != getpid()) {
		/* A signal may have begun a list before. */
		machine_bus_cancel_calls(bus);
		bus->owner[0] = '\0';
		machine_bus_set_state(bus, MACHINE_BUS_FOREIGN, 0);
	}
	return 0;
}

/* Counts the messages that neither the bus nor machined has sent. Replies to calls are none. */
static int on_any(sd_bus_message *message, void *context, sd_bus_error *error)
{
	MachineBus *bus = context;
	const char *sender = sd_bus_message_get_sender(message);

	(void)error;
	if (sender && strcmp(sender, BUS) != 0 && strcmp(sender, bus->owner) != 0)
		bus->foreign++;
	return 0;
}

static int subscribe(MachineBus *bus)
{
	int result = sd_bus_add_filter(bus->connection, NULL, on_any, bus);

	if (result >= 0)
		result = sd_bus_match_signal_async(bus->connection, NULL, BUS, BUS_PATH, BUS,
						   "NameOwnerChanged", on_owner_changed, NULL, bus);
	if (result >= 0)
		result = sd_bus_match_signal_async(bus->connection, NULL, MACHINED, MACHINED_PATH,
						   MACHINED_MANAGER, "MachineNew", on_machine, NULL,
						   bus);
	if (result >= 0)
		result = sd_bus_match_signal_async(bus->connection, NULL, MACHINED, MACHINED_PATH,
						   MACHINED_MANAGER, "MachineRemoved", on_machine,
						   NULL, bus);
	return result;
}

/* The bus answers in the order of the calls, so the owner comes last, after the subscriptions. */
static int begin(MachineBus *bus)
{
	const char *name;
	int result = sd_bus_get_unique_name(bus->connection, &name);

	bus->is_ready = true;
	bus->retry_seconds = 0;
	if (result >= 0)
		result = subscribe(bus);
	if (result >= 0)
		result = call_bus(bus, "GetConnectionUnixProcessID", name, on_own_pid);
	if (result >= 0)
		result = call_bus(bus, "ListActivatableNames", NULL, on_activatable);
	if (result >= 0)
		result = call_bus(bus, "GetNameOwner", MACHINED, on_owner);
	return result;
}

/* --- the event loop -------------------------------------------------------------------------- */

static uint64_t monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void on_io(evutil_socket_t fd, short what, void *context);

/* Waits for what the connection waits for. Returns a negative errno on failure. */
static int wait_for_io(MachineBus *bus)
{
	int fd = sd_bus_get_fd(bus->connection), events = sd_bus_get_events(bus->connection);
	uint64_t deadline = UINT64_MAX, now = monotonic_now();
	int result = sd_bus_get_timeout(bus->connection, &deadline);

	if (fd < 0 || events < 0 || result < 0)
		return fd < 0 ? fd : events < 0 ? events : result;
	if (bus->is_paused) {
		events = 0;
		deadline = now + PAUSE_MICROSECONDS;
	}
	uint64_t wait = deadline > now ? deadline - now : 0;
	const struct timeval timeout = { .tv_sec = (time_t)(wait / 1000000),
					 .tv_usec = (suseconds_t)(wait % 1000000) };
	event_del(&bus->io_event);
	event_assign(&bus->io_event, bus->base, fd,
		     (short)((events & POLLIN ? EV_READ : 0) | (events & POLLOUT ? EV_WRITE : 0)),
		     on_io, bus);
	event_priority_set(&bus->io_event, 1);
	return event_add(&bus->io_event, deadline == UINT64_MAX ? NULL : &timeout) < 0 ? -ENOMEM
										       : 0;
}

/* Handles messages, at most MESSAGES_PER_TURN. Returns a negative errno on failure. */
static int process_messages(MachineBus *bus)
{
	int result = 1;

	bus->foreign = 0;
	for (int i = 0; i < MESSAGES_PER_TURN && result > 0; i++) {
		result = sd_bus_process(bus->connection, NULL);
		if (result >= 0 && !bus->is_ready && sd_bus_is_ready(bus->connection) > 0)
			result = begin(bus);
	}
	bus->is_paused = bus->foreign > 0;
	return result < 0 ? result : wait_for_io(bus);
}

static void on_io(evutil_socket_t fd, short what, void *context)
{
	MachineBus *bus = context;
	int result = process_messages(bus);

	(void)fd;
	(void)what;
	if (result < 0)
		connection_lost(bus, result);
}

/* --- connecting ------------------------------------------------------------------------------ */

/* Connects to the bus without waiting. Returns an fd, or a negative errno. */
static int open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/*
 * Makes a connection of the socket, and takes over the fd. The bus passes no fds on it, because
 * strangers could send some that block whoever closes them.
 */
static int start_connection(MachineBus *bus, int fd)
{
	int result = sd_bus_new(&bus->connection);

	if (result < 0) {
		close(fd);
		return result;
	}
	result = sd_bus_set_fd(bus->connection, fd, fd);
	if (result < 0) {
		close(fd);
		return result;
	}
	result = sd_bus_set_bus_client(bus->connection, true);
	if (result >= 0)
		result = sd_bus_negotiate_fds(bus->connection, false);
	if (result >= 0)
		result = sd_bus_start(bus->connection);
	return result < 0 ? result : wait_for_io(bus);
}

static void try_to_connect(MachineBus *bus)
{
	int fd = open_socket(bus->socket_path);
	int result = fd < 0 ? fd : start_connection(bus, fd);

	if (result < 0)
		connection_lost(bus, result);
	else
		machine_bus_set_state(bus, MACHINE_BUS_CONNECTING, 0);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	MachineBus *bus = context;

	(void)fd;
	(void)what;
	if (!bus->connection) {
		try_to_connect(bus);
	} else if (bus->owner[0] != '\0') {
		machine_table_retry(&bus->table);
		machine_bus_list(bus);
	}
}

/* Frees the connection without flushing its queue. */
static void disconnect(MachineBus *bus)
{
	event_del(&bus->io_event);
	event_del(&bus->retry_event);
	machine_bus_cancel_calls(bus);
	bus->connection = sd_bus_close_unref(bus->connection);
	bus->is_ready = bus->is_installed = bus->is_paused = false;
	bus->owner[0] = '\0';
	machine_table_outdated(&bus->table);
}

static void connection_lost(MachineBus *bus, int error)
{
	disconnect(bus);
	machine_bus_retry_later(bus);
	machine_bus_set_state(bus, error == -ENOENT ? MACHINE_BUS_ABSENT : MACHINE_BUS_FAILED,
			      error);
}

void machine_bus_init(MachineBus *bus, struct event_base *base, const char *socket_path,
		      void (*changed)(void *context), void *context)
{
	*bus = (MachineBus){
		.base = base,
		.socket_path = socket_path,
		.changed = changed,
		.context = context,
		.state = MACHINE_BUS_ABSENT,
	};
	machine_table_init(&bus->table);
	for (size_t i = 0; i < MACHINE_BUS_CALLS_MAX; i++)
		bus->calls[i].bus = bus;
	event_assign(&bus->io_event, base, -1, 0, on_io, bus);
	event_assign(&bus->retry_event, base, -1, 0, on_retry, bus);
	event_priority_set(&bus->retry_event, 1);
}

void machine_bus_deinit(MachineBus *bus)
{
	disconnect(bus);
	machine_table_deinit(&bus->table);
}

void machine_bus_refresh(MachineBus *bus)
{
	if (!bus->connection) {
		bus->retry_seconds = 0;
		event_del(&bus->retry_event);
		try_to_connect(bus);
	} else if (bus->owner[0] != '\0' && bus->state != MACHINE_BUS_FOREIGN) {
		machine_bus_cancel_calls(bus);
		machine_table_outdated(&bus->table);
		machine_bus_list(bus);
	}
}
