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
#include "vmtop/minmax.h"
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

static void add_arg(struct asked *asked, const char *option, const char *value)
{
	asked->argv[asked->argc++] = strdup(option);
	if (value)
		asked->argv[asked->argc++] = strdup(value);
}

static int take_option(struct asked *asked, size_t option, const char *value, struct err *err)
{
	switch (option) {
	case OPT_DELAY:
		add_arg(asked, "--delay", value);
		break;
	case OPT_CONFIG:
		add_arg(asked, "--config", value);
		break;
	case OPT_SET:
		add_arg(asked, "--set", value);
		break;
	case OPT_COUNT:
		if (!quantity_whole(value, 0, 1000000000, &asked->count))
			return err_set(
				err, ERR_USAGE, "fleet: option --iterations: expected 0 to 1000000000");
		asked->counted = true;
		break;
	case OPT_VMS:
		asked->out.vms = true;
		break;
	case OPT_PLAN:
		asked->out.plan = asked->batch = true;
		break;
	case OPT_CARRY:
		asked->out.carry = true;
		break;
	case OPT_YES:
		asked->yes = true;
		break;
	case OPT_AUTO:
		asked->pacemaker = true;
		break;
	case OPT_SORT:
		asked->sort = value;
		break;
	default:
		asked->batch = true;
		asked->out.format = option == OPT_JSON  ? OUT_JSON
				    : option == OPT_CSV ? OUT_CSV
							: asked->out.format;
	}
	return 0;
}

/* What is carried out is the plan that was printed, once. */
static int check_carry(struct asked *asked, struct err *err)
{
	if (!asked->out.carry && !asked->yes)
		return 0;
	if (!asked->out.carry)
		return err_set(err, ERR_USAGE, "fleet: --yes is for --carry-out");
	if (!asked->out.plan || asked->out.format == OUT_CSV || asked->count > 1)
		return err_set(
			err, ERR_USAGE, "fleet: --carry-out goes with --plan, once, as text or --json");
	asked->count = 1;
	return fleet_carry_check(asked->yes, err);
}

static int check_auto(const struct asked *asked, struct err *err)
{
	if (asked->pacemaker && (asked->out.carry || asked->out.vms || asked->out.format == OUT_CSV))
		return err_set(err, ERR_USAGE,
			"fleet: --auto=fleet goes with --plan, as text or --json, without --vms or --carry-out");
	return 0;
}

static int take_options(struct asked *asked, const struct sub_line *line, struct err *err)
{
	asked->out.format = OUT_TEXT;
	add_arg(asked, "vmtop", NULL);
	add_arg(asked, "--batch", NULL);
	add_arg(asked, "--auto=none", NULL); /* what is watched is not steered, whatever the config says */
	for (size_t i = 0; i < line->n_values; i++)
		if (take_option(asked, line->values[i].option, line->values[i].value, err) < 0)
			return -1;
	if (asked->out.plan && !asked->counted) /* a plan is read once, and asked for again */
		asked->count = 1;
	if (check_carry(asked, err) < 0 || check_auto(asked, err) < 0)
		return -1;
	enum fleet_kind kind = asked->out.vms ? FLEET_VMS : FLEET_HOSTS;
	asked->out.sort = fleet_column_find(kind, asked->sort ? asked->sort : fleet_table(kind)->sort);
	if (asked->out.sort < 0 && strcmp(asked->sort, "help") != 0)
		return err_set(err, ERR_USAGE, "fleet: sort: no column is called '%.60s'; -o help lists them",
			asked->sort);
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

static int take_words(const struct sub_line *line, struct config *cfg, struct err *err)
{
	const struct setting *setting = setting_by_key("fleet_host");
	char *known = strdup(cfg->fleet_hosts), shown[80];
	if (!known)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = 0;
	cfg->fleet_hosts[0] = line->n_words ? '\0' : cfg->fleet_hosts[0];
	for (size_t i = 0; rc == 0 && i < line->n_words; i++) {
		char text[FLEET_NAME + FLEET_URI];
		snprintf(text, sizeof text, "%s", line->words[i]);
		text_escape(shown, sizeof shown, line->words[i]);
		if (!strchr(line->words[i], ':') && !named(known, line->words[i], text, sizeof text))
			rc = err_set(err, ERR_USAGE,
				"fleet: '%s' is neither a URI nor a host of section [fleet] of the config",
				shown);
		else if (setting_apply(cfg, setting, text, err) < 0)
			rc = err_prefix(err, "fleet");
	}
	free(known);
	if (rc == 0 && !cfg->fleet_hosts[0])
		return err_set(err, ERR_USAGE,
			"fleet: no host is named, and section [fleet] of the config has none; try 'vmtop fleet --help'");
	return rc;
}

static int configure(struct asked *asked, const struct sub_line *line, struct config *cfg, struct err *err)
{
	struct options_action ignored;
	for (int i = 0; i < asked->argc; i++)
		if (!asked->argv[i])
			return err_set(err, ERR_NOMEM, "out of memory");
	if (options_parse(asked->argc, asked->argv, cfg, &ignored, err) < 0)
		return -1;
	if (cfg->ascii)
		text_charset_set(TEXT_ASCII);
	return take_words(line, cfg, err);
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
		int n = poll(fds, 3, (int)(min_of(left, 1000)));
		if (n > 0 && fds[2].revents & POLLERR)
			return false;
		if (n > 0 && fds[1].revents)
			return true;
	}
	return false;
}

