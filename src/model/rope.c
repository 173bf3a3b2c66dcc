/* Frequencies of rotary positions. The steps are those of transformers 5 (modeling_rope_utils.py), which computes them in
 * float32: a quotient of float32 numbers is rounded before it is used, so large positions turn by the same angle. */
#include "rope.h"
#include "config.h"
#include "kernel/exact.h"
#include "kernel/kern.h"
#include <math.h>
#include <string.h>

static const char *const kinds[] = { [ROPE_PLAIN] = "default", [ROPE_LINEAR] = "linear", [ROPE_LLAMA3] = "llama3" };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- the config ---- */

/* The object with the parameters: rope_scaling wins if it has anything in it; NULL: there is none. */
static sonde_status parameters(const json *file, const json **out, sonde_error *err) {
    static const char *const names[] = { "rope_scaling", "rope_parameters" };
    *out = NULL;
    for (int i = 0; i < 2; i++) {
        const json *j = json_get(file, names[i]);
        if (!j || j->kind == JSON_NULL) continue;
        SONDE_FAIL_IF(j->kind != JSON_OBJECT, err, SONDE_FORMAT, "%s is %s, expected an object", names[i],
                      json_shown(j).text);
        if (j->len && !*out) *out = j;
    }
    return SONDE_OK;
}

static sonde_status kind_of(const json *in, rope_scaling *out, sonde_error *err) {
    const char *name, *older;
    SONDE_TRY(config_text(in, "rope_type", &name, err));
    SONDE_TRY(config_text(in, "type", &older, err));
    if (!name) name = older ? older : kinds[ROPE_PLAIN];
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kinds[i], name) == 0) {
            *out = (rope_scaling)i;
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_UNSUPPORTED, "rope_type is \"%s\", expected default, linear or llama3",
                      name_shown(name).text);
}

static sonde_status number(const json *in, const char *name, double least, double *out, sonde_error *err) {
    const json *j = json_get(in, name);
    SONDE_FAIL_IF(!j, err, SONDE_FORMAT, "%s is not there, expected a number", name);
    SONDE_TRY(config_double(in, name, 0, 1e9, out, err));
    SONDE_FAIL_IF(*out < least, err, SONDE_FORMAT, "%s is %g, expected a number from %g on", name, *out, least);
    return SONDE_OK;
}

static sonde_status read_scaling(const json *file, const json *in, int64_t context, rope *out, sonde_error *err) {
    if (out->scaling == ROPE_PLAIN) return SONDE_OK;
    SONDE_TRY(number(in, "factor", 1e-3, &out->factor, err));
    if (out->scaling == ROPE_LINEAR) return SONDE_OK;
    SONDE_TRY(number(in, "low_freq_factor", 1e-3, &out->low, err));
    SONDE_TRY(number(in, "high_freq_factor", 1e-3, &out->high, err));
    SONDE_FAIL_IF(!(out->high > out->low), err, SONDE_FORMAT,
                  "high_freq_factor is %g, expected more than low_freq_factor %g", out->high, out->low);
    const json *own = json_get(file, "original_max_position_embeddings");
    const json *from = own && own->kind != JSON_NULL ? file : in;
    int64_t original;
    SONDE_TRY(config_int(from, (config_range){ "original_max_position_embeddings", NULL, context, 1, MOST_CONTEXT },
                         &original, err));
    out->original = (double)original;
    return SONDE_OK;
}

sonde_status rope_config(const json *file, int64_t dims, int64_t context, rope *out, sonde_error *err) {
    static const char part[] = "partial_rotary_factor", theta[] = "rope_theta";
    const json *in;
    SONDE_FAIL_IF(dims < 2 || dims % 2, err, SONDE_FORMAT, "head_dim is %lld, expected an even number to rotate",
                  (long long)dims);
    SONDE_TRY(parameters(file, &in, err));
    *out = (rope){ .dims = dims };
    SONDE_TRY(kind_of(in, &out->scaling, err));
    double turning;
    SONDE_TRY(config_double(json_get(in, part) ? in : file, part, 1, 1, &turning, err));
    SONDE_FAIL_IF(turning < 1, err, SONDE_UNSUPPORTED, "%s is %g, expected 1: heads that rotate whole", part, turning);
    const json *from = json_get(in, theta) ? in : file;
    SONDE_TRY(config_double(from, theta, 1e4, 1e12, &out->base, err));
    SONDE_FAIL_IF(!(out->base > 0), err, SONDE_FORMAT, "%s is %g, expected a number above 0", theta, out->base);
    return read_scaling(file, in, context, out, err);
}

/* ---- the table ---- */

/* Wavelengths above original/low are divided by the factor, those below original/high stay, between them it is blended. */
static float blended(const rope *r, float inverse) {
    const float length = (1 / inverse) * (float)6.283185307179586;
    const float slow = inverse / (float)r->factor;
    if (length > (float)(r->original / r->low)) return slow;
    if (length < (float)(r->original / r->high)) return inverse;
    const float part = ((1 / length) * (float)r->original - (float)r->low) / (float)(r->high - r->low);
    return (1 - part) * inverse / (float)r->factor + part * inverse;
}

/* Point i's radians a position, before any scaling. */
static float plain(const rope *r, int64_t i) {
    const double of_base = exact_log((double)(float)r->base);
    return 1 / (float)exact_exp((double)((float)(2 * i) / (float)r->dims) * of_base);
}

void rope_divisors(const rope *r, float *out) {
    for (int64_t i = 0; i < r->dims / 2; i++)
        out[i] = r->divisor ? r->divisor[i] : r->scaling == ROPE_LLAMA3 ? plain(r, i) / blended(r, plain(r, i)) : 1;
}

bool rope_llama3_of(const float *divisor, int64_t half, double base, rope *out) {
    *out = (rope){ .dims = 2 * half, .base = base, .scaling = ROPE_LLAMA3, .factor = 1, .low = 1, .high = 4, .original = 8192 };
    for (int64_t i = 0; i < half; i++)
        if (divisor[i] > (float)out->factor) out->factor = (double)divisor[i];
    for (int64_t i = 0; i < half; i++) {
        const float as = plain(out, i) / blended(out, plain(out, i));
        if (!(fabsf(divisor[i] - as) <= 1e-5f * as)) return false;
    }
    return out->factor > 1;
}

void rope_prepare(rope *r, arena *a) {
    const int64_t half = r->dims / 2;
    if (!half) return;
    float *inverse = arena_new_array(a, float, (size_t)half);
    for (int64_t i = 0; i < half; i++) {
        inverse[i] = plain(r, i);
        if (r->divisor) inverse[i] /= r->divisor[i];
        if (r->scaling == ROPE_LINEAR) inverse[i] /= (float)r->factor;
        else if (r->scaling == ROPE_LLAMA3) inverse[i] = blended(r, inverse[i]);
    }
    r->inverse = inverse;
}

void rope_turn(const rope *r, int64_t position, float *turn) {
    const int64_t half = r->dims / 2;
    float *cosine = turn, *sine = turn + half;
    for (int64_t i = 0; i < half; i++) sine[i] = (float)position * r->inverse[i];
    kern->cos(cosine, sine, (size_t)half);
    kern->sin(sine, sine, (size_t)half);
}
