/* SPDX-License-Identifier: MIT */
/* Memory in words and bars: the host, and the truth about the selected VM's balloon. Invariant: what is not
 * known is said with its reason. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/text.h"

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

/* "target 4.0G set 12 s ago, has 4.6G, used 3.1G, usable 1.5G, QEMU holds 4.9G, data 2 s old" */
void truth_text(const struct snapshot *s, size_t vm, char *buf, size_t len)
{
	const struct vm_memory *m = &s->sample.vms[vm].mem;
	const struct vm_rate *r = &s->vm_rates[vm];
	const struct vm_status *st = &s->vm_status[vm];
	buf[0] = '\0';
	if (vi64_has(st->target_kib)) {
		char size[16];
		text_kib(size, sizeof size, st->target_kib.v);
		add(buf, len, ", ", "asked %s %.0f s ago", size, st->target_age_s);
	}
	add_kib(buf, len, "has", m->balloon_kib);
	if (vi64_has(m->balloon_kib) && vi64_has(m->max_kib)) {
		char size[16];
		text_kib(size, sizeof size, m->max_kib.v);
		add(buf, len, " ", "of %s", size);
	}
	add_kib(buf, len, "used", r->used_kib);
	add_kib(buf, len, "usable", m->usable_kib);
	add_kib(buf, len, "QEMU holds", m->rss_kib);
	if (vf64_has(r->swap_in_kib_s) && r->swap_in_kib_s.v >= 1)
		add(buf, len, ", ", "swaps in %.0f KiB/s", r->swap_in_kib_s.v);
	if (vf64_has(r->age_s))
		add(buf, len, ", ", "statistics %.0f s old", r->age_s.v);
	if (!vi64_has(r->used_kib))
		add(buf, len, " · ", "used -: %s", avail_text(r->used_kib.avail));
	if (st->mem.why.code != REASON_NONE)
		add(buf, len, " · ", "%s",
			st->mem.why.text[0] ? st->mem.why.text : reason_text(st->mem.why.code));
}

/* Bar of a guest: used, then what it has beyond that, of its maximum; the tick is the target. */
static void guest_bar(const struct snapshot *s, size_t vm, struct screen *to, struct rect at)
{
	const struct vm_memory *m = &s->sample.vms[vm].mem;
	struct vi64 used = s->vm_rates[vm].used_kib, target = s->vm_status[vm].target_kib;
	if (!vi64_has(m->max_kib) || m->max_kib.v <= 0 || !vi64_has(m->balloon_kib))
		return;
	double max = (double)m->max_kib.v, has = 100.0 * (double)m->balloon_kib.v / max;
	struct meter b = {.first = vi64_has(used) ? 100.0 * (double)used.v / max : 0, .tick = -1};
	b.second = has - b.first;
	b.first_style = has > 0 ? draw_load_style(100 * b.first / has) : STYLE_DIM;
	b.second_style = STYLE_DIM;
	if (vi64_has(target))
		b.tick = 100.0 * (double)target.v / max - 0.01;
	draw_meter(to, at.row, at.col, at.cols, &b);
}

static void draw_node(const struct node_sample *n, struct screen *to, struct rect at)
{
	char free_text[16], total[16];
	if (!vi64_has(n->total_kib) || !vi64_has(n->free_kib) || n->total_kib.v <= 0)
		return;
	text_kib(free_text, sizeof free_text, n->free_kib.v);
	text_kib(total, sizeof total, n->total_kib.v);
	double used = 100.0 * (double)(n->total_kib.v - n->free_kib.v) / (double)n->total_kib.v;
	struct meter m = {.first = used, .tick = -1, .first_style = draw_load_style(used)};
	screen_printf(to, at.row, at.col, 8, STYLE_DIM, "node %d", n->id);
	draw_meter(to, at.row, at.col + 8, at.cols - 28, &m);
	screen_printf(to, at.row, at.col + at.cols - 19, 19, STYLE_NORMAL, "%s of %s free", free_text, total);
}

static int draw_verdict(const struct snapshot *s, struct screen *to, struct rect at)
{
	char text[300] = "", size[16];
	if (vi64_has(s->memory.free_kib)) {
		text_kib(size, sizeof size, s->memory.free_kib.v);
		add(text, sizeof text, "", "%s to give", size);
	}
	add(text, sizeof text, " · ", "%d eligible", s->n_eligible_memory);
	if (s->memory.why.code != REASON_NONE)
		add(text, sizeof text, " · ", "%s",
			s->memory.why.text[0] ? s->memory.why.text : reason_text(s->memory.why.code));
	return draw_wrapped(to, at, STYLE_NORMAL, text);
}

void memory_draw(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at)
{
	size_t vm;
	if (at.rows < 2 || at.cols < 20)
		return;
	draw_title(to, at, false, "Memory", NULL);
	int row = at.row + 1, end = at.row + at.rows;
	row += draw_verdict(
		s, to, (struct rect){row, at.col + 1, end - row < 2 ? end - row : 2, at.cols - 1});
	if (rows_selected(v, s, &vm) && row < end) {
		char text[600], name[1400];
		text_escape(name, sizeof name, s->sample.vms[vm].name);
		int n = screen_columns(to, name) < at.cols / 3 ? screen_columns(to, name) : at.cols / 3;
		draw_cut(to, row, at.col + 1, n, STYLE_BOLD, name);
		guest_bar(s, vm, to, (struct rect){row++, at.col + n + 2, 1, at.cols - n - 3});
		truth_text(s, vm, text, sizeof text);
		row += draw_wrapped(
			to, (struct rect){row, at.col + 1, end - row, at.cols - 1}, STYLE_DIM, text);
	}
	for (size_t i = 0; i < s->sample.host.n_nodes && row < end && at.cols >= 50; i++)
		draw_node(&s->sample.host.nodes[i], to, (struct rect){row++, at.col + 1, 1, at.cols - 1});
}
