/* split.h - cutting text by a regular expression, matches and what lies between them alike.
 *
 * PCRE2 is behind this file alone; what most tokenizers use is cut by hand (scan.h). Patterns are Oniguruma's, as in
 * tokenizer.json (pattern.h). A pattern comes from a file, so the work at each place is limited. Read-only once made;
 * matching needs a split_work for each thread. */
#ifndef SONDE_SPLIT_H
#define SONDE_SPLIT_H
#include "sonde/error.h"
#include "stretch.h"

typedef struct splitter splitter;
typedef struct split_work split_work;

extern const char split_gpt2[];                 /* the pattern that ByteLevel names by `use_regex` */
/* What `Digits` behind ByteLevel cuts out, singly and together: it sees bytes as byte level spells them, some of which are
 * numbers, and cuts within characters. Behind these only patterns of ASCII may follow. */
extern const char split_byte_number[], split_byte_numbers[];

/* `literal`: the pattern is a text, not an expression. UNSUPPORTED: PCRE2 cannot read it. */
sonde_status splitter_new(splitter **out, const char *pattern, size_t len, bool literal, sonde_error *err);
void         splitter_free(splitter *s);                /* accepts NULL */
const char  *splitter_pattern(const splitter *s);       /* as the file has it */
bool         splitter_literal(const splitter *s);

split_work  *split_work_new(void);
void         split_work_free(split_work *w);            /* accepts NULL */

/* Cuts text[p->start, p->end), which is UTF-8 and is all the expression sees, and adds the parts to `out`: all of them,
 * or some thousand. p->start is then where to go on, p->end at the end. */
sonde_status splitter_run(const splitter *s, const char *text, piece *p, split_work *w, piece_list *out,
                          sonde_error *err);

/* The matches alone, in order; they may be empty. */
sonde_status splitter_matches(const splitter *s, const char *text, piece p, split_work *w, piece_list *out,
                              sonde_error *err);
#endif
