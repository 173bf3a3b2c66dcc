/* What a file of finished work holds: its experiments, the answer of one, or its cells. */
#include "method.h"
#include "room.h"
#include <inttypes.h>

enum { RESULTS_FILE, RESULTS_SHOW, RESULTS_CELLS };

static const param params[] = {
    [RESULTS_FILE] = { "kept", PARAM_TEXT, NULL, 0, 0, "the file, as --results of another verb named it" },
    [RESULTS_SHOW] = { "show", PARAM_INT, "0", 0, 1e15, "the finished answer of this experiment, as the verb itself gave it" },
    [RESULTS_CELLS] = { "cells", PARAM_INT, "0", 0, 1e15, "the numbers of every cell of this experiment" },
    { 0 },
};

typedef struct { sonde_result *out; sonde_table *table; int64_t wanted; bool found; } listing;

static char *one_line(const char *params_text) {
    char *text = room_text(params_text, strlen(params_text));
    size_t n = strlen(text);
    while (n && text[n - 1] == '\n') text[--n] = 0;
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' ';
    return text;
}

static sonde_status put_experiment(const sonde_experiment_info *e, void *user, sonde_error *err) {
    (void)err;
    sonde_table *t = ((listing *)user)->table;
    char *text = one_line(e->params);
    sonde_table_row(t);
    sonde_cell_int(t, e->id);
    sonde_cell_text(t, e->method);
    sonde_cell_text(t, e->model);
    sonde_cell_text(t, e->model_hash);
    sonde_cell_int(t, e->documents);
    sonde_cell_int(t, e->cells);
    sonde_cell_int(t, e->bytes);
    sonde_cell_text(t, e->begun);
    sonde_cell_text(t, e->finished);
    sonde_cell_text(t, e->sonde);
    sonde_cell_text(t, text);
    free(text);
    return SONDE_OK;
}

static sonde_status list(const char *path, sonde_result *out, sonde_error *err) {
    static const struct { const char *name; sonde_column_type type; const char *unit; } columns[] = {
        { "experiment", SONDE_INT, "" }, { "method", SONDE_TEXT, "" }, { "model", SONDE_TEXT, "" }, { "hash", SONDE_TEXT, "" },
        { "documents", SONDE_INT, "" }, { "cells", SONDE_INT, "" }, { "bytes", SONDE_INT, "byte" }, { "begun", SONDE_TEXT, "" },
        { "finished", SONDE_TEXT, "" }, { "sonde", SONDE_TEXT, "" }, { "params", SONDE_TEXT, "" },
    };
    listing l = { .out = out, .table = sonde_result_table(out, "experiments") };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(l.table, columns[i].name, columns[i].type, columns[i].unit);
    return sonde_cells_list(path, put_experiment, &l, err);
}

static sonde_status show_one(const sonde_experiment_info *e, void *user, sonde_error *err) {
    listing *l = user;
    if (e->id != l->wanted) return SONDE_OK;
    l->found = true;
    SONDE_FAIL_IF(!e->result, err, SONDE_USAGE,
                  "experiment %" PRId64 " is not finished (%" PRId64 " cells): run its %s again, it goes on, or look with --cells",
                  e->id, e->cells, e->method);
    return sonde_result_read(l->out, e->result, e->result_len, err);
}

static sonde_status find_one(const sonde_experiment_info *e, void *user, sonde_error *err) {
    (void)err;
    listing *l = user;
    l->found |= e->id == l->wanted;
    return SONDE_OK;
}

static sonde_status put_cell(const sonde_cell_info *c, void *user, sonde_error *err) {
    (void)err;
    sonde_table *t = ((listing *)user)->table;
    for (size_t i = 0; i < c->n; i++) {
        sonde_table_row(t);
        sonde_cell_text(t, c->document);
        sonde_cell_text(t, c->cell);
        sonde_cell_int(t, (int64_t)i);
        sonde_cell_float(t, c->x[i]);
    }
    return SONDE_OK;
}

static sonde_status cells(const char *path, listing *l, sonde_error *err) {
    SONDE_TRY(sonde_cells_list(path, find_one, l, err));
    if (!l->found) return SONDE_OK;
    sonde_table *t = l->table = sonde_result_table(l->out, "cells");
    sonde_table_column(t, "document", SONDE_TEXT, "");
    sonde_table_column(t, "cell", SONDE_TEXT, "");
    sonde_table_column(t, "number", SONDE_INT, "");
    sonde_table_column(t, "value", SONDE_FLOAT, "");
    return sonde_cells_each(path, l->wanted, put_cell, l, err);
}

extern const method method_results;

static sonde_status results(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const char *path = args[RESULTS_FILE].text;
    const long  show = args[RESULTS_SHOW].i, each = args[RESULTS_CELLS].i;
    SONDE_FAIL_IF(show && each, err, SONDE_USAGE, "found --show and --cells, expected one of them");
    if (!show || cx->dry_run) context_head(cx, &method_results, out);
    if (cx->dry_run || (!show && !each)) return list(path, out, err);
    listing l = { .out = out, .wanted = show ? show : each };
    SONDE_TRY(show ? sonde_cells_list(path, show_one, &l, err) : cells(path, &l, err));
    SONDE_FAIL_IF(!l.found, err, SONDE_USAGE, "experiment %" PRId64 " is not in %s: \"sonde results\" lists what is", l.wanted, path);
    return SONDE_OK;
}

const method method_results = {
    .name = "results",
    .summary = "what a file of finished work holds: lists it, shows, exports and draws the answer of an experiment",
    .formula = "experiment: a model, a verb and its parameters; documents and cells: how many pieces of it are finished; "
               "finished: when its answer was whole (nothing: it was interrupted, and running the same command goes on)",
    .example = "results sonde-results.sqlite",
    .params = params,
    .takes = 0,
    .run = results,
};
