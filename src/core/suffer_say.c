/* SPDX-License-Identifier: MIT */
/* What is said of a cause: the numbers behind it, and what would cure it. One row a cause. Must not judge. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "suffer_priv.h"
#include "vmtop/text.h"

/* What a line is made of. */
struct line {
	const struct suffer_look *look;
	size_t vm;
	const struct finding *finding;
	char *buf;
	size_t len;
	char name[80]; /* of the VM, as a word of a shell's command */
};

static void add(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *line, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(line->buf);
	va_start(ap, fmt);
	vsnprintf(line->buf + n, line->len - n, fmt, ap);
	va_end(ap);
}

static const char *size_of(char buf[16], double kib)
{
	text_kib(buf, 16, (int64_t)kib);
	return buf;
}

/* Another pCPU that has room, -1 none. */
static int idle_pcpu(const struct line *line)
{
	int best = -1;
	double least = 40;
	for (size_t i = 0; i < line->look->sample->host.n_pcpus; i++) {
		const struct pcpu_sample *pcpu = &line->look->sample->host.pcpus[i];
		struct vf64 busy = line->look->pcpus[i].busy_pct;
		if (pcpu->online && !pcpu->isolated && pcpu->id != line->finding->pcpu && vf64_has(busy) &&
			busy.v < least) {
			least = busy.v;
			best = pcpu->id;
		}
	}
	return best;
}

static void say_lost(struct line *line)
{
	add(line, "its vCPUs waited %.0f %% of a pCPU and ran %.0f %%", line->finding->num[0],
		line->finding->num[1]);
}

/* What the host's own programs use of the pCPU, where that is more than the VM there does; else 0. */
static double programs_pct(const struct line *line)
{
	const struct pcpu_sample *pcpu = sample_pcpu(line->look->sample, line->finding->pcpu);
	struct vf64 ran = pcpu ? line->look->pcpus[pcpu - line->look->sample->host.pcpus].background_pct
			       : vf64_absent(AVAIL_NONE);
	double vm = line->finding->other >= 0 ? line->finding->num[2] : 0;
	return vf64_has(ran) && ran.v > vm && ran.v >= 1 ? ran.v : 0;
}

/* How many of its own vCPUs are on the pCPU named. */
static int own_there(const struct line *line)
{
	const struct vm_sample *vm = &line->look->sample->vms[line->vm];
	int n = 0;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
		n += model_vcpu_pcpu(&line->look->sample->vcpus[k]) == line->finding->pcpu;
	return n;
}

static void say_neighbour(struct line *line)
{
	enum { LITTLE_PCT = 10 };
	char name[80];
	int other = line->finding->other, own = own_there(line);
	double programs = programs_pct(line);
	if (line->finding->pcpu < 0)
		return;
	if (programs > 0 && line->finding->cause != CAUSE_SHARES) {
		add(line, "; on pCPU %d programs of the host run %.0f %%", line->finding->pcpu, programs);
	} else if (own > 1 && (other < 0 || line->finding->num[2] < LITTLE_PCT)) {
		add(line, "; %d of its own vCPUs share pCPU %d", own, line->finding->pcpu);
	} else if (other >= 0 && (size_t)other < line->look->sample->n_vms) {
		text_escape(name, sizeof name, line->look->sample->vms[other].name);
		add(line, "; on pCPU %d %s runs %.0f %%", line->finding->pcpu, name, line->finding->num[2]);
	} else {
		add(line, "; on pCPU %d it is with programs of the host", line->finding->pcpu);
	}
}

static void say_idle(struct line *line)
{
	int idle = idle_pcpu(line);
	if (idle >= 0)
		add(line, "; pCPU %d has room", idle);
}

static void hung(struct line *line)
{
	add(line, "no answer for %.0f s", line->finding->num[0]);
}

static void waits(struct line *line)
{
	say_lost(line);
	say_neighbour(line);
	say_idle(line);
}

