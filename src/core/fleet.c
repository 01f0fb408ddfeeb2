/* SPDX-License-Identifier: MIT */
/* Rows of a fleet: room for them, parts put together, states by age, what is wrong in one line. Invariant:
 * vms of a host stand together, and an unknown number counts for nothing. Knows no source and no screen. */
#include "vmtop/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

/* Late: three readings and a moment for the answer. */
enum { READINGS_LATE = 3, ANSWER_S = 3 };
/* The colour of waiting begins here, as in the VM table. */
static const double WAITS_PCT = 10;

struct fleet *fleet_new(void)
{
	return calloc(1, sizeof(struct fleet));
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	free(fleet->hosts);
	if (!fleet->vms_of || --*fleet->vms_of == 0) {
		free(fleet->vms);
		free(fleet->vms_of);
	}
	free(fleet);
}

struct fleet_host *fleet_add_host(struct fleet *fleet)
{
	if (!array_grow(&fleet->hosts, &fleet->cap_hosts, fleet->n_hosts + 1, sizeof *fleet->hosts))
		return NULL;
	struct fleet_host *host = &fleet->hosts[fleet->n_hosts++];
	memset(host, 0, sizeof *host);
	host->first_vm = fleet->n_vms;
	return host;
}

struct fleet_vm *fleet_add_vm(struct fleet *fleet)
{
	if (!fleet->n_hosts || fleet_own_vms(fleet) < 0 ||
		!array_grow(&fleet->vms, &fleet->cap_vms, fleet->n_vms + 1, sizeof *fleet->vms))
		return NULL;
	fleet->vms_ns = 0;
	struct fleet_vm *vm = &fleet->vms[fleet->n_vms++];
	memset(vm, 0, sizeof *vm);
	vm->host = fleet->n_hosts - 1;
	fleet->hosts[vm->host].n_vms++;
	return vm;
}

int fleet_put(struct fleet *fleet, const struct fleet *part)
{
	size_t hosts = fleet->n_hosts, vms = fleet->n_vms;
	if (fleet_own_vms(fleet) < 0 ||
		!array_grow(&fleet->hosts, &fleet->cap_hosts, hosts + part->n_hosts, sizeof *fleet->hosts) ||
		!array_grow(&fleet->vms, &fleet->cap_vms, vms + part->n_vms, sizeof *fleet->vms))
		return -1;
	if (part->n_hosts)
		memcpy(fleet->hosts + hosts, part->hosts, part->n_hosts * sizeof *fleet->hosts);
	if (part->n_vms)
		memcpy(fleet->vms + vms, part->vms, part->n_vms * sizeof *fleet->vms);
	fleet->vms_ns = 0;
	if (part->peaks_s > 0)
		fleet->peaks_s = part->peaks_s;
	fleet->n_hosts += part->n_hosts;
	fleet->n_vms += part->n_vms;
	for (size_t i = hosts; i < fleet->n_hosts; i++)
		fleet->hosts[i].first_vm += vms;
	for (size_t i = vms; i < fleet->n_vms; i++)
		fleet->vms[i].host += hosts;
	if (part->trouble[0])
		memcpy(fleet->trouble, part->trouble, sizeof fleet->trouble);
	return 0;
}

int fleet_own_vms(struct fleet *fleet)
{
	if (!fleet->vms_of || *fleet->vms_of == 1)
		return 0;
	struct fleet_vm *own = calloc(fleet->n_vms + 1, sizeof *own);
	if (!own)
		return -1;
	if (fleet->n_vms)
		memcpy(own, fleet->vms, fleet->n_vms * sizeof *own);
	--*fleet->vms_of;
	fleet->vms_of = NULL;
	fleet->vms = own;
	fleet->cap_vms = fleet->n_vms + 1;
	return 0;
}

int fleet_share(struct fleet *fleet, struct fleet *part)
{
	if (!part->vms_of) {
		part->vms_of = calloc(1, sizeof *part->vms_of);
		if (!part->vms_of)
			return -1;
		*part->vms_of = 1;
	}
	if (!array_grow(&fleet->hosts, &fleet->cap_hosts, part->n_hosts, sizeof *fleet->hosts))
		return -1;
	if (part->n_hosts)
		memcpy(fleet->hosts, part->hosts, part->n_hosts * sizeof *fleet->hosts);
	fleet->n_hosts = part->n_hosts;
	free(fleet->vms);
	fleet->vms = part->vms;
	fleet->n_vms = part->n_vms;
	fleet->cap_vms = part->cap_vms;
	fleet->vms_of = part->vms_of;
	fleet->vms_ns = part->vms_ns;
	fleet->peaks_s = part->peaks_s;
	++*fleet->vms_of;
	memcpy(fleet->trouble, part->trouble, sizeof fleet->trouble);
	return 0;
}

