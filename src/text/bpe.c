/* A few symbols are merged by looking for the lowest rank again and again. Many are a doubly linked list in an array, and
 * candidates for merging wait in a binary heap by (rank, position). A candidate is stale when the pair at its position no
 * longer makes its token; the pair may have changed and still make it, and then it is merged at the older rank:
 * `tokenizers` does the same, and ids must agree. */
#define _GNU_SOURCE
#include "bpe.h"
#include "base/pool.h"
#include "base/text.h"
#include "grow.h"
#include <stdlib.h>
#include <sys/random.h>

typedef struct { uint64_t pair; uint32_t rank; int32_t id; } rule;
typedef struct { const char *bytes; uint32_t len; int32_t id; } whole;

struct bpe {
    const vocab *v;
    bpe_options  options;
    rule        *rules;             /* open addressing, at most half full */
    uint64_t     mask, seed;
    whole       *wholes;            /* the model's tokens by their bytes, likewise; where ignore_merges asks for them */
    uint64_t     wholes_mask;
    bool         exact;             /* the bytes of a token say which it is: no byte becomes the unknown token */
};

struct bpe_merge { uint64_t key; int32_t id; };     /* key: rank, then position of the left symbol */

enum { NONE = -1, FEW = 32, WORTH_SHARING = 4096 };
static const uint64_t NO_PAIR = UINT64_MAX;         /* ids are not negative */
static const uint32_t END = UINT32_MAX;

static uint64_t pair_of(int32_t a, int32_t b) { return (uint64_t)(uint32_t)a << 32 | (uint32_t)b; }

/* A seeded finaliser (Stafford's variant 13): a file cannot know which pairs collide. */
static uint64_t mixed(const bpe *m, uint64_t x) {
    uint64_t h = x ^ m->seed;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = ((h ^ h >> 27) + m->seed) * 0x94d049bb133111ebu;
    return h ^ h >> 31;
}

/* The rule for this pair, or the free place where it belongs. */
static rule *find(const bpe *m, uint64_t pair) {
    uint64_t i = mixed(m, pair) & m->mask;
    while (m->rules[i].pair != pair && m->rules[i].pair != NO_PAIR) i = (i + 1) & m->mask;
    return &m->rules[i];
}

static bool make_table(bpe *m, size_t n) {
    size_t cap = 16;
    while (cap < 2 * n) cap *= 2;
    m->mask = cap - 1;
    m->rules = malloc(cap * sizeof *m->rules);
    if (!m->rules) return false;
    for (size_t i = 0; i < cap; i++) m->rules[i] = (rule){ .pair = NO_PAIR, .rank = UINT32_MAX };
    if (getrandom(&m->seed, sizeof m->seed, 0) != (ssize_t)sizeof m->seed)
        m->seed = (uint64_t)(uintptr_t)m->rules * 0x9e3779b97f4a7c15u;
    return true;
}

/* The token of these bytes, or the free place where it belongs. */
static whole *find_whole(const bpe *m, const char *bytes, size_t n) {
    uint64_t h = m->seed + n;
    for (size_t i = 0; i < n; i += sizeof h) {
        uint64_t part = 0;
        memcpy(&part, bytes + i, n - i < sizeof part ? n - i : sizeof part);
        h = mixed(m, h ^ part);
    }
    uint64_t i = h & m->wholes_mask;
    for (whole *w; (w = &m->wholes[i])->id != NONE; i = (i + 1) & m->wholes_mask)
        if (w->len == n && memcmp(w->bytes, bytes, n) == 0) break;
    return &m->wholes[i];
}

/* Tokens that are not spelled in the alphabet stand for no bytes; of two with one text the vocabulary knows one. */
static bool make_wholes(bpe *m) {
    size_t cap = 16;
    while (cap < 2 * m->v->n_model) cap *= 2;
    m->wholes_mask = cap - 1;
    m->wholes = malloc(cap * sizeof *m->wholes);
    if (!m->wholes) return false;
    for (size_t i = 0; i < cap; i++) m->wholes[i] = (whole){ .id = NONE };
    for (size_t i = 0; i < m->v->n_model; i++) {
        const token *t = &m->v->at[i];
        if (t->bytes == t->text || vocab_model_id(m->v, t->text, t->text_len) != t->id) continue;
        *find_whole(m, t->bytes, t->bytes_len) = (whole){ t->bytes, (uint32_t)t->bytes_len, t->id };
    }
    return true;
}

static bool every_byte(const vocab *v) {
    for (int i = 0; i < 256; i++)
        if (v->byte_id[i] == NONE) return false;
    return true;
}

