/* Frequencies of rotary positions. The steps are those of transformers 5 (modeling_rope_utils.py), which computes them in
 * float32: a quotient of float32 numbers is rounded before it is used, so large positions turn by the same angle. What
 * it computes in Python's numbers (YARN's bounds) is double here. */
#include "rope.h"
#include "kernel/exact.h"
#include "kernel/kern.h"
#include <math.h>

static int64_t span_of(const rope *r) { return r->span ? r->span : r->dims; }

/* base^(2i/span) of a float32 base. */
static float power(const rope *r, float base, int64_t i) {
    if (i == 0) return 1;
    return (float)exact_exp((double)((float)(2 * i) / (float)span_of(r)) * exact_log((double)base));
}

/* Point i's radians a position, before any scaling. */
static float plain(const rope *r, int64_t i) { return 1 / power(r, (float)r->base, i); }

/* Wavelengths above original/low are divided by the factor, those below original/high stay, between them it is blended. */
static float blended(const rope *r, float inverse) {
    const float length = (1 / inverse) * (float)6.283185307179586;
    const float slow = inverse / (float)r->factor;
    if (length > (float)(r->original / r->low)) return slow;
    if (length < (float)(r->original / r->high)) return inverse;
    const float part = ((1 / length) * (float)r->original - (float)r->low) / (float)(r->high - r->low);
    return (1 - part) * inverse / (float)r->factor + part * inverse;
}

/* DYNAMIC: longer runs have a larger base (bloc97 and emozilla's NTK scaling). */
static float dynamic_base(const rope *r, int64_t length) {
    if ((double)length <= r->original) return (float)r->base;
    const float  longer = (float)r->factor * (float)length / (float)r->original - (float)(r->factor - 1);
    const double span = (double)span_of(r);
    return (float)r->base * (float)exact_exp((double)(float)(span / (span - 2)) * exact_log((double)longer));
}

/* The index whose point turns `turns` times within the original length. */
static double index_of(const rope *r, double turns) {
    const double pi = 3.141592653589793;
    return (double)span_of(r) * exact_log(r->original / (turns * 2 * pi)) / (2 * exact_log(r->base));
}

/* YARN: indices below the bound of `high` turns keep their frequency, those above that of `low` turns are divided by the
 * factor, between them it is blended. Peng et al., YaRN, 2023, 3.2. */
static float stretched(const rope *r, int64_t i) {
    double from = index_of(r, r->high), to = index_of(r, r->low);
    if (r->whole) from = floor(from), to = ceil(to);
    from = fmax(from, 0);
    to = fmin(to, (double)span_of(r) - 1);
    if (from == to) to += 0.001;
    const float at = ((float)i - (float)from) / (float)(to - from), keep = 1 - fminf(fmaxf(at, 0), 1);
    const float up = power(r, (float)r->base, i);
    return 1 / ((float)r->factor * up) * (1 - keep) + 1 / up * keep;
}

void rope_factors(const rope *r, bool longer, float *out) {
    const json *j = longer ? r->long_list->child : r->short_list->child;
    for (int64_t i = 0; i < r->dims / 2; i++, j = j->next) {
        double x = 1;
        json_double(j, &x);
        out[i] = (float)x;
    }
}

void rope_divisors(const rope *r, float *out) {
    for (int64_t i = 0; i < r->dims / 2; i++)
        out[i] = r->divisor ? r->divisor[i] : r->scaling == ROPE_LLAMA3 ? plain(r, i) / blended(r, plain(r, i)) : 1;
}

bool rope_llama3_of(const float *divisor, int64_t half, double base, rope *out) {
    *out = (rope){ .dims = 2 * half, .base = base, .scaling = ROPE_LLAMA3, .factor = 1, .low = 1, .high = 4,
                   .original = 8192 };
    for (int64_t i = 0; i < half; i++)
        if (divisor[i] > (float)out->factor) out->factor = (double)divisor[i];
    for (int64_t i = 0; i < half; i++) {
        const float as = plain(out, i) / blended(out, plain(out, i));
        if (!(fabsf(divisor[i] - as) <= 1e-5f * as)) return false;
    }
    return out->factor > 1;
}

static float scaled(const rope *r, int64_t i) {
    const float by = r->divisor ? r->divisor[i] : 1, at = plain(r, i) / by;
    switch (r->scaling) {
        case ROPE_LINEAR: return at / (float)r->factor;
        case ROPE_LLAMA3: return blended(r, at);
        case ROPE_YARN:   return stretched(r, i) / by;
        default:          return at;
    }
}

static const float *long_table(const rope *r, bool longer, arena *a) {
    const int64_t half = r->dims / 2;
    float *out = arena_new_array(a, float, (size_t)half);
    rope_factors(r, longer, out);
    for (int64_t i = 0; i < half; i++) out[i] = 1 / (out[i] * power(r, (float)r->base, i));
    return out;
}

void rope_prepare(rope *r, arena *a) {
    const int64_t half = r->dims / 2;
    if (!half) return;
    if (r->attention == 0) r->attention = 1;
    if (r->scaling == ROPE_LONGROPE) {
        r->inverse = long_table(r, false, a);
        r->long_inverse = long_table(r, true, a);
        return;
    }
    float *inverse = arena_new_array(a, float, (size_t)half);
    for (int64_t i = 0; i < half; i++) inverse[i] = scaled(r, i);
    r->inverse = inverse;
}

void rope_speeds(const rope *r, int64_t length, float *out) {
    const bool   longer = r->by_length && (double)length > r->original;
    const float *inverse = longer && r->scaling == ROPE_LONGROPE ? r->long_inverse : r->inverse;
    const float  base = longer && r->scaling == ROPE_DYNAMIC ? dynamic_base(r, length) : 0;
    for (int64_t i = 0; i < r->dims / 2; i++) out[i] = base > 0 ? 1 / power(r, base, i) : inverse[i];
}

void rope_turn(const rope *r, int64_t position, int64_t length, float *turn) {
    const int64_t half = r->dims / 2;
    const float   by = (float)r->attention;
    float *cosine = turn, *sine = turn + half;
    rope_speeds(r, length, sine);
    for (int64_t i = 0; i < half; i++) sine[i] *= (float)position;
    kern->cos(cosine, sine, (size_t)half);
    kern->sin(sine, sine, (size_t)half);
    for (int64_t i = 0; i < 2 * half; i++) turn[i] *= by;
}

bool rope_crosses(const rope *r, int64_t before, int64_t after) {
    const bool was = (double)before > r->original, is = (double)after > r->original;
    return r->by_length && (was != is || (r->scaling == ROPE_DYNAMIC && is && before != after));
}
