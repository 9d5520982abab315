/* SPDX-License-Identifier: MIT */
#ifndef PROTO_MACROS_H
#define PROTO_MACROS_H

#include <stddef.h>
#include <stdlib.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Calls the function with the variable's address when the variable goes out of scope. */
#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(a, b)      __attribute__((format(printf, a, b)))

/* Move ownership out of a cleanup variable: return its value and reset the variable. */
#define TAKE_POINTER(pointer)                           \
	({                                              \
		__typeof__(pointer) _taken = (pointer); \
		(pointer) = NULL;                       \
		_taken;                                 \
	})

#define TAKE_FD(descriptor)                \
	({                                 \
		int _taken = (descriptor); \
		(descriptor) = -1;         \
		_taken;                    \
	})

static inline void free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

#define _cleanup_free_ _cleanup_(free_pointer)

#endif
