/* Built breadth first from the sorted texts: the children of a node lie side by side, ascending by byte. */
#include "trie.h"
#include <stdlib.h>
#include <string.h>

typedef struct { uint32_t first; int32_t value; uint16_t n; uint8_t byte; } node;
typedef struct { uint32_t lo, hi, depth; } range;           /* the words below a node, and its depth */

struct trie { node *at; uint32_t n; };

static int by_text(const void *a, const void *b) {
    const trie_word *x = a, *y = b;
    const int c = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    if (c) return c;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* How many nodes the sorted words need. */
static uint64_t count(const trie_word *w, size_t n) {
    uint64_t nodes = 1;
    for (size_t i = 0; i < n; i++) {
        size_t same = 0;
        while (i && same < w[i].len && same < w[i - 1].len && w[i].text[same] == w[i - 1].text[same]) same++;
        nodes += w[i].len - same;
    }
    return nodes;
}

/* The children of `k`, behind the nodes there are. */
static void add_children(trie *t, const trie_word *w, uint32_t k, range *queue) {
    const range r = queue[k];
    uint32_t i = r.lo;
    t->at[k].value = -1;
    t->at[k].first = t->n;
    for (; i < r.hi && w[i].len == r.depth; i++)
        if (t->at[k].value < 0) t->at[k].value = w[i].value;
    while (i < r.hi) {
        const char byte = w[i].text[r.depth];
        const uint32_t lo = i;
        while (i < r.hi && w[i].text[r.depth] == byte) i++;
        t->at[t->n].byte = (uint8_t)byte;
        queue[t->n++] = (range){ lo, i, r.depth + 1 };
        t->at[k].n++;
    }
}

sonde_status trie_new(const trie **out, arena *into, trie_word *words, size_t n, sonde_error *err) {
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        if (words[i].len) words[used++] = words[i];
    if (used) qsort(words, used, sizeof *words, by_text);
    const uint64_t nodes = count(words, used);
    SONDE_FAIL_IF(nodes > INT32_MAX, err, SONDE_UNSUPPORTED, "the texts of the vocabulary have more than 2^31 bytes");
    range *queue = malloc(nodes * sizeof *queue);
    SONDE_FAIL_IF(!queue, err, SONDE_NOMEM, "no memory for %llu nodes", (unsigned long long)nodes);
    trie *t = arena_alloc(into, sizeof *t);
    t->at = arena_new_array(into, node, nodes);
    t->n = 1;
    queue[0] = (range){ 0, (uint32_t)used, 0 };
    for (uint32_t k = 0; k < t->n; k++) add_children(t, words, k, queue);
    free(queue);
    *out = t;
    return SONDE_OK;
}

bool trie_step(const trie *t, uint32_t *at, char byte) {
    const node *k = &t->at[*at];
    uint32_t lo = k->first, hi = lo + k->n;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (t->at[mid].byte < (uint8_t)byte) lo = mid + 1; else hi = mid;
    }
    if (lo == k->first + k->n || t->at[lo].byte != (uint8_t)byte) return false;
    *at = lo;
    return true;
}

int32_t trie_value(const trie *t, uint32_t at) { return t->at[at].value; }

size_t trie_longest(const trie *t, const char *text, size_t n, int32_t *value) {
    uint32_t at = 0;
    size_t longest = 0;
    for (size_t i = 0; i < n && trie_step(t, &at, text[i]); i++) {
        if (t->at[at].value < 0) continue;
        longest = i + 1;
        *value = t->at[at].value;
    }
    return longest;
}
