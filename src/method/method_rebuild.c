/* A model taken apart and put together again: every stage of a run with its formula and weights, computed a second time
 * from the values in front of it, and beside what the official library has there. */
#include "method_rebuild.h"
#include "dry.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

const param rebuild_params[] = {
    [REBUILD_STAGE] = { "stage", PARAM_NUMBERS, "all", 0, 0,
                        "stages: 7, 3-9, -1 (the last); with the corners of what they read and make" },
    [REBUILD_AGAINST] = { "against", PARAM_TEXT, "", 0, 0, "safetensors file with the official library's values of the same "
                          "tokens (tools/reference.py)" },
    [REBUILD_EXPORT] = { "export", PARAM_TEXT, "", 0, 0,
                         "folder: every weight and every stage's value as npy, and index.json" },
    { 0 },
};

enum { FIRST_NUMBERS = 5 };
static const double ALLOWED = 1e-5;     /* times max(1, max|value|), as for sites in interface.md 7 */

/* ---- numbers of a stage ---- */

typedef struct { double least, most, mean, sd, largest; char first[160]; } summary;

static summary summarise(const rebuild_value *v) {
    summary s = { .least = (double)NAN, .most = (double)NAN, .mean = (double)NAN, .sd = (double)NAN };
    const int64_t wide = v->rank ? v->dim[v->rank - 1] : 1;
    double  sum = 0, square = 0;
    int64_t n = 0;
    size_t  used = 0;
    for (int64_t i = 0; i < v->items; i++) {
        const double x = (double)v->data[i];
        if (!isfinite(x)) continue;
        s.least = n ? fmin(s.least, x) : x;
        s.most = n ? fmax(s.most, x) : x;
        s.largest = fmax(s.largest, fabs(x));
        sum += x;
        n++;
    }
    if (n) s.mean = sum / (double)n;
    for (int64_t i = 0; i < v->items; i++)
        if (isfinite(v->data[i])) square += ((double)v->data[i] - s.mean) * ((double)v->data[i] - s.mean);
    if (n) s.sd = sqrt(square / (double)n);
    for (int64_t i = 0; i < wide && i < FIRST_NUMBERS; i++)
        used += (size_t)snprintf(s.first + used, sizeof s.first - used, "%s%.6g", i ? " " : "", (double)v->data[i]);
    return s;
}

/* |a - b|; an infinity stands where the other one has it, or the difference is infinite. */
static double between(double a, double b) {
    if (a == b || (isnan(a) && isnan(b))) return 0;
    return isfinite(a) && isfinite(b) ? fabs(a - b) : (double)INFINITY;
}

/* The largest one. NaN: b is not known. */
static double farthest(const rebuild_value *v, const double *b) {
    double worst = 0;
    for (int64_t i = 0; b && i < v->items; i++) worst = fmax(worst, between((double)v->data[i], b[i]));
    return b ? worst : (double)NAN;
}

/* This stage by itself: its formula on the reference's values in front of it, beside the reference's own. */
static sonde_status find_alone(const rebuild *r, const rebuild_stage *s, double *worst, sonde_error *err) {
    double *official = rebuild_official(r, s->op), *computed = NULL;
    sonde_status status = official ? rebuild_compute(r, s, REBUILD_OF_REFERENCE, &computed, err) : SONDE_OK;
    *worst = computed ? 0 : (double)NAN;
    for (int64_t i = 0; computed && i < r->op[s->op].value.items; i++)
        *worst = fmax(*worst, between(official[i], computed[i]));
    free(official);
    free(computed);
    return status;
}

/* ---- tables ---- */

typedef struct { const char *name; sonde_column_type type; } column;

static sonde_table *make_table(sonde_result *out, const char *name, const column *c, size_t n) {
    sonde_table *t = sonde_result_table(out, name);
    for (size_t i = 0; i < n; i++) sonde_table_column(t, c[i].name, c[i].type, strcmp(c[i].name, "bytes") ? "" : "hex");
    return t;
}

