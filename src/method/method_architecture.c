/* A model as boxes in space, with what one run put into each: the stream up through the blocks, what every head and MLP
 * writes to it, groups of neurons, and the answer on top.
 *
 * One floor for a block, in the order in which blocks run; positions go back, heads and MLP stand beside the stream. */
#include "lookup.h"
#include "dry.h"
#include "prompt_runs.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARCHITECTURE_POSITION, ARCHITECTURE_GROUPS };
enum { MOST_BOXES = 400000 };

static const param params[] = {
    [ARCHITECTURE_POSITION] = { "position", PARAM_INT, "-1", -1000000, 1000000, "whose neurons are shown; -1 is the last" },
    [ARCHITECTURE_GROUPS] = { "groups", PARAM_INT, "64", 1, 65536, "boxes of neurons of a block, each for as many neighbours" },
    { 0 },
};

#define SITES "hook_resid_pre,hook_attn_out,hook_mlp_out,hook_resid_post,attn.hook_pattern,attn.hook_result"
#define NEURONS "mlp.hook_post"
enum { RESID_PRE, ATTN_OUT, MLP_OUT, RESID_POST, PATTERN, RESULT, POST, PARTS };
static const char *const part_names[PARTS] = { "hook_resid_pre", "hook_attn_out", "hook_mlp_out", "hook_resid_post",
                                               "attn.hook_pattern", "attn.hook_result", NEURONS };

typedef struct { double norm; int64_t key; double weight; } head_value;     /* key: where it attends most */

typedef struct {                        /* a block that ran, or a part of it: NaN where it did not */
    char        name[48];               /* "blocks.3", "blocks.3r1" */
    double     *norm[RESID_POST + 1];   /* [positions] of what lies in or is added to the stream */
    head_value *head;                   /* [heads, positions] */
    float      *post; int64_t f;        /* [f] at the chosen position */
} floor_values;

typedef struct {
    const sonde_context *cx;
    sonde_prompt  prompt;
    int64_t       position, heads, groups;
    floor_values *floor; size_t floors;
    double       *embed;                /* [positions] */
    double       *prob; int32_t *best;  /* [positions] */
    sonde_table  *table;
} architecture;

/* ---- taking values ---- */

