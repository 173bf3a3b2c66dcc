/* How large a run's values are, token by token and layer by layer, and one of them over all tokens (LLM-Architecture's
 * plot_token_activations with its definitions made plain: features.md 5). */
#include "room.h"
#include "site_rows.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { ACT_SITE, ACT_LAYERS, ACT_POSITION, ACT_UNIT };

static const param params[] = {
    [ACT_SITE] = { "site", PARAM_SITE, "hook_resid_post", 0, 0, "one kind: mlp.hook_post, attn.hook_z[:,HEAD] .." },
    [ACT_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks that are shown" },
    [ACT_POSITION] = { "position", PARAM_INT, "-1", -1e9, 1e9, "where the largest ones are listed; -1 is the last" },
    [ACT_UNIT] = { "unit", PARAM_TEXT, "", 0, 0, "L.N: value N of layer L over all tokens" },
    { 0 },
};

typedef struct { double mean, norm, max, above; } summary;

static summary summarise(const float *x, int64_t n) {
    summary s = { .max = -INFINITY };
    for (int64_t k = 0; k < n; k++) {
        const double v = (double)x[k];
        s.mean += v;
        s.norm += v * v;
        if (v > s.max || isnan(v)) s.max = v;
        s.above += v > 0;
    }
    s.mean /= (double)n;
    s.above /= (double)n;
    s.norm = sqrt(s.norm);
    return s;
}

static const float *row_of(const site_rows *r, size_t site, int64_t position) {
    return r->data + ((int64_t)site * r->positions + position) * r->width;
}

static void put_layer(const site_rows *r, sonde_table *t, size_t i) {
    sonde_table_row(t);
    if (r->at[i].block >= 0) sonde_cell_int(t, r->at[i].block);
    else sonde_cell_null(t);
    sonde_cell_text(t, r->at[i].name);
}

static void put_place(const site_rows *r, sonde_table *t, size_t i, int64_t position) {
    put_layer(r, t, i);
    sonde_cell_int(t, position);
    const sonde_prompt p = context_prompt(r->cx, 0);
    int64_t n;
    sonde_cell_token(t, context_token(r->cx, context_positions(r->cx, &p, r->at[i].of_target, &n)[position]));
}

static void layer_columns(sonde_table *t) {
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "");
}

static void place_columns(sonde_table *t) {
    layer_columns(t);
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
}

static void put_tokens_layers(const site_rows *r, sonde_result *out) {
    static const char *const names[] = { "mean", "norm", "max", "share_above_0" };
    static const char *const titles[] = { "Mean value", "Norm", "Largest value", "Share of values above 0" };
    sonde_table *t = sonde_result_table(out, "tokens_layers");
    place_columns(t);
    for (int i = 0; i < 4; i++) sonde_table_column(t, names[i], SONDE_FLOAT, "");
    sonde_table_column(t, "state", SONDE_TEXT, "");
    for (size_t i = 0; i < r->n; i++)
        for (int64_t p = 0; p < r->at[i].n; p++) {
            const summary s = summarise(row_of(r, i, p), r->width);
            put_place(r, t, i, p);
            sonde_cell_float(t, s.mean);
            sonde_cell_float(t, s.norm);
            sonde_cell_float(t, s.max);
            sonde_cell_float(t, s.above);
            sonde_cell_text(t, r->at[i].state);
        }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "tokens_layers", .x = "state", .y = "position",
                                            .value = "mean", .label = "token",
                                            .title = "Mean value by layer, a line each token" });
    for (int i = 1; i < 4; i++)
        sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "tokens_layers", .x = "position",
                                                .y = "state", .value = names[i], .title = titles[i] });
}

typedef struct { float value; int64_t unit; } unit_value;

static int larger_first(const void *a, const void *b) {
    const unit_value *x = a, *y = b;
    const float p = fabsf(x->value), q = fabsf(y->value);
    if (p != q && !(isnan(p) && isnan(q))) return p < q || isnan(p) ? 1 : -1;       /* NaN last */
    return x->unit < y->unit ? -1 : 1;
}

static void put_unit_cell(const site_rows *r, sonde_table *t, int64_t unit) {
    if (r->axes[2] == 'v') sonde_cell_token(t, context_token(r->cx, (int32_t)unit));
    else sonde_cell_int(t, unit);
}

static void put_top(const site_rows *r, int64_t position, sonde_result *out) {
    unit_value  *v = ROOM(unit_value, r->width);
    sonde_table *t = sonde_result_table(out, "top");
    place_columns(t);
    sonde_table_column(t, "rank", SONDE_INT, "");
    sonde_table_column(t, r->axes[2] == 'v' ? "id" : site_rows_unit(r), r->axes[2] == 'v' ? SONDE_TOKEN : SONDE_INT, "");
    sonde_table_column(t, "value", SONDE_FLOAT, "");
    for (size_t i = 0; i < r->n; i++) {
        const int64_t at = position < 0 ? position + r->at[i].n : position;
        if (at < 0 || at >= r->at[i].n) continue;               /* the other stack's text is longer */
        const float *row = row_of(r, i, at);
        for (int64_t k = 0; k < r->width; k++) v[k] = (unit_value){ row[k], k };
        qsort(v, (size_t)r->width, sizeof *v, larger_first);
        for (int64_t k = 0; k < r->width && k < r->cx->top; k++) {
            put_place(r, t, i, at);
            sonde_cell_int(t, k + 1);
            put_unit_cell(r, t, v[k].unit);
            sonde_cell_float(t, (double)v[k].value);
        }
    }
    free(v);
}

