/* SPDX-License-Identifier: MIT */
/* Keys that change guests. Invariant: what may touch many guests asks first with the true number, turning off
 * never asks, and the commands go nowhere but into the view's queue. */
#include <string.h>

#include "vmtop/minmax.h"
#include "vmtop/text.h"

#include "view_private.h"

enum { FEW = 8 }; /* so many changes by one key need no question */

/* While a filter limits the view, say that it does not limit the action. */
static const char *filter_note(const struct view *view)
{
	return text_if(view->has_filter, " The filter limits only the view: this is about all VMs.");
}

static void key_rebalance(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_REBALANCE};
	int n = view->paused ? -1 : snap->n_rebalance_pins, most = n < 0 ? (int)snap->sample.n_vcpus : n;
	if (!view->yes && most <= FEW) {
		cmd.number = FEW; /* should more be needed by then, the engine asks back */
		view_send(view, &cmd);
	} else if (view->yes)
		view_send(view, &cmd);
	else if (n < 0)
		ask_question(view, &cmd, "Rebalance now: up to %d vCPU%s may move (%s).%s", most,
			text_s((size_t)most),
			view->paused ? "the screen is paused" : "the number is not known yet",
			filter_note(view));
	else
		ask_question(view, &cmd, "Rebalance now: %d vCPU%s will move.%s", n, text_s((size_t)n),
			filter_note(view));
}

/* One key must not steer many guests: with more than a few it asks, and when it does not know how many. */
static void key_cycle(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_MEMORY_CYCLE, .on = true};
	int n = view->paused ? -1 : snap->n_memory_changes, most = n < 0 ? snap->n_eligible_memory : n;
	if (view->yes || most <= FEW)
		view_send(view, &cmd);
	else
		ask_question(view, &cmd, "Memory cycle now: %s%d balloon%s will change.%s",
			text_if(n < 0, "up to "), most, text_s((size_t)most), filter_note(view));
}

static void key_undo(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_UNDO, .on = true};
	if (view->yes || (snap->n_undo <= FEW && !view->paused))
		view_send(view, &cmd);
	else
		ask_question(view, &cmd,
			"Undo the last round: %d change%s put back, their VMs are held until released.%s",
			snap->n_undo, snap->n_undo == 1 ? " is" : "s are", filter_note(view));
}

static void key_auto(struct view *view, const struct snapshot *snap, bool memory)
{
	bool on = memory ? snap->auto_memory || snap->waits_memory : snap->auto_cpu || snap->waits_cpu;
	bool asked = memory ? view->asked_memory : view->asked_cpu;
	int n = memory ? snap->n_eligible_memory : snap->n_eligible_cpu, all = (int)snap->sample.n_vms;
	struct command cmd = {.kind = memory ? CMD_AUTO_MEMORY : CMD_AUTO_CPU, .on = !on};
	if (on || asked || view->yes)
		view_send(view, &cmd);
	else
		ask_question(view, &cmd, "AUTO %s: %d guest%s eligible, %d not.%s%s",
			memory ? "memory" : "CPU", n, text_s(n), excess(all, n),
			text_if(memory, " Guest statistics are turned on where they are off."),
			filter_note(view));
}

static void key_restore(struct view *view, const struct snapshot *snap)
{
	if (!snap->n_changed && !view->paused) {
		view_say(view, "everything is as it was found");
		return;
	}
	ask_question(view, &(struct command){.kind = CMD_RESTORE},
		"Put everything back as found: %d change%s. The VMs it touches are held until released.",
		snap->n_changed, text_s(snap->n_changed));
}

static void key_stats(struct view *view, const struct snapshot *snap)
{
	int off = 0;
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		struct vi64 p = snap->sample.vms[i].mem.period_s;
		off += snap->sample.vms[i].state == VM_RUNNING && snap->sample.vms[i].mem.balloon_device &&
		       !(vi64_has(p) && p.v > 0);
	}
	struct command cmd = {.kind = CMD_STATS_PERIOD, .on = off > 0};
	if (off > 0)
		ask_question(view, &cmd,
			"Turn on guest memory statistics for %d guest%s? This changes their live definition and is put back on exit.",
			off, text_s(off));
	else
		ask_question(view, &cmd, "Put the guest memory statistics back as they were found?");
}

static void key_balloon(struct view *view, const struct snapshot *snap)
{
	size_t vm;
	if (view->n_marks || rows_selected(view, snap, &vm))
		ask_line(view, PROMPT_BALLOON, "");
	else
		view_say(view, "no VM is selected");
}

static bool vm_held(const struct snapshot *snap, size_t vm, enum command_kind kind)
{
	if (kind == CMD_STAY_ON_NODE)
		return snap->vm_status[vm].stay_on_node;
	if (kind == CMD_EXCLUDE)
		return snap->vm_status[vm].cpu == REASON_EXCLUDED;
	return column_held(snap, vm) || snap->vm_status[vm].mem.why.code == REASON_FOREIGN_BALLOON;
}

bool steer_each(struct view *view, const struct snapshot *snap, struct command *cmd)
{
	size_t vm;
	for (size_t i = 0; i < view->n_marks; i++) {
		memcpy(cmd->uuid, view->marks[i], UUID_BYTES);
		view_send(view, cmd);
	}
	if (view->n_marks)
		return true;
	if (!rows_selected(view, snap, &vm)) {
		view_say(view, "no VM is selected");
		return false;
	}
	memcpy(cmd->uuid, view->sel, UUID_BYTES);
	view_send(view, cmd);
	return true;
}

