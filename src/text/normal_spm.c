/* The normaliser of SentencePiece: its charsmap, and white space. `collapse`: spaces at the ends and behind spaces are
 * dropped. `prefix`: a space is put in front of the text (`prefix_each`: of each stretch between added tokens), `suffix`:
 * behind it instead. `escape`: a space is written U+2581. */
#include "normal.h"
#include "base/text.h"

static const char escaped[] = "\xe2\x96\x81";

/* What stands at s->text[at]: how long it is, what comes in its place. */
static size_t next_part(const normal_step *k, const stretch *s, size_t at, const char **with, size_t *len) {
    const char *here = s->text + at;
    const size_t left = s->len - at;
    int32_t id;
    uint32_t c;
    *with = here;
    *len = k->whole ? trie_longest(k->whole, here, left, &id) : 0;
    if (*len) return *len;
    const size_t mapped = k->map ? charsmap_find(k->map, here, left, false, with, len) : 0;
    if (mapped) return mapped;
    *len = utf8_next(here, left, &c);
    return *len;
}

static void put_space(const normal_step *k, stretch_maker *m, size_t first, size_t rest) {
    if (k->escape) stretch_put(m, escaped, 3, first, rest);
    else stretch_put(m, " ", 1, first, rest);
}

/* What stands in the place of s->text[at, at + taken), less its first `drop` bytes. What did not change keeps the origin
 * of each byte. */
typedef struct { const char *with; size_t len, drop, at, taken; } part;

static void put_part(const normal_step *k, stretch_maker *m, const stretch *s, const part *p) {
    const bool same = p->with == s->text + p->at;
    const size_t rest = stretch_origin(s, p->at + p->taken);
    size_t first = stretch_origin(s, p->at);
    for (size_t i = p->drop; i < p->len; i++) {
        if (same) first = stretch_origin(s, p->at + i);
        if (p->with[i] == ' ') put_space(k, m, first, same ? stretch_origin(s, p->at + i + 1) : rest);
        else stretch_put(m, p->with + i, 1, first, rest);
        first = rest;
    }
}

static size_t drop_end(const normal_step *k, stretch_maker *m, size_t end) {
    const char *space = k->escape ? escaped : " ";
    const size_t n = k->escape ? 3 : 1;
    while (m->len >= n && memcmp(m->text + m->len - n, space, n) == 0) {
        m->len -= n;
        end = m->origin[m->len];
    }
    return end;
}

stretch normal_sentencepiece(const normal_step *k, const stretch *s, arena *into) {
    stretch_maker m = { .memory = into };
    const char *with;
    size_t at = 0, len, taken;
    while (k->collapse && at < s->len) {
        taken = next_part(k, s, at, &with, &len);
        if (len != 1 || *with != ' ') break;
        at += taken;
    }
    if (at == s->len) return (stretch){ .text = "", .base = stretch_origin(s, s->len) };
    const bool around = k->prefix_each || stretch_origin(s, 0) == 0;
    const size_t begin = stretch_origin(s, at);
    if (k->prefix && !k->suffix && around) put_space(k, &m, begin, begin);
    bool after_space = k->collapse;
    for (; at < s->len; at += taken) {
        taken = next_part(k, s, at, &with, &len);
        part p = { with, len, 0, at, taken };
        while (after_space && p.drop < len && with[p.drop] == ' ') p.drop++;
        put_part(k, &m, s, &p);
        if (p.drop < len) after_space = k->collapse && with[len - 1] == ' ';
    }
    size_t end = stretch_origin(s, s->len);
    if (k->collapse) end = drop_end(k, &m, end);
    if (k->prefix && k->suffix && around) put_space(k, &m, end, end);
    return stretch_made(&m, end);
}
