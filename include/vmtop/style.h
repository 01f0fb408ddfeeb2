/* SPDX-License-Identifier: MIT */
/* What cells of the screen may mean. Pure. */
#ifndef VMTOP_STYLE_H
#define VMTOP_STYLE_H

/* What a cell means; the theme says how it looks. Never colour alone: each also differs in text or attribute.
 */
enum style {
	STYLE_NORMAL,
	STYLE_DIM,
	STYLE_BOLD,
	STYLE_TITLE,
	STYLE_HEADER, /* table heads */
	STYLE_SORTED, /* head of the sort column */
	STYLE_SELECTED,
	STYLE_MARKED,
	STYLE_KEY,      /* footer: the key */
	STYLE_KEY_TEXT, /* footer: what it does */
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_LOW, /* bars by load */
	STYLE_MID,
	STYLE_HIGH,
	STYLE_WAIT, /* run-queue wait part of a bar */
	STYLE_PIN,  /* pin map: pinned */
	STYLE_HERE, /* pin map: runs here now */
	STYLE_ALLOWED,
	STYLE_GHOST,
	STYLE_FRAME,
	STYLE_LIT, /* heat strip: a pCPU of the selected VM */
	STYLE_COUNT
};

#endif
