/* SPDX-License-Identifier: MIT */
/* One owner per host: the claim over a libvirt that is made up here, with other clients acting between any
 * two of its calls; and what one host is called however its URI is spelt. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <libvirt/virterror.h>

#include "../../src/backend/libvirt/claim.h"
#include "../../src/backend/libvirt/connect.h"

#define SECOND INT64_C(1000000000)

/* ---- a libvirt with room for one secret of the usage that matters ---- */

static struct store {
	char uuid[UUID_TEXT]; /* empty: there is none */
	char text[512];
	bool persistent;
	int refuses;     /* every call fails with this code; 0: none does */
	bool readonly;   /* definitions and removals fail */
	int64_t skew_ns; /* added to the clock */
	virError last;
	char why[64];
	int calls, at; /* at call number `at` another client acts */
	void (*act)(void);
} lib;

static virConnectPtr conn(void)
{
	return (virConnectPtr)(void *)&lib;
}

static void fails(int code)
{
	snprintf(lib.why, sizeof lib.why, "code %d", code);
	lib.last = (virError){.code = code, .message = lib.why};
}

/* A call begins; false: it fails. */
static bool begins(bool writes)
{
	if (++lib.calls == lib.at && lib.act) {
		void (*act)(void) = lib.act;
		lib.act = NULL;
		act();
	}
	if (lib.refuses)
		fails(lib.refuses);
	else if (writes && lib.readonly)
		fails(VIR_ERR_OPERATION_DENIED);
	else
		return true;
	return false;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __real_clock_gettime(clockid_t id, struct timespec *t);
virErrorPtr __wrap_virGetLastError(void);
void __wrap_virResetLastError(void);
virSecretPtr __wrap_virSecretDefineXML(virConnectPtr c, const char *xml, unsigned flags);
virSecretPtr __wrap_virSecretLookupByUsage(virConnectPtr c, int type, const char *usage);
virSecretPtr __wrap_virSecretLookupByUUIDString(virConnectPtr c, const char *uuid);
int __wrap_virSecretUndefine(virSecretPtr s);
char *__wrap_virSecretGetXMLDesc(virSecretPtr s, unsigned flags);
int __wrap_virSecretGetUUIDString(virSecretPtr s, char *uuid);
int __wrap_virSecretFree(virSecretPtr s);

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = __real_clock_gettime(id, t);
	if (id == CLOCK_BOOTTIME)
		t->tv_sec += lib.skew_ns / SECOND;
	return rc;
}

virErrorPtr __wrap_virGetLastError(void)
{
	return lib.last.code ? &lib.last : NULL;
}

void __wrap_virResetLastError(void)
{
	lib.last.code = 0;
}

/* A handle is the UUID that it was looked up by. */
static virSecretPtr handle(const char *uuid)
{
	return (virSecretPtr)(void *)strdup(uuid);
}

static const char *uuid_of(virSecretPtr s)
{
	return (const char *)(void *)s;
}

static void cut(const char *xml, const char *from, const char *to, char *buf, size_t len)
{
	const char *a = strstr(xml, from), *b = a ? strstr(a, to) : NULL;
	assert_non_null(b);
	a += strlen(from);
	assert_true((size_t)(b - a) < len);
	snprintf(buf, len, "%.*s", (int)(b - a), a);
}

virSecretPtr __wrap_virSecretDefineXML(virConnectPtr c, const char *xml, unsigned flags)
{
	char uuid[UUID_TEXT], usage[64];
	(void)c;
	(void)flags;
	if (!begins(true))
		return NULL;
	cut(xml, "<uuid>", "</uuid>", uuid, sizeof uuid);
	cut(xml, "<name>", "</name>", usage, sizeof usage);
	assert_string_equal(usage, "vmtop/steers-this-host");
	assert_non_null(strstr(xml, "ephemeral='yes'"));
	if (*lib.uuid && strcmp(lib.uuid, uuid) != 0) {
		fails(VIR_ERR_INTERNAL_ERROR);
		return NULL;
	}
	strcpy(lib.uuid, uuid);
	cut(xml, "<description>", "</description>", lib.text, sizeof lib.text);
	return handle(uuid);
}

