/* The direction in which the values of a site differ between two lists of prompts: the difference of their means (Turner
 * et al., Activation addition, 2023; Marks and Tegmark, The geometry of truth, 2023), and how well it tells them apart.
 *
 * Every prompt is one row [width] per site: the mean over the positions that are read. Rows of pos come before those of neg. */
#include "classify.h"
#include "dry.h"
#include "places.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { DIRECTION_POS, DIRECTION_NEG, DIRECTION_SITE, DIRECTION_AT, DIRECTION_NORMALISE };
enum { MOST_NUMBERS = 1 << 28 };

static const param params[] = {
    [DIRECTION_POS] = { "pos", PARAM_PROMPTS, NULL, 0, 0,
                        "file of prompts that the direction leads to, as --prompts reads it; text:ONE is a single prompt; repeats" },
    [DIRECTION_NEG] = { "neg", PARAM_PROMPTS, NULL, 0, 0, "file of prompts that it leads away from, read as --pos is" },
    [DIRECTION_SITE] = { "site", PARAM_SITE, "hook_resid_post", 0, 0, "whose values; a pattern gives a direction for each site" },
    [DIRECTION_AT] = { "at", PARAM_TEXT, "last", 0, 0, "positions of each prompt: last, all (their mean), or numbers as in 0-3,-1" },
    [DIRECTION_NORMALISE] = { "normalise", PARAM_FLAG, "", 0, 0, "directions of length 1" },
    { 0 },
};

/* How one site's rows lie along its direction. */
typedef struct {
    double norm, cosine, d_prime, area;
    double right, left_out;             /* shares; left_out: NaN where a side has one prompt */
} separation;

typedef struct {
    const sonde_context *cx;
    const value *side[2];               /* pos, neg */
    const value *at;
    places       place;                 /* all of one shape */
    int64_t      width;                 /* of each */
    int64_t      rows;                  /* prompts of both sides */
    double      *value;                 /* [sites, rows, width] */
    double      *mean;                  /* [2, width] of one site */
    double      *along;                 /* [rows] */
    uint8_t     *yes;                   /* [rows] */
    bool         unit;
} direction;

/* ---- sites ---- */

static sonde_status choose_sites(direction *x, const char *pattern, sonde_error *err) {
    SONDE_TRY(places_find(&x->place, x->cx, pattern, err));
    const place *first = x->place.at;
    for (size_t i = 1; i < x->place.n; i++) {
        const place *p = &x->place.at[i];
        bool same = p->rank == first->rank;
        for (int k = 1; k < p->rank && same; k++) same = p->dim[k] == first->dim[k];
        SONDE_FAIL_IF(!same, err, SONDE_USAGE, "site: %s has another shape than %s, expected sites of one shape", p->name, first->name);
    }
    x->width = first->width;
    const double all = (double)x->place.width * (double)x->rows;
    SONDE_FAIL_IF(all > MOST_NUMBERS, err, SONDE_NOMEM, "%zu sites of %" PRId64 " prompts need %.0f MB, at most %d MB are kept: "
                  "choose fewer sites", x->place.n, x->rows, all / 131072, MOST_NUMBERS >> 17);
    return SONDE_OK;
}

/* ---- runs ---- */

static const method_prompt *prompt_of(const direction *x, int64_t row) {
    const int64_t n = (int64_t)x->side[0]->n_prompts;
    return row < n ? &x->side[0]->prompts[row] : &x->side[1]->prompts[row - n];
}

