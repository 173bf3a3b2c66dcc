/* Pairs of texts as structures, in one arena. */
#include "base/arena.h"
#include "base/json.h"
#include "sonde/pairs.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct sonde_pairs { arena *memory; sonde_pair *pair; size_t n; };

typedef struct { const char *at; size_t n; } piece;

static sonde_status read_text(const json *object, const char *key, piece *out, sonde_error *err) {
    const json *j = json_get(object, key);
    SONDE_FAIL_IF(j && !json_string(j, &out->at, &out->n), err, SONDE_FORMAT, "%s is no text", key);
    return SONDE_OK;
}

static sonde_status find_word(sonde_use *u, const char *side, piece word, sonde_error *err) {
    size_t times = 0;
    SONDE_FAIL_IF(!word.n, err, SONDE_FORMAT, "has neither word nor %s_start and %s_end", side, side);
    for (size_t i = 0; i + word.n <= u->len; i++) {
        if (memcmp(u->text + i, word.at, word.n) != 0) continue;
        u->start = i;
        u->end = i + word.n;
        times++;
    }
    SONDE_FAIL_IF(times != 1, err, SONDE_FORMAT, "%s holds \"%.40s\" %zu times, expected once (or %s_start and %s_end)", side, word.at,
                  times, side, side);
    return SONDE_OK;
}

static sonde_status read_use(const json *object, const char *side, piece word, sonde_use *u, sonde_error *err) {
    char    first[16], last[16];
    piece   text = { 0 };
    int64_t start, end;
    SONDE_TRY(read_text(object, side, &text, err));
    SONDE_FAIL_IF(!text.at, err, SONDE_FORMAT, "has no %s, expected a text", side);
    *u = (sonde_use){ .text = text.at, .len = text.n };
    snprintf(first, sizeof first, "%s_start", side);
    snprintf(last, sizeof last, "%s_end", side);
    const json *from = json_get(object, first), *to = json_get(object, last);
    if (!from && !to) return find_word(u, side, word, err);
    const bool good = json_int(from, &start) && json_int(to, &end) && start >= 0 && start < end && end <= (int64_t)text.n;
    SONDE_FAIL_IF(!good, err, SONDE_FORMAT, "%s and %s are no part of %s, which has %zu bytes", first, last, side, text.n);
    u->start = (size_t)start;
    u->end = (size_t)end;
    return SONDE_OK;
}

static sonde_status read_pair(arena *into, piece line, sonde_pair *p, sonde_error *err) {
    const json *object;
    piece word = { 0 }, group = { 0 };
    SONDE_TRY(json_parse(line.at, line.n, into, &object, err));
    SONDE_FAIL_IF(object->kind != JSON_OBJECT, err, SONDE_FORMAT, "is no object, expected {\"a\": .., \"b\": .., \"same\": ..}");
    SONDE_TRY(read_text(object, "word", &word, err));
    SONDE_TRY(read_text(object, "group", &group, err));
    SONDE_TRY(read_use(object, "a", word, &p->use[0], err));
    SONDE_TRY(read_use(object, "b", word, &p->use[1], err));
    SONDE_FAIL_IF(!json_bool(json_get(object, "same"), &p->same), err, SONDE_FORMAT, "same is missing, expected true or false");
    if (!group.at) group = word;
    if (!group.at) group = (piece){ p->use[0].text + p->use[0].start, p->use[0].end - p->use[0].start };
    p->group = group.at;
    p->group_len = group.n;
    return SONDE_OK;
}

static sonde_status read_all(sonde_pairs *p, const char *text, size_t n, sonde_error *err) {
    size_t lines = 1;
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
    p->pair = arena_new_array(p->memory, sonde_pair, lines);
    const char *const end = text + n;
    for (size_t number = 1; text < end; number++) {
        const char  *stop = memchr(text, '\n', (size_t)(end - text));
        const piece  line = { text, (size_t)((stop ? stop : end) - text) };
        text = stop ? stop + 1 : end;
        size_t blank = 0;
        while (blank < line.n && strchr(" \t\r", line.at[blank])) blank++;
        if (blank == line.n) continue;
        const sonde_status s = read_pair(p->memory, line, &p->pair[p->n], err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "pairs: line %zu", number);
        p->n++;
    }
    return SONDE_OK;
}

sonde_status sonde_pairs_read(sonde_pairs **out, const char *text, size_t n, sonde_error *err) {
    arena *a = arena_new();
    sonde_pairs *p = arena_alloc(a, sizeof *p);
    p->memory = a;
    const sonde_status s = read_all(p, text, n, err);
    if (s == SONDE_OK) *out = p;
    else sonde_pairs_free(p);
    return s;
}

void sonde_pairs_free(sonde_pairs *p) {
    if (p) arena_free(p->memory);
}

const sonde_pair *sonde_pairs_at(const sonde_pairs *p, size_t i) { return i < p->n ? &p->pair[i] : NULL; }