virSecretPtr __wrap_virSecretLookupByUsage(virConnectPtr c, int type, const char *usage)
{
	(void)c;
	assert_int_equal(type, VIR_SECRET_USAGE_TYPE_CEPH);
	assert_string_equal(usage, "vmtop/steers-this-host");
	if (!begins(false))
		return NULL;
	if (!*lib.uuid)
		fails(VIR_ERR_NO_SECRET);
	return *lib.uuid ? handle(lib.uuid) : NULL;
}

virSecretPtr __wrap_virSecretLookupByUUIDString(virConnectPtr c, const char *uuid)
{
	(void)c;
	if (!begins(false))
		return NULL;
	if (strcmp(uuid, lib.uuid) == 0 && *uuid)
		return handle(uuid);
	fails(VIR_ERR_NO_SECRET);
	return NULL;
}

int __wrap_virSecretUndefine(virSecretPtr s)
{
	if (!begins(true))
		return -1;
	if (strcmp(uuid_of(s), lib.uuid) != 0) {
		fails(VIR_ERR_NO_SECRET);
		return -1;
	}
	lib.uuid[0] = '\0';
	return 0;
}

char *__wrap_virSecretGetXMLDesc(virSecretPtr s, unsigned flags)
{
	char *xml = NULL;
	(void)flags;
	if (!begins(false))
		return NULL;
	if (strcmp(uuid_of(s), lib.uuid) != 0) {
		fails(VIR_ERR_NO_SECRET);
		return NULL;
	}
	if (asprintf(&xml,
		    "<secret ephemeral='%s' "
		    "private='yes'><uuid>%s</uuid><description>%s</description></secret>",
		    lib.persistent ? "no" : "yes", lib.uuid, lib.text) < 0)
		return NULL;
	return xml;
}

int __wrap_virSecretGetUUIDString(virSecretPtr s, char *uuid)
{
	strcpy(uuid, uuid_of(s));
	return 0;
}

int __wrap_virSecretFree(virSecretPtr s)
{
	free(s);
	return 0;
}

/* ---- clients ---- */

static struct claim a, b, c;

/* Each of another machine, so that none is taken for an earlier life of another. */
static void client(struct claim *k, const char *host)
{
	claim_init(k);
	snprintf(k->self.host, sizeof k->self.host, "%s", host);
	snprintf(k->self.boot, sizeof k->self.boot, "boot-of-%s", host);
}

static int setup(void **state)
{
	(void)state;
	memset(&lib, 0, sizeof lib);
	client(&a, "alpha");
	client(&b, "beta");
	client(&c, "gamma");
	return 0;
}

static void pass(int seconds)
{
	lib.skew_ns += seconds * SECOND;
}

static bool take(struct claim *k)
{
	struct err e = ERR_INIT;
	return claim_take(conn(), k, &e) == 0;
}

static enum claim_state look(struct claim *k)
{
	struct err e = ERR_INIT;
	claim_look(conn(), k, &e);
	return k->status.state;
}

static bool holds(const struct claim *k)
{
	return k->status.state == CLAIM_OURS && claim_fresh(k);
}

