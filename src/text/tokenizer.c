/* What every kind of tokenizer does, in the order of `tokenizers`: added tokens in the text as it came, the normaliser
 * on what lies between them, added tokens in the normalised text, the pre-tokenizer, the model, the post-processor. */
#include "tokenizer.h"
#include "base/json.h"
#include "base/text.h"
#include "bytes.h"
#include "load.h"
#include "unicode.h"
#include <stdlib.h>

enum { LONGEST_TEXT = 1 << 28 };        /* positions stay below 2^31 whatever the stages add */

/* One call of tokenizer_encode. */
typedef struct {
    const tokenizer *t;
    tokenizer_options options;
    size_t            len, done;            /* of the text; up to the end of the last word */
    arena           *scratch, *into;
    split_work      *split;
    bpe_work         bpe;
    piece_list       pieces, next;
    token_span      *spans;
    size_t           n, cap;
    token_word      *words;
    size_t           n_words, cap_words;
    token_merge     *merges;
    size_t           n_merges, cap_merges;
    sonde_error     *err;
} encoding;

static sonde_status read_json(const text_file *f, const char *usual, arena *scratch, const json **root,
                              sonde_error *err) {
    static const char pointer[] = "version https://git-lfs.github.com/";
    const char *name = f->name ? f->name : usual;
    *root = NULL;
    SONDE_FAIL_IF(f->size >= sizeof pointer - 1 && memcmp(f->data, pointer, sizeof pointer - 1) == 0, err, SONDE_FORMAT,
                  "%s: a Git LFS pointer, not the file it stands for", name);
    const sonde_status s = json_parse(f->data, f->size, scratch, root, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name);
}

/* The ids the configuration names, else those the post-processor puts at the ends. */
static void name_ends(tokenizer *t, const json *config) {
    const char *text;
    size_t len;
    if (t->n_before) t->bos = t->before[0];
    if (t->n_after) t->eos = t->after[t->n_after - 1];
    if (load_named_text(config, "bos_token", &text, &len)) t->bos = vocab_id(&t->vocab, text, len);
    if (load_named_text(config, "eos_token", &text, &len)) t->eos = vocab_id(&t->vocab, text, len);
}

static sonde_status load(loader *l, const tokenizer_files *files) {
    const json *config = NULL, *root;
    SONDE_FAIL_IF(!files->json.size && !files->vocab.size, l->err, SONDE_FORMAT,
                  "no tokenizer: neither tokenizer.json nor vocab.json and merges.txt");
    SONDE_FAIL_IF(!files->json.size && !files->merges.size && !files->merges.name, l->err, SONDE_FORMAT,
                  "%s without merges.txt", files->vocab.name ? files->vocab.name : "vocab.json");
    if (files->config.size) SONDE_TRY(read_json(&files->config, "tokenizer_config.json", l->scratch, &config, l->err));
    if (!files->json.size) return load_vocab_and_merges(l, files, config);
    SONDE_TRY(read_json(&files->json, "tokenizer.json", l->scratch, &root, l->err));
    const sonde_status s = load_tokenizer_json(l, root);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "%s", files->json.name ? files->json.name : "tokenizer.json");
    name_ends(l->t, config);
    return SONDE_OK;
}

sonde_status tokenizer_new(tokenizer **out, const tokenizer_files *files, sonde_error *err) {
    *out = NULL;
    arena *memory = arena_new();
    tokenizer *t = arena_alloc(memory, sizeof *t);
    t->memory = memory;
    t->raw.memory = t->normalized.memory = memory;
    t->bos = t->eos = -1;
    vocab_init(&t->vocab, memory);
    loader l = { .t = t, .scratch = arena_new(), .err = err };
    l.added_place = map_new(l.scratch, 0);
    const sonde_status s = load(&l, files);
    arena_free(l.scratch);
    if (s == SONDE_OK) *out = t; else tokenizer_free(t);
    return s;
}

void tokenizer_free(tokenizer *t) {
    if (!t) return;
    for (size_t i = 0; i < t->n_stages; i++) splitter_free(t->stages[i].split);
    bpe_free(t->model);
    arena_free(t->memory);
}

int64_t tokenizer_size(const tokenizer *t) { return (int64_t)t->vocab.largest + 1; }
int32_t tokenizer_bos(const tokenizer *t)  { return t->bos; }
int32_t tokenizer_eos(const tokenizer *t)  { return t->eos; }

bool tokenizer_bytes(const tokenizer *t, int32_t id, const char **bytes, size_t *len) {
    const token *k = vocab_token(&t->vocab, id);
    if (!k) return false;
    *bytes = k->bytes;
    *len = k->bytes_len;
    return true;
}

bool tokenizer_special(const tokenizer *t, int32_t id) {
    const token *k = vocab_token(&t->vocab, id);
    return k && k->special;
}

