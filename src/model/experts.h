/* experts.h - a mixture of experts: one step of a program (decoder.c).
 *
 * Inputs are what the router read [d], its probabilities [x] and the chosen experts [k], as they are behind their edits;
 * the output [d] is the sum over a row's chosen experts, ascending, of weight times expert(row). Only chosen experts are
 * computed, each once over all its rows. A row's bits depend on that row alone. */
#ifndef SONDE_EXPERTS_H
#define SONDE_EXPERTS_H
#include "exec.h"

/* USAGE where an edit made the choice something else than different experts that there are. */
sonde_status experts_forward(exec *x, const step *s, sonde_error *err);
sonde_status experts_backward(exec *x, const step *s, int at, sonde_error *err);        /* fills part[at][0..2] */

/* Of n rows in one layer: weights of as many experts as n rows can choose. */
op_cost experts_cost(const sonde_model *m, int64_t layer, int64_t n);
/* Floats that a row needs besides the values of its program, at most. */
int64_t experts_floats(const arch_config *c);

/* One expert's view of a weight over all of them, and its part of a bias; NULL: the model has none. */
const kern_weight *expert_weight(const weight *w, int64_t expert);
const float       *expert_bias(const weight *bias, int64_t expert, int64_t outputs);
#endif
