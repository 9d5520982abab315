/* SPDX-License-Identifier: MIT */
/*
 * A test that leaks fails. By itself it would not: each test runs in a process of its own,
 * Criterion has the verdict before that process ends, and what LeakSanitizer finds at its end only
 * gets printed. So leaks are looked for while the test can still fail: every Test() calls
 * criterion_internal_test_main() with its body, the one below is found before the library's, and
 * gives the library a body that looks for leaks behind the test's own.
 *
 * The look at the end of the process is off: a test that failed has freed nothing, and its leaks
 * would bury the reason.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_SEEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_SEEN 1
#endif
#endif

#ifdef LEAKS_ARE_SEEN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

/* The sanitizer's library looks for this one. */
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "leak_check_at_exit=0";
}

static void (*test_body)(void);

static void run_and_look(void)
{
	test_body();
	cr_assert(__lsan_do_recoverable_leak_check() == 0, "the test leaks memory");
}

void criterion_internal_test_main(void (*body)(void))
{
	void (*library_main)(void (*)(void)) = NULL;

	*(void **)&library_main = dlsym(RTLD_NEXT, "criterion_internal_test_main");
	cr_assert(library_main != NULL);
	test_body = body;
	library_main(run_and_look);
}
#endif
