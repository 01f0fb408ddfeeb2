/* SPDX-License-Identifier: MIT */
/* Data files and gnuplot scripts of a report, and the run of gnuplot. Invariant: text from outside reaches a
 * script only as plain letters in single quotes, and no shell is involved: gnuplot is started with exec and
 * reads a file. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "vmtop/text.h"

/* Letters, digits and a few harmless signs stay, all else becomes a dot. */
static void plain(char *buf, size_t len, const char *raw)
{
	size_t n = 0;
	for (const char *p = raw; *p && n + 1 < len; p++) {
		bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			  strchr(" -_:+=/(),.", *p);
		buf[n++] = ok ? *p : '.';
	}
	buf[n] = '\0';
}

static void number(FILE *file, struct vf64 v)
{
	if (vf64_has(v) && isfinite(v.v))
		fprintf(file, "\t%.3f", v.v);
	else
		fputs("\tNaN", file);
}

static void mib(FILE *file, struct vi64 v)
{
	number(file, vi64_has(v) ? vf64_ok((double)v.v / 1024) : vf64_absent(AVAIL_NONE));
}

static int write_ticks(const struct report *report, struct err *err)
{
	static const char name[] = "ticks.tsv";
	FILE *file = report_create(report, name, err);
	long pins = 0, balloons = 0;
	if (!file)
		return -1;
	fputs("# seconds\tdeviation_pct\tlimit_pct\tbest_found_pct\tno_plan_below_pct\tpins\tpins_so_far\t"
	      "balloon_calls\tballoon_calls_so_far\thost_available_mib\thost_reserve_mib\n",
		file);
	for (size_t i = 0; i < report->n_ticks; i++) {
		const struct report_tick *tick = &report->ticks[i];
		pins += tick->pins;
		balloons += tick->balloons;
		fprintf(file, "%.3f", tick->at_s);
		number(file, tick->stddev_pct);
		number(file, tick->limit_pct);
		number(file, tick->found_pct);
		number(file, tick->bound_pct);
		fprintf(file, "\t%ld\t%ld\t%ld\t%ld", tick->pins, pins, tick->balloons, balloons);
		mib(file, tick->available_kib);
		mib(file, tick->reserve_kib);
		fputc('\n', file);
	}
	return report_close(file, name, err);
}

/* Blocks of pCPUs, as gnuplot's pm3d wants them: a blank line between ticks. */
static int write_load(const struct report *report, struct err *err)
{
	static const char name[] = "pcpus.tsv";
	FILE *file = report_create(report, name, err);
	if (!file)
		return -1;
	fputs("# seconds\tpcpu\tload_pct\n", file);
	for (size_t i = 0; i < report->n_ticks; i++) {
		for (size_t k = 0; k <= report->n_pcpus; k++) {
			size_t at =
				k < report->n_pcpus ? k : k - 1; /* the last once more: cells have corners */
			float v = report->load[i * report->n_pcpus + at];
			fprintf(file, v < 0 ? "%.3f\t%.1f\tNaN\n" : "%.3f\t%.1f\t%.2f\n",
				report->ticks[i].at_s, (double)k - .5, (double)v);
		}
		fputc('\n', file);
	}
	return report_close(file, name, err);
}

static int write_guests(const struct report *report, struct err *err)
{
	for (size_t g = 0; g < report->n_guests; g++) {
		char name[40];
		snprintf(name, sizeof name, "guest%zu.tsv", g + 1);
		FILE *file = report_create(report, name, err);
		if (!file)
			return -1;
		fputs("# seconds\tballoon_mib\tused_mib\tlow_mib\thigh_mib\n", file);
		for (size_t i = 0; i < report->n_ticks; i++) {
			const struct report_need *n = &report->guests[g].needs[i];
			fprintf(file, "%.3f", report->ticks[i].at_s);
			mib(file, n->balloon);
			mib(file, n->used);
			mib(file, n->lo);
			mib(file, n->hi);
			fputc('\n', file);
		}
		if (report_close(file, name, err) < 0)
			return -1;
	}
	return 0;
}

static void put_marks(const struct report *report, FILE *file, bool labels)
{
	for (size_t i = 0; i < report->n_marks; i++) {
		char text[64];
		plain(text, sizeof text, report->marks[i].text);
		fprintf(file,
			"set arrow from %.3f, graph 0 to %.3f, graph 1 nohead dt 2 lc rgb '#555555' front\n",
			report->marks[i].at_s, report->marks[i].at_s);
		if (labels)
			fprintf(file,
				"set label '%s' at %.3f, graph 0.98 right rotate by 90 offset character -1,0 "
				"font ',9' tc rgb '#333333' front\n",
				text, report->marks[i].at_s);
	}
}