static double norm_of(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* "blocks.3.attn.hook_z": the floor and the part, or -1. */
static int part_of(const architecture *a, const char *site, size_t *at) {
    for (*at = 0; *at < a->floors; ++*at) {
        const size_t n = strlen(a->floor[*at].name);
        if (strncmp(site, a->floor[*at].name, n) != 0 || site[n] != '.') continue;
        for (int p = 0; p < PARTS; p++)
            if (!strcmp(site + n + 1, part_names[p])) return p;
    }
    return -1;
}

static void take_pattern(const architecture *a, floor_values *f, const sonde_answer *x) {
    const int64_t rows = x->value.dim[1], keys = x->value.dim[2];
    for (int64_t h = 0; h < a->heads; h++)
        for (int64_t t = 0; t < rows; t++) {
            const float *row = x->value.data + (h * rows + t) * keys;
            head_value  *v = &f->head[h * a->prompt.n + x->first + t];
            v->weight = row[0];
            for (int64_t s = 1; s < keys; s++)
                if ((double)row[s] > v->weight) v->key = s, v->weight = row[s];
        }
}

static void take_result(const architecture *a, floor_values *f, const sonde_answer *x) {
    const int64_t rows = x->value.dim[0], d = x->value.dim[2];
    for (int64_t t = 0; t < rows; t++)
        for (int64_t h = 0; h < a->heads; h++)
            f->head[h * a->prompt.n + x->first + t].norm = norm_of(x->value.data + (t * a->heads + h) * d, d);
}

static void take_post(const architecture *a, floor_values *f, const sonde_answer *x) {
    const int64_t row = a->position - x->first, n = x->value.dim[1];
    if (row < 0 || row >= x->value.dim[0]) return;
    f->f = n;
    f->post = ROOM(float, n);
    memcpy(f->post, x->value.data + row * n, (size_t)n * sizeof *f->post);
}

static void take_logits(architecture *a, const sonde_answer *x) {
    const int64_t v = sonde_model_describe(a->cx->model)->n_answers;
    const sonde_logit_stats s = sonde_logits_stats(x->value.data, v);
    a->best[x->first] = s.argmax;
    a->prob[x->first] = sonde_logit_prob(x->value.data[s.argmax], &s);
}

static sonde_status take(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    architecture *a = user;
    size_t at;
    if (x->want == 2) {
        take_logits(a, x);
        return SONDE_OK;
    }
    if (x->want == 1) {
        for (int64_t t = 0; t < x->value.dim[0]; t++)
            a->embed[x->first + t] = norm_of(x->value.data + t * x->value.dim[1], x->value.dim[1]);
        return SONDE_OK;
    }
    const int part = part_of(a, x->site, &at);
    if (part == PATTERN) take_pattern(a, &a->floor[at], x);
    else if (part == RESULT) take_result(a, &a->floor[at], x);
    else if (part == POST) take_post(a, &a->floor[at], x);
    else if (part >= 0)
        for (int64_t t = 0; t < x->value.dim[0]; t++)
            a->floor[at].norm[part][x->first + t] = norm_of(x->value.data + t * x->value.dim[1], x->value.dim[1]);
    return SONDE_OK;
}

static sonde_status add_floor(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    architecture *a = user;
    const char   *dot = strchr(s->name, '.'), *end = dot ? strchr(dot + 1, '.') : NULL;
    if (!end) return SONDE_OK;
    a->floor = room_grow(a->floor, a->floors, 1, sizeof *a->floor);
    floor_values *f = &a->floor[a->floors++];
    *f = (floor_values){ .head = ROOM(head_value, a->heads * a->prompt.n) };
    snprintf(f->name, sizeof f->name, "%.*s", (int)(end - s->name), s->name);
    for (int p = 0; p <= RESID_POST; p++) {
        f->norm[p] = ROOM(double, a->prompt.n);
        for (int64_t t = 0; t < a->prompt.n; t++) f->norm[p][t] = NAN;
    }
    for (int64_t i = 0; i < a->heads * a->prompt.n; i++) f->head[i].norm = NAN;
    return SONDE_OK;
}

/* Blocks with mixtures of experts have no neurons of one MLP. */
static sonde_status find_neurons(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    *(bool *)user |= name_ends_in(s->name, "." NEURONS);
    return SONDE_OK;
}

static sonde_status run(architecture *a, sonde_cost *cost, sonde_error *err) {
    const sonde_context *cx = a->cx;
    const sonde_site_query every = { NULL, cx->edits, cx->n_edits, a->prompt.n };
    bool neurons = false;
    SONDE_TRY(sonde_sites(cx->model, &every, find_neurons, &neurons, err));
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    const sonde_want want[] = { { .kind = SONDE_WANT_SITE, .sites = neurons ? SITES "," NEURONS : SITES },
                                { .kind = SONDE_WANT_SITE, .sites = "hook_embed" },
                                { .kind = SONDE_WANT_LOGITS } };
    prompt_runs  runs;
    sonde_status s = prompt_runs_open(&runs, cx, 0, err);
    const sonde_batch b = { .bases = &a->prompt, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want,
                            .n_wants = sizeof want / sizeof *want, .runs = runs.run, .n_runs = runs.n, .seed = cx->seed };
    if (s == SONDE_OK) s = cost ? sonde_variants_cost(cx->session, &b, cost, err) : sonde_variants_run(cx->session, &b, take, a, err);
    prompt_runs_close(&runs);
    return s;
}

/* ---- boxes ---- */

typedef struct { double at[3], size[3]; const char *part; int floor, unit; int64_t position; double value, relative; } box;

__attribute__((format(printf, 3, 4)))
static void put_box(const architecture *a, const box *b, const char *fmt, ...) {
    char    text[256];
    va_list list;
    sonde_table *t = a->table;
    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    sonde_table_row(t);
    sonde_cell_text(t, b->part);
    sonde_cell_text(t, b->floor < 0 ? NULL : a->floor[b->floor].name);
    if (b->floor < 0) sonde_cell_null(t);
    else sonde_cell_int(t, b->floor);
    if (b->unit < 0) sonde_cell_null(t);
    else sonde_cell_int(t, b->unit);
    sonde_cell_int(t, b->position);
    sonde_cell_token(t, context_token(a->cx, a->prompt.tokens[b->position]));
    sonde_cell_float(t, b->value);
    sonde_cell_float(t, b->relative);
    sonde_cell_text(t, text);
    for (int i = 0; i < 3; i++) sonde_cell_float(t, b->at[i]);
    for (int i = 0; i < 3; i++) sonde_cell_float(t, b->size[i]);
}

static double greatest(const double *x, int64_t n, double most) {
    for (int64_t i = 0; i < n; i++)
        if (x[i] > most) most = x[i];
    return most;
}

typedef struct { double stream, head, mlp, neuron; } most_values;

/* What 1 is in `relative`: the largest of its kind in the run. */
static most_values find_most(const architecture *a) {
    most_values m = { .stream = greatest(a->embed, a->prompt.n, 0) };
    for (size_t i = 0; i < a->floors; i++) {
        const floor_values *f = &a->floor[i];
        m.stream = greatest(f->norm[RESID_POST], a->prompt.n, m.stream);
        m.mlp = greatest(f->norm[MLP_OUT], a->prompt.n, m.mlp);
        for (int64_t k = 0; k < a->heads * a->prompt.n; k++)
            if (f->head[k].norm > m.head) m.head = f->head[k].norm;
        for (int64_t k = 0; k < f->f; k++)
            if (fabs((double)f->post[k]) > m.neuron) m.neuron = fabs((double)f->post[k]);
    }
    return m;
}

static double share(double x, double most) { return most > 0 ? x / most : NAN; }

enum { FLOOR = 4, DEEP = 2 };           /* from one block to the next, from one position to the next */

static void put_stream(const architecture *a, const most_values *m, int floor, int64_t t) {
    const floor_values *f = &a->floor[floor];
    const double norm = f->norm[RESID_POST][t];
    put_box(a, &(box){ { 0, FLOOR * (floor + 1.0), DEEP * (double)t }, { 1.5, 1, 1 }, "stream", floor, -1, t, norm, share(norm, m->stream) },
            "|resid_pre| %.4g, |attn_out| %.4g, |mlp_out| %.4g", f->norm[RESID_PRE][t], f->norm[ATTN_OUT][t], f->norm[MLP_OUT][t]);
}

static void put_heads(const architecture *a, const most_values *m, int floor, int64_t t) {
    const floor_values *f = &a->floor[floor];
    for (int64_t h = 0; h < a->heads; h++) {
        const head_value *v = &f->head[h * a->prompt.n + t];
        char shown[64];
        if (isnan(v->norm)) continue;
        const sonde_token token = context_token(a->cx, a->prompt.tokens[v->key]);
        sonde_token_show(token.bytes, token.len, shown, sizeof shown);
        put_box(a, &(box){ { -2.5 - 1.2 * (double)h, FLOOR * (floor + .5), DEEP * (double)t }, { 1, 1, 1 }, "head", floor, (int)h, t, v->norm,
                           share(v->norm, m->head) },
                "|z W_O|; attends most to position %" PRId64 " %s with %.4g", v->key, shown, v->weight);
    }
}

static void put_mlp(const architecture *a, const most_values *m, int floor, int64_t t) {
    const double norm = a->floor[floor].norm[MLP_OUT][t];
    if (isnan(norm)) return;
    put_box(a, &(box){ { 3, FLOOR * (floor + .5), DEEP * (double)t }, { 2, 1, 1 }, "mlp", floor, -1, t, norm, share(norm, m->mlp) },
            "|mlp_out|, %.4g of |resid_post|", norm / a->floor[floor].norm[RESID_POST][t]);
}

/* Neighbours share a box, which shows the largest of them. */
static void put_neurons(const architecture *a, const most_values *m, int floor) {
    const floor_values *f = &a->floor[floor];
    const int64_t groups = f->f < a->groups ? f->f : a->groups, wide = (int64_t)ceil(sqrt((double)groups)), middle = wide / 2;
    for (int64_t g = 0; g < groups; g++) {
        const int64_t first = g * f->f / groups, end = (g + 1) * f->f / groups;
        const int64_t row = g / wide - middle;
        const double  across = DEEP * (double)a->position + .5 * (double)row;
        int64_t most = first;
        for (int64_t i = first; i < end; i++)
            if (fabs((double)f->post[i]) > fabs((double)f->post[most])) most = i;
        const double x = f->post[most];
        put_box(a, &(box){ { 5 + .5 * (double)(g % wide), FLOOR * (floor + .5), across },
                           { .4, .4, .4 }, "neurons", floor, (int)most, a->position, x, share(x, m->neuron) },
                "neuron %" PRId64 ", the largest of %" PRId64 " to %" PRId64, most, first, end - 1);
    }
}

static void put_ends(const architecture *a, const most_values *m) {
    const bool next = sonde_model_describe(a->cx->model)->head & SONDE_HEAD_LM;
    for (int64_t t = 0; t < a->prompt.n; t++) {
        char shown[64];
        put_box(a, &(box){ { 0, 0, DEEP * (double)t }, { 1.5, 1, 1 }, "embedding", -1, -1, t, a->embed[t], share(a->embed[t], m->stream) },
                "|hook_embed|");
        if (a->best[t] < 0) continue;           /* a model that answers once, at row 0 */
        const sonde_token token = context_answer(a->cx, a->best[t]);
        sonde_token_show(token.bytes, token.len, shown, sizeof shown);
        put_box(a, &(box){ { 0, FLOOR * ((double)a->floors + 1), DEEP * (double)t }, { 1.5, 1, 1 }, "answer", -1, a->best[t], t, a->prob[t], a->prob[t] },
                next ? "most probable next token %s" : "most probable: %s", shown);
    }
}

static void put_boxes(architecture *a, sonde_result *out) {
    static const struct { const char *name; sonde_column_type type; } columns[] = {
        { "part", SONDE_TEXT }, { "block", SONDE_TEXT }, { "floor", SONDE_INT }, { "unit", SONDE_INT }, { "position", SONDE_INT }, { "token", SONDE_TOKEN },
        { "value", SONDE_FLOAT }, { "relative", SONDE_FLOAT }, { "operands", SONDE_TEXT }, { "x", SONDE_FLOAT }, { "y", SONDE_FLOAT },
        { "z", SONDE_FLOAT }, { "width", SONDE_FLOAT }, { "height", SONDE_FLOAT }, { "depth", SONDE_FLOAT },
    };
    sonde_table *t = a->table = sonde_result_table(out, "boxes");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) sonde_table_column(t, columns[i].name, columns[i].type, "");
    const most_values m = find_most(a);
    put_ends(a, &m);
    for (int f = 0; f < (int)a->floors; f++) {
        for (int64_t p = 0; p < a->prompt.n; p++) {
            put_stream(a, &m, f, p);
            put_heads(a, &m, f, p);
            put_mlp(a, &m, f, p);
        }
        put_neurons(a, &m, f);
    }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_ARCHITECTURE, .of = "boxes", .x = "x", .y = "y", .z = "z", .value = "relative",
                                            .label = "operands", .panel = "part", .title = "What the run put where; 1 is the largest of its kind" });
}

