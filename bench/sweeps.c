/* sweeps MODEL [THREADS] - reads requests from standard input, answers each with a line of the seconds it took:
 *     cells SITE BY PAIRS TOKENS EVERY FILE   patches from the second prompt of each pair into the first, cell by cell, in
 *                                         every EVERYth layer, the first of them EVERY / 2
 *     slope STEPS TOKENS FILE             gradients of the metric on the line from zero embeddings to the prompt's
 * SITE: hook_resid_pre or attn.hook_z; BY: letters of the cells' axes behind the layer, "t", "h" or "th". FILE gets float32 values:
 * [cells, pairs] of the metric; the gradients' mean times the embeddings, [tokens]. bench/sweeps.py reads them. */
#include <sonde/sonde.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_PAIRS = 16, LONGEST = 64, MOST_STEPS = 256 };

typedef struct {
    sonde_model   *model;
    sonde_session *session;
    sonde_metric  *metric;
    int64_t        layers, heads, width, vocab;
    float         *out;                                     /* by variant, or [tokens, width] of gradients */
    const float   *embed;
} bench;

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The same ones as in sweeps.py. */
static int32_t token(const bench *b, int64_t pair, int64_t i, bool second) {
    return (int32_t)((i * 7919 + pair * 104729 + 1 + (second && i == 4 ? 13 : 0)) % b->vocab);
}

static sonde_status fail(sonde_error *err, const char *what) {
    snprintf(err->message, sizeof err->message, "%s", what);
    return SONDE_USAGE;
}

static sonde_status save(const char *path, const float *x, size_t n, sonde_error *err) {
    FILE *f = fopen(path, "wb");
    const bool good = f && fwrite(x, sizeof *x, n, f) == n;
    if (f) fclose(f);
    return good ? SONDE_OK : fail(err, "the file cannot be written");
}

/* ---- cells ---- */

static sonde_status take_metric(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ((bench *)user)->out[a->variant] = a->value.data[0];
    return SONDE_OK;
}

typedef struct { const char *site, *by; int64_t pairs, tokens, every; } grid;

static void edit_text(const grid *g, const int64_t cell[3], int64_t pair, char text[120]) {
    const bool t = strchr(g->by, 't'), h = strchr(g->by, 'h');
    char at[40] = ":", head[40] = "";
    if (t) snprintf(at, sizeof at, "%lld", (long long)cell[1]);
    if (h) snprintf(head, sizeof head, ",%lld", (long long)cell[2]);
    snprintf(text, 120, "patch:blocks.%lld.%s[%s%s]=B%lld", (long long)cell[0], g->site, at, head, (long long)pair);
}

typedef struct { sonde_edit **edit; const sonde_edit **list; sonde_variant *variant; size_t n; } variants;

static sonde_status make_variants(const bench *b, const grid *g, int64_t rows, int64_t heads, variants *v, sonde_error *err) {
    char text[120];
    for (int64_t l = g->every / 2; l < b->layers; l += g->every)
        for (int64_t t = 0; t < rows; t++)
            for (int64_t h = 0; h < heads; h++)
                for (int64_t p = 0; p < g->pairs; p++) {
                    edit_text(g, (int64_t[3]){ l, t, h }, p, text);
                    SONDE_TRY(sonde_edit_parse(&v->edit[v->n], b->model, text, NULL, err));
                    v->list[v->n] = v->edit[v->n];
                    v->variant[v->n] = (sonde_variant){ (int)p, &v->list[v->n], 1 };
                    v->n++;
                }
    return SONDE_OK;
}

