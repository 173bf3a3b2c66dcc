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

enum { ATTENTION_LAYERS, ATTENTION_HEADS, ATTENTION_SUMMARY, ATTENTION_VALUES, ATTENTION_SCALE, ATTENTION_STACK };
enum { MOST_NUMBERS = 1 << 29, STACKS = 3 };

static const param params[] = {
    [ATTENTION_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks whose patterns are shown" },
    [ATTENTION_HEADS] = { "heads", PARAM_NUMBERS, "all", 0, 0, "heads of each of them" },
    [ATTENTION_SUMMARY] = { "summary", PARAM_FLAG, "", 0, 0, "every pair of positions over all these heads: boxes, mean, median, .." },
    [ATTENTION_VALUES] = { "values", PARAM_FLAG, "", 0, 0, "a table of every number, a row each" },
    [ATTENTION_SCALE] = { "scale", PARAM_TEXT, "one", 0, 0, "one scale for the pictures of all heads, or one for each" },
    [ATTENTION_STACK] = { "stack", PARAM_TEXT, "all", 0, 0, "of an encoder-decoder: encoder, decoder or cross, or all of them" },
    { 0 },
};

static const char *const stack_names[STACKS] = { "encoder", "decoder", "cross" };
static const char *const stack_titles[STACKS] = { "Encoder: attention of each position (down) to each (across)",
                                                  "Decoder: attention of each position (down) to each (across)",
                                                  "Attention of each target position (down) to the prompt's (across)" };

/* The patterns of one stack: of self-attention, or of a decoder's attention to its encoder. */
typedef struct {
    const int32_t *query, *key;
    int64_t        n, keys;
    bool           self, causal;        /* causal: nothing behind a row is seen */
    float         *pattern;             /* [layers, heads, n, keys] */
    score        (*sum)[SCORES];        /* [layers, heads] */
    score         *induction;           /* [layers, heads] */
    sonde_array   *array;               /* whose data the pattern is */
} stack;

typedef struct {
    sonde_context *cx;
    pattern_heads  heads[STACKS];
    stack          stack[STACKS];
    size_t         n;                   /* stacks that are shown */
    repeated_ids   random;
    prompt_runs    runs;
    sonde_prompt   prompt;
    bool           own_scale;
} attention;

static bool has_stacks(const attention *a) { return a->heads[0].stack != NULL; }
static size_t heads_of(const attention *a, size_t k) { return a->heads[k].n_layers * a->heads[k].n_heads; }

/* ---- which stacks ---- */

static sonde_status choose_stacks(attention *a, const char *which, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(a->cx->model);
    const bool all = !strcmp(which, "all");
    if (!info->encoder_layers) {
        SONDE_FAIL_IF(!all, err, SONDE_USAGE, "stack: \"%.40s\", but %s is one stack, expected all", which, info->name);
        a->n = 1;
        return SONDE_OK;
    }
    for (int i = 0; i < STACKS; i++)
        if (all || !strcmp(which, stack_names[i])) a->heads[a->n++].stack = stack_names[i];
    SONDE_FAIL_IF(!a->n, err, SONDE_USAGE, "stack: \"%.40s\", expected encoder, decoder, cross or all", which);
    return SONDE_OK;
}

static void set_tokens(attention *a, size_t k) {
    const char *name = a->heads[k].stack;
    const bool  encoder = !name || !strcmp(name, "encoder"), cross = name && !strcmp(name, "cross");
    stack      *s = &a->stack[k];
    s->self = !cross;
    s->causal = !cross && !(name && encoder) && !sonde_model_describe(a->cx->model)->bidirectional;
    s->query = context_positions(a->cx, &a->prompt, !encoder, &s->n);
    s->key = context_positions(a->cx, &a->prompt, !encoder && !cross, &s->keys);
}

static sonde_status open_stacks(attention *a, const value *args, sonde_error *err) {
    SONDE_TRY(choose_stacks(a, args[ATTENTION_STACK].text, err));
    for (size_t k = 0; k < a->n; k++) {
        const sonde_status s = pattern_heads_open(&a->heads[k], a->cx, params, args, err);
        if (s != SONDE_OK) return has_stacks(a) ? sonde_fail_at(err, s, "%s", a->heads[k].stack) : s;
        set_tokens(a, k);
    }
    const bool pairs = args[ATTENTION_SUMMARY].i || args[ATTENTION_VALUES].i;
    SONDE_FAIL_IF(pairs && a->n > 1, err, SONDE_USAGE, "summary and values are of one kind of attention, expected --stack encoder, "
                  "--stack decoder or --stack cross beside them");
    return SONDE_OK;
}

/* ---- runs ---- */

/* Which stack an answer is of; its want becomes the place of a layer there. */
static size_t stack_of(const attention *a, size_t *want) {
    size_t k = 0;
    for (; *want >= a->heads[k].n_layers; k++) *want -= a->heads[k].n_layers;
    return k;
}

static sonde_status take_pattern(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    attention    *a = user;
    size_t        layer = x->want;
    const size_t  k = stack_of(a, &layer);
    stack        *s = &a->stack[k];
    const int64_t rows = x->value.dim[1], keys = x->value.dim[2];
    for (size_t h = 0; h < a->heads[k].n_heads; h++) {
        const size_t at = layer * a->heads[k].n_heads + h;
        const float *from = x->value.data + a->heads[k].head[h] * rows * keys;
        for (int64_t t = 0; t < rows; t++) {
            const int64_t i = x->first + t;
            float *to = s->pattern + ((int64_t)at * s->n + i) * s->keys;
            memcpy(to, from + t * keys, (size_t)(keys < s->keys ? keys : s->keys) * sizeof *to);
            const head_row row = { s->query, to, i, 0, s->causal ? i + 1 : s->keys };
            if (s->self) scores_add_row(s->sum[at], &row);
            else scores_add_cross(s->sum[at], &row);
        }
    }
    return SONDE_OK;
}

/* Row i of the second turn attends to what stood behind its token in the first. */
static sonde_status take_induction(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    attention   *a = user;
    sonde_answer own = *x;
    const size_t k = stack_of(a, &own.want);
    if (a->stack[k].self) repeated_ids_take(&a->random, &a->heads[k], &own, a->stack[k].induction);
    return SONDE_OK;
}

static pattern_query prompt_query(const attention *a) {
    return (pattern_query){ a->cx, a->heads, a->n, a->prompt, true, a->runs.run, a->runs.n };
}

static pattern_query random_query(const attention *a) {
    return (pattern_query){ .cx = a->cx, .heads = a->heads, .n = a->n, .prompt = repeated_ids_prompt(&a->random) };
}

/* ---- the result ---- */

static void put_score(sonde_table *t, const score *s) {
    if (s->n > 0) sonde_cell_float(t, s->sum / s->n);
    else sonde_cell_null(t);
}

static void put_rows(const attention *a, size_t k, sonde_table *t) {
    const pattern_heads *heads = &a->heads[k];
    for (size_t i = 0; i < heads_of(a, k); i++) {
        const score *sum = a->stack[k].sum[i];
        sonde_table_row(t);
        if (heads->stack) sonde_cell_text(t, heads->stack);
        sonde_cell_int(t, heads->layer[i / heads->n_heads]);
        sonde_cell_int(t, heads->head[i % heads->n_heads]);
        put_score(t, &sum[SCORE_ENTROPY]);
        put_score(t, &sum[SCORE_PREVIOUS]);
        put_score(t, &sum[SCORE_FIRST]);
        put_score(t, &sum[SCORE_DUPLICATE]);
        put_score(t, &a->stack[k].induction[i]);
    }
}

static void put_heads(const attention *a, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "heads");
    if (has_stacks(a)) sonde_table_column(t, "stack", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "head", SONDE_INT, "");
    sonde_table_column(t, "entropy_bits", SONDE_FLOAT, "bit");
    sonde_table_column(t, "previous", SONDE_FLOAT, "");
    sonde_table_column(t, "first", SONDE_FLOAT, "");
    sonde_table_column(t, "duplicate", SONDE_FLOAT, "");
    sonde_table_column(t, "induction", SONDE_FLOAT, "");
    for (size_t k = 0; k < a->n; k++) put_rows(a, k, t);
    static const sonde_drawing drawings[] = {
        { .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer", .value = "previous",
          .title = "Attention to the token before" },
        { .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer", .value = "first",
          .title = "Attention to the first token" },
        { .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer", .value = "induction",
          .title = "Attention to what followed the token before, on random ids written twice" },
    };
    for (size_t i = 0; i < sizeof drawings / sizeof *drawings; i++) {
        sonde_drawing one = drawings[i];
        one.panel = has_stacks(a) ? "stack" : NULL;
        sonde_result_view(out, one);
    }
}

