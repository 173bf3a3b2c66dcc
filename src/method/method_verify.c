/* Every tensor of a reference file beside the same run in sonde. Nothing is kept: each block of values is compared with
 * its piece of the mapped file as the run reaches it. */
#include "agree.h"
#include "dry.h"
#include "packs.h"
#include "room.h"
#include "verify_greedy.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { VERIFY_FILE };

static const param params[] = {
    [VERIFY_FILE] = { "reference", PARAM_TEXT, NULL, 0, 0, "safetensors file with `tokens` and the values to compare" },
    { 0 },
};

typedef enum { KIND_SITE, KIND_GRADIENT, KIND_GREEDY, KIND_UNKNOWN } tensor_kind;

typedef struct {
    const char *name;           /* in the file */
    const char *site;           /* whole name in the run; NULL: unknown */
    tensor_kind kind;
    size_t      order;          /* as the run reaches it */
    agreement  c;
} checked;

typedef struct {
    sonde_context *cx;
    replay        *r;
    char         **site; size_t n_sites;        /* of the run, in order */
    int64_t       *rows;                        /* [n_sites]: its rows */
    checked       *tensor; size_t n;
    packs          sites, grads;
    int64_t       *row_of;
    int64_t        done, all;                   /* items */
    double         metric;                      /* of a gradient's or metric's answer; NaN: none */
    sonde_table   *table;
    sonde_error   *first;                       /* what is said of the first tensor that fails */
    int64_t       *agreed, *failed;
} verification;

/* ---- what is in the file ---- */

static sonde_status note_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    verification *v = user;
    v->site = room_grow(v->site, v->n_sites, 1, sizeof *v->site);
    v->rows = room_grow(v->rows, v->n_sites, 1, sizeof *v->rows);
    const int axis = sonde_axes_rows(s->axes);
    v->rows[v->n_sites] = axis < 0 ? 0 : s->dim[axis];
    v->site[v->n_sites++] = room_text(s->name, strlen(s->name));
    return SONDE_OK;
}

static size_t find_site(const verification *v, const char *name) {
    size_t i = 0;
    while (i < v->n_sites && strcmp(v->site[i], name) != 0) i++;
    return i;
}

typedef struct { const verification *v; size_t at, n; } naming;

static sonde_status named(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    naming *x = user;
    x->at = find_site(x->v, s->name);
    x->n++;
    return SONDE_OK;
}

/* The one site that a name or alias means; n_sites: none. */
static size_t resolve(const verification *v, const char *name) {
    const size_t at = find_site(v, name);
    if (at < v->n_sites || strpbrk(name, "*{,")) return at;
    naming x = { .v = v };
    const sonde_status s = sonde_sites(v->cx->model, &(sonde_site_query){ name, (const sonde_edit *const *)v->r->edit,
                                                                                 v->r->n_edits, v->r->n, v->r->n_target },
                                       named, &x, NULL);
    return s == SONDE_OK && x.n == 1 ? x.at : v->n_sites;
}

