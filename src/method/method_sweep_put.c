/* A sweep's tables, array and views. */
#include "dry.h"
#include "method_sweep.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

static const char letters[] = "tshgfdxe";           /* the order of the columns; e stands for every other one */

static bool is_other(char axis) { return !strchr("tshgfdx", axis); }

/* Does the letter make an axis of site s? Which one, or -1. */
static int axis_of(const sweep_site *s, char letter) {
    for (int i = 0; i < s->rank; i++)
        if (!s->part[i] && (s->axis[i] == letter || (letter == 'e' && is_other(s->axis[i])))) return i;
    return -1;
}

static bool used(const sweep_grid *g, char letter) {
    for (size_t i = 0; i < g->n_sites; i++)
        if (axis_of(&g->site[i], letter) >= 0) return true;
    return false;
}

/* ---- tables ---- */

static sonde_table *cell_table(const sweep *s, sonde_result *out, const char *name, bool prompts) {
    sonde_table *t = sonde_result_table(out, name);
    if (prompts && prompts_many(s->cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    for (const char *l = letters; *l; l++)
        if (used(&s->grid, *l)) sonde_table_column(t, sweep_axis_name(*l), SONDE_INT, "");
    return t;
}

static void put_place(const sweep *s, sonde_table *t, const sweep_cell *c) {
    const sweep_site *site = &s->grid.site[c->site];
    sonde_cell_text(t, site->name);
    if (site->layer < 0) sonde_cell_null(t);
    else sonde_cell_int(t, site->layer);
    for (const char *l = letters; *l; l++) {
        if (!used(&s->grid, *l)) continue;
        const int i = axis_of(site, *l);
        if (i < 0) sonde_cell_null(t);
        else sonde_cell_int(t, c->at[i]);
    }
}

static bool is_layers(const sweep_grid *g);
static double change_of(const sweep_values *v, int64_t cell) { return (double)v->metric[cell] - (double)v->a; }
/* + 0: no -0 where nothing changed */
static double share_of(const sweep_values *v, int64_t cell) { return change_of(v, cell) / ((double)v->b - (double)v->a) + 0.0; }

static void put_cells(const sweep *s, sonde_result *out) {
    sonde_table *t = cell_table(s, out, "cells", true);
    sonde_table_column(t, "metric", SONDE_FLOAT, "");
    sonde_table_column(t, "change", SONDE_FLOAT, "");
    sonde_table_column(t, "share", SONDE_FLOAT, "");
    if (s->approximate) sonde_table_column(t, "approx", SONDE_FLOAT, "");
    for (size_t p = 0; p < s->cx->n_prompts; p++) {
        const sweep_values *v = &s->prompt[p];
        for (int64_t i = 0; v->state && i < s->grid.n; i++) {
            if (v->state[i] == CELL_ABSENT) continue;
            const sweep_cell c = sweep_cell_at(&s->grid, i);
            sonde_table_row(t);
            if (prompts_many(s->cx)) sonde_cell_int(t, (int64_t)p);
            put_place(s, t, &c);
            if (v->state[i] != CELL_DONE) continue;         /* the rest of the row is null */
            sonde_cell_float(t, v->metric[i]);
            sonde_cell_float(t, change_of(v, i));
            if (v->has_b) sonde_cell_float(t, share_of(v, i));
            else sonde_cell_null(t);
            if (v->approx) sonde_cell_float(t, v->approx[i]);
        }
    }
}

/* Do the gradient and the runs say the same? Over all cells that are done. */
static void put_agreement(const sweep *s, sonde_result *out) {
    static const char *const columns[] = { "pearson", "slope", "mean_abs_error", "mean_abs_change" };
    sonde_table *t = sonde_result_table(out, "agreement");
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, off = 0, size = 0;
    for (size_t p = 0; p < s->cx->n_prompts; p++) {
        const sweep_values *v = &s->prompt[p];
        for (int64_t i = 0; v->state && v->approx && i < s->grid.n; i++) {
            if (v->state[i] != CELL_DONE) continue;
            const double a = v->approx[i], b = change_of(v, i), da = a - x, db = b - y;
            n++;
            x += da / n;
            y += db / n;
            xx += da * (a - x);
            yy += db * (b - y);
            xy += da * (b - y);
            off += fabs(a - b);
            size += fabs(b);
        }
    }
    sonde_table_column(t, "cells", SONDE_INT, "");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) sonde_table_column(t, columns[i], SONDE_FLOAT, "");
    sonde_table_row(t);
    sonde_cell_int(t, (int64_t)n);
    sonde_cell_float(t, xy / sqrt(xx * yy));
    sonde_cell_float(t, xy / xx);
    sonde_cell_float(t, off / n);
    sonde_cell_float(t, size / n);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "cells", .x = "approx", .y = "change",
                                            .value = is_layers(&s->grid) ? "layer" : NULL,
                                            .title = "What the gradient foretells, and what happens" });
}

