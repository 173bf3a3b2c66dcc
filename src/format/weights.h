/* weights.h - named stored arrays, whatever container they lie in.
 *
 * A format knows containers only: names, storage types, shapes, and where the
 * bytes lie in the mapped file. What a tensor means is said by the architecture's
 * table of names. Bytes lie in the file where that can be, and stay valid until weights_close. */
#ifndef SONDE_WEIGHTS_H
#define SONDE_WEIGHTS_H
#include "sonde/error.h"
#include "base/dtype.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIGHT_MAX_RANK = 8 };

typedef struct {
    const char    *name;
    dtype_id       type;
    int            rank;
    int64_t        dim[WEIGHT_MAX_RANK];        /* outermost first */
    const uint8_t *data;                        /* may be unaligned */
    uint64_t       bytes;                       /* equals the product of dims times the item size */
} stored_tensor;

typedef struct weights weights;
typedef struct meta_value meta_value;

typedef struct {
    const char *name, *doc;
    const char *endings[4];     /* of file names besides its own name; the reader says what is wrong with such a file */
    /* Could these first bytes be ours? Cheap, never fails. */
    bool      (*probe)(const uint8_t *head, size_t n);
    /* Check the whole header before trusting any of it. `path` is a file. */
    sonde_status (*open)(const char *path, weights **out, sonde_error *err);
} format;

extern const format *const format_table[];      /* from formats.def, NULL-terminated */

/* Row i of what a folder is looked through for; NULL past the last. */
const char  *weights_folder_file(size_t i);
/* Row i of the files of other programs that are refused by name; false past the last. */
typedef struct { char told[64]; const char *what, *instead; } refused_row;          /* told: by an ending or by bytes */
bool         weights_refused(size_t i, refused_row *out);

/* A file of any format in the table, or a folder, of which the first of these is read: model.safetensors, its index with the
 * shards, pytorch_model.bin, its index, consolidated.00.pth with the parts behind it, consolidated.safetensors,
 * its only GGUF model. */
sonde_status weights_open(const char *path, weights **out, sonde_error *err);
/* A whole safetensors file that lies in memory (which must outlive it). */
sonde_status weights_open_memory(const uint8_t *data, size_t size, weights **out, sonde_error *err);
/* A container that lies nowhere, of things to be written: everything is lent, and the arrays may have no bytes. */
weights     *weights_of_list(const meta_value *meta, size_t n_meta, const stored_tensor *tensor, size_t n);
void         weights_close(weights *w);                                 /* accepts NULL */
/* file_map_ahead of every file of it. */
void         weights_map_ahead(const weights *w, const atomic_bool *stop);
size_t       weights_count(const weights *w);
const stored_tensor *weights_at(const weights *w, size_t i);            /* sorted by name */
const stored_tensor *weights_find(const weights *w, const char *name);  /* NULL if there is none */
/* Meta's checkpoints are cut along an axis: several parts hold a tensor of each name, and weights_at and weights_find give
 * the first one's. 1 for all others. All parts have the same names, with the same types and ranks. */
size_t       weights_parts(const weights *w);
const stored_tensor *weights_find_part(const weights *w, size_t part, const char *name);
const format *weights_format(const weights *w);
size_t       weights_files(const weights *w);                           /* that hold its tensors */
uint64_t     weights_copied(const weights *w);                          /* bytes that could not stay where they lie */
const char  *weights_note(const weights *w, const char *key);           /* __metadata__, or NULL */
#endif
