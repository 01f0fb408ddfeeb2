/* SPDX-License-Identifier: MIT */
/* A claim is a listening socket in the kernel's own namespace: no file that could stay or be put in the way,
 * its end comes with the process, and the kernel itself says whose it is. Invariant: root yields to root
 * alone, so that no other user can keep it from steering. Must not know: what is steered, journals. */
#include "claim.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASKERS = 64 };

static uint64_t hash64(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return h;
}

/* Each user has a session of the same name. */
static socklen_t address(struct sockaddr_un *a, const char *host)
{
	char user[32] = "";
	if (strstr(host, "/session"))
		snprintf(user, sizeof user, "-%u", (unsigned)geteuid());
	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	/* The first byte stays 0: the name is no path. */
	int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "vmtop-steers-%016llx%s",
		(unsigned long long)hash64(host), user);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int claim_take(const char *host)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, host);
	int fd = open_socket();
	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&a, len) == 0 && listen(fd, ASKERS) == 0)
		return fd;
	close(fd);
	return -1;
}

long claim_owner(const char *host)
{
	struct sockaddr_un a;
	struct ucred who = {0};
	socklen_t len = address(&a, host), size = sizeof who;
	long owner = 0;
	int fd = open_socket();
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&a, len) < 0)
		owner = errno == EAGAIN ? -1 : 0;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.pid <= 0)
		owner = -1; /* of another PID namespace */
	else if (geteuid() != 0 || who.uid == 0)
		owner = (long)who.pid;
	close(fd);
	return owner;
}

void claim_tidy(int claim)
{
	for (int fd, i = 0; i < ASKERS && (fd = accept4(claim, NULL, NULL, SOCK_CLOEXEC)) >= 0; i++)
		close(fd);
}