static bool begins(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

static void add_tensor(verification *v, size_t which) {
    const char *whole = sonde_array_file_spec(v->r->file, which)->name, *name = whole;
    if (!begins(whole, v->r->prefix) || begins(whole, "run/") || begins(whole, "value/")) return;
    name += strlen(v->r->prefix);
    static const char *const given[] = { "tokens", "target", "token_types", "positions" };
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (!strcmp(name, given[i])) return;
    v->tensor = room_grow(v->tensor, v->n, 1, sizeof *v->tensor);
    checked *t = &v->tensor[v->n++];
    *t = (checked){ .name = whole, .kind = KIND_UNKNOWN, .order = SIZE_MAX };
    if (!strcmp(name, "greedy")) {
        t->kind = KIND_GREEDY;
        t->order = 2 * v->n_sites + 1;
        t->c.which = which;
        return;
    }
    const bool   gradient = begins(name, "grad/");
    const size_t at = resolve(v, gradient ? name + 5 : name);
    t->c = agree_new(v->r->file, which, gradient);
    if (at == v->n_sites) return;
    t->kind = gradient ? KIND_GRADIENT : KIND_SITE;
    t->site = v->site[at];
    t->order = gradient ? 2 * v->n_sites - at : at;
    t->c.row_of = v->row_of;
    t->c.rows = v->r->position ? v->r->n_position : v->rows[at];
    packs_add(gradient ? &v->grads : &v->sites, t->site);
}

static int by_order(const void *x, const void *y) {
    const checked *a = x, *b = y;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return strcmp(a->name, b->name);
}

static sonde_status gather(verification *v, sonde_error *err) {
    const replay *r = v->r;
    SONDE_TRY(sonde_sites(v->cx->model, &(sonde_site_query){ NULL, (const sonde_edit *const *)r->edit, r->n_edits, r->n, r->n_target },
                          note_site, v, err));
    if (r->position) {
        v->row_of = ROOM(int64_t, r->n);
        for (int64_t i = 0; i < r->n; i++) v->row_of[i] = -1;
        for (int64_t i = 0; i < r->n_position; i++) v->row_of[r->position[i]] = i;
    }
    for (size_t i = 0; i < sonde_array_file_count(r->file); i++) add_tensor(v, i);
    qsort(v->tensor, v->n, sizeof *v->tensor, by_order);
    SONDE_FAIL_IF(v->grads.n && !r->metric, err, SONDE_FORMAT, "the file has gradients, but its metadata no metric");
    return SONDE_OK;
}

/* ---- the run ---- */

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    verification *v = user;
    const bool gradient = a->want >= v->sites.n && a->want < v->sites.n + v->grads.n;
    if (!a->site) {
        v->metric = a->metric;
        return SONDE_OK;
    }
    for (size_t i = 0; i < v->n; i++) {
        checked *t = &v->tensor[i];
        if (t->kind != (gradient ? KIND_GRADIENT : KIND_SITE) || strcmp(t->site, a->site) != 0) continue;
        const int64_t before = t->c.count;
        SONDE_TRY(agree_view(&t->c, &a->value, a->first, err));
        v->done += t->c.count - before;
    }
    v->cx->progress(v->cx->progress_user, "values", v->done, v->all);
    return SONDE_OK;
}

static sonde_status run(verification *v, sonde_cost *cost, sonde_error *err) {
    const replay *r = v->r;
    const sonde_prompt  p = replay_prompt(r);
    const sonde_variant x = { 0, (const sonde_edit *const *)r->edit, r->n_edits };
    sonde_want *want = ROOM(sonde_want, v->sites.n + v->grads.n + 1);
    size_t      n = 0;
    for (size_t i = 0; i < v->sites.n; i++) want[n++] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = v->sites.text[i] };
    for (size_t i = 0; i < v->grads.n; i++)
        want[n++] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = v->grads.text[i], .metric = r->metric };
    if (r->metric) want[n++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = r->metric };
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &x, .n_variants = 1, .wants = want, .n_wants = n,
                            .runs = r->run, .n_runs = r->n_runs, .seed = r->seed };
    sonde_status s = SONDE_OK;
    if (n) s = cost ? sonde_variants_cost(v->cx->session, &b, cost, err)
                    : sonde_variants_run(v->cx->session, &b, take, v, err);
    free(want);
    return s;
}

/* ---- what is said ---- */

/* A name of the file as an error may show it. */
static const char *shown(const char *name, char out[400]) {
    sonde_token_show(name, strlen(name), out, 400);
    return out;
}

static void count(verification *v, bool agrees, const char *why) {
    ++*(agrees ? v->agreed : v->failed);
    if (!agrees && v->first->status == SONDE_OK) sonde_fail(v->first, SONDE_DIFFERS, "%s", why);
}

static void put_tensor(verification *v, const checked *t) {
    char shape[160], index[160], why[900], name[400];
    const bool agrees = t->kind != KIND_UNKNOWN && agree_holds(&t->c);
    agree_shape(sonde_array_file_spec(v->r->file, t->c.which), shape, sizeof shape);
    agree_index(&t->c, index, sizeof index);
    sonde_table_row(v->table);
    sonde_cell_text(v->table, t->name);
    sonde_cell_text(v->table, shape);
    if (t->c.count && !t->c.other_shape) {
        sonde_cell_float(v->table, t->c.worst);
        sonde_cell_text(v->table, index);
        sonde_cell_float(v->table, t->c.most);
        sonde_cell_float(v->table, t->c.finite ? t->c.sum / (double)t->c.finite : 0);
        sonde_cell_float(v->table, agree_cosine(&t->c));
    } else for (int i = 0; i < 5; i++) sonde_cell_null(v->table);
    sonde_cell_bool(v->table, agrees);
    shown(t->name, name);
    if (t->kind == KIND_UNKNOWN) snprintf(why, sizeof why, "%s: this model's run has no such site", name);
    else if (t->c.other_shape || !t->c.count) snprintf(why, sizeof why, "%s: the reference has the shape %s, the run another", name, shape);
    else snprintf(why, sizeof why, "%s: max |a-b| is %g at %s, allowed is %g", name, t->c.worst, index, agree_allowed(&t->c));
    count(v, agrees, why);
}

