/* SPDX-License-Identifier: MIT */
/* A looking glass on the libvirt backend: sample_dump [-b] [-r] URI [SAMPLES [SECONDS [VM VCPU CPULIST]]]
 * prints each sample in full (-b: one line); with a pin, makes it after the first sample. -r: reads nothing
 * from /proc, as if the host were another machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/backend/libvirt/libvirt_priv.h"
#include "vmtop/config.h"
#include "vmtop/err.h"

static void print_v(const char *name, struct vi64 v)
{
	if (vi64_has(v))
		printf(" %s=%lld", name, (long long)v.v);
	else
		printf(" %s=-(%s)", name, avail_key(v.avail));
}

static void print_vm(const struct sample *s, const struct vm_sample *vm)
{
	char uuid[UUID_TEXT], list[200], allowed[200];
	uuid_format(vm->uuid, uuid);
	printf("vm %s id=%d \"%s\" %s flags=%#x nodes=%#llx%s hung=%lld\n   ", uuid, vm->id, vm->name,
		vm_state_text(vm->state), vm->flags, (unsigned long long)vm->mem_nodes,
		vm->mem_nodes_strict ? "(strict)" : "", (long long)vm->hung_since_ns);
	print_v("cpu_time", vm->cpu_time_ns);
	print_v("max", vm->mem.max_kib);
	print_v("balloon", vm->mem.balloon_kib);
	print_v("unused", vm->mem.unused_kib);
	print_v("usable", vm->mem.usable_kib);
	print_v("rss", vm->mem.rss_kib);
	print_v("update", vm->mem.last_update_ns);
	print_v("period", vm->mem.period_s);
	print_v("rd_bytes", vm->io.rd_bytes);
	puts("");
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu_sample *v = &s->vcpus[vm->first_vcpu + i];
		cpuset_format(&v->affinity, list, sizeof list);
		cpuset_format(&v->allowed, allowed, sizeof allowed);
		printf("    vcpu %d%s", v->id, v->online ? "" : " offline");
		print_v("time", v->time_ns);
		print_v("delay", v->delay_ns);
		print_v("pcpu", v->pcpu);
		printf(" affinity=%s(%s)%s allowed=%s", list, avail_key(v->affinity_avail),
			v->pinned ? " pinned" : "", allowed);
		print_v("foreign", v->foreign_pin_ns);
		puts("");
	}
}

static void print_sample(const struct sample *s)
{
	const struct host_sample *h = &s->host;
	printf("== sample t=%.3f took %.1f ms host %s %s local=%d llc=%d note \"%s\"\n   ",
		(double)s->time_ns / 1e9, (double)s->took_ns / 1e6, h->hostname, h->hypervisor, h->local,
		h->has_llc, s->note);
	print_v("total", h->total_kib);
	print_v("available", h->available_kib);
	print_v("free", h->free_kib);
	printf(" psi=%.2f(%s) nodes=%zu\n", h->psi_some_avg10.v, avail_key(h->psi_some_avg10.avail),
		h->n_nodes);
	for (size_t i = 0; i < h->n_pcpus; i++) {
		const struct pcpu_sample *p = &h->pcpus[i];
		printf("   pcpu %d online=%d isolated=%d node=%d socket=%d core=%d llc=%d", p->id, p->online,
			p->isolated, p->node, p->socket, p->core, p->llc);
		print_v("busy", p->busy_ns);
		print_v("idle", p->idle_ns);
		puts("");
	}
	for (size_t i = 0; i < s->n_vms; i++)
		print_vm(s, &s->vms[i]);
	fflush(stdout);
}

static void print_brief(const struct sample *s)
{
	printf("took %.1f ms:", (double)s->took_ns / 1e6);
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vm_sample *vm = &s->vms[i];
		printf(" %s %s", vm->name, vm_state_text(vm->state));
		if (vm->hung_since_ns)
			printf(" HUNG %.1f s", (double)(s->time_ns - vm->hung_since_ns) / 1e9);
		for (size_t j = 0; j < vm->n_vcpus; j++) {
			const struct vcpu_sample *v = &s->vcpus[vm->first_vcpu + j];
			char list[200];
			cpuset_format(&v->affinity, list, sizeof list);
			printf(" [%d: %s time %s delay %s%s]", v->id, list, avail_key(v->time_ns.avail),
				avail_key(v->delay_ns.avail), vi64_has(v->foreign_pin_ns) ? " FOREIGN" : "");
		}
		printf(";");
	}
	printf(" %s\n", s->note);
	fflush(stdout);
}

static void pin(struct backend *b, const struct sample *s, char **arg)
{
	struct action a = {.kind = ACTION_PIN, .vcpu = atoi(arg[1])};
	for (size_t i = 0; i < s->n_vms; i++)
		if (strcmp(s->vms[i].name, arg[0]) == 0)
			memcpy(a.uuid, s->vms[i].uuid, UUID_BYTES);
	if (cpuset_parse(&a.to, arg[2], NULL) == 0)
		b->ops->apply(b, &a, 1);
	printf("== pin %s vCPU %s to %s: %s %s\n", arg[0], arg[1], arg[2], outcome_text(a.outcome), a.error);
}

static void tick(struct backend *b, struct sample *s, double seconds, bool brief)
{
	static const char *const woken[] = {"timer", "input", "event", "end"};
	struct err e = ERR_INIT;
	struct backend_status st;
	int64_t start = b->ops->now(b);
	if (b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_PCPUS, s, &e) < 0)
		printf("== no sample after %.1f ms: %s\n", (double)(b->ops->now(b) - start) / 1e6, e.msg);
	else
		brief ? print_brief(s) : print_sample(s);
	b->ops->status(b, &st);
	if (!brief || st.text[0])
		printf("== status %d \"%s\" uri %s readonly %d \"%s\"\n", st.link, st.text, st.uri,
			st.readonly, st.readonly_why);
	enum wake w = b->ops->wait(b, start + (int64_t)(seconds * 1e9), -1);
	if (!brief || w != WAKE_TIMER)
		printf("== woken by %s after %.0f ms\n", woken[w], (double)(b->ops->now(b) - start) / 1e6);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	config_defaults(&cfg);
	bool brief = false, remote = false;
	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		brief = brief || strcmp(argv[1], "-b") == 0;
		remote = remote || strcmp(argv[1], "-r") == 0;
	}
	if (argc > 1)
		snprintf(cfg.uri, sizeof cfg.uri, "%s", argv[1]);
	struct backend *b = backend_open(&cfg, &e);
	if (!b) {
		fprintf(stderr, "%s\n", e.msg);
		return err_exit_status(&e);
	}
	if (remote)
		((struct lv *)b)->use_proc = false;
	sample_init(&s);
	int n = argc > 2 ? atoi(argv[2]) : 2;
	double seconds = argc > 3 ? strtod(argv[3], NULL) : 1;
	for (int i = 0; i < n; i++) {
		tick(b, &s, seconds, brief);
		if (i == 0 && argc > 6)
			pin(b, &s, argv + 4);
	}
	sample_done(&s);
	b->ops->close(b);
	return 0;
}