static sonde_status run_cells(bench *b, const grid *g, const char *file, sonde_error *err) {
    static int32_t tokens[2][MOST_PAIRS][LONGEST];
    sonde_prompt    base[MOST_PAIRS];
    sonde_named_run other[MOST_PAIRS];
    char            name[MOST_PAIRS][8];
    const int64_t rows = strchr(g->by, 't') ? g->tokens : 1, heads = strchr(g->by, 'h') ? b->heads : 1;
    const int64_t layers = (b->layers - g->every / 2 + g->every - 1) / g->every;
    const size_t  n = (size_t)((layers > 0 ? layers : 0) * rows * heads * g->pairs);
    for (int64_t p = 0; p < g->pairs; p++) {
        for (int64_t i = 0; i < g->tokens; i++)
            for (int k = 0; k < 2; k++) tokens[k][p][i] = token(b, p, i, k);
        snprintf(name[p], sizeof name[p], "B%lld", (long long)p);
        base[p] = (sonde_prompt){ .tokens = tokens[0][p], .n = g->tokens };
        other[p] = (sonde_named_run){ .name = name[p], .prompt = { .tokens = tokens[1][p], .n = g->tokens } };
    }
    b->out = calloc(n, sizeof *b->out);
    variants v = { calloc(n, sizeof *v.edit), calloc(n, sizeof *v.list), calloc(n, sizeof *v.variant), 0 };
    const double     start = now();
    sonde_status     s = make_variants(b, g, rows, heads, &v, err);
    const sonde_want want = { .kind = SONDE_WANT_METRIC, .metric = b->metric };
    const sonde_batch all = { .bases = base, .n_bases = (size_t)g->pairs, .variants = v.variant, .n_variants = v.n, .wants = &want,
                              .n_wants = 1, .runs = other, .n_runs = (size_t)g->pairs };
    if (s == SONDE_OK) s = sonde_variants_run(b->session, &all, take_metric, b, err);
    const double seconds = now() - start;
    if (s == SONDE_OK) s = save(file, b->out, n, err);
    if (s == SONDE_OK) printf("%.6f\n", seconds);
    for (size_t i = 0; i < v.n; i++) sonde_edit_free(v.edit[i]);
    free(v.edit);
    free(v.list);
    free(v.variant);
    free(b->out);
    return s;
}

/* ---- integrated gradients ---- */

static sonde_status take_embed(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const bench *b = user;
    memcpy(b->out + a->first * b->width, a->value.data, (size_t)(a->value.dim[0] * b->width) * sizeof(float));
    return SONDE_OK;
}

static sonde_status add_slopes(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const bench *b = user;
    for (int64_t t = 0; t < a->value.dim[0]; t++)
        for (int64_t i = 0; i < b->width; i++)
            b->out[a->first + t] += a->value.data[t * b->width + i] * b->embed[(a->first + t) * b->width + i];
    return SONDE_OK;
}

static sonde_status run_steps(bench *b, int64_t steps, const sonde_prompt *p, sonde_error *err) {
    const size_t        n = (size_t)(p->n * b->width);
    float              *point = calloc(n, sizeof *point);
    sonde_edit         *edit[MOST_STEPS] = { NULL };
    const sonde_edit   *list[MOST_STEPS];
    sonde_variant       v[MOST_STEPS];
    sonde_status        s = SONDE_OK;
    for (int64_t k = 0; k < steps && s == SONDE_OK; k++) {
        const float at = ((float)k + 0.5f) / (float)steps;
        for (size_t i = 0; i < n; i++) point[i] = at * b->embed[i];
        s = sonde_edit_of_values(&edit[k], b->model, "set:hook_embed=value/0", (sonde_values){ point, 2, { p->n, b->width } }, err);
        list[k] = edit[k];
        v[k] = (sonde_variant){ 0, &list[k], 1 };
    }
    const sonde_want  want = { .kind = SONDE_WANT_GRAD, .sites = "hook_embed", .metric = b->metric };
    const sonde_batch all = { .bases = p, .n_bases = 1, .variants = v, .n_variants = (size_t)steps, .wants = &want, .n_wants = 1 };
    if (s == SONDE_OK) s = sonde_variants_run(b->session, &all, add_slopes, b, err);
    for (int64_t k = 0; k < steps; k++) sonde_edit_free(edit[k]);
    free(point);
    return s;
}

