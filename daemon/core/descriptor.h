/* SPDX-License-Identifier: MIT */
#ifndef CORE_DESCRIPTOR_H
#define CORE_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

/* What the kernel says of a file descriptor that is to be shared; never what its name says. */

/* A descriptor as the host numbers them. Core and api hand it on, and never look into it. */
typedef int Descriptor;

#define DESCRIPTOR_NONE (-1)

typedef enum DescriptorKind {
	DESCRIPTOR_OTHER, /* of a kind that cannot be shared, O_PATH among them */
	DESCRIPTOR_DMABUF,
	DESCRIPTOR_MEMFD,
	DESCRIPTOR_SYNC_FILE,
	DESCRIPTOR_KIND_MAX,
} DescriptorKind;

/* Of DESCRIPTOR_OTHER nothing else is known, and all is 0 and false. */
typedef struct DescriptorFacts {
	DescriptorKind kind;
	uint64_t device; /* with inode, which memory it is; 0 of a sync_file */
	uint64_t inode;
	uint64_t size;          /* bytes, from the kernel; 0 of a sync_file */
	bool is_writable;       /* opened for reading and writing */
	bool can_be_sealed;     /* a memfd without F_SEAL_SEAL: any reader could seal it */
	bool size_is_sealed;    /* F_SEAL_SHRINK and F_SEAL_GROW: the size is what it is for good */
	bool writes_are_sealed; /* F_SEAL_WRITE or F_SEAL_FUTURE_WRITE: with the size and the seals
				 * sealed as well, a reader cannot make itself a writer */
} DescriptorFacts;

/* Whether the size is what it is for good. A dma-buf's always is: it has no way to change it. */
static inline bool descriptor_size_is_sealed(const DescriptorFacts *facts)
{
	return facts->kind == DESCRIPTOR_DMABUF ||
	       (facts->kind == DESCRIPTOR_MEMFD && facts->size_is_sealed);
}

/*
 * Whether who is given it for reading can neither write nor take anything away from others. Of
 * other memory a reader makes itself a writer through /proc/self/fd, or seals it against its owner.
 */
static inline bool descriptor_access_is_enforced(const DescriptorFacts *facts)
{
	return facts->kind == DESCRIPTOR_MEMFD && facts->writes_are_sealed &&
	       facts->size_is_sealed && !facts->can_be_sealed;
}

#endif
