/* result.h - what a method answers: tables, arrays, and views that name what they draw.
 *
 * A method fills a result and never draws it; writers know nothing of methods.
 * All texts are copied. A result is used by one thread at a time. Adding never
 * fails (the process stops when small memory is gone). Floats are printed with
 * the 9 digits that give a float32 back; NaN and infinities are kept. */
#ifndef SONDE_RESULT_H
#define SONDE_RESULT_H
#include "sonde/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sonde_result sonde_result;
typedef struct sonde_model sonde_model;
typedef struct sonde_table sonde_table;
typedef struct sonde_array sonde_array;

typedef struct { int32_t id; const char *bytes; size_t len; } sonde_token;      /* bytes as decoded, may be broken UTF-8 */
typedef enum { SONDE_INT, SONDE_FLOAT, SONDE_TEXT, SONDE_TOKEN, SONDE_BOOL } sonde_column_type;
typedef enum {
    SONDE_VIEW_HEATMAP, SONDE_VIEW_LINES, SONDE_VIEW_BARS, SONDE_VIEW_SCATTER, SONDE_VIEW_TOKENS,
    SONDE_VIEW_TOKEN_GRID, SONDE_VIEW_GRAPH, SONDE_VIEW_BOXES, SONDE_VIEW_HISTOGRAM, SONDE_VIEW_CLOUD,
    SONDE_VIEW_ARCHITECTURE
} sonde_view_kind;

SONDE_API sonde_result *sonde_result_new(void);
SONDE_API void          sonde_result_free(sonde_result *r);                     /* accepts NULL */

/* Head of the JSON: method, model, parameters as given, edits one by one. */
SONDE_API void sonde_result_method(sonde_result *r, const char *name);
SONDE_API void sonde_result_model(sonde_result *r, const char *name, const char *family, const char *hash);
/* The same of this model, whose hash is asked for where it is written: the result owns it too until it is freed. */
SONDE_API void sonde_result_model_of(sonde_result *r, const sonde_model *m);
SONDE_API void sonde_result_param(sonde_result *r, const char *name, const char *value);
SONDE_API void sonde_result_edit(sonde_result *r, const char *text);
/* A line for a person (printed above the tables in a terminal or a pipe's stderr, never in JSON or CSV). */
SONDE_API void sonde_result_note(sonde_result *r, const char *text);
/* Note i, lent; NULL past the last one. For whoever prints a pipe's stderr. */
SONDE_API const char *sonde_result_note_at(const sonde_result *r, size_t i);

/* Prompts: returns the index. start, end: bytes in the text; -1: not known. */
SONDE_API size_t sonde_result_prompt(sonde_result *r, const char *text, size_t len);
/* The text beside it; its tokens' bytes are those of this text. */
SONDE_API void   sonde_result_pair(sonde_result *r, size_t prompt, const char *text, size_t len);
SONDE_API void   sonde_result_prompt_token(sonde_result *r, size_t prompt, sonde_token t, int64_t start, int64_t end);
/* Of an encoder-decoder: its decoder's tokens, in order. Positions alone then do not say which text they count, and pictures
 * show them as numbers. */
SONDE_API void   sonde_result_target_token(sonde_result *r, size_t prompt, sonde_token t);
typedef struct {
    sonde_token token; double prob;             /* at temperature 1 */
    const sonde_token *alternatives; const double *probs; size_t n;     /* the most probable tokens */
} sonde_written;
SONDE_API void   sonde_result_generated(sonde_result *r, size_t prompt, const sonde_written *w);
SONDE_API void   sonde_result_generated_text(sonde_result *r, size_t prompt, const char *text, size_t len);

/* Tables: columns first, then rows; the cells of a row in the order of the columns. A missing cell is null. */
SONDE_API sonde_table *sonde_result_table(sonde_result *r, const char *name);   /* lent, lives as long as r */
SONDE_API void sonde_table_column(sonde_table *t, const char *name, sonde_column_type type, const char *unit);
SONDE_API void sonde_table_row(sonde_table *t);
SONDE_API void sonde_cell_int(sonde_table *t, int64_t v);
SONDE_API void sonde_cell_float(sonde_table *t, double v);
SONDE_API void sonde_cell_text(sonde_table *t, const char *text);               /* NULL: null */
SONDE_API void sonde_cell_token(sonde_table *t, sonde_token v);
SONDE_API void sonde_cell_bool(sonde_table *t, bool v);
SONDE_API void sonde_cell_null(sonde_table *t);

/* Arrays: float32, named axes outermost first ("layer head t s"), zeroed; NaN means not computed ("null" in JSON
 * only where `missing` was called for that item). data is lent, row-major, lives as long as r. */