static void label_numbers(sonde_array *x, int axis, const long *number, size_t n) {
    char text[24];
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%ld", number[i]);
        sonde_array_label_text(x, axis, text);
    }
}

static void make_array(attention *a, size_t k, sonde_result *out) {
    const pattern_heads *heads = &a->heads[k];
    stack *s = &a->stack[k];
    const int64_t dim[] = { (int64_t)heads->n_layers, (int64_t)heads->n_heads, s->n, s->keys };
    const char   *title = "Attention of each position (down) to each (across)";
    char name[32] = "pattern";
    for (int i = 0; heads->stack && i < STACKS; i++)
        if (!strcmp(heads->stack, stack_names[i])) title = stack_titles[i];
    if (heads->stack) snprintf(name, sizeof name, "pattern_%s", heads->stack);
    sonde_array *x = s->array = sonde_result_array(out, name, "layer head t s", dim);
    label_numbers(x, 0, heads->layer, heads->n_layers);
    label_numbers(x, 1, heads->head, heads->n_heads);
    for (int64_t i = 0; heads->stack && i < s->n; i++) sonde_array_label_token(x, 2, context_token(a->cx, s->query[i]));
    for (int64_t i = 0; heads->stack && i < s->keys; i++) sonde_array_label_token(x, 3, context_token(a->cx, s->key[i]));
    s->pattern = sonde_array_data(x);
    s->sum = room_bytes(heads_of(a, k), sizeof *s->sum);
    s->induction = ROOM(score, heads_of(a, k));
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = name, .x = "s", .y = "t", .own_scale = a->own_scale,
                                            .root = true, .title = title });
}

