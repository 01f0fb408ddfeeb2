/* SPDX-License-Identifier: MIT */
/* Keys that change guests. Invariant: what may touch many guests asks first with the true number, turning off
 * never asks, and the commands go nowhere but into the view's queue. */
#include <stdio.h>
#include <string.h>

#include "vmtop/text.h"

#include "view_private.h"

enum { FEW = 8 }; /* so many changes by one key need no question */

void view_send_kind(struct view *v, enum command_kind kind, bool on)
{
	view_send(v, &(struct command){.kind = kind, .on = on});
}

/* While a filter limits the view, say that it does not limit the action. */
static const char *filter_note(const struct view *v)
{
	return v->has_filter ? " The filter limits only the view: this is about all VMs." : "";
}

static void key_rebalance(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_REBALANCE};
	int n = v->paused ? -1 : s->n_rebalance_pins, most = n < 0 ? (int)s->sample.n_vcpus : n;
	if (!v->yes && most <= FEW) {
		c.number = FEW; /* should more be needed by then, the engine asks back */
		view_send(v, &c);
	} else if (v->yes)
		view_send(v, &c);
	else if (n < 0)
		ask_question(v, &c, "Rebalance now: up to %d vCPU%s may move (%s).%s", most,
			text_s((size_t)most),
			v->paused ? "the screen is paused" : "the number is not known yet", filter_note(v));
	else
		ask_question(
			v, &c, "Rebalance now: %d vCPU%s will move.%s", n, text_s((size_t)n), filter_note(v));
}

/* One key must not steer many guests: with more than a few it asks, and when it does not know how many. */
static void key_cycle(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_MEMORY_CYCLE, .on = true};
	int n = v->paused ? -1 : s->n_memory_changes, most = n < 0 ? s->n_eligible_memory : n;
	if (v->yes || most <= FEW)
		view_send(v, &c);
	else
		ask_question(v, &c, "Memory cycle now: %s%d balloon%s will change.%s", n < 0 ? "up to " : "",
			most, text_s((size_t)most), filter_note(v));
}

static void key_undo(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_UNDO, .on = true};
	if (v->yes || (s->n_undo <= FEW && !v->paused))
		view_send(v, &c);
	else
		ask_question(v, &c,
			"Undo the last round: %d change%s put back, their VMs are held until released.%s",
			s->n_undo, s->n_undo == 1 ? " is" : "s are", filter_note(v));
}

static void key_auto(struct view *v, const struct snapshot *s, bool memory)
{
	bool on = memory ? s->auto_memory || s->waits_memory : s->auto_cpu || s->waits_cpu;
	bool asked = memory ? v->asked_memory : v->asked_cpu;
	int n = memory ? s->n_eligible_memory : s->n_eligible_cpu, all = (int)s->sample.n_vms;
	struct command c = {.kind = memory ? CMD_AUTO_MEMORY : CMD_AUTO_CPU, .on = !on};
	if (on || asked || v->yes)
		view_send(v, &c);
	else
		ask_question(v, &c, "AUTO %s: %d guest%s eligible, %d not.%s%s", memory ? "memory" : "CPU", n,
			text_s(n), all > n ? all - n : 0,
			memory ? " Guest statistics are turned on where they are off." : "", filter_note(v));
}

static void key_restore(struct view *v, const struct snapshot *s)
{
	if (!s->n_changed && !v->paused) {
		view_say(v, "everything is as it was found");
		return;
	}
	ask_question(v, &(struct command){.kind = CMD_RESTORE},
		"Put everything back as found: %d change%s. The VMs it touches are held until released.",
		s->n_changed, text_s(s->n_changed));
}

static void key_stats(struct view *v, const struct snapshot *s)
{
	int off = 0;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		struct vi64 p = s->sample.vms[i].mem.period_s;
		off += s->sample.vms[i].state == VM_RUNNING && s->sample.vms[i].mem.balloon_device &&
		       !(vi64_has(p) && p.v > 0);
	}
	struct command c = {.kind = CMD_STATS_PERIOD, .on = off > 0};
	if (off > 0)
		ask_question(v, &c,
			"Turn on guest memory statistics for %d guest%s? This changes their live definition and is put back on exit.",
			off, text_s(off));
	else
		ask_question(v, &c, "Put the guest memory statistics back as they were found?");
}

static void key_balloon(struct view *v, const struct snapshot *s)
{
	size_t vm;
	if (v->n_marks || rows_selected(v, s, &vm))
		ask_line(v, PROMPT_BALLOON, "");
	else
		view_say(v, "no VM is selected");
}

static bool vm_held(const struct snapshot *s, size_t vm, enum command_kind kind)
{
	if (kind == CMD_STAY_ON_NODE)
		return s->vm_status[vm].stay_on_node;
	if (kind == CMD_EXCLUDE)
		return s->vm_status[vm].cpu == REASON_EXCLUDED;
	return column_held(s, vm) || s->vm_status[vm].mem.why.code == REASON_FOREIGN_BALLOON;
}

