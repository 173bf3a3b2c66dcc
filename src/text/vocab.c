#include "vocab.h"
#include "base/text.h"
#include "bytes.h"
#include "grow.h"
#include <stdlib.h>

enum { LARGEST_ID = 1 << 30 };              /* room for added ones above */

void vocab_init(vocab *v, arena *memory) {
    *v = (vocab){ .memory = memory, .largest = -1, .largest_added = -1 };
    for (int i = 0; i < 256; i++) v->byte_id[i] = -1;
    v->by_text = map_new(memory, 0);
    v->by_added_text = map_new(memory, 0);
}

static int by_id(const void *a, const void *b) {
    const token *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return (int)y->added - (int)x->added;       /* the added one first: it hides the model's */
}

static void sort(vocab *v) {
    bool sorted = true;
    for (size_t i = 1; i < v->n && sorted; i++) sorted = by_id(&v->at[i - 1], &v->at[i]) < 0;
    if (!sorted) qsort(v->at, v->n, sizeof *v->at, by_id);
}

/* One member of the object into `t`; its text and bytes into `pool`, which has room. Returns the room used. */
static size_t read_token(token *t, const json *j, int32_t id, char *pool) {
    *t = (token){ .id = id, .text = pool, .text_len = j->key_len };
    if (j->key_len) memcpy(pool, j->key, j->key_len);
    t->bytes = pool + j->key_len;
    if (bytes_unspell(j->key, j->key_len, pool + j->key_len, &t->bytes_len)) return t->text_len + t->bytes_len;
    t->bytes = t->text;                         /* not spelled in the alphabet: BPE never makes it */
    t->bytes_len = t->text_len;
    return t->text_len;
}

static sonde_status check(const json *object, const char *where, size_t *bytes, sonde_error *err) {
    SONDE_FAIL_IF(!object || object->kind != JSON_OBJECT, err, SONDE_FORMAT,
                  "%s: %s, expected an object of token texts and ids", where, object ? "no object" : "missing");
    SONDE_FAIL_IF(object->len > VOCAB_MOST, err, SONDE_UNSUPPORTED, "%s: %zu tokens, at most %d", where,
                  object->len, VOCAB_MOST);
    *bytes = 0;
    for (const json *j = object->child; j; j = j->next) {
        int64_t id;
        SONDE_FAIL_IF(!json_int(j, &id) || id < 0 || id >= LARGEST_ID, err, SONDE_FORMAT,
                      "%s: the id of \"%s\" is no number from 0 to 1073741823", where,
                      text_shown(j->key, j->key_len).text);
        SONDE_FAIL_IF(j->key_len > VOCAB_LONGEST, err, SONDE_FORMAT,
                      "%s: the text of token %lld has %zu bytes, at most %d", where, (long long)id, j->key_len,
                      VOCAB_LONGEST);
        *bytes += 2 * j->key_len;
    }
    return SONDE_OK;
}

sonde_status vocab_read(vocab *v, const json *object, const char *where, sonde_error *err) {
    size_t bytes;
    SONDE_TRY(check(object, where, &bytes, err));
    char *pool = arena_alloc(v->memory, bytes);
    v->at = grow(v->memory, v->at, 0, object->len + 1, &v->cap, sizeof *v->at);
    v->by_text = map_new(v->memory, object->len);
    for (const json *j = object->child; j; j = j->next) {
        int64_t id = 0;
        (void)json_int(j, &id);
        token *t = &v->at[v->n++];
        pool += read_token(t, j, (int32_t)id, pool);
        map_put(v->by_text, t->text, t->text_len, id);
        if (t->bytes != t->text && t->bytes_len == 1) v->byte_id[(uint8_t)t->bytes[0]] = t->id;
        if (t->id > v->largest) v->largest = t->id;
    }
    v->n_model = v->n;
    sort(v);
    for (size_t i = 1; i < v->n; i++)
        SONDE_FAIL_IF(v->at[i - 1].id == v->at[i].id, err, SONDE_FORMAT, "%s: \"%s\" and \"%s\" both have id %d", where,
                      text_shown(v->at[i - 1].text, v->at[i - 1].text_len).text,
                      text_shown(v->at[i].text, v->at[i].text_len).text, v->at[i].id);
    return SONDE_OK;
}

int32_t vocab_add(vocab *v, const char *text, size_t len, bool special) {
    int64_t known;
    if (map_get(v->by_added_text, text, len, &known)) {
        v->at[known].special |= special;
        return v->at[known].id;
    }
    int32_t id = vocab_model_id(v, text, len);
    if (id < 0) id = v->largest_added >= (int32_t)v->n_model ? v->largest_added + 1 : (int32_t)v->n_model;
    v->at = grow(v->memory, v->at, v->n, v->n + 1, &v->cap, sizeof *v->at);
    v->at[v->n++] = (token){ .id = id, .added = true, .special = special, .text = text, .bytes = text,
                             .text_len = len, .bytes_len = len };
    map_put(v->by_added_text, text, len, (int64_t)v->n - 1);
    if (id > v->largest_added) v->largest_added = id;
    if (id > v->largest) v->largest = id;
    return id;
}

void vocab_close(vocab *v) {
    map *ids = map_new(v->memory, v->n - v->n_model);
    for (size_t i = v->n_model; i < v->n; i++) map_put(ids, v->at[i].text, v->at[i].text_len, v->at[i].id);
    v->by_added_text = ids;
    sort(v);
    size_t kept = 0;
    for (size_t i = 0; i < v->n; i++)
        if (kept == 0 || v->at[kept - 1].id != v->at[i].id) v->at[kept++] = v->at[i];
    v->n = kept;
}

const token *vocab_token(const vocab *v, int32_t id) {
    if (id < 0 || v->n == 0) return NULL;
    if ((size_t)id < v->n && v->at[id].id == id) return &v->at[id];     /* ids without holes */
    size_t lo = 0, hi = v->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (v->at[mid].id < id) lo = mid + 1; else hi = mid;
    }
    return lo < v->n && v->at[lo].id == id ? &v->at[lo] : NULL;
}

int32_t vocab_model_id(const vocab *v, const char *text, size_t len) {
    int64_t id;
    return map_get(v->by_text, text, len, &id) ? (int32_t)id : -1;
}

int32_t vocab_id(const vocab *v, const char *text, size_t len) {
    int64_t id;
    return map_get(v->by_added_text, text, len, &id) ? (int32_t)id : vocab_model_id(v, text, len);
}
