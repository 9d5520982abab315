/* SPDX-License-Identifier: MIT */
/* Memory to share, and its seals. */
#include "client/libvail/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/macros.h"

/* The seals that fix the size. */
#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

struct vail_memory {
	int fd;
	void *data; /* NULL until mapped */
	size_t size;
};

static NTSTATUS status_of(int error)
{
	switch (error) {
	case EINVAL:
		return STATUS_INVALID_PARAMETER;
	case EMFILE:
	case ENFILE:
		return STATUS_INSUFFICIENT_RESOURCES;
	case ENOSYS:
		return STATUS_NOT_SUPPORTED;
	default:
		return STATUS_NO_MEMORY;
	}
}

static NTSTATUS memory_fill(struct vail_memory *memory, size_t size, const char *name)
{
	memory->size = size;
	memory->fd = memfd_create(name ? name : "vail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory->fd < 0 || ftruncate(memory->fd, (off_t)size) < 0 ||
	    fcntl(memory->fd, F_ADD_SEALS, SIZE_SEALS) < 0)
		return status_of(errno);
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
	if (data == MAP_FAILED)
		return STATUS_NO_MEMORY;
	memory->data = data;
	return STATUS_SUCCESS;
}

NTSTATUS vail_memory_new(size_t size, const char *name, struct vail_memory **ret_memory)
{
	if (size == 0 || size > PTRDIFF_MAX || !ret_memory)
		return STATUS_INVALID_PARAMETER;
	struct vail_memory *memory = calloc(1, sizeof(*memory));
	if (!memory)
		return STATUS_NO_MEMORY;
	NTSTATUS status = memory_fill(memory, size, name);
	if (status != STATUS_SUCCESS) {
		vail_memory_free(memory);
		return status;
	}
	*ret_memory = memory;
	return STATUS_SUCCESS;
}

void vail_memory_free(struct vail_memory *memory)
{
	if (!memory)
		return;
	if (memory->data)
		munmap(memory->data, memory->size);
	if (memory->fd >= 0)
		close(memory->fd);
	free(memory);
}

void *vail_memory_data(const struct vail_memory *memory)
{
	return memory ? memory->data : NULL;
}

size_t vail_memory_size(const struct vail_memory *memory)
{
	return memory ? memory->size : 0;
}

int vail_memory_descriptor(const struct vail_memory *memory)
{
	return memory ? memory->fd : -1;
}

void memory_seal(int fd, VailAccess access)
{
	int seals = fcntl(fd, F_GET_SEALS);
	int more = SIZE_SEALS | F_SEAL_SEAL;

	if (seals < 0 || (seals & F_SEAL_SEAL))
		return;
	if (access == VAIL_ACCESS_READ)
		more |= F_SEAL_FUTURE_WRITE; /* the sharer can still write through its mappings */
	fcntl(fd, F_ADD_SEALS, more);
}