typedef struct { int64_t n; double sum, squares, mean; } moments;

/* Two passes: the mean, then the squares around it. */
static moments moments_of(const sweep *s, int64_t cell, double (*of)(const sweep_values *, int64_t), bool needs_b) {
    moments m = { 0 };
    for (int pass = 0; pass < 2; pass++) {
        for (size_t p = 0; p < s->cx->n_prompts; p++) {
            const sweep_values *v = &s->prompt[p];
            if (!v->state || v->state[cell] != CELL_DONE || (needs_b && !v->has_b)) continue;
            const double x = of(v, cell);
            if (pass) m.squares += (x - m.mean) * (x - m.mean);
            else m.sum += x;
            m.n += !pass;
        }
        m.mean = m.n ? m.sum / (double)m.n : 0;
    }
    return m;
}

static double metric_of(const sweep_values *v, int64_t cell) { return v->metric[cell]; }

static void put_mean(const sweep *s, sonde_result *out) {
    sonde_table *t = cell_table(s, out, "mean", false);
    sonde_table_column(t, "metric", SONDE_FLOAT, "");
    sonde_table_column(t, "change", SONDE_FLOAT, "");
    sonde_table_column(t, "share", SONDE_FLOAT, "");
    sonde_table_column(t, "n", SONDE_INT, "");
    sonde_table_column(t, "sd", SONDE_FLOAT, "");
    sonde_table_column(t, "sd_change", SONDE_FLOAT, "");
    for (int64_t i = 0; i < s->grid.n; i++) {
        const moments m = moments_of(s, i, metric_of, false), change = moments_of(s, i, change_of, false),
                      share = moments_of(s, i, share_of, true);
        const sweep_cell c = sweep_cell_at(&s->grid, i);
        if (!m.n) continue;
        sonde_table_row(t);
        put_place(s, t, &c);
        sonde_cell_float(t, m.mean);
        sonde_cell_float(t, change.mean);
        if (share.n) sonde_cell_float(t, share.mean);
        else sonde_cell_null(t);
        sonde_cell_int(t, m.n);
        if (m.n < 2) continue;
        sonde_cell_float(t, sqrt(m.squares / (double)(m.n - 1)));
        sonde_cell_float(t, sqrt(change.squares / (double)(m.n - 1)));
    }
}

static void put_runs(const sweep *s, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "runs");
    if (prompts_many(s->cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "A", SONDE_FLOAT, "");
    sonde_table_column(t, "B", SONDE_FLOAT, "");
    for (size_t p = 0; p < s->cx->n_prompts; p++) {
        const sweep_values *v = &s->prompt[p];
        sonde_table_row(t);
        if (prompts_many(s->cx)) sonde_cell_int(t, (int64_t)p);
        if (v->has_a) sonde_cell_float(t, v->a);
        else sonde_cell_null(t);
        if (v->has_b) sonde_cell_float(t, v->b);
    }
}

/* ---- the array ---- */

/* All sites have the letters of the first, as long: the answer is a block. */
static bool is_block(const sweep_grid *g) {
    const sweep_site *one = &g->site[0];
    for (size_t i = 1; i < g->n_sites; i++) {
        const sweep_site *s = &g->site[i];
        if (s->rank != one->rank || memcmp(s->axis, one->axis, (size_t)s->rank) != 0) return false;
        for (int k = 0; k < s->rank; k++)
            if (!s->part[k] != !one->part[k] || s->dim[k] != one->dim[k]) return false;
    }
    return true;
}

