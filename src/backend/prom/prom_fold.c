/* SPDX-License-Identifier: MIT */
/* Rows of a fleet from what a Prometheus answered. Invariant: what comes from the network only ever becomes
 * numbers, names, and a URI of a form that runs nothing. */
#include "prom_fold.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS_MOST = 20000, VMS_MOST = 500000, VCPUS_MOST = 4096 };
/* How far back a peak goes that a rule has recorded, and one that vmtop tells itself. */
enum { RECORDED_S = 3600, OWN_S = 120 };

struct fold {
	struct fleet *fleet; /* hosts; its VMs come last */
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
static uint32_t *host_slot(const struct fold *fold, const char *instance)
{
	size_t at = mix(UINT64_C(0xcbf29ce484222325), instance, strlen(instance)) & fold->hosts_mask;
	while (fold->hosts[at] && strcmp(fold->keys[fold->hosts[at] - 1].key, instance) != 0)
		at = (at + 1) & fold->hosts_mask;
	return &fold->hosts[at];
}

static uint32_t *vm_slot(const struct fold *fold, size_t host, const uint8_t uuid[UUID_BYTES])
{
	size_t at =
		mix(mix(UINT64_C(0xcbf29ce484222325), &host, sizeof host), uuid, UUID_BYTES) & fold->vms_mask;
	for (; fold->by_uuid[at]; at = (at + 1) & fold->vms_mask) {
		const struct fleet_vm *vm = &fold->vms[fold->by_uuid[at] - 1];
		if (vm->host == host && uuid_compare(vm->uuid, uuid) == 0)
			break;
	}
	return &fold->by_uuid[at];
}

/* Tables are at most half full. */
static bool hosts_room(struct fold *fold)
{
	size_t n = fold->fleet->n_hosts;
	if (n < fold->cap_keys)
		return true;
	size_t cap = n ? n * 2 : 64, slots = cap * 2;
	void *keys = n < HOSTS_MOST ? reallocarray(fold->keys, cap, sizeof *fold->keys) : NULL;
	fold->keys = keys ? keys : fold->keys;
	uint32_t *table = keys ? calloc(slots, sizeof *table) : NULL;
	if (!table)
		return false;
	free(fold->hosts);
	fold->hosts = table;
	fold->hosts_mask = slots - 1;
	fold->cap_keys = cap;
	for (size_t i = 0; i < n; i++)
		*host_slot(fold, fold->keys[i].key) = (uint32_t)i + 1;
	return true;
}

static bool vms_room(struct fold *fold)
{
	if (fold->n_vms < fold->cap_vms)
		return true;
	size_t cap = fold->n_vms ? fold->n_vms * 2 : 256, slots = cap * 2;
	void *vms = fold->n_vms < VMS_MOST ? reallocarray(fold->vms, cap, sizeof *fold->vms) : NULL;
	fold->vms = vms ? vms : fold->vms;
	uint32_t *table = vms ? calloc(slots, sizeof *table) : NULL;
	if (!table)
		return false;
	free(fold->by_uuid);
	fold->by_uuid = table;
	fold->vms_mask = slots - 1;
	fold->cap_vms = cap;
	for (size_t i = 0; i < fold->n_vms; i++)
		*vm_slot(fold, fold->vms[i].host, fold->vms[i].uuid) = (uint32_t)i + 1;
	return true;
}

/* -1: none. A host is born of the first series that names its instance. */
static long host_at(struct fold *fold, const char *instance)
{
	if (!hosts_room(fold)) {
		fold->full = true;
		return -1;
	}
	uint32_t *slot = host_slot(fold, instance);
	if (*slot)
		return (long)*slot - 1;
	struct fleet_host *host = fleet_add_host(fold->fleet);
	if (!host) {
		fold->full = true;
		return -1;
	}
	*slot = (uint32_t)fold->fleet->n_hosts;
	fold->keys[*slot - 1] = (struct prom_instance){.stamp = 0};
	snprintf(fold->keys[*slot - 1].key, PROM_TEXT, "%s", instance);
	snprintf(host->name, sizeof host->name, "%.*s", (int)sizeof host->name - 1, instance);
	host->delay_s = fold->scrape_s;
	host->readings = 2; /* whoever is scraped has told all */
	host->asked_ns = fold->now_ns;
	host->running = host->paused = host->off = host->hung = vi64_ok(0);
	return (long)*slot - 1;
}

static struct fleet_vm *vm_at(struct fold *fold, const struct prom_series *series)
{
	uint8_t uuid[UUID_BYTES];
	long host = host_at(fold, series->label[PROM_INSTANCE]);
	if (host < 0 || uuid_parse(uuid, series->label[PROM_UUID]) < 0)
		return NULL;
	if (!vms_room(fold)) {
		fold->full = true;
		return NULL;
	}
	uint32_t *slot = vm_slot(fold, (size_t)host, uuid);
	if (*slot)
		return &fold->vms[*slot - 1];
	struct fleet_vm *vm = &fold->vms[fold->n_vms++];
	*slot = (uint32_t)fold->n_vms;
	memset(vm, 0, sizeof *vm);
	vm->host = (size_t)host;
	memcpy(vm->uuid, uuid, UUID_BYTES);
	snprintf(vm->name, sizeof vm->name, "%.*s", (int)sizeof vm->name - 1, series->label[PROM_VM]);
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

static void host_info(struct fold *fold, struct fleet_host *host, const struct prom_series *series)
{
	(void)fold;
	if (series->label[PROM_HOST][0])
		snprintf(host->name, sizeof host->name, "%.*s", (int)sizeof host->name - 1,
			series->label[PROM_HOST]);
	snprintf(host->version, sizeof host->version, "%.*s", (int)sizeof host->version - 1,
		series->label[PROM_VERSION]);
	prom_uri(host->name, series->label[PROM_URI], host->uri);
}

static void host_seen(struct fold *fold, struct fleet_host *host, const struct prom_series *series)
{
	double age = (double)fold->wall_ns / 1e9 - series->value;
	fold->keys[host - fold->fleet->hosts].stamp = series->value;
	if (!(age < 1e9))
		return;
	host->seen_ns = fold->now_ns - (int64_t)(max_of(age, 0) * 1e9);
	if (!host->seen_ns)
		host->seen_ns = 1;
}

static void host_connected(struct fold *fold, struct fleet_host *host, const struct prom_series *series)
{
	(void)fold;
	if (series->value >= 1)
		return;
	host->state = FLEET_LOST;
	snprintf(host->trouble, sizeof host->trouble, "its vmtop has lost the hypervisor");
}

static void host_memory(struct fold *fold, struct fleet_host *host, const struct prom_series *series)
{
	(void)fold;
	if (series->value > 0)
		snprintf(host->memory, sizeof host->memory, "%.*s", (int)sizeof host->memory - 1,
			series->label[PROM_STATE]);
}

static void host_steers(struct fold *fold, struct fleet_host *host, const struct prom_series *series)
{
	(void)fold;
	snprintf(host->controller, sizeof host->controller, "%.*s", (int)sizeof host->controller - 1,
		series->label[PROM_WHO]);
}

static void vm_running(struct fleet_vm *vm, const struct prom_series *series)
{
	if (!(series->value > 0) && strcmp(vm->state, "HUNG") != 0)
		snprintf(vm->state, sizeof vm->state, "paused");
}

/* Whoever hangs suffers from nothing more than from that: its gauge need not be asked for. */
static void vm_cause(struct fleet_vm *vm, const struct prom_series *series)
{
	snprintf(vm->why, sizeof vm->why, "%.*s", (int)sizeof vm->why - 1, series->label[PROM_CAUSE]);
	if (strcmp(vm->why, cause_key(CAUSE_HUNG)) == 0)
		memcpy(vm->state, "HUNG", sizeof "HUNG");
}

/* What is no number of vCPUs would be as many to plan with. */
static void vm_vcpus(struct fleet_vm *vm, const struct prom_series *series)
{
	if (series->value >= 1 && series->value <= VCPUS_MOST)
		vm->vcpus = vi64_ok((int64_t)series->value);
}

/* Recorded for an hour, or of the last minutes: whichever is larger. */
static void vm_peak(struct fleet_vm *vm, const struct prom_series *series)
{
	double pct = 100 * series->value;
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
static bool recorded(const struct metric *metric)
{
	return strchr(metric->name, ':') != NULL;
}

/* In full, for a Prometheus looks these up by name; of an expression with a part in common it would try each
 * of its names. */
void prom_names(char *buf, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < N_METRICS; i++)
		n += (size_t)snprintf(
			buf + n, n < len ? len - n : 0, "%s%s", text_if(i, "|"), metrics[i].name);
}

static void put_number(void *object, const struct metric *metric, double value)
{
	double x = value * metric->times;
	char *to = (char *)object + metric->at;
	if (!(fabs(x) < 1e15)) /* NaN too: not known */
		return;
	if (metric->type == 'f')
		memcpy(to, &(struct vf64){x, AVAIL_OK}, sizeof(struct vf64));
	else
		memcpy(to, &(struct vi64){(int64_t)x, AVAIL_OK}, sizeof(struct vi64));
}

static const struct metric *metric_of(struct fold *fold, const char *name)
{
	if (fold->last && strcmp(fold->last->name, name) == 0)
		return fold->last;
	for (size_t i = 0; i < N_METRICS; i++)
		if (strcmp(metrics[i].name, name) == 0)
			return fold->last = &metrics[i];
	return NULL;
}

static void take_series(void *arg, const struct prom_series *series)
{
	struct fold *fold = arg;
	const struct metric *metric = metric_of(fold, series->label[PROM_NAME]);
	if (!metric || !series->label[PROM_INSTANCE][0] || fold->full)
		return;
	long host = metric->of_vm ? 0 : host_at(fold, series->label[PROM_INSTANCE]);
	struct fleet_vm *vm = metric->of_vm ? vm_at(fold, series) : NULL;
	if (host < 0 || (metric->of_vm && !vm))
		return;
	if (vm && !vm->state[0] && !recorded(metric))
		memcpy(vm->state, "running", sizeof "running"); /* else it is told, before or after */
	if (metric->vm == vm_peak)
		fold->fleet->peaks_s = fmax(fold->fleet->peaks_s, recorded(metric) ? RECORDED_S : OWN_S);
	if (metric->type)
		put_number(metric->of_vm ? (void *)vm : (void *)&fold->fleet->hosts[host], metric,
			series->value);
	else if (metric->of_vm)
		metric->vm(vm, series);
	else
		metric->host(fold, &fold->fleet->hosts[host], series);
}

/* ---- from what was read to rows ---- */

static void count_vm(struct fleet_host *host, const struct fleet_vm *vm)
{
	bool hung = strcmp(vm->state, "HUNG") == 0, runs = strcmp(vm->state, "running") == 0 || hung;
	struct vi64 *n = runs ? &host->running : &host->paused;
	n->v++;
	host->hung.v += hung;
	for (int c = 0; *vm->why && c < CAUSE_COUNT; c++)
		if (strcmp(cause_key((enum cause)c), vm->why) == 0)
			host->alarms[cause_alarm((enum cause)c)]++;
}

/* Those of whom nothing is told now. */
static void drop_gone(struct fold *fold)
{
	size_t n = 0;
	for (size_t i = 0; i < fold->n_vms; i++)
		if (fold->vms[i].state[0])
			fold->vms[n++] = fold->vms[i];
	fold->n_vms = n;
}

/* VMs of a host together, hosts in the order in which they came. */
static int place_vms(struct fold *fold)
{
	struct fleet *fleet = fold->fleet;
	size_t at = 0;
	drop_gone(fold);
	for (size_t i = 0; i < fold->n_vms; i++)
		fleet->hosts[fold->vms[i].host].n_vms++;
	fleet->vms = calloc(fold->n_vms + 1, sizeof *fleet->vms);
	if (!fleet->vms)
		return -1;
	fleet->cap_vms = fold->n_vms + 1;
	fleet->n_vms = fold->n_vms;
	fleet->vms_ns = fold->now_ns;
	for (size_t i = 0; i < fleet->n_hosts; i++) {
		fleet->hosts[i].first_vm = at;
		at += fleet->hosts[i].n_vms;
		fleet->hosts[i].n_vms = 0;
	}
	for (size_t i = 0; i < fold->n_vms; i++) {
		struct fleet_host *host = &fleet->hosts[fold->vms[i].host];
		fleet->vms[host->first_vm + host->n_vms++] = fold->vms[i];
		count_vm(host, &fold->vms[i]);
	}
	for (size_t i = 0; i < fleet->n_hosts; i++)
		fleet_sum(fleet, i);
	return fleet_rank(fleet);
}

/* From where it was on, to both sides: hosts that come and go have the others move by a few places. */
static const struct prom_instance *instance_of(const struct prom_rows *rows, const char *key, size_t likely)
{
	size_t n = rows->fleet->n_hosts;
	for (size_t i = 0; i <= n / 2 && n; i++) {
		const struct prom_instance *up = &rows->of[(likely + i) % n],
					   *down = &rows->of[(likely % n + n - i) % n];
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
	const struct prom_instance *old = was->fleet ? instance_of(was, is->key, host) : NULL;
	return !old || !(is->stamp > 0) || is->stamp < old->stamp || is->stamp > old->stamp;
}

/* A row with a name and nothing else: it has news until it has been read. */
static void not_read(struct fold *fold, size_t i)
{
	struct fleet_host *host = &fold->fleet->hosts[i];
	host->readings = 0;
	host->running = host->paused = host->off = host->hung = vi64_absent(AVAIL_NONE);
	fold->keys[i].stamp = 0;
}

/* As it was: its stamp too, so that what is new of it stays to be read. What is counted is counted again. */
static void keep_host(struct fold *fold, size_t i, const struct prom_rows *was, size_t old)
{
	struct fleet_host *host = &fold->fleet->hosts[i];
	const struct fleet_host *from = &was->fleet->hosts[old];
	*host = *from;
	fold->keys[i].stamp = was->of[old].stamp;
	host->asked_ns = fold->now_ns;
	host->first_vm = host->n_vms = 0;
	memset(host->alarms, 0, sizeof host->alarms);
	if (host->readings > 0)
		host->running = host->paused = host->off = host->hung = vi64_ok(0);
	for (size_t k = 0; k < from->n_vms && !(fold->full |= !vms_room(fold)); k++) {
		fold->vms[fold->n_vms] = was->fleet->vms[from->first_vm + k];
		fold->vms[fold->n_vms++].host = i;
	}
}

/* What was not asked for. */
static void keep(struct fold *fold, const struct prom_kept *kept)
{
	for (size_t i = 0; i < kept->n && i < fold->fleet->n_hosts && !fold->full; i++) {
		const struct prom_instance *old = kept->asked[i] || !kept->was->fleet
							  ? NULL
							  : instance_of(kept->was, fold->keys[i].key, i);
		if (old)
			keep_host(fold, i, kept->was, (size_t)(old - kept->was->of));
		else if (!kept->asked[i])
			not_read(fold, i);
	}
	if (kept->was->fleet)
		fold->fleet->peaks_s = fmax(fold->fleet->peaks_s, kept->was->fleet->peaks_s);
}

static void fold_done(struct fold *fold)
{
	free(fold->vms);
	free(fold->keys);
	free(fold->hosts);
	free(fold->by_uuid);
}

int prom_rows_read(struct prom_rows *to, const struct prom_text *answers, size_t n,
	const struct prom_moment *moment, const struct prom_kept *kept, struct err *err)
{
	struct fold fold = {.fleet = fleet_new(),
		.now_ns = moment->now_ns,
		.wall_ns = moment->wall_ns,
		.scrape_s = moment->scrape_s};
	int rc = fold.fleet ? 0 : err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct prom_text *text = &answers[i];
		if (text->text)
			rc = (text->metrics ? prom_read_metrics : prom_read)(
				text->text, text->len, take_series, &fold, err);
	}
	if (rc == 0 && kept)
		keep(&fold, kept);
	if (rc == 0 && fold.full)
		rc = err_set(err, ERR_RUNTIME, "too many hosts (%d at most) or VMs (%d), or out of memory",
			HOSTS_MOST, VMS_MOST);
	if (rc == 0 && place_vms(&fold) < 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0) {
		*to = (struct prom_rows){fold.fleet, fold.keys};
		fold.keys = NULL;
	} else {
		fleet_free(fold.fleet);
	}
	fold_done(&fold);
	return rc;
}

void prom_rows_done(struct prom_rows *rows)
{
	fleet_free(rows->fleet);
	free(rows->of);
	*rows = (struct prom_rows){.fleet = NULL};
}

struct fleet *prom_fold(const struct prom_text *answers, size_t n, double scrape_s, int64_t now_ns,
	int64_t wall_ns, struct err *err)
{
	struct prom_rows rows = {.fleet = NULL};
	const struct prom_moment moment = {scrape_s, now_ns, wall_ns};
	if (prom_rows_read(&rows, answers, n, &moment, NULL, err) < 0)
		return NULL;
	free(rows.of);
	return rows.fleet;
}
