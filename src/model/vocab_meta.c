/* Keys of GGUF's vocabularies (gguf.md of ggml, 2023 on) into pieces.h's form: every list has as many items as there are
 * tokens, of the type the format says, before anything is made of it. */
#include "vocab_meta.h"
#include "base/arena.h"
#include "base/text.h"
#include "format/gguf_types.h"
#include <inttypes.h>
#include <string.h>

#define KEY "tokenizer.ggml."

enum { MOST_TOKENS = 4000000 };

typedef struct { const weights *w; arena *scratch; sonde_error *err; int32_t *type; vocab_pieces out; } reader;

static const char *const kinds[] = { "an integer", "a number", "true or false", "a text", "a list" };

static sonde_status of_kind(const reader *r, const char *key, meta_kind kind, const meta_value **out) {
    *out = weights_meta(r->w, key);
    SONDE_FAIL_IF(*out && (*out)->kind != kind, r->err, SONDE_FORMAT, "%s is %s, expected %s", key, kinds[(*out)->kind],
                  kinds[kind]);
    return SONDE_OK;
}

static sonde_status read_text(const reader *r, const char *key, const char **out) {
    const meta_value *v;
    SONDE_TRY(of_kind(r, key, META_TEXT, &v));
    *out = NULL;
    if (!v) return SONDE_OK;
    SONDE_FAIL_IF(memchr(v->text.at, 0, v->text.len), r->err, SONDE_FORMAT, "%s: holds a NUL", key);
    *out = arena_printf(r->scratch, "%.*s", (int)(v->text.len < 256 ? v->text.len : 256), v->text.at);
    return SONDE_OK;
}

static const text_bytes *texts_of(const reader *r, const meta_value *v) {
    text_bytes *t = arena_new_array(r->scratch, text_bytes, v->n + 1);
    for (size_t i = 0; i < v->n; i++) t[i] = (text_bytes){ v->texts[i].at, v->texts[i].len };
    return t;
}

static sonde_status read_texts(const reader *r, const char *key, size_t *n, const text_bytes **out) {
    const meta_value *v;
    SONDE_TRY(of_kind(r, key, META_LIST, &v));
    *n = 0;
    if (!v) return SONDE_OK;
    SONDE_FAIL_IF(v->n > 0 && v->of != META_TEXT, r->err, SONDE_FORMAT, "%s: items are no texts", key);
    *n = v->n;
    *out = texts_of(r, v);
    return SONDE_OK;
}

/* A list with one item of this type for every token; *out is NULL where there is none. */
static sonde_status per_token(const reader *r, const char *key, uint32_t type, const meta_value **out) {
    SONDE_TRY(of_kind(r, key, META_LIST, out));
    if (!*out) return SONDE_OK;
    SONDE_FAIL_IF((*out)->stored != type, r->err, SONDE_FORMAT, "%s: items have type %" PRIu32 ", expected %" PRIu32 " (%s)",
                  key, (*out)->stored, type, type == GGUF_F32 ? "float32" : "int32");
    SONDE_FAIL_IF((*out)->n != r->out.n, r->err, SONDE_FORMAT, "%s: has %zu items, expected %zu, one for every token", key,
                  (*out)->n, r->out.n);
    return SONDE_OK;
}

static sonde_status read_lists(reader *r) {
    vocab_pieces *p = &r->out;
    SONDE_TRY(read_texts(r, KEY "tokens", &p->n, &p->text));
    SONDE_FAIL_IF(p->n == 0 || p->n > MOST_TOKENS, r->err, SONDE_FORMAT, KEY "tokens: %zu of them, expected 1 to %d", p->n,
                  MOST_TOKENS);
    SONDE_TRY(read_texts(r, KEY "merges", &p->n_merges, &p->merge));
    const meta_value *v;
    SONDE_TRY(per_token(r, KEY "scores", GGUF_F32, &v));
    if (v) {
        float *score = arena_new_array(r->scratch, float, v->n);
        memcpy(score, v->data, v->n * sizeof *score);
        p->score = score;
    }
    SONDE_TRY(per_token(r, KEY "token_type", GGUF_I32, &v));
    if (v) {
        r->type = arena_new_array(r->scratch, int32_t, v->n);
        memcpy(r->type, v->data, v->n * sizeof *r->type);
        p->type = r->type;
    }
    SONDE_TRY(of_kind(r, KEY "precompiled_charsmap", META_LIST, &v));
    if (!v || v->n == 0) return SONDE_OK;
    SONDE_FAIL_IF(v->stored != GGUF_U8 && v->stored != GGUF_I8, r->err, SONDE_FORMAT, KEY "precompiled_charsmap: items have type %" PRIu32 ", expected bytes",
                  v->stored);
    p->charsmap = v->data;
    p->charsmap_len = v->n;
    return SONDE_OK;
}

