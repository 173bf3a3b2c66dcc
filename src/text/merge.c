/* BPE over characters, two ways to say what may be joined: pairs of tokens with a rank (`tokenizers`), or texts with a
 * score (SentencePiece). Symbols are a doubly linked list in an array, candidates wait in a heap by (rank, position); a
 * candidate is stale when the pair at its position no longer makes its token. */
#include "model.h"
#include "pieces.h"
#include "base/text.h"
#include "grow.h"
#include <stdlib.h>

struct merge_symbol { int32_t id; uint32_t start, len, prev, next; bool frozen; };

typedef struct {
    const vocab  *v;
    rest_rule     rest;
    bool          ignore_merges;
    const char   *prefix, *suffix;
    size_t        prefix_len, suffix_len;
    map          *pairs;                    /* two ids: rank and id; NULL: pieces are joined by their texts */
    map          *pieces;                   /* text: id */
    uint32_t     *rank;                     /* of an id: 0 the highest score, equal ones have the same */
    const uint8_t *type;
    const trie   *whole;
    size_t        longest, n;
    bool          unused;                   /* there are pieces that are split again */
} merger;

static const uint32_t END = UINT32_MAX;

/* The heap: smallest key first, each with an id behind it. */
typedef struct { uint64_t key, id; } waiting;

static void sift_down(waiting *heap, size_t n, size_t i) {
    const waiting x = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1].key < heap[child].key) child++;
        if (heap[child].key >= x.key) break;
        heap[i] = heap[child];
    }
    heap[i] = x;
}

static waiting pop(waiting *heap, size_t *n) {
    const waiting top = heap[0];
    heap[0] = heap[--*n];
    if (*n) sift_down(heap, *n, 0);
    return top;
}

static void push(waiting *heap, size_t *n, waiting x) {
    size_t i = (*n)++;
    for (size_t up; i > 0 && heap[up = (i - 1) / 2].key > x.key; i = up) heap[i] = heap[up];
    heap[i] = x;
}

/* One call. */
typedef struct {
    const merger *m;
    const char   *text;
    model_work   *w;
    size_t        n;                        /* symbols */
} merging;

static void add_symbol(merging *g, int32_t id, size_t start, size_t len) {
    model_work *w = g->w;
    w->symbols = grow(w->memory, w->symbols, g->n, g->n + 1, &w->symbols_cap, sizeof *w->symbols);
    const uint32_t at = (uint32_t)g->n++;
    w->symbols[at] = (merge_symbol){ .id = id, .start = (uint32_t)start, .len = (uint32_t)len, .prev = at - 1,
                                     .next = at + 1 };
}

/* The joining of symbol `at` with the one behind it, if the rules have it. */
static bool candidate(const merging *g, uint32_t at, waiting *out) {
    const merger *m = g->m;
    const merge_symbol *a = &g->w->symbols[at], *b = &g->w->symbols[a->next];
    int64_t found;
    if (m->pairs) {
        const int32_t pair[2] = { a->id, b->id };
        if (!map_get(m->pairs, pair, sizeof pair, &found)) return false;
        *out = (waiting){ (uint64_t)found & 0xffffffff00000000u, (uint64_t)found & 0xffffffffu };
    } else {
        const size_t len = (size_t)a->len + b->len;
        if (a->frozen || b->frozen || len > m->longest) return false;
        if (!map_get(m->pieces, g->text + a->start, len, &found)) return false;
        *out = (waiting){ (uint64_t)m->rank[found] << 32, (uint64_t)found };
        if (m->type[found] == PIECE_UNUSED) g->w->halves[found] = g->w->calls << 32 | a->len;
    }
    out->key |= at;
    return true;
}

static void watch(merging *g, const merge_symbol *left, waiting made) {
    model_work *w = g->w;
    const bpe_step step = { left->id, w->symbols[left->next].id, (int32_t)made.id, (uint32_t)(made.key >> 32) };
    w->steps = grow(w->memory, w->steps, w->n_steps, w->n_steps + 1, &w->steps_cap, sizeof *w->steps);
    w->steps[w->n_steps++] = step;
}

