/* capture.h - the values of a run, kept by site: run A, run B and a trace file are the same thing.
 *
 * A capture is read-only after it is made; any thread may read it. */
#ifndef SONDE_CAPTURE_H
#define SONDE_CAPTURE_H
#include "sonde/array_file.h"
#include "sonde/error.h"
#include <stdint.h>

typedef struct sonde_capture sonde_capture;

/* A trace file. Tensors are read when they are asked for. FORMAT without `tokens`. */
SONDE_API sonde_status sonde_capture_open(sonde_capture **out, const char *path, sonde_error *err);
/* The run NAME that a trace file carries for its edits: its tensors "run/NAME/SITE", and "run/NAME/tokens" if
 * it is there. `f` must outlive it. */
SONDE_API sonde_status sonde_capture_of_file(sonde_capture **out, const sonde_array_file *f, const char *run,
                                             sonde_error *err);
SONDE_API void         sonde_capture_free(sonde_capture *c);                    /* accepts NULL */
SONDE_API int64_t      sonde_capture_length(const sonde_capture *c);            /* positions of the prompt */
/* Names of what it holds, in its own order; NULL past the last. */
SONDE_API const char  *sonde_capture_site(const sonde_capture *c, size_t i);
/* The whole value of a site, lent as long as the capture; NULL: it has none. */
SONDE_API const float   *sonde_capture_value(const sonde_capture *c, const char *site, sonde_array_spec *shape);
SONDE_API const int32_t *sonde_capture_tokens(const sonde_capture *c);         /* [length], -1: not known */
/* The tokens of an encoder-decoder's target, *n of them, -1: not known; NULL: it has none. */
SONDE_API const int32_t *sonde_capture_target(const sonde_capture *c, int64_t *n);
#endif
