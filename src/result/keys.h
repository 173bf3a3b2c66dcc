/* keys.h - the different values of a column, in the order of their first row.
 *
 * The heap holds them: keys_free. */
#ifndef SONDE_KEYS_H
#define SONDE_KEYS_H
#include "result_parts.h"

typedef struct {
    const sonde_table *t;
    size_t             column;          /* SIZE_MAX: one key for all rows */
    LIST(size_t)       first;           /* row that has it first */
    size_t            *slot, slots;     /* open addressing: a key's index + 1, 0 free; a power of two */
} keys;

/* Index of the row's key, a new one if nobody had it. */
size_t keys_of(keys *k, size_t row);
void   keys_free(keys *k);
#endif
