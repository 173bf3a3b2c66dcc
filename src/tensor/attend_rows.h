/* attend_rows.h - what scores, mix and attend have in common: rows of attention, and the keys and values they see.
 *
 * A part is rows of one sequence. A unit is rows of one or more parts that share a head of keys and values: those of one
 * part, or of neighbours that borrow the same positions of the same sequence. */
#ifndef SONDE_ATTEND_ROWS_H
#define SONDE_ATTEND_ROWS_H
#include "op.h"

enum { ATTEND_ROWS = 256 };         /* of a unit, at most */

typedef struct attend_part {
    int64_t      row, n;            /* rows [row, row + n) of q and z */
    sight        sight;             /* of its rows */
    int64_t      keys, lent;        /* positions; those below `lent` are another sequence's */
    int64_t      most;              /* that it will have in the end: scratch is for so many at once (0: for keys) */
    const float *lent_k, *lent_v;   /* [lent, G, e] */
    const float *k, *v;             /* [keys - lent, G, e]: positions from `lent` on */
    const float *key_bias, *bias;   /* key_bias[h * key_head + s], then bias[h * bias_head + t * bias_row + s] is added to */
    int64_t      key_head, bias_head, bias_row;     /* the score of its row t; NULL: nothing */
} attend_part;

typedef struct {
    const attend_part *part;
    int64_t            parts, H, G, e;
    const float       *q;           /* [rows, H, e] */
    float             *z;           /* the same, or NULL */
    float              scale;
    float             *square;      /* [H, n, keys] of the only part: where scores and pattern stand, or NULL */
} attend_call;

typedef struct {
    int64_t     n, base, top;       /* rows; columns [base, top) of scores hold all keys that they see */
    int64_t     same;               /* positions below it are the same for all rows */
    int64_t     most;               /* columns that a later unit of the sequences may have */
    int64_t     head[ATTEND_ROWS], t[ATTEND_ROWS];      /* t: the row's number in its part */
    kern_row    row[ATTEND_ROWS];   /* p: in the square, else NULL */
    kern_attend call;               /* of all its rows, without panels and scratch */
} attend_unit;

typedef enum { PANEL_KEYS = 1, PANEL_VALUES = 2 } attend_panels;

/* The part that a call without parts has. Keys, values: either may be missing (NULL), and without keys in[0] is a square. */
attend_part attend_whole(const op_call *c, const tensor *k, const tensor *v);
int64_t     attend_units(const attend_call *a);
void        attend_unit_open(const attend_call *a, int64_t unit, attend_unit *u);
/* Packs what of the unit's keys and values pays, in scratch, with room for `rows` of its rows at a time. */
void        attend_pack(attend_unit *u, int which, int64_t rows, kern_panels *panels);

/* Numbers of rows, one behind the other: y = limit tanh(x / limit), -inf stays; dx = dy y'(x). Arrays may be the same. */
void soft_cap_row(float *y, const float *x, float limit, int64_t n);
void soft_cap_row_back(float *dx, const float *x, const float *dy, float limit, int64_t n);
#endif
