/* npz.h - numpy's archives of named arrays: a zip whose entries are NAME.npy. */
#ifndef SONDE_NPZ_H
#define SONDE_NPZ_H
#include "container.h"

/* A zip whose first entry is named like an npy file. */
bool         npz_probe(const uint8_t *head, size_t n);
/* Takes the file over in any case. Compressed entries (numpy.savez_compressed) are UNSUPPORTED. */
sonde_status npz_read(file_map file, weights **out, sonde_error *err);
#endif