static int by_number(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Positions of the prompt that are read, ascending; the caller's. */
static sonde_status choose_positions(const direction *x, const method_prompt *p, int64_t **out, size_t *n, sonde_error *err) {
    const char *at = strcmp(x->at->text, "last") ? x->at->text : "-1";
    long *found;
    SONDE_TRY(param_numbers(&params[DIRECTION_AT], at, (long)p->tokens.n, &found, n, err));
    *out = ROOM(int64_t, *n);
    for (size_t i = 0; i < *n; i++) (*out)[i] = found[i];
    free(found);
    qsort(*out, *n, sizeof **out, by_number);
    return SONDE_OK;
}

/* Means over the positions that were read, site by site. */
static void keep_means(direction *x, int64_t row, const float *from, size_t n) {
    for (size_t s = 0; s < x->place.n; s++) {
        double *to = x->value + ((int64_t)s * x->rows + row) * x->width;
        for (size_t i = 0; i < n; i++)
            for (int64_t k = 0; k < x->width; k++) to[k] += (double)*from++ / (double)n;
    }
}

/* Runs the prompt of the row, or says what that would cost. */
static sonde_status run_prompt(direction *x, int64_t row, sonde_cost *cost, sonde_error *err) {
    const method_prompt *p = prompt_of(x, row);
    const int64_t n = (int64_t)x->side[0]->n_prompts;
    int64_t *at = NULL;
    size_t   count = 0;
    sonde_status s = choose_positions(x, p, &at, &count, err);
    float *values = ROOM(float, (int64_t)count * x->place.width);
    const rows_query q = { .p = &x->place, .prompt = { .tokens = p->tokens.id, .n = p->tokens.n, .types = p->tokens.type }, .at = at, .n = count };
    if (s == SONDE_OK) s = cost ? rows_cost(x->cx, &q, cost, err) : rows_read(x->cx, &q, values, err);
    if (s == SONDE_OK && !cost) keep_means(x, row, values, count);
    free(at);
    free(values);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s: prompt %" PRId64, row < n ? "pos" : "neg", row < n ? row : row - n);
}

static sonde_status run_all(direction *x, sonde_error *err) {
    x->value = ROOM(double, x->rows * x->place.width);
    for (int64_t row = 0; row < x->rows; row++) {
        SONDE_TRY(run_prompt(x, row, NULL, err));
        x->cx->progress(x->cx->progress_user, "prompts", row + 1, x->rows);
    }
    return SONDE_OK;
}

/* ---- numbers ---- */

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void add_means(direction *x, const double *rows) {
    const int64_t w = x->width;
    memset(x->mean, 0, (size_t)(2 * w) * sizeof *x->mean);
    for (int64_t r = 0; r < x->rows; r++) {
        double *mean = x->mean + (x->yes[r] ? 0 : w);
        for (int64_t k = 0; k < w; k++) mean[k] += rows[r * w + k] / (double)x->side[!x->yes[r]]->n_prompts;
    }
}

/* Is the prompt on its own side of the middle, once the means are taken without it? */
static bool right_without(const direction *x, const double *rows, int64_t r) {
    const int64_t w = x->width;
    const double  n = (double)x->side[!x->yes[r]]->n_prompts;
    double over = 0;
    for (int64_t k = 0; k < w; k++) {
        const double own = rows[r * w + k];
        double m[2] = { x->mean[k], x->mean[w + k] };
        m[!x->yes[r]] = (n * m[!x->yes[r]] - own) / (n - 1);
        over += (m[0] - m[1]) * (own - (m[0] + m[1]) / 2);
    }
    return x->yes[r] ? over > 0 : over < 0;
}

static double variance(const direction *x, int side, double middle) {
    double sum = 0;
    for (int64_t r = 0; r < x->rows; r++)
        if (x->yes[r] == !side) sum += (x->along[r] - middle) * (x->along[r] - middle);
    return sum / ((double)x->side[side]->n_prompts - 1);            /* NaN of one prompt */
}

/* The direction into out [width], projections into x->along. */
static separation separate(direction *x, const double *rows, double *out) {
    const int64_t w = x->width;
    separation s = { 0 };
    add_means(x, rows);
    for (int64_t k = 0; k < w; k++) out[k] = x->mean[k] - x->mean[w + k];
    s.norm = sqrt(dot(out, out, w));
    s.cosine = dot(x->mean, x->mean + w, w) / sqrt(dot(x->mean, x->mean, w) * dot(x->mean + w, x->mean + w, w));
    for (int64_t r = 0; r < x->rows; r++) x->along[r] = dot(rows + r * w, out, w) / s.norm;
    const double high = dot(x->mean, out, w) / s.norm, low = dot(x->mean + w, out, w) / s.norm;
    s.d_prime = (high - low) / sqrt((variance(x, 0, high) + variance(x, 1, low)) / 2);
    s.area = area_under(x->along, x->yes, x->rows);
    int64_t right = 0, left_out = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        right += x->yes[r] ? x->along[r] > (high + low) / 2 : x->along[r] < (high + low) / 2;
        left_out += right_without(x, rows, r);
    }
    s.right = s.norm > 0 ? (double)right / (double)x->rows : NAN;
    const bool alone = x->side[0]->n_prompts < 2 || x->side[1]->n_prompts < 2;
    s.left_out = alone || isnan(s.right) ? NAN : (double)left_out / (double)x->rows;
    return s;
}