/* Every host has told what it has to tell, or that it cannot be reached. */
static bool settled(const struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->n_hosts && !fleet->waiting; i++)
		if (fleet->hosts[i].readings < READINGS && fleet->hosts[i].state < FLEET_LATE)
			return false;
	return !fleet->waiting;
}

/* The first output waits for the hosts, but not for the one that hangs. */
static struct fleet *first(struct fleet_watch *watch, const struct config *cfg, int signals)
{
	int64_t until = clock_ms() + (int64_t)(cfg->delay_s * 1e3 * (READINGS + 1)) + MOMENT_MS;
	for (;;) {
		struct fleet *fleet = fleet_watch_take(watch);
		if (!fleet || settled(fleet) || clock_ms() >= until)
			return fleet;
		fleet_free(fleet);
		if (!wait_until(until, signals, fleet_watch_fd(watch)))
			return NULL;
	}
}

static int print(struct asked *asked, const struct output *to, const struct fleet *fleet, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);
	if (!mem)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = fleet_write(mem, &asked->out, fleet, err);
	if (fclose(mem) != 0 && rc == 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = output_write(to, text, len, err);
	free(text);
	asked->out.outputs++;
	return rc;
}

/* 0: there is no more to do. */
static int carry(const struct asked *asked, const struct output *to, const struct fleet *fleet,
	const struct config *cfg, int signals, struct err *err)
{
	struct carry_order order = {.cfg = cfg,
		.to = to,
		.json = asked->out.format == OUT_JSON,
		.yes = asked->yes,
		.signals = signals};
	return fleet_carry(&order, fleet, err);
}

/* > 0: go on; else as output_write(). */
static int one_output(struct asked *asked, struct fleet_auto_run *run, const struct output *to,
	struct fleet *fleet, const struct config *cfg, int signals, struct err *err)
{
	if (run && !asked->out.plan) {
		asked->out.outputs++;
		return fleet_auto_turn(run, fleet, err);
	}
	if (asked->out.carry)
		fleet_measure(fleet); /* what moves cost, before it is asked whether to begin */
	int rc = print(asked, to, fleet, err);
	if (rc > 0 && asked->out.carry)
		rc = carry(asked, to, fleet, cfg, signals, err);
	if (rc > 0 && run)
		rc = fleet_auto_preview(run, fleet, err);
	return rc;
}

