/* site.h - the named places where values exist (docs/reference/sites.md).
 *
 * Sites are known by name only; the names are TransformerLens's. */
#ifndef SONDE_SITE_H
#define SONDE_SITE_H
#include "sonde/error.h"
#include "sonde/edit.h"
#include "sonde/model.h"

typedef struct {
    const char *name;           /* whole, "blocks.3.attn.hook_z" */
    const char *axes;           /* "t h e" */
    const char *doc;
    const char *graph_name;     /* what llama.cpp calls it, "kqv-3", an alias; NULL: nothing */
    bool        on_request;     /* a wildcard in the last part does not select it */
    bool        no_gradient;    /* it is a choice: a gradient passes over it, and one of it alone is USAGE */
    int         block;          /* its block's own number, -1 outside */
    bool        of_target;      /* its rows are positions of an encoder-decoder's target */
    int         rank;
    int64_t     dim[4];         /* for `n` positions: t and s are n */
} sonde_site;

typedef sonde_status (*sonde_site_fn)(const sonde_site *s, void *user, sonde_error *err);

typedef struct {
    const char              *pattern;           /* interface.md 3; NULL: every site there is, on request ones too */
    const sonde_edit *const *edits; size_t n_edits;     /* whose plans of execution hold; other edits are passed over */
    int64_t                  n;                 /* positions, for the dims */
    int64_t                  n_target;          /* those of an encoder-decoder's target; 0: the start token alone */
} sonde_site_query;

/* In the order in which such a run reaches them. Without a model (NULL; nor a query): every site that any family has,
 * those of blocks as block 0's, dims 0. USAGE with the three nearest where a name matches nothing. */
SONDE_API sonde_status sonde_sites(const sonde_model *m, const sonde_site_query *q, sonde_site_fn fn, void *user,
                                   sonde_error *err);
#endif
