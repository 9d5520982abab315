/* SPDX-License-Identifier: MIT */
#include "tests/support/fake-share.h"

#include <stdio.h>
#include <string.h>

HostFixture host_fixture_new_sharing(void)
{
	HostFixture fixture = host_fixture_new();

	fake_host_must(strcmp(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			      "STATUS_SUCCESS") == 0);
	return fixture;
}

int sealed_memory(FakeHost *fake_host)
{
	int fd = fake_host_fd(fake_host, FD_MEMFD, IMAGE_SIZE);
	FdInfo *facts = &fake_host_fd_of(fake_host, fd)->facts;

	facts->size_is_sealed = facts->writes_are_sealed = true;
	return fd;
}

const char *share(FakeHost *fake_host, Caller *caller, const char *object, const int *fds,
		  size_t count, char ret_handle[64])
{
	char parameters[1024];
	int length = snprintf(parameters, sizeof(parameters),
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"object\":{%s}}", object);

	fake_host_must(length > 0 && (size_t)length < sizeof(parameters));
	const char *status = call_with_fds(fake_host, caller, SHARE, parameters, fds, count, NULL);
	if (ret_handle)
		snprintf(ret_handle, 64, "%s", reply_string(fake_host, "sharedObject.handle"));
	return status;
}

void share_image(HostFixture *fixture, char ret_handle[64])
{
	int memory = sealed_memory(fixture->fake_host);

	fake_host_must(
		strcmp(share(fixture->fake_host, fixture->machine, IMAGE, &memory, 1, ret_handle),
		       "STATUS_SUCCESS") == 0);
}

const char *with_handle(FakeHost *fake_host, Caller *caller, const char *method, const char *handle)
{
	return callf(fake_host, caller, method, "{\"handle\":\"%s\"}", handle);
}

bool record_names(const FakeHost *fake_host, const char *handle)
{
	const FakeAuditRecord *record = fake_host_last_audit_record(fake_host);
	char text[HANDLE_TEXT_LENGTH + 1];

	return record && record->has_object &&
	       strcmp(handle_format(&record->object, text), handle) == 0;
}

const char *open_and_close_fds(FakeHost *fake_host, Caller *caller, const char *handle,
			       size_t *ret_count)
{
	char parameters[96];
	ReceivedFds offered;

	snprintf(parameters, sizeof(parameters), "{\"handle\":\"%s\"}", handle);
	const char *status = call_with_fds(fake_host, caller, OPEN, parameters, NULL, 0, &offered);
	for (size_t i = 0; i < offered.count; i++)
		fake_host_close(fake_host, offered.items[i]);
	if (ret_count)
		*ret_count = offered.count;
	return status;
}
