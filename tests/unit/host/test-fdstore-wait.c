/* SPDX-License-Identifier: MIT */
/* Connections whose requests wait until the service manager has room for messages. */
#include <criterion/criterion.h>
#include <event2/event.h>

#include "daemon/host/persist/notify-socket.h"
#include "daemon/host/server.h"
#include "tests/support/fake-service-manager.h"

#define CONNECTIONS 3

static FakeServiceManager manager;
static Server server;
static PeerUser users[2];
static Connection connections[CONNECTIONS]; /* the last one is of another user */
static unsigned int turns[CONNECTIONS];

static uint64_t no_time(void *self)
{
	(void)self;
	return 0;
}

static bool count_turn(Task *task)
{
	turns[container_of(task, Connection, task) - connections]++;
	return false;
}

static void set_up(void)
{
	fake_service_manager_init(&manager, 100);
	server = (Server){ .base = event_base_new(), .host.now = no_time };
	event_base_priority_init(server.base, 2);
	fd_store_init(&server.persistence.store);
	turns_init(&server.turns, server.base, &server.host);
	fdstore_waits_init(&server.fdstore_waits, server.base, &server.persistence.store,
			   &server.upkeep);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		turn_owner_init(&users[i].turn_owner);
		TAILQ_INIT(&users[i].storing);
	}
	for (size_t i = 0; i < CONNECTIONS; i++) {
		connections[i].session.service = &server.service;
		connections[i].user = &users[i == CONNECTIONS - 1];
		connections[i].task = TASK_INIT(count_turn);
		turns[i] = 0;
	}
}

static void tear_down(void)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		connection_end_waits(&connections[i]);
	fdstore_waits_deinit(&server.fdstore_waits);
	turns_deinit(&server.turns);
	fd_store_deinit(&server.persistence.store);
	event_base_free(server.base);
	fake_service_manager_deinit(&manager);
}

TestSuite(fdstore_wait, .init = set_up, .fini = tear_down);

static bool must_wait(size_t connection)
{
	return !fdstore_is_ready(&server.fdstore_waits, &connections[connection]);
}

/* Leaves no room for messages. */
static void fill(void)
{
	while (fdstore_is_ready_for_upkeep(&server.fdstore_waits))
		cr_assert_eq(notify_socket_send(server.persistence.store.notify, "X=1", -1), 0);
	server.fdstore_waits.upkeep_waits = false;
}

/* Makes room, and runs the event loop until a connection has had its turn. */
static void await_turn(size_t connection)
{
	fake_service_manager_read(&manager);
	while (turns[connection] == 0)
		event_base_loop(server.base, EVLOOP_ONCE);
}

Test(fdstore_wait, nobody_waits_while_there_is_room)
{
	cr_assert_not(must_wait(0));
}

Test(fdstore_wait, connections_get_a_turn_when_there_is_room)
{
	fill();
	for (size_t i = 0; i < CONNECTIONS; i++) {
		cr_assert(must_wait(i));
		cr_assert(must_wait(i), "it waits once");
	}
	for (size_t i = 0; i < CONNECTIONS; i++)
		await_turn(i);
	for (size_t i = 0; i < CONNECTIONS; i++)
		cr_assert_eq(turns[i], 1u);
}

/* The event is then still added, and is not initialised again before it is removed. */
Test(fdstore_wait, a_connection_waits_after_the_only_other_has_left)
{
	fill();
	cr_assert(must_wait(0));
	connection_end_waits(&connections[0]);
	cr_assert(must_wait(2));
	await_turn(2);
	cr_assert_eq(turns[0], 0u);
}
