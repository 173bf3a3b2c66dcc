/* exact.h - functions of doubles with the same bits on every machine.
 *
 * Written with + - * / and sqrt alone, which IEEE 754 rounds correctly, so no libm has a say. exp,
 * log and log2 are within 1 ulp. Compile without contraction into fma. */
#ifndef SONDE_EXACT_H
#define SONDE_EXACT_H

double exact_exp(double x);
double exact_log(double x);             /* -inf at 0, NaN below */
double exact_log2(double x);
double exact_normal(double u);          /* the z with u of the normal distribution below it; -inf at
                                         * u <= 0, inf at u >= 1; relative error about 1e-15 */
#endif
