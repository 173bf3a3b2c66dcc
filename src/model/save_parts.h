/* save_parts.h - the tensors of a model as a file of one spelling holds them; for save*.c alone. */
#ifndef SONDE_SAVE_PARTS_H
#define SONDE_SAVE_PARTS_H
#include "format/gguf_writer.h"
#include "model_files.h"
#include "sonde/save.h"

enum { MOST_PARTS = 3 };

typedef struct {
    const char *name;
    weight_id   part[MOST_PARTS];       /* what is fused along the outputs, in order; W_NONE behind the last */
    stack_id    stack;
    int64_t     layer;
    int64_t     item;           /* the expert or head that it is of; -1: all */
    bool        outermost;      /* experts or heads stand outermost in it, `slabs` of them */
    int64_t     slabs;          /* else 1 */
    int64_t     skipped;        /* outputs in front of it that the file does not have */
    int64_t     groups;         /* of heads, each with its share of every part; else 1 */
    bool        in_out;         /* inputs outermost (Conv1D) */
    bool        pairs;          /* rows of a head in pairs order */
    bool        less_one;
    bool        as_row;         /* a vector of two axes, the first 1 */
    const stored_tensor *copied;        /* taken as it is stored in a GGUF file, instead of all of these */
    dtype_id    from, to;
    const char *wanted;
    int         rank;
    int64_t     dim[4];         /* outermost first */
} save_tensor;

typedef struct { save_tensor *at; size_t n; } save_list;

/* Every weight that the model has, under the names of a spelling. UNSUPPORTED: it has no name there. In the arena. */
sonde_status save_list_of(const sonde_model *m, spelling s, arena *into, save_list *out, sonde_error *err);
/* All numbers of one as its file has them; `out` has room for them. In save_values.c. */
sonde_status save_values(const sonde_model *m, const save_tensor *t, float *out, sonde_error *err);
int64_t      save_count(const save_tensor *t);
/* The weight that a part's numbers are taken from: its own, or for branches of experts that were stored otherwise the one that
 * holds them (of two, the first). NULL: the model has none. */
const weight *save_source(const sonde_model *m, stack_id stack, weight_id id, int64_t layer);
const arch_config *save_config(const sonde_model *m, stack_id stack);
/* Outputs of a part that one slab holds. */
int64_t      save_outputs(const sonde_model *m, const save_tensor *t, weight_id id);
sonde_status save_no_memory(size_t bytes, sonde_error *err);
uint64_t     save_bytes(const save_tensor *t);          /* in its type `to` */
/* The values in their type, in memory of the caller's (free); tells options.saved. */
sonde_status save_pack(const sonde_model *m, const save_tensor *t, const sonde_save_options *o, void **out, sonde_error *err);

/* Tells options.saved of every tensor, for a dry run. */
void         save_tell(const save_list *list, const sonde_save_options *o);
/* `to` of every tensor, by options.type; and general.file_type. */
sonde_status save_choose(const sonde_model *m, save_list *list, const sonde_save_options *o, int *file_type, arena *into,
                         sonde_error *err);

/* What a GGUF file would say, and which tensors it would have. */
typedef struct { const meta_value *meta; size_t n_meta; const save_list *list; arena *into; } gguf_said;
/* Would a reader of it see the same model? What GGUF cannot say must not be lost silently: UNSUPPORTED. In save_check.c. */
sonde_status save_check(const sonde_model *m, const gguf_said *s, sonde_error *err);

sonde_status save_gguf(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err);
sonde_status save_folder(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err);
#endif
