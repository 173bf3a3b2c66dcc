/* Every op on every site that takes it, beside the same edit in plain double loops (ref_gpt2.h): the values of all sites
 * behind it, and gradients beside central differences. A gradient is that of the value a tap sees, after its edits. */
#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "ref/ref_gpt2.h"
#include "sonde/sonde.h"
#include <stdlib.h>

enum { LAYERS = 2, HEADS = 2, WIDTH = 8, INNER = 12, VOCAB = 13, N = 5, MOST_SITES = 80, OTHERS = 6 };
#define METRIC "logit(#3)-logit(#7)+0.5*logit(#2,2)"

static const int32_t tokens_a[N] = { 4, 11, 0, 7, 9 }, tokens_b[N] = { 2, 2, 12, 5, 1 };

typedef struct {
    char    name[64], axes[8];
    int     rank;
    int64_t dim[4], n;
    double *a, *b, *edited;             /* ref: run A, run B, the edited run */
    float  *here, *grad, *plain;        /* engine: edited values, gradients, unedited values */
} place;

typedef enum { OP_ZERO, OP_SET, OP_SCALE, OP_ADD, OP_PROJECT, OP_NOISE, OP_MEAN, OP_PATCH, OP_FREEZE, OP_COUNT } op;

typedef struct {
    scratch        dir;
    ref_gpt2       ref;
    ref_layer      layer[LAYERS];
    float         *memory;
    sonde_model   *model;
    sonde_session *session;
    place          site[MOST_SITES];
    size_t         n;
    char           all[4096];           /* every name */
    sonde_metric  *metric;
    /* of the run under way */
    op             op;
    const place   *at;                  /* NULL: unedited */
    double       **into;                /* capture: per site, or NULL */
    const place   *bumped; int64_t item; double by;
    bool           seen[MOST_SITES];
} truth;

static truth *g;

static uint64_t random_state = 88172645463325252u;
static int64_t draw(int64_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (int64_t)(random_state % (uint64_t)n);
}

/* ---- the edit, in doubles ---- */

static const double unit8[8] = { 0.5, -1, 0.25, 2, 0.125, 1, -0.5, 0.75 };

/* The vector of `project`: as long as the last axis. */
static float direction(int64_t i) { return (float)(unit8[i % 8] + 0.01 * (double)i); }

static void coordinates(const place *p, int64_t item, int64_t out[3]) {
    for (int i = p->rank - 1; i >= 0; i--) {
        out[i] = item % p->dim[i];
        item /= p->dim[i];
    }
}

static bool by_key(const place *p) { return p->axes[0] == 'h'; }
static bool masked(const place *p, const int64_t x[3]) { return by_key(p) && x[2] > x[1]; }

/* [1:3], [1:3,1], [1,2:4,0:2]; project needs its whole last axis. */
static bool inside(const place *p, op o, const int64_t x[3]) {
    if (by_key(p)) return x[0] == 1 && x[1] >= 2 && x[1] < 4 && (o == OP_PROJECT || x[2] < 2) && !masked(p, x);
    return x[0] >= 1 && x[0] < 3 && (p->rank == 2 || x[1] == 1);
}

static void index_text(const place *p, op o, char out[32]) {
    if (by_key(p)) snprintf(out, 32, o == OP_PROJECT ? "[1,2:4]" : "[1,2:4,0:2]");
    else snprintf(out, 32, p->rank == 2 ? "[1:3]" : "[1:3,1]");
}

static double mean_of(const place *p, int64_t item) {
    const int64_t row = p->n / N;
    double sum = 0;
    for (int64_t i = 0; i < N; i++) sum += p->a[i * row + item % row];
    return sum / N;
}

