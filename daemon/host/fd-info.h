/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_FD_INFO_H
#define DAEMON_HOST_FD_INFO_H

#include "daemon/core/fd.h"
#include "daemon/host/process/fs-roots.h"

/*
 * Examines fds received from clients.
 *
 * A file's name proves nothing: in a mount namespace a user can give a file any name, and can put a
 * FUSE file system behind it. The FUSE server then decides when fstat(), fstatfs(), lseek() and
 * ioctl() return, if ever, and not even SIGKILL ends the wait. Calls that the file itself answers
 * are therefore made only after calls that the kernel answers alone have proved that no FUSE server
 * is behind the file. The kernel answers these alone:
 *
 *   fcntl(F_GETFL)       reads a field of the open file. Identifies O_PATH fds, which are not
 *                        examined further.
 *   readlink() of        formats the name from the kernel's own dentries, or calls a pseudo file
 *   /proc/self/fd/N      system of the kernel; does not follow the link. Names on mounted file
 *                        systems begin with '/', so no mount can contain "anon_inode:sync_file",
 *                        but any mount can contain "/memfd:" and "/dmabuf:".
 *   fcntl(F_GET_SEALS)   compares the file's operations with those of tmpfs and hugetlbfs and reads
 *                        a field. Fails with EINVAL for all other files without calling them.
 *   fcntl(F_GETPIPE_SZ)  does the same for pipes, including named ones.
 *   ioctl(FIOQSIZE)      is answered from the inode in memory and never reaches the file's own
 *                        ioctl(). Returns a size for regular files, directories and symbolic links,
 *                        and ENOTTY for others.
 *
 * The file answers these, so they are called only under the given condition:
 *
 *   fstat()      if the file has seals, because tmpfs and hugetlbfs are this kernel's memory; or if
 *                it is a dma-buf, for the same reason. Kernels with the change "mm: shmem: fix
 *                data-race in shmem_getattr()" but without its revert (6.12-rc6, and stable kernels
 *                of November 2024 such as 6.1.115) wait here for a writer of the memfd, possibly
 *                for ever. Only a newer kernel helps, because nothing else returns the size of a
 *                file whose mode forbids opening it.
 *   fstatfs()    if the text begins with "/dmabuf:" and the file is no regular file, no directory
 *                and no pipe. FUSE and other file systems that users can mount contain nothing
 *                else, because they have no device nodes. A device node that is bind-mounted over
 *                a file keeps its own file system. A device node on a FUSE file system is possible
 *                only if root mounted it without nodev, and then root trusts that server.
 *   lseek()      if the file is a dma-buf: returns the size and changes nothing, because dma-bufs
 *                have no offset. Never for a memfd, because lseek() waits for readers and writers
 *                that share the open file description.
 *   ioctl()      SYNC_IOC_FILE_INFO, if the text is exactly "anon_inode:sync_file": reads fences
 *                under spinlocks.
 *
 * Nothing else is called: the file itself would answer /proc/self/fdinfo, poll() and statx(). None
 * of these calls changes the file.
 */

/* The file system of memfds. Hugetlb memfds and mounted tmpfs are on other ones. */
typedef struct MemfdIdentity {
	uint64_t device;
} MemfdIdentity;

/*
 * Creates a memfd and remembers its file system. Call once at start. Returns 0 or a negative errno.
 */
int fd_info_init(MemfdIdentity *ret);

/*
 * Reads what kind of file the fd is. Returns 0 also for files that cannot be shared, which are
 * FD_OTHER. Returns -EBADF if the fd is not open, or another negative errno if the daemon
 * cannot read its own /proc.
 *
 * The size is read after the seals: if the seals fix the size, the size is final. A file that is
 * open only for writing is FD_OTHER, because a client that cannot read it must not share it
 * for reading.
 */
int fd_info_read(const FsRoots *roots, const MemfdIdentity *own, int fd, FdInfo *ret);

/*
 * Opens a FD_MEMFD again, for reading, or for reading and writing if read_write. The new fd
 * has its own file offset and flags and is close-on-exec; the caller closes it. Never blocks.
 *
 * Returns the fd or a negative errno: -EACCES if the file's mode denies access to the daemon,
 * -EAGAIN while another process holds a lease (fcntl(F_SETLEASE)), -ETXTBSY when opening an
 * executing file for writing. Do not call for other kinds of fds: the file would decide the result,
 * and may block.
 */
int fd_reopen(const FsRoots *roots, int fd, bool read_write);

#endif
