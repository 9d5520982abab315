/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_SHARE_H
#define TESTS_SUPPORT_FAKE_SHARE_H

#include "tests/support/fake-host.h"

/*
 * The fixture of host_fixture_new() in which viewer is registered for GUID_A, so that it can open
 * objects that the VMM shares.
 */
HostFixture host_fixture_new_sharing(void);

/* Opens a memfd large enough for IMAGE, sealed like one that libvail shares for reading. */
int sealed_memory(FakeHost *fake_host);

/* Members of an object: 64 x 32 pixels of XR24 in the first fd of the message. */
#define IMAGE                                                                   \
	"\"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32," \
	"\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":256}]"
#define IMAGE_SIZE (UINT64_C(256) * 32)

/*
 * Shares an object of GUID_A with these members. Copies the handle unless ret_handle is NULL.
 * Returns the status.
 */
const char *share(FakeHost *fake_host, Caller *caller, const char *object, const int *fds,
		  size_t count, char ret_handle[64]);

/* Shares IMAGE and asserts success. */
void share_image(HostFixture *fixture, char ret_handle[64]);

/* Opens an object, closes the received fds and stores their number. Returns the status. */
const char *open_and_close_fds(FakeHost *fake_host, Caller *caller, const char *handle,
			       size_t *ret_count);

/* Tests whether the last audit record names this object. */
bool record_names(const FakeHost *fake_host, const char *handle);

/* Calls a method whose only parameter is a handle. Returns the status. */
const char *with_handle(FakeHost *fake_host, Caller *caller, const char *method,
			const char *handle);

#endif
