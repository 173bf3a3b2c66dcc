#include "stage.h"
#include "base/text.h"
#include "bytes.h"
#include "unicode.h"
#include <utf8proc.h>

static void swap(stage_work *w) {
    const piece_list done = w->pieces;
    w->pieces = w->next;
    w->next = done;
}

static void add_part(stage_work *w, size_t start, size_t end, bool match) {
    w->parts = grow(w->memory, w->parts, w->n_parts, w->n_parts + 1, &w->cap_parts, sizeof *w->parts);
    w->parts[w->n_parts++] = (stage_part){ start, end, match };
}

static void add_piece(stage_work *w, size_t start, size_t end) {
    if (start < end) pieces_add(&w->next, start, end, false);
}

/* Neighbours of one kind are one. */
static void cut_contiguous(stage_work *w) {
    const stage_part *p = w->parts;
    for (size_t i = 0, k; i < w->n_parts; i = k) {
        for (k = i + 1; k < w->n_parts && p[k].match == p[i].match; k++) { }
        add_piece(w, p[i].start, p[k - 1].end);
    }
}

/* The first of some matches goes to what is before it. */
static void cut_with_previous(stage_work *w) {
    const stage_part *p = w->parts;
    for (size_t i = 0, k; i < w->n_parts; i = k) {
        k = i + 1;
        if (!p[i].match && k < w->n_parts && p[k].match) k++;
        add_piece(w, p[i].start, p[k - 1].end);
    }
}

/* The last of some matches goes to what is behind it. */
static void cut_with_next(stage_work *w) {
    const stage_part *p = w->parts;
    for (size_t i = 0, k; i < w->n_parts; i = k) {
        k = i + 1;
        if (p[i].match && k < w->n_parts && !p[k].match) k++;
        add_piece(w, p[i].start, p[k - 1].end);
    }
}

/* w->parts, which tile a piece, into pieces. */
static void cut(stage_work *w, stage_cut behavior) {
    switch (behavior) {
    case CUT_CONTIGUOUS:    cut_contiguous(w);    return;
    case CUT_WITH_PREVIOUS: cut_with_previous(w); return;
    case CUT_WITH_NEXT:     cut_with_next(w);     return;
    case CUT_ISOLATED: case CUT_REMOVED: break;
    }
    for (size_t i = 0; i < w->n_parts; i++)
        if (behavior == CUT_ISOLATED || !w->parts[i].match) add_piece(w, w->parts[i].start, w->parts[i].end);
}

static bool is_in(const stage *g, uint32_t c) {
    switch (g->class) {
    case CLASS_SPACE:       return unicode_space(c);
    case CLASS_PUNCTUATION: return unicode_punctuation(c);
    case CLASS_NUMBER:      return unicode_number(c);
    case CLASS_MARK:        return c == g->mark;
    }
    return false;
}

static void cut_class(const stage *g, const stretch *s, piece p, stage_work *w) {
    size_t done = p.start, n;
    w->n_parts = 0;
    for (size_t at = p.start; at < p.end; at += n) {
        uint32_t c;
        n = utf8_next(s->text + at, p.end - at, &c);
        if (!is_in(g, c)) continue;
        if (done < at) add_part(w, done, at, false);
        add_part(w, at, at + n, true);
        done = at + n;
    }
    if (done < p.end) add_part(w, done, p.end, false);
    cut(w, g->behavior);
}

static sonde_status cut_pattern(const stage *g, const stretch *s, piece p, stage_work *w, sonde_error *err) {
    if (g->behavior == CUT_ISOLATED) {
        while (p.start < p.end) SONDE_TRY(splitter_run(g->pattern, s->text, &p, w->split, &w->next, err));
        return SONDE_OK;
    }
    w->found.n = w->n_parts = 0;
    SONDE_TRY(splitter_matches(g->pattern, s->text, p, w->split, &w->found, err));
    size_t done = p.start;
    for (size_t i = 0; i < w->found.n; i++) {
        const piece m = w->found.at[i];
        if (done < m.start) add_part(w, done, m.start, g->invert);
        add_part(w, m.start, m.end, !g->invert);
        done = m.end;
    }
    if (done < p.end) add_part(w, done, p.end, g->invert);
    cut(w, g->behavior);
    return SONDE_OK;
}

static void cut_words(const stretch *s, piece p, stage_work *w) {
    size_t start = p.start, n;
    int before = 0;                             /* 0 white space, 1 a word, 2 another character */
    for (size_t at = p.start; at < p.end; at += n) {
        uint32_t c;
        n = utf8_next(s->text + at, p.end - at, &c);
        const int now = unicode_word(c) ? 1 : unicode_space(c) ? 0 : 2;
        if (now == before) continue;
        if (before) add_piece(w, start, at);
        start = at;
        before = now;
    }
    if (before) add_piece(w, start, p.end);
}

