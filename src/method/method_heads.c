/* What every head does over documents: where it looks, how far, at what, and whether it gathers the pieces of words (Lad,
 * Gurnee and Tegmark, 2024; Olsson et al., 2022; Elhage et al., 2021).
 *
 * Patterns arrive block of rows by block of rows, and only sums of them are kept. */
#include "method_heads.h"
#include "dry.h"
#include "room.h"
#include <math.h>

enum {
    HEADS_LAYERS, HEADS_HEADS, HEADS_METRIC, HEADS_OFFSETS, HEADS_NO_BOS_KEY, HEADS_PIECES, HEADS_SINGLES, HEADS_PERMUTATIONS
};

static const param params[] = {
    [HEADS_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks whose heads are looked at" },
    [HEADS_HEADS] = { "heads", PARAM_NUMBERS, "all", 0, 0, "heads of each of them" },
    [HEADS_METRIC] = { "metric", PARAM_TEXT, "all", 0, 0,
                       "all, or with commas: previous, previous_k, first, self, duplicate, induction, induction_text, "
                       "entropy_bits, mean_distance, subjoiner" },
    [HEADS_OFFSETS] = { "offsets", PARAM_INT, "5", 1, 1000, "previous_k: how many tokens back" },
    [HEADS_NO_BOS_KEY] = { "no-bos-key", PARAM_FLAG, "", 0, 0,
                           "position 0 (BOS, where attention rests) is no key; the rest of a row is made to sum to 1" },
    [HEADS_PIECES] = { "pieces", PARAM_INT, "5", 2, 64, "subjoiner: words of more tokens are passed over" },
    [HEADS_SINGLES] = { "singles", PARAM_INT, "32", 1, 1e6, "subjoiner: words of one token that each document gives" },
    [HEADS_PERMUTATIONS] = { "permutations", PARAM_INT, "1000", 1, 1e6, "subjoiner: how often lengths are dealt anew" },
    { 0 },
};

/* ---- documents ---- */

typedef struct {
    heads_work  *w;
    sonde_prompt p;
    score       *head;                  /* [n, per] */
    score       *pooled;                /* [layers] */
    joiner_text  joiner;
} reading;

/* Attention to each of the offsets; together where all of them are keys; pooled as the notebook does. */
static void add_offsets(const reading *r, size_t at, const head_row *x) {
    const heads_work *w = r->w;
    score *sum = r->head + at * w->per, *pooled = &r->pooled[at / w->heads.n_heads];
    const head_row bare = { x->tokens, x->row, x->i, x->end, 1 };
    const double   all = head_row_mass(x), rest = head_row_mass(&bare);
    double         mass = 0;
    for (int64_t k = 1; k <= w->offsets && k <= x->i; k++) {
        const double v = (double)x->row[x->i - k];
        mass += v;
        pooled->sum += v;
        pooled->n++;
        if (x->i - k < w->from || !(all > 0)) continue;
        sum[HEADS_FIGURES + k - 1].sum += v / all;
        sum[HEADS_FIGURES + k - 1].n++;
    }
    if (x->i < w->offsets) return;
    sum[HEADS_MASS].sum += mass;
    sum[HEADS_MASS].n++;
    if (x->i == w->offsets || !(rest > 0)) return;
    sum[HEADS_MASS_NO_BOS].sum += mass / rest;
    sum[HEADS_MASS_NO_BOS].n++;
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    reading    *r = user;
    heads_work *w = r->w;
    const int64_t rows = a->value.dim[1], keys = a->value.dim[2];
    for (size_t h = 0; h < w->heads.n_heads; h++) {
        const size_t at = a->want * w->heads.n_heads + h;
        const float *from = a->value.data + w->heads.head[h] * rows * keys;
        for (int64_t t = 0; t < rows; t++) {
            const head_row row = { r->p.tokens, from + t * keys, a->first + t, row_end(&w->cx, a->first + t, keys), w->from };
            scores_add_row(r->head + at * w->per, &row);
            add_offsets(r, at, &row);
            if (w->has[HEADS_HAS_SUBJOINER]) joiner_text_row(&r->joiner, at, &row);
        }
    }
    return SONDE_OK;
}

static pattern_query document_query(const heads_work *w, size_t i) {
    return (pattern_query){ &w->cx, &w->heads, document_tokens(&w->cx, i), true, w->cx.runs, w->cx.n_runs };
}

static void add_scores(numbers *out, const score *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        numbers_add(out, s[i].sum);
        numbers_add(out, s[i].n);
    }
}

