/* SPDX-License-Identifier: MIT */
/* Rows of a fleet from what a Prometheus answered. Invariant: what comes from the network only ever becomes
 * numbers, names, and a URI of a form that runs nothing. */
#include "prom_fold.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS_MOST = 20000, VMS_MOST = 500000, VCPUS_MOST = 4096 };
/* How far back a peak goes that a rule has recorded, and one that vmtop tells itself. */
enum { RECORDED_S = 3600, OWN_S = 120 };

struct fold {
	struct fleet *f; /* hosts; its VMs come last */
	struct fleet_vm *vms;
	size_t n_vms, cap_vms;
	struct prom_instance *keys; /* of each host */
	size_t cap_keys;
	uint32_t *hosts, *by_uuid; /* tables: index + 1 by hash, 0 empty */
	size_t hosts_mask, vms_mask;
	int64_t now_ns, wall_ns;
	double scrape_s;
	const struct metric *last; /* they come together */
	bool full;                 /* out of memory, or of the room that is allowed */
};

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Where it is, or the empty place where it would be. */
static uint32_t *host_slot(const struct fold *x, const char *instance)
{
	size_t at = mix(UINT64_C(0xcbf29ce484222325), instance, strlen(instance)) & x->hosts_mask;
	while (x->hosts[at] && strcmp(x->keys[x->hosts[at] - 1].key, instance) != 0)
		at = (at + 1) & x->hosts_mask;
	return &x->hosts[at];
}

static uint32_t *vm_slot(const struct fold *x, size_t host, const uint8_t uuid[UUID_BYTES])
{
	size_t at =
		mix(mix(UINT64_C(0xcbf29ce484222325), &host, sizeof host), uuid, UUID_BYTES) & x->vms_mask;
	for (; x->by_uuid[at]; at = (at + 1) & x->vms_mask) {
		const struct fleet_vm *vm = &x->vms[x->by_uuid[at] - 1];
		if (vm->host == host && uuid_compare(vm->uuid, uuid) == 0)
			break;
	}
	return &x->by_uuid[at];
}

/* Tables are at most half full. */
static bool hosts_room(struct fold *x)
{
	size_t n = x->f->n_hosts;
	if (n < x->cap_keys)
		return true;
	size_t cap = n ? n * 2 : 64, slots = cap * 2;
	void *keys = n < HOSTS_MOST ? reallocarray(x->keys, cap, sizeof *x->keys) : NULL;
	x->keys = keys ? keys : x->keys;
	uint32_t *table = keys ? calloc(slots, sizeof *table) : NULL;
	if (!table)
		return false;
	free(x->hosts);
	x->hosts = table;
	x->hosts_mask = slots - 1;
	x->cap_keys = cap;
	for (size_t i = 0; i < n; i++)
		*host_slot(x, x->keys[i].key) = (uint32_t)i + 1;
	return true;
}

static bool vms_room(struct fold *x)
{
	if (x->n_vms < x->cap_vms)
		return true;
	size_t cap = x->n_vms ? x->n_vms * 2 : 256, slots = cap * 2;
	void *vms = x->n_vms < VMS_MOST ? reallocarray(x->vms, cap, sizeof *x->vms) : NULL;
	x->vms = vms ? vms : x->vms;
	uint32_t *table = vms ? calloc(slots, sizeof *table) : NULL;
	if (!table)
		return false;
	free(x->by_uuid);
	x->by_uuid = table;
	x->vms_mask = slots - 1;
	x->cap_vms = cap;
	for (size_t i = 0; i < x->n_vms; i++)
		*vm_slot(x, x->vms[i].host, x->vms[i].uuid) = (uint32_t)i + 1;
	return true;
}

/* -1: none. A host is born of the first series that names its instance. */
static long host_at(struct fold *x, const char *instance)
{
	if (!hosts_room(x)) {
		x->full = true;
		return -1;
	}
	uint32_t *slot = host_slot(x, instance);
	if (*slot)
		return (long)*slot - 1;
	struct fleet_host *h = fleet_add_host(x->f);
	if (!h) {
		x->full = true;
		return -1;
	}
	*slot = (uint32_t)x->f->n_hosts;
	x->keys[*slot - 1] = (struct prom_instance){.stamp = 0};
	snprintf(x->keys[*slot - 1].key, PROM_TEXT, "%s", instance);
	snprintf(h->name, sizeof h->name, "%.*s", (int)sizeof h->name - 1, instance);
	h->delay_s = x->scrape_s;
	h->readings = 2; /* whoever is scraped has told all */
	h->asked_ns = x->now_ns;
	h->running = h->paused = h->off = h->hung = vi64_ok(0);
	return (long)*slot - 1;
}

