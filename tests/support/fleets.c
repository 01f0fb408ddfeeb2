/* SPDX-License-Identifier: MIT */
#include "fleets.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

static void fill_vm(struct fleet_vm *vm, size_t host, size_t i)
{
	double score = (host * 7 + i * 13) % 40 < 4 ? 20 + (double)(i % 5) * 10 : 0;
	vm->uuid[0] = (uint8_t)(host >> 8);
	vm->uuid[1] = (uint8_t)host;
	vm->uuid[15] = (uint8_t)i;
	snprintf(vm->name, sizeof vm->name, "%s-%zu", i % 3 ? "web" : "db", host * 100 + i);
	snprintf(vm->state, sizeof vm->state, "running");
	snprintf(vm->why, sizeof vm->why, "%s", score > 0 ? "wait" : "");
	vm->vcpus = vi64_ok(2);
	vm->cpu_pct = vf64_ok((double)((host * 31 + i * 17) % 200));
	vm->wait_pct = vf64_ok(score);
	vm->score_pct = vf64_ok(score);
	vm->balloon_kib = vm->max_kib = vi64_ok(4 << 20);
	vm->used_kib = vi64_ok(1 << 20);
}

static void fill_host(struct fleet_host *h, size_t i)
{
	snprintf(h->name, sizeof h->name, "kvm%03zu", i + 1);
	snprintf(h->uri, sizeof h->uri, "qemu+ssh://kvm%03zu/system", i + 1);
	h->delay_s = 2;
	h->asked_ns = 60 * SECOND;
	h->readings = 5;
	h->seen_ns = 99 * SECOND;
	h->load_pct = vf64_ok((double)(i * 37 % 100));
	h->deviation_pct = vf64_ok((double)(i * 11 % 30));
	h->total_kib = vi64_ok(INT64_C(256) << 20);
	h->available_kib = vi64_ok(INT64_C(64) << 20);
	h->pcpus = vi64_ok(32);
	h->running = vi64_ok(0);
	h->paused = h->off = h->hung = vi64_ok(0);
	snprintf(h->memory, sizeof h->memory, "%s", i % 9 == 8 ? "soft" : "ok");
	if (i % 4 == 3)
		snprintf(h->controller, sizeof h->controller, "root@kvm%03zu, process 4711", i + 1);
}

/* What is not known of a host that has never answered. */
static void forget(struct fleet_host *h)
{
	h->seen_ns = 0;
	h->readings = 0;
	h->load_pct = h->deviation_pct = vf64_absent(AVAIL_NONE);
	h->total_kib = h->available_kib = h->pcpus = vi64_absent(AVAIL_NONE);
	h->running = h->paused = h->off = h->hung = vi64_absent(AVAIL_NONE);
	h->memory[0] = '\0';
}

struct fleet *fleet_made(size_t n, size_t vms)
{
	struct fleet *f = fleet_new();
	for (size_t i = 0; f && i < n; i++) {
		struct fleet_host *h = fleet_add_host(f);
		if (!h)
			break;
		fill_host(h, i);
		if (i == 1) {
			forget(h);
			continue;
		}
		if (i == 2) {
			h->state = FLEET_LOST;
			h->seen_ns = 58 * SECOND;
			snprintf(h->trouble, sizeof h->trouble, "the connection was lost; trying again");
		}
		for (size_t k = 0; k < vms; k++) {
			struct fleet_vm *vm = fleet_add_vm(f);
			if (!vm)
				break;
			fill_vm(vm, i, k);
			h->running.v++;
			h->alarms[ALARM_STARVING] += vm->score_pct.v > 0;
		}
		fleet_sum(f, i);
	}
	if (f)
		fleet_settle(f, 100 * SECOND, INT64_C(1700000000) * SECOND);
	return f;
}