int32_t tokenizer_find(const tokenizer *t, const char *bytes, size_t len) {
    int64_t added;
    if (map_get(t->vocab.by_added_text, bytes, len, &added)) return (int32_t)added;
    if (len > VOCAB_LONGEST) return -1;
    char *text = malloc(2 * len + 1);
    if (!text) return -1;
    const int32_t id = vocab_model_id(&t->vocab, text, bytes_spell(bytes, len, text));
    free(text);
    return id;
}

/* Room for one more of the caller's arrays, which become large: once there are some thousand, for as many as the whole
 * text will need if it goes on like this. */
static void *larger(encoding *e, void *at, size_t n, size_t *cap, size_t size) {
    enum { FEW = 1 << 15 };
    const double whole = (double)n * 1.1 * (double)e->len / (double)(e->done + 1);
    const size_t likely = whole < (double)e->len ? (size_t)whole : e->len;
    *cap = n < FEW ? 8 * n + 64 : 2 * n > likely ? 2 * n : likely;
    return arena_grow(e->into, at, *cap * size);
}

static void add_span(encoding *e, int32_t id, size_t start, size_t end) {
    if (e->n == e->cap) e->spans = larger(e, e->spans, e->n, &e->cap, sizeof *e->spans);
    e->spans[e->n++] = (token_span){ id, (int64_t)start, (int64_t)end };
}

/* The tokens from `first` on are those of one word. */
static void add_word(encoding *e, const token_word *w) {
    if (e->n_words == e->cap_words) e->words = larger(e, e->words, e->n_words, &e->cap_words, sizeof *e->words);
    e->done = (size_t)w->end;
    e->words[e->n_words++] = *w;
}

static void add_merges(encoding *e) {
    for (size_t i = 0; i < e->bpe.n_steps; i++) {
        const bpe_step *s = &e->bpe.steps[i];
        if (e->n_merges == e->cap_merges)
            e->merges = larger(e, e->merges, e->n_merges, &e->cap_merges, sizeof *e->merges);
        e->merges[e->n_merges++] = (token_merge){ e->n_words, s->left, s->right, s->made, s->rank };
    }
}

/* Stretches of UTF-8, and each byte that is not by itself. */
static void split_valid(const stretch *s, piece_list *out) {
    for (size_t start = 0; start < s->len; ) {
        size_t bad = s->len;
        const bool whole = utf8_valid(s->text + start, s->len - start, &bad);
        const size_t end = whole ? s->len : start + bad;
        if (start < end) pieces_add(out, start, end, false);
        if (!whole) pieces_add(out, end, end + 1, true);
        start = whole ? end : end + 1;
    }
}

/* The stretch with a space in front of each piece that has none. A piece behind a bad byte goes on, does not begin. */
static stretch add_spaces(encoding *e, const stretch *s) {
    piece_list *p = &e->pieces;
    char *text = arena_alloc(e->scratch, s->len + p->n + 1);
    size_t *origin = arena_new_array(e->scratch, size_t, s->len + p->n + 1);
    size_t n = 0;
    bool after_bad = false;
    for (size_t i = 0; i < p->n; i++) {
        piece *q = &p->at[i];
        const size_t start = n;
        if (!q->bad && !after_bad && s->text[q->start] != ' ') {
            text[n] = ' ';
            origin[n++] = stretch_origin(s, q->start);
        }
        after_bad = q->bad;
        for (size_t k = q->start; k < q->end; k++) {
            text[n] = s->text[k];
            origin[n++] = stretch_origin(s, k);
        }
        *q = (piece){ start, n, q->bad };
    }
    origin[n] = stretch_origin(s, s->len);
    return (stretch){ .text = text, .len = n, .origin = origin };
}

static sonde_status run_split(encoding *e, const splitter *split, const stretch *s) {
    e->next.n = 0;
    for (size_t i = 0; i < e->pieces.n; i++) {
        piece p = e->pieces.at[i];
        if (p.bad) pieces_add(&e->next, p.start, p.end, true);
        while (!p.bad && p.start < p.end) SONDE_TRY(splitter_run(split, s->text, &p, e->split, &e->next, e->err));
    }
    const piece_list done = e->pieces;
    e->pieces = e->next;
    e->next = done;
    return SONDE_OK;
}

/* The model, on each piece. */
static void encode_pieces(encoding *e, const stretch *s, const piece_list *list) {
    e->bpe.end = s->text + s->len;
    for (size_t i = 0; i < list->n; i++) {
        const piece p = list->at[i];
        const size_t first = e->n;
        size_t n;
        bpe_encode(e->t->model, s->text + p.start, p.end - p.start, &e->bpe, &n);
        for (size_t k = 0; k < n; k++) {
            const bpe_symbol *y = &e->bpe.symbols[k];
            const size_t start = p.start + y->start;
            add_span(e, y->id, stretch_origin(s, start), stretch_origin(s, start + y->len));
        }
        add_merges(e);
        add_word(e, &(token_word){ .start = (int64_t)stretch_origin(s, p.start), .end = (int64_t)stretch_origin(s, p.end),
                                   .first = first, .n = n });
    }
}