static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    heads_work *w = user;
    const pattern_query q = document_query(w, i);
    reading r = { .w = w, .p = q.prompt, .head = ROOM(score, w->n * w->per), .pooled = ROOM(score, w->heads.n_layers) };
    if (w->has[HEADS_HAS_SUBJOINER]) joiner_text_open(&r.joiner, &w->cx, q.prompt, w->words, w->n);
    const sonde_status s = pattern_run(&q, take, &r, err);
    add_scores(out, r.head, w->n * w->per);
    add_scores(out, r.pooled, w->heads.n_layers);
    if (w->has[HEADS_HAS_SUBJOINER]) joiner_text_numbers(&r.joiner, out);
    joiner_text_close(&r.joiner);
    free(r.head);
    free(r.pooled);
    return s;
}

static void spread_add(spread *s, double v) {
    const double was = s->mean;
    s->mean += (v - was) / (double)++s->n;
    s->squares += (v - was) * (v - s->mean);
}

static sonde_status add(size_t i, const double *x, size_t n, void *user, sonde_error *err) {
    heads_work *w = user;
    const size_t scores = 2 * (w->n * w->per + w->heads.n_layers);
    SONDE_FAIL_IF(n < scores || (n > scores && !w->has[HEADS_HAS_SUBJOINER]), err, SONDE_FORMAT,
                  "the results file has %zu numbers of document %zu, expected %zu", n, i, scores);
    for (size_t l = 0; l < w->heads.n_layers; l++)
        for (size_t f = 0; f < w->per; f++) {
            score all = { 0 };
            for (size_t h = l * w->heads.n_heads; h < (l + 1) * w->heads.n_heads; h++) {
                const double *s = x + 2 * (h * w->per + f);
                ratio_add(&w->head[h * w->per + f], s[0], s[1]);
                all.sum += s[0];
                all.n += s[1];
            }
            ratio_add(&w->layer[l * w->per + f], all.sum, all.n);
        }
    const double *pooled = x + 2 * w->n * w->per;
    for (size_t l = 0; l < w->heads.n_layers; l++)
        if (pooled[2 * l + 1] > 0) spread_add(&w->pooled[l], pooled[2 * l] / pooled[2 * l + 1]);
    return w->has[HEADS_HAS_SUBJOINER] ? joiner_all_add(&w->joiner, x + scores, n - scores, err) : SONDE_OK;
}

/* ---- the method ---- */

static sonde_status choose_metrics(heads_work *w, const char *text, sonde_error *err) {
    static const struct { const char *name; int metric; } known[] = {
        { "previous", SCORE_PREVIOUS }, { "previous_k", HEADS_HAS_OFFSETS }, { "first", SCORE_FIRST },
        { "self", SCORE_SELF }, { "duplicate", SCORE_DUPLICATE }, { "induction", HEADS_HAS_RANDOM },
        { "induction_text", SCORE_INDUCTION },
        { "entropy_bits", SCORE_ENTROPY }, { "mean_distance", SCORE_DISTANCE }, { "subjoiner", HEADS_HAS_SUBJOINER },
    };
    enum { KNOWN = sizeof known / sizeof *known };
    const bool all = !strcmp(text, "all");
    for (size_t k = 0; k < KNOWN && all; k++) w->has[known[k].metric] = true;
    for (const char *at = text; !all;) {
        const size_t n = strcspn(at, ",");
        size_t k = 0;
        while (k < KNOWN && (strlen(known[k].name) != n || memcmp(at, known[k].name, n) != 0)) k++;
        SONDE_FAIL_IF(k == KNOWN, err, SONDE_USAGE, "metric: \"%.*s\", expected all, previous, previous_k, first, self, "
                      "duplicate, induction, induction_text, entropy_bits, mean_distance or subjoiner",
                      (int)(n < 40 ? n : 40), at);
        w->has[known[k].metric] = true;
        if (!at[n]) break;
        at += n + 1;
    }
    w->has[HEADS_MASS] = w->has[HEADS_MASS_NO_BOS] = w->has[HEADS_HAS_OFFSETS];
    return SONDE_OK;
}

static sonde_status take_random(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    heads_work *w = user;
    repeated_ids_take(&w->random, &w->heads, a, w->induction);
    return SONDE_OK;
}

static pattern_query random_query(const heads_work *w) {
    return (pattern_query){ .cx = &w->cx, .heads = &w->heads, .prompt = repeated_ids_prompt(&w->random) };
}

