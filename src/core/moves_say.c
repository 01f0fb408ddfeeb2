/* SPDX-License-Identifier: MIT */
/* Moves between hosts in words, and what forbids one. Invariant: names and errors of others are escaped;
 * each "no" says why and what to do. */
#include <stdio.h>
#include <string.h>

#include "vmtop/fleet_propose.h"
#include "vmtop/moves.h"
#include "vmtop/text.h"

const char *move_state_key(enum move_state s)
{
	static const char *const keys[] = {
#define MOVE_STATE_KEY(state, key) [state] = key,
		MOVE_STATE_TABLE(MOVE_STATE_KEY)
#undef MOVE_STATE_KEY
	};
	return (unsigned)s < MOVE_STATE_COUNT ? keys[s] : "?";
}

/* ---- may it begin? ---- */

/* driver[+transport]://server...: the same words mean the same host elsewhere. */
bool move_uri_travels(const char *uri)
{
	const char *at = strstr(uri, "://");
	if (!at || at == uri || strncmp(uri, "prom:", 5) == 0 || strncmp(uri, "sim:", 4) == 0)
		return false;
	const char *plus = memchr(uri, '+', (size_t)(at - uri));
	bool here = plus && strncmp(plus, "+unix", 5) == 0;
	static const char *const local[] = {"localhost", "127.", "[::1]", "/", "?"};
	const char *server = at + 3, *user = memchr(server, '@', strcspn(server, "/?"));
	server = user ? user + 1 : server;
	for (size_t i = 0; i < sizeof local / sizeof *local; i++)
		here |= strncmp(server, local[i], strlen(local[i])) == 0;
	return !here && *server;
}

static const char *bound_by(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *words;
	} rows[] = {
		{VM_FLAG_VFIO, "a device of the host is passed through to it: detach it first"},
		{VM_FLAG_SEV, "its memory is encrypted by this host"},
		{VM_FLAG_NO_STEER, "its metadata says that vmtop must not steer it"},
		{VM_FLAG_OPENSTACK, "it is OpenStack's: openstack server migrate --live-migration"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (flags & rows[i].flag)
			return rows[i].words;
	return NULL;
}

/* The target keeps what a plan keeps of a host for itself. */
static bool lacks_room(const struct move *m, const struct move_look *l, char *buf, size_t len)
{
	char to[160], room[16], need[16], keeps[16];
	text_escape(to, sizeof to, m->to.name);
	if (l->needs.n_pages) /* its memory is not of what is available, but of huge pages, which were counted
			       */
		return false;
	if (!vi64_has(l->room_kib) || !vi64_has(l->total_kib) || !vi64_has(l->memory_kib)) {
		snprintf(buf, len, "%s does not tell how much memory it has", to);
		return true;
	}
	int64_t own = l->total_kib.v / FLEET_RESERVE_PART;
	if (l->room_kib.v - own >= l->memory_kib.v)
		return false;
	text_kib(room, sizeof room, l->room_kib.v);
	text_kib(need, sizeof need, l->memory_kib.v);
	text_kib(keeps, sizeof keeps, own);
	snprintf(buf, len,
		"%s is full: %s available now, %s of it for itself, and the guest has %s; plan anew", to,
		room, keeps, need);
	return true;
}

static const char *not_as_planned(const struct move_look *l)
{
	if (!l->found)
		return "is no longer there; plan anew";
	if (!l->running)
		return "does not run any more; plan anew";
	if (l->job)
		return "has a job running (migration, backup, snapshot); try again when it has ended";
	return l->excluded ? "is not among the VMs that vmtop may steer (steer of the config)" : NULL;
}

bool move_refusal(const struct move *m, const struct move_look *l, char *buf, size_t len)
{
	char from[160], to[160], text[MOVE_TEXT];
	const char *not = not_as_planned(l), *bound = bound_by(l->flags);
	text_escape(from, sizeof from, m->from.name);
	text_escape(to, sizeof to, m->to.name);
	text_safe(text, sizeof text, *l->error ? l->error : l->owner);
	if (*l->error)
		snprintf(buf, len, "%s; nothing was begun", text);
	else if (not )
		snprintf(buf, len, "on %s the guest %s", from, not );
	else if (*l->owner)
		snprintf(buf, len, "%s", text);
	else if (bound)
		snprintf(buf, len, "%s", bound);
	else if (!*m->to.peer && !*l->resource)
		snprintf(buf, len,
			"%s is known by a URI that only its own host can use: give the one that %s reaches it by as "
			"peer in section [fleet]",
			to, from);
	else if (l->exists)
		snprintf(buf, len,
			"%s has a guest of this UUID or name already: remove that one there, if it is left over",
			to);
	else
		return move_unfit(m, &l->needs, buf, len) || lacks_room(m, l, buf, len);
	return true;
}

/* ---- what to do about an error ---- */

static const struct {
	const char *part, *words;
} advices[] = {
	{"shared storage", "its disks must be on storage that both hosts share"},
	{"cache other than none", "set cache='none' for its disks, or put them on a cluster's file system"},
	{"Cannot access storage file", "what it needs must be there on the target too, under the same path"},
	{"guest CPU", "give it a CPU model that both hosts have"},
	{"CPU feature", "give it a CPU model that both hosts have"},
	{"Host key verification", "log in once by ssh from the source host to the target as root"},
	{"publickey", "root of the source host needs an ssh key that the target takes"},
	{"Cannot recv data",
		"the source host must reach the target's libvirtd; peer in section [fleet] says how"},
	{"unable to connect to server",
		"the target's address or ports (49152 to 49215) are not reached from the "
		"source: migration_host in its qemu.conf, and its firewall"},
	{"Unable to resolve",
		"the source host must know the target's name; peer in section [fleet] may have an "
		"address"},
	{"name resolution",
		"the source host must know the target's name; peer in section [fleet] may have an "
		"address"},
	{"Cannot get interface MTU", "its network must exist on the target under the same name"},
	{"network", "its networks must exist and be active on the target"},
	{"same host", "both names of the fleet mean one host"},
	{"snapshot", "delete its snapshots first"},
	{"state change lock", "something else works on it; try again later"},
	{"emulator", "both hosts need the same QEMU machine type; update the older one"},
	{"machine type", "both hosts need the same QEMU machine type; update the older one"},
};

void move_advice(const struct move *m, const char *error, char *buf, size_t len)
{
	(void)m;
	buf[0] = '\0';
	for (size_t i = 0; i < sizeof advices / sizeof *advices && !buf[0]; i++)
		if (strstr(error, advices[i].part))
			snprintf(buf, len, "%s", advices[i].words);
}

/* ---- lines ---- */

void move_options(bool persistent, char *buf, size_t len)
{
	size_t n = 0;
	buf[0] = '\0';
#define ADD(name, word, defined)                                                                             \
	if ((persistent || !(defined)) && n < len)                                                           \
		n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? " " : "", word);
	MOVE_FLAG_TABLE(ADD)
#undef ADD
}

