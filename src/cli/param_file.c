/* Files that a method's own parameters name: prompts, tokenized as all others are, and whole files. */
#define _POSIX_C_SOURCE 200809L
#include "prompts.h"
#include "source.h"
#include "base/text.h"
#include <string.h>
#include <unistd.h>

static const char one_text[] = "text:";

static sonde_status read_item(command *c, const char *item, method_prompt **out, size_t *n, sonde_error *err) {
    if (strncmp(item, one_text, sizeof one_text - 1) != 0) return prompt_file(c, item, out, n, err);
    *out = arena_new_array(c->memory, method_prompt, 1);
    (*out)->text = item + sizeof one_text - 1;
    (*out)->len = strlen((*out)->text);
    *n = 1;
    return SONDE_OK;
}

/* The prompts of one item behind those that are there already; `in` owns them from here on. */
static sonde_status add_prompts(inputs *in, command *c, const sonde_model *m, size_t at, const char *item, sonde_error *err) {
    method_prompt *more;
    size_t n;
    SONDE_TRY(read_item(c, item, &more, &n, err));
    const size_t had = in->param[at].n;
    method_prompt *all = arena_new_array(c->memory, method_prompt, had + n);
    if (had) memcpy(all, in->param[at].at, had * sizeof *all);
    memcpy(all + had, more, n * sizeof *all);
    in->param[at].at = all;
    in->param[at].n = had + n;
    for (size_t i = 0; i < n; i++) {
        const sonde_status s = prompt_tokens(c, m, &all[had + i], err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "%s: prompt %zu", name_shown(item).text, i);
    }
    return SONDE_OK;
}

static sonde_status read_prompts(inputs *in, command *c, const sonde_model *m, size_t at, sonde_error *err) {
    value *v = &c->args[at];
    for (size_t i = 0; i < v->n; i++) {
        const sonde_status s = add_prompts(in, c, m, at, v->list[i], err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "%s", c->about->params[at].name);
    }
    v->prompts = in->param[at].at;
    v->n_prompts = in->param[at].n;
    return SONDE_OK;
}

/* "held-out" is what comes with the embedded model, where there is no file of that name. */
static sonde_status read_file(command *c, const param *p, value *v, sonde_error *err) {
    bytes text = { 0 };
    if (!strcmp(v->text, "held-out") && !strcmp(p->name, "pairs") && access(v->text, F_OK) != 0) text.at = sonde_demo_pairs(&text.n);
    else {
        const sonde_status s = source_read(c->memory, v->text, &text, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "%s", p->name);
    }
    v->content = text.at;
    v->size = text.n;
    return SONDE_OK;
}

sonde_status params_read(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    for (size_t i = 0; c->about->params && c->about->params[i].name; i++) {
        const param *p = &c->about->params[i];
        if (p->type == PARAM_PROMPTS) SONDE_TRY(read_prompts(in, c, m, i, err));
        if (p->type == PARAM_FILE && *c->args[i].text) SONDE_TRY(read_file(c, p, &c->args[i], err));
    }
    return SONDE_OK;
}
