/* The tables of contributions: components in the order of the run, the stream as it grows, sources of the largest heads. */
#include "method_contributions.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

typedef struct {
    const split *s;
    sonde_table *t;
    bool         many;
    double       logit, accumulated;            /* mean of the prompts; so far */
} writer;

typedef struct { const char *name, *kind; int layer, head, neuron; double value, square; bool has_sd, adds; } line;

static void put_number(sonde_table *t, int n) {
    if (n < 0) sonde_cell_null(t);
    else sonde_cell_int(t, n);
}

static void put_line(writer *w, const line *l) {
    const double n = (double)w->s->n_done;
    if (l->adds) w->accumulated += l->value;
    sonde_table_row(w->t);
    sonde_cell_text(w->t, l->name);
    sonde_cell_text(w->t, l->kind);
    put_number(w->t, l->layer);
    put_number(w->t, l->head);
    put_number(w->t, l->neuron);
    sonde_cell_float(w->t, l->value);
    if (w->many && l->has_sd && n > 1) sonde_cell_float(w->t, sqrt(l->square / (n - 1)));
    else if (w->many) sonde_cell_null(w->t);
    if (w->logit != 0) sonde_cell_float(w->t, l->value / w->logit);
    else sonde_cell_null(w->t);
    if (l->adds) sonde_cell_float(w->t, w->accumulated);
    else sonde_cell_null(w->t);
}

static void put_component(writer *w, const component *c) {
    if (c->only_used && !c->used) return;
    put_line(w, &(line){ c->name, c->kind, c->layer, c->head, c->neuron, c->mean, c->square, true, true });
}

/* ---- neurons ---- */

typedef struct { double size; int neuron; } ranked;

static int larger(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->size > y->size ? -1 : x->size < y->size ? 1 : (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

/* The --top largest, then all others as one. */
static void put_neurons(writer *w, const part *p) {
    ranked *order = ROOM(ranked, p->n);
    const int64_t top = w->s->cx->top < p->n ? w->s->cx->top : p->n;
    double others = 0;
    char   name[40];
    for (int i = 0; i < (int)p->n; i++) order[i] = (ranked){ fabs(component_of(w->s, p, i)->mean), i };
    qsort(order, (size_t)p->n, sizeof *order, larger);
    for (int64_t i = 0; i < p->n; i++) {
        const component *c = component_of(w->s, p, order[i].neuron);
        if (i < top) put_component(w, c);
        else others += c->mean;
    }
    snprintf(name, sizeof name, "L%s others", p->label);
    if (top < p->n) put_line(w, &(line){ name, "others", p->block, -1, -1, others, 0, false, true });
    free(order);
}

/* ---- components ---- */

static double mean_of(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : 0;
}

static double squares_of(const double *x, size_t n) {
    const double mean = mean_of(x, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

static void put_ends(writer *w) {
    const split *s = w->s;
    double *rest = ROOM(double, s->n_done);
    for (size_t i = 0; i < s->n_done; i++) rest[i] = s->logits[i] - s->sums[i];
    const struct { const char *name; const double *x; } ends[] = { { "sum", s->sums }, { "logit", s->logits },
                                                                   { "residual", rest } };
    for (size_t i = 0; i < 3; i++)
        put_line(w, &(line){ ends[i].name, ends[i].name, -1, -1, -1, mean_of(ends[i].x, s->n_done),
                             squares_of(ends[i].x, s->n_done),
                             true, false });
    free(rest);
}

static sonde_table *make_components(sonde_result *out, bool many) {
    sonde_table *t = sonde_result_table(out, "components");
    sonde_table_column(t, "component", SONDE_TEXT, "");
    sonde_table_column(t, "kind", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "head", SONDE_INT, "");
    sonde_table_column(t, "neuron", SONDE_INT, "");
    sonde_table_column(t, "value", SONDE_FLOAT, "logit");
    if (many) sonde_table_column(t, "sd", SONDE_FLOAT, "logit");
    sonde_table_column(t, "share", SONDE_FLOAT, "");
    sonde_table_column(t, "accumulated", SONDE_FLOAT, "logit");
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "components", .x = "component", .value = "value",
                                            .title = "What each part adds to the logit" });
    return t;
}

static void put_components(const split *s, sonde_result *out) {
    writer w = { .s = s, .many = prompts_many(s->cx), .logit = mean_of(s->logits, s->n_done) };
    w.t = make_components(out, w.many);
    for (size_t i = 0; i < s->n_parts; i++) {
        const part *p = &s->part[i];
        size_t k = p->first;
        if (p->split && p->kind == WRITES_MLP) {
            put_neurons(&w, p);
            k += (size_t)p->n;
        }
        const size_t end = i + 1 < s->n_parts ? s->part[i + 1].first : s->n_all - 3;
        for (; k < end; k++) put_component(&w, &s->all[k]);
    }
    for (size_t k = s->n_all - 3; k < s->n_all; k++) put_component(&w, &s->all[k]);
    put_ends(&w);
}

/* ---- heads, prompts, states ---- */

/* Array `heads` [layer, head]: the same numbers as a picture; rows are the attentions that are split. */
static void put_heads(const split *s, sonde_result *out) {
    int64_t dim[2] = { 0, 0 };
    for (size_t i = 0; i < s->n_parts; i++)
        if (s->part[i].split && s->part[i].kind == WRITES_ATTENTION) {
            dim[0]++;
            dim[1] = s->part[i].n > dim[1] ? s->part[i].n : dim[1];
        }
    if (dim[0] * dim[1] == 0) return;
    sonde_array *a = sonde_result_array(out, "heads", "layer head", dim);
    float *at = sonde_array_data(a);
    for (size_t i = 0; i < s->n_parts; i++) {
        const part *p = &s->part[i];
        if (!p->split || p->kind != WRITES_ATTENTION) continue;
        for (int64_t h = 0; h < dim[1]; h++) at[h] = h < p->n ? (float)component_of(s, p, h)->mean : NAN;
        at += dim[1];
        sonde_array_label_text(a, 0, p->label);
    }
    sonde_array_quiet(a);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer",
                                            .title = "What each head adds to the logit" });
}

