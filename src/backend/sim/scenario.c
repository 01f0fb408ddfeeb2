/* SPDX-License-Identifier: MIT */
/* Parser of scenarios: the lines that stand alone, and the order of reading. Invariant:
 * what scenario_parse() returns names only pCPUs, nodes and VMs that exist, within the bounds of scenario.h.
 * Must not know how anything is simulated. */
#include "vmtop/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_text.h"

static bool read_title(struct reader *r)
{
	const char *w = "";
	struct scenario *s = r->s;
	s->title[0] = '\0';
	while (r->at < r->n) {
		size_t used = strlen(s->title);
		if (!want_word(r, &w, "text"))
			return false;
		snprintf(s->title + used, sizeof s->title - used, "%s%s", used ? " " : "", w);
	}
	return true;
}

static bool read_seed(struct reader *r)
{
	int n;
	if (!want_int(r, &n, 0, 2000000000))
		return false;
	r->s->seed = (uint64_t)n;
	return true;
}

static bool read_end(struct reader *r)
{
	return want_time(r, &r->s->end_ns, false);
}

static bool read_events(struct reader *r)
{
	r->s->events = true;
	return true;
}

static bool read_fail(struct reader *r)
{
	static const struct {
		const char *word;
		enum fail_kind kind;
	} kinds[] = {{"sample", FAIL_SAMPLE}, {"apply", FAIL_APPLY}, {"pin", FAIL_PIN},
		{"balloon", FAIL_BALLOON}, {"period", FAIL_PERIOD}, {"shares", FAIL_SHARES}};
	struct scenario *s = r->s;
	size_t k = 0;
	int n;
	while (k < sizeof kinds / sizeof *kinds && !reader_accept(r, kinds[k].word))
		k++;
	if (k == sizeof kinds / sizeof *kinds)
		return reader_fail(r, "no such call");
	do {
		if (s->n_fails == SCN_FAILS)
			return reader_fail(r, "more than %d failures", SCN_FAILS);
		if (!want_int(r, &n, 1, 1000000000))
			return false;
		s->fails[s->n_fails++] = (struct scn_fail){kinds[k].kind, n, reader_accept(r, "unknown")};
	} while (reader_peek(r));
	return true;
}

static bool read_host(struct reader *r)
{
	r->in_host = true;
	r->n_group = 0;
	return true;
}

static void vm_defaults(struct scn_vm *vm)
{
	cpuset_fill(&vm->vcpu_ids, 1);
	vm->allowed = vm->place = vm->emulator = -1;
	vm->quota = 1;
	vm->memory_kib = vm->max_kib = 512 * 1024;
	vm->base_kib = 200 * 1024;
	vm->speed_kib_s = 256 * 1024;
	vm->flags = VM_FLAG_PERSISTENT;
}

/* "x8": how many VMs the block makes. */
static bool read_count(struct reader *r, int *count)
{
	const char *w = reader_peek(r);
	*count = 0;
	if (!w)
		return true;
	if (w[0] != 'x')
		return reader_fail(r, "\"%.40s\" is not a count", w);
	if (w[1])
		r->word[r->at] = w + 1;
	else
		r->at++;
	return want_int(r, count, 1, SCN_VMS);
}

static struct scn_vm *add_vm(struct reader *r)
{
	struct scenario *s = r->s;
	void *items = s->vms;
	struct scn_vm *vm = reader_grow(r, &items, &s->n_vms, &s->cap_vms, SCN_VMS, sizeof *vm, "VMs");
	s->vms = items;
	if (vm)
		vm_defaults(vm);
	return vm;
}

/* The lines of a block fill in its first VM; at the end of the block the others become copies of it. */
static void close_group(struct reader *r)
{
	struct scn_vm *vms = r->n_group ? r->s->vms + r->first_vm : NULL;
	for (size_t i = 1; i < r->n_group; i++) {
		struct scn_vm copy = vms[0];
		memcpy(copy.name, vms[i].name, sizeof copy.name);
		copy.rank = (int)i;
		vms[i] = copy;
	}
	r->n_group = 0;
	r->in_host = false;
}

