/* SPDX-License-Identifier: MIT */
/* Marks from outside. Invariant: the socket is in a folder that only this user may enter, has mode 0600, is
 * read without waiting and never more than a few datagrams at a time; who sends something else than a line of
 * text is not heard. */
#include "mark_socket.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmtop/err.h"
#include "vmtop/folder.h"
#include "vmtop/text.h"

enum { MARK_BYTES = 80, AT_ONCE = 16 };

/* Where sockets are: the user's run folder, else the system's for root. NULL: nowhere. */
static const char *run_folder(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	if (xdg && *xdg == '/')
		return xdg;
	return geteuid() == 0 ? "/run" : NULL;
}

static bool private_folder(const char *path)
{
	struct stat st;
	int fd = folder_open(path, NULL);
	bool is = fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 077);
	if (fd >= 0)
		close(fd);
	return is;
}

static bool address(struct sockaddr_un *to, const char *folder, const char *name)
{
	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(to->sun_path, sizeof to->sun_path, "%s/vmtop/%s", folder, name);
	return n > 0 && (size_t)n < sizeof to->sun_path;
}

static bool bind_in(struct mark_socket *mark, const char *folder)
{
	struct sockaddr_un addr;
	char name[32], dir[sizeof addr.sun_path];
	snprintf(name, sizeof name, "%d", (int)getpid());
	if (!address(&addr, folder, name))
		return false;
	snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(addr.sun_path, '/') - addr.sun_path), addr.sun_path);
	if ((mkdir(dir, 0700) < 0 && errno != EEXIST) || !private_folder(dir))
		return false;
	unlink(addr.sun_path); /* of a process that had this number before us */
	mode_t old = umask(0177);
	int rc = bind(mark->fd, (struct sockaddr *)&addr, sizeof addr);
	umask(old);
	if (rc < 0)
		return false;
	memcpy(mark->path, addr.sun_path, sizeof mark->path);
	return true;
}

void mark_socket_open(struct mark_socket *mark)
{
	if (mark->open)
		return;
	mark->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mark->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	mark->watched = -1;
	struct epoll_event event = {.events = EPOLLIN};
	mark->open = mark->fd >= 0 && mark->poll_fd >= 0 && run_folder() && bind_in(mark, run_folder()) &&
		     epoll_ctl(mark->poll_fd, EPOLL_CTL_ADD, mark->fd, &event) == 0;
	if (mark->open)
		return;
	if (mark->fd >= 0)
		close(mark->fd);
	if (mark->poll_fd >= 0)
		close(mark->poll_fd);
}

void mark_socket_close(struct mark_socket *mark)
{
	if (!mark->open)
		return;
	unlink(mark->path);
	*strrchr(mark->path, '/') = '\0';
	rmdir(mark->path); /* the last one cleans up */
	close(mark->fd);
	close(mark->poll_fd);
	mark->open = false;
}

int mark_socket_watch(struct mark_socket *mark, int fd)
{
	if (!mark->open)
		return fd;
	struct epoll_event event = {.events = EPOLLIN};
	if (fd != mark->watched && fd >= 0 && epoll_ctl(mark->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		mark->watched = fd;
	return fd < 0 || fd == mark->watched ? mark->poll_fd : fd;
}

bool mark_socket_other_waits(const struct mark_socket *mark, int fd)
{
	if (!mark->open)
		return true;
	struct pollfd fds = {.fd = fd, .events = POLLIN};
	return fd >= 0 && poll(&fds, 1, 0) > 0;
}

bool mark_socket_take(struct mark_socket *mark, char *text, size_t len)
{
	char got[MARK_BYTES + 1];
	for (int i = 0; mark->open && i < AT_ONCE; i++) {
		ssize_t n = recv(mark->fd, got, sizeof got, MSG_TRUNC);
		if (n < 0)
			return false;
		if (n == 0 || (size_t)n >= len || (size_t)n >= MARK_BYTES || memchr(got, '\0', (size_t)n) ||
			memchr(got, '\n', (size_t)n))
			continue;
		memcpy(text, got, (size_t)n);
		text[n] = '\0';
		return true;
	}
	return false;
}

/* 1: heard; 0: nobody there, and what a dead process left is removed. */
static int send_to(int fd, const char *folder, const char *name, const char *text)
{
	struct sockaddr_un addr;
	if (!address(&addr, folder, name))
		return 0;
	if (sendto(fd, text, strlen(text), MSG_DONTWAIT, (struct sockaddr *)&addr, sizeof addr) >= 0)
		return 1;
	if (errno == ECONNREFUSED)
		unlink(addr.sun_path);
	return 0;
}

static int send_all(int fd, const char *folder, const char *text)
{
	char path[512];
	int heard = 0;
	snprintf(path, sizeof path, "%.480s/vmtop", folder);
	DIR *dir = private_folder(path) ? opendir(path) : NULL;
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (*entry->d_name && strspn(entry->d_name, "0123456789") == strlen(entry->d_name))
			heard += send_to(fd, folder, entry->d_name, text);
	if (dir)
		closedir(dir);
	return heard;
}

int mark_send(const char *text, struct err *err)
{
	size_t n = strlen(text);
	if (n == 0 || n >= MARK_BYTES || strchr(text, '\n'))
		return err_set(err, ERR_USAGE, "a mark is one line of 1 to %d bytes", MARK_BYTES - 1);
	if (!run_folder())
		return err_set(err, ERR_RUNTIME, "no running vmtop to be found: XDG_RUNTIME_DIR is not set");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, ERR_RUNTIME, "cannot make a socket: %s", strerror(errno));
	int heard = send_all(fd, run_folder(), text);
	/* The service runs as root without a run folder of its own. */
	if (geteuid() == 0 && strcmp(run_folder(), "/run") != 0)
		heard += send_all(fd, "/run", text);
	close(fd);
	return heard ? heard
		     : err_set(err, ERR_RUNTIME, "no running vmtop of this user was found below %.200s",
			       run_folder());
}
