/* array_file.h - named arrays in files: safetensors and npy, read and written; npz and torch's files, read.
 *
 * A writer knows every shape before the first number, so values may be written
 * in any order and memory does not grow with the file. It writes beside PATH and
 * renames when it is closed; a writer that is dropped leaves nothing behind.
 * A reader maps the file and checks its whole header before it believes any of
 * it. One object is used by one thread at a time. */
#ifndef SONDE_ARRAY_FILE_H
#define SONDE_ARRAY_FILE_H
#include "sonde/error.h"
#include <stddef.h>
#include <stdint.h>

enum { SONDE_MAX_RANK = 8 };

typedef struct {
    const char *name;
    const char *dtype;                          /* safetensors name: "F32", "I32", "I64", "F16", .. */
    int         rank;
    int64_t     dim[SONDE_MAX_RANK];            /* outermost first, the last one contiguous */
} sonde_array_spec;

typedef struct { const char *key, *value; } sonde_array_note;       /* safetensors __metadata__ */

typedef struct sonde_array_writer sonde_array_writer;
typedef struct sonde_array_file sonde_array_file;

typedef struct {                        /* what a file will hold */
    const sonde_array_spec *specs; size_t n;
    const sonde_array_note *notes; size_t n_notes;
} sonde_array_list;

/* Names must be unique (USAGE). Texts are copied. IO when the file cannot be made. */
SONDE_API sonde_status sonde_array_writer_open(sonde_array_writer **out, const char *path, sonde_array_list holds,
                                               sonde_error *err);
/* Items [first, first + n) of array `which`, row-major, already of its dtype. */
SONDE_API sonde_status sonde_array_write(sonde_array_writer *w, size_t which, int64_t first, const void *items,
                                         int64_t n, sonde_error *err);
SONDE_API sonde_status sonde_array_writer_close(sonde_array_writer *w, sonde_error *err);    /* renames; frees w */
SONDE_API void         sonde_array_writer_drop(sonde_array_writer *w);                       /* accepts NULL */

/* One float32 array as npy (version 1.0, C order). */
SONDE_API sonde_status sonde_npy_write(const char *path, const sonde_array_spec *spec, const float *data,
                                       sonde_error *err);

/* safetensors, npy, npz or any other file of weights, told by the first bytes. An npy file holds one array, named "";
 * an npz one those that numpy.savez was given. Big-endian and object arrays, and compressed npz files, are UNSUPPORTED. */
SONDE_API sonde_status sonde_array_file_open(sonde_array_file **out, const char *path, sonde_error *err);
SONDE_API void         sonde_array_file_close(sonde_array_file *f);                           /* accepts NULL */
SONDE_API size_t       sonde_array_file_count(const sonde_array_file *f);
SONDE_API const sonde_array_spec *sonde_array_file_spec(const sonde_array_file *f, size_t which);   /* lent */
/* Index of the array of this name, or SIZE_MAX. */
SONDE_API size_t       sonde_array_file_find(const sonde_array_file *f, const char *name);
/* Value of __metadata__, lent, or NULL. */
SONDE_API const char  *sonde_array_file_note(const sonde_array_file *f, const char *key);
/* Items [first, first + n) widened (F64, integers: rounded) to float32. */
SONDE_API sonde_status sonde_array_read(const sonde_array_file *f, size_t which, int64_t first, int64_t n, float *out,
                                        sonde_error *err);
/* The same for integer arrays, exactly; FORMAT for others. */
SONDE_API sonde_status sonde_array_read_int(const sonde_array_file *f, size_t which, int64_t first, int64_t n,
                                            int64_t *out, sonde_error *err);
#endif
