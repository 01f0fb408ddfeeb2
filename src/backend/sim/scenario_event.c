/* SPDX-License-Identifier: MIT */
/* What follows `at TIME [every TIME]`: things that happen to the host and its VMs during the run. */
#include <stdio.h>
#include <string.h>

#include "scenario_text.h"

/* The VMs an event is about: a name or a shell pattern, and how many there must be is not said here: a VM may
 * be gone when its event comes. But a pattern that fits no VM of the scenario at all is a slip of the pen. */
static bool read_pattern(struct reader *reader)
{
	const char *w = "";
	if (!want_word(reader, &w, "the name of a VM"))
		return false;
	if (strlen(w) >= sizeof reader->event->pattern || !*w)
		return reader_fail(reader, "\"%.40s\" cannot be the name of a VM", w);
	snprintf(reader->event->pattern, sizeof reader->event->pattern, "%s", w);
	return true;
}

static bool read_vm_event(struct reader *reader, enum event_kind kind)
{
	reader->event->kind = kind;
	return read_pattern(reader);
}

static bool read_start(struct reader *reader)
{
	return read_vm_event(reader, EV_START);
}

static bool read_stop(struct reader *reader)
{
	return read_vm_event(reader, EV_STOP);
}

static bool read_pause(struct reader *reader)
{
	return read_vm_event(reader, EV_PAUSE);
}

static bool read_resume(struct reader *reader)
{
	return read_vm_event(reader, EV_RESUME);
}

static bool read_reboot(struct reader *reader)
{
	return read_vm_event(reader, EV_REBOOT);
}

static bool read_hang(struct reader *reader)
{
	return read_vm_event(reader, EV_HANG);
}

static bool read_answer(struct reader *reader)
{
	return read_vm_event(reader, EV_ANSWER);
}

static bool read_migrate(struct reader *reader)
{
	reader->event->ns = INT64_C(5000000000);
	return read_vm_event(reader, EV_MIGRATE) &&
	       (!reader_accept(reader, "takes") || want_time(reader, &reader->event->ns, true));
}

static bool read_vcpu(struct reader *reader)
{
	reader->event->vcpu = PICK_ALL;
	return !reader_accept(reader, "vcpu") || want_int(reader, &reader->event->vcpu, 0, SCN_VM_VCPUS - 1);
}

static bool read_load(struct reader *reader)
{
	return read_vm_event(reader, EV_LOAD) && read_vcpu(reader) &&
	       want_curve(reader, &reader->event->index);
}

static bool read_pin(struct reader *reader)
{
	return read_vm_event(reader, EV_PIN) && read_vcpu(reader) && want_set(reader, &reader->event->index);
}

static bool read_balloon(struct reader *reader)
{
	return read_vm_event(reader, EV_BALLOON) && want_size(reader, &reader->event->kib);
}

static bool read_period(struct reader *reader)
{
	return read_vm_event(reader, EV_PERIOD) && want_int(reader, &reader->event->number, 0, 3600);
}

static bool read_eat(struct reader *reader)
{
	return read_vm_event(reader, EV_EAT) && want_eat(reader, &reader->event->eat);
}

static bool read_vcpus(struct reader *reader)
{
	int n;
	if (!read_vm_event(reader, EV_VCPUS))
		return false;
	if (reader_accept(reader, "ids"))
		return want_set(reader, &reader->event->index) &&
		       (cpuset_next(&reader->scn->sets[reader->event->index], SCN_VM_VCPUS - 1) < 0 ||
			       reader_fail(reader, "vCPU numbers end at %d", SCN_VM_VCPUS - 1));
	size_t at = reader->at;
	if (!want_int(reader, &n, 1, SCN_VM_VCPUS))
		return false;
	char list[32];
	snprintf(list, sizeof list, "0-%d", n - 1);
	const char *word = reader->word[at];
	reader->word[at] = list;
	reader->at = at;
	bool ok = want_set(reader, &reader->event->index);
	reader->word[at] = word;
	return ok;
}

static bool read_offline(struct reader *reader)
{
	reader->event->kind = EV_OFFLINE;
	return want_set(reader, &reader->event->index);
}

static bool read_online(struct reader *reader)
{
	reader->event->kind = EV_ONLINE;
	return want_set(reader, &reader->event->index);
}

static bool read_background(struct reader *reader)
{
	reader->event->kind = EV_BACKGROUND;
	return want_set(reader, &reader->event->set) && want_open_curve(reader, &reader->event->index);
}

static bool read_pressure(struct reader *reader)
{
	reader->event->kind = EV_PRESSURE;
	if (!want_level(reader, &reader->event->some, 1) || !want_level(reader, &reader->event->full, 1))
		return false;
	reader->event->some *= 100;
	reader->event->full *= 100;
	return reader->event->full <= reader->event->some ||
	       reader_fail(reader, "full pressure is never above some");
}

static bool read_used(struct reader *reader)
{
	reader->event->kind = EV_HOST_USE;
	return want_size(reader, &reader->event->kib);
}

static bool read_disconnect(struct reader *reader)
{
	reader->event->kind = EV_DISCONNECT;
	return true;
}

static bool read_connect(struct reader *reader)
{
	reader->event->kind = EV_CONNECT;
	return true;
}

static bool read_fault(struct reader *reader)
{
	static const char *const words[] = {
#define WORD(code, word, text, rest) [code] = word,
		FAULT_TABLE(WORD)
#undef WORD
	};
	const char *w = "";
	if (!read_vm_event(reader, EV_FAULT) || !want_word(reader, &w, "a fault"))
		return false;
	for (int i = 0; i < FAULT_COUNT; i++)
		if (strcmp(words[i], w) == 0) {
			reader->event->index = i;
			return want_int(reader, &reader->event->number, 0, 100000000);
		}
	return reader_fail(reader, "no fault is called \"%.40s\"", w);
}

static bool read_emulator(struct reader *reader)
{
	reader->event->set = -1;
	return read_vm_event(reader, EV_EMULATOR) &&
	       (!reader_accept(reader, "on") || want_set(reader, &reader->event->set)) &&
	       want_curve(reader, &reader->event->index);
}

static bool read_pcpu_fault(struct reader *reader, enum pcpu_fault fault)
{
	reader->event->kind = EV_PCPU_FAULT;
	reader->event->index = (int)fault;
	return want_set(reader, &reader->event->set) && want_int(reader, &reader->event->number, 0, 100);
}

static bool read_steal(struct reader *reader)
{
	return read_pcpu_fault(reader, PCPU_FAULT_STEAL);
}

static bool read_speed(struct reader *reader)
{
	return read_pcpu_fault(reader, PCPU_FAULT_SPEED);
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
