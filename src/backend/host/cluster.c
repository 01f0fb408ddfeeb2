/* SPDX-License-Identifier: MIT */
/* A cluster by Pacemaker's commands. Invariant: what is handed to them is in memory that goes with this
 * process, never in a file with a name; every command is bounded in time and output; what was read is what is
 * tried, and what was tried is what is written. */
#include "vmtop/cluster.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "cib.h"
#include "cluster_xml.h"
#include "procfile.h"
#include "vmtop/text.h"

static const double SHORT_S = 15, SIMULATE_S = 60;
enum { CIB_MOST = 16 << 20, SAID_MOST = 1 << 20, NUMBER_MOST = 100, PATH = 64 };

/* ---- a file without a name ---- */

struct page {
	int fd;
	char path[PATH];
};

static bool page_open(struct page *page, const char *text)
{
	page->fd = memfd_create("vmtop", MFD_CLOEXEC);
	snprintf(page->path, sizeof page->path, "/proc/%ld/fd/%d", (long)getpid(), page->fd);
	size_t n = text ? strlen(text) : 0, done = 0;
	while (page->fd >= 0 && done < n) {
		ssize_t k = write(page->fd, text + done, n - done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		done += (size_t)k;
	}
	return page->fd >= 0;
}

static void page_close(struct page *page)
{
	if (page->fd >= 0)
		close(page->fd);
	page->fd = -1;
}

/* NULL: empty, too large, or out of memory. */
static char *page_text(const struct page *page)
{
	struct stat st;
	if (fstat(page->fd, &st) < 0 || st.st_size <= 0 || st.st_size > CIB_MOST)
		return NULL;
	char *text = malloc((size_t)st.st_size + 1);
	ssize_t n = text ? pread(page->fd, text, (size_t)st.st_size, 0) : -1;
	if (n <= 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* ---- commands ---- */

/* Its words, on one line, as the error. */
static int said(const char *command, const struct child *child, struct err *err)
{
	char line[240], safe[240];
	snprintf(line, sizeof line, "%.*s", child->out ? (int)strcspn(child->out, "\n") : 0,
		text_or(child->out, ""));
	text_safe(safe, sizeof safe, line);
	if (child->status == 127 && !*safe)
		return err_set(err, ERR_CONNECT, "%s cannot be started", command);
	if (child->no_memory)
		return err_set(err, ERR_NOMEM, "out of memory for what %s says", command);
	if (child->status < 0)
		return err_set(err, ERR_TIMEOUT, "%s was ended: it took too long, or said too much", command);
	return err_set(err, ERR_CONNECT, "%s: %s", command, text_or(safe, "failed, and does not say why"));
}

/* good: the greatest status that is none of an error. Output is the caller's, where he asks for it. */
static int run(const char *const *argv, size_t most, double timeout_s, int good, char **out, struct err *err)
{
	struct child child;
	if (!child_start(&child, argv, most, timeout_s))
		return err_set(err, ERR_CONNECT, "%s cannot be started", argv[0]);
	child_wait(&child);
	int rc = child.status < 0 || child.status > good ? said(argv[0], &child, err) : 0;
	if (rc == 0 && out) {
		*out = child.out;
		child.out = NULL;
		if (!*out)
			rc = err_set(err, ERR_CONNECT, "%s says nothing", argv[0]);
	}
	child_done(&child);
	return rc;
}

/* Commands warn on the same line of output: what counts is between the first and the last of this element. */
static int only(char *text, const char *open, const char *close, struct err *err)
{
	char *from = strstr(text, open), *to = NULL;
	for (char *p = from; p && (p = strstr(p, close)); p++)
		to = p;
	if (!from || !to)
		return err_set(err, ERR_CONNECT, "Pacemaker's answer has no %s", open);
	size_t n = (size_t)(to - from) + strlen(close);
	memmove(text, from, n);
	text[n] = '\0';
	return 0;
}

static int query(char **cib, struct err *err)
{
	static const char *const argv[] = {"cibadmin", "--query", NULL};
	char *text = NULL;
	int rc = run(argv, CIB_MOST, SHORT_S, 0, &text, err);
	if (rc == 0)
		rc = only(text, "<cib", "</cib>", err);
	if (rc == 0)
		*cib = text;
	else
		free(text);
	return rc;
}

/* What Pacemaker would do with this configuration; after: the configuration once it has, or NULL. */
static int simulate(const char *cib, char **result, char **after, struct err *err)
{
	struct page in = {.fd = -1}, out = {.fd = -1}, saved = {.fd = -1};
	char to[PATH + 16], save[PATH + 16];
	int rc = -1;
	if (!page_open(&in, cib) || !page_open(&out, NULL) || !page_open(&saved, NULL)) {
		err_set(err, ERR_RUNTIME, "cannot make a memory file for crm_simulate: %s", strerror(errno));
	} else {
		snprintf(to, sizeof to, "--output-to=%s", out.path);
		snprintf(save, sizeof save, "--save-output=%s", saved.path);
		const char *const argv[] = {"crm_simulate", "--xml-file", in.path, "--output-as=xml", to,
			after ? "--simulate" : "--run", after ? save : NULL, NULL};
		rc = run(argv, SAID_MOST, SIMULATE_S, 0, NULL, err);
	}
	*result = rc == 0 ? page_text(&out) : NULL;
	if (after)
		*after = rc == 0 ? page_text(&saved) : NULL;
	if (rc == 0 && (!*result || (after && !*after)))
		rc = err_set(err, ERR_RUNTIME, "crm_simulate says nothing");
	page_close(&in);
	page_close(&out);
	page_close(&saved);
	return rc;
}

/* ---- who we are ---- */

/* When a process began, by the kernel's clock; < 0: it does not live. */
static int64_t started(int64_t pid)
{
	char path[PATH], text[1024];
	int64_t v;
	snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
	const char *tail = procfile_read(path, text, sizeof text) > 0 ? procfile_tail(text) : NULL;
	return tail && procfile_field(tail, 22, &v) ? v : -1;
}

int cluster_self(struct cluster_self *to, struct err *err)
{
	static const char *const name[] = {"crm_node", "--name", NULL}, *const number[] = {"crm_node",
										"--cluster-id", NULL};
	char *text = NULL;
	int rc = run(name, NUMBER_MOST * 10, SHORT_S, 0, &text, err);
	if (rc == 0) {
		text[strcspn(text, "\n")] = '\0';
		rc = strlen(text) < sizeof to->node && cib_plain(text)
			     ? 0
			     : err_set(err, ERR_CONNECT,
				       "crm_node gives this node a name with characters that are not taken");
		if (rc == 0)
			memcpy(to->node, text, strlen(text) + 1);
	}
	free(text);
	text = NULL;
	if (rc == 0)
		rc = run(number, NUMBER_MOST, SHORT_S, 0, &text, err);
	if (rc == 0) {
		char *end = text;
		to->mark.node = strtol(text, &end, 10);
		to->mark.pid = getpid();
		to->mark.start = started(getpid());
		if (end == text || to->mark.node < 0 || to->mark.start < 0)
			rc = err_set(err, ERR_CONNECT, "crm_node does not tell this node's number");
	}
	free(text);
	return rc;
}

bool cluster_left_over(const struct cluster_mark *mark, const struct cluster_self *self, int64_t now_s)
{
	if (mark->node == self->mark.node)
		return started(mark->pid) != mark->start;
	return mark->until_s <= now_s;
}

/* ---- looking, trying, writing ---- */

static void judge_marks(struct cluster *cluster, const struct cluster_self *self, int64_t now_s)
{
	for (size_t i = 0; i < cluster->n_marks; i++) {
		const struct cluster_mark *mark = &cluster->marks[i];
		bool own = mark->node == self->mark.node && mark->pid == self->mark.pid &&
			   mark->start == self->mark.start;
		if (!own && !*cluster->stop && !cluster_left_over(mark, self, now_s))
			snprintf(cluster->stop, sizeof cluster->stop,
				"another vmtop steers this cluster: process %lld of node number %lld",
				(long long)mark->pid, (long long)mark->node);
	}
}

int cluster_look(struct cluster *c, const struct cluster_self *self, int64_t now_s, struct err *err)
{
	struct cluster x = {.cib = NULL};
	char *result = NULL;
	int rc = query(&x.cib, err);
	if (rc == 0)
		rc = simulate(x.cib, &result, NULL, err);
	if (rc == 0)
		rc = cluster_read(&x, x.cib, result, err);
	free(result);
	if (rc < 0) {
		cluster_done(&x);
		return rc;
	}
	judge_marks(&x, self, now_s);
	cluster_done(c);
	*c = x;
	return 0;
}

static char *with(const struct cluster *cluster, const struct cluster_self *self,
	const struct cluster_demand *demand, int64_t now_s, struct err *err)
{
	struct cluster_mark mark = self->mark;
	mark.until_s = now_s + CLUSTER_LASTS_S;
	return cluster_with(cluster->cib, cluster, demand, &mark, err);
}

/* Once Pacemaker has done that and the demand has gone. */
static int try_after(const char *after, struct cluster_trial *to, struct err *err)
{
	char *bare = cluster_without(after, err), *result = NULL;
	int rc = bare ? simulate(bare, &result, NULL, err) : -1;
	if (rc == 0)
		rc = cluster_read_actions(&to->after, result, err);
	free(bare);
	free(result);
	return rc;
}

int cluster_try(const struct cluster *cluster, const struct cluster_self *self,
	const struct cluster_demand *demand, int64_t now_s, struct cluster_trial *to, struct err *err)
{
	struct cluster_trial trial = {.does = {.list = NULL}};
	char *cib = with(cluster, self, demand, now_s, err), *result = NULL, *after = NULL;
	int rc = cib ? simulate(cib, &result, &after, err) : -1;
	if (rc == 0)
		rc = cluster_read_actions(&trial.does, result, err);
	if (rc == 0)
		rc = try_after(after, &trial, err);
	free(cib);
	free(result);
	free(after);
	cluster_trial_done(rc == 0 ? to : &trial);
	if (rc == 0)
		*to = trial;
	return rc;
}

/* The difference, which is refused when anything has changed since. */
static int difference(const char *was, const char *is, char **patch, struct err *err)
{
	struct page a = {.fd = -1}, b = {.fd = -1};
	int rc = -1;
	if (!page_open(&a, was) || !page_open(&b, is)) {
		err_set(err, ERR_RUNTIME, "cannot make a memory file for crm_diff: %s", strerror(errno));
	} else {
		const char *const argv[] = {"crm_diff", "--original", a.path, "--new", b.path, NULL};
		rc = run(argv, CIB_MOST, SHORT_S, 1, patch, err);
		if (rc == 0)
			rc = only(*patch, "<diff", "</diff>", err);
	}
	page_close(&a);
	page_close(&b);
	return rc;
}

int cluster_write(const struct cluster *cluster, const struct cluster_self *self,
	const struct cluster_demand *demand, int64_t now_s, struct err *err)
{
	char *cib = with(cluster, self, demand, now_s, err), *patch = NULL;
	struct page page = {.fd = -1};
	int rc = cib ? difference(cluster->cib, cib, &patch, err) : -1;
	if (rc == 0 && !page_open(&page, patch))
		rc = err_set(err, ERR_RUNTIME, "cannot make a memory file for cibadmin: %s", strerror(errno));
	if (rc == 0) {
		const char *const argv[] = {"cibadmin", "--patch", "--xml-file", page.path, NULL};
		rc = run(argv, SAID_MOST, SHORT_S, 0, NULL, err);
	}
	page_close(&page);
	free(cib);
	free(patch);
	return rc;
}

int cluster_clear(const struct cluster_mark *mark, struct err *err)
{
	char id[CLUSTER_NAME], path[2 * CLUSTER_NAME], *cib = NULL;
	cluster_mark_id(mark, id, sizeof id);
	snprintf(path, sizeof path, "//utilization[rule/date_expression[starts-with(@id,'%s')]]", id);
	const char *const argv[] = {"cibadmin", "--delete-all", "--force", "--xpath", path, NULL};
	int rc = query(&cib, err);
	bool any = rc == 0 && cluster_written(cib, mark) > 0;
	free(cib);
	if (any)
		rc = run(argv, SAID_MOST, SHORT_S, 0, NULL, err);
	return rc;
}
