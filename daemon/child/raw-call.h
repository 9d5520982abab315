/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CHILD_RAW_CALL_H
#define DAEMON_CHILD_RAW_CALL_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Makes a system call without the C library. It touches neither errno nor any other memory of the
 * thread, so a process that shares the memory of another can make it. Returns a negative errno on
 * failure. RAW_CALLS_SPARE_ERRNO is 0 for CPUs on which it needs the C library after all.
 */
static inline long raw_call(long number, long first, long second, long third);

#if defined(__x86_64__) && !defined(__ILP32__)

#define RAW_CALLS_SPARE_ERRNO 1

static inline long raw_call(long number, long first, long second, long third)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second), "d"(third)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

#define RAW_CALLS_SPARE_ERRNO 1

static inline long raw_call(long number, long first, long second, long third)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}

#else

#define RAW_CALLS_SPARE_ERRNO 0

static inline long raw_call(long number, long first, long second, long third)
{
	long result = syscall(number, first, second, third);

	return result < 0 ? -errno : result;
}

#endif

#endif
