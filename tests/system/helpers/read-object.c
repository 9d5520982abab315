/* SPDX-License-Identifier: MIT */
/*
 * read-object SOCKET memory|fence: opens fd 3 as a shared object through libvail, and reads the
 * memory or waits for the fence. Does not need the daemon: it makes SOCKET and sends the daemon's
 * replies itself. Prints the status of each call and the pixels that it read.
 *
 * Memory is filled before it is opened. A fence is pending until fd 4, its device, is closed.
 */
#include <vail.h>

#include "tests/support/helper.h"

#define GIVEN       3
#define DEVICE      4
#define HANDLE      "0123456789abcdef0123456789abcdef"
#define MEMORY_SIZE 16384

/* An image of three by two pixels, in rows of 16 bytes, and without the gaps between rows. */
#define ROWS   "abcdABCDefgh----ijklIJKLmnop----"
#define PIXELS "abcdABCDefghijklIJKLmnop"

static int listen_at(const char *path)
{
	struct sockaddr_un address = helper_address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0)
		err(2, "%s", path);
	return listener;
}

/* Sends a reply, with the fd if has_fd, before libvail sends the request. */
static void reply(int connection, const char *parameters, bool has_fd)
{
	int given = GIVEN;
	char text[400];

	snprintf(text, sizeof(text), "{\"parameters\":{%s}}", parameters);
	if (has_fd ? !helper_send_fds(connection, text, &given, 1)
		   : send(connection, text, strlen(text), MSG_NOSIGNAL) < 0)
		err(2, "send");
	helper_send(connection, "", 1); /* its NUL */
}

static void print_status(const char *what, NTSTATUS status)
{
	printf("%s %s\n", what, vail_status_name(status));
}

static void read_memory(struct vail_object *object)
{
	char pixels[sizeof(PIXELS)] = "";
	size_t size;
	void *data;

	print_status("image", vail_object_read_image(object, pixels, strlen(PIXELS)));
	printf("pixels %s\n", pixels);
	print_status("beyond", vail_object_read(object, 0, MEMORY_SIZE - 1, pixels, 2));
	print_status("map", vail_object_map(object, 0, &data, &size));
}

static void wait_for_fence(struct vail_object *object)
{
	print_status("pending", vail_object_wait(object, 100));
	close(DEVICE);
	print_status("signalled", vail_object_wait(object, 10000));
}

int main(int argc, char **argv)
{
	struct vail *vail;
	struct vail_object *object;

	if (argc != 3)
		errx(2, "usage: read-object SOCKET memory|fence");
	bool is_fence = strcmp(argv[2], "fence") == 0;
	int listener = listen_at(argv[1]);
	if (vail_open(argv[1], &vail) != STATUS_SUCCESS)
		errx(2, "vail_open");
	int connection = accept(listener, NULL, NULL);
	if (!is_fence)
		helper_write_memory(GIVEN, 0, ROWS);
	reply(connection,
	      is_fence ? "\"object\":{\"type\":\"fence\",\"fence\":{}}"
		       : "\"object\":{\"type\":\"resource\",\"width\":3,\"height\":2,"
			 "\"format\":\"XR24\",\"planes\":[{\"offset\":0,\"stride\":16}]}",
	      true);
	print_status("open", vail_open_object(vail, HANDLE, &object));
	if (is_fence)
		wait_for_fence(object);
	else
		read_memory(object);
	reply(connection, "", false);
	print_status("close", vail_object_close(vail, object));
	vail_close(vail);
	unlink(argv[1]);
	return 0;
}
