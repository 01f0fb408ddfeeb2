/* SPDX-License-Identifier: MIT */
/* Options -> backend -> engine -> screen or batch. No logic of its own: each room says what went wrong in one
 * line, and main turns that into stderr and an exit status. */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/batch.h"
#include "vmtop/engine.h"
#include "vmtop/listen.h"
#include "vmtop/options.h"
#include "vmtop/setup.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"
#include "vmtop/view.h"

static int fail(const struct err *err)
{
	char line[640];
	fflush(stdout);                         /* before the line on stderr */
	text_safe(line, sizeof line, err->msg); /* a URI or a file may hold anything */
	fprintf(stderr, "vmtop: %s\n", line);
	return err_exit_status(err);
}

static int run_screen(const struct config *cfg, struct engine *engine)
{
	struct err err = ERR_INIT;
	struct scheduler *sched = scheduler_start(engine, &err);
	return sched ? ui_run(cfg, sched, setup_save) : fail(&err);
}

struct command_line {
	int argc;
	char **argv;
};

static int read_again(void *arg, struct config *to, struct err *err)
{
	struct command_line *line = arg;
	struct options_action ignored;
	return options_parse(line->argc, line->argv, to, &ignored, err);
}

static int run_batch(const struct config *cfg, struct engine *engine, struct command_line *line)
{
	struct err err = ERR_INIT;
	int rc = batch_run(cfg, engine, &(struct batch_source){read_again, line}, &err);
	engine_free(engine);
	return rc < 0 ? fail(&err) : rc;
}

static int run_check(struct engine *engine)
{
	struct err err = ERR_INIT;
	int rc = check_run(engine, stdout, &err);
	engine_free(engine);
	return rc < 0 ? fail(&err) : 0;
}

/* deaf: why nobody listens although the configuration says so, or no error. */
static int run_engine(const struct config *cfg, struct listener *listener, const struct err *deaf,
	struct command_line *line)
{
	struct err err = ERR_INIT;
	struct backend *backend = backend_open(cfg, &err);
	if (!backend)
		return fail(&err);
	struct engine *engine = engine_new(cfg, backend, &err);
	if (!engine)
		return fail(&err);
	if (!line)
		return run_check(engine);
	if (listener)
		listener_follow(listener, engine);
	if (deaf->code)
		engine_complain(engine, "%s", deaf->msg);
	if (!*cfg->replay)
		engine_listen(engine);
	return cfg->batch ? run_batch(cfg, engine, line) : run_screen(cfg, engine);
}

static int run(const struct config *cfg, const struct options_action *action, struct command_line *line)
{
	struct err err = ERR_INIT;
	if (cfg->ascii)
		text_charset_set(TEXT_ASCII);
	if (action->what == OPTIONS_RESTORE)
		return putback_run(cfg, text_or(action->release, NULL), &err) < 0 ? fail(&err) : 0;
	if (action->what == OPTIONS_CHECK)
		return run_engine(cfg, NULL, &err, NULL);
	if (!*cfg->listen)
		return run_engine(cfg, NULL, &err, line);
	/* Before the connection: a port that is taken is said at once. With one of the configuration a second
	 * vmtop on the host works all the same. */
	struct listener *listener = listener_open(cfg, &err);
	if (!listener && cfg->listen_asked)
		return fail(&err);
	int status = run_engine(cfg, listener, &err, line);
	listener_close(listener);
	return status;
}

/* A file that is opened later must not become standard output because that was closed. */
static void open_standard(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(1);
}

/* A reader that has gone is no error. */
static bool reader_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	return errno == EPIPE || (poll(&out, 1, 0) > 0 && out.revents & POLLERR);
}

/* What went to standard output must have got there. */
static int finish(int status)
{
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || reader_gone())
		return status;
	fprintf(stderr, "vmtop: cannot write to standard output: %s\n", strerror(errno ? errno : EIO));
	return status ? status : 1;
}

int main(int argc, char **argv)
{
	open_standard();
	struct err err = ERR_INIT;
	struct options_action action = {.what = OPTIONS_RUN};
	struct config *cfg = malloc(sizeof *cfg);
	if (!cfg)
		return 1;
	setlocale(LC_ALL, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		text_charset_set(TEXT_ASCII);
	setlocale(LC_NUMERIC, "C"); /* numbers in output and input are the same everywhere */
	signal(SIGPIPE, SIG_IGN);   /* a killed libvirtd must not kill its client */
	signal(SIGXFSZ, SIG_IGN);   /* nor a recording that has reached its limit */
	int status = 0;
	const struct subcommand *sub = argc > 1 ? subcommand_find(argv[1]) : NULL;
	if (sub)
		status = subcommand_run(sub, argc - 1, argv + 1, &err) < 0 ? fail(&err) : 0;
	else if (options_parse(argc, argv, cfg, &action, &err) < 0)
		status = fail(&err);
	else if (action.what == OPTIONS_HELP)
		options_help(stdout);
	else if (action.what == OPTIONS_VERSION)
		options_version(stdout);
	else if (action.what == OPTIONS_COLUMNS)
		options_columns(stdout);
	else
		status = run(cfg, &action, &(struct command_line){argc, argv});
	free(cfg);
	return finish(status);
}
