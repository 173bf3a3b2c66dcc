#include "method.h"
#include "room.h"
#include <math.h>
#include <string.h>

#define METHOD(name) extern const method method_##name;
#include "methods.def"
#undef METHOD

const method *const method_table[] = {
#define METHOD(name) &method_##name,
#include "methods.def"
#undef METHOD
    NULL,
};

const method *method_find(const char *name) {
    for (const method *const *m = method_table; *m; m++)
        if (!strcmp((*m)->name, name)) return *m;
    return NULL;
}

sonde_token context_token(const sonde_context *cx, int32_t id) {
    sonde_token t = { .id = id };
    t.bytes = sonde_token_bytes(cx->model, id, &t.len);
    return t;
}

sonde_token context_answer(const sonde_context *cx, int32_t i) {
    static const char *const ends[] = { "start", "end" }, *const next[] = { "is_next", "not_next" };
    const sonde_model_info *m = sonde_model_describe(cx->model);
    if (m->head & (SONDE_HEAD_LM | SONDE_HEAD_MLM)) return context_token(cx, i);
    const char *text = "";
    if (m->head & SONDE_HEAD_CLASS) text = sonde_model_label(cx->model, i);
    else if (m->head & SONDE_HEAD_QA && i < 2) text = ends[i];
    else if (m->head & SONDE_HEAD_NSP && i < 2) text = next[i];
    return (sonde_token){ .id = i, .bytes = text ? text : "", .len = text ? strlen(text) : 0 };
}

sonde_prompt context_prompt(const sonde_context *cx, size_t i) {
    const method_prompt *p = &cx->prompts[i];
    return (sonde_prompt){ .tokens = p->tokens.id, .n = p->tokens.n, .types = p->tokens.type,
                           .target = p->target.n ? p->target.id : NULL,
                           .n_target = p->target.n };
}

const int32_t *context_rows(const sonde_context *cx, const sonde_prompt *p, int64_t *n) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    if (!info->encoder_layers) {
        *n = p->n;
        return p->tokens;
    }
    *n = p->target ? p->n_target : 1;
    return p->target ? p->target : &info->start;
}

sonde_prompt context_with(const sonde_context *cx, sonde_prompt p, const int32_t *rows, int64_t n) {
    if (sonde_model_describe(cx->model)->encoder_layers) {
        p.target = rows;
        p.n_target = n;
    } else {
        p.tokens = rows;
        p.n = n;
    }
    return p;
}

bool site_axis_target(const sonde_site *s, int i) {
    return s->of_target && !(s->axes[2 * (size_t)i] == 's' && strstr(s->name, ".cross_attn."));
}

const int32_t *context_positions(const sonde_context *cx, const sonde_prompt *p, bool of_target, int64_t *n) {
    if (of_target) return context_rows(cx, p, n);
    *n = p->n;
    return p->tokens;
}

sonde_status method_check(const method *m, const sonde_model *model, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(model);
    SONDE_FAIL_IF(info->encoder_layers && !(m->takes & TAKES_TWO), err, SONDE_UNSUPPORTED,
                  "%s reads models of one stack, and %s is an encoder-decoder; trace, lens, attention, sweep and compare "
                  "read both of its stacks", m->name, info->name);
    return SONDE_OK;
}

static void put_target(const sonde_context *cx, size_t prompt, size_t at, sonde_result *out) {
    if (!cx->model || !sonde_model_describe(cx->model)->encoder_layers) return;
    const sonde_prompt p = context_prompt(cx, prompt);
    int64_t n;
    const int32_t *id = context_rows(cx, &p, &n);
    for (int64_t t = 0; t < n; t++)
        if (id[t] >= 0) sonde_result_target_token(out, at, context_token(cx, id[t]));
}

void context_head(const sonde_context *cx, const method *m, sonde_result *out) {
    sonde_result_method(out, m->name);
    if (cx->model) sonde_result_model_of(out, cx->model);
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const method_prompt *p = &cx->prompts[i];
        const size_t at = sonde_result_prompt(out, p->text ? p->text : "", p->text ? p->len : 0);
        if (p->pair) sonde_result_pair(out, at, p->pair, p->pair_len);
        for (int64_t t = 0; t < p->tokens.n; t++)
            sonde_result_prompt_token(out, at, context_token(cx, p->tokens.id[t]), p->tokens.start ? p->tokens.start[t] : -1,
                                      p->tokens.end ? p->tokens.end[t] : -1);
        put_target(cx, i, at, out);
    }
    for (size_t i = 0; i < cx->n_edits; i++) put_edit(out, cx->edits[i]);
}

void put_edit(sonde_result *out, const sonde_edit *e) {
    const size_t n = sonde_edit_format(e, NULL, 0) + 1;
    char *text = ROOM(char, n);
    sonde_edit_format(e, text, n);
    sonde_result_edit(out, text);
    free(text);
}

void put_defined(sonde_table *t, double v) {
    if (isnan(v)) sonde_cell_null(t);
    else sonde_cell_float(t, v);
}
