#include "settings_rope.h"
#include "config.h"
#include "format/meta.h"
#include "kernel/exact.h"
#include "settings.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_OWN = 6 };

static const meta_value *word(const rope_words *o, const char *key) {
    return weights_meta(o->w, arena_printf(o->into, "%s%s", o->begin, key));
}

/* The F32 vector of a row of the family's table; NULL: the file or the family has none. */
static const stored_tensor *table(const rope_words *o, weight_id id) {
    const weight_row *r = o->a->weights;
    while (r->id != W_NONE && r->id != id) r++;
    const stored_tensor *t = r->id == id && r->gguf ? weights_find(o->w, r->gguf) : NULL;
    return t && t->rank == 1 && t->type == DTYPE_F32 && t->dim[0] <= MOST_WIDTH && t->data ? t : NULL;
}

/* *out stays where the key is not there. */
static sonde_status number(const rope_words *o, const char *key, double *out) {
    const meta_value *v = word(o, key);
    if (!v) return SONDE_OK;
    SONDE_FAIL_IF(v->kind != META_NUMBER && v->kind != META_INT, o->err, SONDE_FORMAT, "%s%s is no number, expected one",
                  o->begin, key);
    const double x = v->kind == META_NUMBER ? v->number : (double)v->integer;
    SONDE_FAIL_IF(!isfinite(x), o->err, SONDE_FORMAT, "%s%s is not finite, expected a number", o->begin, key);
    *out = x;
    return SONDE_OK;
}

/* A list of ours, which other readers pass over: the very numbers of config.json. */
static bool own_list(const rope_words *o, const char *key, size_t n, double *out) {
    const meta_value *v = weights_meta(o->w, key);
    bool known = v && v->kind == META_LIST && v->n == n;
    for (size_t i = 0; known && i < n; i++) known = meta_item_number(v, i, &out[i]) && isfinite(out[i]);
    return known;
}

/* ---- the kinds ---- */

/* Divisors of frequencies that are those of Llama 3.1 are said as config.json says them; and so are ours, exactly. */
static const char *llama3(const rope_words *o) {
    const meta_value    *based = word(o, "rope.freq_base");
    const stored_tensor *t = table(o, W_ROPE);
    double n[MOST_OWN];
    bool   known = own_list(o, SETTINGS_LLAMA3, 4, n);
    if (!known && t) {
        float *divisor = arena_new_array(o->into, float, (size_t)t->dim[0] + 1);
        rope   like;
        memcpy(divisor, t->data, t->bytes);
        known = rope_llama3_of(divisor, t->dim[0], based && based->kind == META_NUMBER ? based->number : 1e4, &like);
        n[0] = like.factor, n[1] = like.low, n[2] = like.high, n[3] = like.original;
    }
    return !known ? NULL
                  : arena_printf(o->into, "{\"rope_type\": \"llama3\", \"factor\": %.17g, \"low_freq_factor\": %.17g, "
                                 "\"high_freq_factor\": %.17g, \"original_max_position_embeddings\": %.0f}", n[0], n[1],
                                 n[2], n[3]);
}

/* What llama.cpp multiplies cosine and sine with, besides what the kind itself says; `*given`: a key says it. */
static sonde_status attention(const rope_words *o, double *out, bool *given) {
    double of_yarn = 1;
    *out = 1;
    SONDE_TRY(number(o, "rope.scaling.attn_factor", out));
    SONDE_TRY(number(o, "rope.scaling.yarn_attn_factor", &of_yarn));
    *given = word(o, "rope.scaling.attn_factor") || word(o, "rope.scaling.yarn_attn_factor");
    *out *= of_yarn;
    return SONDE_OK;
}

static sonde_status original(const rope_words *o, const char **out) {
    const meta_value *v = word(o, "rope.scaling.original_context_length");
    *out = "";
    if (!v) return SONDE_OK;
    SONDE_FAIL_IF(v->kind != META_INT, o->err, SONDE_FORMAT, "%srope.scaling.original_context_length is no integer",
                  o->begin);
    *out = arena_printf(o->into, ", \"original_max_position_embeddings\": %" PRId64, v->integer);
    return SONDE_OK;
}

static sonde_status yarn(const rope_words *o, const char **out) {
    double n[MOST_OWN], factor = 1, fast = 0, slow = 0, times;
    bool   given;
    const char *limit;
    if (own_list(o, SETTINGS_YARN, 6, n)) {
        *out = arena_printf(o->into, "{\"rope_type\": \"yarn\", \"factor\": %.17g, \"beta_fast\": %.17g, "
                            "\"beta_slow\": %.17g, \"original_max_position_embeddings\": %.0f, \"attention_factor\": %.17g, "
                            "\"truncate\": %s}", n[0], n[2], n[3], n[1], n[4], n[5] != 0 ? "true" : "false");
        return SONDE_OK;
    }
    SONDE_TRY(number(o, "rope.scaling.factor", &factor));
    SONDE_TRY(number(o, "rope.scaling.yarn_beta_fast", &fast));
    SONDE_TRY(number(o, "rope.scaling.yarn_beta_slow", &slow));
    SONDE_TRY(original(o, &limit));
    SONDE_TRY(attention(o, &times, &given));
    const double own = factor > 1 ? 1 + 0.1 * exact_log(factor) : 1;
    *out = arena_printf(o->into, "{\"rope_type\": \"yarn\", \"factor\": %s, \"beta_fast\": %.9g, \"beta_slow\": %.9g%s%s}",
                        settings_float(o->into, factor), fast, slow, limit,
                        given ? arena_printf(o->into, ", \"attention_factor\": %.17g", own * times) : "");
    return SONDE_OK;
}

