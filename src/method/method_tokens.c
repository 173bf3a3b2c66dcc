/* The tokens of a text, as the model reads it. */
#include "method.h"

static const param params[] = { { 0 } };

extern const method method_tokens;

static sonde_status tokens_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    (void)args;
    (void)err;
    context_head(cx, &method_tokens, out);
    sonde_table *t = sonde_result_table(out, "tokens");
    if (cx->batch) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "id", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "start", SONDE_INT, "byte");
    sonde_table_column(t, "end", SONDE_INT, "byte");
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const sonde_tokens *x = &cx->prompts[i].tokens;
        for (int64_t k = 0; k < x->n; k++) {
            sonde_table_row(t);
            if (cx->batch) sonde_cell_int(t, (int64_t)i);
            sonde_cell_int(t, k);
            sonde_cell_int(t, x->id[k]);
            sonde_cell_token(t, context_token(cx, x->id[k]));
            if (!x->start || x->start[k] < 0) continue;
            sonde_cell_int(t, x->start[k]);
            sonde_cell_int(t, x->end[k]);
        }
    }
    return SONDE_OK;
}

const method method_tokens = {
    .name = "tokens",
    .summary = "the tokens of a text: ids, texts, and which bytes each stands for",
    .reference = NULL,
    .formula = "position: counted from 0; id: in the vocabulary; token: its bytes as text; start, end: the bytes of the prompt "
               "that it stands for, end not included (none for a token that was put in front)",
    .example = "tokens \"When Mary and John went to the store, John gave a drink to\"",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS,
    .run = tokens_run,
};
