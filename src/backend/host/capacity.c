/* SPDX-License-Identifier: MIT */
/* pCPUs that are not equal: as the kernel rates them (cpu_capacity, Arm), else by their highest frequency
 * and, on hybrid x86, by the two kinds that it names. Invariant: cores of one kind that the firmware lets run
 * a little faster than others are equal, and what is not told is equal too. Reads only. */
#include "capacity.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmtop/minmax.h"

#include "procfile.h"

enum { FILE_PATH = 512 };
/* Less is another kind of core. Preferred cores of one kind differ by up to a seventh in frequency; a rating
 * by the kernel is no such guess. Of two kinds that are named the lesser one is never the equal of the other.
 */
static const double same_by_frequency = .8, same_by_rating = .95, lesser_kind_most = .9;

static double read_value(const char *root, int cpu, const char *file)
{
	char path[FILE_PATH], text[64];
	int64_t v[1];
	snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/%s", root, cpu, file);
	bool has = procfile_read(path, text, sizeof text) > 0 && procfile_numbers(text, v, 1) == 1;
	return has && v[0] > 0 && v[0] < INT_MAX ? (double)v[0] : 0;
}

static bool read_all(const char *root, const struct topology *topo, const char *file, double *of)
{
	bool any = false;
	for (size_t i = 0; i < topo->n_cpus; i++)
		any |= (of[i] = read_value(root, topo->cpus[i].id, file)) > 0;
	return any;
}

static bool kind_read(const char *root, const char *kind, struct cpuset *cpus)
{
	char path[FILE_PATH];
	snprintf(path, sizeof path, "%s/sys/devices/cpu_%s/cpus", root, kind);
	return procfile_list(path, cpus) && !cpuset_empty(cpus);
}

/* The largest value among those in `cpus`; NULL: all. */
static double largest(const struct topology *topo, const double *of, const struct cpuset *cpus)
{
	double most = 0;
	for (size_t i = 0; i < topo->n_cpus; i++)
		if ((!cpus || cpuset_has(cpus, topo->cpus[i].id)) && of[i] > most)
			most = of[i];
	return most;
}

/* Who is nearly as large as the largest of its kind is as large, and so is who says nothing. */
static void level(
	const struct topology *topo, double *of, const struct cpuset *cpus, double same, double most)
{
	double top = largest(topo, of, cpus);
	for (size_t i = 0; i < topo->n_cpus; i++)
		if ((!cpus || cpuset_has(cpus, topo->cpus[i].id)) && (of[i] <= 0 || of[i] >= same * top))
			of[i] = min_of(top, most);
}

static void level_kinds(const char *root, const struct topology *topo, double *of)
{
	struct cpuset core, atom;
	if (!kind_read(root, "core", &core) || !kind_read(root, "atom", &atom)) {
		level(topo, of, NULL, same_by_frequency, INT_MAX);
		return;
	}
	level(topo, of, &core, same_by_frequency, INT_MAX);
	level(topo, of, &atom, same_by_frequency, lesser_kind_most * largest(topo, of, &core));
}

void capacity_read(const char *root, struct topology *topo)
{
	double *of = calloc(topo->n_cpus + 1, sizeof *of);
	bool any = of && read_all(root, topo, "cpu_capacity", of);
	if (any)
		level(topo, of, NULL, same_by_rating, INT_MAX);
	else if (of && (any = read_all(root, topo, "cpufreq/cpuinfo_max_freq", of)))
		level_kinds(root, topo, of);
	double top = any ? largest(topo, of, NULL) : 0;
	for (size_t i = 0; i < topo->n_cpus; i++) {
		int c = top > 0 ? (int)(PCPU_LARGEST * of[i] / top + .5) : 0;
		topo->cpus[i].capacity = top > 0 && c < 1 ? 1 : c;
	}
	free(of);
}
