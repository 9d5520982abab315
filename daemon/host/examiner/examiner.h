/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_EXAMINER_EXAMINER_H
#define DAEMON_HOST_EXAMINER_EXAMINER_H

#include "daemon/core/credentials.h"
#include "daemon/host/examiner/question.h"
#include "daemon/host/process/fs-roots.h"

/*
 * The examiner: a child process of the daemon that has CAP_SYS_PTRACE and answers the questions of
 * question.h. The daemon reads what strangers write, so it has no capability at all: whoever takes
 * it over can ask these questions, and no more. The kernel does not let the daemon trace the
 * examiner, because that has more capabilities.
 *
 * It ends with the daemon. A question that is not as question.h says ends it, too.
 */
typedef struct ExaminerSockets {
	int who;
	int context;
} ExaminerSockets;

/*
 * Starts the examiner. Call this before the daemon has any fd, child or event loop. own is the
 * daemon's user namespace. The caller owns the sockets. Returns 0 or a negative errno.
 */
int examiner_start(const FsRoots *roots, const UserNamespace *own, ExaminerSockets *ret);

/*
 * Answer a question in this process. They leave the number of the answer 0. own_pids is the inode
 * of the daemon's pid namespace, or 0 if that is not asked about.
 */
void examine_who(const FsRoots *roots, const UserNamespace *own, uint64_t own_pids, pid_t pid,
		 WhoAnswer *ret);
void examine_pids(const FsRoots *roots, pid_t pid, PidsAnswer *ret);

#endif
