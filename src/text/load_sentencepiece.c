/* SentencePiece's file, a protobuf message: 1 pieces {1 text, 2 score, 3 type}, 2 trainer {3 model type, 24 white space
 * behind, 35 byte fallback, 45..47 unknown, bos and eos pieces}, 3 normaliser {2 charsmap, 3 prefix, 4 collapse,
 * 5 escape}. What is absent has its default; fields that are not known are skipped. */
#include "load.h"
#include "base/text.h"

typedef struct { const uint8_t *begin, *at, *end; } wire;
typedef struct { uint64_t number, value; const uint8_t *bytes; size_t len; unsigned kind; } field;
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static bool varint(wire *w, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 70 && w->at < w->end; shift += 7) {
        const uint8_t byte = *w->at++;
        if (shift < 64) *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static bool take(wire *w, uint64_t n, field *f) {
    if (n > (uint64_t)(w->end - w->at)) return false;
    f->bytes = w->at;
    f->len = (size_t)n;
    w->at += n;
    return true;
}

static bool read_field(wire *w, field *f) {
    uint64_t key;
    *f = (field){ 0 };
    if (!varint(w, &key)) return false;
    f->number = key >> 3;
    f->kind = (unsigned)(key & 7);
    switch (f->kind) {
    case VARINT:  return varint(w, &f->value);
    case FIXED64: return take(w, 8, f);
    case FIXED32: return take(w, 4, f);
    case BYTES:   return varint(w, &f->value) && take(w, f->value, f);
    default:      return false;
    }
}

/* The next field of a message; *more is false at its end. */
static sonde_status next_field(wire *w, field *f, bool *more, sonde_error *err) {
    const uint8_t *start = w->at;
    *more = start < w->end;
    SONDE_FAIL_IF(*more && !read_field(w, f), err, SONDE_FORMAT,
                  "offset %zu: no field of a SentencePiece model that ends in its message", (size_t)(start - w->begin));
    return SONDE_OK;
}

typedef struct {
    text_bytes *text;
    float      *score;
    int32_t    *type;
    size_t      n;
    uint64_t    model_type;
    bool        suffix, bytes, prefix, collapse, escape;
    text_bytes  unknown, bos, eos, charsmap;
} contents;

static text_bytes text_of(const field *f) { return (text_bytes){ (const char *)f->bytes, f->len }; }

static sonde_status read_piece(wire w, contents *c, sonde_error *err) {
    field f;
    bool more;
    const size_t i = c->n++;
    c->type[i] = PIECE_NORMAL;
    for (;;) {
        SONDE_TRY(next_field(&w, &f, &more, err));
        if (!more) return SONDE_OK;
        if (f.number == 1 && f.kind == BYTES) c->text[i] = text_of(&f);
        if (f.number == 2 && f.kind == FIXED32) memcpy(&c->score[i], f.bytes, 4);
        if (f.number == 3 && f.kind == VARINT) c->type[i] = f.value <= PIECE_BYTE ? (int32_t)f.value : 0;
    }
}

static sonde_status read_trainer(wire w, contents *c, sonde_error *err) {
    field f;
    bool more;
    for (;;) {
        SONDE_TRY(next_field(&w, &f, &more, err));
        if (!more) return SONDE_OK;
        if (f.kind == VARINT && f.number == 3) c->model_type = f.value;
        if (f.kind == VARINT && f.number == 24) c->suffix = f.value != 0;
        if (f.kind == VARINT && f.number == 35) c->bytes = f.value != 0;
        if (f.kind == BYTES && f.number == 45) c->unknown = text_of(&f);
        if (f.kind == BYTES && f.number == 46) c->bos = text_of(&f);
        if (f.kind == BYTES && f.number == 47) c->eos = text_of(&f);
    }
}

static sonde_status read_normalizer(wire w, contents *c, sonde_error *err) {
    field f;
    bool more;
    for (;;) {
        SONDE_TRY(next_field(&w, &f, &more, err));
        if (!more) return SONDE_OK;
        if (f.kind == BYTES && f.number == 2) c->charsmap = text_of(&f);
        if (f.kind == VARINT && f.number == 3) c->prefix = f.value != 0;
        if (f.kind == VARINT && f.number == 4) c->collapse = f.value != 0;
        if (f.kind == VARINT && f.number == 5) c->escape = f.value != 0;
    }
}

static sonde_status count_pieces(wire w, size_t *n, sonde_error *err) {
    field f;
    bool more;
    *n = 0;
    for (;;) {
        SONDE_TRY(next_field(&w, &f, &more, err));
        if (!more) return SONDE_OK;
        *n += f.number == 1 && f.kind == BYTES;
    }
}

static sonde_status read_message(wire w, contents *c, sonde_error *err) {
    field f;
    bool more;
    for (;;) {
        SONDE_TRY(next_field(&w, &f, &more, err));
        if (!more) return SONDE_OK;
        if (f.kind != BYTES) continue;
        const wire inner = { w.begin, f.bytes, f.bytes + f.len };
        if (f.number == 1) SONDE_TRY(read_piece(inner, c, err));
        if (f.number == 2) SONDE_TRY(read_trainer(inner, c, err));
        if (f.number == 3) SONDE_TRY(read_normalizer(inner, c, err));
    }
}

static sonde_status read_contents(const text_file *f, arena *scratch, contents *c, sonde_error *err) {
    const uint8_t *data = (const uint8_t *)f->data;
    const wire w = { data, data, data + f->size };
    size_t n;
    SONDE_TRY(count_pieces(w, &n, err));
    SONDE_FAIL_IF(n > VOCAB_MOST, err, SONDE_UNSUPPORTED, "%zu pieces, at most %d", n, VOCAB_MOST);
    *c = (contents){ .model_type = 1, .prefix = true, .collapse = true, .escape = true, .unknown = { "<unk>", 5 },
                     .bos = { "<s>", 3 }, .eos = { "</s>", 4 } };
    c->text = arena_new_array(scratch, text_bytes, n);
    c->score = arena_new_array(scratch, float, n);
    c->type = arena_new_array(scratch, int32_t, n);
    return read_message(w, c, err);
}

/* The one unknown piece; byte pieces only with byte fallback. */
static sonde_status check_types(const contents *c, int32_t *unknown, sonde_error *err) {
    *unknown = -1;
    for (size_t i = 0; i < c->n; i++) {
        SONDE_FAIL_IF(c->type[i] == PIECE_BYTE && !c->bytes, err, SONDE_FORMAT,
                      "piece %zu is a byte, but byte_fallback is false", i);
        if (c->type[i] != PIECE_UNKNOWN) continue;
        SONDE_FAIL_IF(*unknown >= 0, err, SONDE_FORMAT, "pieces %d and %zu are both the unknown one", *unknown, i);
        *unknown = (int32_t)i;
    }
    SONDE_FAIL_IF(*unknown < 0, err, SONDE_FORMAT, "no piece is the unknown one");
    return SONDE_OK;
}

/* Id of a control piece, -1 if there is none of this text. */
static int32_t control(const tokenizer *t, text_bytes text) {
    const int32_t id = vocab_model_id(&t->vocab, text.at, text.len);
    return id >= 0 && t->type[id] == PIECE_CONTROL ? id : -1;
}

static sonde_status check_kind(const contents *c, sonde_error *err) {
    static const char *const names[] = { "0", "unigram", "bpe", "word", "char" };
    SONDE_FAIL_IF(c->model_type == 3 || c->model_type == 4, err, SONDE_UNSUPPORTED,
                  "a SentencePiece model of type %s is not supported (these are: unigram, bpe)", names[c->model_type]);
    SONDE_FAIL_IF(c->model_type < 1 || c->model_type > 4, err, SONDE_FORMAT, "model type %llu, expected 1 to 4",
                  (unsigned long long)c->model_type);
    return SONDE_OK;
}

static sonde_status fill(loader *l, const text_file *f) {
    contents c = { 0 };
    int32_t unknown;
    SONDE_TRY(read_contents(f, l->scratch, &c, l->err));
    SONDE_TRY(check_kind(&c, l->err));
    SONDE_TRY(check_types(&c, &unknown, l->err));
    bool legacy = false, prefix = c.prefix;
    SONDE_TRY(load_bool(l->config, "tokenizer_config.json", "legacy", &legacy, l->err));
    SONDE_TRY(load_bool(l->config, "tokenizer_config.json", "add_prefix_space", &prefix, l->err));
    SONDE_FAIL_IF(prefix != c.prefix, l->err, SONDE_UNSUPPORTED, "tokenizer_config.json.add_prefix_space: %s, but the model's "
                  "own add_dummy_prefix is not; save a tokenizer.json", prefix ? "true" : "false");
    const vocab_pieces p = { .n = c.n, .text = c.text, .score = c.score, .type = c.type, .unknown = unknown };
    spm_parts s = { .pieces = &p, .unigram = c.model_type == 1, .bytes = c.bytes, .control = true,
                    .normal = { .kind = NORMAL_SENTENCEPIECE, .prefix = c.prefix, .suffix = c.suffix,
                                .collapse = c.collapse, .escape = c.escape, .prefix_each = legacy } };
    if (c.charsmap.len) {
        charsmap *chars;
        SONDE_TRY(charsmap_new(&chars, l->t->memory, (const uint8_t *)c.charsmap.at, c.charsmap.len, l->err));
        s.normal.map = chars;
    }
    SONDE_TRY(load_spm(l, &s));
    SONDE_TRY(load_config_tokens(l, NULL));
    SONDE_TRY(load_added_close(l));
    l->t->bos = control(l->t, c.bos);
    l->t->eos = control(l->t, c.eos);
    return load_config_ends(l, true, s.unigram, PAIRS_NONE);
}

sonde_status load_sentencepiece(loader *l, const text_file *f) {
    const sonde_status s = fill(l, f);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "%s", f->name ? f->name : "tokenizer.model");
}
