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

/* Mostly all are in order, or all but a few behind the others, whose ids mostly are larger or stand once more. */
static void sort(vocab *v) {
    enum { FEW = 64 };
    size_t done = 1;
    while (done < v->n && by_id(&v->at[done - 1], &v->at[done]) < 0) done++;
    if (v->n > done + FEW) {
        qsort(v->at, v->n, sizeof *v->at, by_id);
        return;
    }
    for (size_t i = done; i < v->n; i++) {
        const token t = v->at[i];
        size_t lo = 0, hi = i;
        while (lo < hi) {
            const size_t mid = lo + (hi - lo) / 2;
            if (by_id(&v->at[mid], &t) <= 0) lo = mid + 1; else hi = mid;
        }
        memmove(&v->at[lo + 1], &v->at[lo], (i - lo) * sizeof t);
        v->at[lo] = t;
    }
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int vocab_byte_piece(const char *text, size_t len) {
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    const int high = hex(text[3]), low = hex(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* U+2581 to a space; returns the length. */
static size_t unescape(const char *text, size_t n, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < n; ) {
        const bool space = n - i >= 3 && memcmp(text + i, "\xe2\x96\x81", 3) == 0;
        out[len++] = space ? ' ' : text[i];
        i += space ? 3 : 1;
    }
    return len;
}

/* The bytes that the text stands for, in `room`; false: they are the text. */
static bool read_bytes(const vocab *v, token *t, char *room) {
    t->bytes = room;
    const int byte = v->byte_pieces ? vocab_byte_piece(t->text, t->text_len) : -1;
    if (byte >= 0) {
        *room = (char)byte;
        t->bytes_len = 1;
        return true;
    }
    if (v->spelling == SPELL_BYTES) return bytes_unspell(t->text, t->text_len, room, &t->bytes_len);
    if (v->spelling == SPELL_PLAIN) return false;
    t->bytes_len = unescape(t->text, t->text_len, room);
    return true;
}

void vocab_begin(vocab *v, size_t n, size_t bytes) {
    v->pool = arena_alloc(v->memory, 2 * bytes + 1);
    v->at = grow(v->memory, v->at, 0, n + 1, &v->cap, sizeof *v->at);
    v->by_text = map_new(v->memory, n);
}

bool vocab_put(vocab *v, int32_t id, const char *text, size_t len, bool raw) {
    token t = { .id = id, .text = v->pool, .text_len = len };
    if (len) memcpy(v->pool, text, len);
    v->pool += len;
    if (!raw && read_bytes(v, &t, v->pool)) {
        v->pool += t.bytes_len;
        const bool is_byte = t.bytes_len == 1 && (v->spelling == SPELL_BYTES || vocab_byte_piece(t.text, len) >= 0);
        if (is_byte) v->byte_id[(uint8_t)t.bytes[0]] = id;
    } else {                                    /* raw, or no text that BPE makes */
        t.bytes = t.text;
        t.bytes_len = len;
    }
    v->at = grow(v->memory, v->at, v->n, v->n + 1, &v->cap, sizeof *v->at);
    v->at[v->n++] = t;
    const bool fresh = map_put(v->by_text, t.text, len, id);
    v->twice |= !fresh;
    if (id > v->largest) v->largest = id;
    return fresh;
}

sonde_status vocab_end(vocab *v, const char *where, sonde_error *err) {
    v->n_model = v->n;
    sort(v);
    for (size_t i = 1; i < v->n; i++)
        SONDE_FAIL_IF(v->at[i - 1].id == v->at[i].id, err, SONDE_FORMAT, "%s: \"%s\" and \"%s\" both have id %d", where,
                      text_shown(v->at[i - 1].text, v->at[i - 1].text_len).text,
                      text_shown(v->at[i].text, v->at[i].text_len).text, v->at[i].id);
    return SONDE_OK;
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
        *bytes += j->key_len;
    }
    return SONDE_OK;
}

sonde_status vocab_read(vocab *v, const json *object, const char *where, sonde_error *err) {
    size_t bytes;
    SONDE_TRY(check(object, where, &bytes, err));
    vocab_begin(v, object->len, bytes);
    for (const json *j = object->child; j; j = j->next) {
        int64_t id = 0;
        (void)json_int(j, &id);
        vocab_put(v, (int32_t)id, j->key, j->key_len, false);
    }
    return vocab_end(v, where, err);
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

void vocab_model_ids(const vocab *v, const map_key *text, size_t n, int32_t *id) {
    int64_t found[MAP_AT_ONCE];
    for (size_t i = 0; i < n; i++) found[i] = -1;
    map_get_many(v->by_text, text, n, found);
    for (size_t i = 0; i < n; i++) id[i] = (int32_t)found[i];
}

int32_t vocab_id(const vocab *v, const char *text, size_t len) {
    int64_t id;
    return map_get(v->by_added_text, text, len, &id) ? (int32_t)id : vocab_model_id(v, text, len);
}
