/* tokenizer.json of a tokenizer, part by part. */
#include "write.h"
#include "base/text.h"
#include "base64.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char escaped[] = "\xe2\x96\x81";

void write_bytes(writer *w, const char *text, size_t n) {
    w->text = grow(w->memory, w->text, w->len, w->len + n, &w->cap, 1);
    if (n) memcpy(w->text + w->len, text, n);
    w->len += n;
}

void write_text(writer *w, const char *text) { write_bytes(w, text, strlen(text)); }

void write_format(writer *w, const char *format, ...) {
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    write_text(w, line);
}

void write_quoted(writer *w, const char *text, size_t n) {
    arena_reset(w->scratch);
    write_text(w, json_quote(w->scratch, text, n));
}

static const char *yes(bool flag) { return flag ? "true" : "false"; }

static void write_id(writer *w, const tokenizer *t, int32_t id) {
    const token *k = vocab_token(&t->vocab, id);
    write_quoted(w, k ? k->text : "", k ? k->text_len : 0);
}

static void write_pattern(writer *w, const splitter *s) {
    const char *pattern = splitter_pattern(s);
    write_text(w, splitter_literal(s) ? "{\"String\":" : "{\"Regex\":");
    write_quoted(w, pattern, strlen(pattern));
    write_text(w, "}");
}