static void put_tokens(const rebuild *r, bool target, sonde_result *out) {
    static const column columns[] = { { "position", SONDE_INT }, { "token", SONDE_TOKEN }, { "start", SONDE_INT },
                                      { "end", SONDE_INT }, { "bytes", SONDE_TEXT } };
    const method_prompt *p = &r->cx->prompts[0];
    const sonde_tokens  *tokens = target ? &p->target : &p->tokens;     /* no target: its start alone, which stands nowhere */
    sonde_table *t = make_table(out, target ? "target" : "tokens", columns, sizeof columns / sizeof *columns);
    int64_t      n;
    const int32_t *id = rebuild_tokens(r, target, &n);
    for (int64_t i = 0; i < n; i++) {
        const sonde_token token = context_token(r->cx, id[i]);
        char *hex = ROOM(char, 2 * token.len + 1);
        for (size_t k = 0; k < token.len; k++) snprintf(hex + 2 * k, 3, "%02x", (unsigned)(unsigned char)token.bytes[k]);
        sonde_table_row(t);
        sonde_cell_int(t, i);
        sonde_cell_token(t, token);
        const bool placed = tokens->start && tokens->start[i] >= 0;
        if (placed) sonde_cell_int(t, tokens->start[i]); else sonde_cell_null(t);
        if (placed) sonde_cell_int(t, tokens->end[i]); else sonde_cell_null(t);
        sonde_cell_text(t, hex);
        free(hex);
    }
}

typedef struct { char text[1200]; size_t used; } joined;

static void join(joined *j, const char *between, const char *text) {
    if (!text || j->used >= sizeof j->text) return;
    j->used += (size_t)snprintf(j->text + j->used, sizeof j->text - j->used, "%s%s", j->used ? between : "", text);
}

/* "eps = 1e-05"; a list by its first numbers. */
static void join_constants(joined *j, const sonde_operation *o) {
    for (size_t i = 0; i < o->n_constants; i++) {
        const sonde_constant *c = &o->constant[i];
        char text[200];
        size_t used = (size_t)snprintf(text, sizeof text, "%s =", c->name);
        if (!c->n) snprintf(text + used, sizeof text - used, " %.9g", c->value);
        for (size_t k = 0; k < c->n && k < 3; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, " %.6g", (double)c->list[k]);
        if (c->n > 3) snprintf(text + used, sizeof text - used, " .. (%zu)", c->n);
        join(j, ", ", text);
    }
}

static bool told_before(const joined *j, const char *name) {
    const size_t n = strlen(name);
    for (const char *at = j->text; (at = strstr(at, name)); at += n)
        if ((at == j->text || at[-1] == ' ') && (!at[n] || at[n] == ',')) return true;
    return false;
}

static void put_operations(sonde_table *t, const rebuild *r, const rebuild_stage *s) {
    joined operation = { 0 }, formula = { 0 }, inputs = { 0 }, weights = { 0 };
    for (size_t i = 0; i < s->n; i++) {
        const sonde_operation *o = &r->op[s->part[i]].told;
        join(&operation, ", ", o->operation);
        join(&formula, "; ", o->formula);
        join_constants(&formula, o);
        if (!strcmp(o->operation, "lookup")) join(&inputs, ", ", o->kind);
        for (size_t k = 0; k < o->n_in; k++) {
            const char *name = o->from[k] >= 0 ? r->op[o->from[k]].name : "";
            if (*name && !told_before(&inputs, name)) join(&inputs, ", ", name);
        }
        join(&weights, ", ", o->weight);
        join(&weights, ", ", o->bias);
        join(&weights, ", ", o->more);
    }
    sonde_cell_text(t, operation.text);
    sonde_cell_text(t, formula.text);
    sonde_cell_text(t, inputs.text);
    sonde_cell_text(t, weights.text);
}

