/* stretch.h - a piece of text on its way from stage to stage, that knows where it came from. */
#ifndef SONDE_STRETCH_H
#define SONDE_STRETCH_H
#include "grow.h"
#include <stdbool.h>
#include <stddef.h>

/* Byte i came from byte stretch_origin(s, i) of the text the user gave; i may be len. Where a stage changed a character
 * its first byte has the origin and the others that of what follows, so spans of tokens tile the text. */
typedef struct {
    const char   *text;
    size_t        len;
    const size_t *origin;       /* [len + 1], or NULL: byte i came from base + i */
    size_t        base;
} stretch;

static inline size_t stretch_origin(const stretch *s, size_t i) {
    return s->origin ? s->origin[i] : s->base + i;
}

static inline stretch stretch_part(const stretch *s, size_t start, size_t end) {
    return (stretch){ s->text + start, end - start, s->origin ? s->origin + start : NULL, s->base + start };
}

/* What a pre-tokenizer makes of a stretch: spans that tile it. `bad`: one byte that is not UTF-8; no stage splits it
 * or looks across it. */
typedef struct { size_t start, end; bool bad; } piece;

typedef struct {
    arena  *memory;
    piece  *at;
    size_t  n, cap;
} piece_list;

static inline void pieces_add(piece_list *l, size_t start, size_t end, bool bad) {
    l->at = grow(l->memory, l->at, l->n, l->n + 1, &l->cap, sizeof *l->at);
    l->at[l->n++] = (piece){ start, end, bad };
}
#endif
