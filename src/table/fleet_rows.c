/* SPDX-License-Identifier: MIT */
/* The columns of a fleet's tables and the order of their rows. Invariant: a getter only reads the fleet, and
 * what is not known stays absent. Knows nothing of screens, files and formats. */
#include "vmtop/fleet_rows.h"
#include "vmtop/minmax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct fleet_host *host_of(const struct column_env *env, size_t row)
{
	return &env->fleet->hosts[row];
}

static const struct fleet_vm *vm_of(const struct column_env *env, size_t row)
{
	return &env->fleet->vms[row];
}

static void set_text(struct value *val, const char *text)
{
	val->avail = *text ? AVAIL_OK : AVAIL_NONE;
	snprintf(val->text, sizeof val->text, "%.*s", (int)sizeof val->text - 1, text);
}

static void set_num(struct value *val, double x)
{
	val->avail = AVAIL_OK;
	val->num = x;
}

#define HOST(name, type, field)                                                                              \
	static void host_##name(const struct column_env *env, size_t row, struct value *v)                   \
	{                                                                                                    \
		set_##type(v, host_of(env, row)->field);                                                     \
	}
#define VM(name, type, field)                                                                                \
	static void vm_##name(const struct column_env *env, size_t row, struct value *v)                     \
	{                                                                                                    \
		set_##type(v, vm_of(env, row)->field);                                                       \
	}

static void set_f(struct value *val, struct vf64 x)
{
	val->avail = x.avail;
	val->num = x.v;
}

static void set_i(struct value *val, struct vi64 x)
{
	val->avail = x.avail;
	val->num = (double)x.v;
}

HOST(name, text, name)
HOST(uri, text, uri)
HOST(version, text, version)
HOST(trouble, text, trouble)
HOST(memory, text, memory)
HOST(steers, text, controller)
HOST(worst, text, worst)
HOST(why, text, why)
HOST(load, f, load_pct)
HOST(deviation, f, deviation_pct)
HOST(wait, f, wait_pct)
HOST(waiting, i, waiting)
HOST(suffers, f, score_pct)
HOST(total, i, total_kib)
HOST(available, i, available_kib)
HOST(pcpus, i, pcpus)
HOST(running, i, running)
HOST(paused, i, paused)
HOST(off, i, off)
HOST(hung, i, hung)

static void host_state(const struct column_env *env, size_t row, struct value *val)
{
	set_text(val, fleet_state_name(host_of(env, row)->state));
}

/* Why it is not seen, else who suffers most on it and from what. */
static void host_what(const struct column_env *env, size_t row, struct value *val)
{
	const struct fleet_host *host = host_of(env, row);
	bool away = host->state == FLEET_LATE || host->state == FLEET_LOST;
	if (away)
		set_text(val, host->trouble);
	else if (*host->worst)
		snprintf(val->text, sizeof val->text, "%s: %.280s", host->why, host->worst);
	else if (strcmp(host->memory, "hard") == 0)
		set_text(val, "memory runs out");
	else if (strcmp(host->memory, "soft") == 0)
		set_text(val, "memory runs short");
	val->avail = *val->text ? AVAIL_OK : AVAIL_NONE;
}

static void host_age(const struct column_env *env, size_t row, struct value *val)
{
	double age = fleet_age_s(env->fleet, host_of(env, row));
	if (age >= 0)
		set_num(val, age);
}

static void host_need(const struct column_env *env, size_t row, struct value *val)
{
	set_num(val, fleet_need(host_of(env, row)));
}

