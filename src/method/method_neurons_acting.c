/* The tables of neurons in a prompt. */
#include "method_neurons_prompt.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

typedef struct { int64_t neuron; double score; } ranked;

static int larger(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

acting_tables acting_make(const neuron_weights *w, sonde_result *out) {
    acting_tables t = { .dominant = sonde_result_table(out, "dominant"), .tokens = sonde_result_table(out, "tokens"),
                        .lens = sonde_result_table(out, "lens") };
    sonde_table_column(t.dominant, "run", SONDE_TEXT, "");
    sonde_table_column(t.dominant, "layer", SONDE_INT, "");
    sonde_table_column(t.dominant, "rank", SONDE_INT, "");
    sonde_table_column(t.dominant, "neuron", SONDE_INT, "");
    sonde_table_column(t.dominant, "activation", SONDE_FLOAT, "");
    sonde_table_column(t.dominant, "norm", SONDE_FLOAT, "");
    sonde_table_column(t.dominant, "score", SONDE_FLOAT, "");
    sonde_table_column(t.dominant, "raised", SONDE_TEXT, "");
    sonde_table_column(t.tokens, "layer", SONDE_INT, "");
    sonde_table_column(t.tokens, "neuron", SONDE_INT, "");
    sonde_table_column(t.tokens, "sign", SONDE_TEXT, "");
    sonde_table_column(t.tokens, "rank", SONDE_INT, "");
    sonde_table_column(t.tokens, "token", SONDE_TOKEN, "");
    sonde_table_column(t.tokens, "value", SONDE_FLOAT, "logit");
    sonde_table_column(t.lens, "run", SONDE_TEXT, "");
    sonde_table_column(t.lens, "layer", SONDE_INT, "");
    sonde_table_column(t.lens, "state", SONDE_TEXT, "");
    sonde_table_column(t.lens, "k", SONDE_INT, "");
    sonde_table_column(t.lens, "token", SONDE_TOKEN, "");
    sonde_table_column(t.lens, "prob", SONDE_FLOAT, "");
    sonde_table_column(t.lens, "place", SONDE_TEXT, "");
    t.told = ROOM(uint8_t, (int64_t)w->n_layers * w->f);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_TOKEN_GRID, .of = "lens", .x = "k", .y = "place",
                                            .value = "token",
                                            .title = "The most probable next tokens around each MLP" });
    return t;
}

static void start(sonde_table *t, const char *run, int layer) {
    sonde_table_row(t);
    sonde_cell_text(t, run);
    sonde_cell_int(t, layer);
}

/* ---- what a neuron raises and lowers ---- */

typedef struct { int32_t *best, *worst; size_t n; } extremes;
typedef struct { int layer; int64_t neuron; } neuron_place;
typedef struct { const char *run; const acting_tables *t; float *u; sonde_error *err; } acting_row;

static extremes extremes_of(const neuron_weights *w, float *u) {
    extremes e = { ROOM(int32_t, w->cx->top), ROOM(int32_t, w->cx->top), 0 };
    e.n = sonde_logits_top(u, w->n, (size_t)w->cx->top, e.best);
    for (int64_t v = 0; v < w->n; v++) u[v] = -u[v];
    sonde_logits_top(u, w->n, (size_t)w->cx->top, e.worst);
    for (int64_t v = 0; v < w->n; v++) u[v] = -u[v];
    return e;
}

/* Once for every neuron that is named: it is the weights that say it. */
static void put_tokens(const neuron_weights *w, const acting_tables *t, const neuron_place *at, const extremes *e,
                       const float *u) {
    size_t i = 0;
    while (w->layer[i] != at->layer) i++;
    uint8_t *told = &t->told[(int64_t)i * w->f + at->neuron];
    for (int sign = 0; sign < 2 && !*told; sign++)
        for (size_t k = 0; k < e->n; k++) {
            const int32_t id = (sign ? e->worst : e->best)[k];
            sonde_table_row(t->tokens);
            sonde_cell_int(t->tokens, at->layer);
            sonde_cell_int(t->tokens, at->neuron);
            sonde_cell_text(t->tokens, sign ? "-" : "+");
            sonde_cell_int(t->tokens, (int64_t)k + 1);
            sonde_cell_token(t->tokens, context_token(w->cx, id));
            sonde_cell_float(t->tokens, (double)u[id]);
        }
    *told = 1;
}

/* The tokens that a neuron raises here: those at the other end where its activation is negative. */
static void put_raised(const acting *r, sonde_table *t, const extremes *e, bool negative) {
    char   text[1024] = "", shown[128];
    size_t used = 0;
    for (size_t k = 0; k < e->n && used < sizeof text - sizeof shown; k++) {
        const sonde_token token = context_token(r->w->cx, (negative ? e->worst : e->best)[k]);
        sonde_token_show(token.bytes, token.len, shown, sizeof shown);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", k ? " " : "", shown);
    }
    sonde_cell_text(t, text);
}

