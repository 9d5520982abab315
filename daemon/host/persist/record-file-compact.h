/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_FILE_COMPACT_H
#define DAEMON_HOST_PERSIST_RECORD_FILE_COMPACT_H

#include "daemon/host/persist/record-file.h"

/* The functions that rewrite the record file. For those in steps, see record-file.h. */

/*
 * Writes all records to a new file in one go, and replaces the file with it. Returns 0, or a
 * negative errno with nothing changed.
 */
int record_file_rewrite(RecordFile *file);

#endif