/* Mostly at the same place as before. */
static const struct fleet_vm *vm_before(const struct fleet *was, const struct fleet_vm *vm, size_t at)
{
	if (at < was->n_vms && uuid_compare(was->vms[at].uuid, vm->uuid) == 0)
		return &was->vms[at];
	for (size_t i = 0; i < was->n_vms; i++)
		if (uuid_compare(was->vms[i].uuid, vm->uuid) == 0)
			return &was->vms[i];
	return NULL;
}

static struct vf64 larger(struct vf64 a, struct vf64 b)
{
	return !vf64_has(a) || (vf64_has(b) && b.v > a.v) ? b : a;
}

/* One that was busy when it was started is not so for ever. */
static void keep_peak(struct fleet_vm *vm, const struct fleet_vm *old, int64_t now_ns)
{
	const int64_t half_ns = INT64_C(1800000000000);
	bool kept = old->peaks_from_ns != 0;
	struct vf64 now = kept ? old->peaks[0] : old->peak_pct, before = old->peaks[1];
	vm->peaks_from_ns = kept ? old->peaks_from_ns : now_ns;
	if (now_ns - vm->peaks_from_ns >= half_ns) {
		before = now;
		now = vf64_absent(AVAIL_NONE);
		vm->peaks_from_ns = now_ns;
	}
	vm->peaks[0] = larger(now, vm->peak_pct);
	vm->peaks[1] = kept ? before : vf64_absent(AVAIL_NONE);
	vm->peak_pct = larger(vm->peaks[0], vm->peaks[1]);
}

void fleet_keep_peaks(struct fleet *part, const struct fleet *was, int64_t now_ns)
{
	for (size_t i = 0; i < part->n_vms; i++) {
		const struct fleet_vm *old = vm_before(was, &part->vms[i], i);
		if (old)
			keep_peak(&part->vms[i], old, now_ns);
	}
}

void fleet_sum(struct fleet *fleet, size_t host)
{
	struct fleet_host *h = &fleet->hosts[host];
	double wait = 0, score = -1;
	int64_t waiting = 0;
	bool waits = false;
	for (size_t i = h->first_vm; i < h->first_vm + h->n_vms; i++) {
		const struct fleet_vm *vm = &fleet->vms[i];
		waits |= vf64_has(vm->wait_pct);
		wait += vf64_or(vm->wait_pct, 0);
		waiting += vf64_has(vm->wait_pct) && vm->wait_pct.v >= WAITS_PCT;
		if (!vf64_has(vm->score_pct) || vm->score_pct.v <= score)
			continue;
		score = vm->score_pct.v;
		snprintf(h->worst, sizeof h->worst, "%s", score > 0 ? vm->name : "");
		snprintf(h->why, sizeof h->why, "%s", score > 0 ? vm->why : "");
	}
	h->wait_pct = vf64_if(waits, wait, AVAIL_NONE);
	h->waiting = vi64_if(waits, waiting, AVAIL_NONE);
	h->score_pct = vf64_if(score >= 0, score, AVAIL_NONE);
}

