/* Opening: weights first (a file that is none says so), then config.json, then tokenizer files, then binding. */
#define _GNU_SOURCE
#include "model_files.h"
#include "config.h"
#include "embedded.h"
#include "format/meta.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const file_names[FILE_COUNT] = {
    [FILE_CONFIG] = "config.json",    [FILE_TOKENIZER] = "tokenizer.json",
    [FILE_VOCAB]  = "vocab.json",     [FILE_MERGES]    = "merges.txt",
    [FILE_TOKENIZER_CONFIG] = "tokenizer_config.json",
    [FILE_PARAMS] = "params.json",            [FILE_SPM]       = "tokenizer.model",
    [FILE_SPIECE] = "spiece.model",           [FILE_VOCAB_TXT] = "vocab.txt",
    [FILE_BIN]    = "tokenizer.bin",          [FILE_ADDED]     = "added_tokens.json",
    [FILE_SPECIAL_MAP] = "special_tokens_map.json", [FILE_GENERATION] = "generation_config.json",
    [FILE_GIVEN]  = "the tokenizer given",
};

const char *model_file_name(model_file f) { return file_names[f]; }

static sonde_status open_file(sonde_model *m, const located *at, model_file f, sonde_error *err) {
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1";
    file_map *map = &m->files->file[f];
    if (!at->embedded) {
        SONDE_TRY(file_map_open(map, arena_printf(m->memory, "%s/%s", at->folder, file_names[f]), err));
        const bool pointer = map->size >= sizeof lfs - 1 && memcmp(map->data, lfs, sizeof lfs - 1) == 0;
        SONDE_FAIL_IF(pointer, err, SONDE_UNSUPPORTED,
                      "%s/%s: is a Git LFS pointer, not the file itself; fetch it with: git lfs pull", at->label,
                      file_names[f]);
        SONDE_FAIL_IF(map->size == 0, err, SONDE_FORMAT, "%s/%s: is empty", at->label, file_names[f]);
        return SONDE_OK;
    }
    size_t size;
    const char *data = embedded_file(file_names[f], &size);
    SONDE_FAIL_IF(!data, err, SONDE_NOT_FOUND, "%s/%s: is not embedded", EMBEDDED_MODEL, file_names[f]);
    *map = (file_map){ .data = (const uint8_t *)data, .size = size };
    return SONDE_OK;
}

sonde_status model_open_file(sonde_model *m, const located *at, model_file f, bool *found, sonde_error *err) {
    const sonde_status s = open_file(m, at, f, err);
    if (found) *found = s == SONDE_OK;
    return found && s == SONDE_NOT_FOUND ? SONDE_OK : s;
}

static sonde_status open_weights(sonde_model *m, const located *at, sonde_error *err) {
    if (!at->embedded) return weights_open(at->weights, &m->files->weights, err);
    size_t size;
    const char *data = embedded_file("model.safetensors", &size);
    return weights_open_memory((const uint8_t *)data, size, &m->files->weights, err);
}

/* Of keys that stand twice the last counts here, as for whoever wrote the file. */
static sonde_status parse(sonde_model *m, settings_text f, const char *where, const json **out, sonde_error *err) {
    const char *twice;
    const sonde_status s = json_parse_last(f.text, f.len, m->memory, out, &twice, err);
    if (twice) m->files->warning[0] = arena_printf(m->memory, "%s: key \"%s\" stands twice, the last counts", where, twice);
    return s;
}

