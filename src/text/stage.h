/* stage.h - the steps of the pre-tokenizer: a text is cut into pieces, and may change on the way. */
#ifndef SONDE_STAGE_H
#define SONDE_STAGE_H
#include "split.h"

typedef enum {
    STAGE_PATTERN,                  /* matches of the pattern and what lies between */
    STAGE_SPACE,                    /* a space in front of each piece that has none */
} stage_kind;

typedef struct {
    stage_kind      kind;
    const splitter *pattern;        /* lent */
    const char     *name;           /* what tokenizer_stage tells */
} stage;

typedef struct {
    arena      *memory;
    split_work *split;
    piece_list  pieces, next;
} stage_work;

/* work->pieces, which tile the stretch or lie in it in order, become what the step makes of them; so does *s. */
sonde_status stage_run(const stage *g, stretch *s, stage_work *work, sonde_error *err);
#endif
