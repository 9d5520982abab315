/* SPDX-License-Identifier: MIT */
#include "tests/faults/allocator.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Allocator program_own, *allocator = &program_own;

void allocator_use(Allocator *other)
{
	allocator = other;
}

void allocator_fail(size_t number, bool lasts)
{
	allocator->fails = number;
	allocator->lasts = lasts;
	allocator->count = allocator->refused = 0;
}

void allocator_heal(void)
{
	allocator->fails = 0;
}

size_t allocator_count(void)
{
	return allocator->count;
}

size_t allocator_refused(void)
{
	return allocator->refused;
}

void allocator_own_code(bool begins)
{
	allocator->is_own = begins;
}

static bool is_refused(void)
{
	size_t fails = allocator->fails;

	if (!allocator->is_own)
		return false;
	size_t count = ++allocator->count;
	if (fails == 0 || count < fails || (count > fails && !allocator->lasts))
		return false;
	allocator->refused++;
	return true;
}

/* objcopy renames the calls of vaild's objects to these functions. */
void *fault_malloc(size_t size);
void *fault_calloc(size_t items, size_t size);
void *fault_realloc(void *old, size_t size);
void *fault_reallocarray(void *old, size_t items, size_t size);
char *fault_strdup(const char *text);
char *fault_strndup(const char *text, size_t size);
int fault_vasprintf(char **ret, const char *format, va_list arguments);
int fault_asprintf(char **ret, const char *format, ...);
FILE *fault_open_memstream(char **ret, size_t *ret_size);

void *fault_malloc(size_t size)
{
	return is_refused() ? NULL : malloc(size);
}

void *fault_calloc(size_t items, size_t size)
{
	return is_refused() ? NULL : calloc(items, size);
}

void *fault_realloc(void *old, size_t size)
{
	return is_refused() ? NULL : realloc(old, size);
}

void *fault_reallocarray(void *old, size_t items, size_t size)
{
	return is_refused() ? NULL : reallocarray(old, items, size);
}

char *fault_strdup(const char *text)
{
	return is_refused() ? NULL : strdup(text);
}

char *fault_strndup(const char *text, size_t size)
{
	return is_refused() ? NULL : strndup(text, size);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
int fault_vasprintf(char **ret, const char *format, va_list arguments)
{
	return is_refused() ? -1 : vasprintf(ret, format, arguments);
}

int fault_asprintf(char **ret, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = fault_vasprintf(ret, format, arguments);
	va_end(arguments);
	return length;
}

FILE *fault_open_memstream(char **ret, size_t *ret_size)
{
	return is_refused() ? NULL : open_memstream(ret, ret_size);
}
