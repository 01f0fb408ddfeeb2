/* SPDX-License-Identifier: MIT */
/* Every setting, after options, environment and files have been read. A plain value; strings are bounded.
 * One table (table/settings.c) names each: long option, short option, config key, type, range, default, help.
 */
#ifndef VMTOP_CONFIG_H
#define VMTOP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmtop/cpuset.h"

/* One row a CPU policy: number, name, its functions (placement.h). The first is the default. */
#define CPU_POLICY_TABLE(X)                                                                                  \
	X(CPU_POLICY_MINMOVE, "minmove", cpu_policy_minmove, "cures waiting, and binds nobody")              \
	X(CPU_POLICY_ORIGIN_A, "origin-a", cpu_policy_origin_a,                                              \
		"places whole virtual machines, by usage in descending order, each on the physical CPU "     \
		"with the least assigned so far, when the standard deviation is 5 points or more")           \
	X(CPU_POLICY_ORIGIN_B, "origin-b", cpu_policy_origin_b,                                              \
		"deals vCPUs by usage in descending order, zig-zag over the physical CPUs, when the "        \
		"standard deviation measured by the host is above 5 points and not lower than at the "       \
		"previous iteration")                                                                        \
	X(CPU_POLICY_ORIGIN_C, "origin-c", cpu_policy_origin_c,                                              \
		"as origin-a for single vCPUs, when the standard deviation is above 5 percent of the mean "  \
		"load")
/* The same for memory; what it can do besides is said beside its operations (src/core/mem_priv.h). */
#define MEM_POLICY_TABLE(X)                                                                                  \
	X(MEM_POLICY_WATERMARK, "watermark", mem_policy_watermark,                                           \
		"keeps the balloon of every guest between two watermarks around what it uses")               \
	X(MEM_POLICY_ORIGIN_C, "origin-c", mem_policy_origin_c,                                              \
		"claims a tenth of the unused memory of guests that have more than twice mem_threshold, "    \
		"and gives to guests that have less than it and are falling")

enum cpu_policy_id {
#define CPU_POLICY_ENUM(id, name, ops, help) id,
	CPU_POLICY_TABLE(CPU_POLICY_ENUM)
#undef CPU_POLICY_ENUM
		CPU_POLICY_COUNT
};
enum mem_policy_id {
#define MEM_POLICY_ENUM(id, name, ops, help) id,
	MEM_POLICY_TABLE(MEM_POLICY_ENUM)
#undef MEM_POLICY_ENUM
		MEM_POLICY_COUNT
};
enum granularity { GRAN_AUTO, GRAN_CPU, GRAN_CORE, GRAN_LLC, GRAN_NODE };
enum out_format { OUT_SCREEN, OUT_TEXT, OUT_JSON, OUT_CSV, OUT_OPENMETRICS, OUT_LOG };
enum reclaim_mode { RECLAIM_PROACTIVE, RECLAIM_PRESSURE };
/* What of the host is shown as one. */
enum merge { MERGE_NONE, MERGE_CORE, MERGE_LLC, MERGE_NODE, MERGE_COUNT };
/* How curves are drawn; auto: as the terminal can. */
enum graph { GRAPH_AUTO, GRAPH_BRAILLE, GRAPH_BLOCK, GRAPH_ASCII };
enum on_exit { ON_EXIT_DEFAULT, ON_EXIT_ASK, ON_EXIT_RESTORE, ON_EXIT_KEEP };

enum { CFG_TEXT = 512, CFG_PATTERNS = 64, CFG_VM_RULES = 256, CFG_FLEET = 32768 };

/* A [vm PATTERN] section of the config: first match in file order counts for each key that it sets. */
struct vm_setting {
	char pattern[256]; /* fnmatch on the name, or a UUID */
	bool exclude_cpu, exclude_memory, stay_on_node;
	double cpu_weight, mem_shares;    /* 0: not set */
	int64_t mem_min_kib, mem_max_kib; /* 0: not set */
};

enum { LAYOUT_NAME = 32, LAYOUT_TEXT = 1024, CFG_LAYOUTS = 16 };

/* A [layout NAME] section of the config, as lines "key = value". */
struct named_layout {
	char name[LAYOUT_NAME];
	char text[LAYOUT_TEXT];
};

/* The view that a screen begins with. */
enum first_view { FIRST_OVERVIEW, FIRST_PCPUS, FIRST_MEMORY, FIRST_LOG };

struct config {
	char uri[CFG_TEXT]; /* empty: the default search */
	double delay_s;     /* 2 (0.2 .. 3600) */
	long iterations;    /* -n; 0: no end */
	double end_after_s; /* --end-time; 0: none */
	enum out_format format;
	bool batch;
	char sort[32];
	char columns[CFG_TEXT]; /* empty: the default set */
	char output[CFG_TEXT];  /* empty: standard output */
	char listen[64];        /* empty: nowhere */
	bool listen_asked;      /* on the command line: a port that is taken is an error */
	int vcpu_metrics;       /* 4096: vCPUs with metrics of their own, at most */

