/* pickle.h - the part of Python's pickle that files of tensors need, read as data.
 *
 * A pickle is a program for a stack machine that may call any Python function. Here names mean what a closed table says
 * they mean, calls rebuild tensors and dictionaries, and everything else is refused by its name or its opcode: nothing
 * is looked up, imported or run. Values may refer to themselves (a list that holds itself), so nobody may follow items
 * of items without a bound on the depth. */
#ifndef SONDE_PICKLE_H
#define SONDE_PICKLE_H
#include "cursor.h"
#include "weights.h"
#include "base/arena.h"

typedef enum {
    PICKLE_UNSET,               /* a slot of the memo that nothing was put in */
    PICKLE_NONE, PICKLE_BOOL, PICKLE_INT, PICKLE_REAL, PICKLE_BIG, PICKLE_TEXT, PICKLE_BYTES, PICKLE_GLOBAL,
    PICKLE_TUPLE, PICKLE_LIST, PICKLE_DICT, PICKLE_STORAGE, PICKLE_TENSOR, PICKLE_OTHER
} pickle_kind;

typedef enum {
    ROLE_STORAGE, ROLE_DTYPE,                               /* name a type of items */
    ROLE_DICT, ROLE_TENSOR, ROLE_TENSOR_V2, ROLE_TENSOR_V3, ROLE_PARAMETER, ROLE_PARAMETER_STATE, ROLE_SIZE,
    ROLE_DEVICE,                                            /* are called */
    ROLE_NAME                                               /* stands for itself */
} pickle_role;

/* A name that a pickle may hold. One row of the table in pickle_names.c. */
typedef struct {
    const char *module, *name;
    pickle_role role;
    bool        read;           /* storages and dtypes: has a dtype here */
    dtype_id    type;
} pickle_name;

/* Raw items that several tensors may share. `count` items, as the pickle says. */
typedef struct pickle_storage {
    const pickle_name *type;
    const char        *key;
    size_t             key_len;
    int64_t            count;
    size_t             offset;          /* of its opcode, for messages */
    const struct pickle_storage *next;  /* the one named before it in the same pickle */
} pickle_storage;

/* All numbers are 0 or more, and not yet compared with the storage. */
typedef struct {
    const pickle_storage *storage;
    const pickle_name    *type;
    int     rank;
    int64_t offset, dim[WEIGHT_MAX_RANK], stride[WEIGHT_MAX_RANK];      /* in items */
} pickle_tensor;

typedef struct pickle_items pickle_items;

typedef struct {
    pickle_kind kind;
    bool        hashable;
    union {
        int64_t integer;                                    /* INT, BOOL */
        double  real;
        struct { const char *at; size_t len; } text;        /* TEXT, BYTES, BIG (little-endian): in the pickle */
        const pickle_name    *global;
        pickle_items         *items;                        /* TUPLE, LIST, DICT */
        const pickle_storage *storage;
        const pickle_tensor  *tensor;
    };
} pickle_value;

struct pickle_items {
    pickle_value *at;           /* a dictionary: key, value, key, value .. */
    size_t        n, cap;
    bool          ordered;      /* an OrderedDict */
};

typedef struct {
    const uint8_t *from;                /* offsets in messages count from here */
    const pickle_storage *storages;     /* out: the last named one */
} pickle_source;

enum { PICKLE_LONGEST = 64 << 20, PICKLE_MOST_PUSHES = 4000000 };

/* Reads one pickle and leaves the cursor behind it. Values lie in `memory`, texts in the pickle. FORMAT, with "offset N:"
 * in front, for what breaks the format or is refused. UNSUPPORTED for tensors of more than WEIGHT_MAX_RANK dimensions. */
sonde_status pickle_read(cursor *c, pickle_source *from, arena *memory, pickle_value *out, sonde_error *err);

/* The value of a text key. False if there is none, or the key stands twice. */
bool pickle_get(const pickle_value *dict, const char *key, pickle_value *out);

/* Rows of the table; NULL: the name is none of them. */
const pickle_name *pickle_name_find(const char *module, size_t module_len, const char *name, size_t name_len);
#endif
