/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_LINGERING_SOCKET_H
#define TESTS_SUPPORT_LINGERING_SOCKET_H

/* Returns a TCP socket with unsent data, whose last close waits until the peer reads. */
int open_lingering(int *ret_peer);

#endif
