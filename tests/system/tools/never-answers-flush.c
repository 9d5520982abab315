/* SPDX-License-Identifier: MIT */
/*
 * never-answers-flush FOLDER: mounts a FUSE file system there with one file, "file", that can be
 * opened by anyone, and whose close never returns. Spoken to the kernel directly, so that nothing
 * has to be installed.
 */
#include <linux/fuse.h>
#include <sys/mount.h>

#include "tool.h"

#define NODE_FILE 2

static void reply(int device, const struct fuse_in_header *request, int32_t error,
		  const void *payload, size_t size)
{
	char buffer[1024];
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.error = error,
		.unique = request->unique,
	};

	memcpy(buffer, &header, sizeof(header));
	if (size > 0)
		memcpy(buffer + sizeof(header), payload, size);
	if (write(device, buffer, sizeof(header) + size) < 0 && errno != ENOENT)
		err(2, "write /dev/fuse");
}

static struct fuse_attr attributes_of(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.mode = node == NODE_FILE ? S_IFREG | 0666 : S_IFDIR | 0755,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void answer_init(int device, const struct fuse_in_header *request)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = 4096,
		.max_readahead = 4096,
	};

	reply(device, request, 0, &init, sizeof(init));
}

static void answer_lookup(int device, const struct fuse_in_header *request, const char *name)
{
	struct fuse_entry_out entry = { .nodeid = NODE_FILE, .attr = attributes_of(NODE_FILE) };

	if (strcmp(name, "file") == 0)
		reply(device, request, 0, &entry, sizeof(entry));
	else
		reply(device, request, -ENOENT, NULL, 0);
}

static void answer_getattr(int device, const struct fuse_in_header *request)
{
	struct fuse_attr_out out = { .attr = attributes_of(request->nodeid) };

	reply(device, request, 0, &out, sizeof(out));
}

static void answer(int device, const struct fuse_in_header *request)
{
	struct fuse_open_out opened = { .fh = 1 };

	switch (request->opcode) {
	case FUSE_INIT:
		answer_init(device, request);
		break;
	case FUSE_LOOKUP:
		answer_lookup(device, request, (const char *)(request + 1));
		break;
	case FUSE_GETATTR:
		answer_getattr(device, request);
		break;
	case FUSE_OPEN:
		reply(device, request, 0, &opened, sizeof(opened));
		break;
	case FUSE_FLUSH:     /* this is what the program is for */
	case FUSE_INTERRUPT: /* not even then */
	case FUSE_FORGET:    /* has no answer */
	case FUSE_BATCH_FORGET:
		break;
	case FUSE_RELEASE:
		reply(device, request, 0, NULL, 0);
		break;
	default:
		reply(device, request, -ENOSYS, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	static char buffer[65536] __attribute__((aligned(8)));
	char options[128];

	if (argc != 2)
		errx(2, "usage: never-answers-flush FOLDER");
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(2, "/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 device);
	if (mount("never-answers-flush", argv[1], "fuse", 0, options) < 0)
		err(2, "mount %s", argv[1]);
	for (;;) {
		ssize_t size = read(device, buffer, sizeof(buffer) - 1);
		if (size < (ssize_t)sizeof(struct fuse_in_header))
			err(2, "read /dev/fuse");
		buffer[size] = '\0';
		answer(device, (const struct fuse_in_header *)buffer);
	}
}
