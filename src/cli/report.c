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

FILE *report_create(const struct report *r, const char *name, struct err *e)
{
	int fd = openat(r->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		err_set(e, ERR_RUNTIME, "cannot create %.150s/%.60s: %s", r->dir, name, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return f;
}

int report_close(FILE *f, const char *name, struct err *e)
{
	bool bad = ferror(f);
	if (fclose(f) != 0 || bad)
		return err_set(e, ERR_RUNTIME, "cannot write %.60s: %s", name, strerror(errno));
	return 0;
}

static bool keep_tick(struct report *r, const struct snapshot *s)
{
	if (!array_grow(&r->ticks, &r->cap_ticks, r->n_ticks + 1, sizeof *r->ticks))
		return false;
	struct report_tick *t = &r->ticks[r->n_ticks];
	*t = (struct report_tick){.at_s = (double)(s->sample.time_ns - r->first_ns) / 1e9,
		.stddev_pct = s->cpu.stddev_pct,
		.limit_pct = s->cpu.limit_pct,
		.found_pct = s->cpu.found_pct,
		.bound_pct = s->cpu.bound_pct,
		.available_kib = s->sample.host.available_kib,
		.reserve_kib = s->memory.reserve_kib};
	for (size_t i = 0; i < s->n_actions; i++) {
		bool done = s->actions[i].outcome == OUTCOME_DONE;
		t->pins += done && s->actions[i].kind == ACTION_PIN;
		t->balloons += done && s->actions[i].kind == ACTION_BALLOON;
	}
	return true;
}

/* pCPUs are those of the first tick. */
static bool keep_load(struct report *r, const struct snapshot *s)
{
	const struct host_sample *h = &s->sample.host;
	if (r->n_ticks == 0)
		for (size_t i = 0; i < h->n_pcpus && r->n_pcpus < CPUSET_CPUS; i++)
			r->pcpu_ids[r->n_pcpus++] = h->pcpus[i].id;
	if (!array_grow(&r->load, &r->cap_load, (r->n_ticks + 1) * r->n_pcpus, sizeof *r->load))
		return false;
	for (size_t i = 0; i < r->n_pcpus; i++) {
		const struct pcpu_sample *p = sample_pcpu(&s->sample, r->pcpu_ids[i]);
		struct vf64 v = vf64_absent(AVAIL_NONE);
		if (p) {
			const struct pcpu_rate *rate = &s->pcpu_rates[p - h->pcpus];
			v = vf64_has(rate->busy_pct) ? rate->busy_pct : rate->load_pct;
		}
		r->load[r->n_ticks * r->n_pcpus + i] = vf64_has(v) ? (float)v.v : -1;
	}
	return true;
}

static bool keep_rows(struct report *r, const struct snapshot *s)
{
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct action *a = &s->actions[i];
		if (r->n_rows == REPORT_ROWS) {
			r->more_rows += s->n_actions - i;
			return true;
		}
		if (!array_grow(&r->rows, &r->cap_rows, r->n_rows + 1, sizeof *r->rows))
			return false;
		struct report_row *row = &r->rows[r->n_rows++];
		row->wall_ns = s->sample.wall_ns;
		row->a = *a;
		memcpy(row->vm, s->sample.vms[a->vm].name, sizeof row->vm);
	}
	return true;
}

static void keep_marks(struct report *r, const struct snapshot *s, uint64_t *seen)
{
	for (size_t i = 0; i < s->n_log; i++) {
		const struct log_line *l = &s->log[i];
		if (l->seq <= *seen || l->kind != LOG_MARK || r->n_marks == REPORT_MARKS)
			continue;
		struct report_mark *m = &r->marks[r->n_marks++];
		/* From this tick on, which the line is near to: the wall clock may have jumped since the
		 * start. */
		m->at_s = (double)(s->sample.time_ns - r->first_ns + l->wall_ns - s->sample.wall_ns) / 1e9;
		snprintf(m->text, sizeof m->text, "%s",
			strncmp(l->text, "mark: ", 6) == 0 ? l->text + 6 : l->text);
	}
	*seen = s->n_log ? s->log[s->n_log - 1].seq : *seen;
}

static void keep_needs(struct report *r, const struct snapshot *s)
{
	for (size_t i = 0; i < r->n_guests; i++) {
		const struct vm_sample *vm = sample_vm_by_uuid(&s->sample, r->guests[i].uuid);
		if (!vm || !r->guests[i].needs)
			continue;
		const struct vm_status *st = &s->vm_status[vm - s->sample.vms];
		r->guests[i].needs[r->n_ticks] = (struct report_need){vm->mem.balloon_kib,
			s->vm_rates[vm - s->sample.vms].used_kib, st->mem.lo_kib, st->mem.hi_kib};
	}
}

static int keep(struct report *r, const struct snapshot *s, uint64_t *seen)
{
	if (r->n_ticks == 0) {
		r->first_ns = s->sample.time_ns;
		r->start_wall_ns = s->sample.wall_ns;
		snprintf(r->host, sizeof r->host, "%s", s->sample.host.hostname);
		snprintf(r->uri, sizeof r->uri, "%s", s->backend.uri);
		snprintf(r->policies, sizeof r->policies, "CPU %s, memory %s, per %s",
			cpu_policy_name(s->cpu_policy), mem_policy_name(s->mem_policy),
			granularity_name(s->granularity));
	}
	if (!keep_tick(r, s) || !keep_load(r, s) || !keep_rows(r, s))
		return -1;
	keep_marks(r, s, seen);
	keep_needs(r, s);
	r->n_ticks++;
	return 0;
}

static void widen(int64_t *least, int64_t *most, struct vi64 v)
{
	if (!vi64_has(v))
		return;
	*least = min_of(v.v, *least);
	*most = max_of(v.v, *most);
}

static int look_at_guests(struct report *r, const struct snapshot *s)
{
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		size_t g = i < r->n_guests && uuid_compare(r->guests[i].uuid, vm->uuid) == 0 ? i : 0;
		while (g < r->n_guests && uuid_compare(r->guests[g].uuid, vm->uuid) != 0)
			g++;
		if (g == r->n_guests) {
			struct report_guest *p =
				array_more(&r->guests, &r->n_guests, &r->cap_guests, SIZE_MAX, sizeof *p);
			if (!p)
				return -1;
			p->least_kib = p->least_used_kib = INT64_MAX;
			memcpy(p->uuid, vm->uuid, UUID_BYTES);
			memcpy(p->name, vm->name, sizeof p->name);
		}
		struct report_guest *to = &r->guests[g];
		widen(&to->least_kib, &to->most_kib, vm->mem.balloon_kib);
		widen(&to->least_used_kib, &to->most_used_kib, s->vm_rates[i].used_kib);
	}
	r->n_ticks++;
	return 0;
}

