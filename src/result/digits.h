/* digits.h - numbers as text: all their digits for files, four for eyes. The decimal point is a point in every locale. */
#ifndef SONDE_DIGITS_H
#define SONDE_DIGITS_H
#include <stdbool.h>

enum { DIGITS_ROOM = 32 };

/* Nine digits: a float32 reads back exactly. Not finite: NaN, Infinity, -Infinity. */
const char *digits_exact(double v, char out[DIGITS_ROOM]);
/* Four significant digits, at most 9 columns: 0.9731, 12.34, 123457, 1.234e-5, NaN, ∞, -∞. */
const char *digits_short(double v, char out[DIGITS_ROOM]);
/* As many digits as go into five columns, one at least: 0.973, -0.97, 12.3, 1234, 1e-5. */
const char *digits_tiny(double v, char out[DIGITS_ROOM]);
/* Six digits at most, no zeros at the end: 0.2, 1500, 1e6. */
const char *digits_tick(double v, char out[DIGITS_ROOM]);
#endif