static void project(const place *p, double *value, int64_t first, int64_t width) {
    double dot = 0, square = 0;
    int64_t x[3] = { 0 };
    for (int64_t i = 0; i < width; i++) {
        coordinates(p, first + i, x);
        square += (double)direction(i) * (double)direction(i);
        if (!masked(p, x)) dot += value[first + i] * (double)direction(i);
    }
    for (int64_t i = 0; i < width; i++) {
        coordinates(p, first + i, x);
        if (!masked(p, x)) value[first + i] -= dot / square * (double)direction(i);
    }
}

static double changed(const place *p, op o, double v, int64_t item) {
    switch (o) {
    case OP_ZERO:   return 0;
    case OP_SET:    return 0.75;
    case OP_SCALE:  return 1.5 * v;
    case OP_ADD:    return v + 0.625;
    case OP_NOISE:  return v + ((double)p->here[item] - (double)p->plain[item]);
    case OP_MEAN:   return mean_of(p, item);
    case OP_PATCH:  return p->b[item];
    case OP_FREEZE: return p->a[item];
    default:        return v;
    }
}

static void apply(const place *p, op o, double *value) {
    const int64_t width = p->dim[p->rank - 1];
    for (int64_t i = 0; i < p->n; i++) {
        int64_t x[3] = { 0 };
        coordinates(p, i, x);
        if (!inside(p, o, x)) continue;
        if (o == OP_PROJECT) {
            if (i % width == 0) project(p, value, i, width);
        } else value[i] = changed(p, o, value[i], i);
    }
}

static size_t find(const char *name) {
    size_t i = 0;
    while (i < g->n && strcmp(g->site[i].name, name)) i++;
    return i;
}

static void hook(void *user, const char *site, double *value, int n_dims, const int64_t *dims) {
    (void)user;
    (void)n_dims;
    (void)dims;
    const size_t i = find(site);
    if (i == g->n) return;
    g->seen[i] = true;
    if (g->at == &g->site[i]) apply(g->at, g->op, value);
    if (g->bumped == &g->site[i]) value[g->item] += g->by;
    if (g->into) memcpy(g->into[i], value, (size_t)g->site[i].n * sizeof *value);
}

static double metric_of(const int32_t *tokens) {
    double logits[N * VOCAB];
    ref_gpt2_forward(&g->ref, tokens, N, hook, NULL, logits);
    return logits[(N - 1) * VOCAB + 3] - logits[(N - 1) * VOCAB + 7] + 0.5 * logits[2 * VOCAB + 2];
}

/* ---- the engine ---- */

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    if (!a->site) return SONDE_OK;
    const size_t i = find(a->site);
    CHECK(i < g->n && a->first == 0);
    place *p = &g->site[i];
    float *to = user ? p->plain : a->want ? p->grad : p->here;
    memcpy(to, a->value.data, (size_t)p->n * sizeof *to);
    return SONDE_OK;
}

static void run_engine(const sonde_edit *e, bool plain) {
    const sonde_prompt  p = { .tokens = tokens_a, .n = N };
    const sonde_variant v = { 0, &e, e != NULL };
    const sonde_want    w[2] = { { .kind = SONDE_WANT_SITE, .sites = g->all },
                                 { .kind = SONDE_WANT_GRAD, .sites = g->all, .metric = g->metric } };
    const sonde_named_run b = { .name = "B", .prompt = { tokens_b, N, 0 } };
    const sonde_batch   all = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = w,
                                .n_wants = plain ? 1 : 2, .runs = &b, .n_runs = 1, .seed = 5 };
    sonde_error err = { 0 };
    if (sonde_variants_run(g->session, &all, take, plain ? g : NULL, &err) != SONDE_OK) FAIL_("%s", err.message);
}

/* ---- setting up ---- */

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)user;
    (void)err;
    place *p = &g->site[g->n++];
    CHECK(g->n <= MOST_SITES && s->rank <= 3);
    snprintf(p->name, sizeof p->name, "%s", s->name);
    snprintf(p->axes, sizeof p->axes, "%s", s->axes);
    p->rank = s->rank;
    p->n = 1;
    for (int i = 0; i < s->rank; i++) p->n *= p->dim[i] = s->dim[i];
    p->a = calloc(3 * (size_t)p->n, sizeof(double));
    p->b = p->a + p->n;
    p->edited = p->b + p->n;
    p->here = calloc(3 * (size_t)p->n, sizeof(float));
    p->grad = p->here + p->n;
    p->plain = p->grad + p->n;
    snprintf(g->all + strlen(g->all), sizeof g->all - strlen(g->all), "%s%s", *g->all ? "," : "", s->name);
    return SONDE_OK;
}

