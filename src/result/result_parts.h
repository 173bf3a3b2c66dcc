/* result_parts.h - what a result is made of, for its writers.
 *
 * A table keeps 9 bytes a cell (a value and whether it is there) in row-major
 * order; texts and tokens lie in the table's pool and a cell holds their offset.
 * What a writer gets is lent and read-only. */
#ifndef SONDE_RESULT_PARTS_H
#define SONDE_RESULT_PARTS_H
#include "sonde/array_file.h"
#include "sonde/result.h"
#include "sonde/model.h"
#include "base/arena.h"

/* A list that grows; stops the process when memory is gone. LIST_ADD gives a zeroed new last item. */
#define LIST(type) struct { type *at; size_t n, cap; }
#define LIST_ADD(l) \
    ((l).at = result_grow((l).at, (l).n, 1, &(l).cap, sizeof *(l).at), &(l).at[(l).n++])
/* Room for `more` zeroed items behind the first n. */
void *result_grow(void *items, size_t n, size_t more, size_t *cap, size_t size);

typedef struct { const char *bytes; size_t len; } span;

typedef struct { const char *name, *value; } result_param;
typedef struct { sonde_token token; int64_t start, end; } prompt_token;
typedef struct {
    span                  text, pair, completion;   /* bytes NULL: none */
    LIST(prompt_token)    tokens;
    LIST(sonde_token)     target;                   /* of an encoder-decoder */
    LIST(sonde_written)   generated;
} result_prompt;

typedef struct { const char *name, *unit; sonde_column_type type; } table_column;
typedef union { int64_t i; double f; size_t at; bool b; } table_cell;
struct sonde_table {
    const char        *name;
    arena             *into;
    LIST(table_column) columns;
    LIST(table_cell)   cells;                       /* [rows, columns] */
    LIST(uint8_t)      there;                       /* the same; 0: null */
    LIST(char)         pool;
    size_t             rows, next;                  /* next: cell of the last row that is filled next */
};

typedef struct { sonde_token token; bool is_token; } axis_label;     /* a text: bytes and len, id -1 */
struct sonde_array {
    const char      *name;
    arena           *into;
    int              rank;
    const char      *axis[SONDE_MAX_RANK];
    int64_t          dim[SONDE_MAX_RANK];
    LIST(axis_label) labels[SONDE_MAX_RANK];
    int64_t          n;
    float           *data;
    uint8_t         *missing;                       /* a bit an item; NULL: none */
    bool             quiet, causal;
};

struct sonde_result {
    arena               *into;
    const char          *method, *model_name, *model_family, *model_hash;    /* NULL: not said */
    sonde_model         *model;                                              /* says the hash then */
    LIST(result_param)   params;
    LIST(const char *)   edits;
    LIST(const char *)   notes;
    LIST(result_prompt)  prompts;
    LIST(sonde_table *)  tables;
    LIST(sonde_array *)  arrays;
    LIST(sonde_drawing)  views;
};

const char *result_model_hash(const sonde_result *r);      /* NULL: not said */

/* What JSON calls kinds of views and types of columns; [SONDE_VIEW_ARCHITECTURE + 1], [SONDE_BOOL + 1]. */
extern const char *const view_names[], *const type_names[];

bool        table_has(const sonde_table *t, size_t row, size_t column);       /* false: null */
table_cell  table_at(const sonde_table *t, size_t row, size_t column);
/* A token without text is #id. */
span        table_text(const sonde_table *t, size_t row, size_t column);
sonde_token table_token(const sonde_table *t, size_t row, size_t column);
size_t      table_find(const sonde_table *t, const char *column);             /* SIZE_MAX: none, or NULL asked */
bool        array_missing(const sonde_array *a, int64_t item);
bool        array_masked(const sonde_array *a, int64_t item);                 /* causal, and behind the query */

const sonde_table *result_table(const sonde_result *r, const char *name);     /* NULL: none */
const sonde_array *result_array(const sonde_result *r, const char *name);
/* Is it quiet, or does a table have a column of its name, so that its numbers stand there? */
bool        result_tabled(const sonde_result *r, const sonde_array *a);
/* Whatever the prompts' tokens and the generated ones say, as a table in `into`. */
const sonde_table *result_token_table(const sonde_result *r, sonde_result *into);
#endif
