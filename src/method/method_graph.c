/* The operations of a run, as the engine would execute them: nothing is run. */
#include "method.h"
#include "sonde/graph.h"
#include <inttypes.h>
#include <stdio.h>

static const param params[] = { { 0 } };

typedef struct { sonde_table *t; int64_t n; double flops, bytes; } listing;

static void put_shape(sonde_table *t, const sonde_shape *s) {
    char   text[128] = "";
    size_t used = 0;
    for (int i = 0; i < s->rank; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? " " : "", s->dim[i]);
    sonde_cell_text(t, text);
}

static void put_inputs(sonde_table *t, const sonde_operation *o) {
    char   reads[64] = "", shapes[400] = "";
    size_t a = 0, b = 0;
    for (size_t i = 0; i < o->n_in; i++) {
        if (o->from[i] >= 0) a += (size_t)snprintf(reads + a, sizeof reads - a, "%s%d", a ? " " : "", o->from[i]);
        b += (size_t)snprintf(shapes + b, sizeof shapes - b, "%s", i ? ", " : "");
        for (int k = 0; k < o->in[i].rank; k++)
            b += (size_t)snprintf(shapes + b, sizeof shapes - b, "%s%" PRId64, k ? " " : "", o->in[i].dim[k]);
    }
    sonde_cell_text(t, reads);
    sonde_cell_text(t, shapes);
}

static sonde_status put_operation(const sonde_operation *o, void *user, sonde_error *err) {
    (void)err;
    listing *l = user;
    sonde_table_row(l->t);
    sonde_cell_int(l->t, o->id);
    sonde_cell_text(l->t, o->stack);
    if (o->block < 0) sonde_cell_null(l->t);
    else sonde_cell_int(l->t, o->block);
    sonde_cell_text(l->t, o->operation);
    sonde_cell_text(l->t, o->site);
    sonde_cell_text(l->t, o->weight);
    sonde_cell_text(l->t, o->bias);
    put_inputs(l->t, o);
    put_shape(l->t, &o->out);
    sonde_cell_float(l->t, o->flops);
    sonde_cell_float(l->t, o->bytes);
    l->n++;
    l->flops += o->flops;
    l->bytes += o->bytes;
    return SONDE_OK;
}

static sonde_table *operations(sonde_result *out) {
    static const struct { const char *name, *unit; sonde_column_type type; } columns[] = {
        { "id", "", SONDE_INT }, { "stack", "", SONDE_TEXT }, { "block", "", SONDE_INT }, { "operation", "", SONDE_TEXT },
        { "site", "", SONDE_TEXT }, { "weight", "", SONDE_TEXT }, { "bias", "", SONDE_TEXT }, { "reads", "", SONDE_TEXT },
        { "in", "", SONDE_TEXT }, { "out", "", SONDE_TEXT }, { "flops", "FLOP", SONDE_FLOAT }, { "bytes", "byte", SONDE_FLOAT },
    };
    sonde_table *t = sonde_result_table(out, "operations");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(t, columns[i].name, columns[i].type, columns[i].unit);
    return t;
}

extern const method method_graph;

static sonde_status graph_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    (void)args;
    context_head(cx, &method_graph, out);
    listing l = { .t = operations(out) };
    const sonde_prompt p = context_prompt(cx, 0);
    sonde_graph_query  q = { .edits = cx->edits, .n_edits = cx->n_edits, .n = p.n };
    context_rows(cx, &p, &q.n_target);
    SONDE_TRY(sonde_graph(cx->model, q, put_operation, &l, err));
    sonde_table *t = sonde_result_table(out, "total");
    sonde_table_column(t, "operations", SONDE_INT, "");
    sonde_table_column(t, "flops", SONDE_FLOAT, "FLOP");
    sonde_table_column(t, "bytes", SONDE_FLOAT, "byte");
    sonde_table_row(t);
    sonde_cell_int(t, l.n);
    sonde_cell_float(t, l.flops);
    sonde_cell_float(t, l.bytes);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "operations", .x = "id", .value = "flops",
                                            .title = "The operations of a run, and what each costs" });
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_GRAPH, .of = "operations", .x = "id", .y = "reads", .value = "operation",
                                            .title = "What reads what" });
    return SONDE_OK;
}

const method method_graph = {
    .name = "graph",
    .summary = "the operations that run for a prompt: what each reads and makes, its site, weight, shapes and cost",
    .reference = NULL,
    .formula = "one row an operation, in the order of the run, for all positions of the prompt at once. stack: of an "
               "encoder-decoder the operation's own; the encoder's positions are the prompt's, the decoder's the target's. reads: "
               "ids of the operations whose values it reads; in, out: shapes, positions first (scores and pattern: heads "
               "first); flops: a multiply-add is two; bytes: read and written, weights as they are stored; attention counts "
               "masked entries too. A stack's relative bias is one operation, which the scores of all its layers read",
    .example = "graph \"When Mary and John went to the store, John gave a drink to\"",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS | TAKES_TWO,
    .run = graph_run,
};