/* Pre-tokenizer and model; the last cut is made and encoded part by part, so that the pieces stay in the cache. */
static sonde_status encode_stretch(encoding *e, stretch s) {
    const size_t n = e->t->n_stages;
    const splitter *last = n ? e->t->stages[n - 1].split : NULL;
    e->pieces.n = 0;
    split_valid(&s, &e->pieces);
    for (size_t i = 0; i + (last != NULL) < n; i++) {
        const stage *g = &e->t->stages[i];
        if (g->split) SONDE_TRY(run_split(e, g->split, &s));
        else s = add_spaces(e, &s);
    }
    if (!last) encode_pieces(e, &s, &e->pieces);
    for (size_t i = 0; last && i < e->pieces.n; i++) {
        piece p = e->pieces.at[i];
        do {
            e->next.n = 0;
            if (p.bad) pieces_add(&e->next, p.start, p.end, true);
            else SONDE_TRY(splitter_run(last, s.text, &p, e->split, &e->next, e->err));
            encode_pieces(e, &s, &e->next);
        } while (!p.bad && p.start < p.end);
    }
    return SONDE_OK;
}

/* The added tokens of one set in the stretch, `rest` for what lies between. */
static sonde_status walk(encoding *e, const added_set *set, const stretch *s,
                         sonde_status (*rest)(encoding *e, stretch part)) {
    added_walk w = { .text = s->text, .len = s->len, .plain = e->options.plain };
    added_match m;
    while (added_next(set, &w, &m)) {
        if (m.gap < m.start) SONDE_TRY(rest(e, stretch_part(s, m.gap, m.start)));
        const token_word word = { (int64_t)stretch_origin(s, m.start), (int64_t)stretch_origin(s, m.end), e->n, 1, true };
        add_span(e, m.id, (size_t)word.start, (size_t)word.end);
        add_word(e, &word);
    }
    return w.covered < w.len ? rest(e, stretch_part(s, w.covered, w.len)) : SONDE_OK;
}

static sonde_status encode_part(encoding *e, stretch s) {
    if (e->t->nfc) s = unicode_nfc(&s, e->scratch);
    return walk(e, &e->t->normalized, &s, encode_stretch);
}

static void add_around(encoding *e, const int32_t *ids, size_t n, size_t at) {
    for (size_t i = 0; i < n && !e->options.no_specials; i++) add_span(e, ids[i], at, at);
}

const char *tokenizer_stage(const tokenizer *t, size_t i) {
    if (i >= t->n_stages) return NULL;
    return t->stages[i].split ? splitter_pattern(t->stages[i].split) : "";
}

sonde_status tokenizer_encode(const tokenizer *t, text_bytes text, tokenizer_options o, arena *into, token_list *out,
                              sonde_error *err) {
    SONDE_FAIL_IF(text.len > LONGEST_TEXT, err, SONDE_USAGE, "a text of %zu bytes, at most %d", text.len, LONGEST_TEXT);
    encoding e = { .t = t, .options = o, .len = text.len, .into = into, .err = err };
    e.scratch = arena_new();
    e.split = split_work_new();
    e.bpe.watch = o.merges;
    e.bpe.known = known_new(text.len);
    e.pieces.memory = e.next.memory = e.bpe.memory = e.scratch;
    const stretch all = { .text = text.at, .len = text.len };
    add_around(&e, t->before, t->n_before, 0);
    const sonde_status s = e.split ? walk(&e, &t->raw, &all, encode_part)
                                   : sonde_fail(err, SONDE_NOMEM, "no memory for matching");
    add_around(&e, t->after, t->n_after, text.len);
    if (s == SONDE_OK)
        *out = (token_list){ .at = e.spans, .n = e.n, .words = e.words, .n_words = e.n_words, .merges = e.merges,
                             .n_merges = e.n_merges };
    known_free(&e.bpe.known);
    split_work_free(e.split);
    arena_free(e.scratch);
    return s;
}

sonde_status tokenizer_decode(const tokenizer *t, id_list ids, bool skip_special, arena *into, text_bytes *out,
                              sonde_error *err) {
    size_t size = 0;
    for (size_t i = 0; i < ids.n; i++) {
        const token *k = vocab_token(&t->vocab, ids.at[i]);
        if (k && !(skip_special && k->special)) SONDE_FAIL_IF(__builtin_add_overflow(size, k->bytes_len, &size), err,
                                                              SONDE_USAGE, "%zu ids are too many", ids.n);
    }
    char *bytes = arena_alloc(into, size + 1);
    *out = (text_bytes){ bytes, size };
    for (size_t i = 0; i < ids.n; i++) {
        const token *k = vocab_token(&t->vocab, ids.at[i]);
        if (!k || (skip_special && k->special)) continue;
        if (k->bytes_len) memcpy(bytes, k->bytes, k->bytes_len);
        bytes += k->bytes_len;
    }
    return SONDE_OK;
}
