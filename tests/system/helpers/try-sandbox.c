/* SPDX-License-Identifier: MIT */
/*
 * try-sandbox PID PATH...: attempts what the sandbox of a service must refuse and what it must
 * allow. Prints a line for each attempt: its name, and "allowed" or the name of the error. PID is a
 * process of another user. Creates a file in each folder PATH.
 *
 * Attempts change nothing: most system calls have invalid arguments. Errors other than EPERM,
 * EACCES, EROFS and EAFNOSUPPORT therefore count as allowed.
 */
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/support/helper.h"

#define PAGE 4096

static pid_t other;

/* Returns the fd of a file of the other process, opened with these flags, or -1 with errno. */
static int open_of(pid_t pid, const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return open(path, flags | O_CLOEXEC);
}

/* System calls that the sandbox must refuse, and that need more than numbers as arguments. */

static long try_ptrace(void)
{
	return ptrace(PTRACE_CONT, getpid(), NULL, NULL); /* fails, because it is not traced */
}

static long try_process_vm(long call)
{
	static char from[8], to[8];
	struct iovec local = { to, sizeof(to) }, remote = { from, sizeof(from) };

	return syscall(call, (long)getpid(), &local, 1L, &remote, 1L, 0L);
}

static long try_process_vm_readv(void)
{
	return try_process_vm(SYS_process_vm_readv);
}

static long try_process_vm_writev(void)
{
	return try_process_vm(SYS_process_vm_writev);
}

static long try_perf_event_open(void)
{
	struct perf_event_attr attributes = { .size = sizeof(attributes), .type = UINT32_MAX };

	return syscall(SYS_perf_event_open, &attributes, 0L, -1L, -1L, 0L);
}

static long try_mount(void)
{
	return mount("none", "/nonexistent", "tmpfs", 0, NULL);
}

static long try_open_by_handle_at(void)
{
	return syscall(SYS_open_by_handle_at, -1L, NULL, 0L);
}

static long try_shmget(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);

	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	return id;
}

/* A system call that the sandbox must refuse. */
typedef struct Call {
	const char *name;
	long number;
	long arguments[4];
} Call;

static const Call calls[] = {
	{ "bpf", SYS_bpf, { -1 } },
	{ "userfaultfd", SYS_userfaultfd, { -1 } },
	{ "keyctl", SYS_keyctl, { -1 } },
	{ "add_key", SYS_add_key, { 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 0 } },
	{ "umount2", SYS_umount2, { 0 } },
	{ "pivot_root", SYS_pivot_root, { 0 } },
	{ "fsopen", SYS_fsopen, { 0 } },
	{ "setns", SYS_setns, { -1 } },
	{ "unshare", SYS_unshare, { -1 } },
	{ "init_module", SYS_init_module, { 0 } },
	{ "kexec_load", SYS_kexec_load, { 0, 0, 0, -1 } },
	{ "reboot", SYS_reboot, { 0 } },
	{ "swapon", SYS_swapon, { 0 } },
	{ "execveat", SYS_execveat, { -1 } },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, { -1 } },
	{ "kill", SYS_kill, { 0, 64000 } },
	{ "setuid", SYS_setuid, { -1 } },
	{ "setgroups", SYS_setgroups, { -1 } },
	{ "chroot", SYS_chroot, { 0 } },
	{ "mlockall", SYS_mlockall, { -1 } },
	{ "sethostname", SYS_sethostname, { 0, -1 } },
	{ "settimeofday", SYS_settimeofday, { 1, 1 } },
	{ "setpriority", SYS_setpriority, { -1 } },
	{ "sched_setaffinity", SYS_sched_setaffinity, { -1, 0, 1 } },
	{ "mknodat", SYS_mknodat, { -1 } },
	{ "symlinkat", SYS_symlinkat, { 0 } },
	{ "fchmodat", SYS_fchmodat, { -1 } },
	{ "fchownat", SYS_fchownat, { -1 } },
	{ "setxattr", SYS_setxattr, { 0 } },
};

/* Attempts that other parts of the sandbox must refuse, or the lack of capabilities. */

static long try_inet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long try_executable_memory(void)
{
	void *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? -1 : 0;
}

static long try_own_memory_file(void)
{
	return open_of(getpid(), "mem", O_RDWR);
}

static long try_memory_of_init(void)
{
	return open_of(1, "mem", O_RDWR);
}

static long try_memory_of_other(void)
{
	return open_of(other, "mem", O_RDONLY);
}

