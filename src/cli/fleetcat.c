/* SPDX-License-Identifier: MIT */
/* vmtop fleet: which hosts, and the loop without a screen. Invariant: no host is waited for longer than the
 * others; nothing is changed on any. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fleet_auto.h"
#include "fleet_beside.h"
#include "fleet_carry.h"
#include "fleet_out.h"
#include "output.h"
#include "signals.h"
#include "vmtop/clock.h"
#include "vmtop/dirtyrate.h"
#include "vmtop/fleet_view.h"
#include "vmtop/fleet_watch.h"
#include "vmtop/options.h"
#include "vmtop/quantity.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

/* A cause is named after two readings with rates; a host that takes a moment longer is not waited for. */
enum { READINGS = 2, MOMENT_MS = 3000, ARGS = 2 * SUB_WORDS + 8 };

enum {
	OPT_DELAY,
	OPT_COUNT,
	OPT_BATCH,
	OPT_JSON,
	OPT_CSV,
	OPT_VMS,
	OPT_PLAN,
	OPT_CARRY,
	OPT_YES,
	OPT_AUTO,
	OPT_SORT,
	OPT_CONFIG,
	OPT_SET
};

struct asked {
	struct fleet_out out;
	bool batch, yes, pacemaker; /* pacemaker: --auto=fleet */
	int64_t count;
	bool counted; /* -n was given */
	const char *sort;
	char *argv[ARGS]; /* as vmtop itself would be started; its own copies */
	int argc;
};

static void add_arg(struct asked *a, const char *option, const char *value)
{
	a->argv[a->argc++] = strdup(option);
	if (value)
		a->argv[a->argc++] = strdup(value);
}

static int take_option(struct asked *a, size_t option, const char *value, struct err *e)
{
	switch (option) {
	case OPT_DELAY:
		add_arg(a, "--delay", value);
		break;
	case OPT_CONFIG:
		add_arg(a, "--config", value);
		break;
	case OPT_SET:
		add_arg(a, "--set", value);
		break;
	case OPT_COUNT:
		if (!quantity_whole(value, 0, 1000000000, &a->count))
			return err_set(e, ERR_USAGE, "fleet: option --iterations: expected 0 to 1000000000");
		a->counted = true;
		break;
	case OPT_VMS:
		a->out.vms = true;
		break;
	case OPT_PLAN:
		a->out.plan = a->batch = true;
		break;
	case OPT_CARRY:
		a->out.carry = true;
		break;
	case OPT_YES:
		a->yes = true;
		break;
	case OPT_AUTO:
		a->pacemaker = true;
		break;
	case OPT_SORT:
		a->sort = value;
		break;
	default:
		a->batch = true;
		a->out.format = option == OPT_JSON ? OUT_JSON : option == OPT_CSV ? OUT_CSV : a->out.format;
	}
	return 0;
}

/* What is carried out is the plan that was printed, once. */
static int check_carry(struct asked *a, struct err *e)
{
	if (!a->out.carry && !a->yes)
		return 0;
	if (!a->out.carry)
		return err_set(e, ERR_USAGE, "fleet: --yes is for --carry-out");
	if (!a->out.plan || a->out.format == OUT_CSV || a->count > 1)
		return err_set(e, ERR_USAGE, "fleet: --carry-out goes with --plan, once, as text or --json");
	a->count = 1;
	return fleet_carry_check(a->yes, e);
}

static int check_auto(const struct asked *a, struct err *e)
{
	if (a->pacemaker && (a->out.carry || a->out.vms || a->out.format == OUT_CSV))
		return err_set(e, ERR_USAGE,
			"fleet: --auto=fleet goes with --plan, as text or --json, without --vms or --carry-out");
	return 0;
}

