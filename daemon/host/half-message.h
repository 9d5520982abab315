/* SPDX-License-Identifier: MIT */
#ifndef HOST_HALF_MESSAGE_H
#define HOST_HALF_MESSAGE_H

#include "connection.h"

/*
 * Who has sent the beginning of a message has LIMIT_HALF_MESSAGE_SECONDS to send the rest, counted
 * from its first byte however slowly the others come. All deadlines are equally far, so the list is
 * in their order, and one timer serves for all.
 */
void half_messages_init(Connections *connections, struct event_base *base);
void half_messages_deinit(Connections *connections);

/* Whether the connection is waited for in the middle of a message. Idempotent. */
void half_message_set(Connection *connection, bool is_half);

#endif
