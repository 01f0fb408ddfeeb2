/* SPDX-License-Identifier: MIT */
/* Reading small files of /proc and /sys. Invariant: every buffer is bounded, every number checked; a file
 * that is missing, cut or strange is "not there". Must not know: what the numbers mean. */
#include "procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_BYTES = 16384 };

ssize_t procfile_read(const char *path, char *buf, size_t len)
{
	size_t n = 0;
	ssize_t got = 0;
	buf[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (n < len - 1 && (got = read(fd, buf + n, len - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	buf[n] = '\0';
	/* A process that ends between opening and reading: ESRCH. */
	return got < 0 && !n ? -1 : (ssize_t)n;
}

bool procfile_list(const char *path, struct cpuset *set)
{
	char text[LIST_BYTES];
	cpuset_clear(set);
	ssize_t n = procfile_read(path, text, sizeof text);
	if (n < 0 || n == LIST_BYTES - 1) /* a list that was cut may end in half a number */
		return false;
	text[strcspn(text, "\n")] = '\0';
	return cpuset_parse_clipped(set, text) == 0;
}

const char *procfile_tail(const char *text)
{
	const char *p = strrchr(text, ')');
	return p && p[1] == ' ' && p[2] ? p + 2 : NULL;
}

static bool number(const char *p, const char **end, int64_t *v)
{
	char *stop;
	errno = 0;
	long long x = strtoll(p, &stop, 10);
	if (stop == p || errno || (*stop && *stop != ' ' && *stop != '\n'))
		return false;
	*v = x;
	*end = stop;
	return true;
}

bool procfile_field(const char *tail, int n, int64_t *v)
{
	const char *end;
	for (int i = 3; tail && i < n; i++) {
		tail = strchr(tail, ' ');
		tail = tail ? tail + 1 : NULL;
	}
	return tail && number(tail, &end, v);
}

int procfile_numbers(const char *text, int64_t *v, int max)
{
	int n = 0;
	while (n < max && number(text, &text, &v[n]))
		n++;
	return n;
}
