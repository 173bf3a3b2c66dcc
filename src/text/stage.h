/* stage.h - the steps of the pre-tokenizer: a text is cut into pieces, and may change on the way. */
#ifndef SONDE_STAGE_H
#define SONDE_STAGE_H
#include "split.h"
#include <stdint.h>

typedef enum {
    STAGE_PATTERN,                  /* matches of the pattern */
    STAGE_CLASS,                    /* matches: each character of the class */
    STAGE_WORDS,                    /* runs of word characters, and of others; white space is dropped */
    STAGE_SPACE,                    /* a space in front of each piece that has none */
    STAGE_METASPACE,                /* spaces become `mark`, and one is put in front; then cut before each where `cut` */
    STAGE_LENGTH,                   /* `length` characters each */
    STAGE_BYTES,                    /* into the byte alphabet */
} stage_kind;

typedef enum { CLASS_SPACE, CLASS_PUNCTUATION, CLASS_NUMBER, CLASS_MARK } stage_class;
/* What becomes of matches and of what lies between them: `tokenizers`' words. */
typedef enum { CUT_ISOLATED, CUT_REMOVED, CUT_CONTIGUOUS, CUT_WITH_PREVIOUS, CUT_WITH_NEXT } stage_cut;
typedef enum { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } stage_prepend;

typedef struct {
    stage_kind      kind;
    const char     *name;           /* what tokenizer_stage tells */
    stage_cut       behavior;       /* PATTERN, CLASS */
    bool            invert;         /* PATTERN: what lies between the matches is what matches */
    const splitter *pattern;        /* lent */
    stage_class     class;
    uint32_t        mark;           /* CLASS_MARK, METASPACE */
    stage_prepend   prepend;
    bool            cut;
    size_t          length;
} stage;

typedef struct { size_t start, end; bool match; } stage_part;

typedef struct {
    arena      *memory;
    split_work *split;
    piece_list  pieces, next, found;
    stage_part *parts;
    size_t      n_parts, cap_parts;
} stage_work;

/* work->pieces, which tile the stretch or lie in it in order, become what the step makes of them; so does *s. */
sonde_status stage_run(const stage *g, stretch *s, stage_work *work, sonde_error *err);
#endif