/* What a rule's texts are called, NONE: no token; found before the table is filled, by any number of threads. */
typedef struct { int32_t a, b, made; } rule_ids;
typedef struct { const bpe *m; const merge_text *text; rule_ids *ids; } naming;

/* Vocabularies are mostly in the order of their rules: what a rule makes follows what the one before it made. */
static bool makes(const token *next, const merge_text *t) {
    return next && !next->added && next->text_len == t->a_len + t->b_len && memcmp(next->text, t->a, t->a_len) == 0 &&
           memcmp(next->text + t->a_len, t->b, t->b_len) == 0;
}

static int32_t made_by(const vocab *v, const merge_text *t, int32_t before) {
    char joined[2 * VOCAB_LONGEST];                             /* both are tokens */
    const token *next = v->twice || before == NONE ? NULL : vocab_token(v, before + 1);
    if (makes(next, t)) return next->id;
    memcpy(joined, t->a, t->a_len);
    memcpy(joined + t->a_len, t->b, t->b_len);
    return vocab_model_id(v, joined, t->a_len + t->b_len);
}

/* The two halves of some rules. */
static void name_halves(const vocab *v, const merge_text *t, size_t n, rule_ids *out) {
    map_key key[MAP_AT_ONCE] = { 0 };
    int32_t id[MAP_AT_ONCE];
    for (size_t i = 0; i < n; i++) {
        key[2 * i]     = (map_key){ t[i].a, t[i].a_len };
        key[2 * i + 1] = (map_key){ t[i].b, t[i].b_len };
    }
    vocab_model_ids(v, key, 2 * n, id);
    for (size_t i = 0; i < n; i++) out[i] = (rule_ids){ id[2 * i], id[2 * i + 1], NONE };
}

static void name_rules(void *ctx, int64_t lo, int64_t hi) {
    enum { SOME = MAP_AT_ONCE / 2 };
    const naming *g = ctx;
    int32_t       before = NONE;
    for (int64_t at = lo; at < hi; at += SOME) {
        const int64_t n = hi - at < SOME ? hi - at : SOME;
        name_halves(g->m->v, g->text + at, (size_t)n, g->ids + at);
        for (int64_t i = at; i < at + n; i++) {
            rule_ids *r = &g->ids[i];
            r->made = before = r->a < 0 || r->b < 0 ? NONE : made_by(g->m->v, &g->text[i], before);
        }
    }
}

static sonde_status refuse_rule(const rule_ids *r, const merge_text *t, size_t i, sonde_error *err) {
    const shown a = text_shown(t->a, t->a_len), b = text_shown(t->b, t->b_len);
    if (r->a < 0) return sonde_fail(err, SONDE_FORMAT, "merge %zu: \"%s\" is not in the vocabulary", i, a.text);
    if (r->b < 0) return sonde_fail(err, SONDE_FORMAT, "merge %zu: \"%s\" is not in the vocabulary", i, b.text);
    return sonde_fail(err, SONDE_FORMAT, "merge %zu: \"%s%s\" is not in the vocabulary", i, a.text, b.text);
}

static sonde_status add_rules(bpe *m, const merge_text *merges, size_t n, sonde_error *err) {
    rule_ids *ids = malloc((n + 1) * sizeof *ids);
    SONDE_FAIL_IF(!ids, err, SONDE_NOMEM, "no memory for %zu merges", n);
    pool_for(pool_shared(), n < WORTH_SHARING ? 1 : pool_cores(), (int64_t)n, name_rules, &(naming){ m, merges, ids });
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < n && s == SONDE_OK; i++) {
        const rule_ids *r = &ids[i];
        const uint32_t  rank = m->options.by_token ? (uint32_t)r->made : (uint32_t)i;
        if (r->made < 0) s = refuse_rule(r, &merges[i], i, err);
        else *find(m, pair_of(r->a, r->b)) = (rule){ pair_of(r->a, r->b), rank, r->made };  /* of two the later one counts */
    }
    free(ids);
    return s;
}

sonde_status bpe_new(bpe **out, const vocab *v, const merge_text *merges, size_t n, bpe_options o, sonde_error *err) {
    *out = NULL;
    bpe *m = calloc(1, sizeof *m);
    SONDE_FAIL_IF(!m, err, SONDE_NOMEM, "no memory for merges");
    m->v = v;
    m->options = o;
    m->exact = o.unknown == NONE || every_byte(v);
    if (!make_table(m, n) || (o.ignore_merges && !make_wholes(m))) {
        bpe_free(m);
        return sonde_fail(err, SONDE_NOMEM, "no memory for %zu merges", n);
    }
    const sonde_status s = add_rules(m, merges, n, err);
    if (s == SONDE_OK) *out = m; else bpe_free(m);
    return s;
}

