/* Examples: positions of documents, labelled by the token behind them. Which of a document are taken, and which part it belongs
 * to, follows from its tokens and the seed alone, whatever other documents there are. */
#include "dry.h"
#include "method_probe.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum { MOST_NUMBERS = 1 << 28, FIRST_NUMBERS = 2 };     /* of an example before its values: label, and what the model says */

/* ---- the class ---- */

static sonde_status find_class(probe *p, const neuron_weights *w, sonde_error *err) {
    const char   *name = p->args[PROBE_CLASS].text;
    token_classes all = classes_of(w);
    for (size_t i = 0; i < all.n; i++)
        if (!strcmp(all.at[i].name, name)) {
            p->in_class = ROOM(uint8_t, w->vocab);
            memcpy(p->in_class, all.at[i].in, (size_t)w->n);
        }
    classes_free(&all);
    SONDE_FAIL_IF(!p->in_class, err, SONDE_USAGE, "class: \"%.40s\" is none that tokens of this model tell apart, \"sonde neurons --class "
                  "list\" has those", name);
    return SONDE_OK;
}

/* ---- neurons ---- */

static int by_place(const void *a, const void *b) {
    const probe_neuron *x = a, *y = b;
    return x->layer != y->layer ? (x->layer > y->layer) - (x->layer < y->layer) : (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

static double size_of(double x) { return x < 0 ? -x : x; }

static int by_score(const void *a, const void *b) {
    const double x = size_of(((const probe_neuron *)a)->score), y = size_of(((const probe_neuron *)b)->score);
    return x != y ? (x < y) - (x > y) : by_place(a, b);
}

/* Mean column of W_U in the class minus the mean outside: [d]. */
static double *class_column(const probe *p, const neuron_weights *w) {
    double *u = ROOM(double, w->d), n = 0;
    for (int64_t v = 0; v < w->n; v++) n += p->in_class[v];
    for (int64_t k = 0; k < w->d; k++)
        for (int64_t v = 0; v < w->n; v++)
            u[k] += (double)w->unembed[k * w->vocab + v] * (p->in_class[v] ? 1 / n : -1 / ((double)w->n - n));
    return u;
}

/* Every neuron of the chosen layers with its score. */
static sonde_status score_neurons(probe *p, neuron_weights *w, sonde_error *err) {
    double *u = class_column(p, w);
    sonde_status s = SONDE_OK;
    p->neuron = ROOM(probe_neuron, (int64_t)w->n_layers * w->f);
    for (size_t i = 0; i < w->n_layers && s == SONDE_OK; i++) {
        s = neurons_read(w, w->layer[i], err);
        for (int64_t j = 0; j < w->f && s == SONDE_OK; j++) {
            probe_neuron *x = &p->neuron[p->n_neurons++];
            *x = (probe_neuron){ w->layer[i], j, 0 };
            for (int64_t k = 0; k < w->d; k++) x->score += (double)w->w_out[j * w->d + k] * u[k];
        }
    }
    free(u);
    return s;
}

/* "3.77,0.5": those of the list come to the front, in its order. */
static sonde_status choose_named(probe *p, const char *text, sonde_error *err) {
    size_t n = 0;
    for (const char *at = text; ; at++) {
        long layer, neuron;
        int  used = 0;
        const bool good = sscanf(at, "%ld.%ld%n", &layer, &neuron, &used) == 2 && used && (at[used] == ',' || !at[used]);
        SONDE_FAIL_IF(!good, err, SONDE_USAGE, "neurons: \"%.40s\", expected a list as in 3.77,0.5 (layer.neuron)", text);
        size_t i = n;
        while (i < p->n_neurons && (p->neuron[i].layer != layer || p->neuron[i].neuron != neuron)) i++;
        SONDE_FAIL_IF(i == p->n_neurons, err, SONDE_USAGE, "neurons: %ld.%ld is no neuron of the layers chosen, or is there twice", layer,
                      neuron);
        const probe_neuron x = p->neuron[i];
        p->neuron[i] = p->neuron[n];
        p->neuron[n++] = x;
        at += used;
        if (!*at) break;
    }
    p->n_neurons = n;
    return SONDE_OK;
}

static sonde_status choose_neurons(probe *p, neuron_weights *w, sonde_error *err) {
    const char *named = p->args[PROBE_NEURONS].text;
    SONDE_TRY(score_neurons(p, w, err));
    if (*named) return choose_named(p, named, err);
    qsort(p->neuron, p->n_neurons, sizeof *p->neuron, by_score);
    if ((long)p->n_neurons > p->args[PROBE_K].i) p->n_neurons = (size_t)p->args[PROBE_K].i;
    return SONDE_OK;
}

/* The activations of every layer that has one of the neurons. */
static sonde_status find_activations(probe *p, sonde_error *err) {
    const int64_t layers = sonde_model_describe(p->cx->model)->layers;
    const size_t room = (size_t)layers * 48 + 1;
    char  *pattern = ROOM(char, room);
    size_t n = 0;
    for (int64_t l = 0; l < layers; l++)
        for (size_t i = 0; i < p->n_neurons; i++)
            if (p->neuron[i].layer == l) {
                n += (size_t)snprintf(pattern + n, room - n, "%sblocks.%" PRId64 ".mlp.hook_post", n ? "," : "", l);
                break;
            }
    const sonde_status s = places_find(&p->place, p->cx, pattern, err);
    free(pattern);
    p->width = (int64_t)p->n_neurons;
    return s;
}

/* ---- sites ---- */

static sonde_status find_sites(probe *p, sonde_error *err) {
    long  *layer;
    size_t n, kept = 0;
    const char *text = p->args[PROBE_LAYERS].text;
    SONDE_TRY(param_numbers(&probe_params[PROBE_LAYERS], text, (long)sonde_model_describe(p->cx->model)->layers, &layer, &n, err));
    sonde_status s = places_find(&p->place, p->cx, p->args[PROBE_SITE].text, err);
    p->place.width = 0;
    for (size_t i = 0; i < p->place.n; i++) {
        bool chosen = !strcmp(text, "all");
        for (size_t k = 0; k < n; k++) chosen |= layer[k] == p->place.at[i].block;
        if (!chosen) {
            free(p->place.at[i].name);
            continue;
        }
        p->place.at[kept++] = p->place.at[i];
        p->place.width += p->place.at[i].width;
    }
    p->place.n = kept;
    p->width = p->place.width;
    free(layer);
    if (s == SONDE_OK && kept == 0) s = sonde_fail(err, SONDE_USAGE, "site: none is in the layers chosen");
    return s;
}

sonde_status probe_open(probe *p, sonde_error *err) {
    value weights[NEURONS_N + 1] = { { 0 } };
    const bool site = *p->args[PROBE_SITE].text != 0;
    SONDE_FAIL_IF(site && *p->args[PROBE_NEURONS].text, err, SONDE_USAGE, "site and neurons, expected one of them");
    neuron_weights w = { .cx = p->cx };
    weights[NEURONS_LAYERS].text = p->args[PROBE_LAYERS].text;
    weights[NEURONS_RAW].i = site;
    const bool dry = p->cx->dry_run;
    p->cx->dry_run = false;                     /* the weights say which neurons are read */
    sonde_status s = neurons_open(&w, weights, err);
    p->cx->dry_run = dry;
    if (s == SONDE_OK) s = find_class(p, &w, err);
    if (s == SONDE_OK && !site) s = choose_neurons(p, &w, err);
    neurons_close(&w);
    SONDE_TRY(s);
    return site ? find_sites(p, err) : find_activations(p, err);
}

void probe_close(probe *p) {
    free(p->in_class);
    places_free(&p->place);
    free(p->neuron);
    free(p->x);
    free(p->yes);
    free(p->best);
    free(p->part);
}

/* ---- examples ---- */

static int ascending(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Positions whose next token is (or is not) of the class into `at`; as many as `most` of them, drawn. Returns how many. */
static int64_t draw(const probe *p, sonde_prompt d, bool in, int64_t most, int64_t *at) {
    int64_t n = 0;
    for (int64_t t = 0; t + 1 < d.n; t++)
        if ((p->in_class[d.tokens[t + 1]] != 0) == in) at[n++] = t;
    if (most >= n) return n;
    int64_t *order = ROOM(int64_t, n), *all = ROOM(int64_t, n);
    memcpy(all, at, (size_t)n * sizeof *at);
    sonde_random_order(p->cx->seed, document_hash(d) + 1 + in, order, n);
    for (int64_t i = 0; i < most; i++) at[i] = all[order[i]];
    free(order);
    free(all);
    return most;
}

/* As many positions of either kind: `at` has room for all. */
static int64_t choose_positions(const probe *p, sonde_prompt d, int64_t *at) {
    int64_t *other = ROOM(int64_t, d.n);
    const int64_t a = draw(p, d, true, INT64_MAX, at), b = draw(p, d, false, INT64_MAX, other);
    int64_t n = a < b ? a : b;
    if (p->each && n > p->each) n = p->each;
    draw(p, d, true, n, at);
    draw(p, d, false, n, at + n);
    free(other);
    qsort(at, (size_t)(2 * n), sizeof *at, ascending);
    return 2 * n;
}

/* Example i of the n rows read: whole rows place by place, or the neurons' activations. */
static void add_values(const probe *p, const float *rows, int64_t n, int64_t i, numbers *out) {
    const float *from = rows;
    for (size_t k = 0; k < p->place.n && !p->n_neurons; k++) {
        const int64_t width = p->place.at[k].width;
        for (int64_t j = 0; j < width; j++) numbers_add(out, (double)from[i * width + j]);
        from += n * width;
    }
    for (size_t k = 0; k < p->n_neurons; k++) {
        from = rows;
        size_t l = 0;
        while (p->place.at[l].block != p->neuron[k].layer) from += n * p->place.at[l++].width;
        numbers_add(out, (double)from[i * p->place.at[l].width + p->neuron[k].neuron]);
    }
}

static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    const probe *p = user;
    const sonde_prompt d = document_tokens(p->cx, i);
    int64_t *at = ROOM(int64_t, 2 * d.n);
    const int64_t n = choose_positions(p, d, at);
    int32_t *best = ROOM(int32_t, n);
    float   *rows = ROOM(float, n * p->place.width);
    const rows_query q = { &p->place, d, at, (size_t)n, best };
    const sonde_status s = rows_read(p->cx, &q, rows, err);
    numbers_add(out, (double)n);
    for (int64_t k = 0; k < n; k++) {
        numbers_add(out, p->in_class[d.tokens[at[k] + 1]]);
        numbers_add(out, p->in_class[best[k]]);
        add_values(p, rows, n, k, out);
    }
    free(at);
    free(best);
    free(rows);
    return s;
}

static probe_part part_of(const probe *p, sonde_prompt d) {
    const double u = sonde_random_unit(p->cx->seed, document_hash(d), 0);
    return u < .6 ? PART_TRAIN : u < .8 ? PART_VALIDATION : PART_TEST;
}

static sonde_status add(size_t i, const double *x, size_t n, void *user, sonde_error *err) {
    probe *p = user;
    const int64_t rows = n && x[0] >= 0 && x[0] < (double)n ? (int64_t)x[0] : -1, step = FIRST_NUMBERS + p->width;
    SONDE_FAIL_IF((int64_t)n != 1 + rows * step, err, SONDE_FORMAT, "the results file has %zu numbers of document %zu, expected "
                  "%" PRId64 " and %" PRId64 " an example", n, i, (int64_t)1, step);
    SONDE_FAIL_IF((p->n + rows) * p->width > MOST_NUMBERS, err, SONDE_NOMEM, "document %zu: more than %d MB of examples, expected "
                  "fewer: choose --layers, --each or --documents", i, MOST_NUMBERS >> 18);
    p->x = room_grow(p->x, (size_t)(p->n * p->width), (size_t)(rows * p->width), sizeof *p->x);
    p->yes = room_grow(p->yes, (size_t)p->n, (size_t)rows, 1);
    p->best = room_grow(p->best, (size_t)p->n, (size_t)rows, 1);
    p->part = room_grow(p->part, (size_t)p->n, (size_t)rows, 1);
    const probe_part part = part_of(p, document_tokens(p->cx, i));
    p->documents[part] += rows > 0;
    for (int64_t r = 0; r < rows; r++, p->n++) {
        const double *from = x + 1 + r * step;
        p->yes[p->n] = from[0] > 0;
        p->best[p->n] = from[1] > 0;
        p->part[p->n] = (uint8_t)part;
        for (int64_t k = 0; k < p->width; k++) p->x[p->n * p->width + k] = (float)from[FIRST_NUMBERS + k];
    }
    return SONDE_OK;
}

sonde_status probe_collect(probe *p, sonde_error *err) {
    static const char *const names[] = { "to learn from", "to rank by", "to judge by" };
    SONDE_TRY(documents_run(p->cx, &(document_work){ "probe", compute, add, p }, err));
    for (int i = 0; i < PARTS; i++)
        SONDE_FAIL_IF(!p->documents[i], err, SONDE_USAGE, "no document %s has both kinds of tokens, expected more documents (%" PRId64
                      ", %" PRId64 " and %" PRId64 " have)", names[i], p->documents[0], p->documents[1], p->documents[2]);
    return SONDE_OK;
}

sonde_status probe_dry(probe *p, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 }, one;
    int64_t runs = 0, examples_read = 0;
    for (size_t i = 0; i < p->cx->n_documents; i++) {
        const sonde_prompt d = document_tokens(p->cx, i);
        int64_t *at = ROOM(int64_t, 2 * d.n);
        int32_t  unused;
        const rows_query q = { &p->place, d, at, (size_t)choose_positions(p, d, at), &unused };
        const sonde_status s = rows_cost(p->cx, &q, &one, err);
        free(at);
        SONDE_TRY(s);
        runs += q.n > 0;
        examples_read += (int64_t)q.n;
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    all.bytes += 4 * examples_read * p->width;
    sonde_table *t = dry_sites(out);
    for (size_t i = 0; i < p->place.n; i++) {
        sonde_site s = { .name = p->place.at[i].name, .axes = p->place.at[i].axes, .rank = p->place.at[i].rank };
        memcpy(s.dim, p->place.at[i].dim, sizeof s.dim);
        dry_site(t, &s);
    }
    dry_cost(out, runs, all);
    return SONDE_OK;
}
