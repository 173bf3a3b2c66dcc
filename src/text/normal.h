/* normal.h - what a text becomes before it is cut: the steps of the normaliser. */
#ifndef SONDE_NORMAL_H
#define SONDE_NORMAL_H
#include "charsmap.h"
#include "split.h"
#include "trie.h"
#include "unicode.h"

typedef enum {
    NORMAL_FORM, NORMAL_LOWER, NORMAL_STRIP, NORMAL_STRIP_ACCENTS, NORMAL_BASIC, NORMAL_NMT, NORMAL_CHARSMAP, NORMAL_REPLACE,
    NORMAL_PREPEND, NORMAL_BYTES, NORMAL_SENTENCEPIECE,
} normal_kind;

typedef struct {
    normal_kind     kind;
    unicode_form    form;                                       /* FORM */
    bool            left, right;                                /* STRIP */
    bool            clean, chinese, accents, lower;             /* BERT: what is done */
    const char     *text;                                       /* PREPEND, REPLACE: what comes in */
    size_t          len;
    const splitter *pattern;                                    /* REPLACE; lent */
    const charsmap *map;                                        /* CHARSMAP; SENTENCEPIECE: may be NULL */
    const trie     *whole;                                      /* SENTENCEPIECE: texts that stay as they are, may be NULL */
    bool            prefix, prefix_each, suffix, collapse, escape;      /* SENTENCEPIECE: see normal_spm.c */
} normal_step;

/* *s after the step; memory from the arena where something changes. The text is UTF-8, but for FORM. */
sonde_status normal_run(const normal_step *k, stretch *s, arena *into, split_work *w, sonde_error *err);
stretch      normal_sentencepiece(const normal_step *k, const stretch *s, arena *into);     /* normal_spm.c */
#endif
