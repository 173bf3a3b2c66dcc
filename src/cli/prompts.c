#include "prompts.h"
#include "source.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

sonde_status inputs_options(const command *c, sonde_token_options *out, sonde_error *err) {
    static const char *const words[] = { [SONDE_BOS_AUTO] = "auto", [SONDE_BOS_YES] = "yes", [SONDE_BOS_NO] = "no" };
    const char *bos = c->option[OPTION_BOS].text;
    *out = (sonde_token_options){ .plain = option_given(c, OPTION_PLAIN) };
    for (int i = SONDE_BOS_AUTO; i <= SONDE_BOS_NO; i++)
        if (!strcmp(words[i], bos)) {
            out->bos = (sonde_bos)i;
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_USAGE, "bos: \"%s\", expected auto, yes or no", name_shown(bos).text);
}

static sonde_status check_ids(const sonde_model *m, const sonde_tokens *t, sonde_error *err) {
    const int64_t vocab = sonde_model_describe(m)->vocab;
    for (int64_t i = 0; i < t->n; i++)
        SONDE_FAIL_IF(t->id[i] >= vocab, err, SONDE_USAGE, "tokens: %d, expected ids from 0 to %lld", (int)t->id[i],
                      (long long)vocab - 1);
    return SONDE_OK;
}

/* The text behind the start token; nothing is put behind it. */
static sonde_status target_of_text(const command *c, const sonde_model *m, const method_prompt *p, sonde_tokens *out,
                                   sonde_error *err) {
    sonde_tokens text = { 0 };
    sonde_token_options how;
    SONDE_TRY(inputs_options(c, &how, err));
    how.bos = SONDE_BOS_NO;
    if (p->target_len) SONDE_TRY(sonde_tokenize(m, p->target_text, p->target_len, how, &text, err));
    const size_t n = (size_t)text.n;
    *out = (sonde_tokens){ .n = text.n + 1, .id = malloc((n + 1) * sizeof *out->id),
                           .start = malloc((n + 1) * sizeof *out->start), .end = malloc((n + 1) * sizeof *out->end) };
    if (!out->id || !out->start || !out->end) abort();
    out->id[0] = sonde_model_describe(m)->start;
    out->start[0] = out->end[0] = -1;
    if (n) {
        memcpy(out->id + 1, text.id, n * sizeof *text.id);
        memcpy(out->start + 1, text.start, n * sizeof *text.start);
        memcpy(out->end + 1, text.end, n * sizeof *text.end);
    }
    sonde_tokens_free(&text);
    return SONDE_OK;
}

static sonde_status read_target(const command *c, const sonde_model *m, method_prompt *p, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(m);
    if (!p->target.n && !p->target_text) return SONDE_OK;
    SONDE_FAIL_IF(!info->encoder_layers, err, SONDE_USAGE, "target: %s is no encoder-decoder, expected a prompt alone", info->name);
    if (p->target.n) return check_ids(m, &p->target, err);
    SONDE_FAIL_IF(info->start < 0, err, SONDE_USAGE, "target: %s names no token that targets start with, expected --target-tokens",
                  info->name);
    const sonde_status s = target_of_text(c, m, p, &p->target, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "target");
}

static sonde_status unescape(const command *c, const char **text, size_t *len, sonde_error *err) {
    bytes raw;
    SONDE_TRY(source_unescape(c->memory, (bytes){ *text, *len }, &raw, err));
    *text = raw.at;
    *len = raw.n;
    return SONDE_OK;
}

