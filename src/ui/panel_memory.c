/* SPDX-License-Identifier: MIT */
/* Memory in words and bars: the host, and the truth about the selected VM's balloon. Invariant: what is not
 * known is said with its reason. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { ROOMY = 12 }; /* rows from which on no word about memory is cut */

/* Appends to buf, after sep unless it is the first. */
static void __attribute__((format(printf, 4, 5)))
add(char *buf, size_t len, const char *sep, const char *fmt, ...)
{
	size_t n = strlen(buf);
	n += (size_t)snprintf(buf + n, len - n, "%s", n ? sep : "");
	if (n >= len)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(buf + n, len - n, fmt, ap);
	va_end(ap);
}

static void add_kib(char *buf, size_t len, const char *what, struct vi64 x)
{
	char size[16];
	if (!vi64_has(x))
		return;
	text_kib(size, sizeof size, x.v);
	add(buf, len, ", ", "%s %s", what, size);
}

/* "asked 4.0G 12 s ago, at 4.6G of 8.0G, not moving for 8 s", "has 4.0G of 8.0G, as asked 12 s ago" */
static void add_balloon(char *buf, size_t len, const struct snapshot *snap, size_t vm)
{
	const struct vm_memory *mem = &snap->sample.vms[vm].mem;
	const struct vm_status *status = &snap->vm_status[vm];
	struct vf64 still = snap->vm_rates[vm].balloon_still_s;
	char has[16], of[24] = "", asked[16];
	if (!vi64_has(mem->balloon_kib)) {
		add(buf, len, ", ", "balloon -: %s", avail_text(mem->balloon_kib.avail));
		return;
	}
	text_kib(has, sizeof has, mem->balloon_kib.v);
	if (vi64_has(mem->max_kib)) {
		text_kib(asked, sizeof asked, mem->max_kib.v);
		snprintf(of, sizeof of, " of %s", asked);
	}
	if (!vi64_has(status->target_kib)) {
		add(buf, len, ", ", "has %s%s", has, of);
		return;
	}
	int64_t off = mem->balloon_kib.v - status->target_kib.v, near = mem->balloon_kib.v / 200;
	near = max_of(near, 16 * 1024);
	text_kib(asked, sizeof asked, status->target_kib.v);
	if (off > -near && off < near) {
		add(buf, len, ", ", "has %s%s, as asked %.0f s ago", has, of, status->target_age_s);
		return;
	}
	add(buf, len, ", ", "asked %s %.0f s ago, at %s%s", asked, status->target_age_s, has, of);
	if (!vf64_has(still) || status->target_age_s < 1)
		return;
	double stood = min_of(still.v, status->target_age_s);
	if (stood < 2 * snap->elapsed_s || stood < 1)
		add(buf, len, ", ", "moving");
	else
		add(buf, len, ", ", "not moving for %.0f s", stood);
}

static void add_reason(char *buf, size_t len, const struct snapshot *snap, size_t vm)
{
	const struct why *why = &snap->vm_status[vm].mem.why;
	struct vi64 used = snap->vm_rates[vm].used_kib;
	const char *text = text_or(why->text, reason_text(why->code));
	const char *lack = vi64_has(used) ? "" : avail_text(used.avail);
	if (*lack)
		add(buf, len, " · ", "used -: %s", lack);
	if (why->code != REASON_NONE && strcmp(text, lack) != 0 && strncmp(text, "asked ", 6) != 0)
		add(buf, len, " · ", "%s", text);
}

/* The truth about its balloon in one line: target against actual, whether it moves, what the guest makes of
 * it, how old that is, and what memory control thinks of it. */
void truth_text(const struct snapshot *snap, size_t vm, char *buf, size_t len)
{
	const struct vm_memory *mem = &snap->sample.vms[vm].mem;
	const struct vm_rate *r = &snap->vm_rates[vm];
	buf[0] = '\0';
	add_balloon(buf, len, snap, vm);
	add_kib(buf, len, "plugged beside it", mem->plugged_kib);
	add_kib(buf, len, "used", r->used_kib);
	add_kib(buf, len, "usable", mem->usable_kib);
	add_kib(buf, len, "QEMU holds", mem->rss_kib);
	if (vf64_has(r->swap_in_kib_s) && r->swap_in_kib_s.v >= 1) {
		char rate[16];
		text_kib(rate, sizeof rate, (int64_t)fmin(r->swap_in_kib_s.v, 1e15));
		add(buf, len, ", ", "swaps in %s/s", rate);
	}
	if (vf64_has(r->age_s))
		add(buf, len, ", ", "statistics %.0f s old", r->age_s.v);
	else if (r->age_s.avail == AVAIL_STALE)
		add(buf, len, ", ", "statistics -: %s", avail_text(AVAIL_STALE));
	if (snap->sample.vms[vm].flags & VM_FLAG_BUSY && snap->vm_status[vm].mem.why.code != REASON_BUSY)
		add(buf, len, " · ", "%s", reason_text(REASON_BUSY));
	add_reason(buf, len, snap, vm);
}

