/* SPDX-License-Identifier: MIT */
/*
 * never-answers flush|questions FOLDER: mounts a FUSE file system at FOLDER that all users can
 * access, and serves it until it is killed. Uses /dev/fuse without libfuse, so that nothing has to
 * be installed. The file system never answers some requests:
 *
 *   flush      It has one file, "file". close() of it hangs.
 *   questions  Files of any name exist, FIFOs if the name ends in "pipe". They can be opened and
 *              closed, but stat(), statfs(), lseek(), ioctl() and poll() hang.
 */
#include <linux/fuse.h>
#include <sys/mount.h>

#include "tests/support/helper.h"

/* Node numbers. All regular files are one node, and all FIFOs another. */
enum {
	NODE_FILE = FUSE_ROOT_ID + 1,
	NODE_PIPE,
};

typedef struct Server {
	int device;
	bool answers_questions; /* true in mode "flush", which answers everything but FLUSH */
} Server;

static void reply(const Server *server, const struct fuse_in_header *request, int32_t error,
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
	if (write(server->device, buffer, sizeof(header) + size) < 0 && errno != ENOENT)
		err(2, "write /dev/fuse");
}

static struct fuse_attr attributes_of(uint64_t node)
{
	uint32_t mode = S_IFDIR | 0755;

	if (node == NODE_FILE)
		mode = S_IFREG | 0666;
	if (node == NODE_PIPE)
		mode = S_IFIFO | 0666;
	return (struct fuse_attr){ .ino = node, .mode = mode, .nlink = 1, .blksize = 4096 };
}

static void answer_init(const Server *server, const struct fuse_in_header *request)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = 4096,
		.max_readahead = 4096,
	};

	reply(server, request, 0, &init, sizeof(init));
}

static void answer_lookup(const Server *server, const struct fuse_in_header *request,
			  const char *name)
{
	const char *end = strstr(name, "pipe");
	uint64_t node = end && strcmp(end, "pipe") == 0 ? NODE_PIPE : NODE_FILE;
	struct fuse_entry_out entry = { .nodeid = node, .attr = attributes_of(node) };

	if (!server->answers_questions || strcmp(name, "file") == 0)
		reply(server, request, 0, &entry, sizeof(entry));
	else
		reply(server, request, -ENOENT, NULL, 0);
}

static void answer_getattr(const Server *server, const struct fuse_in_header *request)
{
	struct fuse_attr_out out = { .attr = attributes_of(request->nodeid) };

	if (server->answers_questions || request->nodeid == FUSE_ROOT_ID)
		reply(server, request, 0, &out, sizeof(out));
}

static void answer(const Server *server, const struct fuse_in_header *request)
{
	struct fuse_open_out opened = { .fh = 1 };

	switch (request->opcode) {
	case FUSE_INIT:
		answer_init(server, request);
		break;
	case FUSE_LOOKUP:
		answer_lookup(server, request, (const char *)(request + 1));
		break;
	case FUSE_GETATTR:
		answer_getattr(server, request);
		break;
	case FUSE_OPEN:
		reply(server, request, 0, &opened, sizeof(opened));
		break;
	case FUSE_INTERRUPT: /* ignored, so that the call still hangs */
	case FUSE_FORGET:    /* has no reply */
	case FUSE_BATCH_FORGET:
		break;
	case FUSE_FLUSH:
		if (!server->answers_questions)
			reply(server, request, 0, NULL, 0);
		break;
	case FUSE_RELEASE:
		reply(server, request, 0, NULL, 0);
		break;
	default:
		if (server->answers_questions)
			reply(server, request, -ENOSYS, NULL, 0);
	}
}

static void mount_at(const Server *server, const char *folder)
{
	char options[128];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 server->device);
	if (mount("never-answers", folder, "fuse", 0, options) < 0)
		err(2, "mount %s", folder);
}

int main(int argc, char **argv)
{
	static char buffer[65536] __attribute__((aligned(8)));

	if (argc != 3 || (strcmp(argv[1], "flush") != 0 && strcmp(argv[1], "questions") != 0))
		errx(2, "usage: never-answers flush|questions FOLDER");
	Server server = {
		.device = open("/dev/fuse", O_RDWR | O_CLOEXEC),
		.answers_questions = strcmp(argv[1], "flush") == 0,
	};
	if (server.device < 0)
		err(2, "/dev/fuse");
	mount_at(&server, argv[2]);
	for (;;) {
		ssize_t size = read(server.device, buffer, sizeof(buffer) - 1);
		if (size < (ssize_t)sizeof(struct fuse_in_header))
			err(2, "read /dev/fuse");
		buffer[size] = '\0';
		answer(&server, (const struct fuse_in_header *)buffer);
	}
}