static struct fleet_vm *vm_at(struct fold *x, const struct prom_series *s)
{
	uint8_t uuid[UUID_BYTES];
	long host = host_at(x, s->label[PROM_INSTANCE]);
	if (host < 0 || uuid_parse(uuid, s->label[PROM_UUID]) < 0)
		return NULL;
	if (!vms_room(x)) {
		x->full = true;
		return NULL;
	}
	uint32_t *slot = vm_slot(x, (size_t)host, uuid);
	if (*slot)
		return &x->vms[*slot - 1];
	struct fleet_vm *vm = &x->vms[x->n_vms++];
	*slot = (uint32_t)x->n_vms;
	memset(vm, 0, sizeof *vm);
	vm->host = (size_t)host;
	memcpy(vm->uuid, uuid, UUID_BYTES);
	snprintf(vm->name, sizeof vm->name, "%.*s", (int)sizeof vm->name - 1, s->label[PROM_VM]);
	return vm;
}

/* ---- what each metric becomes ---- */

static bool only(const char *text, size_t n, const char *extra)
{
	for (size_t i = 0; i < n; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
			    (text[i] >= '0' && text[i] <= '9') || strchr(extra, text[i])))
			return false;
	return n > 0 && text[0] != '-';
}

void prom_uri(const char *host, const char *uri, char to[FLEET_URI])
{
	static const char *const drivers[] = {"qemu", "xen", "lxc", "ch"};
	static const char *const ways[] = {"", "+ssh", "+tls", "+tcp"};
	const char *sep = strstr(uri, "://"), *server = sep ? sep + 3 : "";
	size_t n = strcspn(server, "/"), scheme = strcspn(uri, "+:"), rest = strlen(server + n);
	bool driver = false, way = false;
	to[0] = '\0';
	if (strncmp(uri, "sim:", 4) == 0 && only(uri + 4, strlen(uri + 4), "-"))
		snprintf(to, FLEET_URI, "%.300s", uri);
	for (size_t i = 0; sep && i < 4; i++) {
		driver |= strlen(drivers[i]) == scheme && strncmp(drivers[i], uri, scheme) == 0;
		way |= strlen(ways[i]) == (size_t)(sep - uri) - scheme &&
		       strncmp(ways[i], uri + scheme, strlen(ways[i])) == 0;
	}
	if (!driver || !way || rest < 2 || !only(server + n + 1, rest - 1, "/_-"))
		return;
	if (n && only(server, n, ".-_@:"))
		snprintf(to, FLEET_URI, "%.500s", uri);
	else if (!n && only(host, strlen(host), ".-_"))
		snprintf(to, FLEET_URI, "%.*s+ssh://%.200s%.200s", (int)scheme, uri, host, server);
}

static void host_info(struct fold *x, struct fleet_host *h, const struct prom_series *s)
{
	(void)x;
	if (s->label[PROM_HOST][0])
		snprintf(h->name, sizeof h->name, "%.*s", (int)sizeof h->name - 1, s->label[PROM_HOST]);
	snprintf(h->version, sizeof h->version, "%.*s", (int)sizeof h->version - 1, s->label[PROM_VERSION]);
	prom_uri(h->name, s->label[PROM_URI], h->uri);
}

static void host_seen(struct fold *x, struct fleet_host *h, const struct prom_series *s)
{
	double age = (double)x->wall_ns / 1e9 - s->value;
	x->keys[h - x->f->hosts].stamp = s->value;
	if (!(age < 1e9))
		return;
	h->seen_ns = x->now_ns - (int64_t)((age > 0 ? age : 0) * 1e9);
	h->seen_ns = h->seen_ns ? h->seen_ns : 1;
}

static void host_connected(struct fold *x, struct fleet_host *h, const struct prom_series *s)
{
	(void)x;
	if (s->value >= 1)
		return;
	h->state = FLEET_LOST;
	snprintf(h->trouble, sizeof h->trouble, "its vmtop has lost the hypervisor");
}

static void host_memory(struct fold *x, struct fleet_host *h, const struct prom_series *s)
{
	(void)x;
	if (s->value > 0)
		snprintf(
			h->memory, sizeof h->memory, "%.*s", (int)sizeof h->memory - 1, s->label[PROM_STATE]);
}

