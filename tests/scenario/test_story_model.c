/* SPDX-License-Identifier: MIT */
/* A story of the model: what it makes of counters that go back, VMs that restart, vCPUs that come and go,
 * keys pressed between two readings, guests that tell late. After each event, the rows that read otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "support/story.h"

static struct fixture f;

enum { ROWS = 64, WIDTH = 400 };
static struct {
	char name[16], text[WIDTH];
} rows[ROWS];
static size_t n_rows;

/* Told when it is not what was told of the same name before. */
static void row(const char *name, const char *text)
{
	size_t i = 0;
	while (i < n_rows && strcmp(rows[i].name, name) != 0)
		i++;
	if (i == n_rows) {
		assert_true(n_rows < ROWS);
		snprintf(rows[n_rows++].name, sizeof rows[0].name, "%s", name);
	} else if (strcmp(rows[i].text, text) == 0) {
		return;
	}
	snprintf(rows[i].text, sizeof rows[i].text, "%s", text);
	story_line("%6.2f s  %-6s %s", (double)f.s.time_ns / 1e9, name, text);
}

/* One number, or why there is none. Buffers are used in turn. */
static const char *of(struct vf64 x)
{
	static char buf[16][64];
	static unsigned at;
	char *s = buf[at++ % 16];
	if (vf64_has(x))
		snprintf(s, sizeof buf[0], "%.1f", x.v);
	else
		snprintf(s, sizeof buf[0], "(%s)", avail_text(x.avail));
	return s;
}

static struct vf64 mib(struct vi64 x)
{
	return vi64_has(x) ? vf64_ok((double)x.v / 1024) : vf64_absent(x.avail);
}

static void tell_vcpu(unsigned number, const struct vcpu_sample *v, const struct vcpu_rate *r)
{
	char name[16], text[WIDTH], target[32];
	snprintf(name, sizeof name, "%u/%d", number, v->id);
	cpuset_format(&r->target, target, sizeof target);
	snprintf(text, sizeof text, "ran %s waited %s wants %s, scatter %.1f; slot %u birth %u; may use %s",
		of(r->usage_pct), of(r->wait_pct), of(r->demand_pct), r->scatter_pct, r->slot, r->birth,
		target);
	row(name, text);
}

static void tell_vm(const struct vm_sample *vm, const struct vm_rate *r)
{
	char name[16], text[WIDTH];
	unsigned number = vm->uuid[3];
	snprintf(name, sizeof name, "vm %u", number);
	snprintf(text, sizeof text,
		"ran %s waited %s wants %s; uses %s, told %s ago, still %s; swap %s %s; reads %s sends %s; "
		"since %.1f slot %u birth %u",
		of(r->cpu_pct), of(r->wait_pct), of(r->demand_pct), of(mib(r->used_kib)), of(r->age_s),
		of(r->balloon_still_s), of(r->swap_in_kib_s), of(r->swap_out_kib_s), of(r->rd_reqs_s),
		of(r->tx_bytes_s), (double)r->first_seen_ns / 1e9, r->slot, r->birth);
	row(name, text);
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
		tell_vcpu(number, &f.s.vcpus[k], &f.m.vcpus[k]);
}

static void tell(void)
{
	char name[16], text[WIDTH];
	snprintf(text, sizeof text, "busy %s, deviation %s, over %.2f s, slots %zu and %zu", of(f.m.busy_pct),
		of(f.m.load_stddev_pct), f.m.window_s, f.m.n_slots, f.m.n_vm_slots);
	row("host", text);
	for (size_t i = 0; i < f.m.n_pcpus; i++) {
		const struct pcpu_rate *r = &f.m.pcpus[i];
		snprintf(name, sizeof name, "cpu %d", f.s.host.pcpus[i].id);
		snprintf(text, sizeof text, "busy %s load %s wants %s, of its own %s; %d vCPUs",
			of(r->busy_pct), of(r->load_pct), of(r->demand_pct), of(r->background_pct),
			r->n_vcpus);
		row(name, text);
	}
	for (size_t i = 0; i < f.m.n_vms; i++)
		tell_vm(&f.s.vms[i], &f.m.vms[i]);
}