extern const method method_architecture;

static sonde_status measure(architecture *a, const value *args, sonde_result *out, sonde_error *err) {
    const int64_t asked = args[ARCHITECTURE_POSITION].i, n = a->prompt.n;
    SONDE_FAIL_IF(asked >= n || asked < -n, err, SONDE_USAGE, "position: %" PRId64 ", the prompt has %" PRId64 " tokens", asked, n);
    a->position = asked < 0 ? asked + n : asked;
    SONDE_TRY(sonde_sites(a->cx->model, &(sonde_site_query){ "hook_resid_post", a->cx->edits, a->cx->n_edits, n, 0 }, add_floor, a, err));
    const double boxes = (double)a->floors * ((double)n * ((double)a->heads + 2) + (double)a->groups);
    SONDE_FAIL_IF(boxes > MOST_BOXES, err, SONDE_NOMEM, "%.0f boxes, at most %d are made: a shorter prompt, or fewer --groups", boxes, MOST_BOXES);
    if (a->cx->dry_run) {
        sonde_cost cost;
        SONDE_TRY(run(a, &cost, err));
        dry_cost(out, 1, cost);
        return SONDE_OK;
    }
    SONDE_TRY(run(a, NULL, err));
    put_boxes(a, out);
    return SONDE_OK;
}

