/* SHA-256, first 16 hex digits, over this text of bytes (numbers are little-endian):
 *
 *   "sonde model 1\n"
 *   for config.json, tokenizer.json, vocab.json, merges.txt, tokenizer_config.json, params.json, in this order, each that the
 *   model was opened from: name NUL, u64 size, the bytes. (vocab.json and merges.txt only where there is no
 *   tokenizer.json, tokenizer_config.json only where there is a tokenizer; an empty file counts as none.)
 *   for each value that the container holds besides its arrays (GGUF), in its order: key NUL, then what it says: a text's
 *   u64 length and bytes, a number's i64 or f64, a list's u64 length and its texts or bytes.
 *   for each tensor of the weights, sorted by the bytes of its name, used or not: name NUL, type ("F32") NUL,
 *   u64 rank, i64 dims outermost first, then of its ceil(bytes / 4096) pages the pages floor(i (pages - 1) / 63),
 *   i = 0..63, or all of them where there are at most 64. A page is 4096 bytes counted from the tensor's first byte;
 *   the last one may be shorter.
 *
 * So it is the same for a model in one file, in shards, or embedded, and reads 256 KB a tensor at most. */
#define _GNU_SOURCE
#include "model_files.h"
#include "base/sha256.h"
#include "format/meta.h"
#include <string.h>

enum { PAGE = 4096, PAGES = 64, HEX_DIGITS = 16 };

static void add_text(sha256 *h, const char *text) { sha256_add(h, text, strlen(text) + 1); }

static void add_number(sha256 *h, uint64_t v) { sha256_add(h, &v, sizeof v); }

static void add_tensor(sha256 *h, const stored_tensor *t) {
    add_text(h, t->name);
    add_text(h, dtype_table[t->type].name);
    add_number(h, (uint64_t)t->rank);
    for (int i = 0; i < t->rank; i++) add_number(h, (uint64_t)t->dim[i]);
    const uint64_t pages = (t->bytes + PAGE - 1) / PAGE;
    const uint64_t read = pages < PAGES ? pages : PAGES;
    if (pages > PAGES) file_map_scattered(t->data, t->bytes, true);
    for (uint64_t i = 0; i < read; i++) {
        const uint64_t page = pages <= PAGES ? i : i * (pages - 1) / (PAGES - 1);
        const uint64_t at = page * PAGE, left = t->bytes - at;
        sha256_add(h, t->data + at, left < PAGE ? (size_t)left : PAGE);
    }
    if (pages > PAGES) file_map_scattered(t->data, t->bytes, false);
}

static void add_bytes(sha256 *h, const void *bytes, size_t n) {
    add_number(h, n);
    sha256_add(h, bytes, n);
}

static void add_meta(sha256 *h, const meta_value *v) {
    add_text(h, v->key);
    switch (v->kind) {
        case META_INT:
        case META_BOOL:   sha256_add(h, &v->integer, sizeof v->integer); break;
        case META_NUMBER: sha256_add(h, &v->number, sizeof v->number); break;
        case META_TEXT:   add_bytes(h, v->text.at, v->text.len); break;
        case META_LIST:
            add_number(h, v->n);
            for (size_t i = 0; v->of == META_TEXT && i < v->n; i++) add_bytes(h, v->texts[i].at, v->texts[i].len);
            if (v->of != META_TEXT) sha256_add(h, v->data, v->n * v->item);
            break;
    }
}

static void compute(struct model_files *f) {
    sha256 *h = sha256_new();
    static const char version[] = "sonde model 1\n";
    sha256_add(h, version, sizeof version - 1);
    if (f->folded) add_text(h, sonde_model_hash(f->folded));
    for (int i = 0; i < FILE_COUNT; i++) {
        if (f->file[i].size == 0) continue;
        add_text(h, model_file_name((model_file)i));
        add_number(h, f->file[i].size);
        sha256_add(h, f->file[i].data, f->file[i].size);
    }
    for (size_t i = 0; f->weights && i < weights_meta_count(f->weights); i++) add_meta(h, weights_meta_at(f->weights, i));
    for (size_t i = 0; f->weights && i < weights_count(f->weights); i++) add_tensor(h, weights_at(f->weights, i));
    uint8_t digest[32];
    char hex[65];
    if (sha256_end(h, digest, NULL) != SONDE_OK) memset(digest, 0, sizeof digest);
    sha256_hex(digest, hex);
    memcpy(f->hash, hex, HEX_DIGITS);
}

static void *compute_aside(void *files) {
    compute(files);
    return NULL;
}

void model_hash_begin(sonde_model *m) {
    struct model_files *f = m->files;
    if (f->run) return;
    f->hashing = pthread_create(&f->hasher, NULL, compute_aside, f) == 0;
}

void model_hash_end(struct model_files *f) {
    if (!f->hashing) return;
    pthread_join(f->hasher, NULL);
    f->hashing = false;
    f->hashed = true;
}

const char *sonde_model_hash(const sonde_model *m) {
    struct model_files *f = m->files;
    pthread_mutex_lock(&f->lock);
    model_hash_end(f);
    if (!f->hashed) compute(f);
    f->hashed = true;
    pthread_mutex_unlock(&f->lock);
    return f->hash;
}
