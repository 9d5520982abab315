/* SPDX-License-Identifier: MIT */
/*
 * shared-handle: lets several threads call one handle and one open object at random, without a
 * lock, while a server answers. Built with ThreadSanitizer, which ends the program at a data race.
 * Prints how many calls succeeded and how many were refused, once at least one was.
 */
#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include <vail.h>

#define GUID    "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define HANDLE  "0123456789abcdef0123456789abcdef"
#define THREADS 4
#define CALLS   3000

/* The number of successful calls that each thread needs, so that the run is not mostly refusals. */
#define SUCCESSES 50

typedef struct Shared {
	struct vail *vail;
	struct vail_object *object;
} Shared;

/* Threads that do not overlap would show nothing, so all of them go on until a call is refused. */
static atomic_bool is_one_refused;

typedef struct Caller {
	const Shared *shared;
	unsigned int seed;
	size_t succeeded;
	size_t refused;
	pthread_t thread;
} Caller;

/* ---- The server ---- */

static int make_listener(char path[static sizeof(((struct sockaddr_un *)NULL)->sun_path)])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, sizeof(address.sun_path), "/tmp/vail-shared-handle.%d", getpid());
	strcpy(address.sun_path, path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		err(1, "%s", path);
	return fd;
}

/* Sends a reply that every function accepts, with the memory of an object. */
static void answer(int fd, int memory)
{
	static const char reply[] =
		"{\"parameters\":{\"context\":\"" HANDLE "\",\"process\":\"" HANDLE
		"\",\"display\":{\"display\":\"" HANDLE "\",\"rights\":[\"view\"]}"
		",\"object\":{\"type\":\"resource\",\"planes\":[{\"stride\":4}]}}}";
	struct iovec bytes = { .iov_base = (char *)reply, .iov_len = sizeof(reply) };
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &memory, sizeof(memory));
	sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* Answers each request of the only connection until its end. A "oneway" one gets no reply. */
static void *serve(void *context)
{
	_cleanup_close_ int fd = accept4(*(int *)context, NULL, NULL, SOCK_CLOEXEC);
	_cleanup_close_ int memory = memfd_create("content", MFD_CLOEXEC);
	char request[4096];
	size_t size = 0;

	if (fd < 0 || memory < 0 || write(memory, "content", 7) != 7)
		err(1, "server");
	while (recv(fd, &request[size], 1, 0) == 1) {
		if (request[size] != '\0') {
			size += size + 1 < sizeof(request);
			continue;
		}
		if (!strstr(request, "oneway"))
			answer(fd, memory);
		size = 0;
	}
	return NULL;
}

/* ---- The callers ---- */

static bool take_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		       void *context)
{
	(void)parameters;
	(void)context;
	if (status == STATUS_SUCCESS && vail_error_message(vail)[0] != '\0')
		errx(1, "a successful call has an error: %s", vail_error_message(vail));
	return continues;
}

static NTSTATUS call_handle(struct vail *vail, unsigned int choice)
{
	char context[VAIL_HANDLE_SIZE];
	_cleanup_close_ int display = -1;
	char *reply = NULL;
	NTSTATUS status;

	switch (choice % 10) {
	case 0:
		status = vail_call(vail, "io.vaild.ListRegistrations", NULL, &reply);
		free(reply);
		return status;
	case 1:
		return vail_register_process(vail, GUID);
	case 2:
		return vail_create_context(vail, NULL, context, NULL);
	case 3:
		return vail_send_update(vail, HANDLE, NULL, 0);
	case 4:
		return vail_submit(vail, "a.B", NULL, false, take_reply, NULL);
	case 5:
		vail_set_timeout(vail, VAIL_TIMEOUT_NONE);
		vail_set_waiting(vail, 0, NULL, NULL);
		return vail_process(vail);
	case 6:
		/* These results do not matter, but reading them must not race. */
		vail_events(vail);
		vail_descriptor(vail);
		vail_take_descriptor(vail, 9);
		return vail_call_more(vail, "a.B", NULL, take_reply, NULL);
	case 7:
		return vail_open_display(vail, GUID, 0, NULL, NULL, &display);
	case 8:
		return vail_close_display(vail, HANDLE);
	default:
		return vail_set_quarantine(vail, GUID, true, "storm");
	}
}

static NTSTATUS call_object(struct vail_object *object, unsigned int choice)
{
	char byte;

	switch (choice % 3) {
	case 0:
		return vail_object_read(object, 0, 0, &byte, sizeof(byte));
	case 1:
		vail_object_set_timeout(object, 1);
		return vail_object_wait(object, 0);
	default:
		return vail_object_read(object, 0, 0, &byte, 0);
	}
}

/* The relaxed order creates no order between threads, which could hide a race. */
static void note_refusal(Caller *caller)
{
	caller->refused++;
	atomic_store_explicit(&is_one_refused, true, memory_order_relaxed);
}

static bool goes_on(const Caller *caller, size_t calls)
{
	return calls < CALLS || caller->succeeded < SUCCESSES ||
	       !atomic_load_explicit(&is_one_refused, memory_order_relaxed);
}

static void count(Caller *caller, NTSTATUS status, const char *message)
{
	if (status == STATUS_SUCCESS)
		caller->succeeded++;
	else if (status == STATUS_INVALID_DEVICE_STATE && strstr(message, "another thread"))
		note_refusal(caller);
	else
		errx(1, "%s: %s", vail_status_name(status), message);
}

static void *call_at_random(void *context)
{
	Caller *caller = context;
	const Shared *shared = caller->shared;

	for (size_t i = 0; goes_on(caller, i); i++) {
		unsigned int choice = (unsigned int)rand_r(&caller->seed) >> 4;
		bool is_object = choice % 2 == 0;
		NTSTATUS status = is_object ? call_object(shared->object, choice / 2)
					    : call_handle(shared->vail, choice / 2);

		/* Only the sentence of a refusal stays valid when other threads go on. */
		if (status == STATUS_SUCCESS)
			count(caller, status, "");
		else
			count(caller, status,
			      is_object ? vail_object_error_message(shared->object)
					: vail_error_message(shared->vail));
	}
	return NULL;
}

static void run_callers(const Shared *shared)
{
	Caller callers[THREADS];
	size_t succeeded = 0, refused = 0;

	for (unsigned int i = 0; i < THREADS; i++) {
		callers[i] = (Caller){ .shared = shared, .seed = i + 1 };
		if (pthread_create(&callers[i].thread, NULL, call_at_random, &callers[i]) != 0)
			errx(1, "pthread_create");
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		succeeded += callers[i].succeeded;
		refused += callers[i].refused;
	}
	printf("%zu calls succeeded, %zu were refused\n", succeeded, refused);
}

int main(void)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int listener = make_listener(path);
	Shared shared;
	pthread_t server;

	if (pthread_create(&server, NULL, serve, &listener) != 0)
		errx(1, "pthread_create");
	if (vail_open(path, &shared.vail) != STATUS_SUCCESS ||
	    vail_open_object(shared.vail, HANDLE, &shared.object) != STATUS_SUCCESS)
		errx(1, "the handle or the object cannot be opened");
	run_callers(&shared);
	vail_object_close(NULL, shared.object);
	vail_close(shared.vail);
	pthread_join(server, NULL);
	unlink(path);
	close(listener);
	return 0;
}
