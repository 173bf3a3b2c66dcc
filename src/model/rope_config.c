/* What a config.json says of rotary positions, as transformers 5 reads it (RotaryEmbeddingConfigMixin and the functions of
 * modeling_rope_utils.py), with its defaults. */
#include "rope.h"
#include "config.h"
#include "kernel/exact.h"
#include <math.h>
#include <string.h>

static const char *const kinds[] = {
    [ROPE_PLAIN] = "default", [ROPE_LINEAR] = "linear",     [ROPE_LLAMA3] = "llama3",
    [ROPE_DYNAMIC] = "dynamic", [ROPE_LONGROPE] = "longrope", [ROPE_YARN] = "yarn",
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct {
    const json  *file;      /* fields that stand outside of `in`; NULL where those do not hold */
    const json  *in, *set;  /* the object with the parameters, and the one that it is a part of (or itself); NULL: none */
    rope_fields  f;
    rope        *out;
    sonde_error *err;
} reader;

/* ---- single fields ---- */

static bool is_given(const json *in, const char *name) {
    const json *j = json_get(in, name);
    return j && j->kind != JSON_NULL;
}

/* Null is as good as absent. */
static sonde_status number_or(const reader *o, const char *name, double fallback, double *out) {
    *out = fallback;
    return is_given(o->in, name) ? config_double(o->in, name, fallback, 1e9, out, o->err) : SONDE_OK;
}

static sonde_status number(const reader *o, const char *name, double least, double *out) {
    SONDE_FAIL_IF(!json_get(o->in, name), o->err, SONDE_FORMAT, "%s is not there, expected a number", name);
    SONDE_TRY(config_double(o->in, name, 0, 1e9, out, o->err));
    SONDE_FAIL_IF(*out < least, o->err, SONDE_FORMAT, "%s is %g, expected a number from %g on", name, *out, least);
    return SONDE_OK;
}

/* What stands outside of the parameters comes first, but for one of several sets. */
static sonde_status read_original(const reader *o) {
    static const char name[] = "original_max_position_embeddings";
    const json *from = o->in == o->set && is_given(o->file, name) ? o->file : o->in;
    int64_t original = o->f.context;
    if (is_given(from, name))
        SONDE_TRY(config_int(from, (config_range){ name, NULL, original, 1, MOST_CONTEXT }, &original, o->err));
    o->out->original = (double)original;
    return SONDE_OK;
}

/* A factor that is null, or for LONGROPE absent, is how much longer the context is than the original one. */
static sonde_status factor_or_ratio(const reader *o, double *out) {
    const double ratio = (double)o->f.context / o->out->original;
    return is_given(o->in, "factor") ? number(o, "factor", 1e-3, out) : number_or(o, "factor", ratio, out);
}

/* *out stays 0 where none is given. */
static sonde_status read_attention(const reader *o, double *out) {
    SONDE_TRY(number_or(o, "attention_factor", 0, out));
    SONDE_FAIL_IF(is_given(o->in, "attention_factor") && !(*out > 0), o->err, SONDE_FORMAT,
                  "attention_factor is %g, expected a number above 0", *out);
    return SONDE_OK;
}

/* ---- kinds of scaling ---- */

static sonde_status read_llama3(const reader *o) {
    SONDE_TRY(number(o, "factor", 1e-3, &o->out->factor));
    SONDE_TRY(number(o, "low_freq_factor", 1e-3, &o->out->low));
    SONDE_TRY(number(o, "high_freq_factor", 1e-3, &o->out->high));
    SONDE_FAIL_IF(!(o->out->high > o->out->low), o->err, SONDE_FORMAT,
                  "high_freq_factor is %g, expected more than low_freq_factor %g", o->out->high, o->out->low);
    return read_original(o);
}

static sonde_status read_dynamic(const reader *o) {
    const int64_t span = o->out->span;
    SONDE_TRY(number(o, "factor", 1e-3, &o->out->factor));
    SONDE_FAIL_IF(span < 3, o->err, SONDE_UNSUPPORTED,
                  "%lld numbers of a head rotate, expected more than 2 for rope_type \"dynamic\"", (long long)span);
    o->out->original = (double)o->f.context;
    o->out->by_length = true;
    return SONDE_OK;
}

/* YaRN's mscale of a factor. */
static double grown(double factor, double by) { return factor <= 1 ? 1 : 0.1 * by * exact_log(factor) + 1; }

static sonde_status read_yarn(const reader *o) {
    rope  *r = o->out;
    double top, all;
    SONDE_FAIL_IF(r->span % 2, o->err, SONDE_UNSUPPORTED,
                  "%lld numbers of a head rotate, expected an even number for rope_type \"yarn\"", (long long)r->span);
    SONDE_FAIL_IF(!json_get(o->in, "factor"), o->err, SONDE_FORMAT, "factor is not there, expected a number");
    SONDE_FAIL_IF(r->base <= 1, o->err, SONDE_FORMAT, "rope_theta is %g, expected more than 1 for rope_type \"yarn\"",
                  r->base);
    SONDE_TRY(read_original(o));
    SONDE_TRY(factor_or_ratio(o, &r->factor));
    SONDE_TRY(number_or(o, "beta_fast", 0, &r->high));
    SONDE_TRY(number_or(o, "beta_slow", 0, &r->low));
    if (r->high == 0) r->high = 32;
    if (r->low == 0) r->low = 1;
    SONDE_TRY(config_bool(o->set, "truncate", true, &r->whole, o->err));
    SONDE_TRY(number_or(o, "mscale", 0, &top));
    SONDE_TRY(number_or(o, "mscale_all_dim", 0, &all));
    SONDE_TRY(read_attention(o, &r->attention));
    const double both = top > 0 && all > 0 ? grown(r->factor, top) / grown(r->factor, all) : grown(r->factor, 1);
    if (r->attention == 0) r->attention = both;
    return SONDE_OK;
}

static sonde_status check_list(const reader *o, const char *name, const json **out) {
    const json  *j = json_get(o->in, name);
    const size_t half = (size_t)o->out->dims / 2;
    double x;
    SONDE_FAIL_IF(!j, o->err, SONDE_FORMAT, "%s is not there, expected a list of %zu numbers", name, half);
    SONDE_FAIL_IF(j->kind != JSON_ARRAY || j->len != half, o->err, SONDE_FORMAT,
                  "%s is %s of %zu items, expected a list of %zu numbers", name, json_shown(j).text,
                  j->kind == JSON_ARRAY ? j->len : 0, half);
    for (const json *item = j->child; item; item = item->next)
        SONDE_FAIL_IF(!json_double(item, &x) || !(x >= 1e-6 && x <= 1e9), o->err, SONDE_FORMAT,
                      "%s has %s in it, expected numbers from 1e-06 to 1e+09", name, json_shown(item).text);
    *out = j;
    return SONDE_OK;
}

static sonde_status read_longrope(const reader *o) {
    rope  *r = o->out;
    double factor;
    SONDE_TRY(check_list(o, "short_factor", &r->short_list));
    SONDE_TRY(check_list(o, "long_factor", &r->long_list));
    SONDE_TRY(read_original(o));
    SONDE_TRY(factor_or_ratio(o, &factor));
    SONDE_TRY(read_attention(o, &r->attention));
    r->by_length = true;
    if (r->attention > 0) return SONDE_OK;
    SONDE_FAIL_IF(factor > 1 && r->original < 2, o->err, SONDE_FORMAT,
                  "original_max_position_embeddings is %g, expected at least 2 where factor is above 1", r->original);
    r->attention = factor <= 1 ? 1 : sqrt(1 + exact_log(factor) / exact_log(r->original));
    return SONDE_OK;
}

static sonde_status read_scaling(const reader *o) {
    switch (o->out->scaling) {
        case ROPE_LINEAR:   return number(o, "factor", 1e-3, &o->out->factor);
        case ROPE_LLAMA3:   return read_llama3(o);
        case ROPE_DYNAMIC:  return read_dynamic(o);
        case ROPE_LONGROPE: return read_longrope(o);
        case ROPE_YARN:     return read_yarn(o);
        default:            return SONDE_OK;
    }
}

static sonde_status read_kind(const reader *o) {
    const char *name, *older;
    SONDE_TRY(config_text(o->in, "rope_type", &name, o->err));
    SONDE_TRY(config_text(o->in, "type", &older, o->err));
    if (!name) name = older ? older : kinds[ROPE_PLAIN];
    if (o->f.longrope_older && (!strcmp(name, "su") || !strcmp(name, "yarn"))) name = kinds[ROPE_LONGROPE];
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kinds[i], name) == 0) {
            o->out->scaling = (rope_scaling)i;
            return SONDE_OK;
        }
    return sonde_fail(o->err, SONDE_UNSUPPORTED, "rope_type is \"%s\", expected default, linear, llama3, dynamic, longrope "
                      "or yarn", name_shown(name).text);
}

