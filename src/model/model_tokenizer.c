/* The tokenizer of a model: in the container of its weights, in files beside them, or the one that the caller names. */
#define _GNU_SOURCE
#include "model_files.h"
#include "base/text.h"
#include "vocab_meta.h"
#include <inttypes.h>
#include <string.h>

/* What a folder's tokenizer is made of, the first that is there; `with` has to be there too. */
static const struct { model_file file, with; const char *doc; } layouts[] = {
    { FILE_TOKENIZER, FILE_TOKENIZER, "the tokenizers library's; every step that it names" },
    { FILE_SPM, FILE_SPM, "SentencePiece's file (BPE or Unigram), or tiktoken's lines of base64 and rank" },
    { FILE_SPIECE, FILE_SPIECE, "SentencePiece's file under another name" },
    { FILE_VOCAB, FILE_MERGES, "byte-level BPE as GPT-2 published it, vocab.json and merges.txt" },
    { FILE_VOCAB_TXT, FILE_VOCAB_TXT, "WordPiece, a token a line" },
    { FILE_BIN, FILE_BIN, "llama2.c's scores and texts" },
};

bool model_tokenizer_file(size_t i, const char **name, const char **doc) {
    if (i >= sizeof layouts / sizeof *layouts) return false;
    *name = model_file_name(layouts[i].file);
    *doc = layouts[i].doc;
    return true;
}

static text_file text_of(sonde_model *m, const located *at, model_file f) {
    const file_map *map = &m->files->file[f];
    return (text_file){ .data = (const char *)map->data, .size = map->size,
                        .name = arena_printf(m->memory, "%s/%s", at->label, model_file_name(f)) };
}

/* Rows of the embedding must be enough; special tokens that were added behind them only fail where they are used. */
static sonde_status check_vocabulary(const sonde_model *m, const char *where, sonde_error *err) {
    if (m->tokenizer) m->files->warning[1] = tokenizer_warning(m->tokenizer);
    if (!m->tokenizer || !m->config.arch) return SONDE_OK;
    const int64_t size = tokenizer_size(m->tokenizer);
    for (int64_t id = m->config.vocab; id < size; id++) {
        const char *bytes;
        size_t len;
        const bool spare = !tokenizer_bytes(m->tokenizer, (int32_t)id, &bytes, &len) ||
                           tokenizer_special(m->tokenizer, (int32_t)id);
        SONDE_FAIL_IF(!spare, err, SONDE_FORMAT,
                      "%s: the tokenizer has token %" PRId64 ", expected ids below vocab_size %" PRId64, where, id,
                      m->config.vocab);
    }
    return SONDE_OK;
}

/* *found: one of layouts, or FILE_COUNT. */
static sonde_status find_layout(sonde_model *m, const located *at, model_file *found, sonde_error *err) {
    *found = FILE_COUNT;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        bool there, whole = true;
        SONDE_TRY(model_open_file(m, at, layouts[i].file, &there, err));
        if (there && layouts[i].with != layouts[i].file) SONDE_TRY(model_open_file(m, at, layouts[i].with, &whole, err));
        if (there && whole) {
            *found = layouts[i].file;
            return SONDE_OK;
        }
        file_map_close(&m->files->file[layouts[i].file]);
    }
    return SONDE_OK;
}

static sonde_status of_folder(sonde_model *m, const located *at, sonde_error *err) {
    static const model_file beside[] = { FILE_TOKENIZER_CONFIG, FILE_SPECIAL_MAP, FILE_ADDED };
    model_file found;
    bool       there;
    SONDE_TRY(find_layout(m, at, &found, err));
    if (found == FILE_COUNT) return SONDE_OK;
    m->files->tokenizer_from = found == FILE_VOCAB ? "vocab.json and merges.txt" : model_file_name(found);
    if (found == FILE_BIN) {
        const text_file bin = text_of(m, at, FILE_BIN);
        return tokenizer_of_bin(&m->tokenizer, &bin, m->config.arch ? m->config.vocab : -1, err);
    }
    const size_t n = found == FILE_TOKENIZER ? 1 : sizeof beside / sizeof *beside;
    for (size_t i = 0; i < n; i++) SONDE_TRY(model_open_file(m, at, beside[i], &there, err));
    const tokenizer_files files = {
        .json = text_of(m, at, FILE_TOKENIZER), .vocab = text_of(m, at, FILE_VOCAB),
        .merges = text_of(m, at, FILE_MERGES), .config = text_of(m, at, FILE_TOKENIZER_CONFIG),
        .model = text_of(m, at, found == FILE_SPIECE ? FILE_SPIECE : FILE_SPM),
        .vocab_txt = text_of(m, at, FILE_VOCAB_TXT),
        .special = text_of(m, at, FILE_SPECIAL_MAP), .added = text_of(m, at, FILE_ADDED),
    };
    if (!at->tokenizer) model_hash_begin(m);
    return tokenizer_new(&m->tokenizer, &files, err);
}

/* The vocabulary of a GGUF file, read for that alone. */
static sonde_status of_container(sonde_model *m, const char *path, const char *name, sonde_error *err) {
    weights *w;
    SONDE_TRY(weights_open(path, &w, err));
    const sonde_status s = vocab_in_meta(w) ? tokenizer_of_meta(&m->tokenizer, w, name, err)
                                            : sonde_fail(err, SONDE_FORMAT, "%s: holds no vocabulary", name);
    weights_close(w);
    return s;
}

sonde_status model_tokenizer_of_path(sonde_model *m, const char *path, sonde_error *err) {
    located at = { .folder = path, .label = arena_printf(m->memory, "%s", name_shown(path).text) };
    if (folder_exists(path)) {
        SONDE_TRY(of_folder(m, &at, err));
        SONDE_FAIL_IF(!m->tokenizer, err, SONDE_NOT_FOUND, "%s: holds no tokenizer (tokenizer.json, tokenizer.model, "
                      "spiece.model, vocab.json and merges.txt, vocab.txt, tokenizer.bin)", at.label);
        m->files->tokenizer_from = arena_printf(m->memory, "%s/%s", at.label, m->files->tokenizer_from);
        return SONDE_OK;
    }
    file_map *map = &m->files->file[FILE_GIVEN];
    SONDE_TRY(file_map_open(map, path, err));
    SONDE_FAIL_IF(map->size == 0, err, SONDE_FORMAT, "%s: is empty", at.label);
    m->files->tokenizer_from = at.label;
    if (map->size >= 4 && memcmp(map->data, "GGUF", 4) == 0) return of_container(m, path, at.label, err);
    const text_file file = { .data = (const char *)map->data, .size = map->size, .name = at.label };
    return tokenizer_of_file(&m->tokenizer, &file, err);
}

sonde_status model_read_tokenizer(sonde_model *m, const located *at, sonde_error *err) {
    if (at->tokenizer) {
        SONDE_TRY(model_tokenizer_of_path(m, at->tokenizer, err));
        return check_vocabulary(m, name_shown(at->tokenizer).text, err);
    }
    if (m->files->weights && vocab_in_meta(m->files->weights)) {
        const char *file = arena_printf(m->memory, "%s", name_shown(at->weights).text);
        m->files->tokenizer_from = file;
        model_hash_begin(m);
        SONDE_TRY(tokenizer_of_meta(&m->tokenizer, m->files->weights, file, err));
        return check_vocabulary(m, file, err);
    }
    SONDE_TRY(of_folder(m, at, err));
    return check_vocabulary(m, at->label, err);
}
