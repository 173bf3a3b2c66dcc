/* How fast this machine's kernels are, beside what the machine can do, and what runs, looks and sweeps of a model take. */
#include "bench_words.h"
#include "base/text.h"
#include <string.h>

enum { BENCH_WHAT, BENCH_ONLY, BENCH_BAR, BENCH_ISA, BENCH_SECONDS, BENCH_LENGTH };

static const param params[] = {
    [BENCH_WHAT]    = { "what", PARAM_TEXT, "all", 0, 0,
                        "kernels: the matrix product; run: a model's prompts and tokens; looking: traces, single sites, the lens; "
                        "sweeps: patched runs; all" },
    [BENCH_ONLY]    = { "only", PARAM_TEXT, "", 0, 0,
                        "of kernels only rows whose name has this in it: \"Q8_0\", \"1 row,\", \"2 cores\"" },
    [BENCH_BAR]     = { "bar", PARAM_FLAG, "", 0, 0, "exit 1 where a row misses its bar" },
    [BENCH_ISA]     = { "isa", PARAM_FLAG, "", 0, 0, "list the instruction sets and whether this machine has them" },
    [BENCH_SECONDS] = { "seconds", PARAM_REAL, "60", 0.1, 3600, "how long to measure, about" },
    [BENCH_LENGTH]  = { "length", PARAM_INT, "", 2, 1e6,
                        "tokens of the prompts (default: run 512, looking 256, sweeps 15, or what the context holds)" },
    { 0 },
};

/* What may be measured, by the word that asks for it, and its part of the time where all is. */
static const struct { const char *word; double share; sonde_status (*run)(bench_word *w, sonde_error *err); } parts[] = {
    { "kernels", 0.4, bench_kernels },
    { "run", 0.2, bench_run },
    { "looking", 0.2, bench_looking },
    { "sweeps", 0.2, bench_sweeps },
};
enum { PARTS = sizeof parts / sizeof *parts };

static void bench_tables(bench_word *w, const char *word) {
    static const struct { const char *name; sonde_column_type type; bool bars; } columns[] = {
        { "case", SONDE_TEXT }, { "value", SONDE_FLOAT }, { "unit", SONDE_TEXT }, { "beside", SONDE_TEXT },
        { "share", SONDE_FLOAT }, { "ok", SONDE_BOOL },
        { "case", SONDE_TEXT, true }, { "best", SONDE_FLOAT, true }, { "bar", SONDE_FLOAT, true },
        { "goal", SONDE_FLOAT, true }, { "rounds", SONDE_INT, true },
    };
    w->table = sonde_result_table(w->result, word);
    w->bars  = sonde_result_table(w->result, arena_printf(w->c->memory, "%s_bars", word));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(columns[i].bars ? w->bars : w->table, columns[i].name, columns[i].type, NULL);
}

static void cell_above(sonde_table *t, double figure) {
    if (figure > 0) sonde_cell_float(t, figure);
    else sonde_cell_null(t);
}

void bench_put_line(bench_word *w, const bench_line *line) {
    const bool ok = line->bar <= 0 || (line->least ? line->share <= line->bar : line->share >= line->bar);
    sonde_table_row(w->table);
    sonde_cell_text(w->table, line->name);
    sonde_cell_float(w->table, line->value);
    sonde_cell_text(w->table, line->unit);
    sonde_cell_text(w->table, line->beside);
    cell_above(w->table, line->share);
    if (line->bar > 0) sonde_cell_bool(w->table, ok);
    else sonde_cell_null(w->table);
    sonde_table_row(w->bars);
    sonde_cell_text(w->bars, line->name);
    cell_above(w->bars, line->best);
    cell_above(w->bars, line->bar);
    cell_above(w->bars, line->goal);
    sonde_cell_int(w->bars, line->rounds);
    if (!ok && w->below++ == 0)
        w->worst = arena_printf(w->c->memory, "%s: %.2f of %s, expected %s %.2f", line->name, line->share, line->beside,
                                line->least ? "at most" : "at least", line->bar);
}

static bool is_asked(const char *what, size_t i) { return !strcmp(what, "all") || !strcmp(what, parts[i].word); }

static sonde_status run_parts(command *c, sonde_result *r, sonde_error *err) {
    const char *what = c->args[BENCH_WHAT].text;
    const char *only = c->args[BENCH_ONLY].text;
    bench_word  w = { .c = c, .result = r, .length = c->args[BENCH_LENGTH].i, .only = *only ? only : NULL };
    for (size_t i = 0; i < PARTS; i++) {
        if (!is_asked(what, i)) continue;
        bench_tables(&w, parts[i].word);
        w.seconds = c->args[BENCH_SECONDS].real * (strcmp(what, "all") ? 1 : parts[i].share);
        progress_begin(option_given(c, OPTION_QUIET));
        const sonde_status s = parts[i].run(&w, err);
        progress_end();
        if (s != SONDE_OK) return s;
    }
    SONDE_FAIL_IF(c->args[BENCH_BAR].i && w.below, err, SONDE_DIFFERS, "bench: %zu miss their bar, the first is %s", w.below,
                  w.worst);
    return SONDE_OK;
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
    bool known = false;
    for (size_t i = 0; i < PARTS; i++) known = known || is_asked(what, i);
    SONDE_FAIL_IF(!known, err, SONDE_USAGE, "bench: nothing is called %s, expected kernels, run, looking, sweeps or all",
                  name_shown(what).text);
    SONDE_TRY(output_check(c, err));
    stop_listen();
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, "bench");
    sonde_status s = SONDE_OK;
    if (c->args[BENCH_ISA].i) list_isa(r);
    else if (!option_given(c, OPTION_DRY_RUN)) s = run_parts(c, r, err);
    sonde_error why = { 0 };
    const bool whole = s == SONDE_OK || s == SONDE_DIFFERS || s == SONDE_CANCELLED;
    const sonde_status written = whole ? output_write(c, r, &why) : s;
    sonde_result_free(r);
    if (written == SONDE_OK || s != SONDE_OK) return s;
    return sonde_fail(err, written, "%s", why.message);
}

extern const verb verb_bench;
const verb verb_bench = {
    .about = { .name = "bench", .summary = "how fast this machine's kernels are, and runs, looks and sweeps of a model",
               .formula = "GFLOP/s: 10^9 additions and multiplications a second; GB/s: 10^9 bytes of weights a second; x: how many "
                          "times faster two cores are than one. kernels: one thread, processor time. share: of what it "
                          "stands beside, which runs in turn with it: a loop of fma in registers, a loop that only reads the same "
                          "weights, the product by float32 weights; of looking, times the plain run, which computes the last position's logits "
                          "(trace: less writing the same bytes), or times the lens's products; of sweeps, how many times more "
                          "cells than whole runs a second. Medians of rounds in which all take turns; best: the best round; goal: "
                          "what is aimed at behind the bar",
               .example = "bench --isa", .params = params, .takes = MAKES_RESULT | NEEDS_MODEL },
    .words = 1, .run = run,
};