static void quota(struct line *line)
{
	const struct vm_sample *vm = &line->look->sample->vms[line->vm];
	add(line, "its vCPUs were held for %.0f %% of a pCPU and ran %.0f %%", line->finding->num[0],
		line->finding->num[1]);
	if (vf64_has(vm->quota_pct))
		add(line, "; its quota is %.0f %% of a pCPU for each vCPU", vm->quota_pct.v);
	else if (vf64_has(vm->group_quota_pct))
		add(line, "; its group may use %.0f %% of a pCPU in all", vm->group_quota_pct.v);
}

static void shares(struct line *line)
{
	const struct vm_sample *vm = &line->look->sample->vms[line->vm];
	int other = line->finding->other;
	say_lost(line);
	say_neighbour(line);
	if (other >= 0 && (size_t)other < line->look->sample->n_vms)
		add(line, " with a weight of %lld against %lld here",
			(long long)line->look->sample->vms[other].facts.weight.v,
			(long long)vm->facts.weight.v);
}

/* The pCPUs of the vCPU that is on the pCPU named. */
static void say_confines(struct line *line)
{
	const struct vm_sample *vm = &line->look->sample->vms[line->vm];
	char text[64];
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		const struct vcpu_sample *vcpu = &line->look->sample->vcpus[k];
		if (model_vcpu_pcpu(vcpu) != line->finding->pcpu || vcpu->affinity_avail != AVAIL_OK)
			continue;
		if (cpuset_format(&vcpu->affinity, text, sizeof text) < sizeof text)
			add(line, "; vCPU %d may run on %s only", vcpu->id, text);
		return;
	}
}

static void pins(struct line *line)
{
	say_lost(line);
	say_confines(line);
	say_neighbour(line);
	say_idle(line);
}

static void emulator(struct line *line)
{
	const char *who = line->look->sample->vms[line->vm].facts.helper;
	double ran = vf64_has(line->look->vms[line->vm].helper_ns_s)
			     ? line->look->vms[line->vm].helper_ns_s.v / 1e7
			     : 0;
	char name[64];
	text_escape(name, sizeof name, who);
	if (line->finding->num[0] <= 0) {
		add(line, "threads of QEMU beside its vCPUs waited %.0f %% of a pCPU and ran %.0f %%",
			line->finding->num[2], line->finding->num[1]);
	} else {
		say_lost(line);
		add(line, "; threads of QEMU beside them ran %.0f %%", ran);
	}
	if (*name)
		add(line, ", most of all %s", name);
	if (line->finding->pcpu >= 0)
		add(line, " on pCPU %d", line->finding->pcpu);
}

static void steal(struct line *line)
{
	add(line, "the hypervisor below took %.0f %% of a pCPU away while its vCPUs ran %.0f %%",
		line->finding->num[0], line->finding->num[1]);
}

static void swaps(struct line *line)
{
	char in[16], out[16];
	add(line, "it reads %s and writes %s of swap a second", size_of(in, line->finding->num[0]),
		size_of(out, line->finding->num[1]));
	const struct vm_memory *mem = &line->look->sample->vms[line->vm].mem;
	if (vi64_has(mem->balloon_kib) && vi64_has(mem->max_kib) && mem->balloon_kib.v < mem->max_kib.v)
		add(line, "; its balloon gives it %s of %s", size_of(in, (double)mem->balloon_kib.v),
			size_of(out, (double)mem->max_kib.v));
}

static void memory(struct line *line)
{
	char left[16], all[16], max[16];
	add(line, "%s of %s left", size_of(left, line->finding->num[0]), size_of(all, line->finding->num[1]));
	if (line->finding->num[2] > line->finding->num[1])
		add(line, "; its balloon holds back what it may have: %s",
			size_of(max, line->finding->num[2]));
}

static void host_swap(struct line *line)
{
	char out[16];
	add(line, "%s of its memory, %.0f %%, is in the host's swap", size_of(out, line->finding->num[0]),
		line->finding->num[1]);
}

