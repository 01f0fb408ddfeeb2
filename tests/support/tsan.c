/* SPDX-License-Identifier: MIT */
/* SAN=thread: libvirt and glib are not built with the sanitizer, so their locks cannot be seen and their
 * every hand-over between threads would be called a race. Calls made from inside them are left out; our own
 * code is not. */

#ifdef __SANITIZE_THREAD__
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WATCHED 1
#endif
#endif

#ifdef WATCHED
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "ignore_noninstrumented_modules=1";
}
#else
typedef int nothing_to_watch; /* ISO C wants a declaration in every file */
#endif
