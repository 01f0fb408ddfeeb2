/* SPDX-License-Identifier: MIT */
/* OpenMetrics text: one exposition a tick, ended by "# EOF". Every numeric column of the column table is a
 * metric, in base units (bytes, seconds). Invariant: an absent value has no line; a name has no control
 * characters.
 */
#include <math.h>
#include <string.h>

#include "vmtop/batch.h"
#include "vmtop/columns.h"
#include "vmtop/text.h"

static void label(FILE *to, const char *name, const char *raw)
{
	char clean[4 * VM_NAME_BYTES];
	text_safe_utf8(clean, sizeof clean, raw);
	fprintf(to, "%s=\"", name);
	for (const char *p = clean; *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', to);
		fputc(*p, to);
	}
	fputc('"', to);
}

struct unit {
	const char *of_column, *suffix;
	double factor;
};

static const struct unit *unit_of(const struct column *c)
{
	static const struct unit units[] = {
		{"%", "_percent", 1},
		{"KiB", "_bytes", 1024},
		{"s", "_seconds", 1},
		{"1/s", "_per_second", 1},
		{"KiB/s", "_bytes_per_second", 1024},
		{"B/s", "_bytes_per_second", 1},
		{"", "", 1},
	};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].of_column, c->unit) == 0)
			return &units[i];
	return &units[6];
}

static void family(FILE *to, const char *name, const char *suffix, const char *help)
{
	fprintf(to, "# TYPE %s%s gauge\n# HELP %s%s ", name, suffix, name, suffix);
	for (const char *p = help; *p; p++)
		fprintf(to, strchr("\\\"", *p) ? "\\%c" : "%c", *p);
	fputc('\n', to);
}

static void host_value(FILE *to, const char *name, const char *help, struct vf64 v)
{
	if (!vf64_has(v) || !isfinite(v.v))
		return;
	family(to, name, "", help);
	fprintf(to, "%s %.10g\n", name, v.v);
}

static struct vf64 bytes(struct vi64 kib)
{
	return vi64_has(kib) ? vf64_ok((double)kib.v * 1024) : vf64_absent(kib.avail);
}

static void host_values(FILE *to, const struct snapshot *s)
{
	host_value(to, "vmtop_host_busy_percent", "mean busy time of the online pCPUs", s->busy_pct);
	host_value(to, "vmtop_host_load_stddev_percent", "older name of vmtop_host_stddev_percent",
		s->cpu.stddev_pct);
	host_value(to, "vmtop_host_stddev_percent", "deviation that the policy goes by", s->cpu.stddev_pct);
	host_value(to, "vmtop_host_limit_percent", "deviation above which the policy acts", s->cpu.limit_pct);
	host_value(to, "vmtop_host_found_percent", "deviation of the best placement known", s->cpu.found_pct);
	host_value(to, "vmtop_host_bound_percent", "no placement has less deviation", s->cpu.bound_pct);
	host_value(to, "vmtop_host_memory_bytes", "memory of the host", bytes(s->sample.host.total_kib));
	host_value(to, "vmtop_host_memory_available_bytes", "memory the host could give out",
		bytes(s->sample.host.available_kib));
	host_value(to, "vmtop_auto_cpu", "1 while AUTO steers CPUs", vf64_ok(s->auto_cpu));
	host_value(to, "vmtop_auto_memory", "1 while AUTO steers memory", vf64_ok(s->auto_memory));
}

static void pcpu_values(FILE *to, const struct snapshot *s)
{
	family(to, "vmtop_pcpu_busy_percent", "", "busy time of a pCPU");
	for (size_t i = 0; i < s->sample.host.n_pcpus; i++)
		if (vf64_has(s->pcpu_rates[i].busy_pct))
			fprintf(to, "vmtop_pcpu_busy_percent{pcpu=\"%d\"} %.10g\n",
				s->sample.host.pcpus[i].id, s->pcpu_rates[i].busy_pct.v);
}

static void vm_values(struct batch_out *o, const struct snapshot *s, const struct column *c)
{
	const struct unit *u = unit_of(c);
	struct column_env env = {.s = s};
	struct value v;
	char name[64];
	snprintf(name, sizeof name, "vmtop_vm_%s", c->key);
	family(o->to, name, u->suffix, c->help);
	for (size_t vm = 0; vm < s->sample.n_vms; vm++) {
		char uuid[UUID_TEXT];
		column_get(c, &env, vm, &v);
		if (v.avail != AVAIL_OK || !isfinite(v.num))
			continue;
		uuid_format(s->sample.vms[vm].uuid, uuid);
		fprintf(o->to, "%s%s{", name, u->suffix);
		label(o->to, "vm", s->sample.vms[vm].name);
		fprintf(o->to, ",uuid=\"%s\"} %.12g\n", uuid, v.num * u->factor);
	}
}

int openmetrics_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	(void)e;
	host_values(o->to, s);
	pcpu_values(o->to, s);
	for (int i = 0; i < o->n_columns; i++) {
		const struct column *c = column_at(o->columns[i]);
		if (c->type != VALUE_TEXT)
			vm_values(o, s, c);
	}
	fputs("# EOF\n", o->to);
	return 0;
}
