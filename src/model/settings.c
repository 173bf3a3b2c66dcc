#define _GNU_SOURCE
#include "settings.h"
#include "settings_rope.h"
#include "config.h"
#include "base/text.h"
#include "format/meta.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char llama2c[] = "llama2c.";

typedef struct {
    const weights *w;
    const json    *params;      /* Meta's params.json, or NULL */
    const arch    *a;
    spelling       spelled;
    const char    *begin;       /* what stands in front of each key of the container */
    arena         *into;
    const char    *members;     /* what is written so far */
    sonde_error   *err;
} writer;

static void add(writer *o, const char *key, const char *value) {
    o->members = arena_printf(o->into, "%s,\n  \"%s\": %s", o->members, key, value);
}

const char *settings_float(arena *into, double v) {
    char text[40];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtof(text, NULL) == (float)v) break;
    }
    const bool whole = !strpbrk(text, ".einf");
    return arena_printf(into, "%s%s", text, whole ? ".0" : "");
}

/* A list of one number again and again is that number (head counts of each layer). */
static bool same_items(const meta_value *v, int64_t *out) {
    int64_t first, item;
    if (v->kind != META_LIST || v->n == 0 || !meta_item_int(v, 0, &first)) return false;
    for (size_t i = 1; i < v->n; i++)
        if (!meta_item_int(v, i, &item) || item != first) return false;
    *out = first;
    return true;
}

static sonde_status meta_digits(writer *o, const meta_value *v, const char **out) {
    int64_t n;
    const shown key = name_shown(v->key);
    SONDE_FAIL_IF(v->kind == META_TEXT, o->err, SONDE_FORMAT, "%s is a text, expected a number", key.text);
    SONDE_FAIL_IF(v->kind == META_LIST && !same_items(v, &n), o->err, SONDE_UNSUPPORTED,
                  "%s is a list of several, expected one number", key.text);
    SONDE_FAIL_IF(v->kind == META_NUMBER && !isfinite(v->number), o->err, SONDE_FORMAT, "%s is %g, expected a finite number",
                  key.text, v->number);
    if (v->kind == META_NUMBER) *out = settings_float(o->into, v->number);
    else if (v->kind == META_BOOL) *out = v->integer ? "true" : "false";
    else *out = arena_printf(o->into, "%" PRId64, v->kind == META_LIST ? n : v->integer);
    return SONDE_OK;
}

/* Rows of the tensor of the first block, of all parts together: parts that hold whole rows are put one below another. */
static bool rows_of(const writer *o, weight_id id, int64_t width, int64_t *out) {
    for (const weight_row *r = o->a->weights; r->id != W_NONE; r++) {
        const char *name = r->id == id ? row_spelled(r, o->spelled) : NULL;
        if (!name) continue;
        name = row_name(o->into, "", name, 0);
        const stored_tensor *t = weights_find(o->w, name);
        if (!t || t->rank != 2) return false;
        int64_t parts = 0;
        for (size_t i = 0; i < weights_parts(o->w); i++) parts += weights_find_part(o->w, i, name) != NULL;
        return !__builtin_mul_overflow(t->dim[0], t->dim[1] == width ? parts : 1, out);
    }
    return false;
}

static const meta_value *gguf_key(const writer *o, const char *key) {
    return weights_meta(o->w, arena_printf(o->into, "%s%s", o->begin, key));
}

static bool gguf_int(const writer *o, const char *key, int64_t *out) {
    const meta_value *v = gguf_key(o, key);
    return v && (v->kind == META_INT ? (*out = v->integer, true) : same_items(v, out));
}

/* Numbers of a head; false where nothing says it. */
static bool head_numbers(const writer *o, int64_t *out) {
    int64_t d, heads;
    if (gguf_int(o, "attention.key_length", out)) return *out > 0;
    if (!gguf_int(o, "embedding_length", &d) || !gguf_int(o, "attention.head_count", &heads) || heads <= 0) return false;
    *out = d / heads;
    return d % heads == 0 && d > 0;
}

