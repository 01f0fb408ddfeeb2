/* SPDX-License-Identifier: MIT */
/* Parser of scenarios: the lines that stand alone, and the order of reading. Invariant:
 * what scenario_parse() returns names only pCPUs, nodes and VMs that exist, within the bounds of scenario.h.
 * Must not know how anything is simulated. */
#include "vmtop/scenario.h"
#include "vmtop/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_text.h"

static bool read_title(struct reader *reader)
{
	const char *w = "";
	struct scenario *scn = reader->scn;
	scn->title[0] = '\0';
	while (reader->at < reader->n) {
		size_t used = strlen(scn->title);
		if (!want_word(reader, &w, "text"))
			return false;
		snprintf(scn->title + used, sizeof scn->title - used, "%s%s", text_if(used, " "), w);
	}
	return true;
}

static bool read_seed(struct reader *reader)
{
	int n;
	if (!want_int(reader, &n, 0, 2000000000))
		return false;
	reader->scn->seed = (uint64_t)n;
	return true;
}

static bool read_end(struct reader *reader)
{
	return want_time(reader, &reader->scn->end_ns, false);
}

static bool read_events(struct reader *reader)
{
	reader->scn->events = true;
	return true;
}

static bool read_fail(struct reader *reader)
{
	static const struct {
		const char *word;
		enum fail_kind kind;
	} kinds[] = {{"sample", FAIL_SAMPLE}, {"apply", FAIL_APPLY}, {"pin", FAIL_PIN},
		{"balloon", FAIL_BALLOON}, {"period", FAIL_PERIOD}, {"shares", FAIL_SHARES}};
	struct scenario *scn = reader->scn;
	size_t k = 0;
	int n;
	while (k < sizeof kinds / sizeof *kinds && !reader_accept(reader, kinds[k].word))
		k++;
	if (k == sizeof kinds / sizeof *kinds)
		return reader_fail(reader, "no such call");
	do {
		if (scn->n_fails == SCN_FAILS)
			return reader_fail(reader, "more than %d failures", SCN_FAILS);
		if (!want_int(reader, &n, 1, 1000000000))
			return false;
		scn->fails[scn->n_fails++] =
			(struct scn_fail){kinds[k].kind, n, reader_accept(reader, "unknown")};
	} while (reader_peek(reader));
	return true;
}