/* ---- the result ---- */

/* Axes behind t, with the sites in front where there are several. */
static float *make_array(const direction *x, sonde_result *out) {
    const place *first = x->place.at;
    const size_t n = x->place.n;
    char    axes[64];
    int64_t dim[5];
    int     rank = 0;
    if (n > 1) dim[rank++] = (int64_t)n;
    for (int i = 1; i < first->rank; i++) dim[rank++] = first->dim[i];
    snprintf(axes, sizeof axes, "%s%s", n > 1 ? "site " : "", first->axes + 2);
    sonde_array *a = sonde_result_array(out, "direction", axes, dim);
    for (size_t i = 0; i < n && n > 1; i++) sonde_array_label_text(a, 0, x->place.at[i].name);
    sonde_array_quiet(a);
    return sonde_array_data(a);
}

static void put_place(const direction *x, sonde_table *t, size_t i) {
    sonde_table_row(t);
    sonde_cell_text(t, x->place.at[i].name);
    if (x->place.at[i].block < 0) sonde_cell_null(t);
    else sonde_cell_int(t, x->place.at[i].block);
}

static void put_separation(const direction *x, sonde_table *t, size_t i, const separation *s) {
    put_place(x, t, i);
    sonde_cell_float(t, s->norm);
    sonde_cell_float(t, s->cosine);
    put_defined(t, s->d_prime);
    put_defined(t, s->area);
    put_defined(t, s->right);
    put_defined(t, s->left_out);
    sonde_cell_int(t, (int64_t)x->side[0]->n_prompts);
    sonde_cell_int(t, (int64_t)x->side[1]->n_prompts);
}

static void put_prompts(const direction *x, sonde_table *t, size_t i) {
    const int64_t n = (int64_t)x->side[0]->n_prompts;
    for (int64_t r = 0; r < x->rows; r++) {
        put_place(x, t, i);
        sonde_cell_text(t, x->yes[r] ? "pos" : "neg");
        sonde_cell_int(t, x->yes[r] ? r : r - n);
        put_defined(t, x->along[r]);
    }
}

static sonde_table *place_table(sonde_result *out, const char *name) {
    sonde_table *t = sonde_result_table(out, name);
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    return t;
}

static sonde_table *direction_table(sonde_result *out) {
    static const char *const numbers[] = { "norm", "cosine", "d_prime", "auc", "accuracy", "accuracy_left_out" };
    sonde_table *t = place_table(out, "directions");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sonde_table_column(t, numbers[i], SONDE_FLOAT, "");
    sonde_table_column(t, "n_pos", SONDE_INT, "");
    sonde_table_column(t, "n_neg", SONDE_INT, "");
    return t;
}

static sonde_table *prompt_table(sonde_result *out) {
    sonde_table *t = place_table(out, "prompts");
    sonde_table_column(t, "side", SONDE_TEXT, "");
    sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "projection", SONDE_FLOAT, "");
    return t;
}

static void views(const direction *x, sonde_result *out) {
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "prompts", .x = "prompt", .y = "projection",
                                            .value = "side", .panel = x->place.n > 1 ? "site" : NULL, .own_scale = true,
                                            .title = "Where each prompt lies along the direction" });
}

