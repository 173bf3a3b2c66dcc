/* weights_lines.h - what a container holds, as the lines of a .tsv that tools/truth/gguf_files.py or llama2c_files.py wrote:
 * file, then a pair of the metadata (key, type, value) or a tensor (name, type, shape, sha256 of its bytes). */
#ifndef SONDE_WEIGHTS_LINES_H
#define SONDE_WEIGHTS_LINES_H
#include "test.h"
#include "base/sha256.h"
#include "format/meta.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum { LONGEST = 256 };
static sonde_error err;

typedef struct { char *at; size_t n, cap; } lines;

static inline void put_bytes(lines *t, const char *bytes, size_t n) {
    if (t->n + n + 1 > t->cap) {
        t->cap = 2 * (t->n + n) + 256;
        t->at = realloc(t->at, t->cap);
        if (!t->at) abort();
    }
    memcpy(t->at + t->n, bytes, n);
    t->n += n;
    t->at[t->n] = 0;
}

__attribute__((format(printf, 2, 3)))
static inline void put(lines *t, const char *fmt, ...) {
    char more[2048];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(more, sizeof more, fmt, ap);
    va_end(ap);
    CHECK(n >= 0 && (size_t)n < sizeof more);
    put_bytes(t, more, (size_t)n);
}

static inline void put_hex(lines *t, meta_text from) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < from.len; i++) {
        const uint8_t byte = (uint8_t)from.at[i];
        put_bytes(t, (const char[]){ digits[byte >> 4], digits[byte & 15] }, 2);
    }
}

static inline void put_number(lines *t, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put(t, "%016" PRIx64, bits);
}

static inline void put_sha256(lines *t, const void *bytes, size_t n) {
    uint8_t digest[32];
    char hex[65];
    sha256 *h = sha256_new();
    sha256_add(h, bytes, n);
    CHECK_EQ(sha256_end(h, digest, &err), SONDE_OK);
    sha256_hex(digest, hex);
    put(t, "%s", hex);
}

static inline void put_item(lines *t, const meta_value *v, size_t i) {
    int64_t whole;
    double x;
    if (v->of == META_TEXT) {
        put_hex(t, v->texts[i]);
    } else if (meta_item_int(v, i, &whole)) {
        put(t, "%" PRId64, whole);
    } else {
        CHECK(meta_item_number(v, i, &x));
        put_number(t, x);
    }
}

static inline void put_list(lines *t, const meta_value *v) {
    lines items = { 0 };
    put_bytes(&items, "", 0);
    for (size_t i = 0; i < v->n; i++) {
        if (i) put_bytes(&items, ",", 1);
        put_item(&items, v, i);
    }
    put(t, "\t9:%" PRIu32 ":%zu\t", v->stored, v->n);
    if (items.n <= LONGEST) put(t, "%s", items.at);
    else put_sha256(t, items.at, items.n);
    free(items.at);
}

static inline void put_value(lines *t, const meta_value *v) {
    if (v->kind == META_LIST) {
        put_list(t, v);
        return;
    }
    put(t, "\t%" PRIu32 "\t", v->stored);
    if (v->kind == META_TEXT) put_hex(t, v->text);
    else if (v->kind == META_NUMBER) put_number(t, v->number);
    else put(t, "%" PRId64, v->integer);
}

static inline lines describe(const char *name, const weights *w) {
    lines t = { 0 };
    for (size_t i = 0; i < weights_meta_count(w); i++) {
        const meta_value *v = weights_meta_at(w, i);
        CHECK(weights_meta(w, v->key) == v);
        put(&t, "%s\t%s", name, v->key);
        put_value(&t, v);
        put(&t, "\n");
    }
    for (size_t i = 0; i < weights_count(w); i++) {
        const stored_tensor *x = weights_at(w, i);
        CHECK(weights_find(w, x->name) == x);
        put(&t, "%s\t%s\t%s\t", name, x->name, dtype_table[x->type].name);
        for (int k = 0; k < x->rank; k++) put(&t, "%s%" PRId64, k ? "x" : "", x->dim[k]);
        put(&t, "\t");
        put_sha256(&t, x->data, x->bytes);
        put(&t, "\n");
    }
    return t;
}

static inline lines read_text(const char *path) {
    lines t = { 0 };
    FILE *f = fopen(path, "rb");
    char line[8192];
    if (!f) FAIL_("%s is not there", path);
    while (fgets(line, sizeof line, f)) put_bytes(&t, line, strlen(line));
    fclose(f);
    return t;
}

/* Every file that a .tsv speaks of, in `folder`. */
static inline int agree_with(const char *tsv, const char *folder) {
    lines want = read_text(tsv);
    int files = 0;
    for (const char *at = want.at; *at; files++) {
        char name[200], path[1024];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\t"), at);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        weights *w = NULL;
        if (weights_open(path, &w, &err) != SONDE_OK) FAIL_("%s", err.message);
        lines got = describe(name, w);
        const size_t name_length = strlen(name);
        for (const char *line = got.at; *line; line = strchr(line, '\n') + 1, at = strchr(at, '\n') + 1)
            if (strncmp(line, at, strcspn(line, "\n") + 1) != 0)
                FAIL_("found    %.200s\nexpected %.200s", line, at);
        CHECK(strncmp(at, name, name_length) != 0 || at[name_length] != '\t');
        weights_close(w);
        free(got.at);
    }
    free(want.at);
    return files;
}
#endif