SONDE_API sonde_array *sonde_result_array(sonde_result *r, const char *name, const char *axes, const int64_t *dim);
SONDE_API float       *sonde_array_data(sonde_array *a);
SONDE_API void         sonde_array_missing(sonde_array *a, int64_t item);
/* The last two axes are query and key, and keys behind the query are masked: pictures leave them out. */
SONDE_API void         sonde_array_causal(sonde_array *a);
/* Text leaves it out: JSON, npy and safetensors alone have it. */
SONDE_API void         sonde_array_quiet(sonde_array *a);
/* Labels of one axis, in order, for pictures and terminal tables; tokens or plain text. */
SONDE_API void         sonde_array_label_token(sonde_array *a, int axis, sonde_token t);
SONDE_API void         sonde_array_label_text(sonde_array *a, int axis, const char *text);

/* What is drawn: `of` names a table or an array; the others name columns of the table, NULL where there is none.
 *
 * kind          one mark is           x              y                  value
 * HEATMAP       a cell                across         down               its colour; arrays: the last two axes, a panel for
 *                                                                       each index of those before them
 * LINES         a point of a line     across         which line         height (low, high: the band around it)
 * BARS          a bar                 which bar      -                  length
 * SCATTER       a point               across         up (z: deep)       its colour: a number or a text (a category)
 * TOKENS        a token in a strip    the token      -                  its colour
 * TOKEN_GRID    a token in a grid     across         down               the token
 * GRAPH         a node                its id         ids that it reads  its text
 * BOXES         a number of a sample  across         down               the number: one box (quartiles, whiskers at 1.5 IQR,
 *                                                                       points beyond) for each x, y; arrays: the last two
 *                                                                       axes are y and x, all others are the sample
 * HISTOGRAM     a bin                 lower edge     which histogram    count (high: its upper edge); several lie over another
 * CLOUD         a word                the token      -                  its size
 * ARCHITECTURE  a box in space        columns x y z (its middle) and width height depth; label, value: its colour; panel: its group
 *
 * panel: small pictures, one for each value of that column, all in one scale unless own_scale. label: text at a mark. */
typedef struct {
    sonde_view_kind kind;
    const char *of;                             /* the table or array it draws */
    const char *x, *y, *value;
    const char *title;                          /* one line, or NULL */
    const char *z, *low, *high, *label, *panel;
    bool        own_scale;                      /* every panel has a scale of its own */
    bool        logarithmic;                    /* the axis of the value */
    bool        root;                           /* colours go by the square root: what is small stays visible */
} sonde_drawing;
SONDE_API void sonde_result_view(sonde_result *r, sonde_drawing v);              /* drawn in the order declared */

/* A token as a person sees it: space as a middle dot, newline and tab as their signs, and whatever is broken, invisible
 * or could steer a terminal as <0xNN> per byte; a mark with nothing to sit on gets a dotted circle. Like snprintf:
 * returns the length without NUL, writes what fits (whole characters) and a NUL if n > 0. */
SONDE_API size_t sonde_token_show(const char *bytes, size_t len, char *out, size_t n);

/* Writers. An array counts as shown when a table has a column of its name; text prints the others after the tables. */
typedef struct {
    bool color;                 /* ANSI colours, bars and heatmaps in Unicode; false: tab-separated tables */
    int  width;                 /* columns of the terminal, when color; 0: 80; below 20: 20 */
    bool light;                 /* the terminal's page is light (default: dark) */
    bool palette;               /* it knows the 256 colours only (default: 24 bits) */
} sonde_text_style;
typedef sonde_status (*sonde_sink)(void *user, const char *bytes, size_t n, sonde_error *err);
SONDE_API sonde_status sonde_result_text(const sonde_result *r, sonde_text_style s, sonde_sink sink, void *user, sonde_error *err);
/* Beyond what interface.md 6 lists: a prompt's continuation is `completion`, an array with labels has `labels` {axis: [..]},
 * a parameter given several times is a list. Code points that a terminal acts on are escaped. */
SONDE_API sonde_status sonde_result_json(const sonde_result *r, sonde_sink sink, void *user, sonde_error *err);
SONDE_API sonde_status sonde_result_csv(const sonde_result *r, sonde_sink sink, void *user, sonde_error *err);  /* first table */
/* What such JSON says, into an empty result: numbers, texts and tokens are as they were. FORMAT: no result of sonde, `into`
 * has what stands before the fault; UNSUPPORTED: an array whose data lie in a file beside it. */
SONDE_API sonde_status sonde_result_read(sonde_result *into, const char *json, size_t n, sonde_error *err);
/* By the ending of `path`: .json .csv .tsv .npy .safetensors .txt; .svg .png .pdf draw every view, one below the other
 * (USAGE without one; UNSUPPORTED in a build without cairo); .html has views and tables in one file that asks for no other.
 * An ending nobody knows: USAGE. Written beside and renamed. */
SONDE_API sonde_status sonde_result_save(const sonde_result *r, const char *path, sonde_error *err);
/* The check of the ending alone, before anything runs. */
SONDE_API sonde_status sonde_result_can_save(const char *path, sonde_error *err);
#endif