static void event(const char *what)
{
	story_line("- %s", what);
}

static void go(double seconds)
{
	fx_advance(&f, seconds);
	tell();
}

static void guest(unsigned number, int64_t balloon_mib, int64_t usable_mib, double told_ago_s)
{
	struct vm_memory *m = &fx_vm_sample(&f, number)->mem;
	m->balloon_kib = vi64_ok(balloon_mib * 1024);
	m->usable_kib = m->unused_kib = vi64_ok(usable_mib * 1024);
	m->available_kib = vi64_ok((balloon_mib - 40) * 1024);
	m->last_update_ns = vi64_ok(f.s.wall_ns + 2000000000 - (int64_t)(told_ago_s * 1e9));
	m->swap_in_kib = vi64_ok((vi64_has(m->swap_in_kib) ? m->swap_in_kib.v : 0) + 500);
	m->swap_out_kib = vi64_ok(0);
}

static void begin(void)
{
	fx_init(&f, &(struct fx_host){.pcpus = 4, .id_step = 2});
	for (unsigned i = 1; i <= 3; i++) {
		fx_vm(&f, i, (int)i);
		fx_pin(&f, i, 0, i == 1 ? "0" : "2");
		fx_load(&f, i, 0, 20.0 * i, 5 * i);
		fx_vm_sample(&f, i)->cpu_time_ns = vi64_ok(1000);
		fx_vm_sample(&f, i)->io.rd_reqs = vi64_ok(100);
		fx_vm_sample(&f, i)->io.tx_bytes = vi64_ok(5000);
	}
	fx_runs_on(&f, 3, 1, 4);
	fx_load(&f, 3, 1, 30, 0);
	fx_background(&f, 6, 25);
	fx_start(&f);
	tell();
}

static void vcpus_and_vms(void)
{
	event("two seconds, and two more");
	go(2);
	go(2);
	event("a key, 0.1 s later; then the next reading");
	go(0.1);
	go(1.9);
	event("reading takes 0.8 s: three seconds are too few");
	f.s.took_ns = 800000000;
	go(3);
	go(1);
	f.s.took_ns = 0;
	event("3/0 is pinned to pCPU 0, 3/1 runs on 2");
	fx_pin(&f, 3, 0, "0");
	fx_runs_on(&f, 3, 1, 2);
	go(2);
	event("VM 2 counts its sends anew");
	fx_vm_sample(&f, 2)->io.tx_bytes = vi64_ok(10);
	fx_vm_sample(&f, 3)->io.tx_bytes.v += 4000;
	go(2);
	fx_vm_sample(&f, 2)->io.tx_bytes.v += 100;
	go(2);
	event("the time of 3/2 goes back, as after it was plugged anew");
	fx_vcpu(&f, 3, 2)->time_ns = vi64_ok(-1);
	go(2);
	go(2);
	event("the time of 3/0 goes back: VM 3 started again");
	fx_vcpu(&f, 3, 0)->time_ns = vi64_ok(-1);
	go(2);
	event("VM 1 has another id");
	fx_vm_sample(&f, 1)->id = 71;
	go(2);
	event("VM 1 has no id, then a new one");
	fx_vm_sample(&f, 1)->id = -1;
	go(2);
	fx_vm_sample(&f, 1)->id = 72;
	go(2);
	event("the CPU time of VM 2 goes back");
	fx_vm_sample(&f, 2)->cpu_time_ns = vi64_absent(AVAIL_UNSUPPORTED);
	go(2);
	fx_vm_sample(&f, 2)->cpu_time_ns = vi64_ok(5);
	go(2);
	event("3/1 is unplugged, 3/5 plugged");
	f.s.vcpus[fx_vcpu_index(&f, 3, 1)].online = false;
	go(2);
	f.s.vcpus[fx_vcpu_index(&f, 3, 2)].id = 5;
	go(2);
	event("VM 2 goes, VM 4 comes without an id");
	fx_remove_vm(&f, 2);
	fx_vm(&f, 4, 1);
	fx_vm_sample(&f, 4)->id = -1;
	fx_load(&f, 4, 0, 10, 0);
	go(2);
	fx_vm_sample(&f, 4)->id = 9; /* now it has one */
	go(2);
}