/* In the order of the default set. */
static const struct column host_columns[] = {
	{"name", "HOST", "", "name of the host: as it was given, else as it calls itself", .width = 12,
		.left = true, .ascending = true, .rank = 1, .type = VALUE_TEXT, .get = host_name},
	{"state", "STATE", "", "ok, opening, LATE (what is known is old) or LOST (not to be reached)",
		.width = 7, .left = true, .ascending = true, .rank = 2, .type = VALUE_TEXT,
		.get = host_state},
	{"suffers", "SUFFER%", "%", "how much the VM suffers that suffers most", .width = 7, .rank = 3,
		.type = VALUE_SHARE, .get = host_suffers},
	{"why", "WHY", "", "the heaviest cause of that", .width = 8, .left = true, .ascending = true,
		.type = VALUE_TEXT, .get = host_why},
	{"worst", "WORST", "", "the VM that suffers most", .width = 12, .left = true, .ascending = true,
		.type = VALUE_TEXT, .get = host_worst},
	{"load", "LOAD%", "%", "mean busy time of its pCPUs", .width = 6, .rank = 4, .type = VALUE_SHARE,
		.get = host_load},
	{"deviation", "DEV", "%", "standard deviation between its pCPUs, as the CPU policy counts it",
		.width = 5, .rank = 11, .type = VALUE_SHARE, .get = host_deviation},
	{"wait", "WAIT%", "%", "waiting of its VMs for a pCPU, summed, percent of one pCPU", .width = 6,
		.rank = 5, .type = VALUE_PCT, .get = host_wait},
	{"waiting", "WAITS", "", "VMs that wait 10 % of a pCPU or more", .width = 5, .rank = 13,
		.type = VALUE_INT, .get = host_waiting},
	{"memory", "MEM", "", "state of its memory: ok, soft or hard", .width = 4, .left = true,
		.ascending = true, .rank = 8, .type = VALUE_TEXT, .get = host_memory},
	{"available", "AVAIL", "KiB", "memory it could still give out", .width = 5, .rank = 12,
		.type = VALUE_KIB, .get = host_available},
	{"running", "VMS", "", "running VMs", .width = 4, .rank = 9, .type = VALUE_INT, .get = host_running},
	{"paused", "PAUSE", "", "paused VMs", .width = 5, .rank = 16, .type = VALUE_INT, .get = host_paused},
	{"hung", "HUNG", "", "VMs whose monitor does not answer", .width = 4, .rank = 14, .type = VALUE_INT,
		.get = host_hung},
	{"age", "AGE", "s", "age of what is known of it", .width = 5, .rank = 10, .type = VALUE_AGE,
		.get = host_age},
	{"controller", "STEERS", "", "the vmtop that steers it", .width = 12, .left = true, .ascending = true,
		.rank = 15, .type = VALUE_TEXT, .get = host_steers},
	{"what", "WHAT IS WRONG", "",
		"why it is not seen, else the heaviest cause and the VM that suffers most, else its memory",
		.width = 24, .left = true, .ascending = true, .rank = 6, .type = VALUE_TEXT,
		.get = host_what},
	{"trouble", "TROUBLE", "", "why there is no newer answer", .width = 24, .left = true,
		.ascending = true, .type = VALUE_TEXT, .get = host_trouble},
	{"off", "OFF", "", "VMs that are neither running nor paused", .width = 4, .type = VALUE_INT,
		.get = host_off},
	{"total", "TOTAL", "KiB", "its memory", .width = 5, .type = VALUE_KIB, .get = host_total},
	{"pcpus", "pCPU", "", "its online pCPUs", .width = 4, .type = VALUE_INT, .get = host_pcpus},
	{"need", "NEED", "",
		"how badly it needs somebody who looks: LOST, LATE, memory hard, then by suffering",
		.width = 5, .type = VALUE_INT, .get = host_need},
	{"version", "VERSION", "", "version of the vmtop that tells of it", .width = 8, .left = true,
		.ascending = true, .type = VALUE_TEXT, .get = host_version},
	{"uri", "URI", "", "libvirt's URI of it, which Enter opens", .width = 24, .left = true,
		.ascending = true, .type = VALUE_TEXT, .get = host_uri},
};

VM(name, text, name)
VM(state, text, state)
VM(why, text, why)
VM(vcpus, i, vcpus)
VM(cpu, f, cpu_pct)
VM(wait, f, wait_pct)
VM(suffers, f, score_pct)
VM(balloon, i, balloon_kib)
VM(max, i, max_kib)
VM(used, i, used_kib)

static void vm_host(const struct column_env *env, size_t row, struct value *val)
{
	set_text(val, env->fleet->hosts[vm_of(env, row)->host].name);
}

static void vm_uuid(const struct column_env *env, size_t row, struct value *val)
{
	val->avail = AVAIL_OK;
	uuid_format(vm_of(env, row)->uuid, val->text);
}

static void vm_age(const struct column_env *env, size_t row, struct value *val)
{
	host_age(env, vm_of(env, row)->host, val);
}