static int loop(struct asked *asked, struct fleet_watch *watch, const struct config *cfg, int signals,
	struct err *err)
{
	struct output to;
	if (output_open(&to, cfg->output, OUTPUT_ANEW, err) < 0)
		return -1;
	int64_t delay = (int64_t)(cfg->delay_s * 1e3);
	struct fleet_auto_run *run = NULL;
	int rc = 1;
	if (asked->pacemaker && !(run = fleet_auto_open(cfg, &to, asked->out.format == OUT_JSON, err)))
		rc = -1;
	struct fleet *fleet = rc > 0 ? first(watch, cfg, signals) : NULL;
	int64_t due = clock_ms();
	while (fleet) {
		rc = one_output(asked, run, &to, fleet, cfg, signals, err);
		fleet_free(fleet);
		fleet = NULL;
		due = due + delay > clock_ms() ? due + delay : clock_ms();
		if (rc <= 0 || (asked->count && asked->out.outputs >= asked->count))
			break;
		if (wait_until(due, signals, -1))
			fleet = fleet_watch_take(watch);
	}
	if (run && fleet_auto_close(run, rc < 0 ? NULL : err) < 0)
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
	const struct asked *asked = arg;
	char *argv[ARGS + 8];
	int n = 0;
	pid_t child;
	posix_spawnattr_t attr;
	sigset_t none;
	/* Of our own line all but --batch: config, interval, settings. */
	for (int i = 0; i < asked->argc; i++)
		if (strcmp(asked->argv[i], "--batch") != 0)
			argv[n++] = asked->argv[i];
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
static int leave(struct fleet_watch *watch, int rc, const struct err *err)
{
	char line[640];
	bool hangs = rc < 0 && err->code == ERR_TIMEOUT;
	if (fleet_watch_stop(watch, 1) == 0 && !hangs)
		return rc;
	text_safe(line, sizeof line, err->msg);
	if (rc < 0)
		fprintf(stderr, "vmtop: %s\n", line);
	fflush(stdout);
	_exit(rc < 0 ? err_exit_status(err) : 0);
}

/* The same fleet, and what else the line says of it. */
static int start_beside(
	struct fleet_beside *beside, const struct asked *asked, const struct sub_line *line, struct err *err)
{
	const char *argv[ARGS + SUB_WORDS + 4] = {"vmtop", "fleet", "--batch", "--auto=fleet"};
	size_t n = 4;
	for (int i = 1; i < asked->argc; i++)
		if (strcmp(asked->argv[i], "--batch") != 0 && strcmp(asked->argv[i], "--auto=none") != 0)
			argv[n++] = asked->argv[i];
	for (size_t i = 0; i < line->n_words; i++)
		argv[n++] = line->words[i];
	argv[n] = NULL;
	return fleet_beside_start(beside, argv, err);
}

static int run_screen(
	struct asked *asked, const struct sub_line *line, const struct config *cfg, struct err *err)
{
	struct fleet_beside beside = {.fd = -1};
	if (asked->pacemaker && start_beside(&beside, asked, line, err) < 0)
		return -1;
	struct fleet_door door = {open_host, asked, beside.fd};
	struct fleet_watch *watch = fleet_watch_start(cfg, err);
	int rc = watch ? fleet_screen(cfg, watch, &door, err) : -1;
	struct err late = ERR_INIT;
	if (fleet_beside_stop(&beside, rc < 0 ? &late : err) < 0)
		rc = -1;
	return watch ? leave(watch, rc, err) : -1;
}

static int run_batch(struct asked *asked, const struct config *cfg, struct err *err)
{
	struct fleet_watch *watch = fleet_watch_start(cfg, err);
	int signals = watch ? signals_open() : -1;
	if (!watch)
		return -1;
	int rc = signals < 0 ? err_set(err, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno))
			     : loop(asked, watch, cfg, signals, err);
	if (signals >= 0)
		signals_close(signals);
	return leave(watch, rc, err);
}

int fleet_run(const struct sub_line *line, struct err *err)
{
	struct asked asked = {.argc = 0};
	struct config *cfg = calloc(1, sizeof *cfg);
	int rc = cfg ? take_options(&asked, line, err) : err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0 && asked.out.sort < 0)
		fleet_columns_help(stdout, asked.out.vms ? FLEET_VMS : FLEET_HOSTS);
	else if (rc == 0 && configure(&asked, line, cfg, err) < 0)
		rc = -1;
	else if (rc == 0)
		rc = asked.batch || asked.count || !isatty(STDOUT_FILENO)
			     ? run_batch(&asked, cfg, err)
			     : run_screen(&asked, line, cfg, err);
	for (int i = 0; i < asked.argc; i++)
		free(asked.argv[i]);
	free(cfg);
	return rc;
}