void move_title(const struct move *m, char *buf, size_t len)
{
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME];
	text_escape(vm, sizeof vm, m->vm);
	text_escape(from, sizeof from, m->from.name);
	text_escape(to, sizeof to, m->to.name);
	snprintf(buf, len, "%s: %s -> %s", vm, from, to);
}

static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

static void running_text(const struct move *m, int64_t now_ns, char *buf, size_t len)
{
	const struct move_progress *p = &m->progress;
	/* It may have begun since the clock was read. */
	double took = seconds(now_ns > m->began_ns ? now_ns - m->began_ns : 0);
	bool hard = took > 10 && vf64_has(p->dirty_mib_s) && vf64_has(p->sent_mib_s) &&
		    p->dirty_mib_s.v >= p->sent_mib_s.v;
	int n = snprintf(buf, len, "running %.1f s%s", took, *m->resource ? ", by Pacemaker" : "");
	if (vf64_has(p->pct) && vf64_has(p->left_mib))
		n += snprintf(buf + n, len - (size_t)n, ", %.0f %%, %.0f MiB left", p->pct.v, p->left_mib.v);
	if (hard)
		snprintf(buf + n, len - (size_t)n,
			"; the guest writes %.0f MiB/s and %.0f are sent: it may not end by itself",
			p->dirty_mib_s.v, p->sent_mib_s.v);
}

static void done_text(const struct move *m, char *buf, size_t len)
{
	const struct move_progress *p = &m->progress;
	int n = snprintf(buf, len, "done in %.1f s",
		vf64_has(p->took_ms) ? p->took_ms.v / 1e3 : seconds(m->ended_ns - m->began_ns));
	if (vf64_has(p->downtime_ms))
		n += snprintf(buf + n, len - (size_t)n, ", downtime %.0f ms", p->downtime_ms.v);
	if (*m->why)
		snprintf(buf + n, len - (size_t)n, "; %s", m->why);
}

void move_text(const struct move *m, int64_t now_ns, char *buf, size_t len)
{
	static const char *const words[MOVE_STATE_COUNT] = {[MOVE_WAITS] = "waits",
		[MOVE_LOOKS] = "looks again",
		[MOVE_CHECKS] = "looks where the guest is",
		[MOVE_FAILED] = "failed",
		[MOVE_ABORTED] = "aborted",
		[MOVE_UNKNOWN] = "not known",
		[MOVE_NOT_BEGUN] = "not begun"};
	if (m->state == MOVE_RUNS)
		running_text(m, now_ns, buf, len);
	else if (m->state == MOVE_DONE)
		done_text(m, buf, len);
	else
		snprintf(buf, len, "%s%s%s", words[m->state], *m->why ? ": " : "", m->why);
}

size_t moves_count(const struct moves *ms, enum move_state s)
{
	size_t n = 0;
	for (size_t i = 0; i < ms->n; i++)
		n += ms->list[i].state == s;
	return n;
}

void moves_text(const struct moves *ms, char *buf, size_t len)
{
	static const struct {
		enum move_state state;
		const char *words;
	} rest[] = {{MOVE_FAILED, "failed"}, {MOVE_ABORTED, "aborted"}, {MOVE_UNKNOWN, "not known"},
		{MOVE_NOT_BEGUN, "not begun"}};
	size_t done = moves_count(ms, MOVE_DONE);
	int n = done == ms->n ? snprintf(buf, len, "%zu move%s done", done, text_s(done))
			      : snprintf(buf, len, "%zu of %zu move%s done", done, ms->n, text_s(ms->n));
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
		size_t k = moves_count(ms, rest[i].state);
		if (k && (size_t)n < len)
			n += snprintf(buf + n, len - (size_t)n, ", %zu %s", k, rest[i].words);
	}
}
