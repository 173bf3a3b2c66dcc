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

typedef struct { const char *at; size_t len; } text_part;

/* A stretch in the making. `first` is the origin of the first of the n bytes, `rest` that of the others. */
typedef struct {
    arena  *memory;
    char   *text;
    size_t *origin;
    size_t  len, cap, origin_cap;
} stretch_maker;

static inline void stretch_put(stretch_maker *m, const char *bytes, size_t n, size_t first, size_t rest) {
    m->text = grow(m->memory, m->text, m->len, m->len + n, &m->cap, 1);
    m->origin = grow(m->memory, m->origin, m->len, m->len + n + 1, &m->origin_cap, sizeof *m->origin);
    for (size_t i = 0; i < n; i++) {
        m->text[m->len] = bytes[i];
        m->origin[m->len++] = i ? rest : first;
    }
}

/* Bytes [start, end) of `s` as they are. */
static inline void stretch_copy(stretch_maker *m, const stretch *s, size_t start, size_t end) {
    m->text = grow(m->memory, m->text, m->len, m->len + (end - start), &m->cap, 1);
    m->origin = grow(m->memory, m->origin, m->len, m->len + (end - start) + 1, &m->origin_cap, sizeof *m->origin);
    for (size_t i = start; i < end; i++) {
        m->text[m->len] = s->text[i];
        m->origin[m->len++] = stretch_origin(s, i);
    }
}

/* `end`: where what was taken in ends. */
static inline stretch stretch_made(stretch_maker *m, size_t end) {
    m->origin = grow(m->memory, m->origin, m->len, m->len + 1, &m->origin_cap, sizeof *m->origin);
    m->origin[m->len] = end;
    return (stretch){ .text = m->text, .len = m->len, .origin = m->origin };
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