static sonde_status dry(const heads_work *w, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 };
    const size_t n = w->cx.n_documents, runs = n + (w->random.period > 0);
    for (size_t i = 0; i < runs; i++) {
        const pattern_query q = i < n ? document_query(w, i) : random_query(w);
        sonde_cost one;
        SONDE_TRY(pattern_cost(&q, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    dry_cost(out, (int64_t)runs, all);
    return SONDE_OK;
}

static sonde_status measure(heads_work *w, sonde_result *out, sonde_error *err) {
    const pattern_query random = random_query(w);
    if (w->cx.dry_run) return dry(w, out, err);
    w->head = ROOM(ratio, w->n * w->per);
    w->layer = ROOM(ratio, w->heads.n_layers * w->per);
    w->pooled = ROOM(spread, w->heads.n_layers);
    w->induction = ROOM(score, w->n);
    joiner_all_open(&w->joiner, w->words, w->n);
    if (w->random.period) SONDE_TRY(pattern_run(&random, take_random, w, err));
    SONDE_TRY(documents_run(&w->cx, &(document_work){ "heads", compute, add, w }, err));
    return heads_put(w, out, err);
}

static sonde_status heads_open(heads_work *w, const value *args, sonde_result *out, sonde_error *err) {
    SONDE_TRY(choose_metrics(w, args[HEADS_METRIC].text, err));
    SONDE_TRY(pattern_heads_open(&w->heads, &w->cx, params, args, err));
    if (w->has[HEADS_HAS_RANDOM]) repeated_ids_open(&w->random, &w->cx, out);
    w->n = w->heads.n_layers * w->heads.n_heads;
    w->offsets = args[HEADS_OFFSETS].i;
    w->per = HEADS_FIGURES + (size_t)w->offsets;
    w->from = args[HEADS_NO_BOS_KEY].i;
    w->permutations = args[HEADS_PERMUTATIONS].i;
    w->words = (joiner_limits){ args[HEADS_PIECES].i, args[HEADS_SINGLES].i, w->from };
    return SONDE_OK;
}

extern const method method_heads;

static sonde_status heads(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    heads_work w = { .cx = documents_or_prompts(cx) };
    context_head(cx, &method_heads, out);
    sonde_status s = heads_open(&w, args, out, err);
    if (s == SONDE_OK) s = measure(&w, out, err);
    joiner_all_close(&w.joiner);
    repeated_ids_close(&w.random);
    pattern_heads_close(&w.heads);
    free(w.head);
    free(w.layer);
    free(w.pooled);
    free(w.induction);
    return s;
}

const method method_heads = {
    .name = "heads",
    .summary = "what every head does over documents: how far it looks, at what, and whether it gathers the pieces of "
               "words",
    .reference = "previous_k, subjoiner: Lad, Lee, Gurnee and Tegmark, The Remarkable Robustness of LLMs: Stages of "
                 "Inference?, 2024 (the subjoiner score is sonde's); induction: Olsson et al., In-context Learning and "
                 "Induction Heads, 2022; standard errors: Cochran, Sampling Techniques, 1977",
    .formula = "A[i,s]: the pattern of a head; means are over the rows i of all documents. previous: A[i,i-1]; first: "
               "A[i,0], i > 0; self: A[i,i]; duplicate: sum of A[i,s] over the earlier places of i's token; "
               "induction_text: sum of A[i,s+1] over them, s + 1 < i; induction: as in attention, on random ids written "
               "twice, without edits; entropy_bits: -sum_s A[i,s] log2 A[i,s]; mean_distance: sum_s A[i,s] (i - s), in "
               "tokens; previous_k_mass: sum of A[i,i-k] over k = 1..--offsets, rows i >= --offsets; "
               "previous_k_mass_no_bos: the same with position 0 out of the row, which is made to sum to 1, rows i > "
               "--offsets; previous_k (layers): mean of A[i,i-k] over heads, k and i >= k of one document, then over "
               "documents, _sd their deviation (divisor D - 1), _se = sd / sqrt(D). --no-bos-key: in every figure but "
               "first and these three, position 0 is no key and the rest of the row is divided by its sum. subjoiner: "
               "mean over words of 2..--pieces tokens that end at e of A[e, e-n+1], less the mean over words of one "
               "token of A[e, e-n+1], weighted by how often n occurs; p: share of --permutations of the lengths over the "
               "words with a score as great, (1 + hits) / (1 + all); z: in standard deviations of those; decreasing: "
               "share of these words with A[e, e-n+1] > .. > A[e,e]; own_pieces: mean sum of A[e,s] over the word's "
               "earlier tokens. depth: layer / (layers - 1); _se: standard error over documents",
    .example = "heads --text held-out --documents 20",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_TEXT | TAKES_EDITS,
    .run = heads,
};