static sonde_status make_arrays(attention *a, sonde_result *out, sonde_error *err) {
    double count = 0;
    for (size_t k = 0; k < a->n; k++) count += (double)heads_of(a, k) * (double)a->stack[k].n * (double)a->stack[k].keys;
    SONDE_FAIL_IF(count > MOST_NUMBERS, err, SONDE_NOMEM,
                  "%.0f numbers of pattern need %.0f MB, at most %d MB are kept: choose --layers or --heads", count,
                  count / 262144, MOST_NUMBERS >> 18);
    for (size_t k = 0; k < a->n; k++) make_array(a, k, out);
    return SONDE_OK;
}

static sonde_status dry(const attention *a, sonde_result *out, sonde_error *err) {
    const pattern_query prompt = prompt_query(a), random = random_query(a);
    sonde_cost one, two = { 0 };
    SONDE_TRY(pattern_cost(&prompt, &one, err));
    if (a->random.period) SONDE_TRY(pattern_cost(&random, &two, err));
    sonde_table *t = dry_sites(out);
    for (size_t k = 0; k < a->n; k++)
        for (size_t i = 0; i < a->heads[k].n_layers; i++)
            dry_site(t, &(sonde_site){ .name = a->heads[k].site[i], .axes = "h t s", .rank = 3,
                                       .dim = { a->heads[k].all, a->stack[k].n, a->stack[k].keys } });
    dry_cost(out, 1 + (a->random.period > 0), (sonde_cost){ one.flops + two.flops, one.rows + two.rows,
                                                    one.bytes > two.bytes ? one.bytes : two.bytes });
    return SONDE_OK;
}

