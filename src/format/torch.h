/* torch.h - from what a pickle of torch.save holds to named arrays; shared by its two containers. */
#ifndef SONDE_TORCH_H
#define SONDE_TORCH_H
#include "container.h"
#include "pickle.h"

/* The bytes of a storage, whole items of its type. */
typedef struct { const uint8_t *data; uint64_t bytes; } torch_bytes;

typedef struct {
    pickle_value top;                   /* the value that was saved */
    sonde_status (*locate)(const void *container, const pickle_storage *s, torch_bytes *out, sonde_error *err);
    const void  *container;
} torch_saved;

/* Fills w->tensor with the tensors of the saved dictionary, or of the one it holds under one of the usual names; a saved
 * tensor is one array, named "". Views that are not contiguous are gathered into w->memory and counted in w->copied. */
sonde_status torch_collect(weights *w, const torch_saved *saved, sonde_error *err);

/* The bytes of `count` items of this type; false when there is no such number. */
bool torch_storage_bytes(const pickle_storage *s, uint64_t *bytes);

/* Whole files, taken over in any case. */
sonde_status torch_zip_read(file_map file, weights **out, sonde_error *err);
sonde_status torch_legacy_read(file_map file, weights **out, sonde_error *err);
#endif
