/* SPDX-License-Identifier: MIT */
#include "naive-manager.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_SIZE 256

void naive_manager_init(NaiveManager *manager, size_t maximum)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64], number[32];
	int length = snprintf(name, sizeof(name), "@vaild-test-%d", (int)getpid());

	*manager = (NaiveManager){ .maximum = maximum };
	memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
	manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(manager->socket, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
		     0);
	setenv("NOTIFY_SOCKET", name, 1);
	snprintf(number, sizeof(number), "%zu", maximum);
	setenv("FDSTORE", number, 1);
}

static void forget(NaiveManager *manager, size_t index)
{
	close(manager->entries[index].descriptor);
	manager->count--;
	memmove(&manager->entries[index], &manager->entries[index + 1],
		(manager->count - index) * sizeof(NaiveEntry));
}

void naive_manager_deinit(NaiveManager *manager)
{
	while (manager->count > 0)
		forget(manager, 0);
	close(manager->socket);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("FDSTORE");
}

static bool is_stored(const NaiveManager *manager, int descriptor)
{
	pid_t self = getpid();

	for (size_t i = 0; i < manager->count; i++)
		if (syscall(SYS_kcmp, self, self, KCMP_FILE, (long)descriptor,
			    (long)manager->entries[i].descriptor) == 0)
			return true;
	return false;
}

static void store(NaiveManager *manager, const char *name, int descriptor)
{
	if (is_stored(manager, descriptor) || manager->count == manager->maximum) {
		manager->dropped++;
		close(descriptor);
		return;
	}
	cr_assert_lt(manager->count, NAIVE_ENTRIES_MAX);
	NaiveEntry *entry = &manager->entries[manager->count++];
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->descriptor = descriptor;
}

static void take_message(NaiveManager *manager, const char *text, int descriptor)
{
	char name[64];

	if (sscanf(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=%63s", name) == 1) {
		cr_assert_geq(descriptor, 0);
		store(manager, name, descriptor);
		return;
	}
	cr_assert_eq(descriptor, -1);
	cr_assert_eq(sscanf(text, "FDSTOREREMOVE=1\nFDNAME=%63s", name), 1, "%s", text);
	for (size_t i = manager->count; i-- > 0;)
		if (strcmp(manager->entries[i].name, name) == 0)
			forget(manager, i);
}

void naive_manager_hear(NaiveManager *manager)
{
	for (;;) {
		union {
			struct cmsghdr header;
			char space[CMSG_SPACE(sizeof(int))];
		} control;
		char text[MESSAGE_SIZE];
		struct iovec vector = { .iov_base = text, .iov_len = sizeof(text) - 1 };
		struct msghdr message = {
			.msg_iov = &vector,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		int descriptor = -1;
		ssize_t size = recvmsg(manager->socket, &message, MSG_CMSG_CLOEXEC);

		if (size < 0)
			return;
		text[size] = '\0';
		if (message.msg_controllen >= CMSG_LEN(sizeof(int)))
			memcpy(&descriptor, CMSG_DATA(&control.header), sizeof(int));
		take_message(manager, text, descriptor);
	}
}

const char *naive_manager_names(NaiveManager *manager)
{
	static char names[NAIVE_ENTRIES_MAX * 64];
	size_t length = 0;

	naive_manager_hear(manager);
	names[0] = '\0';
	for (size_t i = 0; i < manager->count; i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i == 0 ? "" : " ", manager->entries[i].name);
	return names;
}

NaiveEntry *naive_manager_find(NaiveManager *manager, const char *name)
{
	for (size_t i = 0; i < manager->count; i++)
		if (strcmp(manager->entries[i].name, name) == 0)
			return &manager->entries[i];
	return NULL;
}

void naive_manager_pass(NaiveManager *manager, PassedDescriptors *ret)
{
	naive_manager_hear(manager);
	ret->items = calloc(manager->count + 1, sizeof(*ret->items));
	ret->count = manager->count;
	for (size_t i = 0; i < manager->count; i++)
		ret->items[i] = (PassedDescriptor){
			.descriptor = fcntl(manager->entries[i].descriptor, F_DUPFD_CLOEXEC, 0),
			.name = strdup(manager->entries[i].name),
		};
}