static void put_weight(sonde_table *t, const rebuild *r, int stage, const char *name) {
    const size_t at = name ? rebuild_weight(r, name) : SIZE_MAX;
    if (at == SIZE_MAX) return;
    const sonde_weight_info *w = &r->weight[at];
    sonde_array_spec spec = { .rank = w->rank };
    char shape[160];
    for (int k = 0; k < w->rank; k++) spec.dim[k] = w->dim[k];
    agree_shape(&spec, shape, sizeof shape);
    sonde_table_row(t);
    sonde_cell_int(t, stage);
    sonde_cell_text(t, w->name);
    sonde_cell_text(t, w->axes);
    sonde_cell_text(t, shape);
    sonde_cell_text(t, w->dtype);
    sonde_cell_text(t, w->stored_as);
}

static void put_weights(sonde_table *t, const rebuild *r, const rebuild_stage *s) {
    char name[200];
    for (size_t i = 0; i < s->n; i++) {
        const sonde_operation *o = &r->op[s->part[i]].told;
        put_weight(t, r, s->number, o->weight);
        put_weight(t, r, s->number, o->bias);
        for (size_t k = 0; rebuild_site(o->more, k, name, sizeof name); k++) put_weight(t, r, s->number, name);
    }
}

/* ---- a stage ---- */

typedef struct {
    rebuild      r;
    sonde_table *stages, *numbers, *weights, *corners;
    int64_t      shown, seen, agreed, failed;
    sonde_error  first;         /* what is said of the first stage that fails */
} walk;

static void judge(walk *w, const rebuild_stage *s, bool ok, const char *why) {
    w->seen++;
    w->agreed += ok;
    w->failed += !ok;
    if (!ok && w->first.status == SONDE_OK)
        sonde_fail(&w->first, SONDE_DIFFERS, "stage %d, %s: %s", s->number, s->title, why);
}

static const char *said_of_target(const method_prompt *p) {
    if (p->target_text) return "ids = the start token, tokenizer(text)";
    return p->target.n ? "ids as given" : "ids = the start token";
}

/* Operation, formula, inputs and weights of the tokenizer. */
static void put_token_stage(walk *w, const rebuild_stage *s) {
    const rebuild_compared c = rebuild_compare_tokens(&w->r, s->target);
    const method_prompt   *p = &w->r.cx->prompts[0];
    int64_t n;
    const int32_t *id = rebuild_tokens(&w->r, s->target, &n);
    char   text[160];
    size_t used = 0;
    sonde_table *t = w->stages;
    sonde_table_row(t);
    sonde_cell_int(t, s->number);
    sonde_cell_null(t);
    sonde_cell_text(t, s->title);
    sonde_cell_text(t, "tokenize");
    sonde_cell_text(t, s->target ? said_of_target(p) : p->text ? "ids = tokenizer(text)" : "ids as given");
    sonde_cell_text(t, s->target ? "target" : "text");
    for (int i = 0; i < 2; i++) sonde_cell_null(t);
    snprintf(text, sizeof text, "[%" PRId64 "]", n);
    sonde_cell_text(t, text);
    for (int64_t i = 0; i < n && i < FIRST_NUMBERS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId32, i ? " " : "", id[i]);
    sonde_cell_text(t, text);
    for (int i = 0; i < 5; i++) sonde_cell_null(t);
    sonde_cell_bool(t, c.ok);
    judge(w, s, c.ok, "the ids are other ones than the reference's");
}

static void put_numbers(sonde_table *t, const rebuild_stage *s, const summary *m) {
    const double number[] = { m->least, m->most, m->mean, m->sd };
    sonde_table_row(t);
    sonde_cell_int(t, s->number);
    sonde_cell_text(t, s->title);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) put_defined(t, number[i]);
}

static void put_differences(sonde_table *t, double far, const rebuild_compared *c, double alone) {
    const double number[] = { far, c->worst, c->mean, c->cosine, alone };
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) put_defined(t, number[i]);
}