bool steer_each(struct view *v, const struct snapshot *s, struct command *c)
{
	size_t vm;
	for (size_t i = 0; i < v->n_marks; i++) {
		memcpy(c->uuid, v->marks[i], UUID_BYTES);
		view_send(v, c);
	}
	if (v->n_marks)
		return true;
	if (!rows_selected(v, s, &vm)) {
		view_say(v, "no VM is selected");
		return false;
	}
	memcpy(c->uuid, v->sel, UUID_BYTES);
	view_send(v, c);
	return true;
}

/* All of them have it: then the key takes it away. */
static bool all_held(const struct view *v, const struct snapshot *s, enum command_kind kind)
{
	size_t vm;
	for (size_t i = 0; i < v->n_marks; i++) {
		const struct vm_sample *m = sample_vm_by_uuid(&s->sample, v->marks[i]);
		if (m && !vm_held(s, (size_t)(m - s->sample.vms), kind))
			return false;
	}
	return v->n_marks || (rows_selected(v, s, &vm) && vm_held(s, vm, kind));
}

static void key_each(struct view *v, const struct snapshot *s, enum command_kind kind)
{
	struct command c = {.kind = kind, .on = !all_held(v, s, kind)};
	steer_each(v, s, &c);
}

/* Which VMs are held is looked up when it is done, not when it was asked. */
void steer_release_all(struct view *v, const struct snapshot *s)
{
	struct command c = {.kind = CMD_HOLD};
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (vm_held(s, i, CMD_HOLD)) {
			memcpy(c.uuid, s->sample.vms[i].uuid, UUID_BYTES);
			view_send(v, &c);
		}
}

static void key_release_all(struct view *v, const struct snapshot *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->sample.n_vms; i++)
		n += vm_held(s, i, CMD_HOLD);
	if (!n)
		view_say(v, "no VM is held");
	else if (v->yes)
		steer_release_all(v, s);
	else
		ask_question(v, &(struct command){.kind = CMD_HOLD},
			"Release %zu held VM%s? AUTO may steer %s again.%s", n, text_s(n),
			n == 1 ? "it" : "them", filter_note(v));
}

static void key_edit(struct view *v, const struct snapshot *s)
{
	size_t vm;
	const struct vcpu_sample *c = edit_vcpu(v, s, &vm);
	if (!c || !v->units.n) {
		view_say(v, "no vCPU is selected");
		return;
	}
	v->editor.on = true;
	v->map.vcpu = c->id;
	if (v->map.cpu < 0)
		v->map.cpu = vi64_has(c->pcpu) ? (int)c->pcpu.v : v->units.list[0].first;
	v->editor.from = v->id;
	if (!(v->sight & 1U << FOCUS_MAP) || v->map.rows < 8)
		v->id = VIEW_PCPUS;
	view_say(v, "pin editor: arrows choose, Space toggles, Enter types a CPU list; y applies, Esc drops");
}

bool steer_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	switch (a) {
	case KEY_REBALANCE:
		key_rebalance(v, s);
		return true;
	case KEY_AUTO_CPU:
		key_auto(v, s, false);
		return true;
	case KEY_AUTO_MEMORY:
		key_auto(v, s, true);
		return true;
	case KEY_MEMORY_CYCLE:
		key_cycle(v, s);
		return true;
	case KEY_PREVIEW:
		if (!s->preview)
			view_send_kind(v, CMD_PREVIEW, true);
		else if (v->id == VIEW_PLAN)
			v->id = v->plan.from;
		else
			plan_show(v);
		return true;
	case KEY_LEAVE_OUT:
		plan_leave_out(v, s);
		return true;
	case KEY_UNDO:
		key_undo(v, s);
		return true;
	case KEY_RESTORE:
		key_restore(v, s);
		return true;
	case KEY_BALLOON:
		key_balloon(v, s);
		return true;
	case KEY_HOLD:
		key_each(v, s, CMD_HOLD);
		return true;
	case KEY_RELEASE_ALL:
		key_release_all(v, s);
		return true;
	case KEY_EXCLUDE:
		key_each(v, s, CMD_EXCLUDE);
		return true;
	case KEY_STAY:
		key_each(v, s, CMD_STAY_ON_NODE);
		return true;
	case KEY_STATS:
		key_stats(v, s);
		return true;
	default:
		return false;
	}
}

bool edit_key(struct view *v, const struct snapshot *s, enum key_action a)
{
	switch (a) {
	case KEY_EDIT:
		key_edit(v, s);
		return true;
	case KEY_TOGGLE:
		edit_toggle(v, s);
		return true;
	case KEY_LIST:
		ask_line(v, PROMPT_CPUS, "");
		return true;
	case KEY_APPLY:
		if (v->editor.on)
			edit_apply(v);
		else
			view_send_kind(v, CMD_PREVIEW_APPLY, true);
		return true;
	case KEY_DROP:
		if (v->editor.on)
			edit_drop(v);
		else
			view_send_kind(v, CMD_PREVIEW_DROP, true);
		return true;
	default:
		return false;
	}
}
