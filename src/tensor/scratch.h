/* scratch.h - memory of one thread that lives until its next request.
 *
 * Operations use it for packed panels and single rows. It grows to the largest
 * request and then stays, so nothing is allocated while decoding. */
#ifndef SONDE_SCRATCH_H
#define SONDE_SCRATCH_H
#include <stddef.h>

typedef enum { SCRATCH_PANELS, SCRATCH_PACKED, SCRATCH_ROW, SCRATCH_SLOTS } scratch_slot;      /* the product's two; an operation's own */

/* n floats, 64-byte aligned, not cleared; lent until this thread asks for the same slot again. The process stops if
 * there is no memory. */
float *scratch_floats(scratch_slot slot, size_t n);
#endif
