/* A run as a file: every tensor is laid out before the first number, then filled as the run reaches it, so memory does
 * not grow with the file. What is needed to run it again lies in it: edits, metric, vectors, values of other runs. */
#include "dry.h"
#include "room.h"
#include "trace_notes.h"
#include <stdio.h>

enum { TRACE_SITES, TRACE_METRIC, TRACE_GRAD, TRACE_AT, TRACE_N };
static const int64_t MOST_KEPT = 1 << 26;       /* numbers that a result may hold: 256 MB */

static const param params[] = {
    [TRACE_SITES] = { "sites", PARAM_SITE, "**", 0, 0, "which sites; those on request where their last part is spelled" },
    [TRACE_METRIC] = { "metric", PARAM_TEXT, "", 0, 0, "a number of the run, as logit(\" a\")-logit(\" b\")" },
    [TRACE_GRAD] = { "grad", PARAM_FLAG, "", 0, 0, "with the metric's gradient at every site asked, as grad/SITE" },
    [TRACE_AT] = { "at", PARAM_NUMBERS, "all", 0, 0, "positions whose rows are kept; -1 is the last" },
    [TRACE_N] = { "n", PARAM_INT, "0", 0, 1e9, "generate so many tokens first (greedy) and trace their positions too" },
    { 0 },
};

typedef struct {
    sonde_context *cx;
    const char    *sites;
    bool           grad, many;
    traced        *prompt;
    trace_run     *run; size_t n_runs;          /* --run and --reference, by name */
    trace_tensors  all;
    traced        *now; size_t index;           /* the prompt that is laid out or run */
    int64_t        done, items;
} tracing;

/* ---- laying out ---- */

static trace_tensor *add(tracing *t, tensor_role role, const char *name) {
    const char *before = role == TENSOR_GRAD ? "grad/" : "";
    char whole[400];
    if (t->many) snprintf(whole, sizeof whole, "%zu/%s%s", t->index, before, name);
    else snprintf(whole, sizeof whole, "%s%s", before, name);
    return tensors_add(&t->all, role, t->index, whole);
}

static void add_ids(tracing *t, const char *name, const int32_t *ids, int64_t n) {
    trace_tensor *x = add(t, TENSOR_IDS, name);
    x->spec.rank = 1;
    x->spec.dim[0] = n;
    x->data = ids;
}

/* Rows that are kept: of two stacks all of each. */
static int64_t rows_of(const tracing *t, const sonde_site *s) {
    const int axis = sonde_axes_rows(s->axes);
    return t->now->row || axis < 0 ? t->now->rows : s->dim[axis];
}

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    tracing *t = user;
    tensor_shape(add(t, TENSOR_SITE, s->name), s, rows_of(t, s));
    return SONDE_OK;
}

static sonde_status add_grad(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    tracing *t = user;
    if (s->no_gradient) return SONDE_OK;
    tensor_shape(add(t, TENSOR_GRAD, s->name), s, rows_of(t, s));
    return SONDE_OK;
}

static sonde_status plan_prompt(tracing *t, size_t i, sonde_error *err) {
    const sonde_context *cx = t->cx;
    traced *p = t->now = &t->prompt[i];
    t->index = i;
    p->first = t->all.n;
    const bool two = sonde_model_describe(cx->model)->encoder_layers > 0;
    if (two) add_ids(t, "tokens", p->given.tokens, p->given.n);
    add_ids(t, two ? "target" : "tokens", p->tokens, p->n);
    if (p->given.types) add_ids(t, "token_types", p->given.types, p->given.n);
    if (p->row) add_ids(t, "positions", p->row, p->rows);
    const sonde_site_query q = { t->sites, cx->edits, cx->n_edits, two ? p->given.n : p->n, p->n };
    SONDE_TRY(sonde_sites(cx->model, &q, add_site, t, err));
    if (t->grad) SONDE_TRY(sonde_sites(cx->model, &q, add_grad, t, err));
    p->end = t->all.n;
    return SONDE_OK;
}

static void plan_values(tracing *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->cx->n_edits; i++) {
        sonde_array_spec shape;
        char name[32];
        const float *v = sonde_edit_vector(t->cx->edits[i], &shape);
        if (!v) continue;
        snprintf(name, sizeof name, "value/%zu", n++);
        trace_tensor *x = tensors_add(&t->all, TENSOR_VALUE, 0, name);
        x->data = v;
        x->spec.rank = shape.rank;
        memcpy(x->spec.dim, shape.dim, sizeof shape.dim);
    }
}

