/* SPDX-License-Identifier: MIT */
/* The smallest busy guest: a boot sector that spins while (BIOS tick mod 10) < duty and halts otherwise, so that
 * duty 3 uses about 30 % of a pCPU and duty 10 all of it. The BIOS tick (0x46C) counts 18.2 times a second.
 *
 * Every vCPU runs the same loop. Only the first one is interrupted by the timer, so it wakes the others with an
 * NMI (needs no acknowledgement) at each of its own turns; a vCPU that is busy then is hardly disturbed.
 * lab.sh writes the duty into the byte at `duty`, which is the last one before the 0xAA55 mark, and into the one
 * before it the duty from the first key press on. Duty 0 is quiet indeed: not even the timer wakes it. */
	.code16
	.text
	.org 0
start:	cli
	ljmp	$0, $(0x7c00 + main)
main:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7000, %sp
	/* NMI handler: return at once. */
	movw	$(0x7c00 + wake), 8
	movw	$0, 10
	/* A flat 4 GiB %fs, to reach the local APIC from real mode. */
	lgdt	0x7c00 + gdtr
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	mov	$8, %bx
	mov	%bx, %fs
	and	$0xfe, %al
	mov	%eax, %cr0
	mov	$0xfee00300, %ebx
	/* The others start at vector 8, address 0x8000: a far jump to `other`. */
	movb	$0xea, 0x8000
	movw	$(0x7c00 + other), 0x8001
	movw	$0, 0x8003
	movl	$0xc4500, %fs:(%ebx)	/* INIT to all but me */
	mov	$0x4000, %cx
1:	in	$0x80, %al
	loop	1b
	movl	$0xc4608, %fs:(%ebx)	/* start at 0x8000 */
	mov	$0x1000, %cx
1:	in	$0x80, %al
	loop	1b
	movl	$0xc4608, %fs:(%ebx)
	cmpb	$0, 0x7c00 + duty
	jne	1f
	in	$0x21, %al		/* mask the timer */
	or	$1, %al
	out	%al, $0x21
1:	sti
first:	call	busy
	hlt
	movl	$0xc4400, %fs:(%ebx)	/* NMI to all but me */
	jmp	first

other:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	/* A stack of its own for each: the APIC id is in cpuid(1).ebx[31:24]. */
	mov	$1, %eax
	cpuid
	shr	$24, %ebx
	shl	$8, %bx
	add	$0x9000, %bx
	mov	%bx, %sp
1:	call	busy
	hlt
	jmp	1b

/* Returns once the tick says so. A key lies in the BIOS's buffer when its head and tail differ. */
busy:	push	%bx
1:	mov	0x7c00 + duty, %bl
	mov	0x41a, %ax
	cmp	0x41c, %ax
	je	2f
	mov	0x7c00 + later, %bl
2:	mov	0x46c, %ax
	xor	%dx, %dx
	mov	$10, %cx
	div	%cx
	cmp	%bl, %dl
	jb	1b
	pop	%bx
	ret

wake:	iret

	.balign	8
gdt:	.quad	0
	.quad	0x00cf92000000ffff
gdtr:	.word	15
	.long	0x7c00 + gdt

	.org	508
later:	.byte	10
duty:	.byte	10
	.word	0xaa55
