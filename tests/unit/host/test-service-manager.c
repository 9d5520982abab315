/* SPDX-License-Identifier: MIT */
/* Proves that the service manager waits for a restore that makes progress. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/host/service-manager.h"
#include "tests/support/fake-service-manager.h"

/* Returns the next pending message, or "". */
static const char *receive(const FakeServiceManager *fake)
{
	static char text[256];
	ssize_t size = recv(fake->socket, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[size < 0 ? 0 : size] = '\0';
	return text;
}

Test(service_manager, progress_extends_the_timeout)
{
	static const Service service;
	struct event_base *base = event_base_new();
	ServiceManager manager;
	FakeServiceManager fake;

	fake_service_manager_init(&fake, 1);
	event_base_priority_init(base, 2);
	service_manager_init(&manager, base, &service);
	service_manager_restoring(&manager, 0, 9000);
	cr_assert_str_eq(receive(&fake), "EXTEND_TIMEOUT_USEC=30000000\n"
					 "STATUS=Restoring persisted records: 0 of 9000.");
	for (size_t i = 1; i < 100; i++)
		service_manager_restoring(&manager, i, 9000);
	cr_assert_str_eq(receive(&fake), "", "at most one message per second");
	manager.restoring_told -= 1000000; /* pretend that a second has passed */
	service_manager_restoring(&manager, 100, 9000);
	cr_assert_str_eq(receive(&fake), "EXTEND_TIMEOUT_USEC=30000000\n"
					 "STATUS=Restoring persisted records: 100 of 9000.");
	service_manager_deinit(&manager);
	fake_service_manager_deinit(&fake);
	event_base_free(base);
}