static sonde_status put_greedy(verification *v, const checked *t, sonde_error *err) {
    greedy_check g;
    char shape[160], index[48] = "", why[500], name[400];
    SONDE_TRY(verify_greedy(v->cx, v->r, t->c.which, &g, err));
    agree_shape(sonde_array_file_spec(v->r->file, t->c.which), shape, sizeof shape);
    if (g.first >= 0) snprintf(index, sizeof index, "[%lld]", (long long)g.first);
    sonde_table_row(v->table);
    sonde_cell_text(v->table, t->name);
    sonde_cell_text(v->table, shape);
    sonde_cell_null(v->table);
    sonde_cell_text(v->table, g.first >= 0 ? index : NULL);
    for (int i = 0; i < 3; i++) sonde_cell_null(v->table);
    sonde_cell_bool(v->table, g.agrees);
    snprintf(why, sizeof why, "%s: token %s differs", shown(t->name, name), *index ? index : shape);
    count(v, g.agrees, why);
    return SONDE_OK;
}

/* The metric's own value, where the reference tells it: as near as gradients are. */
static void put_metric(verification *v) {
    const char *text = replay_note(v->r, "metric_value");
    char       *end, why[200];
    if (!v->r->metric || !text) return;
    const double want = strtod(text, &end), far = fabs(v->metric - want);
    const bool   agrees = end != text && !*end && far <= 1e-4 * fmax(1e-3, fabs(want));
    sonde_table_row(v->table);
    sonde_cell_text(v->table, "metric");
    sonde_cell_text(v->table, "[]");
    sonde_cell_float(v->table, far);
    sonde_cell_text(v->table, "[]");
    sonde_cell_float(v->table, fabs(want));
    sonde_cell_float(v->table, far);
    sonde_cell_null(v->table);
    sonde_cell_bool(v->table, agrees);
    snprintf(why, sizeof why, "metric: it is %.9g, the reference has %.9g", v->metric, want);
    count(v, agrees, why);
}

static sonde_table *make_table(sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "sites");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "shape", SONDE_TEXT, "");
    sonde_table_column(t, "max_abs_diff", SONDE_FLOAT, "");
    sonde_table_column(t, "at_index", SONDE_TEXT, "");
    sonde_table_column(t, "max_abs", SONDE_FLOAT, "");
    sonde_table_column(t, "mean_abs_diff", SONDE_FLOAT, "");
    sonde_table_column(t, "cosine", SONDE_FLOAT, "");
    sonde_table_column(t, "ok", SONDE_BOOL, "");
    return t;
}

static void put_prompt(const sonde_context *cx, const replay *r, sonde_result *out) {
    const char  *text = *r->prefix ? NULL : replay_note(r, "prompt");
    const size_t at = sonde_result_prompt(out, text ? text : "", text ? strlen(text) : 0);
    for (int64_t i = 0; i < r->n; i++) sonde_result_prompt_token(out, at, context_token(cx, r->tokens[i]), -1, -1);
}

/* ---- one run of the file ---- */

typedef struct { sonde_table *table, *sites; sonde_cost cost; int64_t runs, agreed, failed; sonde_error first; } totals;

static sonde_status put_dry(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    dry_site(user, s);
    return SONDE_OK;
}

static sonde_status dry(verification *v, totals *all, sonde_error *err) {
    sonde_cost cost = { 0 };
    SONDE_TRY(run(v, &cost, err));
    for (size_t i = 0; i < v->n; i++)
        if (v->tensor[i].site)
            SONDE_TRY(sonde_sites(v->cx->model, &(sonde_site_query){ v->tensor[i].site, (const sonde_edit *const *)v->r->edit,
                                                                     v->r->n_edits, v->r->n, v->r->n_target }, put_dry, all->sites, err));
    all->cost.flops += cost.flops;
    all->cost.rows += cost.rows;
    if (cost.bytes > all->cost.bytes) all->cost.bytes = cost.bytes;
    return SONDE_OK;
}