/* n of e numbers, as the number whose product with e is not below n. */
static const char *share_digits(const writer *o, int64_t n) {
    int64_t e;
    if (!head_numbers(o, &e) || n <= 0 || n > e) return arena_printf(o->into, "%" PRId64, n);       /* refused by its reader */
    double share = (double)n / (double)e;
    while ((int64_t)((double)e * share) < n) share = nextafter(share, 2);
    const char *text = arena_printf(o->into, "%.17g", share);
    return strpbrk(text, ".e") ? text : arena_printf(o->into, "%s.0", text);
}

/* One flag a layer, or the period of the layers that see everything. */
static sonde_status layer_types(const writer *o, const meta_value *v, const char **out) {
    int64_t layers, period = 0, flag = 0;
    const bool list = v->kind == META_LIST;
    SONDE_FAIL_IF(!gguf_int(o, "block_count", &layers) || layers < 1 || layers > MOST_LAYERS, o->err, SONDE_FORMAT,
                  "%sblock_count: is not there, expected a number from 1 to %d", o->begin, (int)MOST_LAYERS);
    SONDE_FAIL_IF(list ? v->n != (size_t)layers || !meta_item_int(v, 0, &flag) : !gguf_int(o, v->key + strlen(o->begin), &period),
                  o->err, SONDE_FORMAT, "%s: expected a number, or one flag for each of %" PRId64 " layers",
                  name_shown(v->key).text, layers);
    const char *text = "";
    for (int64_t l = 0; l < layers; l++) {
        if (list) meta_item_int(v, (size_t)l, &flag);
        else flag = period < 1 || l % period < period - 1;
        text = arena_printf(o->into, "%s%s\"%s\"", text, l ? ", " : "", flag ? "sliding_attention" : "full_attention");
    }
    *out = arena_printf(o->into, "[%s]", text);
    return SONDE_OK;
}

/* What readers of GGUF take where a key is not there, and config.json's readers would not. */
static const char *gguf_default(const writer *o, const config_row *f) {
    int64_t n;
    if (strcmp(f->gguf, "attention.head_count_kv") == 0 && gguf_int(o, "attention.head_count", &n))
        return arena_printf(o->into, "%" PRId64, n);
    if (strcmp(f->gguf, "attention.key_length") == 0 && head_numbers(o, &n)) return arena_printf(o->into, "%" PRId64, n);
    return strcmp(f->gguf, "rope.freq_base") == 0 ? "10000.0" : NULL;
}

static bool is_zero(const char *digits) { return strtod(digits, NULL) == 0; }

static sonde_status gguf_digits(writer *o, const config_row *f, const char **out) {
    const meta_value *v = gguf_key(o, f->gguf);
    int64_t n;
    if (!v) return SONDE_OK;
    if (f->kind == FIELD_LAYERS) return layer_types(o, v, out);
    SONDE_TRY(meta_digits(o, v, out));
    if (f->kind == FIELD_SHARE && gguf_int(o, f->gguf, &n)) *out = share_digits(o, n);
    if (f->or_null && is_zero(*out)) *out = "null";
    return SONDE_OK;
}

/* What the container says of this field as JSON; NULL: nothing. */
static sonde_status field_digits(writer *o, const config_row *f, const char **out) {
    const char *key = o->spelled == SPELLED_GGUF ? f->gguf : f->meta;
    *out = NULL;
    if (!key) return SONDE_OK;
    if (o->params) {
        const json *j = json_get(o->params, key);
        if (!j || j->kind == JSON_NULL) return SONDE_OK;
        int64_t n;
        const bool absent = json_int(j, &n) && n < 0;               /* vocab_size -1: as the tokenizer has it */
        SONDE_FAIL_IF(j->kind != JSON_NUMBER && j->kind != JSON_BOOL, o->err, SONDE_FORMAT,
                      "%s is no number and not true or false", key);
        if (j->kind == JSON_BOOL) *out = j->boolean ? "true" : "false";
        else if (!absent) *out = arena_printf(o->into, "%s", j->text);
        return SONDE_OK;
    }
    if (o->spelled == SPELLED_GGUF) return gguf_digits(o, f, out);
    const meta_value *v = gguf_key(o, key);
    return v ? meta_digits(o, v, out) : SONDE_OK;
}

