/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/listen-fds.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "proto/fd-util.h"

int listen_fds_init(ListenFds *passed)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(true, &names);

	*passed = (ListenFds){ 0 };
	if (count <= 0)
		return count;
	passed->items = calloc((size_t)count, sizeof(*passed->items));
	for (int i = 0; i < count; i++) {
		if (passed->items)
			passed->items[i] = (ListenFd){
				.fd = SD_LISTEN_FDS_START + i,
				.name = names[i],
			};
		else
			free(names[i]);
	}
	free((void *)names);
	if (!passed->items)
		return -ENOMEM;
	passed->count = (size_t)count;
	return 0;
}

void listen_fds_deinit(ListenFds *passed)
{
	for (size_t i = 0; i < passed->count; i++) {
		fd_close(&passed->items[i].fd);
		free(passed->items[i].name);
	}
	free(passed->items);
	*passed = (ListenFds){ 0 };
}

int listen_fds_take_socket(ListenFds *passed)
{
	for (size_t i = 0; i < passed->count; i++)
		if (sd_is_socket(passed->items[i].fd, AF_UNIX, SOCK_STREAM, 1) > 0)
			return TAKE_FD(passed->items[i].fd);
	return -1;
}
