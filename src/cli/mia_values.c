/* Values of the prompt's run: through the lens (--ll), and into files (--save). */
#include "mia.h"
#include "base/file.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LENS_ROWS = 64 };        /* rows of logits at once */

/* ---- what is needed ---- */

/* Where the site is kept; it is added once, whoever asks for it. */
static size_t keep(mia *m, const mia_value *v) {
    for (size_t i = 0; i < m->n_values; i++)
        if (!strcmp(m->value[i].name, v->name)) return i;
    m->value = arena_grow(m->c->memory, m->value, (m->n_values + 1) * sizeof *m->value);
    m->value[m->n_values] = *v;
    return m->n_values++;
}

static bool is_residual(const mia *m, const mia_value *v) {
    return v->rank >= 2 && v->axes[0] == 't' && v->axes[2 * (v->rank - 1)] == 'd' && v->dim[v->rank - 1] == m->info->d;
}

static sonde_status plan_lens(mia *m, const char *name, const char *k_text, sonde_error *err) {
    mia_sites sites;
    int64_t   k;
    const bool all = !strcmp(name, "all");
    SONDE_TRY(mia_number("ll", k_text, &k, err));
    SONDE_FAIL_IF(k < 1, err, SONDE_USAGE, "ll: K is 0, expected 1 or more");
    SONDE_TRY(mia_sites_of(m, "ll", all ? "**" : name, &sites, err));
    m->lens = arena_grow(m->c->memory, m->lens, (m->n_lens + sites.n) * sizeof *m->lens);
    for (size_t i = 0; i < sites.n; i++) {
        const mia_value *v = &sites.at[i];
        if (all && !is_residual(m, v)) continue;
        SONDE_FAIL_IF(!is_residual(m, v), err, SONDE_USAGE,
                      "ll: rows of %s have %lld numbers (axes %s), the lens reads residual ones of %lld", v->graph_name,
                      (long long)v->dim[v->rank - 1], v->axes, (long long)m->info->d);
        m->lens[m->n_lens++] = (mia_lens){ keep(m, v), k };
    }
    return SONDE_OK;
}

static const char *ending_of(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && !strchr(dot, '/') ? dot : "";
}

static bool is_safetensors(const char *path) { return !strcasecmp(ending_of(path), ".safetensors"); }

static sonde_status plan_save(mia *m, const char *name, const char *path, sonde_error *err) {
    mia_sites sites;
    SONDE_FAIL_IF(!*path, err, SONDE_USAGE, "save: \"\", expected the name of a file");
    for (size_t i = 0; i < m->n_saves; i++)
        SONDE_FAIL_IF(!strcmp(m->save[i].path, path), err, SONDE_USAGE, "save: %s is there twice", name_shown(path).text);
    SONDE_TRY(mia_sites_of(m, "save", name, &sites, err));
    SONDE_FAIL_IF(sites.n > 1 && !is_safetensors(path), err, SONDE_USAGE,
                  "save: \"%s\" is %zu values, %s to %s; expected one of them, or a file that ends in .safetensors",
                  name_shown(name).text, sites.n, sites.at[0].graph_name, sites.at[sites.n - 1].graph_name);
    mia_save *s = &m->save[m->n_saves++];
    *s = (mia_save){ .path = path, .value = arena_new_array(m->c->memory, size_t, sites.n), .n = sites.n };
    for (size_t i = 0; i < sites.n; i++) s->value[i] = keep(m, &sites.at[i]);
    return SONDE_OK;
}

sonde_status mia_values_plan(mia *m, sonde_error *err) {
    const value *lens = &m->c->args[MIA_LENS], *save = &m->c->args[MIA_SAVE];
    m->save = arena_new_array(m->c->memory, mia_save, save->n + 1);
    for (size_t i = 0; i < lens->n; i += LENS_WORDS) SONDE_TRY(plan_lens(m, lens->list[i], lens->list[i + 1], err));
    for (size_t i = 0; i < save->n; i += SAVE_WORDS) SONDE_TRY(plan_save(m, save->list[i], save->list[i + 1], err));
    return SONDE_OK;
}

/* ---- the lens ---- */

typedef struct { mia *m; sonde_table *table; const mia_value *site; int64_t k; int32_t *top; } reading;

static const char *row_name(const reading *r, int64_t row) {
    const int64_t each = mia_row_size(r->site) / r->m->info->d;     /* heads */
    arena *a = r->m->c->memory;
    return each == 1 ? arena_printf(a, "%lld", (long long)row)
                     : arena_printf(a, "%lld.%lld", (long long)(row / each), (long long)(row % each));
}