/* Added tokens, by id. `late`: they are looked for in the normalised text. */
static int by_id(const void *a, const void *b) {
    const added_token *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

typedef struct { added_token token; bool normalized; } entry;

static void write_entry(writer *w, const tokenizer *t, const entry *e) {
    write_format(w, "{\"id\":%d,\"content\":", e->token.id);
    write_id(w, t, e->token.id);
    write_format(w, ",\"single_word\":%s,\"lstrip\":%s,\"rstrip\":%s,\"normalized\":%s,\"special\":%s}",
                 yes(e->token.single_word), yes(e->token.lstrip), yes(e->token.rstrip), yes(e->normalized),
                 yes(e->token.special));
}

/* Of SentencePiece; one with a space is never found, since spaces are written otherwise by then. */
static bool is_user_defined(const tokenizer *t, size_t i) {
    const token *k = vocab_token(&t->vocab, (int32_t)i);
    return t->type[i] == PIECE_USER_DEFINED && !memchr(k->text, ' ', k->text_len);
}

/* User defined pieces of SentencePiece are added tokens there. */
static void write_added(writer *w, const tokenizer *t) {
    const size_t most = t->raw.n + t->normalized.n + t->n_pieces;
    entry *list = arena_alloc(w->memory, (most + 1) * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < t->raw.n; i++) list[n++] = (entry){ t->raw.at[i], w->late };
    for (size_t i = 0; i < t->normalized.n; i++) list[n++] = (entry){ t->normalized.at[i], true };
    for (size_t i = 0; i < t->n_pieces && t->type; i++)
        if (is_user_defined(t, i)) list[n++] = (entry){ { .id = (int32_t)i }, w->late };
    if (n) qsort(list, n, sizeof *list, by_id);
    write_text(w, "\"added_tokens\":[");
    for (size_t i = 0; i < n; i++) {
        if (i) write_text(w, ",\n");
        write_entry(w, t, &list[i]);
    }
    write_text(w, "],\n");
}

static void write_charsmap(writer *w, const charsmap *m) {
    size_t n;
    const uint8_t *blob = charsmap_blob(m, &n);
    char *text = arena_alloc(w->memory, 4 * (n + 2) / 3 + 4);
    write_text(w, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
    write_bytes(w, text, base64_write(blob, n, text));
    write_text(w, "\"}");
}

/* A step that replaces what the expression matches. */
static void write_replace(writer *w, const char *pattern, size_t n, const char *with) {
    write_text(w, ",{\"type\":\"Replace\",\"pattern\":{\"Regex\":");
    write_quoted(w, pattern, n);
    write_format(w, "},\"content\":\"%s\"}", with);
}

/* Puts what is not a letter or digit behind a backslash. */
static void put_escaped(writer *w, const token *k) {
    for (size_t i = 0; i < k->text_len; i++) {
        const char c = k->text[i];
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c < 0;
        if (!plain) write_text(w, "\\");
        write_bytes(w, &c, 1);
    }
}

/* SentencePiece puts its space in front of a text that begins with a space or a user defined piece too, where Metaspace puts
 * none. (Not where the text is such a piece: the library would take that for what the piece is called.) */
static void write_prefix(writer *w, const tokenizer *t, bool collapse) {
    enum { MOST = 64 };
    writer pattern = { .memory = w->memory };
    size_t n = 0;
    write_text(&pattern, collapse ? "\\A(?=" : "\\A(?=[ ");
    write_text(&pattern, escaped);
    if (!collapse) write_text(&pattern, "]");
    for (size_t i = 0; i < t->n_pieces && t->type && n < MOST; i++) {
        if (!is_user_defined(t, i)) continue;
        for (int again = 0; again < 2; again++) {
            write_text(&pattern, again ? "(?!\\z)" : "|");
            if (!again) put_escaped(&pattern, vocab_token(&t->vocab, (int32_t)i));
        }
        n++;
    }
    write_text(&pattern, ")");
    write_replace(w, pattern.text, pattern.len, escaped);
}

/* SentencePiece's: its charsmap, then white space. */
static void write_spm_normal(writer *w, const tokenizer *t, const normal_step *k) {
    if (k->map) write_charsmap(w, k->map);
    else write_text(w, "{\"type\":\"Prepend\",\"prepend\":\"\"}");
    static const char behind[] = "[ \xe2\x96\x81]+\\z", front[] = "\\A +", runs[] = " {2,}";
    if (k->collapse) write_replace(w, behind, strlen(behind), "");
    if (k->prefix) write_prefix(w, t, k->collapse);
    if (k->collapse) write_replace(w, front, strlen(front), k->prefix ? escaped : "");
    if (k->collapse) write_replace(w, runs, strlen(runs), " ");
}

static const char *form_name(unicode_form f) {
    static const char *const names[] = { "NFC", "NFD", "NFKC", "NFKD" };
    return names[f];
}

static void write_basic(writer *w, const normal_step *k) {
    write_format(w, "{\"type\":\"BertNormalizer\",\"clean_text\":%s,\"handle_chinese_chars\":%s,\"strip_accents\":%s,"
                 "\"lowercase\":%s}", yes(k->clean), yes(k->chinese), yes(k->accents), yes(k->lower));
}

static void write_normal(writer *w, const tokenizer *t, const normal_step *k) {
    switch (k->kind) {
    case NORMAL_FORM:          write_format(w, "{\"type\":\"%s\"}", form_name(k->form));   return;
    case NORMAL_LOWER:         write_text(w, "{\"type\":\"Lowercase\"}");                   return;
    case NORMAL_STRIP_ACCENTS: write_text(w, "{\"type\":\"StripAccents\"}");                return;
    case NORMAL_NMT:           write_text(w, "{\"type\":\"Nmt\"}");                         return;
    case NORMAL_BYTES:         write_text(w, "{\"type\":\"ByteLevel\"}");                   return;
    case NORMAL_CHARSMAP:      write_charsmap(w, k->map);                                   return;
    case NORMAL_BASIC:         write_basic(w, k);                                           return;
    case NORMAL_SENTENCEPIECE: write_spm_normal(w, t, k);                                   return;
    case NORMAL_STRIP:
        write_format(w, "{\"type\":\"Strip\",\"strip_left\":%s,\"strip_right\":%s}", yes(k->left), yes(k->right));
        return;
    case NORMAL_PREPEND: write_text(w, "{\"type\":\"Prepend\",\"prepend\":"); break;
    case NORMAL_REPLACE:
        write_text(w, "{\"type\":\"Replace\",\"pattern\":");
        write_pattern(w, k->pattern);
        write_text(w, ",\"content\":");
        break;
    }
    write_quoted(w, k->text, k->len);
    write_text(w, "}");
}

static void write_normals(writer *w, const tokenizer *t) {
    write_text(w, "\"normalizer\":");
    write_text(w, t->n_normal ? "{\"type\":\"Sequence\",\"normalizers\":[" : "null");
    for (size_t i = 0; i < t->n_normal; i++) {
        if (i) write_text(w, ",");
        write_normal(w, t, &t->normal[i]);
    }
    write_text(w, t->n_normal ? "]},\n" : ",\n");
}

static void write_class(writer *w, const stage *g) {
    static const char *const cuts[] = { "Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext" };
    if (g->class == CLASS_SPACE) write_text(w, "{\"type\":\"WhitespaceSplit\"}");
    if (g->class == CLASS_PUNCTUATION) write_format(w, "{\"type\":\"Punctuation\",\"behavior\":\"%s\"}", cuts[g->behavior]);
    if (g->class == CLASS_NUMBER)
        write_format(w, "{\"type\":\"Digits\",\"individual_digits\":%s}", yes(g->behavior == CUT_ISOLATED));
    if (g->class == CLASS_MARK) {
        write_text(w, "{\"type\":\"CharDelimiterSplit\",\"delimiter\":");
        write_code(w, g->mark);
        write_text(w, "}");
    }
}

void write_code(writer *w, uint32_t c) {
    char text[5];
    write_quoted(w, text, unicode_put(c, text));
}

static void write_metaspace(writer *w, const stage *g) {
    static const char *const schemes[] = { "always", "first", "never" };
    write_text(w, "{\"type\":\"Metaspace\",\"replacement\":");
    write_code(w, g->mark);
    write_format(w, ",\"prepend_scheme\":\"%s\",\"split\":%s}", schemes[g->prepend], yes(g->cut));
}

static void write_cut(writer *w, const stage *g) {
    static const char *const cuts[] = { "Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext" };
    write_text(w, "{\"type\":\"Split\",\"pattern\":");
    write_pattern(w, g->pattern);
    write_format(w, ",\"behavior\":\"%s\",\"invert\":%s}", cuts[g->behavior], yes(g->invert));
}

static void write_stage(writer *w, const stage *g) {
    switch (g->kind) {
    case STAGE_PATTERN:   write_cut(w, g);                              break;
    case STAGE_CLASS:     write_class(w, g);                            break;
    case STAGE_WORDS:     write_text(w, "{\"type\":\"Whitespace\"}");   break;
    case STAGE_METASPACE: write_metaspace(w, g);                        break;
    case STAGE_LENGTH:    write_format(w, "{\"type\":\"FixedLength\",\"length\":%zu}", g->length); break;
    case STAGE_SPACE: case STAGE_BYTES: break;
    }
}

/* The last step of byte-level models. A space in front belongs to it, and the library puts it there before its own pattern:
 * so both must be all there is. */
static sonde_status write_byte_level(writer *w, const tokenizer *t, bool any, sonde_error *err) {
    bool prefix = false, regex = false;
    for (size_t i = 0; i < t->n_stages; i++) prefix |= t->stages[i].kind == STAGE_SPACE;
    if (prefix && t->n_stages > 1) {
        const stage *g = &t->stages[1];
        regex = t->n_stages == 2 && g->kind == STAGE_PATTERN && strcmp(splitter_pattern(g->pattern), split_gpt2) == 0;
        SONDE_FAIL_IF(!regex, err, SONDE_UNSUPPORTED, "a space in front of patterns that are not GPT-2's cannot be written");
    }
    write_format(w, "%s{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"trim_offsets\":true,\"use_regex\":%s}",
                 any ? "," : "", yes(prefix), yes(regex));
    return SONDE_OK;
}

static sonde_status write_stages(writer *w, const tokenizer *t, sonde_error *err) {
    const normal_step *k = t->n_normal ? &t->normal[0] : NULL;
    const bool spm = k && k->kind == NORMAL_SENTENCEPIECE;
    bool bytes = t->kind == KIND_BYTES, prefix = false, any = false;
    for (size_t i = 0; i < t->n_stages; i++) {
        bytes |= t->stages[i].kind == STAGE_BYTES;
        prefix |= t->stages[i].kind == STAGE_SPACE;
    }
    write_text(w, "\"pre_tokenizer\":");
    if (!t->n_stages && !spm && !bytes) {
        write_text(w, "null,\n");
        return SONDE_OK;
    }
    write_text(w, "{\"type\":\"Sequence\",\"pretokenizers\":[");
    const stage mark = { .kind = STAGE_METASPACE, .mark = 0x2581, .cut = t->kind == KIND_PATHS, .prepend =
                         !spm || !k->prefix ? PREPEND_NEVER : w->late ? PREPEND_FIRST : PREPEND_ALWAYS };
    if (spm) write_stage(w, &mark);
    for (size_t i = 0; i < t->n_stages && !prefix; i++) {
        if (t->stages[i].kind == STAGE_BYTES) continue;
        if (any) write_text(w, ",");
        write_stage(w, &t->stages[i]);
        any = true;
    }
    if (bytes) SONDE_TRY(write_byte_level(w, t, any, err));
    write_text(w, "]},\n");
    return SONDE_OK;
}

static void write_part(writer *w, const tokenizer *t, around_part p, bool first) {
    if (!first) write_text(w, ",");
    if (p.text < 0) {
        write_text(w, "{\"SpecialToken\":{\"id\":");
        write_id(w, t, p.id);
        write_format(w, ",\"type_id\":%d}}", p.type);
    } else {
        write_format(w, "{\"Sequence\":{\"id\":\"%s\",\"type_id\":%d}}", p.text ? "B" : "A", p.type);
    }
}

/* The library wants a template for pairs: where there is none the second text stands behind the first one's frame. */
static void write_template(writer *w, const tokenizer *t, bool pair) {
    const around *a = pair && t->pair.n ? &t->pair : &t->single;
    write_text(w, "[");
    for (size_t i = 0; i < a->n; i++) write_part(w, t, a->part[i], i == 0);
    for (size_t i = a->n_before; pair && !t->pair.n && i < a->n; i++) {
        around_part p = a->part[i];
        p.type = 1;
        if (p.text == 0) p.text = 1;
        write_part(w, t, p, false);
    }
    write_text(w, "]");
}

/* {"text": {"id": .., "ids": [..], "tokens": [..]}}, each once. */
static void write_special(writer *w, const tokenizer *t) {
    bool any = false;
    const size_t n = t->single.n + t->pair.n;
    for (size_t i = 0; i < n; i++) {
        const around_part *p = i < t->single.n ? &t->single.part[i] : &t->pair.part[i - t->single.n];
        const int32_t id = p->id;
        bool again = p->text >= 0;
        for (size_t k = 0; k < i; k++) {
            const around_part *q = k < t->single.n ? &t->single.part[k] : &t->pair.part[k - t->single.n];
            again |= q->text < 0 && q->id == id;
        }
        if (again) continue;
        if (any) write_text(w, ",");
        write_id(w, t, id);
        write_text(w, ":{\"id\":");
        write_id(w, t, id);
        write_format(w, ",\"ids\":[%d],\"tokens\":[", id);
        write_id(w, t, id);
        write_text(w, "]}");
        any = true;
    }
}

static void write_post(writer *w, const tokenizer *t) {
    write_text(w, "\"post_processor\":");
    if (t->single.n < 2 && !t->pair.n) {
        write_text(w, t->kind == KIND_BYTES ? "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,"
                                              "\"use_regex\":false},\n" : "null,\n");
        return;
    }
    write_text(w, "{\"type\":\"TemplateProcessing\",\"single\":");
    write_template(w, t, false);
    write_text(w, ",\"pair\":");
    write_template(w, t, true);
    write_text(w, ",\"special_tokens\":{");
    write_special(w, t);
    write_text(w, "}},\n");
}

sonde_status tokenizer_write_json(const tokenizer *t, arena *into, text_bytes *out, sonde_error *err) {
    SONDE_FAIL_IF(t->kind == KIND_CHARACTERS || t->kind == KIND_WORDS, err, SONDE_UNSUPPORTED,
                  "this tokenizer came from a tokenizer.json: copy that file");
    writer w = { .memory = into, .scratch = arena_new() };
    bool user = false;
    for (size_t i = 0; i < t->n_pieces && t->type; i++) user |= is_user_defined(t, i);
    const bool spm = t->n_normal && t->normal[0].kind == NORMAL_SENTENCEPIECE;
    w.late = spm && (!t->normal[0].prefix_each || user);
    write_text(&w, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n");
    write_added(&w, t);
    write_normals(&w, t);
    sonde_status s = write_stages(&w, t, err);
    write_post(&w, t);
    write_decoder(&w, t);
    if (s == SONDE_OK) s = write_model(&w, t, err);
    write_text(&w, "}\n");
    *out = (text_bytes){ w.text, w.len };
    arena_free(w.scratch);
    return s;
}
