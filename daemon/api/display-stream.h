/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_DISPLAY_STREAM_H
#define DAEMON_API_DISPLAY_STREAM_H

#include "daemon/api/stream.h"

/*
 * The stream of ServeDisplays. Its first reply is empty: the caller is the server of the VM's
 * displays. Then follows one reply for each channel that opens, with the agent's end, and one for
 * each that closes. The last reply has only a reason.
 */

/*
 * Turns the stream into that of the request's caller and VM, and charges the caller as for a watch.
 * Returns the statuses of charge_take() and display_server_begin().
 */
NTSTATUS display_stream_begin(Stream *stream, Request *request);

/* Does the next step, as stream_next(). */
StreamStep display_stream_next(Stream *stream, Buffer *out);

/* Ends the server, because the stream is about to be freed. */
void display_stream_end(Stream *stream);

/*
 * Tells the server of the event's channel. Ends the streams of callers that may no longer serve the
 * event's VM.
 */
void display_streams_send(Service *service, const Event *event);

#endif