static void capture(const int32_t *tokens, int which) {
    double *into[MOST_SITES];
    for (size_t i = 0; i < g->n; i++) into[i] = which == 0 ? g->site[i].a : which == 1 ? g->site[i].b : g->site[i].edited;
    g->into = into;
    metric_of(tokens);
    g->into = NULL;
}

static void open_truth(void) {
    g = calloc(1, sizeof *g);
    g->dir = scratch_new();
    g->ref = (ref_gpt2){ .layers = LAYERS, .heads = HEADS, .width = WIDTH, .inner = INNER, .vocab = VOCAB, .positions = 8,
                         .eps = 1e-5, .layer = g->layer };
    g->memory = calloc((size_t)ref_gpt2_floats(&g->ref, false), sizeof(float));
    ref_gpt2_random(&g->ref, 3, 0.45, false, g->memory);
    CHECK(ref_gpt2_save(&g->ref, g->dir.path));
    sonde_error err = { 0 };
    if (sonde_model_open(&g->model, g->dir.path, NULL, &err)) FAIL_("%s", err.message);
    if (sonde_session_new(&g->session, g->model, (sonde_session_options){ .threads = 1 }, &err)) FAIL_("%s", err.message);
    if (sonde_metric_parse(&g->metric, g->model, METRIC, NULL, NULL, &err)) FAIL_("%s", err.message);
    CHECK_EQ(sonde_sites(g->model, &(sonde_site_query){ .n = N }, add_site, NULL, &err), SONDE_OK);
    capture(tokens_b, 1);
    capture(tokens_a, 0);
    for (size_t i = 0; i < g->n; i++)
        if (!g->seen[i]) FAIL_("the reference has no %s", g->site[i].name);
    run_engine(NULL, true);
}

static void close_truth(void) {
    for (size_t i = 0; i < g->n; i++) {
        free(g->site[i].a);
        free(g->site[i].here);
    }
    sonde_metric_free(g->metric);
    sonde_session_free(g->session);
    sonde_model_close(g->model);
    scratch_end(&g->dir);
    free(g->memory);
    free(g);
}

/* ---- one edit ---- */

static void write_direction(int64_t width) {
    float v[64];
    const sonde_array_spec s = { .name = "", .dtype = "F32", .rank = 1, .dim = { width } };
    for (int64_t i = 0; i < width; i++) v[i] = direction(i);
    CHECK_EQ(sonde_npy_write(in_scratch(&g->dir, "d.npy").text, &s, v, NULL), SONDE_OK);
}

static sonde_edit *parse(const place *p, op o) {
    static const char *const form[OP_COUNT] = { "zero:%s%s", "set:%s%s=0.75", "scale:%s%s=1.5", "add:%s%s=0.625",
                                                "project:%s%s=", "noise:%s%s=0.3", "mean:%s%s", "patch:%s%s=B", "freeze:%s%s" };
    char index[32], text[900];
    sonde_error err = { 0 };
    sonde_edit *e;
    index_text(p, o, index);
    snprintf(text, sizeof text, form[o], p->name, index);
    if (o == OP_PROJECT) {
        write_direction(p->dim[p->rank - 1]);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s", in_scratch(&g->dir, "d.npy").text);
    }
    if (sonde_edit_parse(&e, g->model, text, NULL, &err)) FAIL_("%s", err.message);
    return e;
}

static const char *words[OP_COUNT] = { "zero", "set", "scale", "add", "project", "noise", "mean", "patch", "freeze" };

