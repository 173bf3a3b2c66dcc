/* write_behind.h - a thread that writes while its caller goes on computing, never more than 16 MB behind. */
#ifndef SONDE_WRITE_BEHIND_H
#define SONDE_WRITE_BEHIND_H
#include "base/file.h"

typedef struct write_behind write_behind;

/* NULL where no thread can be had. `out` is the caller's, and nobody else's until the end. */
write_behind *write_behind_new(file_out *out);
/* Bytes are copied; waits where too many wait already. Fails as an earlier write did. Pieces do not overlap. */
sonde_status  write_behind_put(write_behind *w, uint64_t offset, const void *bytes, size_t n, sonde_error *err);
/* Waits for the last write and frees; accepts NULL. */
sonde_status  write_behind_end(write_behind *w, sonde_error *err);
#endif
