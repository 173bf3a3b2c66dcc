/* glyph.h - what a code point does to a terminal: how wide it is, and whether it may be sent at all.
 *
 * The one place that knows utf8proc. Any thread; takes no lock. */
#ifndef SONDE_GLYPH_H
#define SONDE_GLYPH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the code point at `s`, and which it is; 0 if it is broken UTF-8 or len is 0. */
size_t glyph_next(const char *s, size_t len, uint32_t *code);
/* Columns of a code point that is not hidden: 0 for marks, 1 or 2. */
int    glyph_columns(uint32_t code);
/* Control, formatting, bidi, private, unassigned, or without ink (but for the space itself). */
bool   glyph_hidden(uint32_t code);
/* Sits on the character before it. */
bool   glyph_mark(uint32_t code);
/* Columns of a text that went through show_text. */
int    glyph_text_columns(const char *text);
#endif
