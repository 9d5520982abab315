/* SPDX-License-Identifier: MIT */
/* Proves that the service manager waits for a restore that goes on. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "naive-manager.h"
#include "service-manager.h"

/* The next message; "": none was sent. */
static const char *hear(const NaiveManager *naive)
{
	static char text[256];
	ssize_t size = recv(naive->socket, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[size < 0 ? 0 : size] = '\0';
	return text;
}

Test(service_manager, a_restore_that_goes_on_is_waited_for)
{
	static const Service service;
	struct event_base *base = event_base_new();
	ServiceManager manager;
	NaiveManager naive;

	naive_manager_init(&naive, 1);
	event_base_priority_init(base, 2);
	service_manager_init(&manager, base, &service);
	service_manager_restoring(&manager, 0, 9000);
	cr_assert_str_eq(hear(&naive), "EXTEND_TIMEOUT_USEC=30000000\n"
				       "STATUS=Restoring what was kept: 0 of 9000.");
	for (size_t i = 1; i < 100; i++)
		service_manager_restoring(&manager, i, 9000);
	cr_assert_str_eq(hear(&naive), "", "once a second is enough");
	manager.restoring_told -= 1000000; /* as if a second had gone by */
	service_manager_restoring(&manager, 100, 9000);
	cr_assert_str_eq(hear(&naive), "EXTEND_TIMEOUT_USEC=30000000\n"
				       "STATUS=Restoring what was kept: 100 of 9000.");
	service_manager_deinit(&manager);
	naive_manager_deinit(&naive);
	event_base_free(base);
}