static sonde_status put_stage(walk *w, const rebuild_stage *s, const double *computed, sonde_error *err) {
    const rebuild_op    *o = &w->r.op[s->op];
    const rebuild_value *v = &o->value;
    const summary        m = summarise(v);
    const double         far = farthest(v, computed), allowed = ALLOWED * fmax(1, m.largest);
    const bool           near = isnan(far) || far <= allowed;
    sonde_array_spec     spec = { .rank = v->rank };
    rebuild_compared     c;
    char why[600], shape[160];
    double alone;
    SONDE_TRY(rebuild_compare(&w->r, s, &c, err));
    SONDE_TRY(find_alone(&w->r, s, &alone, err));
    for (int i = 0; i < v->rank; i++) spec.dim[i] = v->dim[i];
    agree_shape(&spec, shape, sizeof shape);
    sonde_table_row(w->stages);
    sonde_cell_int(w->stages, s->number);
    if (o->told.block < 0) sonde_cell_null(w->stages);
    else sonde_cell_int(w->stages, o->told.block);
    sonde_cell_text(w->stages, s->title);
    put_operations(w->stages, &w->r, s);
    sonde_cell_text(w->stages, o->told.site);
    sonde_cell_text(w->stages, shape);
    sonde_cell_text(w->stages, m.first);
    put_differences(w->stages, far, &c, alone);
    sonde_cell_bool(w->stages, near && c.ok);
    put_numbers(w->numbers, s, &m);
    put_weights(w->weights, &w->r, s);
    if (!near) snprintf(why, sizeof why, "%s is %g from what its inputs give, allowed is %g", o->name, far, allowed);
    else if (isnan(c.worst)) snprintf(why, sizeof why, "the reference has another shape of %s than %s", o->name, shape);
    else snprintf(why, sizeof why, "%s: max |a-b| is %g, allowed is %g", o->name, c.worst, c.allowed);
    judge(w, s, near && c.ok, why);
    if (!w->corners) return SONDE_OK;
    return rebuild_corners(&w->r, (rebuild_look){ s, computed }, w->corners, err);
}

static sonde_status show(walk *w, const rebuild_stage *s, sonde_error *err) {
    double *computed = NULL;
    if (s->op < 0) {
        put_token_stage(w, s);
        return SONDE_OK;
    }
    sonde_status status = rebuild_compute(&w->r, s, REBUILD_OF_RUN, &computed, err);
    if (status == SONDE_OK) status = put_stage(w, s, computed, err);
    free(computed);
    w->r.cx->progress(w->r.cx->progress_user, "stages", w->seen, w->shown);
    SONDE_TRY(status);
    SONDE_FAIL_IF(sonde_session_stopped(w->r.cx->session), err, SONDE_CANCELLED, "interrupted behind stage %d", s->number);
    return SONDE_OK;
}

/* ---- the whole ---- */

static void make_tables(walk *w, bool corners, sonde_result *out) {
    static const column stages[] = {
        { "stage", SONDE_INT }, { "block", SONDE_INT }, { "title", SONDE_TEXT }, { "operation", SONDE_TEXT },
        { "formula", SONDE_TEXT }, { "inputs", SONDE_TEXT }, { "weights", SONDE_TEXT }, { "site", SONDE_TEXT },
        { "shape", SONDE_TEXT }, { "first", SONDE_TEXT }, { "recomputed_max_diff", SONDE_FLOAT },
        { "against_max_diff", SONDE_FLOAT }, { "against_mean_diff", SONDE_FLOAT }, { "cosine", SONDE_FLOAT },
        { "alone_max_diff", SONDE_FLOAT }, { "ok", SONDE_BOOL },
    };
    static const column numbers[] = { { "stage", SONDE_INT }, { "title", SONDE_TEXT }, { "min", SONDE_FLOAT },
                                      { "max", SONDE_FLOAT }, { "mean", SONDE_FLOAT }, { "sd", SONDE_FLOAT } };
    static const column weights[] = { { "stage", SONDE_INT }, { "weight", SONDE_TEXT }, { "axes", SONDE_TEXT },
                                      { "shape", SONDE_TEXT }, { "type", SONDE_TEXT }, { "stored_as", SONDE_TEXT } };
    w->stages = make_table(out, "stages", stages, sizeof stages / sizeof *stages);
    w->numbers = make_table(out, "numbers", numbers, sizeof numbers / sizeof *numbers);
    w->weights = make_table(out, "weights", weights, sizeof weights / sizeof *weights);
    for (size_t i = 0; i < w->r.n_stages; i++)
        if (w->r.stage[i].shown && w->r.stage[i].op < 0) put_tokens(&w->r, w->r.stage[i].target, out);
    if (corners) w->corners = rebuild_corner_table(out);
}

