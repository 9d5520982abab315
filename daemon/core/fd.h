/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_FD_H
#define DAEMON_CORE_FD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Properties of a shared fd, as the kernel reports them. The link text in /proc alone proves
 * nothing, because a mount can forge it.
 */

#define FD_NONE (-1)

typedef enum FdKind {
	FD_OTHER, /* cannot be shared; includes O_PATH */
	FD_DMABUF,
	FD_MEMFD,
	FD_SYNC_FILE,
	FD_SOCKET, /* cannot be shared; the daemon stores its own */
	FD_KIND_MAX,
} FdKind;

/* All fields after the kind are 0 and false for FD_OTHER. */
typedef struct FdInfo {
	FdKind kind;
	uint64_t device;        /* identifies the memory together with inode; 0 for a sync_file */
	uint64_t inode;         /* 0 for a sync_file */
	uint64_t size;          /* bytes; 0 for a sync_file */
	bool is_writable;       /* opened with O_RDWR */
	bool can_be_sealed;     /* a memfd without F_SEAL_SEAL: any reader could seal it */
	bool size_is_sealed;    /* F_SEAL_SHRINK and F_SEAL_GROW */
	bool writes_are_sealed; /* F_SEAL_WRITE or F_SEAL_FUTURE_WRITE */
} FdInfo;

/* The fds of a new display channel. */
typedef struct ChannelEnds {
	int viewer;
	int agent;
	int own; /* a duplicate of the agent's end */
	FdInfo own_info;
} ChannelEnds;

/* Tests whether the size can never change. The kernel cannot resize a dma-buf. */
static inline bool fd_size_is_sealed(const FdInfo *facts)
{
	return facts->kind == FD_DMABUF || (facts->kind == FD_MEMFD && facts->size_is_sealed);
}

/*
 * Tests whether a process with a read-only fd can neither write to the memory nor seal it. Other
 * memory can be reopened for writing through /proc/self/fd, or be sealed against its owner.
 */
static inline bool fd_access_is_enforced(const FdInfo *facts)
{
	return facts->kind == FD_MEMFD && facts->writes_are_sealed && facts->size_is_sealed &&
	       !facts->can_be_sealed;
}

#endif
