/* method.h - an analysis: one description for the shell, HTTP, the page and the manual.
 *
 * Adding one is a file method_NAME.c and a line in methods.def. A method sees
 * include/sonde only; it fills a result and never draws it. */
#ifndef SONDE_METHOD_H
#define SONDE_METHOD_H
#include "param.h"
#include "sonde/sonde.h"

/* One prompt as it came in, and as tokens. */
typedef struct method_prompt {
    const char  *text; size_t len;      /* NULL when it was given as tokens */
    sonde_tokens tokens;
    sonde_tokens target;                /* of an encoder-decoder: its decoder's tokens; n 0: the model's start token alone */
    const char  *target_text; size_t target_len;        /* as it was given, or NULL */
    const char  *answer, *wrong;        /* of a file of prompts, or NULL */
    const char  *b, *b_pair;            /* texts of its run B, or NULL (b_pair: then pair) */
    const char  *pair; size_t pair_len; /* the text beside it, or NULL */
} method_prompt;

typedef struct sonde_context {
    const sonde_model       *model;
    sonde_session           *session;                       /* NULL: a method that takes a bare tokenizer got one */
    const method_prompt     *prompts; size_t n_prompts;
    bool                     batch;                         /* they are a file of prompts, if only of one */
    const method_prompt     *documents; size_t n_documents; /* of --text, cut to the context; each has a token at least */
    sonde_cells             *cells;                         /* where finished work is kept; NULL: nowhere */
    const sonde_edit *const *edits; size_t n_edits;
    const sonde_named_run   *runs; size_t n_runs;           /* --run; and "reference" for each prompt of --reference */
    sonde_token_options      tokenize;                      /* --bos and --plain, for texts a method tokenises itself */
    const sonde_model_search *search;                       /* where models lie; NULL: the embedded one alone */
    uint64_t                 seed;
    long                     top;
    bool                     dry_run;
    const char *const       *out; size_t n_out;             /* --out, for methods that write their file themselves */
    /* Never NULL. `all` 0: `what` is a line for the person, said at once. */
    void                   (*progress)(void *user, const char *what, int64_t done, int64_t all);
    void                    *progress_user;
    bool                   (*stop)(void *user);             /* for sessions of a method's own; NULL: nobody asks. With progress_user */
} sonde_context;

enum {                                  /* what a method takes */
    NEEDS_MODEL = 1, NEEDS_PROMPT = 2, TAKES_PROMPT = 4, MANY_PROMPTS = 8, TAKES_EDITS = 16, WRITES_OUT = 32,
    NEEDS_TEXT = 64, TAKES_TEXT = 128,      /* documents: --text; TAKES_TEXT beside NEEDS_PROMPT: one of the two */
    KEEPS_CELLS = 256,                      /* work over prompts that --results, if given, keeps */
    READS_TEXTS = 512,                      /* parameters of its own name texts, which --bos and --plain are about too */
    TAKES_BARE = 1024,                      /* a tokenizer is enough of a model; then there is no session */
    TAKES_TWO = 2048,                       /* encoder-decoders too: logits, metrics and positions are the target's */
    NEXT_TOKENS = 4096,                     /* it is about what comes next: of language models alone */
    MANY_WORDS = 8192                       /* every word of the command line is a prompt */
};

typedef struct method {
    const char  *name, *summary;
    const char  *reference;             /* author, year, title; NULL where it is plain reading of values */
    const char  *formula;               /* what every number means, with units */
    const char  *example;               /* works as typed on the embedded model: the words behind "sonde" */
    const param *params;                /* ends with a zeroed row; common options are not listed here */
    int          takes;
    sonde_status (*run)(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err);
} method;

extern const method *const method_table[];      /* from methods.def, NULL-terminated */
const method *method_find(const char *name);    /* NULL: no such method */

/* What nearly every method needs: model, prompts (with tokens) and edits into the head of the result. */
void         context_head(const sonde_context *cx, const method *m, sonde_result *out);
sonde_token  context_token(const sonde_context *cx, int32_t id);
/* What index i of the logits says: a token, a label, start or end of a span; of others its number alone. */
sonde_token  context_answer(const sonde_context *cx, int32_t i);
sonde_prompt context_prompt(const sonde_context *cx, size_t i);
/* The tokens that logits follow, *n of them: the prompt's, or those of an encoder-decoder's target. */
const int32_t *context_rows(const sonde_context *cx, const sonde_prompt *p, int64_t *n);
/* The same prompt with other ones. */
sonde_prompt context_with(const sonde_context *cx, sonde_prompt p, const int32_t *rows, int64_t n);
/* UNSUPPORTED: an encoder-decoder, and the method reads one stack. */
sonde_status method_check(const method *m, const sonde_model *model, sonde_error *err);
/* UNSUPPORTED names what the method needs and the model lacks. */
sonde_status method_fits(const sonde_context *cx, const method *m, sonde_error *err);
/* The edit, whole, among those of the result. */
void         put_edit(sonde_result *out, const sonde_edit *e);
/* A number into a cell; NaN, what is not defined, as null. */
void         put_defined(sonde_table *t, double v);
#endif
