/* SPDX-License-Identifier: MIT */
/* A clock that never jumps, for ages that outlive a run: seconds since this machine was booted, sleep
 * included, and which boot that was. Must not know what it is used for. */
#include "boot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmtop/minmax.h"

int64_t boot_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec;
}

void boot_name(char buf[BOOT_NAME])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, BOOT_NAME - 1);
	if (fd >= 0)
		close(fd);
	buf[max_of(n, 0)] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}