static int take_options(struct asked *a, const struct sub_line *line, struct err *e)
{
	a->out.format = OUT_TEXT;
	add_arg(a, "vmtop", NULL);
	add_arg(a, "--batch", NULL);
	add_arg(a, "--auto=none", NULL); /* what is watched is not steered, whatever the config says */
	for (size_t i = 0; i < line->n_values; i++)
		if (take_option(a, line->values[i].option, line->values[i].value, e) < 0)
			return -1;
	if (a->out.plan && !a->counted) /* a plan is read once, and asked for again */
		a->count = 1;
	if (check_carry(a, e) < 0 || check_auto(a, e) < 0)
		return -1;
	enum fleet_kind k = a->out.vms ? FLEET_VMS : FLEET_HOSTS;
	a->out.sort = fleet_column_find(k, a->sort ? a->sort : fleet_table(k)->sort);
	if (a->out.sort < 0 && strcmp(a->sort, "help") != 0)
		return err_set(e, ERR_USAGE, "fleet: sort: no column is called '%.60s'; -o help lists them",
			a->sort);
	return 0;
}

/* A word without a colon is a name of the config. */
static bool named(const char *lines, const char *word, char *line, size_t len)
{
	size_t n = strlen(word);
	for (const char *p = lines; *p; p += strcspn(p, "\n") + 1)
		if (strncmp(p, word, n) == 0 && p[n] == ' ') {
			snprintf(line, len, "%.*s", (int)strcspn(p, "\n"), p);
			return true;
		}
	return false;
}

static int take_words(const struct sub_line *line, struct config *cfg, struct err *e)
{
	const struct setting *s = setting_by_key("fleet_host");
	char *known = strdup(cfg->fleet_hosts), shown[80];
	if (!known)
		return err_set(e, ERR_NOMEM, "out of memory");
	int rc = 0;
	cfg->fleet_hosts[0] = line->n_words ? '\0' : cfg->fleet_hosts[0];
	for (size_t i = 0; rc == 0 && i < line->n_words; i++) {
		char text[FLEET_NAME + FLEET_URI];
		snprintf(text, sizeof text, "%s", line->words[i]);
		text_escape(shown, sizeof shown, line->words[i]);
		if (!strchr(line->words[i], ':') && !named(known, line->words[i], text, sizeof text))
			rc = err_set(e, ERR_USAGE,
				"fleet: '%s' is neither a URI nor a host of section [fleet] of the config",
				shown);
		else if (setting_apply(cfg, s, text, e) < 0)
			rc = err_prefix(e, "fleet");
	}
	free(known);
	if (rc == 0 && !cfg->fleet_hosts[0])
		return err_set(e, ERR_USAGE,
			"fleet: no host is named, and section [fleet] of the config has none; try 'vmtop fleet --help'");
	return rc;
}

static int configure(struct asked *a, const struct sub_line *line, struct config *cfg, struct err *e)
{
	struct options_action ignored;
	for (int i = 0; i < a->argc; i++)
		if (!a->argv[i])
			return err_set(e, ERR_NOMEM, "out of memory");
	if (options_parse(a->argc, a->argv, cfg, &ignored, e) < 0)
		return -1;
	if (cfg->ascii)
		text_charset_set(TEXT_ASCII);
	return take_words(line, cfg, e);
}

