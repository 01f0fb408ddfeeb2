/* SPDX-License-Identifier: MIT */
/* VMs of this machine: their vCPUs straight from /proc. Invariant: a host counts as this one only when its
 * memory is ours and the process of one of its VMs is here; a VM that cannot be read in full is
 * left to libvirt. Must not know: links, deadlines of calls. */
#include <stdlib.h>
#include <string.h>

#include "../host/localhost.h"
#include "libvirt_rows.h"
#include "libvirt_stats.h"
#include "link.h"
#include "vmtop/clock.h"
#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

enum { FIND_AGAIN_S = 5, FIND_TRIES = 6, SCAN_AGAIN_S = 1 };

/* A socket can lead anywhere (a container's mount, a tunnel), and names can be alike: the total memory, to
 * the KiB, is hardly ever. A driver that cannot tell it is believed; the processes have the last word. */
static bool same_memory(struct lv_reader *reader)
{
	struct host_sample there;
	struct vi64 here = localhost_total_kib(reader->proc.root);
	memset(&there, 0, sizeof there);
	return vi64_has(here) &&
	       (!host_memory(reader->conn, &reader->known, &there) || there.total_kib.v == here.v);
}

bool local_may(struct lv_reader *reader)
{
	if (!reader->host.local || !reader->order->use_proc)
		return false;
	if (reader->ours == OURS_UNKNOWN)
		reader->ours = same_memory(reader) ? OURS_YES : OURS_NO;
	return reader->ours == OURS_YES;
}

/* Not found is looked for again after a while, and less and less often. */
static bool find_due(const struct vm_cache *vm, int64_t now_ns)
{
	return !vm->local.pid && (!vm->local_tried_ns || now_ns - vm->local_tried_ns >
								 (FIND_AGAIN_S * SECOND << vm->local_tries));
}

static void find_processes(struct lv_reader *reader)
{
	size_t n = 0;
	int64_t now = clock_ns();
	struct local_wanted *want = calloc(reader->n_rows + 1, sizeof *want);
	for (size_t i = 0; want && i < reader->n_rows; i++) {
		struct vm_cache *vm = reader->rows[i].vm;
		if (!find_due(vm, now))
			continue;
		vm->local_tries += vm->local_tried_ns && vm->local_tries < FIND_TRIES;
		vm->local_tried_ns = vm->scanned_ns = now;
		vm->agreed = false;
		const char *name = virDomainGetName(reader->rows[i].dom);
		want[n] = (struct local_wanted){.name = text_or(name, ""), .vm = &vm->local};
		memcpy(want[n++].uuid, vm->uuid, UUID_BYTES);
	}
	if (n)
		local_find(&reader->proc, want, n);
	free(want);
}

static bool same_threads(const struct local_vm *vm, const struct local_vcpu *was, size_t n)
{
	bool same = vm->n_vcpus == n;
	for (size_t i = 0; same && i < n; i++)
		same = vm->vcpus[i].id == was[i].id && vm->vcpus[i].tid == was[i].tid &&
		       vm->vcpus[i].start == was[i].start;
	return same;
}

/* Another number of threads may mean that vCPUs came or went. */
static void scan_again(struct lv_reader *reader, struct vm_cache *vm)
{
	size_t n = vm->local.n_vcpus;
	struct local_vcpu *was = calloc(n + 1, sizeof *was);
	if (!was)
		return;
	if (n)
		memcpy(was, vm->local.vcpus, n * sizeof *was);
	vm->scanned_ns = clock_ns();
	if (local_threads(&reader->proc, &vm->local) < 0)
		local_vm_done(&vm->local);
	else if (!same_threads(&vm->local, was, n))
		vm->agreed = false;
	free(was);
}

static void look(struct lv_reader *reader, struct row *row, int64_t now_ns)
{
	struct vm_cache *vm = row->vm;
	if (!vm->local.pid)
		return;
	if (local_process(&reader->proc, &vm->local, &row->process) < 0) {
		local_vm_done(&vm->local);
		vm->local_tries = 0;
		vm->local_tried_ns = 0;
		return;
	}
	bool moved =
		row->process.threads != vm->local.threads && now_ns - vm->scanned_ns > SCAN_AGAIN_S * SECOND;
	if (moved || vm->scan)
		scan_again(reader, vm);
	vm->scan = false;
	row->local = vm->local.n_vcpus > 0;
	/* Stopped (SIGSTOP, a debugger): asking its monitor would block everybody. */
	row->hung = row->hung || row->process.state == 'T' || row->process.state == 't';
}

void local_rows(struct lv_reader *reader)
{
	int64_t now = clock_ns();
	size_t seen = 0;
	reader->local = local_may(reader);
	if (!reader->local)
		return;
	find_processes(reader);
	for (size_t i = 0; i < reader->n_rows; i++) {
		look(reader, &reader->rows[i], now);
		seen += reader->rows[i].local;
	}
	reader->local = seen || !reader->n_rows;
}

static void add_vcpu(struct lv_reader *reader, int id, const struct local_thread *thread)
{
	struct vcpu_sample *vcpu = sample_add_vcpu(&reader->sample, id);
	if (!vcpu)
		return;
	vcpu->online = true;
	vcpu->time_ns = vi64_ok(thread->time_ns);
	vcpu->delay_ns = vi64_ok(thread->delay_ns);
	vcpu->pcpu = vi64_ok(thread->pcpu);
	vcpu->affinity = thread->affinity;
	vcpu->affinity_avail = AVAIL_OK;
}

/* Threads that are no vCPUs are looked at while they are few, and beyond that at VMs where they run or where
 * somebody waits: a look costs as much as one at a vCPU. */
static bool worth_look(struct lv_reader *reader, struct local_vm *vm, int64_t others_ns, int64_t waited_ns)
{
	enum { LOOKS_MOST = 512 };
	int64_t now = clock_ns(), span = now - vm->watch_ns;
	if (vm->watch_ns && span > SECOND / 10)
		vm->watch = others_ns - vm->others_ns > span / 50 || waited_ns - vm->waited_ns > span / 20;
	vm->watch_ns = now;
	vm->others_ns = others_ns;
	vm->waited_ns = waited_ns;
	if (!vm->watch && reader->helper_looks + vm->n_helpers > LOOKS_MOST)
		return false;
	reader->helper_looks += vm->n_helpers;
	return true;
}

bool local_fill(struct lv_reader *reader, struct row *row)
{
	const struct local_vm *vm = &row->vm->local;
	struct vm_sample *v = &reader->sample.vms[reader->sample.n_vms - 1];
	struct local_thread thread;
	int64_t ran = 0, waited = 0;
	/* Before the affinities: who is narrowed in between is seen with the next reading. */
	local_limits(&row->vm->local);
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		if (local_thread(&reader->proc, vm, &vm->vcpus[i], &thread) < 0) {
			/* Unplugged or ended just now: the threads are listed again next time. */
			reader->sample.n_vcpus -= v->n_vcpus;
			v->n_vcpus = 0;
			row->vm->scan = true;
			return false;
		}
		add_vcpu(reader, vm->vcpus[i].id, &thread);
		ran += thread.time_ns / (int64_t)vm->n_vcpus;
		waited += thread.delay_ns / (int64_t)vm->n_vcpus;
	}
	local_facts(&reader->proc, &row->vm->local,
		worth_look(reader, &row->vm->local, row->process.cpu_ns / (int64_t)vm->n_vcpus - ran, waited),
		&v->facts);
	v->cpu_time_ns = vi64_ok(row->process.cpu_ns);
	reader->seen |= SEEN_VCPU | SEEN_DELAY | SEEN_CPU;
	return true;
}