static void one_at_a_time(void **state)
{
	struct err e = ERR_INIT;
	(void)state;
	assert_int_equal(look(&a), CLAIM_FREE);
	assert_true(take(&a));
	assert_true(holds(&a));
	assert_int_equal(look(&a), CLAIM_OURS);
	assert_int_equal(claim_take(conn(), &b, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_non_null(strstr(e.msg, "@alpha, process "));
	assert_non_null(strstr(e.msg, " steers this host"));
	assert_int_equal(b.status.state, CLAIM_OTHER);
	assert_false(claim_fresh(&b));
	/* Renewed for as long as it lives. */
	for (int i = 0; i < 30; i++) {
		pass(CLAIM_BEAT_S);
		assert_true(take(&a));
		assert_int_equal(look(&b), CLAIM_OTHER);
		assert_false(take(&b));
	}
	claim_drop(conn(), &a);
	assert_false(claim_fresh(&a));
	assert_int_equal(look(&b), CLAIM_FREE);
	assert_true(take(&b));
	claim_drop(conn(), &a); /* hits nobody else */
	assert_int_equal(look(&b), CLAIM_OURS);
	claim_drop(conn(), &b);
	assert_string_equal(lib.uuid, "");
}

static void silence_is_an_end(void **state)
{
	(void)state;
	assert_true(take(&a));
	assert_false(take(&b));
	pass(CLAIM_EXPIRY_S - 1);
	assert_false(take(&b)); /* by its own clock, since it first saw it so */
	assert_int_equal(look(&c), CLAIM_OTHER);
	pass(2);
	assert_int_equal(look(&b), CLAIM_LEFT);
	assert_int_equal(look(&c), CLAIM_OTHER);
	assert_true(take(&b));
	/* Whoever was stopped meanwhile knows without a call that it may not act, and loses. */
	assert_false(claim_fresh(&a));
	assert_false(take(&a));
	assert_int_equal(a.status.state, CLAIM_OTHER);
	assert_true(take(&b));
}

/* A holder that was silent for long takes it anew, under a name that no removal under way can hit. */
static void after_a_silence_a_new_name(void **state)
{
	char before[UUID_TEXT];
	(void)state;
	assert_true(take(&a));
	strcpy(before, a.uuid);
	pass(CLAIM_FRESH_S - 2);
	assert_true(take(&a));
	assert_string_equal(a.uuid, before);
	pass(CLAIM_FRESH_S + 1);
	assert_true(take(&a));
	assert_string_not_equal(a.uuid, before);
	assert_string_equal(a.uuid, lib.uuid);
}

static bool other_got_it;
static void b_takes(void)
{
	other_got_it = take(&b);
}

/* Between any two calls of a another one tries too: one of them has it, and the one that believes so does. */
static void races(void (*begin)(void))
{
	for (int at = 1; at < 24; at++) {
		setup(NULL);
		begin();
		lib.calls = 0;
		lib.at = at;
		lib.act = b_takes;
		other_got_it = false;
		bool got = take(&a);
		bool in_between = !lib.act;
		if (!in_between) /* a was through before */
			b_takes();
		if (got == other_got_it)
			fail_msg("at call %d: %s", at, got ? "both have it" : "none has it");
		assert_string_equal(lib.uuid, got ? a.uuid : b.uuid);
		assert_true(holds(got ? &a : &b));
		assert_false(holds(got ? &b : &a));
		if (!in_between)
			return;
	}
	fail_msg("24 calls were not enough");
}

static void nobody_has_it(void)
{
}

static void c_left_it(void)
{
	assert_true(take(&c));
	look(&a);
	look(&b);
	pass(CLAIM_EXPIRY_S + 1);
}

static void a_was_stopped(void)
{
	assert_true(take(&a));
	look(&b);
	pass(CLAIM_EXPIRY_S + 1);
}

static void b_was_stopped(void)
{
	assert_true(take(&b));
	look(&a);
	pass(CLAIM_EXPIRY_S + 1);
}

static void never_two(void **state)
{
	(void)state;
	races(nobody_has_it);
	races(c_left_it);
	races(a_was_stopped);
	races(b_was_stopped);
}

static void c_takes(void)
{
	take(&c);
}

/* It came back to life just when it was to be removed. */
static void a_late_sign_of_life(void **state)
{
	(void)state;
	for (int at = 1; at < 12; at++) {
		setup(NULL);
		c_left_it();
		lib.calls = 0;
		lib.at = at;
		lib.act = c_takes;
		bool got = take(&a);
		if (lib.act)
			break;
		assert_true(got != holds(&c));
		assert_string_equal(lib.uuid, got ? a.uuid : c.uuid);
	}
}

/* A process of this machine that is no more need not be waited for. */
static void the_dead_do_not_wait(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(b.self.boot, sizeof b.self.boot, "%s", a.self.boot);
	b.self.pid = pid;
	assert_true(take(&b));
	assert_int_equal(look(&a), CLAIM_LEFT);
	assert_non_null(strstr(a.status.who, "@beta"));
	assert_true(take(&a));
	claim_drop(conn(), &a);
	b.self.pid_namespace++; /* a process that cannot be seen from here */
	assert_true(take(&b));
	assert_int_equal(look(&a), CLAIM_OTHER);
	claim_drop(conn(), &b);
	b.self.pid_namespace--;
	b.self.pid = getppid();
	assert_true(take(&b));
	assert_int_equal(look(&a), CLAIM_OTHER);
}

/* A renewal whose answer never came may have been carried out. */
static void an_answer_that_was_lost(void **state)
{
	(void)state;
	struct claim before = a;
	assert_true(take(&a));
	a = before;
	assert_true(take(&a));
	assert_string_equal(lib.uuid, a.uuid);
}

/* libvirtd was started again: whoever comes first has it. */
static void a_new_libvirtd(void **state)
{
	(void)state;
	assert_true(take(&a));
	lib.uuid[0] = '\0';
	pass(1);
	assert_true(take(&a));
	lib.uuid[0] = '\0';
	assert_true(take(&b));
	assert_false(take(&a));
}

static void without_the_right(void **state)
{
	struct err e = ERR_INIT;
	(void)state;
	lib.readonly = true;
	assert_int_equal(look(&a), CLAIM_FREE);
	assert_int_equal(claim_take(conn(), &a, &e), -1);
	assert_int_equal(a.status.state, CLAIM_DENIED);
	assert_int_equal(e.code, ERR_DENIED);
	lib.readonly = false;
	assert_true(take(&b));
	lib.readonly = true;
	pass(CLAIM_EXPIRY_S + 1);
	assert_false(take(&a));
	assert_int_equal(look(&a), CLAIM_OTHER);
	assert_string_equal(lib.uuid, b.uuid);
}

static void without_secrets(void **state)
{
	static const int none[] = {VIR_ERR_NO_SUPPORT, VIR_ERR_NO_CONNECT};
	static const int unknown[] = {VIR_ERR_INTERNAL_ERROR, VIR_ERR_RPC, VIR_ERR_SYSTEM_ERROR};
	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		lib.refuses = none[i];
		assert_int_equal(look(&a), CLAIM_NONE);
		assert_true(take(&a));
		assert_int_equal(a.status.state, CLAIM_NONE);
		assert_false(claim_fresh(&a));
	}
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		lib.refuses = unknown[i];
		assert_int_equal(look(&a), CLAIM_UNKNOWN);
		assert_false(take(&a)); /* not to be told is no permission */
	}
}

