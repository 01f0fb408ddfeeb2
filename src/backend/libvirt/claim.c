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

static void name_self(struct claim_self *self)
{
	struct passwd *user = getpwuid(geteuid());
	if (gethostname(self->host, sizeof self->host - 1) < 0 || !*self->host)
		snprintf(self->host, sizeof self->host, "unknown");
	snprintf(self->user, sizeof self->user, "uid-%u", (unsigned)geteuid());
	if (user && user->pw_name && *user->pw_name)
		snprintf(self->user, sizeof self->user, "%.31s", user->pw_name);
	plain(self->host);
	plain(self->user);
}

void claim_init(struct claim *claim)
{
	struct stat ns;
	struct claim_self *self = &claim->self;
	memset(claim, 0, sizeof *claim);
	name_self(self);
	if (procfile_read("/proc/sys/kernel/random/boot_id", self->boot, sizeof self->boot) < 0)
		self->boot[0] = '\0';
	self->boot[strcspn(self->boot, "\n")] = '\0';
	if (!*self->boot)
		snprintf(self->boot, sizeof self->boot, "-");
	self->pid_namespace = stat("/proc/self/ns/pid", &ns) == 0 ? (unsigned long)ns.st_ino : 0;
	self->pid = (long)getpid();
	self->since_s = (int64_t)time(NULL);
}

void claim_text(const struct claim_self *self, int64_t beat, char *buf, size_t len)
{
	snprintf(buf, len, "vmtop 1 host=%s user=%s pid=%ld since=%lld boot=%s pidns=%lu beat=%lld",
		self->host, self->user, self->pid, (long long)self->since_s, self->boot, self->pid_namespace,
		(long long)beat);
}

