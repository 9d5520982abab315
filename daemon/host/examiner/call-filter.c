/* SPDX-License-Identifier: MIT */
#include "daemon/host/examiner/call-filter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "daemon/host/process/pid-namespace.h"
#include "proto/macros.h"

/* The audit number of the architecture that this file is compiled for. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__LP64__) && defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

/* Sanitizers need further system calls. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#undef ARCHITECTURE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
	__has_feature(thread_sanitizer)
#undef ARCHITECTURE
#endif
#endif

#ifdef ARCHITECTURE

#define VALUES_MAX 3
#define CHECKS_MAX 2

/* An argument, of which the bits of the mask must equal one of the values, or none of them. */
typedef struct ArgumentCheck {
	uint32_t mask;
	uint8_t argument;
	uint8_t count;
	bool is_none;
	uint32_t values[VALUES_MAX];
} ArgumentCheck;

typedef struct AllowedCall {
	uint32_t number;
	uint8_t check_count;
	ArgumentCheck checks[CHECKS_MAX];
} AllowedCall;

#define ANY_BIT UINT32_MAX

/* clang-format off */
#define ALLOW(name)                { .number = __NR_##name }
#define ALLOW_IF(name, ...)        { .number = __NR_##name, .check_count = 1, .checks = { __VA_ARGS__ } }
#define ALLOW_IF_BOTH(name, ...)   { .number = __NR_##name, .check_count = 2, .checks = { __VA_ARGS__ } }
#define IS_CLEAR(position, bits)   { .argument = (position), .mask = (bits), .count = 1 }
#define IS_SET(position, bits)     { .argument = (position), .mask = (bits), .count = 1, .values = { bits } }
#define IS_ONE_OF(position, size, ...) \
	{ .argument = (position), .mask = ANY_BIT, .count = (size), .values = { __VA_ARGS__ } }
#define IS_NONE_OF(position, size, ...) \
	{ .argument = (position), .mask = ANY_BIT, .count = (size), .is_none = true, .values = { __VA_ARGS__ } }
/* clang-format on */

#define IS_OWN_SOCKET IS_ONE_OF(0, 2, EXAMINER_WHO_FD, EXAMINER_CONTEXT_FD)
#define IS_OTHER_FD   IS_NONE_OF(0, 3, EXAMINER_NULL_FD, EXAMINER_WHO_FD, EXAMINER_CONTEXT_FD)

/* The arguments of dup3() that replace an own socket by /dev/null. */
#define IS_NULL_TO_OWN_SOCKET \
	IS_ONE_OF(0, 1, EXAMINER_NULL_FD), IS_ONE_OF(1, 2, EXAMINER_WHO_FD, EXAMINER_CONTEXT_FD)

/* All flags of clone() but those that fork() passes. */
#define NOT_FORK (~(uint32_t)(CSIGNAL | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))

/*
 * The frequent ones come first. Arguments with pointers cannot be checked. lseek() and pread() are
 * missing on purpose: with them, /proc/PID/mem could be read.
 */
static const AllowedCall allowed[] = {
	/* questions and answers */
	ALLOW(ppoll),
	ALLOW_IF(recvfrom, IS_OWN_SOCKET),
	ALLOW_IF(recvmsg, IS_OWN_SOCKET),
	ALLOW_IF(sendto, IS_OWN_SOCKET),
	/* files of processes */
	ALLOW_IF(openat, IS_CLEAR(2, O_ACCMODE | O_CREAT | O_TRUNC)),
	ALLOW_IF(close, IS_OTHER_FD),
	ALLOW(read),
	ALLOW(newfstatat),
	ALLOW(readlinkat),
	ALLOW(getdents64),
	ALLOW(statx),
	ALLOW(fstat),
	ALLOW_IF(ioctl, IS_ONE_OF(1, 3, NS_GET_PARENT, NS_GET_OWNER_UID, NS_GET_PID_FROM_PIDNS)),
	/* fds of processes */
	ALLOW(pidfd_getfd),
	ALLOW_IF(fcntl, IS_ONE_OF(1, 1, F_GETFL)),
#ifdef __NR_poll
	ALLOW(poll),
#endif
	/* children */
	ALLOW_IF(clone, IS_CLEAR(0, NOT_FORK)),
	ALLOW_IF_BOTH(dup3, IS_NULL_TO_OWN_SOCKET),
	ALLOW_IF(prctl, IS_ONE_OF(0, 1, PR_SET_PDEATHSIG)),
	ALLOW(set_robust_list),
	ALLOW(wait4),
	ALLOW(waitid),
	ALLOW(getpid),
	ALLOW(getppid),
	ALLOW(gettid),
	ALLOW(sched_yield),
	ALLOW(exit),
	ALLOW(exit_group),
	/* the C library */
	ALLOW(clock_gettime),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
	ALLOW(futex),
	ALLOW(brk),
	ALLOW_IF_BOTH(mmap, IS_CLEAR(2, PROT_EXEC), IS_SET(3, MAP_ANONYMOUS)),
	ALLOW(munmap),
	ALLOW(mremap),
};