static long try_fds_of_other(void)
{
	return open_of(other, "fd/0", O_RDONLY);
}

static long try_namespace_clone(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

/* Attempts that must succeed, because vaild makes them. */

static long try_status_of_other(void)
{
	return open_of(other, "status", O_RDONLY);
}

static long try_namespace_of_other(void)
{
	return open_of(other, "ns/user", O_RDONLY);
}

static long try_fd_list_of_other(void)
{
	return open_of(other, "fdinfo", O_RDONLY | O_DIRECTORY);
}

static long try_fd_of_other(void)
{
	return pidfd_getfd(pidfd_open(other, 0), 0, 0);
}

static long try_kcmp(void)
{
	return syscall(SYS_kcmp, (long)getpid(), (long)getpid(), (long)KCMP_FILE, 0L, 0L);
}

static long try_reopen(void)
{
	int memfd = memfd_create("memory", MFD_CLOEXEC);
	char file[32];

	snprintf(file, sizeof(file), "fd/%d", memfd);
	return memfd < 0 ? -1 : open_of(getpid(), file, O_RDWR);
}

static long try_child(void)
{
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(prctl(PR_SET_PDEATHSIG, SIGKILL) < 0);
	return pid < 0 ? -1 : waitpid((pid_t)pid, NULL, 0);
}

static long try_capset(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int status = 1;
	pid_t pid = fork(); /* this process needs its capability for other attempts */

	if (pid == 0)
		_exit(syscall(SYS_capset, &header, none) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status == 0)
		return pid;
	errno = WEXITSTATUS(status);
	return -1;
}

static long try_user_database(void)
{
	return getpwuid(0) ? 0 : -1;
}

static long try_device_numbers(void)
{
	return open("/sys/class", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

typedef struct Attempt {
	const char *name;
	long (*try)(void);
} Attempt;

static const Attempt attempts[] = {
	{ "ptrace", try_ptrace },
	{ "process_vm_readv", try_process_vm_readv },
	{ "process_vm_writev", try_process_vm_writev },
	{ "perf_event_open", try_perf_event_open },
	{ "mount", try_mount },
	{ "open_by_handle_at", try_open_by_handle_at },
	{ "shmget", try_shmget },
	{ "inet-socket", try_inet_socket },
	{ "netlink-socket", try_netlink_socket },
	{ "executable-memory", try_executable_memory },
	{ "own-mem", try_own_memory_file },
	{ "init-mem", try_memory_of_init },
	{ "other-mem", try_memory_of_other },
	{ "other-fd", try_fds_of_other },
	{ "clone-user-namespace", try_namespace_clone },
	{ "need:status", try_status_of_other },
	{ "need:user-namespace", try_namespace_of_other },
	{ "need:fd-list", try_fd_list_of_other },
	{ "need:pidfd_getfd", try_fd_of_other },
	{ "need:kcmp", try_kcmp },
	{ "need:reopen-memfd", try_reopen },
	{ "need:child", try_child },
	{ "need:capset", try_capset },
	{ "need:user-database", try_user_database },
	{ "need:device-numbers", try_device_numbers },
};

static void print_result(const char *name, bool failed)
{
	switch (failed ? errno : 0) {
	case EPERM:
	case EACCES:
	case EROFS:
	case EAFNOSUPPORT:
		printf("%s %s\n", name, strerrorname_np(errno));
		break;
	default:
		printf("%s allowed\n", name);
	}
	fflush(stdout);
}

/* Creates, locks, renames, synchronises and deletes a file, as the record file and the quarantines
 * do. */
static bool write_in(const char *folder)
{
	char path[256], renamed[300];
	bool written;

	snprintf(path, sizeof(path), "%s/try-sandbox", folder);
	snprintf(renamed, sizeof(renamed), "%s.new", path);
	int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return false;
	written = flock(file, LOCK_EX) == 0 && write(file, "x", 1) == 1 && fsync(file) == 0 &&
		  ftruncate(file, 0) == 0 && rename(path, renamed) == 0 && unlink(renamed) == 0;
	close(file);
	return written;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: try-sandbox PID PATH...");
	other = (pid_t)helper_number(argv[1]);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const long *arguments = calls[i].arguments;

		print_result(calls[i].name, syscall(calls[i].number, arguments[0], arguments[1],
						    arguments[2], arguments[3]) < 0);
	}
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		print_result(attempts[i].name, attempts[i].try() < 0);
	for (int i = 2; i < argc; i++)
		print_result(argv[i], !write_in(argv[i]));
	return 0;
}
