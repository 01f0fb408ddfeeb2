/* SPDX-License-Identifier: MIT */
/* The container of one reading: its shape, look-ups, copies, UUIDs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support/fixture.h"
#include "vmtop/err.h"
#include "vmtop/sample.h"

static void add_vm(struct sample *s, uint8_t last, const int *vcpus, size_t n)
{
	uint8_t uuid[UUID_BYTES] = {0};
	uuid[15] = last;
	struct vm_sample *vm = sample_add_vm(s, uuid);
	assert_non_null(vm);
	vm->name[0] = (char)('a' + last);
	for (size_t i = 0; i < n; i++) {
		struct vcpu_sample *v = sample_add_vcpu(s, vcpus[i]);
		assert_non_null(v);
		v->time_ns = vi64_ok(last * 100 + vcpus[i]);
	}
}

static void a_new_element_is_absent_in_all(void **state)
{
	(void)state;
	struct sample s;
	sample_init(&s);
	add_vm(&s, 1, (const int[]){3}, 1);
	struct pcpu_sample *p = sample_add_pcpu(&s, 7);
	assert_int_equal(p->node, -1);
	assert_int_equal(p->core, -1);
	assert_int_equal(p->llc, -1);
	assert_int_equal(p->busy_ns.avail, AVAIL_NONE);
	assert_int_equal(s.vms[0].id, -1);
	assert_int_equal(s.vms[0].mem.usable_kib.avail, AVAIL_NONE);
	assert_int_equal(s.vcpus[0].delay_ns.avail, AVAIL_NONE);
	sample_done(&s);
	sample_done(&s); /* a second time does no harm */
}

static void vcpu_without_vm_is_refused(void **state)
{
	(void)state;
	struct sample s;
	sample_init(&s);
	assert_null(sample_add_vcpu(&s, 0));
	sample_done(&s);
}

