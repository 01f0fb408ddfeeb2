/* SPDX-License-Identifier: MIT */
/* vmtop report: plays a recording through the engine and keeps what figures and table need. Invariant: the
 * numbers are those that the screen showed. Two passes: the first finds the guests whose memory moved most.
 */
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/array.h"
#include "vmtop/engine.h"
#include "vmtop/folder.h"
#include "vmtop/minmax.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

FILE *report_create(const struct report *report, const char *name, struct err *err)
{
	int fd = openat(report->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file) {
		err_set(err, ERR_RUNTIME, "cannot create %.150s/%.60s: %s", report->dir, name,
			strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return file;
}

int report_close(FILE *file, const char *name, struct err *err)
{
	bool bad = ferror(file);
	if (fclose(file) != 0 || bad)
		return err_set(err, ERR_RUNTIME, "cannot write %.60s: %s", name, strerror(errno));
	return 0;
}

static bool keep_tick(struct report *report, const struct snapshot *snap)
{
	if (!array_grow(&report->ticks, &report->cap_ticks, report->n_ticks + 1, sizeof *report->ticks))
		return false;
	struct report_tick *tick = &report->ticks[report->n_ticks];
	*tick = (struct report_tick){.at_s = (double)(snap->sample.time_ns - report->first_ns) / 1e9,
		.stddev_pct = snap->cpu.stddev_pct,
		.limit_pct = snap->cpu.limit_pct,
		.found_pct = snap->cpu.found_pct,
		.bound_pct = snap->cpu.bound_pct,
		.available_kib = snap->sample.host.available_kib,
		.reserve_kib = snap->memory.reserve_kib};
	for (size_t i = 0; i < snap->n_actions; i++) {
		bool done = snap->actions[i].outcome == OUTCOME_DONE;
		tick->pins += done && snap->actions[i].kind == ACTION_PIN;
		tick->balloons += done && snap->actions[i].kind == ACTION_BALLOON;
	}
	return true;
}

/* pCPUs are those of the first tick. */
static bool keep_load(struct report *report, const struct snapshot *snap)
{
	const struct host_sample *host = &snap->sample.host;
	if (report->n_ticks == 0)
		for (size_t i = 0; i < host->n_pcpus && report->n_pcpus < CPUSET_CPUS; i++)
			report->pcpu_ids[report->n_pcpus++] = host->pcpus[i].id;
	if (!array_grow(&report->load, &report->cap_load, (report->n_ticks + 1) * report->n_pcpus,
		    sizeof *report->load))
		return false;
	for (size_t i = 0; i < report->n_pcpus; i++) {
		const struct pcpu_sample *pcpu = sample_pcpu(&snap->sample, report->pcpu_ids[i]);
		struct vf64 v = vf64_absent(AVAIL_NONE);
		if (pcpu) {
			const struct pcpu_rate *rate = &snap->pcpu_rates[pcpu - host->pcpus];
			v = vf64_has(rate->busy_pct) ? rate->busy_pct : rate->load_pct;
		}
		report->load[report->n_ticks * report->n_pcpus + i] = vf64_has(v) ? (float)v.v : -1;
	}
	return true;
}

static bool keep_rows(struct report *report, const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_actions; i++) {
		const struct action *action = &snap->actions[i];
		if (report->n_rows == REPORT_ROWS) {
			report->more_rows += snap->n_actions - i;
			return true;
		}
		if (!array_grow(&report->rows, &report->cap_rows, report->n_rows + 1, sizeof *report->rows))
			return false;
		struct report_row *row = &report->rows[report->n_rows++];
		row->wall_ns = snap->sample.wall_ns;
		row->a = *action;
		memcpy(row->vm, snap->sample.vms[action->vm].name, sizeof row->vm);
	}
	return true;
}

static void keep_marks(struct report *report, const struct snapshot *snap, uint64_t *seen)
{
	for (size_t i = 0; i < snap->n_log; i++) {
		const struct log_line *line = &snap->log[i];
		if (line->seq <= *seen || line->kind != LOG_MARK || report->n_marks == REPORT_MARKS)
			continue;
		struct report_mark *mark = &report->marks[report->n_marks++];
		/* From this tick on, which the line is near to: the wall clock may have jumped since the
		 * start. */
		mark->at_s = (double)(snap->sample.time_ns - report->first_ns + line->wall_ns -
				      snap->sample.wall_ns) /
			     1e9;
		snprintf(mark->text, sizeof mark->text, "%s",
			strncmp(line->text, "mark: ", 6) == 0 ? line->text + 6 : line->text);
	}
	if (snap->n_log)
		*seen = snap->log[snap->n_log - 1].seq;
}

static void keep_needs(struct report *report, const struct snapshot *snap)
{
	for (size_t i = 0; i < report->n_guests; i++) {
		const struct vm_sample *vm = sample_vm_by_uuid(&snap->sample, report->guests[i].uuid);
		if (!vm || !report->guests[i].needs)
			continue;
		const struct vm_status *status = &snap->vm_status[vm - snap->sample.vms];
		report->guests[i].needs[report->n_ticks] = (struct report_need){vm->mem.balloon_kib,
			snap->vm_rates[vm - snap->sample.vms].used_kib, status->mem.lo_kib,
			status->mem.hi_kib};
	}
}

static int keep(struct report *report, const struct snapshot *snap, uint64_t *seen)
{
	if (report->n_ticks == 0) {
		report->first_ns = snap->sample.time_ns;
		report->start_wall_ns = snap->sample.wall_ns;
		snprintf(report->host, sizeof report->host, "%s", snap->sample.host.hostname);
		snprintf(report->uri, sizeof report->uri, "%s", snap->backend.uri);
		snprintf(report->policies, sizeof report->policies, "CPU %s, memory %s, per %s",
			cpu_policy_name(snap->cpu_policy), mem_policy_name(snap->mem_policy),
			granularity_name(snap->granularity));
	}
	if (!keep_tick(report, snap) || !keep_load(report, snap) || !keep_rows(report, snap))
		return -1;
	keep_marks(report, snap, seen);
	keep_needs(report, snap);
	report->n_ticks++;
	return 0;
}

static void widen(int64_t *least, int64_t *most, struct vi64 v)
{
	if (!vi64_has(v))
		return;
	*least = min_of(v.v, *least);
	*most = max_of(v.v, *most);
}

static int look_at_guests(struct report *report, const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		const struct vm_sample *vm = &snap->sample.vms[i];
		size_t g =
			i < report->n_guests && uuid_compare(report->guests[i].uuid, vm->uuid) == 0 ? i : 0;
		while (g < report->n_guests && uuid_compare(report->guests[g].uuid, vm->uuid) != 0)
			g++;
		if (g == report->n_guests) {
			struct report_guest *guest = array_more(&report->guests, &report->n_guests,
				&report->cap_guests, SIZE_MAX, sizeof *guest);
			if (!guest)
				return -1;
			guest->least_kib = guest->least_used_kib = INT64_MAX;
			memcpy(guest->uuid, vm->uuid, UUID_BYTES);
			memcpy(guest->name, vm->name, sizeof guest->name);
		}
		struct report_guest *to = &report->guests[g];
		widen(&to->least_kib, &to->most_kib, vm->mem.balloon_kib);
		widen(&to->least_used_kib, &to->most_used_kib, snap->vm_rates[i].used_kib);
	}
	report->n_ticks++;
	return 0;
}

