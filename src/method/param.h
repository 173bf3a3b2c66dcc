/* param.h - one description of a parameter for every front.
 *
 * The command line, the HTTP server, the web form and the manual are made from
 * the same rows and end in param_parse, so they cannot disagree. */
#ifndef SONDE_PARAM_H
#define SONDE_PARAM_H
#include "sonde/error.h"
#include <stddef.h>

typedef enum {
    PARAM_TEXT, PARAM_INT, PARAM_REAL,
    PARAM_SITE,                     /* a pattern of sites, with an index where the method takes one */
    PARAM_LAYERS,                   /* "all", or numbers and ranges: 0-11, 3,5, -1; param_numbers reads it */
    PARAM_NUMBERS,                  /* the same for heads and positions */
    PARAM_FLAG,                     /* given or not; i is 0 or 1 */
    PARAM_LIST,                     /* may be given several times; list holds them in order */
    PARAM_PROMPTS,                  /* the same: files of prompts, or text:ONE; whoever calls the method fills `prompts` */
    PARAM_PAIR,                     /* the text beside every prompt, in place of --pair; whoever calls tokenizes with it */
    PARAM_FILE                      /* a file; whoever calls the method fills `content` */
} param_type;

typedef struct {
    const char *name;               /* "top", "min-p"; without the dashes */
    param_type  type;
    const char *fallback;           /* NULL: required; "": none (text is "", n is 0, flags are 0) */
    double      min, max;           /* PARAM_INT and PARAM_REAL */
    const char *help;
} param;

typedef struct {
    const char *text;               /* as given, or the fallback */
    long        i;
    double      real;
    const char *const *list; size_t n;
    const struct method_prompt *prompts; size_t n_prompts;      /* PARAM_PROMPTS: tokenized, at least one if given */
    const char *content; size_t size;                           /* PARAM_FILE: the bytes of the file */
    int         given;              /* somebody gave it */
} value;

/* Check `text` (NULL: not given) against the row and convert it. */
sonde_status param_parse(const param *p, const char *text, value *out, sonde_error *err);

/* "all", "3", "0-4", "1,3,-1": indices below `n`, in the order written, each once; caller frees. USAGE with the name of
 * the parameter for what is outside. */
sonde_status param_numbers(const param *p, const char *text, long n, long **out, size_t *count, sonde_error *err);
#endif
