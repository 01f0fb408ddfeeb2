/* SPDX-License-Identifier: MIT */
/* What is said of a cause: the numbers behind it, and what would cure it. One row a cause. Must not judge. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "suffer_priv.h"
#include "vmtop/text.h"

/* What a line is made of. */
struct line {
	const struct suffer_look *l;
	size_t vm;
	const struct finding *f;
	char *buf;
	size_t len;
	char name[80]; /* of the VM, as a word of a shell's command */
};

static void add(struct line *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *x, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(x->buf);
	va_start(ap, fmt);
	vsnprintf(x->buf + n, x->len - n, fmt, ap);
	va_end(ap);
}

static const char *size_of(char buf[16], double kib)
{
	text_kib(buf, 16, (int64_t)kib);
	return buf;
}

/* Another pCPU that has room, -1 none. */
static int idle_pcpu(const struct line *x)
{
	int best = -1;
	double least = 40;
	for (size_t i = 0; i < x->l->sample->host.n_pcpus; i++) {
		const struct pcpu_sample *p = &x->l->sample->host.pcpus[i];
		struct vf64 busy = x->l->pcpus[i].busy_pct;
		if (p->online && !p->isolated && p->id != x->f->pcpu && vf64_has(busy) && busy.v < least) {
			least = busy.v;
			best = p->id;
		}
	}
	return best;
}

static void say_lost(struct line *x)
{
	add(x, "its vCPUs waited %.0f %% of a pCPU and ran %.0f %%", x->f->num[0], x->f->num[1]);
}

/* What the host's own programs use of the pCPU, where that is more than the VM there does; else 0. */
static double programs_pct(const struct line *x)
{
	const struct pcpu_sample *p = sample_pcpu(x->l->sample, x->f->pcpu);
	struct vf64 ran =
		p ? x->l->pcpus[p - x->l->sample->host.pcpus].background_pct : vf64_absent(AVAIL_NONE);
	double vm = x->f->other >= 0 ? x->f->num[2] : 0;
	return vf64_has(ran) && ran.v > vm && ran.v >= 1 ? ran.v : 0;
}

/* How many of its own vCPUs are on the pCPU named. */
static int own_there(const struct line *x)
{
	const struct vm_sample *m = &x->l->sample->vms[x->vm];
	int n = 0;
	for (size_t k = m->first_vcpu; k < m->first_vcpu + m->n_vcpus; k++)
		n += model_vcpu_pcpu(&x->l->sample->vcpus[k]) == x->f->pcpu;
	return n;
}

static void say_neighbour(struct line *x)
{
	enum { LITTLE_PCT = 10 };
	char name[80];
	int other = x->f->other, own = own_there(x);
	double programs = programs_pct(x);
	if (x->f->pcpu < 0)
		return;
	if (programs > 0 && x->f->cause != CAUSE_SHARES) {
		add(x, "; on pCPU %d programs of the host run %.0f %%", x->f->pcpu, programs);
	} else if (own > 1 && (other < 0 || x->f->num[2] < LITTLE_PCT)) {
		add(x, "; %d of its own vCPUs share pCPU %d", own, x->f->pcpu);
	} else if (other >= 0 && (size_t)other < x->l->sample->n_vms) {
		text_escape(name, sizeof name, x->l->sample->vms[other].name);
		add(x, "; on pCPU %d %s runs %.0f %%", x->f->pcpu, name, x->f->num[2]);
	} else {
		add(x, "; on pCPU %d it is with programs of the host", x->f->pcpu);
	}
}

static void say_idle(struct line *x)
{
	int idle = idle_pcpu(x);
	if (idle >= 0)
		add(x, "; pCPU %d has room", idle);
}

static void hung(struct line *x)
{
	add(x, "no answer for %.0f s", x->f->num[0]);
}

static void waits(struct line *x)
{
	say_lost(x);
	say_neighbour(x);
	say_idle(x);
}

static void quota(struct line *x)
{
	const struct vm_sample *m = &x->l->sample->vms[x->vm];
	add(x, "its vCPUs were held for %.0f %% of a pCPU and ran %.0f %%", x->f->num[0], x->f->num[1]);
	if (vf64_has(m->quota_pct))
		add(x, "; its quota is %.0f %% of a pCPU for each vCPU", m->quota_pct.v);
	else if (vf64_has(m->group_quota_pct))
		add(x, "; its group may use %.0f %% of a pCPU in all", m->group_quota_pct.v);
}