/* ---- the whole ---- */

/* The object with the parameters: rope_scaling wins if it has anything in it. Of several sets, the part's. */
static sonde_status find_parameters(reader *o, const json *file) {
    static const char *const names[] = { "rope_scaling", "rope_parameters" };
    static const char *const of_layers[] = { "full_attention", "sliding_attention", NULL };
    const bool only = o->f.part && strcmp(o->f.part, "full_attention") != 0;
    const json *several = NULL;
    o->file = only ? NULL : file;
    for (int i = 0; i < 2; i++) {
        const json *j = json_get(file, names[i]);
        if (!j || j->kind == JSON_NULL) continue;
        SONDE_FAIL_IF(j->kind != JSON_OBJECT, o->err, SONDE_FORMAT, "%s is %s, expected an object", names[i],
                      json_shown(j).text);
        for (const json *m = j->child; m; m = m->next) if (m->kind == JSON_OBJECT) several = j;
        for (const char *const *kind = of_layers; *kind; kind++) {
            const json *set = json_get(j, *kind);
            SONDE_FAIL_IF(set && set->kind != JSON_OBJECT && set->kind != JSON_NULL, o->err, SONDE_FORMAT,
                          "%s: %s is %s, expected an object", names[i], *kind, json_shown(set).text);
        }
        if (j->len && !o->set) o->set = j;
    }
    SONDE_FAIL_IF(several && o->set != several, o->err, SONDE_UNSUPPORTED, "rope_scaling is %s beside rope_parameters with a "
                  "set for each kind of layer, expected one of the two", json_shown(o->set).text);
    o->in = several ? json_get(several, o->f.part ? o->f.part : "") : only ? NULL : o->set;
    SONDE_FAIL_IF(several && !o->f.part, o->err, SONDE_UNSUPPORTED,
                  "rope_parameters has a set for each kind of layer, expected one set of all layers");
    SONDE_FAIL_IF(several && o->in && o->in->kind != JSON_OBJECT, o->err, SONDE_UNSUPPORTED,
                  "rope_parameters: %s is %s, expected an object: layers that rotate", o->f.part, json_shown(o->in).text);
    return SONDE_OK;
}

