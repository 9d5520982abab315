/* SPDX-License-Identifier: MIT */
#include "tests/support/random-objects.h"

#include <stdarg.h>

uint64_t draw(uint64_t *random, uint64_t below)
{
	uint64_t value = *random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return (value ^ value >> 31) % below;
}

bool one_in(uint64_t *random, uint64_t count)
{
	return draw(random, count) == 0;
}

void request_add(Request *request, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	request->length +=
		(size_t)vsnprintf(request->text + request->length,
				  sizeof(request->text) - request->length, format, arguments);
	va_end(arguments);
	if (request->length >= sizeof(request->text))
		errx(2, "a random request is too long");
}

void request_add_fds(RandomObjects *objects, Request *request, size_t count, size_t kinds)
{
	while (count-- > 0 && request->count < HELPER_FDS_MAX) {
		int fd = objects->pool[draw(&objects->random, kinds)];

		if (fd >= 0)
			request->fds[request->count++] = fd;
	}
}

/* Picks a stored handle, or sometimes an invalid one. */
static const char *pick_handle(RandomObjects *objects)
{
	static const char *const strange[] = { "", "0", "0123456789abcdef0123456789abcdef",
					       "\\u00e9", "null" };
	const char *handle = PICK(&objects->random, objects->handles);

	return *handle == '\0' || one_in(&objects->random, 16) ? PICK(&objects->random, strange)
							       : handle;
}

void request_begin(Request *request, const char *method)
{
	request_add(request, "{\"method\":\"io.vaild.%s\",\"parameters\":", method);
}

static void call_with_handle(RandomObjects *objects, Request *request, const char *method)
{
	request_begin(request, method);
	request_add(request, "{\"handle\":\"%s\"}}", pick_handle(objects));
}

static void open_object(RandomObjects *objects, Request *request)
{
	call_with_handle(objects, request, "OpenSharedObject");
}

static void close_object(RandomObjects *objects, Request *request)
{
	call_with_handle(objects, request, "CloseSharedObject");
}

static void close_forgotten(RandomObjects *objects, Request *request)
{
	request_begin(request, "CloseSharedObject");
	request_add(request, "{\"handle\":\"%s\"}}",
		    objects->forgotten[--objects->forgotten_count]);
}

static void unshare(RandomObjects *objects, Request *request)
{
	call_with_handle(objects, request, "UnshareObject");
}

static void update(RandomObjects *objects, Request *request)
{
	size_t count = draw(&objects->random, 3);

	request_begin(request, "UpdateObject");
	request_add(request, "{\"handle\":\"%s\",\"damage\":[", pick_handle(objects));
	for (size_t i = 0; i < count; i++)
		request_add(request, "%s{\"x\":%u,\"y\":0,\"width\":8,\"height\":%u}",
			    i > 0 ? "," : "", (unsigned int)draw(&objects->random, 70),
			    (unsigned int)draw(&objects->random, 34));
	request_add(request, "]}}");
}

static void list(RandomObjects *objects, Request *request)
{
	request_begin(request, "ListSharedObjects");
	if (one_in(&objects->random, 2))
		request_add(request, "{\"virtualMachineGuid\":\"%s\"}", objects->guid);
	else
		request_add(request, "{}");
	request_add(request, "%s}", one_in(&objects->random, 2) ? ",\"more\":true" : "");
}

static void begin_sharing(const RandomObjects *objects, Request *request)
{
	request_begin(request, "ShareObjectWithHost");
	request_add(request, "{\"virtualMachineGuid\":\"%s\",\"object\":{", objects->guid);
}

/* Mostly succeeds, unless the VM has reached a limit. */
static void share(RandomObjects *objects, Request *request)
{
	size_t planes = 1 + draw(&objects->random, 4);

	begin_sharing(objects, request);
	request_add(request, "\"type\":\"resource\",\"access\":\"%s\",\"width\":64,\"height\":32,",
		    one_in(&objects->random, 2) ? "read" : "readWrite");
	request_add(request, "\"format\":\"XR24\",\"planes\":[");
	for (size_t i = 0; i < planes; i++)
		request_add(request, "%s{\"fileDescriptor\":%zu,\"offset\":0,\"stride\":256}",
			    i > 0 ? "," : "", i);
	request_add(request, "]}}}");
	request_add_fds(objects, request, planes,
			one_in(&objects->random, 4) ? FD_KINDS : FD_KINDS_SHAREABLE);
}

