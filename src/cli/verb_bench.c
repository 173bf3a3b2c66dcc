/* How fast this machine's kernels are, beside what the machine can do. */
#include "cli.h"
#include "base/text.h"
#include <string.h>

enum { BENCH_WHAT, BENCH_BAR, BENCH_ISA, BENCH_SECONDS };

static const param params[] = {
    [BENCH_WHAT]    = { "what", PARAM_TEXT, "kernels", 0, 0, "kernels" },
    [BENCH_BAR]     = { "bar", PARAM_FLAG, "", 0, 0,
                        "exit 1 where a product has less than 60 % of the FMA peak, or 70 % of the memory's speed" },
    [BENCH_ISA]     = { "isa", PARAM_FLAG, "", 0, 0, "list the instruction sets and whether this machine has them" },
    [BENCH_SECONDS] = { "seconds", PARAM_REAL, "8", 0.1, 3600, "how long to measure, about" },
    { 0 },
};

typedef struct { sonde_table *table; bool bar; size_t below; const char *worst; arena *memory; } bench;

static sonde_status add_row(const sonde_bench_row *row, void *user, sonde_error *err) {
    bench *b = user;
    const double least = !strcmp(row->unit, "GB/s") ? 0.70 : 0.60;
    const bool compared = row->share > 0 && *row->beside;
    const bool ok = !compared || row->share >= least;
    sonde_table_row(b->table);
    sonde_cell_text(b->table, row->name);
    sonde_cell_float(b->table, row->value);
    sonde_cell_text(b->table, row->unit);
    sonde_cell_text(b->table, compared ? row->beside : NULL);
    if (compared) sonde_cell_float(b->table, row->share);
    else sonde_cell_null(b->table);
    if (compared) sonde_cell_bool(b->table, ok);
    else sonde_cell_null(b->table);
    if (!ok && b->below++ == 0) b->worst = arena_printf(b->memory, "%s: %.0f %%, expected %.0f %%", row->name,
                                                         100 * row->share, 100 * least);
    SONDE_FAIL_IF(stop_asked(NULL), err, SONDE_CANCELLED, "interrupted");
    return SONDE_OK;
}

static sonde_status run_kernels(command *c, sonde_result *r, sonde_error *err) {
    bench b = { .table = sonde_result_table(r, "kernels"), .memory = c->memory };
    sonde_table_column(b.table, "kernel", SONDE_TEXT, NULL);
    sonde_table_column(b.table, "speed", SONDE_FLOAT, NULL);
    sonde_table_column(b.table, "unit", SONDE_TEXT, NULL);
    sonde_table_column(b.table, "beside", SONDE_TEXT, NULL);
    sonde_table_column(b.table, "share", SONDE_FLOAT, NULL);
    sonde_table_column(b.table, "ok", SONDE_BOOL, NULL);
    const sonde_status s = sonde_bench_kernels(c->args[BENCH_SECONDS].real, add_row, &b, err);
    if (s != SONDE_OK || !c->args[BENCH_BAR].i || !b.below) return s;
    return sonde_fail(err, SONDE_DIFFERS, "bench: %zu below the bar, the first is %s", b.below, b.worst);
}

static void list_isa(sonde_result *r) {
    sonde_table *t = sonde_result_table(r, "isa");
    bool usable;
    sonde_table_column(t, "isa", SONDE_TEXT, NULL);
    sonde_table_column(t, "usable", SONDE_BOOL, NULL);
    sonde_table_column(t, "chosen", SONDE_BOOL, NULL);
    for (size_t i = 0; sonde_isa_at(i, &usable); i++) {
        const char *name = sonde_isa_at(i, &usable);
        sonde_table_row(t);
        sonde_cell_text(t, name);
        sonde_cell_bool(t, usable);
        sonde_cell_bool(t, !strcmp(name, sonde_isa_name()));
    }
}

static sonde_status run(command *c, sonde_error *err) {
    const char *what = c->args[BENCH_WHAT].text;
    SONDE_FAIL_IF(strcmp(what, "kernels") != 0, err, SONDE_USAGE, "bench: nothing is called %s, expected kernels",
                  name_shown(what).text);
    SONDE_TRY(output_check(c, err));
    stop_listen();
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, "bench");
    sonde_status s = SONDE_OK;
    if (c->args[BENCH_ISA].i) list_isa(r);
    else if (!option_given(c, OPTION_DRY_RUN)) s = run_kernels(c, r, err);
    sonde_error why = { 0 };
    const sonde_status written = output_write(c, r, &why);
    sonde_result_free(r);
    if (written == SONDE_OK || s != SONDE_OK) return s;
    return sonde_fail(err, written, "%s", why.message);
}

extern const verb verb_bench;
const verb verb_bench = {
    .about = { .name = "bench", .summary = "how fast the inner loops are on this machine, beside its peak",
               .formula = "speed: GFLOP/s (10^9 additions and multiplications a second) or GB/s (10^9 bytes of weights a "
                          "second), one thread, processor time. share: of a loop of fma in registers, or of a loop that "
                          "only reads the same bytes; medians of alternating pairs",
               .example = "bench --isa", .params = params, .takes = MAKES_RESULT },
    .words = 1, .run = run,
};
