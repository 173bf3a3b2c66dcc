/* What the run before and the run after go on to write. */
#include "method_compare.h"
#include "room.h"

typedef struct { int32_t *id; int64_t n, most; void (*progress)(void *, const char *, int64_t, int64_t); void *user; } written;

static sonde_status take(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    written *w = user;
    if (w->n < w->most) w->id[w->n++] = g->id;
    w->progress(w->user, "tokens", w->n, w->most);
    return SONDE_OK;
}

static sonde_status put_text(comparison *c, const char *run, const written *w, sonde_error *err) {
    char  *text;
    size_t len;
    SONDE_TRY(sonde_detokenize(c->cx->model, w->id, w->n, &text, &len, err));
    char *line = room_text(text, len);          /* ends with NUL, whatever the text holds */
    sonde_table_row(c->texts);
    if (prompts_many(c->cx)) sonde_cell_int(c->texts, (int64_t)c->prompt);
    sonde_cell_text(c->texts, run);
    sonde_cell_text(c->texts, line);
    free(line);
    sonde_text_free(text);
    return SONDE_OK;
}

static sonde_status write_one(comparison *c, const char *run, const sonde_writing *from, sonde_error *err) {
    written w = { .id = ROOM(int32_t, from->sampling.n), .most = from->sampling.n, .progress = c->cx->progress,
                  .user = c->cx->progress_user };
    sonde_status s = sonde_generate(c->cx->session, from, take, &w, err);
    if (s == SONDE_OK) s = put_text(c, run, &w, err);
    free(w.id);
    return s;
}

sonde_status compare_texts(comparison *c, long n, sonde_result *out, sonde_error *err) {
    const int64_t  context = sonde_model_describe(c->cx->model)->context;
    sonde_writing  from = { .prompts = &c->base[0], .n_prompts = 1, .runs = c->runs.run, .n_runs = c->runs.n,
                            .sampling = { .n = n, .seed = c->cx->seed } };
    SONDE_FAIL_IF(c->own, err, SONDE_USAGE, "-n: a trace says nothing about what follows it, expected --edit or a run of text");
    const bool two = sonde_model_describe(c->cx->model)->encoder_layers > 0;
    SONDE_FAIL_IF(!two && (c->base[c->after_base].n + n - 1 > context || c->base[0].n + n - 1 > context), err, SONDE_USAGE,
                  "-n %ld behind a prompt of %lld tokens, the context holds %lld", n, (long long)c->base[0].n,
                  (long long)context);
    if (c->cx->dry_run) return SONDE_OK;
    if (!c->texts) {
        c->texts = sonde_result_table(out, "texts");
        if (prompts_many(c->cx)) sonde_table_column(c->texts, "prompt", SONDE_INT, "");
        sonde_table_column(c->texts, "run", SONDE_TEXT, "");
        sonde_table_column(c->texts, "text", SONDE_TEXT, "");
    }
    SONDE_TRY(write_one(c, "before", &from, err));
    from.prompts = &c->base[c->after_base];
    from.edits = c->edits;
    from.n_edits = c->n_edits;
    return write_one(c, "after", &from, err);
}