static void shares(struct line *x)
{
	const struct vm_sample *m = &x->l->sample->vms[x->vm];
	int other = x->f->other;
	say_lost(x);
	say_neighbour(x);
	if (other >= 0 && (size_t)other < x->l->sample->n_vms)
		add(x, " with a weight of %lld against %lld here",
			(long long)x->l->sample->vms[other].facts.weight.v, (long long)m->facts.weight.v);
}

/* The pCPUs of the vCPU that is on the pCPU named. */
static void say_confines(struct line *x)
{
	const struct vm_sample *m = &x->l->sample->vms[x->vm];
	char text[64];
	for (size_t k = m->first_vcpu; k < m->first_vcpu + m->n_vcpus; k++) {
		const struct vcpu_sample *c = &x->l->sample->vcpus[k];
		if (model_vcpu_pcpu(c) != x->f->pcpu || c->affinity_avail != AVAIL_OK)
			continue;
		if (cpuset_format(&c->affinity, text, sizeof text) < sizeof text)
			add(x, "; vCPU %d may run on %s only", c->id, text);
		return;
	}
}

static void pins(struct line *x)
{
	say_lost(x);
	say_confines(x);
	say_neighbour(x);
	say_idle(x);
}

static void emulator(struct line *x)
{
	const char *who = x->l->sample->vms[x->vm].facts.helper;
	double ran = vf64_has(x->l->vms[x->vm].helper_ns_s) ? x->l->vms[x->vm].helper_ns_s.v / 1e7 : 0;
	char name[64];
	text_escape(name, sizeof name, who);
	if (x->f->num[0] <= 0) {
		add(x, "threads of QEMU beside its vCPUs waited %.0f %% of a pCPU and ran %.0f %%",
			x->f->num[2], x->f->num[1]);
	} else {
		say_lost(x);
		add(x, "; threads of QEMU beside them ran %.0f %%", ran);
	}
	if (*name)
		add(x, ", most of all %s", name);
	if (x->f->pcpu >= 0)
		add(x, " on pCPU %d", x->f->pcpu);
}

static void steal(struct line *x)
{
	add(x, "the hypervisor below took %.0f %% of a pCPU away while its vCPUs ran %.0f %%", x->f->num[0],
		x->f->num[1]);
}

static void swaps(struct line *x)
{
	char in[16], out[16];
	add(x, "it reads %s and writes %s of swap a second", size_of(in, x->f->num[0]),
		size_of(out, x->f->num[1]));
	const struct vm_memory *m = &x->l->sample->vms[x->vm].mem;
	if (vi64_has(m->balloon_kib) && vi64_has(m->max_kib) && m->balloon_kib.v < m->max_kib.v)
		add(x, "; its balloon gives it %s of %s", size_of(in, (double)m->balloon_kib.v),
			size_of(out, (double)m->max_kib.v));
}

static void memory(struct line *x)
{
	char left[16], all[16], max[16];
	add(x, "%s of %s left", size_of(left, x->f->num[0]), size_of(all, x->f->num[1]));
	if (x->f->num[2] > x->f->num[1])
		add(x, "; its balloon holds back what it may have: %s", size_of(max, x->f->num[2]));
}

static void host_swap(struct line *x)
{
	char out[16];
	add(x, "%s of its memory, %.0f %%, is in the host's swap", size_of(out, x->f->num[0]), x->f->num[1]);
}

/* Node numbers as a list. */
static void say_nodes(struct line *x, uint64_t nodes)
{
	const char *sep = "";
	for (int n = 0; n < MAX_NODES; n++)
		if (nodes >> n & 1) {
			add(x, "%s%d", sep, n);
			sep = ",";
		}
}

static void node(struct line *x)
{
	const struct pcpu_sample *p = sample_pcpu(x->l->sample, x->f->pcpu);
	add(x, "its memory is on node ");
	say_nodes(x, x->l->sample->vms[x->vm].mem_nodes);
	add(x, "; %.0f of the %.0f %% that its vCPUs run is elsewhere", x->f->num[0], x->f->num[1]);
	if (p)
		add(x, ", such as on pCPU %d of node %d", p->id, p->node);
}

static void exits(struct line *x)
{
	add(x, "%.0f exits a second; it polls %.0f %% of a pCPU while halted", x->f->num[0], x->f->num[1]);
}

