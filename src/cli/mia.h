/* mia.h - the parts of `sonde mia`: Llama.MIA's flags as edits, sites and results of the library. */
#ifndef SONDE_MIA_H
#define SONDE_MIA_H
#include "opened.h"

/* Parameters; those that take several words hold them one behind another. */
enum { MIA_PROMPT, MIA_N, MIA_DRAW, MIA_GRAPH, MIA_LENS, MIA_ABLATE, MIA_SELECT, MIA_SAVE, MIA_PATCH, MIA_PATCH_AVG };
enum { LENS_WORDS = 2, SELECT_WORDS = 2, SAVE_WORDS = 2, PATCH_WORDS = 4, PATCH_AVG_WORDS = 5 };

/* A value of the prompt's run that is kept for --ll and --save. */
typedef struct {
    const char *name, *graph_name, *axes;       /* graph_name: llama.cpp's, else the same as name */
    int         rank;
    int64_t     dim[4], n;
    float      *data;                           /* [n], once the run is over */
} mia_value;

typedef struct { size_t value; int64_t k; } mia_lens;
typedef struct { const char *path; size_t *value, n; } mia_save;

typedef struct {
    command       *c;
    opened        *o;
    sonde_context  cx;
    const sonde_model_info *info;
    sonde_prompt   prompt;
    bool           plain;                       /* stdout gets Llama.MIA's form, not --json or files */
    sonde_edit   **edit;   size_t n_edits;
    const char   **note;                        /* [n_edits]: where an edit's values come from, or NULL */
    mia_value     *value;  size_t n_values;     /* each site once */
    mia_lens      *lens;   size_t n_lens;
    mia_save      *save;   size_t n_saves;
} mia;

typedef struct { mia_value *at; size_t n; } mia_sites;

/* mia_words.c */
sonde_status mia_respell(command *c, int *argc, char ***argv, sonde_error *err);
int          mia_values(const char *name);     /* verb.values */

/* mia_sites.c: the sites of a name, exact or a pattern, at the prompt's length; `flag` for messages. */
sonde_status mia_sites_of(const mia *m, const char *flag, const char *name, mia_sites *out, sonde_error *err);
/* "64 numbers" of a row: all axes but the first. */
int64_t      mia_row_size(const mia_value *v);
sonde_status mia_number(const char *flag, const char *text, int64_t *out, sonde_error *err);

/* mia_edits.c: --ablate, --select, --patch and --patch-avg into m->edit. */
sonde_status mia_edits(mia *m, sonde_error *err);
/* mia_rows.c: row `from` of the values of a site in a file, `width` numbers. */
typedef struct { const char *flag, *path; const mia_value *site; int64_t from; } mia_row;
sonde_status mia_row_read(const mia *m, mia_row r, float *out, sonde_error *err);

/* mia_values.c: what --ll and --save need, checked before anything runs; then what they make of it. */
sonde_status mia_values_plan(mia *m, sonde_error *err);
sonde_status mia_lens_put(mia *m, sonde_error *err);
sonde_status mia_save_files(const mia *m, sonde_error *err);

/* mia_graph.c */
sonde_status mia_graph(mia *m, sonde_error *err);

/* A token's text, fit to be shown. */
typedef struct { char text[200]; } mia_piece;
mia_piece    mia_piece_of(const mia *m, int32_t id);
#endif
