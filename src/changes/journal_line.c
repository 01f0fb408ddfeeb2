/* SPDX-License-Identifier: MIT */
/* Lines of the journal to and from records of the ledger. Invariant: reading a file again gives the records
 * as they were when its last whole line was written. What is read is hostile until checked. */
#include <jansson.h>
#include <string.h>

#include "boot.h"
#include "journal.h"
#include "vmtop/text.h"

#define SECOND      INT64_C(1000000000)
#define TIME_MOST_S (SAMPLE_NS_MOST / SECOND)

enum { SET_TEXT = CPUSET_CPUS * 5, VCPU_MAX = 4095, PERIOD_MAX = 3600 };

static const char *const words[JOURNAL_WORDS] = {"found", "will", "wrote", "forgot"};

/* Adds the value; false: out of memory. */
static bool put(json_t *o, const char *key, json_t *v)
{
	return json_object_set_new(o, key, v) == 0;
}

static bool put_vcpu(json_t *obj, enum journal_word word, const struct vm_record *rec, int id)
{
	const struct vcpu_record *vcpu = record_vcpu(rec, id);
	char text[SET_TEXT];
	bool good = put(obj, "vcpu", json_integer(id));
	if (!vcpu || word == JOURNAL_FORGOT)
		return good && word == JOURNAL_FORGOT;
	cpuset_format(word == JOURNAL_FOUND ? &vcpu->found : &vcpu->wrote, text, sizeof text);
	good &= put(obj, "cpus", json_string(text));
	return word != JOURNAL_FOUND ? good : good & put(obj, "pinned", json_boolean(vcpu->found_pinned));
}

static bool put_object(json_t *obj, enum journal_word word, const struct vm_record *rec, int object)
{
	bool found = word == JOURNAL_FOUND;
	if (object == JOURNAL_BALLOON)
		return put(obj, "balloon_kib", json_integer(found ? rec->found_kib : rec->wrote_kib));
	if (object == JOURNAL_PERIOD)
		return put(obj, "period_s", json_integer(found ? rec->period.found : rec->period.wrote));
	if (object == JOURNAL_SHARES)
		return put(obj, "cpu_shares", json_integer(found ? rec->shares.found : rec->shares.wrote));
	return object < 0 || put_vcpu(obj, word, rec, object);
}

/* Of a VM that is not here: for how long, and when that was. */
static bool put_away(json_t *obj, const struct vm_record *rec)
{
	char boot[BOOT_NAME];
	if (rec->away_ns < SECOND)
		return true;
	boot_name(boot);
	return put(obj, "away_s", json_integer(rec->away_ns / SECOND)) &&
	       put(obj, "up_s", json_integer(boot_seconds())) && put(obj, "boot", json_string(boot));
}

char *journal_line(enum journal_word word, const struct vm_record *rec, int object, size_t *len)
{
	char uuid[UUID_TEXT], name[VM_NAME_BYTES * 4];
	uuid_format(rec->uuid, uuid);
	text_utf8(name, sizeof name, rec->name);
	json_t *obj = json_pack("{s:s, s:s, s:i, s:I}", "uuid", uuid, "name", name, "id", rec->life, "at",
		(json_int_t)rec->seen_s);
	json_t *line = json_object();
	bool good = obj && line && put_object(obj, word, rec, object) && put_away(obj, rec);
	good = json_object_set_new(line, words[word], obj) == 0 && good;
	char *text = good ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	if (!text)
		return NULL;
	*len = strlen(text) + 1;
	text[*len - 1] = '\n'; /* in place of the terminator */
	return text;
}

/* A whole number in [least, most]. */
static bool whole(const json_t *obj, const char *key, int64_t least, int64_t most, int64_t *v)
{
	const json_t *n = json_object_get(obj, key);
	if (!json_is_integer(n) || json_integer_value(n) < least || json_integer_value(n) > most)
		return false;
	*v = json_integer_value(n);
	return true;
}

/* A line as it was understood; what it changes in the ledger is done once all of it can be. */
struct line {
	int object;
	int64_t id, at_s, away_s, value;
	struct cpuset cpus;
	bool pinned;
};

static const char *read_vcpu(struct line *to, const json_t *obj, enum journal_word word)
{
	const char *text = json_string_value(json_object_get(obj, "cpus"));
	int64_t id;
	if (!whole(obj, "vcpu", 0, VCPU_MAX, &id))
		return "no guest has such a vCPU";
	to->object = (int)id;
	if (word == JOURNAL_FORGOT)
		return NULL;
	if (!text || cpuset_parse(&to->cpus, text, NULL) < 0 || cpuset_empty(&to->cpus))
		return "no list of pCPUs";
	to->pinned = json_is_true(json_object_get(obj, "pinned"));
	return NULL;
}

