/* trace_notes.h - the __metadata__ of a trace: what is needed to run it again. */
#ifndef SONDE_TRACE_NOTES_H
#define SONDE_TRACE_NOTES_H
#include "trace_prompt.h"

typedef struct { sonde_array_note *at; size_t n; } trace_notes;

/* `many`: a file of prompts, whose keys begin with 0/, 1/. */
trace_notes trace_notes_new(const sonde_context *cx, const traced *p, bool many);
void        trace_notes_free(trace_notes *x);
#endif
