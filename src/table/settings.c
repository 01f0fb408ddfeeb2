/* SPDX-License-Identifier: MIT */
/* The settings table and its look-ups.
 * Invariant: every default passes its own row's check; names of options and keys are unique.
 * Knows nothing about files, argv or the terminal. How a value is read and written: setting_value.c. */
#include "vmtop/settings.h"

#include <stdlib.h>
#include <string.h>

#include "vmtop/snapshot.h"
#include "vmtop/theme.h"

#define CHOICES(name, type)                                                                                  \
	static const char *choice_##name(int i)                                                              \
	{                                                                                                    \
		return name##_name((enum type)i);                                                            \
	}
#define CHOICE_LIST(name, ...)                                                                               \
	static const char *choice_##name(int i)                                                              \
	{                                                                                                    \
		static const char *const names[] = {__VA_ARGS__};                                            \
		return (size_t)i < sizeof names / sizeof *names ? names[i] : "?";                            \
	}
CHOICES(cpu_policy, cpu_policy_id)
CHOICES(mem_policy, mem_policy_id)
CHOICES(granularity, granularity)
CHOICE_LIST(format, "screen", "text", "json", "csv", "openmetrics", "log") /* enum out_format */
CHOICE_LIST(graph, "auto", "braille", "block", "ascii")                    /* enum graph */
CHOICE_LIST(view, "overview", "pcpus", "memory", "log")                    /* enum first_view */
CHOICE_LIST(merge, "cpu", "core", "llc", "node")                           /* enum merge */
CHOICE_LIST(reclaim, "proactive", "pressure")                              /* enum reclaim_mode */
CHOICE_LIST(on_exit, "default", "ask", "restore", "keep")                  /* enum on_exit */
static const char *choice_theme(int i)
{
	const struct theme *theme = theme_at((size_t)i);
	return theme ? theme->name : "?";
}

#define VM_FIELD(f) offsetof(struct vm_setting, f), sizeof(((struct vm_setting *)0)->f)
#define FIELD(f)    offsetof(struct config, f), sizeof(((struct config *)0)->f)
#define NO_FIELD    0, 0