static bool read_host(struct reader *reader)
{
	reader->in_host = true;
	reader->n_group = 0;
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
static bool read_count(struct reader *reader, int *count)
{
	const char *w = reader_peek(reader);
	*count = 0;
	if (!w)
		return true;
	if (w[0] != 'x')
		return reader_fail(reader, "\"%.40s\" is not a count", w);
	if (w[1])
		reader->word[reader->at] = w + 1;
	else
		reader->at++;
	return want_int(reader, count, 1, SCN_VMS);
}

static struct scn_vm *add_vm(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	void *items = scn->vms;
	struct scn_vm *vm =
		reader_grow(reader, &items, &scn->n_vms, &scn->cap_vms, SCN_VMS, sizeof *vm, "VMs");
	scn->vms = items;
	if (vm)
		vm_defaults(vm);
	return vm;
}

/* The lines of a block fill in its first VM; at the end of the block the others become copies of it. */
static void close_group(struct reader *reader)
{
	struct scn_vm *vms = reader->n_group ? reader->scn->vms + reader->first_vm : NULL;
	for (size_t i = 1; i < reader->n_group; i++) {
		struct scn_vm copy = vms[0];
		memcpy(copy.name, vms[i].name, sizeof copy.name);
		copy.rank = (int)i;
		vms[i] = copy;
	}
	reader->n_group = 0;
	reader->in_host = false;
}

static bool read_vm(struct reader *reader)
{
	const char *name;
	int count;
	close_group(reader);
	if (!want_word(reader, &name, "the name") || !read_count(reader, &count))
		return false;
	if (!*name || strlen(name) > VM_NAME_BYTES - 16)
		return reader_fail(reader, "a name has 1 to %d bytes", VM_NAME_BYTES - 16);
	reader->first_vm = reader->scn->n_vms;
	for (int i = 0; i < (count ? count : 1); i++) {
		struct scn_vm *vm = add_vm(reader);
		if (!vm)
			return false;
		if (count)
			snprintf(vm->name, sizeof vm->name, "%.*s-%d", VM_NAME_BYTES - 16, name, i + 1);
		else
			snprintf(vm->name, sizeof vm->name, "%s", name);
	}
	reader->n_group = reader->scn->n_vms - reader->first_vm;
	return true;
}

static bool read_at(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	const char *w = "";
	close_group(reader);
	void *items = scn->ev;
	reader->event =
		reader_grow(reader, &items, &scn->n_ev, &scn->cap_ev, SCN_EVENTS, sizeof *scn->ev, "events");
	scn->ev = items;
	if (!reader->event)
		return false;
	reader->event->line = reader->line;
	if (!want_time(reader, &reader->event->at_ns, true))
		return false;
	if (reader_accept(reader, "every") && !want_time(reader, &reader->event->every_ns, false))
		return false;
	if (reader->event->every_ns && reader->event->every_ns < 1000000000)
		return reader_fail(reader, "events repeat at most once a second");
	return want_word(reader, &w, "what happens") &&
	       scenario_reader_run(reader, scenario_event_statements, w, "known after `at TIME`");
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
	for (const struct statement *stmt = scenario_top_statements; stmt->word; stmt++)
		if (strcmp(stmt->word, word) == 0)
			return true;
	return false;
}

static bool read_line(struct reader *reader, const char *line, size_t len)
{
	const char *word;
	if (!reader_split(reader, line, len))
		return false;
	if (!reader->n)
		return true;
	want_word(reader, &word, "a word");
	if (is_top(word)) {
		close_group(reader);
		return scenario_reader_run(reader, scenario_top_statements, word, "known");
	}
	if (reader->in_host)
		return scenario_reader_run(reader, scenario_host_statements, word, "known in host");
	if (reader->n_group)
		return scenario_reader_run(reader, scenario_vm_statements, word, "known in a vm block");
	return scenario_reader_run(reader, scenario_top_statements, word, "known outside a block");
}

static bool read_all(struct reader *reader, const char *text, size_t len)
{
	const char *end = text + len;
	for (const char *p = text; p < end; reader->line++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			eol = end;
		if (!read_line(reader, p, (size_t)(eol - p)))
			return false;
		p = eol + 1;
	}
	close_group(reader);
	scenario_spread(reader);
	return scenario_check(reader);
}

static void scenario_defaults(struct scenario *scn, const char *name)
{
	snprintf(scn->name, sizeof scn->name, "%s", name);
	snprintf(scn->hostname, sizeof scn->hostname, "sim");
	scn->seed = 1;
	scn->n_pcpus = 4;
	for (int i = 0; i < 4; i++)
		scn->pcpus[i] = (struct scn_pcpu){.id = i, .core = -1, .llc = -1};
	scn->total_kib = INT64_C(16) << 20;
	scn->swap_kib = -1;
	scn->used_kib = INT64_C(1) << 20;
	scn->balance_ns = 100000000;
}

struct scenario *scenario_parse(const char *name, const char *text, size_t len, struct err *err)
{
	struct err own = ERR_INIT;
	struct scenario *scn = calloc(1, sizeof *scn);
	struct reader *reader = calloc(1, sizeof *reader);
	if (!err)
		err = &own;
	bool ok = false;
	if (!scn || !reader)
		err_set(err, ERR_NOMEM, "out of memory for the scenario");
	else if (len > SCN_BYTES)
		err_set(err, ERR_USAGE, "%s: larger than %d bytes", name, SCN_BYTES);
	else {
		scenario_defaults(scn, name);
		*reader = (struct reader){.scn = scn, .e = err, .name = name, .line = 1};
		ok = read_all(reader, text, len);
	}
	free(reader);
	if (ok)
		return scn;
	scenario_free(scn);
	return NULL;
}

void scenario_free(struct scenario *scn)
{
	if (!scn)
		return;
	free(scn->vms);
	free(scn->ev);
	free(scn->curves);
	free(scn->sets);
	free(scn);
}