static sonde_status architecture_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_prompt p = context_prompt(cx, 0);
    architecture a = { .cx = cx, .prompt = p, .heads = sonde_model_describe(cx->model)->heads, .groups = args[ARCHITECTURE_GROUPS].i,
                       .embed = ROOM(double, p.n), .prob = ROOM(double, p.n), .best = ROOM(int32_t, p.n) };
    for (int64_t t = 0; t < p.n; t++) a.best[t] = -1;
    context_head(cx, &method_architecture, out);
    const sonde_status s = measure(&a, args, out, err);
    for (size_t i = 0; i < a.floors; i++) {
        for (int k = 0; k <= RESID_POST; k++) free(a.floor[i].norm[k]);
        free(a.floor[i].head);
        free(a.floor[i].post);
    }
    free(a.floor);
    free(a.embed);
    free(a.prob);
    free(a.best);
    return s;
}

const method method_architecture = {
    .name = "architecture",
    .summary = "the model as boxes in space with the values of a run: stream, heads, MLPs, neurons, answers (--out x.html)",
    .formula = "value: stream and embedding: L2 norm of the residual stream behind the block, of the token's embedding; head: of "
               "what the head writes (hook_result); mlp: of hook_mlp_out; neurons: the activation (hook_post) of largest size among "
               "neighbours, at --position; answer: probability of the most probable next token. relative: value over the largest "
               "of its kind in the run. A floor is a block, in the order in which blocks run; positions go back",
    .example = "architecture \"When Mary and John went to the store, John gave a drink to\" --out model.html",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS,
    .run = architecture_method,
};
