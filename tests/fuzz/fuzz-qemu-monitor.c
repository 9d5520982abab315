/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes vail-qemu's use of QEMU's monitor. An input is what QEMU sends. A thread sends it to each
 * client that connects.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/qmp.h"
#include "proto/fd-util.h"
#include "tests/fuzz/common/fuzz-input.h"
#include "tests/fuzz/common/prepared-server.h"

const char program_name[] = "fuzz";

static _Atomic(const Input *) sent; /* to the next client */

/* Reads what the client sends until it closes the connection. */
static void wait_for_end(int connection)
{
	struct pollfd poll_fd = { .fd = connection, .events = POLLIN };
	char bytes[4096];

	do
		poll(&poll_fd, 1, -1);
	while (recv(connection, bytes, sizeof(bytes), 0) > 0);
}

/*
 * A client that has connected has set its input before, and waits for it. The thread sends a copy,
 * because ASan looks at the bytes once more after the client has received them.
 */
static void *serve(void *context)
{
	(void)context;
	for (;;) {
		prepared_server_wait();
		const Input input = *atomic_load(&sent);
		_cleanup_free_ char *copy = input_text(input);
		_cleanup_close_ int connection = prepared_server_accept(
			(Input){ (const uint8_t *)copy, input.size }, NULL, 0);

		if (connection >= 0)
			wait_for_end(connection);
	}
	return NULL;
}

static void start_server(void)
{
	static pthread_t thread;
	static bool is_started;

	if (is_started)
		return;
	is_started = true;
	prepared_server_path();
	fuzz_must(pthread_create(&thread, NULL, serve, NULL) == 0);
}

/* A QmpCheck that lets vail-qemu join any QEMU with a UUID. */
static bool has_uuid(const QmpDisplay *found, void *context)
{
	(void)context;
	fuzz_must(found->socket == -1 && found->pidfd >= 0);
	return found->uuid != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const Input input = { data, size };
	QmpDisplay display = { .pidfd = -1, .socket = -1 };

	fuzz_silence();
	atomic_store(&sent, &input);
	start_server();
	QmpCheck check = size % 2 == 0 ? has_uuid : NULL;
	if (qmp_join_display(prepared_server_path(), &wait_system_clock, check, NULL, &display)) {
		fuzz_must(display.qemu == getpid() && display.pidfd >= 0 && display.socket >= 0);
		fuzz_must(!display.is_old || !display.name);
		close(display.pidfd);
		close(display.socket);
		free(display.name);
		free(display.uuid);
	} else {
		fuzz_must(display.pidfd == -1 && display.socket == -1 && !display.name &&
			  !display.uuid);
	}
	return 0;
}
