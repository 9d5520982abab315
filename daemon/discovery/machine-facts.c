/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/machine-facts.h"

#include <limits.h>
#include <string.h>

#include "proto/macros.h"

/* The start time of a process is a number of clock ticks, 100 per second. */
#define TICKS_TOLERANCE UINT64_C(20000)

/* root, and so the system itself. */
#define OWNER_SYSTEM 0

MachineVerdict machine_recognise(const MachineFacts *facts, FoundMachine *ret)
{
	FoundMachine machine = { .created = facts->created };

	if (!facts->class || strcmp(facts->class, "vm") != 0)
		return MACHINE_IS_OTHER;
	if (facts->owner != OWNER_SYSTEM)
		return MACHINE_IS_USERS;
	if (!facts->id || facts->id_size != sizeof(machine.guid.bytes))
		return MACHINE_HAS_NO_ID;
	memcpy(machine.guid.bytes, facts->id, sizeof(machine.guid.bytes));
	if (guid_is_nil(&machine.guid))
		return MACHINE_HAS_NO_ID;
	/* Process 1 is the service manager. */
	if (facts->leader <= 1 || facts->leader > INT_MAX)
		return MACHINE_HAS_NO_LEADER;
	machine.leader = (pid_t)facts->leader;
	*ret = machine;
	return MACHINE_IS_VM;
}

const char *machine_verdict_text(MachineVerdict verdict)
{
	static const char *const texts[] = {
		[MACHINE_IS_VM] = "is a VM",
		[MACHINE_IS_OTHER] = "is no VM",
		[MACHINE_IS_USERS] = "belongs to an ordinary user, who can register it with vaild",
		[MACHINE_HAS_NO_ID] = "has no id of 16 bytes, and so no GUID",
		[MACHINE_HAS_NO_LEADER] = "has no leader process",
		[MACHINE_HAS_ODD_NAME] = "has a name with unusual characters",
	};
	_Static_assert(ARRAY_SIZE(texts) == MACHINE_VERDICT_MAX, "each verdict has a text");

	return texts[verdict];
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool machine_name_is_valid(const char *name)
{
	size_t length = 0;

	for (; name[length] != '\0'; length++)
		if (length + 1 == MACHINE_NAME_SIZE ||
		    (!is_letter_or_digit(name[length]) && !strchr("-._", name[length])))
			return false;
	return length > 0;
}

const char *machine_own_name(const char *name)
{
	static const char prefix[] = "qemu-";
	const char *number = name + strlen(prefix);

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return name;
	size_t digits = strspn(number, "0123456789");
	if (digits == 0 || number[digits] != '-' || number[digits + 1] == '\0')
		return name;
	return number + digits + 1;
}

/*
 * CLOCK_MONOTONIC does not count the time for which the host is suspended, so the machine seems
 * younger and the test never refuses the true leader.
 */
bool machine_leader_is_old_enough(const FoundMachine *machine, uint64_t process_age, uint64_t now)
{
	if (machine->created == 0 || machine->created >= now)
		return true;
	return process_age + TICKS_TOLERANCE >= now - machine->created;
}