/* gnuplot fails on an axis on which no point has a value, as with a host that tells nothing or a recording
 * without a pin: a line at zero is always there. */
#define ZERO(axes) " 0 " axes "with lines lw 0.5 lc rgb '#cccccc' notitle"

static void body_deviation(const struct report *report, FILE *file)
{
	put_marks(report, file, true);
	fputs("set ylabel 'standard deviation, % of a pCPU'\nset yrange [0:*]\n"
	      "plot 'ticks.tsv' using 1:2 with lines lw 2 lc rgb '#0060ad' title 'deviation', \\\n"
	      " '' using 1:3 with lines lw 1.5 dt 2 lc rgb '#c02020' title 'limit', \\\n"
	      " '' using 1:4 with lines lw 1.5 lc rgb '#309030' title 'best placement found', \\\n"
	      " '' using 1:5 with lines lw 1.5 dt 3 lc rgb '#808080' title 'no placement below', " ZERO(
		      "") "\n",
		file);
}

static void body_pcpus(const struct report *report, FILE *file)
{
	size_t step = report->n_pcpus > 32 ? report->n_pcpus / 16 : 1;
	put_marks(report, file, true);
	fputs("set ylabel 'pCPU'\nset cblabel 'busy, %'\nset cbrange [0:100]\nunset key\nset pm3d map "
	      "corners2color c1\nset ytics (",
		file);
	for (size_t i = 0; i < report->n_pcpus; i += step)
		fprintf(file, "%s'%d' %zu", text_if(i, ", "), report->pcpu_ids[i], i);
	fprintf(file,
		")\nset yrange [-0.5:%zu.5]\n"
		"set palette defined (0 '#f7fbff', 50 '#9ecae1', 80 '#fed976', 95 '#f03b20', 100 '#a50f15')\n"
		"splot 'pcpus.tsv' using 1:2:3 with pm3d\n",
		report->n_pcpus - 1);
}

static void body_pins(const struct report *report, FILE *file)
{
	put_marks(report, file, true);
	fputs("set ylabel 'pins so far'\nset yrange [0:*]\nset y2label 'in one tick'\nset y2range [0:*]\n"
	      "set y2tics\nset ytics nomirror\n"
	      "plot 'ticks.tsv' using 1:7 with steps lw 2 lc rgb '#0060ad' title 'pins so far', \\\n"
	      " '' using 1:($6 > 0 ? $6 : NaN) axes x1y2 with impulses lw 2 lc rgb '#f16913' title"
	      " 'pins in one tick (right)', " ZERO("axes x1y2 ") "\n",
		file);
}

static void body_balloons(const struct report *report, FILE *file)
{
	size_t columns = report->n_guests > 4 ? 3 : report->n_guests > 1 ? 2 : 1;
	char start[48];
	text_time(start, sizeof start, report->start_wall_ns);
	fprintf(file,
		"set multiplot layout %zu,%zu title 'Balloon (blue), used by the guest (red), low to high "
		"watermark (band); MiB by seconds since %s'\n"
		"unset key\nunset xlabel\nset yrange [0:*]\n",
		(report->n_guests + columns - 1) / columns, columns, start);
	put_marks(report, file, false);
	for (size_t g = 0; g < report->n_guests; g++) {
		char name[48];
		plain(name, sizeof name, report->guests[g].name);
		fprintf(file,
			"set title '%s'\n"
			"plot 'guest%zu.tsv' using 1:4:5 with filledcurves fc rgb '#c0d8f0' fs solid, \\\n"
			" '' using 1:3 with lines lw 1.5 lc rgb '#c02020', \\\n"
			" '' using 1:2 with lines lw 2 lc rgb '#0060ad', " ZERO("") "\n",
			name, g + 1);
	}
	fputs("unset multiplot\n", file);
}

static void body_memory(const struct report *report, FILE *file)
{
	put_marks(report, file, true);
	fputs("set ylabel 'GiB'\nset yrange [0:*]\n"
	      "plot 'ticks.tsv' using 1:($10/1024) with lines lw 2 lc rgb '#0060ad' title 'available on the "
	      "host', "
	      "\\\n"
	      " '' using 1:($11/1024) with lines lw 1.5 dt 2 lc rgb '#c02020' title 'reserve', \\\n"
	      " '' using 1:9 axes x1y2 with steps lw 1.5 lc rgb '#309030' title 'balloon calls so far "
	      "(right)', " ZERO("") "\n",
		file);
}