static const struct column vm_columns[] = {
	{"name", "NAME", "", "name of the VM", .width = 12, .left = true, .ascending = true, .rank = 1,
		.type = VALUE_TEXT, .get = vm_name},
	{"host", "HOST", "", "the host it is on", .width = 14, .left = true, .ascending = true, .rank = 2,
		.type = VALUE_TEXT, .get = vm_host},
	{"state", "STATE", "", "its state; HUNG: its monitor does not answer", .width = 8, .left = true,
		.ascending = true, .rank = 7, .type = VALUE_TEXT, .get = vm_state},
	{"vcpus", "vCPU", "", "online vCPUs", .width = 4, .rank = 9, .type = VALUE_INT, .get = vm_vcpus},
	{"cpu", "CPU%", "%", "CPU used by its vCPUs, percent of one pCPU", .width = 6, .rank = 4,
		.type = VALUE_PCT, .get = vm_cpu},
	{"wait", "WAIT%", "%", "waiting of its vCPUs for a pCPU, summed", .width = 6, .rank = 5,
		.type = VALUE_PCT, .get = vm_wait},
	{"balloon", "BALL", "KiB", "memory the guest has", .width = 5, .rank = 8, .type = VALUE_KIB,
		.get = vm_balloon},
	{"used", "USED", "KiB", "memory the guest cannot do without", .width = 5, .rank = 10,
		.type = VALUE_KIB, .get = vm_used},
	{"max", "MAX", "KiB", "most memory the guest can have", .width = 5, .rank = 11, .type = VALUE_KIB,
		.get = vm_max},
	{"suffers", "SUFFER%", "%", "how much it suffers", .width = 7, .rank = 3, .type = VALUE_SHARE,
		.get = vm_suffers},
	{"why", "WHY", "", "the heaviest cause of that", .width = 9, .left = true, .ascending = true,
		.rank = 6, .type = VALUE_TEXT, .get = vm_why},
	{"age", "AGE", "s", "age of what is known of its host", .width = 5, .rank = 12, .type = VALUE_AGE,
		.get = vm_age},
	{"uuid", "UUID", "", "its UUID", .width = 36, .left = true, .ascending = true, .type = VALUE_TEXT,
		.get = vm_uuid},
};

const struct fleet_table *fleet_table(enum fleet_kind kind)
{
	static const struct fleet_table tables[FLEET_KINDS] = {
		[FLEET_HOSTS] = {"host", "need", host_columns, sizeof host_columns / sizeof *host_columns},
		[FLEET_VMS] = {"VM", "suffers", vm_columns, sizeof vm_columns / sizeof *vm_columns},
	};
	return &tables[kind];
}

size_t fleet_count(const struct fleet *fleet, enum fleet_kind kind)
{
	return kind == FLEET_HOSTS ? fleet->n_hosts : fleet->n_vms;
}

const char *fleet_name(const struct fleet *fleet, enum fleet_kind kind, size_t row)
{
	return kind == FLEET_HOSTS ? fleet->hosts[row].name : fleet->vms[row].name;
}

int fleet_column_find(enum fleet_kind kind, const char *name)
{
	const struct fleet_table *table = fleet_table(kind);
	for (size_t i = 0; i < table->n; i++)
		if (strcasecmp(table->columns[i].key, name) == 0)
			return (int)i;
	for (size_t i = 0; i < table->n; i++)
		if (strcasecmp(table->columns[i].head, name) == 0)
			return (int)i;
	return -1;
}

void fleet_value(
	const struct fleet *fleet, enum fleet_kind kind, size_t column, size_t row, struct value *val)
{
	column_get(&fleet_table(kind)->columns[column], &(struct column_env){.fleet = fleet}, row, val);
}

/* ---- order ---- */

/* What a row is sorted by: a number, or a text and its beginning as a number. Ties go by name, upwards. */
struct key {
	uint64_t first; /* 0: absent */
	char text[48];
	const char *name;
	size_t row, place;
};

/* Numbers as they follow each other; never 0. */
static uint64_t number_key(double x)
{
	uint64_t bits;
	x += 0.; /* -0 is 0 */
	memcpy(&bits, &x, sizeof bits);
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static uint64_t text_key(const char *text)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < sizeof bits; i++) {
		bits = bits << 8 | (unsigned char)*text;
		text += *text != '\0';
	}
	return max_of(bits, 1);
}

static int compare(const struct key *a, const struct key *b)
{
	return a->first != b->first ? (a->first < b->first ? -1 : 1) : strcmp(a->text, b->text);
}

