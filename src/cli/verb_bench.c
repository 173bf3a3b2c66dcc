/* How fast this machine's kernels are, beside what the machine can do. */
#include "cli.h"
#include "base/text.h"
#include <string.h>

enum { BENCH_WHAT, BENCH_ONLY, BENCH_BAR, BENCH_ISA, BENCH_SECONDS };

static const param params[] = {
    [BENCH_WHAT]    = { "what", PARAM_TEXT, "kernels", 0, 0, "kernels: the matrix product" },
    [BENCH_ONLY]    = { "only", PARAM_TEXT, "", 0, 0, "only rows whose name has this in it: \"Q8_0\", \"1 row,\", \"two cores\"" },
    [BENCH_BAR]     = { "bar", PARAM_FLAG, "", 0, 0, "exit 1 where a share is below the bar of its row" },
    [BENCH_ISA]     = { "isa", PARAM_FLAG, "", 0, 0, "list the instruction sets and whether this machine has them" },
    [BENCH_SECONDS] = { "seconds", PARAM_REAL, "60", 0.1, 3600, "how long to measure, about" },
    { 0 },
};

typedef struct { sonde_table *table; size_t below; const char *worst; arena *memory; } bench;

static void share_cell(sonde_table *t, double share) {
    if (share > 0) sonde_cell_float(t, share);
    else sonde_cell_null(t);
}

static sonde_status add_row(const sonde_bench_row *row, void *user, sonde_error *err) {
    bench *b = user;
    const bool ok = row->share >= row->bar;
    (void)err;
    sonde_table_row(b->table);
    sonde_cell_text(b->table, row->name);
    sonde_cell_float(b->table, row->value);
    sonde_cell_text(b->table, row->unit);
    sonde_cell_text(b->table, row->beside);
    share_cell(b->table, row->share);
    share_cell(b->table, row->best);
    share_cell(b->table, row->bar);
    share_cell(b->table, row->open);
    if (row->bar > 0) sonde_cell_bool(b->table, ok);
    else sonde_cell_null(b->table);
    sonde_cell_int(b->table, row->rounds);
    if (!ok && b->below++ == 0) b->worst = arena_printf(b->memory, "%s: %.0f %% of %s, expected %.0f %%", row->name,
                                                         100 * row->share, row->beside, 100 * row->bar);
    progress_show(NULL, "bench", row->done, row->all);
    return SONDE_OK;
}

static sonde_status run_kernels(command *c, sonde_result *r, sonde_error *err) {
    static const struct { const char *name; sonde_column_type type; } columns[] = {
        { "case", SONDE_TEXT }, { "speed", SONDE_FLOAT }, { "unit", SONDE_TEXT }, { "beside", SONDE_TEXT },
        { "share", SONDE_FLOAT }, { "best", SONDE_FLOAT }, { "bar", SONDE_FLOAT }, { "goal", SONDE_FLOAT },
        { "ok", SONDE_BOOL }, { "rounds", SONDE_INT },
    };
    bench b = { .table = sonde_result_table(r, "kernels"), .memory = c->memory };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(b.table, columns[i].name, columns[i].type, NULL);
    const char *only = c->args[BENCH_ONLY].text;
    SONDE_TRY(sonde_bench_kernels((sonde_bench_options){ .seconds = c->args[BENCH_SECONDS].real, .only = *only ? only : NULL,
                                                         .stop = stop_asked, .row = add_row, .user = &b }, err));
    SONDE_FAIL_IF(c->args[BENCH_BAR].i && b.below, err, SONDE_DIFFERS, "bench: %zu below the bar, the first is %s", b.below,
                  b.worst);
    return SONDE_OK;
}

/* What may be measured, by the word that asks for it. */
static const struct { const char *word; sonde_status (*run)(command *c, sonde_result *r, sonde_error *err); } parts[] = {
    { "kernels", run_kernels },
};
enum { PARTS = sizeof parts / sizeof *parts };

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
    size_t      part = 0;
    while (part < PARTS && strcmp(what, parts[part].word)) part++;
    SONDE_FAIL_IF(part == PARTS, err, SONDE_USAGE, "bench: nothing is called %s, expected kernels", name_shown(what).text);
    SONDE_TRY(output_check(c, err));
    stop_listen();
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, "bench");
    sonde_status s = SONDE_OK;
    progress_begin(option_given(c, OPTION_QUIET));
    if (c->args[BENCH_ISA].i) list_isa(r);
    else if (!option_given(c, OPTION_DRY_RUN)) s = parts[part].run(c, r, err);
    progress_end();
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
                          "second), one thread, processor time; of two cores, how many times faster than one. share: of what it "
                          "stands beside, which runs in turn with it: a loop of fma in registers, a loop that only reads the "
                          "same weights, the product by float32 weights; median of the rounds, and the best",
               .example = "bench --isa", .params = params, .takes = MAKES_RESULT },
    .words = 1, .run = run,
};
