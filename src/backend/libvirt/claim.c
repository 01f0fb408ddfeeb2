/* SPDX-License-Identifier: MIT */
/* See claim.h. Invariant: a secret that vmtop did not define is never touched; between the look at a holder
 * and its removal stands its UUID, so a later holder is safe. Must not know: links, deadlines, plans. */
#include "claim.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../host/procfile.h"
#include "../xml.h"
#include "connect.h"
#include "vmtop/clock.h"

#define USAGE  "vmtop/steers-this-host"
#define SECOND INT64_C(1000000000)

enum { TRIES = 3 };

int64_t claim_clock_ns(void)
{
	return clock_of(CLOCK_BOOTTIME);
}

/* ---- who ---- */

/* Letters of names; what else there is would need care in XML and in the words of a description. */
static void plain(char *s)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	for (; *s; s++)
		if (!strchr(good, *s))
			*s = '_';
}

static void name_self(struct claim_self *s)
{
	struct passwd *pw = getpwuid(geteuid());
	if (gethostname(s->host, sizeof s->host - 1) < 0 || !*s->host)
		snprintf(s->host, sizeof s->host, "unknown");
	snprintf(s->user, sizeof s->user, "uid-%u", (unsigned)geteuid());
	if (pw && pw->pw_name && *pw->pw_name)
		snprintf(s->user, sizeof s->user, "%.31s", pw->pw_name);
	plain(s->host);
	plain(s->user);
}

void claim_init(struct claim *k)
{
	struct stat ns;
	struct claim_self *s = &k->self;
	memset(k, 0, sizeof *k);
	name_self(s);
	if (procfile_read("/proc/sys/kernel/random/boot_id", s->boot, sizeof s->boot) < 0)
		s->boot[0] = '\0';
	s->boot[strcspn(s->boot, "\n")] = '\0';
	if (!*s->boot)
		snprintf(s->boot, sizeof s->boot, "-");
	s->pid_namespace = stat("/proc/self/ns/pid", &ns) == 0 ? (unsigned long)ns.st_ino : 0;
	s->pid = (long)getpid();
	s->since_s = (int64_t)time(NULL);
}

void claim_text(const struct claim_self *s, int64_t beat, char *buf, size_t len)
{
	snprintf(buf, len, "vmtop 1 host=%s user=%s pid=%ld since=%lld boot=%s pidns=%lu beat=%lld", s->host,
		s->user, s->pid, (long long)s->since_s, s->boot, s->pid_namespace, (long long)beat);
}

bool claim_parse(struct claim_self *of, const char *text)
{
	struct claim_self s = {0};
	long long since, beat;
	int end = 0;
	if (sscanf(text,
		    "vmtop 1 host=%63s user=%31s pid=%18ld since=%18lld boot=%39s pidns=%18lu beat=%19lld%n",
		    s.host, s.user, &s.pid, &since, s.boot, &s.pid_namespace, &beat, &end) != 7 ||
		text[end] || s.pid <= 0 || since <= 0)
		return false;
	s.since_s = since;
	plain(s.host);
	plain(s.user);
	*of = s;
	return true;
}

static bool same_machine(const struct claim_self *a, const struct claim_self *b)
{
	return strcmp(a->boot, "-") != 0 && strcmp(a->boot, b->boot) == 0 && a->pid_namespace &&
	       a->pid_namespace == b->pid_namespace;
}

/* A process of this machine that is no more, or ourselves under an earlier UUID. */
static bool is_dead(const struct claim_self *s, const struct claim_self *self)
{
	return same_machine(s, self) &&
	       (s->pid == self->pid || (kill((pid_t)s->pid, 0) < 0 && errno == ESRCH));
}

/* ---- the secret ---- */

static int define(virConnectPtr c, struct claim *k)
{
	char text[400], xml[800];
	int64_t now = claim_clock_ns();
	claim_text(&k->self, now, text, sizeof text);
	snprintf(xml, sizeof xml,
		"<secret ephemeral='yes' private='yes'><uuid>%s</uuid><description>%s</description>"
		"<usage type='ceph'><name>" USAGE "</name></usage></secret>",
		k->uuid, text);
	virResetLastError();
	virSecretPtr s = virSecretDefineXML(c, xml, 0);
	if (!s)
		return -1;
	virSecretFree(s);
	k->beat_ns = now;
	return 0;
}

static void undefine(virConnectPtr c, const char *uuid)
{
	virSecretPtr s = *uuid ? virSecretLookupByUUIDString(c, uuid) : NULL;
	if (!s)
		return;
	virSecretUndefine(s);
	virSecretFree(s);
}

/* Its UUID and description. False: there is none, or it cannot be read; the error is libvirt's. */
static bool read_holder(virConnectPtr c, char uuid[UUID_TEXT], char *text, size_t len)
{
	virResetLastError();
	virSecretPtr s = virSecretLookupByUsage(c, VIR_SECRET_USAGE_TYPE_CEPH, USAGE);
	char *xml = s ? virSecretGetXMLDesc(s, 0) : NULL;
	bool got = xml && virSecretGetUUIDString(s, uuid) == 0;
	xmlDocPtr doc = got ? xml_read(xml, "secret", NULL) : NULL;
	xmlNodePtr top = doc ? xmlDocGetRootElement(doc) : NULL;
	/* Whatever else is in it, a secret on disk is not one of vmtop's. */
	if (!xml_attr_is(top, "ephemeral", "yes") || !xml_text(xml_child(top, "description"), text, len))
		text[0] = '\0';
	xmlFreeDoc(doc);
	free(xml);
	if (s)
		virSecretFree(s);
	return got;
}

