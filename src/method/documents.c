#include "documents.h"
#include "clock.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

enum { LONG_SECONDS = 10 };

void numbers_zeros(numbers *x, size_t n) {
    x->at = room_grow(x->at, x->n, n, sizeof *x->at);
    memset(x->at + x->n, 0, n * sizeof *x->at);
    x->n += n;
}

void numbers_add(numbers *x, double v) {
    numbers_zeros(x, 1);
    x->at[x->n - 1] = v;
}

sonde_prompt document_tokens(const sonde_context *cx, size_t i) {
    return (sonde_prompt){ .tokens = cx->documents[i].tokens.id, .n = cx->documents[i].tokens.n,
                           .types = cx->documents[i].tokens.type };
}

sonde_context documents_or_prompts(const sonde_context *cx) {
    sonde_context x = *cx;
    if (x.n_documents) return x;
    x.documents = cx->prompts;
    x.n_documents = cx->n_prompts;
    x.cells = NULL;
    return x;
}

uint64_t document_hash(sonde_prompt p) {
    uint64_t h = 0xcbf29ce484222325u;                   /* FNV-1a (Fowler, Noll and Vo, 1991) */
    for (int64_t k = 0; k < p.n; k++)
        for (int b = 0; b < 32; b += 8) h = (h ^ ((uint32_t)p.tokens[k] >> b & 255)) * 0x100000001b3u;
    return h;
}

document_name document_named(sonde_prompt p) {
    document_name name;
    snprintf(name.text, sizeof name.text, "%lld-%016llx", (long long)p.n, (unsigned long long)document_hash(p));
    return name;
}

/* *computed: it was not kept. */
static sonde_status one(const sonde_context *cx, const document_work *w, size_t i, bool *computed, sonde_error *err) {
    double *kept = NULL;
    size_t  n = 0;
    const document_name name = document_named(document_tokens(cx, i));
    if (cx->cells) SONDE_TRY(sonde_cells_get(cx->cells, name.text, w->cell, &kept, &n, err));
    if (kept) {
        const sonde_status s = w->add(i, kept, n, w->user, err);
        sonde_cells_free(kept);
        return s;
    }
    numbers x = { 0 };
    *computed = true;
    sonde_status s = w->compute(i, &x, w->user, err);
    if (s == SONDE_OK && cx->cells) s = sonde_cells_put(cx->cells, name.text, w->cell, x.at, x.n, err);
    if (s == SONDE_OK) s = w->add(i, x.at, x.n, w->user, err);
    free(x.at);
    return s;
}

/* After the first one that was not kept: how long those behind it may take, where that is long. */
static void announce(const sonde_context *cx, size_t left, double seconds) {
    char text[96];
    if ((double)left * seconds < LONG_SECONDS) return;
    snprintf(text, sizeof text, "%zu documents, about %.0f s", left, (double)left * seconds);
    cx->progress(cx->progress_user, text, 0, 0);
}

sonde_status documents_run(const sonde_context *cx, const document_work *w, sonde_error *err) {
    bool told = false;
    for (size_t i = 0; i < cx->n_documents; i++) {
        const double start = clock_seconds();
        bool computed = false;
        SONDE_TRY(one(cx, w, i, &computed, err));
        if (computed && !told) announce(cx, cx->n_documents - i - 1, clock_seconds() - start);
        told |= computed;
        cx->progress(cx->progress_user, "documents", (int64_t)i + 1, (int64_t)cx->n_documents);
    }
    return SONDE_OK;
}

void ratio_add(ratio *r, double sum, double n) {
    if (!(n > 0)) return;
    r->s += sum;
    r->n += n;
    r->ss += sum * sum;
    r->sn += sum * n;
    r->nn += n * n;
    r->documents++;
}

double ratio_mean(const ratio *r) { return r->n > 0 ? r->s / r->n : NAN; }

double ratio_se(const ratio *r) {
    if (r->documents < 2 || !(r->n > 0)) return NAN;
    const double m = r->s / r->n, d = (double)r->documents, squares = r->ss - 2 * m * r->sn + m * m * r->nn;
    return sqrt(d / (d - 1) * (squares > 0 ? squares : 0)) / r->n;
}

void ratio_put(sonde_table *t, const ratio *r) {
    put_defined(t, ratio_mean(r));
    put_defined(t, ratio_se(r));
}

sonde_table *curves_table(sonde_result *out, const char *title) {
    static const char *const floats[] = { "depth", "mean", "se", "low", "high" };
    sonde_table *t = sonde_result_table(out, "curves");
    sonde_table_column(t, "figure", SONDE_TEXT, "");
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) sonde_table_column(t, floats[i], SONDE_FLOAT, "");
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "curves", .x = "depth", .y = "figure",
                                            .value = "mean", .low = "low", .high = "high", .panel = "figure",
                                            .own_scale = true, .title = title });
    return t;
}

void curves_put(sonde_table *t, const char *figure, double depth, const ratio *r) {
    const double mean = ratio_mean(r), se = ratio_se(r);
    if (isnan(mean)) return;
    sonde_table_row(t);
    sonde_cell_text(t, figure);
    sonde_cell_float(t, depth);
    sonde_cell_float(t, mean);
    put_defined(t, se);
    put_defined(t, mean - se);
    put_defined(t, mean + se);
}
