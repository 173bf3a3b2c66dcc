/* container.h - what the readers of containers share; for src/format alone.
 *
 * A `weights` is one file's arrays, or several of them joined. It owns the file's
 * map and an arena that holds the header's tree, which names point into. */
#ifndef SONDE_CONTAINER_H
#define SONDE_CONTAINER_H
#include "meta.h"
#include "weights.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"

enum { WEIGHT_MAX_TENSORS = 1000000, WEIGHT_MAX_NOTES = 65536, WEIGHT_MAX_NAME = 1024 };

struct weights {
    arena         *memory;
    file_map       file;
    stored_tensor *tensor;      /* [n], sorted by name */
    size_t         n;
    const json    *notes;       /* an object of strings, or NULL */
    meta_value    *meta;        /* [n_meta], in the file's order */
    size_t         n_meta;
    struct map    *meta_place;  /* key -> its place in meta */
    uint64_t       copied;      /* bytes of arrays that lie in memory instead of the file */
    void          *own;         /* those arrays, from malloc; or NULL */
    weights      **part;        /* shards, or NULL */
    size_t         parts;
    const format  *reads;       /* NULL: that of the first part, and of bytes in memory safetensors */
    bool           sliced;      /* each part holds a slice of every tensor */
};

/* Takes over the file, as the functions *_read do, in any case. */
weights     *weights_new(file_map file);
void         weights_sort(weights *w);

/* The tensors of all parts become w's, each name once; name[i] is what part i is called in messages. Notes are those of
 * the first. */
sonde_status weights_join(weights *w, const char *const *name, sonde_error *err);

/* Bytes of rank dims of this type (the last one whole blocks), and that the product of the dims that are not 0 fits in
 * 63 bits. */
bool         shape_bytes(const int64_t *dim, int rank, dtype_id type, uint64_t *bytes);

/* Metadata: room first, then one after the other; the key must outlive w. False: the key is there already. */
void         weights_meta_reserve(weights *w, size_t most);
bool         weights_meta_add(weights *w, const meta_value *v);
/* What `from` says becomes what w says; `from` must outlive w's use of it. */
void         weights_meta_lend(weights *w, const weights *from);

sonde_status safetensors_read(file_map file, weights **out, sonde_error *err);
sonde_status gguf_read(file_map file, weights **out, sonde_error *err);        /* one file; of a split set, one part */
sonde_status llama2c_read(file_map file, weights **out, sonde_error *err);
sonde_status npy_read(file_map file, weights **out, sonde_error *err);         /* one array, named "" */
bool         npy_probe(const uint8_t *head, size_t n);
sonde_status npy_read_array(const file_map *f, stored_tensor *out, sonde_error *err);  /* into a zeroed one */

/* "safetensors, ..": the names in format_table. */
typedef struct { char text[256]; } format_list;
format_list  formats_known(void);

/* UNSUPPORTED if the folder, or the file beside which it stands, is a LoRA adapter: says of what model. */
sonde_status adapter_refuse(const char *folder, sonde_error *err);

/* The only GGUF file of a folder, or a file of the only set of them; *path is NULL where it holds none. USAGE: several. */
sonde_status gguf_of_folder(const char *folder, arena *a, const char **path, sonde_error *err);

/* UNSUPPORTED, saying what to use instead, if this is a model file of another program (by its first bytes, else its
 * name) or a Git LFS pointer; OK otherwise. `head` may be NULL. */
sonde_status foreign_refuse(const char *name, const uint8_t *head, size_t n, sonde_error *err);
#endif