/* false: the end was asked for, or whoever reads standard output has gone. */
static bool wait_until(int64_t until_ms, int signals, int news)
{
	struct pollfd fds[] = {
		{.fd = signals, .events = POLLIN}, {.fd = news, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	while (!signals_quit()) {
		int64_t left = until_ms - clock_ms();
		if (left <= 0)
			return true;
		int n = poll(fds, 3, (int)(left < 1000 ? left : 1000));
		if (n > 0 && fds[2].revents & POLLERR)
			return false;
		if (n > 0 && fds[1].revents)
			return true;
	}
	return false;
}

/* Every host has told what it has to tell, or that it cannot be reached. */
static bool settled(const struct fleet *f)
{
	for (size_t i = 0; i < f->n_hosts && !f->waiting; i++)
		if (f->hosts[i].readings < READINGS && f->hosts[i].state < FLEET_LATE)
			return false;
	return !f->waiting;
}

/* The first output waits for the hosts, but not for the one that hangs. */
static struct fleet *first(struct fleet_watch *w, const struct config *cfg, int signals)
{
	int64_t until = clock_ms() + (int64_t)(cfg->delay_s * 1e3 * (READINGS + 1)) + MOMENT_MS;
	for (;;) {
		struct fleet *f = fleet_watch_take(w);
		if (!f || settled(f) || clock_ms() >= until)
			return f;
		fleet_free(f);
		if (!wait_until(until, signals, fleet_watch_fd(w)))
			return NULL;
	}
}

static int print(struct asked *a, const struct output *to, const struct fleet *f, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);
	if (!mem)
		return err_set(e, ERR_NOMEM, "out of memory");
	int rc = fleet_write(mem, &a->out, f, e);
	if (fclose(mem) != 0 && rc == 0)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = output_write(to, text, len, e);
	free(text);
	a->out.outputs++;
	return rc;
}

/* 0: there is no more to do. */
static int carry(const struct asked *a, const struct output *to, const struct fleet *f,
	const struct config *cfg, int signals, struct err *e)
{
	struct carry_order o = {
		.cfg = cfg, .to = to, .json = a->out.format == OUT_JSON, .yes = a->yes, .signals = signals};
	return fleet_carry(&o, f, e);
}

/* > 0: go on; else as output_write(). */
static int one_output(struct asked *a, struct fleet_auto_run *au, const struct output *to, struct fleet *f,
	const struct config *cfg, int signals, struct err *e)
{
	if (au && !a->out.plan) {
		a->out.outputs++;
		return fleet_auto_turn(au, f, e);
	}
	if (a->out.carry)
		fleet_measure(f); /* what moves cost, before it is asked whether to begin */
	int rc = print(a, to, f, e);
	if (rc > 0 && a->out.carry)
		rc = carry(a, to, f, cfg, signals, e);
	if (rc > 0 && au)
		rc = fleet_auto_preview(au, f, e);
	return rc;
}

static int loop(struct asked *a, struct fleet_watch *w, const struct config *cfg, int signals, struct err *e)
{
	struct output to;
	if (output_open(&to, cfg->output, OUTPUT_ANEW, e) < 0)
		return -1;
	int64_t delay = (int64_t)(cfg->delay_s * 1e3);
	struct fleet_auto_run *au = NULL;
	int rc = 1;
	if (a->pacemaker && !(au = fleet_auto_open(cfg, &to, a->out.format == OUT_JSON, e)))
		rc = -1;
	struct fleet *f = rc > 0 ? first(w, cfg, signals) : NULL;
	int64_t due = clock_ms();
	while (f) {
		rc = one_output(a, au, &to, f, cfg, signals, e);
		fleet_free(f);
		f = NULL;
		due = due + delay > clock_ms() ? due + delay : clock_ms();
		if (rc <= 0 || (a->count && a->out.outputs >= a->count))
			break;
		if (wait_until(due, signals, -1))
			f = fleet_watch_take(w);
	}
	if (au && fleet_auto_close(au, rc < 0 ? NULL : e) < 0)
		rc = -1;
	output_close(&to);
	return rc < 0 ? -1 : 0;
}

/* ---- the screen ---- */

/* Until it ends. ^Z stops both: the shell waits for us, and continues both. */
static int wait_for(pid_t child)
{
	int status = 0;
	for (;;) {
		if (waitpid(child, &status, WUNTRACED) < 0 && errno != EINTR)
			return -1;
		if (WIFEXITED(status) || WIFSIGNALED(status))
			return status;
		if (WIFSTOPPED(status)) {
			raise(SIGSTOP);
			kill(child, SIGCONT);
		}
		status = 0;
	}
}

/* A vmtop of its own, in MANUAL whatever the config says: a host that hangs or kills it leaves the fleet
 * alone.
 */
static const char *open_host(void *arg, const char *uri)
{
	const struct asked *a = arg;
	char *argv[ARGS + 8];
	int n = 0;
	pid_t child;
	posix_spawnattr_t attr;
	sigset_t none;
	/* Of our own line all but --batch: config, interval, settings. */
	for (int i = 0; i < a->argc; i++)
		if (strcmp(a->argv[i], "--batch") != 0)
			argv[n++] = a->argv[i];
	char *rest[] = {strdup("--set"), strdup("esc_quits=yes"), strdup("--connect"), strdup(uri)};
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		argv[n++] = rest[i];
	argv[n] = NULL;
	char shown[600];
	text_safe(shown, sizeof shown, uri);
	printf("vmtop: opening %s; ^C comes back\n", shown);
	fflush(stdout);
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	int rc = rest[0] && rest[1] && rest[2] && rest[3]
			 ? posix_spawn(&child, "/proc/self/exe", NULL, &attr, argv, environ)
			 : ENOMEM;
	int status = rc == 0 ? wait_for(child) : 0;
	posix_spawnattr_destroy(&attr);
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		free(rest[i]);
	if (rc)
		return "cannot start a vmtop for this host";
	return WIFEXITED(status) && WEXITSTATUS(status) == 3   ? "this host could not be reached"
	       : WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL
							       : "the vmtop of this host ended with an error";
}

/* A thread that hangs over its host would not survive what exit() takes away. */
static int leave(struct fleet_watch *w, int rc, const struct err *e)
{
	char line[640];
	bool hangs = rc < 0 && e->code == ERR_TIMEOUT;
	if (fleet_watch_stop(w, 1) == 0 && !hangs)
		return rc;
	text_safe(line, sizeof line, e->msg);
	if (rc < 0)
		fprintf(stderr, "vmtop: %s\n", line);
	fflush(stdout);
	_exit(rc < 0 ? err_exit_status(e) : 0);
}

/* The same fleet, and what else the line says of it. */
static int start_beside(
	struct fleet_beside *b, const struct asked *a, const struct sub_line *line, struct err *e)
{
	const char *argv[ARGS + SUB_WORDS + 4] = {"vmtop", "fleet", "--batch", "--auto=fleet"};
	size_t n = 4;
	for (int i = 1; i < a->argc; i++)
		if (strcmp(a->argv[i], "--batch") != 0 && strcmp(a->argv[i], "--auto=none") != 0)
			argv[n++] = a->argv[i];
	for (size_t i = 0; i < line->n_words; i++)
		argv[n++] = line->words[i];
	argv[n] = NULL;
	return fleet_beside_start(b, argv, e);
}

static int run_screen(struct asked *a, const struct sub_line *line, const struct config *cfg, struct err *e)
{
	struct fleet_beside beside = {.fd = -1};
	if (a->pacemaker && start_beside(&beside, a, line, e) < 0)
		return -1;
	struct fleet_door door = {open_host, a, beside.fd};
	struct fleet_watch *w = fleet_watch_start(cfg, e);
	int rc = w ? fleet_screen(cfg, w, &door, e) : -1;
	struct err late = ERR_INIT;
	if (fleet_beside_stop(&beside, rc < 0 ? &late : e) < 0)
		rc = -1;
	return w ? leave(w, rc, e) : -1;
}

static int run_batch(struct asked *a, const struct config *cfg, struct err *e)
{
	struct fleet_watch *w = fleet_watch_start(cfg, e);
	int signals = w ? signals_open() : -1;
	if (!w)
		return -1;
	int rc = signals < 0 ? err_set(e, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno))
			     : loop(a, w, cfg, signals, e);
	if (signals >= 0)
		signals_close(signals);
	return leave(w, rc, e);
}

int fleet_run(const struct sub_line *line, struct err *e)
{
	struct asked a = {.argc = 0};
	struct config *cfg = calloc(1, sizeof *cfg);
	int rc = cfg ? take_options(&a, line, e) : err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0 && a.out.sort < 0)
		fleet_columns_help(stdout, a.out.vms ? FLEET_VMS : FLEET_HOSTS);
	else if (rc == 0 && configure(&a, line, cfg, e) < 0)
		rc = -1;
	else if (rc == 0)
		rc = a.batch || a.count || !isatty(STDOUT_FILENO) ? run_batch(&a, cfg, e)
								  : run_screen(&a, line, cfg, e);
	for (int i = 0; i < a.argc; i++)
		free(a.argv[i]);
	free(cfg);
	return rc;
}
