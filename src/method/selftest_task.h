/* selftest_task.h - the held-out cases of one task, run and judged. */
#ifndef SONDE_SELFTEST_TASK_H
#define SONDE_SELFTEST_TASK_H
#include "method.h"

typedef struct {
    size_t cases, positions;
    size_t differ;              /* judged positions whose best id is not the recorded one */
    size_t first;               /* the first such case */
    size_t right, tokens_right, whole;
    double mass, logit_diff;    /* sums over the cases */
} task_count;

/* Every `step`-th case. */
sonde_status task_run(sonde_session *s, const sonde_task *t, size_t step, task_count *out, sonde_error *err);
/* The measure of this name; NaN: no such measure. */
double       task_measure(const task_count *c, const char *name);
#endif