/* Node numbers as a list. */
static void say_nodes(struct line *line, uint64_t nodes)
{
	const char *sep = "";
	for (int n = 0; n < MAX_NODES; n++)
		if (nodes >> n & 1) {
			add(line, "%s%d", sep, n);
			sep = ",";
		}
}

static void node(struct line *line)
{
	const struct pcpu_sample *pcpu = sample_pcpu(line->look->sample, line->finding->pcpu);
	add(line, "its memory is on node ");
	say_nodes(line, line->look->sample->vms[line->vm].mem_nodes);
	add(line, "; %.0f of the %.0f %% that its vCPUs run is elsewhere", line->finding->num[0],
		line->finding->num[1]);
	if (pcpu)
		add(line, ", such as on pCPU %d of node %d", pcpu->id, pcpu->node);
}

static void exits(struct line *line)
{
	add(line, "%.0f exits a second; it polls %.0f %% of a pCPU while halted", line->finding->num[0],
		line->finding->num[1]);
}

static void storage(struct line *line)
{
	add(line, "a request takes %.0f ms, %.0f a second", line->finding->num[0], line->finding->num[1]);
}

static void pressure(struct line *line)
{
	add(line, "of the last 10 s its group stalled %.0f %% for memory and %.0f %% for I/O",
		line->finding->num[0], line->finding->num[1]);
}

static void slow(struct line *line)
{
	add(line, "pCPU %d runs at %.0f %% of its full frequency", line->finding->pcpu,
		line->finding->num[0]);
}

static void small(struct line *line)
{
	add(line, "pCPU %d does %.0f %% of what the largest do", line->finding->pcpu, line->finding->num[0]);
}

static void job(struct line *line)
{
	add(line, "a migration, save, dump or block job is under way");
}

/* --- cures -------------------------------------------------------------------------------------------- */

static void cure_hung(struct line *line)
{
	add(line,
		"look at its QEMU process: ps -o stat,wchan -p $(cat /run/libvirt/qemu/%s.pid); T is stopped, D waits for storage",
		line->name);
}

static void cure_move(struct line *line)
{
	if (idle_pcpu(line) >= 0)
		add(line, "let vmtop place it: v shows the moves, b makes them");
	else if (programs_pct(line) > 0)
		add(line,
			"no pCPU has room, and programs of the host take most of it: top on the host names them");
	else
		add(line, "no pCPU has room: fewer guests here (virsh migrate), or less for the neighbours "
			  "(virsh schedinfo NAME --live vcpu_quota=...)");
}

static void cure_quota(struct line *line)
{
	add(line,
		"virsh schedinfo %s --live vcpu_quota=-1 lifts it; a limit around it is in cpu.max of its slice",
		line->name);
}

static void cure_shares(struct line *line)
{
	add(line, "virsh schedinfo %s --live cpu_shares=... , as much as its neighbour has", line->name);
}

static void cure_pins(struct line *line)
{
	add(line,
		"v shows better pins, b sets them, E edits them; a cpuset of its definition: "
		"virsh vcpupin %s VCPU LIST --live",
		line->name);
}

static void cure_emulator(struct line *line)
{
	int idle = idle_pcpu(line);
	if (idle >= 0)
		add(line, "virsh emulatorpin %s %d --live (iothreads: virsh iothreadpin)", line->name, idle);
	else
		add(line, "give them pCPUs of their own: virsh emulatorpin %s LIST --live", line->name);
}

static void cure_steal(struct line *line)
{
	add(line, "nothing here: the host that runs this one has to give it more");
}

static void cure_memory(struct line *line)
{
	const struct vm_memory *mem = &line->look->sample->vms[line->vm].mem;
	bool room =
		vi64_has(mem->balloon_kib) && vi64_has(mem->max_kib) && mem->balloon_kib.v < mem->max_kib.v;
	char most[16];
	if (room && mem->balloon_device)
		add(line, "= gives it more, up to %s; m lets vmtop do it",
			size_of(most, (double)mem->max_kib.v));
	else
		add(line,
			"it has all that it may have: raise its maximum (virsh setmaxmem %s SIZE --config, then a restart), or less in the guest",
			line->name);
}

