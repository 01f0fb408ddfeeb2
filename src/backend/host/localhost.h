/* SPDX-License-Identifier: MIT */
/* Facts of this machine from /proc and /sys, for hypervisors that run here. `root` is put in front of every
 * path: empty, or a made-up tree in tests. */
#ifndef VMTOP_BACKEND_LOCALHOST_H
#define VMTOP_BACKEND_LOCALHOST_H

#include "vmtop/sample.h"

/* pCPUs (present, online, isolated, busy and idle time), memory, memory pressure, nodes. Returns -1 when
 * there is no usable /proc/stat; other missing files are absent values. */
int localhost_host(const char *root, struct sample *sample);
/* Frequencies of the pCPUs of the sample, from cpufreq. What is remembered between readings; zeroed: nothing.
 */
enum { SPEEDS_EACH = 32 };
struct localhost_speeds {
	int64_t full_khz[CPUSET_CPUS], now_khz[CPUSET_CPUS];
	size_t turn;
	bool none; /* this machine does not tell */
};
void localhost_speed(const char *root, struct localhost_speeds *speeds, struct sample *sample);
/* All memory of this machine. */
struct vi64 localhost_total_kib(const char *root);

#endif