/* What no machine can be is not known. */
static void a_capacity_that_cannot_be_is_none(void **state)
{
	(void)state;
	static const int told[] = {-1, 0, 1, PCPU_LARGEST, PCPU_LARGEST + 1, INT32_MIN, INT32_MAX},
			 want[] = {0, 0, 1, PCPU_LARGEST, 0, 0, 0};
	struct sample s;
	sample_init(&s);
	for (int i = 0; i < 7; i++)
		sample_add_pcpu(&s, i)->capacity = told[i];
	assert_int_equal(sample_finish(&s, NULL), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(s.host.pcpus[i].capacity, want[i]);
	sample_done(&s);
}

static void finish_sorts_and_drops_doubles(void **state)
{
	(void)state;
	struct sample s;
	struct err e = ERR_INIT;
	sample_init(&s);
	add_vm(&s, 9, (const int[]){2, 0, 2}, 3);
	add_vm(&s, 4, (const int[]){1}, 1);
	add_vm(&s, 9, (const int[]){0, 2}, 2);
	static const int ids[] = {3, 1, 3, -2, CPUSET_CPUS, 0};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		sample_add_pcpu(&s, ids[i])->online = true;
	assert_int_equal(sample_finish(&s, &e), 0);
	assert_int_equal(s.n_vms, 2);
	assert_int_equal(s.vms[0].uuid[15], 4);
	assert_int_equal(s.host.n_pcpus, 3);
	assert_int_equal(s.host.pcpus[0].id, 0);
	assert_int_equal(s.host.pcpus[2].id, 3);
	const struct vm_sample *vm = &s.vms[1];
	uint8_t uuid[UUID_BYTES] = {0};
	uuid[15] = 9;
	assert_ptr_equal(sample_vm_by_uuid(&s, uuid), vm);
	uuid[15] = 10;
	assert_null(sample_vm_by_uuid(&s, uuid));
	assert_int_equal(vm->n_vcpus, 2);
	assert_int_equal(sample_vcpu(&s, vm, 0)->time_ns.v, 900);
	assert_int_equal(sample_vcpu(&s, vm, 2)->time_ns.v, 902);
	assert_null(sample_vcpu(&s, vm, 1));
	assert_int_equal(sample_pcpu(&s, 1)->id, 1);
	assert_null(sample_pcpu(&s, 2));
	sample_done(&s);
}

static void vcpus_that_are_not_there_are_an_error(void **state)
{
	(void)state;
	struct sample s;
	struct err e = ERR_INIT;
	sample_init(&s);
	add_vm(&s, 1, (const int[]){0}, 1);
	s.vms[0].n_vcpus = 2;
	assert_int_equal(sample_finish(&s, &e), -1);
	assert_int_equal(e.code, ERR_RUNTIME);
	sample_done(&s);
}

static void copy_is_deep_and_keeps_room(void **state)
{
	(void)state;
	struct sample a, b;
	sample_init(&a);
	sample_init(&b);
	for (uint8_t i = 1; i < 40; i++)
		add_vm(&a, i, (const int[]){0, 1}, 2);
	sample_add_pcpu(&a, 5)->online = true;
	a.host.nodes[3].id = 3;
	a.time_ns = 77;
	assert_int_equal(sample_copy(&b, &a), 0);
	assert_int_equal(b.n_vms, 39);
	assert_int_equal(b.n_vcpus, 78);
	assert_int_equal(b.time_ns, 77);
	assert_int_equal(b.host.nodes[3].id, 3);
	assert_ptr_not_equal(b.vms, a.vms);
	assert_ptr_not_equal(b.host.pcpus, a.host.pcpus);
	assert_memory_equal(b.vcpus, a.vcpus, 78 * sizeof *a.vcpus);
	const void *room = b.vcpus;
	sample_reset(&a);
	assert_int_equal(a.n_vms, 0);
	assert_int_equal(a.time_ns, 0);
	assert_true(a.cap_vms >= 39);
	add_vm(&a, 1, (const int[]){0}, 1);
	assert_int_equal(sample_copy(&b, &a), 0);
	assert_int_equal(b.n_vcpus, 1);
	assert_int_equal(b.host.n_pcpus, 0);
	assert_ptr_equal(b.vcpus, room);
	sample_done(&a);
	sample_done(&b);
}

static void online_and_usable(void **state)
{
	(void)state;
	struct sample s;
	struct cpuset set;
	sample_init(&s);
	for (int i = 0; i < 4; i++) {
		struct pcpu_sample *p = sample_add_pcpu(&s, 2 * i);
		p->online = i != 1;
		p->isolated = i == 2;
	}
	sample_online(&s, &set);
	assert_true(
		cpuset_has(&set, 0) && !cpuset_has(&set, 2) && cpuset_has(&set, 4) && cpuset_has(&set, 6));
	sample_usable(&s, &set);
	assert_true(cpuset_has(&set, 0) && !cpuset_has(&set, 4) && cpuset_has(&set, 6));
	assert_int_equal(cpuset_count(&set), 2);
	sample_done(&s);
}

static void uuids(void **state)
{
	(void)state;
	uint8_t a[UUID_BYTES], b[UUID_BYTES];
	char text[UUID_TEXT];
	assert_int_equal(uuid_parse(a, "c7a5fdbd-edaf-9455-926a-d65c16db1809"), 0);
	uuid_format(a, text);
	assert_string_equal(text, "c7a5fdbd-edaf-9455-926a-d65c16db1809");
	assert_int_equal(uuid_parse(b, "C7A5FDBDEDAF9455926AD65C16DB1809"), 0);
	assert_int_equal(uuid_compare(a, b), 0);
	assert_int_equal(uuid_parse(b, "c7a5fdbd-edaf-9455-926a-d65c16db180a"), 0);
	assert_true(uuid_compare(a, b) < 0);
	static const char *const bad[] = {"", "c7a5fdbd", "c7a5fdbd-edaf-9455-926a-d65c16db180",
		"c7a5fdbd-edaf-9455-926a-d65c16db18099", "g7a5fdbd-edaf-9455-926a-d65c16db1809",
		"c7a5fdbd-edaf-9455-926a-d65c16db1809 "};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(uuid_parse(b, bad[i]), -1);
	assert_string_equal(vm_state_text(VM_PAUSED), "paused");
	assert_string_equal(vm_state_text((enum vm_state)99), "unknown");
}

/* Guests write their own statistics: a number that cannot be is none, whoever said it. */
static void numbers_that_cannot_be_are_absent(void **state)
{
	(void)state;
	struct sample s;
	struct err e = ERR_INIT;
	sample_init(&s);
	add_vm(&s, 1, (const int[]){0, -3, 70000}, 3);
	struct vm_sample *vm = &s.vms[0];
	struct pcpu_sample *p = sample_add_pcpu(&s, 0);
	struct vi64 *const all[] = {&vm->cpu_time_ns, &vm->mem.max_kib, &vm->mem.balloon_kib,
		&vm->mem.unused_kib, &vm->mem.usable_kib, &vm->mem.available_kib, &vm->mem.caches_kib,
		&vm->mem.rss_kib, &vm->mem.swap_in_kib, &vm->mem.swap_out_kib, &vm->mem.major_faults,
		&vm->mem.last_update_ns, &vm->mem.period_s, &vm->mem.min_guarantee_kib, &vm->io.rd_reqs,
		&vm->io.wr_reqs, &vm->io.rd_bytes, &vm->io.wr_bytes, &vm->io.rx_bytes, &vm->io.tx_bytes,
		&vm->io.rx_pkts, &vm->io.tx_pkts, &s.vcpus[0].time_ns, &s.vcpus[0].delay_ns, &s.vcpus[0].pcpu,
		&s.vcpus[0].foreign_pin_ns, &p->busy_ns, &p->idle_ns, &s.host.total_kib,
		&s.host.available_kib, &s.host.free_kib};
	enum { N = sizeof all / sizeof *all };
	static const int64_t absurd[] = {INT64_MAX, INT64_MIN, -1, SAMPLE_NS_MOST + 1};
	for (size_t k = 0; k < sizeof absurd / sizeof *absurd; k++) {
		for (size_t i = 0; i < N; i++)
			*all[i] = vi64_ok(absurd[k]);
		sample_bound(&s);
		for (size_t i = 0; i < N; i++) {
			assert_int_equal(all[i]->avail, AVAIL_ABSURD);
			*all[i] = vi64_ok(7);
		}
		sample_bound(&s);
		for (size_t i = 0; i < N; i++)
			assert_true(vi64_has(*all[i]) && all[i]->v == 7);
	}
	vm->quota_pct = s.host.psi_some_avg10 = vf64_ok(NAN);
	vm->hung_since_ns = s.time_ns = INT64_MIN;
	s.wall_ns = s.took_ns = INT64_MAX;
	p->node = MAX_NODES;
	p->core = 1 << 30;
	s.host.n_nodes = 2;
	s.host.nodes[0].id = MAX_NODES;
	s.host.nodes[1].id = 3;
	assert_int_equal(sample_finish(&s, &e), 0);
	assert_int_equal(s.vms[0].n_vcpus, 1);
	assert_false(vf64_has(s.vms[0].quota_pct) || vf64_has(s.host.psi_some_avg10));
	assert_true(s.vms[0].hung_since_ns == 0 && s.time_ns == 0 && s.wall_ns == SAMPLE_NS_MOST);
	assert_true(s.host.pcpus[0].node == -1 && s.host.pcpus[0].core == -1);
	assert_true(s.host.n_nodes == 1 && s.host.nodes[0].id == 3);
	sample_done(&s);
}

/* A copy says the same and stays when the first one changes. */
static void a_copy_is_the_same(void **state)
{
	(void)state;
	struct fixture f;
	struct sample copy;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	fx_vm(&f, 7, 2);
	fx_vm(&f, 9, 1);
	fx_pin(&f, 9, 0, "3");
	snprintf(fx_vm_sample(&f, 7)->name, VM_NAME_BYTES, "seven");
	f.s.host.pcpus[2].busy_ns = vi64_ok(1234);
	sample_init(&copy);
	assert_int_equal(sample_copy(&copy, &f.s), 0);
	fx_vm_sample(&f, 7)->name[0] = 'S';
	f.s.host.pcpus[2].busy_ns = vi64_ok(5);
	fx_pin(&f, 9, 0, "1");
	assert_int_equal(copy.n_vms, 2);
	assert_string_equal(copy.vms[0].name, "seven");
	assert_int_equal(copy.n_vcpus, 3);
	assert_int_equal(cpuset_first(&copy.vcpus[2].affinity), 3);
	assert_int_equal(copy.host.n_pcpus, 4);
	assert_int_equal(copy.host.pcpus[2].busy_ns.v, 1234);
	sample_done(&copy);
	fx_done(&f);
}

/* The ends of what can be are kept, what lies beyond them is absent and says why. */
static void bounds_are_where_they_are_said(void **state)
{
	(void)state;
	static const struct {
		double v;
		bool kept;
	} pct[] = {{-0.1, false}, {0, true}, {55, true}, {100, true}, {100.1, false}, {NAN, false},
		{INFINITY, false}};
	static const struct {
		int64_t v;
		bool kept;
	} kib[] = {{-1, false}, {0, true}, {SAMPLE_KIB_MOST, true}, {SAMPLE_KIB_MOST + 1, false},
		{INT64_MAX, false}};
	struct fixture f;
	fx_init(&f, &(struct fx_host){.pcpus = 4});
	for (size_t i = 0; i < sizeof pct / sizeof *pct; i++) {
		f.s.host.psi_some_avg10 = vf64_ok(pct[i].v);
		sample_bound(&f.s);
		assert_int_equal(f.s.host.psi_some_avg10.avail, pct[i].kept ? AVAIL_OK : AVAIL_ABSURD);
	}
	for (size_t i = 0; i < sizeof kib / sizeof *kib; i++) {
		f.s.host.total_kib = vi64_ok(kib[i].v);
		sample_bound(&f.s);
		assert_int_equal(f.s.host.total_kib.avail, kib[i].kept ? AVAIL_OK : AVAIL_ABSURD);
	}
	static const int nodes[] = {-7, 0, MAX_NODES - 1, MAX_NODES}, known[] = {-1, 0, MAX_NODES - 1, -1};
	for (int i = 0; i < 4; i++)
		f.s.host.pcpus[i].node = nodes[i];
	sample_bound(&f.s);
	for (int i = 0; i < 4; i++)
		assert_int_equal(f.s.host.pcpus[i].node, known[i]);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_element_is_absent_in_all),
		cmocka_unit_test(vcpu_without_vm_is_refused),
		cmocka_unit_test(a_capacity_that_cannot_be_is_none),
		cmocka_unit_test(finish_sorts_and_drops_doubles),
		cmocka_unit_test(vcpus_that_are_not_there_are_an_error),
		cmocka_unit_test(copy_is_deep_and_keeps_room),
		cmocka_unit_test(online_and_usable),
		cmocka_unit_test(numbers_that_cannot_be_are_absent),
		cmocka_unit_test(uuids),
		cmocka_unit_test(a_copy_is_the_same),
		cmocka_unit_test(bounds_are_where_they_are_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
