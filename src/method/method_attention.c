/* Attention patterns of a prompt, and what each head does with them (interface.md 5; Olsson et al., In-context learning
 * and induction heads, 2022; Elhage et al., A mathematical framework for transformer circuits, 2021).
 *
 * Patterns arrive block of rows by block of rows; scores add up as they come. Induction is measured apart, on random
 * ids written twice, where nothing but the repetition can be attended to. */
#include "dry.h"
#include "prompt_runs.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { ATTENTION_LAYERS, ATTENTION_HEADS };
enum { PERIOD = 50, MOST_NUMBERS = 1 << 29 };

static const param params[] = {
    [ATTENTION_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks whose patterns are shown" },
    [ATTENTION_HEADS] = { "heads", PARAM_NUMBERS, "all", 0, 0, "heads of each of them" },
    { 0 },
};

/* Sums over rows, of one head. */
typedef struct { double previous, first, duplicate, entropy, induction; } tally;

typedef struct {
    sonde_context *cx;
    long          *layer, *head;
    size_t         n_layers, n_heads;
    char         (*site)[64];           /* [layers] names of the patterns */
    const int32_t *tokens;
    int64_t        n;                   /* positions of the run that is going on */
    float         *pattern;             /* [layers, heads, n, n] of the prompt */
    tally         *tally;               /* [layers, heads] */
    int64_t        bos, period;         /* of the random ids; period 0: none fit */
} attention;

/* ---- scores ---- */

static void add_row(const attention *a, tally *sum, const float *row, int64_t i) {
    bool earlier = false;
    double same = 0;
    for (int64_t s = 0; s <= i; s++) {
        if (row[s] > 0) sum->entropy -= row[s] * log2((double)row[s]);
        if (s == i || a->tokens[s] != a->tokens[i]) continue;
        earlier = true;
        same += row[s];
    }
    if (earlier) sum->duplicate += same;
    if (i == 0) return;
    sum->previous += row[i - 1];
    sum->first += row[0];
}

static sonde_status take_pattern(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    attention *a = user;
    const int64_t rows = x->value.dim[1], keys = x->value.dim[2];
    for (size_t h = 0; h < a->n_heads; h++) {
        const size_t at = x->want * a->n_heads + h;
        const float *from = x->value.data + a->head[h] * rows * keys;
        for (int64_t t = 0; t < rows; t++) {
            float *to = a->pattern + ((int64_t)at * a->n + x->first + t) * a->n;
            memcpy(to, from + t * keys, (size_t)(keys < a->n ? keys : a->n) * sizeof *to);
            add_row(a, &a->tally[at], to, x->first + t);
        }
    }
    return SONDE_OK;
}

/* Row i of the second turn attends to what stood behind its token in the first. */
static sonde_status take_induction(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    attention *a = user;
    const int64_t rows = x->value.dim[1], keys = x->value.dim[2];
    for (size_t h = 0; h < a->n_heads; h++)
        for (int64_t t = 0; t < rows; t++) {
            const int64_t i = x->first + t;
            if (i < a->bos + a->period) continue;
            a->tally[x->want * a->n_heads + h].induction +=
                (double)x->value.data[(a->head[h] * rows + t) * keys + i - a->period + 1];
        }
    return SONDE_OK;
}

/* Rows whose token stood earlier. */
static int64_t repeats(const int32_t *tokens, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t s = 0; s < i; s++)
            if (tokens[s] == tokens[i]) {
                count++;
                break;
            }
    return count;
}

/* ---- runs ---- */

typedef struct { const int32_t *tokens; int64_t n; bool edited; sonde_answer_fn fn; sonde_cost *cost; } attention_run;

static sonde_status run_patterns(attention *a, const attention_run *r, sonde_error *err) {
    const sonde_context *cx = a->cx;
    const sonde_prompt   p = { .tokens = r->tokens, .n = r->n };
    const sonde_variant  v = { 0, r->edited ? cx->edits : NULL, r->edited ? cx->n_edits : 0 };
    sonde_want *want = ROOM(sonde_want, a->n_layers);
    for (size_t i = 0; i < a->n_layers; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = a->site[i] };
    prompt_runs  runs;
    sonde_status s = prompt_runs_open(&runs, cx, 0, err);
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = a->n_layers,
                            .runs = runs.run, .n_runs = r->edited ? runs.n : 0, .seed = cx->seed };
    if (s == SONDE_OK) s = r->cost ? sonde_variants_cost(cx->session, &b, r->cost, err)
                                   : sonde_variants_run(cx->session, &b, r->fn, a, err);
    prompt_runs_close(&runs);
    free(want);
    return s;
}

