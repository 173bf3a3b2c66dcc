/* Opening: weights first (a file that is none says so), then config.json, then tokenizer files, then binding. */
#define _GNU_SOURCE
#include "model_files.h"
#include "embedded.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const file_names[FILE_COUNT] = {
    [FILE_CONFIG] = "config.json",    [FILE_TOKENIZER] = "tokenizer.json",
    [FILE_VOCAB]  = "vocab.json",     [FILE_MERGES]    = "merges.txt",
    [FILE_TOKENIZER_CONFIG] = "tokenizer_config.json",
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

/* A file that need not be there; *found says whether it is. */
static sonde_status open_if_there(sonde_model *m, const located *at, model_file f, bool *found, sonde_error *err) {
    const sonde_status s = open_file(m, at, f, err);
    *found = s == SONDE_OK;
    return s == SONDE_NOT_FOUND ? SONDE_OK : s;
}

static sonde_status open_weights(sonde_model *m, const located *at, sonde_error *err) {
    if (!at->embedded) return weights_open(at->weights, &m->files->weights, err);
    size_t size;
    const char *data = embedded_file("model.safetensors", &size);
    return weights_open_memory((const uint8_t *)data, size, &m->files->weights, err);
}

static sonde_status parse_config(sonde_model *m, arena *scratch, sonde_error *err) {
    const file_map *f = &m->files->file[FILE_CONFIG];
    const json *tree;
    SONDE_TRY(json_parse((const char *)f->data, f->size, scratch, &tree, err));
    SONDE_TRY(arch_find(tree, &m->config.arch, err));
    return m->config.arch->config(tree, &m->config, err);
}

static sonde_status read_config(sonde_model *m, const located *at, sonde_error *err) {
    SONDE_TRY(open_file(m, at, FILE_CONFIG, err));
    arena *scratch = arena_new();
    const sonde_status s = parse_config(m, scratch, err);
    arena_free(scratch);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s/%s", at->label, file_names[FILE_CONFIG]);
}

static text_file text_of(sonde_model *m, const located *at, model_file f) {
    const file_map *map = &m->files->file[f];
    return (text_file){ .data = (const char *)map->data, .size = map->size,
                        .name = arena_printf(m->memory, "%s/%s", at->label, file_names[f]) };
}

/* Rows of the embedding must be enough; special tokens that were added behind them only fail where they are used. */
static sonde_status check_vocabulary(const sonde_model *m, const located *at, sonde_error *err) {
    const int64_t size = tokenizer_size(m->tokenizer);
    for (int64_t id = m->config.vocab; id < size; id++) {
        const char *bytes;
        size_t len;
        const bool spare = !tokenizer_bytes(m->tokenizer, (int32_t)id, &bytes, &len) ||
                           tokenizer_special(m->tokenizer, (int32_t)id);
        SONDE_FAIL_IF(!spare, err, SONDE_FORMAT,
                      "%s: the tokenizer has token %" PRId64 ", expected ids below vocab_size %" PRId64, at->label, id,
                      m->config.vocab);
    }
    return SONDE_OK;
}

static sonde_status read_tokenizer(sonde_model *m, const located *at, sonde_error *err) {
    bool whole, vocab = false, merges = false, config;
    SONDE_TRY(open_if_there(m, at, FILE_TOKENIZER, &whole, err));
    if (!whole) {
        SONDE_TRY(open_if_there(m, at, FILE_VOCAB, &vocab, err));
        SONDE_TRY(open_if_there(m, at, FILE_MERGES, &merges, err));
    }
    if (!whole && !(vocab && merges)) {
        file_map_close(&m->files->file[FILE_VOCAB]);
        file_map_close(&m->files->file[FILE_MERGES]);
        return SONDE_OK;
    }
    SONDE_TRY(open_if_there(m, at, FILE_TOKENIZER_CONFIG, &config, err));
    const tokenizer_files files = {
        .json = text_of(m, at, FILE_TOKENIZER), .vocab = text_of(m, at, FILE_VOCAB),
        .merges = text_of(m, at, FILE_MERGES), .config = text_of(m, at, FILE_TOKENIZER_CONFIG),
    };
    SONDE_TRY(tokenizer_new(&m->tokenizer, &files, err));
    return check_vocabulary(m, at, err);
}

static sonde_status read_all(sonde_model *m, const located *at, sonde_error *err) {
    SONDE_TRY(open_weights(m, at, err));
    SONDE_TRY(read_config(m, at, err));
    SONDE_TRY(read_tokenizer(m, at, err));
    const sonde_status s = model_bind(m, err);
    if (s == SONDE_OK) {
        model_summarise(m, at->name);
        return s;
    }
    const bool file = !at->embedded && at->weights != at->folder;
    return sonde_fail_at(err, s, "%s", file ? name_shown(at->weights).text : at->label);
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

static void model_free(sonde_model *m) {
    struct model_files *f = m->files;
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
    sonde_status s = model_locate(&at, name, search, m->memory, err);
    if (s == SONDE_OK) s = read_all(m, &at, err);
    if (s == SONDE_OK) *out = m;
    else model_free(m);
    return s;
}

sonde_model *sonde_model_share(sonde_model *m) {
    atomic_fetch_add_explicit(&m->files->owners, 1, memory_order_relaxed);
    return m;
}

void sonde_model_close(sonde_model *m) {
    if (m && atomic_fetch_sub_explicit(&m->files->owners, 1, memory_order_acq_rel) == 1) model_free(m);
}
