/* SPDX-License-Identifier: MIT */
/* Another program on the terminal: a manual page, vmtop on another host. Invariant: no shell is involved, and
 * the program begins with the signals as they were before the screen took them. */
#include "aside.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmtop/text.h"

enum { CANNOT = 127, NO_PAGE = 16, ARGS = 12 };

/* argv ends with NULL. */
static int run(const char *const argv[ARGS])
{
	char *copy[ARGS];
	sigset_t none;
	int status = 0;
	memcpy(copy, argv, sizeof copy);
	pid_t child = fork();
	if (child == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		signal(SIGXFSZ, SIG_DFL);
		execvp(copy[0], copy);
		_exit(CANNOT);
	}
	if (child < 0)
		return CANNOT;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/* The URI of a host of [fleet], by its name; else what was given. */
static void uri_of(const struct config *cfg, const char *name, char *uri, size_t len)
{
	size_t n = strlen(name);
	snprintf(uri, len, "%s", name);
	for (const char *p = cfg->fleet_hosts; *p; p += strcspn(p, "\n") + 1) {
		if (strncmp(p, name, n) == 0 && p[n] == ' ')
			snprintf(uri, len, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
		if (!p[strcspn(p, "\n")])
			break;
	}
}

static const char *run_host(const struct config *cfg, const char *name, char *buf, size_t len)
{
	char uri[CFG_TEXT], config[CFG_TEXT];
	const char *argv[ARGS] = {"/proc/self/exe", "--connect", uri};
	int n = 3;
	uri_of(cfg, name, uri, sizeof uri);
	if (uri[0] == '-') /* no option */
		return "a URI does not begin with a minus sign";
	snprintf(config, sizeof config, "%s", cfg->config_file);
	if (cfg->config_file[0]) {
		argv[n++] = "--config";
		argv[n++] = config;
	}
	if (cfg->no_config)
		argv[n++] = "--no-config";
	if (cfg->readonly)
		argv[n++] = "--readonly";
	if (cfg->ascii)
		argv[n++] = "--ascii";
	if (cfg->no_color)
		argv[n++] = "--no-color";
	int status = run(argv);
	if (!status)
		return NULL;
	snprintf(buf, len, "%.100s could not be shown: vmtop -c with it ended with status %d", name, status);
	return buf;
}

static const char *run_man(const char *page, char *buf, size_t len)
{
	char name[64];
	snprintf(name, sizeof name, "%.63s", page);
	if (name[0] == '-')
		return "a manual page does not begin with a minus sign";
	int status = run((const char *const[ARGS]){"man", name});
	if (status == CANNOT)
		return "the program man is not installed";
	if (status != NO_PAGE)
		return NULL;
	snprintf(buf, len, "there is no manual page %s here", name);
	return buf;
}

const char *aside_run(const struct config *cfg, const char *what, char *buf, size_t len)
{
	return strncmp(what, "man ", 4) == 0 ? run_man(what + 4, buf, len)
					     : run_host(cfg, what + 5, buf, len);
}
