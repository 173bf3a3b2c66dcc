/* cases.h - held-out cases of a model with the answers that transformers gives (models/README.md), for a program to
 * repeat: the embedded model's are sonde_demo_cases(). Read-only after it is made; any thread may read it. */
#ifndef SONDE_CASES_H
#define SONDE_CASES_H
#include "sonde/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct sonde_cases sonde_cases;

typedef struct {
    const int32_t *t; size_t n;         /* ids, answers included */
    const int32_t *at, *p; size_t n_at; /* judged positions (i predicts t[i + 1]) and the best ids there */
    int32_t        wrong;               /* an id; -1: none */
    int32_t        set;                 /* which of the task's sets holds the right answers; -1: t[at + 1] is right */
} sonde_case;

typedef struct { const char *name; double bar, value; } sonde_measure;         /* "argmax", what is expected, what was reached */
typedef struct { const int32_t *id; size_t n; } sonde_id_list;
typedef struct {
    const char          *name, *title;
    const sonde_measure *measure; size_t n_measures;
    const sonde_id_list *set;     size_t n_sets;
    sonde_id_list        universe;      /* ids among which `mass` counts the others */
    const sonde_case    *cases;   size_t n;
} sonde_task;

/* FORMAT with what is wrong in it. Every id, position and set number is checked against the lists they count. */
SONDE_API sonde_status      sonde_cases_read(sonde_cases **out, const char *text, size_t n, sonde_error *err);
SONDE_API void              sonde_cases_free(sonde_cases *c);                   /* accepts NULL */
SONDE_API const sonde_task *sonde_cases_task(const sonde_cases *c, size_t i);   /* lent; NULL past the last */
#endif
