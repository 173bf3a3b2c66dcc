/* Attention patterns of a prompt, and what each head does with them (interface.md 5; Olsson et al., In-context learning
 * and induction heads, 2022; Elhage et al., A mathematical framework for transformer circuits, 2021).
 *
 * Patterns arrive block of rows by block of rows; scores add up as they come. Induction is measured apart, on random
 * ids written twice, where nothing but the repetition can be attended to. */
#include "dry.h"
#include "head_scores.h"
#include "method_attention_summary.h"
#include "prompt_runs.h"
#include "room.h"
#include <stdio.h>

enum { ATTENTION_LAYERS, ATTENTION_HEADS, ATTENTION_SUMMARY, ATTENTION_VALUES, ATTENTION_SCALE };
enum { MOST_NUMBERS = 1 << 29 };

static const param params[] = {
    [ATTENTION_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks whose patterns are shown" },
    [ATTENTION_HEADS] = { "heads", PARAM_NUMBERS, "all", 0, 0, "heads of each of them" },
    [ATTENTION_SUMMARY] = { "summary", PARAM_FLAG, "", 0, 0, "every pair of positions over all these heads: boxes, mean, median, .." },
    [ATTENTION_VALUES] = { "values", PARAM_FLAG, "", 0, 0, "a table of every number, a row each" },
    [ATTENTION_SCALE] = { "scale", PARAM_TEXT, "one", 0, 0, "one scale for the pictures of all heads, or one for each" },
    { 0 },
};

typedef struct {
    sonde_context *cx;
    pattern_heads  heads;
    repeated_ids   random;
    prompt_runs    runs;
    sonde_prompt   prompt;
    const int32_t *tokens;
    int64_t        n;
    float         *pattern;             /* [layers, heads, n, n] */
    score        (*sum)[SCORES];        /* [layers, heads] */
    score         *induction;           /* [layers, heads] */
    sonde_array   *array;               /* whose data the pattern is */
    bool           own_scale;
} attention;

/* ---- runs ---- */

static sonde_status take_pattern(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    attention *a = user;
    const int64_t rows = x->value.dim[1], keys = x->value.dim[2];
    for (size_t h = 0; h < a->heads.n_heads; h++) {
        const size_t at = x->want * a->heads.n_heads + h;
        const float *from = x->value.data + a->heads.head[h] * rows * keys;
        for (int64_t t = 0; t < rows; t++) {
            float *to = a->pattern + ((int64_t)at * a->n + x->first + t) * a->n;
            memcpy(to, from + t * keys, (size_t)(keys < a->n ? keys : a->n) * sizeof *to);
            scores_add_row(a->sum[at], &(head_row){ a->tokens, to, x->first + t, row_end(a->cx, x->first + t, keys), 0 });
        }
    }
    return SONDE_OK;
}

/* Row i of the second turn attends to what stood behind its token in the first. */
static sonde_status take_induction(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    attention *a = user;
    repeated_ids_take(&a->random, &a->heads, x, a->induction);
    return SONDE_OK;
}

static pattern_query prompt_query(const attention *a) {
    return (pattern_query){ a->cx, &a->heads, a->prompt, true, a->runs.run, a->runs.n };
}

static pattern_query random_query(const attention *a) {
    return (pattern_query){ .cx = a->cx, .heads = &a->heads, .prompt = repeated_ids_prompt(&a->random) };
}

/* ---- the result ---- */

static void put_score(sonde_table *t, const score *s) {
    if (s->n > 0) sonde_cell_float(t, s->sum / s->n);
    else sonde_cell_null(t);
}

static void put_heads(const attention *a, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "heads");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "head", SONDE_INT, "");
    sonde_table_column(t, "entropy_bits", SONDE_FLOAT, "bit");
    sonde_table_column(t, "previous", SONDE_FLOAT, "");
    sonde_table_column(t, "first", SONDE_FLOAT, "");
    sonde_table_column(t, "duplicate", SONDE_FLOAT, "");
    sonde_table_column(t, "induction", SONDE_FLOAT, "");
    for (size_t i = 0; i < a->heads.n_layers * a->heads.n_heads; i++) {
        const score *sum = a->sum[i];
        sonde_table_row(t);
        sonde_cell_int(t, a->heads.layer[i / a->heads.n_heads]);
        sonde_cell_int(t, a->heads.head[i % a->heads.n_heads]);
        put_score(t, &sum[SCORE_ENTROPY]);
        put_score(t, &sum[SCORE_PREVIOUS]);
        put_score(t, &sum[SCORE_FIRST]);
        put_score(t, &sum[SCORE_DUPLICATE]);
        put_score(t, &a->induction[i]);
    }
    static const sonde_drawing drawings[] = {
        { .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer", .value = "previous",
          .title = "Attention to the token before" },
        { .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer", .value = "first",
          .title = "Attention to the first token" },
        { .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer", .value = "induction",
          .title = "Attention to what followed the token before, on random ids written twice" },
    };
    for (size_t i = 0; i < sizeof drawings / sizeof *drawings; i++) sonde_result_view(out, drawings[i]);
}

static void label_numbers(sonde_array *x, int axis, const long *number, size_t n) {
    char text[24];
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%ld", number[i]);
        sonde_array_label_text(x, axis, text);
    }
}