static void storage(struct line *x)
{
	add(x, "a request takes %.0f ms, %.0f a second", x->f->num[0], x->f->num[1]);
}

static void pressure(struct line *x)
{
	add(x, "of the last 10 s its group stalled %.0f %% for memory and %.0f %% for I/O", x->f->num[0],
		x->f->num[1]);
}

static void slow(struct line *x)
{
	add(x, "pCPU %d runs at %.0f %% of its full frequency", x->f->pcpu, x->f->num[0]);
}

static void small(struct line *x)
{
	add(x, "pCPU %d does %.0f %% of what the largest do", x->f->pcpu, x->f->num[0]);
}

static void job(struct line *x)
{
	add(x, "a migration, save, dump or block job is under way");
}

/* --- cures -------------------------------------------------------------------------------------------- */

static void cure_hung(struct line *x)
{
	add(x, "look at its QEMU process: ps -o stat,wchan -p $(cat /run/libvirt/qemu/%s.pid); T is stopped, D waits for storage",
		x->name);
}

static void cure_move(struct line *x)
{
	if (idle_pcpu(x) >= 0)
		add(x, "let vmtop place it: v shows the moves, b makes them");
	else if (programs_pct(x) > 0)
		add(x, "no pCPU has room, and programs of the host take most of it: top on the host names them");
	else
		add(x, "no pCPU has room: fewer guests here (virsh migrate), or less for the neighbours "
		       "(virsh schedinfo NAME --live vcpu_quota=...)");
}

static void cure_quota(struct line *x)
{
	add(x, "virsh schedinfo %s --live vcpu_quota=-1 lifts it; a limit around it is in cpu.max of its slice",
		x->name);
}

static void cure_shares(struct line *x)
{
	add(x, "virsh schedinfo %s --live cpu_shares=... , as much as its neighbour has", x->name);
}

static void cure_pins(struct line *x)
{
	add(x,
		"v shows better pins, b sets them, E edits them; a cpuset of its definition: "
		"virsh vcpupin %s VCPU LIST --live",
		x->name);
}

static void cure_emulator(struct line *x)
{
	int idle = idle_pcpu(x);
	if (idle >= 0)
		add(x, "virsh emulatorpin %s %d --live (iothreads: virsh iothreadpin)", x->name, idle);
	else
		add(x, "give them pCPUs of their own: virsh emulatorpin %s LIST --live", x->name);
}

static void cure_steal(struct line *x)
{
	add(x, "nothing here: the host that runs this one has to give it more");
}

static void cure_memory(struct line *x)
{
	const struct vm_memory *m = &x->l->sample->vms[x->vm].mem;
	bool room = vi64_has(m->balloon_kib) && vi64_has(m->max_kib) && m->balloon_kib.v < m->max_kib.v;
	char most[16];
	if (room && m->balloon_device)
		add(x, "= gives it more, up to %s; m lets vmtop do it", size_of(most, (double)m->max_kib.v));
	else
		add(x, "it has all that it may have: raise its maximum (virsh setmaxmem %s SIZE --config, then a restart), or less in the guest",
			x->name);
}

static void cure_host_swap(struct line *x)
{
	add(x, "free memory on the host: m takes what idle guests do not need; it comes back page by page");
}

static void cure_node(struct line *x)
{
	add(x,
		"v shows pins on its own node (O keeps it there), or bring the memory: virsh numatune %s "
		"--nodeset N --live",
		x->name);
}

static void cure_exits(struct line *x)
{
	add(x,
		"perf kvm stat live -p $(cat /run/libvirt/qemu/%s.pid) tells what it exits for; polling: "
		"halt_poll_ns of the module kvm",
		x->name);
}

static void cure_storage(struct line *x)
{
	add(x, "virsh domblkinfo %s --all and iostat -x on the host tell which disk; limits: virsh blkdeviotune",
		x->name);
}

static void cure_pressure(struct line *x)
{
	add(x, "raise memory.high and memory.max of its group (virsh memtune %s), or io.max", x->name);
}

static void cure_slow(struct line *x)
{
	(void)x;
	add(x, "cpupower frequency-set -g performance; if it is hot: dmesg tells of throttling");
}

static void cure_small(struct line *x)
{
	add(x, "v shows a place on a larger pCPU, b takes it");
}

