/* SPDX-License-Identifier: MIT */
/* Opening a libvirt connection: the search for a URI, rights, and the words for whoever has none.
 * Invariant: nothing is prompted for unless the wish allows it, and no session daemon is started by the
 * default search. Must not know: samples, threads. */
#include "connect.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../xml.h"
#include "vmtop/text.h"

bool connect_unsupported(void)
{
	virErrorPtr error = virGetLastError();
	/* A driver that does not know a flag says so in words only. */
	if (error && error->code == VIR_ERR_INVALID_ARG && error->message &&
		strstr(error->message, "unsupported flags"))
		return true;
	return error && (error->code == VIR_ERR_NO_SUPPORT || error->code == VIR_ERR_OPERATION_UNSUPPORTED ||
				error->code == VIR_ERR_ARGUMENT_UNSUPPORTED ||
				error->code == VIR_ERR_CONFIG_UNSUPPORTED);
}

/* libvirt's codes that mean something of their own to us. */
static const struct {
	int code;
	enum err_code ours;
} codes[] = {
	{VIR_ERR_NO_SUPPORT, ERR_UNSUPPORTED},
	{VIR_ERR_OPERATION_UNSUPPORTED, ERR_UNSUPPORTED},
	{VIR_ERR_ARGUMENT_UNSUPPORTED, ERR_UNSUPPORTED},
	{VIR_ERR_OPERATION_DENIED, ERR_DENIED},
	{VIR_ERR_ACCESS_DENIED, ERR_DENIED},
	{VIR_ERR_AUTH_FAILED, ERR_DENIED},
	{VIR_ERR_AUTH_CANCELLED, ERR_DENIED},
	{VIR_ERR_AUTH_UNAVAILABLE, ERR_DENIED},
	{VIR_ERR_OPERATION_TIMEOUT, ERR_TIMEOUT},
	{VIR_ERR_NO_DOMAIN, ERR_GONE},
	{VIR_ERR_NO_MEMORY, ERR_NOMEM},
};

/* Messages of libvirt may hold line breaks and whatever a guest's name holds. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

int connect_err(struct err *err, const char *what)
{
	virErrorPtr error = virGetLastError();
	enum err_code code = ERR_RUNTIME;
	for (size_t i = 0; error && i < sizeof codes / sizeof *codes; i++)
		if (codes[i].code == error->code)
			code = codes[i].ours;
	const char *text =
		error && error->message && *error->message ? error->message : "no answer and no reason given";
	err_set(err, code, "%s: %s", what, text);
	if (err)
		one_line(err->msg);
	return -1;
}

/* True when the failure is about rights, so that a read-only try is worth it. */
static bool denied(const struct err *err)
{
	return err->code == ERR_DENIED || strstr(err->msg, "Permission denied") ||
	       strstr(err->msg, "authentication");
}

bool connect_uri_local(const char *uri)
{
	const char *p = strstr(uri, "://");
	if (!p)
		return true;
	const char *plus = memchr(uri, '+', (size_t)(p - uri));
	if (plus && strncmp(plus, "+unix", 5) != 0)
		return false;
	return p[3] == '/' || p[3] == '\0';
}

void connect_no_tty(char *uri, size_t len)
{
	const char *p = strstr(uri, "://");
	if (!p || strstr(uri, "no_tty=") || !memmem(uri, (size_t)(p - uri), "ssh", 3))
		return;
	size_t n = strlen(uri);
	const char *add = strchr(uri, '?') ? "&no_tty=1" : "?no_tty=1";
	if (n + strlen(add) < len)
		memcpy(uri + n, add, strlen(add) + 1);
}

/* Whether questions may be asked on a terminal says nothing of where a URI leads: its length without that. */
static size_t shown_length(const char *uri)
{
	static const char added[] = "no_tty=1";
	size_t n = strlen(uri), most = sizeof added; /* with what it is joined by */
	bool is = n > most && strcmp(uri + n - most + 1, added) == 0 && strchr("?&", uri[n - most]);
	return is ? n - most : n;
}

/* The machine that a server's name means, when it is this one. */
static bool is_here(const char *server, size_t n)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == n && strncasecmp(names[i], server, n) == 0)
			return true;
	return false;
}

void connect_host_name(char *to, size_t len, const char *uri)
{
	const char *sep = strstr(uri, "://"), *server = sep ? sep + 3 : "";
	if (!sep) {
		snprintf(to, len, "%s", uri);
		return;
	}
	size_t n = strcspn(server, "/?"), scheme = strcspn(uri, "+:");
	const char *rest = server + n, *at = memrchr(server, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - server);
		server = at + 1;
	}
	if (is_here(server, n))
		n = 0;
	snprintf(to, len, "%.*s://%.*s%.*s", (int)scheme, uri, (int)n, server, (int)shown_length(rest), rest);
}

