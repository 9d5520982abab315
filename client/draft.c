/* SPDX-License-Identifier: MIT */
#include "draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void draft_deinit(Draft *draft)
{
	if (draft->out) {
		fclose(draft->out);
		unlink(draft->path);
	}
	free(draft->path);
}

int draft_init(Draft *draft, const char *path)
{
	*draft = (Draft){ 0 };
	if (asprintf(&draft->path, "%s.XXXXXX", path) < 0) {
		draft->path = NULL;
		return -ENOMEM;
	}
	int descriptor = mkostemp(draft->path, O_CLOEXEC);
	if (descriptor < 0)
		return -errno;
	draft->out = fdopen(descriptor, "w");
	if (!draft->out) {
		int error = errno;

		close(descriptor);
		unlink(draft->path);
		return -error;
	}
	/* mkostemp() makes it private; what the user saves is as what it saves elsewhere. */
	mode_t mask = umask(0);
	umask(mask);
	return fchmod(descriptor, 0666 & ~mask) < 0 ? -errno : 0;
}

int draft_finish(Draft *draft, const char *path)
{
	if (fflush(draft->out) != 0 || fsync(fileno(draft->out)) < 0 ||
	    rename(draft->path, path) < 0)
		return -errno;
	int closed = fclose(draft->out);
	draft->out = NULL;
	return closed == 0 ? 0 : -errno;
}
