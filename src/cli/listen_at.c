/* SPDX-License-Identifier: MIT */
/* Where to listen: the text of --listen, and its socket. Invariant: no name is looked up, and an address
 * other than loopback is one that was typed. */
#include "listen_at.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/listen.h"
#include "vmtop/text.h"

enum { BACKLOG = 64 };

static int port_of(const char *text)
{
	size_t n = strspn(text, "0123456789");
	long port = n && n < 6 && !text[n] ? strtol(text, NULL, 10) : 0;
	return port >= 1 && port <= 65535 ? (int)port : 0;
}

static bool set_ipv4(struct listen_at *to, const char *address, int port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&to->addr;
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	to->len = sizeof *in;
	return inet_pton(AF_INET, strcmp(address, "localhost") == 0 ? "127.0.0.1" : address, &in->sin_addr) ==
	       1;
}

static bool set_ipv6(struct listen_at *to, const char *address, int port)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)&to->addr;
	in->sin6_family = AF_INET6;
	in->sin6_port = htons((uint16_t)port);
	to->len = sizeof *in;
	return inet_pton(AF_INET6, address, &in->sin6_addr) == 1;
}

int listen_parse(struct listen_at *to, const char *text, struct err *err)
{
	char address[64] = "127.0.0.1", shown[80];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	int port = port_of(colon ? colon + 1 : text);
	memset(to, 0, sizeof *to);
	bool fits = n<sizeof address, six = n> 2 && text[0] == '[' && text[n - 1] == ']';
	if (six && fits)
		snprintf(address, sizeof address, "%.*s", (int)n - 2, text + 1);
	else if (colon && fits)
		snprintf(address, sizeof address, "%.*s", (int)n, text);
	if (port && fits && (six ? set_ipv6(to, address, port) : set_ipv4(to, address, port)))
		return 0;
	text_escape(shown, sizeof shown, text);
	return err_set(err, ERR_USAGE,
		"listen: bad value '%s', expected PORT, ADDRESS:PORT or [ADDRESS]:PORT with a numeric address",
		shown);
}

int listen_check(const char *text, struct err *err)
{
	struct listen_at ignored;
	return listen_parse(&ignored, text, err);
}

int listen_socket(const struct listen_at *at, const char *text, struct err *err)
{
	int on = 1;
	int fd = socket(at->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&at->addr, at->len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err_set(err, ERR_RUNTIME, "cannot listen on %.80s: %s", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}
