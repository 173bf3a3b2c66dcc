#include "digits.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *print(char *out, int digits, bool keep_zeros, double v) {
    if (keep_zeros) snprintf(out, DIGITS_ROOM, "%#.*g", digits, v);
    else snprintf(out, DIGITS_ROOM, "%.*g", digits, v);
    char *comma = strchr(out, ',');
    if (comma) *comma = '.';
    return out;
}

const char *digits_exact(double v, char out[DIGITS_ROOM]) {
    if (isnan(v)) return "NaN";
    if (isinf(v)) return v > 0 ? "Infinity" : "-Infinity";
    return print(out, 9, false, v);
}

static const char *not_finite(double v) { return isnan(v) ? "NaN" : v > 0 ? "∞" : "-∞"; }

/* 1.234e-05 as 1.234e-5, 1.234e+06 as 1.234e6. */
static void shorten_exponent(char *s) {
    char *e = strchr(s, 'e');
    if (!e) return;
    const long power = strtol(e + 1, NULL, 10);
    snprintf(e, (size_t)(DIGITS_ROOM - (e - s)), "e%ld", power);
}

const char *digits_short(double v, char out[DIGITS_ROOM]) {
    if (!isfinite(v)) return not_finite(v);
    if (v == 0) return "0";
    const bool whole = fabs(v) >= 999.95 && fabs(v) < 999999.5;
    if (whole) {
        snprintf(out, DIGITS_ROOM, "%.0f", v);
        return out;
    }
    print(out, 4, true, v);
    shorten_exponent(out);
    return out;
}

const char *digits_tiny(double v, char out[DIGITS_ROOM]) {
    if (!isfinite(v)) return not_finite(v);
    if (v == 0) return "0";
    if (fabs(v) >= 99.95 && fabs(v) < 99999.5) {
        snprintf(out, DIGITS_ROOM, "%.0f", v);
        if (strlen(out) <= 5) return out;
    }
    for (int digits = 3; digits > 0; digits--) {
        print(out, digits, false, v);
        shorten_exponent(out);
        if (strlen(out) <= 5) return out;
    }
    return out;
}

const char *digits_tick(double v, char out[DIGITS_ROOM]) {
    if (!isfinite(v)) return not_finite(v);
    print(out, 6, false, v);
    shorten_exponent(out);
    return out;
}