static void cure_host_swap(struct line *line)
{
	add(line,
		"free memory on the host: m takes what idle guests do not need; it comes back page by page");
}

static void cure_node(struct line *line)
{
	add(line,
		"v shows pins on its own node (O keeps it there), or bring the memory: virsh numatune %s "
		"--nodeset N --live",
		line->name);
}

static void cure_exits(struct line *line)
{
	add(line,
		"perf kvm stat live -p $(cat /run/libvirt/qemu/%s.pid) tells what it exits for; polling: "
		"halt_poll_ns of the module kvm",
		line->name);
}

static void cure_storage(struct line *line)
{
	add(line,
		"virsh domblkinfo %s --all and iostat -x on the host tell which disk; limits: virsh blkdeviotune",
		line->name);
}

static void cure_pressure(struct line *line)
{
	add(line, "raise memory.high and memory.max of its group (virsh memtune %s), or io.max", line->name);
}

static void cure_slow(struct line *line)
{
	(void)line;
	add(line, "cpupower frequency-set -g performance; if it is hot: dmesg tells of throttling");
}

static void cure_small(struct line *line)
{
	add(line, "v shows a place on a larger pCPU, b takes it");
}

static void cure_job(struct line *line)
{
	add(line, "virsh domjobinfo %s tells how far it is, virsh domjobabort %s ends it", line->name,
		line->name);
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

static void begin(struct line *line, const struct suffer_look *look, size_t vm, const struct finding *finding,
	char *buf, size_t len)
{
	*line = (struct line){.look = look, .vm = vm, .finding = finding, .buf = buf, .len = len};
	buf[0] = '\0';
	/* A name with odd characters is not written into a command that somebody may copy. */
	const char *name = look->sample->vms[vm].name;
	bool plain = *name && *name != '-' && strlen(name) < sizeof line->name;
	for (const char *p = name; plain && *p; p++)
		plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			strchr("._-+", *p);
	if (plain)
		memcpy(line->name, name, strlen(name) + 1);
	else
		uuid_format(look->sample->vms[vm].uuid, line->name);
}

void suffer_verdict(const struct suffering *hurt, char *buf, size_t len)
{
	if (hurt->n && vf64_has(hurt->got_pct))
		snprintf(buf, len, "suffers %.0f of 100; its vCPUs got %.0f %% of the CPU that they wanted",
			hurt->score_pct, hurt->got_pct.v);
	else if (hurt->n)
		snprintf(buf, len, "suffers %.0f of 100; what its vCPUs got is not known", hurt->score_pct);
	else if (vf64_has(hurt->got_pct))
		snprintf(buf, len, "nothing found: it has what it wants");
	else
		snprintf(buf, len, "nothing can be said yet: %s", avail_text(hurt->got_pct.avail));
}

void suffer_evidence(
	const struct suffer_look *look, size_t vm, const struct finding *finding, char *buf, size_t len)
{
	struct line line;
	begin(&line, look, vm, finding, buf, len);
	if ((unsigned)finding->cause < CAUSE_COUNT)
		says[finding->cause].evidence(&line);
}

void suffer_cure(
	const struct suffer_look *look, size_t vm, const struct finding *finding, char *buf, size_t len)
{
	struct line line;
	begin(&line, look, vm, finding, buf, len);
	if ((unsigned)finding->cause < CAUSE_COUNT)
		says[finding->cause].cure(&line);
}

void suffer_unknown(const struct suffer_look *look, size_t vm, char *buf, size_t len)
{
	const struct vm_sample *m = &look->sample->vms[vm];
	const struct {
		enum avail avail;
		const char *what;
	} facts[] = {
		{look->vms[vm].wait_pct.avail, "waiting for a pCPU"},
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
			snprintf(buf + n, len - n, "%s%s", text_if(n, ", "), facts[i].what);
	}
}
