/* SPDX-License-Identifier: MIT */
/* See spy.h. */
#include "support/spy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/scenario.h"

static struct spy *spy_of(struct backend *b)
{
	return (struct spy *)(void *)b;
}

double spy_now_s(struct spy *s)
{
	return (double)(s->sim->ops->now(s->sim) - s->born_ns) / 1e9;
}

static bool fails_now(struct spy *s)
{
	double now = spy_now_s(s);
	if (now >= s->down_from_s && now < s->down_until_s)
		return true;
	if (++s->calls != s->fail_at)
		return false;
	s->failed = true;
	return true;
}

static int spy_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct spy *s = spy_of(b);
	if (fails_now(s))
		return s->slow ? err_set(e, ERR_TIMEOUT, "it is slow: no answer yet")
			       : err_set(e, ERR_TIMEOUT, "call %ld fails in this test", s->calls);
	int rc = s->sim->ops->sample(s->sim, groups, to, e);
	for (size_t i = 0; s->name && i < to->n_vms; i++)
		snprintf(to->vms[i].name, sizeof to->vms[i].name, "%s", s->name);
	for (size_t i = 0; s->openstack && i < to->n_vms; i++)
		to->vms[i].flags |= VM_FLAG_OPENSTACK;
	to->host.others |= s->others;
	to->wall_ns += s->wall_jump_ns;
	if (s->sampled)
		s->sampled(s->arg, to);
	return rc;
}

static void mark(struct spy *s, const uint8_t uuid[UUID_BYTES], int vcpu, bool on)
{
	size_t i = 0;
	while (i < s->n_marks && (s->marks[i].vcpu != vcpu || memcmp(s->marks[i].uuid, uuid, UUID_BYTES)))
		i++;
	if (i < s->n_marks && !on)
		s->marks[i] = s->marks[--s->n_marks];
	else if (i == s->n_marks && on && i < sizeof s->marks / sizeof *s->marks)
		memcpy(s->marks[s->n_marks++].uuid, uuid, UUID_BYTES), s->marks[i].vcpu = vcpu;
}

static int spy_disown(struct backend *b, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	struct spy *s = spy_of(b);
	if (s->marks_stay > 0)
		return s->marks_stay--, -1;
	mark(s, uuid, vcpu, false);
	return 0;
}

static void spy_apply(struct backend *b, struct action *a, size_t n)
{
	struct spy *s = spy_of(b);
	if (s->before)
		s->before(s->arg, a, n);
	for (size_t i = 0; i < n; i++) {
		bool fails = fails_now(s);
		s->changes++;
		if (a[i].kind == ACTION_PIN)
			mark(s, a[i].uuid, a[i].vcpu, true);
		if (!fails || s->unknown)
			s->sim->ops->apply(s->sim, &a[i], 1);
		if (a[i].kind == ACTION_PIN && a[i].outcome == OUTCOME_DONE &&
			a[i].why.code == REASON_RESTORE)
			mark(s, a[i].uuid, a[i].vcpu, false);
		if (s->made && a[i].outcome == OUTCOME_DONE)
			s->made(s->arg, &a[i]);
		if (!fails)
			continue;
		a[i].outcome = s->unknown ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
		snprintf(a[i].error, sizeof a[i].error, "call %ld fails in this test", s->calls);
	}
	if (s->after)
		s->after(s->arg, a, n);
}

static enum wake spy_wait(struct backend *b, int64_t until_ns, int fd)
{
	return spy_of(b)->sim->ops->wait(spy_of(b)->sim, until_ns, fd);
}

static int64_t spy_now(struct backend *b)
{
	return spy_of(b)->sim->ops->now(spy_of(b)->sim);
}

static void spy_status(struct backend *b, struct backend_status *st)
{
	struct spy *s = spy_of(b);
	s->sim->ops->status(s->sim, st);
	st->readonly = s->denied;
	st->claim = s->claim;
	double down = spy_now_s(s) - s->down_from_s;
	if (s->slow && down >= 0 && spy_now_s(s) < s->down_until_s) {
		st->link = LINK_SLOW;
		snprintf(st->text, sizeof st->text, "it is slow: no answer for %.1f s", spy_now_s(s));
	}
}