static sonde_status measure(direction *x, sonde_result *out, sonde_error *err) {
    SONDE_TRY(run_all(x, err));
    float       *array = make_array(x, out);
    sonde_table *directions = direction_table(out), *prompts = prompt_table(out);
    double      *d = ROOM(double, x->width);
    x->mean = ROOM(double, 2 * x->width);
    x->along = ROOM(double, x->rows);
    x->yes = ROOM(uint8_t, x->rows);
    memset(x->yes, 1, x->side[0]->n_prompts);
    for (size_t i = 0; i < x->place.n; i++) {
        const separation s = separate(x, x->value + (int64_t)i * x->rows * x->width, d);    /* NOLINT: what it takes it gives back, whatever a row is */
        for (int64_t k = 0; k < x->width; k++) array[(int64_t)i * x->width + k] = (float)(x->unit ? d[k] / s.norm : d[k]);
        put_separation(x, directions, i, &s);
        put_prompts(x, prompts, i);
    }
    free(d);
    views(x, out);
    return SONDE_OK;
}

static sonde_status dry_site_row(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    dry_site(user, s);
    return SONDE_OK;
}

static sonde_status dry(direction *x, const char *pattern, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 }, one = { 0 };
    int64_t longest = 0;
    for (int64_t row = 0; row < x->rows; row++) {
        SONDE_TRY(run_prompt(x, row, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
        if (prompt_of(x, row)->tokens.n > longest) longest = prompt_of(x, row)->tokens.n;
    }
    all.bytes += 8 * x->rows * x->place.width;
    const sonde_site_query q = { pattern, x->cx->edits, x->cx->n_edits, longest, 0 };
    SONDE_TRY(sonde_sites(x->cx->model, &q, dry_site_row, dry_sites(out), err));
    dry_cost(out, x->rows, all);
    return SONDE_OK;
}

extern const method method_direction;

static sonde_status direction_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    direction x = { .cx = cx, .side = { &args[DIRECTION_POS], &args[DIRECTION_NEG] }, .at = &args[DIRECTION_AT],
                    .rows = (int64_t)(args[DIRECTION_POS].n_prompts + args[DIRECTION_NEG].n_prompts),
                    .unit = args[DIRECTION_NORMALISE].i != 0 };
    const char *pattern = args[DIRECTION_SITE].text;
    context_head(cx, &method_direction, out);
    sonde_status s = choose_sites(&x, pattern, err);
    if (s == SONDE_OK) s = cx->dry_run ? dry(&x, pattern, out, err) : measure(&x, out, err);
    places_free(&x.place);
    free(x.value);
    free(x.mean);
    free(x.along);
    free(x.yes);
    return s;
}

const method method_direction = {
    .name = "direction",
    .summary = "the direction that leads from one list of prompts to another at a site, for steering: a difference of means",
    .reference = "Turner et al., Activation Addition: Steering Language Models Without Optimization, 2023; Rimsky et al., Steering "
                 "Llama 2 via Contrastive Activation Addition, 2024; mass mean: Marks and Tegmark, The Geometry of Truth, 2023",
    .formula = "h_i: a prompt's value at the site, the mean over the positions of --at; v = mean(h of pos) - mean(h of neg), array "
               "direction. norm: |v|; cosine: of the two means; projection: h v / |v|; d_prime: difference of the mean projections "
               "over sqrt of the mean of their variances (n - 1; null: a list of one); auc: P(projection of a pos > of a neg), "
               "ties half; accuracy: share on their own side of the middle of the two means; accuracy_left_out: the same with "
               "means taken without the prompt itself",
    .example = "direction --pos \"text:Mary was tired when\" --pos \"text:Anna was late when\" --neg \"text:John was tired when\" "
               "--neg \"text:Peter was late when\" --site blocks.2.hook_resid_post",
    .params = params,
    .takes = NEEDS_MODEL | TAKES_EDITS | READS_TEXTS,
    .run = direction_run,
};