/* An odd share of a head turns one number more, which the head must have. */
static sonde_status read_dims(const reader *o) {
    static const char name[] = "partial_rotary_factor";
    const bool own = is_given(o->in, name);
    double share = o->f.fallback_share > 0 ? o->f.fallback_share : 1;
    if (own || is_given(o->file, name)) SONDE_TRY(config_double(own ? o->in : o->file, name, 1, 1, &share, o->err));
    SONDE_FAIL_IF(!o->f.shares && share < 1, o->err, SONDE_UNSUPPORTED, "%s is %g, expected a family whose heads rotate in part", name,
                  share);
    o->out->span = (int64_t)((double)o->f.dims * share);
    o->out->dims = o->out->span + o->out->span % 2;
    if (o->f.dims == o->out->span)
        SONDE_FAIL_IF(o->f.dims < 2 || o->f.dims % 2, o->err, SONDE_FORMAT,
                      "head_dim is %lld, expected an even number to rotate", (long long)o->f.dims);
    SONDE_FAIL_IF(o->out->span < 2, o->err, SONDE_UNSUPPORTED, "%s is %g of %lld numbers, expected at least 2 to rotate", name,
                  share, (long long)o->f.dims);
    SONDE_FAIL_IF(o->f.even && o->out->span % 2, o->err, SONDE_UNSUPPORTED,
                  "%s is %g of %lld numbers, expected an even number to rotate, as %lld", name, share, (long long)o->f.dims,
                  (long long)o->out->span - 1);
    return SONDE_OK;
}

sonde_status rope_config(const json *file, rope_fields f, rope *out, sonde_error *err) {
    static const char theta[] = "rope_theta";
    reader o = { .f = f, .out = out, .err = err };
    *out = (rope){ .attention = 1 };
    SONDE_TRY(find_parameters(&o, file));
    SONDE_TRY(read_kind(&o));
    SONDE_TRY(read_dims(&o));
    const json *from = json_get(o.in, theta) ? o.in : o.file;
    SONDE_TRY(config_double(from, theta, f.fallback_base > 0 ? f.fallback_base : 1e4, 1e12, &out->base, err));
    SONDE_FAIL_IF(!(out->base > 0), err, SONDE_FORMAT, "%s is %g, expected a number above 0", theta, out->base);
    return read_scaling(&o);
}

int64_t rope_reach(const rope *r, int64_t context) {
    if (r->scaling != ROPE_DYNAMIC && r->scaling != ROPE_YARN) return context;
    const double reach = fmin(r->factor * r->original, (double)MOST_CONTEXT);
    return reach > (double)context ? (int64_t)reach : context;
}

static bool same_list(const json *a, const json *b) {
    if (!a || !b || a->len != b->len) return !a && !b;
    for (a = a->child, b = b->child; a; a = a->next, b = b->next) {
        double x = 0, y = 0;
        json_double(a, &x);
        json_double(b, &y);
        if ((float)x != (float)y) return false;
    }
    return true;
}

bool rope_same(const rope *a, const rope *b) {
    return a->dims == b->dims && a->span == b->span && a->pairs == b->pairs && a->scaling == b->scaling &&
           (float)a->base == (float)b->base && (float)a->factor == (float)b->factor && (float)a->low == (float)b->low &&
           (float)a->high == (float)b->high && a->whole == b->whole && a->original == b->original &&
           (float)a->attention == (float)b->attention && same_list(a->short_list, b->short_list) &&
           same_list(a->long_list, b->long_list);
}
