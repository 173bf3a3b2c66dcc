/* act.h - activation functions by number; what each computes stands in op_activation.c. */
#ifndef SONDE_ACT_H
#define SONDE_ACT_H
typedef enum { ACT_GELU_TANH, ACT_GELU, ACT_SILU, ACT_RELU, ACT_TANH, ACT_QUICK_GELU, ACT_COUNT } act_kind;
#endif