static void host_steers(struct fold *x, struct fleet_host *h, const struct prom_series *s)
{
	(void)x;
	snprintf(h->controller, sizeof h->controller, "%.*s", (int)sizeof h->controller - 1,
		s->label[PROM_WHO]);
}

static void vm_running(struct fleet_vm *vm, const struct prom_series *s)
{
	if (!(s->value > 0) && strcmp(vm->state, "HUNG") != 0)
		snprintf(vm->state, sizeof vm->state, "paused");
}

/* Whoever hangs suffers from nothing more than from that: its gauge need not be asked for. */
static void vm_cause(struct fleet_vm *vm, const struct prom_series *s)
{
	snprintf(vm->why, sizeof vm->why, "%.*s", (int)sizeof vm->why - 1, s->label[PROM_CAUSE]);
	if (strcmp(vm->why, cause_key(CAUSE_HUNG)) == 0)
		memcpy(vm->state, "HUNG", sizeof "HUNG");
}

/* What is no number of vCPUs would be as many to plan with. */
static void vm_vcpus(struct fleet_vm *vm, const struct prom_series *s)
{
	if (s->value >= 1 && s->value <= VCPUS_MOST)
		vm->vcpus = vi64_ok((int64_t)s->value);
}

/* Recorded for an hour, or of the last minutes: whichever is larger. */
static void vm_peak(struct fleet_vm *vm, const struct prom_series *s)
{
	double pct = 100 * s->value;
	if (pct >= 0 && pct < 1e9 && (!vf64_has(vm->peak_pct) || pct > vm->peak_pct.v))
		vm->peak_pct = vf64_ok(pct);
}

/* One row a metric: where it goes. type: 'f' struct vf64, 'i' struct vi64. */
#define HOST_F(field, factor) .type = 'f', .at = offsetof(struct fleet_host, field), .times = (factor)
#define HOST_I(field, factor) .type = 'i', .at = offsetof(struct fleet_host, field), .times = (factor)
#define VM_F(field, factor)                                                                                  \
	.of_vm = true, .type = 'f', .at = offsetof(struct fleet_vm, field), .times = (factor)
#define VM_I(field, factor)                                                                                  \
	.of_vm = true, .type = 'i', .at = offsetof(struct fleet_vm, field), .times = (factor)
static const struct metric {
	const char *name;
	bool of_vm;
	char type;
	size_t at;
	double times;
	void (*host)(struct fold *x, struct fleet_host *h, const struct prom_series *s);
	void (*vm)(struct fleet_vm *vm, const struct prom_series *s);
} metrics[] = {
	{"vmtop_host_info", .host = host_info},
	{"vmtop_host_sample_timestamp_seconds", .host = host_seen},
	{"vmtop_host_connected", .host = host_connected},
	{"vmtop_host_memory_state", .host = host_memory},
	{"vmtop_host_controller_info", .host = host_steers},
	{"vmtop_host_busy_ratio", HOST_F(load_pct, 100)},
	{"vmtop_host_deviation_ratio", HOST_F(deviation_pct, 100)},
	{"vmtop_host_memory_bytes", HOST_I(total_kib, 1.0 / 1024)},
	{"vmtop_host_memory_available_bytes", HOST_I(available_kib, 1.0 / 1024)},
	{"vmtop_host_pcpus", HOST_I(pcpus, 1)},
	{"vmtop_vm_running", .of_vm = true, .vm = vm_running},
	{"vmtop_vm_cause_info", .of_vm = true, .vm = vm_cause},
	{"vmtop_vm_cpu_ratio", VM_F(cpu_pct, 100)},
	{"vmtop_vm_wait_ratio", VM_F(wait_pct, 100)},
	{"vmtop_vm_suffering_ratio", VM_F(score_pct, 100)},
	{"vmtop_vm_memory_balloon_bytes", VM_I(balloon_kib, 1.0 / 1024)},
	{"vmtop_vm_vcpus", .of_vm = true, .vm = vm_vcpus},
	{"vmtop_vm_wanted_max_ratio", .of_vm = true, .vm = vm_peak},
	{"instance_vm:vmtop_vm_wanted:max1h", .of_vm = true, .vm = vm_peak},
};
enum { N_METRICS = sizeof metrics / sizeof *metrics };

/* A rule made it of an hour: of VMs too that have long gone. */
static bool recorded(const struct metric *m)
{
	return strchr(m->name, ':') != NULL;
}