	bool auto_cpu, auto_memory;
	enum cpu_policy_id cpu_policy;
	enum mem_policy_id mem_policy;
	enum granularity granularity;
	bool cross_node;                  /* false */
	bool shares;                      /* false: CPU shares are left alone */
	struct cpuset cpus, exclude_cpus; /* where vCPUs may be put; empty cpus: anywhere */
	bool dry_run, readonly, yes;
	enum on_exit on_exit;

	bool no_color, ascii, mouse;
	bool esc_quits;
	char theme[32];
	enum graph graph;
	bool sparklines;   /* true */
	bool hide_offline; /* pCPUs */
	bool tall;         /* the table alone, over the whole height */
	enum first_view view;
	char layout[LAYOUT_NAME]; /* to begin with; empty: none */
	struct named_layout layouts[CFG_LAYOUTS];
	size_t n_layouts;
	char memory_columns[CFG_TEXT]; /* of the memory view; empty: the default set */
	bool sort_reverse;             /* of the screen */
	enum merge merge;
	bool of_host; /* percent of the whole host instead of one pCPU */
	char config_file[CFG_TEXT];
	bool no_config;
	char record[CFG_TEXT], replay[CFG_TEXT];
	double record_keep_s;
	int64_t record_size_kib;
	bool replan;       /* replay: decide anew instead of showing what was decided */
	bool virtual_time; /* simulator: do not wait for the clock */

	/* Who may be steered: patterns of the command line, else `steer` of the config, else all. */
	char patterns[CFG_PATTERNS][256];
	size_t n_patterns;
	bool show_patterns; /* they come from the command line: the screen shows these VMs alone */
	struct vm_setting vm[CFG_VM_RULES];
	size_t n_vm;

	/* CPU, all policies */
	double foreign_hold_s; /* 600 */
	/* CPU presets of the origin */
	double origin_a_sd_points; /* 5: act when SD >= */
	double origin_b_sd_points; /* 5: act when SD > and >= the previous */
	double origin_c_sd_pct;    /* 5: percent of the mean */
	/* minmove */
	double act_above_pct;                              /* 5 */
	double stop_at_pct;                                /* 3 */
	double core_band_pct, llc_band_pct, node_band_pct; /* 5, 10, 17 */
	double demand_ewma_s;                              /* 4 */
	double min_gain_pct;                               /* 5: (this)^2 is the worth of one cost unit */
	double dwell_llc_s, dwell_node_s, dwell_cross_s;   /* 30, 60, 300 */
	double dwell_max_s;                                /* 60: of a vCPU that is moved again and again */
	int cooldown_rounds, cooldown_rejected_rounds;     /* 3, 10 */
	int max_moves;                                     /* 0: max(8, M/4) */
	double search_ms; /* 2: effort for fewer moves when it acts; 0: none */

	/* memory */
	double memory_cycle_s; /* 0: by policy, see mem_cycle_s() */
	int stats_period_s;    /* --stats-period: 0 not asked for; AUTO uses 2 */
	enum reclaim_mode reclaim;
	int64_t mem_threshold_kib; /* origin-c: 100 MiB */
	double mem_claim_pct;      /* origin-c: 10 */
	int64_t host_reserve_kib;  /* 0: the formula; origin-c keeps 200 MiB */
	double mem_min_pct;        /* 12.5 */
	int64_t mem_min_kib;       /* 128 MiB */
	double mem_head_pct;       /* 15 */
	double mem_decay_s;        /* 60 */
	double mem_peak_s;         /* 6 h: of what a guest has needed in the past */
	double mem_growth_s;       /* 15 */
	double mem_hold_s;         /* 60 */
	double mem_step_pct;       /* 10: largest shrink in a cycle, percent of the balloon */
	double mem_hard_step_pct;  /* 25: the same while the host is in a crisis */
	double mem_idle_tax;    /* 0.75: how much more an idle page counts against its guest, 0 .. below 1 */
	double mem_harm_hold_s; /* 2 h: no shrink for this long after one that hurt; doubles up to 6 times */
	double mem_psi_soft_pct, mem_psi_hard_pct; /* 10 (some), 5 (full): memory pressure of the host */
	double mem_stale_s;                        /* 0: 3 periods + 1 cycle */
	double mem_boot_s;                         /* 30: hands off for this long after a VM appeared */

	/* deadlines */
	double sample_deadline_s;  /* 2 */
	double change_deadline_s;  /* 5 */
	double restore_deadline_s; /* 45 */
	double give_up_s;          /* 900; 0: never */
	double open_deadline_s; /* for the first connection where nobody can be asked for a password; 0: none
				 */

	/* vmtop fleet */
	char fleet_hosts[CFG_FLEET];                              /* a line each: [NAME] URI */
	char fleet_peers[CFG_FLEET];                              /* NAME URI, as the other hosts reach it */
	char fleet_token_file[CFG_TEXT], fleet_ca_file[CFG_TEXT]; /* for a Prometheus */
	double fleet_scrape_s;                                    /* how often it asks its targets */
	int64_t fleet_link_kib;                                   /* a migration between hosts, in a second */
	double fleet_auto_after_s, fleet_auto_rest_s; /* --auto=fleet: a wait so long, a try so often */
	bool never_ask; /* many hosts are opened at once: for no password, on no terminal */
};

/* Defaults from the table. */
void config_defaults(struct config *cfg);

#endif
