/* `sonde bench kernels`: the matrix product, beside what this machine can do. */
#include "bench_words.h"

static void share_cell(sonde_table *t, double share) {
    if (share > 0) sonde_cell_float(t, share);
    else sonde_cell_null(t);
}

typedef struct { sonde_table *table; bench_word *word; } kernel_rows;

static sonde_status add_row(const sonde_bench_row *row, void *user, sonde_error *err) {
    kernel_rows *k = user;
    bench_word  *w = k->word;
    const bool   ok = row->bar <= 0 || row->share >= row->bar;
    (void)err;
    sonde_table_row(k->table);
    sonde_cell_text(k->table, row->name);
    sonde_cell_float(k->table, row->value);
    sonde_cell_text(k->table, row->unit);
    sonde_cell_text(k->table, row->beside);
    share_cell(k->table, row->share);
    share_cell(k->table, row->best);
    share_cell(k->table, row->bar);
    share_cell(k->table, row->open);
    if (row->bar > 0) sonde_cell_bool(k->table, ok);
    else sonde_cell_null(k->table);
    sonde_cell_int(k->table, row->rounds);
    if (!ok && w->below++ == 0) w->worst = arena_printf(w->c->memory, "%s: %.0f %% of %s, expected %.0f %%", row->name,
                                                        100 * row->share, row->beside, 100 * row->bar);
    progress_show(NULL, "bench", row->done, row->all);
    return SONDE_OK;
}

sonde_status bench_kernels(bench_word *w, sonde_error *err) {
    static const struct { const char *name; sonde_column_type type; } columns[] = {
        { "case", SONDE_TEXT }, { "speed", SONDE_FLOAT }, { "unit", SONDE_TEXT }, { "beside", SONDE_TEXT },
        { "share", SONDE_FLOAT }, { "best", SONDE_FLOAT }, { "bar", SONDE_FLOAT }, { "goal", SONDE_FLOAT },
        { "ok", SONDE_BOOL }, { "rounds", SONDE_INT },
    };
    kernel_rows k = { sonde_result_table(w->result, "kernels"), w };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(k.table, columns[i].name, columns[i].type, NULL);
    return sonde_bench_kernels((sonde_bench_options){ .seconds = w->seconds, .only = w->only, .stop = stop_asked,
                                                      .row = add_row, .user = &k }, err);
}
