/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/hand-over.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "proto/macros.h"
#include <vail.h>

#define INTERVAL_MIN 1000
#define INTERVAL_MAX 8000

static HandOverState state_of(const char *reply)
{
	JsonParser *parser = json_parser_new();
	const char *error;
	HandOverState state = { 0 };
	JsonValue *value = parser ? json_parse(parser, reply, strlen(reply), &error) : NULL;
	const JsonValue *vm = json_member(value, "virtualMachine");

	state.vmm = (pid_t)member_number(vm, "vmmPid");
	state.incoming = (pid_t)member_number(vm, "incomingVmmPid");
	state.lacks_guest_state = vm && !member_text(vm, "guestState");
	json_free(value);
	json_parser_free(parser);
	return state;
}

HandOverState hand_over_read(struct vail *vail, const char *guid)
{
	_cleanup_free_ char *reply = NULL;
	char parameters[80];

	snprintf(parameters, sizeof(parameters), "{\"virtualMachineGuid\":\"%s\"}", guid);
	if (vail_call(vail, "io.vaild.Machine.DescribeVirtualMachine", parameters, &reply) !=
	    STATUS_SUCCESS)
		return (HandOverState){ 0 };
	return state_of(reply);
}

void collision_wait_begin(CollisionWait *wait, int64_t now)
{
	if (wait->interval == 0)
		wait->interval = INTERVAL_MIN;
	else if (wait->interval < INTERVAL_MAX)
		wait->interval *= 2;
	wait->retry_at = now + wait->interval;
}

int collision_wait_left(const CollisionWait *wait, int64_t now)
{
	int64_t left = wait->interval == 0 ? 0 : wait->retry_at - now;

	return left > 0 ? (int)left : 0;
}