sonde_status prompt_tokens(const command *c, const sonde_model *m, method_prompt *p, sonde_error *err) {
    SONDE_TRY(read_target(c, m, p, err));
    SONDE_FAIL_IF(!p->text && p->pair, err, SONDE_USAGE, "pair: stands beside a text, found ids");
    if (!p->text) return check_ids(m, &p->tokens, err);
    if (option_given(c, OPTION_ESCAPE)) {
        SONDE_TRY(unescape(c, &p->text, &p->len, err));
        if (p->pair) SONDE_TRY(unescape(c, &p->pair, &p->pair_len, err));
    }
    sonde_token_options how;
    SONDE_TRY(inputs_options(c, &how, err));
    how.pair = p->pair;
    how.pair_len = p->pair_len;
    return sonde_tokenize(m, p->text, p->len, how, &p->tokens, err);
}

/* --pair, or the method's own option for it. */
static sonde_status pair_given(const command *c, const char **out, sonde_error *err) {
    *out = option_text(c, OPTION_PAIR);
    for (size_t i = 0; c->about->params && c->about->params[i].name; i++) {
        if (c->about->params[i].type != PARAM_PAIR || !c->args[i].given) continue;
        SONDE_FAIL_IF(*out, err, SONDE_USAGE, "pair: found --pair and --%s, expected one of them", c->about->params[i].name);
        *out = c->args[i].text;
    }
    SONDE_FAIL_IF(*out && option_text(c, OPTION_TEXT), err, SONDE_USAGE, "pair: stands beside a prompt, found documents");
    return SONDE_OK;
}

/* Of prompts that have none of their own. */
static sonde_status take_pair(const command *c, method_prompt *p, sonde_error *err) {
    const char *pair;
    SONDE_TRY(pair_given(c, &pair, err));
    if (!pair || p->pair) return SONDE_OK;
    p->pair = pair;
    p->pair_len = strlen(pair);
    return SONDE_OK;
}

static sonde_status tokenize_file(command *c, const sonde_model *m, const char *path, method_prompt **out, size_t *n,
                                  sonde_error *err) {
    SONDE_TRY(prompt_file(c, path, out, n, err));
    for (size_t i = 0; i < *n; i++) {
        sonde_status s = take_pair(c, &(*out)[i], err);
        if (s == SONDE_OK) s = prompt_tokens(c, m, &(*out)[i], err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "%s: prompt %zu", name_shown(path).text, i);
    }
    return SONDE_OK;
}

/* Every word is a prompt. */
static sonde_status read_words(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    in->prompt = arena_new_array(c->memory, method_prompt, c->n_words);
    for (size_t i = 0; i < c->n_words; i++) {
        method_prompt *p = &in->prompt[in->n_prompts++];
        *p = (method_prompt){ .text = c->word[i], .len = strlen(c->word[i]) };
        SONDE_TRY(take_pair(c, p, err));
        const sonde_status s = prompt_tokens(c, m, p, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "prompt %zu", i);
    }
    return SONDE_OK;
}

static sonde_status read_one(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    method_prompt *p = arena_new_array(c->memory, method_prompt, 1);
    in->prompt = p;
    in->n_prompts = 1;
    const char *file = option_text(c, OPTION_FILE), *ids = option_text(c, OPTION_TOKENS);
    const char *target = option_text(c, OPTION_TARGET_TOKENS);
    if (option_given(c, OPTION_TARGET)) {
        p->target_text = c->option[OPTION_TARGET].text;
        p->target_len = strlen(p->target_text);
    }
    SONDE_FAIL_IF(target && p->target_text, err, SONDE_USAGE, "target: found --target and --target-tokens, expected one of them");
    if (target) SONDE_TRY(prompt_ids(target, &p->target, err));
    if (ids) SONDE_TRY(prompt_ids(ids, &p->tokens, err));
    else if (file) {
        bytes text;
        SONDE_TRY(source_read(c->memory, file, &text, err));
        p->text = text.at;
        p->len = text.n;
    } else {
        p->text = c->word[0];
        p->len = strlen(p->text);
    }
    SONDE_TRY(take_pair(c, p, err));
    const sonde_status s = prompt_tokens(c, m, p, err);
    return s == SONDE_OK || ids ? s : sonde_fail_at(err, s, "prompt");
}

