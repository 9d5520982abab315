/* SPDX-License-Identifier: MIT */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include "caller.h"
#include "failure.h"

/*
 * What the journal is told of one request: of each that was refused for who asked, of each
 * registration that was refused at all, and of each that changed state. Borrowed for the call.
 */
struct Record {
	const Caller *caller;
	const char *method;          /* "io.vaild.RegisterVailProcess" */
	const Guid *virtual_machine; /* NULL where the request names none */
	const Handle *object;        /* likewise: the shared object */
	NTSTATUS status;             /* STATUS_SUCCESS: allowed */
	const char *reason;          /* one word, or NULL */
};

#endif