void bpe_free(bpe *m) {
    if (!m) return;
    free(m->rules);
    free(m->wholes);
    free(m);
}

/* The heap in work->heap, smallest key first. */
static void sift_down(bpe_merge *heap, size_t n, size_t i) {
    const bpe_merge x = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1].key < heap[child].key) child++;
        if (heap[child].key >= x.key) break;
        heap[i] = heap[child];
    }
    heap[i] = x;
}

static bpe_merge pop(bpe_merge *heap, size_t *n) {
    const bpe_merge top = heap[0];
    heap[0] = heap[--*n];
    if (*n) sift_down(heap, *n, 0);
    return top;
}

static void push(bpe_merge *heap, size_t *n, bpe_merge x) {
    size_t i = (*n)++;
    for (size_t up; i > 0 && heap[up = (i - 1) / 2].key > x.key; i = up) heap[i] = heap[up];
    heap[i] = x;
}

/* The merge of symbol `at` with the one behind it, if there is a rule for it. */
static bool candidate(const bpe *m, const bpe_symbol *s, uint32_t at, bpe_merge *out) {
    const rule *r = find(m, pair_of(s[at].id, s[s[at].next].id));
    *out = (bpe_merge){ (uint64_t)r->rank << 32 | at, r->id };
    return r->pair != NO_PAIR;
}

/* One symbol for each byte that has a token; returns how many. */
static size_t split_bytes(const bpe *m, const char *bytes, size_t n_bytes, bpe_symbol *s) {
    size_t n = 0;
    bool unknown_before = false;
    for (uint32_t i = 0; i < n_bytes; i++) {
        int32_t id = m->v->byte_id[(uint8_t)bytes[i]];
        const bool unknown = id == NONE;
        if (unknown) id = m->options.unknown;
        if (id == NONE) continue;
        if (unknown && unknown_before && m->options.fuse_unknown) {
            s[n - 1].len++;
            continue;
        }
        s[n] = (bpe_symbol){ .id = id, .start = i, .len = 1, .prev = (uint32_t)n - 1, .next = (uint32_t)n + 1 };
        unknown_before = unknown;
        n++;
    }
    if (n) s[n - 1].next = END;                 /* the first one's prev is END already */
    return n;
}

static void merge_at(bpe_symbol *s, uint32_t at, int32_t id) {
    bpe_symbol *right = &s[s[at].next];
    s[at].id = id;
    s[at].len = right->start + right->len - s[at].start;    /* with bytes left out between them */
    s[at].next = right->next;
    if (right->next != END) s[right->next].prev = at;
    right->len = 0;
}

static void watch(bpe_work *w, bpe_step step) {
    w->steps = grow(w->memory, w->steps, w->n_steps, w->n_steps + 1, &w->steps_cap, sizeof *w->steps);
    w->steps[w->n_steps++] = step;
}

/* The same tokens as merge_many, which takes a token that is made in another way for the one it waits for: that cannot
 * be where m->exact. Returns how many are left. */
static size_t merge_few(const bpe *m, size_t n, bpe_work *w) {
    bpe_symbol *s = w->symbols;
    const rule *next[FEW];                      /* of each symbol with the one behind it */
    for (size_t i = 0; i + 1 < n; i++) next[i] = find(m, pair_of(s[i].id, s[i + 1].id));
    while (n > 1) {
        size_t at = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (next[i]->rank < next[at]->rank) at = i;
        const rule *r = next[at];
        if (r->pair == NO_PAIR) break;
        if (w->watch) watch(w, (bpe_step){ s[at].id, s[at + 1].id, r->id, r->rank });
        s[at].id = r->id;
        s[at].len = s[at + 1].start + s[at + 1].len - s[at].start;      /* with bytes left out between them */
        n--;
        memmove(&s[at + 1], &s[at + 2], (n - at - 1) * sizeof *s);
        memmove(&next[at], &next[at + 1], (n - at - 1) * sizeof *next);
        if (at > 0) next[at - 1] = find(m, pair_of(s[at - 1].id, s[at].id));
        if (at + 1 < n) next[at] = find(m, pair_of(s[at].id, s[at + 1].id));
    }
    return n;
}

