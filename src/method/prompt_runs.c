#include "prompt_runs.h"
#include "room.h"
#include <stdio.h>

sonde_status prompt_runs_open(prompt_runs *r, const sonde_context *cx, size_t prompt, sonde_error *err) {
    const char *b = cx->prompts[prompt].b;
    *r = (prompt_runs){ .run = ROOM(sonde_named_run, cx->n_runs + 1) };
    for (size_t i = 0; i < cx->n_runs; i++)
        if (!b || strcmp(cx->runs[i].name, "B") != 0) r->run[r->n++] = cx->runs[i];
    if (!b) return SONDE_OK;
    const method_prompt *p = &cx->prompts[prompt];
    sonde_token_options  how = cx->tokenize;
    how.pair = p->b_pair ? p->b_pair : p->pair;
    how.pair_len = p->b_pair ? strlen(p->b_pair) : p->pair_len;
    const sonde_status s = sonde_tokenize(cx->model, b, strlen(b), how, &r->b, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "run B of prompt %zu", prompt);
    r->run[r->n] = (sonde_named_run){ .name = "B", .prompt = context_prompt(cx, prompt) };      /* of the same target */
    r->run[r->n].prompt.tokens = r->b.id;
    r->run[r->n].prompt.types = r->b.type;
    r->run[r->n++].prompt.n = r->b.n;
    return SONDE_OK;
}

void prompt_runs_close(prompt_runs *r) {
    sonde_tokens_free(&r->b);
    free(r->run);
    *r = (prompt_runs){ 0 };
}

const sonde_named_run *prompt_runs_find(const prompt_runs *r, const char *name) {
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->run[i].name, name)) return &r->run[i];
    return NULL;
}

const sonde_named_run *prompt_runs_other(const prompt_runs *r) {
    const sonde_named_run *only = prompt_runs_find(r, "B");
    for (size_t i = 0, others = 0; i < r->n && !prompt_runs_find(r, "B"); i++)
        if (strcmp(r->run[i].name, "reference") != 0) only = others++ ? NULL : &r->run[i];
    return only;
}

int64_t prompt_runs_length(const sonde_context *cx, const sonde_named_run *run) {
    int64_t n;
    if (!run->values) context_rows(cx, &run->prompt, &n);
    else if (!sonde_capture_target(run->values, &n)) n = sonde_capture_length(run->values);
    return n;
}

bool metric_reads_a(const sonde_metric *m) {
    const char *run;
    for (size_t i = 0; (run = sonde_metric_run(m, i)); i++)
        if (!strcmp(run, "A")) return true;
    return false;
}

sonde_status prompt_runs_stand_in(const sonde_model *m, const sonde_named_run *b, sonde_edit **out, sonde_error *err) {
    char text[256];
    const char *site = sonde_model_describe(m)->answers;
    snprintf(text, sizeof text, "patch:%s=%s", site ? site : "unembed.hook_out", b->name);
    return sonde_edit_parse(out, m, text, NULL, err);
}