/* The parts of a reference have one name and follow each other. */
static sonde_status plan_runs(tracing *t, sonde_error *err) {
    const sonde_context *cx = t->cx;
    t->run = ROOM(trace_run, cx->n_runs);
    for (size_t i = 0; i < cx->n_runs; ) {
        trace_run *r = &t->run[t->n_runs++];
        r->part = cx->runs + i;
        while (i < cx->n_runs && !strcmp(cx->runs[i].name, r->part[0].name)) {
            r->n_parts++;
            i++;
        }
        snprintf(r->prefix, sizeof r->prefix, "run/%.40s/", r->part[0].name);
        SONDE_TRY(trace_run_plan(r, &t->all, cx, t->prompt[0].metric, err));
    }
    for (size_t i = 0; i < cx->n_prompts; i++) {
        traced *p = &t->prompt[i];
        if (!cx->prompts[i].b) continue;
        p->own = (trace_run){ .part = prompt_runs_find(&p->runs, "B"), .n_parts = 1 };
        p->has_own = true;
        snprintf(p->own.prefix, sizeof p->own.prefix, "run/%zu/B/", i);
        SONDE_TRY(trace_run_plan(&p->own, &t->all, cx, p->metric, err));
    }
    return SONDE_OK;
}

static sonde_status plan(tracing *t, sonde_error *err) {
    for (size_t i = 0; i < t->cx->n_prompts; i++) SONDE_TRY(plan_prompt(t, i, err));
    plan_values(t);
    SONDE_TRY(plan_runs(t, err));
    for (size_t i = 0; i < t->all.n; i++)
        if (t->all.at[i].role >= TENSOR_SITE) t->items += tensor_items(&t->all.at[i]);
    return SONDE_OK;
}

/* ---- files and arrays ---- */

static bool streams(const char *path) {
    static const char end[] = ".safetensors";
    const size_t n = strlen(path), k = sizeof end - 1;
    return n >= k && !strcmp(path + n - k, end);
}

static sonde_status check_out(const sonde_context *cx, bool *keep, sonde_error *err) {
    *keep = cx->n_out == 0;
    for (size_t i = 0; i < cx->n_out; i++) {
        SONDE_TRY(sonde_result_can_save(cx->out[i], err));
        *keep |= !streams(cx->out[i]);
    }
    return SONDE_OK;
}

static sonde_status open_files(tracing *t, sonde_error *err) {
    const sonde_context *cx = t->cx;
    trace_notes       notes = trace_notes_new(cx, t->prompt, t->many);
    sonde_array_spec *spec = ROOM(sonde_array_spec, t->all.n);
    sonde_status      s = SONDE_OK;
    for (size_t i = 0; i < t->all.n; i++) spec[i] = t->all.at[i].spec;
    t->all.file = ROOM(sonde_array_writer *, cx->n_out);
    for (size_t i = 0; i < cx->n_out && s == SONDE_OK; i++) {
        if (!streams(cx->out[i])) continue;
        s = sonde_array_writer_open(&t->all.file[t->all.n_files], cx->out[i],
                                    (sonde_array_list){ spec, t->all.n, notes.at, notes.n }, err);
        t->all.n_files += s == SONDE_OK;
    }
    free(spec);
    trace_notes_free(&notes);
    return s == SONDE_OK ? tensors_put_data(&t->all, err) : s;
}

static sonde_status close_files(tracing *t, sonde_error *err) {
    while (t->all.n_files) {
        sonde_array_writer *w = t->all.file[--t->all.n_files];
        SONDE_TRY(sonde_array_writer_close(w, err));
    }
    return SONDE_OK;
}

static bool shown(const trace_tensor *x) { return x->role == TENSOR_SITE || x->role == TENSOR_GRAD; }

static sonde_status make_arrays(tracing *t, sonde_result *out, sonde_error *err) {
    int64_t items = 0;
    for (size_t i = 0; i < t->all.n; i++)
        if (shown(&t->all.at[i])) items += tensor_items(&t->all.at[i]);
    SONDE_FAIL_IF(items > MOST_KEPT, err, SONDE_NOMEM, "these sites are %lld MB of values, more than %lld MB are not kept in "
                  "memory; ask for fewer sites, or for --out FILE.safetensors, which is written as the run goes",
                  (long long)(items >> 18), (long long)(MOST_KEPT >> 18));
    for (size_t i = 0; i < t->all.n; i++) {
        trace_tensor *x = &t->all.at[i];
        if (!shown(x)) continue;
        sonde_array *a = sonde_result_array(out, x->name, x->axes, x->spec.dim);
        sonde_array_quiet(a);
        x->keep = sonde_array_data(a);
    }
    return SONDE_OK;
}