static sonde_status verify(verification *v, sonde_error *err) {
    for (size_t i = 0; i < v->n; i++)
        if (v->tensor[i].site) v->all += agree_items(sonde_array_file_spec(v->r->file, v->tensor[i].c.which));
    SONDE_TRY(run(v, NULL, err));
    for (size_t i = 0; i < v->n; i++)
        if (v->tensor[i].kind == KIND_GREEDY) SONDE_TRY(put_greedy(v, &v->tensor[i], err));
        else put_tensor(v, &v->tensor[i]);
    put_metric(v);
    return SONDE_OK;
}

static sonde_status one_run(sonde_context *cx, replay *r, totals *all, sonde_error *err) {
    verification v = { .cx = cx, .r = r, .table = all->table, .first = &all->first, .agreed = &all->agreed,
                       .failed = &all->failed, .metric = (double)NAN };
    sonde_status s = gather(&v, err);
    if (s == SONDE_OK) s = all->sites ? dry(&v, all, err) : verify(&v, err);
    for (size_t i = 0; i < v.n_sites; i++) free(v.site[i]);
    free(v.site);
    free(v.rows);
    free(v.tensor);
    free(v.row_of);
    packs_free(&v.sites);
    packs_free(&v.grads);
    all->runs++;
    return s;
}

static sonde_status all_runs(sonde_context *cx, const sonde_array_file *f, totals *all, sonde_result *out, sonde_error *err) {
    char prefix[24];
    SONDE_FAIL_IF(!replay_prefix(f, 0, prefix), err, SONDE_FORMAT, "no tensor \"tokens\" (or \"0/tokens\") in the file");
    for (size_t i = 0; replay_prefix(f, i, prefix); i++) {
        replay r;
        sonde_status s = replay_open(&r, cx->model, f, prefix, err);
        if (s == SONDE_OK && i == 0) replay_warn(&r, cx->model, out);
        if (s == SONDE_OK) put_prompt(cx, &r, out);
        for (size_t k = 0; i == 0 && k < r.n_edits; k++) put_edit(out, r.edit[k]);
        if (s == SONDE_OK) s = one_run(cx, &r, all, err);
        replay_close(&r);
        SONDE_TRY(s);
    }
    return SONDE_OK;
}

extern const method method_verify;

static sonde_status verify_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    sonde_array_file *f = NULL;
    totals all = { 0 };
    context_head(cx, &method_verify, out);
    SONDE_TRY(sonde_array_file_open(&f, args[VERIFY_FILE].text, err));
    if (cx->dry_run) all.sites = dry_sites(out);
    else all.table = make_table(out);
    sonde_status s = all_runs(cx, f, &all, out, err);
    sonde_array_file_close(f);
    SONDE_TRY(s);
    if (cx->dry_run) {
        dry_cost(out, all.runs, all.cost);
        return SONDE_OK;
    }
    char text[96];
    const int64_t tensors = all.agreed + all.failed;
    snprintf(text, sizeof text, "%" PRId64 " of %" PRId64 " tensors agree", all.agreed, tensors);
    sonde_result_note(out, text);
    SONDE_FAIL_IF(all.failed, err, SONDE_DIFFERS, "%.900s (%" PRId64 " of %" PRId64 " tensors fail)", all.first.message,
                  all.failed, tensors);
    return SONDE_OK;
}

const method method_verify = {
    .name = "verify",
    .summary = "run what a reference file says, and compare every tensor in it",
    .reference = NULL,
    .formula = "a is sonde's value, b the file's. max_abs_diff: max |a-b|, at_index: where; max_abs: max |b|; mean_abs_diff: "
               "mean |a-b| (of items where both are finite); cosine: a.b / (|a| |b|). ok: a site agrees when max |a-b| <= "
               "1e-5 max(1, max |b|) and -inf stands where -inf stands; a gradient when max |a-b| <= 1e-4 max |b| or both are "
               "below 1e-7; greedy tokens when equal, or where the two best logits are nearer than 1e-4; the metric within "
               "1e-4 |b|. -3.4e38 in the file reads as -inf. Exit 1 if any row fails",
    .example = "verify trace.safetensors    # what the example of trace writes",
    .params = params,
    .takes = NEEDS_MODEL | TAKES_TWO,
    .run = verify_run,
};
