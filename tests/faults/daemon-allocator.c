/* SPDX-License-Identifier: MIT */
/*
 * Lets a test control the allocator of this vaild. The state of the allocator is a struct Allocator
 * in the file that $VAILD_ALLOCATOR names, which the test maps as well.
 */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/faults/allocator.h"

static __attribute__((constructor)) void share_allocator(void)
{
	const char *path = getenv("VAILD_ALLOCATOR");
	int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (file < 0)
		return;
	void *page = mmap(NULL, sizeof(Allocator), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (page == MAP_FAILED)
		err(1, "%s", path);
	close(file);
	allocator_use(page);
	allocator_own_code(true);
}
