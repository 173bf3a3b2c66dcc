/* pack_types.h - one function a block type; pack.h says what it does. */
#ifndef SONDE_PACK_TYPES_H
#define SONDE_PACK_TYPES_H
#include <stddef.h>

void pack_q4_0(void *out, const float *x, size_t n);
void pack_q4_1(void *out, const float *x, size_t n);
void pack_q5_0(void *out, const float *x, size_t n);
void pack_q5_1(void *out, const float *x, size_t n);
void pack_q8_0(void *out, const float *x, size_t n);
void pack_q2_k(void *out, const float *x, size_t n);
void pack_q3_k(void *out, const float *x, size_t n);
void pack_q4_k(void *out, const float *x, size_t n);
void pack_q5_k(void *out, const float *x, size_t n);
void pack_q6_k(void *out, const float *x, size_t n);
#endif