static int spy_claim(struct backend *b, bool take, struct err *e)
{
	struct spy *s = spy_of(b);
	s->claimed += take;
	s->let_go += !take;
	if (take && s->claim.state == CLAIM_OTHER)
		return err_set(e, ERR_DENIED, "%s steers this host", s->claim.who);
	if (take && s->claim.state == CLAIM_DENIED)
		return err_set(e, ERR_DENIED, "no right to claim this host");
	if (take && s->claim.state == CLAIM_UNKNOWN)
		return err_set(e, ERR_TIMEOUT, "no answer to who steers this host");
	if (take && s->claim.state != CLAIM_NONE)
		s->claim.state = CLAIM_OURS;
	else if (s->claim.state == CLAIM_OURS)
		s->claim.state = CLAIM_FREE;
	return 0;
}

static void spy_close(struct backend *b)
{
	spy_claim(b, false, NULL); /* the host lives on */
}

static enum known spy_known(struct backend *b, const uint8_t uuid[UUID_BYTES])
{
	(void)uuid;
	return spy_of(b)->known;
}

static const struct backend_ops spy_ops = {
	.lasting = true,
	.sample = spy_sample,
	.apply = spy_apply,
	.wait = spy_wait,
	.close = spy_close,
	.now = spy_now,
	.status = spy_status,
	.claim = spy_claim,
	.known = spy_known,
	.disown = spy_disown,
};

void spy_open(struct spy *s, const char *scenario)
{
	struct err e = ERR_INIT;
	memset(s, 0, sizeof *s);
	s->base.ops = &spy_ops;
	s->known = KNOWN_UNSURE;
	s->claim.state = CLAIM_FREE;
	struct scenario *scn = strchr(scenario, '\n') ? scenario_parse("test", scenario, strlen(scenario), &e)
						      : scenario_open(scenario, &e);
	s->sim = scn ? backend_sim_new(scn, true, &e) : NULL;
	if (!s->sim)
		fail_msg("%s", e.msg);
	s->born_ns = s->sim->ops->now(s->sim);
}

void spy_free(struct spy *s)
{
	if (s->sim)
		s->sim->ops->close(s->sim);
	memset(s, 0, sizeof *s);
}

struct engine *spy_engine(struct spy *s, const struct config *cfg)
{
	struct err e = ERR_INIT;
	struct engine *en = engine_new(cfg, &s->base, &e);
	if (!en)
		fail_msg("%s", e.msg);
	return en;
}

void spy_run(struct engine *en, double seconds)
{
	struct err e = ERR_INIT;
	double begun = -1;
	for (int i = 0; i < 100000; i++) {
		engine_step(en, &e);
		struct snapshot *s = engine_snapshot(en);
		assert_non_null(s);
		double now = (double)s->sample.time_ns / 1e9;
		snapshot_free(s);
		begun = begun < 0 ? now : begun;
		if (now - begun >= seconds || !engine_wait(en, -1))
			break;
	}
}

static int look(struct spy *s, struct sample *to)
{
	struct err e = ERR_INIT;
	sample_init(to);
	return s->sim->ops->sample(s->sim, SAMPLE_BALLOON, to, &e);
}

static const struct vm_sample *named(const struct sample *s, const char *name)
{
	for (size_t i = 0; i < s->n_vms; i++)
		if (strcmp(s->vms[i].name, name) == 0)
			return &s->vms[i];
	return NULL;
}

const char *spy_pin(struct spy *s, const char *vm, int vcpu)
{
	static char text[256];
	struct sample to;
	text[0] = '\0';
	if (look(s, &to) == 0) {
		const struct vm_sample *is = named(&to, vm);
		const struct vcpu_sample *v = is ? sample_vcpu(&to, is, vcpu) : NULL;
		if (v)
			cpuset_format(&v->affinity, text, sizeof text);
	}
	sample_done(&to);
	return text;
}

double spy_balloon_mib(struct spy *s, const char *vm)
{
	struct sample to;
	double mib = -1;
	if (look(s, &to) == 0) {
		const struct vm_sample *is = named(&to, vm);
		mib = is ? (double)is->mem.balloon_kib.v / 1024 : -1;
	}
	sample_done(&to);
	return mib;
}

const char *spy_logged(struct engine *en, const char *part)
{
	static char text[640];
	struct snapshot *s = engine_snapshot(en);
	text[0] = '\0';
	if (getenv("SPY_LOG"))
		fprintf(stderr, "--- %s\n", part);
	for (size_t i = 0; s && i < s->n_log && getenv("SPY_LOG"); i++)
		fprintf(stderr, "%s\n", s->log[i].text);
	for (size_t i = 0; s && i < s->n_log; i++)
		if (strstr(s->log[i].text, part))
			snprintf(text, sizeof text, "%s", s->log[i].text);
	snapshot_free(s);
	return *text ? text : NULL;
}
