/* SPDX-License-Identifier: MIT */
#include "client/common/atomic-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void atomic_file_deinit(AtomicFile *file)
{
	if (file->out) {
		fclose(file->out);
		unlink(file->path);
	}
	free(file->path);
}

int atomic_file_create(AtomicFile *file, const char *path)
{
	*file = (AtomicFile){ 0 };
	if (asprintf(&file->path, "%s.XXXXXX", path) < 0) {
		file->path = NULL;
		return -ENOMEM;
	}
	int fd = mkostemp(file->path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	file->out = fdopen(fd, "w");
	if (!file->out) {
		int error = errno;

		close(fd);
		unlink(file->path);
		return -error;
	}
	/* mkostemp() creates a private file. Give it the mode that other new files get. */
	mode_t mask = umask(0);
	umask(mask);
	return fchmod(fd, 0666 & ~mask) < 0 ? -errno : 0;
}

int atomic_file_commit(AtomicFile *file, const char *path)
{
	if (fflush(file->out) != 0 || fsync(fileno(file->out)) < 0 || rename(file->path, path) < 0)
		return -errno;
	int closed = fclose(file->out);
	file->out = NULL;
	return closed == 0 ? 0 : -errno;
}
