/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_SHARE_H
#define TESTS_FAKE_SHARE_H

#include "fake-host.h"

/*
 * The cast with something to share: GUID_A's VMM (cast.machine), and viewer, registered for it
 * (cast.client).
 */
Cast cast_new_sharing(void);

/* A memfd that is large enough for IMAGE, sealed as libvail seals one for reading. */
Descriptor sealed_memory(World *world);

/* 64 by 32 pixels of XR24 in the first descriptor of the message. */
#define IMAGE                                                                   \
	"\"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32," \
	"\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":256}]"
#define IMAGE_SIZE (UINT64_C(256) * 32)

/* Shares for GUID_A, with the members of object; the handle is copied. Returns the status. */
const char *share(World *world, Caller *caller, const char *object, const Descriptor *descriptors,
		  size_t count, char ret_handle[64]);

/* Shares IMAGE; it has to succeed. */
void share_image(Cast *cast, char ret_handle[64]);

/* Opens it and closes what came. Returns the status. */
const char *open_and_drop(World *world, Caller *caller, const char *handle, size_t *ret_count);

/* Whether the last record says that it was this object. */
bool record_names(const World *world, const char *handle);

const char *with_handle(World *world, Caller *caller, const char *method, const char *handle);

#endif