/* One kind of site, a layer each. */
static bool is_layers(const sweep_grid *g) {
    for (size_t i = 0; i < g->n_sites; i++) {
        if (g->site[i].layer < 0) return false;
        if (i && g->site[i].layer <= g->site[i - 1].layer) return false;
    }
    return true;
}

static void label_sites(const sweep_grid *g, sonde_array *a, int axis, bool layers) {
    char text[24];
    for (size_t i = 0; i < g->n_sites; i++) {
        snprintf(text, sizeof text, "%d", g->site[i].layer);
        sonde_array_label_text(a, axis, layers ? text : g->site[i].name);
    }
}

static void put_array(const sweep *s, sonde_result *out) {
    const sweep_grid *g = &s->grid;
    const bool layers = is_layers(g), block = is_block(g), prompts = prompts_many(s->cx);
    int64_t dim[SONDE_MAX_RANK];
    char    axes[128] = "";
    int     rank = 0;
    size_t  n = 0;
    if (prompts) {
        n += (size_t)snprintf(axes, sizeof axes, "prompt ");
        dim[rank++] = (int64_t)s->cx->n_prompts;
    }
    const int sites = rank;
    n += (size_t)snprintf(axes + n, sizeof axes - n, "%s", !block ? "cell" : layers ? "layer" : "site");
    dim[rank++] = block ? (int64_t)g->n_sites : g->n;
    for (int i = 0; block && i < g->site[0].rank; i++) {
        if (g->site[0].part[i]) continue;
        n += (size_t)snprintf(axes + n, sizeof axes - n, " %s", sweep_axis_name(g->site[0].axis[i]));
        dim[rank++] = g->site[0].dim[i];
    }
    sonde_array *a = sonde_result_array(out, "metric", axes, dim);
    if (block) label_sites(g, a, sites, layers);
    for (size_t p = 0; p < s->cx->n_prompts; p++) {
        const sweep_values *v = &s->prompt[p];
        for (int64_t i = 0; i < g->n; i++) {
            const int64_t item = (int64_t)p * g->n + i;
            if (v->state && v->state[i] == CELL_DONE) sonde_array_data(a)[item] = v->metric[i];
            else sonde_array_missing(a, item);
        }
    }
}

/* ---- views ---- */

static void put_views(const sweep *s, sonde_result *out) {
    const sweep_grid *g = &s->grid;
    const char *across[SWEEP_AXES + 1] = { NULL };
    int n = 0;
    for (const char *l = letters; *l && n < SWEEP_AXES; l++)
        if (used(g, *l)) across[n++] = sweep_axis_name(*l);
    const bool  many = prompts_many(s->cx);
    const char *of = many ? "mean" : "cells", *what = s->patches ? "share" : "change", *down = is_layers(g) ? "layer" : "site";
    const char *title = s->patches ? "Share of the way from A to B" : "Change of the metric";
    if (n > 1) sonde_result_view(out, (sonde_drawing){ SONDE_VIEW_HEATMAP, "metric", .title = "The metric of every cell" });
    else if (n == 0) sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = of, .x = down, .value = what,
                                                             .title = title });
    else sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = of, .x = across[0], .y = down, .value = what,
                                                 .title = title });
}

void sweep_put(const sweep *s, sonde_result *out) {
    put_cells(s, out);
    if (prompts_many(s->cx)) put_mean(s, out);
    put_runs(s, out);
    put_array(s, out);
    put_views(s, out);
    if (s->approximate) put_agreement(s, out);
}

void sweep_put_dry(const sweep *s, sonde_result *out) {
    sonde_table *t = cell_table(s, out, "cells", true);
    sonde_table_column(t, "edit", SONDE_TEXT, "");
    for (size_t p = 0; p < s->cx->n_prompts; p++)
        for (int64_t i = 0; s->prompt[p].state && i < s->grid.n; i++) {
            char text[1024];
            if (s->prompt[p].state[i] == CELL_ABSENT) continue;
            const sweep_cell c = sweep_cell_at(&s->grid, i);
            sweep_edit_text(&s->grid, &c, text, sizeof text);
            sonde_table_row(t);
            if (prompts_many(s->cx)) sonde_cell_int(t, (int64_t)p);
            put_place(s, t, &c);
            sonde_cell_text(t, text);
        }
    dry_cost(out, s->n_open, s->cost);
}
