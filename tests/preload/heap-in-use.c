/* SPDX-License-Identifier: MIT */
/*
 * A library that is preloaded into the daemon. On SIGUSR2 it returns free heap memory to the kernel
 * and writes the size of the used heap to stderr. The handler must not interrupt an allocation, so
 * soak only sends the signal while no client sends requests.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_signal(int signal)
{
	char text[64];

	(void)signal;
	malloc_trim(0);
	struct mallinfo2 info = mallinfo2();
	snprintf(text, sizeof(text), "heap in use: %zu\n", info.uordblks + info.hblkhd);
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

__attribute__((constructor)) static void listen(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR2, &action, NULL);
}
