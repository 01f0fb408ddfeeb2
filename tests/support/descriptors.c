/* SPDX-License-Identifier: MIT */
#include "support/descriptors.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

int open_files(void)
{
	int n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int needs_files(bool (*run)(void))
{
	struct rlimit was, few;
	int before = open_files(), free_one = dup(STDOUT_FILENO), n = 0;
	close(free_one);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (bool made = false; !made; n += !made) {
		assert_true(n < 256);
		few = (struct rlimit){(rlim_t)(free_one + n), was.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		made = run();
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		assert_int_equal(open_files(), before);
	}
	return n;
}
