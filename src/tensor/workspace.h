/* workspace.h - the values of a run: a stack of floats inside a budget.
 *
 * Taken and given back in the order of a stack; what was given back stays for the
 * next run, so a run like the one before allocates nothing. Addresses never move. */
#ifndef SONDE_WORKSPACE_H
#define SONDE_WORKSPACE_H
#include "sonde/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct workspace workspace;
typedef struct { size_t chunk, used; } workspace_mark;

workspace *workspace_new(int64_t budget);                       /* bytes */
void       workspace_free(workspace *w);                        /* accepts NULL */
/* n floats, 64-byte aligned, not cleared. NOMEM says what was needed and what the budget is. */
sonde_status workspace_take(workspace *w, int64_t n, float **out, sonde_error *err);
/* Floats that may still be taken, about. */
int64_t        workspace_left(const workspace *w);
workspace_mark workspace_here(const workspace *w);
void       workspace_release(workspace *w, workspace_mark m);   /* everything taken since */
/* What is not taken goes back to the system: another division of the same budget may fit then. */
void       workspace_trim(workspace *w);
#endif
