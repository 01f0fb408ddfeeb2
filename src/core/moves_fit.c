/* SPDX-License-Identifier: MIT */
/* Whether a host has what a guest's definition asks of it. Invariant: what libvirt would refuse by itself may
 * be left to it where it is not known; what it would let happen, and harm the guest, may not. */
#include <stdio.h>

#include "vmtop/moves.h"
#include "vmtop/text.h"

struct hosts {
	char from[160], to[160];
};

/* Not only where no pCPU is left: the kernel takes no list that names one which it cannot have. */
static bool pins_lead_out(const struct hosts *hosts, const struct move_needs *n, char *buf, size_t len)
{
	char missing[60], has[60];
	struct cpuset out = n->pins;
	cpuset_andnot(&out, &n->pcpus);
	if (cpuset_empty(&out) || cpuset_empty(&n->pcpus))
		return false;
	cpuset_format(&out, missing, sizeof missing);
	cpuset_format(&n->pcpus, has, sizeof has);
	snprintf(buf, len,
		"its pins name pCPU %s, and %s has %s: widen them first (virsh vcpupin, emulatorpin)",
		missing, hosts->to, has);
	return true;
}

static bool disks_stay(const struct hosts *hosts, const struct move_needs *n, char *buf, size_t len)
{
	char disk[300];
	text_escape(disk, sizeof disk, n->disk);
	if (n->disks == DISKS_LOCAL)
		snprintf(buf, len, "its disk %s is of %s alone: bring it to storage that %s shares", disk,
			hosts->from, hosts->to);
	else if (n->disks == DISKS_UNKNOWN)
		snprintf(buf, len,
			"nobody can tell whether %s is the same disk on %s: where it is, migrate the guest by hand",
			disk, hosts->to);
	return n->disks == DISKS_LOCAL || n->disks == DISKS_UNKNOWN;
}

static bool pages_lack(const struct hosts *hosts, const struct move_needs *n, char *buf, size_t len)
{
	char size[16], room[16], need[16];
	for (size_t i = 0; i < n->n_pages; i++) {
		const struct move_pages *pages = &n->pages[i];
		if (vi64_has(pages->free_kib) && pages->free_kib.v >= pages->need_kib)
			continue;
		text_kib(size, sizeof size, pages->size_kib);
		text_kib(need, sizeof need, pages->need_kib);
		text_kib(room, sizeof room, pages->free_kib.v);
		if (!vi64_has(pages->free_kib))
			snprintf(buf, len, "%s does not tell how many huge pages of %s are free", hosts->to,
				size);
		else
			snprintf(buf, len,
				"%s has %s free in huge pages of %s, and the guest has %s: add some there "
				"(virsh allocpages)",
				hosts->to, room, size, need);
		return true;
	}
	return false;
}

bool move_unfit(const struct move *move, const struct move_needs *n, char *buf, size_t len)
{
	struct hosts hosts;
	text_escape(hosts.from, sizeof hosts.from, move->from.name);
	text_escape(hosts.to, sizeof hosts.to, move->to.name);
	if (pins_lead_out(&hosts, n, buf, len) || disks_stay(&hosts, n, buf, len))
		return true;
	if (n->cpu == MOVE_CPU_LACKS) {
		snprintf(buf, len,
			"the CPU of %s lacks what the guest's has: give it a CPU model that both hosts have",
			hosts.to);
		return true;
	}
	return pages_lack(&hosts, n, buf, len);
}
