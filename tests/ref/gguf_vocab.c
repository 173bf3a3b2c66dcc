#include "ref/gguf_vocab.h"
#include <string.h>

typedef struct { const char *at, *end; bool bad; } reader;

static const char *take(reader *r, uint64_t n) {
    if (r->bad || n > (uint64_t)(r->end - r->at)) { r->bad = true; return NULL; }
    const char *p = r->at;
    r->at += n;
    return p;
}

static uint64_t number(reader *r, size_t size) {
    uint64_t v = 0;
    const char *p = take(r, size);
    if (p) memcpy(&v, p, size);
    return v;
}

static text_bytes string(reader *r) {
    const uint64_t n = number(r, 8);
    const char *p = take(r, n);
    return (text_bytes){ p, p ? n : 0 };
}

enum { STRING = 8, ARRAY = 9 };
static const size_t sizes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

typedef struct { uint64_t type, item, n, value; text_bytes text; const char *items; text_bytes *texts; } value;

static value read_value(reader *r, arena *into) {
    value v = { .type = number(r, 4) };
    if (v.type == STRING) {
        v.text = string(r);
    } else if (v.type == ARRAY) {
        v.item = number(r, 4);
        v.n = number(r, 8);
        if (v.item == STRING && v.n <= (uint64_t)(r->end - r->at) / 8) {
            v.texts = arena_new_array(into, text_bytes, v.n);
            for (uint64_t i = 0; i < v.n; i++) v.texts[i] = string(r);
        } else if (v.item < 13 && sizes[v.item]) {
            v.items = take(r, v.n * sizes[v.item]);
        } else {
            r->bad = true;
        }
    } else if (v.type < 13) {
        v.value = number(r, sizes[v.type]);
    } else {
        r->bad = true;
    }
    return v;
}

static const char *text(arena *into, text_bytes t) { return arena_printf(into, "%.*s", (int)t.len, t.at); }

/* Arrays of numbers need not be aligned in the file. */
static const void *copy(arena *into, const value *v) {
    void *out = arena_alloc(into, v->n * 4 + 1);
    memcpy(out, v->items, v->n * 4);
    return out;
}

static void store(vocab_pieces *p, const char *key, const value *v, arena *into) {
    const struct { const char *key; int32_t *to; } ids[] = {
        { "bos_token_id", &p->bos }, { "eos_token_id", &p->eos }, { "unknown_token_id", &p->unknown },
        { "seperator_token_id", &p->separator }, { "padding_token_id", &p->padding }, { "cls_token_id", &p->cls },
        { "mask_token_id", &p->mask }, { "add_bos_token", &p->add_bos }, { "add_eos_token", &p->add_eos },
        { "add_space_prefix", &p->add_space_prefix }, { "remove_extra_whitespaces", &p->remove_extra_whitespaces },
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (strcmp(key, ids[i].key) == 0) *ids[i].to = (int32_t)v->value;
    if (strcmp(key, "model") == 0) p->model = text(into, v->text);
    if (strcmp(key, "pre") == 0) p->pre = text(into, v->text);
    if (strcmp(key, "tokens") == 0) { p->text = v->texts; p->n = v->n; }
    if (strcmp(key, "merges") == 0) { p->merge = v->texts; p->n_merges = v->n; }
    if (strcmp(key, "scores") == 0) p->score = copy(into, v);
    if (strcmp(key, "token_type") == 0) p->type = copy(into, v);
    if (strcmp(key, "precompiled_charsmap") == 0) { p->charsmap = (const uint8_t *)v->items; p->charsmap_len = v->n; }
}

bool gguf_vocab(const char *data, size_t size, arena *into, vocab_pieces *out) {
    reader r = { data, data + size, false };
    *out = (vocab_pieces){ .name = "GGUF", .bos = -1, .eos = -1, .unknown = -1, .separator = -1, .padding = -1, .cls = -1,
                           .mask = -1, .add_bos = -1, .add_eos = -1, .add_space_prefix = -1,
                           .remove_extra_whitespaces = -1 };
    const char *magic = take(&r, 4);
    if (!magic || memcmp(magic, "GGUF", 4) != 0) return false;
    number(&r, 4);
    number(&r, 8);
    const uint64_t pairs = number(&r, 8);
    static const char prefix[] = "tokenizer.ggml.";
    for (uint64_t i = 0; i < pairs && !r.bad; i++) {
        const text_bytes key = string(&r);
        const value v = read_value(&r, into);
        if (r.bad) return false;
        const char *name = text(into, key);
        if (strcmp(name, "general.architecture") == 0) out->family = text(into, v.text);
        if (strncmp(name, prefix, sizeof prefix - 1) == 0) store(out, name + sizeof prefix - 1, &v, into);
    }
    return !r.bad && out->model && out->n;
}