static void put_prompts(const split *s, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "prompts");
    sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "logit", SONDE_FLOAT, "logit");
    sonde_table_column(t, "sum", SONDE_FLOAT, "logit");
    sonde_table_column(t, "residual", SONDE_FLOAT, "logit");
    for (size_t i = 0; i < s->n_done; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, (int64_t)i);
        sonde_cell_float(t, s->logits[i]);
        sonde_cell_float(t, s->sums[i]);
        sonde_cell_float(t, s->logits[i] - s->sums[i]);
    }
}

static void put_accumulated(const split *s, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "accumulated");
    sonde_table_column(t, "state", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "frozen", SONDE_FLOAT, "logit");
    sonde_table_column(t, "lens", SONDE_FLOAT, "logit");
    char state[48];
    bool first = true;
    for (size_t i = 0; i < s->n_parts; i++) {
        const part *p = &s->part[i];
        const bool pre = p->kind == IS_STATE && !strcmp(p->word, "pre");
        if (p->kind != IS_STATE || (pre && !first)) continue;
        first = false;
        snprintf(state, sizeof state, "%s %s", p->label, p->word);
        sonde_table_row(t);
        sonde_cell_text(t, state);
        sonde_cell_int(t, p->block);
        sonde_cell_text(t, s->tap[p->tap].site);
        sonde_cell_float(t, s->frozen[i]);
        sonde_cell_float(t, s->lens[i]);
    }
    static const sonde_drawing drawings[] = {
        { .kind = SONDE_VIEW_LINES, .of = "accumulated", .x = "state", .value = "frozen",
          .title = "The stream so far, the run's norm" },
        { .kind = SONDE_VIEW_LINES, .of = "accumulated", .x = "state", .value = "lens",
          .title = "The stream so far, its own norm" },
    };
    for (size_t i = 0; i < 2; i++) sonde_result_view(out, drawings[i]);
}

void split_put(const split *s, sonde_result *out) {
    put_components(s, out);
    put_heads(s, out);
    if (prompts_many(s->cx)) put_prompts(s, out);
    if (s->by == BY_ACCUMULATED) put_accumulated(s, out);
    if (s->post_norms) sonde_result_note(out, "parts with a norm behind them are not split: it is not linear in heads or "
                                              "neurons");
    if (s->odd_weights) sonde_result_note(out, "parts whose output weights are not one matrix per block are not split");
}
