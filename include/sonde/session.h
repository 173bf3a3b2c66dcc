/* session.h - what runs a model: threads, memory, and the buffers of a run.
 *
 * A session belongs to one thread; any number of sessions may share a model. The
 * numbers it computes depend neither on its threads nor on what else it runs. */
#ifndef SONDE_SESSION_H
#define SONDE_SESSION_H
#include "sonde/error.h"
#include "sonde/model.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct sonde_session sonde_session;

typedef struct {                    /* zeroed: the defaults */
    int     threads;                /* 0: the cores this process may use */
    int64_t memory;                 /* bytes for values of runs; 0: 80 % of what is free */
} sonde_session_options;

/* The model must outlive the session. */
SONDE_API sonde_status sonde_session_new(sonde_session **out, const sonde_model *m, sonde_session_options o,
                                         sonde_error *err);
SONDE_API void         sonde_session_free(sonde_session *s);                    /* accepts NULL */
SONDE_API const sonde_model *sonde_session_model(const sonde_session *s);

/* Asked between blocks; true ends the run with SONDE_CANCELLED. */
SONDE_API void sonde_session_stop_when(sonde_session *s, bool (*stop)(void *user), void *user);
SONDE_API bool sonde_session_stopped(const sonde_session *s);          /* asked now, for work that is no run; NULL: no */

/* Rows of the residual stream [rows, d] through the final norm (a masked LM's: its head) and the unembedding: logits
 * [rows, v]. UNSUPPORTED: the model has no unembedding. */
SONDE_API sonde_status sonde_session_unembed(sonde_session *s, const float *x, int64_t rows, float *logits,
                                             sonde_error *err);

/* Such rows in groups, x [groups, rows, d]: `fn` gets the logits [rows, v] of each group, on any of the session's threads and
 * several at once; they are gone when it returns. The logits of all groups exist together. */
typedef struct {
    const float *x;
    int64_t      groups, rows;
    void       (*fn)(void *user, int64_t group, const float *logits);
    void        *user;
} sonde_unembedding;
SONDE_API sonde_status sonde_session_unembed_each(sonde_session *s, const sonde_unembedding *u, sonde_error *err);

/* Which kernels run, for the whole process, before its first session: "scalar", "avx2", "avx512", "neon", NULL for the
 * best. USAGE: no such word; UNSUPPORTED: not on this machine. */
SONDE_API sonde_status sonde_isa_choose(const char *isa, sonde_error *err);
SONDE_API const char  *sonde_isa_name(void);
/* The i-th instruction set that sonde knows, NULL past the last; *usable: this machine has it. */
SONDE_API const char  *sonde_isa_at(size_t i, bool *usable);
#endif
