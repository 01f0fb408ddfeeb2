/* SPDX-License-Identifier: MIT */
/* Moves between hosts in words, and what forbids one. Invariant: names and errors of others are escaped;
 * each "no" says why and what to do. */
#include <stdio.h>
#include <string.h>

#include "vmtop/fleet_propose.h"
#include "vmtop/minmax.h"
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
	if (user)
		server = user + 1;
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
static bool lacks_room(const struct move *move, const struct move_look *look, char *buf, size_t len)
{
	char to[160], room[16], need[16], keeps[16];
	text_escape(to, sizeof to, move->to.name);
	if (look->needs.n_pages) /* its memory is not of what is available, but of huge pages, which were
				  * counted
				  */
		return false;
	if (!vi64_has(look->room_kib) || !vi64_has(look->total_kib) || !vi64_has(look->memory_kib)) {
		snprintf(buf, len, "%s does not tell how much memory it has", to);
		return true;
	}
	int64_t own = look->total_kib.v / FLEET_RESERVE_PART;
	if (look->room_kib.v - own >= look->memory_kib.v)
		return false;
	text_kib(room, sizeof room, look->room_kib.v);
	text_kib(need, sizeof need, look->memory_kib.v);
	text_kib(keeps, sizeof keeps, own);
	snprintf(buf, len,
		"%s is full: %s available now, %s of it for itself, and the guest has %s; plan anew", to,
		room, keeps, need);
	return true;
}

static const char *not_as_planned(const struct move_look *look)
{
	if (!look->found)
		return "is no longer there; plan anew";
	if (!look->running)
		return "does not run any more; plan anew";
	if (look->job)
		return "has a job running (migration, backup, snapshot); try again when it has ended";
	return look->excluded ? "is not among the VMs that vmtop may steer (steer of the config)" : NULL;
}

bool move_refusal(const struct move *move, const struct move_look *look, char *buf, size_t len)
{
	char from[160], to[160], text[MOVE_TEXT];
	const char *not = not_as_planned(look), *bound = bound_by(look->flags);
	text_escape(from, sizeof from, move->from.name);
	text_escape(to, sizeof to, move->to.name);
	text_safe(text, sizeof text, text_or(look->error, look->owner));
	if (*look->error)
		snprintf(buf, len, "%s; nothing was begun", text);
	else if (not )
		snprintf(buf, len, "on %s the guest %s", from, not );
	else if (*look->owner)
		snprintf(buf, len, "%s", text);
	else if (bound)
		snprintf(buf, len, "%s", bound);
	else if (!*move->to.peer && !*look->resource)
		snprintf(buf, len,
			"%s is known by a URI that only its own host can use: give the one that %s reaches it by as "
			"peer in section [fleet]",
			to, from);
	else if (look->exists)
		snprintf(buf, len,
			"%s has a guest of this UUID or name already: remove that one there, if it is left over",
			to);
	else
		return move_unfit(move, &look->needs, buf, len) || lacks_room(move, look, buf, len);
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

void move_advice(const struct move *move, const char *error, char *buf, size_t len)
{
	(void)move;
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

void move_title(const struct move *move, char *buf, size_t len)
{
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME];
	text_escape(vm, sizeof vm, move->vm);
	text_escape(from, sizeof from, move->from.name);
	text_escape(to, sizeof to, move->to.name);
	snprintf(buf, len, "%s: %s -> %s", vm, from, to);
}

static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

static void running_text(const struct move *move, int64_t now_ns, char *buf, size_t len)
{
	const struct move_progress *progress = &move->progress;
	/* It may have begun since the clock was read. */
	double took = seconds(excess(now_ns, move->began_ns));
	bool hard = took > 10 && vf64_has(progress->dirty_mib_s) && vf64_has(progress->sent_mib_s) &&
		    progress->dirty_mib_s.v >= progress->sent_mib_s.v;
	int n = snprintf(buf, len, "running %.1f s%s", took, text_if(*move->resource, ", by Pacemaker"));
	if (vf64_has(progress->pct) && vf64_has(progress->left_mib))
		n += snprintf(buf + n, len - (size_t)n, ", %.0f %%, %.0f MiB left", progress->pct.v,
			progress->left_mib.v);
	if (hard)
		snprintf(buf + n, len - (size_t)n,
			"; the guest writes %.0f MiB/s and %.0f are sent: it may not end by itself",
			progress->dirty_mib_s.v, progress->sent_mib_s.v);
}

static void done_text(const struct move *move, char *buf, size_t len)
{
	const struct move_progress *progress = &move->progress;
	int n = snprintf(buf, len, "done in %.1f s",
		vf64_has(progress->took_ms) ? progress->took_ms.v / 1e3
					    : seconds(move->ended_ns - move->began_ns));
	if (vf64_has(progress->downtime_ms))
		n += snprintf(buf + n, len - (size_t)n, ", downtime %.0f ms", progress->downtime_ms.v);
	if (*move->why)
		snprintf(buf + n, len - (size_t)n, "; %s", move->why);
}

void move_text(const struct move *move, int64_t now_ns, char *buf, size_t len)
{
	static const char *const words[MOVE_STATE_COUNT] = {[MOVE_WAITS] = "waits",
		[MOVE_LOOKS] = "looks again",
		[MOVE_CHECKS] = "looks where the guest is",
		[MOVE_FAILED] = "failed",
		[MOVE_ABORTED] = "aborted",
		[MOVE_UNKNOWN] = "not known",
		[MOVE_NOT_BEGUN] = "not begun"};
	if (move->state == MOVE_RUNS)
		running_text(move, now_ns, buf, len);
	else if (move->state == MOVE_DONE)
		done_text(move, buf, len);
	else
		snprintf(buf, len, "%s%s%s", words[move->state], text_if(*move->why, ": "), move->why);
}

size_t moves_count(const struct moves *moves, enum move_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < moves->n; i++)
		n += moves->list[i].state == state;
	return n;
}

void moves_text(const struct moves *moves, char *buf, size_t len)
{
	static const struct {
		enum move_state state;
		const char *words;
	} rest[] = {{MOVE_FAILED, "failed"}, {MOVE_ABORTED, "aborted"}, {MOVE_UNKNOWN, "not known"},
		{MOVE_NOT_BEGUN, "not begun"}};
	size_t done = moves_count(moves, MOVE_DONE);
	int n = done == moves->n
			? snprintf(buf, len, "%zu move%s done", done, text_s(done))
			: snprintf(buf, len, "%zu of %zu move%s done", done, moves->n, text_s(moves->n));
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
		size_t k = moves_count(moves, rest[i].state);
		if (k && (size_t)n < len)
			n += snprintf(buf + n, len - (size_t)n, ", %zu %s", k, rest[i].words);
	}
}
