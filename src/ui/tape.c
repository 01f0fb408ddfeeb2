/* SPDX-License-Identifier: MIT */
/* See tape.h. A snapshot is packed into an image of fixed places, field by field as the table below says, and
 * what differs from the image before is kept. Invariant: a frame that is not whole has the shape of the one
 * before it; the first frame kept is whole. */
#include "tape.h"

#include <math.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

enum { WHOLE_EVERY = 64, GAP = 4 };

/* How a field is packed. */
enum pack {
	RAW,        /* as it is */
	KNOWN,      /* vi64, only whether and why not: totals of counters */
	SECONDS,    /* vi64 of ns, in tenths of a second */
	HUNDREDTHS, /* vf64 */
	FLOAT,      /* vf64 */
	PLAIN,      /* double, as a float */
	CPUS,       /* cpuset, as far as the host has pCPUs */
};
enum part {
	OF_VM,
	OF_VM_RATE,
	OF_VM_STATUS,
	OF_VCPU,
	OF_VCPU_RATE,
	OF_VCPU_STATUS,
	OF_PCPU,
	OF_PCPU_RATE,
	PARTS
};

struct field {
	enum part part;
	enum pack pack;
	size_t at, size; /* size: of RAW */
};

#define FROM(type, member)  offsetof(struct type, member)
#define UP_TO(type, a, b)   FROM(type, a), FROM(type, b) - FROM(type, a)
#define THROUGH(type, a, b) FROM(type, a), FROM(type, b) + sizeof(((struct type *)0)->b) - FROM(type, a)
#define ONE(part, pack, type, m)                                                                             \
	{                                                                                                    \
		part, pack, FROM(type, m), 0                                                                 \
	}