static void add_plane(RandomObjects *objects, Request *request)
{
	static const char *const numbers[] = { "0",    "1",    "2",    "3",    "-1", "253",
					       "4096", "8192", "null", "true", "1e3" };

	request_add(request, "{\"fileDescriptor\":%s,\"offset\":%s,\"stride\":%s}",
		    PICK(&objects->random, numbers),
		    one_in(&objects->random, 4) ? PICK(&objects->random, numbers) : "0",
		    one_in(&objects->random, 4) ? "9223372036854775807" : "256");
}

/* Hardly ever succeeds. */
static void share_anything(RandomObjects *objects, Request *request)
{
	static const char *const types[] = { "resource", "fence", "resourceWithFence", "x" };
	static const char *const accesses[] = { "read", "readWrite", "write" };
	static const char *const formats[] = { "XR24", "NV12", "XR2", "" };
	size_t planes = draw(&objects->random, 6), counts[] = { 0, 1, 2, 3, 5, 6, 100, 253 };

	begin_sharing(objects, request);
	request_add(request, "\"type\":\"%s\",\"access\":\"%s\"", PICK(&objects->random, types),
		    PICK(&objects->random, accesses));
	if (!one_in(&objects->random, 4))
		request_add(request, ",\"width\":%u,\"height\":%u,\"format\":\"%s\"",
			    (unsigned int)draw(&objects->random, 100),
			    (unsigned int)draw(&objects->random, 100),
			    PICK(&objects->random, formats));
	if (!one_in(&objects->random, 4)) {
		request_add(request, ",\"planes\":[");
		for (size_t i = 0; i < planes; i++) {
			request_add(request, "%s", i > 0 ? "," : "");
			add_plane(objects, request);
		}
		request_add(request, "]");
	}
	if (one_in(&objects->random, 2))
		request_add(request, ",\"fence\":{\"fileDescriptor\":%u}",
			    (unsigned int)draw(&objects->random, 3));
	request_add(request, "}}}");
	request_add_fds(objects, request, PICK(&objects->random, counts), FD_KINDS);
}

static void strange(RandomObjects *objects, Request *request)
{
	static const char *const texts[] = {
		"[]",
		"17",
		"{}",
		"",
		"{\"method\":\"io.vaild.Nothing\"}",
		"{\"method\":\"io.vaild.Gpu.CreateContext\",\"parameters\":{\"x\":1}}",
		"{\"method\":\"org.varlink.service.GetInfo\"}",
	};

	request_add(request, "%s", PICK(&objects->random, texts));
}

/* Replaces a byte of the request. */
static void request_break(uint64_t *random, Request *request)
{
	static const char bytes[] = "{}[]\",:0\\\n\x01\xff";

	if (request->length == 0)
		return;
	request->text[draw(random, request->length)] = bytes[draw(random, sizeof(bytes))];
	request->is_broken = true;
}

void request_end(uint64_t *random, Request *request)
{
	if (one_in(random, 500))
		request_break(random, request);
	request->text[request->length++] = one_in(random, 2) ? '\n' : '\0';
}

size_t replies_take(char *text, size_t size, size_t searched,
		    void (*look)(void *context, const char *reply, size_t length), void *context)
{
	char *begin = text, *end = text + size;

	for (char *at = text + searched; at < end; at++) {
		if (*at != '\n' && *at != '\0')
			continue;
		*at = '\0';
		look(context, begin, (size_t)(at - begin));
		begin = at + 1;
	}
	memmove(text, begin, (size_t)(end - begin));
	return (size_t)(end - begin);
}

void random_objects_request(RandomObjects *objects, Request *request)
{
	static void (*const kinds[])(RandomObjects *, Request *) = {
		share,          share,          unshare,     unshare,      unshare,
		open_object,    open_object,    open_object, close_object, update,
		share_anything, share_anything, strange,
	};

	if (objects->forgotten_count > 0)
		close_forgotten(objects, request);
	else if (one_in(&objects->random, 64))
		list(objects, request);
	else
		PICK(&objects->random, kinds)(objects, request);
}

void random_objects_remember(RandomObjects *objects, const char *handle)
{
	for (size_t i = 0; i < HANDLES_MAX; i++)
		if (memcmp(objects->handles[i], handle, HANDLE_SIZE - 1) == 0)
			return;
	char *place = PICK(&objects->random, objects->handles);
	if (*place != '\0' && objects->forgotten_count < HANDLES_MAX)
		memcpy(objects->forgotten[objects->forgotten_count++], place, HANDLE_SIZE);
	memcpy(place, handle, HANDLE_SIZE - 1);
}

void random_objects_make_pool(RandomObjects *objects)
{
	for (size_t i = 0; i < FD_KINDS; i++)
		objects->pool[i] = fd_kinds[i].make();
}
