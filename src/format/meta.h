/* meta.h - what a container says besides its arrays: keys and typed values, as GGUF has them.
 *
 * Values are lent, as long as the weights are open. Texts are bytes with a length: they may hold NUL and need not be
 * UTF-8. Numbers of a list lie in the file, unaligned: read them by meta_item_int and meta_item_number. */
#ifndef SONDE_META_H
#define SONDE_META_H
#include "weights.h"

typedef enum { META_INT, META_NUMBER, META_BOOL, META_TEXT, META_LIST } meta_kind;

typedef struct { const char *at; size_t len; } meta_text;

struct meta_value {
    const char *key;
    meta_kind   kind, of;       /* of: a list's items, any kind but META_LIST */
    uint32_t    stored;         /* the container's own number of the type; of a list: of its items */
    int64_t     integer;        /* META_INT (an unsigned number above INT64_MAX is INT64_MAX) and META_BOOL */
    double      number;         /* META_NUMBER */
    meta_text   text;
    size_t      n, item;        /* a list: how many; bytes of one number */
    const uint8_t   *data;      /* a list of numbers or bools; of one of them, its bytes in the file, or NULL */
    const meta_text *texts;     /* [n], a list of texts */
};

size_t            weights_meta_count(const weights *w);
const meta_value *weights_meta_at(const weights *w, size_t i);              /* in the file's order */
const meta_value *weights_meta(const weights *w, const char *key);          /* NULL: there is none */
/* False where the value is no list of integers (bools count) or of numbers. i < n. */
bool              meta_item_int(const meta_value *v, size_t i, int64_t *out);
bool              meta_item_number(const meta_value *v, size_t i, double *out);
#endif
