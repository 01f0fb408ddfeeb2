/* SPDX-License-Identifier: MIT */
/* Lines of the journal to and from records of the ledger. Invariant: reading a file again gives the records
 * as they were when its last whole line was written. What is read is hostile until checked. */
#include <jansson.h>
#include <string.h>

#include "journal.h"
#include "vmtop/text.h"

enum { SET_TEXT = CPUSET_CPUS * 5, VCPU_MAX = 1 << 20, PERIOD_MAX = 3600 };

static const char *const words[JOURNAL_WORDS] = {"found", "will", "wrote", "forgot"};

/* Adds the value; false: out of memory. */
static bool put(json_t *o, const char *key, json_t *v)
{
	return json_object_set_new(o, key, v) == 0;
}

static bool put_vcpu(json_t *o, enum journal_word word, const struct vm_record *r, int id)
{
	const struct vcpu_record *v = record_vcpu(r, id);
	char text[SET_TEXT];
	bool good = put(o, "vcpu", json_integer(id));
	if (!v || word == JOURNAL_FORGOT)
		return good && word == JOURNAL_FORGOT;
	cpuset_format(word == JOURNAL_FOUND ? &v->found : &v->wrote, text, sizeof text);
	good &= put(o, "cpus", json_string(text));
	return word != JOURNAL_FOUND ? good : good & put(o, "pinned", json_boolean(v->found_pinned));
}

static bool put_object(json_t *o, enum journal_word word, const struct vm_record *r, int object)
{
	bool found = word == JOURNAL_FOUND;
	if (object == JOURNAL_BALLOON)
		return put(o, "balloon_kib", json_integer(found ? r->found_kib : r->wrote_kib));
	if (object == JOURNAL_PERIOD)
		return put(o, "period_s", json_integer(found ? r->period_found : r->period_wrote));
	return object < 0 || put_vcpu(o, word, r, object);
}

char *journal_line(enum journal_word word, const struct vm_record *r, int object, size_t *len)
{
	char uuid[UUID_TEXT], name[VM_NAME_BYTES * 4];
	uuid_format(r->uuid, uuid);
	text_utf8(name, sizeof name, r->name);
	json_t *o = json_pack("{s:s, s:s, s:i, s:I}", "uuid", uuid, "name", name, "id", r->life, "at",
		(json_int_t)r->seen_s);
	json_t *line = json_object();
	bool good = o && line && put_object(o, word, r, object);
	good = json_object_set_new(line, words[word], o) == 0 && good;
	char *text = good ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	if (!text)
		return NULL;
	*len = strlen(text) + 1;
	text[*len - 1] = '\n'; /* in place of the terminator */
	return text;
}

static void take_vcpu(struct vm_record *r, const json_t *o, enum journal_word word)
{
	struct cpuset cpus;
	const char *text = json_string_value(json_object_get(o, "cpus"));
	json_int_t id = json_integer_value(json_object_get(o, "vcpu"));
	if (id < 0 || id > VCPU_MAX)
		return;
	struct vcpu_record *v = record_vcpu(r, (int)id);
	if (word == JOURNAL_FORGOT) {
		record_drop_vcpu(r, (int)id);
		return;
	}
	if (!text || cpuset_parse(&cpus, text, NULL) < 0 || cpuset_empty(&cpus))
		return;
	if (word == JOURNAL_FOUND) {
		v = record_vcpu_get(r, (int)id);
		if (v)
			vcpu_found(v, &cpus, json_is_true(json_object_get(o, "pinned")));
	} else if (v && word == JOURNAL_WILL) {
		vcpu_will(v, &cpus);
	} else if (v) {
		vcpu_is(v, &cpus);
	}
}

static void take_balloon(struct vm_record *r, const json_t *o, enum journal_word word)
{
	json_int_t kib = json_integer_value(json_object_get(o, "balloon_kib"));
	if (word == JOURNAL_FORGOT)
		record_drop_balloon(r);
	else if (kib <= 0)
		return;
	else if (word == JOURNAL_FOUND)
		r->found_kib = kib;
	else if (r->found_kib > 0)
		balloon_will(r, kib);
}

static void take_period(struct vm_record *r, const json_t *o, enum journal_word word)
{
	json_int_t s = json_integer_value(json_object_get(o, "period_s"));
	if (word == JOURNAL_FORGOT)
		record_drop_period(r);
	else if (s < 0 || s > PERIOD_MAX)
		return;
	else if (word == JOURNAL_FOUND) {
		record_drop_period(r);
		r->period_found = (int)s;
	} else if (r->period_found >= 0 && word == JOURNAL_WILL)
		period_will(r, (int)s);
	else if (r->period_found >= 0)
		period_is(r, (int)s);
}

static void take_record(struct vm_record *r, const json_t *o, enum journal_word word)
{
	json_int_t life = json_integer_value(json_object_get(o, "id"));
	json_int_t at = json_integer_value(json_object_get(o, "at"));
	r->life = life > 0 && life <= INT32_MAX ? (int)life : -1;
	r->seen_s = at > 0 ? at : 0;
	if (json_object_get(o, "vcpu"))
		take_vcpu(r, o, word);
	else if (json_object_get(o, "balloon_kib"))
		take_balloon(r, o, word);
	else if (json_object_get(o, "period_s"))
		take_period(r, o, word);
	else if (word == JOURNAL_FORGOT)
		record_drop_all(r);
}

void journal_take_line(struct ledger *l, const char *line, size_t len)
{
	json_t *root = json_loadb(line, len, 0, NULL);
	for (int word = 0; word < JOURNAL_WORDS; word++) {
		json_t *o = json_object_get(root, words[word]);
		uint8_t uuid[UUID_BYTES];
		const char *text = json_string_value(json_object_get(o, "uuid"));
		const char *name = json_string_value(json_object_get(o, "name"));
		if (!text || !name || uuid_parse(uuid, text) < 0)
			continue;
		struct vm_record *r = ledger_get(l, uuid, name);
		if (r)
			take_record(r, o, (enum journal_word)word);
	}
	json_decref(root);
}