const struct report_figure report_figures[] = {
	{"deviation", "Deviation of load against its limit, the best placement found and the bound", 1200,
		500, body_deviation, false},
	{"pcpus", "Load of each pCPU", 1200, 500, body_pcpus, false},
	{"pins", "Pins over time", 1200, 400, body_pins, false},
	{"balloons", "Balloon against need, of the guests whose memory moved most", 1200, 900, body_balloons,
		true},
	{"memory", "Memory of the host", 1200, 400, body_memory, true},
};
const size_t n_report_figures = sizeof report_figures / sizeof *report_figures;

bool report_has_figure(const struct report *report, const struct report_figure *fig)
{
	return !fig->memory || report_has_memory(report);
}

static int write_body(const struct report *report, const struct report_figure *fig, struct err *err)
{
	char name[40], start[48];
	snprintf(name, sizeof name, "%s.gp", fig->name);
	FILE *file = report_create(report, name, err);
	if (!file)
		return -1;
	text_time(start, sizeof start, report->start_wall_ns);
	fprintf(file,
		"reset\nset datafile separator '\\t'\nset datafile missing 'NaN'\nset grid\n"
		"set key outside top center horizontal\nset xlabel 'seconds since %s'\nset xrange [0:%.3f]\n",
		start,
		report->ticks[report->n_ticks - 1].at_s > 0 ? report->ticks[report->n_ticks - 1].at_s : 1);
	if (fig->body != body_balloons)
		fprintf(file, "set title '%s'\n", fig->caption);
	if (fig->body == body_memory)
		fputs("set y2label 'calls'\nset y2range [0:*]\nset y2tics\nset ytics nomirror\n", file);
	fig->body(report, file);
	return report_close(file, name, err);
}

static int write_script(const struct report *report, struct err *err)
{
	FILE *file = report_create(report, "report.gp", err);
	if (!file)
		return -1;
	fputs("# gnuplot report.gp draws the figures anew\n"
	      "cairo = strstrt(GPVAL_TERMINALS, 'pngcairo') > 0\n",
		file);
	for (size_t i = 0; i < n_report_figures; i++) {
		const struct report_figure *fig = &report_figures[i];
		if (!report_has_figure(report, fig))
			continue;
		fprintf(file,
			"if (cairo) { set terminal pngcairo size %d,%d noenhanced font 'sans,11' } else "
			"{ set terminal png size %d,%d noenhanced }\n"
			"set output '%s.png'\nload '%s.gp'\n"
			"set terminal svg size %d,%d noenhanced font 'sans,11' background '#ffffff'\n"
			"set output '%s.svg'\nload '%s.gp'\n",
			fig->width, fig->height, fig->width, fig->height, fig->name, fig->name, fig->width,
			fig->height, fig->name, fig->name);
	}
	fputs("set output\n", file);
	return report_close(file, "report.gp", err);
}

/* Exit status of gnuplot in the folder; 127: there is none. */
static int run_gnuplot(const struct report *report, struct err *err)
{
	int log = openat(
		report->dir_fd, "gnuplot.log", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	int none = open("/dev/null", O_RDWR | O_CLOEXEC), status = -1;
	pid_t pid = log >= 0 && none >= 0 ? fork() : -1;
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		if (fchdir(report->dir_fd) == 0 && dup2(none, 0) == 0 && dup2(log, 1) == 1 &&
			dup2(log, 2) == 2)
			execlp("gnuplot", "gnuplot", "-d", "report.gp",
				(char *)NULL); /* -d: nobody's .gnuplot */
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (log >= 0)
		close(log);
	if (none >= 0)
		close(none);
	if (pid < 0)
		return err_set(err, ERR_RUNTIME, "cannot start gnuplot: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

int report_plot(struct report *report, struct err *err)
{
	if (write_ticks(report, err) < 0 || write_load(report, err) < 0 || write_guests(report, err) < 0)
		return -1;
	for (size_t i = 0; i < n_report_figures; i++)
		if (report_has_figure(report, &report_figures[i]) &&
			write_body(report, &report_figures[i], err) < 0)
			return -1;
	if (write_script(report, err) < 0)
		return -1;
	int status = run_gnuplot(report, err);
	if (status < 0)
		return -1;
	report->figures = status == 0;
	if (status == 127)
		fprintf(stderr,
			"vmtop: gnuplot is not installed: no figures; data and scripts are written, `gnuplot "
			"report.gp` in that folder draws them\n");
	else if (status)
		return err_set(err, ERR_RUNTIME, "gnuplot failed (status %d), see %.150s/gnuplot.log", status,
			report->dir);
	else
		unlinkat(report->dir_fd, "gnuplot.log", 0);
	return 0;
}