/* What somebody else put there is never removed. */
static void secrets_of_others(void **state)
{
	static const char *const texts[] = {"", "the key of our pool", "vmtop 1", "vmtop 1 host=x",
		"vmtop 1 host=h user=u pid=-1 since=5 boot=b pidns=1 beat=1",
		"vmtop 1 host=h user=u pid=99999999999999999999 since=5 boot=b pidns=1 beat=1",
		"vmtop 1 host=h user=u pid=1 since=5 boot=b pidns=1 beat=1 and more",
		"vmtop 2 host=h user=u pid=1 since=5 boot=b pidns=1 beat=1"};
	(void)state;
	for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
		bool persistent = i == sizeof texts / sizeof *texts;
		setup(NULL);
		strcpy(lib.uuid, "01234567-89ab-cdef-0123-456789abcdef");
		lib.persistent = persistent;
		snprintf(lib.text, sizeof lib.text, "%s",
			persistent ? "vmtop 1 host=h user=u pid=1 since=5 boot=b pidns=1 beat=1" : texts[i]);
		assert_false(take(&a));
		pass(10 * CLAIM_EXPIRY_S);
		assert_false(take(&a));
		assert_int_equal(a.status.state, CLAIM_OTHER);
		assert_non_null(strstr(a.status.who, "which vmtop did not make"));
		assert_string_equal(lib.uuid, "01234567-89ab-cdef-0123-456789abcdef");
	}
}