/* clang-format off */
const struct setting settings[] = {
	/* option, letter, key, section, type, field, min, max, initial, arg, choice, help */
	{"connect", 'c', "uri", SECTION_CONNECTION, SET_TEXT, FIELD(uri), 0, 0, "", "URI", NULL,
		"hypervisor to connect to: a libvirt URI, or sim:NAME or sim:FILE for a simulated host"},
	{"readonly", 0, "readonly", SECTION_CONNECTION, SET_FLAG, FIELD(readonly), 0, 0, "no", NULL, NULL,
		"open a read-only connection; nothing can be changed"},
	{"delay", 'd', "delay", SECTION_CONNECTION, SET_SECONDS, FIELD(delay_s), 0.2, 3600, "2", "SECS", NULL,
		"time between samples; a lone number as argument means the same"},
	{"iterations", 'n', "iterations", SECTION_CONNECTION, SET_LONG, FIELD(iterations), 0, 1e9, "0", "N", NULL,
		"end after N screens or outputs (0: never); one output takes two samples"},
	{"end-time", 0, "end_time", SECTION_CONNECTION, SET_SECONDS, FIELD(end_after_s), 0, 1e8, "0", "+SECS", NULL,
		"end after this time (0: never)"},

	{"batch", 'b', "batch", SECTION_OUTPUT, SET_FLAG, FIELD(batch), 0, 0, "no", NULL, NULL,
		"print to standard output instead of showing a screen"},
	{"format", 0, "format", SECTION_OUTPUT, SET_CHOICE, FIELD(format), 0, 0, "screen", "FORMAT", choice_format,
		"output format; every one but screen implies --batch"},
	{"json", 0, NULL, SECTION_OUTPUT, SET_ALIAS, NO_FIELD, 0, 0, "format=json", NULL, NULL,
		"short for --format json: JSON Lines, one object a tick"},
	{"csv", 0, NULL, SECTION_OUTPUT, SET_ALIAS, NO_FIELD, 0, 0, "format=csv", NULL, NULL,
		"short for --format csv: one row a tick and VM"},
	{"output", 0, "output", SECTION_OUTPUT, SET_TEXT, FIELD(output), 0, 0, "", "FILE", NULL,
		"write there instead of to standard output; openmetrics replaces the file as a whole each time"},
	{"sort", 'o', "sort", SECTION_OUTPUT, SET_TEXT, FIELD(sort), 0, 0, "cpu", "COLUMN", NULL,
		"column that VMs are sorted by; help lists the columns"},
	{"columns", 0, "columns", SECTION_OUTPUT, SET_TEXT, FIELD(columns), 0, 0, "", "LIST", NULL,
		"columns to show, separated by commas; help lists them"},
	{"listen", 0, "listen", SECTION_OUTPUT, SET_TEXT, FIELD(listen), 0, 0, "", "[ADDRESS:]PORT", NULL,
		"answer Prometheus over HTTP at /metrics; without an address on loopback alone"},
	{NULL, 0, "vcpu_metrics", SECTION_OUTPUT, SET_INT, FIELD(vcpu_metrics), 0, 1e6, "4096", "N", NULL,
		"most vCPUs that have metrics of their own, three each (0: none)"},

	{"auto", 0, "auto", SECTION_STEERING, SET_AUTO, NO_FIELD, 0, 0, "none", "cpu,memory", NULL,
		"start with AUTO on: for CPUs, memory, or both; none: off"},
	{"cpu-policy", 0, "cpu_policy", SECTION_STEERING, SET_CHOICE, FIELD(cpu_policy), 0, 0, "minmove", "POLICY",
		choice_cpu_policy, "how vCPUs are placed"},
	{"memory-policy", 0, "memory_policy", SECTION_STEERING, SET_CHOICE, FIELD(mem_policy), 0, 0, "watermark",
		"POLICY", choice_mem_policy, "how balloons are sized"},
	{"granularity", 0, "granularity", SECTION_STEERING, SET_CHOICE, FIELD(granularity), 0, 0, "auto", "UNIT",
		choice_granularity, "what minmove binds a vCPU to; auto: to nothing, it only frees those whose "
		"affinity makes them wait"},
	{"cross-node", 0, "cross_node", SECTION_STEERING, SET_FLAG, FIELD(cross_node), 0, 0, "no", NULL, NULL,
		"allow moves to another NUMA node also where no node is overloaded"},
	{"shares", 0, "shares", SECTION_STEERING, SET_FLAG, FIELD(shares), 0, 0, "no", NULL, NULL,
		"CPU AUTO: more CPU shares for a guest that starves on a full host, up to what its vCPUs are due"},
	{"cpus", 0, "cpus", SECTION_STEERING, SET_CPUS, FIELD(cpus), 0, 0, "", "CPULIST", NULL,
		"put vCPUs on these pCPUs alone (empty: on all); those that are elsewhere are not driven out"},
	{"exclude-cpus", 0, "exclude_cpus", SECTION_STEERING, SET_CPUS, FIELD(exclude_cpus), 0, 0, "", "CPULIST", NULL,
		"put no vCPU on these pCPUs, such as isolated ones of a remote host, which libvirt does not tell"},
	{"dry-run", 0, "dry_run", SECTION_STEERING, SET_FLAG, FIELD(dry_run), 0, 0, "no", NULL, NULL,
		"plan and log, but change nothing"},
	{"yes", 0, "yes", SECTION_STEERING, SET_FLAG, FIELD(yes), 0, 0, "no", NULL, NULL,
		"do not ask before AUTO is turned on"},
	{"on-exit", 0, "on_exit", SECTION_STEERING, SET_CHOICE, FIELD(on_exit), 0, 0, "default", "WHAT", choice_on_exit,
		"what becomes of the changes at the end; default: ask on screen, restore in batch"},
	{"stats-period", 0, "stats_period", SECTION_STEERING, SET_INT, FIELD(stats_period_s), 0, 3600, "0", "SECS", NULL,
		"turn guest memory statistics on with this period (0: leave them; AUTO for memory uses 2)"},
	{"reclaim", 0, "reclaim", SECTION_STEERING, SET_CHOICE, FIELD(reclaim), 0, 0, "pressure", "MODE",
		choice_reclaim, "take idle memory back only under pressure, or always"},
	{NULL, 0, "steer", SECTION_STEERING, SET_STEER, NO_FIELD, 0, 0, "", "PATTERN...", NULL,
		"VMs that may be steered, when the command line names none: shell patterns or UUIDs"},

	{"no-color", 0, "no_color", SECTION_SCREEN, SET_FLAG, FIELD(no_color), 0, 0, "no", NULL, NULL,
		"use bold, reverse and underline only"},
	{"ascii", 0, "ascii", SECTION_SCREEN, SET_FLAG, FIELD(ascii), 0, 0, "no", NULL, NULL,
		"draw with ASCII characters only"},
	{"mouse", 0, "mouse", SECTION_SCREEN, SET_FLAG, FIELD(mouse), 0, 0, "no", NULL, NULL,
		"let the mouse select and scroll"},
	{"theme", 0, "theme", SECTION_SCREEN, SET_TEXT, FIELD(theme), 0, 0, "default", "THEME", choice_theme,
		"colours of the screen"},
	{NULL, 0, "graph", SECTION_SCREEN, SET_CHOICE, FIELD(graph), 0, 0, "auto", "KIND", choice_graph,
		"what curves are drawn with; auto: as the terminal can"},
	{NULL, 0, "sparklines", SECTION_SCREEN, SET_FLAG, FIELD(sparklines), 0, 0, "yes", NULL, NULL,
		"show the last minutes of each VM in its row"},
	{NULL, 0, "hide_offline", SECTION_SCREEN, SET_FLAG, FIELD(hide_offline), 0, 0, "no", NULL, NULL,
		"leave pCPUs that are offline out of the screen; the title of the pin map says how many"},
	{NULL, 0, "tall", SECTION_SCREEN, SET_FLAG, FIELD(tall), 0, 0, "no", NULL, NULL,
		"show the table, the pin map or the log alone, over the whole height (z switches)"},
	{NULL, 0, "view", SECTION_SCREEN, SET_CHOICE, FIELD(view), 0, 0, "overview", "VIEW", choice_view,
		"view to begin with"},
	{"layout", 0, "layout", SECTION_SCREEN, SET_TEXT, FIELD(layout), 0, 0, "", "NAME", NULL,
		"layout to begin with, of a [layout NAME] section; it goes before the single settings of the screen"},
	{NULL, 0, "of_host", SECTION_SCREEN, SET_FLAG, FIELD(of_host), 0, 0, "no", NULL, NULL,
		"percent of the whole host instead of one pCPU (I switches)"},
	{NULL, 0, "sort_reverse", SECTION_SCREEN, SET_FLAG, FIELD(sort_reverse), 0, 0, "no", NULL, NULL,
		"turn the order of the rows round (r switches)"},
	{NULL, 0, "merge", SECTION_SCREEN, SET_CHOICE, FIELD(merge), 0, 0, "cpu", "UNIT", choice_merge,
		"what pCPUs are shown as one (! switches)"},
	{NULL, 0, "memory_columns", SECTION_SCREEN, SET_TEXT, FIELD(memory_columns), 0, 0, "", "LIST", NULL,
		"columns of the memory view, separated by commas"},

	{NULL, 0, "esc_quits", SECTION_SCREEN, SET_FLAG, FIELD(esc_quits), 0, 0, "no", NULL, NULL,
		"Esc ends the program where nothing is left to go back from, as vmtop fleet starts it"},

	{"record", 0, NULL, SECTION_FILES, SET_TEXT, FIELD(record), 0, 0, "", "FILE", NULL,
		"write everything that is seen and done into a new recording"},
	{"record-keep", 0, "record_keep", SECTION_FILES, SET_SECONDS, FIELD(record_keep_s), 0, 1e9, "0", "SECS", NULL,
		"keep only the last so many seconds of a recording (0: all)"},
	{"record-size", 0, "record_size", SECTION_FILES, SET_KIB, FIELD(record_size_kib), 0, 1e12, "0", "BYTES", NULL,
		"most that a recording may take, with those of earlier runs beside it; the oldest goes (0: any; never less than 4 MiB)"},
	{"replay", 0, NULL, SECTION_FILES, SET_TEXT, FIELD(replay), 0, 0, "", "FILE", NULL,
		"show a recording instead of a host"},
	{"replan", 0, NULL, SECTION_FILES, SET_FLAG, FIELD(replan), 0, 0, "no", NULL, NULL,
		"with --replay: run the policies on the recording instead of showing what was decided then"},
	{"virtual-time", 0, "virtual_time", SECTION_FILES, SET_FLAG, FIELD(virtual_time), 0, 0, "no", NULL, NULL,
		"simulator: run through a scenario without waiting for the clock"},
	{"config", 0, NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", "FILE", NULL,
		"read this file instead of the user's and the system's"},
	{"no-config", 0, NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", NULL, NULL, "read no config file"},
	{"set", 's', NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", "KEY=VALUE", NULL,
		"set any key of vmtop.conf(5)"},
	{"restore", 0, NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", NULL, NULL,
		"put back what an earlier run changed and could not put back, and end"},
	{"check", 0, NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", NULL, NULL,
		"look at the host, plan, change nothing; say what would happen, what is missing, and end"},
	{"release", 0, NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", "VM", NULL,
		"put one VM back as found, also beside a vmtop that steers, and end; --all: every VM"},
	{"help", 'h', NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", NULL, NULL, "show this help and end"},
	{"version", 'V', NULL, SECTION_FILES, SET_ACTION, NO_FIELD, 0, 0, "", NULL, NULL, "show the version and end"},

#define KEY(sec, key, type, field, min, max, initial, help)                                                  \
	{NULL, 0, key, sec, type, FIELD(field), min, max, initial, NULL, NULL, help}
	KEY(SECTION_CPU, "foreign_hold", SET_SECONDS, foreign_hold_s, 0, 1e6, "10min",
		"hands off a vCPU, and no shrink of a guest, for this long after somebody else pinned or ballooned it"),
	KEY(SECTION_CPU, "origin_a_sd_points", SET_REAL, origin_a_sd_points, 0, 100, "5",
		"origin-a acts at this standard deviation or above, in percent of a pCPU"),
	KEY(SECTION_CPU, "origin_b_sd_points", SET_REAL, origin_b_sd_points, 0, 100, "5",
		"origin-b acts above this standard deviation, in percent of a pCPU"),
	KEY(SECTION_CPU, "origin_c_sd_pct", SET_REAL, origin_c_sd_pct, 0, 1000, "5",
		"origin-c acts above this standard deviation, in percent of the mean load"),
	KEY(SECTION_CPU, "act_above_pct", SET_REAL, act_above_pct, 0, 100, "5",
		"minmove acts above this standard deviation, in percent of a pCPU"),
	KEY(SECTION_CPU, "stop_at_pct", SET_REAL, stop_at_pct, 0, 100, "3", "minmove stops moving at this one"),
	KEY(SECTION_CPU, "core_band_pct", SET_REAL, core_band_pct, 0, 100, "5", "tolerated deviation between cores"),
	KEY(SECTION_CPU, "llc_band_pct", SET_REAL, llc_band_pct, 0, 100, "10",
		"tolerated deviation between last-level caches"),
	KEY(SECTION_CPU, "node_band_pct", SET_REAL, node_band_pct, 0, 100, "17",
		"tolerated deviation between NUMA nodes"),
	KEY(SECTION_CPU, "demand_ewma", SET_SECONDS, demand_ewma_s, 0, 3600, "4", "smoothing of demand"),
	KEY(SECTION_CPU, "min_gain_pct", SET_REAL, min_gain_pct, 0, 100, "5",
		"the square of this is what one unit of move cost must gain"),
	KEY(SECTION_CPU, "dwell_llc", SET_SECONDS, dwell_llc_s, 0, 1e6, "30",
		"rest of a vCPU after a move within a last-level cache"),
	KEY(SECTION_CPU, "dwell_node", SET_SECONDS, dwell_node_s, 0, 1e6, "60", "rest after a move within a node"),
	KEY(SECTION_CPU, "dwell_cross", SET_SECONDS, dwell_cross_s, 0, 1e6, "5min", "rest after a move across nodes"),
	KEY(SECTION_CPU, "dwell_max", SET_SECONDS, dwell_max_s, 0, 1e6, "60",
		"the longest rest of a vCPU that has to be moved again and again; 0: no longer than the others"),
	KEY(SECTION_CPU, "cooldown_rounds", SET_INT, cooldown_rounds, 0, 1000, "3", "rounds of rest after acting"),
	KEY(SECTION_CPU, "cooldown_rejected_rounds", SET_INT, cooldown_rejected_rounds, 0, 1000, "10",
		"rounds of rest after a plan that was not worth it"),
	KEY(SECTION_CPU, "max_moves", SET_INT, max_moves, 0, 100000, "0",
		"most moves in one round (0: a quarter of the pCPUs, at least 8)"),
	KEY(SECTION_CPU, "search_ms", SET_REAL, search_ms, 0, 1000, "2",
		"minmove: about how long a round that acts may look for a plan with fewer moves (0: not at all)"),

	KEY(SECTION_MEMORY, "memory_cycle", SET_SECONDS, memory_cycle_s, 0, 3600, "0",
		"time between memory cycles (0: 5 s; origin-c: 2 s)"),
	KEY(SECTION_MEMORY, "mem_threshold", SET_KIB, mem_threshold_kib, 1024, 1e12, "100MiB",
		"origin-c: a guest with less unused memory is in need"),
	KEY(SECTION_MEMORY, "mem_claim_pct", SET_REAL, mem_claim_pct, 0, 100, "10",
		"origin-c: share of unused memory claimed in a cycle"),
	KEY(SECTION_MEMORY, "host_reserve", SET_KIB, host_reserve_kib, 0, 1e12, "0",
		"memory kept for the host (0: 5 % of it, between 1 and 16 GiB; origin-c: 200 MiB; never less)"),
	KEY(SECTION_MEMORY, "mem_min_pct", SET_REAL, mem_min_pct, 0, 100, "12.5",
		"smallest balloon, in percent of the guest's maximum"),
	KEY(SECTION_MEMORY, "mem_min", SET_KIB, mem_min_kib, 0, 1e12, "128MiB", "smallest balloon"),
	KEY(SECTION_MEMORY, "mem_head_pct", SET_REAL, mem_head_pct, 0, 1000, "15",
		"room above what a guest uses, in percent of that"),
	KEY(SECTION_MEMORY, "mem_decay", SET_SECONDS, mem_decay_s, 0.1, 1e6, "60",
		"half-life with which past use is forgotten"),
	KEY(SECTION_MEMORY, "mem_peak", SET_SECONDS, mem_peak_s, 0.1, 1e7, "6h",
		"for this long the most that a guest used counts in full; after that it fades"),
	KEY(SECTION_MEMORY, "mem_growth", SET_SECONDS, mem_growth_s, 0.1, 1e6, "15",
		"half-life with which past growth is forgotten"),
	KEY(SECTION_MEMORY, "mem_hold", SET_SECONDS, mem_hold_s, 0, 1e6, "60", "no shrink for this long after a grow"),
	KEY(SECTION_MEMORY, "mem_step_pct", SET_REAL, mem_step_pct, 1, 25, "10",
		"largest shrink in a cycle, in percent of the balloon"),
	KEY(SECTION_MEMORY, "mem_hard_step_pct", SET_REAL, mem_hard_step_pct, 1, 25, "25",
		"the same while the host is in a crisis"),
	KEY(SECTION_MEMORY, "mem_idle_tax", SET_REAL, mem_idle_tax, 0, 0.99, "0.75",
		"how much more an idle page counts against its guest when somebody must give"),
	KEY(SECTION_MEMORY, "mem_harm_hold", SET_SECONDS, mem_harm_hold_s, 0, 1e6, "2h",
		"no shrink for this long after one that hurt; doubles up to six times"),
	KEY(SECTION_MEMORY, "mem_psi_soft_pct", SET_REAL, mem_psi_soft_pct, 0.1, 100, "10",
		"memory pressure of the host (some, 10 s) from which idle memory is taken back"),
	KEY(SECTION_MEMORY, "mem_psi_hard_pct", SET_REAL, mem_psi_hard_pct, 0.1, 100, "5",
		"memory pressure of the host (full, 10 s) that counts as a crisis"),
	KEY(SECTION_MEMORY, "mem_stale", SET_SECONDS, mem_stale_s, 0, 1e6, "0",
		"older guest statistics are not used (0: three periods and a cycle)"),
	KEY(SECTION_MEMORY, "mem_boot", SET_SECONDS, mem_boot_s, 0, 1e6, "30",
		"hands off a guest for this long after it appeared"),

	KEY(SECTION_DEADLINES, "sample_deadline", SET_SECONDS, sample_deadline_s, 0.1, 600, "2",
		"longest wait for a sample"),
	KEY(SECTION_DEADLINES, "change_deadline", SET_SECONDS, change_deadline_s, 0.1, 600, "5",
		"longest wait for a change"),
	KEY(SECTION_DEADLINES, "restore_deadline", SET_SECONDS, restore_deadline_s, 0, 86400, "45",
		"how long putting back is tried again at the end, and by --restore"),
	KEY(SECTION_DEADLINES, "give_up", SET_SECONDS, give_up_s, 0, 1e6, "15min",
		"a run without a screen that could not steer for so long ends with an error (0: never)"),

	KEY(SECTION_FLEET, "fleet_host", SET_HOSTS, fleet_hosts, 0, 0, "",
		"a host of vmtop fleet: its name and its URI; may be given on many lines"),
	KEY(SECTION_FLEET, "fleet_peer", SET_HOSTS, fleet_peers, 0, 0, "",
		"a host's name and the libvirt URI by which the other hosts reach it, for moves to it, where that is not the one above; may be given on many lines"),
	KEY(SECTION_FLEET, "fleet_token_file", SET_TEXT, fleet_token_file, 0, 0, "",
		"file with the token that prom: is asked with, over https or on this machine alone"),
	KEY(SECTION_FLEET, "fleet_ca_file", SET_TEXT, fleet_ca_file, 0, 0, "",
		"certificates that https of prom: is trusted by (empty: those of the system)"),
	KEY(SECTION_FLEET, "fleet_scrape", SET_SECONDS, fleet_scrape_s, 1, 86400, "60",
		"how often Prometheus asks its hosts; after three times that one is late"),
	KEY(SECTION_FLEET, "fleet_link", SET_KIB, fleet_link_kib, 1024, 1e9, "110M",
		"what a migration between two hosts can send in a second"),
	KEY(SECTION_FLEET, "fleet_auto_after", SET_SECONDS, fleet_auto_after_s, 1, 86400, "30",
		"vmtop fleet --auto=fleet: demand is written once guests of a host want more than it has for so long"),
	KEY(SECTION_FLEET, "fleet_auto_rest", SET_SECONDS, fleet_auto_rest_s, 1, 86400, "10min",
		"vmtop fleet --auto=fleet: least time between two tries"),
#undef KEY
};

#define VM_KEY(key, sec, type, field, min, max, help)                                                        \
	{NULL, 0, key, sec, type, VM_FIELD(field), min, max, "", NULL, NULL, help}
const struct setting vm_settings[] = {
	VM_KEY("exclude_cpu", SECTION_CPU, SET_FLAG, exclude_cpu, 0, 0, "never pin its vCPUs"),
	VM_KEY("exclude_memory", SECTION_MEMORY, SET_FLAG, exclude_memory, 0, 0, "never set its balloon"),
	VM_KEY("stay_on_node", SECTION_CPU, SET_FLAG, stay_on_node, 0, 0, "never move it to another NUMA node"),
	VM_KEY("cpu_weight", SECTION_CPU, SET_REAL, cpu_weight, 0.01, 1000,
		"moving its vCPUs costs this many times as much"),
	VM_KEY("mem_shares", SECTION_MEMORY, SET_REAL, mem_shares, 0.01, 1000,
		"its share when memory is short, against 1 for the others"),
	VM_KEY("mem_min", SECTION_MEMORY, SET_KIB, mem_min_kib, 1024, 1e12, "its balloon never goes below this"),
	VM_KEY("mem_max", SECTION_MEMORY, SET_KIB, mem_max_kib, 1024, 1e12, "its balloon never goes above this"),
#undef VM_KEY
};
/* clang-format on */
const size_t n_vm_settings = sizeof vm_settings / sizeof *vm_settings;
const size_t n_settings = sizeof settings / sizeof *settings;

const char *setting_section_text(enum setting_section section)
{
	static const char *const names[SECTION_COUNT] = {
		[SECTION_CONNECTION] = "Connection and time",
		[SECTION_OUTPUT] = "Output",
		[SECTION_STEERING] = "Steering",
		[SECTION_SCREEN] = "Screen",
		[SECTION_FILES] = "Files and help",
		[SECTION_CPU] = "CPU policies",
		[SECTION_MEMORY] = "Memory policies",
		[SECTION_DEADLINES] = "Deadlines",
		[SECTION_FLEET] = "Fleet",
	};
	return (unsigned)section < SECTION_COUNT ? names[section] : "?";
}

bool setting_called(const char *name, const char *given, size_t len)
{
	if (!name || strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] != given[i] && !(strchr("-_", name[i]) && strchr("-_", given[i])))
			return false;
	return true;
}

const struct setting *setting_by_key(const char *key)
{
	for (size_t i = 0; i < n_settings; i++)
		if (setting_called(settings[i].key, key, strlen(key)))
			return &settings[i];
	return NULL;
}

const struct setting *vm_setting_by_key(const char *key)
{
	for (size_t i = 0; i < n_vm_settings; i++)
		if (setting_called(vm_settings[i].key, key, strlen(key)))
			return &vm_settings[i];
	return NULL;
}

bool setting_takes_value(const struct setting *setting)
{
	return setting->arg && setting->type != SET_AUTO;
}

void config_defaults(struct config *cfg)
{
	struct err err = ERR_INIT;
	memset(cfg, 0, sizeof *cfg);
	for (size_t i = 0; i < n_settings; i++)
		if (settings[i].key && setting_apply(cfg, &settings[i], settings[i].initial, &err) < 0)
			abort(); /* the table contradicts itself: a test walks it */
}