/* Bar of a guest: used, then what it has beyond that, of its maximum; the tick is the target. */
static void guest_bar(const struct snapshot *snap, size_t vm, struct screen *scr, struct rect area)
{
	const struct vm_memory *mem = &snap->sample.vms[vm].mem;
	struct vi64 used = snap->vm_rates[vm].used_kib, target = snap->vm_status[vm].target_kib;
	if (!vi64_has(mem->max_kib) || mem->max_kib.v <= 0 || !vi64_has(mem->balloon_kib))
		return;
	double max = (double)mem->max_kib.v, has = 100.0 * (double)mem->balloon_kib.v / max;
	struct meter meter = {.first = vi64_has(used) ? 100.0 * (double)used.v / max : 0, .tick = -1};
	meter.second = has - meter.first;
	meter.first_style = has > 0 ? draw_load_style(100 * meter.first / has) : STYLE_DIM;
	meter.second_style = STYLE_DIM;
	if (vi64_has(target))
		meter.tick = 100.0 * (double)target.v / max - 0.01;
	draw_meter(scr, area.row, area.col, area.cols, &meter);
}

static void draw_node(const struct node_sample *n, struct screen *scr, struct rect area)
{
	char free_text[16], total[16];
	if (!vi64_has(n->total_kib) || !vi64_has(n->free_kib) || n->total_kib.v <= 0)
		return;
	text_kib(free_text, sizeof free_text, n->free_kib.v);
	text_kib(total, sizeof total, n->total_kib.v);
	double used = 100.0 * (double)(n->total_kib.v - n->free_kib.v) / (double)n->total_kib.v;
	struct meter meter = {.first = used, .tick = -1, .first_style = draw_load_style(used)};
	screen_printf(scr, area.row, area.col, 8, STYLE_DIM, "node %d", n->id);
	draw_meter(scr, area.row, area.col + 8, area.cols - 28, &meter);
	screen_printf(scr, area.row, area.col + area.cols - 19, 19, STYLE_NORMAL, "%s of %s free", free_text,
		total);
}

static int draw_verdict(const struct snapshot *snap, struct screen *scr, struct rect area)
{
	char text[400] = "", size[16];
	const struct host_sample *host = &snap->sample.host;
	if (vi64_has(snap->memory.free_kib)) {
		text_kib(size, sizeof size, snap->memory.free_kib.v);
		add(text, sizeof text, "", "%s to give", size);
	}
	add(text, sizeof text, " · ", "%d of %zu guest%s eligible", snap->n_eligible_memory,
		snap->sample.n_vms, text_s(snap->sample.n_vms));
	if (vf64_has(host->psi_some_avg10) && vf64_has(host->psi_full_avg10))
		add(text, sizeof text, " · ", "pressure %.1f %% (full %.1f %%)", host->psi_some_avg10.v,
			host->psi_full_avg10.v);
	/* That nobody is eligible was said by the number. */
	bool said = snap->memory.why.code == REASON_MEM_OK && !snap->n_eligible_memory;
	if (snap->memory.why.code != REASON_NONE && !said)
		add(text, sizeof text, " · ", "%s",
			text_or(snap->memory.why.text, reason_text(snap->memory.why.code)));
	return draw_wrapped(scr, area, STYLE_NORMAL, text);
}

void memory_draw(const struct snapshot *snap, struct screen *scr, struct rect area, long vm)
{
	if (area.rows < 2 || area.cols < 20)
		return;
	draw_title(scr, area, false, "Memory", NULL);
	int row = area.row + 1, end = area.row + area.rows;
	int most = area.rows >= ROOMY ? 4 : 2;
	row += draw_verdict(
		snap, scr, (struct rect){row, area.col + 1, min_of(end - row, most), area.cols - 1});
	if (vm >= 0 && row < end) {
		char text[600], name[1400];
		text_escape(name, sizeof name, snap->sample.vms[vm].name);
		int n = min_of(screen_columns(scr, name), area.cols / 3);
		draw_name(scr, row, area.col + 1, n, STYLE_BOLD, name);
		guest_bar(
			snap, (size_t)vm, scr, (struct rect){row++, area.col + n + 2, 1, area.cols - n - 3});
		truth_text(snap, (size_t)vm, text, sizeof text);
		row += draw_wrapped(
			scr, (struct rect){row, area.col + 1, end - row, area.cols - 1}, STYLE_DIM, text);
	}
	/* A single node is the host, and that has its bar in the header. */
	size_t nodes = snap->sample.host.n_nodes > 1 && area.cols >= 50 ? snap->sample.host.n_nodes : 0;
	for (size_t i = 0; i < nodes && row < end; i++)
		draw_node(&snap->sample.host.nodes[i], scr,
			(struct rect){row++, area.col + 1, 1, area.cols - 1});
}
