/* SPDX-License-Identifier: MIT */
/* What follows `at TIME [every TIME]`: things that happen to the host and its VMs during the run. */
#include <stdio.h>
#include <string.h>

#include "scenario_text.h"

/* The VMs an event is about: a name or a shell pattern, and how many there must be is not said here: a VM may
 * be gone when its event comes. But a pattern that fits no VM of the scenario at all is a slip of the pen. */
static bool read_pattern(struct reader *r)
{
	const char *w = "";
	if (!want_word(r, &w, "the name of a VM"))
		return false;
	if (strlen(w) >= sizeof r->event->pattern || !*w)
		return reader_fail(r, "\"%.40s\" cannot be the name of a VM", w);
	snprintf(r->event->pattern, sizeof r->event->pattern, "%s", w);
	return true;
}

static bool read_vm_event(struct reader *r, enum event_kind kind)
{
	r->event->kind = kind;
	return read_pattern(r);
}

static bool read_start(struct reader *r)
{
	return read_vm_event(r, EV_START);
}

static bool read_stop(struct reader *r)
{
	return read_vm_event(r, EV_STOP);
}

static bool read_pause(struct reader *r)
{
	return read_vm_event(r, EV_PAUSE);
}

static bool read_resume(struct reader *r)
{
	return read_vm_event(r, EV_RESUME);
}

static bool read_reboot(struct reader *r)
{
	return read_vm_event(r, EV_REBOOT);
}

static bool read_hang(struct reader *r)
{
	return read_vm_event(r, EV_HANG);
}

static bool read_answer(struct reader *r)
{
	return read_vm_event(r, EV_ANSWER);
}

static bool read_migrate(struct reader *r)
{
	r->event->ns = INT64_C(5000000000);
	return read_vm_event(r, EV_MIGRATE) &&
	       (!reader_accept(r, "takes") || want_time(r, &r->event->ns, true));
}

static bool read_vcpu(struct reader *r)
{
	r->event->vcpu = PICK_ALL;
	return !reader_accept(r, "vcpu") || want_int(r, &r->event->vcpu, 0, SCN_VM_VCPUS - 1);
}

static bool read_load(struct reader *r)
{
	return read_vm_event(r, EV_LOAD) && read_vcpu(r) && want_curve(r, &r->event->index);
}

static bool read_pin(struct reader *r)
{
	return read_vm_event(r, EV_PIN) && read_vcpu(r) && want_set(r, &r->event->index);
}

static bool read_balloon(struct reader *r)
{
	return read_vm_event(r, EV_BALLOON) && want_size(r, &r->event->kib);
}

static bool read_period(struct reader *r)
{
	return read_vm_event(r, EV_PERIOD) && want_int(r, &r->event->number, 0, 3600);
}

static bool read_eat(struct reader *r)
{
	return read_vm_event(r, EV_EAT) && want_eat(r, &r->event->eat);
}

static bool read_vcpus(struct reader *r)
{
	int n;
	if (!read_vm_event(r, EV_VCPUS))
		return false;
	if (reader_accept(r, "ids"))
		return want_set(r, &r->event->index) &&
		       (cpuset_next(&r->s->sets[r->event->index], SCN_VM_VCPUS - 1) < 0 ||
			       reader_fail(r, "vCPU numbers end at %d", SCN_VM_VCPUS - 1));
	size_t at = r->at;
	if (!want_int(r, &n, 1, SCN_VM_VCPUS))
		return false;
	char list[32];
	snprintf(list, sizeof list, "0-%d", n - 1);
	const char *word = r->word[at];
	r->word[at] = list;
	r->at = at;
	bool ok = want_set(r, &r->event->index);
	r->word[at] = word;
	return ok;
}

static bool read_offline(struct reader *r)
{
	r->event->kind = EV_OFFLINE;
	return want_set(r, &r->event->index);
}

static bool read_online(struct reader *r)
{
	r->event->kind = EV_ONLINE;
	return want_set(r, &r->event->index);
}

