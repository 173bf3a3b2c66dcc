/* save_parts.h - the tensors of a model as a file of one spelling holds them; for save*.c alone. */
#ifndef SONDE_SAVE_PARTS_H
#define SONDE_SAVE_PARTS_H
#include "format/gguf_writer.h"
#include "model_files.h"
#include "sonde/save.h"

typedef struct {
    const char *name;
    weight_id   part[3];        /* what is fused along the outputs, in order; W_NONE behind the last */
    int64_t     layer;
    bool        in_out;         /* inputs outermost (Conv1D) */
    bool        pairs;          /* rows of a head in pairs order */
    const stored_tensor *copied;        /* taken as it is stored in a GGUF file, instead of all of these */
    dtype_id    from, to;
    const char *wanted;
    int         rank;
    int64_t     dim[4];         /* outermost first */
} save_tensor;

typedef struct { save_tensor *at; size_t n; } save_list;

/* Every weight that the model has, under the names of a spelling. UNSUPPORTED: it has no name there. In the arena. */
sonde_status save_list_of(const sonde_model *m, spelling s, arena *into, save_list *out, sonde_error *err);
/* All numbers of one, [rows, columns] as its file has them; `out` has room for them. */
sonde_status save_values(const sonde_model *m, const save_tensor *t, float *out, sonde_error *err);
int64_t      save_count(const save_tensor *t);
uint64_t     save_bytes(const save_tensor *t);          /* in its type `to` */
/* The values in their type, in memory of the caller's (free); tells options.saved. */
sonde_status save_pack(const sonde_model *m, const save_tensor *t, const sonde_save_options *o, void **out, sonde_error *err);

/* Tells options.saved of every tensor, for a dry run. */
void         save_tell(const save_list *list, const sonde_save_options *o);
/* `to` of every tensor, by options.type; and general.file_type. */
sonde_status save_choose(const sonde_model *m, save_list *list, const sonde_save_options *o, int *file_type, arena *into,
                         sonde_error *err);

sonde_status save_gguf(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err);
sonde_status save_folder(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err);
#endif