static bool read_vm(struct reader *r)
{
	const char *name;
	int count;
	close_group(r);
	if (!want_word(r, &name, "the name") || !read_count(r, &count))
		return false;
	if (!*name || strlen(name) > VM_NAME_BYTES - 16)
		return reader_fail(r, "a name has 1 to %d bytes", VM_NAME_BYTES - 16);
	r->first_vm = r->s->n_vms;
	for (int i = 0; i < (count ? count : 1); i++) {
		struct scn_vm *vm = add_vm(r);
		if (!vm)
			return false;
		if (count)
			snprintf(vm->name, sizeof vm->name, "%.*s-%d", VM_NAME_BYTES - 16, name, i + 1);
		else
			snprintf(vm->name, sizeof vm->name, "%s", name);
	}
	r->n_group = r->s->n_vms - r->first_vm;
	return true;
}

static bool read_at(struct reader *r)
{
	struct scenario *s = r->s;
	const char *w = "";
	close_group(r);
	void *items = s->ev;
	r->event = reader_grow(r, &items, &s->n_ev, &s->cap_ev, SCN_EVENTS, sizeof *s->ev, "events");
	s->ev = items;
	if (!r->event)
		return false;
	r->event->line = r->line;
	if (!want_time(r, &r->event->at_ns, true))
		return false;
	if (reader_accept(r, "every") && !want_time(r, &r->event->every_ns, false))
		return false;
	if (r->event->every_ns && r->event->every_ns < 1000000000)
		return reader_fail(r, "events repeat at most once a second");
	return want_word(r, &w, "what happens") &&
	       scenario_reader_run(r, scenario_event_statements, w, "known after `at TIME`");
}

const struct statement scenario_top_statements[] = {
	{"title", "title TEXT", read_title},
	{"seed", "seed NUMBER", read_seed},
	{"end", "end TIME", read_end},
	{"events", "events", read_events},
	{"fail", "fail sample | apply | pin | balloon | period NUMBER [unknown] ...", read_fail},
	{"host", "host", read_host},
	{"vm", "vm NAME [xNUMBER]", read_vm},
	{"at", NULL, read_at},
	{NULL, NULL, NULL},
};

static bool is_top(const char *word)
{
	for (const struct statement *t = scenario_top_statements; t->word; t++)
		if (strcmp(t->word, word) == 0)
			return true;
	return false;
}

static bool read_line(struct reader *r, const char *line, size_t len)
{
	const char *word;
	if (!reader_split(r, line, len))
		return false;
	if (!r->n)
		return true;
	want_word(r, &word, "a word");
	if (is_top(word)) {
		close_group(r);
		return scenario_reader_run(r, scenario_top_statements, word, "known");
	}
	if (r->in_host)
		return scenario_reader_run(r, scenario_host_statements, word, "known in host");
	if (r->n_group)
		return scenario_reader_run(r, scenario_vm_statements, word, "known in a vm block");
	return scenario_reader_run(r, scenario_top_statements, word, "known outside a block");
}

static bool read_all(struct reader *r, const char *text, size_t len)
{
	const char *end = text + len;
	for (const char *p = text; p < end; r->line++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			eol = end;
		if (!read_line(r, p, (size_t)(eol - p)))
			return false;
		p = eol + 1;
	}
	close_group(r);
	scenario_spread(r);
	return scenario_check(r);
}

static void scenario_defaults(struct scenario *s, const char *name)
{
	snprintf(s->name, sizeof s->name, "%s", name);
	snprintf(s->hostname, sizeof s->hostname, "sim");
	s->seed = 1;
	s->n_pcpus = 4;
	for (int i = 0; i < 4; i++)
		s->pcpus[i] = (struct scn_pcpu){.id = i, .core = -1, .llc = -1};
	s->total_kib = INT64_C(16) << 20;
	s->swap_kib = -1;
	s->used_kib = INT64_C(1) << 20;
	s->balance_ns = 100000000;
}

struct scenario *scenario_parse(const char *name, const char *text, size_t len, struct err *e)
{
	struct err own = ERR_INIT;
	struct scenario *s = calloc(1, sizeof *s);
	struct reader *r = calloc(1, sizeof *r);
	if (!e)
		e = &own;
	bool ok = false;
	if (!s || !r)
		err_set(e, ERR_NOMEM, "out of memory for the scenario");
	else if (len > SCN_BYTES)
		err_set(e, ERR_USAGE, "%s: larger than %d bytes", name, SCN_BYTES);
	else {
		scenario_defaults(s, name);
		*r = (struct reader){.s = s, .e = e, .name = name, .line = 1};
		ok = read_all(r, text, len);
	}
	free(r);
	if (ok)
		return s;
	scenario_free(s);
	return NULL;
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	free(s->vms);
	free(s->ev);
	free(s->curves);
	free(s->sets);
	free(s);
}
