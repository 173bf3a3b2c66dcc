/* agree.h - a tensor of a file beside the same values of a run, block by block (interface.md 7).
 *
 * An item of the file at or below -3.38e38 is a mask and reads as -inf. NaN agrees with NaN, an infinity with itself. */
#ifndef SONDE_AGREE_H
#define SONDE_AGREE_H
#include "method.h"

typedef struct {
    const sonde_array_file *file; size_t which;
    bool           gradient;            /* by the rule of gradients */
    const int64_t *row_of;              /* [positions]: which of the file's rows, -1: none; NULL: the position itself */
    int64_t        rows;                /* positions that the file has */
    /* what was found */
    int64_t        count;               /* items compared */
    double         worst; int64_t worst_at;
    double         most_here, most;     /* max |a|, max |b|, of finite items */
    double         sum, ab, aa, bb; int64_t finite;
    bool           other_shape;
} agreement;

agreement   agree_new(const sonde_array_file *f, size_t which, bool gradient);
/* One view of SITE or GRAD. */
sonde_status agree_view(agreement *c, const sonde_view *v, int64_t first, sonde_error *err);
double       agree_item(float there);                 /* an item of a file: a mask is -inf */
double       agree_allowed(const agreement *c);
bool         agree_holds(const agreement *c);
double       agree_cosine(const agreement *c);       /* 1 where both are zero */
int64_t      agree_items(const sonde_array_spec *s);
/* "[3,0,17]" in the file's own axes. */
void         agree_index(const agreement *c, char *out, size_t n);
void         agree_shape(const sonde_array_spec *s, char *out, size_t n);     /* "[7, 4, 32]" */
#endif
