/* The most likely segmentation (Kudo 2018), by the order of work of SentencePiece and `tokenizers`: for each place of
 * the text the pieces that begin there, shorter ones first; a later path replaces one only where it is better. */
#include "model.h"
#include "pieces.h"
#include "base/text.h"
#include "grow.h"

enum { LONGEST_PIECE = 4096 };              /* bounds the work at each place */
static const double UNKNOWN_PENALTY = 10, LARGE_SUM = 100000;

typedef struct {
    const vocab *v;
    score_rules  r;
    const trie  *pieces;
} unigram;

/* The best path to a place: its last piece, which begins at `from`. */
struct path_node { double score; int32_t id; uint32_t from; };

static const uint32_t NOWHERE = UINT32_MAX;
enum { UNKNOWN = -1 };

static void offer(const unigram *m, path_node *p, double score, int32_t id, uint32_t from) {
    if (m->r.single) score = (double)(float)score;
    if (p->from == NOWHERE || score > p->score) *p = (path_node){ score, id, from };
}

/* A user defined piece is better than any path through its text. */
static double score_of(const unigram *m, int32_t id, size_t len) {
    if (m->r.type && m->r.type[id] == PIECE_USER_DEFINED) return (double)(0.1f * (float)(len - 1));
    return m->r.score[id];
}

/* Floats have few digits: SentencePiece starts to count anew where a sum is large. `from` is reached, pieces lead on to
 * at most `last`. */
static void recentre(path_node *paths, size_t from, size_t last) {
    const double offset = paths[from].score;
    if (offset >= -LARGE_SUM && offset <= LARGE_SUM) return;
    for (size_t i = from; i <= last; i++)
        if (i == from || paths[i].from != NOWHERE) paths[i].score = (double)(float)(paths[i].score - offset);
}

static void add_arcs(const unigram *m, const char *text, size_t n, size_t from, path_node *paths) {
    const double here = paths[from].score;
    uint32_t at = 0, c;
    const size_t one = utf8_next(text + from, n - from, &c);
    bool single = false;
    for (size_t end = from; end < n && trie_step(m->pieces, &at, text[end]); ) {
        end++;
        const int32_t id = trie_value(m->pieces, at);
        if (id < 0) continue;
        offer(m, &paths[end], score_of(m, id, end - from) + here, id, (uint32_t)from);
        single |= end - from == one;
    }
    if (!single) {
        const double unknown = m->r.single ? (double)((float)m->r.lowest - (float)UNKNOWN_PENALTY)
                                           : m->r.lowest - UNKNOWN_PENALTY;
        offer(m, &paths[from + one], unknown + here, UNKNOWN, (uint32_t)from);
    }
}

/* From the last piece at each end to, along the best path, the piece that begins at each place: its id and its end. */
static void turn_round(path_node *paths, uint32_t n) {
    int32_t id = UNKNOWN;
    for (uint32_t at = n, to = n; ; ) {
        const path_node here = paths[at];
        paths[at].id = id;
        paths[at].from = to;
        if (at == 0) return;
        id = here.id;
        to = at;
        at = here.from;
    }
}

static sonde_status encode_paths(const text_model *model, const char *text, size_t n, model_work *w, sonde_error *err) {
    const unigram *m = model->data;
    w->paths = grow(w->memory, w->paths, 0, n + 1, &w->paths_cap, sizeof *w->paths);
    for (size_t i = 0; i <= n; i++) w->paths[i] = (path_node){ 0, UNKNOWN, NOWHERE };
    uint32_t c;
    for (size_t i = 0; i < n; i += utf8_next(text + i, n - i, &c)) {
        if (m->r.single) recentre(w->paths, i, n - i < LONGEST_PIECE ? n : i + LONGEST_PIECE);
        add_arcs(m, text, n, i, w->paths);
    }
    turn_round(w->paths, (uint32_t)n);
    for (uint32_t at = 0, to; at < n; at = to) {
        to = w->paths[at].from;
        const model_token t = { w->paths[at].id, at, to - at };
        if (t.id != UNKNOWN && t.id != m->r.rest.unknown) {
            model_emit(w, t.id, t.start, t.len);
        } else {
            SONDE_FAIL_IF(m->r.rest.unknown < 0 && !m->r.rest.bytes, err, SONDE_USAGE, "\"%s\" has no token, and there is "
                          "none for unknown text", text_shown(text + t.start, t.len).text);
            model_emit_rest(w, m->v, &m->r.rest, text, t);
        }
    }
    return SONDE_OK;
}

sonde_status model_of_paths(const text_model **out, arena *into, const vocab *v, score_rules r, sonde_error *err) {
    unigram *m = arena_alloc(into, sizeof *m);
    *m = (unigram){ .v = v, .r = r };
    trie_word *list = arena_new_array(into, trie_word, r.n);
    size_t n = 0;
    for (size_t i = 0; i < r.n; i++) {
        const token *t = vocab_token(v, (int32_t)i);
        const int type = r.type ? r.type[i] : PIECE_NORMAL;
        if (!t || (type != PIECE_NORMAL && type != PIECE_USER_DEFINED)) continue;
        SONDE_FAIL_IF(t->text_len > LONGEST_PIECE, err, SONDE_UNSUPPORTED, "piece %zu has %zu bytes, at most %d", i,
                      t->text_len, LONGEST_PIECE);
        list[n++] = (trie_word){ t->text, t->text_len, (int32_t)i };
    }
    SONDE_TRY(trie_new(&m->pieces, into, list, n, err));
    text_model *t = arena_alloc(into, sizeof *t);
    *t = (text_model){ encode_paths, m, TOKENIZER_UNIGRAM };
    *out = t;
    return SONDE_OK;
}