typedef struct { bool given; long layer, unit; } chosen_unit;

/* L.N, of sites outside of blocks N alone. */
static sonde_status read_unit(const site_rows *r, const value *v, chosen_unit *out, sonde_error *err) {
    char *end;
    const bool layers = r->at[0].block >= 0;
    *out = (chosen_unit){ .given = v->given, .layer = -1 };
    if (!v->given) return SONDE_OK;
    const bool digit = v->text[0] >= '0' && v->text[0] <= '9';
    out->unit = digit ? strtol(v->text, &end, 10) : 0;
    if (digit && layers && *end == '.' && end[1] >= '0' && end[1] <= '9') {
        out->layer = out->unit;
        out->unit = strtol(end + 1, &end, 10);
    }
    SONDE_FAIL_IF(!digit || *end || (layers && out->layer < 0), err, SONDE_USAGE, "unit: \"%.40s\", expected %s", v->text,
                  layers ? "LAYER.NUMBER as in 2.17" : "a number");
    SONDE_FAIL_IF(out->unit >= r->width, err, SONDE_USAGE, "unit: %s %ld, expected 0 to %" PRId64, site_rows_unit(r),
                  out->unit, r->width - 1);
    for (size_t i = 0; i < r->n; i++)
        if (r->at[i].block == out->layer) return SONDE_OK;
    return sonde_fail(err, SONDE_USAGE, "unit: layer %ld is not among those shown", out->layer);
}

static void put_unit(const site_rows *r, const chosen_unit *u, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "unit");
    char title[96];
    place_columns(t);
    sonde_table_column(t, site_rows_unit(r), SONDE_INT, "");
    sonde_table_column(t, "value", SONDE_FLOAT, "");
    for (size_t i = 0; i < r->n; i++)
        for (int64_t p = 0; p < r->at[i].n && r->at[i].block == u->layer; p++) {
            put_place(r, t, i, p);
            sonde_cell_int(t, u->unit);
            sonde_cell_float(t, (double)row_of(r, i, p)[u->unit]);
        }
    if (u->layer < 0) snprintf(title, sizeof title, "Value of %s %ld over the tokens", site_rows_unit(r), u->unit);
    else snprintf(title, sizeof title, "Value of %s %ld of layer %ld over the tokens", site_rows_unit(r), u->unit, u->layer);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "unit", .x = "position", .value = "value",
                                            .label = "token", .title = title });
}

static sonde_status activations_all(site_rows *r, const value *args, sonde_result *out, sonde_error *err) {
    const site_rows_query q = { args[ACT_SITE].text, args[ACT_LAYERS].text, &params[ACT_LAYERS] };
    chosen_unit unit;
    SONDE_TRY(site_rows_open(r, r->cx, &q, err));
    SONDE_TRY(read_unit(r, &args[ACT_UNIT], &unit, err));
    const int64_t position = args[ACT_POSITION].i;
    SONDE_FAIL_IF(position < -r->positions || position >= r->positions, err, SONDE_USAGE,
                  "position: %" PRId64 ", expected %" PRId64 " to %" PRId64, position, -r->positions, r->positions - 1);
    if (r->cx->dry_run) return site_rows_dry(r, out, err);
    SONDE_TRY(site_rows_run(r, NULL, err));
    if (unit.given) put_unit(r, &unit, out);
    put_tokens_layers(r, out);
    put_top(r, position, out);
    return SONDE_OK;
}

extern const method method_activations;

static sonde_status activations_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    site_rows r = { .cx = cx };
    context_head(cx, &method_activations, out);
    const sonde_status s = activations_all(&r, args, out, err);
    site_rows_close(&r);
    return s;
}

const method method_activations = {
    .name = "activations",
    .summary = "how large the values at a site are: of every token at every layer, one over all tokens, the largest",
    .reference = NULL,
    .formula = "x: the vector of a token at a layer's --site. mean: over its numbers; norm: Euclidean; max: its largest "
               "number; share_above_0: how many of them are above 0, of 1. The mean of a residual stream is ruled by a few "
               "large dimensions and says nothing of importance. A number of x is a neuron in the MLP, a dim of the stream, "
               "else a unit (of a head). top: the --top of largest |value| at --position; ties to the lower number",
    .example = "activations \"When Mary and John went to the store, John gave a drink to\" --site mlp.hook_post --unit 3.17",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS | TAKES_TWO,
    .run = activations_run,
};