/* A scale of zero divides by zero; -inf has no part along a vector; mean is not for sites with an s axis. */
static bool takes(const place *p, op o) {
    const bool scale = p->axes[2] == '1', scores = strstr(p->name, "attn_scores") != NULL;
    if (scale && (o == OP_ZERO || o == OP_PROJECT)) return false;
    if (scores && o == OP_PROJECT) return false;
    return !(by_key(p) && o == OP_MEAN);
}

static bool in_block(const place *p, const place *q, const char *what) {
    return strstr(q->name, what) && !strncmp(p->name, q->name, strlen("blocks.0."));
}

/* A row and head whose input is edited, or bumped, gets a norm of its own: the common one, with its sites and their edits,
 * is beside it. */
static bool own_norm(const place *p, const place *q) {
    return in_block(p, p, "_input") && in_block(p, q, ".ln1.");
}

static void values_agree(const place *edited, op o) {
    for (size_t i = 0; i < g->n; i++) {
        const place *p = &g->site[i];
        double most = 1;
        if (own_norm(edited, p)) continue;
        for (int64_t k = 0; k < p->n; k++)
            if (isfinite(p->edited[k]) && fabs(p->edited[k]) > most) most = fabs(p->edited[k]);
        for (int64_t k = 0; k < p->n; k++) {
            const double a = (double)p->here[k], b = p->edited[k];
            if (!(a == b || fabs(a - b) <= 1e-5 * most))
                FAIL_("%s of %s: %s item %lld is %.9g, expected %.9g", words[o], edited->name, p->name, (long long)k, a, b);
        }
    }
}

static void gradient_agrees(const place *edited, op o, const place *p, int64_t item) {
    int64_t x[3] = { 0 };
    double most = 0;
    coordinates(p, item, x);
    for (int64_t k = 0; k < p->n; k++) most = fmax(most, fabs((double)p->grad[k]));
    double want = 0;
    if (!masked(p, x)) {
        const double h = 1e-6;          /* rows of equal numbers have a norm of 3e-3 */
        g->bumped = p;
        g->item = item;
        g->by = h;
        const double up = metric_of(tokens_a);
        g->by = -h;
        want = (up - metric_of(tokens_a)) / (2 * h);
        g->bumped = NULL;
    }
    const double got = (double)p->grad[item];
    if (!(fabs(got - want) <= 1e-4 * most + 3e-7))
        FAIL_("%s of %s: the gradient of %s item %lld is %.9g, expected %.9g", words[o], edited->name, p->name, (long long)item,
              got, want);
}

static int64_t item_inside(const place *p, op o) {
    for (;;) {
        int64_t x[3] = { 0 };
        const int64_t i = draw(p->n);
        coordinates(p, i, x);
        if (inside(p, o, x)) return i;
    }
}

static void one_edit(const place *p, op o) {
    sonde_edit *e = parse(p, o);
    run_engine(e, false);
    g->op = o;
    g->at = p;
    capture(tokens_a, 2);
    values_agree(p, o);
    gradient_agrees(p, o, p, item_inside(p, o));
    gradient_agrees(p, o, p, draw(p->n));
    for (int i = 0; i < OTHERS; i++) {
        const place *other = &g->site[draw((int64_t)g->n)];
        if (!own_norm(p, other) && !own_norm(other, p)) gradient_agrees(p, o, other, draw(other->n));
    }
    g->at = NULL;
    sonde_edit_free(e);
}

static int edit_everywhere(op o) {
    int n = 0;
    open_truth();
    for (size_t i = 0; i < g->n; i++) {
        if (!takes(&g->site[i], o)) continue;
        one_edit(&g->site[i], o);
        n++;
    }
    close_truth();
    return n;
}

