/* SPDX-License-Identifier: MIT */
#ifndef TESTS_EAR_H
#define TESTS_EAR_H

#include "fake-host.h"

/*
 * One that watches for what it hears of GPU processes alone, and knows what it has to hear: each
 * event once, and in the order of the steps of the test that it comes from. What is not expected
 * fails the test, and so does what comes behind the last reply.
 */

#define EAR_PENDING 256

typedef struct Sound {
	char text[160]; /* "KIND PROCESS ADAPTER GUID DETAIL", see ear_read() */
	uint64_t step;
} Sound;

/* A session that watches, and what it has to hear yet. */
typedef struct Ear {
	Session session;
	Buffer out;
	SessionState state;
	bool is_ready;
	bool is_current;
	bool is_over;
	int driver;   /* whose process it is, or -1 */
	bool is_root; /* an operator's */
	const char *guid;
	Sound pending[EAR_PENDING];
	size_t pending_count;
	size_t heard, heard_midway;
} Ear;

/* Watches one VM, or all with guid NULL. The world's watch_ready has to be ear_ready(). */
Ear *ear_new(World *world, Caller *caller, const char *guid);
Ear *ear_free(Ear *ear); /* returns NULL */

void ear_ready(Session *session);

/* It has to hear this: kind, process, adapter, VM ("-": none), and the reason or the address. */
void ear_expect(Ear *ear, const char *text, uint64_t step);

/* Takes about so many bytes, or what there is; nothing while nothing is ready. */
void ear_take(Ear *ear, size_t bytes);

/* Takes all, and asserts that all that was expected has come. */
void ear_drain(Ear *ear);

#endif