static const char *read_object(struct line *to, const json_t *obj, enum journal_word word)
{
	bool forgot = word == JOURNAL_FORGOT;
	if (json_object_get(obj, "vcpu"))
		return read_vcpu(to, obj, word);
	if (json_object_get(obj, "balloon_kib")) {
		to->object = JOURNAL_BALLOON;
		return forgot || whole(obj, "balloon_kib", 1, SAMPLE_KIB_MOST, &to->value)
			       ? NULL
			       : "no guest has such a size";
	}
	if (json_object_get(obj, "period_s")) {
		to->object = JOURNAL_PERIOD;
		return forgot || whole(obj, "period_s", 0, PERIOD_MAX, &to->value)
			       ? NULL
			       : "no guest has such a period";
	}
	if (json_object_get(obj, "cpu_shares")) {
		to->object = JOURNAL_SHARES;
		return forgot || whole(obj, "cpu_shares", CPU_SHARES_LEAST, CPU_SHARES_MOST, &to->value)
			       ? NULL
			       : "no guest has such CPU shares";
	}
	to->object = JOURNAL_VM;
	return forgot ? NULL : "it is about nothing";
}

/* Time in which nobody looked counts while this machine has been up all along. */
static const char *read_away(struct line *to, const json_t *obj)
{
	char boot[BOOT_NAME];
	int64_t up_s, now_s = boot_seconds();
	if (!json_object_get(obj, "away_s"))
		return NULL;
	if (!whole(obj, "away_s", 0, TIME_MOST_S, &to->away_s))
		return "no such time";
	boot_name(boot);
	const char *of = json_string_value(json_object_get(obj, "boot"));
	if (of && *boot && strcmp(of, boot) == 0 && whole(obj, "up_s", 0, now_s, &up_s))
		to->away_s += now_s - up_s;
	return NULL;
}

static const char *read_line(struct line *to, const json_t *obj, enum journal_word word)
{
	if (!whole(obj, "id", -1, INT32_MAX, &to->id))
		return "no guest has such an id";
	if (!whole(obj, "at", 0, TIME_MOST_S, &to->at_s))
		return "no such time";
	const char *why = read_away(to, obj);
	return why ? why : read_object(to, obj, word);
}

static void take_vcpu(struct vm_record *rec, const struct line *n, enum journal_word word)
{
	struct vcpu_record *vcpu =
		word == JOURNAL_FOUND ? record_vcpu_get(rec, n->object) : record_vcpu(rec, n->object);
	if (!vcpu)
		return;
	if (word == JOURNAL_FORGOT)
		record_drop_vcpu(rec, n->object);
	else if (word == JOURNAL_FOUND)
		vcpu_found(vcpu, &n->cpus, n->pinned);
	else if (word == JOURNAL_WILL)
		vcpu_will(vcpu, &n->cpus);
	else
		vcpu_is(vcpu, &n->cpus);
}

static void take_balloon(struct vm_record *rec, const struct line *n, enum journal_word word)
{
	if (word == JOURNAL_FORGOT)
		record_drop_balloon(rec);
	else if (word == JOURNAL_FOUND)
		rec->found_kib = n->value;
	else if (rec->found_kib > 0)
		balloon_will(rec, n->value);
}

static void take_kept(struct kept *kept, const struct line *n, enum journal_word word)
{
	if (word == JOURNAL_FORGOT || word == JOURNAL_FOUND)
		kept_drop(kept);
	if (word == JOURNAL_FOUND)
		kept->found = (int)n->value;
	else if (kept->found >= 0 && word == JOURNAL_WILL)
		kept_will(kept, (int)n->value);
	else if (kept->found >= 0 && word == JOURNAL_WROTE)
		kept_is(kept, (int)n->value);
}

static void take(struct vm_record *rec, const struct line *n, enum journal_word word)
{
	rec->life = n->id > 0 ? (int)n->id : -1;
	rec->seen_s = n->at_s;
	rec->away_ns = n->away_s < TIME_MOST_S ? n->away_s * SECOND : SAMPLE_NS_MOST;
	if (n->object >= 0)
		take_vcpu(rec, n, word);
	else if (n->object == JOURNAL_BALLOON)
		take_balloon(rec, n, word);
	else if (n->object == JOURNAL_PERIOD)
		take_kept(&rec->period, n, word);
	else if (n->object == JOURNAL_SHARES)
		take_kept(&rec->shares, n, word);
	else
		record_drop_all(rec);
}

static const char *take_word(struct ledger *ledger, const json_t *obj, enum journal_word word)
{
	uint8_t uuid[UUID_BYTES];
	struct line n = {0};
	const char *text = json_string_value(json_object_get(obj, "uuid"));
	const char *name = json_string_value(json_object_get(obj, "name"));
	if (!text || !name || uuid_parse(uuid, text) < 0)
		return "it names no guest";
	const char *why = read_line(&n, obj, word);
	struct vm_record *rec = why ? NULL : ledger_get(ledger, uuid, name);
	if (rec)
		take(rec, &n, word);
	return why;
}

const char *journal_take_line(struct ledger *ledger, const char *line, size_t len)
{
	const char *why = "not understood";
	json_t *root = json_loadb(line, len, 0, NULL), *obj;
	if (json_object_size(root) == 1)
		for (int word = 0; word < JOURNAL_WORDS; word++)
			if ((obj = json_object_get(root, words[word])))
				why = take_word(ledger, obj, (enum journal_word)word);
	if (json_object_get(root, "vmtop")) /* the head of a run */
		why = NULL;
	json_decref(root);
	return why;
}