static sonde_status read_ids(reader *r) {
    vocab_pieces *p = &r->out;
    const struct { const char *key; int32_t *id; } rows[] = {
        { KEY "bos_token_id", &p->bos },           { KEY "eos_token_id", &p->eos },
        { KEY "unknown_token_id", &p->unknown },   { KEY "seperator_token_id", &p->separator },
        { KEY "padding_token_id", &p->padding },   { KEY "cls_token_id", &p->cls },
        { KEY "mask_token_id", &p->mask },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const meta_value *v;
        *rows[i].id = -1;
        SONDE_TRY(of_kind(r, rows[i].key, META_INT, &v));
        if (!v || v->integer == UINT32_MAX || v->integer == -1) continue;           /* writers' "none" */
        SONDE_FAIL_IF(v->integer < 0 || (uint64_t)v->integer >= p->n, r->err, SONDE_FORMAT,
                      "%s is %" PRId64 ", expected 0 to %zu", rows[i].key, v->integer, p->n - 1);
        *rows[i].id = (int32_t)v->integer;
    }
    return SONDE_OK;
}

/* Some files call the ends of a text user defined; plain text must not make them. */
static void control_ends(reader *r) {
    const int32_t ends[] = { r->out.bos, r->out.eos };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (r->type && ends[i] >= 0 && r->type[ends[i]] == PIECE_USER_DEFINED) r->type[ends[i]] = PIECE_CONTROL;
}

static sonde_status read_flags(reader *r) {
    vocab_pieces *p = &r->out;
    const struct { const char *key; int *flag; } rows[] = {
        { KEY "add_bos_token", &p->add_bos },          { KEY "add_eos_token", &p->add_eos },
        { KEY "add_space_prefix", &p->add_space_prefix },
        { KEY "remove_extra_whitespaces", &p->remove_extra_whitespaces },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const meta_value *v;
        SONDE_TRY(of_kind(r, rows[i].key, META_BOOL, &v));
        *rows[i].flag = v ? (int)v->integer : -1;
    }
    return SONDE_OK;
}

static sonde_status read_all(reader *r) {
    SONDE_TRY(read_text(r, KEY "model", &r->out.model));
    SONDE_TRY(read_text(r, KEY "pre", &r->out.pre));
    SONDE_TRY(read_text(r, "general.architecture", &r->out.family));
    SONDE_FAIL_IF(!r->out.model, r->err, SONDE_FORMAT, KEY "model: is not there, expected it beside the tokens");
    SONDE_TRY(read_lists(r));
    SONDE_TRY(read_ids(r));
    control_ends(r);
    SONDE_TRY(read_flags(r));
    const meta_value *whole;
    SONDE_TRY(of_kind(r, "tokenizer.huggingface.json", META_TEXT, &whole));
    if (whole) r->out.tokenizer_json = (text_bytes){ whole->text.at, whole->text.len };
    return SONDE_OK;
}

/* "none" and "no_vocab" stand for ids without texts. */
bool vocab_in_meta(const weights *w) {
    return weights_meta(w, KEY "tokens") != NULL;
}

sonde_status tokenizer_of_meta(tokenizer **out, const weights *w, const char *name, sonde_error *err) {
    *out = NULL;
    reader r = { .w = w, .scratch = arena_new(), .err = err, .out = { .name = name } };
    sonde_status s = read_all(&r);
    if (s == SONDE_OK) s = tokenizer_of_pieces(out, &r.out, err);
    else sonde_fail_at(err, s, "%s", name);
    arena_free(r.scratch);
    return s;
}
