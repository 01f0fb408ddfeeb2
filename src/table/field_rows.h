/* SPDX-License-Identifier: MIT */
/* How the rows of the tables of fields and metrics are written. Private to src/table. */
#ifndef VMTOP_TABLE_FIELD_ROWS_H
#define VMTOP_TABLE_FIELD_ROWS_H

#include "vmtop/fields.h"

/* A member that is taken as it is; its type is the compiler's word. */
#define OF(base_, type_, member)                                                                             \
	.base = (base_), .at = offsetof(type_, member),                                                      \
	.type = _Generic(((type_ *)0)->member, struct vf64: 'f', struct vi64: 'i', int: 'n', int64_t: 'l', bool: 'b', char *: 't')
#define SNAPSHOT(member)   OF(FIELD_OF_SNAPSHOT, struct snapshot, member)
#define PCPU(member)       OF(FIELD_OF_PCPU, struct pcpu_sample, member)
#define PCPU_RATE(member)  OF(FIELD_OF_PCPU_RATE, struct pcpu_rate, member)
#define VM(member)         OF(FIELD_OF_VM, struct vm_sample, member)
#define VM_RATE(member)    OF(FIELD_OF_VM_RATE, struct vm_rate, member)
#define VM_STATUS(member)  OF(FIELD_OF_VM_STATUS, struct vm_status, member)
#define VCPU(member)       OF(FIELD_OF_VCPU, struct vcpu_sample, member)
#define VCPU_RATE(member)  OF(FIELD_OF_VCPU_RATE, struct vcpu_rate, member)
#define ACTION(member)     OF(FIELD_OF_ACTION, struct action, member)
#define TALLY(member)      OF(FIELD_OF_TALLY, struct tally, member)
#define VM_TALLY(member)   OF(FIELD_OF_VM_TALLY, struct vm_tally, member)
#define VCPU_TALLY(member) OF(FIELD_OF_VCPU_TALLY, struct vcpu_tally, member)
#define PCPU_TALLY(member) OF(FIELD_OF_PCPU_TALLY, struct pcpu_tally, member)
#define SET(name, rows)    const struct field_set name = {rows, sizeof(rows) / sizeof(rows)[0]}

#endif