static void cut_lengths(const stage *g, const stretch *s, piece p, stage_work *w) {
    size_t start = p.start, count = 0;
    for (size_t at = p.start; at < p.end; count++) {
        uint32_t c;
        if (count == g->length) {
            add_piece(w, start, at);
            start = at;
            count = 0;
        }
        at += utf8_next(s->text + at, p.end - at, &c);
    }
    add_piece(w, start, p.end);
}

static sonde_status cut_piece(const stage *g, const stretch *s, piece p, stage_work *w, sonde_error *err) {
    switch (g->kind) {
    case STAGE_PATTERN: return cut_pattern(g, s, p, w, err);
    case STAGE_WORDS:   cut_words(s, p, w);      break;
    case STAGE_LENGTH:  cut_lengths(g, s, p, w); break;
    default:            cut_class(g, s, p, w);   break;
    }
    return SONDE_OK;
}

static sonde_status cut_pieces(const stage *g, const stretch *s, stage_work *w, sonde_error *err) {
    w->next.n = 0;
    for (size_t i = 0; i < w->pieces.n; i++) {
        const piece p = w->pieces.at[i];
        if (p.bad) pieces_add(&w->next, p.start, p.end, true);
        else SONDE_TRY(cut_piece(g, s, p, w, err));
    }
    swap(w);
    return SONDE_OK;
}

static void put_space(const stretch *s, piece p, stretch_maker *m) {
    const size_t from = stretch_origin(s, p.start);
    if (s->text[p.start] != ' ') stretch_put(m, " ", 1, from, from);
    stretch_copy(m, s, p.start, p.end);
}

static void put_metaspace(const stage *g, const stretch *s, piece p, stretch_maker *m) {
    uint8_t mark[4];
    const size_t n = (size_t)utf8proc_encode_char((int32_t)g->mark, mark), from = stretch_origin(s, p.start);
    const bool has = s->text[p.start] == ' ' || (p.end - p.start >= n && memcmp(s->text + p.start, mark, n) == 0);
    const bool wanted = g->prepend == PREPEND_ALWAYS || (g->prepend == PREPEND_FIRST && from == 0);
    if (wanted && !has) stretch_put(m, (const char *)mark, n, from, from);
    for (size_t i = p.start; i < p.end; i++) {
        if (s->text[i] == ' ') stretch_put(m, (const char *)mark, n, stretch_origin(s, i), stretch_origin(s, i + 1));
        else stretch_copy(m, s, i, i + 1);
    }
}

static void put_bytes(const stretch *s, piece p, stretch_maker *m) {
    char spelled[2];
    for (size_t i = p.start; i < p.end; i++) {
        const size_t n = bytes_spell(s->text + i, 1, spelled);
        stretch_put(m, spelled, n, stretch_origin(s, i), stretch_origin(s, i + 1));
    }
}

/* A new text for all pieces. A piece behind a bad byte goes on, does not begin. */
static void change_pieces(const stage *g, stretch *s, stage_work *w) {
    stretch_maker m = { .memory = w->memory };
    bool after_bad = false;
    for (size_t i = 0; i < w->pieces.n; i++) {
        piece *p = &w->pieces.at[i];
        const size_t start = m.len;
        if (p->bad || (after_bad && g->kind == STAGE_SPACE)) stretch_copy(&m, s, p->start, p->end);
        else if (g->kind == STAGE_SPACE) put_space(s, *p, &m);
        else if (g->kind == STAGE_METASPACE) put_metaspace(g, s, *p, &m);
        else put_bytes(s, *p, &m);
        const size_t gap = stretch_origin(s, p->end);
        const bool last = i + 1 == w->pieces.n, follows = !last && w->pieces.at[i + 1].start == p->end;
        after_bad = p->bad;
        *p = (piece){ start, m.len, p->bad };
        if (!last && !follows) stretch_put(&m, " ", 1, gap, gap);       /* in no piece: it knows where the piece ends */
    }
    *s = stretch_made(&m, stretch_origin(s, s->len));
}

sonde_status stage_run(const stage *g, stretch *s, stage_work *w, sonde_error *err) {
    if (g->kind != STAGE_SPACE && g->kind != STAGE_METASPACE && g->kind != STAGE_BYTES) return cut_pieces(g, s, w, err);
    change_pieces(g, s, w);
    if (g->kind != STAGE_METASPACE || !g->cut) return SONDE_OK;
    const stage before = { .kind = STAGE_CLASS, .class = CLASS_MARK, .mark = g->mark, .behavior = CUT_WITH_NEXT };
    return cut_pieces(&before, s, w, err);
}