static void hosts_and_states(void)
{
	event("VM 3 is paused, then hung, then back");
	fx_vm_sample(&f, 3)->state = VM_PAUSED;
	go(2);
	fx_vm_sample(&f, 3)->state = VM_RUNNING;
	fx_vm_sample(&f, 3)->hung_since_ns = f.s.time_ns;
	go(2);
	fx_vm_sample(&f, 3)->hung_since_ns = 0;
	go(2);
	go(2);
	event("a quota of 15 % for VM 3; it waits");
	fx_vm_sample(&f, 3)->quota_pct = vf64_ok(15);
	fx_load(&f, 3, 0, 15, 60);
	go(2);
	event("pCPU 4 goes offline, pCPU 2 is isolated, pCPU 0 tells nothing");
	f.s.host.pcpus[2].online = false;
	f.s.host.pcpus[1].isolated = true;
	f.s.host.pcpus[0].busy_ns = vi64_absent(AVAIL_DENIED);
	go(2);
	f.s.host.pcpus[2].online = true;
	f.s.host.pcpus[0].busy_ns = vi64_ok(0);
	go(2);
	event("its idle time is not told either");
	f.s.host.pcpus[0].idle_ns = vi64_absent(AVAIL_UNSUPPORTED);
	go(2);
	event("where 1/0 may run is not known, nor where it ran");
	fx_vcpu(&f, 1, 0)->affinity_avail = AVAIL_DENIED;
	fx_vcpu(&f, 1, 0)->pcpu = vi64_absent(AVAIL_UNSUPPORTED);
	go(2);
	event("1/0 wants much more at once");
	fx_load(&f, 1, 0, 95, 0);
	go(2);
	go(2);
}

static void guests(void)
{
	event("VM 3 has statistics");
	for (int i = 0; i < 4; i++) {
		guest(3, 1000, 600, i == 1 ? 2.5 : 0.5);
		go(2);
	}
	event("its balloon goes down; figures are of before, between, after");
	guest(3, 900, 600, 1.9);
	go(2);
	guest(3, 700, 400, 1);
	go(2);
	guest(3, 700, 300, 0);
	go(2);
	event("its own total stays what it was");
	for (int i = 0; i < 4; i++) {
		guest(3, i < 2 ? 700 : 600, i < 2 ? 300 : 200, 0.2);
		fx_vm_sample(&f, 3)->mem.available_kib = vi64_ok(660 * 1024);
		go(2);
	}
	event("it swaps; the same figures again; they go back");
	fx_vm_sample(&f, 3)->mem.swap_in_kib.v += 9000;
	fx_vm_sample(&f, 3)->mem.last_update_ns.v += 3000000000;
	go(2);
	go(2);
	fx_vm_sample(&f, 3)->mem.swap_in_kib.v = 0;
	fx_vm_sample(&f, 3)->mem.last_update_ns.v += 3000000000;
	go(2);
	event("statistics of another age; none; no balloon");
	fx_vm_sample(&f, 3)->mem.last_update_ns = vi64_ok(0);
	go(2);
	fx_vm_sample(&f, 3)->mem.last_update_ns = vi64_absent(AVAIL_NO_PERIOD);
	go(2);
	fx_vm_sample(&f, 3)->mem.usable_kib = vi64_absent(AVAIL_NO_DRIVER);
	go(2);
	fx_vm_sample(&f, 3)->mem.balloon_kib = vi64_absent(AVAIL_NO_DEVICE);
	go(2);
	event("a pCPU is gone, all VMs are gone");
	f.s.host.n_pcpus--;
	go(2);
	for (unsigned i = 1; i <= 4; i++)
		if (i != 2)
			fx_remove_vm(&f, i);
	go(2);
}

static void a_day_of_the_model(void **state)
{
	(void)state;
	story_begin("model");
	begin();
	vcpus_and_vms();
	hosts_and_states();
	guests();
	story_end();
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_day_of_the_model)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