static int tie(const struct key *a, const struct key *b)
{
	int c = strcmp(a->name, b->name);
	return c ? c : (a->place > b->place) - (a->place < b->place);
}

static int key_up(const void *x, const void *y)
{
	int c = compare(x, y);
	return c ? c : tie(x, y);
}

static int key_down(const void *x, const void *y)
{
	int c = compare(y, x);
	return c ? c : tie(x, y);
}

/* By numbers alone, in a few passes over all: 30,000 rows do not hold up a frame. */
enum { DIGIT = 11, BUCKETS = 1 << DIGIT, RANK_PASSES = 2, PASSES = RANK_PASSES + 6 };

struct slim {
	uint64_t first;
	uint32_t rank, row;
};

static size_t digit(const struct slim *slim, int pass)
{
	uint64_t v = pass < RANK_PASSES ? slim->rank : slim->first;
	int shift = DIGIT * (pass < RANK_PASSES ? pass : pass - RANK_PASSES);
	return v >> shift & (BUCKETS - 1);
}

/* false: all have the same digit, and nothing was done. */
static bool pass_over(const struct slim *from, struct slim *to, size_t n, int pass)
{
	size_t at[BUCKETS] = {0}, sum = 0;
	for (size_t i = 0; i < n; i++)
		at[digit(&from[i], pass)]++;
	if (at[digit(&from[0], pass)] == n)
		return false;
	for (size_t i = 0; i < BUCKETS; i++) {
		size_t k = at[i];
		at[i] = sum;
		sum += k;
	}
	for (size_t i = 0; i < n; i++)
		to[at[digit(&from[i], pass)]++] = from[i];
	return true;
}

/* Ranks are known and the column is one of numbers, or the name. */
static int sort_slim(const struct fleet *fleet, const struct column *column, bool up, size_t *rows, size_t n)
{
	const struct column_env env = {.fleet = fleet};
	struct slim *all = calloc(2 * n, sizeof *all), *from = all, *to = all ? all + n : NULL;
	struct value val;
	if (!all)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint32_t rank = fleet->vms[rows[i]].rank;
		uint64_t first = rank;
		if (column->type != VALUE_TEXT) {
			column_get(column, &env, rows[i], &val);
			first = val.avail == AVAIL_OK ? number_key(val.num) : 0;
		}
		all[i] = (struct slim){up ? first : ~first, rank, (uint32_t)rows[i]};
	}
	for (int pass = 0; pass < PASSES; pass++)
		if (pass_over(from, to, n, pass)) {
			struct slim *swap = from;
			from = to;
			to = swap;
		}
	for (size_t i = 0; i < n; i++)
		rows[i] = from[i].row;
	free(all);
	return 0;
}

static bool slim(const struct fleet *fleet, enum fleet_kind kind, const struct column *column,
	const size_t *rows, size_t n)
{
	return kind == FLEET_VMS && n && fleet->vms_ns && fleet->vms[rows[0]].rank &&
	       n < 1U << DIGIT * RANK_PASSES && (column->type != VALUE_TEXT || column->get == vm_name);
}

int fleet_sort(
	const struct fleet *fleet, enum fleet_kind kind, size_t column, bool reverse, size_t *rows, size_t n)
{
	const struct column *c = &fleet_table(kind)->columns[column];
	struct column_env env = {.fleet = fleet};
	bool up = c->ascending != reverse;
	if (slim(fleet, kind, c, rows, n))
		return sort_slim(fleet, c, up, rows, n);
	struct key *keys = calloc(n + 1, sizeof *keys);
	struct value val;
	if (!keys)
		return -1;
	for (size_t i = 0; i < n; i++) {
		column_get(c, &env, rows[i], &val);
		bool text = c->type == VALUE_TEXT;
		keys[i] = (struct key){.name = fleet_name(fleet, kind, rows[i]), .row = rows[i], .place = i};
		if (val.avail == AVAIL_OK)
			keys[i].first = text ? text_key(val.text) : number_key(val.num);
		if (text)
			memcpy(keys[i].text, val.text, sizeof keys[i].text - 1);
	}
	qsort(keys, n, sizeof *keys, up ? key_up : key_down);
	for (size_t i = 0; i < n; i++)
		rows[i] = keys[i].row;
	free(keys);
	return 0;
}
