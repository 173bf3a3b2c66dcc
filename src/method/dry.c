#include "dry.h"
#include <inttypes.h>
#include <stdio.h>

void dry_cost(sonde_result *out, int64_t runs, sonde_cost cost) {
    sonde_table *t = sonde_result_table(out, "cost");
    sonde_table_column(t, "runs", SONDE_INT, "");
    sonde_table_column(t, "rows", SONDE_INT, "position");
    sonde_table_column(t, "flops", SONDE_FLOAT, "FLOP");
    sonde_table_column(t, "bytes", SONDE_INT, "byte");
    sonde_table_row(t);
    sonde_cell_int(t, runs);
    sonde_cell_int(t, cost.rows);
    sonde_cell_float(t, cost.flops);
    sonde_cell_int(t, cost.bytes);
}

sonde_table *dry_sites(sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "sites");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "axes", SONDE_TEXT, "");
    sonde_table_column(t, "shape", SONDE_TEXT, "");
    return t;
}

void dry_site(sonde_table *t, const sonde_site *s) {
    char   shape[128] = "";
    size_t used = 0;
    for (int i = 0; i < s->rank && used < sizeof shape; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRId64, i ? " " : "", s->dim[i]);
    sonde_table_row(t);
    sonde_cell_text(t, s->name);
    sonde_cell_text(t, s->axes);
    sonde_cell_text(t, shape);
}
