/* SPDX-License-Identifier: MIT */
/* JSON Lines: one object a tick, written from the table of output fields. Invariant: what is unknown is null,
 * never 0 and never left out. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "vmtop/batch.h"
#include "vmtop/fields.h"
#include "vmtop/text.h"

/* Raw bytes from outside as valid UTF-8. */
static json_t *json_raw(const char *raw)
{
	char clean[3 * VM_NAME_BYTES];
	text_utf8(clean, sizeof clean, raw);
	return json_string(clean);
}

static json_t *json_cpus(const struct cpuset *set)
{
	char text[CPUSET_CPUS * 5];
	cpuset_format(set, text, sizeof text);
	return json_string(text);
}

static json_t *json_leaf(const struct field *f, const struct field_at *at)
{
	struct field_value v;
	field_get(f, at, &v);
	switch (v.kind) {
	case FIELD_INT:
		return json_integer(v.num);
	case FIELD_REAL:
		return json_real(round(v.real * 1000) / 1000);
	case FIELD_BOOL:
		return json_boolean(v.num);
	case FIELD_TEXT:
		return json_raw(v.text);
	case FIELD_CPUS:
		return json_cpus(v.cpus);
	case FIELD_NULL:
		break;
	}
	return json_null();
}

/* NULL when memory runs out, here and below. */
static json_t *json_object_of(const struct field_set *set, const struct field_at *at);

static json_t *json_list(const struct field *f, const struct field_at *at)
{
	json_t *list = json_array();
	size_t first, n;
	f->range(at, &first, &n);
	for (size_t i = 0; list && i < n; i++)
		if (json_array_append_new(list, json_object_of(f->set, &(struct field_at){.snap = at->snap,
									       .index = first + i})) < 0) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

static json_t *json_object_of(const struct field_set *set, const struct field_at *at)
{
	json_t *o = json_object();
	for (size_t i = 0; o && i < set->n; i++) {
		const struct field *f = &set->fields[i];
		json_t *v = f->range ? json_list(f, at)
			    : f->set ? json_object_of(f->set, at)
				     : json_leaf(f, at);
		if (json_object_set_new(o, f->key, v) < 0) {
			json_decref(o);
			o = NULL;
		}
	}
	return o;
}

static int write_line(FILE *to, json_t *root, struct err *e)
{
	char *line =
		root ? json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(root);
	if (!line)
		return err_set(e, ERR_NOMEM, "out of memory");
	fputs(line, to);
	fputc('\n', to);
	free(line);
	return 0;
}

int json_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	return write_line(o->to, json_object_of(&json_fields, &(struct field_at){.snap = s}), e);
}

int why_json(const struct snapshot *s, size_t vm, struct err *e)
{
	return write_line(stdout, json_object_of(&why_fields, &(struct field_at){.snap = s, .index = vm}), e);
}