static sonde_status read_prompts(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    static const option_id ways[] = { OPTION_FILE, OPTION_TOKENS, OPTION_PROMPTS, OPTION_TEXT };
    const char *found = c->n_words ? "a text" : NULL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (!option_text(c, ways[i])) continue;
        SONDE_FAIL_IF(found, err, SONDE_USAGE, "prompt: found %s%s and --%s, expected one of them",
                      c->n_words ? "" : "--", found, option_rows[ways[i]].row.name);
        found = option_rows[ways[i]].row.name;
    }
    const char *pair;
    SONDE_TRY(pair_given(c, &pair, err));
    SONDE_FAIL_IF(!found && c->about->takes & NEEDS_PROMPT, err, SONDE_USAGE,
                  "%s: no prompt, expected a text, --file%s%s or --tokens", c->about->name,
                  c->about->takes & MANY_PROMPTS ? ", --prompts" : "", c->about->takes & TAKES_TEXT ? ", --text" : "");
    if (!found || option_text(c, OPTION_TEXT)) return SONDE_OK;
    const char *file = option_text(c, OPTION_PROMPTS);
    SONDE_FAIL_IF(file && (option_given(c, OPTION_TARGET) || option_given(c, OPTION_TARGET_TOKENS)), err, SONDE_USAGE,
                  "target: of a file of prompts each names its own, as in {\"prompt\": .., \"target\": ..}");
    if (file) return tokenize_file(c, m, file, &in->prompt, &in->n_prompts, err);
    return c->n_words > 1 ? read_words(in, c, m, err) : read_one(in, c, m, err);
}

/* NAME=TEXT or NAME=@FILE */
static sonde_status read_run(inputs *in, command *c, const sonde_model *m, const char *text, sonde_error *err) {
    const size_t n = strcspn(text, "=");
    bool good = text[n] == '=' && n > 0 && n < 32;
    for (size_t i = 0; i < n && good; i++) {
        const char x = text[i];
        good = (x >= 'A' && x <= 'Z') || (x >= 'a' && x <= 'z') || x == '_' || (i && x >= '0' && x <= '9');
    }
    SONDE_FAIL_IF(!good, err, SONDE_USAGE, "run: \"%s\", expected NAME=TEXT or NAME=@FILE.safetensors",
                  name_shown(text).text);
    const char *name = arena_printf(c->memory, "%.*s", (int)n, text), *what = text + n + 1;
    SONDE_FAIL_IF(!strcmp(name, "A") || !strcmp(name, "reference") || !strcmp(name, "avg"), err, SONDE_USAGE,
                  "run: %s is taken, expected another name", name);
    for (size_t i = 0; i < in->n_runs; i++)
        SONDE_FAIL_IF(!strcmp(in->run[i].name, name), err, SONDE_USAGE, "run: %s is there twice", name);
    sonde_named_run *r = &in->run[in->n_runs];
    r->name = name;
    if (*what == '@') {
        sonde_capture *capture = NULL;
        SONDE_TRY(sonde_capture_open(&capture, what + 1, err));
        in->capture[in->n_captures++] = capture;
        r->values = capture;
    } else {
        method_prompt *p = &in->another[in->n_another++];
        *p = (method_prompt){ .text = what, .len = strlen(what) };
        sonde_status s = take_pair(c, p, err);
        if (s == SONDE_OK) s = prompt_tokens(c, m, p, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "run %s", name);
        const sonde_tokens *target = in->n_prompts ? &in->prompt[0].target : &p->target;    /* the prompt's own */
        r->prompt = (sonde_prompt){ .tokens = p->tokens.id, .n = p->tokens.n, .types = p->tokens.type,
                                    .target = target->n ? target->id : NULL, .n_target = target->n };
    }
    in->n_runs++;
    return SONDE_OK;
}

