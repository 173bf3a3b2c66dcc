/* kept.h - values of a run at one place, whole, as edits read them. */
#ifndef SONDE_KEPT_H
#define SONDE_KEPT_H
#include <stdint.h>

typedef struct kept {
    const char *site;               /* whole name */
    const char *axes;
    int         rank;
    int64_t     dim[3];             /* t and s: the run's length */
    float      *data;               /* contiguous */
} kept;
#endif
