/* text.h - UTF-8, text that is fit to be shown, and the names nearest to a mistyped one. */
#ifndef SONDE_TEXT_H
#define SONDE_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at text[0] (1..4) and its code point; 0 if none stands there whole: cut, overlong, a
 * surrogate, above U+10FFFF, or n is 0. */
size_t utf8_next(const char *text, size_t n, uint32_t *code);
/* False with the offset of the first bad byte (`offset` may be NULL). */
bool   utf8_valid(const char *text, size_t n, size_t *offset);

/* Untrusted text for a message: control characters, broken bytes and marks that turn the writing direction as \xNN;
 * cut, with ".." behind it, where it is long. text_shown(name, len).text lives until the end of the expression. */
typedef struct { char text[328]; } shown;
shown  text_shown(const char *text, size_t len);
shown  name_shown(const char *name);            /* the same, up to the NUL */

/* Indices of the k names nearest to `word`, nearest first, ties in the order of the list; returns min(k, n).
 * Distance: insertions, deletions, replacements and swaps of neighbours, letter case ignored; bytes behind the 63rd
 * do not count. */
size_t nearest(const char *word, const char *const *names, size_t n, size_t *out, size_t k);
#endif
