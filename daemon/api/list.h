/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_LIST_H
#define DAEMON_API_LIST_H

#include "daemon/api/stream.h"

/*
 * Lists as streams. With "more" each item is one reply. Without, the whole list is one reply, which
 * is written in steps as well. Its items are counted first: a list that is too long is refused
 * before anything is written.
 *
 * No step takes long, even if the caller may see none of many entities.
 */

/* Does the next step of a list, as stream_next(). */
StreamStep list_step(Stream *stream, Buffer *out);

#endif
