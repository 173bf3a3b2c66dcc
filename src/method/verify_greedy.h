/* verify_greedy.h - the `greedy` tokens of a reference beside what generation writes. */
#ifndef SONDE_VERIFY_GREEDY_H
#define SONDE_VERIFY_GREEDY_H
#include "replay.h"

typedef struct {
    int64_t n;              /* tokens of the reference */
    int64_t first;          /* where it first differs, -1: nowhere */
    int64_t excused;        /* tokens that differ where the two best logits are nearer than 1e-4 */
    bool    agrees;
} greedy_check;

/* `which`: the tensor in the file. */
sonde_status verify_greedy(sonde_context *cx, const replay *r, size_t which, greedy_check *out, sonde_error *err);
#endif
