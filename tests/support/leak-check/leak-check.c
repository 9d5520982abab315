/* SPDX-License-Identifier: MIT */
/*
 * Makes a test that leaks memory fail. LeakSanitizer alone does not: each test runs in a separate
 * process, and Criterion has reported its result before LeakSanitizer looks at the end of that
 * process. The check must therefore run while the test can still fail.
 *
 * Every Test() calls criterion_internal_test_main() with its body. The linker finds the function
 * below before the library's. It passes the library a body that also runs the .fini functions of
 * the test and of its suite and then looks for leaks. Memory that a static variable still points to
 * is no leak to LeakSanitizer, so that the check has to come after .fini.
 *
 * The check at the end of the process is off. A failed test has not freed its memory, and
 * those leaks would hide the reason of the failure.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_SANITIZER 1
#endif
#endif

#ifdef HAS_LEAK_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

/* Called by the sanitizer's runtime. */
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "leak_check_at_exit=0";
}

static void (*test_body)(void);

/*
 * Runs .fini and clears it, because the library would run it again. Criterion passes a copy of the
 * structure, at an address that need not be aligned, to the process of the test.
 */
static __attribute__((no_sanitize("alignment"))) void
run_fini(struct criterion_test_extra_data *data)
{
	if (!data || !data->fini)
		return;
	data->fini();
	data->fini = NULL;
}

static void run_and_check(void)
{
	test_body();
	run_fini(criterion_current_test->data);
	run_fini(criterion_current_suite->data);
	cr_assert(__lsan_do_recoverable_leak_check() == 0, "the test leaks memory");
}

void criterion_internal_test_main(void (*body)(void))
{
	void (*library_main)(void (*)(void)) = NULL;

	*(void **)&library_main = dlsym(RTLD_NEXT, "criterion_internal_test_main");
	cr_assert(library_main != NULL);
	test_body = body;
	library_main(run_and_check);
}
#endif