static void join(merge_symbol *s, uint32_t at, int32_t id) {
    merge_symbol *right = &s[s[at].next];
    s[at].id = id;
    s[at].len = right->start + right->len - s[at].start;
    s[at].next = right->next;
    if (right->next != END) s[right->next].prev = at;
    right->len = 0;
}

static void join_all(merging *g) {
    model_work *w = g->w;
    merge_symbol *s = w->symbols;
    if (g->n < 2) return;
    s[g->n - 1].next = END;
    /* each joining takes one candidate out and puts at most two in */
    w->heap = grow(w->memory, w->heap, 0, 4 * g->n, &w->heap_cap, sizeof *w->heap);
    waiting *heap = (waiting *)(void *)w->heap, now;
    size_t n = 0;
    for (uint32_t i = 0; i + 1 < g->n; i++)
        if (candidate(g, i, &now)) push(heap, &n, now);
    while (n) {
        const waiting top = pop(heap, &n);
        const uint32_t at = (uint32_t)top.key;
        if (s[at].len == 0 || s[at].next == END || !candidate(g, at, &now) || now.id != top.id) continue;
        if (w->watch) watch(g, &s[at], top);
        join(s, at, (int32_t)top.id);
        if (s[at].prev != END && candidate(g, s[at].prev, &now)) push(heap, &n, now);
        if (s[at].next != END && candidate(g, at, &now)) push(heap, &n, now);
    }
}

/* The token of one character as the vocabulary spells it where it stands; -1: none. `*spelled` is grown. */
static int32_t character(const merging *g, size_t start, size_t len, size_t n, char *spelled) {
    const merger *m = g->m;
    size_t k = 0;
    if (start) memcpy(spelled, m->prefix, k = m->prefix_len);
    memcpy(spelled + k, g->text + start, len);
    k += len;
    if (start + len == n) {
        memcpy(spelled + k, m->suffix, m->suffix_len);
        k += m->suffix_len;
    }
    return vocab_model_id(m->v, spelled, k);
}

/* The bytes of a character that has no token; false where one of them has none either. */
static bool add_bytes(merging *g, size_t start, size_t len, size_t n) {
    const merger *m = g->m;
    const size_t before = start ? m->prefix_len : 0, behind = start + len == n ? m->suffix_len : 0;
    if (!m->rest.bytes) return false;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < before + len + behind; i++) {
            const char byte = i < before ? m->prefix[i] : i < before + len ? g->text[start + i - before]
                                                                          : m->suffix[i - before - len];
            const int32_t id = m->v->byte_id[(uint8_t)byte];
            if (id < 0) return false;
            const bool own = i >= before && i < before + len;
            if (pass) add_symbol(g, id, own ? start + i - before : i < before ? start : start + len, own);
        }
    }
    return true;
}

/* One symbol for each character. An unknown waits for its neighbours where they are fused; bytes that come between do
 * not end the wait, as in `tokenizers`. */
static sonde_status split_pairs(merging *g, size_t n, sonde_error *err) {
    const merger *m = g->m;
    char *spelled = malloc(m->prefix_len + m->suffix_len + 4);
    SONDE_FAIL_IF(!spelled, err, SONDE_NOMEM, "no memory for a character");
    size_t unknown = 0, unknown_len = 0, size;
    for (size_t i = 0; i < n; i += size) {
        uint32_t c;
        size = utf8_next(g->text + i, n - i, &c);
        const int32_t id = character(g, i, size, n, spelled);
        if (id < 0 && (add_bytes(g, i, size, n) || m->rest.unknown < 0)) continue;
        if (unknown_len && (id >= 0 || !m->rest.fuse)) {
            add_symbol(g, m->rest.unknown, unknown, unknown_len);
            unknown_len = 0;
        }
        if (id >= 0) {
            add_symbol(g, id, i, size);
        } else {
            if (!unknown_len) unknown = i;
            unknown_len += size;
        }
    }
    if (unknown_len) add_symbol(g, m->rest.unknown, unknown, unknown_len);
    free(spelled);
    return SONDE_OK;
}

