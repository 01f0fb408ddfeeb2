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

static json_t *json_leaf(const struct field *field, const struct field_at *at)
{
	struct field_value val;
	field_get(field, at, &val);
	switch (val.kind) {
	case FIELD_INT:
		return json_integer(val.num);
	case FIELD_REAL:
		return json_real(round(val.real * 1000) / 1000);
	case FIELD_BOOL:
		return json_boolean(val.num);
	case FIELD_TEXT:
		return json_raw(val.text);
	case FIELD_CPUS:
		return json_cpus(val.cpus);
	case FIELD_NULL:
		break;
	}
	return json_null();
}

/* NULL when memory runs out, here and below. */
static json_t *json_object_of(const struct field_set *set, const struct field_at *at);

static json_t *json_list(const struct field *field, const struct field_at *at)
{
	json_t *list = json_array();
	size_t first, n;
	field->range(at, &first, &n);
	for (size_t i = 0; list && i < n; i++)
		if (json_array_append_new(
			    list, json_object_of(field->set,
					  &(struct field_at){.snap = at->snap, .index = first + i})) < 0) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

static json_t *json_object_of(const struct field_set *set, const struct field_at *at)
{
	json_t *o = json_object();
	for (size_t i = 0; o && i < set->n; i++) {
		const struct field *field = &set->fields[i];
		json_t *v = field->range ? json_list(field, at)
			    : field->set ? json_object_of(field->set, at)
					 : json_leaf(field, at);
		if (json_object_set_new(o, field->key, v) < 0) {
			json_decref(o);
			o = NULL;
		}
	}
	return o;
}

static int write_line(FILE *out, json_t *root, struct err *err)
{
	char *line =
		root ? json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(root);
	if (!line)
		return err_set(err, ERR_NOMEM, "out of memory");
	fputs(line, out);
	fputc('\n', out);
	free(line);
	return 0;
}

int json_write(struct batch_out *out, const struct snapshot *snap, struct err *err)
{
	return write_line(out->to, json_object_of(&json_fields, &(struct field_at){.snap = snap}), err);
}

int why_json(const struct snapshot *snap, size_t vm, struct err *err)
{
	return write_line(
		stdout, json_object_of(&why_fields, &(struct field_at){.snap = snap, .index = vm}), err);
}
