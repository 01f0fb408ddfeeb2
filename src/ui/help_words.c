/* SPDX-License-Identifier: MIT */
/* What the words and signs of each view mean, for its help. Invariant: every word in capitals, every head and
 * every sign that a view can show has a row here, in the column table or in the key table; test_help_words
 * holds that. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"

enum { SIGNS = 5 };
#define WORD(where, text, meaning)                                                                           \
	{                                                                                                    \
		.at = (where), .word = (text), .help = (meaning)                                             \
	}
#define SIGNS_ROW(where, meaning, ...)                                                                       \
	{                                                                                                    \
		.at = (where), .word = "", .help = (meaning), .signs = {__VA_ARGS__},                        \
		.n_signs = sizeof((enum glyph[]){__VA_ARGS__}) / sizeof(enum glyph)                          \
	}

static const struct word_row {
	unsigned at; /* enum key_view */
	const char *word;
	const char *help;
	enum glyph signs[SIGNS]; /* instead of a word, as the screen draws them */
	int n_signs;
} rows[] = {
	WORD(AT_ANY, "CPU MEM", "how vCPUs are placed, and balloons sized: who decides, then the policy"),
	WORD(AT_ANY, "MANUAL", "nothing is changed unless a key asks for it"),
	WORD(AT_ANY, "AUTO", "vmtop acts by itself, as the policy says; AUTO cpu, AUTO mem: for one of both"),
	WORD(AT_ANY, "WAITS", "AUTO begins by itself once nobody else steers this host"),
	WORD(AT_ANY, "policy",
		"minmove, watermark and others, as vmtop(1) tells; per cpu, core, llc, node: what a vCPU is bound to"),
	WORD(AT_ANY, "deviation",
		"how unevenly the pCPUs are wanted: the standard deviation of demand over them, in percent of a pCPU; 0 is even"),
	WORD(AT_ANY, "limit", "over it CPU AUTO acts, within it nothing is done"),
	WORD(AT_ANY, "best found", "the lowest deviation of a placement that was found"),
	WORD(AT_ANY, "no plan below", "no placement whatever gets below this"),
	WORD(AT_ANY, "OK SOFT HARD",
		"host memory: there is enough; it is short, and idle memory is taken back; a crisis, in larger steps"),
	WORD(AT_ANY, "free", "memory of the host that programs could still have"),
	WORD(AT_ANY, "reserve", "memory that is kept for the host: the tick on the bar is where it begins"),
	SIGNS_ROW(AT_ANY,
		"a bar: in use (on a pCPU: by guests); the rest that is taken (on a pCPU: by others; of a guest: what its "
		"balloon leaves it beyond that); not taken; a limit or a target",
		GLYPH_BAR, GLYPH_BAR2, GLYPH_TROUGH, GLYPH_TICK),
	WORD(AT_ANY, "busy", "use of the online pCPUs, on average"),
	WORD(AT_ANY, "running ...",
		"states of VMs, as libvirt has them; blocked is waiting for something; hung: its monitor does not answer"),
	WORD(AT_ANY, "steers", "this vmtop has the claim on the host; others only watch"),
	WORD(AT_ANY, "STALE SLOW", "the data is late; libvirt answers late"),
	WORD(AT_ANY, "RECONNECTING",
		"the connection is lost and being made anew; CONNECTING: for the first time"),
	WORD(AT_ANY, "PAUSED ENDED", "the screen stands still (Z); the run is over"),
	WORD(AT_ANY, "READ-ONLY",
		"nothing can be changed from here; DRY-RUN: plans are made and not carried out"),
	WORD(AT_ANY, "REC REPLAY", "a recording is being written (R); one is shown"),
	WORD(AT_ANY, "PAST LIVE", "the screen shows what was, or what is"),
	WORD(AT_ANY, "PREVIEW",
		"what a rebalance would do is shown, and not done; PIN EDITOR: pins are being set by hand"),
	WORD(AT_ANY, "HUNG", "a guest whose monitor does not answer"),
	WORD(AT_ANY, "STARVING", "it waits for pCPUs that others have"),
	WORD(AT_ANY, "SWAPPING", "the guest swaps, or the host swaps its memory out"),
	WORD(AT_ANY, "SHORT", "SHORT OF MEMORY: the guest has hardly any memory left"),
	WORD(AT_ANY, "THROTTLED", "a quota or a limit of its control group holds it back"),
	WORD(AT_ANY, "SLOWED", "far memory, exits, storage, pressure, slow pCPUs or a job slow it down"),
	WORD(AT_ANY, "colours",
		"green below 60 %, yellow from 60 %, red from 90 %; magenta: waiting for a pCPU; blue: pinned; words: "
		"green is well, yellow is to be looked at, red is wrong"),

	WORD(AT_TABLES, "!", "at the left: the VM suffers; * it is marked"),
	SIGNS_ROW(AT_TABLES, "at the left: the VM that keys are about", GLYPH_CURSOR),
	SIGNS_ROW(AT_TABLES, "in a head: the rows are sorted by it, upwards or downwards", GLYPH_UP,
		GLYPH_DOWN),
	WORD(AT_TABLES, "-", "a value that is not known: the VM's own view says why"),
	WORD(AT_TABLES | AT_VM, "LAST n MIN",
		"the last minutes of a VM, the newest at the right: waiting on top of running; USED LAST: of its memory"),
	WORD(AT_TABLES | AT_VM, "HELD FOREIGN",
		"AUTO leaves the VM alone: it was told to, or somebody else has changed it"),
	WORD(AT_TABLES, "MARKED FILTER",
		"how many VMs are marked; only those that match are shown; FOLLOW: f is on"),
	SIGNS_ROW(AT_OVERVIEW | AT_PCPUS,
		"pin map: pinned and runs here; pinned; runs here; may run here; planned here",
		GLYPH_PIN_HERE, GLYPH_PINNED, GLYPH_HERE, GLYPH_ALLOWED, GLYPH_GHOST),
	WORD(AT_OVERVIEW | AT_PCPUS | AT_VM, "USE% WAIT%",
		"of a vCPU: what it uses, and how long it waits for a pCPU, in percent of one"),
	WORD(AT_OVERVIEW | AT_PCPUS, "▲140", "of a pCPU: its vCPUs ask for 140 % of it"),
	WORD(AT_OVERVIEW | AT_PCPUS, "isolated",
		"a pCPU that the kernel does not balance: for those alone that name it; offline: it is switched off"),
	WORD(AT_OVERVIEW | AT_PCPUS, "strip",
		"where bars have no room: a cell a pCPU, the higher the busier; x: offline; 8x4: four pCPUs have a cell, "
		"and the busiest of them shows"),
	WORD(AT_OVERVIEW | AT_PCPUS, "node 0",
		"a line a node, a gap between last-level caches; behind it the node's memory"),
	WORD(AT_OVERVIEW | AT_PCPUS, "lit", "with a background: the pCPUs of the selected VM"),
	WORD(AT_ANY & ~AT_PLAN, "ran waited",
		"graphs: what vCPUs got of the pCPUs, and what they waited for"),
	WORD(AT_ANY & ~AT_PLAN, "now", "graphs: the right end; to the left is the past, with its age"),
	WORD(AT_TABLES | AT_VM, "has", "the balloon's actual size; as asked: it is where it was set"),
	WORD(AT_TABLES | AT_VM | AT_WHY, "used usable",
		"what the guest cannot do without, and what it could still have without swapping"),
	WORD(AT_TABLES | AT_VM, "QEMU holds",
		"host memory behind the guest; statistics: how old the guest's word is"),
	WORD(AT_TABLES, "to give", "host memory that balloons may still get"),
	WORD(AT_TABLES, "eligible", "guests whose balloon memory control may set; the others say why not"),
	WORD(AT_TABLES | AT_PCPUS | AT_LOG, "pressure",
		"share of time for which programs of the host stalled for memory"),
	WORD(AT_ANY & ~(AT_WHY | AT_PLAN), "MARK", "in the log: put there with ' or vmtop mark"),
	WORD(AT_VM, "NEED%", "what a vCPU would use if it had a pCPU to itself"),
	WORD(AT_VM, "ON node", "the pCPU on which it runs, and that one's NUMA node"),
	WORD(AT_VM, "PINNED",
		"its pin; ALLOWED: the pCPUs that it may use by definition and cpuset; any: all"),
	WORD(AT_VM, "traffic", "what its disks and networks move"),
	WORD(AT_TABLES | AT_WHY, "cure", "what would end it: a key here, or a command for an admin"),
	WORD(AT_TABLES | AT_WHY, "not known",
		"what could not be read, and so accuses nobody; QEMU is the program behind a guest"),
	WORD(AT_TABLES | AT_WHY, "of 100", "how much it suffers: what its heaviest cause costs of its speed"),
	WORD(AT_PLAN, "MOVE", "a vCPU goes elsewhere; pin: it stays where it runs; out: left out"),
};

size_t help_words(void)
{
	return sizeof rows / sizeof *rows;
}

static size_t put_sign(char *buf, uint32_t ch)
{
	if (ch < 0x80) {
		buf[0] = (char)ch;
		return 1;
	}
	buf[0] = (char)(0xe0 | ch >> 12); /* signs of ours are below U+10000 and above U+07FF, or Latin-1 */
	buf[1] = (char)(0x80 | (ch >> 6 & 0x3f));
	buf[2] = (char)(0x80 | (ch & 0x3f));
	if (ch >= 0x800)
		return 3;
	buf[0] = (char)(0xc0 | ch >> 6);
	buf[1] = (char)(0x80 | (ch & 0x3f));
	return 2;
}

const char *help_word(const struct screen *scr, size_t i, enum view_id view, char *word, size_t len)
{
	const struct word_row *row = &rows[i];
	size_t n = 0;
	if (!(row->at & 1U << view))
		return NULL;
	snprintf(word, len, "%s", row->word);
	for (int k = 0; k < row->n_signs && n + 5 < len; k++) {
		n += put_sign(word + n, draw_glyph(scr, row->signs[k]));
		word[n++] = ' ';
		word[n - (k + 1 == row->n_signs)] = '\0';
	}
	return row->help;
}