bool claim_parse(struct claim_self *of, const char *text)
{
	struct claim_self self = {0};
	long long since, beat;
	int end = 0;
	if (sscanf(text,
		    "vmtop 1 host=%63s user=%31s pid=%18ld since=%18lld boot=%39s pidns=%18lu beat=%19lld%n",
		    self.host, self.user, &self.pid, &since, self.boot, &self.pid_namespace, &beat,
		    &end) != 7 ||
		text[end] || self.pid <= 0 || since <= 0)
		return false;
	self.since_s = since;
	plain(self.host);
	plain(self.user);
	*of = self;
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

static int define(virConnectPtr conn, struct claim *claim)
{
	char text[400], xml[800];
	int64_t now = claim_clock_ns();
	claim_text(&claim->self, now, text, sizeof text);
	snprintf(xml, sizeof xml,
		"<secret ephemeral='yes' private='yes'><uuid>%s</uuid><description>%s</description>"
		"<usage type='ceph'><name>" USAGE "</name></usage></secret>",
		claim->uuid, text);
	virResetLastError();
	virSecretPtr secret = virSecretDefineXML(conn, xml, 0);
	if (!secret)
		return -1;
	virSecretFree(secret);
	claim->beat_ns = now;
	return 0;
}

static void undefine(virConnectPtr conn, const char *uuid)
{
	virSecretPtr secret = *uuid ? virSecretLookupByUUIDString(conn, uuid) : NULL;
	if (!secret)
		return;
	virSecretUndefine(secret);
	virSecretFree(secret);
}

/* Its UUID and description. False: there is none, or it cannot be read; the error is libvirt's. */
static bool read_holder(virConnectPtr conn, char uuid[UUID_TEXT], char *text, size_t len)
{
	virResetLastError();
	virSecretPtr secret = virSecretLookupByUsage(conn, VIR_SECRET_USAGE_TYPE_CEPH, USAGE);
	char *xml = secret ? virSecretGetXMLDesc(secret, 0) : NULL;
	bool got = xml && virSecretGetUUIDString(secret, uuid) == 0;
	xmlDocPtr doc = got ? xml_read(xml, "secret", NULL) : NULL;
	xmlNodePtr top = xmlDocGetRootElement(doc);
	/* Whatever else is in it, a secret on disk is not one of vmtop's. */
	if (!xml_attr_is(top, "ephemeral", "yes") || !xml_text(xml_child(top, "description"), text, len))
		text[0] = '\0';
	xmlFreeDoc(doc);
	free(xml);
	if (secret)
		virSecretFree(secret);
	return got;
}

static enum claim_state state_of_error(void)
{
	virErrorPtr error = virGetLastError();
	int code = error ? error->code : VIR_ERR_OK;
	if (code == VIR_ERR_NO_SECRET)
		return CLAIM_FREE;
	/* Without a secret driver, or (daemons apart) without the daemon that would have it. */
	if (connect_unsupported() || code == VIR_ERR_NO_CONNECT ||
		(error && error->message && strstr(error->message, "virtsecretd")))
		return CLAIM_NONE;
	if (code == VIR_ERR_OPERATION_DENIED || code == VIR_ERR_ACCESS_DENIED ||
		code == VIR_ERR_AUTH_FAILED || code == VIR_ERR_AUTH_CANCELLED ||
		code == VIR_ERR_AUTH_UNAVAILABLE)
		return CLAIM_DENIED;
	return CLAIM_UNKNOWN;
}

static void tell_who(struct claim *claim, const struct claim_self *self)
{
	char since[40] = "-";
	time_t t = (time_t)self->since_s;
	struct tm tm;
	if (localtime_r(&t, &tm))
		strftime(since, sizeof since, "%Y-%m-%d %H:%M", &tm);
	snprintf(claim->status.who, sizeof claim->status.who, "%s@%s, process %ld, since %s", self->user,
		self->host, self->pid, since);
}

/* Since when the holder has been as it is, by our own clock: no other machine's is believed. */
static void note_holder(struct claim *claim, const char *uuid, const char *text)
{
	if (strcmp(claim->other, uuid) == 0 && strcmp(claim->other_text, text) == 0)
		return;
	snprintf(claim->other, sizeof claim->other, "%s", uuid);
	snprintf(claim->other_text, sizeof claim->other_text, "%s", text);
	claim->other_since_ns = claim_clock_ns();
}

static void judge_holder(struct claim *claim, const char *uuid, const char *text)
{
	struct claim_self of;
	note_holder(claim, uuid, text);
	claim->status.state = CLAIM_OTHER;
	if (!claim_parse(&of, text)) {
		snprintf(claim->status.who, sizeof claim->status.who, "secret %s, which vmtop did not make,",
			uuid);
		return;
	}
	tell_who(claim, &of);
	if (claim->beat_ns && strcmp(uuid, claim->uuid) == 0)
		claim->status.state = CLAIM_OURS;
	else if (is_dead(&of, &claim->self) ||
		 claim_clock_ns() - claim->other_since_ns >= CLAIM_EXPIRY_S * SECOND)
		claim->status.state = CLAIM_LEFT;
}

void claim_look(virConnectPtr conn, struct claim *claim, struct err *err)
{
	char uuid[UUID_TEXT], text[sizeof claim->other_text] = "";
	if (read_holder(conn, uuid, text, sizeof text)) {
		judge_holder(claim, uuid, text);
		return;
	}
	claim->status.state = state_of_error();
	claim->status.who[0] = '\0';
	if (claim->status.state == CLAIM_UNKNOWN || claim->status.state == CLAIM_DENIED)
		connect_err(err, "looking who steers this host");
}

static int refused(struct claim *claim, struct err *err)
{
	claim->beat_ns = 0;
	switch (claim->status.state) {
	case CLAIM_NONE:
		return 0;
	case CLAIM_OTHER:
		return err_set(err, ERR_DENIED, "%s steers this host", claim->status.who);
	case CLAIM_DENIED:
		return err_set(err, ERR_DENIED,
			"no right to keep a secret in libvirt, which says who steers this host; without it nothing is steered");
	default:
		return err_set(err, ERR_RUNTIME,
			"whether another vmtop steers this host is not known, so nothing is steered");
	}
}

static void new_token(virConnectPtr conn, struct claim *claim)
{
	uint8_t raw[UUID_BYTES];
	undefine(conn, claim->uuid);
	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
		memset(raw, 0, sizeof raw); /* refused by libvirt: nothing is steered */
	uuid_format(raw, claim->uuid);
	claim->beat_ns = 0;
}

int claim_take(virConnectPtr conn, struct claim *claim, struct err *err)
{
	if (!claim_fresh(claim))
		new_token(conn, claim);
	for (int i = 0; i < TRIES; i++) {
		if (define(conn, claim) == 0) {
			claim->status.state = CLAIM_OURS;
			tell_who(claim, &claim->self);
			return 0;
		}
		claim->status.state = state_of_error();
		if (claim->status.state == CLAIM_NONE || claim->status.state == CLAIM_DENIED)
			break;
		claim_look(conn, claim, NULL);
		if (claim->status.state == CLAIM_LEFT)
			undefine(conn, claim->other);
		else if (claim->status.state != CLAIM_FREE)
			break;
	}
	return refused(claim, err);
}

void claim_drop(virConnectPtr conn, struct claim *claim)
{
	undefine(conn, claim->uuid);
	claim->uuid[0] = '\0';
	claim->beat_ns = 0;
	claim->status.state = CLAIM_FREE;
}

bool claim_fresh(const struct claim *claim)
{
	return !claim || (claim->beat_ns && claim_clock_ns() - claim->beat_ns < CLAIM_FRESH_S * SECOND);
}