/* Where a member that was added stands, NULL: it was not. */
static const char *member(const writer *o, const char *name) {
    return strstr(o->members, arena_printf(o->into, "\n  \"%s\": ", name));
}

/* The width of the stream, which the first field of the table is. */
static int64_t width_of(const char *digits) { return digits ? strtoll(digits, NULL, 10) : -1; }

static sonde_status add_fields(writer *o) {
    int64_t width = -1, rows;
    for (const config_row *f = o->a->fields; f->hf; f++) {
        const char *digits;
        SONDE_TRY(field_digits(o, f, &digits));
        if (!digits && f->rows_of != W_NONE && rows_of(o, f->rows_of, width, &rows))
            digits = arena_printf(o->into, "%" PRId64, rows);
        if (f == o->a->fields) width = width_of(digits);
        if (!digits) continue;
        const char *known = member(o, f->hf);
        if (!known) {
            add(o, f->hf, digits);
            continue;
        }
        const char *value = strchr(known + 1, ':') + 2;
        const size_t n = strcspn(value, ",\n");
        SONDE_FAIL_IF(strlen(digits) != n || memcmp(value, digits, n) != 0, o->err, SONDE_UNSUPPORTED,
                      "%s%s is %s, expected %.*s (%s)", o->begin, f->gguf ? f->gguf : f->meta, digits, (int)n, value, f->hf);
    }
    return SONDE_OK;
}

static void add_defaults(writer *o) {
    for (const config_row *f = o->a->fields; f->hf; f++) {
        const char *digits = f->gguf && !f->needed && !member(o, f->hf) ? gguf_default(o, f) : NULL;
        if (digits) add(o, f->hf, digits);
    }
}

static bool has_tensor(const writer *o, weight_id id) {
    for (const weight_row *r = o->a->weights; r->id != W_NONE; r++) {
        const char *name = r->id == id ? row_spelled(r, o->spelled) : NULL;
        if (name && weights_find(o->w, row_name(o->into, "", name, 0))) return true;
    }
    return false;
}

/* Some weights are there or not; config.json says so. */
static void add_there(writer *o) {
    for (const config_row *f = o->a->fields; f->hf; f++)
        if (f->there_of) add(o, f->hf, has_tensor(o, f->there_of) ? "true" : "false");
}

static void begin(writer *o) {
    o->members = arena_printf(o->into, "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"%s\"", o->a->hf_classes[0],
                              o->a->hf_type);
}

/* config.json's defaults are those of one library; a container without these would be guessed at. */
static sonde_status check_needed(const writer *o) {
    for (const config_row *f = o->a->fields; f->hf; f++)
        SONDE_FAIL_IF(f->needed && !member(o, f->hf), o->err, SONDE_FORMAT, "%s%s: is not there, expected a number", o->begin,
                      o->spelled == SPELLED_GGUF || !f->meta ? f->gguf : f->meta);
    return SONDE_OK;
}

static sonde_status end(writer *o, settings_text *out) {
    SONDE_TRY(check_needed(o));
    add_there(o);
    add(o, "tie_word_embeddings", has_tensor(o, W_UNEMBED) ? "false" : "true");
    out->text = arena_printf(o->into, "%s\n}\n", o->members);
    out->len = strlen(out->text);
    return SONDE_OK;
}

/* ---- GGUF ---- */

static sonde_status meta_token(writer *o, const char *key, const char *field) {
    const meta_value *v = weights_meta(o->w, key);
    if (!v) return SONDE_OK;
    SONDE_FAIL_IF(v->kind != META_INT, o->err, SONDE_FORMAT, "%s is no integer, expected the id of a token", key);
    add(o, field, arena_printf(o->into, "%" PRId64, v->integer));
    return SONDE_OK;
}

static rope_words words_of(const writer *o) { return (rope_words){ o->w, o->a, o->begin, o->into, o->err }; }

static sonde_status add_rope_scaling(writer *o) {
    const rope_words words = words_of(o);
    const char *scaling;
    SONDE_TRY(settings_rope(&words, &scaling));
    if (scaling) add(o, "rope_scaling", scaling);
    return SONDE_OK;
}