static int by_name(const void *a, const void *b)
{
	const struct fleet_vm *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

int fleet_rank(struct fleet *fleet)
{
	struct fleet_vm **order = calloc(fleet->n_vms + 1, sizeof *order);
	if (!order)
		return -1;
	for (size_t i = 0; i < fleet->n_vms; i++)
		order[i] = &fleet->vms[i];
	qsort(order, fleet->n_vms, sizeof *order, by_name);
	for (size_t i = 0; i < fleet->n_vms; i++)
		order[i]->rank = i && strcmp(order[i - 1]->name, order[i]->name) == 0 ? order[i - 1]->rank
										      : (uint32_t)i + 1;
	free(order);
	return 0;
}

double fleet_age_s(const struct fleet *fleet, const struct fleet_host *host)
{
	if (!host->seen_ns)
		return -1;
	double age = (double)(fleet->now_ns - host->seen_ns) / 1e9;
	return max_of(age, 0);
}

static void settle_host(const struct fleet *fleet, struct fleet_host *host)
{
	double late = host->delay_s * READINGS_LATE + ANSWER_S, age = fleet_age_s(fleet, host);
	double waits = host->asked_ns ? (double)(fleet->now_ns - host->asked_ns) / 1e9 : 0;
	if (host->state == FLEET_LOST)
		return;
	if (age < 0)
		host->state = waits > late ? FLEET_LATE : FLEET_OPENING;
	else
		host->state = age > late ? FLEET_LATE : FLEET_OK;
	if (host->state == FLEET_LATE && !host->trouble[0])
		snprintf(host->trouble, sizeof host->trouble, "no answer for %.0f s", age < 0 ? waits : age);
}

void fleet_settle(struct fleet *fleet, int64_t now_ns, int64_t wall_ns)
{
	fleet->now_ns = now_ns;
	fleet->wall_ns = wall_ns;
	for (size_t i = 0; i < fleet->n_hosts; i++)
		settle_host(fleet, &fleet->hosts[i]);
}

const char *fleet_state_name(enum fleet_state state)
{
	static const char *const names[] = {"ok", "opening", "LATE", "LOST"};
	return (unsigned)state < sizeof names / sizeof *names ? names[state] : "?";
}

/* A host that is not seen may hide anything; one whose memory runs out has minutes. */
double fleet_need(const struct fleet_host *host)
{
	enum { LOST = 400, LATE = 300, HARD = 200, SOFT = 20 };
	double need = vf64_or(host->score_pct, 0);
	if (host->state == FLEET_LOST || host->state == FLEET_LATE)
		return host->state == FLEET_LOST ? LOST : LATE;
	if (strcmp(host->memory, "hard") == 0)
		return HARD + need;
	return strcmp(host->memory, "soft") == 0 && need < SOFT ? SOFT : need;
}

/* What an alert counts. */
struct kind {
	const char *word;
	long (*count)(const struct fleet_host *h, int arg); /* 0: this host has none of it */
	int arg;
};

static long in_state(const struct fleet_host *host, int state)
{
	return (int)host->state == state;
}

static long memory_hard(const struct fleet_host *host, int arg)
{
	(void)arg;
	return strcmp(host->memory, "hard") == 0;
}

static long in_alarm(const struct fleet_host *host, int alarm)
{
	return host->alarms[alarm];
}

/* "STARVING 3 on host2 and 2 more hosts", "LOST 2: host3 and 1 more": the one with most of it is named. */
static size_t alert(const struct fleet *fleet, const struct kind *kind, bool vms, char *buf, size_t len)
{
	const struct fleet_host *most = NULL;
	long sum = 0, hosts = 0, best = 0;
	char name[FLEET_NAME];
	for (size_t i = 0; i < fleet->n_hosts; i++) {
		long n = kind->count(&fleet->hosts[i], kind->arg);
		sum += n;
		hosts += n > 0;
		if (n > best) {
			best = n;
			most = &fleet->hosts[i];
		}
	}
	if (!most)
		return 0;
	text_escape(name, 64, most->name);
	int n = snprintf(buf, len, "%s %ld%s %s", kind->word, sum, vms ? " on" : ":", name);
	if (n > 0 && (size_t)n < len && hosts > 1)
		n += snprintf(buf + n, len - (size_t)n, " and %ld more%s", hosts - 1,
			!vms        ? ""
			: hosts > 2 ? " hosts"
				    : " host");
	return n > 0 && (size_t)n < len ? (size_t)n : 0;
}

void fleet_alerts(const struct fleet *fleet, char *buf, size_t len)
{
	const struct kind hosts[] = {{"LOST", in_state, FLEET_LOST}, {"LATE", in_state, FLEET_LATE},
		{"MEMORY HARD", memory_hard, 0}};
	size_t at = 0, n_hosts = sizeof hosts / sizeof *hosts;
	buf[0] = '\0';
	for (size_t i = 0; i < n_hosts + ALARM_COUNT; i++) {
		enum alarm alarm = (enum alarm)(i < n_hosts ? 0 : i - n_hosts);
		struct kind kind =
			i < n_hosts ? hosts[i] : (struct kind){alarm_word(alarm), in_alarm, (int)alarm};
		char text[160];
		size_t n = alert(fleet, &kind, i >= n_hosts, text, sizeof text);
		const char *gap = text_if(at, " · ");
		if (!n || at + n + strlen(gap) >= len)
			continue;
		at += (size_t)snprintf(buf + at, len - at, "%s%s", gap, text);
	}
}

/* A name stands before the first colon, ended by = or blanks. */
int fleet_target(const char *text, char name[FLEET_NAME], char uri[FLEET_URI])
{
	text += strspn(text, " \t");
	size_t n = strcspn(text, "=: \t");
	const char *at = text;
	name[0] = '\0';
	if (text[n] && text[n] != ':') {
		at = text + n + (text[n] == '=');
		at += strspn(at, " \t");
		if (n == 0 || n >= FLEET_NAME)
			return -1;
		memcpy(name, text, n);
		name[n] = '\0';
	}
	size_t len = strcspn(at, " \t");
	if (!strchr(at, ':') || len == 0 || len >= FLEET_URI || at[len + strspn(at + len, " \t")])
		return -1;
	memcpy(uri, at, len);
	uri[len] = '\0';
	return 0;
}