static sonde_status read_runs(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    const value *list = &c->option[OPTION_RUN];
    const char *file = option_text(c, OPTION_REFERENCE);
    method_prompt *reference = NULL;
    size_t n = 0;
    if (file) {
        const sonde_status s = tokenize_file(c, m, file, &reference, &n, err);
        if (s != SONDE_OK) prompts_drop(reference, n);
        SONDE_TRY(s);
    }
    in->another = arena_new_array(c->memory, method_prompt, list->n + n + 1);
    in->run = arena_new_array(c->memory, sonde_named_run, list->n + n + 1);
    in->capture = arena_new_array(c->memory, sonde_capture *, list->n + 1);
    for (size_t i = 0; i < n; i++) {
        in->another[in->n_another++] = reference[i];
        in->run[in->n_runs++] = (sonde_named_run){
            .name = "reference", .prompt = { .tokens = reference[i].tokens.id, .n = reference[i].tokens.n,
                                             .types = reference[i].tokens.type,
                                             .target = reference[i].target.n ? reference[i].target.id : NULL,
                                             .n_target = reference[i].target.n } };
    }
    for (size_t i = 0; i < list->n; i++) SONDE_TRY(read_run(in, c, m, list->list[i], err));
    return SONDE_OK;
}

typedef struct { const char **at; size_t n, room; } text_list;

static void add_text(command *c, text_list *x, const char *text) {
    if (x->n == x->room) {
        x->room = 2 * x->room + 8;
        const char **more = arena_new_array(c->memory, const char *, x->room);
        if (x->n) memcpy(more, x->at, x->n * sizeof *more);
        x->at = more;
    }
    x->at[x->n++] = text;
}

/* The edits one by one; of @FILE every line that is neither empty nor begins with #. */
static sonde_status gather_edits(command *c, text_list *out, sonde_error *err) {
    const value *list = &c->option[OPTION_EDIT];
    for (size_t i = 0; i < list->n; i++) {
        const char *text = list->list[i];
        bytes rest, line;
        if (*text != '@') {
            add_text(c, out, text);
            continue;
        }
        SONDE_TRY(source_read(c->memory, text + 1, &rest, err));
        while (source_line(&rest, &line)) {
            while (line.n && strchr(" \t\r", line.at[line.n - 1])) line.n--;
            if (line.n && line.at[0] != '#') add_text(c, out, arena_printf(c->memory, "%.*s", (int)line.n, line.at));
        }
    }
    return SONDE_OK;
}

static sonde_status read_edits(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    text_list texts = { 0 };
    SONDE_TRY(gather_edits(c, &texts, err));
    in->edit = arena_new_array(c->memory, sonde_edit *, texts.n + 1);
    for (size_t i = 0; i < texts.n; i++) {
        const sonde_status s = sonde_edit_parse(&in->edit[i], m, texts.at[i], NULL, err);
        if (s != SONDE_OK) return s;
        in->n_edits++;
    }
    return SONDE_OK;
}

sonde_status inputs_read(inputs *in, command *c, const sonde_model *m, sonde_error *err) {
    *in = (inputs){ 0 };
    SONDE_TRY(read_prompts(in, c, m, err));
    SONDE_TRY(documents_read(in, c, m, err));
    SONDE_TRY(params_read(in, c, m, err));
    SONDE_TRY(read_runs(in, c, m, err));
    return read_edits(in, c, m, err);
}

void inputs_free(inputs *in) {
    prompts_drop(in->prompt, in->n_prompts);
    prompts_drop(in->document, in->n_documents);
    prompts_drop(in->another, in->n_another);
    for (size_t i = 0; i < MOST_PARAMS; i++) prompts_drop(in->param[i].at, in->param[i].n);
    for (size_t i = 0; i < in->n_captures; i++) sonde_capture_free(in->capture[i]);
    for (size_t i = 0; i < in->n_edits; i++) sonde_edit_free(in->edit[i]);
    *in = (inputs){ 0 };
}