/* Does this key say what a model without it has? Zero, or for these one. */
static bool says_nothing(const char *key, const meta_value *v) {
    static const char *const ones[] = { "attention.causal", "rope.scaling.attn_factor", "logit_scale", "embedding_scale",
                                        "residual_scale" };
    int64_t n = v->integer;
    if (v->kind == META_TEXT) return v->text.len == 0;
    if (v->kind == META_LIST && !same_items(v, &n)) return v->n == 0;
    const double x = v->kind == META_NUMBER ? v->number : (double)n;
    size_t i = 0;
    while (i < sizeof ones / sizeof *ones && strcmp(ones[i], key) != 0) i++;
    return i < sizeof ones / sizeof *ones ? x == 1 || (x == 0 && i > 0) : x == 0;
}

static bool is_read(const writer *o, const char *key) {
    static const char *const known[] = { "tensor_data_layout", "expert_used_count" };       /* no number depends on them */
    const rope_words words = words_of(o);
    if (settings_rope_reads(&words, key)) return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], key) == 0) return true;
    for (const config_row *f = o->a->fields; f->hf; f++)
        if (f->gguf && strcmp(f->gguf, key) == 0) return true;
    return false;
}

/* Sizes of heads that follow from others say nothing. */
static bool follows(const writer *o, const char *key) {
    static const char *const of_head[] = { "attention.key_length", "attention.value_length", "rope.dimension_count" };
    int64_t n, e, d, heads;
    if (!gguf_int(o, key, &n) || !gguf_int(o, "attention.head_count", &heads)) return false;
    if (strcmp(key, "attention.head_count_kv") == 0) return n == heads;
    for (size_t i = 0; i < sizeof of_head / sizeof *of_head; i++)
        if (strcmp(key, of_head[i]) == 0)
            return head_numbers(o, &e) && gguf_int(o, "embedding_length", &d) && n == e && heads > 0 && d % heads == 0 && d / heads == e;
    return false;
}

/* A key of the family that nothing reads changes what it computes: relatives are told apart by such keys alone. */
static sonde_status refuse_unread(const writer *o) {
    const size_t n = strlen(o->begin);
    for (size_t i = 0; i < weights_meta_count(o->w); i++) {
        const meta_value *v = weights_meta_at(o->w, i);
        if (strncmp(v->key, o->begin, n) != 0 || is_read(o, v->key + n) || says_nothing(v->key + n, v) ||
            follows(o, v->key + n)) continue;
        const char *is = v->kind == META_TEXT ? text_shown(v->text.at, v->text.len).text : "a list of several";
        int64_t same = v->integer;
        if (v->kind == META_NUMBER) is = arena_printf(o->into, "%g", v->number);
        else if (v->kind != META_TEXT && (v->kind != META_LIST || same_items(v, &same)))
            is = arena_printf(o->into, "%" PRId64, same);
        return sonde_fail(o->err, SONDE_UNSUPPORTED, "%s is %s, expected a model without it", name_shown(v->key).text, is);
    }
    return SONDE_OK;
}

static bool is_called(const arch *a, meta_text name) {
    return a->gguf && strlen(a->gguf) == name.len && memcmp(a->gguf, name.at, name.len) == 0;
}

/* Of several families that share a name there, the first that reads all keys; else the first, which says what it lacks. */
static sonde_status find_gguf(writer *o, const meta_value *named) {
    SONDE_FAIL_IF(named->kind != META_TEXT, o->err, SONDE_FORMAT, "general.architecture is no text");
    const char *known = "";
    const arch *first = NULL;
    sonde_error *const err = o->err;
    for (const arch *const *a = arch_table; *a; a++) {
        if (!(*a)->gguf) continue;
        if (!strstr(known, arena_printf(o->into, " %s,", (*a)->gguf))) known = arena_printf(o->into, "%s %s,", known, (*a)->gguf);
        if (!is_called(*a, named->text)) continue;
        if (!first) first = *a;
        o->a = *a;
        o->begin = arena_printf(o->into, "%s.", (*a)->gguf);
        o->err = NULL;
        const bool read = refuse_unread(o) == SONDE_OK;
        o->err = err;
        if (read) return SONDE_OK;
    }
    o->a = first;
    if (first) return SONDE_OK;
    return sonde_fail(o->err, SONDE_UNSUPPORTED, "general.architecture is \"%s\", expected one of:%.*s",
                      text_shown(named->text.at, named->text.len).text, (int)strlen(known) - 1, known);
}

