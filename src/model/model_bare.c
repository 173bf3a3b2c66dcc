/* What is left of a model that cannot run: its tokenizer, and what its files call it.
 *
 * A tokenizer's file alone, a container with a vocabulary and no arrays, and a model of a family that this version does
 * not compute. Broken weights of a family that it does are an error here as anywhere. */
#define _GNU_SOURCE
#include "model_files.h"
#include "base/text.h"
#include "format/meta.h"
#include <string.h>

/* The family's own word for itself. */
static const char *family_of(sonde_model *m) {
    const json *tree;
    const char *name;
    size_t      len;
    const meta_value *said = m->files->weights ? weights_meta(m->files->weights, "general.architecture") : NULL;
    if (said && said->kind == META_TEXT)
        return arena_printf(m->memory, "%s", text_shown(said->text.at, said->text.len).text);
    const settings_text *s = &m->files->settings;
    if (s->text && json_parse(s->text, s->len, m->memory, &tree, NULL) == SONDE_OK &&
        json_string(json_get(tree, "model_type"), &name, &len))
        return arena_printf(m->memory, "%s", text_shown(name, len).text);
    return "none";
}

static bool ends_with(const char *text, const char *ending) {
    const size_t n = strlen(text), k = strlen(ending);
    return n > k && strcmp(text + n - k, ending) == 0;
}

/* Does what the model did not open for leave its tokenizer to be asked? */
static bool leaves_tokenizer(sonde_model *m, const located *at, sonde_status why) {
    const weights *w = m->files->weights;
    if (w) return weights_count(w) == 0 || (why == SONDE_UNSUPPORTED && !m->config.arch);
    if (at->weights != at->folder) return why == SONDE_UNSUPPORTED || ends_with(at->weights, ".bin");
    return why == SONDE_NOT_FOUND && !file_exists(arena_printf(m->memory, "%s/config.json", at->folder));
}

static sonde_status read_bare(sonde_model *m, const located *at, const char *refused, sonde_error *err) {
    const bool file = at->weights != at->folder;
    m->config = (arch_config){ .bos = -1, .eos = -1 };
    if (!m->tokenizer) {                        /* else it is there already: what is broken came behind it */
        const bool itself = file && !m->files->weights && !at->tokenizer;
        SONDE_TRY(itself ? model_tokenizer_of_path(m, at->weights, err) : model_read_tokenizer(m, at, err));
    }
    SONDE_FAIL_IF(!m->tokenizer, err, SONDE_NOT_FOUND, "%s: no tokenizer", at->label);
    m->config.vocab = tokenizer_size(m->tokenizer);
    model_summarise(m, at->name);
    m->info.family = family_of(m);
    m->info.refused = arena_printf(m->memory, "%s", refused);
    return SONDE_OK;
}

sonde_status sonde_tokenizer_open(sonde_model **out, const char *name, const sonde_model_search *search, sonde_error *err) {
    *out = NULL;
    sonde_model *m = model_new();
    located at;
    sonde_status s = model_locate(&at, name, search, m->memory, err);
    sonde_error why = { 0 }, bare;
    if (s == SONDE_OK) {
        s = model_read_all(m, &at, &why);
        if (s != SONDE_OK && !at.embedded && leaves_tokenizer(m, &at, s) && read_bare(m, &at, why.message, &bare) == SONDE_OK)
            s = SONDE_OK;
        if (s != SONDE_OK) sonde_fail(err, s, "%s", why.message);
    }
    if (s == SONDE_OK) *out = m;
    else model_free(m);
    return s;
}
