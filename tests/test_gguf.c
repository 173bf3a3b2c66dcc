/* What the GGUF reader says of a file, against what gguf-py's reader says (tools/truth/gguf_files.py). */
#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "base/arena.h"
#include "base/sha256.h"
#include "format/meta.h"
#include <inttypes.h>
#include <stdarg.h>

enum { LONGEST = 256 };
static const char truth[] = SONDE_SOURCE_DIR "/tests/truth/gguf";
static const char shared_data[] = SONDE_SOURCE_DIR "/../shared/data";
static sonde_error err;

/* -- what a file holds, as the lines of a .tsv -- */

typedef struct { char *at; size_t n; } text;

__attribute__((format(printf, 2, 3)))
static void put(text *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *more = NULL;
    const int n = vasprintf(&more, fmt, ap);
    va_end(ap);
    t->at = realloc(t->at, t->n + (size_t)n + 1);
    memcpy(t->at + t->n, more, (size_t)n + 1);
    t->n += (size_t)n;
    free(more);
}

static void put_hex(text *t, meta_text from) {
    for (size_t i = 0; i < from.len; i++) put(t, "%02x", (uint8_t)from.at[i]);
}

static void put_number(text *t, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put(t, "%016" PRIx64, bits);
}

static void put_sha256(text *t, const void *bytes, size_t n) {
    uint8_t digest[32];
    char hex[65];
    sha256 *h = sha256_new();
    sha256_add(h, bytes, n);
    CHECK_EQ(sha256_end(h, digest, &err), SONDE_OK);
    sha256_hex(digest, hex);
    put(t, "%s", hex);
}

static void put_item(text *t, const meta_value *v, size_t i) {
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

static void put_list(text *t, const meta_value *v) {
    text items = { 0 };
    put(&items, "%s", "");
    for (size_t i = 0; i < v->n; i++) {
        if (i) put(&items, ",");
        put_item(&items, v, i);
    }
    put(t, "\t9:%" PRIu32 ":%zu\t", v->stored, v->n);
    if (items.n <= LONGEST) put(t, "%s", items.at);
    else put_sha256(t, items.at, items.n);
    free(items.at);
}

static void put_value(text *t, const meta_value *v) {
    if (v->kind == META_LIST) {
        put_list(t, v);
        return;
    }
    put(t, "\t%" PRIu32 "\t", v->stored);
    if (v->kind == META_TEXT) put_hex(t, v->text);
    else if (v->kind == META_NUMBER) put_number(t, v->number);
    else put(t, "%" PRId64, v->integer);
}

static text describe(const char *name, const weights *w) {
    text t = { 0 };
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

static text read_text(const char *path) {
    text t = { 0 };
    FILE *f = fopen(path, "rb");
    char line[8192];
    if (!f) FAIL_("%s is not there", path);
    while (fgets(line, sizeof line, f)) put(&t, "%s", line);
    fclose(f);
    return t;
}

/* Every file that a .tsv speaks of, in `folder`. */
static int agree_with(const char *tsv, const char *folder) {
    text want = read_text(tsv);
    int files = 0;
    for (const char *at = want.at; *at; files++) {
        char name[200], path[1024];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\t"), at);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        weights *w = NULL;
        if (weights_open(path, &w, &err) != SONDE_OK) FAIL_("%s", err.message);
        text got = describe(name, w);
        const size_t name_length = strlen(name);
        for (const char *line = got.at; *line; line = strchr(line, '\n') + 1, at = strchr(at, '\n') + 1)
            if (strncmp(line, at, strcspn(line, "\n") + 1) != 0)
                FAIL_("found    %.200s\nexpected %.200s", line, at);
        CHECK(strncmp(at, name, name_length) != 0 || at[name_length] != '\t');
        CHECK_EQ((long long)weights_copied(w), 0);
        weights_close(w);
        free(got.at);
    }
    free(want.at);
    return files;
}

static void files_of_gguf_py_are_read_as_gguf_py_reads_them(void) {
    char tsv[512];
    snprintf(tsv, sizeof tsv, "%s/files.tsv", truth);
    CHECK_EQ(agree_with(tsv, truth), 5);
}

static void vocabularies_and_the_small_model_are_read_as_gguf_py_reads_them(void) {
    char tsv[512];
    if (access(shared_data, R_OK)) {
        printf("skipped: %s is not there\n", shared_data);
        return;
    }
    snprintf(tsv, sizeof tsv, "%s/shared.tsv", truth);
    CHECK_EQ(agree_with(tsv, shared_data), 13);
}

static void a_key_that_is_not_there_is_null(void) {
    char path[512];
    weights *w = NULL;
    snprintf(path, sizeof path, "%s/kinds.gguf", truth);
    CHECK_EQ(weights_open(path, &w, &err), SONDE_OK);
    CHECK(!weights_meta(w, "") && !weights_meta(w, "one") && !weights_note(w, "general.architecture"));
    int64_t whole;
    double x;
    CHECK(!meta_item_int(weights_meta(w, "one.UINT8.0"), 0, &whole));
    CHECK(!meta_item_int(weights_meta(w, "list.FLOAT32"), 0, &whole));
    CHECK(!meta_item_number(weights_meta(w, "list.INT32"), 0, &x));
    CHECK(!meta_item_number(weights_meta(w, "list.STRING"), 0, &x));
    weights_close(w);
}

#define TESTS(X) \
    X(files_of_gguf_py_are_read_as_gguf_py_reads_them) \
    X(vocabularies_and_the_small_model_are_read_as_gguf_py_reads_them) \
    X(a_key_that_is_not_there_is_null)
TEST_MAIN(TESTS)