static sonde_status measure(attention *a, sonde_result *out, sonde_error *err) {
    const pattern_query prompt = prompt_query(a), random = random_query(a);
    const int64_t runs = 1 + (a->random.period > 0);
    SONDE_TRY(make_arrays(a, out, err));
    SONDE_TRY(pattern_run(&prompt, take_pattern, a, err));
    a->cx->progress(a->cx->progress_user, "runs", 1, runs);
    if (a->random.period) SONDE_TRY(pattern_run(&random, take_induction, a, err));
    a->cx->progress(a->cx->progress_user, "runs", runs, runs);
    put_heads(a, out);
    return SONDE_OK;
}

/* Do all heads leave alone what stands behind? */
static bool is_causal(const attention *a, size_t k) {
    const stack  *s = &a->stack[k];
    const int64_t count = (int64_t)heads_of(a, k);
    if (!s->self) return false;
    for (int64_t i = 0; i < count * s->n; i++)
        for (int64_t key = i % s->n + 1; key < s->n; key++)
            if (s->pattern[i * s->n + key] != 0) return false;
    return true;
}

static void put_pairs(const attention *a, const value *args, sonde_result *out) {
    for (size_t k = 0; k < a->n; k++) {
        const stack *s = &a->stack[k];
        const attention_pairs pairs = { a->cx, s->query, s->key, s->n, s->keys, s->pattern, heads_of(a, k), is_causal(a, k) };
        if (pairs.causal) sonde_array_causal(s->array);
        if (args[ATTENTION_SUMMARY].i) attention_put_summary(&pairs, out);
        if (args[ATTENTION_VALUES].i)
            attention_put_values(&pairs, (attention_names){ a->heads[k].layer, a->heads[k].head, a->heads[k].n_heads }, out);
    }
}

extern const method method_attention;

static void attention_close(attention *a) {
    prompt_runs_close(&a->runs);
    repeated_ids_close(&a->random);
    for (size_t k = 0; k < a->n; k++) {
        pattern_heads_close(&a->heads[k]);
        free(a->stack[k].sum);
        free(a->stack[k].induction);
    }
}

static sonde_status attention_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    attention a = { .cx = cx, .prompt = context_prompt(cx, 0) };
    const char *scale = args[ATTENTION_SCALE].text;
    context_head(cx, &method_attention, out);
    SONDE_FAIL_IF(strcmp(scale, "one") != 0 && strcmp(scale, "each") != 0, err, SONDE_USAGE, "scale: \"%s\", expected one or each", scale);
    a.own_scale = !strcmp(scale, "each");
    sonde_status s = open_stacks(&a, args, err);
    if (s == SONDE_OK) s = prompt_runs_open(&a.runs, cx, 0, err);
    if (s == SONDE_OK && (a.n > 1 || a.stack[0].self)) repeated_ids_open(&a.random, cx, out);     /* cross-attention has no induction */
    if (s == SONDE_OK) s = cx->dry_run ? dry(&a, out, err) : measure(&a, out, err);
    if (s == SONDE_OK && !cx->dry_run) put_pairs(&a, args, out);
    attention_close(&a);
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
               "if the context is shorter), measured without edits. stack, of an encoder-decoder: encoder, decoder, cross (a "
               "decoder's attention to the prompt: entropy_bits, and first, over all i; the rest is null). summary: over the values that all heads shown give to a pair "
               "(position, key): mean, median (the lower one of an even count), variance (n - 1), max, min, quartiles",
    .example = "attention \"When Mary and John went to the store, John gave a drink to\" --layers 0-1",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS | TAKES_TWO,
    .run = attention_method,
};
