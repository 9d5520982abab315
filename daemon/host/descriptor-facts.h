/* SPDX-License-Identifier: MIT */
#ifndef HOST_DESCRIPTOR_FACTS_H
#define HOST_DESCRIPTOR_FACTS_H

#include "descriptor.h"
#include "roots.h"

/*
 * What a descriptor is that a stranger sent. A name says nothing: who has a mount namespace has
 * files of any name, and behind them a FUSE file system, whose server decides when, and whether,
 * fstat(), fstatfs(), lseek() and ioctl() return, in a state that not even SIGKILL ends. So a
 * question that is the file's own to answer is put only once it is proved, by questions that the
 * kernel answers without the file, that no server and no stranger answers it:
 *
 *   fcntl(F_GETFL)       reads a field of the open file. Tells O_PATH, of which nothing is asked.
 *   readlink() of the    walks the kernel's own tree of names, or has a kernel's pseudo file system
 *   text in /proc        print one; does not follow the link. A name in a mounted file system
 *                        begins with '/', so "anon_inode:sync_file" is a name that no mount has;
 *                        "/memfd:" and "/dmabuf:" are two that any may have.
 *   fcntl(F_GET_SEALS)   compares the file's functions with those of tmpfs and hugetlbfs, and reads
 *                        a field; of all other files it is EINVAL, and they hear nothing of it.
 *   fcntl(F_GETPIPE_SZ)  likewise for pipes, named ones among them.
 *   ioctl(FIOQSIZE)      answered by the kernel for all files alike, from the inode that it has in
 *                        memory: a number for regular files, folders and symbolic links, ENOTTY for
 *                        others; it never gets as far as the file's own ioctl().
 *
 * and what is asked then:
 *
 *   fstat()      where there are seals: tmpfs and hugetlbfs are memory of this kernel's. Where it
 *                is a dma-buf, for the same reason. Kernels that have "mm: shmem: fix data-race in
 *                shmem_getattr()" without its revert (6.12-rc6 and stable ones of November 2024, as
 *                6.1.115) wait here for a writer of the memfd, who may take for ever: that is to be
 *                cured by a newer kernel, since there is no other way to the size of a file whose
 *                mode forbids it to be opened.
 *   fstatfs()    where the text begins with "/dmabuf:", and it is no regular file, no folder and no
 *                pipe. A stranger's own file systems have nothing else: FUSE and others that users
 *                can mount have no device nodes. A device node that is mounted over a file keeps
 *                the file system that it comes from. What is left is a device node in a FUSE file
 *                system that root mounted without nodev, whose server is then root's to trust.
 *   lseek()      where it is a dma-buf: reports the size, and changes no offset; dma-bufs have
 * none. Never of a memfd: it would wait for whoever reads or writes by the same opening.
 *   ioctl(SYNC_IOC_FILE_INFO)  where the text is exactly "anon_inode:sync_file": looks at fences
 *                under spin locks.
 *
 * Nothing else is asked: /proc/self/fdinfo, poll() and statx() are all the file's own to answer.
 * Nothing here has an effect on the file.
 */

/* The file system that memfds are in; hugetlb ones, and tmpfs that is mounted, are another. */
typedef struct MemfdIdentity {
	uint64_t device;
} MemfdIdentity;

/* Makes a memfd and remembers where it is. Once, at start. Returns 0 or a negative errno. */
int descriptor_facts_init(MemfdIdentity *ret);

/*
 * Returns 0, also for what cannot be shared, or a negative errno, which is the daemon's own
 * trouble: -EBADF for a number that is not open, or what keeps it from reading its own /proc.
 *
 * The size is read after the seals: where they say that it is sealed, it is that size for good.
 * One that is open for writing alone is DESCRIPTOR_OTHER: who may not read may not share for
 * reading.
 */
int descriptor_facts_read(const Roots *roots, const MemfdIdentity *own, int descriptor,
			  DescriptorFacts *ret);

/*
 * Opens a DESCRIPTOR_MEMFD anew, for reading, or for reading and writing: an opening with an offset
 * and flags of its own, close-on-exec, the caller's to close. It never waits.
 *
 * Returns it, or a negative errno: -EACCES where the file's mode forbids it to the daemon, -EAGAIN
 * while somebody holds a lease on the file (fcntl(F_SETLEASE)), -ETXTBSY for writing what is being
 * executed. For a descriptor of any other kind the result is the file's to decide, and may hang.
 */
int descriptor_reopen(const Roots *roots, int descriptor, bool read_write);

#endif
