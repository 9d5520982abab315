/* SPDX-License-Identifier: MIT */
#include "client/common/close-aside.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More closes than a viewer causes that registers for all consoles and sound of a VM at once. */
#define CLOSES_MAX 64

/* Room for the calls of close_all(), also with the checks of a sanitizer. */
#define STACK_SIZE (64 * 1024)

struct CloseAside {
	atomic_uint owners;
	atomic_uint closes; /* that go on */
};

typedef struct Batch {
	CloseAside *aside; /* the batch is one of its owners */
	size_t count;
	int fds[];
} Batch;

static atomic_uint closes_of_process;

/* ---- The count ---- */

CloseAside *close_aside_new(void)
{
	CloseAside *aside = calloc(1, sizeof(*aside));

	return aside ? close_aside_ref(aside) : NULL;
}

CloseAside *close_aside_ref(CloseAside *aside)
{
	atomic_fetch_add(&aside->owners, 1);
	return aside;
}

void close_aside_unref(CloseAside *aside)
{
	if (aside && atomic_fetch_sub(&aside->owners, 1) == 1)
		free(aside);
}

bool close_aside_is_full(const CloseAside *aside)
{
	return atomic_load(&aside->closes) >= CLOSES_MAX;
}

unsigned int close_aside_count(void)
{
	return atomic_load(&closes_of_process);
}

/* ---- Closing ---- */

static void *close_all(void *context)
{
	Batch *batch = context;

	for (size_t i = 0; i < batch->count; i++)
		close(batch->fds[i]);
	atomic_fetch_sub(&batch->aside->closes, 1);
	atomic_fetch_sub(&closes_of_process, 1);
	close_aside_unref(batch->aside);
	free(batch);
	return NULL;
}

/* Starts the thread, which takes ownership of the batch. Returns 0 or an errno. */
static int start(Batch *batch)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;

	int error = pthread_attr_init(&attributes);
	if (error != 0)
		return error;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	sigfillset(&all); /* signals are for the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, close_all, batch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

void close_aside(CloseAside *aside, const int *fds, size_t count)
{
	if (count == 0)
		return;
	atomic_fetch_add(&aside->closes, 1);
	atomic_fetch_add(&closes_of_process, 1);
	Batch *batch = malloc(sizeof(*batch) + count * sizeof(*fds));
	if (!batch)
		return;
	batch->aside = close_aside_ref(aside);
	batch->count = count;
	memcpy(batch->fds, fds, count * sizeof(*fds));
	if (start(batch) != 0) {
		close_aside_unref(aside);
		free(batch);
	}
}