/* splitmix64 (Steele, Lea and Flood, 2014): the same draws everywhere. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* BOS if there is one, then `period` distinct ids twice; never BOS or the end-of-text token. */
static int32_t *random_ids(const attention *a, const sonde_model_info *info) {
    int32_t *id = ROOM(int32_t, info->vocab), *out = ROOM(int32_t, a->bos + 2 * a->period);
    int64_t  n = 0;
    uint64_t state = a->cx->seed;
    for (int32_t i = 0; i < info->vocab; i++)
        if (i != info->bos && i != info->eos) id[n++] = i;
    if (a->bos) out[0] = info->bos;
    for (int64_t i = 0; i < a->period; i++) {
        const int64_t j = i + (int64_t)((double)(draw(&state) >> 11) * 0x1p-53 * (double)(n - i));
        const int32_t swapped = id[j];
        id[j] = id[i];
        id[i] = swapped;
        out[a->bos + i] = out[a->bos + a->period + i] = swapped;
    }
    free(id);
    return out;
}

static void choose_period(attention *a, const sonde_model_info *info, sonde_result *out) {
    a->bos = info->bos >= 0;
    a->period = PERIOD;
    if (a->period > (info->context - a->bos) / 2) a->period = (info->context - a->bos) / 2;
    if (a->period > info->vocab - 2) a->period = info->vocab - 2;
    if (a->period < 2) a->period = 0;
    if (a->period == PERIOD) return;
    char note[160];
    snprintf(note, sizeof note, a->period ? "induction: 2 x %" PRId64 " random ids, as many as the context of %" PRId64 " holds"
             : "induction: not measured, %" PRId64 " ids twice do not fit into the context of %" PRId64,
             a->period ? a->period : 2, info->context);
    sonde_result_note(out, note);
}

/* ---- the result ---- */

static void put_heads(const attention *a, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "heads");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "head", SONDE_INT, "");
    sonde_table_column(t, "entropy_bits", SONDE_FLOAT, "bit");
    sonde_table_column(t, "previous", SONDE_FLOAT, "");
    sonde_table_column(t, "first", SONDE_FLOAT, "");
    sonde_table_column(t, "duplicate", SONDE_FLOAT, "");
    sonde_table_column(t, "induction", SONDE_FLOAT, "");
    const int64_t again = repeats(a->tokens, a->n);
    for (size_t i = 0; i < a->n_layers * a->n_heads; i++) {
        const tally *sum = &a->tally[i];
        sonde_table_row(t);
        sonde_cell_int(t, a->layer[i / a->n_heads]);
        sonde_cell_int(t, a->head[i % a->n_heads]);
        sonde_cell_float(t, sum->entropy / (double)a->n);
        if (a->n > 1) sonde_cell_float(t, sum->previous / (double)(a->n - 1));
        else sonde_cell_null(t);
        if (a->n > 1) sonde_cell_float(t, sum->first / (double)(a->n - 1));
        else sonde_cell_null(t);
        if (again) sonde_cell_float(t, sum->duplicate / (double)again);
        else sonde_cell_null(t);
        if (a->period) sonde_cell_float(t, sum->induction / (double)a->period);
        else sonde_cell_null(t);
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
    const int64_t dim[] = { (int64_t)a->n_layers, (int64_t)a->n_heads, a->n, a->n };
    const double  count = (double)dim[0] * (double)dim[1] * (double)dim[2] * (double)dim[3];
    SONDE_FAIL_IF(count > MOST_NUMBERS, err, SONDE_NOMEM,
                  "%.0f numbers of pattern need %.0f MB, at most %d MB are kept: choose --layers or --heads", count,
                  count / 262144, MOST_NUMBERS >> 18);
    sonde_array *x = sonde_result_array(out, "pattern", "layer head t s", dim);
    label_numbers(x, 0, a->layer, a->n_layers);
    label_numbers(x, 1, a->head, a->n_heads);
    a->pattern = sonde_array_data(x);
    a->tally = ROOM(tally, a->n_layers * a->n_heads);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "pattern", .x = "s", .y = "t",
                                            .title = "Attention of each position (down) to each (across)" });
    return SONDE_OK;
}