static void put_row(const reading *r, int64_t row, const float *logits) {
    const size_t n = sonde_logits_top(logits, r->m->info->vocab, (size_t)r->k, r->top);
    const char  *name = row_name(r, row);
    if (r->m->plain) printf("%s:", name);
    for (size_t i = 0; i < n; i++) {
        const double score = logits[r->top[i]];
        if (r->m->plain) printf("%s%s %.2f", i ? "|" : " ", mia_piece_of(r->m, r->top[i]).text, score);
        sonde_table_row(r->table);
        sonde_cell_text(r->table, r->site->graph_name);
        sonde_cell_text(r->table, name);
        sonde_cell_int(r->table, (int64_t)i + 1);
        sonde_cell_token(r->table, context_token(&r->m->cx, r->top[i]));
        sonde_cell_float(r->table, score);
    }
    if (r->m->plain) putchar('\n');
}

static sonde_status read_value(reading *r, float *logits, sonde_error *err) {
    const int64_t d = r->m->info->d, rows = r->site->n / d;
    if (r->m->plain) printf("unembed LN %lld %s:\n", (long long)rows, r->site->graph_name);
    for (int64_t first = 0; first < rows; first += LENS_ROWS) {
        const int64_t n = rows - first < LENS_ROWS ? rows - first : LENS_ROWS;
        SONDE_TRY(sonde_session_unembed(r->m->o->session, r->site->data + first * d, n, logits, err));
        for (int64_t i = 0; i < n; i++) put_row(r, first + i, logits + i * r->m->info->vocab);
    }
    return SONDE_OK;
}

sonde_status mia_lens_put(mia *m, sonde_error *err) {
    static const struct { const char *name; sonde_column_type type; } columns[] = {
        { "tensor", SONDE_TEXT }, { "row", SONDE_TEXT }, { "rank", SONDE_INT }, { "token", SONDE_TOKEN }, { "logit", SONDE_FLOAT },
    };
    if (!m->n_lens) return SONDE_OK;
    reading r = { .m = m, .table = sonde_result_table(m->o->result, "lens") };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(r.table, columns[i].name, columns[i].type, NULL);
    float *logits = malloc((size_t)(LENS_ROWS * m->info->vocab) * sizeof *logits);
    r.top = malloc((size_t)m->info->vocab * sizeof *r.top);
    sonde_status s = logits && r.top ? SONDE_OK : sonde_fail(err, SONDE_NOMEM, "ll: no memory for %d rows of logits", LENS_ROWS);
    for (size_t i = 0; i < m->n_lens && s == SONDE_OK; i++) {
        r.site = &m->value[m->lens[i].value];
        r.k = m->lens[i].k;
        s = read_value(&r, logits, err);
    }
    free(r.top);
    free(logits);
    return s;
}

/* ---- files ---- */

static sonde_array_spec spec_of(const mia_value *v) {
    sonde_array_spec s = { .name = v->name, .dtype = "F32", .rank = v->rank };
    for (int i = 0; i < v->rank; i++) s.dim[i] = v->dim[i];
    return s;
}

static sonde_status save_raw(const mia_value *v, const char *path, sonde_error *err) {
    file_out f = { 0 };
    SONDE_TRY(file_out_open(&f, path, err));
    const sonde_status s = file_out_write(&f, v->data, (size_t)v->n * sizeof *v->data, err);
    if (s == SONDE_OK) return file_out_commit(&f, err);
    file_out_drop(&f);
    return s;
}

static sonde_status save_all(const mia *m, const mia_save *save, sonde_error *err) {
    sonde_array_spec *specs = arena_new_array(m->c->memory, sonde_array_spec, save->n);
    for (size_t i = 0; i < save->n; i++) specs[i] = spec_of(&m->value[save->value[i]]);
    sonde_array_writer *w = NULL;
    SONDE_TRY(sonde_array_writer_open(&w, save->path, (sonde_array_list){ .specs = specs, .n = save->n }, err));
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < save->n && s == SONDE_OK; i++) {
        const mia_value *v = &m->value[save->value[i]];
        s = sonde_array_write(w, i, 0, v->data, v->n, err);
    }
    if (s == SONDE_OK) return sonde_array_writer_close(w, err);
    sonde_array_writer_drop(w);
    return s;
}

sonde_status mia_save_files(const mia *m, sonde_error *err) {
    for (size_t i = 0; i < m->n_saves; i++) {
        const mia_save  *save = &m->save[i];
        const mia_value *v = &m->value[save->value[0]];
        const sonde_array_spec spec = spec_of(v);
        if (is_safetensors(save->path)) SONDE_TRY(save_all(m, save, err));
        else if (!strcasecmp(ending_of(save->path), ".npy")) SONDE_TRY(sonde_npy_write(save->path, &spec, v->data, err));
        else SONDE_TRY(save_raw(v, save->path, err));
    }
    return SONDE_OK;
}
