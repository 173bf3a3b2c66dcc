/* What is left of a model that cannot run: its tokenizer, and what its files call it.
 *
 * A tokenizer's file alone, a container with a vocabulary and no arrays, and a model of a family that this version does
 * not compute. Broken weights of a family that it does are an error here as anywhere. */
#define _GNU_SOURCE
#include "model_files.h"
#include "base/text.h"
#include "format/meta.h"
#include "vocab_meta.h"
#include <string.h>

/* The family's own word for itself. */
static const char *family_of(sonde_model *m) {
    const json *tree;
    const char *name, *twice;
    size_t      len;
    const meta_value *said = m->files->weights ? weights_meta(m->files->weights, "general.architecture") : NULL;
    if (said && said->kind == META_TEXT)
        return arena_printf(m->memory, "%s", text_shown(said->text.at, said->text.len).text);
    const settings_text *s = &m->files->settings;
    if (s->text && json_parse_last(s->text, s->len, m->memory, &tree, &twice, NULL) == SONDE_OK &&
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
        model_hash_end(m->files);               /* files are opened anew */
        m->files->hashed = false;
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

/* Is it nothing but a tokenizer, though one that does not open? Then what is wrong with that is said, and not what it
 * lacks to be a model. */
static bool is_tokenizer(const sonde_model *m, const located *at, sonde_status refused) {
    if (m->files->weights) return vocab_in_meta(m->files->weights) && !at->tokenizer;
    if (at->weights == at->folder) return refused != SONDE_NOT_FOUND;
    const file_map *f = &m->files->file[FILE_GIVEN];
    const text_file file = { (const char *)f->data, f->size, NULL };
    return !at->tokenizer && f->size > 0 && tokenizer_file_known(&file);
}

/* Where the model does not open for this reason: what is left of it, or the reason. */
static sonde_status open_bare(sonde_model *m, const located *at, sonde_status s, const char *why, sonde_error *err) {
    sonde_error bare = { 0 };
    if (!leaves_tokenizer(m, at, s)) return sonde_fail(err, s, "%s", why);
    const sonde_status then = read_bare(m, at, why, &bare);
    if (then == SONDE_OK) return then;
    return is_tokenizer(m, at, then) ? sonde_fail(err, then, "%s", bare.message) : sonde_fail(err, s, "%s", why);
}

sonde_status sonde_tokenizer_open(sonde_model **out, const char *name, const sonde_model_search *search, sonde_error *err) {
    *out = NULL;
    sonde_model *m = model_new();
    located at;
    sonde_status s = model_locate(&at, name, search, m->memory, err);
    if (s == SONDE_OK) {
        sonde_error why = { 0 };
        s = model_read_all(m, &at, &why);
        if (s != SONDE_OK) s = at.embedded ? sonde_fail(err, s, "%s", why.message) : open_bare(m, &at, s, why.message, err);
    }
    if (s == SONDE_OK) *out = m;
    else model_free(m);
    return s;
}
