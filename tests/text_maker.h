/* text_maker.h - strings for tokenizers, made of the parts in golden/tokenizer/kinds/parts.json; tools/text_maker.py makes
 * the same ones. */
#ifndef TEST_TEXT_MAKER_H
#define TEST_TEXT_MAKER_H
#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

typedef struct { text_bytes *at; uint32_t n; } maker_list;

enum { WORDS, SPACES, PUNCTUATION, MARKS, EMOJI, SPECIAL, TRICKY, RUNS, LISTS, MAKER_LONGEST = 1 << 16 };

typedef struct {
    uint64_t   seed, state;
    arena     *memory;
    maker_list list[LISTS];
    uint32_t (*ranges)[2];
    uint32_t   n_ranges;
    char      *text;
    size_t     len;
} text_maker;

static inline bool text_maker_open(text_maker *m, uint64_t seed) {
    static const char *const names[] = { "words", "spaces", "punctuation", "marks", "emoji", "special", "tricky", "runs" };
    file_map f = { 0 };
    const json *root;
    *m = (text_maker){ .seed = seed, .memory = arena_new() };
    if (file_map_open(&f, SONDE_SOURCE_DIR "/tests/golden/tokenizer/kinds/parts.json", NULL) != SONDE_OK) return false;
    if (json_parse((const char *)f.data, f.size, m->memory, &root, NULL) != SONDE_OK) return false;
    for (int i = 0; i < LISTS; i++) {
        const json *list = json_get(root, names[i]);
        m->list[i].at = arena_new_array(m->memory, text_bytes, list->len);
        for (const json *c = list->child; c; c = c->next) m->list[i].at[m->list[i].n++] = (text_bytes){ c->text, c->len };
    }
    const json *ranges = json_get(root, "ranges");
    m->ranges = arena_alloc(m->memory, ranges->len * sizeof *m->ranges);
    for (const json *c = ranges->child; c; c = c->next, m->n_ranges++)
        for (int k = 0; k < 2; k++) {
            int64_t v = 0;
            json_int(k ? c->child->next : c->child, &v);
            m->ranges[m->n_ranges][k] = (uint32_t)v;
        }
    m->text = arena_alloc(m->memory, MAKER_LONGEST);
    file_map_close(&f);
    return true;
}

static inline uint32_t maker_draw(text_maker *m, uint32_t n) {
    uint64_t z = m->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(((z ^ z >> 31) >> 32) % n);
}

static inline void maker_put(text_maker *m, text_bytes t, uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        if (m->len + t.len > MAKER_LONGEST) abort();
        memcpy(m->text + m->len, t.at, t.len);
        m->len += t.len;
    }
}

static inline void maker_code(text_maker *m, uint32_t c) {
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    maker_put(m, (text_bytes){ (const char *)bytes, (size_t)n }, 1);
}

static inline text_bytes maker_any(text_maker *m, int list) {
    return m->list[list].at[maker_draw(m, m->list[list].n)];
}

static inline void maker_range(text_maker *m) {
    const uint32_t *r = m->ranges[maker_draw(m, m->n_ranges)];
    maker_code(m, r[0] + maker_draw(m, r[1] - r[0] + 1));
}

/* As many of `put` as drawn. */
static inline void maker_codes(text_maker *m, uint32_t most, uint32_t first, uint32_t n) {
    for (uint32_t k = 1 + maker_draw(m, most); k > 0; k--) maker_code(m, first + maker_draw(m, n));
}

static inline void maker_part(text_maker *m) {
    static const uint32_t times[] = { 1, 1, 1, 2, 3, 5 };
    const uint32_t kind = maker_draw(m, 16);
    text_bytes t;
    uint32_t n;
    switch (kind) {
    case 0: case 1: case 2: case 3:
        if (maker_draw(m, 2)) maker_code(m, ' ');
        maker_put(m, maker_any(m, WORDS), 1);
        break;
    case 4: case 5: t = maker_any(m, SPACES); maker_put(m, t, times[maker_draw(m, 6)]); break;
    case 6:  maker_codes(m, 6, '0', 10); break;
    case 7:  t = maker_any(m, PUNCTUATION); maker_put(m, t, 1 + maker_draw(m, 2)); break;
    case 8:  for (n = 1 + maker_draw(m, 4); n > 0; n--) maker_range(m); break;
    case 9:
        maker_code(m, (uint32_t)"aeok"[maker_draw(m, 4)]);
        for (n = 1 + maker_draw(m, 3); n > 0; n--) maker_put(m, maker_any(m, MARKS), 1);
        break;
    case 10: maker_put(m, maker_any(m, EMOJI), 1); break;
    case 11: maker_put(m, maker_any(m, SPECIAL), 1); break;
    case 12: n = maker_draw(m, 2); maker_code(m, n ? maker_draw(m, 0x20) : 0x7f + maker_draw(m, 0x22)); break;
    case 13: t = maker_any(m, RUNS); maker_put(m, t, 1 + maker_draw(m, 60)); break;
    case 14: maker_codes(m, 6, 0x20, 0x5f); break;
    default: maker_put(m, maker_any(m, TRICKY), 1);
    }
}

/* String i of the seed, in memory that the next call reuses. */
static inline text_bytes text_maker_string(text_maker *m, uint64_t i) {
    m->state = m->seed * 0xd1342543de82ef95u + i;
    m->len = 0;
    const uint32_t a = maker_draw(m, 14), b = maker_draw(m, 14);
    for (uint32_t k = a < b ? a : b; k > 0; k--) maker_part(m);
    return (text_bytes){ m->text, m->len };
}
#endif
