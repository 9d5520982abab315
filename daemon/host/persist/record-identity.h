/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_IDENTITY_H
#define DAEMON_HOST_PERSIST_RECORD_IDENTITY_H

#include "daemon/core/fd.h"
#include "daemon/host/process/process-table.h"
#include "proto/buffer.h"
#include "proto/json.h"

/* Persisted records that identify stored fds. An fd must match its record to be restored. */

/* Appends {"pid":7,"startTime":8}. Returns false if out of memory. */
bool encode_process_identity(Buffer *buffer, const ProcessIdentity *identity);

/* Returns false if the record does not identify a process. */
bool read_process_identity(const JsonValue *record, ProcessIdentity *ret);

/* Appends {"kind":"memfd","device":7,"inode":8}. Returns false if out of memory. */
bool encode_fd_identity(Buffer *buffer, const FdInfo *facts);

/* Tests whether an fd is the recorded one. */
bool matches_fd_identity(const JsonValue *record, const FdInfo *facts);

#endif
