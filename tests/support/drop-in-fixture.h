/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_DROP_IN_FIXTURE_H
#define TESTS_SUPPORT_DROP_IN_FIXTURE_H

#include "tests/support/fake-host.h"

/*
 * Replaces the drop-ins of the fake host by those with these texts, which must be right, and
 * applies them as a reload does. An empty list removes all. drop_ins: owned by the test, which
 * deinitialises it after the fake host.
 */
void set_drop_ins(FakeHost *fake_host, DropIns *drop_ins, const char *const *texts, size_t count);

#endif