/* How much there is to see: guests without statistics have nothing to compare with. */
static int64_t movement(const struct report_guest *guest)
{
	if (guest->most_kib <= 0 || guest->most_used_kib <= 0)
		return -1;
	return guest->most_kib - guest->least_kib + guest->most_used_kib - guest->least_used_kib;
}

static int by_movement(const void *a, const void *b)
{
	int64_t x = movement(a), y = movement(b);
	return x > y ? -1 : x < y;
}

static int choose_guests(struct report *report)
{
	if (report->n_guests)
		qsort(report->guests, report->n_guests, sizeof *report->guests, by_movement);
	while (report->n_guests > REPORT_GUESTS ||
		(report->n_guests && movement(&report->guests[report->n_guests - 1]) < 0))
		report->n_guests--;
	for (size_t i = 0; i < report->n_guests; i++) {
		report->guests[i].needs = calloc(report->n_ticks + 1, sizeof *report->guests[i].needs);
		if (!report->guests[i].needs)
			return -1;
	}
	report->n_ticks = 0;
	return 0;
}

bool report_has_memory(const struct report *report)
{
	return report->n_guests > 0;
}

/* One pass; `most` ticks, for the file may grow meanwhile. */
static int play(struct report *report, bool first, size_t most, struct err *err)
{
	struct config *cfg = malloc(sizeof *cfg);
	uint64_t seen = 0;
	int rc = 0;
	if (!cfg)
		return err_set(err, ERR_NOMEM, "out of memory");
	config_defaults(cfg);
	snprintf(cfg->replay, sizeof cfg->replay, "%s", report->file);
	cfg->batch = true;
	struct backend *backend =
		recording_config(report->file, cfg, err) < 0 ? NULL : backend_replay_open(cfg, err);
	struct engine *engine = backend ? engine_new(cfg, backend, err) : NULL;
	free(cfg);
	if (!engine)
		return -1;
	do {
		struct err step = ERR_INIT;
		struct snapshot *snap = engine_step(engine, &step) == 0 ? engine_snapshot(engine) : NULL;
		if (snap && !snap->first)
			rc = first ? look_at_guests(report, snap) : keep(report, snap, &seen);
		snapshot_free(snap);
	} while (rc == 0 && report->n_ticks < most && engine_wait(engine, -1));
	engine_free(engine);
	return rc < 0 ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

/* Over what was there before, never through a link: a name in a folder of others is only ever replaced. */
static int move_all(int from, int to)
{
	DIR *dir = folder_list(from);
	int rc = 0;
	if (!dir)
		return -1;
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = renameat(from, entry->d_name, to, entry->d_name);
	int saved = errno;
	closedir(dir);
	errno = saved;
	return rc;
}

/* Everything is made in a folder that nobody else may enter, and moved when it is whole: gnuplot runs what it
 * reads there and writes where its names lead. */
static int fill(struct report *report, struct err *err)
{
	char stage[] = ".vmtop-report.XXXXXX";
	int out = open(report->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	report->dir_fd = out < 0 ? -1 : folder_temporary_folder(out, stage);
	if (report->dir_fd < 0) {
		err_set(err, ERR_RUNTIME, "cannot write into %.200s: %s", report->dir, strerror(errno));
		if (out >= 0)
			close(out);
		return -1;
	}
	int rc = report_plot(report, err) < 0 || report_page(report, err) < 0 ? -1 : 0;
	if (move_all(report->dir_fd, out) < 0 && rc == 0)
		rc = err_set(err, ERR_RUNTIME, "cannot write into %.200s: %s", report->dir, strerror(errno));
	unlinkat(out, stage, AT_REMOVEDIR);
	close(out);
	return rc;
}

static int make(struct report *report, struct err *err)
{
	if (play(report, true, SIZE_MAX, err) < 0)
		return -1;
	size_t ticks = report->n_ticks;
	if (ticks < 2)
		return err_set(err, ERR_RUNTIME,
			"%.200s is too short: %zu tick%s, and at least two are needed", report->file, ticks,
			text_s(ticks));
	if (choose_guests(report) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (play(report, false, ticks, err) < 0)
		return -1;
	if (report->n_ticks < 2 || !report->n_pcpus)
		return err_set(err, ERR_RUNTIME, "%.200s holds nothing to draw: %zu tick%s, %zu pCPU%s",
			report->file, report->n_ticks, text_s(report->n_ticks), report->n_pcpus,
			text_s(report->n_pcpus));
	if (mkdir(report->dir, 0755) < 0 && errno != EEXIST)
		return err_set(err, ERR_RUNTIME, "cannot create %.200s: %s", report->dir, strerror(errno));
	return fill(report, err);
}

int report_run(const struct sub_line *line, struct err *err)
{
	struct report *report = calloc(1, sizeof *report);
	if (!report)
		return err_set(err, ERR_NOMEM, "out of memory");
	report->file = line->words[0];
	report->dir = line->words[1];
	report->dir_fd = -1;
	int rc = make(report, err);
	if (rc == 0)
		printf("%s/index.html: %zu tick%s, %zu decision%s, %s\n", report->dir, report->n_ticks,
			text_s(report->n_ticks), report->n_rows + report->more_rows,
			text_s(report->n_rows + report->more_rows),
			report->figures ? "figures as PNG and SVG" : "no figures");
	if (report->dir_fd >= 0)
		close(report->dir_fd);
	for (size_t i = 0; i < report->n_guests; i++)
		free(report->guests[i].needs);
	free(report->guests);
	free(report->ticks);
	free(report->load);
	free(report->rows);
	free(report);
	return rc;
}