static bool read_background(struct reader *r)
{
	r->event->kind = EV_BACKGROUND;
	return want_set(r, &r->event->set) && want_open_curve(r, &r->event->index);
}

static bool read_pressure(struct reader *r)
{
	r->event->kind = EV_PRESSURE;
	if (!want_level(r, &r->event->some, 1) || !want_level(r, &r->event->full, 1))
		return false;
	r->event->some *= 100;
	r->event->full *= 100;
	return r->event->full <= r->event->some || reader_fail(r, "full pressure is never above some");
}

static bool read_used(struct reader *r)
{
	r->event->kind = EV_HOST_USE;
	return want_size(r, &r->event->kib);
}

static bool read_disconnect(struct reader *r)
{
	r->event->kind = EV_DISCONNECT;
	return true;
}

static bool read_connect(struct reader *r)
{
	r->event->kind = EV_CONNECT;
	return true;
}

static bool read_fault(struct reader *r)
{
	static const char *const words[] = {
#define WORD(code, word, text, rest) [code] = word,
		FAULT_TABLE(WORD)
#undef WORD
	};
	const char *w = "";
	if (!read_vm_event(r, EV_FAULT) || !want_word(r, &w, "a fault"))
		return false;
	for (int i = 0; i < FAULT_COUNT; i++)
		if (strcmp(words[i], w) == 0) {
			r->event->index = i;
			return want_int(r, &r->event->number, 0, 100000000);
		}
	return reader_fail(r, "no fault is called \"%.40s\"", w);
}

static bool read_emulator(struct reader *r)
{
	r->event->set = -1;
	return read_vm_event(r, EV_EMULATOR) && (!reader_accept(r, "on") || want_set(r, &r->event->set)) &&
	       want_curve(r, &r->event->index);
}

static bool read_pcpu_fault(struct reader *r, enum pcpu_fault fault)
{
	r->event->kind = EV_PCPU_FAULT;
	r->event->index = (int)fault;
	return want_set(r, &r->event->set) && want_int(r, &r->event->number, 0, 100);
}

static bool read_steal(struct reader *r)
{
	return read_pcpu_fault(r, PCPU_FAULT_STEAL);
}

static bool read_speed(struct reader *r)
{
	return read_pcpu_fault(r, PCPU_FAULT_SPEED);
}

const struct statement scenario_event_statements[] = {
	{"start", "at TIME start VM", read_start},
	{"stop", "at TIME stop VM", read_stop},
	{"pause", "at TIME pause VM", read_pause},
	{"resume", "at TIME resume VM", read_resume},
	{"reboot", "at TIME reboot VM", read_reboot},
	{"migrate", "at TIME migrate VM [takes TIME]", read_migrate},
	{"hang", "at TIME hang VM", read_hang},
	{"answer", "at TIME answer VM", read_answer},
	{"load", "at TIME load VM [vcpu N] CURVE", read_load},
	{"pin", "at TIME pin VM [vcpu N] CPULIST", read_pin},
	{"balloon", "at TIME balloon VM SIZE", read_balloon},
	{"period", "at TIME period VM SECONDS", read_period},
	{"eat", "at TIME eat VM RATE to SIZE | for TIME ... | nothing", read_eat},
	{"vcpus", "at TIME vcpus VM NUMBER | ids LIST", read_vcpus},
	{"offline", "at TIME offline CPULIST", read_offline},
	{"online", "at TIME online CPULIST", read_online},
	{"background", "at TIME background CPULIST CURVE", read_background},
	{"pressure", "at TIME pressure SOME FULL (percent)", read_pressure},
	{"used", "at TIME used SIZE", read_used},
	{"disconnect", "at TIME disconnect", read_disconnect},
	{"connect", "at TIME connect", read_connect},
	{"fault", "at TIME fault VM KIND NUMBER", read_fault},
	{"emulator", "at TIME emulator VM [on CPULIST] CURVE", read_emulator},
	{"steal", "at TIME steal CPULIST PERCENT", read_steal},
	{"speed", "at TIME speed CPULIST PERCENT", read_speed},
	{NULL, NULL, NULL},
};