static enum claim_state state_of_error(void)
{
	virErrorPtr le = virGetLastError();
	int code = le ? le->code : VIR_ERR_OK;
	if (code == VIR_ERR_NO_SECRET)
		return CLAIM_FREE;
	/* Without a secret driver, or (daemons apart) without the daemon that would have it. */
	if (connect_unsupported() || code == VIR_ERR_NO_CONNECT ||
		(le && le->message && strstr(le->message, "virtsecretd")))
		return CLAIM_NONE;
	if (code == VIR_ERR_OPERATION_DENIED || code == VIR_ERR_ACCESS_DENIED ||
		code == VIR_ERR_AUTH_FAILED || code == VIR_ERR_AUTH_CANCELLED ||
		code == VIR_ERR_AUTH_UNAVAILABLE)
		return CLAIM_DENIED;
	return CLAIM_UNKNOWN;
}

static void tell_who(struct claim *k, const struct claim_self *s)
{
	char since[40] = "-";
	time_t t = (time_t)s->since_s;
	struct tm tm;
	if (localtime_r(&t, &tm))
		strftime(since, sizeof since, "%Y-%m-%d %H:%M", &tm);
	snprintf(k->status.who, sizeof k->status.who, "%s@%s, process %ld, since %s", s->user, s->host,
		s->pid, since);
}

/* Since when the holder has been as it is, by our own clock: no other machine's is believed. */
static void note_holder(struct claim *k, const char *uuid, const char *text)
{
	if (strcmp(k->other, uuid) == 0 && strcmp(k->other_text, text) == 0)
		return;
	snprintf(k->other, sizeof k->other, "%s", uuid);
	snprintf(k->other_text, sizeof k->other_text, "%s", text);
	k->other_since_ns = claim_clock_ns();
}

static void judge_holder(struct claim *k, const char *uuid, const char *text)
{
	struct claim_self of;
	note_holder(k, uuid, text);
	k->status.state = CLAIM_OTHER;
	if (!claim_parse(&of, text)) {
		snprintf(k->status.who, sizeof k->status.who, "secret %s, which vmtop did not make,", uuid);
		return;
	}
	tell_who(k, &of);
	if (k->beat_ns && strcmp(uuid, k->uuid) == 0)
		k->status.state = CLAIM_OURS;
	else if (is_dead(&of, &k->self) || claim_clock_ns() - k->other_since_ns >= CLAIM_EXPIRY_S * SECOND)
		k->status.state = CLAIM_LEFT;
}

void claim_look(virConnectPtr c, struct claim *k, struct err *e)
{
	char uuid[UUID_TEXT], text[sizeof k->other_text] = "";
	if (read_holder(c, uuid, text, sizeof text)) {
		judge_holder(k, uuid, text);
		return;
	}
	k->status.state = state_of_error();
	k->status.who[0] = '\0';
	if (k->status.state == CLAIM_UNKNOWN || k->status.state == CLAIM_DENIED)
		connect_err(e, "looking who steers this host");
}

static int refused(struct claim *k, struct err *e)
{
	k->beat_ns = 0;
	switch (k->status.state) {
	case CLAIM_NONE:
		return 0;
	case CLAIM_OTHER:
		return err_set(e, ERR_DENIED, "%s steers this host", k->status.who);
	case CLAIM_DENIED:
		return err_set(e, ERR_DENIED,
			"no right to keep a secret in libvirt, which says who steers this host; without it nothing is steered");
	default:
		return err_set(e, ERR_RUNTIME,
			"whether another vmtop steers this host is not known, so nothing is steered");
	}
}

static void new_token(virConnectPtr c, struct claim *k)
{
	uint8_t raw[UUID_BYTES];
	undefine(c, k->uuid);
	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
		memset(raw, 0, sizeof raw); /* refused by libvirt: nothing is steered */
	uuid_format(raw, k->uuid);
	k->beat_ns = 0;
}

int claim_take(virConnectPtr c, struct claim *k, struct err *e)
{
	if (!claim_fresh(k))
		new_token(c, k);
	for (int i = 0; i < TRIES; i++) {
		if (define(c, k) == 0) {
			k->status.state = CLAIM_OURS;
			tell_who(k, &k->self);
			return 0;
		}
		k->status.state = state_of_error();
		if (k->status.state == CLAIM_NONE || k->status.state == CLAIM_DENIED)
			break;
		claim_look(c, k, NULL);
		if (k->status.state == CLAIM_LEFT)
			undefine(c, k->other);
		else if (k->status.state != CLAIM_FREE)
			break;
	}
	return refused(k, e);
}

void claim_drop(virConnectPtr c, struct claim *k)
{
	undefine(c, k->uuid);
	k->uuid[0] = '\0';
	k->beat_ns = 0;
	k->status.state = CLAIM_FREE;
}

bool claim_fresh(const struct claim *k)
{
	return !k || (k->beat_ns && claim_clock_ns() - k->beat_ns < CLAIM_FRESH_S * SECOND);
}
