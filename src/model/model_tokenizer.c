/* The tokenizer of a model: in the container of its weights, or in files beside them. */
#define _GNU_SOURCE
#include "model_files.h"
#include "base/text.h"
#include "vocab_meta.h"
#include <inttypes.h>

static text_file text_of(sonde_model *m, const located *at, model_file f) {
    const file_map *map = &m->files->file[f];
    return (text_file){ .data = (const char *)map->data, .size = map->size,
                        .name = arena_printf(m->memory, "%s/%s", at->label, model_file_name(f)) };
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

static sonde_status read_own_vocabulary(sonde_model *m, const located *at, sonde_error *err) {
    SONDE_TRY(tokenizer_of_meta(&m->tokenizer, m->files->weights, name_shown(at->weights).text, err));
    return check_vocabulary(m, at, err);
}

sonde_status model_read_tokenizer(sonde_model *m, const located *at, sonde_error *err) {
    if (vocab_in_meta(m->files->weights)) return read_own_vocabulary(m, at, err);
    bool whole, vocab = false, merges = false, config;
    SONDE_TRY(model_open_file(m, at, FILE_TOKENIZER, &whole, err));
    if (!whole) {
        SONDE_TRY(model_open_file(m, at, FILE_VOCAB, &vocab, err));
        SONDE_TRY(model_open_file(m, at, FILE_MERGES, &merges, err));
    }
    if (!whole && !(vocab && merges)) {
        file_map_close(&m->files->file[FILE_VOCAB]);
        file_map_close(&m->files->file[FILE_MERGES]);
        return SONDE_OK;
    }
    SONDE_TRY(model_open_file(m, at, FILE_TOKENIZER_CONFIG, &config, err));
    const tokenizer_files files = {
        .json = text_of(m, at, FILE_TOKENIZER), .vocab = text_of(m, at, FILE_VOCAB),
        .merges = text_of(m, at, FILE_MERGES), .config = text_of(m, at, FILE_TOKENIZER_CONFIG),
    };
    SONDE_TRY(tokenizer_new(&m->tokenizer, &files, err));
    return check_vocabulary(m, at, err);
}