static sonde_status encode_pairs(const text_model *model, const char *text, size_t n, model_work *w, sonde_error *err) {
    const merger *m = model->data;
    merging g = { .m = m, .text = text, .w = w };
    const int32_t id = m->ignore_merges ? vocab_model_id(m->v, text, n) : -1;
    if (id >= 0) {
        model_emit(w, id, 0, n);
        return SONDE_OK;
    }
    SONDE_TRY(split_pairs(&g, n, err));
    join_all(&g);
    for (uint32_t i = 0; i < g.n; i = w->symbols[i].next) {
        model_emit(w, w->symbols[i].id, w->symbols[i].start, w->symbols[i].len);
        if (g.n == 1) break;
    }
    return SONDE_OK;
}

/* Characters, and user defined pieces in one. */
static void split_scores(merging *g, size_t n) {
    const merger *m = g->m;
    size_t size;
    for (size_t i = 0; i < n; i += size) {
        int32_t id = -1;
        uint32_t c;
        int64_t found;
        size = m->whole ? trie_longest(m->whole, g->text + i, n - i, &id) : 0;
        const bool frozen = size > 0;
        if (!frozen) {
            size = utf8_next(g->text + i, n - i, &c);
            if (map_get(m->pieces, g->text + i, size, &found)) id = (int32_t)found;
        }
        add_symbol(g, id, i, size);
        g->w->symbols[g->n - 1].frozen = frozen;
    }
}

/* A piece that is not to be used becomes the two it was last seen to be made of, and those likewise. */
static void emit_piece(const merging *g, model_token t, model_token *stack) {
    const merger *m = g->m;
    model_work *w = g->w;
    size_t n = 0;
    stack[n++] = t;
    while (n) {
        t = stack[--n];
        const uint64_t half = t.id >= 0 && m->type[t.id] == PIECE_UNUSED ? w->halves[t.id] : 0;
        const size_t left = half >> 32 == w->calls ? (uint32_t)half : 0;
        if (t.id < 0) {
            model_emit_rest(w, m->v, &m->rest, g->text, t);
        } else if (!left) {
            model_emit(w, t.id, t.start, t.len);
        } else {
            int64_t a, b;
            if (!map_get(m->pieces, g->text + t.start, left, &a)) a = -1;
            if (!map_get(m->pieces, g->text + t.start + left, t.len - left, &b)) b = -1;
            stack[n++] = (model_token){ (int32_t)b, t.start + left, t.len - left };
            stack[n++] = (model_token){ (int32_t)a, t.start, left };
        }
    }
}

static sonde_status encode_scores(const text_model *model, const char *text, size_t n, model_work *w, sonde_error *err) {
    const merger *m = model->data;
    merging g = { .m = m, .text = text, .w = w };
    if (m->unused && !w->halves) w->halves = arena_new_array(w->memory, uint64_t, m->n);
    /* a piece has at most as many parts as bytes */
    model_token *stack = malloc((m->longest + 2) * sizeof *stack);
    SONDE_FAIL_IF(!stack, err, SONDE_NOMEM, "no memory for %zu pieces", m->longest);
    split_scores(&g, n);
    join_all(&g);
    for (uint32_t i = 0; i < g.n; i = w->symbols[i].next) {
        const merge_symbol *s = &w->symbols[i];
        emit_piece(&g, (model_token){ s->id, s->start, s->len }, stack);
        if (g.n == 1) break;
    }
    free(stack);
    return SONDE_OK;
}

static const text_model *model_of(arena *into, const merger *m, tokenizer_kind kind,
                                  sonde_status (*encode)(const text_model *, const char *, size_t, model_work *,
                                                         sonde_error *)) {
    text_model *t = arena_alloc(into, sizeof *t);
    *t = (text_model){ encode, m, kind };
    return t;
}

static sonde_status part(const vocab *v, const char *text, size_t len, int32_t *id, sonde_error *err) {
    *id = vocab_model_id(v, text, len);
    SONDE_FAIL_IF(*id < 0, err, SONDE_FORMAT, "\"%s\" is not in the vocabulary", text_shown(text, len).text);
    return SONDE_OK;
}