static void put_views(sonde_result *out, bool against) {
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "stages", .x = "stage",
                                            .value = "recomputed_max_diff",
                                            .title = "How far each stage is from what its inputs give" });
    if (against)
        sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "stages", .x = "stage",
                                                .value = "against_max_diff",
                                                .title = "How far each stage is from the reference" });
}

static sonde_status dry(rebuild *r, sonde_result *out, sonde_error *err) {
    sonde_cost   cost;
    sonde_table *t = dry_sites(out);
    SONDE_TRY(rebuild_capture(r, &cost, err));
    for (size_t i = 0; i < r->n_stages; i++) {
        const rebuild_stage *s = &r->stage[i];
        if (!s->shown || s->op < 0) continue;
        sonde_site site = { .name = r->op[s->op].name, .axes = r->op[s->op].value.axes, .rank = r->op[s->op].value.rank };
        memcpy(site.dim, r->op[s->op].value.dim, sizeof site.dim);
        dry_site(t, &site);
    }
    dry_cost(out, 1, cost);
    return SONDE_OK;
}

static sonde_status walk_through(walk *w, const value *args, sonde_result *out, sonde_error *err) {
    rebuild *r = &w->r;
    char     text[120];
    SONDE_TRY(rebuild_plan(r, args, err));
    SONDE_TRY(rebuild_reference_open(r, args, out, err));
    if (r->cx->dry_run) return dry(r, out, err);
    make_tables(w, args[REBUILD_STAGE].given != 0, out);
    for (size_t i = 0; i < r->n_stages; i++) w->shown += r->stage[i].shown;
    SONDE_TRY(rebuild_capture(r, NULL, err));
    for (size_t i = 0; i < r->n_stages; i++)
        if (r->stage[i].shown) SONDE_TRY(show(w, &r->stage[i], err));
    put_views(out, r->file != NULL);
    if (*args[REBUILD_EXPORT].text) SONDE_TRY(rebuild_export(r, args[REBUILD_EXPORT].text, err));
    snprintf(text, sizeof text, "%" PRId64 " of %" PRId64 " stages agree", w->agreed, w->seen);
    sonde_result_note(out, text);
    SONDE_FAIL_IF(w->failed, err, SONDE_DIFFERS, "%.900s (%" PRId64 " of %" PRId64 " stages fail)", w->first.message,
                  w->failed, w->seen);
    return SONDE_OK;
}

extern const method method_rebuild;

static sonde_status rebuild_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    walk w = { .r = { .cx = cx } };
    context_head(cx, &method_rebuild, out);
    const sonde_status s = walk_through(&w, args, out, err);
    rebuild_free(&w.r);
    return s;
}

const method method_rebuild = {
    .name = "rebuild",
    .summary = "a run stage by stage: formula, weights, numbers, each computed a second time and beside a reference",
    .reference = NULL,
    .formula = "a stage is what is computed between the sites in front and the next one, as the run executes it. first: the "
               "first five numbers of the first row; table numbers: min, max, mean, sd (of the population) of finite "
               "values. recomputed_max_diff: max |a-b| of the run's value a and b, its formula in double on the run's own "
               "values in front of it (inputs) with the weights of the file; empty where a formula has no second form. "
               "against_max_diff, against_mean_diff, cosine: of a and the reference's value r at that site. alone_max_diff: "
               "max |r-c|, c the formula on the reference's values in front of it: large where this stage itself is another "
               "one, not where it only reads what is; it decides nothing. ok: each max |a-b| is <= 1e-5 max(1, max |b|), "
               "-inf stands where -inf stands, ids and shapes are equal. Exit 1 if a stage fails; the first is named",
    .example = "rebuild \"The capital of France is\" --stage 1-8",
    .params = rebuild_params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_TWO,
    .run = rebuild_run,
};