static void cure_job(struct line *x)
{
	add(x, "virsh domjobinfo %s tells how far it is, virsh domjobabort %s ends it", x->name, x->name);
}

static const struct {
	void (*evidence)(struct line *), (*cure)(struct line *);
} says[CAUSE_COUNT] = {
	[CAUSE_HUNG] = {hung, cure_hung},
	[CAUSE_WAIT] = {waits, cure_move},
	[CAUSE_QUOTA] = {quota, cure_quota},
	[CAUSE_SHARES] = {shares, cure_shares},
	[CAUSE_PINS] = {pins, cure_pins},
	[CAUSE_EMULATOR] = {emulator, cure_emulator},
	[CAUSE_STEAL] = {steal, cure_steal},
	[CAUSE_SWAP] = {swaps, cure_memory},
	[CAUSE_SHORT] = {memory, cure_memory},
	[CAUSE_HOST_SWAP] = {host_swap, cure_host_swap},
	[CAUSE_NODE] = {node, cure_node},
	[CAUSE_EXITS] = {exits, cure_exits},
	[CAUSE_STORAGE] = {storage, cure_storage},
	[CAUSE_PRESSURE] = {pressure, cure_pressure},
	[CAUSE_SLOW] = {slow, cure_slow},
	[CAUSE_SMALL] = {small, cure_small},
	[CAUSE_JOB] = {job, cure_job},
};

static void begin(struct line *x, const struct suffer_look *l, size_t vm, const struct finding *f, char *buf,
	size_t len)
{
	*x = (struct line){.l = l, .vm = vm, .f = f, .buf = buf, .len = len};
	buf[0] = '\0';
	/* A name with odd characters is not written into a command that somebody may copy. */
	const char *name = l->sample->vms[vm].name;
	bool plain = *name && *name != '-' && strlen(name) < sizeof x->name;
	for (const char *p = name; plain && *p; p++)
		plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			strchr("._-+", *p);
	if (plain)
		memcpy(x->name, name, strlen(name) + 1);
	else
		uuid_format(l->sample->vms[vm].uuid, x->name);
}

void suffer_verdict(const struct suffering *x, char *buf, size_t len)
{
	if (x->n && vf64_has(x->got_pct))
		snprintf(buf, len, "suffers %.0f of 100; its vCPUs got %.0f %% of the CPU that they wanted",
			x->score_pct, x->got_pct.v);
	else if (x->n)
		snprintf(buf, len, "suffers %.0f of 100; what its vCPUs got is not known", x->score_pct);
	else if (vf64_has(x->got_pct))
		snprintf(buf, len, "nothing found: it has what it wants");
	else
		snprintf(buf, len, "nothing can be said yet: %s", avail_text(x->got_pct.avail));
}

void suffer_evidence(const struct suffer_look *l, size_t vm, const struct finding *f, char *buf, size_t len)
{
	struct line x;
	begin(&x, l, vm, f, buf, len);
	if ((unsigned)f->cause < CAUSE_COUNT)
		says[f->cause].evidence(&x);
}

void suffer_cure(const struct suffer_look *l, size_t vm, const struct finding *f, char *buf, size_t len)
{
	struct line x;
	begin(&x, l, vm, f, buf, len);
	if ((unsigned)f->cause < CAUSE_COUNT)
		says[f->cause].cure(&x);
}

void suffer_unknown(const struct suffer_look *l, size_t vm, char *buf, size_t len)
{
	const struct vm_sample *m = &l->sample->vms[vm];
	const struct {
		enum avail avail;
		const char *what;
	} facts[] = {
		{l->vms[vm].wait_pct.avail, "waiting for a pCPU"},
		{m->mem.usable_kib.avail, "the guest's free memory"},
		{m->facts.helper_ns.avail, "threads beside its vCPUs"},
		{m->facts.swapped_kib.avail, "its part of the host's swap"},
		{m->facts.weight.avail, "CPU shares"},
		{m->facts.psi_memory.avail, "pressure of its group"},
		{m->facts.exits.avail, "exits from guest mode"},
		{m->facts.disk_ns.avail, "time of disk requests"},
	};
	buf[0] = '\0';
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		size_t n = strlen(buf);
		if (facts[i].avail != AVAIL_OK)
			snprintf(buf + n, len - n, "%s%s", n ? ", " : "", facts[i].what);
	}
}