/* A member with a table's numbers; one that is not finite is 0, which is refused. */
static const char *list(const rope_words *o, const char *name, weight_id id) {
    enum { LONGEST = 24 };
    const stored_tensor *t = table(o, id);
    if (!t) return "";
    const size_t n = (size_t)t->dim[0];
    char *text = arena_alloc(o->into, LONGEST * n + 1);
    size_t used = 0;
    *text = 0;
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, t->data + i * sizeof x, sizeof x);
        used += (size_t)snprintf(text + used, LONGEST, "%s%.9g", i ? ", " : "", isfinite(x) ? (double)x : 0);
    }
    return arena_printf(o->into, ", \"%s\": [%s]", name, text);
}

static sonde_status longrope(const rope_words *o, const char **out) {
    const char *limit;
    double times;
    bool   given;
    SONDE_TRY(original(o, &limit));
    SONDE_TRY(attention(o, &times, &given));
    *out = arena_printf(o->into, "{\"rope_type\": \"longrope\", \"attention_factor\": %s%s%s%s}",
                        settings_float(o->into, times), limit, list(o, "short_factor", W_ROPE_SHORT),
                        list(o, "long_factor", W_ROPE_LONG));
    return SONDE_OK;
}

/* ---- which ---- */

/* Quoted; linear where only a factor is said, longrope where only its tables are, as llama.cpp has it. */
static sonde_status kind_of(const rope_words *o, double *by, const char **out) {
    const meta_value *type = word(o, "rope.scaling.type");
    SONDE_FAIL_IF(type && type->kind != META_TEXT, o->err, SONDE_FORMAT, "%srope.scaling.type is no text, expected one", o->begin);
    *by = 1;
    SONDE_TRY(number(o, "rope.scale_linear", by));
    SONDE_TRY(number(o, "rope.scaling.factor", by));
    const bool tables = table(o, W_ROPE_LONG) && table(o, W_ROPE_SHORT);
    const char *found = tables ? "\"longrope\"" : *by != 1 ? "\"linear\"" : "\"none\"";
    *out = type ? json_quote(o->into, type->text.at, type->text.len) : found;
    return SONDE_OK;
}

sonde_status settings_rope(const rope_words *o, const char **out) {
    const char *kind;
    double by;
    SONDE_TRY(kind_of(o, &by, &kind));
    if (strcmp(kind, "\"yarn\"") == 0) return yarn(o, out);
    if (strcmp(kind, "\"longrope\"") == 0) return longrope(o, out);
    if (strcmp(kind, "\"none\"") == 0 || (strcmp(kind, "\"linear\"") == 0 && by == 1)) *out = llama3(o);
    else *out = arena_printf(o->into, "{\"rope_type\": %s, \"factor\": %s}", kind, settings_float(o->into, by));
    return SONDE_OK;
}

bool settings_rope_reads(const rope_words *o, const char *key) {
    static const struct { const char *key; bool longrope, yarn, always; } rows[] = {
        { "rope.scaling.type", .always = true },                { "rope.scaling.factor", .always = true },
        { "rope.scale_linear", .always = true },                { "rope.scaling.finetuned", .always = true },
        { "rope.scaling.original_context_length", .always = true },
        { "rope.scaling.attn_factor", .longrope = true, .yarn = true },
        { "rope.scaling.yarn_attn_factor", .longrope = true, .yarn = true },
        { "rope.scaling.yarn_beta_fast", .yarn = true },        { "rope.scaling.yarn_beta_slow", .yarn = true },
        { "rope.scaling.yarn_ext_factor", .yarn = true },
    };
    size_t i = 0;
    while (i < sizeof rows / sizeof *rows && strcmp(rows[i].key, key) != 0) i++;
    if (i == sizeof rows / sizeof *rows) return false;
    const char *kind;
    double by;
    if (rows[i].always || kind_of(o, &by, &kind) != SONDE_OK) return true;
    const meta_value *mixed = strcmp(key, "rope.scaling.yarn_ext_factor") == 0 ? word(o, key) : NULL;
    if (mixed && !(mixed->kind == META_NUMBER && mixed->number == 1)) return false;     /* YaRN that is mixed in */
    return (rows[i].longrope && strcmp(kind, "\"longrope\"") == 0) || (rows[i].yarn && strcmp(kind, "\"yarn\"") == 0);
}