/* One neuron: `u` [n] is room for its product with W_U. */
static sonde_status put_neuron(const acting *r, const acting_block *b, int64_t rank, const ranked *x, acting_row *row) {
    const neuron_weights *w = r->w;
    const int64_t i = x->neuron;
    sonde_matrices m = neurons_matrices(w);
    m.x += i * w->d;
    m.rows = 1;
    SONDE_TRY(sonde_session_product(w->cx->session, &m, row->u, row->err));
    extremes e = extremes_of(w, row->u);
    sonde_table *t = row->t->dominant;
    start(t, row->run, b->layer);
    sonde_cell_int(t, rank);
    sonde_cell_int(t, i);
    sonde_cell_float(t, (double)b->act[i]);
    sonde_cell_float(t, w->row[i] > 0 ? 1 / w->row[i] : 0);
    sonde_cell_float(t, x->score);
    put_raised(r, t, &e, b->act[i] < 0);
    put_tokens(w, row->t, &(neuron_place){ b->layer, i }, &e, row->u);
    free(e.best);
    free(e.worst);
    return SONDE_OK;
}

static sonde_status put_dominant(acting *r, const acting_block *b, const char *run, const acting_tables *t,
                                 sonde_error *err) {
    neuron_weights *w = r->w;
    SONDE_TRY(neurons_read(w, b->layer, err));
    ranked    *order = ROOM(ranked, w->f);
    acting_row row = { run, t, ROOM(float, w->n), err };
    for (int64_t i = 0; i < w->f; i++)
        order[i] = (ranked){ i, w->row[i] > 0 ? fabs((double)b->act[i]) / w->row[i] : 0 };
    qsort(order, (size_t)w->f, sizeof *order, larger);
    sonde_status s = SONDE_OK;
    for (int64_t k = 0; k < w->f && k < w->cx->top && s == SONDE_OK; k++) s = put_neuron(r, b, k + 1, &order[k], &row);
    free(order);
    free(row.u);
    return s;
}

/* ---- the lens ---- */

static sonde_status put_state(const acting *r, const acting_block *b, const acting_row *row, const char *state,
                              const float *x) {
    const int64_t v = r->w->vocab;
    float   *logits = ROOM(float, v);
    int32_t *top = ROOM(int32_t, r->w->cx->top);
    char     place[64];
    sonde_table *t = row->t->lens;
    const sonde_status s = sonde_session_unembed(r->w->cx->session, x, 1, logits, row->err);
    const size_t n = s == SONDE_OK ? sonde_logits_top(logits, v, (size_t)r->w->cx->top, top) : 0;
    const sonde_logit_stats stats = sonde_logits_stats(logits, v);
    for (size_t k = 0; k < n; k++) {
        start(t, row->run, b->layer);
        sonde_cell_text(t, state);
        sonde_cell_int(t, (int64_t)k + 1);
        sonde_cell_token(t, context_token(r->w->cx, top[k]));
        sonde_cell_float(t, sonde_logit_prob(logits[top[k]], &stats));
        snprintf(place, sizeof place, "%s %s%s", b->name + strlen("blocks."), state, !strcmp(row->run, "A") ? ""
                 : ", edited");
        sonde_cell_text(t, place);
    }
    free(logits);
    free(top);
    return s;
}

sonde_status acting_put(acting *r, const char *run, const acting_tables *t, sonde_error *err) {
    for (size_t i = 0; i < r->n; i++) {
        const acting_block *b = &r->block[i];
        const acting_row    row = { .run = run, .t = t, .err = err };
        if (b->acts) SONDE_TRY(put_dominant(r, b, run, t, err));
        SONDE_TRY(put_state(r, b, &row, "before", b->before));
        SONDE_TRY(put_state(r, b, &row, "after", b->after));
        r->w->cx->progress(r->w->cx->progress_user, "blocks", (int64_t)i + 1, (int64_t)r->n);
    }
    return SONDE_OK;
}

/* ---- texts ---- */

typedef struct { int32_t *id; int64_t n, most; } written;

static sonde_status take(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    written *w = user;
    if (w->n < w->most) w->id[w->n++] = g->id;
    return SONDE_OK;
}

static sonde_status write_one(const neuron_weights *w, const sonde_writing *from, const char *run, sonde_table *t,
                              sonde_error *err) {
    written x = { .id = ROOM(int32_t, from->sampling.n), .most = from->sampling.n };
    char   *text = NULL;
    size_t  len = 0;
    sonde_status s = sonde_generate(w->cx->session, from, take, &x, err);
    if (s == SONDE_OK) s = sonde_detokenize(w->cx->model, x.id, x.n, &text, &len, err);
    if (s == SONDE_OK) {
        char *line = room_text(text, len);
        sonde_table_row(t);
        sonde_cell_text(t, run);
        sonde_cell_text(t, line);
        free(line);
        sonde_text_free(text);
    }
    free(x.id);
    return s;
}

sonde_status acting_texts(const neuron_weights *w, const sonde_edit *const *edits, size_t n_edits, long n, sonde_result *out,
                          sonde_error *err) {
    const sonde_prompt p = context_prompt(w->cx, 0);
    prompt_runs runs;
    sonde_table *t = sonde_result_table(out, "texts");
    sonde_table_column(t, "run", SONDE_TEXT, "");
    sonde_table_column(t, "text", SONDE_TEXT, "");
    sonde_status s = prompt_runs_open(&runs, w->cx, 0, err);
    sonde_writing from = { .prompts = &p, .n_prompts = 1, .runs = runs.run, .n_runs = runs.n,
                           .sampling = { .n = n, .seed = w->cx->seed } };
    if (s == SONDE_OK) s = write_one(w, &from, "A", t, err);
    from.edits = edits;
    from.n_edits = n_edits;
    if (s == SONDE_OK && n_edits) s = write_one(w, &from, "edited", t, err);
    prompt_runs_close(&runs);
    return s;
}