/* In full, for a Prometheus looks these up by name; of an expression with a part in common it would try each
 * of its names. */
void prom_names(char *buf, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < N_METRICS; i++)
		n += (size_t)snprintf(buf + n, n < len ? len - n : 0, "%s%s", i ? "|" : "", metrics[i].name);
}

static void put_number(void *object, const struct metric *m, double value)
{
	double x = value * m->times;
	char *to = (char *)object + m->at;
	if (!(fabs(x) < 1e15)) /* NaN too: not known */
		return;
	if (m->type == 'f')
		memcpy(to, &(struct vf64){x, AVAIL_OK}, sizeof(struct vf64));
	else
		memcpy(to, &(struct vi64){(int64_t)x, AVAIL_OK}, sizeof(struct vi64));
}

static const struct metric *metric_of(struct fold *x, const char *name)
{
	if (x->last && strcmp(x->last->name, name) == 0)
		return x->last;
	for (size_t i = 0; i < N_METRICS; i++)
		if (strcmp(metrics[i].name, name) == 0)
			return x->last = &metrics[i];
	return NULL;
}

static void take_series(void *arg, const struct prom_series *s)
{
	struct fold *x = arg;
	const struct metric *m = metric_of(x, s->label[PROM_NAME]);
	if (!m || !s->label[PROM_INSTANCE][0] || x->full)
		return;
	long host = m->of_vm ? 0 : host_at(x, s->label[PROM_INSTANCE]);
	struct fleet_vm *vm = m->of_vm ? vm_at(x, s) : NULL;
	if (host < 0 || (m->of_vm && !vm))
		return;
	if (vm && !vm->state[0] && !recorded(m))
		memcpy(vm->state, "running", sizeof "running"); /* else it is told, before or after */
	if (m->vm == vm_peak)
		x->f->peaks_s = fmax(x->f->peaks_s, recorded(m) ? RECORDED_S : OWN_S);
	if (m->type)
		put_number(m->of_vm ? (void *)vm : (void *)&x->f->hosts[host], m, s->value);
	else if (m->of_vm)
		m->vm(vm, s);
	else
		m->host(x, &x->f->hosts[host], s);
}

/* ---- from what was read to rows ---- */

static void count_vm(struct fleet_host *h, const struct fleet_vm *vm)
{
	bool hung = strcmp(vm->state, "HUNG") == 0, runs = strcmp(vm->state, "running") == 0 || hung;
	struct vi64 *n = runs ? &h->running : &h->paused;
	n->v++;
	h->hung.v += hung;
	for (int c = 0; *vm->why && c < CAUSE_COUNT; c++)
		if (strcmp(cause_key((enum cause)c), vm->why) == 0)
			h->alarms[cause_alarm((enum cause)c)]++;
}

/* Those of whom nothing is told now. */
static void drop_gone(struct fold *x)
{
	size_t n = 0;
	for (size_t i = 0; i < x->n_vms; i++)
		if (x->vms[i].state[0])
			x->vms[n++] = x->vms[i];
	x->n_vms = n;
}

/* VMs of a host together, hosts in the order in which they came. */
static int place_vms(struct fold *x)
{
	struct fleet *f = x->f;
	size_t at = 0;
	drop_gone(x);
	for (size_t i = 0; i < x->n_vms; i++)
		f->hosts[x->vms[i].host].n_vms++;
	f->vms = calloc(x->n_vms + 1, sizeof *f->vms);
	if (!f->vms)
		return -1;
	f->cap_vms = x->n_vms + 1;
	f->n_vms = x->n_vms;
	f->vms_ns = x->now_ns;
	for (size_t i = 0; i < f->n_hosts; i++) {
		f->hosts[i].first_vm = at;
		at += f->hosts[i].n_vms;
		f->hosts[i].n_vms = 0;
	}
	for (size_t i = 0; i < x->n_vms; i++) {
		struct fleet_host *h = &f->hosts[x->vms[i].host];
		f->vms[h->first_vm + h->n_vms++] = x->vms[i];
		count_vm(h, &x->vms[i]);
	}
	for (size_t i = 0; i < f->n_hosts; i++)
		fleet_sum(f, i);
	return fleet_rank(f);
}