/* ---- running ---- */

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    tracing *t = user;
    const traced *p = t->now;
    if (!a->site) {
        t->now->value = a->metric;
        return SONDE_OK;
    }
    for (size_t i = p->first; i < p->end; i++) {
        const trace_tensor *x = &t->all.at[i];
        if (x->role != (a->want ? TENSOR_GRAD : TENSOR_SITE) || strcmp(x->site, a->site) != 0) continue;
        const int     axis = sonde_axes_rows(a->value.axes);
        const int64_t rows = axis < 0 ? p->rows : x->spec.dim[axis];
        SONDE_TRY(tensors_put(&t->all, i, &a->value, a->first, (kept_rows){ p->row_of, rows }, err));
        t->done += axis < 0 ? tensor_items(x) : tensor_items(x) * a->value.dim[axis] / (p->row_of ? p->n : rows);
    }
    t->cx->progress(t->cx->progress_user, "values", t->done, t->items);
    return SONDE_OK;
}

/* cost NULL: run it. */
static sonde_status run_prompt(tracing *t, size_t i, sonde_cost *cost, sonde_error *err) {
    const sonde_context *cx = t->cx;
    traced             *p = t->now = &t->prompt[i];
    const sonde_prompt  prompt = traced_prompt(cx, p);
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    sonde_want want[3] = { { .kind = SONDE_WANT_SITE, .sites = t->sites } };
    size_t     n = 1;
    if (t->grad) want[n++] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = t->sites, .metric = p->metric };
    if (p->metric) want[n++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = p->metric };
    const sonde_batch b = { .bases = &prompt, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = n,
                            .runs = p->runs.run, .n_runs = p->runs.n, .seed = cx->seed };
    t->index = i;
    return cost ? sonde_variants_cost(cx->session, &b, cost, err) : sonde_variants_run(cx->session, &b, take, t, err);
}

static sonde_status run_all(tracing *t, sonde_error *err) {
    for (size_t i = 0; i < t->cx->n_prompts; i++) SONDE_TRY(run_prompt(t, i, NULL, err));
    for (size_t i = 0; i < t->n_runs; i++) SONDE_TRY(trace_run_write(&t->run[i], &t->all, t->cx, err));
    for (size_t i = 0; i < t->cx->n_prompts; i++)
        if (t->prompt[i].has_own) SONDE_TRY(trace_run_write(&t->prompt[i].own, &t->all, t->cx, err));
    return close_files(t, err);
}

/* ---- what is said ---- */