/* A daemon that is being started, or started anew. */
static bool is_away(virErrorPtr error)
{
	static const int numbers[] = {ECONNREFUSED, ENOENT, ECONNRESET, EPIPE, EIO, ETIMEDOUT, EHOSTUNREACH};
	for (size_t i = 0; error && error->domain == VIR_FROM_RPC && error->code == VIR_ERR_SYSTEM_ERROR &&
			   i < sizeof numbers / sizeof *numbers;
		i++)
		if (error->int1 == numbers[i])
			return true;
	return false;
}

static virConnectPtr open_one(const char *uri, bool readonly, bool ask, struct err *err)
{
	char line[512];
	snprintf(line, sizeof line, "%s", uri);
	if (!ask)
		connect_no_tty(line, sizeof line);
	virResetLastError();
	virConnectPtr conn = virConnectOpenAuth(
		text_or(line, NULL), ask ? virConnectAuthPtrDefault : NULL, readonly ? VIR_CONNECT_RO : 0);
	if (!conn) {
		bool away = is_away(virGetLastError());
		connect_err(err, text_or(uri, "libvirt's own choice of a hypervisor"));
		if (!denied(err))
			err->code = away ? ERR_AWAY : ERR_CONNECT;
	}
	return conn;
}

/* Read-write, then read-only when only rights are missing. */
static virConnectPtr open_uri(
	const char *uri, const struct connect_wish *wish, struct connect_result *result, struct err *err)
{
	virConnectPtr conn = open_one(uri, wish->readonly, wish->ask, err);
	result->readonly = wish->readonly;
	result->readonly_why[0] = '\0';
	if (conn || wish->readonly || !denied(err))
		return conn;
	struct err second;
	conn = open_one(uri, true, wish->ask, &second);
	if (conn) {
		result->readonly = true;
		snprintf(result->readonly_why, sizeof result->readonly_why,
			"no right to change guests here: join the libvirt group, use sudo, or name another host with -c");
	}
	return conn;
}

/* What a person can do about it. */
static void advise(struct err *err, const char *uri)
{
	struct err why = *err;
	const char *hint = "";
	if (connect_uri_local(uri) && denied(&why))
		hint = " (no right to use its socket: join the libvirt group, use sudo, or name another host with -c)";
	else if (connect_uri_local(uri) && (strstr(why.msg, "No such file") || strstr(why.msg, "refused")))
		hint = " (is libvirtd or virtqemud running here? -c names another host, -c sim:demo a simulated one)";
	err_set(err, why.code == ERR_AWAY ? ERR_AWAY : ERR_CONNECT, "%.200s%s", why.msg, hint);
}

static void describe(virConnectPtr conn, struct connect_result *result)
{
	char *uri = virConnectGetURI(conn), *host = virConnectGetHostname(conn),
	     here[sizeof result->hostname] = "";
	const char *type = virConnectGetType(conn);
	gethostname(here, sizeof here - 1);
	snprintf(result->uri, sizeof result->uri, "%s", text_or(uri, ""));
	result->uri[shown_length(result->uri)] = '\0';
	snprintf(result->driver, sizeof result->driver, "%s", text_or(type, ""));
	connect_host_name(result->host, sizeof result->host, result->uri);
	snprintf(result->hostname, sizeof result->hostname, "%s", host ? host : here);
	/* libvirt may answer with the full name where the kernel has the short one. */
	size_t n = strcspn(here, ".");
	bool same = host && strncasecmp(host, here, n) == 0 && (host[n] == '\0' || host[n] == '.');
	result->local = strcasecmp(result->driver, "QEMU") == 0 && connect_uri_local(result->uri) && same;
	free(uri);
	free(host);
}

virConnectPtr connect_open(const struct connect_wish *wish, struct connect_result *result, struct err *err)
{
	memset(result, 0, sizeof *result);
	xml_quiet();
	virConnectPtr conn = open_uri(text_or(wish->uri, "qemu:///system"), wish, result, err);
	if (!conn && !*wish->uri) {
		struct err second = ERR_INIT;
		conn = open_uri("", wish, result, &second);
	}
	if (!conn) {
		advise(err, text_or(wish->uri, "qemu:///system"));
		return NULL;
	}
	describe(conn, result);
	return conn;
}