static void zero_everywhere(void)    { CHECK(edit_everywhere(OP_ZERO) > 40); }
static void set_everywhere(void)     { CHECK(edit_everywhere(OP_SET) > 40); }
static void scale_everywhere(void)   { CHECK(edit_everywhere(OP_SCALE) > 40); }
static void add_everywhere(void)     { CHECK(edit_everywhere(OP_ADD) > 40); }
static void project_everywhere(void) { CHECK(edit_everywhere(OP_PROJECT) > 40); }
static void noise_everywhere(void)   { CHECK(edit_everywhere(OP_NOISE) > 40); }
static void mean_everywhere(void)    { CHECK(edit_everywhere(OP_MEAN) > 40); }
static void patch_everywhere(void)   { CHECK(edit_everywhere(OP_PATCH) > 40); }
static void freeze_everywhere(void)  { CHECK(edit_everywhere(OP_FREEZE) > 40); }

/* ---- rows that the metric does not read ---- */

static sonde_status take_slope(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    if (!strcmp(a->site, "blocks.1.hook_resid_post")) memcpy(user, a->value.data, sizeof(float[N][WIDTH]));
    return SONDE_OK;
}

typedef struct { const char *sites; size_t variants; bool others; } slope_way;

/* `others`: somebody else wants logits of a row that the metric does not read. */
static void slope_behind_blocks(const sonde_edit *e, slope_way how, float out[N][WIDTH]) {
    const int64_t       unread = 1;
    const sonde_prompt  p = { .tokens = tokens_a, .n = N };
    const sonde_variant v[2] = { { 0, &e, 1 }, { 0, &e, 1 } };
    const sonde_want    w[] = { { .kind = SONDE_WANT_GRAD, .sites = how.sites, .metric = g->metric },
                                { .kind = SONDE_WANT_LOGITS, .at = &unread, .n_at = 1 } };
    sonde_error err = { 0 };
    if (sonde_variants_run(g->session, &(sonde_batch){ .bases = &p, .n_bases = 1, .variants = v, .n_variants = how.variants,
                                                       .wants = w, .n_wants = how.others ? 2 : 1 }, take_slope, out, &err))
        FAIL_("%s", err.message);
}

/* Row 1 has a slope of 0, not of -0 or NaN, whoever looks at what stands behind it, alone and side by side. */
static void unread_row_has_no_slope(const char *edit) {
    static const char *const sites[] = { "blocks.1.hook_resid_post", "blocks.1.hook_resid_post,ln_final.hook_scale",
                                         "blocks.1.hook_resid_post,unembed.hook_out" };
    static const float zero[WIDTH];
    sonde_error err = { 0 };
    sonde_edit *e;
    float       first[N][WIDTH], other[N][WIDTH];
    if (sonde_edit_parse(&e, g->model, edit, NULL, &err)) FAIL_("%s", err.message);
    slope_behind_blocks(e, (slope_way){ sites[0], 1, false }, first);
    CHECK(memcmp(first[1], zero, sizeof zero) == 0);
    CHECK(first[2][0] != 0 && isfinite(first[2][0]));
    for (int i = 0; i < 12; i++) {
        const slope_way way = { sites[i / 4], (size_t)(1 + i / 2 % 2), i % 2 };
        slope_behind_blocks(e, way, other);
        if (memcmp(first, other, sizeof first))
            FAIL_("%s: gradients of %s, %zu side by side%s", edit, way.sites, way.variants, way.others ? ", with others" : "");
    }
    sonde_edit_free(e);
}

/* A row too large for its norm, and one that is turned round: both behind all attention. */
static void unread_rows_have_no_slope(void) {
    open_truth();
    unread_row_has_no_slope("add:blocks.1.hook_resid_post[1]=3e38");
    unread_row_has_no_slope("scale:ln_final.hook_normalized=-0.5");
    close_truth();
}

#define TESTS(X) \
    X(zero_everywhere) X(set_everywhere) X(scale_everywhere) X(add_everywhere) X(project_everywhere) \
    X(noise_everywhere) X(mean_everywhere) X(patch_everywhere) X(freeze_everywhere) X(unread_rows_have_no_slope)
TEST_MAIN(TESTS)