/* From where it was on, to both sides: hosts that come and go have the others move by a few places. */
static const struct prom_instance *instance_of(const struct prom_rows *r, const char *key, size_t likely)
{
	size_t n = r->f->n_hosts;
	for (size_t i = 0; i <= n / 2 && n; i++) {
		const struct prom_instance *up = &r->of[(likely + i) % n],
					   *down = &r->of[(likely % n + n - i) % n];
		if (strcmp(up->key, key) == 0)
			return up;
		if (strcmp(down->key, key) == 0)
			return down;
	}
	return NULL;
}

bool prom_rows_news(const struct prom_rows *now, size_t host, const struct prom_rows *was)
{
	const struct prom_instance *is = &now->of[host];
	const struct prom_instance *old = was->f ? instance_of(was, is->key, host) : NULL;
	return !old || !(is->stamp > 0) || is->stamp < old->stamp || is->stamp > old->stamp;
}

/* A row with a name and nothing else: it has news until it has been read. */
static void not_read(struct fold *x, size_t i)
{
	struct fleet_host *h = &x->f->hosts[i];
	h->readings = 0;
	h->running = h->paused = h->off = h->hung = vi64_absent(AVAIL_NONE);
	x->keys[i].stamp = 0;
}

/* As it was: its stamp too, so that what is new of it stays to be read. What is counted is counted again. */
static void keep_host(struct fold *x, size_t i, const struct prom_rows *was, size_t old)
{
	struct fleet_host *h = &x->f->hosts[i];
	const struct fleet_host *from = &was->f->hosts[old];
	*h = *from;
	x->keys[i].stamp = was->of[old].stamp;
	h->asked_ns = x->now_ns;
	h->first_vm = h->n_vms = 0;
	memset(h->alarms, 0, sizeof h->alarms);
	if (h->readings > 0)
		h->running = h->paused = h->off = h->hung = vi64_ok(0);
	for (size_t k = 0; k < from->n_vms && !(x->full |= !vms_room(x)); k++) {
		x->vms[x->n_vms] = was->f->vms[from->first_vm + k];
		x->vms[x->n_vms++].host = i;
	}
}

/* What was not asked for. */
static void keep(struct fold *x, const struct prom_kept *k)
{
	for (size_t i = 0; i < k->n && i < x->f->n_hosts && !x->full; i++) {
		const struct prom_instance *old =
			k->asked[i] || !k->was->f ? NULL : instance_of(k->was, x->keys[i].key, i);
		if (old)
			keep_host(x, i, k->was, (size_t)(old - k->was->of));
		else if (!k->asked[i])
			not_read(x, i);
	}
	if (k->was->f)
		x->f->peaks_s = fmax(x->f->peaks_s, k->was->f->peaks_s);
}

static void fold_done(struct fold *x)
{
	free(x->vms);
	free(x->keys);
	free(x->hosts);
	free(x->by_uuid);
}

int prom_rows_read(struct prom_rows *to, const struct prom_text *answers, size_t n,
	const struct prom_moment *m, const struct prom_kept *kept, struct err *e)
{
	struct fold x = {
		.f = fleet_new(), .now_ns = m->now_ns, .wall_ns = m->wall_ns, .scrape_s = m->scrape_s};
	int rc = x.f ? 0 : err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct prom_text *t = &answers[i];
		if (t->text)
			rc = (t->metrics ? prom_read_metrics : prom_read)(
				t->text, t->len, take_series, &x, e);
	}
	if (rc == 0 && kept)
		keep(&x, kept);
	if (rc == 0 && x.full)
		rc = err_set(e, ERR_RUNTIME, "too many hosts (%d at most) or VMs (%d), or out of memory",
			HOSTS_MOST, VMS_MOST);
	if (rc == 0 && place_vms(&x) < 0)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0) {
		*to = (struct prom_rows){x.f, x.keys};
		x.keys = NULL;
	} else {
		fleet_free(x.f);
	}
	fold_done(&x);
	return rc;
}

void prom_rows_done(struct prom_rows *r)
{
	fleet_free(r->f);
	free(r->of);
	*r = (struct prom_rows){.f = NULL};
}

struct fleet *prom_fold(const struct prom_text *answers, size_t n, double scrape_s, int64_t now_ns,
	int64_t wall_ns, struct err *e)
{
	struct prom_rows rows = {.f = NULL};
	const struct prom_moment m = {scrape_s, now_ns, wall_ns};
	if (prom_rows_read(&rows, answers, n, &m, NULL, e) < 0)
		return NULL;
	free(rows.of);
	return rows.f;
}