static const struct field fields[] = {
	{OF_VM, RAW, UP_TO(vm_sample, uuid, cpu_time_ns)},
	ONE(OF_VM, SECONDS, vm_sample, cpu_time_ns),
	{OF_VM, RAW, UP_TO(vm_sample, quota_pct, mem.swap_in_kib)},
	ONE(OF_VM, KNOWN, vm_sample, mem.swap_in_kib),
	ONE(OF_VM, KNOWN, vm_sample, mem.swap_out_kib),
	ONE(OF_VM, KNOWN, vm_sample, mem.major_faults),
	ONE(OF_VM, KNOWN, vm_sample, mem.last_update_ns),
	{OF_VM, RAW, THROUGH(vm_sample, mem.period_s, mem.balloon_device)},
	ONE(OF_VM, KNOWN, vm_sample, io.rd_reqs),
	ONE(OF_VM, KNOWN, vm_sample, io.rx_bytes),
	ONE(OF_VM, KNOWN, vm_sample, facts.helper_ns),
	ONE(OF_VM, KNOWN, vm_sample, facts.helper_delay_ns),
	{OF_VM, RAW, THROUGH(vm_sample, facts.helper_pcpu, facts.swapped_kib)},
	ONE(OF_VM, KNOWN, vm_sample, facts.throttled_ns),
	{OF_VM, RAW, THROUGH(vm_sample, facts.weight, facts.weight)},
	ONE(OF_VM, HUNDREDTHS, vm_sample, facts.psi_cpu),
	ONE(OF_VM, HUNDREDTHS, vm_sample, facts.psi_memory),
	ONE(OF_VM, HUNDREDTHS, vm_sample, facts.psi_io),
	ONE(OF_VM, KNOWN, vm_sample, facts.exits),
	ONE(OF_VM, KNOWN, vm_sample, facts.polled_ns),
	ONE(OF_VM, KNOWN, vm_sample, facts.disk_ns),
	ONE(OF_VM, KNOWN, vm_sample, facts.disk_reqs),
	ONE(OF_VM_RATE, HUNDREDTHS, vm_rate, cpu_pct),
	ONE(OF_VM_RATE, HUNDREDTHS, vm_rate, wait_pct),
	ONE(OF_VM_RATE, HUNDREDTHS, vm_rate, demand_pct),
	ONE(OF_VM_RATE, HUNDREDTHS, vm_rate, age_s),
	{OF_VM_RATE, RAW, THROUGH(vm_rate, used_kib, used_kib)},
	ONE(OF_VM_RATE, HUNDREDTHS, vm_rate, balloon_still_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, swap_in_kib_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, swap_out_kib_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, rd_reqs_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, wr_reqs_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, rd_bytes_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, wr_bytes_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, rx_bytes_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, tx_bytes_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, rx_pkts_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, tx_pkts_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, helper_ns_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, helper_delay_ns_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, throttled_ns_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, polled_ns_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, disk_ns_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, exits_s),
	ONE(OF_VM_RATE, FLOAT, vm_rate, disk_reqs_s),
	{OF_VM_RATE, RAW, THROUGH(vm_rate, first_seen_ns, birth)},
	{OF_VM_STATUS, RAW, THROUGH(vm_status, target_kib, target_kib)},
	ONE(OF_VM_STATUS, PLAIN, vm_status, target_age_s),
	{OF_VM_STATUS, RAW, THROUGH(vm_status, cpu, cpu)},
	ONE(OF_VM_STATUS, PLAIN, vm_status, held_for_s),
	{OF_VM_STATUS, RAW, THROUGH(vm_status, stay_on_node, mem)},
	ONE(OF_VM_STATUS, PLAIN, vm_status, suffer.score_pct),
	ONE(OF_VM_STATUS, HUNDREDTHS, vm_status, suffer.got_pct),
	{OF_VM_STATUS, RAW, THROUGH(vm_status, suffer.n, suffer.found)},
	{OF_VCPU, RAW, UP_TO(vcpu_sample, id, time_ns)},
	ONE(OF_VCPU, KNOWN, vcpu_sample, time_ns),
	ONE(OF_VCPU, KNOWN, vcpu_sample, delay_ns),
	{OF_VCPU, RAW, THROUGH(vcpu_sample, pcpu, pcpu)},
	ONE(OF_VCPU, CPUS, vcpu_sample, affinity),
	{OF_VCPU, RAW, THROUGH(vcpu_sample, affinity_avail, affinity_avail)},
	ONE(OF_VCPU, CPUS, vcpu_sample, allowed),
	{OF_VCPU, RAW, THROUGH(vcpu_sample, pinned, foreign_pin_ns)},
	ONE(OF_VCPU_RATE, HUNDREDTHS, vcpu_rate, usage_pct),
	ONE(OF_VCPU_RATE, HUNDREDTHS, vcpu_rate, wait_pct),
	ONE(OF_VCPU_RATE, HUNDREDTHS, vcpu_rate, demand_pct),
	{OF_VCPU_RATE, RAW, THROUGH(vcpu_rate, capped, capped)},
	{OF_VCPU_STATUS, RAW, THROUGH(vcpu_status, cpu, cpu)},
	ONE(OF_VCPU_STATUS, PLAIN, vcpu_status, held_for_s),
	{OF_PCPU, RAW, UP_TO(pcpu_sample, id, busy_ns)},
	ONE(OF_PCPU, KNOWN, pcpu_sample, busy_ns),
	ONE(OF_PCPU, KNOWN, pcpu_sample, idle_ns),
	ONE(OF_PCPU, KNOWN, pcpu_sample, steal_ns),
	ONE(OF_PCPU, HUNDREDTHS, pcpu_sample, speed_pct),
	ONE(OF_PCPU_RATE, HUNDREDTHS, pcpu_rate, busy_pct),
	ONE(OF_PCPU_RATE, HUNDREDTHS, pcpu_rate, load_pct),
	ONE(OF_PCPU_RATE, HUNDREDTHS, pcpu_rate, demand_pct),
	ONE(OF_PCPU_RATE, HUNDREDTHS, pcpu_rate, background_pct),
	ONE(OF_PCPU_RATE, HUNDREDTHS, pcpu_rate, steal_pct),
	{OF_PCPU_RATE, RAW, THROUGH(pcpu_rate, n_vcpus, n_vcpus)},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static const size_t part_size[PARTS] = {sizeof(struct vm_sample), sizeof(struct vm_rate),
	sizeof(struct vm_status), sizeof(struct vcpu_sample), sizeof(struct vcpu_rate),
	sizeof(struct vcpu_status), sizeof(struct pcpu_sample), sizeof(struct pcpu_rate)};

struct shape {
	size_t n_vms, n_vcpus, n_pcpus, cpu_bytes;
};
struct frame {
	unsigned char *bytes;
	size_t n;
	struct shape shape;
	int64_t time_ns;
	bool whole;
};
struct tape {
	struct frame *frames; /* number i is at i % cap */
	size_t cap, most_bytes, bytes;
	uint64_t first, end;
	struct shape shape;
	unsigned char *last, *next; /* images: of the newest frame, and room for another */
	unsigned char *code;        /* room for what differs */
	size_t n_image;
	int since_whole;
};

static size_t count_of(const struct shape *shape, enum part part)
{
	return part <= OF_VM_STATUS ? shape->n_vms : part <= OF_VCPU_STATUS ? shape->n_vcpus : shape->n_pcpus;
}

static size_t packed_size(const struct field *field, const struct shape *shape)
{
	static const size_t sizes[] = {
		[KNOWN] = 1, [SECONDS] = 9, [HUNDREDTHS] = 5, [FLOAT] = 5, [PLAIN] = 4};
	return field->pack == RAW ? field->size : field->pack == CPUS ? shape->cpu_bytes : sizes[field->pack];
}

static size_t image_size(const struct shape *shape)
{
	size_t n = sizeof(struct snapshot);
	for (size_t i = 0; i < FIELDS; i++)
		n += packed_size(&fields[i], shape) * count_of(shape, fields[i].part);
	return n;
}

static inline void pack_number(unsigned char *to, const void *from, enum pack pack)
{
	struct vf64 x;
	struct vi64 n;
	memcpy(&x, from, sizeof x);
	memcpy(&n, from, sizeof n);
	to[0] = (unsigned char)(pack == SECONDS || pack == KNOWN ? n.avail : x.avail);
	if (pack == HUNDREDTHS) {
		double bounded = x.v > 2e7 ? 2e7 : max_of(x.v, -2e7);
		int32_t hundredths = (int32_t)(bounded * 100 + (bounded < 0 ? -.5 : .5));
		memcpy(to + 1, &hundredths, sizeof hundredths);
	} else if (pack == FLOAT) {
		float rough = (float)x.v;
		memcpy(to + 1, &rough, sizeof rough);
	} else if (pack == SECONDS) {
		int64_t s = n.v / 100000000;
		memcpy(to + 1, &s, sizeof s);
	}
}

static void unpack_number(void *to, const unsigned char *from, enum pack pack)
{
	int32_t hundredths = 0;
	float rough = 0;
	int64_t s = 0;
	struct vf64 x = {0, (enum avail)from[0]};
	struct vi64 n = {0, (enum avail)from[0]};
	if (pack == HUNDREDTHS)
		memcpy(&hundredths, from + 1, sizeof hundredths);
	else if (pack == FLOAT)
		memcpy(&rough, from + 1, sizeof rough);
	else if (pack == SECONDS)
		memcpy(&s, from + 1, sizeof s);
	x.v = pack == HUNDREDTHS ? hundredths / 100.0 : (double)rough;
	n.v = s * 100000000;
	if (pack == HUNDREDTHS || pack == FLOAT)
		memcpy(to, &x, sizeof x);
	else
		memcpy(to, &n, sizeof n);
}

static void pack_plain(unsigned char *to, const char *from)
{
	double x;
	memcpy(&x, from, sizeof x);
	float rough = (float)x;
	memcpy(to, &rough, sizeof rough);
}

#define PACK_COLUMN(of_one)                                                                                  \
	for (; n > 0; n--, to += size, from += step)                                                         \
		of_one;                                                                                      \
	break

/* One field of all n, which lie `step` apart. The kind is asked for once, not for each. */
static void pack_column(
	unsigned char *to, const char *from, const struct field *field, size_t size, size_t step, size_t n)
{
	switch (field->pack) {
	case RAW:
	case CPUS:
		PACK_COLUMN(memcpy(to, from, size));
	case KNOWN:
		PACK_COLUMN(pack_number(to, from, KNOWN));
	case SECONDS:
		PACK_COLUMN(pack_number(to, from, SECONDS));
	case HUNDREDTHS:
		PACK_COLUMN(pack_number(to, from, HUNDREDTHS));
	case FLOAT:
		PACK_COLUMN(pack_number(to, from, FLOAT));
	case PLAIN:
		PACK_COLUMN(pack_plain(to, from));
	}
}

static void unpack_field(char *to, const unsigned char *from, const struct field *field, size_t size)
{
	if (field->pack == PLAIN) {
		float rough;
		memcpy(&rough, from, sizeof rough);
		double x = (double)rough;
		memcpy(to, &x, sizeof x);
	} else if (field->pack == RAW || field->pack == CPUS) {
		memcpy(to, from, size);
	} else {
		unpack_number(to, from, field->pack);
	}
}

static void parts_of(const struct snapshot *snap, const void *base[PARTS])
{
	const void *const parts[PARTS] = {snap->sample.vms, snap->vm_rates, snap->vm_status,
		snap->sample.vcpus, snap->vcpu_rates, snap->vcpu_status, snap->sample.host.pcpus,
		snap->pcpu_rates};
	memcpy(base, parts, sizeof parts);
}

/* What is not kept, and what would point out of the block. */
static void cut_loose(struct snapshot *snap)
{
	snap->sample.vms = NULL;
	snap->sample.vcpus = NULL;
	snap->sample.host.pcpus = NULL;
	snap->vcpu_rates = NULL;
	snap->vm_rates = NULL;
	snap->pcpu_rates = NULL;
	snap->vm_status = NULL;
	snap->vcpu_status = NULL;
	snap->actions = NULL;
	snap->log = NULL;
	snap->run_up = snap->next = NULL;
	snap->n_actions = snap->n_log = 0;
	snap->preview = false;
	snap->notice[0] = '\0';
}

/* Column by column, so that what does not change lies together. */
static void pack(const struct snapshot *snap, const struct shape *shape, unsigned char *to)
{
	struct snapshot head = *snap;
	const void *base[PARTS];
	parts_of(snap, base);
	cut_loose(&head);
	memcpy(to, &head, sizeof head);
	to += sizeof head;
	for (const struct field *field = fields; field < fields + FIELDS; field++) {
		size_t size = packed_size(field, shape), step = part_size[field->part],
		       n = count_of(shape, field->part);
		if (n) /* without one, base is NULL */
			pack_column(to, (const char *)base[field->part] + field->at, field, size, step, n);
		to += n * size;
	}
}

static void *carve(char *block, size_t *used, size_t n, size_t size)
{
	const size_t align = alignof(max_align_t);
	*used = (*used + align - 1) / align * align;
	void *p = block ? block + *used : NULL;
	*used += n * size;
	return p;
}

static size_t carve_parts(char *block, const struct shape *shape, void *base[PARTS])
{
	size_t used = sizeof(struct snapshot);
	for (int i = 0; i < PARTS; i++)
		base[i] = carve(block, &used, count_of(shape, (enum part)i), part_size[i]);
	return used;
}

static struct snapshot *unpack(const unsigned char *from, const struct shape *shape)
{
	void *base[PARTS];
	char *block = calloc(1, carve_parts(NULL, shape, base));
	struct snapshot *snap = (struct snapshot *)(void *)block;
	if (!snap)
		return NULL;
	carve_parts(block, shape, base);
	memcpy(snap, from, sizeof *snap);
	from += sizeof *snap;
	for (const struct field *field = fields; field < fields + FIELDS; field++) {
		size_t size = packed_size(field, shape), step = part_size[field->part],
		       n = count_of(shape, field->part);
		for (size_t i = 0; i < n; i++, from += size)
			unpack_field((char *)base[field->part] + field->at + i * step, from, field, size);
	}
	snap->sample.vms = base[OF_VM];
	snap->vm_rates = base[OF_VM_RATE];
	snap->vm_status = base[OF_VM_STATUS];
	snap->sample.vcpus = base[OF_VCPU];
	snap->vcpu_rates = base[OF_VCPU_RATE];
	snap->vcpu_status = base[OF_VCPU_STATUS];
	snap->sample.host.pcpus = base[OF_PCPU];
	snap->pcpu_rates = base[OF_PCPU_RATE];
	return snap;
}

static unsigned char *put_length(unsigned char *to, size_t n)
{
	for (; n >= 0x80; n >>= 7)
		*to++ = (unsigned char)(n | 0x80);
	*to++ = (unsigned char)n;
	return to;
}

static const unsigned char *take_length(const unsigned char *from, size_t *n)
{
	unsigned shift = 0;
	for (*n = 0; *from & 0x80; shift += 7)
		*n |= (size_t)(*from++ & 0x7f) << shift;
	*n |= (size_t)*from++ << shift;
	return from;
}

static size_t same_bytes(const unsigned char *a, const unsigned char *b, size_t at, size_t end)
{
	uint64_t x, y;
	for (; at + 8 <= end; at += 8) {
		memcpy(&x, a + at, 8);
		memcpy(&y, b + at, 8);
		if (x != y)
			break;
	}
	while (at < end && a[at] == b[at])
		at++;
	return at;
}

/* How many are the same, how many follow that are not, and these; a few that are the same between do not make
 * two of it. `code` has room for twice the image. */
static size_t encode(const unsigned char *was, const unsigned char *is, size_t n, unsigned char *code)
{
	unsigned char *to = code;
	for (size_t at = 0; at < n;) {
		size_t from = same_bytes(was, is, at, n), end = from, next = from;
		while (next < n && next - end < GAP) {
			if (was[next] != is[next])
				end = next + 1;
			next++;
		}
		to = put_length(put_length(to, from - at), end - from);
		memcpy(to, is + from, end - from);
		to += end - from;
		at = end > at ? end : n;
	}
	return (size_t)(to - code);
}

static void decode(const struct frame *frame, unsigned char *image)
{
	const unsigned char *from = frame->bytes, *end = frame->bytes + frame->n;
	while (from < end) {
		size_t skip, n;
		from = take_length(take_length(from, &skip), &n);
		image += skip;
		memcpy(image, from, n);
		image += n;
		from += n;
	}
}

static void forget_first(struct tape *tape)
{
	struct frame *frame = &tape->frames[tape->first++ % tape->cap];
	tape->bytes -= frame->n;
	free(frame->bytes);
	*frame = (struct frame){0};
}

/* The oldest whole frame goes with all that differs from it. */
static void forget(struct tape *tape)
{
	do
		forget_first(tape);
	while (tape->first < tape->end && !tape->frames[tape->first % tape->cap].whole);
}

struct tape *tape_new(size_t frames, size_t bytes)
{
	struct tape *tape = calloc(1, sizeof *tape);
	if (!tape || !(tape->frames = calloc(frames, sizeof *tape->frames))) {
		free(tape);
		return NULL;
	}
	tape->cap = frames;
	tape->most_bytes = bytes;
	return tape;
}

void tape_free(struct tape *tape)
{
	if (!tape)
		return;
	while (tape->first < tape->end)
		forget_first(tape);
	free(tape->frames);
	free(tape->last);
	free(tape->next);
	free(tape->code);
	free(tape);
}

/* Room for images of another shape; the next frame is a whole one. */
static bool reshape(struct tape *tape, const struct shape *shape)
{
	size_t n = image_size(shape);
	unsigned char *last = malloc(n), *next = malloc(n), *code = malloc(2 * n + 32);
	tape->since_whole = 0;
	if (!last || !next || !code) {
		free(last);
		free(next);
		free(code);
		return false;
	}
	free(tape->last);
	free(tape->next);
	free(tape->code);
	tape->last = last;
	tape->next = next;
	tape->code = code;
	tape->n_image = n;
	tape->shape = *shape;
	return true;
}

static struct shape shape_of(const struct snapshot *snap)
{
	const struct host_sample *host = &snap->sample.host;
	int highest = host->n_pcpus ? host->pcpus[host->n_pcpus - 1].id : 0;
	size_t words = (size_t)max_of(highest, 0) / 64 + 1;
	return (struct shape){
		snap->sample.n_vms, snap->sample.n_vcpus, host->n_pcpus, 8 * min_of(words, CPUSET_WORDS)};
}

void tape_feed(struct tape *tape, const struct snapshot *snap)
{
	struct shape shape = shape_of(snap);
	if ((!tape->last || memcmp(&shape, &tape->shape, sizeof shape)) && !reshape(tape, &shape))
		return;
	bool whole = tape->since_whole == 0;
	if (whole)
		memset(tape->last, 0, tape->n_image);
	pack(snap, &shape, tape->next);
	size_t n = encode(tape->last, tape->next, tape->n_image, tape->code);
	unsigned char *bytes = malloc(max_of(n, 1));
	if (!bytes) {
		tape->since_whole = 0;
		return;
	}
	memcpy(bytes, tape->code, n);
	while (tape->first < tape->end &&
		(tape->end - tape->first == tape->cap || tape->bytes + n > tape->most_bytes))
		forget(tape);
	if (tape->first == tape->end && !whole) { /* what it differs from went */
		free(bytes);
		tape->since_whole = 0;
		return;
	}
	tape->frames[tape->end++ % tape->cap] = (struct frame){bytes, n, shape, snap->sample.time_ns, whole};
	tape->bytes += n;
	tape->since_whole = (tape->since_whole + 1) % WHOLE_EVERY;
	unsigned char *swap = tape->last;
	tape->last = tape->next;
	tape->next = swap;
}

uint64_t tape_first(const struct tape *tape)
{
	return tape->first;
}

uint64_t tape_end(const struct tape *tape)
{
	return tape->end;
}

size_t tape_bytes(const struct tape *tape)
{
	return tape->bytes + tape->cap * sizeof *tape->frames + 4 * tape->n_image;
}

int64_t tape_time_ns(const struct tape *tape, uint64_t i)
{
	return i >= tape->first && i < tape->end ? tape->frames[i % tape->cap].time_ns : 0;
}

struct snapshot *tape_read(const struct tape *tape, uint64_t i)
{
	if (i < tape->first || i >= tape->end)
		return NULL;
	const struct shape *shape = &tape->frames[i % tape->cap].shape;
	uint64_t from = i;
	while (!tape->frames[from % tape->cap].whole)
		from--;
	unsigned char *image = calloc(1, image_size(shape));
	if (!image)
		return NULL;
	for (; from <= i; from++)
		decode(&tape->frames[from % tape->cap], image);
	struct snapshot *snap = unpack(image, shape);
	free(image);
	return snap;
}
