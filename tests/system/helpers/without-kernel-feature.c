/* SPDX-License-Identifier: MIT */
/*
 * without-kernel-feature passrights|peerpidfd|pidns COMMAND...: executes the command with a seccomp
 * filter that hides SO_PASSRIGHTS, SO_PEERPIDFD or NS_GET_PID_FROM_PIDNS, as if the kernel were
 * older than 6.16, 6.5 or 6.11.
 */
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/support/helper.h"

#define OPTION_PASSRIGHTS 83
#define OPTION_PEERPIDFD  77

#define REQUEST_PIDNS _IOR(NSIO, 0x6, int)

#define ARGUMENT(n) ((uint32_t)offsetof(struct seccomp_data, args[n]))

static void install(struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { .len = length, .filter = filter };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		err(2, "seccomp");
}

/* Makes the system call fail with ENOPROTOOPT for this option of SOL_SOCKET. */
static void hide_option(uint32_t system_call, uint32_t option)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(1)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(2)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, option, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

/* Makes ioctl() fail with ENOTTY for this request. */
static void hide_request(uint32_t request)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(1)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, request, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: without-kernel-feature passrights|peerpidfd|pidns COMMAND...");
	if (strcmp(argv[1], "passrights") == 0)
		hide_option(SYS_setsockopt, OPTION_PASSRIGHTS);
	else if (strcmp(argv[1], "peerpidfd") == 0)
		hide_option(SYS_getsockopt, OPTION_PEERPIDFD);
	else if (strcmp(argv[1], "pidns") == 0)
		hide_request(REQUEST_PIDNS);
	else
		errx(2, "%s is not a feature: write passrights, peerpidfd or pidns", argv[1]);
	execvp(argv[2], argv + 2);
	err(2, "%s", argv[2]);
}