static sonde_status make_array(attention *a, sonde_result *out, sonde_error *err) {
    const int64_t dim[] = { (int64_t)a->heads.n_layers, (int64_t)a->heads.n_heads, a->n, a->n };
    const double  count = (double)dim[0] * (double)dim[1] * (double)dim[2] * (double)dim[3];
    SONDE_FAIL_IF(count > MOST_NUMBERS, err, SONDE_NOMEM,
                  "%.0f numbers of pattern need %.0f MB, at most %d MB are kept: choose --layers or --heads", count,
                  count / 262144, MOST_NUMBERS >> 18);
    sonde_array *x = a->array = sonde_result_array(out, "pattern", "layer head t s", dim);
    label_numbers(x, 0, a->heads.layer, a->heads.n_layers);
    label_numbers(x, 1, a->heads.head, a->heads.n_heads);
    a->pattern = sonde_array_data(x);
    a->sum = room_bytes(a->heads.n_layers * a->heads.n_heads, sizeof *a->sum);
    a->induction = ROOM(score, a->heads.n_layers * a->heads.n_heads);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "pattern", .x = "s", .y = "t", .own_scale = a->own_scale, .root = true,
                                            .title = "Attention of each position (down) to each (across)" });
    return SONDE_OK;
}

static sonde_status dry(const attention *a, sonde_result *out, sonde_error *err) {
    const pattern_query prompt = prompt_query(a), random = random_query(a);
    sonde_cost one, two = { 0 };
    SONDE_TRY(pattern_cost(&prompt, &one, err));
    if (a->random.period) SONDE_TRY(pattern_cost(&random, &two, err));
    sonde_table *t = dry_sites(out);
    const int64_t heads = sonde_model_describe(a->cx->model)->heads;
    for (size_t i = 0; i < a->heads.n_layers; i++)
        dry_site(t, &(sonde_site){ .name = a->heads.site[i], .axes = "h t s", .rank = 3, .dim = { heads, a->n, a->n } });
    dry_cost(out, 1 + (a->random.period > 0), (sonde_cost){ one.flops + two.flops, one.rows + two.rows,
                                                            one.bytes > two.bytes ? one.bytes : two.bytes });
    return SONDE_OK;
}

static sonde_status measure(attention *a, sonde_result *out, sonde_error *err) {
    const pattern_query prompt = prompt_query(a), random = random_query(a);
    const int64_t runs = 1 + (a->random.period > 0);
    SONDE_TRY(make_array(a, out, err));
    SONDE_TRY(pattern_run(&prompt, take_pattern, a, err));
    a->cx->progress(a->cx->progress_user, "runs", 1, runs);
    if (a->random.period) SONDE_TRY(pattern_run(&random, take_induction, a, err));
    a->cx->progress(a->cx->progress_user, "runs", runs, runs);
    put_heads(a, out);
    return SONDE_OK;
}

/* Do all heads leave alone what stands behind? */
static bool is_causal(const attention *a) {
    const int64_t count = (int64_t)(a->heads.n_layers * a->heads.n_heads);
    for (int64_t i = 0; i < count * a->n; i++)
        for (int64_t s = i % a->n + 1; s < a->n; s++)
            if (a->pattern[i * a->n + s] != 0) return false;
    return true;
}

static void put_pairs(const attention *a, const value *args, sonde_result *out) {
    const attention_pairs pairs = { a->cx, a->prompt, a->pattern, a->heads.n_layers * a->heads.n_heads,
                                    is_causal(a) };
    if (pairs.causal) sonde_array_causal(a->array);
    if (args[ATTENTION_SUMMARY].i) attention_put_summary(&pairs, out);
    if (args[ATTENTION_VALUES].i)
        attention_put_values(&pairs, (attention_names){ a->heads.layer, a->heads.head, a->heads.n_heads }, out);
}

extern const method method_attention;

static sonde_status attention_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    attention a = { .cx = cx, .tokens = cx->prompts[0].tokens.id, .n = cx->prompts[0].tokens.n, .prompt = context_prompt(cx, 0) };
    const char *scale = args[ATTENTION_SCALE].text;
    context_head(cx, &method_attention, out);
    SONDE_FAIL_IF(strcmp(scale, "one") != 0 && strcmp(scale, "each") != 0, err, SONDE_USAGE, "scale: \"%s\", expected one or each", scale);
    a.own_scale = !strcmp(scale, "each");
    sonde_status s = pattern_heads_open(&a.heads, cx, params, args, err);
    if (s == SONDE_OK) s = prompt_runs_open(&a.runs, cx, 0, err);
    if (s == SONDE_OK) repeated_ids_open(&a.random, cx, out);
    if (s == SONDE_OK) s = cx->dry_run ? dry(&a, out, err) : measure(&a, out, err);
    if (s == SONDE_OK && !cx->dry_run) put_pairs(&a, args, out);
    prompt_runs_close(&a.runs);
    repeated_ids_close(&a.random);
    pattern_heads_close(&a.heads);
    free(a.sum);
    free(a.induction);
    return s;
}

const method method_attention = {
    .name = "attention",
    .summary = "where each head looks: patterns, and how much it attends to the token before, the first, repeats",
    .reference = "Elhage et al., A Mathematical Framework for Transformer Circuits, 2021; induction: Olsson et al., In-context "
                 "Learning and Induction Heads, 2022",
    .formula = "A[i,s]: the pattern of a head. entropy_bits: mean over i of -sum_s A[i,s] log2 A[i,s], in bits; previous: mean over "
               "i >= 1 of A[i,i-1]; first: mean over i >= 1 of A[i,0]; duplicate: mean, over the i whose token stood earlier, "
               "of the sum of A[i,s] over those places (null: no token stands twice); induction: mean over the second turn of "
               "A[i, first occurrence + 1] on 2 x 50 distinct random ids (--seed; behind BOS where the model has one; fewer "
               "if the context is shorter), measured without edits. summary: over the values that all heads shown give to a pair "
               "(position, key): mean, median (the lower one of an even count), variance (n - 1), max, min, quartiles",
    .example = "attention \"When Mary and John went to the store, John gave a drink to\" --layers 0-1",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS,
    .run = attention_method,
};
