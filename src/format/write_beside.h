/* write_beside.h - a thread that writes what its caller lends, while the caller works on the same values. */
#ifndef SONDE_WRITE_BESIDE_H
#define SONDE_WRITE_BESIDE_H
#include "base/file.h"

typedef struct write_beside write_beside;

/* NULL where no thread can be had. `out` is the caller's, and nobody else's until the end. */
write_beside *write_beside_new(file_out *out);
/* Bytes are lent until write_beside_wait. */
void          write_beside_put(write_beside *w, uint64_t offset, const void *bytes, size_t n);
/* Until all is written; fails as the first write did that failed. */
sonde_status  write_beside_wait(write_beside *w, sonde_error *err);
/* Waits and frees; accepts NULL. */
void          write_beside_end(write_beside *w);
#endif