static sonde_status run_slope(bench *b, int64_t steps, int64_t n, const char *file, sonde_error *err) {
    int32_t tokens[LONGEST];
    for (int64_t i = 0; i < n; i++) tokens[i] = token(b, 0, i, false);
    const sonde_single one = { .prompt = { .tokens = tokens, .n = n }, .sites = "hook_embed" };
    float             *embed = calloc((size_t)(n * b->width), sizeof *embed);
    const double       start = now();
    b->out = embed;
    sonde_status s = sonde_run(b->session, &one, take_embed, b, err);
    b->embed = embed;
    b->out = calloc((size_t)n, sizeof *b->out);
    if (s == SONDE_OK) s = run_steps(b, steps, &one.prompt, err);
    const double seconds = now() - start;
    for (int64_t i = 0; i < n; i++) b->out[i] /= (float)steps;
    if (s == SONDE_OK) s = save(file, b->out, (size_t)n, err);
    if (s == SONDE_OK) printf("%.6f\n", seconds);
    free(b->out);
    free(embed);
    return s;
}

/* ---- requests ---- */

static sonde_status answer(bench *b, char *line, sonde_error *err) {
    char     *word[7] = { NULL };
    int       n = 0;
    for (char *at = line + strspn(line, " \n"); *at && n < 7; at += strspn(at, " \n")) {
        word[n++] = at;
        at += strcspn(at, " \n");
        if (*at) *at++ = 0;
    }
    if (n == 7 && !strcmp(word[0], "cells")) {
        const grid g = { word[1], word[2], strtol(word[3], NULL, 10), strtol(word[4], NULL, 10), strtol(word[5], NULL, 10) };
        if (g.pairs < 1 || g.pairs > MOST_PAIRS || g.tokens < 5 || g.tokens > LONGEST) return fail(err, "pairs 1 to 16, tokens 5 to 64");
        if (g.every < 1) return fail(err, "every 1 layer or more");
        return run_cells(b, &g, word[6], err);
    }
    if (n == 4 && !strcmp(word[0], "slope")) {
        const int64_t steps = strtol(word[1], NULL, 10), tokens = strtol(word[2], NULL, 10);
        if (steps < 1 || steps > MOST_STEPS || tokens < 5 || tokens > LONGEST) return fail(err, "steps 1 to 256, tokens 5 to 64");
        return run_slope(b, steps, tokens, word[3], err);
    }
    return fail(err, "expected: cells SITE BY PAIRS TOKENS EVERY FILE, or slope STEPS TOKENS FILE");
}

int main(int argc, char **argv) {
    sonde_error err = { 0 };
    bench       b = { 0 };
    char        line[1000];
    const int   threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (argc < 2) {
        fprintf(stderr, "sweeps MODEL [THREADS]\n");
        return 2;
    }
    sonde_status s = sonde_model_open(&b.model, argv[1], NULL, &err);
    if (s == SONDE_OK) s = sonde_session_new(&b.session, b.model, (sonde_session_options){ .threads = threads }, &err);
    if (s == SONDE_OK) s = sonde_metric_parse(&b.metric, b.model, "logit(#11)-logit(#29)", NULL, NULL, &err);
    if (s == SONDE_OK) {
        const sonde_model_info *info = sonde_model_describe(b.model);
        b.layers = info->layers, b.heads = info->heads, b.width = info->d, b.vocab = info->vocab;
    }
    while (s == SONDE_OK && fgets(line, sizeof line, stdin)) {
        s = answer(&b, line, &err);
        fflush(stdout);
    }
    if (s != SONDE_OK) fprintf(stderr, "sweeps: %s\n", err.message);
    sonde_metric_free(b.metric);
    sonde_session_free(b.session);
    sonde_model_close(b.model);
    return sonde_status_exit_code(s);
}
