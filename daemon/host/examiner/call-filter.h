/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_EXAMINER_CALL_FILTER_H
#define DAEMON_HOST_EXAMINER_CALL_FILTER_H

#include <stdbool.h>

/*
 * The fds of the examiner whose numbers the filter knows. All are open when it is installed.
 * Messages are allowed only on the two sockets. No other file can get one of these numbers: none of
 * the three can be closed, and only /dev/null can replace a socket. A child gives its sockets up in
 * that way.
 */
#define EXAMINER_NULL_FD    0 /* /dev/null */
#define EXAMINER_WHO_FD     3
#define EXAMINER_CONTEXT_FD 4

/*
 * The system calls of the examiner and its children, which are far fewer than those of the unit. A
 * kernel filter refuses all others with EPERM. Whoever takes over the examiner can therefore
 * neither connect, send signals or execute a program, nor write to a file or to a socket of others.
 * It can open files of other processes and fetch their fds, as it must. It can read these, and so
 * take bytes out of pipes and sockets, but only from where they stand. So it cannot read the memory
 * of others.
 *
 * A call of another architecture, such as a 32-bit one, kills the process.
 */

/* Tests whether this build has a filter. Builds with sanitizers and unusual CPUs have none. */
bool call_filter_exists(void);

/*
 * Installs the filter for this process and its later children. no_new_privs must be set, and the
 * fds above must be open. Does nothing if this build or the kernel has no filters. Returns 0 or a
 * negative errno.
 */
int call_filter_install(void);

#endif