static void merge_many(const bpe *m, size_t n, bpe_work *w) {
    bpe_symbol *s = w->symbols;
    bpe_merge  *heap = w->heap;
    size_t waiting = 0;
    for (uint32_t i = 0; i + 1 < n; i++)
        if (candidate(m, s, i, &heap[waiting])) waiting++;
    for (size_t i = waiting / 2; i-- > 0; ) sift_down(heap, waiting, i);
    while (waiting) {
        const bpe_merge top = pop(heap, &waiting);
        const uint32_t at = (uint32_t)top.key;
        bpe_merge now;
        if (s[at].len == 0 || s[at].next == END || !candidate(m, s, at, &now) || now.id != top.id) continue;
        if (w->watch) watch(w, (bpe_step){ s[at].id, s[s[at].next].id, top.id, (uint32_t)(top.key >> 32) });
        merge_at(s, at, top.id);
        if (s[at].prev != END && candidate(m, s, s[at].prev, &now)) push(heap, &waiting, now);
        if (s[at].next != END && candidate(m, s, at, &now)) push(heap, &waiting, now);
    }
}

/* Merges what is in the symbols; returns how many tokens that makes. */
static size_t merge(const bpe *m, size_t all, bpe_work *w) {
    if (all < 2) return all;
    if (all <= FEW && m->exact) return merge_few(m, all, w);
    /* each merge takes one candidate out and puts at most two in */
    w->heap = grow(w->memory, w->heap, 0, 2 * all, &w->heap_cap, sizeof *w->heap);
    merge_many(m, all, w);
    size_t kept = 0;
    for (size_t i = 0; i < all; i++)
        if (w->symbols[i].len) w->symbols[kept++] = w->symbols[i];
    return kept;
}

static size_t encode(const bpe *m, const char *bytes, size_t n_bytes, bpe_work *w) {
    w->symbols = grow(w->memory, w->symbols, 0, n_bytes, &w->symbols_cap, sizeof *w->symbols);
    w->n_steps = 0;
    const int32_t id = m->options.ignore_merges ? find_whole(m, bytes, n_bytes)->id : NONE;
    if (id == NONE) return merge(m, split_bytes(m, bytes, n_bytes, w->symbols), w);
    w->symbols[0] = (bpe_symbol){ .id = id, .len = (uint32_t)n_bytes };
    return 1;
}

static void recall(const known_word *k, size_t n_bytes, bpe_symbol *s) {
    uint32_t start = 0;
    for (size_t i = 0; i + 1 < k->n; i++) {
        s[i] = (bpe_symbol){ .id = k->id[i], .start = start, .len = k->len[i] };
        start += k->len[i];
    }
    s[k->n - 1] = (bpe_symbol){ .id = k->id[k->n - 1], .start = start, .len = (uint32_t)n_bytes - start };
}

/* Only tokens that tile the word: a byte without a token leaves a hole. */
static void remember(known_word *k, size_t n_bytes, const bpe_symbol *s, size_t n) {
    k->n = 0;
    uint32_t at = 0;
    if (n > KNOWN_TOKENS) return;
    for (size_t i = 0; i < n; i++) {
        if (s[i].start != at) return;
        at += s[i].len;
        k->id[i] = s[i].id;
        if (i + 1 < n) k->len[i] = (uint8_t)s[i].len;
    }
    if (at == n_bytes) k->n = (uint8_t)n;
}

void bpe_encode(const bpe *m, const char *bytes, size_t n_bytes, bpe_work *w, size_t *n) {
    if (!w->known.at || w->watch || n_bytes == 0 || n_bytes > KNOWN_LONGEST) {
        *n = encode(m, bytes, n_bytes, w);
        return;
    }
    bool found;
    known_word *k = known_find(&w->known, bytes, n_bytes, w->end, &found);
    if (found) {
        w->symbols = grow(w->memory, w->symbols, 0, k->n, &w->symbols_cap, sizeof *w->symbols);
        recall(k, n_bytes, w->symbols);
        *n = k->n;
        return;
    }
    *n = encode(m, bytes, n_bytes, w);
    remember(k, n_bytes, w->symbols, *n);
}

size_t bpe_rules(const bpe *m, bpe_rule *out) {
    size_t n = 0;
    for (uint64_t i = 0; i <= m->mask; i++) {
        const rule *r = &m->rules[i];
        if (r->pair == NO_PAIR) continue;
        if (out) out[n] = (bpe_rule){ (int32_t)(r->pair >> 32), (int32_t)(uint32_t)r->pair, r->id, r->rank };
        n++;
    }
    return n;
}
