/* site_rows.h - the rows that one kind of site has at every layer of a run of a prompt: a vector for each position. */
#ifndef SONDE_SITE_ROWS_H
#define SONDE_SITE_ROWS_H
#include "method.h"

typedef struct {
    char name[96];
    char state[48];                     /* the block as it runs, "4r1", "decoder.0"; outside of blocks the whole name */
    int  block;                         /* -1: none */
    bool of_target;                     /* its positions are those of an encoder-decoder's target */
    int64_t n;                          /* positions */
    sonde_site site;                    /* its name and axes are not kept */
} site_row;

typedef struct {
    sonde_context *cx;
    char           axes[16];
    site_row      *at; size_t n;        /* in the order of the run */
    int64_t        positions, width;    /* positions: of the site that has most */
    int64_t        head;                /* of "t h e"; -1: the site has no heads */
    float         *data;                /* [n, positions, width] */
} site_rows;

/* `text`: a pattern that names one kind of site with axes "t d", "t f", "t v" or, with an index [:,HEAD], "t h e", in either
 * stack or both; `layers`: as PARAM_LAYERS, of the blocks of each stack. Prompt 0. */
typedef struct { const char *text, *layers; const param *layers_row; } site_rows_query;
sonde_status site_rows_open(site_rows *r, sonde_context *cx, const site_rows_query *q, sonde_error *err);
void         site_rows_close(site_rows *r);

/* The run: `data`; or, where `cost` is not NULL, what it would cost. */
sonde_status site_rows_run(site_rows *r, sonde_cost *cost, sonde_error *err);
/* What --dry-run answers: the sites and that cost. */
sonde_status site_rows_dry(site_rows *r, sonde_result *out, sonde_error *err);

/* What a number of a row is called: "neuron", "dim", "token" (of the vocabulary), else "unit". */
const char  *site_rows_unit(const site_rows *r);
#endif