/* All of them have it: then the key takes it away. */
static bool all_held(const struct view *view, const struct snapshot *snap, enum command_kind kind)
{
	size_t vm;
	for (size_t i = 0; i < view->n_marks; i++) {
		const struct vm_sample *m = sample_vm_by_uuid(&snap->sample, view->marks[i]);
		if (m && !vm_held(snap, (size_t)(m - snap->sample.vms), kind))
			return false;
	}
	return view->n_marks || (rows_selected(view, snap, &vm) && vm_held(snap, vm, kind));
}

static void key_each(struct view *view, const struct snapshot *snap, enum command_kind kind)
{
	struct command cmd = {.kind = kind, .on = !all_held(view, snap, kind)};
	steer_each(view, snap, &cmd);
}

/* Which VMs are held is looked up when it is done, not when it was asked. */
void steer_release_all(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_HOLD};
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		if (vm_held(snap, i, CMD_HOLD)) {
			memcpy(cmd.uuid, snap->sample.vms[i].uuid, UUID_BYTES);
			view_send(view, &cmd);
		}
}

static void key_release_all(struct view *view, const struct snapshot *snap)
{
	size_t n = 0;
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		n += vm_held(snap, i, CMD_HOLD);
	if (!n)
		view_say(view, "no VM is held");
	else if (view->yes)
		steer_release_all(view, snap);
	else
		ask_question(view, &(struct command){.kind = CMD_HOLD},
			"Release %zu held VM%s? AUTO may steer %s again.%s", n, text_s(n),
			n == 1 ? "it" : "them", filter_note(view));
}

static void key_edit(struct view *view, const struct snapshot *snap)
{
	size_t vm;
	const struct vcpu_sample *vcpu = edit_vcpu(view, snap, &vm);
	if (!vcpu || !view->units.n) {
		view_say(view, "no vCPU is selected");
		return;
	}
	view->editor.on = true;
	view->map.vcpu = vcpu->id;
	if (view->map.cpu < 0)
		view->map.cpu = vi64_has(vcpu->pcpu) ? (int)vcpu->pcpu.v : view->units.list[0].first;
	view->editor.from = view->id;
	if (!(view->sight & 1U << FOCUS_MAP) || view->map.rows < 8)
		view->id = VIEW_PCPUS;
	view_say(view,
		"pin editor: arrows choose, Space toggles, Enter types a CPU list; y applies, Esc drops");
}

bool steer_key(struct view *view, const struct snapshot *snap, enum key_action action)
{
	switch (action) {
	case KEY_REBALANCE:
		key_rebalance(view, snap);
		return true;
	case KEY_AUTO_CPU:
		key_auto(view, snap, false);
		return true;
	case KEY_AUTO_MEMORY:
		key_auto(view, snap, true);
		return true;
	case KEY_MEMORY_CYCLE:
		key_cycle(view, snap);
		return true;
	case KEY_PREVIEW:
		if (!snap->preview)
			view_send_kind(view, CMD_PREVIEW, true);
		else if (view->id == VIEW_PLAN)
			view->id = view->plan.from;
		else
			plan_show(view);
		return true;
	case KEY_LEAVE_OUT:
		plan_leave_out(view, snap);
		return true;
	case KEY_UNDO:
		key_undo(view, snap);
		return true;
	case KEY_RESTORE:
		key_restore(view, snap);
		return true;
	case KEY_BALLOON:
		key_balloon(view, snap);
		return true;
	case KEY_HOLD:
		key_each(view, snap, CMD_HOLD);
		return true;
	case KEY_RELEASE_ALL:
		key_release_all(view, snap);
		return true;
	case KEY_EXCLUDE:
		key_each(view, snap, CMD_EXCLUDE);
		return true;
	case KEY_STAY:
		key_each(view, snap, CMD_STAY_ON_NODE);
		return true;
	case KEY_STATS:
		key_stats(view, snap);
		return true;
	default:
		return false;
	}
}

bool edit_key(struct view *view, const struct snapshot *snap, enum key_action action)
{
	switch (action) {
	case KEY_EDIT:
		key_edit(view, snap);
		return true;
	case KEY_TOGGLE:
		edit_toggle(view, snap);
		return true;
	case KEY_LIST:
		ask_line(view, PROMPT_CPUS, "");
		return true;
	case KEY_APPLY:
		if (view->editor.on)
			edit_apply(view);
		else
			view_send_kind(view, CMD_PREVIEW_APPLY, true);
		return true;
	case KEY_DROP:
		if (view->editor.on)
			edit_drop(view);
		else
			view_send_kind(view, CMD_PREVIEW_DROP, true);
		return true;
	default:
		return false;
	}
}

void view_quit(struct view *view, const struct snapshot *snap)
{
	struct command cmd = {.kind = CMD_QUIT, .on = view->on_exit == ON_EXIT_RESTORE};
	bool ask = view->on_exit == ON_EXIT_ASK || view->on_exit == ON_EXIT_DEFAULT;
	int stay = snap->n_changed - snap->n_periods;
	if (ask && stay > 0 && !snap->readonly && !snap->over)
		ask_question(view, &cmd,
			"%d change%s made from here %s in force. Put everything back as found?", stay,
			text_s(stay), stay == 1 ? "is" : "are");
	else
		view_send(view, &cmd);
}