/* How much there is to see: guests without statistics have nothing to compare with. */
static int64_t movement(const struct report_guest *g)
{
	if (g->most_kib <= 0 || g->most_used_kib <= 0)
		return -1;
	return g->most_kib - g->least_kib + g->most_used_kib - g->least_used_kib;
}

static int by_movement(const void *a, const void *b)
{
	int64_t x = movement(a), y = movement(b);
	return x > y ? -1 : x < y;
}

static int choose_guests(struct report *r)
{
	if (r->n_guests)
		qsort(r->guests, r->n_guests, sizeof *r->guests, by_movement);
	while (r->n_guests > REPORT_GUESTS || (r->n_guests && movement(&r->guests[r->n_guests - 1]) < 0))
		r->n_guests--;
	for (size_t i = 0; i < r->n_guests; i++) {
		r->guests[i].needs = calloc(r->n_ticks + 1, sizeof *r->guests[i].needs);
		if (!r->guests[i].needs)
			return -1;
	}
	r->n_ticks = 0;
	return 0;
}

bool report_has_memory(const struct report *r)
{
	return r->n_guests > 0;
}

/* One pass; `most` ticks, for the file may grow meanwhile. */
static int play(struct report *r, bool first, size_t most, struct err *e)
{
	struct config *cfg = malloc(sizeof *cfg);
	uint64_t seen = 0;
	int rc = 0;
	if (!cfg)
		return err_set(e, ERR_NOMEM, "out of memory");
	config_defaults(cfg);
	snprintf(cfg->replay, sizeof cfg->replay, "%s", r->file);
	cfg->batch = true;
	struct backend *b = recording_config(r->file, cfg, e) < 0 ? NULL : backend_replay_open(cfg, e);
	struct engine *en = b ? engine_new(cfg, b, e) : NULL;
	free(cfg);
	if (!en)
		return -1;
	do {
		struct err step = ERR_INIT;
		struct snapshot *s = engine_step(en, &step) == 0 ? engine_snapshot(en) : NULL;
		if (s && !s->first)
			rc = first ? look_at_guests(r, s) : keep(r, s, &seen);
		snapshot_free(s);
	} while (rc == 0 && r->n_ticks < most && engine_wait(en, -1));
	engine_free(en);
	return rc < 0 ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* Over what was there before, never through a link: a name in a folder of others is only ever replaced. */
static int move_all(int from, int to)
{
	DIR *d = folder_list(from);
	int rc = 0;
	if (!d)
		return -1;
	for (struct dirent *f; rc == 0 && (f = readdir(d));)
		if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
			rc = renameat(from, f->d_name, to, f->d_name);
	int saved = errno;
	closedir(d);
	errno = saved;
	return rc;
}

/* Everything is made in a folder that nobody else may enter, and moved when it is whole: gnuplot runs what it
 * reads there and writes where its names lead. */
static int fill(struct report *r, struct err *e)
{
	char stage[] = ".vmtop-report.XXXXXX";
	int out = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->dir_fd = out < 0 ? -1 : folder_temporary_folder(out, stage);
	if (r->dir_fd < 0) {
		err_set(e, ERR_RUNTIME, "cannot write into %.200s: %s", r->dir, strerror(errno));
		if (out >= 0)
			close(out);
		return -1;
	}
	int rc = report_plot(r, e) < 0 || report_page(r, e) < 0 ? -1 : 0;
	if (move_all(r->dir_fd, out) < 0 && rc == 0)
		rc = err_set(e, ERR_RUNTIME, "cannot write into %.200s: %s", r->dir, strerror(errno));
	unlinkat(out, stage, AT_REMOVEDIR);
	close(out);
	return rc;
}

static int make(struct report *r, struct err *e)
{
	if (play(r, true, SIZE_MAX, e) < 0)
		return -1;
	size_t ticks = r->n_ticks;
	if (ticks < 2)
		return err_set(e, ERR_RUNTIME, "%.200s is too short: %zu tick%s, and at least two are needed",
			r->file, ticks, text_s(ticks));
	if (choose_guests(r) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (play(r, false, ticks, e) < 0)
		return -1;
	if (r->n_ticks < 2 || !r->n_pcpus)
		return err_set(e, ERR_RUNTIME, "%.200s holds nothing to draw: %zu tick%s, %zu pCPU%s",
			r->file, r->n_ticks, text_s(r->n_ticks), r->n_pcpus, text_s(r->n_pcpus));
	if (mkdir(r->dir, 0755) < 0 && errno != EEXIST)
		return err_set(e, ERR_RUNTIME, "cannot create %.200s: %s", r->dir, strerror(errno));
	return fill(r, e);
}

int report_run(const struct sub_line *line, struct err *e)
{
	struct report *r = calloc(1, sizeof *r);
	if (!r)
		return err_set(e, ERR_NOMEM, "out of memory");
	r->file = line->words[0];
	r->dir = line->words[1];
	r->dir_fd = -1;
	int rc = make(r, e);
	if (rc == 0)
		printf("%s/index.html: %zu tick%s, %zu decision%s, %s\n", r->dir, r->n_ticks,
			text_s(r->n_ticks), r->n_rows + r->more_rows, text_s(r->n_rows + r->more_rows),
			r->figures ? "figures as PNG and SVG" : "no figures");
	if (r->dir_fd >= 0)
		close(r->dir_fd);
	for (size_t i = 0; i < r->n_guests; i++)
		free(r->guests[i].needs);
	free(r->guests);
	free(r->ticks);
	free(r->load);
	free(r->rows);
	free(r);
	return rc;
}