static void words_are_read_back(void **state)
{
	char text[400];
	struct claim_self s;
	(void)state;
	claim_text(&a.self, 77, text, sizeof text);
	assert_true(claim_parse(&s, text));
	assert_string_equal(s.host, a.self.host);
	assert_string_equal(s.user, a.self.user);
	assert_string_equal(s.boot, a.self.boot);
	assert_int_equal(s.pid, a.self.pid);
	assert_int_equal(s.since_s, a.self.since_s);
	assert_int_equal(s.pid_namespace, a.self.pid_namespace);
	assert_true(claim_parse(&s, "vmtop 1 host=\033[2J user=<b>& pid=1 since=5 boot=b pidns=1 beat=1"));
	assert_string_equal(s.host, "__2J");
	assert_string_equal(s.user, "_b__");
}

static void test_names_of_hosts(void **state)
{
	static const char *const rows[][2] = {
		{"qemu:///system", "qemu:///system"},
		{"qemu+unix:///system", "qemu:///system"},
		{"qemu+ssh://localhost/system", "qemu:///system"},
		{"qemu+ssh://root@127.0.0.1/system", "qemu:///system"},
		{"qemu+tls://[::1]/system", "qemu:///system"},
		{"qemu+ssh://admin@node7/system", "qemu://node7/system"},
		{"qemu+tls://node7/system?no_tty=1", "qemu://node7/system"},
		{"qemu+ssh://node7/system?keyfile=/k&no_tty=1", "qemu://node7/system?keyfile=/k"},
		{"qemu+ssh://node7/system?keyfile=/no_tty=1", "qemu://node7/system?keyfile=/no_tty=1"},
		/* A port, a socket, a command may lead to another machine. */
		{"qemu+tcp://localhost:16510/system", "qemu://localhost:16510/system"},
		{"qemu+unix:///system?socket=/run/x", "qemu:///system?socket=/run/x"},
		{"qemu+ext://x/system?command=a", "qemu://x/system?command=a"},
		{"test:///default", "test:///default"},
		{"", ""},
		{"strange", "strange"},
		{"qemu+ssh:", "qemu+ssh:"},
		{"qemu+ssh://node7", "qemu://node7"},
	};
	char name[64], small[8];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		connect_host_name(name, sizeof name, rows[i][0]);
		assert_string_equal(name, rows[i][1]);
	}
	connect_host_name(small, sizeof small, "qemu+ssh://node7/system");
	assert_string_equal(small, "qemu://");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_at_a_time, setup),
		cmocka_unit_test_setup(silence_is_an_end, setup),
		cmocka_unit_test_setup(after_a_silence_a_new_name, setup),
		cmocka_unit_test_setup(never_two, setup),
		cmocka_unit_test_setup(a_late_sign_of_life, setup),
		cmocka_unit_test_setup(the_dead_do_not_wait, setup),
		cmocka_unit_test_setup(an_answer_that_was_lost, setup),
		cmocka_unit_test_setup(a_new_libvirtd, setup),
		cmocka_unit_test_setup(without_the_right, setup),
		cmocka_unit_test_setup(without_secrets, setup),
		cmocka_unit_test_setup(secrets_of_others, setup),
		cmocka_unit_test_setup(words_are_read_back, setup),
		cmocka_unit_test_setup(test_names_of_hosts, setup),
	};
	return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
