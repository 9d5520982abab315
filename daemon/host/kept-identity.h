/* SPDX-License-Identifier: MIT */
#ifndef HOST_KEPT_IDENTITY_H
#define HOST_KEPT_IDENTITY_H

#include "buffer.h"
#include "descriptor.h"
#include "json.h"
#include "process-table.h"

/* What is recorded of a kept descriptor, as JSON, and has to be so when it comes back. */

/* {"pid":7,"startTime":8}. False: there is no memory. */
bool encode_process_identity(Buffer *buffer, const ProcessIdentity *identity);

/* False: it is none. */
bool read_process_identity(const JsonValue *record, ProcessIdentity *ret);

/* {"kind":"memfd","device":7,"inode":8}. False: there is no memory. */
bool encode_descriptor_identity(Buffer *buffer, const DescriptorFacts *facts);

/* Whether the descriptor with these facts is the one that was recorded. */
bool is_descriptor_identity(const JsonValue *record, const DescriptorFacts *facts);

#endif