/* Four instructions before the calls, one behind them, and at most these for each call. */
#define CHECK_LENGTH   (3 + VALUES_MAX)
#define PROGRAM_LENGTH (5 + ARRAY_SIZE(allowed) * (2 + CHECKS_MAX * CHECK_LENGTH))

typedef struct Program {
	struct sock_filter code[PROGRAM_LENGTH];
	unsigned short length;
} Program;

static void emit(Program *program, uint16_t code, uint32_t operand, size_t if_true, size_t if_false)
{
	assert(program->length < ARRAY_SIZE(program->code));
	program->code[program->length++] =
		(struct sock_filter)BPF_JUMP(code, operand, (uint8_t)if_true, (uint8_t)if_false);
}

static void emit_load(Program *program, size_t offset)
{
	emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(Program *program, uint32_t action)
{
	emit(program, BPF_RET | BPF_K, action, 0, 0);
}

/* Skips that many instructions if the loaded word is another one. */
static void emit_skip_unless(Program *program, uint32_t word, size_t count)
{
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, word, 0, count);
}

/* Returns the offset of the lower half of an argument. The kernel ignores the upper half. */
static size_t argument_offset(size_t argument)
{
	size_t offset = offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? offset : offset + sizeof(uint32_t);
}

/* Goes on if the argument passes the check, and otherwise refuses the call. */
static void emit_check(Program *program, const ArgumentCheck *check)
{
	emit_load(program, argument_offset(check->argument));
	emit(program, BPF_ALU | BPF_AND | BPF_K, check->mask, 0, 0);
	for (size_t i = 0; i < check->count; i++) {
		bool is_last = i + 1u == check->count;
		size_t to_refusal = check->count - i - 1u;

		emit(program, BPF_JMP | BPF_JEQ | BPF_K, check->values[i],
		     check->is_none ? to_refusal : to_refusal + 1, check->is_none && is_last);
	}
	emit_return(program, SECCOMP_RET_ERRNO | EPERM);
}

static size_t check_length(const ArgumentCheck *check)
{
	return 3 + (size_t)check->count;
}

static void emit_call(Program *program, const AllowedCall *call)
{
	size_t length = 1;

	for (size_t i = 0; i < call->check_count; i++)
		length += check_length(&call->checks[i]);
	emit_skip_unless(program, call->number, length);
	for (size_t i = 0; i < call->check_count; i++)
		emit_check(program, &call->checks[i]);
	emit_return(program, SECCOMP_RET_ALLOW);
}

static void write_program(Program *program)
{
	emit_load(program, offsetof(struct seccomp_data, arch));
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	emit_return(program, SECCOMP_RET_KILL_PROCESS);
	emit_load(program, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		emit_call(program, &allowed[i]);
	emit_return(program, SECCOMP_RET_ERRNO | EPERM);
}

bool call_filter_exists(void)
{
	return true;
}

int call_filter_install(void)
{
	Program program = { .length = 0 };

	write_program(&program);
	struct sock_fprog filter = { .len = program.length, .filter = program.code };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0)
		return 0;
	return errno == EINVAL ? 0 : -errno; /* a kernel without filters says EINVAL */
}

#else

bool call_filter_exists(void)
{
	return false;
}

int call_filter_install(void)
{
	return 0;
}

#endif
