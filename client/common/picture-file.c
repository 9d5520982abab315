/* SPDX-License-Identifier: MIT */
#include "client/common/picture-file.h"

#include <errno.h>
#include <string.h>

#include "client/common/atomic-file.h"
#include "proto/macros.h"

static bool report_error(int error, char *ret_message, size_t size)
{
	if (error == -ENXIO)
		snprintf(ret_message, size,
			 "no process reads from it; start the reader of a FIFO first");
	else
		snprintf(ret_message, size, "%s", strerror(-error));
	return false;
}

bool picture_write_file(const Picture *picture, const char *path, char *ret_message, size_t size)
{
	_cleanup_(atomic_file_deinit) AtomicFile file = ATOMIC_FILE_INIT;
	int error = atomic_file_create(&file, path);

	if (error < 0)
		return report_error(error, ret_message, size);
	errno = 0;
	if (!picture_write_png(picture, file.out, ret_message, size))
		/* libpng says only "Write Error". */
		return ferror(file.out) && errno ? report_error(-errno, ret_message, size) : false;
	error = atomic_file_commit(&file);
	return error == 0 || report_error(error, ret_message, size);
}
