/* SPDX-License-Identifier: MIT */
#include "daemon/host/examiner/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sets the permitted and effective capabilities. The inheritable and ambient sets become empty. */
static int set_capabilities(uint32_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
		{ .permitted = capabilities, .effective = capabilities },
	};

	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

int capabilities_give_up(bool keeps_ptrace)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (keeps_ptrace && set_capabilities(UINT32_C(1) << CAP_SYS_PTRACE) == 0)
		return 0;
	return set_capabilities(0); /* it does not have that one either */
}
