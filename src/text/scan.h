/* scan.h - the expressions that most tokenizers cut by, done by hand: the same cuts as PCRE2's (tests/test_scan.c), some
 * ten times as fast. Read-only; any thread. */
#ifndef SONDE_SCAN_H
#define SONDE_SCAN_H
#include "stretch.h"

typedef struct scanner scanner;

/* NULL: not one of them. The pattern is as in tokenizer.json. */
const scanner *scanner_of(const char *pattern, size_t len);
const char    *scanner_pattern(size_t i);               /* of row i, NULL past the last */

/* Cuts text[p.start, p.end), which is UTF-8, and adds the parts to `out`, some `most` at a time; returns where it stopped,
 * from where to go on. */
size_t scanner_run(const scanner *s, const char *text, piece p, piece_list *out, size_t most);
#endif