static void put_shape(sonde_table *table, const trace_tensor *x) {
    char   text[160];
    size_t used = 0;
    for (int i = 0; i < x->spec.rank && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", i ? ", " : "[", (long long)x->spec.dim[i]);
    if (used < sizeof text) snprintf(text + used, sizeof text - used, "]");
    sonde_cell_text(table, text);
}

static void put_sites(const tracing *t, sonde_result *out) {
    sonde_table *table = sonde_result_table(out, "sites");
    sonde_table_column(table, "site", SONDE_TEXT, "");
    sonde_table_column(table, "axes", SONDE_TEXT, "");
    sonde_table_column(table, "shape", SONDE_TEXT, "");
    static const char *const numbers[] = { "mean", "sd", "min", "max" };
    for (size_t i = 0; i < 4; i++) sonde_table_column(table, numbers[i], SONDE_FLOAT, "");
    for (size_t i = 0; i < t->all.n; i++) {
        const trace_tensor *x = &t->all.at[i];
        if (!shown(x)) continue;
        sonde_table_row(table);
        sonde_cell_text(table, x->name);
        sonde_cell_text(table, x->axes);
        put_shape(table, x);
        if (!x->seen.n) continue;
        sonde_cell_float(table, sonde_stats_mean(&x->seen));
        sonde_cell_float(table, sonde_stats_sd(&x->seen));
        sonde_cell_float(table, x->seen.least);
        sonde_cell_float(table, x->seen.most);
    }
}

static void put_metric(const tracing *t, sonde_result *out) {
    if (!t->prompt[0].metric) return;
    sonde_table *table = sonde_result_table(out, "metric");
    sonde_table_column(table, "prompt", SONDE_INT, "");
    sonde_table_column(table, "metric", SONDE_FLOAT, "");
    for (size_t i = 0; i < t->cx->n_prompts; i++) {
        sonde_table_row(table);
        sonde_cell_int(table, (int64_t)i);
        sonde_cell_float(table, t->prompt[i].value);
    }
}

static sonde_status dry(tracing *t, sonde_result *out, sonde_error *err) {
    sonde_cost   total = { 0 };
    sonde_table *table = dry_sites(out);
    for (size_t i = 0; i < t->all.n; i++) {
        const trace_tensor *x = &t->all.at[i];
        sonde_site s = { .name = x->name, .axes = x->axes, .rank = x->spec.rank };
        if (!shown(x)) continue;
        memcpy(s.dim, x->spec.dim, sizeof s.dim);
        dry_site(table, &s);
    }
    for (size_t i = 0; i < t->cx->n_prompts; i++) {
        sonde_cost one;
        SONDE_TRY(run_prompt(t, i, &one, err));
        total.flops += one.flops;
        total.rows += one.rows;
        if (one.bytes > total.bytes) total.bytes = one.bytes;
    }
    dry_cost(out, (int64_t)t->cx->n_prompts, total);
    return SONDE_OK;
}

static void put_generated(const tracing *t, sonde_result *out) {
    for (size_t i = 0; i < t->cx->n_prompts; i++)
        for (int64_t k = t->prompt[i].prompt; k && k < t->prompt[i].n; k++)
            sonde_result_prompt_token(out, i, context_token(t->cx, t->prompt[i].tokens[k]), -1, -1);
}

static sonde_status trace(tracing *t, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_context *cx = t->cx;
    const bool planned = cx->dry_run;
    const trace_wish wish = { args[TRACE_METRIC].text, &params[TRACE_AT], args[TRACE_AT].text, planned ? 0 : args[TRACE_N].i };
    bool keep;
    SONDE_TRY(check_out(cx, &keep, err));
    SONDE_FAIL_IF(t->grad && !*wish.metric, err, SONDE_USAGE, "grad: of what? expected --metric beside it");
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const sonde_status s = traced_open(&t->prompt[i], cx, i, &wish, err);
        if (s != SONDE_OK) return t->many ? sonde_fail_at(err, s, "prompt %zu", i) : s;
    }
    SONDE_TRY(plan(t, err));
    if (planned) return dry(t, out, err);
    if (keep) SONDE_TRY(make_arrays(t, out, err));
    SONDE_TRY(open_files(t, err));
    SONDE_TRY(run_all(t, err));
    put_generated(t, out);
    put_sites(t, out);
    put_metric(t, out);
    for (size_t i = 0; i < cx->n_out; i++)
        if (!streams(cx->out[i])) SONDE_TRY(sonde_result_save(out, cx->out[i], err));
    return SONDE_OK;
}

extern const method method_trace;

static sonde_status trace_run_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    tracing t = { .cx = cx, .sites = args[TRACE_SITES].text, .grad = args[TRACE_GRAD].i != 0,
                  .many = cx->batch, .prompt = ROOM(traced, cx->n_prompts) };
    context_head(cx, &method_trace, out);
    const sonde_status s = trace(&t, args, out, err);
    for (size_t i = 0; i < cx->n_prompts; i++) traced_close(&t.prompt[i]);
    for (size_t i = 0; i < t.n_runs; i++) trace_run_free(&t.run[i]);
    tensors_free(&t.all);
    free(t.run);
    free(t.prompt);
    return s;
}

const method method_trace = {
    .name = "trace",
    .summary = "write the values of every site into a safetensors file, with what is needed to run it again",
    .reference = NULL,
    .formula = "--out FILE.safetensors: `tokens` (I32; of an encoder-decoder also `target`), `token_types` of a pair, one float32 tensor per site, named as the site (sonde sites), grad/SITE: "
               "d metric / d value, `positions` with --at. A file of prompts: 0/tokens, 0/SITE, 1/tokens, .. The table: mean, sd "
               "(of the population), min and max of each tensor's finite values. `sonde verify FILE` runs it again",
    .example = "trace \"The capital of\" --sites hook_resid_post --out trace.safetensors",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS | WRITES_OUT | TAKES_TWO,
    .run = trace_run_method,
};