/* params.json stands for config.json beside Meta's own checkpoints. */
static sonde_status read_params(sonde_model *m, const located *at, sonde_error *err) {
    const json *tree;
    const file_map *f = &m->files->file[FILE_PARAMS];
    const char *where = arena_printf(m->memory, "%s/%s", at->label, file_names[FILE_PARAMS]);
    sonde_status s = parse(m, (settings_text){ (const char *)f->data, f->size }, where, &tree, err);
    if (s == SONDE_OK) s = settings_of_params(m->files->weights, tree, m->memory, &m->files->settings, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", where);
}

/* What says the sizes: the container itself, config.json, params.json. `where` names it in messages. */
static sonde_status find_settings(sonde_model *m, const located *at, const char **where, sonde_error *err) {
    struct model_files *f = m->files;
    *where = arena_printf(m->memory, "%s", at->weights ? name_shown(at->weights).text : at->label);
    if (settings_in(f->weights)) {
        const sonde_status s = settings_of_container(f->weights, m->memory, &f->settings, err);
        return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", *where);
    }
    bool config, params = false;
    SONDE_TRY(model_open_file(m, at, FILE_CONFIG, &config, err));
    if (!config) SONDE_TRY(model_open_file(m, at, FILE_PARAMS, &params, err));
    if (params) return read_params(m, at, err);
    SONDE_FAIL_IF(!config && weights_meta_count(f->weights), err, SONDE_FORMAT,
                  "%s: general.architecture: is not there, expected the name of a family", *where);
    *where = arena_printf(m->memory, "%s/%s", at->label, file_names[FILE_CONFIG]);
    if (!config) return model_open_file(m, at, FILE_CONFIG, NULL, err);             /* says what is missing */
    f->settings = (settings_text){ (const char *)f->file[FILE_CONFIG].data, f->file[FILE_CONFIG].size };
    return SONDE_OK;
}

static sonde_status read_settings(sonde_model *m, const char *where, sonde_error *err) {
    const json *tree;
    SONDE_TRY(parse(m, m->files->settings, where, &tree, err));
    const arch *a;
    SONDE_TRY(arch_find(tree, &a, err));
    SONDE_TRY(arch_read(a, tree, &m->config, &m->encoder, err));
    return model_read_labels(m, tree, err);
}

/* How an encoder-decoder's target starts and what is forced; beside config.json, which it wins over. */
static sonde_status read_generation(sonde_model *m, const located *at, sonde_error *err) {
    arch_config *c = &m->config;
    const json  *tree;
    bool         found;
    if (!c->encoder) return SONDE_OK;
    SONDE_TRY(model_open_file(m, at, FILE_GENERATION, &found, err));
    if (!found) return SONDE_OK;
    const file_map *f = &m->files->file[FILE_GENERATION];
    const char     *where = arena_printf(m->memory, "%s/%s", at->label, file_names[FILE_GENERATION]);
    sonde_status s = parse(m, (settings_text){ (const char *)f->data, f->size }, where, &tree, err);
    if (s == SONDE_OK && tree->kind != JSON_OBJECT) s = sonde_fail(err, SONDE_FORMAT, "is no object");
    if (s == SONDE_OK) s = config_start(tree, c->start, c->vocab, &c->start, err);
    if (s == SONDE_OK) s = config_token(tree, "forced_bos_token_id", -1, c->vocab, &c->forced_bos, err);
    if (s == SONDE_OK) s = config_token(tree, "forced_eos_token_id", -1, c->vocab, &c->forced_eos, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", where);
}

static sonde_status read_config(sonde_model *m, const located *at, sonde_error *err) {
    const char *where;
    SONDE_TRY(find_settings(m, at, &where, err));
    const sonde_status s = read_settings(m, where, err);
    return s == SONDE_OK ? read_generation(m, at, err) : sonde_fail_at(err, s, "%s", where);
}

/* Weights are mapped by a thread of its own, beside the rest of opening. */
typedef struct { pthread_t thread; bool runs; atomic_bool stop; const weights *weights; } mapper;

static void *map_ahead(void *user) {
    mapper *p = user;
    weights_map_ahead(p->weights, &p->stop);
    return NULL;
}

static void mapper_begin(mapper *p, const struct model_files *f) {
    atomic_init(&p->stop, false);
    p->weights = f->weights;
    p->runs = f->run && pthread_create(&p->thread, NULL, map_ahead, p) == 0;
}

static void mapper_end(mapper *p) {
    atomic_store(&p->stop, true);
    if (p->runs) pthread_join(p->thread, NULL);
}

static sonde_status read_rest(sonde_model *m, const located *at, sonde_error *err) {
    SONDE_TRY(read_config(m, at, err));
    sentence_read(at, &m->files->sentence);
    SONDE_TRY(model_read_tokenizer(m, at, err));
    const sonde_status s = model_bind(m, err);
    if (s == SONDE_OK) {
        model_summarise(m, at->name);
        return s;
    }
    const bool file = !at->embedded && at->weights != at->folder;
    return sonde_fail_at(err, s, "%s", file ? name_shown(at->weights).text : at->label);
}

sonde_status model_read_all(sonde_model *m, const located *at, sonde_error *err) {
    mapper p;
    SONDE_TRY(open_weights(m, at, err));
    mapper_begin(&p, m->files);
    const sonde_status s = read_rest(m, at, err);
    mapper_end(&p);
    return s;
}

sonde_model *model_new(void) {
    sonde_model *m = calloc(1, sizeof *m);
    struct model_files *f = calloc(1, sizeof *f);
    if (!m || !f || pthread_mutex_init(&f->lock, NULL)) abort();
    atomic_init(&f->owners, 1);
    m->files = f;
    m->memory = arena_new();
    return m;
}

void model_free(sonde_model *m) {
    struct model_files *f = m->files;
    model_hash_end(f);
    if (f->folded) sonde_model_close(f->folded);
    else tokenizer_free(m->tokenizer);
    weights_close(f->weights);
    for (int i = 0; i < FILE_COUNT; i++) file_map_close(&f->file[i]);
    free(f->vectors);
    pthread_mutex_destroy(&f->lock);
    free(f);
    arena_free(m->memory);
    free(m);
}

sonde_status sonde_model_open(sonde_model **out, const char *name, const sonde_model_search *search,
                              sonde_error *err) {
    *out = NULL;
    sonde_model *m = model_new();
    located at;
    m->files->run = search && search->run;
    sonde_status s = model_locate(&at, name, search, m->memory, err);
    if (s == SONDE_OK) s = model_read_all(m, &at, err);
    if (s == SONDE_OK) *out = m;
    else model_free(m);
    return s;
}

const char *sonde_model_warning(const sonde_model *m, size_t i) {
    for (size_t k = 0; k < sizeof m->files->warning / sizeof *m->files->warning; k++)
        if (m->files->warning[k] && i-- == 0) return m->files->warning[k];
    return NULL;
}

sonde_model *sonde_model_share(sonde_model *m) {
    atomic_fetch_add_explicit(&m->files->owners, 1, memory_order_relaxed);
    return m;
}

void sonde_model_close(sonde_model *m) {
    if (m && atomic_fetch_sub_explicit(&m->files->owners, 1, memory_order_acq_rel) == 1) model_free(m);
}