static sonde_status keep_layer(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    attention *a = user;
    for (size_t i = 0; i < a->n_layers; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%ld.attn.hook_pattern", a->layer[i]);
        if (!strcmp(name, s->name)) snprintf(a->site[i], sizeof a->site[i], "%s", name);
    }
    return SONDE_OK;
}

/* "all" is every block whose attention runs under the plans given. */
static sonde_status choose_layers(attention *a, const char *text, sonde_error *err) {
    a->site = room_bytes(a->n_layers, sizeof *a->site);
    SONDE_TRY(sonde_sites(a->cx->model, &(sonde_site_query){ NULL, a->cx->edits, a->cx->n_edits, a->n }, keep_layer, a, err));
    size_t n = 0;
    for (size_t i = 0; i < a->n_layers; i++) {
        SONDE_FAIL_IF(!*a->site[i] && strcmp(text, "all") != 0, err, SONDE_USAGE, "layers: the attention of block %ld is skipped",
                      a->layer[i]);
        if (!*a->site[i]) continue;
        memmove(a->site[n], a->site[i], sizeof *a->site);
        a->layer[n++] = a->layer[i];
    }
    a->n_layers = n;
    SONDE_FAIL_IF(n == 0, err, SONDE_USAGE, "the attention of every block is skipped");
    return SONDE_OK;
}

static sonde_status dry(attention *a, const attention_run *prompt, const attention_run *random, sonde_result *out,
                        sonde_error *err) {
    sonde_cost one, two = { 0 };
    attention_run first = *prompt, second = *random;
    first.cost = &one;
    second.cost = &two;
    SONDE_TRY(run_patterns(a, &first, err));
    if (a->period) SONDE_TRY(run_patterns(a, &second, err));
    sonde_table *t = dry_sites(out);
    const int64_t heads = sonde_model_describe(a->cx->model)->heads;
    for (size_t i = 0; i < a->n_layers; i++)
        dry_site(t, &(sonde_site){ .name = a->site[i], .axes = "h t s", .rank = 3, .dim = { heads, a->n, a->n } });
    dry_cost(out, 1 + (a->period > 0), (sonde_cost){ one.flops + two.flops, one.rows + two.rows,
                                                     one.bytes > two.bytes ? one.bytes : two.bytes });
    return SONDE_OK;
}

static sonde_status measure(attention *a, const attention_run *prompt, const attention_run *random, sonde_result *out,
                            sonde_error *err) {
    SONDE_TRY(make_array(a, out, err));
    SONDE_TRY(run_patterns(a, prompt, err));
    a->cx->progress(a->cx->progress_user, "runs", 1, 1 + (a->period > 0));
    if (a->period) SONDE_TRY(run_patterns(a, random, err));
    a->cx->progress(a->cx->progress_user, "runs", 1 + (a->period > 0), 1 + (a->period > 0));
    put_heads(a, out);
    return SONDE_OK;
}

extern const method method_attention;

static sonde_status attention_all(attention *a, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(a->cx->model);
    SONDE_TRY(param_numbers(&params[ATTENTION_LAYERS], args[ATTENTION_LAYERS].text, (long)info->layers, &a->layer,
                            &a->n_layers, err));
    SONDE_TRY(param_numbers(&params[ATTENTION_HEADS], args[ATTENTION_HEADS].text, (long)info->heads, &a->head, &a->n_heads,
                            err));
    SONDE_TRY(choose_layers(a, args[ATTENTION_LAYERS].text, err));
    choose_period(a, info, out);
    int32_t *ids = random_ids(a, info);
    const attention_run prompt = { .tokens = a->tokens, .n = a->n, .edited = true, .fn = take_pattern };
    const attention_run random = { .tokens = ids, .n = a->bos + 2 * a->period, .fn = take_induction };
    const sonde_status s = a->cx->dry_run ? dry(a, &prompt, &random, out, err) : measure(a, &prompt, &random, out, err);
    free(ids);
    return s;
}

static sonde_status attention_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    attention a = { .cx = cx, .tokens = cx->prompts[0].tokens.id, .n = cx->prompts[0].tokens.n };
    context_head(cx, &method_attention, out);
    const sonde_status s = attention_all(&a, args, out, err);
    free(a.layer);
    free(a.head);
    free(a.site);
    free(a.tally);
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
               "if the context is shorter), measured without edits",
    .example = "attention \"When Mary and John went to the store, John gave a drink to\" --layers 0-1",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS,
    .run = attention_method,
};
