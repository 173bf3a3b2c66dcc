/* capture_data.h - a capture from inside: kept values of a run, or the tensors of a trace file. */
#ifndef SONDE_CAPTURE_DATA_H
#define SONDE_CAPTURE_DATA_H
#include "base/arena.h"
#include "kept.h"
#include "lane.h"
#include "sonde/capture.h"
#include <pthread.h>

struct sonde_capture {
    arena         *memory;
    positions      of[2];           /* what each stack reads; .prompt is not used */
    /* of a run */
    kept          *value; place *at; size_t n_values;
    const int64_t *row; size_t n_rows;      /* positions whose logits are kept, ascending */
    float         *logits; int64_t vocab;   /* [n_rows, vocab] */
    /* of a file: what was asked for is read once */
    const sonde_array_file *file; sonde_array_file *owned;
    const char    *prefix;          /* of its tensors: "" or "run/B/" */
    kept         **read;            /* [arrays of the file] */
    pthread_mutex_t lock;           /* guards `read` and, while it fills, `memory` */
};

/* An empty capture of these lengths; tokens are copied (later ones may be appended by the caller before they run). */
sonde_capture *capture_new(const arch_config *c, const positions of[2]);

typedef struct { const place *at; size_t n; const int64_t *rows; size_t n_rows; } capture_wants;     /* rows: ascending, lent */
/* Make room for these places of a run with these slots, and for the logits of these positions. NOMEM through `budget`,
 * the bytes that are left for kept values. */
sonde_status capture_keep(sonde_capture *k, const arch_config *a, const slots *run, capture_wants w, int64_t *budget,
                          sonde_error *err);
/* Watcher and row function of the lane that fills it: `user` is the capture. */
sonde_status capture_see(void *user, const sighting *s, sonde_error *err);
sonde_status capture_row(void *user, int64_t position, const float *logits, sonde_error *err);

/* NULL: it has no such site. */
const kept  *capture_find(sonde_capture *c, const char *site);
/* NULL: not kept. */
const float *capture_logits(sonde_capture *c, int64_t position);
#endif