/* What the family's readers know of files without a key for it. */
static sonde_status add_more(writer *o) {
    const char *text = arena_printf(o->into, "%s\n}\n", o->members);
    gguf_words words = { .w = o->w, .into = o->into };
    if (!o->a->gguf_more) return SONDE_OK;
    SONDE_TRY(json_parse(text, strlen(text), o->into, &words.said, o->err));
    const char *more = o->a->gguf_more(&words);
    if (*more) o->members = arena_printf(o->into, "%s,\n  %s", o->members, more);
    return SONDE_OK;
}

static sonde_status of_gguf(writer *o, settings_text *out) {
    o->spelled = SPELLED_GGUF;
    SONDE_TRY(find_gguf(o, weights_meta(o->w, "general.architecture")));
    o->begin = arena_printf(o->into, "%s.", o->a->gguf);
    begin(o);
    SONDE_TRY(refuse_unread(o));
    SONDE_TRY(add_fields(o));
    add_defaults(o);
    SONDE_TRY(add_rope_scaling(o));
    SONDE_TRY(meta_token(o, "tokenizer.ggml.bos_token_id", "bos_token_id"));
    SONDE_TRY(meta_token(o, "tokenizer.ggml.eos_token_id", "eos_token_id"));
    SONDE_TRY(add_more(o));
    return end(o, out);
}

/* ---- Meta's and llama2.c's, which share their names ---- */

static const arch *of_meta_spelling(void) {
    const arch *const *a = arch_table;
    while (*a && !(*a)->meta_more) a++;
    return *a;
}

/* Others write params.json too, with fields that compute other numbers: absent, null, false or zero here. */
static sonde_status refuse_params(const writer *o) {
    static const char *const known[] = { "vocab_size", "multiple_of", "ffn_dim_multiplier", "use_scaled_rope", "max_seq_len",
                                         "max_batch_size" };
    for (const json *j = o->params->child; j; j = j->next) {
        bool   read = j->kind == JSON_NULL || (j->kind == JSON_BOOL && !j->boolean);
        double zero;
        if (json_double(j, &zero)) read = zero == 0;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) read |= strcmp(known[i], j->key) == 0;
        for (const config_row *f = o->a->fields; f->hf; f++) read |= f->meta && strcmp(f->meta, j->key) == 0;
        SONDE_FAIL_IF(!read, o->err, SONDE_UNSUPPORTED, "%s is %s, expected a model without it", name_shown(j->key).text,
                      json_shown(j).text);
    }
    return SONDE_OK;
}

static sonde_status of_meta(writer *o, settings_text *out) {
    o->spelled = SPELLED_META;
    o->begin = o->params ? "" : llama2c;
    o->a = of_meta_spelling();
    SONDE_FAIL_IF(!o->a, o->err, SONDE_UNSUPPORTED, "no family of this version has checkpoints of Meta's");
    begin(o);
    if (o->params) SONDE_TRY(refuse_params(o));
    SONDE_TRY(add_fields(o));
    const char *more = o->a->meta_more(o->params, o->into);
    if (*more) o->members = arena_printf(o->into, "%s,\n  %s", o->members, more);
    return end(o, out);
}

bool settings_in(const weights *w) {
    return weights_meta(w, "general.architecture") || weights_meta(w, "llama2c.dim");
}

sonde_status settings_of_container(const weights *w, arena *into, settings_text *out, sonde_error *err) {
    writer o = { .w = w, .into = into, .err = err };
    return weights_meta(w, "general.architecture") ? of_gguf(&o, out) : of_meta(&o, out);
}

sonde_status settings_of_params(const weights *w, const json *params, arena *into, settings_text *out, sonde_error *err) {
    SONDE_FAIL_IF(params->kind != JSON_OBJECT, err, SONDE_FORMAT, "expected an object");
    writer o = { .w = w, .params = params, .into = into, .err = err };
    return of_meta(&o, out);
}