/* The ids of one rule. What continues a word loses its mark where it is joined. */
static sonde_status read_rule(const merger *m, const merge_text *t, char *joined, int32_t id[3], sonde_error *err) {
    const size_t cut = m->prefix_len < t->b_len ? m->prefix_len : t->b_len;
    SONDE_TRY(part(m->v, t->a, t->a_len, &id[0], err));
    SONDE_TRY(part(m->v, t->b, t->b_len, &id[1], err));
    memcpy(joined, t->a, t->a_len);
    memcpy(joined + t->a_len, t->b + cut, t->b_len - cut);
    return part(m->v, joined, t->a_len + t->b_len - cut, &id[2], err);
}

static sonde_status read_rules(merger *m, arena *into, const merge_text *merges, size_t n, sonde_error *err) {
    size_t longest = 0;
    for (size_t i = 0; i < n; i++)
        if (merges[i].a_len + merges[i].b_len > longest) longest = merges[i].a_len + merges[i].b_len;
    char *joined = malloc(longest + 1);
    SONDE_FAIL_IF(!joined, err, SONDE_NOMEM, "no memory for %zu bytes", longest);
    int32_t (*pairs)[2] = arena_alloc(into, n * sizeof *pairs);
    sonde_status s = SONDE_OK;
    for (size_t i = n; i-- > 0 && s == SONDE_OK; ) {            /* of two the later one counts */
        int32_t id[3];
        s = read_rule(m, &merges[i], joined, id, err);
        if (s != SONDE_OK) sonde_fail_at(err, s, "merge %zu", i);
        memcpy(pairs[i], id, sizeof pairs[i]);
        if (s == SONDE_OK) map_put(m->pairs, pairs[i], sizeof pairs[i], (int64_t)i << 32 | id[2]);
    }
    free(joined);
    return s;
}

sonde_status model_of_pairs(const text_model **out, arena *into, const vocab *v, pair_rules r, sonde_error *err) {
    merger *m = arena_alloc(into, sizeof *m);
    *m = (merger){ .v = v, .rest = r.rest, .ignore_merges = r.ignore_merges, .prefix = r.prefix, .suffix = r.suffix,
                   .prefix_len = strlen(r.prefix), .suffix_len = strlen(r.suffix), .pairs = map_new(into, r.n) };
    SONDE_TRY(read_rules(m, into, r.merges, r.n, err));
    *out = model_of(into, m, TOKENIZER_BPE, encode_pairs);
    return SONDE_OK;
}

typedef struct { double score; uint32_t id; } scored;

static int by_score(const void *a, const void *b) {
    const scored *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score;
}

/* Equal scores have equal ranks, so that the leftmost of them is joined first. */
static sonde_status rank_scores(merger *m, arena *into, const double *score, sonde_error *err) {
    scored *list = malloc((m->n + 1) * sizeof *list);
    SONDE_FAIL_IF(!list, err, SONDE_NOMEM, "no memory for %zu scores", m->n);
    for (size_t i = 0; i < m->n; i++) list[i] = (scored){ score[i], (uint32_t)i };
    if (m->n) qsort(list, m->n, sizeof *list, by_score);
    m->rank = arena_new_array(into, uint32_t, m->n);
    uint32_t rank = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (i && list[i].score < list[i - 1].score) rank++;
        m->rank[list[i].id] = rank;
    }
    free(list);
    return SONDE_OK;
}

sonde_status model_of_scores(const text_model **out, arena *into, const vocab *v, score_rules r, sonde_error *err) {
    merger *m = arena_alloc(into, sizeof *m);
    *m = (merger){ .v = v, .rest = r.rest, .type = r.type, .whole = r.whole, .n = r.n, .pieces = map_new(into, r.n) };
    for (size_t i = 0; i < r.n; i++) {
        const token *t = vocab_token(v, (int32_t)i);
        if (!t || r.type[i] == PIECE_CONTROL || r.type[i] == PIECE_UNKNOWN || r.type[i] == PIECE_BYTE) continue;
        map_put(m->pieces, t->text, t->text_len, (int64_t)i);
        if (t->text_len > m->longest) m->longest = t->text_len;
        m->unused |= r.type[i] == PIECE_UNUSED;
    }
    SONDE_TRY(rank_scores(m, into, r.score, err));
    *out = model_of(into, m, TOKENIZER_SCORES, encode_scores);
    return SONDE_OK;
}
