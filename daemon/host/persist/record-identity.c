/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-identity.h"

#include <limits.h>
#include <string.h>

#include "proto/json-writer.h"

static const char *const kinds[] = {
	[FD_OTHER] = "other",        [FD_DMABUF] = "dmabuf", [FD_MEMFD] = "memfd",
	[FD_SYNC_FILE] = "syncFile", [FD_SOCKET] = "socket",
};

_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == FD_KIND_MAX, "each kind has a name");

bool encode_process_identity(Buffer *buffer, const ProcessIdentity *identity)
{
	Writer writer = WRITER_INIT(buffer);

	writer_object_begin(&writer);
	writer_key(&writer, "pid");
	writer_unsigned(&writer, (uint64_t)identity->pid);
	writer_key(&writer, "startTime");
	writer_unsigned(&writer, identity->start_time);
	writer_object_end(&writer);
	return !writer.failed;
}

bool read_process_identity(const JsonValue *record, ProcessIdentity *ret)
{
	uint64_t pid, start_time;

	if (!json_read_unsigned(json_member(record, "pid"), &pid) || pid == 0 || pid > INT_MAX ||
	    !json_read_unsigned(json_member(record, "startTime"), &start_time))
		return false;
	*ret = (ProcessIdentity){ .pid = (pid_t)pid, .start_time = start_time };
	return true;
}

bool encode_fd_identity(Buffer *buffer, const FdInfo *facts)
{
	Writer writer = WRITER_INIT(buffer);

	writer_object_begin(&writer);
	writer_key(&writer, "kind");
	writer_string(&writer, kinds[facts->kind]);
	writer_key(&writer, "device");
	writer_unsigned(&writer, facts->device);
	writer_key(&writer, "inode");
	writer_unsigned(&writer, facts->inode);
	writer_object_end(&writer);
	return !writer.failed;
}

bool matches_fd_identity(const JsonValue *record, const FdInfo *facts)
{
	const char *kind = json_string(json_member(record, "kind"));
	uint64_t device, inode;

	return kind && strcmp(kind, kinds[facts->kind]) == 0 &&
	       json_read_unsigned(json_member(record, "device"), &device) &&
	       json_read_unsigned(json_member(record, "inode"), &inode) &&
	       device == facts->device && inode == facts->inode;
}
