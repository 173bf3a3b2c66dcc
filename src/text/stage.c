#include "stage.h"

static void swap(stage_work *w) {
    const piece_list done = w->pieces;
    w->pieces = w->next;
    w->next = done;
}

static sonde_status run_pattern(const stage *g, const stretch *s, stage_work *w, sonde_error *err) {
    w->next.n = 0;
    for (size_t i = 0; i < w->pieces.n; i++) {
        const piece p = w->pieces.at[i];
        if (p.bad) pieces_add(&w->next, p.start, p.end, true);
        else SONDE_TRY(splitter_run(g->pattern, s->text, p, w->split, &w->next, err));
    }
    swap(w);
    return SONDE_OK;
}

/* A piece behind a bad byte goes on, does not begin. */
static void run_space(stretch *s, stage_work *w) {
    stretch_maker m = { .memory = w->memory };
    bool after_bad = false;
    for (size_t i = 0; i < w->pieces.n; i++) {
        piece *q = &w->pieces.at[i];
        const size_t start = m.len, from = stretch_origin(s, q->start);
        if (!q->bad && !after_bad && s->text[q->start] != ' ') stretch_put(&m, " ", 1, from, from);
        after_bad = q->bad;
        stretch_copy(&m, s, q->start, q->end);
        *q = (piece){ start, m.len, q->bad };
    }
    *s = stretch_made(&m, stretch_origin(s, s->len));
}

sonde_status stage_run(const stage *g, stretch *s, stage_work *w, sonde_error *err) {
    if (g->kind == STAGE_PATTERN) return run_pattern(g, s, w, err);
    run_space(s, w);
    return SONDE_OK;
}
